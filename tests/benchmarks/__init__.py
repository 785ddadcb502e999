"""Timings, as ratios: ``make bench``. None of them is a test."""

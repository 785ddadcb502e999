"""Figures: one style for light and dark pages, the plots of the chapters, and figures that move."""

from .explorer import Explorer, explore
from .pictures import filters, images, matrices
from .plots import (
    PowerLaw,
    bars_with_intervals,
    fit_power_law,
    loglog_law,
    mean_interval,
    panels,
    trajectories,
)
from .style import COLORS, LINES, Figure, png, use_style

__all__ = [
    "COLORS",
    "LINES",
    "Explorer",
    "Figure",
    "PowerLaw",
    "bars_with_intervals",
    "explore",
    "filters",
    "fit_power_law",
    "images",
    "loglog_law",
    "matrices",
    "mean_interval",
    "panels",
    "png",
    "trajectories",
    "use_style",
]

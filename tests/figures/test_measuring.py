"""Verdicts, parts and folded waves: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pytest

import equibook as eq
from equibook.figures.measuring import verdict


def test_verdicts_by_size() -> None:
    assert [verdict(e) for e in (0.0, 9e-11, 2e-10, 0.099, 0.1, 3.0)] == [
        "exact",
        "exact",
        "approximate",
        "approximate",
        "broken",
        "broken",
    ]


def test_the_table_writes_the_numbers() -> None:
    rows = {"a": {"turn by 90°": 1e-16, "45°": 0.034}, "b": {"turn by 90°": 0.4, "45°": 2e-5}}
    figure = eq.figures.verdicts(rows)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["turn\nby 90°", "45°", "a", "exact", "3.4 %", "b", "40 % ✗", "< 0.1 %"]
    assert len({p.get_facecolor() for p in figure.axes[0].patches}) == 3
    with pytest.raises(ValueError, match="no row"):
        eq.figures.verdicts({})


def test_frames_of_the_table_have_one_size() -> None:
    sizes = {tuple(eq.figures.verdicts({"a": {"90°": e}}).get_size_inches()) for e in (0.0, 0.05, 0.5)}
    assert len(sizes) == 1


def test_parts_are_percent() -> None:
    figure = eq.figures.error_parts({"one": {"sampling": 0.02, "padding": 1e-9}, "two": {"sampling": 0.3}})
    bars = figure.axes[0].patches
    tops = sorted(round(bar.get_y() + bar.get_height(), 6) for bar in bars)
    assert tops == [0.01, 0.01, 2.0, 30.0]  # what is too small, or not there, ends at the axis


@pytest.mark.parametrize(("frequency", "seen"), [(1, 1), (4, 4), (5, 3), (6, 2), (8, 0)])
def test_the_alias_goes_through_the_kept_samples(frequency: int, seen: int) -> None:
    ax = eq.figures.folded_wave(frequency).axes[0]
    slow, kept = ax.lines[2], ax.lines[3]
    assert ax.get_title() == f"frequency {frequency}, read as {seen}"
    x, y = (np.asarray(kept.get_data()[0]), np.asarray(kept.get_data()[1]))
    assert np.allclose(np.interp(x, *slow.get_data()), y, atol=1e-9)
    assert len(x) == 8


def test_spectra_mark_what_folds() -> None:
    n = np.arange(32)
    figure = eq.figures.spectra({"slow": np.cos(2 * np.pi * 3 * n / 32), "fast": np.cos(2 * np.pi * 11 * n / 32)})
    heights = []
    for ax in figure.axes:
        colors = {bar.get_facecolor() for bar in ax.patches}
        assert len(colors) == 2
        heights.append({round(bar.get_x() + 0.4): bar.get_height() for bar in ax.patches if bar.get_height() > 0.01})
    assert heights == [{3: pytest.approx(0.5)}, {11: pytest.approx(0.5)}]
    hatched = {round(b.get_x() + 0.4) for b in figure.axes[1].patches if b.get_hatch()}
    assert hatched == set(range(9, 17))
    with pytest.raises(ValueError, match="no signal"):
        eq.figures.spectra({})

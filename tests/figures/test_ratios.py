"""Pictures of measurements: every point is drawn where it belongs, and what cannot be drawn is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

import equibook as eq

ROWS = {"a": {"large": 1.0, "small": 2.0}, "b": {"large": 0.5}, "c": {"large": math.nan, "small": 1.5}}


def test_a_dot_a_ratio_in_its_row() -> None:
    figure = eq.figures.ratio_rows(ROWS, targets={"small": 1.15}, title="T")
    (ax,) = figure.axes
    dots = {line.get_label(): line for line in ax.lines if line.get_linestyle() == "None"}
    assert np.allclose(dots["large"].get_data(), [[1, 0.5, math.nan], [0, 1, 2]], equal_nan=True)
    assert np.allclose(dots["small"].get_data(), [[2, 1.5], [0, 2]])
    assert dots["large"].get_marker() != dots["small"].get_marker()
    lines = [(line.get_xdata()[0], line.get_color()) for line in ax.lines if line.get_linestyle() != "None"]
    assert [x for x, _ in lines] == [1, 1.15] and lines[1][1] == dots["small"].get_color()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"] and ax.get_ylim() == (2.5, -0.5)
    assert ax.get_xscale() == "log" and ax.get_title() == "T" and ax.get_legend() is not None
    assert eq.figures.ratio_rows({"a": {"one": 1.0}}).axes[0].get_legend() is None


@pytest.mark.parametrize(("low", "high"), [(0.96, 1.2), (0.95, 3.4), (0.5, 20.0)])
def test_every_range_has_readable_ticks(low: float, high: float) -> None:
    (ax,) = eq.figures.ratio_rows({"a": {"one": low}, "b": {"one": high}}).axes
    a, b = ax.get_xlim()
    seen = [tick for tick in ax.get_xticks() if a <= tick <= b]
    assert 3 <= len(seen) <= 8 and all(len(f"{tick:g}") <= 4 for tick in seen)


def test_points_lie_against_the_diagonal() -> None:
    figure = eq.figures.bound_and_measured([2, 4, 8.0], [1, 4, 0.5], ["C8", "C64", "C8"])
    (ax,) = figure.axes
    dots = {line.get_label(): line.get_data() for line in ax.lines if line.get_linestyle() == "None"}
    assert np.allclose(dots["C8"], [[2, 8], [1, 0.5]]) and np.allclose(dots["C64"], [[4], [4]])
    assert np.allclose(*ax.lines[0].get_data()) and ax.get_xlim() == ax.get_ylim()
    assert ax.get_xlim()[0] < 0.5 and ax.get_xlim()[1] > 8
    many = eq.figures.bound_and_measured(np.ones(8), np.ones(8), [str(k) for k in range(8)]).axes[0]
    looks = [(d.get_marker(), d.get_color(), d.get_markerfacecolor()) for d in many.lines[2:]]
    assert len({look[0] for look in looks}) == 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eq.figures.ratio_rows({}), "no ratio"),
        (lambda: eq.figures.ratio_rows({"a": {"b": 0.0}}), "positive; got 0"),
        (lambda: eq.figures.ratio_rows(ROWS, targets={"none": 1.0}), r"\['none'\].*'large', 'small'"),
        (lambda: eq.figures.bound_and_measured([1.0], [1.0, 2.0], ["a"]), "one entry a point"),
        (lambda: eq.figures.bound_and_measured([], [], []), "one entry a point"),
        (lambda: eq.figures.bound_and_measured([1.0], [-1.0], ["a"]), "positive"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

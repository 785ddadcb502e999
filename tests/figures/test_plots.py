"""Curves, intervals and power laws: the numbers behind them, and what is drawn of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection

import equibook as eq


def labels(figure: eq.figures.Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_a_mode_has_its_color_and_line() -> None:
    figure = eq.figures.trajectories({"augmented": [1.0, 0.1], "mine": [1.0, 0.2]}, modes={"mine": "relaxed"})
    first, second = figure.axes[0].get_lines()
    assert first.get_color() == eq.figures.COLORS["augmented"]
    assert first.get_linestyle() == "--"
    assert second.get_color() == eq.figures.COLORS["relaxed"]
    assert set(labels(figure)) == {"augmented", "mine"}


def test_many_members_are_a_median_and_a_band(generator: torch.Generator) -> None:
    values = torch.rand(20, 9, generator=generator) + 0.1
    ax = eq.figures.trajectories({"nominal": values}).axes[0]
    assert np.allclose(ax.get_lines()[0].get_ydata(), np.median(values, axis=1))
    assert any(isinstance(artist, PolyCollection) for artist in ax.collections)


def test_few_members_are_thin_lines_and_a_median() -> None:
    ax = eq.figures.trajectories({"nominal": torch.rand(20, 3) + 0.1}).axes[0]
    assert len(ax.get_lines()) == 4 and not ax.collections


def test_zero_has_no_logarithm() -> None:
    curve = [0.0, 1e-16, 1e-15]
    left_out = eq.figures.trajectories({"E": curve}).axes[0].get_lines()[0].get_ydata()
    lifted = eq.figures.trajectories({"E": curve}, floor=1e-17).axes[0].get_lines()[0].get_ydata()
    linear = eq.figures.trajectories({"E": curve}, logy=False).axes[0].get_lines()[0].get_ydata()
    assert math.isnan(left_out[0]) and lifted[0] == 1e-17 and linear[0] == 0


def test_steps_for_all_or_for_one() -> None:
    figure = eq.figures.trajectories({"nominal": [1.0, 2.0], "relaxed": ([5, 10, 15], [1.0, 2.0, 3.0])}, [0, 100])
    first, second = figure.axes[0].get_lines()
    assert list(first.get_xdata()) == [0, 100] and list(second.get_xdata()) == [5, 10, 15]


def test_labels_at_the_ends_do_not_touch() -> None:
    curves = {f"curve {i}": [1.0, 1.0 + 1e-6 * i] for i in range(8)}
    heights = sorted(text.get_position()[1] for text in eq.figures.trajectories(curves).axes[0].texts)
    assert min(np.diff(heights)) > 0.05
    assert heights[-1] <= 1 + 1e-9


def test_panels_are_drawn_into() -> None:
    figure, (left, right) = eq.figures.panels(2)
    assert eq.figures.trajectories({"nominal": [1.0, 2.0]}, ax=left) is figure
    assert eq.figures.loglog_law([1, 2], [1, 2], ax=right) is figure
    assert len(figure.axes) == 2


@pytest.mark.parametrize(
    ("curves", "options", "message"),
    [
        ({}, {}, "empty"),
        ({"a": [1.0, 2.0]}, {"steps": [0]}, "2 records but there are 1 steps"),
        ({"a": torch.ones(2, 2, 2)}, {}, "records, members"),
        ({"a": ([1], [2], [3])}, {}, "tuple of 3"),
        ({"a": [1.0]}, {"modes": {"a": "mad"}}, "modes are nominal"),
        ({"a": [1.0]}, {"spread": "fog"}, "spread"),
    ],
)
def test_bad_curves_are_named(curves: dict, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.figures.trajectories(curves, **options)


@pytest.mark.parametrize(
    ("freedom", "level", "expected"),
    [(1, 0.95, 12.7062), (2, 0.95, 4.3027), (4, 0.95, 2.7764), (9, 0.99, 3.2498), (29, 0.9, 1.6991)],
)
def test_students_interval_against_the_tables(freedom: int, level: float, expected: float) -> None:
    values = np.linspace(-1, 1, freedom + 1)
    mean, low, high = eq.figures.mean_interval(values, level)
    t = (high - low) / 2 / (values.std(ddof=1) / math.sqrt(freedom + 1))
    assert mean == pytest.approx(0, abs=1e-12)
    assert t == pytest.approx(expected, abs=2e-4)


def test_one_seed_has_no_interval() -> None:
    mean, low, high = eq.figures.mean_interval([0.5])
    assert mean == 0.5 and math.isnan(low) and math.isnan(high)
    with pytest.raises(ValueError, match="empty"):
        eq.figures.mean_interval([])


@pytest.mark.parametrize("interval", ["confidence", "quartiles"])
def test_bars_show_every_seed(interval: str) -> None:
    groups = {"plain": [0.9, 0.92, 0.94], "equivariant": torch.tensor([0.95, 0.96])}
    figure = eq.figures.bars_with_intervals(groups, interval=interval)  # type: ignore[arg-type]
    dots = [line.get_xdata() for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert [len(xs) for xs in dots] == [3, 2]
    assert labels(figure)[0] == "0.920"
    with pytest.raises(ValueError, match="no value"):
        eq.figures.bars_with_intervals({"a": []})
    with pytest.raises(ValueError, match="empty"):
        eq.figures.bars_with_intervals({})


def test_one_seed_alone_can_be_drawn() -> None:
    assert len(eq.figures.png(eq.figures.bars_with_intervals({"a": [0.5], "b": [0.6, 0.7]}))) > 0


def test_a_power_law_is_recovered(generator: torch.Generator) -> None:
    x = torch.logspace(0, 3, 10, dtype=torch.float64)
    noise = torch.exp(0.05 * torch.randn(10, 20, generator=generator, dtype=torch.float64))
    law = eq.figures.fit_power_law(x, 3 * x[:, None] ** -0.5 * noise)
    assert abs(law.slope + 0.5) < 4 * law.error < 0.05
    assert law.constant == pytest.approx(3, rel=0.05)
    assert law(4.0) == pytest.approx(1.5, rel=0.05)


def test_a_law_says_its_slope_and_the_theorys() -> None:
    figure = eq.figures.loglog_law([1, 10, 100], [[1, 1.1], [0.1, 0.1], [0.01, 0.011]], slope=-1, name="AUG")
    assert set(labels(figure)) == {"AUG, fit: slope −1.00", "theory: slope −1"}


def test_a_law_over_a_short_range_marks_its_data_alone() -> None:
    (ax,) = eq.figures.loglog_law([64, 128, 256], [1, 0.5, 0.25]).axes
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["64", "128", "256"]
    assert not len(ax.get_xticks(minor=True))
    low, high = ax.get_ylim()
    assert sum(low <= tick <= high for tick in ax.get_yticks()) >= 2


def test_a_law_draws_what_is_below_its_floor_at_it() -> None:
    (ax,) = eq.figures.loglog_law([1, 10], [1, 0], floor=1e-3).axes
    assert min(ax.lines[0].get_ydata()) == 1e-3


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1, 2], [1, 0], "not positive"),
        ([1, -2], [1, 1], "not positive"),
        ([1, 2], [1, math.nan], "not positive"),
        ([1, 2], [1, 2, 3], "shape"),
        ([2, 2], [1, 2], "all x are equal"),
    ],
)
def test_bad_data_for_a_law_are_named(x: list, y: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.figures.fit_power_law(x, y)

"""Pictures of measurements: ratios of times, row by row, and factors beside what arithmetic allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from .arrays import Array, numbers
from .plots import OTHERS, Axes, _figure_of
from .style import GREY, Figure, styled

__all__ = ["bound_and_measured", "ratio_rows"]

MARKERS = ("o", "s", "^", "D")
NARROW = 5  # up to here the steps of a linear axis still look even enough


def ratio_rows(
    rows: Mapping[str, Mapping[str, float]],
    *,
    targets: Mapping[str, float] | None = None,
    xlabel: str = "ratio",
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Ratios on a logarithmic axis, a row each, with a line at 1.

    Args:
        rows: name → series → ratio. Each series has a marker and a color of its own; a ratio that is NaN is left out.
        targets: series → a value that gets a dashed line in its color.
        xlabel: the name of the axis.
        title: a text above the panel.
        ax: the panel to draw into; a new figure, as high as the rows need, if not given.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no row, a ratio is not positive, or a target belongs to no series.

    >>> ratio_rows({"C4, 3 × 3": {"large": 1.02, "small": 1.1}, "C4, 5 × 5": {"large": 0.99, "small": 1.05}})
    <Figure size ... with 1 Axes>

    Chapter: Speed
    """
    if not rows:
        raise ValueError("there is no ratio to draw: rows is empty.")
    series = list(dict.fromkeys(name for values in rows.values() for name in values))
    unknown = sorted(set(targets or {}) - set(series))
    if unknown:
        raise ValueError(f"targets names {unknown}, but the series are {series}.")
    wrong = [value for values in rows.values() for value in values.values() if value <= 0]
    if wrong:
        raise ValueError(f"a ratio of times is positive; got {wrong[0]}.")
    with styled():
        figure, ax = _figure_of(ax, height=1.2 + 0.22 * len(rows))
        ax.axvline(1, color=GREY, linestyle="-", linewidth=1)
        for k, name in enumerate(series):
            color = OTHERS[(3 + k) % len(OTHERS)][0]
            if name in (targets or {}):
                ax.axvline((targets or {})[name], color=color, linestyle=(0, (4, 3)), linewidth=1.2)
            places = [(values[name], y) for y, values in enumerate(rows.values()) if name in values]
            x, y = np.array(places).T
            ax.plot(x, y, MARKERS[k % len(MARKERS)], color=color, markersize=6, linestyle="none", label=name)
        ax.set_yticks(range(len(rows)), list(rows))
        ax.set(ylim=(len(rows) - 0.5, -0.5), xscale="log", xlabel=xlabel)
        _plain_ticks(ax, "x")
        ax.tick_params(axis="y", length=0)
        if len(series) > 1:
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(series))
        if title is not None:
            ax.set_title(title, pad=28 if len(series) > 1 else 6)
    return figure


def bound_and_measured(
    bound: Array,
    measured: Array,
    groups: Sequence[str],
    *,
    xlabel: str = "times fewer multiplications",
    ylabel: str = "times faster, measured",
    ax: Axes | None = None,
) -> Figure:
    """Measured factors against those that arithmetic promises, on logarithmic axes with the diagonal.

    Args:
        bound: (n,) positive.
        measured: (n,) positive.
        groups: what each point belongs to; the points of a group share a marker.
        xlabel: the name of the horizontal axis.
        ylabel: the name of the vertical axis.
        ax: the panel to draw into; a new figure if not given.

    Returns:
        The figure.

    Raises:
        ValueError: if the lengths differ, or a value is not positive.

    >>> bound_and_measured([2.0, 5.0, 16.0], [1.1, 3.0, 9.0], ["C8", "C16", "C64"])
    <Figure size ... with 1 Axes>

    Chapter: Speed
    """
    x, y = numbers(bound, "bound"), numbers(measured, "measured")
    if x.ndim != 1 or x.shape != y.shape or len(x) != len(groups) or not len(x):
        raise ValueError(
            f"bound, measured and groups have one entry a point; got {x.shape}, {y.shape} and {len(groups)}."
        )
    if min(x.min(), y.min()) <= 0:
        raise ValueError("factors are positive on logarithmic axes.")
    names = list(dict.fromkeys(groups))
    shapes = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
    with styled():
        figure, ax = _figure_of(ax, height=4.2)
        low, high = 0.8 * min(x.min(), y.min(), 1), 1.25 * max(x.max(), y.max())
        ax.plot([low, high], [low, high], color=GREY, linestyle="-", linewidth=1)
        ax.axhline(1, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
        for k, name in enumerate(names):
            own = np.array([group == name for group in groups])
            color = OTHERS[k % len(OTHERS)][0]
            ax.plot(
                x[own],
                y[own],
                shapes[k % len(shapes)],
                color=color,
                markersize=7,
                linestyle="none",
                label=name,
                markerfacecolor=color if k < len(OTHERS) else "none",
            )
        ax.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), xlabel=xlabel, ylabel=ylabel)
        _plain_ticks(ax, "x")
        _plain_ticks(ax, "y")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _plain_ticks(ax: Axes, which: str) -> None:
    """1, 2, 5, 10, … as they are written, and no powers of ten; steps of one size where all lie close together."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    low, high = axis.get_view_interval()
    close = high < NARROW * low
    axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]) if close else LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())

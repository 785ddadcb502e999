"""The plots of the chapters, one call each: no cell sets up axes for ten lines.

Each takes torch tensors or numpy arrays and returns a :class:`~equibook.figures.Figure`, which a
notebook shows as the value of its cell; with ``ax=`` it draws into a panel of :func:`panels`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import matplotlib.axes
import matplotlib.colors
import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from .arrays import Array, Numbers, numbers
from .style import COLORS, LINES, PAGE, Figure, styled

__all__ = [
    "PowerLaw",
    "bars_with_intervals",
    "fit_power_law",
    "loglog_law",
    "mean_interval",
    "panels",
    "trajectories",
]

Axes: TypeAlias = matplotlib.axes.Axes

#: What a curve looks like that is not a way of training.
OTHERS = (
    ("#56B4E9", "-"),
    ("#CC79A7", "--"),
    ("#E69F00", "-."),
    ("#009E73", ":"),
    ("#D55E00", (0, (3, 1, 1, 1))),
    ("#0072B2", (0, (8, 3))),
)


def panels(columns: int = 2, rows: int = 1, *, height: float = 3.0) -> tuple[Figure, list[Axes]]:
    """An empty figure as wide as the page, with panels to draw into by ``ax=``.

    Args:
        columns: panels side by side.
        rows: panels below each other.
        height: of one panel, in inches.

    Returns:
        The figure and its rows · columns axes, row by row.

    >>> figure, (left, right) = panels(2)
    >>> figure
    <Figure size 720x300 with 2 Axes>

    Chapter: Compatibility
    """
    if columns < 1 or rows < 1:
        raise ValueError(f"a figure of {rows} × {columns} panels is empty: give at least 1 × 1.")
    with styled():
        figure = Figure(figsize=(PAGE, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
    return figure, list(axes.flat)


def trajectories(
    curves: Mapping[str, Any],
    steps: Array | None = None,
    *,
    modes: Mapping[str, str] | None = None,
    spread: Literal["auto", "band", "lines"] = "auto",
    xlabel: str = "step",
    ylabel: str = "distance to E",
    title: str | None = None,
    logx: bool = False,
    logy: bool = True,
    floor: float | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Curves over the steps of a training, one a way of training, labeled at their ends.

    Several members of a curve are drawn as their median, thick, over the band from the 25th to
    the 75th percentile, or over one thin line a member where they are fewer than five.

    Args:
        curves: name → values (records,) or (records, members), or a pair (steps, values). A name
            that is a mode of :data:`~equibook.figures.COLORS` gets its color and line.
        steps: (records,) the steps at which the values were recorded; 0, 1, 2, … if not given.
        modes: name → mode, for names that are none themselves.
        spread: "band" or "lines" for several members; "auto" decides by their number.
        xlabel: the name of the horizontal axis, with its unit.
        ylabel: the name of the vertical axis, with its unit.
        title: a text above the panel.
        logx: whether the horizontal axis is logarithmic.
        logy: whether the vertical axis is logarithmic.
        floor: on a logarithmic axis, values below it are drawn at it. Without it, values that
            are not positive are left out, as they have no logarithm.
        ax: the panel to draw into; a new figure if not given.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no curve, or a curve and its steps do not have the same length.

    >>> trajectories({"nominal": [1e-8, 1e-3], "equivariant": [1e-8, 1e-8]})
    <Figure size ... with 1 Axes>

    Chapter: Compatibility, Attraction
    """
    if not curves:
        raise ValueError("there is no curve to draw: curves is empty.")
    if spread not in ("auto", "band", "lines"):
        raise ValueError(f'spread is {spread!r}; it must be "auto", "band" or "lines".')
    looks = _looks(curves, modes)
    ends: list[tuple[float, str, str]] = []
    with styled():
        figure, ax = _figure_of(ax)
        for name, value in curves.items():
            x, y = _curve(name, value, steps)
            color, line = looks[name]
            low, median, high = np.quantile(y, (0.25, 0.5, 0.75), axis=1)
            members = y.shape[1]
            if members > 1 and (spread == "band" or (spread == "auto" and members >= 5)):
                band = _drawable(low, logy, floor), _drawable(high, logy, floor)
                ax.fill_between(x, *band, color=color, alpha=0.2, linewidth=0)
            elif members > 1:
                ax.plot(x, _drawable(y, logy, floor), color=color, ls="-", lw=0.8, alpha=0.45)
            shown = _drawable(median, logy, floor)
            ax.plot(x, shown, color=color, linestyle=line, linewidth=2.4, label=name)
            finite = shown[np.isfinite(shown)]
            if len(finite):
                ends.append((float(finite[-1]), name, color))
        if logx:
            ax.set_xscale("log")
        if logy:
            ax.set_yscale("log")
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if title is not None:
            ax.set_title(title)
        _label_ends(figure, ax, ends)
    return figure


def bars_with_intervals(
    groups: Mapping[str, Array],
    *,
    modes: Mapping[str, str] | None = None,
    interval: Literal["confidence", "quartiles"] = "confidence",
    level: float = 0.95,
    xlabel: str = "test accuracy",
    title: str | None = None,
    decimals: int = 3,
    ax: Axes | None = None,
) -> Figure:
    """One row a model: its seeds as dots, and a bar over the interval of its mean.

    Args:
        groups: model → (seeds,) values.
        modes: model → mode of :data:`~equibook.figures.COLORS`, for names that are none.
        interval: "confidence" for the mean and Student's interval for it (needs two seeds), or
            "quartiles" for the median and the 25th to the 75th percentile.
        level: the probability of the confidence interval.
        xlabel: the name of the axis, with its unit.
        title: a text above the panel.
        decimals: digits after the point of the number at the end of a row.
        ax: the panel to draw into; a new figure if not given.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no model, or one has no value.

    >>> bars_with_intervals({"plain": [0.90, 0.92, 0.91], "equivariant": [0.95, 0.96, 0.95]})
    <Figure size ... with 1 Axes>

    Chapter: Group convolution
    """
    if not groups:
        raise ValueError("there is no model to draw: groups is empty.")
    if interval not in ("confidence", "quartiles"):
        raise ValueError(f'interval is {interval!r}; it must be "confidence" or "quartiles".')
    looks = _looks(groups, modes)
    with styled():
        figure, ax = _figure_of(ax, height=0.9 + 0.42 * len(groups))
        for row, (name, given) in enumerate(groups.items()):
            values = numbers(given, f"the values of {name!r}").reshape(-1)
            if not len(values):
                raise ValueError(f"{name!r} has no value: give at least one seed.")
            if interval == "quartiles":
                low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
            else:
                middle, low, high = mean_interval(values, level)
            color = looks[name][0]
            ax.barh(row, high - low, left=low, height=0.5, color=color, alpha=0.25)
            ax.plot([middle, middle], [row - 0.25, row + 0.25], color=color, ls="-", lw=2.4)
            # The dots are spread over the height of the bar, so that equal seeds do not hide.
            heights = row + np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else [row]
            ax.plot(values, heights, "o", color=color, markersize=4.5, linestyle="none")
            ax.text(
                1.02,
                row,
                f"{middle:.{decimals}f}",
                transform=ax.get_yaxis_transform(),
                color=_legible(color),
                va="center",
            )
        ax.use_sticky_edges = False  # leave a margin where a bar begins
        ax.autoscale_view(scaley=False)
        ax.set_yticks(range(len(groups)), list(groups))
        ax.set(ylim=(len(groups) - 0.5, -0.5), xlabel=xlabel)
        ax.tick_params(axis="y", length=0)
        ax.grid(False, axis="y")
        if title is not None:
            ax.set_title(title)
    return figure


def mean_interval(values: Array, level: float = 0.95) -> tuple[float, float, float]:
    r"""The mean of a few seeds and Student's confidence interval for it.

    .. math:: \bar x \pm t_{n-1} \, s / \sqrt n

    Args:
        values: (n,) one value a seed.
        level: the probability that the interval covers the expectation, if the values are
            independent and normal.

    Returns:
        The mean, the lower and the upper end. One value alone has no interval: its ends are nan.

    Raises:
        ValueError: if there is no value, or the level is not between 0 and 1.

    >>> mean, low, high = mean_interval([1.0, 2.0, 3.0])
    >>> round(mean, 2), round(low, 2), round(high, 2)
    (2.0, -0.48, 4.48)

    Chapter: Group convolution
    """
    array = numbers(values, "values").reshape(-1)
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; it must lie between 0 and 1, such as 0.95.")
    if not len(array):
        raise ValueError("an empty set of values has no mean.")
    mean = float(array.mean())
    if len(array) == 1:
        return mean, math.nan, math.nan
    half = _student(len(array) - 1, level) * float(array.std(ddof=1)) / math.sqrt(len(array))
    return mean, mean - half, mean + half


def _student(freedom: int, level: float) -> float:
    """The t with P(|T| ≤ t) = level, from T = √ν tan θ, where θ has density ∝ cos^(ν−1) θ."""
    theta = np.linspace(0.0, math.pi / 2, 200_001)
    density = np.cos(theta) ** (freedom - 1)
    mass = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return math.sqrt(freedom) * math.tan(float(np.interp(level, mass / mass[-1], theta)))


class PowerLaw(NamedTuple):
    """A fitted law y = constant · x^slope, and the standard error of its slope.

    >>> PowerLaw(slope=-1.0, constant=2.0, error=0.0)(4.0)
    0.5

    Chapter: Attraction
    """

    slope: float
    constant: float
    error: float

    def __call__(self, x: Any) -> Any:
        """The law's value at x."""
        return self.constant * x**self.slope


def fit_power_law(x: Array, y: Array) -> PowerLaw:
    r"""The power law that fits data best, by least squares of the logarithms.

    .. math:: \min_{a, b} \sum_i (\log y_i - b - a \log x_i)^2, \quad y \approx e^b x^a

    Args:
        x: (n,) positive values, at least two of them different.
        y: (n,) positive values, or (n, members).

    Returns:
        The slope a, the constant :math:`e^b` and the standard error of a.

    Raises:
        ValueError: if a value is not positive, or the shapes do not fit.

    >>> law = fit_power_law([1.0, 10.0, 100.0], [3.0, 0.3, 0.03])
    >>> round(law.slope, 6), round(law.constant, 6)
    (-1.0, 3.0)

    Chapter: Attraction
    """
    horizontal, vertical = _law_data(x, y)
    log_x = np.log(np.repeat(horizontal, vertical.shape[1]))
    log_y = np.log(vertical.reshape(-1))
    centered = log_x - log_x.mean()
    square = float(centered @ centered)
    if square == 0:
        raise ValueError("all x are equal: a power law needs at least two different ones.")
    slope = float(centered @ log_y) / square
    rest = log_y - log_y.mean() - slope * centered
    freedom = len(log_x) - 2
    error = math.sqrt(float(rest @ rest) / freedom / square) if freedom > 0 else math.nan
    return PowerLaw(slope, math.exp(float(log_y.mean()) - slope * float(log_x.mean())), error)


def loglog_law(
    x: Array,
    y: Array,
    *,
    slope: float | None = None,
    name: str | None = None,
    mode: str = "regularized",
    xlabel: str = "x",
    ylabel: str = "y",
    title: str | None = None,
    floor: float | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Data on logarithmic axes with the power law fitted to them, and a predicted slope in grey.

    Args:
        x: (n,) positive values.
        y: (n,) positive values, or (n, members): members as small dots, medians as large ones.
        slope: the exponent that theory predicts, drawn through the middle of the fitted line.
        name: what the law is called in its label.
        mode: the mode of :data:`~equibook.figures.COLORS` whose color the data have.
        xlabel: the name of the horizontal axis, with its unit.
        ylabel: the name of the vertical axis, with its unit.
        title: a text above the panel.
        floor: values of y below it are drawn, and fitted, at it; without it a 0 raises.
        ax: the panel to draw into; a new figure if not given.

    Returns:
        The figure; :func:`fit_power_law` gives the numbers.

    Raises:
        ValueError: if a value is not positive, or the shapes do not fit.

    >>> loglog_law([1, 10, 100], [3, 0.31, 0.03], slope=-1, xlabel="γ", ylabel="distance")
    <Figure size ... with 1 Axes>

    Chapter: Attraction
    """
    if floor is not None:
        y = np.maximum(numbers(y, "y"), floor)
    horizontal, vertical = _law_data(x, y)
    law = fit_power_law(horizontal, vertical)
    color, line = _looks({mode: None}, None)[mode]
    ends = np.array([horizontal.min(), horizontal.max()])
    fitted = law(ends)
    with styled():
        figure, ax = _figure_of(ax)
        if vertical.shape[1] > 1:
            ax.plot(horizontal, vertical, "o", color=color, ms=3, alpha=0.45, ls="none")
        ax.plot(horizontal, np.median(vertical, axis=1), "o", color=color, ms=7, ls="none")
        ax.plot(ends, fitted, color=color, linestyle=line, linewidth=2.0)
        text = f"fit: slope {law.slope:.2f}".replace("-", "−")
        labels = [(float(fitted[1]), f"{name}, {text}" if name else text, color)]
        if slope is not None:
            middle = math.sqrt(ends[0] * ends[1])
            theory = law(middle) * (ends / middle) ** slope
            ax.plot(ends, theory, color=COLORS["E"], linestyle="-", lw=5.0, alpha=0.4, zorder=1)
            text = f"theory: slope {slope:g}".replace("-", "−")
            labels.append((float(theory[1]), text, COLORS["E"]))
        ax.set_xscale("log")
        ax.set_yscale("log")
        if ends[1] < 100 * ends[0] and len(horizontal) <= 6:
            # Over a short range the labels of the minor ticks would touch: mark the data instead.
            ax.set_xticks(horizontal, [f"{value:g}" for value in horizontal])
            ax.xaxis.set_minor_locator(NullLocator())
        low, high = ax.get_ylim()
        if high < 30 * low:
            subs = (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
            ax.yaxis.set_major_locator(LogLocator(subs=subs))
            ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            ax.yaxis.set_minor_locator(NullLocator())
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if title is not None:
            ax.set_title(title)
        _label_ends(figure, ax, labels)
    return figure


def _figure_of(ax: Axes | None, height: float = 3.6) -> tuple[Figure, Axes]:
    if ax is not None:
        return cast(Figure, ax.figure), ax
    figure = Figure(figsize=(5.6, height), layout="constrained")
    return figure, figure.subplots()


def _looks(names: Mapping[str, Any], modes: Mapping[str, str] | None) -> dict[str, tuple[str, Any]]:
    """A color and a line for each name: its mode's, or the next of those that mean nothing."""
    modes = dict(modes or {})
    for name, mode in modes.items():
        if mode not in COLORS:
            known = ", ".join(COLORS)
            raise ValueError(f"the mode of {name!r} is {mode!r}; the modes are {known}.")
    rest = itertools.cycle(OTHERS)
    looks: dict[str, tuple[str, Any]] = {}
    for name in names:
        mode = modes.get(name, name)
        looks[name] = (COLORS[mode], LINES[mode]) if mode in COLORS else next(rest)
    return looks


def _curve(name: str, value: Any, steps: Array | None) -> tuple[Numbers, Numbers]:
    """The steps (records,) and values (records, members) of one curve."""
    if isinstance(value, tuple):
        if len(value) != 2:
            raise ValueError(f"{name!r} is a tuple of {len(value)}; give (steps, values).")
        steps, value = value
    y = numbers(value, f"the values of {name!r}")
    if y.ndim not in (1, 2) or not y.size:
        raise ValueError(f"the values of {name!r} have shape {y.shape}; give (records,) or (records, members).")
    y = y.reshape(len(y), -1)
    x = np.arange(float(len(y))) if steps is None else numbers(steps, "steps").reshape(-1)
    if len(x) != len(y):
        raise ValueError(f"{name!r} has {len(y)} records but there are {len(x)} steps.")
    return x, y


def _drawable(y: Numbers, log: bool, floor: float | None) -> Numbers:
    if not log:
        return y
    if floor is not None:
        return np.maximum(y, floor)
    return np.where(y > 0, y, np.nan)


def _law_data(x: Array, y: Array) -> tuple[Numbers, Numbers]:
    horizontal, vertical = numbers(x, "x").reshape(-1), numbers(y, "y")
    if vertical.ndim not in (1, 2) or len(vertical) != len(horizontal) or not vertical.size:
        raise ValueError(
            f"y has shape {vertical.shape} and x has {len(horizontal)} values; "
            "give y as (n,) or (n, members) for x of n values."
        )
    for name, values in (("x", horizontal), ("y", vertical)):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError(f"{name} has values that are not positive numbers; leave them out.")
    return horizontal, vertical.reshape(len(horizontal), -1)


def _label_ends(figure: Figure, ax: Axes, ends: Sequence[tuple[float, str, str]]) -> None:
    """Write each curve's name to the right of its end, moved apart where they would touch."""
    to_axes = ax.transData + ax.transAxes.inverted()
    ax.set_ylim(ax.get_ylim())  # the places below hold for these limits
    rows = ax.get_subplotspec()
    share = rows.get_gridspec().nrows if rows is not None else 1
    line = 0.2 / max(0.75 * figure.get_figheight() / share, 0.1)
    order = sorted(ends, key=lambda end: end[0])
    heights = [float(to_axes.transform((ax.get_xlim()[0], end[0]))[1]) for end in order]
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + line)
    if heights and heights[-1] > 1:
        heights[-1] = 1.0
        for i in reversed(range(len(heights) - 1)):
            heights[i] = min(heights[i], heights[i + 1] - line)
    for height, (_, name, color) in zip(heights, order, strict=True):
        ax.text(1.02, height, name, transform=ax.transAxes, color=_legible(color), va="center", size=10)


def _legible(color: str) -> str:
    """The color, made darker or lighter until it reads as text on white and on near-black."""
    rgb = np.array(matplotlib.colors.to_rgb(color))

    def luminance(c: Numbers) -> float:
        linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    target = 0.198  # that of the grey of all other text
    goal = np.zeros(3) if luminance(rgb) > target else np.ones(3)
    low, high = 0.0, 1.0
    for _ in range(20):
        part = (low + high) / 2
        darker = luminance((1 - part) * rgb + part * goal) < target
        low, high = (low, part) if darker == (goal[0] == 0) else (part, high)
    return matplotlib.colors.to_hex(tuple((1 - high) * rgb + high * goal))

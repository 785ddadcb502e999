"""Clouds of points in space, with arrows, and their coefficients in the spherical harmonics.

All are seen from the same side as the globes of `globes`, z pointing up, without perspective: near points are
large and strong, far ones small and pale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib.axes
import numpy as np

from .arrays import Array, Numbers, numbers
from .harmonics import _axes_of_view, _blocks, _draw_blocks
from .pictures import _check_length
from .style import COLORS, GREY, PAGE, Figure, in_inches, styled

__all__ = ["cloud_spectrum", "clouds"]

#: The arrows of one cloud, in this order; each has a label too.
ARROWS = ("augmented", "equivariant", "regularized", "relaxed")


def clouds(
    points: Array,
    titles: Sequence[str] | None = None,
    *,
    arrows: Array | None = None,
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    reach: float | None = None,
    size: float = 1.1,
) -> Figure:
    r"""Clouds of points side by side, each with arrows from its origin if there are any.

    Args:
        points: (clouds, points, 3), or (clouds, 0, 3) for arrows alone.
        titles: one text a cloud.
        arrows: (clouds, arrows, 3).
        labels: one text an arrow, at its tip.
        columns: how many clouds stand side by side; as many as fit if not given.
        reach: the distance from the origin to the border; that of the farthest point if not given.
        size: the side of a cloud's square, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if a shape is another, or the texts are not as many.

    >>> clouds(torch.randn(2, 30, 3), ["one", "two"])
    <Figure size ... with 1 Axes>

    Chapter: Vectors in space
    """
    x = _in_space(points, "points")
    tips = None if arrows is None else _in_space(arrows, "arrows")
    n = len(x)
    if tips is not None and len(tips) != n:
        raise ValueError(f"{len(tips)} sets of arrows were given for {n} clouds.")
    _check_length(titles, n, "titles", "clouds")
    if labels is not None:
        _check_length(labels, 0 if tips is None else tips.shape[1], "labels", "arrows")
    bound = reach or _reach(x, tips)
    gap, head = 0.12, 0.26 if titles else 0.0
    columns = min(n, columns or max(1, int((PAGE + gap) / (size + gap))))
    rows = math.ceil(n / columns)
    with styled():
        figure, ax = in_inches(columns * (size + gap), rows * (size + gap + head))
        for k in range(n):
            row, column = divmod(k, columns)
            center = (column + 0.5) * (size + gap), (row + 0.5) * (size + gap) + (row + 1) * head
            _draw(ax, x[k], None if tips is None else tips[k], labels, center, size / 2, bound)
            if titles:
                ax.text(center[0], center[1] - size / 2 - 0.04, titles[k], ha="center", va="bottom", fontsize=10)
    return figure


def cloud_spectrum(
    points: Array,
    coefficients: Array,
    *,
    arrows: Array | None = None,
    limit: float | None = None,
    reach: float | None = None,
    spokes: bool = False,
    size: float = 1.9,
) -> Figure:
    r"""One cloud of points, and beside it features of degrees 0, …, L as bars, a block a degree.

    The grey box of a block reaches from −‖c_l‖ to ‖c_l‖, which no rotation changes.

    Args:
        points: (points, 3).
        coefficients: ((L + 1)²,), degree by degree.
        arrows: (arrows, 3), drawn from the origin.
        limit: the end of the bars' axis; a little more than the longest block if not given.
        reach: as for `clouds`.
        spokes: whether to draw a line from the origin to each point.
        size: the side of the cloud's square, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if a shape is another.

    >>> cloud_spectrum(torch.randn(5, 3), torch.arange(9.0), spokes=True)
    <Figure size ... with 2 Axes>

    Chapter: Vectors in space
    """
    x, c = numbers(points, "points"), numbers(coefficients, "coefficients").reshape(-1)
    if math.isqrt(len(c)) ** 2 != len(c) or not len(c):
        raise ValueError(f"Degrees 0 to L make (L + 1)² numbers, 1, 4, 9, 16 and so on; got {len(c)}.")
    x = _in_space(x[None], "points")
    tips = None if arrows is None else _in_space(numbers(arrows, "arrows")[None], "arrows")
    tall = limit or 1.05 * max(float(np.linalg.norm(block)) for block in _blocks(c)) or 1.0
    width, height = 5.8, size + 0.3
    with styled():
        figure, ax = in_inches(width, height)
        center = size / 2 + 0.05, height / 2
        bound = reach or _reach(x, tips)
        if spokes:
            right, down, _ = _project(x[0], center, size / 2, bound)
            for a, b in zip(right, down, strict=True):
                ax.plot([center[0], a], [center[1], b], color=GREY, linewidth=1.2, linestyle="-")
        _draw(ax, x[0], None if tips is None else tips[0], None, center, size / 2, bound, large=spokes)
        left, bottom = size + 0.8, 0.5
        chart = figure.add_axes(
            (left / width, bottom / height, (width - 0.05 - left) / width, (height - bottom - 0.05) / height)
        )
        _draw_blocks(chart, c, tall, named=True)
        chart.set_ylabel("feature")
    return figure


def _in_space(value: Array, name: str) -> Numbers:
    x = numbers(value, name)
    if x.ndim != 3 or x.shape[2] != 3:
        raise ValueError(f"{name} of clouds are (clouds, {name}, 3); got {x.shape}.")
    return x


def _reach(x: Numbers, tips: Numbers | None) -> float:
    lengths = [np.linalg.norm(part, axis=2).max() for part in (x, tips) if part is not None and part.size]
    return 1.05 * float(max(lengths, default=1.0)) or 1.0


def _project(x: Numbers, center: tuple[float, float], half: float, bound: float) -> Numbers:
    """Rows: to the right and down on the page, in inches, and how near, from −1 to 1."""
    right, up, toward = _axes_of_view() @ x.T / bound
    return np.stack([center[0] + half * right, center[1] - half * up, np.clip(toward, -1, 1)])


def _draw(
    ax: matplotlib.axes.Axes,
    x: Numbers,
    tips: Numbers | None,
    labels: Sequence[str] | None,
    center: tuple[float, float],
    half: float,
    bound: float,
    large: bool = False,
) -> None:
    if len(x):
        right, down, near = _project(x, center, half, bound)
        order = np.argsort(near)
        strength = (0.55 + 0.45 * near[order]) if len(x) > 1 else np.ones(1)
        base = (60.0 if large else 4 + 6 * half) * (0.75 + 0.25 * near[order])
        blue = tuple(int(COLORS["nominal"][i : i + 2], 16) / 255 for i in (1, 3, 5))
        colors = [(*blue, float(np.clip(0.45 + 0.55 * s, 0, 1))) for s in strength]
        ax.scatter(right[order], down[order], s=base, c=colors, linewidths=0)
    for k, tip in enumerate(() if tips is None else tips):
        color = COLORS[ARROWS[k % len(ARROWS)]]
        a, b, _ = _project(tip[None], center, half, bound)[:, 0]
        ax.annotate(
            "",
            xy=(a, b),
            xytext=center,
            arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0},
        )
        if labels is not None:
            away = np.array([a - center[0], b - center[1]])
            away = away / max(float(np.linalg.norm(away)), 1e-9) * 0.16
            ax.text(a + away[0], b + away[1], labels[k], color=color, ha="center", va="center", fontsize=10)

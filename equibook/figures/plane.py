"""Pictures of representations of the plane: patterns on a square's corners, and orbits of points.

Each takes torch tensors or numpy arrays and returns a :class:`~equibook.figures.Figure`, which a
notebook shows as the value of its cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.axes
import numpy as np
from matplotlib.patches import Circle, Rectangle

from .arrays import Array, Numbers, numbers
from .pictures import DIVERGING, _check_length, _write_values
from .style import COLORS, GREY, Figure, styled

__all__ = ["corner_patterns", "plane_orbits"]

#: Corner k of the square lies at the angle 45° + k · 90°, so that the quarter turn sends k to k + 1.
CORNERS = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) / 2


def corner_patterns(
    values: Array,
    arrows: Array | None = None,
    titles: Sequence[str] | None = None,
    *,
    matrices: Sequence[Array] = (),
    size: float = 1.3,
) -> Figure:
    r"""Patterns of four numbers on the corners of a square, side by side, and matrices below them.

    Corner k lies at the angle 45° + k · 90°. A number is written into a disc, whose shade grows
    with it.

    Args:
        values: (n, 4), the numbers at the corners of n squares; or (4,), one square.
        arrows: (n, 2), a vector drawn in the middle of each square, one unit a fifth of its side.
        titles: n texts, above the squares.
        matrices: stacks of n matrices (n, r, c); each is a row below the squares, its entries
            written into the cells.
        size: the side of a square with its margin, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if the arrays do not hold n patterns of four numbers, n arrows and n matrices.

    >>> from equibook import cyclic, regular
    >>> V = regular(cyclic(4))
    >>> corner_patterns([[1, 2, 3, 4], [4, 1, 2, 3]], titles=["x", "r x"], matrices=[V.matrix([0, 1])])
    <Figure size ... with 1 Axes>

    Chapter: Representations
    """
    patterns = np.atleast_2d(numbers(values, "values"))
    if patterns.ndim != 2 or patterns.shape[1] != 4:
        raise ValueError(f"values must be (n, 4), a number for each corner, but have shape {patterns.shape}.")
    n = len(patterns)
    _check_length(titles, n, "titles", "squares")
    heads = None if arrows is None else np.atleast_2d(numbers(arrows, "arrows"))
    if heads is not None and heads.shape != (n, 2):
        raise ValueError(f"arrows must be ({n}, 2), one for each square, but have shape {heads.shape}.")
    rows = [numbers(stack, "matrices") + 0.0 for stack in matrices]  # −0 would be written with its sign
    for stack in rows:
        if stack.ndim != 3 or len(stack) != n:
            raise ValueError(f"matrices has shape {stack.shape}; below {n} squares stand {n} matrices (n, r, c).")

    gap, margin, head = 0.2, 0.05, 0.3 if titles else 0.0
    cell = 0.85 * size / max([4, *(stack.shape[2] for stack in rows)])
    width = 2 * margin + n * (size + gap) - gap
    height = 2 * margin + head + size + sum(stack.shape[1] * cell + gap for stack in rows)
    largest = float(np.abs(patterns).max()) or 1.0
    limit = max([1e-12, *(float(np.abs(stack).max()) for stack in rows)])
    with styled():
        figure = Figure(figsize=(width, height))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for i, pattern in enumerate(patterns):
            x, y = margin + i * (size + gap) + size / 2, margin + head + size / 2
            if titles:
                ax.text(x, margin + head - 0.1, titles[i], ha="center", va="bottom")
            _draw_square(ax, pattern / largest, pattern, x, y, 0.68 * size)
            if heads is not None:
                _draw_arrow(ax, heads[i], x, y, 0.68 * size)
            top = margin + head + size + gap
            for stack in rows:
                w, h = stack.shape[2] * cell, stack.shape[1] * cell
                extent = (x - w / 2, x + w / 2, top + h, top)
                ax.imshow(stack[i], cmap=DIVERGING, vmin=-limit, vmax=limit, extent=extent, aspect="auto")
                ax.add_patch(Rectangle((x - w / 2, top), w, h, fill=False, edgecolor=GREY, linewidth=0.8))
                _write_values(ax, stack[i], x - w / 2, top, cell, limit)
                top += h + gap
        ax.set(xlim=(0, width), ylim=(height, 0))
        ax.set_axis_off()
    return figure


def _draw_square(ax: matplotlib.axes.Axes, shades: Numbers, pattern: Numbers, x: float, y: float, side: float) -> None:
    places = np.array([(x, y)]) + side * CORNERS * (1, -1)  # y grows downward on these axes
    radius = 0.19
    for here, there in zip(places, np.roll(places, -1, axis=0), strict=True):
        ends = np.stack([here + radius * (there - here), there + radius * (here - there)])
        ax.plot(ends[:, 0], ends[:, 1], color=GREY, linestyle="-", linewidth=0.8)
    for place, shade, value in zip(places, shades, pattern, strict=True):
        *color, alpha = DIVERGING((1 + shade) / 2)
        # On white paper also on a dark page: over the page itself no one color of the digits reads on every shade.
        fill = 1 - alpha * (1 - np.array(color))
        ax.add_patch(Circle((place[0], place[1]), radius * side, facecolor=fill, edgecolor=GREY, linewidth=0.8))
        text = f"{value:.2g}".replace("-", "−")
        ink = "white" if shade < -0.7 else "#111111"
        ax.text(place[0], place[1], text, color=ink, ha="center", va="center", size=11)


def _draw_arrow(ax: matplotlib.axes.Axes, arrow: Numbers, x: float, y: float, side: float) -> None:
    dx, dy = arrow * side / 10  # drawn with its middle in the middle
    style: dict[str, Any] = {
        "arrowstyle": "-|>",
        "color": COLORS["equivariant"],
        "linewidth": 2.2,
        "shrinkA": 0,
        "shrinkB": 0,
    }
    ax.annotate("", (x + dx, y - dy), (x - dx, y + dy), arrowprops=style)


def plane_orbits(
    orbits: Array,
    form: Array | None = None,
    *,
    title: str | None = None,
    limit: float | None = None,
) -> Figure:
    r"""Orbits of points of the plane, each with a sign of its own, and the curves xᵀMx = const through them.

    Args:
        orbits: (orbits, n, 2), the points of each orbit; they are joined in a closed line in the
            order of their angles.
        form: (2, 2) a symmetric positive definite matrix M; the ellipse through the first point of
            each orbit is drawn in grey.
        title: a text above.
        limit: the axes run from −limit to limit; a little more than the points need if not given.

    Returns:
        The figure.

    Raises:
        ValueError: if orbits is not (orbits, n, 2), or form is no positive definite matrix.

    >>> from equibook import cyclic
    >>> plane_orbits(cyclic(6).plane[None, :, :, 0], [[1.0, 0.0], [0.0, 1.0]])
    <Figure size ... with 1 Axes>

    Chapter: Representations
    """
    points = numbers(orbits, "orbits")
    if points.ndim != 3 or points.shape[2] != 2 or not points.size:
        raise ValueError(f"orbits must be (orbits, n, 2), points of the plane, but have shape {points.shape}.")
    ellipse = None if form is None else _unit_ellipse(numbers(form, "form"))
    bound = 1.12 * float(np.abs(points).max()) if limit is None else limit
    with styled():
        figure = Figure(figsize=(3.8, 3.9))
        ax = figure.add_axes((0.14, 0.13, 0.84, 0.8))
        looks = zip("osD^vP", ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"], strict=True)
        for orbit, (marker, color) in zip(points, list(looks) * len(points), strict=False):
            if form is not None and ellipse is not None:
                curve = ellipse * float(orbit[0] @ numbers(form, "form") @ orbit[0]) ** 0.5
                ax.plot(curve[0], curve[1], color=COLORS["E"], linestyle="-", linewidth=1.2)
            around = orbit[np.argsort(np.arctan2(orbit[:, 1], orbit[:, 0]))]
            closed = np.concatenate([around, around[:1]])
            ax.plot(closed[:, 0], closed[:, 1], color=color, linestyle=":", linewidth=1.0)
            ax.plot(around[:, 0], around[:, 1], color=color, marker=marker, linestyle="none", markersize=6)
        ax.set(xlim=(-bound, bound), ylim=(-bound, bound), aspect="equal", title=title or "")
        ax.set(xlabel="first coordinate", ylabel="second coordinate")
        ax.set_xticks([0])
        ax.set_yticks([0])
    return figure


def _unit_ellipse(form: Numbers) -> Numbers:
    """(2, n) the curve xᵀMx = 1."""
    wrong = ValueError("form must be a symmetric positive definite matrix (2, 2).")
    if form.shape != (2, 2) or not np.allclose(form, form.T):
        raise wrong
    values, vectors = np.linalg.eigh(form)
    if values[0] <= 0:
        raise wrong
    angle = np.linspace(0, 2 * np.pi, 181)
    circle: Numbers = (vectors / np.sqrt(values)) @ np.stack([np.cos(angle), np.sin(angle)])
    return circle

"""Pictures of representations that fall apart: matrices turning into blocks, and patterns in their planes.

Each takes torch tensors or numpy arrays and returns a :class:`~equibook.figures.Figure`, which a
notebook shows as the value of its cell.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import matplotlib.axes
import numpy as np
from matplotlib.patches import Circle, Rectangle

from .arrays import Array, Numbers, numbers
from .pictures import DIVERGING, _check_length, matrices
from .style import COLORS, GREY, Figure, styled

__all__ = ["blocks", "invariant_planes"]


def blocks(
    stack: Array,
    sizes: Sequence[int],
    titles: Sequence[str] | None = None,
    *,
    basis: Array | None = None,
    t: float = 1.0,
    columns: int | None = None,
    size: float = 1.6,
    limit: float = 1.0,
) -> Figure:
    r"""Matrices :math:`Q_t^\top M Q_t` on their way to a basis Q, with frames around their diagonal blocks.

    Q_t is the orthogonal matrix nearest to (1 − t)·1 + tQ, so that Q_0 = 1 and Q_1 = Q. The sign of the
    columns of a block does not matter at the end, and is chosen such that the way exists.

    Args:
        stack: (k, n, n) matrices M.
        sizes: the sizes of the blocks, from the top; they add up to n.
        titles: k texts, above the matrices.
        basis: (n, n) the orthogonal matrix Q; the matrices stay as they are if not given.
        t: how far, from 0 to 1.
        columns: how many matrices stand side by side; as many as fit if not given.
        size: the side of a matrix, in inches.
        limit: the value of the full color.

    Returns:
        The figure.

    Raises:
        ValueError: if the matrices are not square, the sizes do not add up to n, or Q_t is not defined.

    >>> from equibook import decompose, permutation, symmetric
    >>> V = permutation(symmetric(3))
    >>> blocks(V.matrix([1, 2]), [1, 2], basis=decompose(V).basis, t=0.5)
    <Figure size ... with 1 Axes>

    Chapter: Irreducibles and characters
    """
    M = numbers(stack, "stack")
    if M.ndim != 3 or M.shape[1] != M.shape[2]:
        raise ValueError(f"stack must hold square matrices (k, n, n), but has shape {M.shape}.")
    if sum(sizes) != M.shape[1]:
        raise ValueError(f"blocks of sizes {list(sizes)} do not fill matrices of size {M.shape[1]}.")
    if basis is not None:
        Q = _halfway(numbers(basis, "basis"), sizes, t)
        M = Q.T @ M @ Q
    figure = matrices(list(M), titles, columns=columns, size=size, limit=limit)
    ax = figure.axes[0]
    for image in ax.get_images():
        left, right, _, top = image.get_extent()
        cell = (right - left) / M.shape[1]
        for start, width in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            corner = (left + start * cell, top + start * cell)
            frame = Rectangle(corner, width * cell, width * cell, fill=False, zorder=3, linewidth=1.4)
            frame.set_edgecolor(COLORS["equivariant"])
            ax.add_patch(frame)
    return figure


def _halfway(Q: Numbers, sizes: Sequence[int], t: float) -> Numbers:
    """The orthogonal matrix nearest to (1 − t)·1 + tQ, for the signs of the blocks that keep it regular."""
    n = sum(sizes)
    if Q.shape != (n, n):
        raise ValueError(f"basis must be ({n}, {n}), as the matrices are, but has shape {Q.shape}.")
    choices = itertools.islice(itertools.product((1.0, -1.0), repeat=len(sizes)), 1024)
    signed = [Q * np.repeat(signs, sizes) for signs in choices]
    best = max(signed, key=lambda S: float(np.linalg.svd(np.eye(n) + S, compute_uv=False)[-1]))
    left, stretch, right = np.linalg.svd((1 - t) * np.eye(n) + t * best)
    if stretch[-1] < 1e-9:
        raise ValueError(
            "basis turns a direction into its opposite, and there is no way halfway: order its columns otherwise."
        )
    product: Numbers = left @ right
    return product


def invariant_planes(
    orbit: Array,
    planes: Array,
    titles: Sequence[str] | None = None,
    *,
    size: float = 1.9,
) -> Figure:
    r"""A pattern of n numbers on the corners of a polygon, and its shadows in invariant planes.

    The last pattern of the orbit is shown; those before it leave dots in the planes. Corner k lies
    at the angle 90° + k · 360°/n.

    Args:
        orbit: (steps, n) the patterns so far.
        planes: (planes, n, 2) orthonormal columns.
        titles: a text above the polygon and above each plane.
        size: the side of each picture, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if the arrays do not fit together.

    >>> from equibook import cyclic, decompose, regular
    >>> V = regular(cyclic(5))
    >>> x = V.matrix([0, 1]).numpy() @ [1.0, 2.0, 0.0, -1.0, 0.0]
    >>> Q = decompose(V).basis
    >>> invariant_planes(x, [Q[:, 1:3], Q[:, 3:5]])
    <Figure size ... with 1 Axes>

    Chapter: Irreducibles and characters
    """
    patterns, frames = numbers(orbit, "orbit"), numbers(planes, "planes")
    if patterns.ndim != 2 or not patterns.size:
        raise ValueError(f"orbit must be (steps, n), but has shape {patterns.shape}.")
    if frames.ndim != 3 or frames.shape[1:] != (patterns.shape[1], 2):
        raise ValueError(f"planes must be (planes, {patterns.shape[1]}, 2), but have shape {frames.shape}.")
    _check_length(titles, 1 + len(frames), "titles", "pictures")
    shadows = np.einsum("sn,pni->psi", patterns, frames)
    reach = 1.25 * float(np.linalg.norm(shadows, axis=2).max()) or 1.0
    gap, head = 0.25, 0.32 if titles else 0.04
    with styled():
        width = (1 + len(frames)) * (size + gap) - gap + 0.04
        figure = Figure(figsize=(width, size + head + 0.02))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for k in range(1 + len(frames)):
            x, y = 0.02 + k * (size + gap) + size / 2, head + size / 2
            if titles:
                ax.text(x, head - 0.1, titles[k], ha="center", va="bottom")
            if k == 0:
                _draw_polygon(ax, patterns[-1], float(np.abs(patterns).max()) or 1.0, x, y, size)
            else:
                _draw_plane(ax, shadows[k - 1] / reach, x, y, size / 2)
        ax.set(xlim=(0, width), ylim=(size + head + 0.02, 0))
        ax.set_axis_off()
    return figure


def _draw_polygon(ax: matplotlib.axes.Axes, pattern: Numbers, limit: float, x: float, y: float, size: float) -> None:
    n = len(pattern)
    angle = math.pi / 2 + 2 * math.pi * np.arange(n) / n
    radius = min(0.16, 1.1 / n) * size
    reach = size / 2 - radius - 0.02
    places = np.stack([x + reach * np.cos(angle), y - reach * np.sin(angle)], axis=1)
    for here, there in zip(places, np.roll(places, -1, axis=0), strict=True):
        inside = radius / max(2 * radius, float(np.linalg.norm(there - here))) * (there - here)
        ends = np.stack([here + inside, there - inside])
        ax.plot(ends[:, 0], ends[:, 1], color=GREY, linestyle="-", linewidth=0.8)
    for place, value in zip(places, pattern, strict=True):
        shade = value / limit
        disc = Circle((place[0], place[1]), radius, facecolor=DIVERGING((1 + shade) / 2), edgecolor=GREY, zorder=2)
        ax.add_patch(disc)
        color = "white" if abs(shade) > 0.7 else GREY
        ax.text(place[0], place[1], f"{value:.2g}".replace("-", "−"), color=color, ha="center", va="center", size=10)


def _draw_plane(ax: matplotlib.axes.Axes, shadow: Numbers, x: float, y: float, reach: float) -> None:
    """Points in the unit disc, the last one as an arrow; y upwards."""
    length = float(np.linalg.norm(shadow[-1])) * reach
    ax.add_patch(Circle((x, y), length, fill=False, edgecolor=GREY, linewidth=0.8, alpha=0.6))
    for (a, b), later in zip(shadow, range(len(shadow) - 1, -1, -1), strict=True):
        place = x + reach * a, y - reach * b
        if later:
            ax.plot(*place, marker="o", markersize=6, color=COLORS["equivariant"], alpha=0.35, linestyle="none")
            ax.text(
                x + 1.22 * reach * a,
                y - 1.22 * reach * b,
                str(len(shadow) - 1 - later),
                ha="center",
                va="center",
                size=9,
            )
    tip = x + reach * shadow[-1, 0], y - reach * shadow[-1, 1]
    arrow = {"arrowstyle": "-|>", "color": COLORS["equivariant"], "linewidth": 2.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", tip, (x, y), arrowprops=arrow)

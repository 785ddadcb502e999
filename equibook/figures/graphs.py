"""Pictures of sets and graphs: drawings, the 15 maps of matrices, and answers that depend on an order.

Each returns a :class:`~equibook.figures.Figure`, which a notebook shows as the value of its cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.axes
import numpy as np
import torch
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from .arrays import Array, Numbers, numbers
from .plots import panels
from .style import COLORS, GREY, PAGE, Figure, in_inches, styled

__all__ = ["graph_drawings", "partition_picture", "reorderings"]

#: Fill, mark and text color of the points of color 0, 1, 2, …: never color alone.
MARKS = (
    ("#0072B2", "o", "white"),
    ("#E69F00", "s", "black"),
    ("#009E73", "D", "white"),
    ("#CC79A7", "^", "black"),
    ("#56B4E9", "p", "black"),
    ("#D55E00", "h", "white"),
)


def graph_drawings(
    graphs: Array,
    titles: Sequence[str] | None = None,
    *,
    colors: Array | None = None,
    labels: Sequence[Sequence[str]] | None = None,
    columns: int | None = None,
    size: float = 1.9,
) -> Figure:
    """Graphs side by side, their points on circles.

    Args:
        graphs: (n, n) or (m, n, n) symmetric adjacency matrices, or a sequence of m matrices of any sizes.
        titles: m texts, above the drawings.
        colors: (m, n) small integers, the colors of points, which also have a shape each.
        labels: for each graph the texts of its points; their numbers if not given.
        columns: how many stand side by side; as many as fit if not given.
        size: the side of a drawing, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if a matrix is not square, or the titles are not m.

    >>> import equibook as eq
    >>> graph_drawings([eq.data.cycles(3, 3), eq.data.cycles(6)], ["two triangles", "hexagon"])
    <Figure size ... with 1 Axes>

    Chapter: Sets and graphs
    """
    if isinstance(graphs, (list, tuple)):
        tiles = [numbers(A, "graphs") for A in graphs]
    else:
        array = numbers(graphs, "graphs")
        tiles = [array] if array.ndim == 2 else list(array)
    for A in tiles:
        if A.ndim != 2 or A.shape[0] != A.shape[1]:
            raise ValueError(f"an adjacency matrix is square, (n, n); got {A.shape}.")
    if titles is not None and len(titles) != len(tiles):
        raise ValueError(f"{len(titles)} titles were given for {len(tiles)} graphs; give one for each.")
    kinds = [np.zeros(len(A)) for A in tiles] if colors is None else list(numbers(colors, "colors"))
    columns = min(len(tiles), max(1, int(PAGE / size)) if columns is None else columns)
    rows = math.ceil(len(tiles) / columns)
    head = 0.3 if titles else 0.0
    width, height = columns * size, rows * (size + head)
    with styled():
        figure, ax = in_inches(width, height)
        for k, (A, kind) in enumerate(zip(tiles, kinds, strict=True)):
            x = (k % columns + 0.5) * size
            y = (k // columns) * (size + head) + head + size / 2
            names = [str(i + 1) for i in range(len(A))] if labels is None else labels[k]
            _draw_graph(ax, A, kind.astype(int), names, x, y, size / 2 - 0.22)
            if titles:
                ax.text(x, y - size / 2 + 0.02, titles[k], ha="center", va="bottom")
    return figure


def _draw_graph(
    ax: matplotlib.axes.Axes, A: Numbers, kind: Numbers, names: Sequence[str], x: float, y: float, radius: float
) -> None:
    angle = 2 * math.pi * np.arange(len(A)) / len(A) - math.pi / 2
    px, py = x + radius * np.cos(angle), y + radius * np.sin(angle)
    for i, j in zip(*np.nonzero(np.triu(A, 1)), strict=True):
        ax.plot(px[[i, j]], py[[i, j]], color=GREY, linestyle="-", linewidth=1.8, zorder=1)
    for i, name in enumerate(names):
        fill, mark, ink = MARKS[int(kind[i]) % len(MARKS)]
        ax.plot(px[i], py[i], mark, color=fill, markersize=17, linestyle="none", zorder=2)
        ax.text(px[i], py[i], name, ha="center", va="center_baseline", color=ink, size=11, zorder=3)


def partition_picture(matrix: Array, pattern: Sequence[int]) -> Figure:
    r"""One of the 15 equivariant maps of matrices, at work: X, the pattern of equal indices, and Y.

    .. math:: Y_{ij} = \sum_{a, b} X_{ab}

    over all a and b that agree with i and j as the pattern says. The pattern is drawn as four dots, those of
    one block joined.

    Args:
        matrix: (n, n) small whole numbers.
        pattern: the blocks of (i, j, a, b), see :func:`~equibook.layers.set_partitions`.

    Returns:
        The figure, of the same size for all patterns.

    Raises:
        ValueError: if the matrix is not square, or the pattern has not four entries.

    >>> partition_picture(torch.eye(4), (0, 1, 1, 0))                   # the transpose
    <Figure size ... with 1 Axes>

    Chapter: Sets and graphs
    """
    X = numbers(matrix, "matrix")
    if X.ndim != 2 or X.shape[0] != X.shape[1] or len(pattern) != 4:
        raise ValueError(f"give a matrix (n, n) and a pattern of four; got {X.shape} and {tuple(pattern)!r}.")
    side = 1.75
    with styled():
        figure, ax = in_inches(5.6, side + 0.75)
        ax.text(2.8, 0.26, _formula(pattern), ha="center", va="center", size=14)
        _draw_matrix(ax, X, 0.05, 0.7, side, "$X$")
        _draw_pattern(ax, pattern, 2.8, 0.7 + side / 2)
        _draw_matrix(ax, _on(pattern, X), 5.55 - side, 0.7, side, "$Y$")
    return figure


def _on(pattern: Sequence[int], X: Numbers) -> Numbers:
    """The map of a pattern, applied to X, without its matrix."""
    i, j, k, l = pattern
    names = {block: "abcd"[block] for block in pattern}
    out = "".join(dict.fromkeys(names[b] for b in (i, j)))
    known = "".join(dict.fromkeys(names[b] for b in (k, l)))
    ones = torch.ones(len(X), dtype=torch.float64)
    copied = [letter for letter in out if letter not in known]
    equation = ",".join([names[k] + names[l], *copied]) + "->" + out
    Y = torch.einsum(equation, torch.from_numpy(X), *[ones] * len(copied))
    return numbers(torch.diag(Y) if i == j else Y, "Y")


def _formula(pattern: Sequence[int]) -> str:
    """Y_ij in terms of X: sums over the blocks that the output does not have."""
    i, j, *inputs = pattern
    free = iter("ab")
    names = {i: "i", j: "i" if i == j else "j"}
    for block in inputs:
        if block not in names:
            names[block] = next(free)
    sums = "".join(sorted({names[b] for b in inputs} & set("ab")))
    entry = "X_{" + "".join(names[b] for b in inputs) + "}"
    total = rf"\sum_{{{','.join(sums)}}} {entry}" if sums else entry
    return rf"$Y_{{ii}} = {total}$, else $0$" if i == j else rf"$Y_{{ij}} = {total}$"


def _draw_matrix(ax: matplotlib.axes.Axes, A: Numbers, x: float, y: float, side: float, name: str) -> None:
    """A matrix of whole numbers with its entries written; black on pale colors reads on every page."""
    bound = float(np.abs(A).max()) or 1.0
    cell = side / len(A)
    for (row, column), value in np.ndenumerate(A):
        left, top = x + column * cell, y + row * cell
        if value:
            full = np.array(to_rgb(COLORS["augmented" if value > 0 else "nominal"]))
            share = 0.2 + 0.5 * abs(value) / bound
            ax.add_patch(Rectangle((left, top), cell, cell, color=tuple(1 - share * (1 - full)), linewidth=0))
        text = f"{value:g}".replace("-", "−")
        ax.text(left + cell / 2, top + cell / 2, text, color="black" if value else GREY, ha="center", va="center")
    ax.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=GREY, linewidth=0.8))
    ax.text(x + side / 2, y - 0.08, name, ha="center", va="bottom")


def _draw_pattern(ax: matplotlib.axes.Axes, pattern: Sequence[int], x: float, y: float) -> None:
    """Input indices left, output indices right, so that lines run as the map does; a line joins a block."""
    places = {0: (x + 0.5, y - 0.4), 1: (x + 0.5, y + 0.4), 2: (x - 0.5, y - 0.4), 3: (x - 0.5, y + 0.4)}
    for a in range(4):
        for b in range(a):
            if pattern[a] == pattern[b]:
                (x0, y0), (x1, y1) = places[a], places[b]
                ax.plot([x0, x1], [y0, y1], color=COLORS["equivariant"], linestyle="-", linewidth=3, zorder=1)
    for (px, py), name in zip(places.values(), "ijab", strict=True):
        ax.plot(px, py, "o", color=GREY, markersize=8, linestyle="none", zorder=2)
        ax.text(px + (0.16 if px > x else -0.16), py, f"${name}$", ha="center", va="center", size=13)


def reorderings(
    truth: Array,
    answers: Mapping[str, Array],
    *,
    modes: Mapping[str, str] | None = None,
    xlabel: str = "true value",
    ylabel: str = "answer",
) -> Figure:
    """What networks answer when the points of one input come in other orders: a column of dots for each input.

    Args:
        truth: (inputs,) the right answers.
        answers: name → (orders, inputs) what a network answers.
        modes: name → mode of :data:`~equibook.figures.COLORS`.
        xlabel, ylabel: the names of the axes, with units.

    Returns:
        The figure, one panel a network; dots on the grey line are right.

    Raises:
        ValueError: if the answers are not one for each order and input.

    >>> reorderings([0.0, 1.0], {"plain": [[0.1, 0.7], [0.3, 1.2]], "invariant": [[0.1, 0.9], [0.1, 0.9]]})
    <Figure size ... with 2 Axes>

    Chapter: Sets and graphs
    """
    x = numbers(truth, "truth").reshape(-1)
    figure, axes = panels(len(answers), height=3.0)
    with styled():
        for ax, (name, given) in zip(axes, answers.items(), strict=True):
            y = numbers(given, f"the answers of {name!r}")
            if y.ndim != 2 or y.shape[1] != len(x):
                raise ValueError(f"{name!r} has answers {y.shape}; give (orders, {len(x)}).")
            color = COLORS[(modes or {}).get(name, "nominal")]
            ends = [x.min(), x.max()]
            ax.plot(ends, ends, color=COLORS["E"], linestyle="-", linewidth=5, alpha=0.35, zorder=1)
            ax.plot(np.broadcast_to(x, y.shape).ravel(), y.ravel(), "o", color=color, ms=4, alpha=0.35, ls="none")
            ax.set(xlabel=xlabel, title=name)
        axes[0].set_ylabel(ylabel)
        low, high = min(ax.get_ylim()[0] for ax in axes), max(ax.get_ylim()[1] for ax in axes)
        for ax in axes:
            ax.set_ylim(low, high)
    return figure

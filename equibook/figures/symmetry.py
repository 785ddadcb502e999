"""Pictures of groups: families of images, Cayley graphs, patterns of the plane, points on the sphere.

Each returns a :class:`~equibook.figures.Figure`, which a notebook shows as the value of its cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.axes
import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from ..representation import FiniteGroup, Polyhedron
from .arrays import Array, Numbers, numbers
from .style import GREY, PAGE, Figure, in_inches, styled

__all__ = ["cayley_graph", "families", "spheres", "wallpaper"]

#: What a value 0, 1, 2, … of a tile looks like; zero is the page itself.
FILLS = ("none", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")

#: Color and line of the arrows of each generator.
ARROWS = (("#0072B2", "-"), ("#D55E00", (0, (4, 2))), ("#009E73", (0, (1, 1.5))), ("#CC79A7", "-."))

#: A motif without symmetry, inside the triangle 0 < y < x < 1/2 that D_4 copies over a unit square.
FLAG = ((0.07, 0.02), (0.45, 0.05), (0.31, 0.14), (0.40, 0.34), (0.19, 0.15))


def families(
    tiles: Array,
    groups: Sequence[Sequence[int]],
    titles: Sequence[str] | None = None,
    *,
    size: float = 0.5,
    width: float = 4.6,
) -> Figure:
    """Small images of whole numbers, those of one family side by side in one frame.

    Args:
        tiles: (n, h, w) whole numbers 0 to 5; zero is empty, the others are filled with a color.
        groups: for each frame, the numbers of the tiles in it.
        titles: a text above each frame; how many tiles it holds if not given.
        size: the longest side of a tile, in inches.
        width: of the figure, in inches; frames that do not fit start a new row.

    Returns:
        The figure.

    Raises:
        ValueError: if the tiles are no images of the numbers 0 to 5, or the titles do not fit.

    >>> from equibook import colorings, cyclic, orbits, pixels
    >>> C = colorings(pixels(cyclic(2), 2), 2)
    >>> families(C.values.reshape(16, 2, 2), orbits(C))
    <Figure size ... with 1 Axes>

    Chapter: Symmetry and groups
    """
    array = numbers(tiles, "tiles")
    if array.ndim != 3 or not array.size:
        raise ValueError(f"tiles must be images (n, h, w), but have shape {array.shape}.")
    if not np.isin(array, range(len(FILLS))).all():
        raise ValueError(f"tiles hold whole numbers from 0 to {len(FILLS) - 1}, one a color.")
    if titles is None:
        titles = [str(len(members)) for members in groups]
    if len(titles) != len(groups):
        raise ValueError(f"{len(titles)} titles were given for {len(groups)} families; give one for each.")
    cell = size / max(array.shape[1:])
    high, wide = array.shape[1] * cell, array.shape[2] * cell
    pad, head = 0.3 * size, 0.27
    step = wide + pad
    places, x, y = [], 0.02, 0.02
    for members in groups:
        across = len(members) * step + pad
        if x > 0.02 and x + across > width:
            x, y = 0.02, y + head + high + 2 * pad + 0.12
        places.append((x, y, across))
        x += across + 0.16
    right = max(x + across for x, _, across in places)
    with styled():
        figure, ax = in_inches(right + 0.02, y + head + high + 2 * pad + 0.02)
        for (x, y, across), members, title in zip(places, groups, titles, strict=True):
            box = FancyBboxPatch(
                (x + 0.06, y + head + 0.06), across - 0.12, high + 2 * pad - 0.12, boxstyle="round,pad=0.06"
            )
            ax.add_patch(box)
            box.set(facecolor=to_rgba(GREY, 0.12), edgecolor="none")
            ax.text(x + across / 2, y + head - 0.06, title, ha="center", va="bottom")
            for k, member in enumerate(members):
                _draw_tile(ax, array[member], x + pad + k * step, y + head + pad, cell)
    return figure


def _draw_tile(ax: matplotlib.axes.Axes, tile: Numbers, x: float, y: float, cell: float) -> None:
    for (i, j), value in np.ndenumerate(tile):
        square = Rectangle((x + j * cell, y + i * cell), cell, cell, linewidth=0.8)
        square.set(facecolor=FILLS[int(value)], edgecolor=GREY)
        ax.add_patch(square)


def cayley_graph(
    G: FiniteGroup,
    generators: Mapping[str, int],
    *,
    labels: Sequence[str] | None = None,
    start: Array | None = None,
    size: float = 3.4,
) -> Figure:
    r"""The Cayley graph of a group: a dot for each element g, an arrow g → gs for each generator s.

    A generator that is its own inverse gets a line instead of two arrows. The dots of a group of
    rotations stand where the elements send a point; turning it by g maps the picture to itself.

    Args:
        G: the group.
        generators: name → element. Their arrows differ in color and line.
        labels: a text for each element of a group without ``space``; its number if not given.
        start: the point that is moved, (3,) for a group with ``space``, (2,) for one with
            ``plane``, where reflections are drawn at half the distance from the middle.
        size: the side of the figure, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no generator or too many, or the labels are not as many as elements.

    >>> from equibook import dihedral
    >>> cayley_graph(dihedral(4), {"r": 1, "s": 4})
    <Figure size ... with 1 Axes>

    Chapter: Symmetry and groups
    """
    if not 1 <= len(generators) <= len(ARROWS):
        raise ValueError(f"a Cayley graph shows one to {len(ARROWS)} generators, but {len(generators)} were given.")
    solid = G.space is not None
    if labels is None:
        labels = [] if solid else [str(g) for g in G.elements]
    if labels and len(labels) != G.order:
        raise ValueError(f"{len(labels)} labels were given for the {G.order} elements of {G}; give one for each.")
    points = _positions(G, start)
    depth = points[:, 2] if solid else np.zeros(G.order)
    with styled():
        figure, ax = in_inches(size, size + 0.3)
        radius = 0.5 * size - (0.1 if solid else 0.28)
        x, y = size / 2 + radius * points[:, 0], size / 2 - radius * points[:, 1]
        dot, head = (3.0, "-|>,head_length=4,head_width=2") if solid else (14.0, "-|>,head_length=7,head_width=3")
        for s, (color, line) in zip(generators.values(), ARROWS, strict=False):
            involution = G.multiply(s, s) == G.identity
            for g in G.elements:
                h = G.multiply(g, s)
                if involution and h < g:
                    continue
                behind = depth[g] + depth[h] < 0
                arrow = FancyArrowPatch(
                    (x[g], y[g]),
                    (x[h], y[h]),
                    arrowstyle="-" if involution else head,
                    shrinkA=dot,
                    shrinkB=dot,
                    color=color,
                    alpha=0.3 if behind else 1.0,
                    linewidth=1.0 if behind else 1.8,
                    linestyle=line,
                    mutation_scale=1,
                )
                ax.add_patch(arrow)
        for g, label in enumerate(labels):
            ax.text(x[g], y[g], label, ha="center", va="center", size=13)
        if solid:
            ax.scatter(x, y, s=14, c=[to_rgba(GREY, 1.0 if z >= 0 else 0.35) for z in depth], zorder=3)
        for k, (name, (color, line)) in enumerate(zip(generators, ARROWS, strict=False)):
            left = size / 2 + (k - len(generators) / 2) * 0.9 + 0.1
            ax.plot([left, left + 0.32], [size + 0.12] * 2, color=color, linestyle=line, linewidth=1.8)
            ax.text(left + 0.4, size + 0.12, name, va="center")
    return figure


def _positions(G: FiniteGroup, start: Array | None) -> Numbers:
    """Where the elements send one point, scaled to the unit disk or sphere."""
    matrices = G.space if G.space is not None else G.plane
    if matrices is None:
        angle = 2 * math.pi * np.arange(G.order) / G.order
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    dim = matrices.shape[-1]
    point = numbers([1.0, 0.0] if dim == 2 else [0.2, 0.35, 1.0], "start") if start is None else numbers(start, "start")
    if point.shape != (dim,) or not point.any():
        raise ValueError(f"start is a point of {dim} coordinates, not all zero; got shape {point.shape}.")
    points = numbers(matrices, "matrices") @ (point / np.linalg.norm(point))
    if dim == 2:
        points[np.linalg.det(numbers(matrices, "matrices")) < 0] *= 0.5
        return points
    return points @ TILT.T


def _turn(axis: int, angle: float) -> Numbers:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


#: The pole (0, 0, 1) stands upright and leans a little towards the reader, who looks along −z of the result.
TILT = _turn(0, -math.pi / 2 + 0.6) @ _turn(2, -0.3)


def wallpaper(
    H: FiniteGroup, *, cells: int = 3, motif: Array = FLAG, title: str | None = None, size: float = 3.4
) -> Figure:
    r"""The orbit of a motif under all pairs x ↦ hx + t of a point symmetry h and a whole translation t.

    Copies made by reflections, left hands to the others' right, are of another color. Thin lines are
    the cells of the grid.

    Args:
        H: a group of turns and flips that maps the grid to itself, such as cyclic(4), dihedral(4)
            or a subgroup of it.
        cells: how many cells of the grid are shown in each direction.
        motif: (corners, 2), a polygon in the coordinates of a cell, whose middle is (0, 0).
        title: a text above.
        size: the side of the picture, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if H does not act on the plane.

    >>> from equibook import dihedral
    >>> wallpaper(dihedral(4))
    <Figure size ... with 1 Axes>

    Chapter: Symmetry and groups
    """
    if H.plane is None:
        raise ValueError(f"{H} does not act on the plane; dihedral(4) and its subgroups do.")
    corners = numbers(motif, "motif")
    with styled():
        head = 0.3 if title else 0.04
        figure, ax = in_inches(size + 0.04, size + head + 0.02)
        unit = size / cells
        for k in range(cells + 1):
            ax.plot([0.02, 0.02 + size], [head + k * unit] * 2, color=GREY, alpha=0.4, linewidth=0.8, linestyle="-")
            ax.plot([0.02 + k * unit] * 2, [head, head + size], color=GREY, alpha=0.4, linewidth=0.8, linestyle="-")
        for matrix in numbers(H.plane, "plane"):
            turned = corners @ matrix.T
            reflected = np.linalg.det(matrix) < 0
            for row in range(cells):
                for column in range(cells):
                    x = 0.02 + (column + 0.5 + turned[:, 0]) * unit
                    y = head + (row + 0.5 - turned[:, 1]) * unit
                    copy = Polygon(np.stack([x, y], axis=1), closed=True, linewidth=0)
                    copy.set(facecolor="#D55E00" if reflected else "#0072B2")
                    ax.add_patch(copy)
        if title:
            ax.text(0.02 + size / 2, head - 0.08, title, ha="center", va="bottom")
    return figure


def spheres(
    points: Mapping[str, Array],
    *,
    solid: Polyhedron | None = None,
    dot: float = 1.5,
    columns: int | None = None,
    size: float | None = None,
) -> Figure:
    """Points on the unit sphere, seen from a little above the equator; those on the far side are pale.

    Args:
        points: title → (n, 3), one sphere each. Vectors of another length are scaled to length 1.
        solid: a polyhedron whose edges are drawn inside.
        dot: the radius of a point, in points of the typographer.
        columns: how many spheres stand side by side; as many as fit if not given.
        size: the diameter of a sphere, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if there is no sphere, or the points of one are not (n, 3).

    >>> spheres({"the axes": torch.eye(3)})
    <Figure size ... with 1 Axes>

    Chapter: Symmetry and groups
    """
    clouds = {title: numbers(cloud, title) for title, cloud in points.items()}
    if not clouds:
        raise ValueError("there is nothing to draw: points is empty.")
    for title, cloud in clouds.items():
        if cloud.ndim != 2 or cloud.shape[1] != 3:
            raise ValueError(f"the points of {title!r} have shape {cloud.shape}; give (n, 3).")
    if size is None:
        size = 3.2 if len(clouds) == 1 else 2.2
    if columns is None:
        columns = min(len(clouds), int(PAGE // (size + 0.2)))
    rows = math.ceil(len(clouds) / columns)
    head, gap = 0.32, 0.2
    with styled():
        figure, ax = in_inches(columns * (size + gap), rows * (size + head + 0.1))
        for index, (title, cloud) in enumerate(clouds.items()):
            row, column = divmod(index, columns)
            center = gap / 2 + size / 2 + column * (size + gap), head + size / 2 + row * (size + head + 0.1)
            radius = size / 2 - 0.03
            disk = Circle(center, radius)
            ax.add_patch(disk)
            disk.set(facecolor=to_rgba(GREY, 0.1), edgecolor=GREY, linewidth=0.8)
            ax.text(center[0], center[1] - size / 2 - 0.06, title, ha="center", va="bottom")
            if solid is not None:
                _draw_edges(ax, solid, center, radius)
            seen = cloud / np.linalg.norm(cloud, axis=1, keepdims=True) @ TILT.T
            seen = np.unique(seen.round(9), axis=0)  # a point drawn twice would not be pale
            for near in (False, True):
                part = seen[(seen[:, 2] >= -1e-9) == near]
                ax.scatter(
                    center[0] + radius * part[:, 0],
                    center[1] - radius * part[:, 1],
                    s=math.pi * dot**2,
                    color="#0072B2",
                    alpha=1.0 if near else 0.35,
                    linewidths=0,
                    zorder=3 if near else 1.5,
                )
    return figure


def _draw_edges(ax: matplotlib.axes.Axes, solid: Polyhedron, center: tuple[float, float], radius: float) -> None:
    corners = numbers(solid.vertices, "vertices") @ TILT.T
    normals = np.array([corners[list(face)].mean(axis=0) for face in solid.faces])
    for i, j in solid.edges.tolist():
        beside = [normal for face, normal in zip(solid.faces, normals, strict=True) if i in face and j in face]
        near = any(normal[2] > 0 for normal in beside)
        ends = corners[[i, j]]
        ax.plot(
            center[0] + radius * ends[:, 0],
            center[1] - radius * ends[:, 1],
            color=GREY,
            alpha=0.9 if near else 0.35,
            linewidth=1.0,
            linestyle="-" if near else ":",
        )

"""Pictures of arrays: matrices, images and the kernels of convolutions, side by side.

Each takes torch tensors or numpy arrays and returns a :class:`~equibook.figures.Figure`, which a
notebook shows as the value of its cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import matplotlib.axes
import matplotlib.colors
import numpy as np
import torch
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from .arrays import Array, Numbers, numbers
from .style import GREY, PAGE, Figure, styled

__all__ = ["filters", "images", "matrices"]

#: Negative is blue, positive is vermilion, and zero is the page itself.
DIVERGING = matplotlib.colors.LinearSegmentedColormap.from_list(
    "equibook",
    [(0.0, "#0072B2ff"), (0.5, "#0072B200"), (0.5, "#D55E0000"), (1.0, "#D55E00ff")],
    N=255,  # odd, so that one color is exactly zero's
)


def matrices(
    matrices: Array,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    limit: float | None = None,
    values: bool = False,
    size: float = 1.6,
) -> Figure:
    r"""Matrices side by side as heat maps: blue is negative, vermilion positive, zero nothing.

    All share one scale, symmetric about zero: the largest :math:`|A_{ij}|` of them all is the
    full color.

    Args:
        matrices: one matrix (r, c), a stack (n, r, c), or a sequence of n matrices of any shapes.
        titles: n texts, above the matrices.
        columns: how many stand side by side; as many as fit if not given.
        limit: the value of the full color, if it is not to be read from the matrices.
        values: whether the entries are written into the cells, for small matrices.
        size: the longest side of a matrix, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if an array is no matrix, or the titles are not n.

    >>> matrices(torch.eye(3), ["identity"], values=True)
    <Figure size ... with 1 Axes>

    Chapter: Intertwiners
    """
    tiles = _stack(matrices, "matrices", 2, "a matrix (r, c)")
    bound = _limit(tiles, limit)
    return _mosaic(tiles, titles, columns, size, (-bound, bound), DIVERGING, values=values)


def images(
    images: Array,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    limits: tuple[float, float] | None = None,
    size: float = 1.2,
) -> Figure:
    """Images side by side, in shades of grey or in color, all on one scale.

    Args:
        images: (h, w), (n, h, w), (n, 1, h, w) or (n, 3, h, w), or a sequence of n images.
        titles: n texts, above the images.
        columns: how many stand side by side; as many as fit if not given.
        limits: the values of black and white; the smallest and largest pixel if not given.
            Color images have values in [0, 1].
        size: the longest side of an image, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if an array is no image, or the titles are not n.

    >>> images(torch.rand(2, 1, 8, 8), ["one", "two"])
    <Figure size ... with 1 Axes>

    Chapter: Group convolution
    """
    tiles = [_channels_last(tile) for tile in _split(images, "images", (2, 3))]
    if limits is None:
        gray = [tile for tile in tiles if tile.ndim == 2] or [np.array([0.0, 1.0])]
        limits = min(float(t.min()) for t in gray), max(float(t.max()) for t in gray)
    return _mosaic(tiles, titles, columns, size, limits, "gray")


def filters(
    kernels: Array,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
    limit: float | None = None,
    size: float | None = None,
) -> Figure:
    r"""Convolution kernels as tiles: a basis in a row, or the kernels of a layer as a grid.

    Args:
        kernels: (n, k, k), n kernels; or (O, I, k, k), a layer's weight, whose row o and column
            i hold the kernel from channel i to channel o.
        titles: a text above each of n kernels; a grid has labels instead.
        columns: how many of n kernels stand side by side.
        row_labels: O texts, left of a grid.
        column_labels: I texts, above a grid.
        limit: the value of the full color; the largest absolute weight if not given.
        size: the side of a kernel, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if the array has another number of axes, or the labels another length.

    >>> filters(torch.randn(4, 2, 3, 3), row_labels=["e", "r", "r²", "r³"])
    <Figure size ... with 1 Axes>

    Chapter: Group convolution
    """
    array = numbers(kernels, "kernels")
    if array.ndim not in (3, 4):
        raise ValueError(f"kernels must be (n, k, k) or (O, I, k, k), but have shape {array.shape}.")
    grid = array.ndim == 4
    if grid:
        if titles is not None:
            raise ValueError("a grid (O, I, k, k) has row_labels and column_labels, not titles.")
        columns = array.shape[1]
    elif row_labels is not None or column_labels is not None:
        raise ValueError("n kernels (n, k, k) have titles; only a grid (O, I, k, k) has labels.")
    tiles = _stack(array.reshape(-1, *array.shape[-2:]), "kernels", 2, "a kernel (k, k)")
    bound = _limit(tiles, limit)
    if size is None:
        size = 0.6 if grid else 0.9
    return _mosaic(
        tiles,
        titles,
        columns,
        size,
        (-bound, bound),
        DIVERGING,
        gap=0.12 if grid else 0.22,
        row_labels=row_labels,
        column_labels=column_labels,
    )


def _mosaic(
    tiles: Sequence[Numbers],
    titles: Sequence[str] | None,
    columns: int | None,
    size: float,
    limits: tuple[float, float],
    cmap: Any,
    *,
    gap: float = 0.22,
    values: bool = False,
    row_labels: Sequence[str] | None = None,
    column_labels: Sequence[str] | None = None,
) -> Figure:
    """Tiles on one axes whose units are inches: exact, and fast for hundreds of them."""
    _check_length(titles, len(tiles), "titles", "tiles")
    longest = [max(tile.shape[:2]) for tile in tiles]
    wide = max(tile.shape[1] / n for tile, n in zip(tiles, longest, strict=True))
    tall = max(tile.shape[0] / n for tile, n in zip(tiles, longest, strict=True))
    margin = 0.02
    left = margin + (max(map(_text_width, row_labels)) + 0.08 if row_labels else 0.0)
    top = margin + (0.22 if column_labels else 0.0)
    head = 0.32 if titles else 0.0
    text = max(map(_text_width, (*(titles or ()), *(column_labels or ()))), default=0.0)

    def step(side: float) -> float:
        """From the left edge of one tile to that of the next."""
        return max(side * wide, text) + gap

    if columns is None:
        columns = max(1, min(len(tiles), int((PAGE - left + gap) / step(size))))
    if columns < 1:
        raise ValueError(f"columns is {columns}: at least one tile must stand in a row.")
    columns = min(columns, len(tiles))
    gap = min(gap, 0.2 * (PAGE - left) / columns)
    size = min(size, ((PAGE - left - margin + gap) / columns - gap) / wide)
    rows = math.ceil(len(tiles) / columns)
    _check_length(row_labels, rows, "row_labels", "rows")
    _check_length(column_labels, columns, "column_labels", "columns")
    pitch, drop = step(size), size * tall + gap + head
    width = left + columns * pitch - gap + margin
    height = top + rows * drop - gap + margin

    with styled():
        figure = Figure(figsize=(width, height))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for index, tile in enumerate(tiles):
            row, column = divmod(index, columns)
            cell = size / longest[index]
            w, h = tile.shape[1] * cell, tile.shape[0] * cell
            center = left + column * pitch + (pitch - gap) / 2
            x, y = center - w / 2, top + row * drop + head + (size * tall - h) / 2
            ax.imshow(
                tile,
                cmap=cmap,
                vmin=limits[0],
                vmax=limits[1],
                extent=(x, x + w, y + h, y),
                aspect="auto",
            )
            ax.add_patch(Rectangle((x, y), w, h, fill=False, edgecolor=GREY, linewidth=0.8))
            if values:
                _write_values(ax, tile, x, y, cell, limits[1])
            if titles:
                ax.text(center, y - 0.08, titles[index], ha="center", va="bottom")
        for row, label in enumerate(row_labels or ()):
            ax.text(left - 0.08, top + row * drop + size * tall / 2, label, ha="right", va="center")
        for column, label in enumerate(column_labels or ()):
            x = left + column * pitch + (pitch - gap) / 2
            ax.text(x, top - 0.06, label, ha="center", va="bottom")
        ax.set(xlim=(0, width), ylim=(height, 0))
        ax.set_axis_off()
    return figure


def _write_values(ax: matplotlib.axes.Axes, tile: Numbers, x: float, y: float, cell: float, limit: float) -> None:
    """The entries inside their cells, white where the cell is nearly of the full color."""
    for (i, j), value in np.ndenumerate(tile):
        ax.text(
            x + (j + 0.5) * cell,
            y + (i + 0.5) * cell,
            f"{value:.2g}".replace("-", "−"),
            color="white" if abs(value) > 0.7 * limit else GREY,
            size=min(11.0, 30 * cell),
            ha="center",
            va="center",
        )


def _split(value: Any, name: str, tile_axes: tuple[int, ...]) -> list[Numbers]:
    """One array or many: a list of arrays, each with a number of axes that a tile may have."""
    sequence = isinstance(value, (list, tuple))
    if sequence and all(isinstance(v, (torch.Tensor, np.ndarray)) for v in value):
        tiles = [numbers(v, name) for v in value]
    else:
        array = numbers(value, name)
        tiles = [array] if array.ndim == min(tile_axes) else list(array) if array.ndim else []
    if not tiles:
        raise ValueError(f"there is nothing to draw: {name} is empty.")
    for tile in tiles:
        if tile.ndim not in tile_axes or not tile.size:
            raise ValueError(f"{name} contains an array of shape {tile.shape}, which is no tile.")
    return tiles


def _stack(value: Any, name: str, axes: int, kind: str) -> list[Numbers]:
    try:
        return _split(value, name, (axes,))
    except ValueError as error:
        raise ValueError(f"{error} Each must be {kind}.") from None


def _channels_last(tile: Numbers) -> Numbers:
    if tile.ndim == 2:
        return tile
    if tile.shape[0] == 1:
        return cast(Numbers, tile[0])
    if tile.shape[0] == 3:
        return np.clip(np.moveaxis(tile, 0, -1), 0.0, 1.0)
    raise ValueError(
        f"an image of shape {tile.shape} has {tile.shape[0]} channels; 1 and 3 can be shown. "
        "Show one channel at a time, or use filters."
    )


def _limit(tiles: Sequence[Numbers], limit: float | None) -> float:
    if limit is not None:
        if not limit > 0:
            raise ValueError(f"limit is {limit}; it must be positive.")
        return float(limit)
    return max(float(np.nanmax(np.abs(tile))) for tile in tiles) or 1.0


def _check_length(texts: Sequence[str] | None, count: int, name: str, of: str) -> None:
    if texts is not None and len(texts) != count:
        raise ValueError(f"{len(texts)} {name} were given for {count} {of}; give one for each.")


def _text_width(text: str) -> float:
    """The width of a text at the style's size, in inches."""
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=11).get_extents().width) / 72

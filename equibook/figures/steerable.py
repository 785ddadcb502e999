"""Pictures of steerable filters: fields of arrows on images, and which frequencies the pixels confuse."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.patches import Rectangle

from ..representation.harmonics import circular_harmonics
from .arrays import Array, numbers
from .pictures import DIVERGING, _check_length
from .style import COLORS, GREY, PAGE, Figure, styled

__all__ = ["arrow_field", "leakage"]


def arrow_field(
    images: Array, arrows: Array, titles: Sequence[str] | None = None, *, size: float = 2.6, scale: float | None = None
) -> Figure:
    r"""Images side by side, in shades of grey, each with an arrow at every pixel.

    Args:
        images: (n, h, w) or (n, 1, h, w).
        arrows: (n, 2, h, w), the x and y components; y points up, as in the plane.
        titles: n texts, above the images.
        size: the side of an image, in inches.
        scale: the length of a vector that is drawn as long as 1.4 pixels; the longest of all if not given.

    Returns:
        The figure.

    Raises:
        ValueError: if there is not one field of arrows for each image.

    >>> arrow_field(torch.rand(2, 8, 8), torch.randn(2, 2, 8, 8), ["before", "after"])
    <Figure size ... with 2 Axes>

    Chapter: Steerable convolution
    """
    pictures, vectors = numbers(images, "images"), numbers(arrows, "arrows")
    if pictures.ndim == 4 and pictures.shape[1] == 1:
        pictures = pictures[:, 0]
    n = len(pictures)
    if pictures.ndim != 3 or vectors.shape != (n, 2, *pictures.shape[1:]):
        raise ValueError(
            f"images is (n, h, w) and arrows (n, 2, h, w); got shapes {pictures.shape} and {vectors.shape}."
        )
    _check_length(titles, n, "titles", "images")
    size = min(size, PAGE / n - 0.1)
    head = 0.3 if titles else 0.05
    width, height = n * (size + 0.1), size + head + 0.05
    longest = scale or float(np.hypot(vectors[:, 0], vectors[:, 1]).max()) or 1.0
    h, w = pictures.shape[1:]
    x, y = np.meshgrid(np.arange(w), np.arange(h))
    with styled():
        figure = Figure(figsize=(width, height))
        for k, (picture, field) in enumerate(zip(pictures, vectors, strict=True)):
            ax = figure.add_axes(((0.05 + k * (size + 0.1)) / width, 0.05 / height, size / width, size / height))
            ax.imshow(picture, cmap="gray", vmin=0, vmax=float(pictures.max()) * 1.6)
            seen = np.hypot(field[0], field[1]) > 0.08 * longest
            ax.quiver(
                x[seen],
                y[seen],
                field[0][seen],
                field[1][seen],
                color=COLORS["relaxed"],
                scale=longest / 1.4,
                scale_units="x",
                units="x",
                width=0.13,
                pivot="middle",
            )
            ax.set(xlim=(-0.5, w - 0.5), ylim=(h - 0.5, -0.5), xticks=[], yticks=[], title=titles[k] if titles else "")
            ax.grid(visible=False)
            for spine in ax.spines.values():
                spine.set(visible=True, color=GREY)
    return figure


def leakage(
    rings: Sequence[tuple[int, float, float]], titles: Sequence[str] | None = None, *, highest: int = 6
) -> Figure:
    r"""How much of one frequency the pixels take for another, on some rings.

    The samples of Y_f on a ring span a plane in the space of filters (a line if f = 0). Entry (f, f′) is the largest
    cosine between vectors of two such planes: 0 on a fine grid, and 1 if the grid cannot tell them apart.
    Inside the frame lie the frequencies up to the default cut-off of :class:`~equibook.layers.Rings`,
    2 at radius 1 and on the outermost ring.

    Args:
        rings: each the side of the filter, the radius and the width of the ring.
        titles: a text above each.
        highest: the highest frequency shown.

    Returns:
        The figure.

    >>> leakage([(3, 1.0, 0.4), (7, 2.0, 0.6)])
    <Figure size ... with 2 Axes>

    Chapter: Steerable convolution
    """
    _check_length(titles, len(rings), "titles", "rings")
    side = min(2.3, PAGE / len(rings) - 0.35)
    width, height = len(rings) * (side + 0.35) + 0.2, side + 0.85
    with styled():
        figure = Figure(figsize=(width, height))
        for k, (size, radius, spread) in enumerate(rings):
            ax = figure.add_axes(((0.5 + k * (side + 0.35)) / width, 0.5 / height, side / width, side / height))
            cosines = _cosines(size, radius, spread, highest)
            ax.imshow(cosines**2, cmap=DIVERGING, vmin=-1, vmax=1)  # pale enough for grey digits on any page
            for (f, g), value in np.ndenumerate(cosines):
                if value > 0.005:
                    text = "1" if value > 0.995 else f"{value:.2f}"[1:]
                    ax.text(g, f, text, ha="center", va="center", size=10, color="white" if value > 0.7 else GREY)
            trusted = min(2 * radius, 2 if radius == size // 2 else 2 * radius - (radius + 1) % 2) + 1
            ax.add_patch(Rectangle((-0.5, -0.5), trusted, trusted, fill=False, edgecolor=GREY, linewidth=2))
            ax.set(xlabel="frequency", title=titles[k] if titles else "")
            ax.set_xticks(range(highest + 1))
            ax.set_yticks(range(highest + 1), [] if k else None)
            ax.grid(visible=False)
            if not k:
                ax.set_ylabel("frequency")
    return figure


def _cosines(size: int, radius: float, spread: float, highest: int) -> np.ndarray:
    step = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(-step, step, indexing="ij")
    r, angle = torch.hypot(x, y).flatten(), torch.atan2(y, x).flatten()
    profile = torch.where(r > 0, torch.exp(-((r - radius) ** 2) / (2 * spread**2)), 0)
    frames = []
    for f in range(highest + 1):
        samples = circular_harmonics(f, angle) * profile[:, None]
        U, s, _ = torch.linalg.svd(samples, full_matrices=False)
        frames.append(U[:, s > 1e-9 * math.sqrt(float(s.square().sum()))])
    return np.array([[float(torch.linalg.matrix_norm(A.mT @ B, 2)) for B in frames] for A in frames])

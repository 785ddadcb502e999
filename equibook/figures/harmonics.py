"""Pictures of functions on the sphere and the circle, and of their coefficients.

A function on the sphere is given by its coefficients in the spherical harmonics of degrees 0, …, L
and drawn on a globe: blue is negative, vermilion positive, zero nothing. The globe's own lines do
not move: what turns is the function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import matplotlib.axes
import numpy as np
import torch
from matplotlib.patches import Circle, Polygon

from ..representation.harmonics import circular_harmonics, spherical_harmonics
from .arrays import Array, Numbers, numbers
from .pictures import DIVERGING, _check_length, _limit
from .style import COLORS, GREY, PAGE, Figure, in_inches, styled

__all__ = ["aliasing", "globe_spectra", "globes", "harmonic_pyramid"]

#: The globe is seen from the positive x axis, turned a little to y, and from above.
AROUND, ABOVE = math.radians(20), math.radians(25)

#: Pixels along a globe's diameter, and steps of the color: more would make the files large.
PIXELS, STEPS = 240, 13

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"


def globes(
    coefficients: Array,
    titles: Sequence[str] | None = None,
    *,
    columns: int | None = None,
    limit: float | None = None,
    size: float = 1.3,
) -> Figure:
    r"""Functions on the sphere, given by coefficients, as globes side by side.

    Args:
        coefficients: (n, (L + 1)²) or ((L + 1)²,): c with f = Σ_l ⟨c_l, Y_l⟩, degree by degree.
        titles: n texts, above the globes.
        columns: how many stand side by side; as many as fit if not given.
        limit: the value of the full color; the largest absolute value if not given.
        size: the diameter of a globe, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if the number of coefficients is no square, or the titles are not n.

    >>> globes(torch.eye(4), ["1", "y", "z", "x"])
    <Figure size ... with 1 Axes>

    Chapter: Fourier analysis on groups
    """
    c = _coefficients(coefficients)
    n = len(c)
    _check_length(titles, n, "titles", "globes")
    gap, head = 0.15, 0.28 if titles else 0.0
    columns = min(n, columns or max(1, int((PAGE + gap) / (size + gap))))
    rows = math.ceil(n / columns)
    values = _on_disc(c)
    bound = _limit(list(values), limit)
    width, height = columns * (size + gap), rows * (size + gap + head)
    with styled():
        figure, ax = in_inches(width, height)
        for k, value in enumerate(values):
            row, column = divmod(k, columns)
            x, y = (column + 0.5) * (size + gap), (row + 0.5) * (size + gap) + (row + 1) * head
            _globe(ax, value, x, y, size / 2, bound)
            if titles:
                ax.text(x, y - size / 2 - 0.06, titles[k], ha="center", va="bottom")
    return figure


def harmonic_pyramid(degree: int = 3, *, size: float = 0.65) -> Figure:
    r"""The real spherical harmonics up to a degree: row l holds Y_{l,−l}, …, Y_{l,l}.

    Args:
        degree: the last row; at most 5, or the globes would be too small to see.
        size: the diameter of a globe, in inches; smaller if the last row is wider than the page.

    Returns:
        The figure.

    Raises:
        ValueError: if the degree is not 0, …, 5.

    >>> harmonic_pyramid(2)
    <Figure size ... with 1 Axes>

    Chapter: Fourier analysis on groups
    """
    if degree not in range(6):
        raise ValueError(f"a pyramid has the degrees 0 to 5 at most; got {degree}.")
    side = 0.55
    step = min(size + 0.12, (PAGE - side) / (2 * degree + 1))
    values = _on_disc(np.eye((degree + 1) ** 2))
    with styled():
        figure, ax = in_inches(side + (2 * degree + 1) * step, (degree + 1) * step)
        for l in range(degree + 1):
            y = (l + 0.5) * step
            ax.text(0, y, f"$l = {l}$", ha="left", va="center")
            for m in range(-l, l + 1):
                value = values[l * l + l + m]
                x = side + (degree + m + 0.5) * step
                _globe(ax, value, x, y, (step - 0.12) / 2, float(np.nanmax(np.abs(value))))
    return figure


def globe_spectra(
    coefficients: Array, titles: Sequence[str] | None = None, *, limit: float | None = None, size: float = 1.6
) -> Figure:
    r"""Functions on the sphere with their coefficients as bars, in one block for each degree.

    The grey box of a block reaches from −‖c_l‖ to ‖c_l‖, which no rotation changes.

    Args:
        coefficients: (n, (L + 1)²), n at most 3; or ((L + 1)²,), drawn beside its globe.
        titles: n texts.
        limit: the value of the globes' full color; the largest absolute value if not given.
        size: the diameter of a globe, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if the number of coefficients is no square, or there are more than 3 functions.

    >>> globe_spectra(torch.arange(9.0))
    <Figure size ... with 2 Axes>

    Chapter: Fourier analysis on groups
    """
    c = _coefficients(coefficients)
    n = len(c)
    if n > 3:
        raise ValueError(f"{n} functions with their coefficients do not fit on a page; draw 3 at most.")
    _check_length(titles, n, "titles", "functions")
    values = _on_disc(c)
    bound = _limit(list(values), limit)
    tall = 1.05 * max(math.sqrt(float((block**2).sum())) for row in c for block in _blocks(row)) or 1.0
    head = 0.3 if titles else 0.05
    bars = 1.35 if n > 1 else size - 0.35
    width = (5.8, 5.4, PAGE)[n - 1]  # no wider than need be: a phone shrinks what is wide
    height = head + size + (bars + 0.75 if n > 1 else 0.3)
    with styled():
        figure, ax = in_inches(width, height)
        for k in range(n):
            if n > 1:
                left, right = 0.75 + k * (width - 0.75) / n, 0.6 + (k + 1) * (width - 0.75) / n
                x = (left + right) / 2
                bottom = 0.5
            else:
                left, right, x, bottom = size + 0.8, width - 0.05, size / 2 + 0.05, 0.5
            _globe(ax, values[k], x, head + size / 2, size / 2, bound)
            if titles:
                ax.text(x, head - 0.1, titles[k], ha="center", va="bottom")
            chart = figure.add_axes((left / width, bottom / height, (right - left) / width, bars / height))
            _draw_blocks(chart, c[k], tall, named=k == 0)
    return figure


def aliasing(low: int, high: int, samples: int) -> Figure:
    r"""Two circular harmonics, √2 cos kθ, and their values at equally spaced angles.

    Args:
        low: the smaller frequency.
        high: the larger one.
        samples: the number of equally spaced angles.

    Returns:
        The figure.

    Raises:
        ValueError: if a frequency is negative or there is no sample.

    >>> aliasing(3, 5, 8)
    <Figure size ... with 1 Axes>

    Chapter: Fourier analysis on groups
    """
    if samples < 1:
        raise ValueError(f"{samples} samples were asked for; take one at least.")
    angle = torch.linspace(0, 2 * torch.pi, 721, dtype=torch.float64)
    grid = 2 * torch.pi * torch.arange(samples, dtype=torch.float64) / samples
    with styled():
        figure = Figure(figsize=(5.8, 2.6), layout="constrained")
        ax = figure.subplots()
        marks = ((low, "nominal", ":", "o", 9), (high, "augmented", "--", "x", 7))
        for k, color, line, mark, large in marks:
            curve = circular_harmonics(k, angle)[:, 0]
            ax.plot(angle, curve, linestyle=line, color=COLORS[color], label=f"frequency {k}", linewidth=1.6)
            ax.plot(
                grid,
                circular_harmonics(k, grid)[:, 0],
                mark,
                color=COLORS[color],
                markersize=large,
                fillstyle="none",
                markeredgewidth=1.8,
            )
        ax.set(xlabel=r"angle $\theta$", ylabel=r"$\sqrt{2}\,\cos k\theta$", ylim=(-1.6, 1.6))
        ax.set_xticks([0, np.pi / 2, np.pi, 3 * np.pi / 2, 2 * np.pi], ["0", "π/2", "π", "3π/2", "2π"])
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def _coefficients(value: Array) -> Numbers:
    c = np.atleast_2d(numbers(value, "coefficients"))
    if c.ndim != 2 or not c.size or math.isqrt(c.shape[1]) ** 2 != c.shape[1]:
        raise ValueError(
            f"coefficients has shape {np.shape(c)}; degrees 0 to L make (L + 1)² numbers, 1, 4, 9, 16 and so on."
        )
    return c


def _blocks(c: Numbers) -> list[Numbers]:
    return np.split(c, [l * l for l in range(1, math.isqrt(len(c)))])


def _axes_of_view() -> Numbers:
    """Rows: the directions to the right, up, and to the viewer."""
    a, b = AROUND, ABOVE
    return np.array(
        [
            [-math.sin(a), math.cos(a), 0.0],
            [-math.cos(a) * math.sin(b), -math.sin(a) * math.sin(b), math.cos(b)],
            [math.cos(a) * math.cos(b), math.sin(a) * math.cos(b), math.sin(b)],
        ]
    )


@lru_cache(maxsize=8)
def _basis_on_disc(top: int) -> tuple[Mask, Numbers]:
    """Which pixels show the sphere, and the harmonics at those that do."""
    across = (2 * np.arange(PIXELS) + 1) / PIXELS - 1
    right, up = np.meshgrid(across, -across)
    inside = right**2 + up**2 < 1
    toward = np.sqrt(1 - right[inside] ** 2 - up[inside] ** 2)
    points = np.stack([right[inside], up[inside], toward], axis=1) @ _axes_of_view()
    return inside, spherical_harmonics(range(top + 1), torch.from_numpy(points)).numpy()


def _on_disc(c: Numbers) -> Numbers:
    """(n, PIXELS, PIXELS) the values as they are seen; nan beside the globe."""
    inside, basis = _basis_on_disc(math.isqrt(c.shape[1]) - 1)
    values = np.full((len(c), PIXELS, PIXELS), np.nan)
    values[:, inside] = c @ basis.T
    return values


def _globe(ax: matplotlib.axes.Axes, value: Numbers, x: float, y: float, r: float, limit: float) -> None:
    steps = np.round(np.clip(value / (limit or 1.0), -1, 1) * (STEPS // 2)) / (STEPS // 2)
    edge = Circle((x, y), r, fill=False, edgecolor=GREY, linewidth=1.0)
    image = ax.imshow(steps, cmap=DIVERGING, vmin=-1, vmax=1, extent=(x - r, x + r, y + r, y - r), aspect="auto")
    ax.add_patch(edge)
    image.set_clip_path(edge)
    for line in _graticule(30 if r > 0.55 else 90):  # many lines on a small globe hide it
        ax.plot(x + r * line[:, 0], y - r * line[:, 1], color=GREY, linewidth=0.5, alpha=0.45, linestyle="-")


@lru_cache(maxsize=2)
def _graticule(step: int) -> tuple[Numbers, ...]:
    """The visible parts of the parallels and meridians, every ``step`` degrees."""
    t = np.linspace(0, 2 * np.pi, 181)
    circles = []
    for height in np.radians(range(step - 90, 90, step)):
        ring = [np.cos(height) * np.cos(t), np.cos(height) * np.sin(t), np.sin(height) + 0 * t]
        circles.append(np.stack(ring, axis=1))
    for around in np.radians(range(0, 180, step)):
        circles.append(np.stack([np.cos(around) * np.cos(t), np.sin(around) * np.cos(t), np.sin(t)], axis=1))
    lines = []
    for points in circles:
        right, up, toward = _axes_of_view() @ points.T
        lines.append(np.where(toward[:, None] > 0, np.stack([right, up], axis=1), np.nan))
    return tuple(lines)


def _draw_blocks(ax: matplotlib.axes.Axes, c: Numbers, tall: float, *, named: bool) -> None:
    blocks = _blocks(c)
    for l, block in enumerate(blocks):
        norm, left, right = math.sqrt(float((block**2).sum())), l - 0.44, l + 0.44
        box = [(left, -norm), (right, -norm), (right, norm), (left, norm)]
        ax.add_patch(Polygon(box, facecolor=COLORS["E"], alpha=0.3, edgecolor="none"))
        width = 0.88 / len(block)
        places = left + width * (np.arange(len(block)) + 0.5)
        colors = [COLORS["augmented"] if value > 0 else COLORS["nominal"] for value in block]
        ax.bar(places, block, width=0.8 * width, color=colors)
    ax.axhline(0, color=GREY, linewidth=0.8, linestyle="-")
    ax.set(xlim=(-0.7, len(blocks) - 0.3), ylim=(-tall, tall), xlabel="degree $l$")
    ax.set_xticks(range(len(blocks)))
    ax.tick_params(axis="x", length=0)
    ax.grid(visible=False)
    if named:
        ax.set_ylabel("coefficient")
    else:
        ax.set_yticklabels([])

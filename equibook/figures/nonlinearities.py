"""Pictures of functions that are applied to features: which turn along, and where in the plane they do not.

Each returns a :class:`~equibook.figures.Figure`, which a notebook shows as the value of its cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.patches import Circle
from torch import Tensor

from .arrays import Array, numbers
from .pictures import DIVERGING, _check_length
from .plane import _draw_square
from .style import COLORS, GREY, PAGE, Figure, styled

__all__ = ["commutation_plane", "corner_grid", "sampled_circle"]

Function = Callable[[Tensor], Tensor]


def corner_grid(
    values: Array,
    titles: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    *,
    decimals: int = 0,
    size: float = 1.3,
) -> Figure:
    r"""Rows of patterns of four numbers on the corners of a square.

    Corner k lies at the angle 45° + k · 90°. A number is written into a disc, whose shade grows with it.

    Args:
        values: (rows, columns, 4), the numbers at the corners.
        titles: texts above the columns; a line break starts a new line.
        names: texts left of the rows; a line break starts a new line.
        decimals: digits after the point of the numbers that are written.
        size: the side of a square with its margin, in inches.

    Returns:
        The figure.

    Raises:
        ValueError: if the values are not (rows, columns, 4), or there is not one title a column and one name a row.

    >>> corner_grid([[[1, 2, 3, 4], [4, 1, 2, 3]]], ["x", "r x"], ["a pattern"])
    <Figure size ... with 1 Axes>

    Chapter: Linear layers and nonlinearities
    """
    patterns = numbers(values, "values")
    if patterns.ndim != 3 or patterns.shape[2] != 4:
        raise ValueError(f"values must be (rows, columns, 4), but have shape {patterns.shape}.")
    rows, columns, _ = patterns.shape
    _check_length(titles, columns, "titles", "columns")
    _check_length(names, rows, "names", "rows")
    lines = max((title.count("\n") + 1 for title in titles), default=0) if titles else 0
    left, head, gap = 1.25 if names else 0.05, 0.05 + 0.25 * lines, 0.15
    width, height = left + columns * (size + gap), head + rows * (size + gap)
    largest = float(np.abs(patterns).max()) or 1.0
    with styled():
        figure = Figure(figsize=(width, height))
        ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for i, row in enumerate(patterns):
            y = head + i * (size + gap) + size / 2
            if names:
                ax.text(0.05, y, names[i], ha="left", va="center")
            for j, pattern in enumerate(row):
                x = left + j * (size + gap) + size / 2
                shown = np.round(pattern, decimals) + 0.0  # and not −0
                _draw_square(ax, pattern / largest, shown, x, y, 0.68 * size)
                if titles and i == 0:
                    ax.text(x, head - 0.1, titles[j], ha="center", va="bottom")
        ax.set(xlim=(0, width), ylim=(height, 0))
        ax.set_axis_off()
    return figure


def commutation_plane(
    functions: Mapping[str, Function], degrees: float, *, limit: float = 2.0, step: float = 5.0
) -> Figure:
    r"""‖σ(Rx) − Rσ(x)‖ at each point x of the plane, for a rotation R, and its mean for every angle of R.

    Args:
        functions: name → σ, which takes points (n, 2) to points (n, 2).
        degrees: the angle of R.
        limit: the plane is shown from −limit to limit.
        step: the distance of the angles of the curve, in degrees.

    Returns:
        The figure: for each function a panel, in which the page is 0 and vermilion the largest value at any angle
        of the curve; below it the mean over the panel's disc as a function of the angle, with a mark at this one.

    >>> commutation_plane({"ReLU": torch.relu, "tanh": torch.tanh}, 30)
    <Figure size ... with 4 Axes>

    Chapter: Linear layers and nonlinearities
    """
    side = np.linspace(-limit, limit, 61)
    x, y = np.meshgrid(side, -side)  # y grows upward
    points = torch.from_numpy(np.stack([x, y], axis=-1).reshape(-1, 2))
    inside = points.norm(dim=1) <= limit
    angles = np.append(np.arange(0.0, 180.0, step), 180.0)
    errors = {
        name: torch.stack([_gap(function, points, angle) for angle in (degrees, *angles)])
        for name, function in functions.items()
    }
    highest = max(float(error[:, inside].mean(dim=1).max()) for error in errors.values()) or 1.0
    with styled():
        figure = Figure(figsize=(min(1.9 * len(functions), PAGE), 3.5), layout="constrained")
        upper, lower = figure.subplots(2, len(functions), squeeze=False)
        for k, (name, error) in enumerate(errors.items()):
            largest = float(error[:, inside].max())
            top = largest if largest > 1e-9 else 1.0  # round-off is not shown
            field = np.where(inside, error[0], np.nan).reshape(len(side), -1)
            extent = (-limit, limit, -limit, limit)
            upper[k].imshow(field, cmap=DIVERGING, vmin=-top, vmax=top, extent=extent)
            upper[k].add_patch(Circle((0, 0), limit, fill=False, edgecolor=GREY, linewidth=0.8))
            upper[k].set(title=name, xticks=[], yticks=[])
            for spine in upper[k].spines.values():
                spine.set_visible(False)
            mean = error[:, inside].mean(dim=1)
            lower[k].plot(angles, mean[1:], color=COLORS["augmented"], linestyle="-")
            lower[k].plot([degrees], [mean[0]], "o", color=COLORS["augmented"], linestyle="none")
            lower[k].set(xlim=(0, 180), ylim=(-0.05 * highest, 1.1 * highest))
            lower[k].set_xticks(range(0, 181, 90))
            if k:
                lower[k].set_yticklabels([])
        lower[0].set_ylabel("mean")
        lower[len(functions) // 2].set_xlabel("angle (degrees)")
    return figure


def _gap(function: Function, points: Tensor, degrees: float) -> Tensor:
    """‖σ(Rx) − Rσ(x)‖ at each point; exact matrices for quarter turns."""
    quarters, rest = divmod(degrees, 90)
    c, s = (1.0, 0.0) if rest == 0 else (math.cos(math.radians(rest)), math.sin(math.radians(rest)))
    turn = torch.tensor([[c, -s], [s, c]], dtype=points.dtype)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=points.dtype)
    R = torch.linalg.matrix_power(quarter, int(quarters)) @ turn
    with torch.no_grad():
        return (function(points @ R.mT) - function(points) @ R.mT).norm(dim=1)


def sampled_circle(
    curves: Mapping[str, Array],
    samples: tuple[Array, Array],
    *,
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> Figure:
    r"""Functions on the circle, and their values at the sampled angles.

    Args:
        curves: name → (n,) values at n equally spaced angles from 0 on. The first is drawn in grey, the next in
            green, and a third in vermilion with dashes.
        samples: (m,) angles in radians and (m,) values there, drawn as blue dots.
        limits: of the vertical axis; what the curves need if not given.
        title: a text above.

    Returns:
        The figure.

    Raises:
        ValueError: if there are more than three curves.

    >>> angle = torch.arange(0, 2 * torch.pi, 0.1)
    >>> sampled_circle({"a wave": angle.sin()}, (angle[::10], angle[::10].sin()))
    <Figure size ... with 1 Axes>

    Chapter: Linear layers and nonlinearities
    """
    if len(curves) > 3:
        raise ValueError(f"sampled_circle draws three curves at most; got {len(curves)}.")
    looks = [(COLORS["E"], "-", 2.4), (COLORS["equivariant"], "-", 1.8), (COLORS["augmented"], "--", 1.8)]
    with styled():
        figure = Figure(figsize=(min(5.6, PAGE), 3.2))
        ax = figure.add_axes((0.09, 0.16, 0.87, 0.62))
        for (name, given), (color, line, width) in zip(curves.items(), looks, strict=False):
            values = numbers(given, name)
            closed = np.append(values, values[0])
            ax.plot(np.linspace(0, 360, len(closed)), closed, color=color, linestyle=line, linewidth=width, label=name)
        angles, dots = (numbers(part, "samples") for part in samples)
        ax.plot(np.degrees(angles), dots, "o", color=COLORS["nominal"], linestyle="none", markersize=4.5)
        ax.set(xlim=(0, 360), xlabel="angle (degrees)", title=title or "")
        ax.set_xticks(range(0, 361, 90))
        if limits is not None:
            ax.set_ylim(*limits)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.02), ncols=2, frameon=False)
    return figure

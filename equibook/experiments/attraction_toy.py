r"""The smallest network that E does not attract: Φ_{a,b}(x) = (ax)² + b, with G = {±1} acting on x by its sign.

No map from the sign representation to the trivial one is equivariant but 0, so E = {a = 0}. On the data
(0, 0) and (1, 1) the augmented risk is R^aug(a, b) = ¼(b² + (a² + b − 1)²).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ..dynamics import augmented
from ..dynamics.risks import Risk
from .escape import Square, sign
from .escape import admissible as square_space

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..figures import Figure

__all__ = ["DATA", "Square", "plane", "portrait", "square_risk", "square_space"]

#: The inputs and labels (2, 1): Cov(x², y) = ¼.
DATA = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([[0.0], [1.0]], dtype=torch.float64)


def square_risk() -> Risk:
    """R^aug, half the mean squared error over both signs of x.

    Chapter: Attraction
    """
    return augmented(lambda outputs, y: 0.5 * (outputs - y).square().mean(), sign())


def portrait(gamma: float) -> Figure:
    """The flow of the toy with attraction of strength γ, in the plane of b (across) and a (up).

    >>> portrait(0.5)
    <Figure size ... with 1 Axes>

    Chapter: Attraction
    """

    def flow(b: Any, a: Any) -> tuple[Any, Any]:
        return -(b + a**2 + b - 1) / 2, -a * (a**2 + b - 1) - gamma * a

    def path(b: float, a: float) -> np.ndarray:
        points = [(b, a)]
        for _ in range(4000):
            db, da = flow(b, a)
            b, a = b + 0.01 * db, a + 0.01 * da
            points.append((b, a))
        return np.array(points)

    starts = [(-0.4, 0.05), (-0.4, -0.05), (1.3, 0.6), (1.3, -0.6)]
    end = {"stable": [(0.5, 0.0)]} if gamma >= 0.5 else {
        "unstable": [(0.5, 0.0)], "stable": [(gamma, (1 - 2 * gamma) ** 0.5), (gamma, -((1 - 2 * gamma) ** 0.5))],
    }  # fmt: skip
    return plane(
        flow, (-0.6, 1.6), (-1.3, 1.3), E=((-0.6, 0.0), (1.6, 0.0)), paths=[path(*start) for start in starts],
        points=end, xlabel="b", ylabel="a", title=f"γ = {gamma:g}",
    )  # fmt: skip


def plane(
    flow: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]],
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    *,
    E: Sequence[tuple[float, float]],
    paths: Sequence[np.ndarray] = (),
    points: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """A flow in a plane of two weights as streamlines, with the line E, paths and equilibria.

    Args:
        flow: (x, y) → the velocities in x and y.
        xlim: the range of x.
        ylim: the range of y.
        E: two points of the line E.
        paths: (n, 2) each, from their start.
        points: "stable" and "unstable" → equilibria, as full and open circles.
        xlabel: the name of the first weight.
        ylabel: the name of the second weight.
        title: a text above the panel.
        ax: the panel to draw into; a new figure if not given.

    >>> plane(lambda x, y: (-x, -y), (-1, 1), (-1, 1), E=[(-1, -1), (1, 1)])
    <Figure size ... with 1 Axes>

    Chapter: Attraction
    """
    from ..figures import COLORS, LINES, panels

    if ax is None:
        figure, (ax,) = panels(1, height=3.6)
        figure.set_size_inches(5.6, 3.6)
    else:
        figure = cast("Figure", ax.figure)
    x, y = np.meshgrid(np.linspace(*xlim, 41), np.linspace(*ylim, 41))
    u, v = flow(x, y)
    ax.streamplot(x, y, u, v, color="#8888887f", density=0.6, linewidth=0.8, arrowsize=0.9)
    (x0, y0), (x1, y1) = E
    ax.plot([x0, x1], [y0, y1], color=COLORS["E"], ls="-", lw=5, alpha=0.6, zorder=2)
    ax.annotate("E", (x1, y1), xytext=(6, 0), textcoords="offset points", va="center", annotation_clip=False, size=11)
    for each in paths:
        ax.plot(each[:, 0], each[:, 1], color=COLORS["regularized"], ls=LINES["regularized"], lw=2.2, zorder=3)
        ax.plot(*each[0], "s", color=COLORS["regularized"], ms=5, zorder=4)
    for kind, places in (points or {}).items():
        filled = COLORS["equivariant"] if kind == "stable" else "none"
        for place in places:
            ax.plot(*place, "o", ms=9, mfc=filled, mec=COLORS["equivariant"], mew=2, zorder=5)
    ax.set(xlim=xlim, ylim=ylim, xlabel=xlabel, ylabel=ylabel)
    ax.set_aspect("equal")
    ax.grid(False)
    if title is not None:
        ax.set_title(title)
    return figure

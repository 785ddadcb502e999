r"""The smallest network that augmented training drives out of E: Φ_{a,b}(x) = (ax)² + b on the line.

The group {1, −1} acts by x ↦ −x and leaves the outputs alone, so E = {a = 0}. The function is
invariant whatever a is, so R = R^aug, and b = E[y] is the only stationary point in E. Its Hessian
across E is −2 Cov(x², y): a statistic of the data decides whether E holds the weights or loses them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..dynamics import AdmissibleSpace, LayerSpace
from ..representation import Representation, cyclic, representation, trivial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Square", "admissible", "data", "half_squared_error", "phase_portrait", "velocity"]


class Square(nn.Module):
    """The network x ↦ (ax)² + b on the line; its parameters are weight = a and bias = b.

    >>> Square()(torch.tensor([[1.0], [-1.0]])).detach().diff(dim=0).item()
    0.0

    Chapter: Compatibility
    """

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, dtype=torch.float64))
        self.bias = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1) to (batch, 1)."""
        return (x.to(self.weight) @ self.weight.mT) ** 2 + self.bias


def sign() -> Representation:
    """The sign representation of C_2 on the inputs: the element 1 takes x to −x."""
    return representation(cyclic(2), torch.tensor([[[1.0]], [[-1.0]]], dtype=torch.float64))


def admissible() -> AdmissibleSpace:
    """All (a, b), with the sign representation on the input: E is the line a = 0.

    >>> space = admissible()
    >>> {name: layer.equivariant_dim for name, layer in space.layers.items()}
    {'weight': 0, 'bias': 1}

    Chapter: Compatibility
    """
    G = cyclic(2)
    return AdmissibleSpace({"weight": LayerSpace(sign() >> trivial(G)), "bias": LayerSpace(trivial(G) >> trivial(G))})


def data(covariance: float) -> tuple[Tensor, Tensor]:
    """Four points with E[x²] = 1, Var(x²) = 1, E[y] = 0 and a given Cov(x², y).

    Returns:
        Inputs (4, 1) and labels (4, 1).

    >>> x, y = data(0.5)
    >>> round(float((x**2 * y).mean() - (x**2).mean() * y.mean()), 6)
    0.5

    Chapter: Compatibility
    """
    x = 2**0.5 * torch.tensor([[1.0], [-1.0], [0.0], [0.0]], dtype=torch.float64)
    return x, covariance * (x**2 - 1)


def half_squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """Half the mean squared difference."""
    return (outputs - y).square().mean() / 2


def velocity(a: Tensor, b: Tensor, covariance: float) -> tuple[Tensor, Tensor]:
    r"""The gradient flow of the data above: ȧ = −2a(2a² + b − Cov), ḃ = −(a² + b).

    >>> velocity(torch.tensor(1.0), torch.tensor(-1.0), 1.0)      # (±√Cov, −Cov) is stationary
    (tensor(-0.), tensor(-0.))

    Chapter: Compatibility
    """
    return -2 * a * (2 * a**2 + b - covariance), -(a**2 + b)


def phase_portrait(covariance: float) -> Figure:
    """The flow in the plane (a, b), with E and the stationary points: filled if stable.

    Args:
        covariance: Cov(x², y).

    Returns:
        The figure.

    >>> phase_portrait(0.5)
    <Figure size ... with 1 Axes>

    Chapter: Compatibility
    """
    from ..figures import COLORS, panels

    figure, (ax,) = panels(1, height=3.9)
    side = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    b, a = torch.meshgrid(side, side, indexing="ij")
    u, v = velocity(a, b, covariance)
    ax.axvline(0, color=COLORS["E"], linestyle="-", linewidth=7, alpha=0.35)
    ax.streamplot(
        side.numpy(), side.numpy(), u.numpy(), v.numpy(),
        color=COLORS["augmented"], density=0.8, linewidth=0.9, arrowsize=0.9,
    )  # fmt: skip
    points = [(0.0, 0.0, covariance <= 0)]
    if covariance > 0:
        points += [(side * covariance**0.5, -covariance, True) for side in (-1, 1)]
    for horizontal, vertical, stable in points:
        color = COLORS["equivariant"] if horizontal == 0 else COLORS["nominal"]
        face = color if stable else "white"
        ax.plot(
            horizontal, vertical, "o", markersize=11, markeredgewidth=2.2, color=color, markerfacecolor=face, zorder=5
        )
    ax.annotate("E", (0.04, 1.36), color="#7b7b7b")
    ax.set(xlabel="a", ylabel="b", xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
    return figure

"""How far from equivariant the convolutions of the two libraries are, when images turn by angles between pixels.

``python -m equibook.baselines.errors`` prints the table.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..layers import BlurPool2d, SteerableConv2d, equivariance_error
from ..representation import FiniteGroup, LieGroup, Representation, cyclic, dihedral, irreps, regular, so2
from ._escnn import nn
from .convolution import steerable_from_escnn, to_escnn
from .fields import field_type

__all__ = ["EquivarianceErrors", "equivariance_errors"]

#: Of a continuous group: turns by these angles, in degrees, and their reflections.
ANGLES = (10.0, 30.0, 45.0, 77.0)


class EquivarianceErrors(NamedTuple):
    """The equivariance errors of one convolution in two libraries: medians over draws of the weights.

    Args:
        source: V; the convolution maps fields V → V.
        kernel_size: the side of its filter.
        theirs: with weights that escnn has drawn, the error of escnn's layer.
        theirs_here: and the error of ours with the same weights.
        ours: with weights that our layer has drawn, its error.
        ours_there: and the error of escnn's layer with the same weights.

    Chapter: Steerable convolution
    """

    source: Representation
    kernel_size: int
    theirs: float
    theirs_here: float
    ours: float
    ours_there: float

    def __str__(self) -> str:
        name = f"{self.source}, {self.kernel_size} × {self.kernel_size}"
        first = f"escnn's weights: escnn {self.theirs:.2e}, equibook {self.theirs_here:.2e}"
        return f"{name:55}  {first}; equibook's weights: escnn {self.ours_there:.2e}, equibook {self.ours:.2e}"


def equivariance_errors(
    source: Representation, kernel_size: int = 5, *, draws: int = 3, side: int = 21, blur: float = 1.5, seed: int = 0
) -> EquivarianceErrors:
    r"""The equivariance error of a convolution V → V in escnn and here, with the same weights and with fresh ones.

    The error is max_g ‖f(gx) − g f(x)‖ / ‖f(x)‖ over all elements of a finite group, and over four angles (and
    their reflections) of a continuous one, by `equivariance_error`: x is a smooth random field, turned by cubic
    interpolation.

    Args:
        source: V, a representation that `field_type` knows.
        kernel_size: the side of the filter.
        draws: how many times the weights are drawn.
        side: of the image.
        blur: the width of the Gaussian, in pixels, that smooths white noise to x.
        seed: of x, of our weights and, by torch's global generator, of escnn's. The state of the latter is kept.

    >>> from equibook import cyclic, regular
    >>> found = equivariance_errors(regular(cyclic(8)), 3, draws=1)
    >>> abs(found.theirs - found.theirs_here) < 1e-4
    True

    Chapter: Steerable convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    V, kind, padding = source, field_type(source), kernel_size // 2
    noise = torch.randn(2, V.dim, side, side, generator=torch.Generator().manual_seed(seed))
    x = BlurPool2d(V, 1, blur)(noise)

    def error(function: Callable[[Tensor], Tensor]) -> float:
        return equivariance_error(function, V, V, x, _elements(V.group))

    found = []
    with torch.random.fork_rng(devices=[]):
        for draw in range(draws):
            torch.manual_seed(seed + draw)
            convolution = nn.R2Conv(kind, kind, kernel_size, padding=padding)
            generator = torch.Generator().manual_seed(seed + draw)
            layer = SteerableConv2d(V, V, kernel_size, padding=padding, generator=generator)
            found.append(
                (
                    error(_on_tensors(convolution)),
                    error(steerable_from_escnn(convolution)),
                    error(layer),
                    error(_on_tensors(to_escnn(layer))),
                )
            )
    return EquivarianceErrors(V, kernel_size, *map(statistics.median, zip(*found, strict=True)))


def _on_tensors(convolution: Any) -> Callable[[Tensor], Tensor]:
    def function(x: Tensor) -> Tensor:
        y: Tensor = convolution(convolution.in_type(x)).tensor
        return y

    return function


def _elements(G: FiniteGroup | LieGroup) -> Tensor | None:
    if not isinstance(G, LieGroup):
        return None  # all
    turns = G.exp(torch.deg2rad(torch.tensor(ANGLES, dtype=torch.float64))[:, None])
    return (turns[:, None] @ G.components).flatten(0, 1)


def main() -> None:
    """Print the errors of C_4, C_8, D_8 and SO(2), for filters of 3 × 3 and 5 × 5 pixels."""
    torch.set_num_threads(1)
    rhos = irreps(so2(), 2)
    fields = [regular(cyclic(4)), regular(cyclic(8)), regular(dihedral(8)), sum(rhos[1:], rhos[0])]
    for V in fields:
        for k in (3, 5):
            print(equivariance_errors(V, k))


if __name__ == "__main__":
    main()

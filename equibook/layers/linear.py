"""Equivariant linear layers on vectors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation, trivial
from .inputs import expect_representation
from .weights import IntertwinerWeight

__all__ = ["Linear"]


class Linear(nn.Module):
    r"""The affine equivariant layer x ↦ A x + b with A ∈ Hom_G(V, W) and b ∈ W^G = Hom_G(ℝ, W).

    Args:
        source: V, the representation on the input.
        target: W, the representation on the output.
        bias: whether to add the invariant vector b, which starts at 0.
        generator: draws the initial weight.

    Input (..., V.dim); output (..., W.dim).

    >>> from equibook import cyclic, regular, trivial
    >>> G = cyclic(4)
    >>> layer = Linear(2 * regular(G), regular(G) + 3 * trivial(G))
    >>> layer(torch.randn(10, 8)).shape
    torch.Size([10, 7])

    Chapter: Intertwiners
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for V in (source, target):
            expect_representation(V, "Linear")
        self.source, self.target = source, target
        self.weight = IntertwinerWeight(source, target, generator=generator)
        self.bias = invariant_vector(target) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.source.dim:
            raise ValueError(f"Expected (..., {self.source.dim}) for {self.source}; got {tuple(x.shape)}.")
        return F.linear(x, self.weight(self.target.dim, self.source.dim), bias_vector(self.bias))


def invariant_vector(target: Representation) -> IntertwinerWeight:
    """A learnable element of W^G, at 0."""
    unused = torch.Generator()  # the draw is thrown away, and nobody's random numbers change
    vector = IntertwinerWeight(trivial(target.group), target, generator=unused)
    for coordinates in vector.parameters():
        nn.init.zeros_(coordinates)
    return vector


def bias_vector(bias: IntertwinerWeight | None) -> Tensor | None:
    """The vector itself, (W.dim,), or None where there is none."""
    return None if bias is None else bias(bias.target.dim)

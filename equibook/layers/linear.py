"""Equivariant linear layers on vectors."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation, trivial
from ..representation.groups import GeneratedGroup
from .inputs import expect_representation
from .isotypic import MOVE, IsotypicMap, Plan
from .weights import IntertwinerWeight

__all__ = ["Linear"]

FORMS = ("auto", "dense", "isotypic")


class Linear(nn.Module):
    r"""The affine equivariant layer x ↦ A x + b with A ∈ Hom_G(V, W) and b ∈ W^G = Hom_G(ℝ, W).

    Args:
        source: V, the representation on the input.
        target: W, the representation on the output.
        bias: whether to add the invariant vector b, which starts at 0.
        form: how A is applied. "dense" multiplies by the matrix; "isotypic" changes to the bases of
            irreducibles and back, and multiplies by the blocks of A there (see `linear_cost`). "auto"
            takes for each input the one that should be faster, by the number of rows and the device. The
            parameters are the same in all forms, and so are the outputs, up to round-off.
        generator: draws the initial weight.

    Input (..., V.dim); output (..., W.dim).

    >>> from equibook import cyclic, regular, trivial
    >>> G = cyclic(4)
    >>> layer = Linear(2 * regular(G), regular(G) + 3 * trivial(G))
    >>> layer(torch.randn(10, 8)).shape
    torch.Size([10, 7])
    >>> V = 64 * regular(cyclic(16))
    >>> Linear(V, V).form_for(rows=1000)
    'isotypic'

    Chapter: Intertwiners, Linear layers and nonlinearities, Speed
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        bias: bool = True,
        *,
        form: str = "auto",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for V in (source, target):
            expect_representation(V, "Linear")
        if form not in FORMS:
            raise ValueError(f'The form of a Linear layer is "auto", "dense" or "isotypic"; got {form!r}.')
        self.source, self.target, self.form = source, target, form
        self.weight = IntertwinerWeight(source, target, generator=generator)
        self.bias = invariant_vector(target) if bias else None
        self._plan = None if form == "dense" or _is_small(self.weight, form) else Plan(source, target)
        if form == "auto" and self._plan is not None and not self._plan.may_save():
            self._plan = None
        self.isotypic = None if self._plan is None else IsotypicMap(source, target, self._plan)

    def form_for(self, rows: int, device: str = "cpu") -> str:
        """The form in which the layer is applied to so many rows on "cpu" or "cuda": "dense" or "isotypic"."""
        if self._plan is None or (self.form == "auto" and not self._plan.saves(rows, device)):
            return "dense"
        return "isotypic"

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] != self.source.dim:
            raise ValueError(f"Expected (..., {self.source.dim}) for {self.source}; got {tuple(x.shape)}.")
        rows, bias = math.prod(x.shape[:-1]), bias_vector(self.bias)
        if self.isotypic is None or self.form_for(rows, x.device.type) == "dense":
            return F.linear(x, self.weight(self.target.dim, self.source.dim), bias)
        y = self.isotypic(x.reshape(rows, self.source.dim), self.weight)
        y = y if bias is None else y + bias.to(y.dtype)
        return y.view(*x.shape[:-1], self.target.dim)

    def extra_repr(self) -> str:
        return "" if self.form == "auto" else f"form={self.form!r}"


def _is_small(weight: IntertwinerWeight, form: str) -> bool:
    """Whether no other form can be faster, as is known without the irreducibles.

    With h coordinates, a row takes h multiplications at least, and moves 2√h numbers twice.
    """
    if form == "isotypic":
        return False
    h = sum(p.numel() for p in weight.parameters())
    unknown = isinstance(weight.source.group, GeneratedGroup)
    return unknown or weight.source.dim * weight.target.dim <= h + 4 * math.sqrt(h) * min(MOVE.values())


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

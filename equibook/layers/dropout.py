"""Dropout of whole fields."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation
from .inputs import Channels, expect_representation

__all__ = ["FieldDropout"]


class FieldDropout(nn.Module):
    r"""In training, x_c ↦ 0 with probability p, else x_c/(1 − p), for each field x_c and sample as a whole.

    To drop one channel of a field would break the symmetry. A factor for the whole field commutes with every
    ρ(g), and one factor for all pixels with every motion of the grid: each draw gives an equivariant
    map, not only their mean.

    Args:
        source: V, any representation; each copy of V_i in V = ⊕ n_i V_i is a field.
        p: the probability.

    Input and output (batch, V.dim, ...). In evaluation, the identity. `torch.manual_seed` fixes the
    draws, as for `torch.nn.Dropout`.

    Raises:
        ValueError: if p is no probability below 1.

    >>> from equibook import cyclic, regular
    >>> y = FieldDropout(100 * regular(cyclic(4)))(torch.ones(1, 400))
    >>> sorted(set(y.view(100, 4).sum(dim=1).tolist()))         # whole fields
    [0.0, 8.0]

    Chapter: Linear layers and nonlinearities

    Reference: Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014).
    """

    def __init__(self, source: Representation, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"p is a probability, 0 ≤ p < 1; got {p}.")
        self.source = self.target = expect_representation(source, "FieldDropout")
        self.channels, self.p = Channels(source), p

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        if not self.training or self.p == 0:
            return x
        ones = x.new_ones(len(x), self.channels.fields, *(1 for _ in x.shape[2:]))
        factors = F.dropout(ones, self.p).split([n for n, _ in self.channels.shapes], dim=1)
        fields = self.channels.split(x)
        pieces = [(field * c.unsqueeze(2)).flatten(1, 2) for field, c in zip(fields, factors, strict=True)]
        return torch.cat(pieces, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}, p={self.p}"

r"""Nonlinearities, and which representations they commute with.

A function applied to each coordinate commutes with any matrix that permutes coordinates, an odd
function also with one that changes their signs, and in general with nothing else. These layers refuse the rest.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation
from .inputs import check_channels, expect_representation, permutes_basis

__all__ = ["NormReLU", "Pointwise"]

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,
    "gelu": F.gelu,
    "leaky_relu": F.leaky_relu,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
}
ODD = {"tanh"}


class Pointwise(nn.Module):
    r"""The map x ↦ (σ(x_1), …, σ(x_n)), on a representation that it commutes with.

    Args:
        source: V; must permute its basis, up to signs if σ is odd.
        function: "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus" or "tanh", or
            any function of one real variable applied to tensors.
        odd: whether a function of your own satisfies σ(−x) = −σ(x).

    Raises:
        ValueError: if σ does not commute with V; says which part of V, and what to use.

    >>> from equibook import cyclic, irreps, regular
    >>> Pointwise(regular(cyclic(4)), "relu")(torch.tensor([[-1.0, 0.0, 1.0, 2.0]])).tolist()
    [[0.0, 0.0, 1.0, 2.0]]
    >>> Pointwise(irreps(cyclic(4))[2], "tanh").target          # a sign: tanh is odd
    irreps(cyclic(4))[2]

    Chapter: Group convolution
    """

    def __init__(
        self, source: Representation, function: str | Callable[[Tensor], Tensor] = "relu", *, odd: bool = False
    ) -> None:
        super().__init__()
        if isinstance(function, str):
            if function not in FUNCTIONS:
                raise ValueError(
                    f"Unknown function {function!r}; known are {', '.join(FUNCTIONS)}, or pass a callable."
                )
            self.name, odd, function = function, function in ODD, FUNCTIONS[function]
        else:
            self.name = getattr(function, "__name__", repr(function))
        for atom, _ in expect_representation(source, "Pointwise").summands:
            _check_commutes(atom, self.name, odd)
        self.source = self.target = source
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source)
        return self.function(x)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.name}"


def _check_commutes(V: Representation, name: str, odd: bool) -> None:
    if permutes_basis(V, up_to_signs=odd):
        return
    hint = "" if odd or name in FUNCTIONS else f" If {name} is odd, σ(−x) = −σ(x), say odd=True."
    raise ValueError(
        f"{name}, applied to each coordinate, does not commute with {V}, whose matrices are not permutations"
        f"{' up to signs' if odd else ''}. NormReLU commutes with every representation; {name} commutes with "
        f"regular({V.group}), trivial({V.group}) and their sums.{hint}"
    )


class NormReLU(nn.Module):
    r"""The map x ↦ ReLU(‖x‖ − b) · x/‖x‖ on each summand, which commutes with every orthogonal ρ.

    Args:
        source: V = ⊕ n_i V_i; each copy of V_i has its own learnable threshold b, which starts at 0.1
            and counts as 0 where training makes it negative.

    Input and output (batch, V.dim, ...).

    >>> from equibook import cyclic, irreps
    >>> layer = NormReLU(3 * irreps(cyclic(8))[1])
    >>> layer(torch.randn(5, 6)).shape
    torch.Size([5, 6])

    Chapter: Group convolution
    """

    def __init__(self, source: Representation) -> None:
        super().__init__()
        self.source = self.target = source
        self.threshold = nn.Parameter(torch.full((sum(n for _, n in source.summands),), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source)
        pieces = []
        thresholds = self.threshold.split([n for _, n in self.source.summands])
        fields = x.split([n * V.dim for V, n in self.source.summands], dim=1)
        for piece, b, (V, n) in zip(fields, thresholds, self.source.summands, strict=True):
            copies = piece.unflatten(1, (n, V.dim))
            norm = copies.norm(dim=2, keepdim=True)
            b = b.view(1, n, *(1 for _ in norm.shape[2:]))
            # x/‖x‖ has no value at 0; the tiny floor makes the map 0 there, and its gradient finite.
            floor = torch.finfo(x.dtype).tiny ** 0.5
            pieces.append((copies * F.relu(norm - b.clamp_min(0)) / norm.clamp_min(floor)).flatten(1, 2))
        return torch.cat(pieces, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}"

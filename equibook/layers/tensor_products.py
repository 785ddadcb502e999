r"""Tensor products: bilinear layers, which couple two features into a third.

The linear layers of Hom_G(V, W) keep degrees apart. A product mixes them: u ⊗ v contains all degrees
from |l₁ − l₂| to l₁ + l₂, and the Clebsch–Gordan coefficients pick them out. A bilinear layer
is a point of Hom_G(U ⊗ V, W) like any other weight, in the basis of these coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ..representation import Representation, clebsch_gordan
from .constants import WithConstants
from .inputs import expect_representation
from .weights import IntertwinerWeight

__all__ = ["TensorProduct"]


@dataclass(frozen=True)
class Couplings:
    """The second factor V of a product: its "filters" from U to W are the bilinear maps U × V → W.

    A summand of V after the other and a copy after the other, so that each basis element is one path
    (U_i, V_j) → W_k, by the Clebsch–Gordan coefficients of the three.
    """

    second: Representation

    @property
    def dim(self) -> int:
        """dim V."""
        return self.second.dim

    def basis(self, U: Representation, W: Representation) -> Tensor:
        """An orthonormal basis of Hom_G(U ⊗ V, W): (n, W.dim, U.dim, V.dim), float64."""
        blocks = [(_coefficients(U, V, W), copies) for V, copies in self.second.summands]
        count = sum(len(block) * copies for block, copies in blocks)
        basis = torch.zeros(count, W.dim, U.dim, self.dim, dtype=torch.float64)
        row = start = 0
        for block, copies in blocks:
            n, width = len(block), block.shape[-1]
            for _ in range(copies):
                basis[row : row + n, :, :, start : start + width] = block
                row, start = row + n, start + width
        return basis

    def starts(self, U: Representation, W: Representation) -> Tensor:
        """The paths themselves: the basis is theirs."""
        return torch.eye(len(self.basis(U, W)), dtype=torch.float64)


@lru_cache(maxsize=4096)
def _coefficients(U: Representation, V: Representation, W: Representation) -> Tensor:
    return clebsch_gordan(U, V, W)


class TensorProduct(WithConstants):
    r"""The bilinear equivariant layer (x, y) ↦ T(x ⊗ y) with a learnable T ∈ Hom_G(U ⊗ V, W).

    Each copy of W_k is a sum over all paths, w_k = Σ_{i,j} A_kij C^k_ij (u_i ⊗ v_j), with
    Clebsch–Gordan coefficients C^k_ij of Frobenius norm 1 and a weight A_kij for each triple of copies. No
    product is formed: first y turns the coefficients into matrices, one for each sample, then these act on
    x, and last the weights mix the channels.

    Args:
        first: U.
        second: V.
        target: W.
        generator: draws T, so that white x ⊗ y of unit variance gives unit variance.

    Attributes:
        paths: for each summand n_k W_k of W, the number of copies of W_k in U ⊗ V that the layer mixes.

    Input x (..., U.dim) and y (..., V.dim); output (..., W.dim).

    >>> from equibook import irreps, so3
    >>> scalar, vector, tensor = irreps(so3(), degree=2)
    >>> layer = TensorProduct(8 * scalar + 8 * vector, scalar + vector + tensor, 16 * vector)
    >>> layer(torch.randn(10, 32), torch.randn(10, 9)).shape
    torch.Size([10, 48])
    >>> layer.paths             # u₀v₁ and u₁v₀, u₁v₁, u₁v₂, for 8 copies each
    (32,)

    Chapter: Vectors in space

    Reference: Thomas, Smidt, Kearnes, Yang, Li, Kohlhoff and Riley (2018).
    """

    def __init__(
        self,
        first: Representation,
        second: Representation,
        target: Representation,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for V in (first, second, target):
            expect_representation(V, "TensorProduct")
        self.first, self.second, self.target = first, second, target
        self.source = first * second
        self.weight = IntertwinerWeight(first, target, Couplings(second), generator=generator)
        # Summands of V in one copy each go together: one matrix a sample holds all of their paths.
        single = all(copies == 1 for _, copies in second.summands)
        self._factors = [(second, 1)] if single else list(second.summands)
        # for each factor V_j and each U_i, all C^k_ij together: (V_j.dim, Σ_k W_k.dim · paths · U_i.dim)
        self._paths: list[list[list[int]]] = []
        for j, (V, _) in enumerate(self._factors):
            self._paths.append([])
            for i, (U, _) in enumerate(first.summands):
                bases = [Couplings(V).basis(U, W) for W, _ in target.summands]
                self._paths[j].append([len(basis) for basis in bases])
                flat = torch.cat([basis.permute(3, 1, 0, 2).flatten(1) for basis in bases], dim=1)
                self.set_constant(f"coefficients_{j}_{i}", flat)
        self.paths = tuple(
            sum(
                m * copies * self._paths[j][i][k]
                for i, (_, m) in enumerate(first.summands)
                for j, (_, copies) in enumerate(self._factors)
            )
            for k in range(len(target.summands))
        )

    def couple(self, x: Tensor, y: Tensor) -> list[Tensor]:
        """The copies of each W_k in x ⊗ y, before the weights mix them.

        Args:
            x: (batch, U.dim).
            y: (batch, V.dim).

        Returns:
            For each summand of W: (batch, W_k.dim, paths of W_k). Each path is one of `mix`'s channels.
        """
        batch = len(x)
        fields = x.split([m * U.dim for U, m in self.first.summands], dim=1)
        found: list[list[Tensor]] = [[] for _ in self.target.summands]
        for i, (U, m) in enumerate(self.first.summands):
            u = fields[i].view(batch, m, U.dim).mT
            start = 0
            for j, (V, copies) in enumerate(self._factors):
                v = y[:, start : start + copies * V.dim].reshape(batch * copies, V.dim)
                start += copies * V.dim
                coefficients = cast(Tensor, self._buffers[f"coefficients_{j}_{i}"])
                counts = self._paths[j][i]
                sizes = [n * W.dim for n, (W, _) in zip(counts, self.target.summands, strict=True)]
                turned = (v @ coefficients).view(batch, copies * sum(sizes), U.dim) @ u
                for k, piece in enumerate(turned.view(batch, copies, sum(sizes), m).split(sizes, dim=2)):
                    if sizes[k]:
                        dim = self.target.summands[k][0].dim
                        found[k].append(piece.unflatten(2, (dim, counts[k])).transpose(1, 2).flatten(2))
        return [
            (pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=2)) if pieces else x.new_zeros(batch, W.dim, 0)
            for pieces, (W, _) in zip(found, self.target.summands, strict=True)
        ]

    def mix(self, channels: list[Tensor]) -> Tensor:
        """The weighted sums over paths.

        Args:
            channels: for each summand of W: (batch, W_k.dim, paths of W_k).

        Returns:
            (batch, W.dim).
        """
        fields = []
        for k, z in enumerate(channels):
            blocks = (self.weight.block(k, i) for i in range(len(self.first.summands)))
            A = torch.cat([block.transpose(1, 2).flatten(1) for block in blocks], dim=1)
            fields.append(F.linear(z, A).mT.flatten(1))
        return fields[0] if len(fields) == 1 else torch.cat(fields, dim=1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        for name, value, V in (("x", x, self.first), ("y", y, self.second)):
            if value.shape[-1] != V.dim:
                raise ValueError(f"Expected {name} of shape (..., {V.dim}) for {V}; got {tuple(value.shape)}.")
        shape = torch.broadcast_shapes(x.shape[:-1], y.shape[:-1])
        x, y = (value.expand(*shape, -1).reshape(-1, value.shape[-1]) for value in (x, y))
        return self.mix(self.couple(x, y)).view(*shape, self.target.dim)

    def extra_repr(self) -> str:
        return f"{self.first}, {self.second} → {self.target}"

r"""Vector neurons: layers whose neurons are vectors, and turn when the input turns.

A channel holds a vector of ℝ³ in the place of a number: features are (batch, channels, points, 3).
Rotations act on the last axis and the weights on the second, so a layer can only do two things: mix
channels, and look at inner products. By Schur's lemma the first is every linear layer there is, and by
the first fundamental theorem of invariant theory the second is every invariant of O(3).

Nothing here needs three dimensions: each layer takes copies of any irreducible representation whose
commutant is ℝ, such as the vectors of ``o3()``, ``so3()`` and ``o2()`` or those of an icosahedron.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Irrep, Representation, trivial
from .inputs import expect_representation
from .weights import IntertwinerWeight

__all__ = [
    "VectorBatchNorm",
    "VectorInvariants",
    "VectorLinear",
    "VectorPool",
    "VectorReLU",
    "neighbor_vectors",
]


class VectorLinear(nn.Module):
    r"""The linear layer of vector neurons: each new vector is a combination of the old ones.

    (x_1, …, x_m) ↦ (Σ_c A_1c x_c, …, Σ_c A_nc x_c). By Schur's lemma Hom_G(mV, nV) = {A ⊗ 1}, so there
    is no other linear layer; and no vector is invariant, so there is no bias.

    Args:
        source: mV, copies of one irreducible representation V of real type.
        target: nV.
        generator: draws A, so that white input of unit variance leaves with unit variance.

    Input (batch, m, ..., dim V); output (batch, n, ..., dim V).

    Raises:
        ValueError: if source or target is something else; says what to use.

    >>> from equibook import irreps, o3
    >>> vector = irreps(o3(), degree=1)[-1]
    >>> VectorLinear(2 * vector, 16 * vector)(torch.randn(5, 2, 100, 3)).shape
    torch.Size([5, 16, 100, 3])

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """

    def __init__(
        self, source: Representation, target: Representation, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        V, _ = _copies(source, "VectorLinear")
        W, _ = _copies(target, "VectorLinear")
        if V != W:
            raise ValueError(f"VectorLinear combines copies of one representation; got {V} and {W}, which are two.")
        self.source, self.target = source, target
        self.weight = IntertwinerWeight(source, target, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.source)
        return _combine(self.weight, x)


class VectorReLU(nn.Module):
    r"""The ReLU of vector neurons: each channel learns a direction, and loses what points against it.

    With k = Ux and its unit vector k̂ = k/‖k‖, channel by channel, x ↦ x if ⟨x, k⟩ ≥ 0 and
    x ↦ x − (1 − s)⟨x, k̂⟩k̂ otherwise. The direction turns with the input, and so does the half-space.

    Args:
        source: mV, copies of one irreducible representation V of real type.
        negative_slope: s, the part of ⟨x, k̂⟩ that is kept where it is negative.
        shared: one direction for all channels.
        generator: draws U.

    Input and output (batch, m, ..., dim V).

    >>> from equibook import irreps, o3
    >>> vector = irreps(o3(), degree=1)[-1]
    >>> layer = VectorReLU(8 * vector)
    >>> layer(torch.randn(5, 8, 100, 3)).shape
    torch.Size([5, 8, 100, 3])

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """

    def __init__(
        self,
        source: Representation,
        negative_slope: float = 0.0,
        *,
        shared: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        V, _ = _copies(source, "VectorReLU")
        self.source = self.target = source
        self.negative_slope, self.shared = negative_slope, shared
        self.direction = IntertwinerWeight(source, V if shared else source, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.source)
        k = _unit(_combine(self.direction, x))
        against = F.relu(-(x * k).sum(dim=-1, keepdim=True))
        return x + (1 - self.negative_slope) * against * k

    def extra_repr(self) -> str:
        return f"{self.source}, negative_slope={self.negative_slope}, shared={self.shared}"


class VectorBatchNorm(nn.Module):
    r"""Batch normalization of the lengths: x_c ↦ (BN_c(‖x_c‖)/‖x_c‖) x_c.

    Lengths are invariant, so whatever is done to them commutes with G. A vector shorter than average may
    come out reversed; 0, which has no direction, stays 0.

    Args:
        source: mV, copies of one irreducible representation V of real type.
        eps, momentum, affine: as in torch.nn.BatchNorm1d, which acts on the lengths.

    Input and output (batch, m, ..., dim V).

    >>> from equibook import irreps, o3
    >>> vector = irreps(o3(), degree=1)[-1]
    >>> layer = VectorBatchNorm(8 * vector)
    >>> layer(torch.randn(5, 8, 100, 3)).norm(dim=-1).square().mean().round(decimals=2)
    tensor(1., grad_fn=<RoundBackward1>)

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """

    def __init__(self, source: Representation, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        _, m = _copies(source, "VectorBatchNorm")
        self.source = self.target = source
        self.lengths = nn.BatchNorm1d(m, eps=eps, momentum=momentum, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.source)
        lengths = x.norm(dim=-1)
        normalized = self.lengths(lengths.flatten(2) if lengths.ndim > 2 else lengths).view_as(lengths)
        return _unit(x) * normalized[..., None].to(x)

    def extra_repr(self) -> str:
        return f"{self.source}"


class VectorPool(nn.Module):
    r"""One vector a channel from the vectors of many points: their mean, or the one longest in a learned direction.

    mean: (1/N) Σ_p x_cp. max: x_cp for the p that maximizes ⟨x_cp, k_cp⟩, where k_p = U x_p. Both forget
    the order of the points.

    Args:
        source: mV, copies of one irreducible representation V of real type.
        how: "max" or "mean".
        generator: draws U.

    Input (batch, m, ..., points, dim V); output (batch, m, ..., dim V).

    Raises:
        ValueError: if how is neither.

    >>> from equibook import irreps, o3
    >>> vector = irreps(o3(), degree=1)[-1]
    >>> VectorPool(8 * vector)(torch.randn(5, 8, 100, 3)).shape
    torch.Size([5, 8, 3])

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """

    def __init__(self, source: Representation, how: str = "max", *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if how not in ("max", "mean"):
            raise ValueError(f'how is "max" or "mean"; got {how!r}.')
        _copies(source, "VectorPool")
        self.source = self.target = source
        self.how = how
        self.direction = IntertwinerWeight(source, source, generator=generator) if how == "max" else None

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.source, points=True)
        if self.direction is None:
            return x.mean(dim=-2)
        best = (x * _combine(self.direction, x)).sum(dim=-1).argmax(dim=-1)
        return x.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.how}"


class VectorInvariants(nn.Module):
    r"""Invariants of vectors: their inner products ⟨x_c, t_j⟩ with a few combinations t = Tx.

    With as many directions as dimensions these are the coordinates of x in a frame that turns with x.
    Every polynomial in vectors that O(3) leaves alone is one in their inner products; for SO(3) there are
    the determinants too, which tell a left hand from a right one and which this layer does not see.

    Args:
        source: mV, copies of one irreducible representation V of real type.
        directions: k, the number of the t_j.
        generator: draws T.

    Input (batch, m, ..., dim V); output (batch, m k, ...), with the trivial representation.

    >>> from equibook import irreps, o3
    >>> vector = irreps(o3(), degree=1)[-1]
    >>> VectorInvariants(8 * vector)(torch.randn(5, 8, 100, 3)).shape
    torch.Size([5, 24, 100])

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """

    def __init__(
        self, source: Representation, directions: int = 3, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        V, m = _copies(source, "VectorInvariants")
        if directions < 1:
            raise ValueError(f"Inner products need at least one direction; got {directions}.")
        self.source, self.target = source, m * directions * trivial(source.group)
        self.direction = IntertwinerWeight(source, directions * V, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        _check_vectors(x, self.source)
        return torch.einsum("bc...d,bj...d->bcj...", x, _combine(self.direction, x)).flatten(1, 2)

    def extra_repr(self) -> str:
        return f"{self.source}"


def neighbor_vectors(x: Tensor, neighbors: int = 16, *, cross: bool = False) -> Tensor:
    r"""Vectors that describe a cloud around each point: x_j − x_i to its neighbors, and x_i − x̄ from the mean.

    A point alone is one vector, and combinations of one vector are multiples of it: vector neurons need two.
    Both kinds forget where the cloud is. The cross product (x_j − x_i) × (x_i − x̄) is a third
    that turns with rotations and not with reflections: with it a network sees handedness.

    Args:
        x: (batch, points, 3).
        neighbors: k, how many of the nearest points count.
        cross: whether to add the cross product.

    Returns:
        (batch, 2, points, k, 3), with the cross product (batch, 3, points, k, 3).

    Raises:
        ValueError: if x has another shape, or not enough points.

    >>> neighbor_vectors(torch.randn(5, 100, 3), 8).shape
    torch.Size([5, 2, 100, 8, 3])

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """
    if x.ndim != 3 or x.shape[-1] != 3:
        raise ValueError(f"Expected clouds of points (batch, points, 3); got {tuple(x.shape)}.")
    if not 1 <= neighbors < x.shape[1]:
        raise ValueError(
            f"A point of {x.shape[1]} has at least 1 and at most {x.shape[1] - 1} neighbors; got {neighbors}."
        )
    with torch.no_grad():
        distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        itself = torch.eye(x.shape[1], dtype=torch.bool, device=x.device)
        nearest = distance.masked_fill(itself, torch.inf).topk(neighbors, largest=False).indices
    batch = torch.arange(len(x), device=x.device)[:, None, None]
    away = x[batch, nearest] - x[:, :, None]
    outward = (x - x.mean(dim=1, keepdim=True))[:, :, None].expand_as(away)
    vectors = [away, outward] + ([torch.linalg.cross(away, outward)] if cross else [])
    return torch.stack(vectors, dim=1)


def _copies(V: Representation, layer: str) -> tuple[Irrep, int]:
    """The irreducible of which V is copies, and how many; an error that names the layer if it is not."""
    terms = expect_representation(V, layer).summands
    atom, m = terms[0]
    if len(terms) > 1 or not isinstance(atom, Irrep) or atom.commutant_dim != 1:
        raise ValueError(
            f"{layer} acts on copies of one irreducible representation of real type, as in "
            f"16 * irreps(o3(), degree=1)[-1]; got {V}. Linear and SteerableMessages act on sums."
        )
    return atom, m


def _check_vectors(x: Tensor, V: Representation, points: bool = False) -> None:
    ((atom, m),) = V.summands
    if x.ndim < 3 + points or x.shape[1] != m or x.shape[-1] != atom.dim:
        shape = f"(batch, {m}, ..., {'points, ' if points else ''}{atom.dim})"
        raise ValueError(f"Expected {shape} for {V}; got {tuple(x.shape)}.")


def _combine(weight: IntertwinerWeight, x: Tensor) -> Tensor:
    """(A ⊗ 1)x: the coordinates of A ⊗ 1 in the basis (E_nm ⊗ 1)/√d are those of A times √d."""
    A = weight.block(0, 0).squeeze(-1) * x.shape[-1] ** -0.5
    return (A @ x.flatten(2)).view(len(x), len(A), *x.shape[2:])


def _unit(x: Tensor) -> Tensor:
    """x/‖x‖; at 0, which has no direction, 0 with derivative 0."""
    length = x.norm(dim=-1, keepdim=True)
    tiny = torch.finfo(length.dtype).tiny
    return torch.where(length > tiny, x / length.clamp_min(tiny), 0.0)

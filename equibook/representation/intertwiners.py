r"""Hom_G(V, W): the linear maps that commute with the group.

This is the one object of the book. A layer's weights live in it, a convolution's kernel
constraint is membership in it, and Π_G, its orthogonal projector, pulls training back to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from .irreps import Irrep, decompose
from .representations import Representation

__all__ = ["Hom"]

#: The most bytes that `Hom.basis` and `Hom.constraints` will fill.
LARGEST = 2 * 1024**3


@dataclass(frozen=True)
class Hom:
    r"""The space Hom_G(V, W) = {A : ρ_W(g) A = A ρ_V(g) for all g}; write it ``V >> W``.

    >>> from equibook import permutation, symmetric
    >>> V = permutation(symmetric(4))
    >>> (V >> V).dim, (V * V >> V * V).dim        # sets: 2; graphs: the 15 of Maron et al.
    (2, 15)

    Attributes:
        source: V.
        target: W.

    Chapter: Intertwiners

    Reference: Maron, Ben-Hamu, Shamir and Lipman (2019) for the 15 maps of matrices.
    """

    source: Representation
    target: Representation

    def __post_init__(self) -> None:
        self.source._same_group(self.target)

    @property
    def dim(self) -> int:
        """dim Hom_G(V, W) = (1/|G|) Σ_g χ_W(g) χ_V(g), by characters alone."""
        return round(float((self.target.character() * self.source.character()).mean()))

    def basis(self) -> Tensor:
        """An orthonormal basis for the Frobenius product: (dim, W.dim, V.dim), float64.

        Raises:
            ValueError: if it would not fit in 2 GB; says how large it would be.
        """
        dim, rows, columns = self.dim, self.target.dim, self.source.dim
        _check_size(dim * rows * columns, f"A basis of Hom_G of shape ({dim}, {rows}, {columns})", "dim and project()")
        basis = torch.zeros(dim, rows, columns, dtype=torch.float64)
        start = 0
        for (W, i), (V, j) in product(_corners(self.target), _corners(self.source)):
            if isinstance(V, Irrep) and isinstance(W, Irrep) and V != W:
                continue  # Schur's lemma
            block = _solve(V, W).basis()
            basis[start : start + len(block), i : i + block.shape[1], j : j + block.shape[2]] = block
            start += len(block)
        return basis

    def project(self, A: Tensor) -> Tensor:
        r"""The Reynolds operator Π_G A = (1/|G|) Σ_g ρ_W(g) A ρ_V(g)⁻¹, the nearest intertwiner to A.

        It is computed by averaging over orbits where the group permutes both bases, and in the
        basis of irreducibles otherwise; the sum over the group is never formed.

        Args:
            A: (..., W.dim, V.dim), any floating dtype, any device.

        Returns:
            Π_G A, of the same shape, dtype and device.
        """
        expected = (self.target.dim, self.source.dim)
        if A.shape[-2:] != expected:
            raise ValueError(
                f"A map {self.source} → {self.target} has shape (..., {expected[0]}, {expected[1]}); "
                f"got {tuple(A.shape)}."
            )
        if not A.is_floating_point():
            raise TypeError(f"Π_G averages, so A must be floating point; got {A.dtype}.")
        widths = [m * V.dim for V, m in self.source.summands]
        heights = [n * W.dim for W, n in self.target.summands]
        rows = []
        for row, (W, n) in zip(A.split(heights, dim=-2), self.target.summands, strict=True):
            blocks = zip(row.split(widths, dim=-1), self.source.summands, strict=True)
            rows.append(torch.cat([_project_copies(block, V, m, W, n) for block, (V, m) in blocks], dim=-1))
        return torch.cat(rows, dim=-2)

    def distance(self, A: Tensor) -> Tensor:
        """The distance ‖A − Π_G A‖ of A (..., W.dim, V.dim) to Hom_G: (...)."""
        return (A - self.project(A)).flatten(-2).norm(dim=-1)

    def random(self, *, generator: torch.Generator | None = None) -> Tensor:
        """A Gaussian random element Π_G A, A with independent standard normal entries: (W.dim, V.dim)."""
        return self.project(torch.randn(self.target.dim, self.source.dim, dtype=torch.float64, generator=generator))

    def constraints(self) -> Tensor:
        r"""The linear conditions on A that define Hom_G, one block a generator s.

        With vec stacking rows, ρ_W(s) A − A ρ_V(s) = 0 reads (ρ_W(s) ⊗ 1 − 1 ⊗ ρ_V(s)ᵀ) vec A = 0;
        generators suffice, because what commutes with s and t commutes with st.

        Returns:
            (generators · W.dim · V.dim, W.dim · V.dim), float64.

        Raises:
            ValueError: if it would not fit in 2 GB; says how large it would be.
        """
        V, W = self.source, self.target
        unknowns = W.dim * V.dim
        generators = V.group.generators
        _check_size(max(1, len(generators)) * unknowns**2, f"The constraints on {unknowns} unknowns", "basis()")
        blocks = [
            torch.kron(W.matrix(s), torch.eye(V.dim, dtype=torch.float64))
            - torch.kron(torch.eye(W.dim, dtype=torch.float64), V.matrix(s).mT.contiguous())
            for s in generators
        ]
        return torch.cat(blocks) if blocks else torch.zeros(0, unknowns, dtype=torch.float64)

    def solve(self) -> Tensor:
        """An orthonormal basis found from the generators alone: the null space of `constraints`.

        It needs no list of the group's elements and no characters; `basis` is the faster way.

        Returns:
            (dim, W.dim, V.dim), float64.
        """
        constraints = self.constraints()
        values, vectors = torch.linalg.eigh(constraints.mT @ constraints)
        null = vectors[:, values < 1e-9 * max(1.0, float(values[-1]))]
        return null.mT.reshape(-1, self.target.dim, self.source.dim)

    def __repr__(self) -> str:
        return f"{self.source} >> {self.target}"


def _project_copies(A: Tensor, V: Representation, m: int, W: Representation, n: int) -> Tensor:
    """Π_G between m copies of V and n copies of W: the same projection in each of the n × m blocks."""
    if isinstance(V, Irrep) and isinstance(W, Irrep) and V != W:  # Schur's lemma; a sum of many has many such blocks
        return torch.zeros_like(A)
    blocks = A.unflatten(-1, (m, V.dim)).unflatten(-3, (n, W.dim)).transpose(-3, -2)
    return _solve(V, W).project(blocks).transpose(-3, -2).flatten(-4, -3).flatten(-2, -1)


def _check_size(entries: int, what: str, instead: str) -> None:
    if 8 * entries > LARGEST:
        raise ValueError(f"{what} would take {8 * entries / 1024**3:,.1f} GB in float64; use {instead}.")


def _corners(V: Representation) -> Iterator[tuple[Representation, int]]:
    start = 0
    for atom, copies in V.summands:
        for _ in range(copies):
            yield atom, start
            start += atom.dim


@lru_cache(maxsize=512)
def _solve(V: Representation, W: Representation) -> _Orbits | _Isotypic:
    if V.images is not None and W.images is not None:
        return _Orbits(V.images, W.images, V.group.generators)
    return _Isotypic(V, W)


class _Orbits:
    """Hom_G between permutation representations: the matrices that are constant on orbits of entries."""

    def __init__(self, source: Tensor, target: Tensor, generators: tuple[int, ...]) -> None:
        self.shape = target.shape[1], source.shape[1]
        entry = torch.arange(self.shape[0] * self.shape[1]).reshape(self.shape)
        moves = [(target[s][:, None] * self.shape[1] + source[s]).flatten() for s in generators]
        smallest, before = entry.flatten(), None
        while before is None or not torch.equal(smallest, before):
            before = smallest
            for move in moves:
                smallest = torch.minimum(smallest, smallest[move])
            smallest = smallest[smallest]  # jumps: the number of rounds grows as the logarithm of an orbit
        _, self.label, self.size = torch.unique(smallest, return_inverse=True, return_counts=True)

    def basis(self) -> Tensor:
        basis = torch.zeros(len(self.size), len(self.label), dtype=torch.float64)
        basis.scatter_(0, self.label[None], self.size.double().rsqrt()[self.label][None])
        return basis.unflatten(1, self.shape)

    def project(self, A: Tensor) -> Tensor:
        label, size = self.label.to(A.device), self.size.to(A)
        sums = A.new_zeros(*A.shape[:-2], len(size)).index_add(-1, label, A.flatten(-2))
        return (sums / size)[..., label].unflatten(-1, self.shape)


class _Isotypic:
    """Hom_G in the bases of irreducibles: by Schur's lemma, blocks in the commutant of each."""

    def __init__(self, V: Representation, W: Representation) -> None:
        left, right = decompose(W), decompose(V)
        self.left, self.right = left.basis, right.basis
        starts = _irrep_starts(right.representation)
        self.blocks = [
            (
                rho.commutant(),
                slice(i, i + n * rho.dim),
                slice(starts[rho][0], starts[rho][0] + starts[rho][1] * rho.dim),
            )
            for rho, (i, n) in _irrep_starts(left.representation).items()
            if rho in starts
        ]

    def basis(self) -> Tensor:
        found = []
        for commutant, rows, columns in self.blocks:
            d = commutant.shape[-1]
            U = self.left[:, rows].unflatten(1, (-1, d))
            V = self.right[:, columns].unflatten(1, (-1, d))
            found.append(torch.einsum("wap,kpq,vbq->abkwv", U, commutant, V).flatten(0, 2))
        return torch.cat(found) if found else torch.zeros(0, len(self.left), len(self.right), dtype=torch.float64)

    def project(self, A: Tensor) -> Tensor:
        left, right = self.left.to(A), self.right.to(A)
        inner = left.mT @ A @ right
        projected = torch.zeros_like(inner)
        for commutant, rows, columns in self.blocks:
            C = commutant.to(A)
            d = C.shape[-1]
            block = inner[..., rows, columns].unflatten(-1, (-1, d)).unflatten(-3, (-1, d))
            weights = torch.einsum("kpq,...apbq->...kab", C, block)
            kept = torch.einsum("kpq,...kab->...apbq", C, weights)
            projected[..., rows, columns] = kept.flatten(-4, -3).flatten(-2, -1)
        return left @ projected @ right.mT


def _irrep_starts(S: Representation) -> dict[Irrep, tuple[int, int]]:
    """Where each irreducible's copies begin in a sum of irreducibles, and how many there are."""
    starts, start = {}, 0
    for rho, copies in S.summands:
        assert isinstance(rho, Irrep)
        starts[rho] = (start, copies)
        start += copies * rho.dim
    return starts

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

from .caching import kept
from .groups import FiniteGroup, expect_tensor, orbit_representatives
from .irreps import Irrep, _decompose, _draw
from .lie import LieGroup
from .representations import Representation, expect_representation

__all__ = ["Hom", "clebsch_gordan"]

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
        expect_representation(self.source, "Hom")._same_group(expect_representation(self.target, "Hom"))

    @property
    def dim(self) -> int:
        """dim Hom_G(V, W) = (1/|G|) Σ_g χ_W(g) χ_V(g), by characters alone.

        Of a compact group it is Σ_i m_i n_i dim End_G(ρ_i), with the multiplicities of the irreducibles
        ρ_i in V and W; of a group that is known by generators, the number of orbits.
        """
        V, W = self.source, self.target
        if isinstance(V.group, FiniteGroup):
            return round(float((W.character() * V.character()).mean()))
        if isinstance(V.group, LieGroup):
            from .weights import multiplicities

            inside = multiplicities(W)
            return sum(m * inside.get(rho, 0) * rho.commutant_dim for rho, m in multiplicities(V).items())
        return sum(m * n * len(_orbits(A, B).size) for A, m in V.summands for B, n in W.summands)

    def basis(self) -> Tensor:
        """An orthonormal basis for the Frobenius product: (dim, W.dim, V.dim), float64.

        Raises:
            ValueError: if it would not fit in 2 GB; says how large it would be.
        """
        dim, rows, columns = self.dim, self.target.dim, self.source.dim
        _check_size(dim * rows * columns, f"A basis of Hom_G of shape ({dim}, {rows}, {columns})", "dim and project()")
        basis = torch.zeros(dim, rows, columns, dtype=torch.float64)
        if dim == 0:  # known by characters; no need to decompose anything
            return basis
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
        expect_tensor(A, "A map to project")
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
        generators suffice, because what commutes with s and t commutes with st. For a compact group
        dρ of a basis of the Lie algebra stands in the place of ρ(s).

        Returns:
            (generators · W.dim · V.dim, W.dim · V.dim), float64.

        Raises:
            ValueError: if it would not fit in 2 GB; says how large it would be.
        """
        unknowns = self.target.dim * self.source.dim
        left, right = self.target._generating(), self.source._generating()
        _check_size(max(1, len(left)) * unknowns**2, f"The constraints on {unknowns} unknowns", "basis()")
        blocks = [
            torch.kron(s, torch.eye(self.source.dim, dtype=torch.float64))
            - torch.kron(torch.eye(self.target.dim, dtype=torch.float64), t.mT.contiguous())
            for s, t in zip(left, right, strict=True)
        ]
        return torch.cat(blocks) if blocks else torch.zeros(0, unknowns, dtype=torch.float64)

    def solve(self) -> Tensor:
        """An orthonormal basis found from the generators alone: the null space of `constraints`.

        It needs no list of the group's elements, no characters and no averages. The constraints are
        not formed: an intertwiner maps each eigenspace of an element of the group algebra to the
        eigenspace of the same element with the same eigenvalue, which leaves few unknowns.

        Returns:
            (dim, W.dim, V.dim), float64.
        """
        return _null_space(self.target._generating(), self.source._generating())

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


# A large one may hold two bases of 8 MB and more.
@kept(many=512, few=16, large=lambda V, W: max(V.dim, W.dim) > 256)
def _solve(V: Representation, W: Representation) -> _Orbits | _Isotypic:
    return _Isotypic(V, W) if V.images is None or W.images is None else _orbits(V, W)


@lru_cache(maxsize=64)
def _orbits(V: Representation, W: Representation) -> _Orbits:
    if V.images is None or W.images is None:
        raise TypeError(f"{V.group} is known by its generators: Hom needs representations that permute their bases.")
    return _Orbits(V.images, W.images, V.group.generators)


class _Orbits:
    """Hom_G between permutation representations: the matrices that are constant on orbits of entries."""

    def __init__(self, source: Tensor, target: Tensor, generators: tuple[int, ...]) -> None:
        self.shape = target.shape[1], source.shape[1]
        moves = [(target[s][:, None] * self.shape[1] + source[s]).flatten() for s in generators]
        smallest = orbit_representatives(moves, self.shape[0] * self.shape[1])
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
        left, right = _decompose(W), _decompose(V)
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
            moved = torch.einsum("wap,kpq->wakq", U, commutant)
            found.append(torch.einsum("wakq,vbq->abkwv", moved, V).flatten(0, 2))
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


# ---- from generators alone ------------------------------------------------------------------


def _null_space(left: Tensor, right: Tensor) -> Tensor:
    """An orthonormal basis of {A : S A = A T for each pair (S, T)}: (dim, W.dim, V.dim).

    Args:
        left: (n, W.dim, W.dim) orthogonal or antisymmetric matrices.
        right: (n, V.dim, V.dim) those of V.
    """
    rows, columns = _generic_symmetric(left, right)
    (row_values, U), (column_values, T) = torch.linalg.eigh(rows), torch.linalg.eigh(columns)
    # An unknown for each pair of eigenvectors with one eigenvalue. Close ones count as one: no solution is lost,
    # and eigenvectors are only as exact as the gaps are wide.
    scale = max(float(row_values.abs().max()), float(column_values.abs().max()), 1e-300)
    label = _clusters(torch.cat([row_values, column_values]), 1e-4 * scale)
    i, j = (label[: len(U), None] == label[None, len(U) :]).nonzero(as_tuple=True)
    _check_size(4 * len(i) ** 2, f"Solving for {len(i)} unknowns", "basis(), which uses characters")
    if not len(i):
        return torch.zeros(0, len(U), len(T), dtype=torch.float64)
    A, B = U.mT @ left @ U, T.mT @ right @ T
    # the Gram matrix of the constraints: ⟨S e_i e_jᵀ − e_i e_jᵀ T, S e_k e_lᵀ − e_k e_lᵀ T⟩
    squares, cosquares = (A.mT @ A).sum(dim=0), (B @ B.mT).sum(dim=0)
    gram = squares[i[:, None], i] * (j[:, None] == j) + cosquares[j[:, None], j] * (i[:, None] == i)
    for S, R in zip(A, B, strict=True):
        mixed = S[i[:, None], i] * R[j[:, None], j]
        gram -= mixed + mixed.mT
    values, vectors = torch.linalg.eigh(gram)
    null = vectors[:, values < 1e-9 * max(1.0, float(values[-1]))]
    inner = torch.zeros(null.shape[1], len(U), len(T), dtype=torch.float64)
    inner[:, i, j] = null.mT
    return U @ inner @ T.mT


def _generic_symmetric(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """One symmetric element of the algebra that the generators span, acting on W and on V.

    A generic sum of words. They are orthogonal, so that the eigenvalues lie well apart: those of a
    product of generic sums would crowd around 0.
    """
    pairs = [
        (torch.linalg.matrix_exp(S), torch.linalg.matrix_exp(T))
        if torch.equal(S, -S.mT) and torch.equal(T, -T.mT)
        else (S, T)
        for S, T in zip(left, right, strict=True)
    ]
    words = [torch.eye(M.shape[-1], dtype=torch.float64) for M in (left, right)]
    sums = [torch.zeros_like(word) for word in words]
    for letter, weight in _draw(24, 2).tolist() if pairs else []:
        words = [word @ M for word, M in zip(words, pairs[int(abs(letter) * len(pairs))], strict=True)]
        sums = [total + weight * (word + word.mT) for total, word in zip(sums, words, strict=True)]
    return sums[0], sums[1]


def _clusters(values: Tensor, gap: float) -> Tensor:
    """(n,) a number for each value, equal for values that a chain of steps below the gap connects."""
    order = values.argsort()
    label = torch.empty_like(order)
    label[order] = torch.cat([order.new_zeros(1), (values[order].diff() > gap).long()]).cumsum(0)
    return label


def clebsch_gordan(U: Representation, V: Representation, W: Representation) -> Tensor:
    r"""The bilinear equivariant maps U × V → W: a basis of Hom_G(U ⊗ V, W), as arrays of Clebsch–Gordan coefficients.

    Each C[k] combines u and v to w_c = Σ_ab C[k]_cab u_a v_b, and g·w comes from g·u and g·v. For
    irreducibles of SO(3) there is one, up to its sign, if the degree of W lies between the difference
    and the sum of the other two, and none otherwise; its sign is the one with which its first entry
    that is not small is positive.

    Args:
        U: the first factor.
        V: the second factor.
        W: the target.

    Returns:
        (dim Hom_G, W.dim, U.dim, V.dim), orthonormal, float64.

    >>> from equibook import irreps, so3
    >>> scalar, vector = irreps(so3(), degree=1)
    >>> dot = clebsch_gordan(vector, vector, scalar)[0, 0]
    >>> (dot * 3**0.5).round().add(0.0).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> clebsch_gordan(vector, vector, vector).shape        # the cross product
    torch.Size([1, 3, 3, 3])

    Chapter: Fourier analysis on groups
    """
    basis = (U * V >> W).basis()
    flat = basis.flatten(1)
    first = (flat.abs() > 1e-6).long().argmax(dim=1)
    sign = flat.gather(1, first[:, None]).sign()
    return (flat * sign).view(-1, W.dim, U.dim, V.dim)

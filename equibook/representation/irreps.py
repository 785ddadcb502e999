r"""The real irreducible representations of any finite group, and the decomposition into them.

Over ℝ the maps that commute with an irreducible representation form ℝ, ℂ or ℍ (Schur's lemma),
so each irreducible has a type, and its commutant has dimension 1, 2 or 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .caching import kept
from .groups import FiniteGroup, Group, _rotation_matrices, expect_finite
from .lie import LieGroup
from .representations import Representation, Sum, _trace, expect_representation

__all__ = ["Decomposition", "Irrep", "decompose", "irreps"]

TYPES = {1: "real", 2: "complex", 4: "quaternionic"}


@dataclass(frozen=True)
class Irrep(Representation):
    """A real irreducible representation; make it with `irreps`.

    Chapter: Irreducibles and characters
    """

    group: FiniteGroup
    index: int

    @property
    def _data(self) -> Tensor:
        return _irrep_matrices(self.group)[self.index]

    @property
    def dim(self) -> int:  # type: ignore[override]
        return self._data.shape[-1]

    @property
    def type(self) -> str:
        """Which algebra commutes with it: "real" (ℝ), "complex" (ℂ) or "quaternionic" (ℍ)."""
        return TYPES[self.commutant_dim]

    @property
    def commutant_dim(self) -> int:
        """dim End_G = ⟨χ, χ⟩: 1, 2 or 4."""
        return round(float(self.character().square().mean()))

    def commutant(self) -> Tensor:
        """An orthonormal basis of End_G: (1 | 2 | 4, dim, dim), the first a multiple of the identity.

        >>> from equibook import cyclic
        >>> irreps(cyclic(4))[1].commutant().shape
        torch.Size([2, 2, 2])
        """
        return _commutant(self).clone()

    def _stack(self, elements: Tensor) -> Tensor:
        return self._data[elements]

    def _character(self, G: FiniteGroup) -> Tensor:
        return _trace(self._data)

    def __repr__(self) -> str:
        return f"irreps({self.group})[{self.index}]"


@dataclass(frozen=True)
class Decomposition:
    r"""V written as a sum of irreducibles: ρ_V(g) = Q · S(g) · Qᵀ with S = ⊕ m_i ρ_i.

    Attributes:
        multiplicities: m_i, one for each of ``irreps(V.group)``; of a compact group, up to the highest degree in V.
        basis: (dim, dim) the orthogonal matrix Q; the columns are ordered as S is.
        representation: the sum S.

    Chapter: Irreducibles and characters
    """

    multiplicities: tuple[int, ...]
    basis: Tensor
    representation: Representation


def irreps(G: Group, degree: int | None = None) -> tuple[Irrep, ...]:
    r"""The real irreducible representations of G, one of each isomorphism class, the trivial one first.

    Rotations and reflections of the plane get their frequencies 0, 1, 2, …; for any other group we
    split the regular representation, which contains every irreducible, along the eigenspaces of a
    generic symmetric map that commutes with it. By Schur's lemma those eigenspaces are irreducible.
    A compact group has infinitely many, so the list ends at a degree.

    Args:
        G: a finite group, or so2(), o2(), so3() or o3().
        degree: of a compact group, the highest degree; of a finite one, nothing.

    >>> from equibook import cyclic, quaternion, so3
    >>> [(rho.dim, rho.type) for rho in irreps(cyclic(4))]
    [(1, 'real'), (2, 'complex'), (1, 'real')]
    >>> irreps(quaternion())[-1].type
    'quaternionic'
    >>> [rho.dim for rho in irreps(so3(), degree=3)]
    [1, 3, 5, 7]

    Chapter: Irreducibles and characters

    Reference: Dixon, Computing Irreducible Representations of Groups (1970).
    """
    if isinstance(G, LieGroup):
        from .weights import lie_irreps

        if degree is None:
            raise TypeError(f"{G} has infinitely many irreducibles: say up to which degree, as in irreps({G}, 2).")
        return lie_irreps(G, degree)
    if degree is not None:
        raise TypeError(f"{G} is finite: irreps({G}) lists all irreducibles, and takes no degree.")
    G = expect_finite(G, "irreps")
    return tuple(Irrep(G, i) for i in range(len(_irrep_matrices(G))))


def decompose(V: Representation) -> Decomposition:
    r"""V as a sum of irreducibles, with the orthogonal change of basis.

    The multiplicities are m_i = ⟨χ_V, χ_i⟩ / ⟨χ_i, χ_i⟩. A sum is decomposed term by term, and a
    representation that permutes the basis orbit by orbit, from the entries of ρ_i(g). For any other,
    averaging a generic matrix over the group gives an intertwiner m_i ρ_i → V, and its orthogonal
    polar factor is an isometric one.

    Args:
        V: a representation. The regular one of a group of order 1,000 takes less than a second; one
            given by matrices of size 200 takes about that.

    Returns:
        multiplicities, basis Q (dim, dim) and the sum S with ρ_V(g) = Q S(g) Qᵀ.

    >>> from equibook import cyclic, regular
    >>> decompose(regular(cyclic(4))).multiplicities
    (1, 1, 1)

    Chapter: Irreducibles and characters
    """
    found = _decompose(expect_representation(V, "decompose"))
    return replace(found, basis=found.basis.clone())  # the caller may change it; what we keep must not


@lru_cache(maxsize=64)
def _decompose(V: Representation) -> Decomposition:
    if isinstance(V.group, LieGroup):
        from .weights import lie_decompose

        return lie_decompose(V)
    rhos = irreps(V.group)
    if isinstance(V, Irrep):
        return Decomposition(tuple(int(rho == V) for rho in rhos), torch.eye(V.dim, dtype=torch.float64), V)
    character = V.character()
    multiplicities = tuple(round(float((character * rho.character()).mean())) // rho.commutant_dim for rho in rhos)
    terms = tuple((rho, m) for rho, m in zip(rhos, multiplicities, strict=True) if m)
    S: Representation = terms[0][0] if len(terms) == 1 and terms[0][1] == 1 else Sum(terms)
    if isinstance(V, Sum):
        columns = _embed_in_sum(V, terms)
    elif V.images is not None:
        columns = _embed_in_permutation(V, V.images, terms)
    else:
        columns = _embed_by_averaging(V, S, terms)
    return Decomposition(multiplicities, torch.cat(columns, dim=1), S)


Terms = tuple[tuple[Irrep, int], ...]


def _embed_in_sum(V: Sum, terms: Terms) -> list[Tensor]:
    """The copies in each summand of V, gathered: one block of orthonormal columns for each irreducible."""
    columns = {rho: torch.zeros(V.dim, m * rho.dim, dtype=torch.float64) for rho, m in terms}
    filled = dict.fromkeys(columns, 0)
    row = 0
    for atom, copies in V.terms:
        found = _decompose(atom)
        for _ in range(copies):
            start = 0
            for rho, m in found.representation.summands:
                assert isinstance(rho, Irrep)
                width = m * rho.dim
                block = found.basis[:, start : start + width]
                columns[rho][row : row + atom.dim, filled[rho] : filled[rho] + width] = block
                start, filled[rho] = start + width, filled[rho] + width
            row += atom.dim
    return list(columns.values())


def _embed_in_permutation(V: Representation, images: Tensor, terms: Terms) -> list[Tensor]:
    r"""The copies of ρ in functions on points, one for each vector w that the stabilizer of a point x keeps.

    On the orbit of x, v ↦ (gx ↦ ⟨v, ρ(g)w⟩) is an intertwiner, by Frobenius reciprocity there is no
    other, and by the orthogonality of matrix coefficients it is isometric after scaling. On the
    regular representation the stabilizer is trivial, and this is the theorem of Peter and Weyl.
    """
    orbit_of = images.amin(dim=0)
    everyone = torch.arange(len(images))
    columns: list[list[Tensor]] = [[] for _ in terms]
    for x in orbit_of.unique().tolist():
        points = (orbit_of == x).nonzero().flatten()
        places = images[:, x]
        # For each point, the first element that carries x there.
        carrier = torch.full((V.dim,), len(images)).scatter_reduce_(0, places, everyone, "amin")[points]
        stabilizer = (places == x).nonzero().flatten()
        for (rho, _), blocks in zip(terms, columns, strict=True):
            kept = rho._data[stabilizer].mean(dim=0)  # the projector onto the vectors that the stabilizer keeps
            vectors = _independent_over_commutant(kept, _commutant(rho))
            block = torch.zeros(V.dim, len(vectors) * rho.dim, dtype=torch.float64)
            moved = torch.einsum("gij,mj->gmi", rho._data[carrier], vectors).flatten(1)
            block[points] = moved * (rho.dim / len(points)) ** 0.5
            blocks.append(block)
    return [torch.cat(blocks, dim=1) for blocks in columns]


def _independent_over_commutant(projector: Tensor, commutant: Tensor) -> Tensor:
    """Unit vectors (m, d) whose multiples by ℝ, ℂ or ℍ are perpendicular and fill the projector's image."""
    chosen = []
    for _ in range(round(float(projector.trace())) // len(commutant)):
        lengths = projector.diagonal()
        # The first of the longest up to round-off, so that the choice does not depend on the processor.
        j = int((lengths > lengths.max() - 1e-6).nonzero()[0])
        v = projector[:, j] / projector[j, j].sqrt()
        multiples = commutant @ v * len(v) ** 0.5
        projector = projector - multiples.mT @ multiples
        chosen.append(v)
    return torch.stack(chosen) if chosen else projector[:0]


def _embed_by_averaging(V: Representation, S: Representation, terms: Terms) -> list[Tensor]:
    """Average a generic matrix to an intertwiner S → V, then make the columns of each block orthonormal."""
    mixed = average(S, V, _draw(V.dim, V.dim))
    columns, start = [], 0
    for rho, m in terms:
        block = mixed[:, start : start + m * rho.dim]
        left, _, right = torch.linalg.svd(block, full_matrices=False)
        columns.append(left @ right)  # X(XᵀX)^(-1/2): XᵀX commutes with m ρ, so this is still an intertwiner
        start += m * rho.dim
    return columns


def average(V: Representation, W: Representation, A: Tensor) -> Tensor:
    """The group average (1/|G|) Σ ρ_W(g) A ρ_V(g)⁻¹ of a (W.dim, V.dim) matrix, term by term."""
    G = V.group
    total = torch.zeros_like(A)
    # About 64 MB at a time, whatever the group.
    chunk = max(1, 8_000_000 // max(W.dim, V.dim) ** 2)
    for elements in torch.arange(G.order).split(chunk):
        left = _acting(W, elements)(A.expand(len(elements), -1, -1))
        total += _acting(V, elements)(left.mT).mT.sum(dim=0)
    return total / G.order


def _acting(V: Representation, elements: Tensor) -> Callable[[Tensor], Tensor]:
    """X ↦ ρ(g) X for a stack of elements; a permutation moves rows and multiplies nothing."""
    if V.images is not None:
        rows = V.images[V.group.inverse[elements]]
        return lambda X: X.gather(1, rows[:, :, None].expand(-1, -1, X.shape[2]))
    if isinstance(V, Sum):
        return lambda X: _block_action(V, elements, X)
    stack = V._stack(elements)
    return lambda X: stack @ X


def _block_action(V: Sum, elements: Tensor, X: Tensor) -> Tensor:
    """⊕ n_i ρ_i(g) applied to the rows of X, block by block."""
    pieces, start = [], 0
    for atom, copies in V.terms:
        rows = X[:, start : start + copies * atom.dim].unflatten(1, (copies, atom.dim))
        pieces.append((atom._stack(elements)[:, None] @ rows).flatten(1, 2))
        start += copies * atom.dim
    return torch.cat(pieces, dim=1)


@lru_cache(maxsize=1024)
def _commutant(rho: Irrep) -> Tensor:
    d, e = rho.dim, rho.commutant_dim
    basis = [torch.eye(d, dtype=torch.float64) / d**0.5]
    while len(basis) < e:
        C = average(rho, rho, _draw(d, d, len(basis)))
        for B in basis * 2:  # twice: Gram–Schmidt loses digits the first time
            C = C - (C * B).sum() * B
        basis.append(C / C.norm())
    return torch.stack(basis)


@kept(many=128, few=8, large=lambda G: G.order > 200)
def _irrep_matrices(G: FiniteGroup) -> tuple[Tensor, ...]:
    """The matrices of all elements, (order, d, d) for each irreducible; at most 32 · order² bytes."""
    found = _plane_irreps(G.plane) if G.plane is not None and _is_faithful(G.plane) else _split_regular(G)
    # Wedderburn: the group algebra is the sum of the matrix algebras, |G| = Σ d²/e.
    squares = sum(rho.shape[-1] ** 2 / float(_trace(rho).square().mean()) for rho in found)
    if round(squares) != G.order:
        raise RuntimeError(f"The irreducibles found for {G} account for {squares:.1f} of {G.order} dimensions.")
    return found


def _is_faithful(matrices: Tensor) -> bool:
    one = torch.eye(matrices.shape[-1], dtype=torch.float64)
    return int(((matrices - one).abs().amax(dim=(1, 2)) < 1e-9).sum()) == 1


def _plane_irreps(plane: Tensor) -> tuple[Tensor, ...]:
    """Rotations turn by j times their angle; a reflection is a rotation after s = diag(1, −1)."""
    n_elements = len(plane)
    det = torch.linalg.det(plane).round()
    reflects = bool((det < 0).any())
    n = n_elements // 2 if reflects else n_elements
    angle = torch.atan2(plane[:, 1, 0], plane[:, 0, 0])
    if reflects:  # a subgroup of D_n may lack s; its first reflection then takes the place
        angle = torch.where(det < 0, angle - angle[det < 0][0], angle)
    turn = (angle * n / (2 * torch.pi)).round().long() % n
    found = [torch.ones(n_elements, 1, 1, dtype=torch.float64)]
    if reflects:
        found.append(det[:, None, None])
    for j in range(1, (n - 1) // 2 + 1):
        rotations = _rotation_stack(n, j * turn)
        rotations[:, :, 1] *= det[:, None]
        found.append(rotations)
    if n % 2 == 0:
        alternating = (1.0 - 2.0 * (turn % 2)).double()
        found.append(alternating[:, None, None])
        if reflects:
            found.append((alternating * det)[:, None, None])
    return tuple(found)


def _rotation_stack(n: int, steps: Tensor) -> Tensor:
    return _rotation_matrices(n)[steps % n].clone()


def _split_regular(G: FiniteGroup) -> tuple[Tensor, ...]:
    """Irreducible subspaces of ℝ^|G|, one of each isomorphism class, as stacks of matrices."""
    spaces = _irreducible_subspaces(G)
    # The projector UUᵀ is a convolution by p; averaging p over conjugacy classes gives the character.
    p = torch.stack([U @ U[G.identity] for U in spaces])[:, G.inverse]
    sizes = torch.bincount(G.class_of)
    means = torch.zeros(len(spaces), len(sizes), dtype=torch.float64).index_add_(1, G.class_of, p) / sizes
    characters = (G.order * means)[:, G.class_of]
    same = characters @ characters.mT / G.order > 0.5  # ⟨χ, χ′⟩ is 0 or at least 1
    new = (~same.tril(-1).any(dim=1)).nonzero().flatten().tolist()
    new.sort(key=lambda k: (spaces[k].shape[1], [-round(x, 6) for x in characters[k].tolist()]))
    found: dict[int, Tensor] = {}
    for d in {spaces[k].shape[1] for k in new}:
        alike = [k for k in new if spaces[k].shape[1] == d]
        bases = torch.stack([_canonical_basis(spaces[k]) for k in alike])
        found |= dict(zip(alike, _restrict(G, bases), strict=True))
    return tuple(found[k] for k in new)


def _irreducible_subspaces(G: FiniteGroup) -> list[Tensor]:
    """Eigenspaces of a symmetric convolution, of the draw that splits most and whose eigenvalues are best apart."""
    best: tuple[tuple[int, float], list[Tensor]] | None = None
    for offset in range(3):
        f = _draw(G.order, 1, offset).flatten()
        f = (f + f[G.inverse]) / 2
        values, vectors = torch.linalg.eigh(f[G.table[G.inverse]])  # entry (x, y) is f(x⁻¹y)
        jumps = values.diff()
        splits = (jumps > 1e-9 * values.abs().max()).nonzero().flatten() + 1
        rank = (len(splits), float(jumps[splits - 1].min()) if len(splits) else 0.0)
        if best is None or rank > best[0]:
            best = (rank, list(vectors.tensor_split(splits.tolist(), dim=1)))
    assert best is not None
    return best[1]


def _canonical_basis(U: Tensor) -> Tensor:
    """The orthonormal basis of span U nearest to a fixed matrix, so that it does not depend on the eigensolver."""
    left, _, right = torch.linalg.svd(U.mT @ _draw(*U.shape), full_matrices=False)
    return U @ (left @ right)


# Making the generator takes longer than drawing a small matrix.
@kept(many=256, few=0, large=lambda rows, columns, offset=0: rows * columns > 1000)
def _draw(rows: int, columns: int, offset: int = 0) -> Tensor:
    """A fixed matrix without structure, entries in (−1, 1), the same on every machine and with every version.

    NumPy promises that this old generator never changes. A formula such as cos(k²) will not do: its
    matrices of some sizes, 158 × 158 for one, are all but singular.
    """
    return torch.from_numpy(np.random.RandomState(offset).uniform(-1, 1, (rows, columns)))


def _restrict(G: FiniteGroup, U: Tensor) -> Tensor:
    """The regular representation on subspaces with bases U (k, |G|, d): matrices (k, |G|, d, d)."""
    matrices = torch.zeros(*U.shape, U.shape[-1], dtype=torch.float64)
    matrices[:, G.identity] = torch.eye(U.shape[-1], dtype=torch.float64)
    generators = {s: U[:, G.table[s]].mT @ U for s in G.generators}
    for parents, s, children in G.tree(G.generators):
        matrices[:, children] = matrices[:, parents] @ generators[s][:, None]
    return matrices.round() if U.shape[-1] == 1 else matrices

r"""New representations from old: restriction, induction, subspaces, and changes of basis.

A subgroup H ≤ G knows its parent G, so that representations travel both ways: ``restrict(W, H)``
forgets all elements outside H, and ``induce(V)`` builds a representation of G from one of H. The
two are adjoint (Frobenius reciprocity): Hom_G(induce(V), W) ≅ Hom_H(V, restrict(W, H)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .groups import FiniteGroup, Group, expect_finite
from .irreps import decompose
from .lie import LieGroup
from .representations import (
    TOLERANCE,
    Representation,
    Sum,
    Trivial,
    _extend,
    _raise_not_homomorphism,
    _real_matrices,
    expect_representation,
    representation,
    trivial,
)
from .subgroups import cosets

__all__ = ["induce", "isomorphism", "orthogonalize", "quotient", "restrict", "subrepresentation"]


@dataclass(frozen=True)
class Restricted(Representation):
    """A representation of a larger group, of which only the elements of ``group`` are kept."""

    representation: Representation
    group: FiniteGroup

    @property
    def dim(self) -> int:  # type: ignore[override]
        return self.representation.dim

    @cached_property
    def _elements(self) -> Tensor:
        """The elements of the larger group, in the order of those of the smaller one."""
        return _inclusion(self.group, self.representation.group)

    @cached_property
    def images(self) -> Tensor | None:
        images = self.representation.images
        return None if images is None else images[self._elements]

    def _stack(self, elements: Tensor) -> Tensor:
        return self.representation._stack(self._elements[elements])

    def _character(self, G: FiniteGroup) -> Tensor:
        if isinstance(self.representation.group, LieGroup):
            return self.representation.character(self._elements)
        return self.representation.character()[self._elements]

    def __repr__(self) -> str:
        return f"restrict({self.representation}, {self.group})"


@dataclass(frozen=True)
class Induced(Representation):
    r"""Ind V on ⊕ t_i V, one block for each coset t_i H of the parent: g sends t_i v to t_k ρ(h)v, g t_i = t_k h."""

    representation: Representation

    @property
    def group(self) -> FiniteGroup:
        return _parent(self._subgroup)

    @property
    def dim(self) -> int:  # type: ignore[override]
        return self.group.order // self._subgroup.order * self.representation.dim

    @property
    def _subgroup(self) -> FiniteGroup:
        H = self.representation.group
        assert isinstance(H, FiniteGroup)
        return H

    @cached_property
    def _cosets(self) -> tuple[Tensor, Tensor, Tensor]:
        """The representatives t_i; for each element of the parent its coset i, and the h of t_i h."""
        H = self._subgroup
        members = cosets(H)
        representatives = members[:, 0]
        coset, rest = torch.empty(2, self.group.order, dtype=torch.long)
        coset[members] = torch.arange(len(members))[:, None]
        # t_i h is element h of row i, whatever the order in which the row lists its coset.
        rest[self.group.table[representatives][:, _inclusion(H, self.group)]] = torch.arange(H.order)
        return representatives, coset, rest

    def _moved(self, elements: Tensor) -> tuple[Tensor, Tensor]:
        """For each g and coset i, the k and h of g t_i = t_k h: both (n, cosets)."""
        representatives, coset, rest = self._cosets
        product = self.group.table[elements][:, representatives]
        return coset[product], rest[product]

    @cached_property
    def images(self) -> Tensor | None:
        inner = self.representation.images
        if inner is None:
            return None
        k, h = self._moved(torch.arange(self.group.order))
        return (k[:, :, None] * self.representation.dim + inner[h]).flatten(1)

    def _stack(self, elements: Tensor) -> Tensor:
        k, h = self._moved(elements)
        (n, m), d = k.shape, self.representation.dim
        blocks = self.representation._stack(h.flatten()).unflatten(0, (n, m))
        stack = torch.zeros(n, m, m, d, d, dtype=torch.float64)
        stack[torch.arange(n)[:, None], k, torch.arange(m)] = blocks
        return stack.transpose(2, 3).reshape(n, m * d, m * d)

    def _character(self, G: FiniteGroup) -> Tensor:
        """χ(g) = Σ χ_V(t_i⁻¹ g t_i) over the cosets that g leaves in place."""
        k, h = self._moved(torch.arange(self.group.order))
        stays = k == torch.arange(k.shape[1])
        return (self.representation.character()[h] * stays).sum(dim=1)

    def __repr__(self) -> str:
        if isinstance(self.representation, Trivial):
            return f"quotient({self._subgroup})"
        return f"induce({self.representation})"


def restrict(V: Representation, H: FiniteGroup) -> Representation:
    r"""The restriction of V to a subgroup H: the same matrices, for the elements of H only.

    Args:
        V: a representation of a finite or compact group G.
        H: for a finite G, a subgroup made by `subgroup(G, …)`, or a subgroup of such a subgroup.
            For so2(), o2() and so3(), a finite group that acts on the plane or on space.

    Returns:
        A representation of H with the dimension of V. Direct sums are restricted term by term.

    Raises:
        ValueError: if H is not known as a subgroup of G.

    >>> from equibook import dihedral, irreps, subgroup
    >>> G = dihedral(4)
    >>> H = subgroup(G, [1])
    >>> (irreps(G)[2] >> irreps(G)[2]).dim, (restrict(irreps(G)[2], H) >> restrict(irreps(G)[2], H)).dim
    (1, 2)

    Chapter: Representations
    """
    if expect_representation(V, "restrict").group == H:
        return V
    _inclusion(H, V.group)
    if isinstance(V, Sum):
        return _term_by_term(V, lambda atom: restrict(atom, H))
    return trivial(H) if isinstance(V, Trivial) else Restricted(V, H)


def induce(V: Representation) -> Representation:
    r"""The representation of G that is induced from a representation V of a subgroup H ≤ G.

    Let t_1, …, t_m be one element of each coset of H, t_1 = e. The space is a copy t_i V for each coset, and

    .. math:: \rho(g)\, t_i v = t_k\, \rho_V(h) v \quad \text{where} \quad g t_i = t_k h,\ h \in H.

    Args:
        V: a representation of a group that was made by `subgroup(G, …)`.

    Returns:
        A representation of G of dimension m · V.dim with coordinates (coset, vector), the first block
        being V. Direct sums are induced term by term.

    Raises:
        ValueError: if V.group was not made as a subgroup.

    >>> from equibook import dihedral, irreps, subgroup
    >>> H = subgroup(dihedral(4), [1])                # the rotations
    >>> W = induce(irreps(H)[1])
    >>> W.group, W.dim
    (dihedral(4), 4)

    Chapter: Representations

    Reference: Serre (1977), sections 3.3 and 7.
    """
    if not isinstance(expect_representation(V, "induce").group, FiniteGroup):
        raise ValueError(f"induce needs a representation of a finite subgroup; {V} is one of {V.group}.")
    _parent(V.group)
    if isinstance(V, Sum):
        return _term_by_term(V, induce)
    return Induced(V)


def quotient(H: FiniteGroup) -> Representation:
    """The quotient representation: G permutes the cosets of its subgroup H by g · tH = (gt)H.

    It is the representation induced from the trivial one of H. For H = {e} it is the regular
    representation.

    Args:
        H: a group that was made by `subgroup(G, …)`.

    Returns:
        A permutation representation of G with one point for each row of ``cosets(H)``.

    Raises:
        ValueError: if H was not made as a subgroup.

    >>> from equibook import dihedral, subgroup
    >>> quotient(subgroup(dihedral(4), [4])).dim      # the corners on the mirror's axis go to 4 places
    4

    Chapter: Representations
    """
    _parent(expect_finite(H, "quotient"))
    return induce(trivial(H))


def subrepresentation(V: Representation, columns: Tensor) -> Representation:
    r"""The restriction of V to an invariant subspace: matrices Uᵀ ρ(g) U in an orthonormal basis U.

    Args:
        V: a representation of a finite group.
        columns: (V.dim, k) the orthonormal columns of U.

    Returns:
        A representation of dimension k.

    Raises:
        ValueError: if the columns are not orthonormal, or a generator moves their span; names it.

    >>> from equibook import cyclic, regular
    >>> V = regular(cyclic(4))
    >>> sums = torch.full((4, 1), 0.5, dtype=torch.float64)
    >>> subrepresentation(V, sums).character().tolist()
    [1.0, 1.0, 1.0, 1.0]

    Chapter: Representations
    """
    G = expect_representation(V, "subrepresentation").group
    if not isinstance(G, FiniteGroup):
        raise TypeError(f"subrepresentation needs a finite group; {V} is a representation of {G}.")
    U = torch.as_tensor(columns, dtype=torch.float64).detach()
    if U.ndim != 2 or U.shape[0] != V.dim or not U.shape[1]:
        raise ValueError(f"A basis of a subspace of {V} has shape ({V.dim}, k), k ≥ 1; got {tuple(U.shape)}.")
    one = torch.eye(U.shape[1], dtype=torch.float64)
    if not (U.mT @ U - one).abs().max() <= TOLERANCE:  # not >, so that NaN fails
        raise ValueError("The columns are not orthonormal; torch.linalg.qr(columns.double()).Q is, with the same span.")
    images = {s: V.matrix(s) @ U for s in G.generators}
    for s, moved in images.items():
        off = float((moved - U @ (U.mT @ moved)).abs().max())
        if off > TOLERANCE:
            raise ValueError(f"The subspace is not invariant: ρ({s}) moves its basis out of it, by {off:.2g}.")
    return representation(G, {s: U.mT @ moved for s, moved in images.items()} or {G.identity: one})


def isomorphism(V: Representation, W: Representation) -> Tensor | None:
    r"""An orthogonal intertwiner Q from V to W, ρ_W(g) Q = Q ρ_V(g), or None if they are not isomorphic.

    Both are written in one basis of irreducibles, V = Q_V S Q_Vᵀ and W = Q_W S Q_Wᵀ, and
    Q = Q_W Q_Vᵀ. One intertwiner that is invertible is enough for an orthogonal one.

    Args:
        V: a representation.
        W: a representation of the same group.

    Returns:
        (W.dim, V.dim), orthogonal, float64; None if there is no invertible intertwiner.

    >>> from equibook import cyclic, pixels, regular, trivial
    >>> G = cyclic(4)
    >>> isomorphism(pixels(G, 3), 2 * regular(G) + trivial(G)).shape      # corners, edges, middle
    torch.Size([9, 9])
    >>> isomorphism(regular(G), 4 * trivial(G)) is None
    True

    Chapter: Representations
    """
    expect_representation(V, "isomorphism")._same_group(expect_representation(W, "isomorphism"))
    if V.dim != W.dim:
        return None
    left, right = decompose(W), decompose(V)
    return left.basis @ right.basis.mT if left.representation == right.representation else None


def orthogonalize(G: FiniteGroup, matrices: Tensor | Sequence | Mapping[int, Tensor]) -> tuple[Representation, Tensor]:
    r"""Weyl's trick: a basis in which given invertible matrices of a finite group are orthogonal.

    With M = (1/|G|) Σ_g ρ(g)ᵀρ(g), which every ρ(h) leaves as it is, ρ(h)ᵀ M ρ(h) = M, the matrices
    S ρ(g) S⁻¹ with S = M^(1/2) are orthogonal.

    Args:
        G: a finite group.
        matrices: (order, dim, dim), or a mapping from each element of a generating set to its matrix.

    Returns:
        The orthogonal representation g ↦ S ρ(g) S⁻¹, and S (dim, dim), symmetric and positive definite.

    Raises:
        ValueError: if the matrices do not represent G; names the elements.

    >>> from equibook import cyclic
    >>> V, S = orthogonalize(cyclic(2), {1: [[0.0, 2.0], [0.5, 0.0]]})
    >>> (V.matrix(1) + 1e-12).round().tolist()
    [[0.0, 1.0], [1.0, 0.0]]

    Chapter: Representations

    Reference: Serre (1977), section 1.3.
    """
    expect_finite(G, "orthogonalize")
    stack = _extend(G, matrices) if isinstance(matrices, Mapping) else _real_matrices(G, matrices)
    one = torch.eye(stack.shape[1], dtype=torch.float64)
    scale = max(1.0, float(stack.abs().max())) ** 2  # the entries of a product of two of them
    if not (stack[G.identity] - one).abs().max() <= TOLERANCE * scale:
        raise ValueError(f"The matrix of the identity, element {G.identity}, must be the identity matrix.")
    for s in G.generators:
        failing = ~((stack @ stack[s] - stack[G.table[:, s]]).abs().amax(dim=(1, 2)) <= TOLERANCE * scale)
        _raise_not_homomorphism(G, failing, s)
    values, vectors = torch.linalg.eigh((stack.mT @ stack).mean(dim=0))
    S = (vectors * values.sqrt()) @ vectors.mT
    inverse = (vectors / values.sqrt()) @ vectors.mT
    straight = S @ stack @ inverse
    if not (straight @ straight.mT - one).abs().max() <= TOLERANCE:  # not >, so that NaN fails
        raise ValueError(
            f"These matrices are too far from orthogonal for float64: S stretches some vectors "
            f"{float((values[-1] / values[0]).abs().sqrt()):.0e} times more than others, and their digits are lost. "
            "Write them in a basis of vectors of like lengths and less alike directions."
        )
    return representation(G, straight), S


def _term_by_term(V: Sum, construct: Callable[[Representation], Representation]) -> Representation:
    terms = [copies * construct(atom) for atom, copies in V.terms]
    return sum(terms[1:], terms[0])


def _parent(H: FiniteGroup) -> FiniteGroup:
    if H.parent is None:
        raise ValueError(
            f"{H} was not made as a subgroup of a larger group: take a representation of subgroup(G, generators)."
        )
    return H.parent


def _inclusion(H: FiniteGroup, G: Group) -> Tensor:
    """The elements of G that the elements of H are: (order,), or matrices (order, n, n) for a compact G."""
    expect_finite(H, "restrict")
    if isinstance(G, LieGroup):
        matrices = H.plane if G.size == 2 else H.space
        if matrices is None:
            where = "plane; cyclic(n) and dihedral(n) do" if G.size == 2 else "space; the groups of the solids do"
            raise ValueError(f"{H} is no subgroup of {G}: it has no matrices of the {where}.")
        return G.batch(matrices)[0]
    elements, K = torch.arange(H.order), H
    while K != G:
        if K.parent is None:
            raise ValueError(f"{H} was not made as a subgroup of {G}: make it with subgroup({G}, generators).")
        assert K.inclusion is not None
        elements, K = K.inclusion[elements], K.parent
    return elements

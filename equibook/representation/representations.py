r"""Orthogonal representations of a finite group, and the algebra ⊕, ⊗, Hom on them.

A representation is a *type*: it says how a group acts on ℝⁿ and holds no data. Two of them are
equal when they are the same expression, and the printed form can be typed back:

>>> from equibook import cyclic, regular, trivial
>>> V = regular(cyclic(4)) + 2 * trivial(cyclic(4))
>>> V, V.dim
(regular(cyclic(4)) + 2 * trivial(cyclic(4)), 6)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .groups import FiniteGroup, expect_group

if TYPE_CHECKING:
    from .intertwiners import Hom

__all__ = ["Representation", "permutation", "regular", "representation", "trivial"]

#: How far given matrices may be from orthogonal, and from a homomorphism, in float64.
TOLERANCE = 1e-8


class Representation:
    """An orthogonal representation ρ of a finite group on ℝ^dim.

    Combine representations with ``V + W`` (direct sum ⊕), ``n * V`` (n copies), ``V * W`` (tensor
    product ⊗), ``V.T`` (dual) and ``V >> W`` (the intertwiners, Hom_G(V, W)). Make one with
    `trivial`, `regular`, `permutation`, `pixels`, `irreps` or, from matrices, `representation`.

    Attributes:
        group: the group that acts.
        dim: the dimension of the space it acts on.

    >>> from equibook import cyclic, regular, trivial
    >>> G = cyclic(2)
    >>> V = regular(G) * regular(G) + 3 * trivial(G)
    >>> V.dim, V.matrix(1).shape, (V >> trivial(G)).dim
    (7, torch.Size([7, 7]), 5)

    Chapter: Intertwiners
    """

    group: FiniteGroup
    dim: int

    def matrix(self, g: int | Sequence[int] | Tensor) -> Tensor:
        """ρ(g) as a float64 matrix.

        Args:
            g: an element, or a sequence of elements.

        Returns:
            (dim, dim), or (n, dim, dim) for a sequence of n elements.
        """
        if not isinstance(g, Sequence) and not (isinstance(g, Tensor) and g.ndim):
            return self._stack(torch.tensor([self.group.index(int(g) if isinstance(g, Tensor) else g)]))[0]
        elements = torch.as_tensor(g, dtype=torch.long)
        for extreme in (elements.min(), elements.max()) if len(elements) else ():
            self.group.index(int(extreme))
        return self._stack(elements)

    def character(self) -> Tensor:
        """The character χ(g) = tr ρ(g), (order,), float64."""
        raise NotImplementedError

    @property
    def images(self) -> Tensor | None:
        """(order, dim) with ρ(g) e_i = e_images[g, i] if ρ permutes the basis, else None."""
        return None

    @property
    def summands(self) -> tuple[tuple[Representation, int], ...]:
        """The terms of the direct sum, each with its number of copies: V = ⊕ n_i V_i."""
        return ((self, 1),)

    @property
    def T(self) -> Representation:
        """The dual V*. Its matrices are ρ(g⁻¹)ᵀ = ρ(g), because ρ is orthogonal: V itself."""
        return self

    def _stack(self, elements: Tensor) -> Tensor:
        """ρ(g) for each of the elements: (n, dim, dim)."""
        images = self.images
        assert images is not None
        moved = images[elements]
        stack = torch.zeros(len(elements), self.dim, self.dim, dtype=torch.float64)
        return stack.scatter_(1, moved[:, None, :], 1.0)

    def _same_group(self, other: Representation) -> None:
        if self.group != other.group:
            raise ValueError(
                f"{self} and {other} are representations of different groups, {self.group} and {other.group}."
            )

    def __add__(self, other: Representation) -> Representation:
        if not isinstance(other, Representation):
            return NotImplemented
        self._same_group(other)
        terms = list(self.summands)
        for atom, copies in other.summands:
            if terms[-1][0] == atom:  # n V ⊕ m V has the same coordinates as (n + m) V
                terms[-1] = (atom, terms[-1][1] + copies)
            else:
                terms.append((atom, copies))
        return _sum(tuple(terms))

    def __radd__(self, other: object) -> Representation:
        return self if other == 0 else NotImplemented  # sum([V, W]) starts at 0

    def __rmul__(self, copies: int) -> Representation:
        if not isinstance(copies, int):
            return NotImplemented
        if copies < 1:
            raise ValueError(f"{copies} copies of {self}: the number of copies is at least 1.")
        if len(self.summands) == 1:
            atom, already = self.summands[0]
            return _sum(((atom, copies * already),))
        return _sum(self.summands * copies)

    def __mul__(self, other: Representation | int) -> Representation:
        if isinstance(other, int):
            raise TypeError(f"Copies stand on the left: {other} * V, not V * {other}.")
        if not isinstance(other, Representation):
            return NotImplemented
        self._same_group(other)
        # ℝ ⊗ V = V, in coordinates too.
        factors = tuple(f for V in (self, other) for f in _factors(V) if not isinstance(f, Trivial))
        if not factors:
            return Trivial(self.group)
        return factors[0] if len(factors) == 1 else TensorProduct(factors)

    def __rshift__(self, other: Representation) -> Hom:
        from .intertwiners import Hom

        if not isinstance(other, Representation):
            return NotImplemented
        return Hom(self, other)


def _sum(terms: tuple[tuple[Representation, int], ...]) -> Representation:
    return terms[0][0] if terms[0][1] == 1 and len(terms) == 1 else Sum(terms)


def _factors(V: Representation) -> tuple[Representation, ...]:
    return V.factors if isinstance(V, TensorProduct) else (V,)


@dataclass(frozen=True)
class Trivial(Representation):
    """The trivial representation: every element acts on ℝ as 1."""

    group: FiniteGroup

    @property
    def dim(self) -> int:  # type: ignore[override]
        return 1

    @property
    def images(self) -> Tensor:
        return torch.zeros(self.group.order, 1, dtype=torch.long)

    def character(self) -> Tensor:
        return torch.ones(self.group.order, dtype=torch.float64)

    def __repr__(self) -> str:
        return f"trivial({self.group})"


@dataclass(frozen=True)
class Regular(Representation):
    """The regular representation: G permutes the basis {e_h} of ℝ^|G| by g e_h = e_gh."""

    group: FiniteGroup

    @property
    def dim(self) -> int:  # type: ignore[override]
        return self.group.order

    @property
    def images(self) -> Tensor:
        return self.group.table

    def character(self) -> Tensor:
        character = torch.zeros(self.group.order, dtype=torch.float64)
        character[self.group.identity] = self.group.order
        return character

    def __repr__(self) -> str:
        return f"regular({self.group})"


@dataclass(frozen=True)
class Permutation(Representation):
    """A representation that permutes the basis: ρ(g) e_i = e_points[g][i]."""

    group: FiniteGroup
    points: tuple[tuple[int, ...], ...]
    natural: bool = False

    @property
    def dim(self) -> int:  # type: ignore[override]
        return len(self.points[0])

    @cached_property
    def images(self) -> Tensor:
        return torch.tensor(self.points)

    def character(self) -> Tensor:
        return _fixed_points(self.images)

    def __repr__(self) -> str:
        given = "" if self.natural else f", {[list(p) for p in self.points]}"
        return f"permutation({self.group}{given})"


def _fixed_points(images: Tensor) -> Tensor:
    return (images == torch.arange(images.shape[1])).sum(dim=1).double()


class Matrices(Representation):
    """A representation given by its matrices."""

    def __init__(self, group: FiniteGroup, matrices: Tensor) -> None:
        self.group, self.dim, self._matrices = group, matrices.shape[-1], matrices

    def _stack(self, elements: Tensor) -> Tensor:
        return self._matrices[elements]

    def character(self) -> Tensor:
        return self._matrices.diagonal(dim1=1, dim2=2).sum(dim=1)

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Matrices) and self.group == other.group and torch.equal(self._matrices, other._matrices)
        )

    def __hash__(self) -> int:
        return hash((self.group, self.dim, float(self._matrices.abs().sum())))

    def __repr__(self) -> str:
        return f"representation({self.group}, {self._matrices.tolist()})"


@dataclass(frozen=True)
class Sum(Representation):
    """The direct sum n_1 V_1 ⊕ n_2 V_2 ⊕ …"""

    terms: tuple[tuple[Representation, int], ...]

    @property
    def group(self) -> FiniteGroup:  # type: ignore[override]
        return self.terms[0][0].group

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        return sum(copies * atom.dim for atom, copies in self.terms)

    @property
    def summands(self) -> tuple[tuple[Representation, int], ...]:
        return self.terms

    @cached_property
    def images(self) -> Tensor | None:
        columns, start = [], 0
        for atom, copies in self.terms:
            images = atom.images
            if images is None:
                return None
            for _ in range(copies):
                columns.append(images + start)
                start += atom.dim
        return torch.cat(columns, dim=1)

    def _stack(self, elements: Tensor) -> Tensor:
        stack = torch.zeros(len(elements), self.dim, self.dim, dtype=torch.float64)
        start = 0
        for atom, copies in self.terms:
            block = atom._stack(elements)
            for _ in range(copies):
                stack[:, start : start + atom.dim, start : start + atom.dim] = block
                start += atom.dim
        return stack

    def character(self) -> Tensor:
        return torch.stack([copies * atom.character() for atom, copies in self.terms]).sum(dim=0)

    def __repr__(self) -> str:
        return " + ".join(
            (f"{copies} * " if copies > 1 else "")
            + (f"({atom})" if copies > 1 and isinstance(atom, TensorProduct) else f"{atom}")
            for atom, copies in self.terms
        )


@dataclass(frozen=True)
class TensorProduct(Representation):
    """The tensor product V_1 ⊗ V_2 ⊗ …; the index of the last factor runs fastest."""

    factors: tuple[Representation, ...]

    @property
    def group(self) -> FiniteGroup:  # type: ignore[override]
        return self.factors[0].group

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        return math.prod(factor.dim for factor in self.factors)

    @cached_property
    def images(self) -> Tensor | None:
        product = torch.zeros(self.group.order, 1, dtype=torch.long)
        for factor in self.factors:
            images = factor.images
            if images is None:
                return None
            product = (product[:, :, None] * factor.dim + images[:, None, :]).flatten(1)
        return product

    def _stack(self, elements: Tensor) -> Tensor:
        stack = torch.ones(len(elements), 1, 1, dtype=torch.float64)
        for factor in self.factors:
            stack = torch.einsum("nij,nkl->nikjl", stack, factor._stack(elements))
            stack = stack.reshape(len(elements), stack.shape[1] * stack.shape[2], -1)
        return stack

    def character(self) -> Tensor:
        return torch.stack([factor.character() for factor in self.factors]).prod(dim=0)

    def __repr__(self) -> str:
        return " * ".join(f"({factor})" if isinstance(factor, Sum) else f"{factor}" for factor in self.factors)


def trivial(G: FiniteGroup) -> Representation:
    """The trivial representation of G: every element acts on ℝ as 1.

    >>> from equibook import cyclic
    >>> trivial(cyclic(3)).matrix(1).tolist()
    [[1.0]]

    Chapter: Intertwiners
    """
    return Trivial(expect_group(G, "trivial"))


def regular(G: FiniteGroup) -> Representation:
    """The regular representation of G: it permutes the basis {e_h} of ℝ^|G| by ρ(g) e_h = e_gh.

    >>> from equibook import cyclic
    >>> regular(cyclic(3)).matrix(1).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]

    Chapter: Intertwiners
    """
    return Regular(expect_group(G, "regular"))


def permutation(G: FiniteGroup, images: Tensor | Sequence[Sequence[int]] | None = None) -> Representation:
    """The representation by which G permutes the basis: ρ(g) e_i = e_images[g][i].

    Args:
        G: the group.
        images: (order, points) where each element sends each point. A group made of
            permutations needs none: it acts on its own points.

    Raises:
        ValueError: if a row is not a permutation, or images is not a homomorphism; names the pair.

    >>> from equibook import symmetric
    >>> permutation(symmetric(3)).dim
    3

    Chapter: Intertwiners
    """
    if images is None:
        if G.permutations is None:
            raise ValueError(f"{G} is not made of permutations: pass images, an (order, points) table.")
        images = G.permutations
    images = torch.as_tensor(images, dtype=torch.long)
    if images.ndim != 2 or len(images) != G.order:
        raise ValueError(
            f"images has a row for each of the {G.order} elements of {G}; got shape {tuple(images.shape)}."
        )
    wrong = (images.sort(dim=1).values != torch.arange(images.shape[1])).any(dim=1)
    if wrong.any():
        g = int(wrong.nonzero()[0])
        raise ValueError(f"Element {g} is given {images[g].tolist()}, which is not a permutation.")
    for s in (G.identity, *G.generators):
        failing = (images[G.table[:, s]] != images[:, images[s]]).any(dim=1)
        _raise_not_homomorphism(G, failing, s)
    natural = G.permutations is not None and torch.equal(images, G.permutations)
    return Permutation(G, tuple(map(tuple, images.tolist())), natural)


def representation(G: FiniteGroup, matrices: Tensor | Sequence | Mapping[int, Tensor]) -> Representation:
    """The representation with the given orthogonal matrices.

    Args:
        G: the group.
        matrices: (order, dim, dim), or a mapping from each element of a generating set to its
            matrix, from which the others follow by multiplication.

    Raises:
        ValueError: if a matrix is not orthogonal, or ρ(g)ρ(h) ≠ ρ(gh); names the elements.

    >>> from equibook import cyclic
    >>> sign = representation(cyclic(2), {1: [[-1.0]]})
    >>> sign.character().tolist()
    [1.0, -1.0]

    Chapter: Intertwiners
    """
    if isinstance(matrices, Mapping):
        stack = _extend(G, {g: torch.as_tensor(m, dtype=torch.float64).detach() for g, m in matrices.items()})
    else:
        stack = torch.as_tensor(matrices, dtype=torch.float64).detach().clone()
    if stack.ndim != 3 or stack.shape[0] != G.order or stack.shape[1] != stack.shape[2] or not stack.shape[1]:
        raise ValueError(
            f"{G} needs {G.order} square matrices, shape ({G.order}, dim, dim); got shape {tuple(stack.shape)}."
        )
    gram = stack @ stack.mT - torch.eye(stack.shape[1], dtype=torch.float64)
    failing = ~(gram.abs().amax(dim=(1, 2)) <= TOLERANCE)  # not >, so that NaN fails
    if failing.any():
        g = int(failing.nonzero()[0])
        raise ValueError(
            f"ρ({g}) is not orthogonal. equibook works with orthogonal matrices; in the basis S^(1/2)·x with "
            "S = the mean of ρ(g)ᵀρ(g) over the group, every representation is."
        )
    for s in (G.identity, *G.generators):
        failing = (stack @ stack[s] - stack[G.table[:, s]]).abs().amax(dim=(1, 2)) > TOLERANCE
        _raise_not_homomorphism(G, failing, s)
    return Matrices(G, stack)


def _raise_not_homomorphism(G: FiniteGroup, failing: Tensor, s: int) -> None:
    if failing.any():
        g = int(failing.nonzero()[0])
        raise ValueError(
            f"Not a homomorphism: ρ({g})ρ({s}) differs from ρ({G.multiply(g, s)}), and {g}·{s} = {G.multiply(g, s)}."
        )


def _extend(G: FiniteGroup, given: Mapping[int, Tensor]) -> Tensor:
    """The matrices of all elements from those of a generating set."""
    if not given:
        raise ValueError("No matrices were given; pass one for each element of a generating set.")
    shapes = {tuple(matrix.shape) for matrix in given.values()}
    if len(shapes) > 1:
        raise ValueError(f"The matrices of one representation have one shape; got {sorted(shapes)}.")
    dim = next(iter(shapes))[-1]
    stack = torch.zeros(G.order, dim, dim, dtype=torch.float64)
    stack[G.identity] = torch.eye(dim, dtype=torch.float64)
    reached = 1
    for parents, s, children in G.tree(given):
        stack[children] = stack[parents] @ given[s]
        reached += len(children)
    if reached < G.order:
        raise ValueError(f"Elements {sorted(given)} generate {reached} of the {G.order} elements of {G}.")
    for s, matrix in given.items():
        if (stack[s] - matrix).abs().max() > TOLERANCE:
            raise ValueError(
                f"Not a homomorphism: the matrices given for {sorted(given)} contradict each other at element {s}."
            )
    return stack

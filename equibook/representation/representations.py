r"""Orthogonal representations of a finite or compact group, and the algebra ⊕, ⊗, Hom on them.

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
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .groups import FiniteGroup, GeneratedGroup, Group, expect_finite, expect_group, whole
from .lie import LieGroup

if TYPE_CHECKING:
    from .intertwiners import Hom

__all__ = ["Representation", "permutation", "regular", "representation", "trivial"]

#: How far given matrices may be from orthogonal, and from a homomorphism, in float64.
TOLERANCE = 1e-8


class Representation:
    """An orthogonal representation ρ of a finite or compact group on ℝ^dim.

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

    Chapter: Representations
    """

    group: Any  # a FiniteGroup, a GeneratedGroup or a LieGroup
    dim: int

    def matrix(self, g: int | Sequence[int] | Tensor) -> Tensor:
        """ρ(g) as a float64 matrix.

        Args:
            g: an element, or a sequence of elements; of a compact group, the matrix of an element or
                a stack of them.

        Returns:
            (dim, dim), or (n, dim, dim) for n elements.
        """
        elements, one = self.group.batch(g)
        stack = self._stack(elements)
        return stack[0] if one else stack

    def character(self, g: int | Sequence[int] | Tensor | None = None) -> Tensor:
        """The character χ(g) = tr ρ(g), float64.

        Args:
            g: one element or n, as `matrix` takes them; all elements of a finite group if not given.

        Returns:
            (order,) without g; else () or (n,).
        """
        if g is not None:
            return _trace(self.matrix(g))
        return self._character(expect_finite(self.group, "character() without elements"))

    def _character(self, G: FiniteGroup) -> Tensor:
        """The character of all elements: (order,)."""
        return _trace(self._stack(torch.arange(G.order)))

    def differential(self) -> Tensor:
        r"""dρ of the basis X_1, …, X_k of the Lie algebra: ρ(exp X) = exp dρ(X), linear in X.

        Returns:
            (k, dim, dim), float64, antisymmetric.

        Raises:
            TypeError: if the group is finite: it has no Lie algebra.
        """
        raise TypeError(f"{self.group} has no Lie algebra; its generators are {self.group.generators}.")

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

    def _generating(self) -> Tensor:
        """Matrices that a map has to commute with, and no others: (n, dim, dim).

        ρ of the generators; for a compact group dρ of its Lie algebra, and ρ of one element of each
        component that the exponential does not reach.
        """
        if isinstance(self.group, LieGroup):
            return torch.cat([self.differential(), self._stack(self.group.components[1:])])
        return self._stack(torch.tensor(self.group.generators, dtype=torch.long))

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


def expect_representation(V: Representation, function: str) -> Representation:
    """V itself; an error that names the function if V is no representation."""
    if not isinstance(V, Representation):
        raise TypeError(f"{function} takes a representation, as in {function}(regular(G)); got {V!r}.")
    return V


def _sum(terms: tuple[tuple[Representation, int], ...]) -> Representation:
    return terms[0][0] if terms[0][1] == 1 and len(terms) == 1 else Sum(terms)


def _factors(V: Representation) -> tuple[Representation, ...]:
    return V.factors if isinstance(V, TensorProduct) else (V,)


@dataclass(frozen=True)
class Trivial(Representation):
    """The trivial representation: every element acts on ℝ as 1."""

    group: Any

    @property
    def dim(self) -> int:  # type: ignore[override]
        return 1

    @property
    def images(self) -> Tensor | None:
        if isinstance(self.group, LieGroup):
            return None
        rows = self.group.order if isinstance(self.group, FiniteGroup) else len(self.group.generators)
        return torch.zeros(rows, 1, dtype=torch.long)

    def _stack(self, elements: Tensor) -> Tensor:
        return torch.ones(len(elements), 1, 1, dtype=torch.float64)

    def differential(self) -> Tensor:
        if not isinstance(self.group, LieGroup):
            return super().differential()
        return torch.zeros(len(self.group.algebra), 1, 1, dtype=torch.float64)

    def _character(self, G: FiniteGroup) -> Tensor:
        return torch.ones(G.order, dtype=torch.float64)

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

    def _character(self, G: FiniteGroup) -> Tensor:
        character = torch.zeros(G.order, dtype=torch.float64)
        character[G.identity] = G.order
        return character

    def __repr__(self) -> str:
        return f"regular({self.group})"


@dataclass(frozen=True)
class Permutation(Representation):
    """A representation that permutes the basis: ρ(g) e_i = e_points[g][i]."""

    group: FiniteGroup | GeneratedGroup
    points: tuple[tuple[int, ...], ...]
    natural: bool = False

    @property
    def dim(self) -> int:  # type: ignore[override]
        return len(self.points[0])

    @cached_property
    def images(self) -> Tensor:
        return torch.tensor(self.points)

    def _character(self, G: FiniteGroup) -> Tensor:
        return _fixed_points(self.images)

    def __repr__(self) -> str:
        given = "" if self.natural else f", {[list(p) for p in self.points]}"
        return f"permutation({self.group}{given})"


def _trace(stack: Tensor) -> Tensor:
    return stack.diagonal(dim1=-2, dim2=-1).sum(dim=-1)


def _fixed_points(images: Tensor) -> Tensor:
    return (images == torch.arange(images.shape[1])).sum(dim=1).double()


class Matrices(Representation):
    """A representation given by its matrices."""

    def __init__(self, group: FiniteGroup, matrices: Tensor) -> None:
        self.group, self.dim, self._matrices = group, matrices.shape[-1], matrices

    def _stack(self, elements: Tensor) -> Tensor:
        return self._matrices[elements]

    def _character(self, G: FiniteGroup) -> Tensor:
        return _trace(self._matrices)

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
    def group(self) -> Any:
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

    def differential(self) -> Tensor:
        blocks = [block for atom, copies in self.terms for block in [atom.differential()] * copies]
        return torch.stack([torch.block_diag(*dX) for dX in zip(*blocks, strict=True)])

    def _character(self, G: FiniteGroup) -> Tensor:
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
    def group(self) -> Any:
        return self.factors[0].group

    @cached_property
    def dim(self) -> int:  # type: ignore[override]
        return math.prod(factor.dim for factor in self.factors)

    @cached_property
    def images(self) -> Tensor | None:
        product = torch.zeros(1, 1, dtype=torch.long)
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
            stack = stack.flatten(3).flatten(1, 2)
        return stack

    def differential(self) -> Tensor:
        """The product rule: d(ρ ⊗ σ)(X) = dρ(X) ⊗ 1 + 1 ⊗ dσ(X)."""
        total, *others = (factor.differential() for factor in self.factors)
        for d in others:
            one = torch.eye(len(d[0]), dtype=torch.float64), torch.eye(len(total[0]), dtype=torch.float64)
            total = torch.stack([torch.kron(x, one[0]) + torch.kron(one[1], y) for x, y in zip(total, d, strict=True)])
        return total

    def _character(self, G: FiniteGroup) -> Tensor:
        return torch.stack([factor.character() for factor in self.factors]).prod(dim=0)

    def __repr__(self) -> str:
        return " * ".join(f"({factor})" if isinstance(factor, Sum) else f"{factor}" for factor in self.factors)


def trivial(G: Group) -> Representation:
    """The trivial representation of G: every element acts on ℝ as 1.

    >>> from equibook import cyclic
    >>> trivial(cyclic(3)).matrix(1).tolist()
    [[1.0]]

    Chapter: Representations
    """
    return Trivial(expect_group(G, "trivial"))


def regular(G: FiniteGroup) -> Representation:
    """The regular representation of G: it permutes the basis {e_h} of ℝ^|G| by ρ(g) e_h = e_gh.

    >>> from equibook import cyclic
    >>> regular(cyclic(3)).matrix(1).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]

    Chapter: Representations
    """
    return Regular(expect_finite(G, "regular"))


def permutation(
    G: FiniteGroup | GeneratedGroup, images: Tensor | Sequence[Sequence[int]] | None = None
) -> Representation:
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

    Chapter: Representations
    """
    if isinstance(G, GeneratedGroup):
        if images is not None:
            raise ValueError(f"{G} is too large to check images against its products; it acts on its own points only.")
        return Permutation(G, tuple(map(tuple, G.permutations.tolist())), natural=True)
    expect_finite(G, "permutation")
    if images is None:
        if G.permutations is None:
            raise ValueError(f"{G} is not made of permutations: pass images, an (order, points) table.")
        images = G.permutations
    images = whole(images, "The images of points")
    if images.ndim != 2 or len(images) != G.order or not images.shape[1]:
        raise ValueError(
            f"images has a row for each of the {G.order} elements of {G} and a column for each point; "
            f"got shape {tuple(images.shape)}."
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

    Chapter: Representations
    """
    expect_finite(G, "representation")
    if isinstance(matrices, Mapping):
        stack = _extend(G, matrices)
    else:
        stack = _real_matrices(G, matrices).clone()
    gram = stack @ stack.mT - torch.eye(stack.shape[1], dtype=torch.float64)
    failing = ~(gram.abs().amax(dim=(1, 2)) <= TOLERANCE)  # not >, so that NaN fails
    if failing.any():
        g = int(failing.nonzero()[0])
        raise ValueError(
            f"ρ({g}) is not orthogonal, and equibook works with orthogonal matrices. Every representation of a finite "
            "group has them in the coordinates that orthogonalize(G, matrices) finds."
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


def _real(matrices: Any) -> Tensor:
    if torch.as_tensor(matrices).is_complex():
        raise TypeError(
            "equibook's representations are real: write a + bi as [[a, −b], [b, a]] in place of each complex entry."
        )
    return torch.as_tensor(matrices, dtype=torch.float64).detach()


def _real_matrices(G: FiniteGroup, matrices: Any) -> Tensor:
    """(order, dim, dim), checked for its shape."""
    stack = _real(matrices)
    if stack.ndim != 3 or stack.shape[0] != G.order or stack.shape[1] != stack.shape[2] or not stack.shape[1]:
        raise ValueError(
            f"{G} needs {G.order} square matrices, shape ({G.order}, dim, dim); got shape {tuple(stack.shape)}."
        )
    return stack


def _extend(G: FiniteGroup, given: Mapping[int, Any]) -> Tensor:
    """The matrices of all elements from those of a generating set."""
    given = {G.index(g): _real(matrix) for g, matrix in given.items()}
    if not given:
        raise ValueError("No matrices were given; pass one for each element of a generating set.")
    shapes = {tuple(matrix.shape) for matrix in given.values()}
    if len(shapes) > 1:
        raise ValueError(f"The matrices of one representation have one shape; got {sorted(shapes)}.")
    (shape,) = shapes
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise ValueError(f"A representation has square matrices, shape (dim, dim); got shape {shape}.")
    dim = shape[0]
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

"""Finite groups, given by their multiplication table.

An element of a group of order n is an index 0, …, n − 1, and the table says that
``table[g, h]`` is the product gh. Everything else about the group (inverses, generators,
conjugacy classes) is read from the table. The symmetric groups that are too large for a table
are known by two generators; compact groups stand in `lie`.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Literal, overload

import torch
from torch import Tensor

__all__ = [
    "FiniteGroup",
    "alternating",
    "cyclic",
    "dihedral",
    "direct_product",
    "permutation_group",
    "quaternion",
    "symmetric",
    "translations",
]

#: The largest group for which a multiplication table is stored (32 MB as 64-bit integers).
MAX_ORDER = 2000


class Group:
    """What every group here has: a name that can be typed back, and a way to read its elements."""

    name: str | None

    def batch(self, g: int | Sequence[int] | Tensor) -> tuple[Tensor, bool]:
        """One element or several, checked: a tensor of elements, and whether one was given."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return str(self.name)


class FiniteGroup(Group):
    r"""A finite group: elements 0, …, n − 1 and the table of their products gh = ``table[g, h]``.

    The axioms are checked when the group is made. Associativity is checked by Light's test,
    which needs (xa)y = x(ay) only for the generators a.

    Args:
        table: (n, n) integers; row g, column h holds the product gh.
        name: what ``repr`` shows; the table itself if not given.
        plane: (n, 2, 2) orthogonal matrices if the group acts on the plane.
        permutations: (n, points) images if the group was made of permutations.
        grid: (h, w) if the group is that of the translations of an h × w grid.
        space: (n, 3, 3) orthogonal matrices if the group acts on space.
        parent: the larger group, if this one was made as its subgroup.
        inclusion: (n,) the elements of the parent that the elements of the subgroup are.

    Raises:
        ValueError: if the table is not that of a group; names the elements that fail.

    >>> G = FiniteGroup([[0, 1], [1, 0]])
    >>> G.order, G.multiply(1, 1)
    (2, 0)

    Chapter: Symmetry and groups
    """

    def __init__(
        self,
        table: Tensor | Sequence[Sequence[int]],
        *,
        name: str | None = None,
        plane: Tensor | None = None,
        permutations: Tensor | None = None,
        grid: tuple[int, int] | None = None,
        space: Tensor | None = None,
        parent: FiniteGroup | None = None,
        inclusion: Tensor | None = None,
    ) -> None:
        self.table = whole(table, "The entries of a multiplication table").clone()
        _check_square(self.table)
        self.order = len(self.table)
        self.name = name
        self.plane = _matrices(plane, (self.order, 2, 2), "plane")
        self.permutations = None if permutations is None else whole(permutations, "The images of points")
        self.grid = grid
        self.space = _matrices(space, (self.order, 3, 3), "space")
        self.parent, self.inclusion = parent, inclusion
        self.identity = _find_identity(self.table)
        self.inverse = _find_inverses(self.table, self.identity)
        _check_associative(self.table, self.generators)
        for matrices in (self.plane, self.space):
            if matrices is not None:
                _check_acts(self, matrices)
        if self.permutations is not None:
            _check_permutes(self, self.permutations)
        if grid is not None and not torch.equal(self.table, _shifts(*grid)):
            raise ValueError(f"The table is not that of the translations of a {grid[0]} × {grid[1]} grid.")

    @property
    def reflects(self) -> bool:
        """Whether an element turns the plane over."""
        return self.plane is not None and bool((torch.linalg.det(self.plane) < 0).any())

    @property
    def elements(self) -> range:
        """The elements, 0, …, order − 1."""
        return range(self.order)

    def multiply(self, g: int, h: int) -> int:
        """The product gh."""
        return int(self.table[self.index(g), self.index(h)])

    def batch(self, g: int | Sequence[int] | Tensor) -> tuple[Tensor, bool]:
        """One element or several, checked: (n,) indices, and whether one was given."""
        elements = _one_or_several(g, self)
        for extreme in (elements.min(), elements.max()) if elements.numel() else ():
            self.index(int(extreme))
        return elements.reshape(-1), elements.ndim == 0

    def index(self, g: int) -> int:
        """g itself, if it is an element; otherwise an error that names the group."""
        try:
            g = operator.index(g)
        except TypeError:
            raise TypeError(f"An element of {self} is a whole number; got {g!r}.") from None
        if not 0 <= g < self.order:
            raise ValueError(f"{g} is not an element of {self}: its elements are 0, …, {self.order - 1}.")
        return g

    @cached_property
    def generators(self) -> tuple[int, ...]:
        """A small set of elements whose products are the whole group, found greedily."""
        chosen: list[int] = []
        reached = torch.tensor([self.identity])
        while len(reached) < self.order:
            missing = torch.ones(self.order, dtype=torch.bool)
            missing[reached] = False
            chosen.append(int(missing.nonzero()[0]))
            reached = _closure(self.table, chosen, self.identity)
        for s in tuple(chosen):  # an early choice may follow from later ones, as −1 = i² in Q_8
            others = [t for t in chosen if t != s]
            if len(_closure(self.table, others, self.identity)) == self.order:
                chosen = others
        return tuple(chosen)

    def tree(self, generators: Iterable[int]) -> list[tuple[Tensor, int, Tensor]]:
        """A way to reach every element: steps (parents, s, children) with children = parents · s.

        The steps start at the identity and visit each element that the generators reach once.
        """
        steps = []
        seen = torch.zeros(self.order, dtype=torch.bool)
        seen[self.identity] = True
        frontier = torch.tensor([self.identity])
        while len(frontier):
            reached = []
            for s in generators:
                children = self.table[frontier, s]
                new = ~seen[children]
                seen[children[new]] = True
                if new.any():
                    steps.append((frontier[new], s, children[new]))
                    reached.append(children[new])
            frontier = torch.cat(reached) if reached else frontier[:0]
        return steps

    @cached_property
    def class_of(self) -> Tensor:
        """(order,) the number of each element's conjugacy class {hgh⁻¹}."""
        g = torch.arange(self.order)
        smallest = g.clone()
        for h in range(self.order):
            smallest = torch.minimum(smallest, self.table[self.table[h], self.inverse[h]])
        return torch.unique(smallest, return_inverse=True)[1]

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """The conjugacy classes, that of the smallest element first."""
        label = self.class_of
        return tuple(tuple((label == c).nonzero().flatten().tolist()) for c in range(int(label.max()) + 1))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, FiniteGroup) or (self.name, self.order) != (other.name, other.order):
            return False
        # What the group does to points, pixels and vectors counts too: results are kept for equal arguments.
        ours, theirs = self._tensors, other._tensors
        same = all(
            a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in zip(ours, theirs, strict=True)
        )
        return same and self.grid == other.grid and self.parent == other.parent

    @property
    def _tensors(self) -> tuple[Tensor | None, ...]:
        return self.table, self.plane, self.space, self.permutations, self.inclusion

    def __hash__(self) -> int:
        return hash((self.name, self.order))

    def __repr__(self) -> str:
        return self.name or f"FiniteGroup({self.table.tolist()})"


def _check_square(table: Tensor) -> None:
    n = len(table)
    if table.ndim != 2 or table.shape != (n, n) or n == 0:
        raise ValueError(f"A multiplication table is square; got shape {tuple(table.shape)}.")
    _check_order(n)
    rows = torch.arange(n)
    for axis, word in ((1, "row"), (0, "column")):
        wrong = (table.sort(dim=axis).values != (rows if axis == 1 else rows[:, None])).any(dim=axis)
        if wrong.any():
            raise ValueError(
                f"In a group's table each {word} holds each of 0, …, {n - 1} once; "
                f"{word} {int(wrong.nonzero()[0])} does not."
            )


def _check_order(n: int) -> None:
    if n > MAX_ORDER:
        raise ValueError(
            f"A table of order {n} is larger than the {MAX_ORDER} that equibook stores; "
            "use a smaller group, or a subgroup that acts in the same way."
        )


def _find_identity(table: Tensor) -> int:
    everyone = torch.arange(len(table))
    left = (table == everyone).all(dim=1)
    right = (table == everyone[:, None]).all(dim=0)
    both = (left & right).nonzero().flatten()
    if len(both) == 0:
        raise ValueError("The table has no identity: no e with eg = ge = g for every g.")
    return int(both[0])


def _find_inverses(table: Tensor, identity: int) -> Tensor:
    inverse = (table == identity).long().argmax(dim=1)
    wrong = (table[inverse, torch.arange(len(table))] != identity).nonzero()
    if len(wrong):
        g = int(wrong[0])
        raise ValueError(f"Element {g} has no two-sided inverse: g·{int(inverse[g])} = e but not the reverse.")
    return inverse


def _check_associative(table: Tensor, generators: Iterable[int]) -> None:
    for a in generators:
        left, right = table[table[:, a]], table[:, table[a]]
        wrong = (left != right).nonzero()
        if len(wrong):
            x, y = wrong[0].tolist()
            raise ValueError(
                f"The table is not associative: for (x, a, y) = ({x}, {a}, {y}), "
                f"(xa)y = {int(left[x, y])} but x(ay) = {int(right[x, y])}."
            )


def _matrices(given: Tensor | None, shape: tuple[int, int, int], what: str) -> Tensor | None:
    if given is None:
        return None
    matrices = torch.as_tensor(given, dtype=torch.float64)
    if matrices.shape != shape:
        raise ValueError(f"The matrices of the {what} have shape {shape}; got {tuple(matrices.shape)}.")
    off = (matrices @ matrices.mT - torch.eye(shape[1], dtype=torch.float64)).abs().amax(dim=(1, 2))
    if not (off <= 1e-9).all():  # not >, so that NaN fails
        raise ValueError(f"The matrices of the {what} are orthogonal; that of element {int(off.argmax())} is not.")
    return matrices


def _check_permutes(G: FiniteGroup, images: Tensor) -> None:
    if images.ndim != 2 or len(images) != G.order:
        raise ValueError(f"permutations has a row for each of the {G.order} elements; got shape {tuple(images.shape)}.")
    for s in (G.identity, *G.generators):
        wrong = (images.sort(dim=1).values != torch.arange(images.shape[1])).any(dim=1)
        if not wrong.any():
            wrong = (images[G.table[:, s]] != images[:, images[s]]).any(dim=1)
        if wrong.any():
            raise ValueError(f"The permutations given are no action: those of {int(wrong.nonzero()[0])} and {s} fail.")


def _check_acts(G: FiniteGroup, matrices: Tensor) -> None:
    for s in (G.identity, *G.generators):
        wrong = (matrices @ matrices[s] - matrices[G.table[:, s]]).abs().amax(dim=(1, 2)) > 1e-9
        if wrong.any():
            raise ValueError(
                "The matrices given for the plane or for space are no action: "
                f"those of {int(wrong.nonzero()[0])} and {s} fail."
            )


def _closure(table: Tensor, chosen: Sequence[int], identity: int) -> Tensor:
    """The elements reached from the identity by right multiplication with the chosen ones."""
    reached = torch.tensor([identity])
    while True:
        step = torch.unique(torch.cat([reached, table[reached][:, list(chosen)].flatten()]))
        if len(step) == len(reached):
            return reached
        reached = step


class GeneratedGroup(Group):
    """A group of permutations too large for a table, known by its generators: elements 0, 1, … are these.

    It has permutation representations, their sums and products, and `Hom` between them. What needs
    all elements (characters, irreducibles, averages) it does not have.

    Args:
        permutations: (generators, points) images.
        name: what ``repr`` shows.
    """

    def __init__(self, permutations: Tensor, name: str) -> None:
        self.permutations, self.name = permutations, name
        self.generators = tuple(range(len(permutations)))

    def batch(self, g: int | Sequence[int] | Tensor) -> tuple[Tensor, bool]:
        """The generator of this number, or several: (n,) indices, and whether one was given."""
        elements = _one_or_several(g, self)
        if ((elements < 0) | (elements >= len(self.generators))).any():
            raise ValueError(
                f"{self} is known by its generators 0, …, {len(self.generators) - 1} alone; got {elements.tolist()}."
            )
        return elements.reshape(-1), elements.ndim == 0

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "name" not in self.__dict__:
            raise AttributeError(name)
        raise AttributeError(
            f"{self} has no {name!r}: it is too large for a table, and known by its generators alone. "
            "permutation(G), sums and products of it, and Hom between them are what it has."
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GeneratedGroup) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def orbit_representatives(moves: Iterable[Tensor], points: int) -> Tensor:
    """(points,) the smallest point of each point's orbit under the permutations that generate a group."""
    moves = list(moves)
    smallest, before = torch.arange(points), None
    while before is None or not torch.equal(smallest, before):
        before = smallest
        for move in moves:
            smallest = torch.minimum(smallest, smallest[move])
        smallest = smallest[smallest]  # jumps: the number of rounds grows as the logarithm of an orbit
    return smallest


def expect_group(G: Group, function: str) -> Group:
    """G itself; an error that names the function if G is no group."""
    if not isinstance(G, Group):
        raise TypeError(f"{function}(G) takes a group, as in {function}(cyclic(4)); got {G!r}.")
    return G


def expect_finite(G: Group, function: str) -> FiniteGroup:
    """G itself; an error that names the function if G is not a finite group with a table."""
    expect_group(G, function)
    if not isinstance(G, FiniteGroup):
        raise TypeError(f"{function} needs a finite group with a table of products; {G} has none.")
    return G


def whole(given: Any, what: str) -> Tensor:
    """Whole numbers as a tensor of integers; an error, instead of rounding, if they are none."""
    try:
        values = given if isinstance(given, Tensor) else torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{what} are whole numbers, all rows of one length; got {given!r}.") from None
    rounded = values.to(torch.long)
    wrong = values[rounded.to(values.dtype) != values] if values.dtype != torch.bool else values.flatten()
    if len(wrong):
        raise ValueError(f"{what} are whole numbers; got {wrong[0].item()}.")
    return rounded


def expect_tensor(x: Any, what: str) -> Tensor:
    """x itself; an error that says what it should be if it is no tensor."""
    if not isinstance(x, Tensor):
        raise TypeError(f"{what} is a tensor, such as torch.tensor([…]); got {x!r}.")
    return x


def _one_or_several(g: Any, G: Group) -> Tensor:
    elements = whole(g, f"The elements of {G}")
    if elements.ndim > 1:
        raise ValueError(f"One element of {G} or a sequence of them is needed; got shape {tuple(elements.shape)}.")
    return elements


def _positive(n: int, what: str) -> int:
    try:
        number = int(n)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number != n or number < 1:
        raise ValueError(f"{what} needs a positive whole number; got {n!r}.")
    return number


def _rotation_matrices(n: int) -> Tensor:
    """(n, 2, 2) counter-clockwise rotations by 2πk/n, exact where they map the grid to itself."""
    angle = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    c, s = angle.cos(), angle.sin()
    matrices = torch.stack([torch.stack([c, -s], -1), torch.stack([s, c], -1)], -2)
    whole = matrices.round()
    # cos(π/2) is 6e-17 in floating point; quarter turns must be exact on the grid.
    return torch.where((matrices - whole).abs() < 1e-12, whole, matrices)


@lru_cache(maxsize=64)
def cyclic(n: int) -> FiniteGroup:
    """The cyclic group C_n, as rotations of the plane: element k turns counter-clockwise by 2πk/n.

    >>> cyclic(4).multiply(3, 2)
    1

    Chapter: Symmetry and groups
    """
    n = _positive(n, "cyclic(n)")
    _check_order(n)
    k = torch.arange(n)
    return FiniteGroup((k[:, None] + k) % n, name=f"cyclic({n})", plane=_rotation_matrices(n))


@lru_cache(maxsize=64)
def dihedral(n: int) -> FiniteGroup:
    """The dihedral group D_n of order 2n: element k is the rotation r^k, element n + k is r^k s.

    The reflection s sends (x, y) to (x, −y): on an image it flips the order of the rows.

    >>> G = dihedral(4)
    >>> G.order, G.multiply(4, 1) == G.multiply(3, 4)      # s r = r⁻¹ s
    (8, True)

    Chapter: Symmetry and groups
    """
    n = _positive(n, "dihedral(n)")
    _check_order(2 * n)
    k, a = torch.arange(2 * n) % n, torch.arange(2 * n) // n
    turned = torch.where(a[:, None] == 0, k, -k)
    table = (k[:, None] + turned) % n + n * ((a[:, None] + a) % 2)
    rotations = _rotation_matrices(n)
    reflection = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    plane = torch.cat([rotations, rotations @ reflection])
    return FiniteGroup(table, name=f"dihedral({n})", plane=plane)


@lru_cache(maxsize=64)
def quaternion() -> FiniteGroup:
    """The quaternion group Q_8 = {1, −1, i, −i, j, −j, k, −k}, in this order.

    >>> Q = quaternion()
    >>> Q.multiply(2, 4) == 6, Q.multiply(2, 2) == 1       # ij = k, i² = −1
    (True, True)

    Chapter: Symmetry and groups
    """
    # unit·unit = ± unit for 1, i, j, k = 0, 1, 2, 3
    unit = [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    sign = [[0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 1, 1]]
    table = [[2 * unit[g // 2][h // 2] + (g + h + sign[g // 2][h // 2]) % 2 for h in range(8)] for g in range(8)]
    return FiniteGroup(table, name="quaternion()")


@lru_cache(maxsize=64)
def translations(n: int, m: int) -> FiniteGroup:
    """The translations of an n × m grid with wrapped edges; element a·m + b moves by (a, b).

    >>> translations(2, 3).order
    6

    Chapter: Symmetry and groups
    """
    n, m = _positive(n, "translations(n, m)"), _positive(m, "translations(n, m)")
    return FiniteGroup(_shifts(n, m), name=f"translations({n}, {m})", grid=(n, m))


def _shifts(n: int, m: int) -> Tensor:
    """The table of ℤ_n × ℤ_m."""
    _check_order(n * m)
    a, b = torch.arange(n * m) // m, torch.arange(n * m) % m
    return (a[:, None] + a) % n * m + (b[:, None] + b) % m


@lru_cache(maxsize=64)
def direct_product(G: FiniteGroup, H: FiniteGroup) -> FiniteGroup:
    """The direct product G × H; element g·|H| + h is the pair (g, h).

    >>> direct_product(cyclic(2), cyclic(3)).order
    6

    Chapter: Symmetry and groups
    """
    order = expect_finite(G, "direct_product").order * expect_finite(H, "direct_product").order
    _check_order(order)
    table = (G.table[:, None, :, None] * H.order + H.table[None, :, None, :]).reshape(order, order)
    return FiniteGroup(table, name=f"direct_product({G}, {H})")


@overload
def symmetric(n: Literal[1, 2, 3, 4, 5, 6]) -> FiniteGroup: ...
@overload
def symmetric(n: int) -> FiniteGroup | GeneratedGroup: ...
@lru_cache(maxsize=16)
def symmetric(n: int) -> FiniteGroup | GeneratedGroup:
    """The symmetric group S_n of all permutations of n points, in lexicographic order.

    From n = 7 on it has too many elements to list, and is known by two generators: the swap of the
    first two points and the cycle of all. Permutation representations and `Hom` need no more.

    >>> symmetric(4).order
    24
    >>> from equibook import permutation
    >>> V = permutation(symmetric(10))
    >>> (V * V >> V * V).dim
    15

    Chapter: Symmetry and groups
    """
    n = _positive(n, "symmetric(n)")
    if math.factorial(n) > MAX_ORDER:
        points = list(range(n))
        return GeneratedGroup(torch.tensor([[1, 0, *points[2:]], [*points[1:], 0]]), f"symmetric({n})")
    return _of_permutations(torch.tensor(list(itertools.permutations(range(n)))), f"symmetric({n})")


@lru_cache(maxsize=16)
def alternating(n: int) -> FiniteGroup:
    """The alternating group A_n of the even permutations of n points (n ≤ 6).

    >>> alternating(4).order
    12

    Chapter: Symmetry and groups
    """
    S = symmetric(n)
    if not isinstance(S, FiniteGroup):
        raise ValueError(f"alternating({n}) has {math.factorial(n) // 2} elements, too many to list; take n ≤ 6.")
    permutations = S.permutations
    assert permutations is not None
    i, j = torch.triu_indices(len(permutations[0]), len(permutations[0]), offset=1)
    inversions = (permutations[:, i] > permutations[:, j]).sum(dim=1)
    return _of_permutations(permutations[inversions % 2 == 0], f"alternating({n})")


def permutation_group(generators: Iterable[Sequence[int]]) -> FiniteGroup:
    """The group of all products of the given permutations; g sends the point i to g[i].

    Args:
        generators: permutations of 0, …, points − 1, as lists of images.

    Raises:
        ValueError: if a generator is not a permutation, or the group has more than 2,000 elements.

    >>> permutation_group([(1, 2, 0), (1, 0, 2)]).order
    6

    Chapter: Symmetry and groups
    """
    given = tuple(tuple(whole(g, "The images of points").tolist()) for g in generators)
    if not given:
        raise ValueError("permutation_group needs at least one generator; for one element use cyclic(1).")
    points = tuple(range(len(given[0])))
    if not points:
        raise ValueError("A permutation of no points was given; permute at least one.")
    for g in given:
        if tuple(sorted(g)) != points:
            raise ValueError(f"{g} is not a permutation of 0, …, {len(points) - 1}.")
    found = {points: None}
    queue = [points]
    for g in queue:
        for s in given:
            product = tuple(g[i] for i in s)
            if product not in found:
                found[product] = None
                queue.append(product)
        if len(found) > MAX_ORDER:
            raise ValueError(f"The generators give more than {MAX_ORDER} elements, the most that equibook stores.")
    return _of_permutations(torch.tensor(list(found)), f"permutation_group({list(given)})")


def _of_permutations(permutations: Tensor, name: str) -> FiniteGroup:
    """The group of the listed permutations, closed under products; (gh)(i) = g(h(i))."""
    number = {tuple(p): k for k, p in enumerate(permutations.tolist())}
    table = torch.empty(len(permutations), len(permutations), dtype=torch.long)
    for k, p in enumerate(permutations):
        table[k] = torch.tensor([number[tuple(q)] for q in p[permutations].tolist()])
    return FiniteGroup(table, name=name, permutations=permutations)

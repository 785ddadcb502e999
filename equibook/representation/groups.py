"""Finite groups, given by their multiplication table.

An element of a group of order n is an index 0, …, n − 1, and the table says that
``table[g, h]`` is the product gh. Everything else about the group (inverses, generators,
conjugacy classes) is read from the table.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache

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


class FiniteGroup:
    r"""A finite group: elements 0, …, n − 1 and the table of their products gh = ``table[g, h]``.

    The axioms are checked when the group is made. Associativity is checked by Light's test,
    which needs (xa)y = x(ay) only for the generators a.

    Args:
        table: (n, n) integers; row g, column h holds the product gh.
        name: what ``repr`` shows; the table itself if not given.
        plane: (n, 2, 2) orthogonal matrices if the group acts on the plane.
        permutations: (n, points) images if the group was made of permutations.
        grid: (h, w) if the group is that of the translations of an h × w grid.

    Raises:
        ValueError: if the table is not that of a group; names the elements that fail.

    >>> G = FiniteGroup([[0, 1], [1, 0]])
    >>> G.order, G.multiply(1, 1)
    (2, 0)

    Chapter: Intertwiners
    """

    def __init__(
        self,
        table: Tensor | Sequence[Sequence[int]],
        *,
        name: str | None = None,
        plane: Tensor | None = None,
        permutations: Tensor | None = None,
        grid: tuple[int, int] | None = None,
    ) -> None:
        self.table = torch.as_tensor(table, dtype=torch.long).clone()
        _check_square(self.table)
        self.order = len(self.table)
        self.name = name
        self.plane = plane
        self.permutations = permutations
        self.grid = grid
        self.identity = _find_identity(self.table)
        self.inverse = _find_inverses(self.table, self.identity)
        _check_associative(self.table, self.generators)
        if plane is not None:
            _check_acts(self, plane)

    @property
    def elements(self) -> range:
        """The elements, 0, …, order − 1."""
        return range(self.order)

    def multiply(self, g: int, h: int) -> int:
        """The product gh."""
        return int(self.table[self.index(g), self.index(h)])

    def index(self, g: int) -> int:
        """g itself, if it is an element; otherwise an error that names the group."""
        g = operator.index(g)
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
        return isinstance(other, FiniteGroup) and self.name == other.name and torch.equal(self.table, other.table)

    def __hash__(self) -> int:
        return hash((self.name, self.order))

    def __repr__(self) -> str:
        return self.name or f"FiniteGroup({self.table.tolist()})"


def _check_square(table: Tensor) -> None:
    n = len(table)
    if table.ndim != 2 or table.shape != (n, n) or n == 0:
        raise ValueError(f"A multiplication table is square; got shape {tuple(table.shape)}.")
    if n > MAX_ORDER:
        raise ValueError(
            f"A table of order {n} is larger than the {MAX_ORDER} that equibook stores; "
            "use a smaller group, or a subgroup that acts in the same way."
        )
    rows = torch.arange(n)
    for axis, word in ((1, "row"), (0, "column")):
        wrong = (table.sort(dim=axis).values != (rows if axis == 1 else rows[:, None])).any(dim=axis)
        if wrong.any():
            raise ValueError(
                f"In a group's table each {word} holds each of 0, …, {n - 1} once; "
                f"{word} {int(wrong.nonzero()[0])} does not."
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


def _check_acts(G: FiniteGroup, plane: Tensor) -> None:
    for s in (G.identity, *G.generators):
        wrong = (plane @ plane[s] - plane[G.table[:, s]]).abs().amax(dim=(1, 2)) > 1e-9
        if wrong.any():
            raise ValueError(
                f"The matrices of the plane are no action: those of {int(wrong.nonzero()[0])} and {s} fail."
            )


def _closure(table: Tensor, chosen: Sequence[int], identity: int) -> Tensor:
    """The elements reached from the identity by right multiplication with the chosen ones."""
    reached = torch.tensor([identity])
    while True:
        step = torch.unique(torch.cat([reached, table[reached][:, list(chosen)].flatten()]))
        if len(step) == len(reached):
            return reached
        reached = step


def expect_group(G: FiniteGroup, function: str) -> FiniteGroup:
    """G itself; an error that names the function if G is no group."""
    if not isinstance(G, FiniteGroup):
        raise TypeError(f"{function}(G) takes a group, as in {function}(cyclic(4)); got {G!r}.")
    return G


def _positive(n: int, what: str) -> int:
    if n != int(n) or n < 1:
        raise ValueError(f"{what} needs a positive whole number; got {n}.")
    return int(n)


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

    Chapter: Intertwiners
    """
    n = _positive(n, "cyclic(n)")
    k = torch.arange(n)
    return FiniteGroup((k[:, None] + k) % n, name=f"cyclic({n})", plane=_rotation_matrices(n))


@lru_cache(maxsize=64)
def dihedral(n: int) -> FiniteGroup:
    """The dihedral group D_n of order 2n: element k is the rotation r^k, element n + k is r^k s.

    The reflection s sends (x, y) to (x, −y): on an image it flips the order of the rows.

    >>> G = dihedral(4)
    >>> G.order, G.multiply(4, 1) == G.multiply(3, 4)      # s r = r⁻¹ s
    (8, True)

    Chapter: Group convolution
    """
    n = _positive(n, "dihedral(n)")
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

    Chapter: Intertwiners
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

    Chapter: Group convolution
    """
    n, m = _positive(n, "translations(n, m)"), _positive(m, "translations(n, m)")
    a, b = torch.arange(n * m) // m, torch.arange(n * m) % m
    table = (a[:, None] + a) % n * m + (b[:, None] + b) % m
    return FiniteGroup(table, name=f"translations({n}, {m})", grid=(n, m))


@lru_cache(maxsize=64)
def direct_product(G: FiniteGroup, H: FiniteGroup) -> FiniteGroup:
    """The direct product G × H; element g·|H| + h is the pair (g, h).

    >>> direct_product(cyclic(2), cyclic(3)).order
    6

    Chapter: Intertwiners
    """
    table = (G.table[:, None, :, None] * H.order + H.table[None, :, None, :]).reshape(
        G.order * H.order, G.order * H.order
    )
    return FiniteGroup(table, name=f"direct_product({G}, {H})")


@lru_cache(maxsize=16)
def symmetric(n: int) -> FiniteGroup:
    """The symmetric group S_n of all permutations of n points, in lexicographic order (n ≤ 6).

    >>> symmetric(4).order
    24

    Chapter: Intertwiners
    """
    n = _positive(n, "symmetric(n)")
    if math.factorial(n) > MAX_ORDER:
        raise ValueError(f"symmetric({n}) has {math.factorial(n)} elements, more than {MAX_ORDER}; take n ≤ 6.")
    return _of_permutations(torch.tensor(list(itertools.permutations(range(n)))), f"symmetric({n})")


@lru_cache(maxsize=16)
def alternating(n: int) -> FiniteGroup:
    """The alternating group A_n of the even permutations of n points (n ≤ 6).

    >>> alternating(4).order
    12

    Chapter: Intertwiners
    """
    permutations = symmetric(n).permutations
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

    Chapter: Intertwiners
    """
    given = tuple(tuple(int(i) for i in g) for g in generators)
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

"""Finite groups: the axioms, the constructions, and what a table must satisfy."""

from __future__ import annotations

import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import equibook as eq
from tests.representation.strategies import GROUPS, LARGE, S5, groups

ALL = [*GROUPS, S5, LARGE]


@pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])
def test_inverses_identity_and_generators(G: eq.FiniteGroup) -> None:
    everyone = torch.arange(G.order)
    assert G.identity == 0
    assert torch.equal(G.table[everyone, G.inverse], torch.zeros(G.order, dtype=torch.long))
    assert torch.equal(G.table[G.inverse, everyone], torch.zeros(G.order, dtype=torch.long))
    reached = {0}
    frontier = [0]
    for g in frontier:
        for s in G.generators:
            if (gs := G.multiply(g, s)) not in reached:
                reached.add(gs)
                frontier.append(gs)
    assert len(reached) == G.order


@given(groups, st.data())
def test_associativity(G: eq.FiniteGroup, data: st.DataObject) -> None:
    x, y, z = (data.draw(st.sampled_from(G.elements)) for _ in range(3))
    assert G.multiply(G.multiply(x, y), z) == G.multiply(x, G.multiply(y, z))


@pytest.mark.parametrize("G", GROUPS, ids=lambda G: str(G)[:40])
def test_classes_partition_the_group_and_are_closed_under_conjugation(G: eq.FiniteGroup) -> None:
    assert sorted(g for c in G.classes for g in c) == list(G.elements)
    for c in G.classes:
        conjugates = {G.multiply(G.multiply(h, c[0]), int(G.inverse[h])) for h in G.elements}
        assert conjugates == set(c)


@pytest.mark.parametrize(
    ("G", "order", "classes"),
    [
        (eq.cyclic(7), 7, 7),
        (eq.dihedral(4), 8, 5),
        (eq.dihedral(5), 10, 4),
        (eq.quaternion(), 8, 5),
        (eq.symmetric(4), 24, 5),
        (eq.symmetric(5), 120, 7),
        (eq.alternating(4), 12, 4),
        (eq.alternating(5), 60, 5),
        (eq.translations(3, 5), 15, 15),
        (eq.direct_product(eq.symmetric(3), eq.quaternion()), 48, 15),
        (LARGE, 960, 125),
    ],
    ids=str,
)
def test_orders_and_class_numbers(G: eq.FiniteGroup, order: int, classes: int) -> None:
    assert (G.order, len(G.classes)) == (order, classes)


def test_dihedral_numbering_and_plane() -> None:
    n = 5
    G = eq.dihedral(n)
    for g in G.elements:
        assert torch.allclose(G.plane[g] @ G.plane, G.plane[G.table[g]], atol=1e-14)
    turn = torch.tensor(
        [
            [math.cos(2 * math.pi / n), -math.sin(2 * math.pi / n)],
            [math.sin(2 * math.pi / n), math.cos(2 * math.pi / n)],
        ]
    )
    assert torch.allclose(G.plane[1], turn.double(), atol=1e-7)
    assert [G.multiply(k, n) for k in range(n)] == list(range(n, 2 * n))  # r^k s
    assert G.multiply(n, 1) == G.multiply(n - 1, n)  # s r = r⁻¹ s


def test_plane_is_exact_on_the_grid() -> None:
    assert set(eq.dihedral(4).plane.flatten().tolist()) == {0.0, 1.0, -1.0}


def test_permutations_compose_as_functions() -> None:
    G = eq.symmetric(4)
    p = G.permutations
    for g in G.elements:
        assert torch.equal(p[G.table[g]], p[g][p])


def test_permutation_group_finds_the_group() -> None:
    assert eq.permutation_group([(1, 2, 3, 4, 0), (1, 0, 2, 3, 4)]).order == 120
    assert eq.permutation_group([(0, 1, 2)]).order == 1
    frobenius = eq.permutation_group([tuple((i + 1) % 7 for i in range(7)), tuple(2 * i % 7 for i in range(7))])
    assert (frobenius.order, len(frobenius.classes)) == (21, 5)


@pytest.mark.parametrize("G", [*GROUPS, S5], ids=lambda G: str(G)[:40])
def test_repr_can_be_typed_back_and_equality_is_by_value(G: eq.FiniteGroup) -> None:
    again = eval(repr(G), vars(eq).copy())
    assert again == G
    assert hash(again) == hash(G)


def test_different_groups_differ() -> None:
    assert len(set(GROUPS)) == len(GROUPS)
    assert eq.direct_product(eq.cyclic(2), eq.cyclic(3)) != eq.cyclic(6)
    assert eq.cyclic(4) != "cyclic(4)"


def test_whole_floats_are_taken_as_integers() -> None:
    assert repr(eq.cyclic(9.0)) == "cyclic(9)"
    eq.translations(5.0, 4)
    assert repr(eq.translations(5, 4)) == "translations(5, 4)"


def test_a_group_keeps_its_own_copy_of_the_table() -> None:
    table = torch.tensor([[0, 1], [1, 0]])
    G = eq.FiniteGroup(table)
    table.zero_()
    assert G.multiply(0, 1) == 1


# Five elements, an identity, two-sided inverses, each row and column a permutation: still no group.
LOOP = [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[0, 1]], r"square; got shape \(1, 2\)"),
        ([], "square"),
        ([[0, 1], [1, 1]], "row 1 does not"),
        ([[0, 1, 2], [0, 1, 2], [0, 1, 2]], "column 0 does not"),
        ([[0, 5], [5, 0]], "row 0 does not"),
        ([[1, 0, 2], [0, 2, 1], [2, 1, 0]], "no identity"),
        (LOOP, r"\(x, a, y\) = \(\d, \d, \d\), \(xa\)y = \d but x\(ay\) = \d"),
        (torch.zeros(2001, 2001, dtype=torch.long), "2001 is larger than the 2000"),
    ],
)
def test_a_table_that_is_no_group_is_refused(table: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.FiniteGroup(table)


def test_the_triple_that_is_named_fails() -> None:
    import re

    with pytest.raises(ValueError, match="not associative") as caught:
        eq.FiniteGroup(LOOP)
    x, a, y = map(int, re.search(r"\((\d), (\d), (\d)\)", str(caught.value)).groups())
    assert LOOP[LOOP[x][a]][y] != LOOP[x][LOOP[a][y]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: eq.cyclic(0), "positive whole number; got 0"),
        (lambda: eq.dihedral(2.5), "got 2.5"),
        (lambda: eq.translations(3, 0), "got 0"),
        (lambda: eq.alternating(7), "2520 elements"),
        (lambda: eq.permutation_group([]), "at least one generator"),
        (lambda: eq.permutation_group([(0, 0, 1)]), r"\(0, 0, 1\) is not a permutation"),
        (lambda: eq.permutation_group([(1, 0), (1, 0, 2)]), r"\(1, 0, 2\) is not a permutation"),
        (lambda: eq.permutation_group([(1, 2, 3, 4, 5, 6, 0), (1, 0, 2, 3, 4, 5, 6)]), "more than 2000"),
        (lambda: eq.cyclic(4).multiply(0, 4), r"4 is not an element of cyclic\(4\)"),
        (lambda: eq.regular(eq.cyclic(4)).matrix(-1), "-1 is not an element"),
        (lambda: eq.regular(eq.cyclic(4)).matrix([0, 7]), "7 is not an element"),
        (lambda: eq.regular(eq.cyclic(4)).matrix([0, 1.5]), r"elements of cyclic\(4\) are whole numbers; got 1.5"),
        (lambda: eq.regular(eq.cyclic(4)).matrix(torch.tensor(0.5)), "whole numbers; got 0.5"),
        (lambda: eq.regular(eq.cyclic(4)).matrix(torch.tensor([True, False])), "whole numbers; got True"),
        (lambda: eq.regular(eq.cyclic(4)).matrix(torch.zeros(2, 2).long()), r"got shape \(2, 2\)"),
        (lambda: eq.permutation(eq.symmetric(8)).matrix(0.5), "whole numbers; got 0.5"),
        (lambda: eq.cyclic(math.nan), "positive whole number; got nan"),
        (lambda: eq.cyclic("3"), "positive whole number; got '3'"),
        (lambda: eq.cyclic(10**6), "A table of order 1000000 is larger than the 2000"),
        (lambda: eq.dihedral(10**6), "order 2000000"),
        (lambda: eq.translations(1000, 1000), "order 1000000"),
        (lambda: eq.direct_product(eq.symmetric(6), eq.symmetric(6)), "order 518400"),
        (lambda: eq.permutation_group([(1.5, 0.2)]), "whole numbers; got 1.5"),
        (lambda: eq.FiniteGroup([[0, 1], [1, 0.75]]), "multiplication table are whole numbers; got 0.75"),
        (lambda: eq.FiniteGroup([[0, 1], [1, 0]], grid=(3, 3)), "translations of a 3 × 3 grid"),
        (lambda: eq.FiniteGroup([[0, 1], [1, 0]], permutations=[[0, 1, 2], [1, 2, 0]]), "no action: those of 1 and 1"),
        (lambda: eq.FiniteGroup([[0, 1], [1, 0]], permutations=[[0, 1]]), r"each of the 2 .*shape \(1, 2\)"),
    ],
)
def test_errors_say_what_was_given(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_tree_reaches_every_element_once() -> None:
    for G in (eq.cyclic(1), eq.quaternion(), eq.symmetric(4)):
        reached = [G.identity]
        for parents, s, children in G.tree(G.generators):
            assert torch.equal(G.table[parents, s], children)
            reached += children.tolist()
        assert sorted(reached) == list(G.elements)


def test_matrices_of_the_plane_that_are_no_action_are_refused() -> None:
    plane = eq.cyclic(4).plane
    assert plane is not None
    with pytest.raises(ValueError, match="no action"):
        eq.FiniteGroup(eq.cyclic(4).table, plane=plane.roll(1, 0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (torch.full((2, 2, 2), math.nan), "plane are orthogonal; that of element 0"),
        (torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 2.0], [0.5, 0.0]]]), "orthogonal; that of element 1"),
        (torch.eye(2), r"shape \(2, 2, 2\); got \(2, 2\)"),
    ],
)
def test_matrices_of_the_plane_that_are_not_orthogonal_are_refused(given: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.FiniteGroup(eq.cyclic(2).table, plane=given)


def test_groups_that_act_in_different_ways_differ() -> None:
    """They have one table and no name; what is kept for one must not be given out for the other."""
    rows, columns = (
        eq.FiniteGroup(eq.cyclic(2).table, plane=torch.stack([torch.eye(2), torch.diag(torch.tensor(d))]))
        for d in ([1.0, -1.0], [-1.0, 1.0])
    )
    assert rows != columns and eq.pixels(rows, 2) != eq.pixels(columns, 2)
    f = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    for G, mean in ((rows, [2.0, 3.0, 2.0, 3.0]), (columns, [1.5, 1.5, 3.5, 3.5])):
        assert (eq.trivial(G) >> eq.pixels(G, 2)).project(f.mT).flatten().tolist() == mean


def test_a_product_needs_finite_groups() -> None:
    for G, H in ((eq.symmetric(7), eq.cyclic(2)), (eq.cyclic(2), eq.so2()), (eq.cyclic(2), 4)):
        with pytest.raises(TypeError, match="direct_product"):
            eq.direct_product(G, H)  # type: ignore[arg-type]


def test_a_group_known_by_generators_says_what_it_has_not() -> None:
    S = eq.symmetric(7)
    for name in ("order", "table", "multiply", "elements"):
        with pytest.raises(AttributeError, match=rf"symmetric\(7\) has no '{name}': it is too large"):
            getattr(S, name)
    assert pickle.loads(pickle.dumps(S)) == S

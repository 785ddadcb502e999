"""Subgroups, cosets and semidirect products; orbits, stabilizers and colorings."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import equibook as eq
from tests.representation.strategies import GROUPS, actions, groups, on_cosets, subgroups

D4, S4 = eq.dihedral(4), eq.symmetric(4)


# ---- subgroups and cosets -------------------------------------------------------------------


@given(subgroups())
def test_a_subgroup_multiplies_as_its_parent(H: eq.FiniteGroup) -> None:
    G, inside = H.parent, H.inclusion
    assert torch.equal(inside[H.table], G.table[inside][:, inside])
    assert inside[0] == G.identity
    assert torch.equal(inside.diff() > 0, torch.ones(H.order - 1, dtype=torch.bool))


@given(groups, st.data())
def test_a_subgroup_is_the_smallest_closed_set_that_holds_its_generators(
    G: eq.FiniteGroup, data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(G.elements), max_size=3))
    closed = {G.identity, *chosen}
    while (more := closed | {G.multiply(g, h) for g in closed for h in closed}) != closed:
        closed = more
    assert set(eq.subgroup(G, chosen).inclusion.tolist()) == closed


@given(subgroups())
def test_equal_subgroups_are_equal_and_can_be_typed_back(H: eq.FiniteGroup) -> None:
    again = eq.subgroup(H.parent, H.inclusion.flip(0).tolist())
    assert again == H and hash(again) == hash(H) and repr(again) == repr(H)
    typed = eval(repr(H), vars(eq).copy())
    assert typed == H
    assert torch.equal(typed.inclusion, H.inclusion)


@given(subgroups())
def test_a_subgroup_acts_as_its_parent(H: eq.FiniteGroup) -> None:
    for name in ("plane", "space", "permutations"):
        whole, part = getattr(H.parent, name), getattr(H, name)
        assert (whole is None) == (part is None)
        if whole is not None:
            assert torch.equal(part, whole[H.inclusion])


def test_subgroups_of_subgroups_and_extremes() -> None:
    assert eq.subgroup(D4, []).order == 1
    assert eq.subgroup(D4, []) == eq.subgroup(D4, [0])
    assert repr(eq.subgroup(D4, [])) == "subgroup(dihedral(4), [])"
    whole = eq.subgroup(D4, D4.elements)
    assert torch.equal(whole.table, D4.table) and whole.parent == D4
    rotations = eq.subgroup(D4, [3])
    assert eq.subgroup(rotations, [2]).inclusion.tolist() == [0, 2]
    assert eq.subgroup(rotations, [2]) != eq.subgroup(D4, [2])


def test_the_numbers_of_subgroups_are_the_known_ones() -> None:
    """10 of D_4, 6 of Q_8, 30 of S_4, 10 of A_4 (of order 1, 2, 2, 2, 3, 3, 3, 3, 4, 12: none of order 6)."""
    for G, count in ((D4, 10), (eq.quaternion(), 6), (S4, 30), (eq.alternating(4), 10)):
        pairs = itertools.combinations_with_replacement(G.elements, 2)
        assert len({eq.subgroup(G, pair) for pair in pairs}) == count  # two elements generate each of them
    pairs = itertools.combinations_with_replacement(eq.alternating(4).elements, 2)
    orders = sorted(H.order for H in {eq.subgroup(eq.alternating(4), pair) for pair in pairs})
    assert orders == [1, 2, 2, 2, 3, 3, 3, 3, 4, 12]


@given(subgroups())
def test_cosets_share_out_the_group(H: eq.FiniteGroup) -> None:
    G, rows = H.parent, eq.cosets(H)
    assert rows.shape == (G.order // H.order, H.order)
    assert torch.equal(rows.flatten().sort().values, torch.arange(G.order))
    assert torch.equal(rows[0], H.inclusion)
    assert torch.equal(rows, G.table[rows[:, 0]][:, H.inclusion])
    assert torch.equal(rows[:, 0], rows.amin(dim=1))


@given(subgroups())
def test_a_subgroup_is_normal_if_left_and_right_cosets_agree(H: eq.FiniteGroup) -> None:
    G = H.parent
    left = {frozenset(G.table[g, H.inclusion].tolist()) for g in G.elements}
    right = {frozenset(G.table[H.inclusion, g].tolist()) for g in G.elements}
    assert eq.is_normal(H) == (left == right)


@pytest.mark.parametrize("function", [eq.cosets, eq.is_normal])
def test_a_group_that_is_no_subgroup_is_refused(function: object) -> None:
    with pytest.raises(ValueError, match=r"takes a subgroup, as in .*dihedral\(4\) is none"):
        function(D4)


def test_elements_of_another_group_are_refused() -> None:
    with pytest.raises(ValueError, match="8 is not an element"):
        eq.subgroup(D4, [8])
    with pytest.raises(TypeError, match="has none"):
        eq.subgroup(eq.symmetric(9), [1])


# ---- semidirect products --------------------------------------------------------------------


@pytest.mark.parametrize("H", [eq.cyclic(1), eq.cyclic(2), eq.cyclic(4), eq.dihedral(1), eq.dihedral(2), D4], ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_symmetries_of_a_wrapped_grid(H: eq.FiniteGroup, n: int) -> None:
    N = eq.translations(n, n)
    G = eq.semidirect_product(N, H)
    assert G.order == n * n * H.order
    V = eq.permutation(G)
    assert torch.equal(V.images[: H.order], eq.pixels(H, n).images)  # (0, h): as `pixels`
    assert torch.equal(V.images[:: H.order], eq.pixels(N, n).images)  # (t, e)
    if n >= 3:
        rolls = [tuple(eq.pixels(N, n).images[t].tolist()) for t in N.generators]
        turns = [tuple(eq.pixels(H, n).images[h].tolist()) for h in H.generators]
        found = eq.permutation_group(rolls + turns)
        assert {*map(tuple, found.permutations.tolist())} == {*map(tuple, V.images.tolist())}


def test_pairs_multiply_as_affine_maps() -> None:
    """(t, h): x ↦ hx + t, with x counted from the middle of the grid, y upwards."""
    n = 5
    N, G = eq.translations(n, n), eq.semidirect_product(eq.translations(n, n), D4)
    rows, columns = torch.arange(n * n) // n, torch.arange(n * n) % n
    points = torch.stack([columns - n // 2, n // 2 - rows], dim=1).double()
    for t, h in itertools.product(N.elements, D4.elements):
        shift = torch.tensor([t % n, -(t // n)], dtype=torch.float64)
        moved = (points @ D4.plane[h].T + shift + n // 2) % n
        place = (2 * (n // 2) - moved[:, 1]) % n * n + moved[:, 0]
        assert torch.equal(place.long(), G.permutations[t * 8 + h])


@pytest.mark.parametrize(("n", "m"), [(2, 3), (4, 3), (1, 4)])
def test_flips_and_half_turns_of_an_oblong_grid(n: int, m: int) -> None:
    assert eq.semidirect_product(eq.translations(n, m), eq.dihedral(2)).order == 4 * n * m
    with pytest.raises(ValueError, match="quarter turn"):
        eq.semidirect_product(eq.translations(n, m), eq.cyclic(4))


def test_known_groups_are_semidirect_products() -> None:
    C = eq.cyclic
    invert = [[0, 1, 2, 3, 4], [0, 4, 3, 2, 1]]
    D5 = eq.semidirect_product(C(5), C(2), invert)
    assert (D5.order, len(D5.classes)) == (10, 4)
    frobenius = eq.semidirect_product(C(5), C(4), [[n * 2**k % 5 for n in range(5)] for k in range(4)])
    assert (frobenius.order, len(frobenius.classes)) == (20, 5)
    nothing = eq.semidirect_product(D4, C(3), [list(range(8))] * 3)
    assert torch.equal(nothing.table, eq.direct_product(D4, C(3)).table)


@given(groups, groups)
def test_factors_of_the_trivial_action(N: eq.FiniteGroup, H: eq.FiniteGroup) -> None:
    if N.order * H.order > 300:
        return
    G = eq.semidirect_product(N, H, [list(N.elements)] * H.order)
    assert torch.equal(G.table, eq.direct_product(N, H).table)


@pytest.mark.parametrize("G", [eq.semidirect_product(eq.translations(3, 3), D4), GROUPS[-3]], ids=lambda G: str(G)[:40])
def test_the_first_factor_is_normal_and_the_second_a_complement(G: eq.FiniteGroup) -> None:
    order = 8 if G.order == 72 else 4
    N, H = eq.subgroup(G, range(0, G.order, order)), eq.subgroup(G, range(order))
    assert (N.order, H.order) == (G.order // order, order)
    assert eq.is_normal(N) and not eq.is_normal(H)
    assert set(N.inclusion.tolist()) & set(H.inclusion.tolist()) == {0}


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([[0, 1, 2]], r"2 elements of cyclic\(2\) and a column for each of the 3 of cyclic\(3\); got shape \(1, 3\)"),
        ([[0, 1, 2], [0, 1, 1]], "φ_1 is no permutation"),
        ([[0, 1, 2], [1, 0, 2]], r"φ_1 is no automorphism of cyclic\(3\)"),
        ([[0, 2, 1], [0, 1, 2]], "Not an action"),
    ],
)
def test_an_action_that_is_none_is_refused(action: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.semidirect_product(eq.cyclic(3), eq.cyclic(2), action)


def test_a_semidirect_product_needs_an_action_and_room() -> None:
    for N, H in ((eq.cyclic(3), eq.cyclic(2)), (eq.translations(3, 3), eq.cyclic(3)), (eq.translations(3, 3), S4)):
        with pytest.raises(ValueError, match="needs action"):
            eq.semidirect_product(N, H)
    with pytest.raises(ValueError, match="more than the 2000"):
        eq.semidirect_product(eq.translations(24, 24), D4)
    with pytest.raises(ValueError, match="no automorphism"):  # the swap of two factors of different order
        eq.semidirect_product(eq.translations(2, 3), eq.cyclic(2), [[0, 1, 2, 3, 4, 5], [0, 2, 1, 4, 3, 5]])


# ---- orbits, stabilizers, colorings ---------------------------------------------------------


@given(actions())
def test_orbits_are_what_the_elements_reach(V: eq.Representation) -> None:
    found = eq.orbits(V)
    assert sorted(x for part in found for x in part) == list(range(V.dim))
    assert [min(part) for part in found] == sorted(min(part) for part in found)
    for part in found:
        for x in part:
            assert set(V.images[:, x].tolist()) == set(part)
            assert eq.orbit(V, x) == part


@given(actions())
def test_orbit_times_stabilizer_is_the_group(V: eq.Representation) -> None:
    for x in range(V.dim):
        H = eq.stabilizer(V, x)
        assert len(eq.orbit(V, x)) * H.order == V.group.order
        assert all(V.images[g, x] == x for g in H.inclusion.tolist())


@given(actions())
def test_orbits_number_the_mean_of_the_fixed_points(V: eq.Representation) -> None:
    assert len(eq.orbits(V)) == round(float(V.character().mean()))


@given(actions())
def test_points_of_one_orbit_have_conjugate_stabilizers(V: eq.Representation) -> None:
    G = V.group
    for g in G.elements:
        H = eq.stabilizer(V, 0)
        moved = G.table[G.table[g, H.inclusion], G.inverse[g]].tolist()
        assert eq.stabilizer(V, int(V.images[g, 0])) == eq.subgroup(G, moved)


def test_orbits_of_a_group_known_by_generators() -> None:
    V = eq.permutation(eq.symmetric(9))
    assert eq.orbits(V) == (tuple(range(9)),)
    assert sorted(map(len, eq.orbits(V * V))) == [9, 72]
    with pytest.raises(TypeError, match="table"):
        eq.stabilizer(V, 0)


@given(actions(), st.integers(1, 3))
def test_colorings_are_moved_point_by_point(V: eq.Representation, colors: int) -> None:
    if colors**V.dim * V.group.order > 20_000:
        return
    C = eq.colorings(V, colors)
    assert C.values.shape == (C.dim, V.dim)
    assert len(C.values.unique(dim=0)) == C.dim
    for g in V.group.elements:
        moved = C.values[C.images[g]]  # row c: the coloring g·c
        assert torch.equal(moved[:, V.images[g]], C.values)
    again = eval(repr(C), vars(eq).copy())
    assert again == C


@given(actions(), st.integers(1, 3))
def test_colorings_are_a_representation_that_counts_by_cycles(V: eq.Representation, colors: int) -> None:
    if colors**V.dim * V.group.order > 20_000:
        return
    C = eq.colorings(V, colors)
    cycles = [len(eq.orbits(eq.permutation(eq.permutation_group([p]), None))) for p in V.images.tolist()]
    assert C.character().long().tolist() == [colors**k for k in cycles]


@pytest.mark.parametrize(
    ("V", "colors", "count"),
    [
        (eq.pixels(D4, 2), 2, 6),
        (eq.pixels(D4, 3), 2, 102),  # OEIS A054247: n × n binary matrices up to turns and flips
        (eq.regular(eq.cyclic(6)), 2, 14),  # OEIS A000031: necklaces
        (on_cosets(eq.subgroup(eq.dihedral(6), [6])), 2, 13),  # OEIS A000029: bracelets
        (eq.permutation(eq.octahedral()), 2, 10),  # faces of the cube
        (eq.permutation(eq.octahedral()), 3, 57),
        (eq.permutation(eq.tetrahedral()), 3, 15),
        (eq.permutation(eq.icosahedral()), 2, 96),  # faces of the dodecahedron
    ],
    ids=str,
)
def test_published_numbers_of_colorings(V: eq.Representation, colors: int, count: int) -> None:
    assert len(eq.orbits(eq.colorings(V, colors))) == count


def test_colorings_are_numbered_in_base_colors() -> None:
    C = eq.colorings(eq.permutation(eq.symmetric(2)), 3)
    assert C.values.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]]
    assert eq.orbits(C) == ((0,), (1, 3), (2, 6), (4,), (5, 7), (8,))


@pytest.mark.parametrize("function", [eq.orbits, lambda V: eq.orbit(V, 0), lambda V: eq.stabilizer(V, 0)])
def test_a_representation_that_permutes_nothing_is_refused(function: object) -> None:
    with pytest.raises(ValueError, match=r"permutes points.*irreps\(cyclic\(4\)\)\[1\] is none"):
        function(eq.irreps(eq.cyclic(4))[1])


def test_points_and_colors_are_checked() -> None:
    V = eq.pixels(D4, 3)
    for function in (eq.orbit, eq.stabilizer):
        with pytest.raises(ValueError, match="9 is not a point"):
            function(V, 9)
        with pytest.raises(ValueError, match=r"0\.5 is not a point"):
            function(V, 0.5)  # type: ignore[operator]
    with pytest.raises(ValueError, match="at least one color; got 0"):
        eq.colorings(V, 0)
    with pytest.raises(ValueError, match=r"9 points have 8\^9 colorings, too many to list for dihedral"):
        eq.colorings(V, 8)
    with pytest.raises(ValueError, match=r"2\^2000 colorings"):  # more than a float holds
        eq.colorings(eq.regular(eq.cyclic(2000)), 2)
    with pytest.raises(ValueError, match=r"at least one color; got 1\.5"):
        eq.colorings(V, 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"entries of action are whole numbers; got 2\.5"):
        eq.semidirect_product(eq.cyclic(3), eq.cyclic(2), [[0, 1, 2], [0, 2.5, 1.5]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"as in subgroup\(G, \[1\]\); got 1"):
        eq.subgroup(D4, 1)  # type: ignore[arg-type]


def test_an_identity_that_is_not_element_0() -> None:
    """C_3 × C_2 with its elements renamed, so that the identity is element 4."""
    G = eq.direct_product(eq.cyclic(3), eq.cyclic(2))
    rename = torch.tensor([4, 0, 3, 1, 5, 2])
    table = torch.empty(6, 6, dtype=torch.long)
    table[rename[:, None], rename] = rename[G.table]
    renamed = eq.FiniteGroup(table)
    H = eq.subgroup(renamed, [int(rename[1])])
    assert renamed.identity == 4 and H.identity == 0 and int(H.inclusion[0]) == 4
    assert torch.equal(eq.cosets(H)[0], H.inclusion)
    assert torch.allclose(eq.induce(eq.irreps(H)[1]).matrix(4), torch.eye(3, dtype=torch.float64))

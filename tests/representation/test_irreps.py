"""Irreducible representations: completeness, types, Schur's lemma, character tables, decomposition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import equibook as eq
from tests.representation.strategies import GROUPS, LARGE, S5, groups, representations

DIMENSION = {"real": 1, "complex": 2, "quaternionic": 4}
INDICATOR = {"real": 1, "complex": 0, "quaternionic": -2}
#: Every group but the largest, and the one of each shape that the constructions may get wrong.
ALL = [
    *GROUPS,
    S5,
    eq.cyclic(30),
    eq.dihedral(12),
    eq.translations(5, 6),
    eq.direct_product(eq.quaternion(), eq.symmetric(3)),
]


@pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])
def test_irreps_are_complete_orthonormal_and_typed(G: eq.FiniteGroup) -> None:
    rhos = eq.irreps(G)
    assert sum(rho.dim**2 // DIMENSION[rho.type] for rho in rhos) == G.order
    characters = torch.stack([rho.character() for rho in rhos])
    gram = characters @ characters.T / G.order
    assert torch.allclose(gram, torch.diag(torch.tensor([DIMENSION[rho.type] for rho in rhos])).double(), atol=1e-9)
    squares = G.table.diagonal()
    for rho in rhos:  # ⟨χ(g²)⟩ is 1, 0, −1 for a complex irreducible; a real one holds 1, 2 or 2 of them
        assert float(rho.character()[squares].mean()) == pytest.approx(INDICATOR[rho.type], abs=1e-9)
    assert torch.allclose(characters[0], torch.ones(G.order).double(), atol=1e-12)
    # The number of real irreducibles is that of the classes of g and g⁻¹ together.
    merged = torch.minimum(G.class_of, G.class_of[G.inverse])
    assert len(rhos) == len(merged.unique())


@pytest.mark.parametrize("G", [*ALL, LARGE], ids=lambda G: str(G)[:40])
def test_irreps_are_orthogonal_homomorphisms_to_round_off(G: eq.FiniteGroup) -> None:
    for rho in eq.irreps(G):
        stack = rho.matrix(G.elements)
        assert torch.allclose(stack @ stack.mT, torch.eye(rho.dim).double(), atol=1e-11)
        for s in G.generators:
            assert torch.allclose(stack @ stack[s], stack[G.table[:, s]], atol=1e-11)


@pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])
def test_schur_the_commutant_is_r_c_or_h(G: eq.FiniteGroup) -> None:
    for rho in eq.irreps(G):
        units = rho.commutant() * rho.dim**0.5  # the first is 1, the others square to −1 and anticommute
        one = torch.eye(rho.dim).double()
        assert units.shape == (DIMENSION[rho.type], rho.dim, rho.dim)
        assert torch.allclose(units[0], one, atol=1e-12)
        for g in G.generators:
            assert torch.allclose(units @ rho.matrix(g), rho.matrix(g) @ units, atol=1e-10)
        for a in range(1, len(units)):
            for b in range(a, len(units)):
                product = units[a] @ units[b] + units[b] @ units[a]
                assert torch.allclose(product, -2 * one if a == b else 0 * one, atol=1e-9)


def by_class(G: eq.FiniteGroup, sizes_and_orders: list[tuple[int, int]]) -> list[torch.Tensor]:
    """The characters of G's irreducibles, as columns over the classes with these sizes and element orders."""

    def order(g: int) -> int:
        n, power = 1, g
        while power != G.identity:
            n, power = n + 1, G.multiply(power, g)
        return n

    found = {(len(c), order(c[0])): c[0] for c in G.classes}
    picked = [found[key] for key in sizes_and_orders]
    return [rho.character()[picked] for rho in eq.irreps(G)]


PHI, PSI = (1 + 5**0.5) / 2, (1 - 5**0.5) / 2
TABLES = {
    "symmetric(3)": ([(1, 1), (3, 2), (2, 3)], [[1, 1, 1], [1, -1, 1], [2, 0, -1]]),
    "symmetric(4)": (
        [(1, 1), (6, 2), (3, 2), (8, 3), (6, 4)],
        [[1, 1, 1, 1, 1], [1, -1, 1, 1, -1], [2, 0, 2, -1, 0], [3, 1, -1, 0, -1], [3, -1, -1, 0, 1]],
    ),
    # two complex characters of A4 are conjugate: their sum is one real irreducible, of complex type
    "alternating(4)": ([(1, 1), (3, 2)], [[1, 1], [2, 2], [3, -1]]),
    "symmetric(5)": (
        [(1, 1), (10, 2), (15, 2), (20, 3), (30, 4), (24, 5), (20, 6)],
        [
            [1, 1, 1, 1, 1, 1, 1],
            [1, -1, 1, 1, -1, 1, -1],
            [4, 2, 0, 1, 0, -1, -1],
            [4, -2, 0, 1, 0, -1, 1],
            [5, 1, 1, -1, -1, 0, 1],
            [5, -1, 1, -1, 1, 0, -1],
            [6, 0, -2, 0, 0, 1, 0],
        ],
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_character_tables(name: str) -> None:
    classes, rows = TABLES[name]
    found = by_class(eval(name, vars(eq).copy()), classes)
    assert sorted([round(float(x), 6) + 0.0 for x in row] for row in found) == sorted(
        [float(x) for x in row] for row in rows
    )


def test_a5_has_golden_characters() -> None:
    G = eq.alternating(5)
    assert [rho.dim for rho in eq.irreps(G)] == [1, 3, 3, 4, 5]
    fives = [c[0] for c in G.classes if len(c) == 12]
    values = sorted(sorted(rho.character()[fives].tolist()) for rho in eq.irreps(G) if rho.dim == 3)
    assert torch.allclose(
        torch.tensor(values), torch.tensor([[PSI, PHI], [PSI, PHI]]).double().to(torch.get_default_dtype())
    )
    three, other = (rho.character()[fives[0]] for rho in eq.irreps(G) if rho.dim == 3)
    assert float(three + other) == pytest.approx(1) and float(three * other) == pytest.approx(-1)


def test_quaternions() -> None:
    rhos = eq.irreps(eq.quaternion())
    assert [(rho.dim, rho.type) for rho in rhos] == [(1, "real")] * 4 + [(4, "quaternionic")]
    assert torch.allclose(rhos[-1].character(), torch.tensor([4.0, -4, 0, 0, 0, 0, 0, 0]).double(), atol=1e-12)


@pytest.mark.parametrize(
    ("G", "expected"),
    [
        (eq.cyclic(1), [(1, "real")]),
        (eq.cyclic(2), [(1, "real")] * 2),
        (eq.cyclic(5), [(1, "real"), (2, "complex"), (2, "complex")]),
        (eq.dihedral(1), [(1, "real")] * 2),
        (eq.dihedral(2), [(1, "real")] * 4),
        (eq.dihedral(4), [(1, "real")] * 2 + [(2, "real")] + [(1, "real")] * 2),
        (eq.translations(2, 2), [(1, "real")] * 4),
        (
            eq.direct_product(eq.quaternion(), eq.cyclic(3)),
            [(1, "real")] * 4 + [(2, "complex")] * 4 + [(4, "complex"), (4, "quaternionic")],
        ),
    ],
    ids=lambda x: str(x)[:40],
)
def test_dimensions_and_types(G: eq.FiniteGroup, expected: list[tuple[int, str]]) -> None:
    assert sorted((rho.dim, rho.type) for rho in eq.irreps(G)) == sorted(expected)


@given(groups.flatmap(representations))
def test_decompose_rebuilds_the_representation(V: eq.Representation) -> None:
    G, D = V.group, eq.decompose(V)
    Q = D.basis
    assert torch.allclose(Q.mT @ Q, torch.eye(V.dim).double(), atol=1e-10)
    rebuilt = Q @ D.representation.matrix(G.elements) @ Q.mT
    assert float((rebuilt - V.matrix(G.elements)).abs().max()) < 1e-10
    inner = [float((V.character() * rho.character()).mean()) / DIMENSION[rho.type] for rho in eq.irreps(G)]
    assert list(D.multiplicities) == pytest.approx(inner, abs=1e-9)
    assert sum(m * rho.dim for m, rho in zip(D.multiplicities, eq.irreps(G), strict=True)) == V.dim


@pytest.mark.parametrize("G", [*GROUPS, S5], ids=lambda G: str(G)[:40])
def test_the_regular_representation_holds_each_irreducible_dim_over_type_times(G: eq.FiniteGroup) -> None:
    expected = tuple(rho.dim // DIMENSION[rho.type] for rho in eq.irreps(G))
    assert eq.decompose(eq.regular(G)).multiplicities == expected


@given(groups, st.data())
def test_multiplicities_of_a_hidden_sum_are_found(G: eq.FiniteGroup, data: st.DataObject) -> None:
    """Σ m_i ρ_i, turned by a random orthogonal matrix and passed as bare matrices, is found again."""
    rhos = eq.irreps(G)[:4]
    copies = [data.draw(st.integers(1, 3)) for _ in rhos]
    S = copies[0] * rhos[0]
    for n, rho in zip(copies[1:], rhos[1:], strict=True):
        S = S + n * rho
    turn = torch.linalg.qr(torch.randn(S.dim, S.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[
        0
    ]
    V = eq.representation(G, turn @ S.matrix(G.elements) @ turn.mT)
    assert list(eq.decompose(V).multiplicities[: len(rhos)]) == copies
    assert (V >> S).dim == sum(DIMENSION[rho.type] * n * n for n, rho in zip(copies, rhos, strict=True))


def test_what_decompose_returns_may_be_changed_without_harm() -> None:
    V = eq.regular(eq.cyclic(7))
    eq.decompose(V).basis.zero_()
    eq.irreps(V.group)[1].commutant().zero_()
    assert float(eq.decompose(V).basis.norm()) == pytest.approx(7**0.5)
    assert float(eq.irreps(V.group)[1].commutant().norm()) == pytest.approx(2**0.5)


def test_a_group_of_order_960() -> None:
    rhos = eq.irreps(LARGE)
    assert sum(rho.dim**2 // DIMENSION[rho.type] for rho in rhos) == 960
    assert {rho.type for rho in rhos} == {"real", "complex", "quaternionic"}
    V = rhos[-1] * rhos[1]
    D = eq.decompose(V)
    g = torch.arange(0, 960, 7)
    assert float((D.basis @ D.representation.matrix(g) @ D.basis.mT - V.matrix(g)).abs().max()) < 1e-10


def test_the_basis_of_an_irreducible_does_not_depend_on_the_eigensolver() -> None:
    from equibook.representation.irreps import _canonical_basis

    generator = torch.Generator().manual_seed(0)
    U, _ = torch.linalg.qr(torch.randn(24, 3, dtype=torch.float64, generator=generator))
    turn, _ = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=generator))
    assert (_canonical_basis(U) - _canonical_basis(U @ turn)).abs().max() < 1e-12


@pytest.mark.parametrize("order", [(25, 40), (2, 500)])
def test_large_abelian_groups_have_all_their_irreducibles(order: tuple[int, int]) -> None:
    G = eq.direct_product(eq.cyclic(order[0]), eq.cyclic(order[1]))
    rho = eq.irreps(G)[-1]
    assert sum(r.dim**2 // r.commutant_dim for r in eq.irreps(G)) == 1000
    s = G.generators[-1]
    assert (rho.matrix(G.elements) @ rho.matrix(s) - rho.matrix(G.table[:, s])).abs().max() < 1e-11


@pytest.mark.parametrize(
    "V",
    [
        eq.regular(S5),
        eq.regular(eq.direct_product(eq.quaternion(), eq.symmetric(4))),
        eq.permutation(eq.symmetric(6)) * eq.permutation(eq.symmetric(6)),  # two orbits, of 6 and of 30 points
        eq.pixels(eq.dihedral(4), 5),
        eq.regular(eq.cyclic(7)) + 2 * eq.trivial(eq.cyclic(7)),
    ],
    ids=lambda V: str(V)[:40],
)
def test_permutations_are_decomposed_orbit_by_orbit(V: eq.Representation) -> None:
    D, G = eq.decompose(V), V.group
    Q = D.basis
    assert torch.allclose(Q.mT @ Q, torch.eye(V.dim).double(), atol=1e-12)
    for s in G.generators:
        assert float((Q @ D.representation.matrix(s) @ Q.mT - V.matrix(s)).abs().max()) < 1e-12
    for column in Q.mT:  # none of them mixes two orbits
        assert len({min(eq.orbit(V, x)) for x in column.abs().gt(1e-9).nonzero().flatten().tolist()}) == 1


def test_the_regular_representation_of_a_group_of_order_960() -> None:
    D = eq.decompose(eq.regular(LARGE))
    assert D.multiplicities == tuple(rho.dim // rho.commutant_dim for rho in eq.irreps(LARGE))
    s = LARGE.generators[-1]
    rebuilt = D.basis @ D.representation.matrix(s) @ D.basis.mT
    assert float((rebuilt - eq.regular(LARGE).matrix(s)).abs().max()) < 1e-10


def test_a_sum_is_decomposed_term_by_term() -> None:
    G = eq.symmetric(4)
    three = eq.irreps(G)[3]
    V = 2 * eq.permutation(G) + three * three + three
    D = eq.decompose(V)
    assert D.multiplicities == (3, 0, 1, 4, 1)
    Q = D.basis
    for g in G.elements:
        assert float((Q @ D.representation.matrix(g) @ Q.mT - V.matrix(g)).abs().max()) < 1e-12
    rows = torch.tensor([0] * 4 + [1] * 4 + [2] * 9 + [3] * 3)  # which term a coordinate belongs to
    for column in Q.mT:
        assert len(rows[column.abs() > 1e-9].unique()) == 1


@given(groups, st.data())
def test_equal_representations_in_other_clothes_decompose_alike(G: eq.FiniteGroup, data: st.DataObject) -> None:
    """By orbits, and by averaging once the permutation is hidden in matrices."""
    choices = [V for V in (eq.regular(G), eq.permutation(G, G.table), eq.regular(G) + eq.trivial(G)) if V.dim <= 40]
    if choices:
        V = data.draw(st.sampled_from(choices))
        hidden = eq.representation(G, V.matrix(G.elements))
        assert eq.decompose(V).multiplicities == eq.decompose(hidden).multiplicities
        assert (V >> hidden).dim == (V >> V).dim
        A = eq.decompose(V).basis @ eq.decompose(hidden).basis.mT
        assert float((V >> hidden).distance(A.mT)) < 1e-9


@pytest.mark.parametrize("dim", [20, 40, 107, 158])
def test_many_copies_are_found_to_round_off(dim: int) -> None:
    """The sizes at which cos(k²√2), the draw of an earlier version, made matrices that were all but singular."""
    G = eq.cyclic(2)
    Q = torch.linalg.qr(torch.randn(dim, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q
    sign = torch.ones(dim, dtype=torch.float64)
    sign[dim // 2 :] = -1
    V = eq.representation(G, {1: Q @ sign.diag() @ Q.mT})
    D = eq.decompose(V)
    assert float((D.basis @ D.representation.matrix(1) @ D.basis.mT - V.matrix(1)).abs().max()) < 1e-12
    assert float((D.basis.mT @ D.basis - torch.eye(dim)).abs().max()) < 1e-12


def test_a_plane_on_which_some_elements_act_alike() -> None:
    """S_3 × C_2 turns the plane as S_3; its irreducibles are more than those that the plane shows."""
    G = eq.direct_product(eq.dihedral(3), eq.cyclic(2))
    plane = eq.dihedral(3).plane
    assert plane is not None
    moved = eq.FiniteGroup(G.table, plane=plane.repeat_interleave(2, dim=0))
    assert [(rho.dim, rho.type) for rho in eq.irreps(moved)] == [(rho.dim, rho.type) for rho in eq.irreps(G)]


def test_large_cyclic_groups_take_no_minute() -> None:
    """The characters on all powers of all elements would be 8 GB."""
    T = eq.character_table(eq.FiniteGroup(eq.cyclic(499).table))
    gram = T.values @ T.values.mH / 499
    assert float((gram - torch.eye(499)).abs().max()) < 1e-10

"""Representations: homomorphism, orthogonality, characters, the algebra, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import equibook as eq
from tests.representation.strategies import GROUPS, LARGE, S5, atoms, groups, representations

C4, D4, S3 = eq.cyclic(4), eq.dihedral(4), eq.symmetric(3)


@given(groups.flatmap(representations), st.data())
def test_matrices_are_an_orthogonal_homomorphism(V: eq.Representation, data: st.DataObject) -> None:
    G = V.group
    g, h = (data.draw(st.sampled_from(G.elements)) for _ in range(2))
    assert torch.allclose(V.matrix(g) @ V.matrix(h), V.matrix(G.multiply(g, h)), atol=1e-12)
    assert torch.allclose(V.matrix(g) @ V.matrix(g).mT, torch.eye(V.dim).double(), atol=1e-12)
    assert torch.allclose(V.matrix(int(G.inverse[g])), V.matrix(g).mT, atol=1e-12)
    assert torch.allclose(V.matrix(G.identity), torch.eye(V.dim).double(), atol=1e-12)
    assert torch.equal(V.matrix([g, h]), torch.stack([V.matrix(g), V.matrix(h)]))


@given(groups.flatmap(representations))
def test_character_images_and_summands_agree_with_the_matrices(V: eq.Representation) -> None:
    stack = V.matrix(V.group.elements)
    assert stack.dtype == torch.float64
    assert stack.shape == (V.group.order, V.dim, V.dim)
    assert torch.allclose(V.character(), stack.diagonal(dim1=1, dim2=2).sum(1), atol=1e-10)
    assert sum(n * atom.dim for atom, n in V.summands) == V.dim
    if V.images is not None:
        columns = torch.arange(V.dim)
        assert all(bool((stack[g][V.images[g], columns] == 1).all()) for g in V.group.elements)
        assert torch.equal(stack.sum(1), torch.ones(V.group.order, V.dim).double())


@given(groups.flatmap(lambda G: st.tuples(representations(G, 8), representations(G, 8))), st.data())
def test_sum_copies_product_and_dual(pair: tuple[eq.Representation, ...], data: st.DataObject) -> None:
    V, W = pair
    g = data.draw(st.sampled_from(V.group.elements))
    a, b = V.matrix(g), W.matrix(g)
    assert torch.allclose((V + W).matrix(g), torch.block_diag(a, b), atol=1e-14)
    assert torch.allclose((3 * V).matrix(g), torch.block_diag(a, a, a), atol=1e-14)
    assert torch.allclose((V * W).matrix(g), torch.kron(a, b), atol=1e-13)
    assert torch.allclose(V.T.matrix(g), a.inverse().mT, atol=1e-12)
    assert torch.allclose((V * W).character(), V.character() * W.character(), atol=1e-12)


@given(groups.flatmap(representations))
def test_repr_can_be_typed_back_and_equality_is_by_value(V: eq.Representation) -> None:
    again = eval(repr(V), vars(eq).copy())
    assert again == V
    assert hash(again) == hash(V)
    assert torch.equal(again.matrix(V.group.elements), V.matrix(V.group.elements))


@pytest.mark.parametrize("n", [2, 3])
def test_repr_keeps_the_brackets(n: int) -> None:
    V, W = eq.regular(C4), eq.trivial(C4)
    for X in ((V + W) * V, n * (V * V), n * (V + W), V * (n * V), (n * V) * (V + n * W)):
        assert eval(repr(X), vars(eq).copy()) == X


@pytest.mark.parametrize("G", [G for G in GROUPS if G.order > 2], ids=lambda G: str(G)[:40])
def test_different_representations_differ(G: eq.FiniteGroup) -> None:
    V, W = eq.regular(G), eq.trivial(G)
    assert V != W and V + W != W + V and 2 * V != 3 * V
    assert V + V == 2 * V and (V + W) + W == V + 2 * W and W * V == V == V * W
    assert len({str(X) for X in atoms(G)}) == len(set(atoms(G)))


def test_representations_are_not_those_of_another_group() -> None:
    assert eq.trivial(C4) != eq.trivial(D4)
    assert eq.regular(eq.cyclic(6)) != eq.regular(eq.direct_product(eq.cyclic(2), eq.cyclic(3)))


def test_matrices_extend_from_generators() -> None:
    rotation = [[0.0, -1.0], [1.0, 0.0]]
    V = eq.representation(D4, {1: rotation, 4: [[1.0, 0.0], [0.0, -1.0]]})
    assert torch.equal(V.matrix(D4.elements), D4.plane)


def test_a_representation_keeps_its_own_matrices_without_gradient() -> None:
    matrices = torch.tensor([[[1.0]], [[-1.0]]], dtype=torch.float64, requires_grad=True)
    V = eq.representation(eq.cyclic(2), matrices)
    with torch.no_grad():
        matrices.fill_(7.0)
    assert V.matrix(1).item() == -1
    assert not V.matrix(1).requires_grad


@pytest.mark.parametrize("n", [3, 4, 5])
def test_burnside_counts_orbits(n: int) -> None:
    """dim V^G is the number of orbits, the mean number of fixed points: colourings of n beads by 2 colours."""
    D = eq.dihedral(n)
    colourings = torch.cartesian_prod(*[torch.arange(2)] * n)
    weights = 2 ** torch.arange(n).flip(0)
    rows = []
    for g in D.elements:  # bead i of the necklace goes to ± i + k
        bead = (torch.arange(n) * (1 if g < n else -1) + g % n) % n
        moved = torch.empty_like(colourings)
        moved[:, bead] = colourings
        rows.append((moved * weights).sum(1))
    V = eq.permutation(D, torch.stack(rows))
    necklaces = {3: 4, 4: 6, 5: 8}[n]  # OEIS A000029
    assert (V >> eq.trivial(D)).dim == necklaces
    assert (V >> eq.trivial(D)).basis().shape == (necklaces, 1, 2**n)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: eq.regular(C4) + eq.regular(D4), r"different groups, cyclic\(4\) and dihedral\(4\)"),
        (lambda: eq.regular(C4) * eq.regular(D4), "different groups"),
        (lambda: eq.regular(C4) >> eq.regular(D4), "different groups"),
        (lambda: 0 * eq.regular(C4), "at least 1"),
        (lambda: eq.permutation(C4), "not made of permutations: pass images"),
        (lambda: eq.permutation(eq.cyclic(2), [[0, 1]]), "a row for each of the 2 elements"),
        (lambda: eq.permutation(eq.cyclic(2), [[0, 1], [1, 1]]), r"Element 1 is given \[1, 1\]"),
        (
            lambda: eq.permutation(C4, [[0, 1], [1, 0], [1, 0], [0, 1]]),
            r"ρ\(1\)ρ\(1\) differs from ρ\(2\), and 1·1 = 2",
        ),
        (lambda: eq.permutation(eq.cyclic(1), [[1, 0]]), r"ρ\(0\)ρ\(0\) differs"),
        (lambda: eq.representation(C4, torch.ones(3, 1, 1)), r"shape \(4, dim, dim\); got shape \(3, 1, 1\)"),
        (lambda: eq.representation(eq.cyclic(2), {1: [[2.0, 0.0], [0.0, 0.5]]}), r"ρ\(1\) is not orthogonal"),
        (lambda: eq.representation(eq.cyclic(2), [[[1.0]], [[float("nan")]]]), r"ρ\(1\) is not orthogonal"),
        (lambda: eq.representation(eq.cyclic(3), [[[1.0]], [[-1.0]], [[1.0]]]), r"ρ\(2\)ρ\(1\) differs from ρ\(0\)"),
        (lambda: eq.representation(eq.cyclic(1), [[[-1.0]]]), r"ρ\(0\)ρ\(0\) differs"),
        (lambda: eq.representation(C4, {2: [[-1.0]]}), r"\[2\] generate 2 of the 4"),
        (lambda: eq.representation(eq.cyclic(2), {1: [[1.0]], 0: [[-1.0]]}), "contradict each other"),
        (lambda: eq.representation(C4, {}), "No matrices"),
        (lambda: eq.representation(C4, {99: [[1.0]]}), r"99 is not an element of cyclic\(4\)"),
        (lambda: eq.representation(C4, {-3: [[1.0]]}), "-3 is not an element"),
        (lambda: eq.representation(C4, {1: [1.0]}), r"square matrices, shape \(dim, dim\); got shape \(1,\)"),
        (lambda: eq.representation(C4, {1: torch.ones(1, 2)}), r"got shape \(1, 2\)"),
        (lambda: eq.permutation(eq.cyclic(2), [[0, 1], [1.2, 0.3]]), "images of points are whole numbers; got 1.2"),
        (lambda: eq.permutation(eq.cyclic(2), [[], []]), r"a column for each point; got shape \(2, 0\)"),
        (lambda: eq.pixels(eq.cyclic(8), 3), r"cyclic\(8\) does not map a square grid"),
        (lambda: eq.pixels(eq.quaternion(), 3), "does not map a square grid"),
        (lambda: eq.pixels(C4, (2, 3)), "A quarter turn"),
        (lambda: eq.pixels(C4, 0), "at least one pixel"),
        (lambda: eq.pixels(eq.translations(2, 3), 3), "got 3 × 3"),
    ],
)
def test_errors_say_what_was_given(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_other_operands_are_refused() -> None:
    V = eq.regular(S3)
    for make in (lambda: V + 1, lambda: V * 2, lambda: 1.5 * V, lambda: V >> 3):
        with pytest.raises(TypeError):
            make()


@pytest.mark.parametrize("G", [S5, LARGE], ids=str)
def test_large_groups(G: eq.FiniteGroup) -> None:
    V = eq.regular(G)
    g, h = G.order // 3, G.order - 2
    moved = V.images[g][V.images[h]]
    assert torch.equal(moved, V.images[G.multiply(g, h)])
    assert (V >> V).dim == G.order


def test_a_number_is_no_group_and_copies_stand_on_the_left() -> None:
    for make in (eq.trivial, eq.regular, eq.irreps):
        with pytest.raises(TypeError, match=r"takes a group.*got 4"):
            make(4)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Copies stand on the left: 8"):
        eq.regular(eq.cyclic(4)) * 8  # type: ignore[operator]


def test_complex_matrices_are_refused_instead_of_cut() -> None:
    turn = torch.tensor([[1j]])
    for make in (
        lambda: eq.representation(C4, {1: turn}),
        lambda: eq.representation(C4, torch.stack([turn**k for k in range(4)])),
        lambda: eq.orthogonalize(C4, {1: turn}),
    ):
        with pytest.raises(TypeError, match="representations are real"):
            make()


def test_what_is_no_representation_is_refused_by_name() -> None:
    V = eq.regular(C4)
    H = eq.subgroup(C4, [2])
    for name, make in {
        "decompose": lambda: eq.decompose(C4),
        "isotypic_projectors": lambda: eq.isotypic_projectors(C4),
        "restrict": lambda: eq.restrict(C4, H),
        "induce": lambda: eq.induce(H),
        "subrepresentation": lambda: eq.subrepresentation(C4, torch.eye(4)),
        "isomorphism": lambda: eq.isomorphism(V, C4),
        "Hom": lambda: eq.Hom(V, 3),
    }.items():
        with pytest.raises(TypeError, match=f"{name} takes a representation"):
            make()
    for attempt in (lambda: eq.restrict(V, [1]), lambda: eq.pixels(V, 3), lambda: eq.orthogonalize(4, {})):
        with pytest.raises(TypeError, match="takes a group"):
            attempt()

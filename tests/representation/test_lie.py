"""Compact groups: their elements, their measure, their irreducibles, and Hom without averages."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import equibook as eq
from equibook import LieGroup, Representation
from equibook.representation.intertwiners import _clusters, _generic_symmetric
from tests.support import missing

GROUPS = (eq.so2(), eq.o2(), eq.so3(), eq.o3())
groups = st.sampled_from(GROUPS)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def close(a: Tensor, b: Tensor, within: float = 1e-12) -> bool:
    return float((a - b).abs().max()) < within if a.numel() else a.shape == b.shape


@st.composite
def representations(draw: st.DrawFn, G: LieGroup) -> Representation:
    """Sums and products of irreducibles of degrees up to 3, of at most 60 dimensions."""
    choices = [eq.trivial(G), *eq.irreps(G, degree=3)]
    V = draw(st.sampled_from(choices))
    for _ in range(draw(st.integers(0, 3))):
        n, W = draw(st.integers(1, 3)), draw(st.sampled_from(choices))
        grown = V * W if draw(st.booleans()) else V + n * W
        V = grown if grown.dim <= 60 else V
    return V


@given(groups, st.integers(0, 10**6))
def test_elements_are_closed_under_products(G: LieGroup, seed: int) -> None:
    R, S = eq.haar_sample(G, 2, generator=generator(seed))
    assert G.batch(R @ S)[1]
    assert close(R @ R.mT, torch.eye(G.size, dtype=torch.float64))


@given(groups, st.integers(0, 10**6), st.data())
def test_representations_are_homomorphisms(G: LieGroup, seed: int, data: st.DataObject) -> None:
    V = data.draw(representations(G))
    R, S = eq.haar_sample(G, 2, generator=generator(seed))
    assert close(V.matrix(R @ S), V.matrix(R) @ V.matrix(S))
    assert close(V.matrix(R) @ V.matrix(R).mT, torch.eye(V.dim, dtype=torch.float64))
    assert close(V.matrix(torch.stack([R, S]))[1], V.matrix(S))
    assert close(V.character(R), V.matrix(R).trace())
    assert eval(repr(V), vars(eq).copy()) == V


@given(groups, st.integers(0, 10**6), st.data())
def test_the_differential_exponentiates_to_the_representation(G: LieGroup, seed: int, data: st.DataObject) -> None:
    V = data.draw(representations(G))
    X = torch.randn(len(G.algebra), dtype=torch.float64, generator=generator(seed))
    dX = torch.einsum("k,kij->ij", X, V.differential())
    assert close(torch.linalg.matrix_exp(dX), V.matrix(G.exp(X)), 1e-11)
    assert close(dX, -dX.mT)


@given(groups, st.integers(0, 10**6), st.data())
@settings(deadline=None)
def test_decompose_reconstructs(G: LieGroup, seed: int, data: st.DataObject) -> None:
    V = data.draw(representations(G))
    found = eq.decompose(V)
    R = eq.haar_sample(G, 1, generator=generator(seed))[0]
    assert close(found.basis @ found.basis.mT, torch.eye(V.dim, dtype=torch.float64), 1e-10)
    assert close(found.basis @ found.representation.matrix(R) @ found.basis.mT, V.matrix(R), 1e-10)
    listed = eq.irreps(G, degree=12)[: len(found.multiplicities)]
    assert sum(m * rho.dim for m, rho in zip(found.multiplicities, listed, strict=True)) == V.dim


@given(groups, st.integers(0, 10**6), st.data())
@settings(deadline=None)
def test_hom_without_averages(G: LieGroup, seed: int, data: st.DataObject) -> None:
    V, W = data.draw(representations(G)), data.draw(representations(G))
    if V.dim * W.dim > 900:
        return
    H = V >> W
    basis, solved = H.basis(), H.solve()
    assert len(basis) == len(solved) == H.dim
    R = eq.haar_sample(G, 1, generator=generator(seed))[0]
    for maps in (basis, solved):
        assert close(W.matrix(R) @ maps, maps @ V.matrix(R), 1e-10)
        assert close(torch.einsum("aij,bij->ab", maps, maps), torch.eye(H.dim, dtype=torch.float64), 1e-10)
    A = torch.randn(W.dim, V.dim, dtype=torch.float64, generator=generator(seed))
    projected = H.project(A)
    assert close(projected, torch.einsum("k,kij->ij", (basis * A).sum(dim=(1, 2)), basis), 1e-10)
    assert close(projected, torch.einsum("k,kij->ij", (solved * A).sum(dim=(1, 2)), solved), 1e-10)


def test_the_projector_is_the_average_by_the_haar_measure() -> None:
    """A finite subset that is as good as the measure for low degrees: 60 rotations, to degree 5."""
    G = eq.so3()
    points = eq.icosahedral().space
    V, W = eq.irreps(G, 2)[1] + eq.irreps(G, 2)[2], 2 * eq.irreps(G, 2)[1]
    A = torch.randn(W.dim, V.dim, dtype=torch.float64, generator=generator())
    average = (W.matrix(points) @ A @ V.matrix(points).mT).mean(dim=0)
    assert close((V >> W).project(A), average, 1e-11)


@pytest.mark.parametrize("G", GROUPS, ids=str)
def test_irreducibles(G: LieGroup) -> None:
    rhos = eq.irreps(G, degree=4)
    for i, rho in enumerate(rhos):
        assert rho == eq.irreps(G, degree=rho.degree)[i] and (rho >> rho).dim == rho.commutant_dim
        assert close(torch.einsum("aij,bij->ab", rho.commutant(), rho.commutant()), torch.eye(rho.commutant_dim))
        assert float((rho >> rho).distance(rho.commutant()).max()) < 1e-12
        for other in rhos[:i]:
            assert (rho >> other).dim == 0 == len((rho >> other).solve())
    assert {rho.type for rho in rhos} == ({"real", "complex"} if eq.so2() == G else {"real"})
    assert [rho.dim for rho in rhos] == {
        "so2()": [1, 2, 2, 2, 2],
        "o2()": [1, 1, 2, 2, 2, 2],
        "so3()": [1, 3, 5, 7, 9],
        "o3()": [1, 1, 3, 3, 5, 5, 7, 7, 9, 9],
    }[str(G)]


@pytest.mark.parametrize(("a", "b"), [(1, 1), (1, 2), (2, 3), (4, 4)])
def test_clebsch_gordan_series(a: int, b: int) -> None:
    """V_a ⊗ V_b = ⊕ V_l for |a − b| ≤ l ≤ a + b, once each."""
    rhos = eq.irreps(eq.so3(), degree=a + b)
    expected = tuple(int(abs(a - b) <= rho.degree <= a + b) for rho in rhos)
    assert eq.decompose(rhos[a] * rhos[b]).multiplicities == expected
    R = eq.haar_sample(eq.so3(), 1, generator=generator())[0]
    u, v = (torch.randn(rhos[k].dim, dtype=torch.float64, generator=generator(k)) for k in (a, b))
    for rho, m in zip(rhos, expected, strict=True):
        C = eq.clebsch_gordan(rhos[a], rhos[b], rho)
        assert C.shape == (m, rho.dim, rhos[a].dim, rhos[b].dim)
        moved = torch.einsum("kcab,a,b->kc", C, rhos[a].matrix(R) @ u, rhos[b].matrix(R) @ v)
        assert close(moved, torch.einsum("kcab,a,b->kc", C, u, v) @ rho.matrix(R).mT, 1e-11)


def test_the_cross_product_is_the_coupling_of_two_vectors() -> None:
    vector = eq.irreps(eq.so3(), degree=1)[1]
    u, v = torch.randn(2, 3, dtype=torch.float64, generator=generator())
    yzx = [1, 2, 0]  # the basis of degree 1 is (y, z, x)
    C = eq.clebsch_gordan(vector, vector, vector)[0]
    coupled = torch.einsum("cab,a,b->c", C, u[yzx], v[yzx]) * 6**0.5
    cross = torch.linalg.cross(u, v)[yzx]
    assert close(coupled, cross) or close(coupled, -cross)


def test_against_e3nn() -> None:
    try:
        from e3nn import o3
    except ImportError:
        missing("e3nn", "e3nn is not installed")
    for a, b, c in ((1, 1, 2), (1, 2, 1), (2, 2, 3), (2, 3, 4)):
        rhos = eq.irreps(eq.so3(), degree=4)
        ours = eq.clebsch_gordan(rhos[a], rhos[b], rhos[c])[0]
        theirs = o3.wigner_3j(c, a, b, dtype=torch.float64)  # the same basis: (y, z, x) are its (x, y, z)
        assert close(ours, theirs, 1e-10) or close(ours, -theirs, 1e-10)


# ---- the measure -----------------------------------------------------------------------------


@pytest.mark.parametrize("G", GROUPS, ids=str)
def test_haar_samples_are_uniform(G: LieGroup) -> None:
    """The mean of every nontrivial irreducible's matrix is 0: within 5 standard errors, all entries."""
    count = 40_000
    R = eq.haar_sample(G, count, generator=generator(1))
    assert bool((torch.linalg.det(R) > 0).all()) == (len(G.components) == 1)
    for rho in eq.irreps(G, degree=3)[1:]:
        assert float(rho.matrix(R).mean(dim=0).abs().max()) < 5 / (rho.dim * count) ** 0.5


def test_uniform_euler_angles_are_not_uniform() -> None:
    """The same test rejects rotations whose three Euler angles are uniform."""
    G, count = eq.so3(), 40_000
    a, b, c = (torch.rand(3, count, 1, dtype=torch.float64, generator=generator()) * 2 * math.pi).unbind()
    z, y = (torch.tensor(axis, dtype=torch.float64) for axis in ([0, 0, 1], [0, 1, 0]))
    R = G.exp(a * z) @ G.exp(b * y) @ G.exp(c * z)
    rho = eq.irreps(G, degree=2)[2]
    assert float(rho.matrix(R).mean(dim=0).abs().max()) > 50 / (rho.dim * count) ** 0.5


def test_the_angle_of_a_random_rotation() -> None:
    """A rotation's angle has the density (1 − cos θ)/π on [0, π], so its mean is π/2 + 2/π."""
    R = eq.haar_sample(eq.so3(), 40_000, generator=generator())
    angle = ((R.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2).clamp(-1, 1).acos()
    assert abs(float(angle.mean()) - (math.pi / 2 + 2 / math.pi)) < 5 * 0.65 / 200


def test_samples_of_a_finite_group_and_reproducibility() -> None:
    G = eq.dihedral(4)
    drawn = eq.haar_sample(G, 8000, generator=generator())
    assert float((torch.bincount(drawn, minlength=8) - 1000).abs().max()) < 5 * 30
    for H in (G, *GROUPS):
        assert torch.equal(eq.haar_sample(H, 3, generator=generator()), eq.haar_sample(H, 3, generator=generator()))


@pytest.mark.parametrize(
    ("attempt", "error", "message"),
    [
        (lambda: eq.irreps(eq.so2()), TypeError, "infinitely many"),
        (lambda: eq.irreps(eq.cyclic(4), degree=2), TypeError, "takes no degree"),
        (lambda: eq.irreps(eq.so3(), degree=-1), ValueError, "got -1"),
        (lambda: eq.regular(eq.so3()), TypeError, "so3"),
        (lambda: eq.irreps(eq.so3(), 1)[1].matrix(torch.ones(3, 3)), ValueError, "orthogonal"),
        (lambda: eq.irreps(eq.so3(), 1)[1].matrix(-torch.eye(3)), ValueError, "determinant"),
        (lambda: eq.irreps(eq.so3(), 1)[1].matrix(3), ValueError, r"shape \(3, 3\)"),
        (lambda: eq.irreps(eq.so3(), 1)[1].character(), TypeError, "so3"),
        (lambda: eq.so3().exp(torch.zeros(2)), ValueError, "dimension 3"),
        (lambda: eq.regular(eq.cyclic(4)).differential(), TypeError, "no Lie algebra"),
        (lambda: eq.trivial(eq.so2()) >> eq.trivial(eq.o2()), ValueError, "different groups"),
        (lambda: eq.haar_sample(eq.symmetric(9), 2), TypeError, "haar_sample"),
        (lambda: eq.irreps(eq.symmetric(9)), TypeError, "irreps"),
        (lambda: eq.permutation(eq.symmetric(9)).matrix(2), ValueError, "generators 0, …, 1"),
    ],
)
def test_errors_say_what_was_given(attempt: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        attempt()  # type: ignore[operator]


# ---- groups known by their generators -----------------------------------------------------------


def test_ten_points_by_two_generators() -> None:
    V = eq.permutation(eq.symmetric(10))
    T = V * V
    H = T >> T
    assert H.dim == 15 and (V >> V).dim == 2 and (V + eq.trivial(V.group) >> V).dim == 3
    A = torch.randn(100, 100, dtype=torch.float64, generator=generator())
    P = H.project(A)
    for s in V.group.generators:
        assert close(T.matrix(s) @ P, P @ T.matrix(s))
    assert close(H.project(P), P)
    assert eval(repr(T), vars(eq).copy()) == T


@pytest.mark.parametrize("n", [5, 6])
def test_two_generators_know_as_much_as_the_table(n: int) -> None:
    """The same Hom for S_n as a table and as the two permutations that symmetric(n > 6) keeps."""
    from equibook.representation.groups import GeneratedGroup

    points = list(range(n))
    few = GeneratedGroup(torch.tensor([[1, 0, *points[2:]], [*points[1:], 0]]), "few")
    V, U = eq.permutation(eq.symmetric(n)), eq.permutation(few)
    A = torch.randn(n * n, n, dtype=torch.float64, generator=generator())
    assert (V >> V * V).dim == (U >> U * U).dim
    assert close((V >> V * V).project(A), (U >> U * U).project(A))


def test_high_degrees() -> None:
    """The irreducible of degree 10 in a product of 399 dimensions, by Clebsch and Gordan."""
    rho = eq.irreps(eq.so3(), 10)
    C = eq.clebsch_gordan(rho[9], rho[10], rho[10])
    R = eq.haar_sample(eq.so3(), 1, generator=generator())[0]
    moved = torch.einsum("kwcd,ca,db->kwab", C, rho[9].matrix(R), rho[10].matrix(R))
    assert C.shape == (1, 21, 19, 21)
    assert float((torch.einsum("wc,kcab->kwab", rho[10].matrix(R), C) - moved).abs().max()) < 1e-11


def test_the_generic_element_tells_the_weights_apart() -> None:
    """Few unknowns are left: a product of generic matrices would crowd its eigenvalues around 0."""
    rho = eq.irreps(eq.so3(), 8)
    left, right = _generic_symmetric((rho[8] * rho[8])._generating(), rho[8]._generating())
    values = torch.cat([torch.linalg.eigvalsh(left), torch.linalg.eigvalsh(right)])
    label = _clusters(values, 1e-4 * float(values.abs().max()))
    assert 17 <= int((label[:289, None] == label[None, 289:]).sum()) <= 40


def test_coordinates_that_are_whole_numbers() -> None:
    assert torch.equal(eq.so3().exp(torch.tensor([0, 0, 1])), eq.so3().exp([0.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="dimension 3"):
        eq.so3().exp(1.0)
    for count in (-1, 2.5):
        with pytest.raises(ValueError, match="How many samples"):
            eq.haar_sample(eq.so3(), count)  # type: ignore[arg-type]

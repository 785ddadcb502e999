"""Hom_G: dimension, basis, projector, solutions from generators; the numbers that the literature gives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from torch import Tensor

import equibook as eq
from tests.representation.strategies import S5, pairs

Pair = tuple[eq.Representation, eq.Representation]


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)).to(dtype)


def group_average(V: eq.Representation, W: eq.Representation, A: Tensor) -> Tensor:
    """(1/|G|) Σ_g ρ_W(g) A ρ_V(g)⁻¹, as it is written."""
    return sum(W.matrix(g) @ A @ V.matrix(g).mT for g in V.group.elements) / V.group.order


@given(pairs())
def test_the_projector_is_the_group_average_idempotent_and_self_adjoint(pair: Pair) -> None:
    V, W = pair
    H = V >> W
    A, B = draw(2, W.dim, V.dim)
    once = H.project(A)
    assert torch.allclose(once, group_average(V, W, A), atol=1e-11)
    assert torch.allclose(H.project(once), once, atol=1e-11)
    assert float((once * B).sum() - (A * H.project(B)).sum()) == pytest.approx(0, abs=1e-9)
    assert float(H.distance(A)) == pytest.approx(float((A - once).norm()), abs=1e-9)
    assert float(H.distance(once)) < 1e-10


@given(pairs(12))
def test_the_basis_is_orthonormal_equivariant_and_as_long_as_the_characters_say(pair: Pair) -> None:
    V, W = pair
    H = V >> W
    basis = H.basis()
    assert basis.shape == (H.dim, W.dim, V.dim)
    flat = basis.flatten(1)
    assert torch.allclose(flat @ flat.mT, torch.eye(H.dim).double(), atol=1e-10)
    for s in V.group.generators:
        assert torch.allclose(W.matrix(s) @ basis, basis @ V.matrix(s), atol=1e-10)
    A = draw(W.dim, V.dim)
    assert torch.allclose((flat.mT @ (flat @ A.flatten())).view_as(A), H.project(A), atol=1e-10)


@given(pairs(7))
def test_solving_from_generators_alone_gives_the_same_space(pair: Pair) -> None:
    H = pair[0] >> pair[1]
    P, Q = (b.flatten(1).mT @ b.flatten(1) for b in (H.solve(), H.basis()))
    assert torch.allclose(P, Q, atol=1e-8)
    left_over = H.constraints() @ H.basis().flatten(1).mT
    assert torch.allclose(left_over, torch.zeros_like(left_over), atol=1e-10)


def test_random_elements_are_equivariant_and_reproducible() -> None:
    H = eq.regular(S5) >> eq.permutation(S5) * eq.irreps(S5)[2]
    first, again = (H.random(generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first, again)
    assert float(H.distance(first)) < 1e-10


BELL = (1, 1, 2, 5, 15, 52, 203)


@pytest.mark.parametrize(("k", "l"), [(0, 1), (1, 1), (2, 1), (2, 2), (3, 1), (3, 2)])
def test_maps_of_tensors_are_counted_by_bell_numbers(k: int, l: int) -> None:
    """S_n-equivariant maps of order-k to order-l tensors: the partitions of k + l things (n ≥ k + l)."""
    n = max(k + l, 1)
    G = eq.symmetric(n)
    power = [math.prod([eq.permutation(G)] * j, start=eq.trivial(G)) for j in (k, l)]
    assert (power[0] >> power[1]).dim == BELL[k + l]


@pytest.mark.parametrize(("n", "sets", "graphs"), [(1, 1, 1), (2, 2, 8), (3, 2, 14), (4, 2, 15), (5, 2, 15)])
def test_sets_have_2_maps_and_graphs_15(n: int, sets: int, graphs: int) -> None:
    V = eq.permutation(eq.symmetric(n))
    assert (V >> V).dim == sets == len((V >> V).basis())
    assert (V * V >> V * V).dim == graphs == len((V * V >> V * V).basis())


@pytest.mark.parametrize(
    ("G", "size", "dim"),
    [(eq.cyclic(4), 3, 36), (eq.cyclic(4), 5, 100), (eq.dihedral(4), 3, 72), (eq.dihedral(4), 5, 200)],
    ids=str,
)
def test_kernel_spaces_of_group_convolutions(G: eq.FiniteGroup, size: int, dim: int) -> None:
    R = eq.regular(G)
    H = eq.pixels(G, size) * R >> R
    assert H.dim == dim == len(H.basis())


@pytest.mark.parametrize(
    ("G", "size", "orbits"),
    [
        (eq.cyclic(1), 3, 9),
        (eq.cyclic(2), 3, 5),
        (eq.cyclic(4), 2, 1),
        (eq.cyclic(4), 3, 3),
        (eq.dihedral(4), 5, 6),
        (eq.dihedral(2), (2, 3), 2),
        (eq.dihedral(1), (3, 2), 4),
        (eq.translations(2, 3), (2, 3), 1),
    ],
    ids=str,
)
def test_invariant_filters_are_the_orbits_of_pixels(G: eq.FiniteGroup, size: object, orbits: int) -> None:
    assert (eq.pixels(G, size) >> eq.trivial(G)).dim == orbits


def test_wrapped_translations_give_the_circulant_maps() -> None:
    V = eq.pixels(eq.translations(3, 4), (3, 4))
    H = V >> V
    assert H.dim == 12
    x, kernel = draw(12), H.project(draw(12, 12))[0]
    spectrum = torch.fft.fft2(kernel.view(3, 4)).conj() * torch.fft.fft2(x.view(3, 4))
    A = H.project(draw(12, 12))
    assert torch.allclose(A @ x, torch.fft.ifft2(spectrum).real.flatten(), atol=1e-12)


def test_zero_hom_and_the_trivial_group() -> None:
    rho, one = eq.irreps(eq.quaternion())[-1], eq.trivial(eq.quaternion())
    H = rho >> 2 * one
    assert H.dim == 0
    assert H.basis().shape == H.solve().shape == (0, 2, 4)
    assert torch.equal(H.project(draw(5, 2, 4)), torch.zeros(5, 2, 4).double())
    V = 3 * eq.trivial(eq.cyclic(1))
    A = draw(3, 3)
    assert torch.allclose((V >> V).project(A), A) and (V >> V).dim == len((V >> V).solve()) == 9


CASES = {
    "orbits": (eq.regular(eq.dihedral(4)), eq.pixels(eq.dihedral(4), 3)),
    "irreducibles": (eq.regular(eq.quaternion()), 2 * eq.irreps(eq.quaternion())[-1]),
    "mixed": (
        eq.regular(eq.cyclic(4)) + 2 * eq.irreps(eq.cyclic(4))[1],
        3 * eq.trivial(eq.cyclic(4)) + eq.irreps(eq.cyclic(4))[1],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_project_keeps_shape_dtype_and_device(
    case: str, device: torch.device, float_dtype: torch.dtype, tolerance: float
) -> None:
    V, W = CASES[case]
    H = V >> W
    exact = draw(2, 3, W.dim, V.dim)
    A = exact.to(device, float_dtype)
    result = H.project(A)
    assert (result.shape, result.dtype, result.device.type) == (A.shape, float_dtype, device.type)
    assert torch.allclose(result.cpu().double(), H.project(exact), atol=10 * tolerance)
    assert torch.allclose(result[1, 2], H.project(A[1, 2]), atol=10 * tolerance)
    assert torch.allclose(H.project(A.mT.contiguous().mT), result, atol=10 * tolerance)
    assert H.distance(A).shape == (2, 3)
    assert H.project(A[:0]).shape == (0, *A.shape[1:])
    assert not torch.equal(result, A)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_project_in_half_precision(dtype: torch.dtype) -> None:
    V, W = CASES["orbits"]
    A = draw(W.dim, V.dim, dtype=dtype)
    assert (V >> W).project(A).dtype == dtype
    assert torch.allclose((V >> W).project(A).double(), (V >> W).project(A.double()), atol=0.05)


@pytest.mark.parametrize("case", CASES)
def test_gradients_flow_through_the_projector(case: str) -> None:
    V, W = CASES[case]
    A = draw(W.dim, V.dim).requires_grad_()
    assert torch.autograd.gradcheck((V >> W).project, A)
    (V >> W).distance(A).square().backward()
    assert torch.allclose(A.grad, 2 * (A - (V >> W).project(A)).detach(), atol=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_project_under_vmap(case: str) -> None:
    V, W = CASES[case]
    A = draw(4, W.dim, V.dim)
    assert torch.allclose(torch.func.vmap((V >> W).project)(A), (V >> W).project(A), atol=1e-12)


def test_two_hundred_dimensions() -> None:
    P, rhos = eq.permutation(S5), eq.irreps(S5)
    V = P * P * P + 15 * P
    W = 8 * (P * P)
    U = 5 * (P * rhos[2]) + 2 * (P * P) + sum_of(rhos[1:], 2)
    for source, target in ((V, W), (V, U), (U, U)):
        A = draw(target.dim, source.dim)
        H = source >> target
        assert source.dim > 190 or target.dim > 190
        assert float(H.distance(H.project(A))) < 1e-9
        s = S5.generators[0]
        assert torch.allclose(target.matrix(s) @ H.project(A), H.project(A) @ source.matrix(s), atol=1e-9)
        # E‖Π A‖² is the dimension for Gaussian A, with standard deviation √(2 dim)
        assert abs(float(H.project(A).square().sum()) - H.dim) < 5 * (2 * H.dim) ** 0.5


def sum_of(rhos: tuple[eq.Representation, ...], n: int) -> eq.Representation:
    total = n * rhos[0]
    for rho in rhos[1:]:
        total = total + n * rho
    return total


def test_a_hundred_dimensions_without_structure() -> None:
    """Dense matrices in a random basis: by characters and by generators alone, one space."""
    V = 2 * eq.regular(eq.symmetric(4)) + 2 * sum_of(eq.irreps(eq.symmetric(4))[1:], 2)
    Q = torch.linalg.qr(draw(V.dim, V.dim)).Q
    hidden = eq.representation(V.group, Q @ V.matrix(V.group.elements) @ Q.mT)
    H = hidden >> hidden
    basis, solved = H.basis(), H.solve()
    assert hidden.dim > 80 and len(basis) == len(solved) == H.dim == (V >> V).dim
    flat = solved.flatten(1)
    assert torch.allclose(flat @ flat.mT, torch.eye(H.dim, dtype=torch.float64), atol=1e-10)
    assert torch.allclose(flat @ basis.flatten(1).mT @ basis.flatten(1), flat, atol=1e-9)


def test_many_different_irreducibles() -> None:
    """The blocks between different irreducibles are zero, and there are many of them."""
    G = eq.dihedral(40)
    V = sum_of(eq.irreps(G), 1)
    H = V >> V
    assert H.dim == len(eq.irreps(G)) == 23
    diagonal = torch.block_diag(*[torch.ones(rho.dim, rho.dim) for rho in eq.irreps(G)]).bool()
    assert float(H.project(draw(V.dim, V.dim))[~diagonal].abs().max()) < 1e-12


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda: (200 * eq.regular(S5) >> eq.regular(S5) * eq.regular(S5)).basis(),
            r"\(2880000, 14400, 24000\) would take [\d,.]+ GB",
        ),
        (lambda: (eq.regular(S5) >> eq.regular(S5)).constraints(), "14400 unknowns would take [\\d,.]+ GB"),
        (lambda: CASES_HOM.project(torch.ones(4, 9)), r"shape \(..., 9, 8\); got \(4, 9\)"),
    ],
)
def test_errors_say_the_size(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


CASES_HOM = CASES["orbits"][0] >> CASES["orbits"][1]


def test_only_floating_point_is_averaged() -> None:
    with pytest.raises(TypeError, match="int64"):
        CASES_HOM.project(torch.ones(9, 8, dtype=torch.long))


def test_hom_compares_by_value_and_can_be_typed_back() -> None:
    V, W = CASES["mixed"]
    assert (V >> W) == (V >> W) and hash(V >> W) == hash(V >> W) and (V >> W) != (W >> V)
    assert eval(repr(V >> W), vars(eq).copy()) == (V >> W)

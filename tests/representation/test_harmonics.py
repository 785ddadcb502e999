"""Harmonics and Wigner matrices: against e3nn and scipy, as homomorphisms, and as derivatives of each other."""

from __future__ import annotations

import importlib.util
import math
import time

import numpy as np
import pytest
import torch
from torch import Tensor

import equibook as eq
from equibook.representation import harmonics
from tests.support import missing

DEGREES = range(9)
F64 = torch.float64


def rotations(count: int, seed: int = 0, dtype: torch.dtype = F64) -> Tensor:
    """Random rotations: unit quaternions, normal before they are normalised."""
    q = torch.randn(count, 4, dtype=F64, generator=torch.Generator().manual_seed(seed))
    w, x, y, z = (q / q.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1).to(dtype)


def points(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, 3, dtype=F64, generator=torch.Generator().manual_seed(seed))


def algebra() -> Tensor:
    """(3, 3, 3): X_i v = e_i × v."""
    one = torch.eye(3, dtype=F64)
    return torch.stack([torch.linalg.cross(axis.expand(3, 3), one).mT for axis in one])


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max())


@pytest.mark.parametrize("l", DEGREES)
def test_wigner_is_an_orthogonal_homomorphism(l: int) -> None:
    R, S = rotations(40), rotations(40, seed=2)
    D = eq.wigner(l, R)
    assert D.shape == (40, 2 * l + 1, 2 * l + 1)
    assert distance(eq.wigner(l, R @ S), D @ eq.wigner(l, S)) < 1e-12
    assert distance(D @ D.mT, torch.eye(2 * l + 1, dtype=F64)) < 1e-12
    assert distance(eq.wigner(l, torch.eye(3, dtype=F64)), torch.eye(2 * l + 1, dtype=F64)) < 1e-14
    assert distance(eq.wigner(l, -R), (-1) ** l * D) < 1e-14


@pytest.mark.parametrize("l", DEGREES)
def test_wigner_turns_the_harmonics(l: int) -> None:
    R, x = rotations(30), points(30)
    turned = eq.spherical_harmonics(l, (R @ x[:, :, None]).squeeze(-1))
    assert distance(turned, (eq.wigner(l, R) @ eq.spherical_harmonics(l, x)[:, :, None]).squeeze(-1)) < 1e-12


@pytest.mark.parametrize("l", DEGREES)
def test_wigner_is_the_exponential_of_the_angular_momentum(l: int) -> None:
    L, X = eq.angular_momentum(l), algebra()
    w = points(30)
    exponential = torch.linalg.matrix_exp(torch.einsum("bi,ijk->bjk", w, L))
    assert distance(exponential, eq.wigner(l, torch.linalg.matrix_exp(torch.einsum("bi,ijk->bjk", w, X)))) < 1e-12
    assert L.dtype == F64 and distance(L, -L.mT) == 0
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        assert distance(L[i] @ L[j] - L[j] @ L[i], L[k]) < 1e-12
    assert distance(-(L @ L).sum(dim=0), l * (l + 1) * torch.eye(2 * l + 1, dtype=F64)) < 1e-12


@pytest.mark.parametrize("l", DEGREES)
def test_the_character_of_a_turn(l: int) -> None:
    angle = torch.linspace(0.1, 3.0, 20, dtype=F64)
    R = torch.linalg.matrix_exp(angle[:, None, None] * algebra()[0])
    expected = torch.sin((l + 0.5) * angle) / torch.sin(angle / 2)
    assert distance(eq.wigner(l, R).diagonal(dim1=1, dim2=2).sum(1), expected) < 1e-12


@pytest.mark.parametrize("l", range(1, 9))
def test_the_coupling_is_an_isometry_that_commutes_with_rotations(l: int) -> None:
    C, R = harmonics._coupling(l), rotations(1)[0]
    assert distance(C.flatten(1) @ C.flatten(1).T, torch.eye(2 * l + 1, dtype=F64)) < 1e-14
    product = torch.kron(eq.wigner(l - 1, R), eq.wigner(1, R))
    assert distance(eq.wigner(l, R) @ C.flatten(1), C.flatten(1) @ product) < 1e-12


def test_harmonics_are_orthonormal_and_degree_one_is_the_vector() -> None:
    x, w = eq.sphere_quadrature(16)
    Y = eq.spherical_harmonics(DEGREES, x)
    assert Y.shape == (len(x), 81)
    assert distance(Y.T @ (w[:, None] * Y), torch.eye(81, dtype=F64)) < 1e-13
    assert distance(eq.spherical_harmonics(1, x), 3**0.5 * x[:, [1, 2, 0]]) < 1e-14
    assert distance(eq.wigner(1, rotations(5)), rotations(5)[:, [1, 2, 0]][:, :, [1, 2, 0]]) == 0


@pytest.mark.parametrize("l", DEGREES)
def test_harmonics_against_e3nn(l: int) -> None:
    if importlib.util.find_spec("e3nn") is None:
        missing("e3nn", "e3nn is not installed")
    o3 = importlib.import_module("e3nn.o3")
    x, R = points(50), rotations(20)
    # e3nn's degree 1 is (x, y, z), ours is (y, z, x): its axes are ours permuted.
    theirs = o3.spherical_harmonics(l, x[:, [1, 2, 0]], normalize=True, normalization="component")
    assert distance(eq.spherical_harmonics(l, x), theirs) < 1e-12
    solid = o3.spherical_harmonics(l, x[:, [1, 2, 0]], normalize=False, normalization="component")
    assert distance(eq.spherical_harmonics(l, x, solid=True), solid) < 1e-12 * float(solid.abs().max())
    default = torch.get_default_dtype()
    torch.set_default_dtype(F64)  # e3nn makes its generators in the default precision
    try:
        turned = o3.Irrep(l, 1).D_from_matrix(R[:, [1, 2, 0]][:, :, [1, 2, 0]])
    finally:
        torch.set_default_dtype(default)
    assert distance(eq.wigner(l, R), turned) < 1e-12


@pytest.mark.parametrize("l", DEGREES)
def test_harmonics_against_scipy(l: int) -> None:
    if importlib.util.find_spec("scipy") is None:
        missing("scipy", "scipy is not installed")
    special = importlib.import_module("scipy.special")
    if not hasattr(special, "sph_harm_y"):
        missing("scipy", "scipy.special.sph_harm_y came with scipy 1.15")
    x = points(50) / points(50).norm(dim=1, keepdim=True)
    polar, around = torch.acos(x[:, 2]).numpy(), torch.atan2(x[:, 1], x[:, 0]).numpy()
    columns = []
    for m in range(-l, l + 1):
        complex_ = math.sqrt(4 * math.pi) * special.sph_harm_y(l, abs(m), polar, around) * (-1) ** m
        columns.append(complex_.real if m == 0 else math.sqrt(2) * (complex_.real if m > 0 else complex_.imag))
    assert distance(eq.spherical_harmonics(l, x), torch.from_numpy(np.stack(columns, 1))) < 1e-12


def test_solid_harmonics_are_harmonic_polynomials() -> None:
    x = points(3)
    for l in range(5):
        Y = lambda v, l=l: eq.spherical_harmonics(l, v, solid=True)  # noqa: E731
        assert distance(Y(2 * x), 2**l * Y(x)) < 1e-12 * 2**l * 30
        laplacian = torch.func.hessian(Y)(x[0]).diagonal(dim1=-2, dim2=-1).sum(-1)
        assert float(laplacian.abs().max()) < 1e-11
    assert eq.spherical_harmonics(2, torch.zeros(3), solid=True).tolist() == [0.0] * 5


def test_the_origin_has_no_direction() -> None:
    x = torch.tensor([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0]], dtype=F64, requires_grad=True)
    Y = eq.spherical_harmonics(range(4), x)
    assert Y[0].tolist() == [1.0] + [0.0] * 15
    (gradient,) = torch.autograd.grad(Y.square().mul(torch.arange(16)).sum(), x)
    assert gradient.isfinite().all() and gradient[0].abs().max() == 0


def test_gradients() -> None:
    x, R = points(3).requires_grad_(), rotations(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: eq.spherical_harmonics(range(5), v), (x,))
    assert torch.autograd.gradcheck(lambda v: eq.spherical_harmonics(4, v, solid=True), (x,))
    assert torch.autograd.gradcheck(lambda r: eq.wigner(4, r), (R,))
    # polynomial in R: at the identity too, where Euler angles have no derivative
    one = torch.eye(3, dtype=F64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda r: eq.wigner(3, r), (one,))
    tangent = torch.func.jvp(lambda r: eq.wigner(3, r), (one.detach(),), (algebra()[1],))[1]
    assert distance(tangent, eq.angular_momentum(3)[1]) < 1e-13


def test_batches_dtypes_devices_and_vmap(device: torch.device, float_dtype: torch.dtype, tolerance: float) -> None:
    R = rotations(6).reshape(2, 3, 3, 3).to(device, float_dtype)
    D = eq.wigner(8, R)
    assert D.shape == (2, 3, 17, 17) and D.dtype == float_dtype and D.device == R.device
    assert distance(D.double().cpu(), eq.wigner(8, rotations(6).reshape(2, 3, 3, 3))) < 5 * tolerance
    x = points(4).to(device, float_dtype)
    Y = eq.spherical_harmonics([8, 1], x)
    assert Y.dtype == float_dtype and Y.device == x.device and Y.shape == (4, 20)
    assert distance(Y[:, 17:], eq.spherical_harmonics(1, x)) == 0
    assert distance(torch.func.vmap(lambda r: eq.wigner(2, r))(R[0]), eq.wigner(2, R[0])) < tolerance
    angle = torch.linspace(0, 6, 5, dtype=float_dtype, device=device)
    assert eq.circular_harmonics(range(4), angle).dtype == float_dtype


def test_circular_harmonics() -> None:
    n = 17
    angle = 2 * torch.pi * torch.arange(n, dtype=F64) / n
    Y = eq.circular_harmonics(range(9), angle)
    assert distance(Y.T @ Y / n, torch.eye(17, dtype=F64)) < 1e-13
    for k in range(1, 5):
        turned = eq.circular_harmonics(k, angle + 0.7)
        c, s = math.cos(0.7 * k), math.sin(0.7 * k)
        R = torch.tensor([[c, -s], [s, c]], dtype=F64)
        assert distance(turned, eq.circular_harmonics(k, angle) @ R.T) < 1e-13
    assert distance(eq.circular_harmonics(3, angle), eq.circular_harmonics(range(4), angle)[:, 5:]) == 0


@pytest.mark.parametrize("degree", [0, 1, 2, 5, 16])
def test_quadrature_is_exact_up_to_its_degree(degree: int) -> None:
    x, w = eq.sphere_quadrature(degree)
    assert len(x) == (degree // 2 + 1) * (degree + 1)
    assert float(w.sum()) == pytest.approx(1, abs=1e-13) and float(w.min()) > 0
    assert distance(x.norm(dim=1), torch.ones(len(x), dtype=F64)) < 1e-14
    means = w @ eq.spherical_harmonics(range(degree + 1), x)
    assert float(means[1:].abs().max() if degree else 0) < 1e-13
    beyond = w @ eq.spherical_harmonics(range(degree + 3), x)
    assert float(beyond[1:].abs().max()) > 1e-3


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"whole number, 0 or more; got -1"):
        eq.wigner(-1, torch.eye(3))
    with pytest.raises(ValueError, match="whole number"):
        eq.spherical_harmonics(1.5, torch.ones(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \(..., 3, 3\)"):
        eq.wigner(1, torch.eye(2))
    with pytest.raises(ValueError, match=r"Matrix \(1,\) of the batch is not orthogonal"):
        eq.wigner(1, torch.stack([torch.eye(3), 2 * torch.eye(3)]))
    with pytest.raises(ValueError, match=r"shape \(..., 3\)"):
        eq.spherical_harmonics(1, torch.ones(2))
    with pytest.raises(ValueError, match="whole number"):
        eq.circular_harmonics([], torch.ones(2))


def test_speed() -> None:
    R = rotations(1000)
    eq.wigner(8, R[:2])
    start = time.perf_counter()
    eq.wigner(8, R)
    assert time.perf_counter() - start < 2


def test_short_and_long_vectors_have_directions_and_nan_stays() -> None:
    for dtype, sizes in ((torch.float32, (1e-30, 1e30)), (F64, (1e-200, 1e200))):
        for size in sizes:
            x = torch.tensor([1.0, 2.0, -2.0], dtype=dtype)
            assert distance(eq.spherical_harmonics(range(4), size * x), eq.spherical_harmonics(range(4), x)) < 1e-5
    assert eq.spherical_harmonics(2, torch.tensor([math.nan, 0.0, 0.0])).isnan().all()


@pytest.mark.parametrize("l", [math.nan, "2", [1, 2], None])
def test_one_degree_is_one_whole_number(l: object) -> None:
    for function in (
        lambda: eq.wigner(l, torch.eye(3)),
        lambda: eq.angular_momentum(l),
        lambda: eq.irreps(eq.so3(), l),
    ):
        if l is not None:
            with pytest.raises(ValueError, match="A degree is a whole number"):
                function()
    with pytest.raises(TypeError, match="is a tensor"):
        eq.spherical_harmonics(1, [1.0, 0.0, 0.0])  # type: ignore[arg-type]

"""Pointwise functions of the values that irreducible features describe: exact, or as good as the samples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import equibook as eq
from tests.layers.cases import COMPACT
from tests.representation.strategies import groups, representations

NAMES = ("relu", "elu", "tanh")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def total(rhos: tuple[eq.Representation, ...] | list[eq.Representation], copies: int = 1) -> eq.Representation:
    return sum((copies * rho for rho in rhos[1:]), start=copies * rhos[0])


def on_the_sphere(G: eq.LieGroup, degree: int, copies: int = 1) -> eq.Representation:
    """The harmonics of the circle or sphere that G turns."""
    rhos = eq.irreps(G, degree)
    if str(G) == "o2()":
        rhos = rhos[:1] + rhos[2:]
    if str(G) == "o3()":
        rhos = tuple(rho for rho in rhos if rho.odd == bool(rho.degree % 2))
    return total(rhos, copies)


@given(st.data(), st.sampled_from(NAMES))
def test_finite_groups_are_exact(data: st.DataObject, name: str) -> None:
    V = data.draw(representations(data.draw(groups), largest=30))
    layer = eq.FourierPointwise(V, name).double()
    x = draw(5, V.dim)
    eq.assert_equivariant(layer, V, V, x)
    assert float((layer(x) - x).norm() / x.norm()) > 1e-3  # it does something


@given(st.data())
def test_the_identity_comes_back(data: st.DataObject) -> None:
    V = data.draw(representations(data.draw(groups), largest=30))
    layer = eq.FourierPointwise(V, lambda x: x).double()
    x = draw(3, V.dim, 2, 2)
    assert torch.allclose(layer(x), x, atol=1e-10)


@pytest.mark.parametrize("G", [eq.cyclic(6), eq.dihedral(4), eq.quaternion(), eq.symmetric(4)], ids=str)
def test_all_coefficients_of_a_function_are_the_function(G: eq.FiniteGroup) -> None:
    """In the Fourier basis of regular(G), the layer is σ on regular(G) with the scale of its samples."""
    found = eq.decompose(eq.regular(G))
    layer = eq.FourierPointwise(found.representation, "tanh").double()
    assert (layer.functions, layer.points) == (1, G.order)
    f = draw(7, G.order)
    coefficients = f @ found.basis
    assert torch.allclose(layer(coefficients) @ found.basis.mT, f.tanh(), atol=1e-12)


@pytest.mark.parametrize("G", [eq.cyclic(4), eq.dihedral(4)], ids=str)
def test_fields(G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype) -> None:
    V = total(eq.irreps(G), 3) + eq.irreps(G)[-1] + eq.pixels(G, 2)
    layer = eq.FourierPointwise(V, "relu").to(device, float_dtype)
    eq.assert_equivariant(layer, V, V, draw(2, V.dim, 3, 3).to(device, float_dtype))


def test_functions_on_cosets_need_fewer_points() -> None:
    G = eq.dihedral(4)
    P = eq.quotient(eq.subgroup(G, [4]))
    rhos = [rho for rho in eq.irreps(G) if (rho >> P).dim]
    V = total(rhos, 2)
    layer = eq.FourierPointwise(V, "relu", on=P).double()
    assert (layer.functions, layer.points) == (2, 4)
    eq.assert_equivariant(layer, V, V, draw(9, V.dim))
    missing = next(rho for rho in eq.irreps(G) if not (rho >> P).dim)
    with pytest.raises(ValueError, match=r"quotient.*no copy of irreps\(dihedral\(4\)\)\[\d\]"):
        eq.FourierPointwise(V + missing, "relu", on=P)
    with pytest.raises(ValueError, match="permutes; got on="):
        eq.FourierPointwise(V, "relu", on=eq.irreps(G)[4])


def test_copies_are_dealt_out_to_as_many_functions_as_it_takes() -> None:
    so3 = eq.so3()
    scalar, vector, tensor = eq.irreps(so3, 2)
    assert eq.FourierPointwise(8 * scalar + 24 * vector + 40 * tensor, samples=6).functions == 8
    assert eq.FourierPointwise(8 * scalar + 8 * vector, samples=6).functions == 8
    assert eq.FourierPointwise(7 * vector, samples=6).functions == 3
    assert eq.FourierPointwise(7 * vector, on="sphere", samples=6).functions == 7
    V = 3 * vector + 2 * scalar + 2 * vector  # out of order, in two summands, and not the same number of each
    layer = eq.FourierPointwise(V, lambda x: x, samples=6).double()
    x = draw(4, V.dim)
    assert torch.allclose(layer(x), x, atol=1e-12)


@pytest.mark.parametrize("on", ["group", "sphere"])
@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_polynomials_are_exact_from_a_number_of_samples_on(G: eq.LieGroup, on: str, device: torch.device) -> None:
    """σ(f) = f² of degree 2 has harmonics up to 4, integrated with those of degree 2: more than 6 points a circle."""
    V = on_the_sphere(G, 2, copies=2) if on == "sphere" else total(eq.irreps(G, 2), 2)
    x = draw(6, V.dim).to(device)
    for samples, exact in ((5, False), (7, True), (8, True)):
        layer = eq.FourierPointwise(V, torch.square, on=on, samples=samples).to(device, torch.float64)
        error = eq.equivariance_error(layer, V, V, x, generator=seeded())
        assert (error < 1e-12) if exact else (error > 1e-3), (samples, error)
        if exact:
            assert eq.local_equivariance_error(layer, V, V, x) < 1e-12


@pytest.mark.parametrize("on", ["group", "sphere"])
@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_the_error_falls_with_the_number_of_samples(G: eq.LieGroup, on: str) -> None:
    V = on_the_sphere(G, 1, copies=4) if on == "sphere" else total(eq.irreps(G, 1), 2)
    x = draw(10, V.dim)
    errors = []
    for samples in (4, 8, 16):
        layer = eq.FourierPointwise(V, "relu", on=on, samples=samples).double()
        errors.append(eq.equivariance_error(layer, V, V, x, generator=seeded()))
    assert errors[0] > 2.5 * errors[1] > 2.5 * 2.5 * errors[2] > 0
    smooth = eq.FourierPointwise(V, "tanh", on=on, samples=16).double()
    assert eq.equivariance_error(smooth, V, V, x, generator=seeded()) < errors[2] / 10


def test_rotations_of_the_grid_are_exact() -> None:
    o2 = eq.o2()
    V = total(eq.irreps(o2, 3), 2)
    layer = eq.FourierPointwise(V, "relu", samples=9).double()
    x = draw(10, V.dim)
    grid = o2.exp(2 * torch.pi * torch.arange(9).double() / 9)
    grid = torch.cat([grid, grid @ o2.components[1]])
    assert eq.equivariance_error(layer, V, V, x, elements=grid) < 1e-12
    assert eq.equivariance_error(layer, V, V, x, elements=o2.exp(torch.pi / 9)) > 1e-2


def test_too_few_samples_or_the_wrong_place_are_refused() -> None:
    so2, o2 = eq.so2(), eq.o2()
    V = eq.irreps(so2, 3)[3]
    with pytest.raises(ValueError, match=r"degree 3 need at least 7 points.*samples=6"):
        eq.FourierPointwise(V, samples=6)
    with pytest.raises(ValueError, match=r"samples=7\.5"):
        eq.FourierPointwise(V, samples=7.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='"group" or the "sphere"; got on=\'circle\''):
        eq.FourierPointwise(V, on="circle")
    with pytest.raises(ValueError, match=r"functions on the sphere has no copy of irreps\(o2\(\), 0\)\[1\]"):
        eq.FourierPointwise(eq.irreps(o2, 0)[1], on="sphere")
    with pytest.raises(TypeError, match="finite"):
        eq.FourierPointwise(eq.regular(eq.cyclic(4)), samples=8)
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        eq.FourierPointwise(V)(torch.zeros(2, 3))


def test_gradients_and_precision() -> None:
    V = 2 * eq.irreps(eq.so3(), 1)[1] + eq.trivial(eq.so3())
    layer = eq.FourierPointwise(V, "tanh").double()
    assert torch.autograd.gradcheck(layer, draw(2, V.dim).requires_grad_())
    exact = eq.FourierPointwise(V, "tanh").double()
    back = eq.FourierPointwise(V, "tanh").double().float().half().double()
    x = draw(4, V.dim)
    assert torch.equal(exact(x), back(x))
    assert not layer.state_dict()


def test_one_wrong_sample_is_found() -> None:
    V = total(eq.irreps(eq.cyclic(5)), 2)
    layer = eq.FourierPointwise(V, "relu").double()
    layer.analysis[2, 1] += 1e-6
    with pytest.raises(AssertionError):
        eq.assert_equivariant(layer, V, V, draw(9, V.dim))

"""Admissible spaces: their projectors, compatibility, and the layout of weights."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from torch import Tensor, nn

import equibook as eq

C4 = eq.cyclic(4)
SCALAR = eq.pixels(C4, 3) >> eq.trivial(C4)
CROSS = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
SKEW = [[1, 1, 0], [1, 0, 1], [0, 1, 0]]
TOLERANCE = 1e-11


def gaussian(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@st.composite
def layer_spaces(draw: st.DrawFn) -> eq.LayerSpace:
    """Random spans in random Hom(V, W), affine or not, with E not empty."""
    G = draw(st.sampled_from([eq.cyclic(2), C4, eq.dihedral(4), eq.symmetric(3)]))
    atoms = [eq.trivial(G), eq.regular(G), *eq.irreps(G)]
    V, W = draw(st.sampled_from(atoms)), draw(st.sampled_from(atoms))
    hom = V >> W
    seed = draw(st.integers(0, 1000))
    ambient = V.dim * W.dim
    free = draw(st.integers(0, min(ambient - 1, 6)))
    spans = gaussian(seed, free, W.dim, V.dim)
    if draw(st.booleans()) and free + hom.dim < ambient:  # then E is more than a point
        spans = torch.cat([spans, hom.basis()])
    origin = hom.project(gaussian(seed + 1, W.dim, V.dim)) if draw(st.booleans()) else None
    return eq.LayerSpace(hom, spans, origin)


@given(layer_spaces(), st.integers(0, 1000))
def test_projectors(layer: eq.LayerSpace, seed: int) -> None:
    A, B = gaussian(seed, 2, *layer.shape)
    tangent = layer.tangent
    for project in (tangent.project, tangent.project_equivariant, tangent.perpendicular):
        torch.testing.assert_close(project(project(A)), project(A), atol=TOLERANCE, rtol=0)  # idempotent
        assert abs((project(A) * B).sum() - (A * project(B)).sum()) < TOLERANCE  # self-adjoint
    # nested: Π_E Π_𝓛 = Π_E = Π_G Π_E, and Π_𝓛 = Π_E + Π_{E^⊥}
    nearest = tangent.project_equivariant(A)
    torch.testing.assert_close(tangent.project_equivariant(tangent.project(A)), nearest, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(layer.hom.project(nearest), nearest, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(nearest + tangent.perpendicular(A), tangent.project(A), atol=TOLERANCE, rtol=0)


@given(layer_spaces(), st.integers(0, 1000))
def test_affine(layer: eq.LayerSpace, seed: int) -> None:
    """For A in 𝓛, Π_E A is in 𝓛 and in Hom_G, and A − Π_E A = Π_{E^⊥} A is orthogonal to TE."""
    A = layer.origin + layer.tangent.project(gaussian(seed, *layer.shape))
    nearest = layer.project_equivariant(A)
    assert layer.hom.distance(nearest) < TOLERANCE
    change = nearest - layer.origin
    torch.testing.assert_close(layer.project(change), change, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(layer.perpendicular(A), A - nearest, atol=TOLERANCE, rtol=0)
    assert abs(layer.distance(A) - layer.perpendicular(A).norm()) < TOLERANCE
    assert layer.equivariant().distance(nearest) < TOLERANCE


@given(layer_spaces())
def test_commutator_is_that_of_the_matrices(layer: eq.LayerSpace) -> None:
    units = torch.eye(layer.shape[0] * layer.shape[1], dtype=torch.float64).unflatten(1, layer.shape)
    admissible, average = layer.project(units).flatten(1), layer.hom.project(units).flatten(1)
    expected = torch.linalg.matrix_norm(admissible @ average - average @ admissible, ord=2)
    assert abs(layer.commutator() - float(expected)) < TOLERANCE
    # compatible ⇔ Π_𝓛 Π_G = Π_E
    both = layer.project(layer.hom.project(units))
    assert layer.is_compatible == torch.allclose(both, layer.tangent.project_equivariant(units), atol=1e-8)


@given(layer_spaces(), st.integers(0, 1000))
def test_precondition(layer: eq.LayerSpace, seed: int) -> None:
    gradient = gaussian(seed, *layer.shape)
    assert layer.parametrization is not None
    coefficients = torch.einsum("pwv,wv->p", layer.parametrization, gradient)
    expected = torch.einsum("pwv,p->wv", layer.parametrization, coefficients)
    torch.testing.assert_close(layer.precondition(gradient), expected, atol=1e-10, rtol=1e-10)


def test_supports() -> None:
    full, cross, skew = (
        eq.LayerSpace(SCALAR, kernel_size=3),
        eq.LayerSpace.from_support(SCALAR, CROSS),
        eq.LayerSpace.from_support(SCALAR, torch.tensor(SKEW)),
    )
    assert [(s.dim, s.equivariant().dim) for s in (full, cross, skew)] == [(9, 3), (5, 2), (5, 1)]
    assert full.commutator() == 0 and cross.commutator() < 1e-15
    assert skew.commutator() == pytest.approx(3**0.5 / 4, abs=1e-14)  # the corner's mean leaves the support
    assert full.is_compatible and cross.is_compatible and not skew.is_compatible
    assert full.is_orthonormal and cross.is_orthonormal and skew.is_orthonormal
    edges = torch.tensor([[0, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0]], dtype=torch.float64).reshape(1, 9)
    A = gaussian(0, 1, 9)
    torch.testing.assert_close(skew.project_equivariant(A), (A * edges).sum() * edges, atol=1e-14, rtol=0)


def test_random_basis_of_the_cross_is_compatible_but_not_orthonormal() -> None:
    units = eq.LayerSpace.from_support(SCALAR, CROSS).parametrization
    assert units is not None
    layer = eq.LayerSpace.from_basis(SCALAR, torch.einsum("ij,jwv->iwv", gaussian(0, 5, 5), units), kernel_size=3)
    assert layer.is_compatible and not layer.is_orthonormal
    assert layer.equivariant().is_orthonormal and layer.equivariant_dim == 2


def test_empty_e() -> None:
    with pytest.raises(ValueError, match=r"E is\s+empty"):
        eq.LayerSpace(SCALAR, torch.eye(9, dtype=torch.float64)[:1, None], torch.eye(9, dtype=torch.float64)[5:6])


def test_no_equivariant_direction() -> None:
    sign = eq.representation(eq.cyclic(2), torch.tensor([[[1.0]], [[-1.0]]], dtype=torch.float64))
    layer = eq.LayerSpace(sign >> eq.trivial(eq.cyclic(2)))
    assert (layer.dim, layer.equivariant_dim) == (1, 0)
    assert layer.distance(torch.ones(1, 1)) == 1
    assert layer.equivariant().project(torch.ones(1, 1)) == 0


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="span only 1 dimensions"):
        eq.LayerSpace.from_basis(SCALAR, torch.ones(2, 1, 9))
    with pytest.raises(ValueError, match=r"shape \(p, 1, 9\)"):
        eq.LayerSpace.from_basis(SCALAR, torch.ones(2, 9))
    with pytest.raises(ValueError, match="support is empty"):
        eq.LayerSpace.from_support(SCALAR, torch.zeros(3, 3))
    with pytest.raises(ValueError, match="support of shape"):
        eq.LayerSpace.from_support(SCALAR, torch.ones(2, 2))
    with pytest.raises(ValueError, match="kernel of size"):
        eq.LayerSpace(SCALAR, kernel_size=2)
    with pytest.raises(ValueError, match="at most 3,000"):
        V = 8 * eq.regular(eq.dihedral(4))
        eq.LayerSpace.from_basis(V >> V, torch.ones(1, 64, 64))
    with pytest.raises(ValueError, match="have shape"):
        eq.LayerSpace(SCALAR).distance(torch.ones(3, 3))
    with pytest.raises(TypeError, match="needs a LayerSpace"):
        eq.AdmissibleSpace({"weight": SCALAR})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="at least one layer"):
        eq.AdmissibleSpace({})


def test_fully_connected_may_be_large(generator: torch.Generator) -> None:
    V = 8 * eq.regular(eq.dihedral(4))
    layer = eq.LayerSpace(V >> V)
    A = torch.randn(64, 64, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(layer.project_equivariant(A), (V >> V).project(A))
    torch.testing.assert_close(layer.perpendicular(A), A - (V >> V).project(A))
    assert layer.is_compatible


def test_layout_of_a_convolution(generator: torch.Generator) -> None:
    """An equivariant weight in the layout of `nn.Conv2d` makes an equivariant convolution, with bias."""
    G = eq.dihedral(4)
    V, W = eq.irreps(G)[-1], eq.regular(G)
    network = nn.Conv2d(3 * V.dim, 2 * W.dim, 3, padding=1).double()
    space = eq.AdmissibleSpace(
        {"weight": eq.LayerSpace(eq.pixels(G, 3) * V >> W, kernel_size=3), "bias": eq.LayerSpace(eq.trivial(G) >> W)}
    )
    A = space.random_equivariant(network, generator)
    A["bias"] = space.layers["bias"].hom.random(generator=generator).repeat(2, 1)[:, 0]
    assert space.distance(A) < 1e-13
    x = torch.randn(2, 3 * V.dim, 5, 5, dtype=torch.float64, generator=generator)
    out = torch.func.functional_call(network, A, (x,))
    for g in G.elements:
        moved = torch.func.functional_call(network, A, (eq.act(3 * V, g, x),))
        torch.testing.assert_close(moved, eq.act(2 * W, g, out))


def test_layout_of_a_linear_layer(generator: torch.Generator) -> None:
    V = eq.regular(C4)
    network = nn.Linear(3 * 4, 2 * 4, bias=False).double()
    space = eq.AdmissibleSpace({"weight": eq.LayerSpace(V >> V)})
    A = space.weights(network)
    expected = (3 * V >> 2 * V).project(A["weight"])
    torch.testing.assert_close(space.project_equivariant(A)["weight"], expected)
    torch.testing.assert_close(space.distance(A), (3 * V >> 2 * V).distance(A["weight"]))


def test_members_and_round_trip(generator: torch.Generator) -> None:
    network, space = _network_and_space()
    A = {name: torch.randn(5, *p.shape, generator=generator) for name, p in network.named_parameters()}
    assert space.members(A) == 5 and space.members({name: p[0] for name, p in A.items()}) is None
    for name in A:
        assert torch.equal(space._weight(name, space._maps(name, A[name])), A[name])
    single = torch.stack([space.distance({name: p[i] for name, p in A.items()}) for i in range(5)])
    torch.testing.assert_close(space.distance(A), single)
    with pytest.raises(ValueError, match="leading member axis"):
        space.members({**A, "4.weight": A["4.weight"][:2]})


def test_random_equivariant_preserves_variance(generator: torch.Generator) -> None:
    network, space = _network_and_space()
    A = space.random_equivariant(network, generator, members=400, gain=2.0)
    assert (space.distance(A) < 1e-5).all()
    for weight in A.values():
        rows = weight.flatten(2).square().sum(-1)
        assert rows.mean() == pytest.approx(4.0, rel=0.05)


def test_perturbation_is_orthogonal_to_e(generator: torch.Generator, device: torch.device) -> None:
    network, space = _network_and_space()
    network = network.double().to(device)
    A = space.random_equivariant(network, generator)
    B = space.perturb(A, 1e-3, generator)
    nearest = space.project_equivariant(B)
    for name in A:
        assert A[name].device.type == device.type
        torch.testing.assert_close(nearest[name], A[name])
    free = 8 * 6 + 10 * 8 * 12
    assert float(space.distance(B)) == pytest.approx(1e-3 * free**0.5, rel=0.15)


def test_network_and_space_must_fit() -> None:
    network, space = _network_and_space()
    with pytest.raises(ValueError, match=r"parameters \['0.bias'\]"):
        space.weights(nn.Sequential(nn.Conv2d(1, 8, 3), *network[1:]))
    with pytest.raises(ValueError, match="no parameters"):
        space.weights(nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"shape \(…, O·1, I·16\)"):
        space.weights(nn.Sequential(*network[:4], nn.Linear(10, 10, bias=False)))
    with pytest.raises(ValueError, match="kernel_size"):
        eq.AdmissibleSpace({"weight": eq.LayerSpace(SCALAR)}).weights(nn.Conv2d(1, 1, 3, bias=False))
    with pytest.raises(ValueError, match="names"):
        space.distance({"0.weight": torch.zeros(8, 1, 3, 3)})
    frozen = nn.Sequential(nn.Conv2d(1, 8, 3), *network[1:])
    frozen[0].bias.requires_grad_(False)
    assert set(space.weights(frozen)) == {"0.weight", "4.weight"}


def test_constants_survive_function_transforms() -> None:
    """What is cached inside `torch.func` or inference mode is usable outside."""
    layer = eq.LayerSpace.from_support(SCALAR, SKEW)

    def size(A: Tensor) -> Tensor:
        return layer.perpendicular(A).square().sum()

    A = gaussian(0, 4, 1, 9)
    inside = torch.func.vmap(torch.func.grad(size))(A)
    torch.testing.assert_close(inside, 2 * layer.perpendicular(A))
    other = eq.LayerSpace.from_support(SCALAR, SKEW)
    with torch.inference_mode():
        other.distance(A)
    other.project_equivariant(A.clone().requires_grad_()).sum().backward()


def _network_and_space() -> tuple[nn.Sequential, eq.AdmissibleSpace]:
    network = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.AvgPool2d(2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(128, 10, bias=False),
    )
    layers = {
        "0.weight": eq.LayerSpace(SCALAR, kernel_size=3),
        "4.weight": eq.LayerSpace(eq.pixels(C4, 4) >> eq.trivial(C4)),
    }
    return network, eq.AdmissibleSpace(layers)

"""Lie derivatives, layer by layer, and turning fields by any angle: on functions where the answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import equibook as eq
from equibook.layers.measuring import Sample, fade
from tests.layers.cases import COMPACT, compact_fibre

SO2, O2, SO3, C4, D4, C8 = eq.so2(), eq.o2(), eq.so3(), eq.cyclic(4), eq.dihedral(4), eq.cyclic(8)
ONE, ARROW = eq.trivial(SO2), eq.irreps(SO2, 1)[1]
VECTOR = eq.irreps(SO3, 1)[1]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def images(channels: int = 1, side: int = 25, width: float = 2.0) -> Tensor:
    """Blurred noise."""
    x = eq.BlurPool2d(channels * eq.trivial(C4), 1, sigma=width)(draw(3, channels, side, side))
    return x / x.std()


def plane(function: str, side: int = 9) -> Tensor:
    """A polynomial of the coordinates (x, y), as an image."""
    step = torch.arange(side).double() - (side - 1) / 2
    y, x = torch.meshgrid(-step, step, indexing="ij")
    return eval(function, {"x": x, "y": y})[None, None]


# ---- any angle -----------------------------------------------------------------------------


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize("G", [C4, D4, eq.dihedral(1)], ids=str)
def test_turning_agrees_with_the_grid(G: eq.FiniteGroup, side: int, device: torch.device) -> None:
    V = eq.irreps(G)[-1] + eq.regular(G)
    x = draw(2, V.dim, side, side).to(device)
    for g in G.elements:
        assert torch.allclose(eq.act_interpolated(V, g, x), eq.act(V, g, x), atol=1e-12)
    on_the_plane = eq.representation(G, G.plane)
    arrows = eq.irreps(O2, 1)[2]
    z = x[:, :2]
    for g in G.elements:
        assert torch.allclose(eq.act_interpolated(arrows, G.plane[g], z), eq.act(on_the_plane, g, z), atol=1e-12)


def test_polynomials_of_degree_two_turn_exactly() -> None:
    """(g·f)(p) = f(g⁻¹p), counter-clockwise: x becomes x cos θ + y sin θ."""
    R = SO2.exp(0.4)
    c, s = math.cos(0.4), math.sin(0.4)
    inner = slice(3, 8)
    for before, after in (("x", f"{c}*x + {s}*y"), ("y", f"{c}*y - {s}*x"), ("x*y", f"({c}*x+{s}*y)*({c}*y-{s}*x)")):
        turned = eq.act_interpolated(ONE, R, plane(before, 11))
        assert torch.allclose(turned[..., inner, inner], plane(after, 11)[..., inner, inner], atol=1e-12)


def test_vectors_turn_exactly_and_fields_turn_their_vectors() -> None:
    R = SO2.exp(1.1)
    v = draw(4, 2)
    assert torch.allclose(eq.act_interpolated(ARROW, R, v), v @ R.mT)
    field = plane("x * 0 + 1").expand(1, 2, -1, -1)
    assert torch.allclose(eq.act_interpolated(ARROW, R, field)[0, :, 4, 4], R.sum(1))


def test_turning_back_comes_back_better_the_smoother_the_image() -> None:
    R = SO2.exp(0.5)
    errors = []
    for width in (1.0, 2.0, 4.0):
        x = fade(images(width=width, side=33))
        back = eq.act_interpolated(ONE, R.mT, eq.act_interpolated(ONE, R, x))
        errors.append(float((back - x).norm() / x.norm()))
    assert errors[0] > 4 * errors[1] > 8 * errors[2] and errors[2] < 5e-3


def test_outside_of_the_image_is_zero() -> None:
    turned = eq.act_interpolated(ONE, SO2.exp(math.pi / 4), torch.ones(1, 1, 15, 15).double())
    assert float(turned[0, 0, 0, 0]) == 0 and float(turned[0, 0, 7, 7]) == pytest.approx(1)


def test_what_does_not_turn_images() -> None:
    with pytest.raises(ValueError, match=r"group of the plane.*got so3\(\)"):
        eq.act_interpolated(eq.trivial(SO3), torch.eye(3), draw(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"got symmetric\(3\)"):
        eq.act_interpolated(eq.trivial(eq.symmetric(3)), 1, draw(1, 1, 4, 4))
    with pytest.raises(ValueError, match=r"got \(1, 3, 4, 4\)"):
        eq.act_interpolated(ARROW, torch.eye(2), draw(1, 3, 4, 4))


# ---- the Lie derivative --------------------------------------------------------------------


@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_of_equivariant_layers_it_is_zero(G: eq.LieGroup, device: torch.device) -> None:
    V = compact_fibre(G)
    W = eq.irreps(G, 2)[-1] + 2 * eq.trivial(G)
    network = nn.Sequential(
        eq.Linear(V, V), eq.NormGate(V), eq.LayerNorm(V), eq.Linear(V, V), eq.NormReLU(V), eq.Linear(V, W)
    ).to(device, torch.float64)
    x = draw(6, V.dim).to(device)
    found = eq.lie_derivative(network, V, W, x)
    assert found.shape == (len(G.algebra), 6, W.dim)
    assert eq.local_equivariance_error(network, V, W, x) < 1e-12


@pytest.mark.parametrize("G", COMPACT, ids=str)
@pytest.mark.parametrize("function", [torch.tanh, torch.square, lambda x: x @ torch.ones(3, 3).to(x)])
def test_it_is_the_derivative_of_turning_back(G: eq.LieGroup, function: object) -> None:
    """Finite differences of t ↦ ρ_W(exp −tX) f(ρ_V(exp tX) x)."""
    V = eq.irreps(G, 1)[-1] + eq.trivial(G) if G.size == 2 else eq.irreps(G, 1)[-1]
    x, t = draw(4, V.dim), 1e-5
    found = eq.lie_derivative(function, V, V, x)
    assert float(found.abs().max()) > 0.1
    for i in range(len(G.algebra)):
        X = torch.zeros(len(G.algebra)).double()

        def turned(t: float, i: int = i, X: Tensor = X) -> Tensor:
            X[i] = t
            R = V.matrix(G.exp(X))
            return function(x @ R.mT) @ R

        assert torch.allclose((turned(t) - turned(-t)) / (2 * t), found[i], atol=1e-8)


def test_by_hand() -> None:
    """f(x, y) = (x², y²) under rotations of the plane: 2(x·−y, y·x) − (−y², x²)."""
    x = torch.tensor([[2.0, 3.0]]).double()
    assert eq.lie_derivative(torch.square, ARROW, ARROW, x).tolist() == [[[-12.0 + 9.0, 12.0 - 4.0]]]


def test_pointwise_functions_of_rotating_features_break_it_and_norms_do_not() -> None:
    x = draw(50, 3)
    for function in (torch.relu, torch.tanh, nn.functional.gelu):
        assert eq.local_equivariance_error(function, VECTOR, VECTOR, x) > 0.1
    assert eq.local_equivariance_error(lambda x: x * x.norm(dim=1, keepdim=True), VECTOR, VECTOR, x) < 1e-12


def test_it_is_linear_in_the_strength_of_what_breaks() -> None:
    x = draw(9, 3)
    equivariant = eq.Linear(VECTOR, VECTOR).double()
    broken = draw(3, 3)
    one = eq.lie_derivative(lambda x: x @ broken, VECTOR, VECTOR, x)
    for strength in (1e-6, 0.1, 1.0, 30.0):
        found = eq.lie_derivative(lambda x, s=strength: equivariant(x) + s * (x @ broken), VECTOR, VECTOR, x)
        assert torch.allclose(found, strength * one, atol=1e-12 * max(1, strength))


def test_of_a_matrix_it_is_the_commutator_and_vanishes_on_the_projection() -> None:
    V = eq.irreps(O2, 2)[3] + eq.irreps(O2, 1)[2]
    A = draw(V.dim, V.dim)
    X = V.differential()[0]
    x = draw(5, V.dim)
    assert torch.allclose(eq.lie_derivative(lambda x: x @ A.mT, V, V, x)[0], x @ (A @ X - X @ A).mT)
    projected = (V >> V).project(A)
    assert eq.local_equivariance_error(lambda x: x @ projected.mT, V, V, x) < 1e-12


def test_a_small_rotation_has_the_error_that_it_predicts() -> None:
    x = draw(20, 2)
    local = eq.local_equivariance_error(torch.tanh, ARROW, ARROW, x)
    small = eq.equivariance_error(torch.tanh, ARROW, ARROW, x, elements=SO2.exp(1e-4))
    assert small / 1e-4 == pytest.approx(local, rel=1e-3)


def test_its_square_is_a_penalty_to_train_with() -> None:
    weight = nn.Parameter(draw(3, 3))
    x = draw(20, 3)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    sizes = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = eq.lie_derivative(lambda x: x @ weight.mT, VECTOR, VECTOR, x).square().mean()
        loss.backward()
        optimizer.step()
        sizes.append(float(loss.detach()))
    assert sizes[-1] < 1e-6 * sizes[0]
    scalar = weight.detach().trace() / 3
    assert torch.allclose(weight.detach(), scalar * torch.eye(3).double(), atol=1e-2)
    assert abs(float(scalar)) > 1e-3


def test_finite_groups_have_none_and_images_need_the_plane() -> None:
    with pytest.raises(TypeError, match="no Lie algebra"):
        eq.lie_derivative(torch.relu, eq.regular(C4), eq.regular(C4), draw(2, 4))
    with pytest.raises(ValueError, match="group of the plane"):
        eq.lie_derivative(torch.relu, VECTOR, VECTOR, draw(2, 3, 4, 4))
    with pytest.raises(ValueError, match="different groups"):
        eq.lie_derivative(torch.relu, VECTOR, ARROW, draw(2, 3))
    with pytest.raises(ValueError, match=r"got \(2, 4\)"):
        eq.lie_derivative(torch.relu, VECTOR, VECTOR, draw(2, 4))


# ---- fields --------------------------------------------------------------------------------


def test_a_field_moves_by_central_differences() -> None:
    """f ↦ dρ(X)f − ∇f · Xx with Xx = (−y, x): exact on polynomials of degree two."""

    def moved(V: eq.Representation, field: Tensor) -> Tensor:
        """What is left of 𝓓f if the target does not move: f takes one pixel after the other."""
        numbers = eq.lie_derivative(lambda z: z[..., 2:-2, 2:-2].flatten(1), V, 25 * V.dim * ONE, field)
        return numbers.view(V.dim, 5, 5)

    for function, expected in (("x", "y"), ("y", "-x"), ("x*y", "y*y-x*x"), ("x*x+y*y", "0*x")):
        assert torch.allclose(moved(ONE, plane(function)), plane(expected)[0, :, 2:-2, 2:-2], atol=1e-12)
    field = torch.cat([plane("x"), plane("y")], dim=1)  # the arrows that point away from the center
    assert torch.allclose(moved(ARROW, field), torch.zeros(()).double(), atol=1e-12)


def test_convolutions_with_round_filters_commute_and_others_do_not() -> None:
    x = images(width=3.0, side=33)
    V = 2 * ONE + ARROW
    steerable = eq.SteerableConv2d(ONE, V, 5, padding=2, generator=torch.Generator().manual_seed(0)).double()
    plain = nn.Conv2d(1, 1, 5, padding=2, bias=False).double()
    with torch.no_grad():
        plain.weight.copy_(draw(1, 1, 5, 5))
    good = eq.local_equivariance_error(steerable, ONE, V, x)
    bad = eq.local_equivariance_error(plain, ONE, ONE, x)
    assert good < 0.05 < 0.3 < bad
    assert eq.equivariance_error(steerable, ONE, V, x, generator=torch.Generator().manual_seed(0)) < 0.01


def test_errors_by_any_angle_of_finite_groups_too() -> None:
    x = images(width=3.0, side=33)
    V = 2 * eq.regular(C8)
    layer = eq.SteerableConv2d(eq.trivial(C8), V, 5, padding=2, generator=torch.Generator().manual_seed(0)).double()
    one = eq.trivial(C8)
    error = eq.equivariance_error(layer, one, V, x)
    assert 1e-6 < error < 0.02
    assert eq.equivariance_error(layer, one, V, x, elements=[0, 2, 4, 6]) < 1e-12  # quarter turns
    eq.assert_equivariant(layer, one, V, x, tolerance=0.02)
    with pytest.raises(AssertionError, match=r"at element [1357] of cyclic\(8\)"):
        eq.assert_equivariant(layer, one, V, x, tolerance=1e-6)
    with pytest.raises(ValueError, match=r"cyclic\(8\) turns pixels.*tolerance=0.05"):
        eq.assert_equivariant(layer, one, V, x)
    pooled = nn.Sequential(layer, eq.GlobalAvgPool2d(V))
    assert eq.equivariance_error(pooled, one, V, x) < 0.02


# ---- layer by layer ------------------------------------------------------------------------


def network() -> nn.Sequential:
    V = 2 * ONE + 2 * ARROW
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        eq.SteerableConv2d(ONE, V, 5, padding=2, generator=generator),
        eq.NormReLU(V),
        eq.SteerableConv2d(V, V, 3, stride=2, padding=1, generator=generator),
        nn.ReLU(),
        eq.GlobalAvgPool2d(V),
    ).double()


def test_the_parts_add_up_to_the_whole() -> None:
    V = 2 * ONE + 2 * ARROW
    x = images(side=25)
    f = network()
    found = eq.equivariance_by_layer(f, ONE, x)
    assert torch.allclose(found.parts.sum(0), eq.lie_derivative(f, ONE, V, fade(x)), atol=1e-12)
    assert found.total == pytest.approx(eq.local_equivariance_error(f, ONE, V, x))
    assert sum(found.errors) >= found.total
    assert found.names[:2] == ("0 SteerableConv2d, padding", "0 SteerableConv2d")
    assert found.kinds == (
        *("padding", "convolution", "nonlinearity"),
        *("padding", "convolution", "sampling", "nonlinearity", "mean"),
    )
    assert max(found.by_kind(), key=found.by_kind().get) == next(iter(found.by_kind())) == "nonlinearity"
    assert found.errors[6] > 5 * found.errors[2]  # ReLU on arrows, and NormReLU on them
    assert "3 ReLU" in str(found) and str(found).splitlines()[-1].startswith("all")


@pytest.mark.parametrize("element", [1, 2, 3])
def test_the_parts_of_one_element_add_up_too(element: int) -> None:
    R = 2 * eq.regular(C4)
    torch.manual_seed(0)
    f = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, stride=2), nn.ReLU(), eq.GroupConv2d(R, R, 3, padding=1), nn.MaxPool2d(2, 2)
    ).double()
    x = draw(2, 1, 15, 15)
    found = eq.equivariance_by_layer(f, eq.trivial(C4), x, [R, None, None, None], element=element)
    whole = f(eq.act(eq.trivial(C4), element, x)) - eq.act(R, element, f(x))
    assert torch.allclose(found.parts.sum(0)[0], whole, atol=1e-12)
    assert found.total == pytest.approx(eq.equivariance_error(f, eq.trivial(C4), R, x, elements=[element]))
    by_name = dict(zip(found.names, found.errors, strict=True))
    assert by_name["0 Conv2d"] > 0.1
    assert max(error for name, error in by_name.items() if name != "0 Conv2d") < 1e-12


def test_what_is_broken_is_what_is_found_on_the_grid() -> None:
    """One culprit at a time: the samples, the padding, the nonlinearity."""
    R, one = eq.regular(C4), eq.trivial(C4)
    rho = eq.irreps(eq.cyclic(4))[1]
    conv = eq.GroupConv2d(one, R, 3).double()
    sampling = nn.Sequential(conv, nn.AvgPool2d(2))
    x = draw(2, 1, 9, 9)  # seven pixels after the convolution: windows of two leave one edge over
    found = eq.equivariance_by_layer(sampling, one, x, element=1)
    assert found.by_kind()["sampling"] > 0.1 > 1e-12 > found.by_kind()["convolution"]
    padding = nn.Sequential(nn.ReflectionPad2d((1, 0, 1, 0)), conv)
    found = eq.equivariance_by_layer(padding, one, x, element=2)
    assert found.by_kind()["padding"] > 0.1 > 1e-12 > found.by_kind()["convolution"]
    lift = eq.GroupConv2d(one, rho, 3).double()
    found = eq.equivariance_by_layer(nn.Sequential(lift, nn.ReLU(), nn.Flatten()), one, x[..., :3, :3], element=1)
    assert found.by_kind()["nonlinearity"] > 0.1 > 1e-12 > found.by_kind()["convolution"]


def test_exactly_equivariant_networks_have_no_parts() -> None:
    V = 2 * VECTOR + eq.trivial(SO3)
    f = nn.Sequential(eq.Linear(V, V), eq.NormGate(V), eq.LayerNorm(V), eq.TensorSquare(V, V)).double()
    assert max(eq.equivariance_by_layer(f, V, draw(5, V.dim)).errors) < 1e-12
    rotation = eq.haar_sample(SO3, 1, generator=torch.Generator().manual_seed(0))[0]
    assert max(eq.equivariance_by_layer(f, V, draw(5, V.dim), element=rotation).errors) < 1e-12
    f.insert(2, nn.ReLU())
    found = eq.equivariance_by_layer(f, V, draw(5, V.dim))
    assert found.errors[2] > 0.05 > 1e-10 > max(found.errors[:2] + found.errors[3:])


def test_blurring_before_sampling_shows_in_the_table() -> None:
    x = images(width=1.5, side=33)
    parts = [
        eq.equivariance_by_layer(nn.Sequential(pool), ONE, x).by_kind()["sampling"]
        for pool in (nn.MaxPool2d(2), eq.BlurPool2d(ONE, 2))
    ]
    assert parts[0] > 1.5 * parts[1]


def test_pooling_over_channels_is_no_sampling() -> None:
    """Files hold several layers: lengths and means over all pixels are not blamed for what a stride does."""
    V = 2 * ONE + 2 * ARROW
    f = nn.Sequential(Sample((2, 2)), eq.BlurPool2d(V, 2), eq.NormPool(V), eq.GlobalAvgPool2d(4 * ONE)).double()
    found = eq.equivariance_by_layer(f, V, draw(2, 6, 13, 13))
    assert found.kinds == ("sampling", "sampling", "nonlinearity", "mean")
    assert "2, 2" in str(f[0])


def test_the_integral_of_the_derivative_bounds_the_error() -> None:
    """‖f(ρ(e^X)v) − ρ(e^X)f(v)‖ ≤ ∫ ‖𝓓_X f(ρ(e^{tX})v)‖ dt."""
    for angle in (0.1, 1.0, 3.0):
        R = SO2.exp(torch.linspace(0, angle, 2001, dtype=torch.float64))
        v = draw(1, 2)
        bound = angle * float(eq.lie_derivative(torch.tanh, ARROW, ARROW, v[0] @ R.mT)[0].norm(dim=1).mean())
        error = float((torch.tanh(v @ R[-1].mT) - torch.tanh(v) @ R[-1].mT).norm())
        assert 0.01 * bound < error <= bound


def test_a_derivative_of_zero_sees_no_reflection() -> None:
    arrows = eq.irreps(O2, 1)[2]
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double()
    assert float(eq.lie_derivative(lambda v: v @ turn.mT, arrows, arrows, draw(5, 2)).abs().max()) < 1e-12
    assert eq.equivariance_error(lambda v: v @ turn.mT, arrows, arrows, draw(5, 2)) == pytest.approx(2)


def test_a_layer_of_unknown_type_is_named() -> None:
    f = nn.Sequential(nn.ReLU(), nn.Linear(3, 5)).double()
    with pytest.raises(ValueError, match=r"Layer 1, Linear.*representations\[1\]"):
        eq.equivariance_by_layer(f, VECTOR, draw(2, 3))
    with pytest.raises(ValueError, match="2 layers have as many"):
        eq.equivariance_by_layer(f, VECTOR, draw(2, 3), [VECTOR])
    with pytest.raises(TypeError, match=r"nn.Sequential of layers; got Linear"):
        eq.equivariance_by_layer(nn.Linear(3, 3), VECTOR, draw(2, 3))  # type: ignore[arg-type]
    eq.equivariance_by_layer(f, VECTOR, draw(2, 3), [None, 5 * eq.trivial(SO3)])


def test_an_error_says_at_which_step() -> None:
    f = nn.Sequential(nn.ReLU(), nn.Unflatten(1, (3, 1))).double()
    with pytest.raises(ValueError) as caught:
        eq.equivariance_by_layer(f, VECTOR, draw(2, 3))
    assert any("'1 Unflatten'" in note for note in caught.value.__notes__)

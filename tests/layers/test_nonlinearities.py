"""Which nonlinearities commute with what, the refusals that follow, pooling, and the norms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import equibook as eq

C4, D4 = eq.cyclic(4), eq.dihedral(4)
SIGN, ROTATION = eq.irreps(C4)[2], eq.irreps(C4)[1]
NAMES = ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus", "tanh")


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
def test_pointwise_commutes_with_permutations(name: str) -> None:
    for G in (D4, eq.symmetric(4)):
        V = eq.regular(G) + (eq.pixels(G, 2) if G is D4 else eq.permutation(G) * eq.permutation(G))
        eq.assert_equivariant(eq.Pointwise(V, name), V, V, draw(6, V.dim))


@pytest.mark.parametrize("V", [SIGN, 2 * SIGN + eq.regular(C4), eq.regular(C4) * SIGN, eq.irreps(D4)[1]], ids=str)
def test_odd_functions_commute_with_signed_permutations(V: eq.Representation) -> None:
    x = draw(6, V.dim)
    for layer in (eq.Pointwise(V, "tanh"), eq.Pointwise(V, torch.sin, odd=True)):
        eq.assert_equivariant(layer, V, V, x)
    assert eq.equivariance_error(torch.relu, V, V, x) > 0.1
    with pytest.raises(ValueError, match="NormReLU"):
        eq.Pointwise(V, "relu")
    with pytest.raises(ValueError, match="does not commute"):
        eq.Pointwise(V, torch.sin)


@pytest.mark.parametrize("name", NAMES)
def test_a_named_function_is_accepted_on_signs_if_and_only_if_it_is_odd(name: str) -> None:
    function = eq.Pointwise(eq.trivial(C4), name)
    if eq.equivariance_error(function, SIGN, SIGN, draw(6, 1)) < 1e-12:
        assert eq.Pointwise(SIGN, name).target == SIGN
    else:
        with pytest.raises(ValueError, match=name):
            eq.Pointwise(SIGN, name)


def test_on_a_rotation_every_function_is_refused_with_the_part_that_fails() -> None:
    D3 = eq.dihedral(3)
    rho = eq.irreps(D3)[2]
    for name in NAMES:
        with pytest.raises(ValueError, match=rf"{name}.*does not commute with irreps\(dihedral\(3\)\)\[2\].*NormReLU"):
            eq.Pointwise(eq.regular(D3) + rho, name)
    with pytest.raises(ValueError, match="up to signs"):
        eq.Pointwise(rho, torch.sin, odd=True)
    assert eq.equivariance_error(torch.tanh, rho, rho, draw(6, 2)) > 1e-2


def test_quarter_turns_of_the_plane_are_signed_permutations() -> None:
    eq.assert_equivariant(eq.Pointwise(ROTATION, "tanh"), ROTATION, ROTATION, draw(6, 2))


def test_pointwise_modules_are_registered() -> None:
    layer = eq.Pointwise(eq.regular(C4), nn.PReLU())
    assert len(list(layer.parameters())) == 1


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'rleu'; known are elu, gelu.*relu"):
        eq.Pointwise(eq.regular(C4), "rleu")


def test_norm_relu_is_its_formula() -> None:
    V = 2 * ROTATION + eq.trivial(C4)
    layer = eq.NormReLU(V).double()
    with torch.no_grad():
        layer.threshold.copy_(torch.tensor([0.5, 1.0, 0.2]))
    x = torch.tensor([[3.0, 4.0, 0.6, 0.0, -1.0]]).double()
    assert torch.allclose(layer(x), torch.tensor([[2.7, 3.6, 0.0, 0.0, -0.8]]).double())


@pytest.mark.parametrize("shape", [(), (3, 3)], ids=["vectors", "fields"])
def test_norm_relu_at_zero(shape: tuple[int, ...], float_dtype: torch.dtype) -> None:
    layer = eq.NormReLU(3 * ROTATION).to(float_dtype)
    x = torch.zeros(2, 6, *shape, dtype=float_dtype, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert float(y.detach().abs().sum()) == 0
    assert x.grad.isfinite().all() and layer.threshold.grad.isfinite().all()


def test_norm_relu_gradients() -> None:
    layer = eq.NormReLU(2 * ROTATION + SIGN).double()
    assert torch.autograd.gradcheck(layer, draw(3, 5).requires_grad_())


def test_group_pool() -> None:
    V = 2 * eq.regular(C4) + eq.trivial(C4)
    x = draw(3, 9)
    largest = eq.GroupPool(V)
    assert largest.target == 3 * eq.trivial(C4)
    assert torch.equal(largest(x), torch.stack([x[:, :4].amax(1), x[:, 4:8].amax(1), x[:, 8]], 1))
    assert torch.equal(eq.GroupPool(V, "mean")(x)[:, 0], x[:, :4].mean(1))


@pytest.mark.parametrize("layer", [eq.GroupPool, eq.SpatialNorm])
def test_layers_that_treat_channels_alike_refuse_the_rest(layer: type) -> None:
    with pytest.raises(
        ValueError, match=rf"{layer.__name__}.*irreps\(cyclic\(4\)\)\[1\] mixes channels.*regular\(cyclic\(4\)\)"
    ):
        layer(eq.regular(C4) + ROTATION)


def test_group_pool_knows_two_ways() -> None:
    with pytest.raises(ValueError, match='"max" or "mean"; got \'sum\''):
        eq.GroupPool(eq.regular(C4), "sum")


@pytest.mark.parametrize(("h", "w"), [(5, 4), (4, 5), (7, 7)])
def test_avg_pool_refuses_windows_that_do_not_tile(h: int, w: int) -> None:
    with pytest.raises(ValueError, match=f"2 pixels do not tile a {h} × {w} image"):
        eq.AvgPool2d(eq.trivial(C4), 2)(torch.randn(1, 1, h, w))
    eq.AvgPool2d(eq.trivial(C4), 1)(torch.randn(1, 1, h, w))


def test_avg_pool_that_is_refused_would_have_broken_the_symmetry() -> None:
    V = eq.trivial(C4)
    assert eq.equivariance_error(lambda x: nn.functional.avg_pool2d(x, 2), V, V, draw(2, 1, 5, 5)) > 0.1


def test_spatial_norm_is_layer_norm_over_the_pixels() -> None:
    x = 3 + 2 * draw(2, 4, 6, 6)
    y = eq.SpatialNorm(eq.regular(C4))(x)
    assert torch.allclose(y, nn.LayerNorm((6, 6), elementwise_affine=False).double()(x))
    assert torch.allclose(y.mean((2, 3)), torch.zeros(2, 4).double(), atol=1e-12)
    assert torch.allclose(y.var((2, 3), unbiased=False), torch.ones(2, 4).double(), atol=1e-4)


def test_global_average_is_the_mean() -> None:
    x = draw(2, 4, 3, 5)
    assert torch.allclose(eq.GlobalAvgPool2d(eq.regular(C4))(x), x.sum((2, 3)) / 15)


def test_a_representation_that_is_a_permutation_in_disguise_is_accepted() -> None:
    swap = eq.representation(eq.cyclic(2), {1: [[0.0, 1.0], [1.0, 0.0]]})
    for V in (eq.irreps(C4)[0], swap):
        eq.assert_equivariant(eq.Pointwise(V, "relu"), V, V, draw(6, V.dim))
        eq.GroupPool(V)


def test_a_callable_that_may_be_odd_is_pointed_to_the_argument() -> None:
    with pytest.raises(ValueError, match="odd=True"):
        eq.Pointwise(SIGN, torch.sin)


def test_a_negative_threshold_leaves_norm_relu_continuous() -> None:
    layer = eq.NormReLU(ROTATION)
    with torch.no_grad():
        layer.threshold.fill_(-1.0)
    near = torch.full((1, 2), 1e-6)
    assert layer(near).norm() < 1e-5
    assert torch.equal(layer(torch.zeros(1, 2)), torch.zeros(1, 2))


@pytest.mark.parametrize(
    "layer",
    [
        eq.Pointwise(eq.regular(C4)),
        eq.NormReLU(ROTATION + ROTATION),
        eq.GroupPool(eq.regular(C4)),
        eq.SpatialNorm(eq.regular(C4)),
        eq.AvgPool2d(eq.regular(C4), 2),
        eq.GlobalAvgPool2d(eq.regular(C4)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_number_of_channels_is_checked(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"got \(2, 3, 4, 4\)"):
        layer(torch.zeros(2, 3, 4, 4))

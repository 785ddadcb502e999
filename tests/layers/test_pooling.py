"""Pooling by maximum and length, blurred sampling, upsampling and dropout."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import equibook as eq
from tests.layers.cases import COMPACT, FIBRES, GRID, compact_fibre, fibres

C4 = eq.cyclic(4)
ONE, ROTATION = eq.trivial(C4), eq.irreps(C4)[1]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", FIBRES)
@pytest.mark.parametrize("G", GRID, ids=str)
def test_every_fibre(G: eq.FiniteGroup, kind: str, device: torch.device, float_dtype: torch.dtype) -> None:
    V = fibres(G, kind)
    layers = [
        (eq.NormMaxPool2d(V, 2), 6),
        (eq.NormMaxPool2d(V, 3), 6),
        (eq.NormPool(V), 4),
        (eq.BlurPool2d(V, 2), 6),
        (eq.BlurPool2d(V, 2), 7),
        (eq.BlurPool2d(V, 3, sigma=0.7), 7),
        (eq.BlurPool2d(V, 3), 8),
        (eq.Upsample2d(V, 2, "nearest"), 3),
        (eq.Upsample2d(V, 3), 4),
        (eq.Upsample2d(V, 2), 5),
    ]
    for layer, side in layers:
        eq.assert_equivariant(layer, V, layer.target, draw(2, V.dim, side, side).to(device, float_dtype))


@pytest.mark.parametrize("G", GRID, ids=str)
@pytest.mark.parametrize(("side", "kernel_size", "stride", "padding"), [(6, 2, None, 0), (7, 3, 2, 1), (5, 3, 1, 1)])
def test_max_pool(
    G: eq.FiniteGroup, side: int, kernel_size: int, stride: int | None, padding: int, device: torch.device
) -> None:
    V = fibres(G, "regular") + eq.pixels(G, 2) + eq.trivial(G)
    layer = eq.MaxPool2d(V, kernel_size, stride, padding)
    x = draw(2, V.dim, side, side).to(device)
    eq.assert_equivariant(layer, V, V, x)
    assert torch.equal(layer(x), nn.functional.max_pool2d(x, kernel_size, stride, padding))


def test_max_pool_refuses_what_would_break_the_symmetry() -> None:
    with pytest.raises(ValueError, match=r"both edges of a side of 6 pixels.*divisible by 2"):
        eq.MaxPool2d(ONE, 3, 2, 1)(torch.zeros(1, 1, 6, 6))
    assert eq.equivariance_error(nn.MaxPool2d(3, 2, 1), ONE, ONE, draw(2, 1, 6, 6)) > 0.1
    with pytest.raises(ValueError, match=r"MaxPool2d.*irreps\(cyclic\(4\)\)\[1\].*NormMaxPool2d"):
        eq.MaxPool2d(ROTATION, 2)
    assert eq.equivariance_error(nn.MaxPool2d(2), ROTATION, ROTATION, draw(2, 2, 6, 6)) > 0.1
    with pytest.raises(ValueError, match="do not tile a 5 × 5"):
        eq.NormMaxPool2d(ROTATION, 2)(torch.zeros(1, 2, 5, 5))
    for layer in (eq.MaxPool2d, eq.NormMaxPool2d):
        with pytest.raises(ValueError, match="at least one pixel"):
            layer(ONE, 0)


def test_the_error_of_group_pool_on_a_compact_group_names_what_there_is() -> None:
    V = eq.irreps(eq.so3(), 1)[1]
    with pytest.raises(ValueError, match=r"GroupPool.*irreps\(so3\(\), 1\)\[1\] mixes.*trivial\(so3\(\)\).*NormPool"):
        eq.GroupPool(V)
    assert eq.GroupPool(3 * eq.trivial(eq.so3()))(torch.ones(1, 3)).tolist() == [[1.0, 1.0, 1.0]]


@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_norm_pool_on_compact_groups(G: eq.LieGroup) -> None:
    V = compact_fibre(G)
    layer = eq.NormPool(V)
    assert layer.target == sum(n for _, n in V.summands) * eq.trivial(G)
    eq.assert_equivariant(layer, V, layer.target, draw(9, V.dim), generator=torch.Generator().manual_seed(0))


def test_norm_max_pool_takes_the_longest_vector() -> None:
    x = torch.zeros(1, 4, 2, 4).double()
    x[0, :2, 1, 0] = torch.tensor([3.0, -4.0])
    x[0, :2, 0, 0] = torch.tensor([4.5, 0.0])  # larger entries, shorter vector
    x[0, 2:, 0, 3] = torch.tensor([0.0, 1.0])
    y = eq.NormMaxPool2d(2 * ROTATION, 2)(x)
    assert y[0, :, 0].mT.tolist() == [[3.0, -4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]


@pytest.mark.parametrize("k", [2, 3])
def test_norm_max_pool_of_positive_scalars_is_max_pool(k: int) -> None:
    x = draw(2, 3, 6, 6).abs()
    assert torch.equal(eq.NormMaxPool2d(3 * ONE, k)(x), nn.functional.max_pool2d(x, k))


@pytest.mark.parametrize("side", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_blur_pool_keeps_constants_and_straight_lines(side: int, stride: int) -> None:
    layer = eq.BlurPool2d(ONE, stride)
    y = layer(torch.full((1, 1, side, side), 3.0).double())
    assert y.shape[-1] == math.ceil(side / stride)
    assert torch.allclose(y, torch.tensor(3.0).double(), atol=1e-12)
    line = torch.arange(side).double() - (side - 1) / 2  # odd about the center, and so is what becomes of it
    z = layer(line.expand(1, 1, side, side))[0, 0, 0]
    assert torch.allclose(z, -z.flip(0), atol=1e-12)
    if side > 10:
        middle = (torch.arange(len(z)) - (len(z) - 1) / 2).double() * stride
        assert torch.allclose(z[len(z) // 2], middle[len(z) // 2], atol=2e-2)


def test_blurring_is_what_makes_sampling_turn_with_the_image() -> None:
    """A shift of the fine grid by one pixel: sampled stripes flicker, blurred ones all but stay."""
    stripes = torch.ones(1, 1, 24, 24).double()
    stripes[..., ::2] = -1
    moved = stripes.roll(1, -1)
    blur = eq.BlurPool2d(ONE, 2)
    assert float((stripes - moved)[..., ::2].abs().max()) == 2
    assert float((blur(stripes) - blur(moved))[..., 2:-2].abs().max()) < 0.05


def test_a_wider_blur_commutes_better_with_rotations_by_any_angle() -> None:
    so2 = eq.so2()
    one = eq.trivial(so2)
    x = eq.BlurPool2d(one, 1, sigma=1.0)(draw(4, 1, 33, 33))
    layers = (lambda x: x[..., ::2, ::2], eq.BlurPool2d(one, 2, 0.7), eq.BlurPool2d(one, 2, 1.4))
    errors = [eq.local_equivariance_error(layer, one, one, x) for layer in layers]
    assert errors[0] > 1.3 * errors[1] > 1.3 * 1.3 * errors[2]


def test_upsampling_is_its_formula() -> None:
    x = torch.tensor([0.0, 4.0]).double().expand(1, 1, 2, 2)
    assert eq.Upsample2d(ONE, 2)(x)[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]
    assert eq.Upsample2d(ONE, 2, "nearest")(x)[0, 0, 0].tolist() == [0.0, 0.0, 4.0, 4.0]


def test_upsampling_that_is_refused_would_have_broken_the_symmetry() -> None:
    with pytest.raises(ValueError, match=r"scale_factor 1.5 .*not lie symmetrically"):
        eq.Upsample2d(ONE, 1.5)  # type: ignore[arg-type]
    assert eq.equivariance_error(nn.Upsample(scale_factor=1.5), ONE, ONE, draw(1, 1, 5, 5)) > 0.1
    with pytest.raises(ValueError, match="got 'bicubic'"):
        eq.Upsample2d(ONE, 2, "bicubic")


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
def test_blur_has_a_width_and_a_stride(sigma: float) -> None:
    with pytest.raises(ValueError, match="positive; got sigma"):
        eq.BlurPool2d(ONE, 2, sigma)
    with pytest.raises(ValueError, match=r"got stride 1\.5"):
        eq.BlurPool2d(ONE, 1.5)  # type: ignore[arg-type]


# ---- dropout -------------------------------------------------------------------------------


def test_dropout_takes_whole_fields_on_whole_images() -> None:
    V = 50 * eq.regular(C4) + 50 * ROTATION
    x = draw(4, V.dim, 3, 3)
    y = eq.FieldDropout(V, 0.25)(x)
    ratio = y / x
    kept = [ratio[:, :200].unflatten(1, (50, 4)).flatten(2), ratio[:, 200:].unflatten(1, (50, 2)).flatten(2)]
    for factors in kept:
        assert torch.allclose(factors.amax(2), factors.amin(2), atol=1e-12)
        values = factors[:, :, 0]
        assert bool(((values == 0) | ((values - 4 / 3).abs() < 1e-12)).all())
        assert 0.6 < float((values > 0).double().mean()) < 0.9
        assert not torch.equal(values[0] > 0, values[1] > 0)  # each sample has a draw of its own


def test_each_draw_of_dropout_is_equivariant(device: torch.device) -> None:
    V = 4 * eq.regular(C4) + 3 * ROTATION
    layer = eq.FieldDropout(V)

    def same_draw(x: Tensor) -> Tensor:
        torch.manual_seed(7)
        return layer(x)

    x = draw(3, V.dim, 4, 4).to(device)
    eq.assert_equivariant(same_draw, V, V, x)
    assert 0 < float((same_draw(x) == 0).double().mean()) < 1

    def by_channel(x: Tensor) -> Tensor:
        torch.manual_seed(7)
        return nn.functional.dropout2d(x)

    assert eq.equivariance_error(by_channel, V, V, x) > 0.1


def test_dropout_in_evaluation_is_the_identity() -> None:
    x = draw(3, 4)
    assert torch.equal(eq.FieldDropout(eq.regular(C4)).eval()(x), x)
    assert torch.equal(eq.FieldDropout(eq.regular(C4), 0.0)(x), x)


@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, math.nan])
def test_dropout_needs_a_probability(p: float) -> None:
    with pytest.raises(ValueError, match="p is a probability"):
        eq.FieldDropout(ONE, p)

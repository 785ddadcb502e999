"""The table of layers, the images it is measured on, and the error of the ruler: on cases where it is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import equibook as eq
from equibook.experiments import exactness
from equibook.experiments.exactness import LAYERS, MOVES, dots, interpolation_error, run, shift, smooth
from equibook.experiments.steerable_digits import render

ONE = eq.trivial(eq.so2())


def test_smooth_images_have_the_spectrum_of_a_gaussian() -> None:
    x = smooth(400, 16, 1.5, seed=3)
    power = torch.fft.fft2(x).abs().square().mean((0, 1))
    k = torch.fft.fftfreq(16, dtype=torch.float64)
    ratio = power[0, 1] / power[0, 3]
    assert float(ratio) == pytest.approx(math.exp(4 * (math.pi * 1.5) ** 2 * float(k[3] ** 2 - k[1] ** 2)), rel=0.25)
    assert torch.equal(smooth(2, 8, 1.0, seed=1), smooth(2, 8, 1.0, seed=1))
    assert not torch.equal(smooth(2, 8, 1.0, seed=1), smooth(2, 8, 1.0, seed=2))


def test_dots_are_functions_that_turn() -> None:
    """A turn by 30° and one more by 60° is a quarter turn; and one value by hand."""
    x = dots(2, 21, 1.5, 30.0)
    assert torch.allclose(dots(2, 21, 1.5, 90.0), dots(2, 21, 1.5).rot90(1, (2, 3)), atol=1e-12)
    assert not torch.allclose(x, dots(2, 21, 1.5), atol=0.1)
    generator = torch.Generator().manual_seed(0)
    places = 21 * (torch.rand(2, 12, 2, dtype=torch.float64, generator=generator) - 0.5) / 2.5
    heights = torch.randn(2, 12, dtype=torch.float64, generator=generator)
    point = torch.tensor([14 - 10.0, 10.0 - 6], dtype=torch.float64)  # row 6, column 14
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    turned = places @ torch.tensor([[c, s], [-s, c]], dtype=torch.float64)
    value = (heights * torch.exp(-(point - turned).square().sum(-1) / (2 * 1.5**2))).sum(1)
    assert torch.allclose(x[:, 0, 6, 14], value, atol=1e-12)


def test_the_ruler_improves_with_the_third_power() -> None:
    errors = [interpolation_error(width, side=97, count=2) for width in (2.0, 4.0)]
    assert 0.05 < 8 * errors[1] / errors[0] <= 1
    assert interpolation_error(2.0, 90.0, count=2) < 1e-12


def test_the_bound_on_the_ruler() -> None:
    """At each pixel at most 6M, where M bounds the third derivatives: e^{-r²/2σ²} has |u'''| ≤ 1.4/σ³."""
    G = eq.so2()
    for width in (1.0, 2.0):
        x, right = dots(4, 41, width), dots(4, 41, width, 20.0)
        heights = torch.randn(4, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        turned = eq.act_interpolated(ONE, G.exp(math.radians(20.0)), x)
        M = 1.4 / width**3 * 12 * float(heights.abs().max() + 3)
        assert float((turned - right).abs().max()) <= 6 * M


@pytest.mark.parametrize("side", [8, 9])
def test_shifts_compose_and_agree_with_roll(side: int) -> None:
    x = torch.randn(2, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shift(x, 2), x.roll(2, -1))
    wave = torch.cos(2 * torch.pi * torch.arange(side, dtype=torch.float64) / side).expand(1, 1, side, side)
    expected = torch.cos(2 * torch.pi * (torch.arange(side, dtype=torch.float64) - 0.5) / side)
    assert torch.allclose(shift(wave, 0.5)[0, 0, 0], expected, atol=1e-12)
    assert torch.allclose(shift(shift(wave, 0.25), 0.75), wave.roll(1, -1), atol=1e-12)


def test_a_stride_loses_what_lies_above_the_new_limit() -> None:
    """‖STx − τSx‖² = 2‖x_high‖²."""
    x = torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    error = (x.roll(1)[::2] - shift(x[::2], 0.5)).square().sum()
    high = torch.fft.fftfreq(30, 1 / 30).abs() > 7.5
    energy = torch.fft.fft(x)[high].abs().square().sum() / 30
    assert float(error) == pytest.approx(2 * float(energy))


@pytest.mark.parametrize("width", [1.0, 3.0])
def test_what_is_exact_is_exact_on_any_images(width: float) -> None:
    result = run(width=width, count=2)
    assert set(result.errors) == set(LAYERS) and all(set(row) == set(MOVES) for row in result.errors.values())
    exact = {
        "turn by 90°": ["group convolution", "  zeros around the image", "ReLU", "every 2nd pixel, side 33"],
        "shift by 1 pixel": ["group convolution", "convolution, any filter", "ReLU", "Upsample2d, nearest"],
        "shift by 2 pixels": ["every 2nd pixel, side 32", "maximum over 2 × 2, side 32"],
    }
    for move, layers in exact.items():
        for layer in layers:
            assert result.verdict(layer, move) == "exact", (layer, move)
    for layer, row in result.errors.items():
        assert result.verdict(layer, "turn by 45°") != "exact", layer
        if layer == "a learned image added":
            assert {result.verdict(layer, move) for move in row} == {"broken"}
    assert result.verdict("every 2nd pixel, side 32", "turn by 90°") == "broken"
    assert result.verdict("  zeros around the image", "shift by 1 pixel") != "exact"


def test_approximate_is_about_the_images() -> None:
    rough, fine = (run(width=w, count=2, layers=("ReLU", "maximum over 2 × 2, side 32")) for w in (1.0, 4.0))
    for layer in rough.errors:
        assert rough.errors[layer]["turn by 45°"] > 3 * fine.errors[layer]["turn by 45°"]
    assert rough.verdict("maximum over 2 × 2, side 32", "turn by 45°") == "broken"
    assert fine.verdict("maximum over 2 × 2, side 32", "turn by 45°") == "approximate"


def test_the_network_to_take_apart() -> None:
    gates, relu = (
        exactness.steerable_network("blur", kind, generator=torch.Generator().manual_seed(0))
        for kind in ("gates", "ReLU")
    )
    x = dots(2, 24, 2.0)
    assert eq.equivariance_error(gates, ONE, 12 * ONE, x, elements=eq.so2().exp(torch.pi / 2)) < 1e-10
    parts = [eq.equivariance_by_layer(net, ONE, x).by_kind()["nonlinearity"] for net in (gates, relu)]
    assert parts[1] > 0.05 > 2 * parts[0]
    assert [type(layer).__name__ for layer in exactness.steerable_network("max")][2] == "NormMaxPool2d"
    assert isinstance(relu[1], nn.ReLU)
    with pytest.raises(ValueError, match="one of blur, max, mean, stride"):
        exactness.steerable_network("median")


@pytest.mark.parametrize("seed", [0, 2])
def test_on_fine_pixels_only_what_breaks_the_plane_remains(seed: int) -> None:
    """ReLU on the components of vectors keeps its part; that of every other step is small."""
    x = render(eq.data.digits(dtype=torch.float64)[0][:3], size=48, pixel=0.25)
    for halving, nonlinearity in (("stride", "gates"), ("max", "gates"), ("blur", "ReLU")):
        net = exactness.steerable_network(halving, nonlinearity, generator=torch.Generator().manual_seed(seed))
        parts = eq.equivariance_by_layer(net, ONE, x).by_kind()
        if nonlinearity == "ReLU":
            assert 0.05 < parts.pop("nonlinearity") < 0.2
        assert max(parts.values()) < 0.02


def test_presets_and_plot() -> None:
    result = run("quick", count=1, layers=("ReLU",))
    assert len(result.plot().axes) == 1
    with pytest.raises(ValueError, match="no preset 'slow'; there are quick, many"):
        run("slow")

"""Every layer, and networks of them, commute with every element of the group, in both precisions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import equibook as eq
from tests.layers.cases import FIBRES, GRID, fibres

PAIRS = [
    ("trivial", "regular"),
    ("regular", "regular"),
    ("regular", "irreps"),
    ("irreps", "mixed"),
    ("mixed", "trivial"),
    ("mixed", "mixed"),
]


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def check(layer: nn.Module, V: eq.Representation, W: eq.Representation, x: Tensor) -> None:
    layer = layer.to(x)
    with torch.no_grad():  # biases and thresholds start at a constant: move them
        for p in layer.parameters():
            p.add_(0.1 * draw(*p.shape).to(p))
        y = layer(x)
    assert (y.dtype, y.device, y.shape[1]) == (x.dtype, x.device, W.dim)
    assert float(y.norm()) > 0 or not any(p.numel() for p in layer.parameters())
    eq.assert_equivariant(layer, V, W, x)


@pytest.mark.parametrize("G", GRID, ids=str)
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_linear(G: eq.FiniteGroup, a: str, b: str, device: torch.device, float_dtype: torch.dtype) -> None:
    V, W = fibres(G, a), fibres(G, b)
    check(eq.Linear(V, W), V, W, draw(5, V.dim).to(device, float_dtype))


@pytest.mark.parametrize(
    "G", [eq.cyclic(5), eq.symmetric(4), eq.quaternion(), eq.alternating(5), eq.translations(2, 3)], ids=str
)
def test_linear_over_groups_without_a_grid(G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype) -> None:
    V = eq.regular(G) + 2 * eq.irreps(G)[-1]
    W = eq.irreps(G)[-1] + eq.trivial(G) + 2 * eq.irreps(G)[1]
    check(eq.Linear(V, W), V, W, draw(5, V.dim).to(device, float_dtype))


@pytest.mark.parametrize("G", GRID, ids=str)
@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_convolution(G: eq.FiniteGroup, a: str, b: str, device: torch.device, float_dtype: torch.dtype) -> None:
    V, W = fibres(G, a), fibres(G, b)
    check(eq.GroupConv2d(V, W, 3, padding=1), V, W, draw(2, V.dim, 5, 5).to(device, float_dtype))


@pytest.mark.parametrize("G", GRID, ids=str)
@pytest.mark.parametrize(
    ("side", "kernel_size", "stride", "padding"),
    [
        (6, 1, 1, 0),
        (6, 2, 1, 0),
        (6, 2, 1, 1),
        (5, 3, 2, 0),
        (5, 3, 2, 1),
        (6, 4, 2, 0),
        (6, 2, 2, 0),
        (7, 1, 3, 0),
        (4, 5, 1, 2),
        (7, 3, 1, 4),
    ],
)
def test_kernels_strides_and_paddings(
    G: eq.FiniteGroup, side: int, kernel_size: int, stride: int, padding: int, device: torch.device
) -> None:
    V, W = eq.regular(G), eq.regular(G) + eq.irreps(G)[-1]
    layer = eq.GroupConv2d(V, W, kernel_size, stride, padding)
    x = draw(2, V.dim, side, side).to(device)
    check(layer, V, W, x)
    plain = nn.functional.conv2d(x, layer.filters(), layer.bias().flatten(), stride, padding)
    assert torch.allclose(layer(x), plain, atol=1e-12)


@pytest.mark.parametrize("G", GRID, ids=str)
def test_rectangles_too(G: eq.FiniteGroup) -> None:
    V, W = eq.trivial(G), eq.regular(G)
    check(eq.GroupConv2d(V, W, 3), V, W, draw(2, 1, 5, 7))


LAYERS = {
    "relu": lambda V: eq.Pointwise(V, "relu"),
    "NormReLU": eq.NormReLU,
    "SpatialNorm": eq.SpatialNorm,
    "AvgPool2d": lambda V: eq.AvgPool2d(V, 2),
    "GlobalAvgPool2d": eq.GlobalAvgPool2d,
    "GroupPool max": eq.GroupPool,
    "GroupPool mean": lambda V: eq.GroupPool(V, "mean"),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("G", GRID, ids=str)
def test_layers_without_weights(name: str, G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype) -> None:
    V = 2 * eq.regular(G) + eq.trivial(G) + eq.pixels(G, 3)
    layer = LAYERS[name](V)
    assert layer.source == V
    check(layer, V, layer.target, draw(2, V.dim, 4, 4).to(device, float_dtype))


@pytest.mark.parametrize("name", ["NormReLU", "AvgPool2d", "GlobalAvgPool2d"])
@pytest.mark.parametrize("kind", FIBRES)
@pytest.mark.parametrize("G", GRID[2:], ids=str)
def test_layers_for_any_fibre(name: str, kind: str, G: eq.FiniteGroup) -> None:
    V = fibres(G, kind)
    check(LAYERS[name](V), V, V, draw(2, V.dim, 4, 4))


def network(G: eq.FiniteGroup) -> nn.Sequential:
    """Lifting, regular, irreducible and mixed fibres; every layer; stride and padding: an invariant of images."""
    R, F = 3 * eq.regular(G), fibres(G, "irreps")
    return nn.Sequential(
        eq.GroupConv2d(eq.trivial(G), R, 3, padding=1),
        eq.SpatialNorm(R),
        eq.Pointwise(R, "relu"),
        eq.GroupConv2d(R, F, 3, stride=2),
        eq.NormReLU(F),
        eq.GroupConv2d(F, R, 2, padding=1),
        eq.AvgPool2d(R, 2),
        eq.GlobalAvgPool2d(R),
        eq.Linear(R, R),
        eq.Pointwise(R, "gelu"),
        eq.GroupPool(R),
        eq.Linear(3 * eq.trivial(G), 10 * eq.trivial(G)),
    )


@pytest.mark.parametrize("G", GRID, ids=str)
def test_networks_are_invariant_and_stay_so_in_training(
    G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype
) -> None:
    f = network(G).to(device, float_dtype)
    x = draw(4, 1, 7, 7).to(device, float_dtype)
    target = 10 * eq.trivial(G)
    optimizer = torch.optim.Adam(f.parameters(), lr=1e-2)
    before = f(x).detach()
    for _ in range(2):
        optimizer.zero_grad()
        nn.functional.cross_entropy(f(x), torch.arange(4, device=device)).backward()
        optimizer.step()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in f.parameters())
    assert float((f(x).detach() - before).norm()) > 1e-3
    eq.assert_equivariant(f, eq.trivial(G), target, x)


BREAKS = {
    "a filter": lambda f: nn.Sequential(nn.Conv2d(1, 4, 3), f),
    "the order of the channels": lambda f: nn.Sequential(f, lambda_module(lambda y: y.flip(1))),
    "the padding": lambda f: nn.Sequential(f, nn.ReflectionPad2d((1, 0, 0, 0)), nn.AvgPool2d(2)),
    "a stride that misses an edge": lambda f: nn.Sequential(f, lambda_module(lambda y: y[..., ::2, ::2])),
    "a bias": lambda f: nn.Sequential(f, lambda_module(lambda y: y + torch.arange(4.0).view(1, 4, 1, 1).to(y))),
    "a mean over part of the image": lambda f: nn.Sequential(
        f, lambda_module(lambda y: y * (torch.arange(y.shape[-1]) > 0))
    ),
}


def lambda_module(function: object) -> nn.Module:
    class Function(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return function(x)

    return Function()


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_layer_is_found(name: str) -> None:
    """These tests can fail: each break, of one thing in an equivariant layer, is seen."""
    G = eq.cyclic(4)
    V = eq.trivial(G) if name == "a filter" else eq.regular(G)
    layer = eq.GroupConv2d(eq.regular(G), eq.regular(G), 3, padding=1).double()
    broken = BREAKS[name](layer).double()
    x = draw(2, V.dim, 6, 6)
    with pytest.raises(AssertionError, match="Not equivariant from"):
        eq.assert_equivariant(broken, V, eq.regular(G), x)
    assert eq.equivariance_error(broken, V, eq.regular(G), x) > 1e-3


@pytest.mark.parametrize("entry", [0, 7, 35])
def test_one_wrong_weight_is_found(entry: int) -> None:
    G = eq.cyclic(4)
    V = eq.regular(G)
    layer = eq.GroupConv2d(V, V, 3, bias=False).double()
    filters = layer.filters().detach().clone()
    filters.view(-1)[entry] += 1e-6
    with pytest.raises(AssertionError):
        eq.assert_equivariant(lambda x: nn.functional.conv2d(x, filters), V, V, draw(2, 4, 5, 5))

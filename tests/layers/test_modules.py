"""Layers as modules: compile, vmap, grad, autocast, channels_last, states, precisions, devices."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import equibook as eq

C4 = eq.cyclic(4)
V = 3 * eq.irreps(C4)[1] + 2 * eq.regular(C4) + eq.trivial(C4)  # 15 channels
P = 2 * eq.regular(C4) + eq.trivial(C4)

C8, ROUND = eq.cyclic(8), eq.so2()
WAVES = eq.irreps(ROUND, 2)[0] + 2 * eq.irreps(ROUND, 2)[1] + eq.irreps(ROUND, 2)[2]

LAYERS = {
    "GroupConv2d": lambda: eq.GroupConv2d(P, 2 * eq.regular(C4), 3, padding=1),
    "GroupConv2d mixed": lambda: eq.GroupConv2d(V, P, 3, padding=1),
    "SteerableConv2d": lambda: eq.SteerableConv2d(2 * eq.regular(C8), eq.regular(C8), 3, padding=1),
    "SteerableConv2d mixed": lambda: eq.SteerableConv2d(WAVES, 2 * WAVES, 5, padding=2),
    "Pointwise": lambda: eq.Pointwise(P, "tanh"),
    "Pointwise odd": lambda: eq.Pointwise(eq.irreps(C4)[2], "tanh"),
    "NormReLU": lambda: eq.NormReLU(V),
    "NormGate": lambda: eq.NormGate(V),
    "GatedPointwise": lambda: eq.GatedPointwise(V),
    "TensorSquare": lambda: eq.TensorSquare(V, V),
    "FourierPointwise": lambda: eq.FourierPointwise(V),
    "BatchNorm": lambda: eq.BatchNorm(V).eval(),
    "LayerNorm": lambda: eq.LayerNorm(V),
    "SpatialNorm": lambda: eq.SpatialNorm(P),
    "GroupPool": lambda: eq.GroupPool(P),
    "NormPool": lambda: eq.NormPool(V),
    "AvgPool2d": lambda: eq.AvgPool2d(V, 2),
    "MaxPool2d": lambda: eq.MaxPool2d(P, 2),
    "NormMaxPool2d": lambda: eq.NormMaxPool2d(V, 2),
    "BlurPool2d": lambda: eq.BlurPool2d(V),
    "Upsample2d": lambda: eq.Upsample2d(V),
    "GlobalAvgPool2d": lambda: eq.GlobalAvgPool2d(V),
    "FieldDropout": lambda: eq.FieldDropout(V).eval(),
}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=LAYERS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def layer(name: str) -> nn.Module:
    torch.manual_seed(0)
    return LAYERS[name]()


@pytest.fixture
def x(layer: nn.Module) -> Tensor:
    return draw(3, layer.source.dim, 4, 4)


def test_source_and_target(layer: nn.Module, x: Tensor) -> None:
    assert layer(x).shape[:2] == (3, layer.target.dim)
    assert str(layer.source) in repr(layer) or str(layer.target) in repr(layer)


def test_compile_in_one_graph(layer: nn.Module, x: Tensor) -> None:
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(x), layer(x), atol=1e-6)


def test_vmap_and_grad(layer: nn.Module, x: Tensor) -> None:
    batches = torch.stack([x, 2 * x])
    assert torch.allclose(torch.func.vmap(layer)(batches), torch.stack([layer(x), layer(2 * x)]), atol=1e-5)
    parameters = dict(layer.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, (x,)).square().sum()

    by_weights, by_input = torch.func.grad(loss, argnums=(0, 1))(parameters, x)
    z = x.clone().requires_grad_()
    layer(z).square().sum().backward()
    assert torch.allclose(by_input, z.grad, atol=1e-4)
    for name, p in parameters.items():
        assert torch.allclose(by_weights[name], p.grad, atol=1e-4)


def test_autocast(layer: nn.Module, x: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert torch.allclose(y.float(), layer(x), atol=0.2, rtol=0.1)


def test_channels_last(layer: nn.Module, x: Tensor) -> None:
    assert torch.allclose(layer(x.to(memory_format=torch.channels_last)), layer(x), atol=1e-5)


def test_states_go_around(name: str, layer: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), layer(x))
    torch.manual_seed(1)
    fresh = LAYERS[name]()
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x), layer(x))


def test_precision_goes_around(layer: nn.Module, x: Tensor) -> None:
    z = x.double()
    exact = copy.deepcopy(layer).double()(z)
    assert exact.dtype == torch.float64
    assert torch.allclose(copy.deepcopy(layer).double().float().double()(z), exact, atol=1e-6)
    assert torch.allclose(layer(x).double(), exact, atol=1e-5)


def test_device(layer: nn.Module, x: Tensor, device: torch.device) -> None:
    before = layer(x)
    y = layer.to(device)(x.to(device))
    assert y.device.type == device.type
    assert torch.allclose(y.cpu(), before, atol=1e-5)


def test_the_network_of_all_of_them_trains() -> None:
    """From images to an invariant of SO(2): the loss falls, and the network stays close to invariant."""
    torch.manual_seed(0)
    G = eq.so2()
    one, rhos = eq.trivial(G), eq.irreps(G, 2)
    W = 4 * rhos[0] + 4 * rhos[1] + 4 * rhos[2]
    gated = eq.GatedPointwise(W)
    network = nn.Sequential(
        eq.SteerableConv2d(one, W, 5, padding=2),
        eq.BatchNorm(W),
        eq.FourierPointwise(W, "elu", samples=16),
        eq.BlurPool2d(W),
        eq.SteerableConv2d(W, gated.source, 5, padding=2),
        gated,
        eq.FieldDropout(W, 0.1),
        eq.NormMaxPool2d(W, 1),
        eq.GlobalAvgPool2d(W),
        eq.LayerNorm(W),
        eq.TensorSquare(W, 2 * one),
    )
    step = torch.arange(21.0) - 10
    disc = torch.hypot(step, step[:, None])
    labels = torch.tensor([0, 1]).repeat(8)
    rings = torch.stack([torch.exp(-((disc - (3.0 + 2 * k)) ** 2) / 4) for k in labels.tolist()])[:, None]
    x = rings + 0.1 * draw(16, 1, 21, 21)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(network(x), labels)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
    network.eval()
    turned = eq.equivariance_error(network, one, 2 * one, rings, generator=torch.Generator().manual_seed(0))
    assert turned < 0.05

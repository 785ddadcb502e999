"""A folded network computes the same with plain layers, and leaves the trained one alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import equibook as eq


def network(G: eq.FiniteGroup) -> nn.Sequential:
    V = 2 * eq.regular(G)
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        eq.GroupConv2d(eq.trivial(G), V, 3, padding=1, generator=generator),
        eq.Pointwise(V, torch.relu),
        nn.Sequential(eq.SteerableConv2d(V, V, 3, padding=1, bias=False, generator=generator), nn.BatchNorm2d(V.dim)),
        eq.GlobalAvgPool2d(V),
        eq.Linear(V, 10 * eq.trivial(G), generator=generator),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_same_outputs_from_plain_layers(dtype: torch.dtype, device: str) -> None:
    trained = network(eq.dihedral(4)).to(device, dtype)
    x = torch.randn(3, 1, 8, 8, dtype=dtype, device=device)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    plain = eq.fold(trained.eval())
    kinds = [type(layer) for layer in plain.modules()]
    assert nn.Conv2d in kinds and nn.Linear in kinds
    assert not {eq.GroupConv2d, eq.SteerableConv2d, eq.Linear} & set(kinds)
    assert torch.allclose(plain(x), trained(x), atol=1e-5 if dtype == torch.float32 else 1e-12)
    after = trained.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_layer_by_itself_and_the_mode() -> None:
    V = eq.regular(eq.cyclic(4))
    layer = eq.Linear(V, V, bias=False)
    assert isinstance(eq.fold(layer), nn.Linear) and eq.fold(layer).bias is None
    assert eq.fold(network(eq.cyclic(4)).train()).training
    assert not any(m.training for m in eq.fold(network(eq.cyclic(4)).eval()).modules())


def test_training_a_folded_network_loses_the_symmetry() -> None:
    """Why folding comes last."""
    G = eq.cyclic(4)
    V = eq.regular(G)
    plain = eq.fold(eq.GroupConv2d(V, V, 3, padding=1, generator=torch.Generator().manual_seed(0)).double())
    x = torch.randn(1, 4, 7, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert eq.equivariance_error(plain, V, V, x) < 1e-12
    plain(x).square()[0, 0, 0, 0].backward()
    with torch.no_grad():
        for p in plain.parameters():
            p -= 0.1 * p.grad
    assert eq.equivariance_error(plain, V, V, x) > 1e-3

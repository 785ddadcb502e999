"""Risks: the identities that link the nominal, the augmented and the equivariant one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import equibook as eq

C4 = eq.cyclic(4)


def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(outputs, F.one_hot(y, 10).to(outputs))


def gradient(risk: eq.Risk, network: nn.Module, A: dict[str, Tensor], x: Tensor, y: Tensor) -> dict[str, Tensor]:
    leaves = {name: weight.clone().requires_grad_() for name, weight in A.items()}
    return dict(zip(A, torch.autograd.grad(risk(network, leaves, x, y), list(leaves.values())), strict=True))


@pytest.fixture(params=["cross", "full", "skew"])
def setting(
    request: pytest.FixtureRequest, generator: torch.Generator, device: torch.device
) -> tuple[nn.Module, eq.AdmissibleSpace, dict[str, Tensor], Tensor, Tensor]:
    network = eq.experiments.scalar_network((3, 4)).double().to(device)
    space = eq.experiments.scalar_space(C4, network, request.param)
    A = space.random_equivariant(network, generator)
    x = torch.randn(12, 1, 8, 8, dtype=torch.float64, generator=generator).to(device)
    y = torch.randint(10, (12,), generator=generator).to(device)
    return network, space, A, x, y


def average(space: eq.AdmissibleSpace, A: dict[str, Tensor]) -> dict[str, Tensor]:
    """Π_G A."""
    return {
        name: space._weight(name, layer.hom.project(space._maps(name, A[name]))) for name, layer in space.layers.items()
    }


def turned(space: eq.AdmissibleSpace, A: dict[str, Tensor], g: int) -> dict[str, Tensor]:
    """ρ(g)A."""
    result = {}
    for name, layer in space.layers.items():
        left, right = layer.hom.target.matrix(g).to(A[name]), layer.hom.source.matrix(g).to(A[name])
        result[name] = space._weight(name, left @ space._maps(name, A[name]) @ right.mT)
    return result


def close(A: dict[str, Tensor], B: dict[str, Tensor], tolerance: float = 1e-13) -> None:
    for name in A:
        torch.testing.assert_close(A[name], B[name], atol=tolerance, rtol=0)


def test_gradient_of_the_augmented_risk_on_e(setting: tuple) -> None:
    """∇R^aug(A) = Π_G ∇R(A) for A in E."""
    network, space, A, x, y = setting
    augmented = gradient(eq.augmented(squared_error, eq.trivial(C4)), network, A, x, y)
    nominal = gradient(eq.nominal(squared_error), network, A, x, y)
    close(augmented, average(space, nominal))


def test_augmented_risk_is_invariant(setting: tuple, generator: torch.Generator) -> None:
    """R^aug(ρ(g)A) = R^aug(A), and R^aug(A) is the mean of R(ρ(g)⁻¹A), anywhere in 𝓛 and beyond."""
    network, space, A, x, y = setting
    A = {name: torch.randn(w.shape, dtype=w.dtype, generator=generator).to(w) for name, w in A.items()}
    risk, nominal = eq.augmented(squared_error, eq.trivial(C4)), eq.nominal(squared_error)
    here = risk(network, A, x, y)
    for g in C4.elements:
        assert abs(risk(network, turned(space, A, g), x, y) - here) < 1e-13
    mean = sum(nominal(network, turned(space, A, g), x, y) for g in C4.elements) / 4
    assert abs(mean - here) < 1e-13


def test_equivariant_risk(setting: tuple, generator: torch.Generator) -> None:
    """The gradient of R∘Π_E at A is Π_E ∇R(Π_E A)."""
    network, space, A, x, y = setting
    away = space.perturb(A, 0.1, generator)
    found = gradient(eq.equivariant(squared_error, space), network, away, x, y)
    nominal = gradient(eq.nominal(squared_error), network, A, x, y)
    close(found, space.tangent.project_equivariant(nominal))


def test_labels_are_moved_too(generator: torch.Generator) -> None:
    """For an equivariant map, nothing is lost by turning inputs and labels together."""
    V = eq.regular(C4)
    network = nn.Linear(8, 8, bias=False).double()
    space = eq.AdmissibleSpace({"weight": eq.LayerSpace(V >> V)})
    A = space.random_equivariant(network, generator)
    x, y = torch.randn(2, 6, 8, dtype=torch.float64, generator=generator)
    nominal = eq.nominal(F.mse_loss)(network, A, x, y)
    for risk in (eq.augmented(F.mse_loss, 2 * V, 2 * V), eq.augmented(F.mse_loss, 2 * V, 2 * V, draws=2)):
        assert abs(risk(network, A, x, y, generator) - nominal) < 1e-13
    assert abs(eq.augmented(F.mse_loss, 2 * V)(network, A, x, y) - nominal) > 1e-3


@pytest.mark.parametrize("weights", [None, [2, 2, 1, 0]])
@pytest.mark.parametrize("draws", [1, 3])
def test_random_draws_are_unbiased(generator: torch.Generator, draws: int, weights: list[float] | None) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 10, bias=False)).double()
    A = {name: p.detach() for name, p in network.named_parameters()}
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, generator=generator).repeat(3000, 1, 1, 1)
    y = torch.tensor([0, 1]).repeat(3000)
    exact = eq.augmented(squared_error, eq.trivial(C4), weights=weights)(network, A, x[:2], y[:2])
    random = eq.augmented(squared_error, eq.trivial(C4), draws=draws, weights=weights)
    turned = [eq.act(eq.trivial(C4), g, x[:2]) for g in range(4)]
    nominal = eq.nominal(squared_error)
    each = torch.stack([nominal(network, A, z[i, None], y[i, None]) for i in range(2) for z in turned]).view(2, 4)
    spread = float(each.std(dim=1).square().mean().sqrt()) / (6000 * draws) ** 0.5  # 6000 independent images
    assert abs(random(network, A, x, y, generator) - exact) < 6 * spread


def test_draws_come_from_the_generator(setting: tuple) -> None:
    network, _, A, x, y = setting
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False)).double().to(x.device)
    A = {name: p.detach() for name, p in network.named_parameters()}
    risk = eq.augmented(squared_error, eq.trivial(C4), draws=1)
    first, again, other = (risk(network, A, x, y, torch.Generator().manual_seed(seed)).item() for seed in (0, 0, 1))
    assert first == again != other


def test_measure_is_scaled_and_checked() -> None:
    V = eq.trivial(C4)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 10, bias=False))
    A = {name: p.detach() for name, p in network.named_parameters()}
    x, y = torch.randn(5, 1, 4, 4), torch.zeros(5, dtype=torch.long)
    values = [eq.augmented(squared_error, V, weights=w)(network, A, x, y) for w in ([1, 1, 1, 1], None)]
    torch.testing.assert_close(*values)
    only = eq.augmented(squared_error, V, weights=[0, 3, 0, 0])(network, A, x, y)
    torch.testing.assert_close(only, eq.nominal(squared_error)(network, A, x.rot90(1, (2, 3)), y))
    for wrong in ([1, 1, 1], [1, 1, 1, -1], [0, 0, 0, 0], [1, 1, 1, float("nan")]):
        with pytest.raises(ValueError, match="measure"):
            eq.augmented(squared_error, V, weights=wrong)
    with pytest.raises(ValueError, match="draws"):
        eq.augmented(squared_error, V, draws=0)
    with pytest.raises(ValueError, match="one group"):
        eq.augmented(squared_error, V, eq.trivial(eq.cyclic(2)))
    with pytest.raises(ValueError, match="square images"):
        eq.augmented(squared_error, V)(network, A, torch.zeros(5, 1, 2, 8), y)

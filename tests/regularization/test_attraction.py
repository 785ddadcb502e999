"""Attraction: its gradient, its threshold against the Hessian, and the rate of decay."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import equibook as eq

C2, C4 = eq.cyclic(2), eq.cyclic(4)
SIGN = eq.representation(C2, torch.tensor([[[1.0]], [[-1.0]]], dtype=torch.float64))


class Toy(nn.Module):
    """Φ_{a,b}(x) = (ax)² + b."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) ** 2 + self.b(torch.ones_like(x))


TOY = eq.AdmissibleSpace(
    {"a.weight": eq.LayerSpace(SIGN >> eq.trivial(C2)), "b.weight": eq.LayerSpace(eq.trivial(C2) >> eq.trivial(C2))}
)


def half_squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (outputs - y).square().mean()


def small(support: str, generator: torch.Generator) -> tuple[nn.Module, eq.AdmissibleSpace, dict[str, Tensor]]:
    network = eq.experiments.scalar_network((2,), size=8, pool=(True,), classes=3).double()
    space = eq.experiments.scalar_space(C4, network, support, generator=generator)
    return network, space, space.random_equivariant(network, generator)


def one_hot_error(outputs: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(outputs, F.one_hot(y, 3).to(outputs))


def data(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(20, 1, 8, 8, dtype=torch.float64, generator=generator)
    return x, torch.randint(3, (20,), generator=generator)


@pytest.mark.parametrize("support", ["cross", "full", "skew", "non-orthonormal"])
@pytest.mark.parametrize("gamma", [0.7, torch.tensor([0.0, 2.0, 3.0], dtype=torch.float64)])
def test_gradient_is_that_of_the_penalty(support: str, gamma: float | Tensor, generator: torch.Generator) -> None:
    _, space, A = small(support, generator)
    A = {name: torch.randn(3, *w.shape, dtype=w.dtype, generator=generator) for name, w in A.items()}
    attraction = eq.Attraction(space, gamma)
    leaves = {name: weight.requires_grad_() for name, weight in A.items()}
    penalty = attraction.penalty(leaves)
    assert penalty.shape == (3,)
    expected = torch.autograd.grad(penalty.sum(), list(leaves.values()))
    for found, exact in zip(attraction.gradient(A).values(), expected, strict=True):
        torch.testing.assert_close(found, exact, atol=1e-13, rtol=0)


def test_penalty_is_half_gamma_distance_squared(generator: torch.Generator) -> None:
    network, space, _ = small("full", generator)
    attraction = eq.Attraction(space, 3.0)
    penalty = attraction.penalty(network)
    torch.testing.assert_close(penalty, 1.5 * space.distance(space.weights(network)) ** 2)
    penalty.backward()
    for (_, p), g in zip(network.named_parameters(), attraction.gradient(space.weights(network)).values(), strict=True):
        torch.testing.assert_close(p.grad, g)


def test_affine_penalty(generator: torch.Generator) -> None:
    """With an origin A_0 the penalty still vanishes exactly on E."""
    hom = eq.pixels(C4, 3) >> eq.trivial(C4)
    corner = torch.eye(9, dtype=torch.float64)[:1, None]
    layer = eq.LayerSpace(hom, corner, origin=torch.ones(1, 9, dtype=torch.float64), kernel_size=3)
    space = eq.AdmissibleSpace({"weight": layer})
    A = space.random_equivariant(nn.Conv2d(2, 3, 3, bias=False).double(), generator)
    assert eq.Attraction(space, 5.0).penalty(A) < 1e-25
    moved = {"weight": A["weight"].clone()}
    moved["weight"][0, 0, 0, 0] += 2
    torch.testing.assert_close(eq.Attraction(space, 5.0).penalty(moved), torch.tensor(10.0, dtype=torch.float64))


def test_threshold_of_the_toy_example(generator: torch.Generator) -> None:
    """γ* = 2Cov(x², y) at (a, b) = (0, E y)."""
    x = torch.randn(50, 1, dtype=torch.float64, generator=generator)
    for slope in (1.5, -1.5):
        y = slope * x.square() + torch.randn(50, 1, dtype=torch.float64, generator=generator)
        A = {"a.weight": torch.zeros(1, 1, dtype=torch.float64), "b.weight": y.mean().view(1, 1)}
        covariance = (x.square() * y).mean() - x.square().mean() * y.mean()
        for risk in (eq.nominal(half_squared_error), eq.augmented(half_squared_error, SIGN)):
            found = eq.attraction_threshold(Toy(), risk, TOY, A, x, y)
            assert found == pytest.approx(2 * float(covariance), abs=1e-12)


def test_toy_escapes_below_and_returns_above_its_threshold(generator: torch.Generator) -> None:
    x = torch.randn(50, 1, dtype=torch.float64, generator=generator)
    y = x.square()
    A = {"a.weight": torch.full((2, 1, 1), 1e-3, dtype=torch.float64), "b.weight": y.mean().expand(2, 1, 1)}
    risk = eq.augmented(half_squared_error, SIGN)
    threshold = eq.attraction_threshold(Toy(), risk, TOY, {n: w[0] for n, w in A.items()}, x, y)
    gamma = threshold * torch.tensor([0.8, 1.2], dtype=torch.float64)
    path = eq.descend(Toy(), risk, TOY, A, x, y, lr=0.01, steps=100, attraction=eq.Attraction(TOY, gamma))
    assert path.distance[-1, 0] > 1.1e-3 and path.distance[-1, 1] < 0.9e-3


@pytest.mark.parametrize("support", ["cross", "full"])
def test_threshold_against_the_dense_hessian(support: str, generator: torch.Generator) -> None:
    network, space, A = small(support, generator)
    x, y = data(generator)
    risk = eq.augmented(one_hot_error, eq.trivial(C4))
    names, shapes = list(A), [w.shape for w in A.values()]

    def split(v: Tensor) -> dict[str, Tensor]:
        return {n: p.view(s) for n, p, s in zip(names, v.split([s.numel() for s in shapes]), shapes, strict=True)}

    def value(v: Tensor) -> Tensor:
        return risk(network, split(v), x, y)

    at = torch.cat([w.flatten() for w in A.values()])
    hessian = torch.autograd.functional.hessian(value, at)

    def matrix(projector: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Tensor:
        units = torch.eye(len(at), dtype=at.dtype)
        return torch.stack([torch.cat([p.flatten() for p in projector(split(e)).values()]) for e in units])

    projector = matrix(space.perpendicular)
    values, vectors = torch.linalg.eigh(projector)
    Q = vectors[:, values > 0.5]
    exact = -float(torch.linalg.eigvalsh(Q.mT @ hessian @ Q)[0])
    found = eq.attraction_threshold(network, risk, space, A, x, y, generator=generator, tolerance=1e-7)
    assert found == pytest.approx(exact, rel=1e-6)
    # The Hessian of R^aug at a point of E has no block between TE and E^⊥ where 𝓛 is compatible.
    assert (projector @ hessian @ matrix(space.project_equivariant)).abs().max() < 1e-12


def test_exponential_decay_beyond_the_threshold(generator: torch.Generator) -> None:
    r"""‖A_⊥(t)‖ ≤ e^{−(γ − c)t}‖A_⊥(0)‖ with c the largest threshold met on the way, for small steps."""
    network, space, A = small("full", generator)
    x, y = data(generator)
    risk = eq.augmented(one_hot_error, eq.trivial(C4))
    A = space.perturb(A, 1e-4, generator)
    gamma, lr, steps = 10.0, 0.005, 60
    path = eq.descend(network, risk, space, A, x, y, lr=lr, steps=steps, attraction=eq.Attraction(space, gamma))
    c = max(
        eq.attraction_threshold(network, risk, space, space.project_equivariant(B), x, y, generator=generator)
        for B in (A, path.final)
    )
    assert c < gamma  # otherwise the bound says nothing
    margin = 0.05 * gamma  # for the curvature between the points where c was taken
    bound = path.distance[0] * torch.exp(-(gamma - c - margin) * lr * path.steps)
    assert (path.distance <= bound).all()
    # without augmentation E is not invariant, and distance settles above 0
    nominal = eq.descend(
        network, eq.nominal(one_hot_error), space, A, x, y, lr=lr, steps=60, attraction=eq.Attraction(space, gamma)
    )
    assert nominal.distance[-1] > 3 * path.distance[-1]


def test_one_step_at_lr_gamma_one_is_memory_of_one_step(generator: torch.Generator) -> None:
    """At ηγ = 1 the attraction forgets A_⊥ altogether: what is left is −ηg_⊥."""
    network, space, A = small("full", generator)
    A = space.perturb(A, 0.1, generator)
    x, y = data(generator)
    path = eq.descend(
        network, eq.nominal(one_hot_error), space, A, x, y, lr=0.1, steps=1, attraction=eq.Attraction(space, 10.0)
    )
    leaves = {name: weight.clone().requires_grad_() for name, weight in A.items()}
    g = torch.autograd.grad(eq.nominal(one_hot_error)(network, leaves, x, y), list(leaves.values()))
    away = space.perpendicular(dict(zip(A, g, strict=True)))
    size = math.sqrt(sum(float(part.square().sum()) for part in away.values()))
    assert float(path.distance[1]) == pytest.approx(0.1 * size, rel=1e-9)


def test_bad_input(generator: torch.Generator) -> None:
    network, space, A = small("full", generator)
    x, y = data(generator)
    for wrong in (-1.0, float("nan"), float("inf"), torch.tensor([1.0, -1.0])):
        with pytest.raises(ValueError, match="gamma"):
            eq.Attraction(space, wrong)
    with pytest.raises(ValueError, match="no parameters"):
        eq.Attraction(space, 1.0).penalty(nn.Linear(1, 1))
    risk = eq.nominal(one_hot_error)
    with pytest.raises(ValueError, match="not") as error:
        skewed = eq.experiments.scalar_space(C4, network, "non-orthonormal")
        eq.attraction_threshold(network, risk, skewed, A, x, y)
    assert "orthonormal" in str(error.value)
    with pytest.raises(ValueError, match="member axis"):
        eq.attraction_threshold(network, risk, space, {n: w[None] for n, w in A.items()}, x, y)
    with pytest.raises(ValueError, match="nothing to attract"):
        eq.attraction_threshold(network, risk, space.equivariant(), A, x, y)
    with pytest.raises(RuntimeError, match="max_iterations"):
        eq.attraction_threshold(network, risk, space, A, x, y, max_iterations=2)

"""Descent: what the theorem on compatibility says after one step, ensembles, records and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import equibook as eq

C4 = eq.cyclic(4)
ALL = ("cross", "full", "skew", "non-orthonormal")


def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    return F.mse_loss(outputs, F.one_hot(y, 10).to(outputs))


AUGMENTED = eq.augmented(squared_error, eq.trivial(C4))


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    x, y = eq.data.digits(dtype=torch.float64)
    return x[:60], y[:60]


def start(support: str, members: int | None = None) -> tuple[nn.Module, eq.AdmissibleSpace, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    network = eq.experiments.scalar_network((8, 8)).double()
    space = eq.experiments.scalar_space(C4, network, support, generator=generator)
    return network, space, space.random_equivariant(network, generator, members=members)


@pytest.mark.parametrize("support", ALL)
def test_one_augmented_step(support: str, digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start(support)
    path = eq.descend(network, AUGMENTED, space, A0, *digits, lr=0.1, steps=1)
    assert path.distance[0] < 1e-14
    if support in ("cross", "full"):
        assert path.distance[1] < 1e-14
    else:
        assert path.distance[1] > 1e-2


@pytest.mark.parametrize("support", ["cross", "full"])
def test_augmented_is_equivariant_descent(support: str, digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start(support)
    paths = [
        eq.descend(network, risk, space, A0, *digits, lr=0.1, steps=5)
        for risk in (AUGMENTED, eq.equivariant(squared_error, space))
    ]
    assert space.drift(paths[0].final, paths[1].final) < 1e-13
    assert paths[0].drift[-1] > 1e-2


@pytest.mark.parametrize("support", ALL)
def test_equivariant_descent_stays_in_e(support: str, digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start(support)
    path = eq.descend(network, eq.equivariant(squared_error, space), space, A0, *digits, lr=0.1, steps=5)
    assert (path.distance < 1e-13).all() and path.drift[-1] > 1e-2 and path.risk[-1] < path.risk[0]


@pytest.mark.parametrize("weights", [[2, 0, 3, 0], [2, 2, 1, 0], [1, 0, 0, 0]])
def test_wrong_measures_leave_e(weights: list[float], digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start("full")
    risk = eq.augmented(squared_error, eq.trivial(C4), weights=weights)
    path = eq.descend(network, risk, space, A0, *digits, lr=0.1, steps=1)
    assert path.distance[1] > 1e-2


def test_a_step_by_hand(digits: tuple[Tensor, Tensor]) -> None:
    """A − ηLL*∇R is A_0 + L(c − η∇_c R)."""
    network, space, A0 = start("non-orthonormal")
    path = eq.descend(network, eq.nominal(squared_error), space, A0, *digits, lr=0.3, steps=1)
    L = {name: layer.parametrization for name, layer in space.layers.items()}
    c = {
        n: None if p is None else torch.zeros(*A0[n].shape[:2], len(p), dtype=p.dtype, requires_grad=True)
        for n, p in L.items()
    }
    linear = torch.zeros_like(A0["8.weight"], requires_grad=True)
    A = {n: A0[n] + (linear if c[n] is None else (c[n] @ L[n].flatten(1)).unflatten(-1, (3, 3))) for n in A0}
    eq.nominal(squared_error)(network, A, *digits).backward()
    for name in A0:
        moved = -0.3 * (linear.grad if c[name] is None else (c[name].grad @ L[name].flatten(1)).unflatten(-1, (3, 3)))
        torch.testing.assert_close(path.final[name], A0[name] + moved, atol=1e-13, rtol=0)


@pytest.mark.parametrize("kind", ["nominal", "augmented", "random", "equivariant"])
def test_members_are_separate_runs(kind: str, digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start("skew", members=3)
    A0 = space.perturb(A0, 0.1, torch.Generator().manual_seed(1))
    risk = {
        "nominal": eq.nominal(squared_error),
        "augmented": AUGMENTED,
        "random": eq.augmented(squared_error, eq.trivial(C4), draws=1),
        "equivariant": eq.equivariant(squared_error, space),
    }[kind]
    gamma, lr = torch.tensor([0.0, 0.5, 1.0]).double(), torch.tensor([0.01, 0.02, 0.03]).double()

    def run(A: dict[str, Tensor], gamma: Tensor, lr: Tensor) -> eq.Trajectory:
        return eq.descend(
            network, risk, space, A, *digits,
            lr=lr, steps=7, batch_size=20, generator=torch.Generator().manual_seed(2),
            attraction=eq.Attraction(space, gamma), every=3,
        )  # fmt: skip

    together = run(A0, gamma, lr)
    assert together.steps.tolist() == [0, 3, 6, 7] and together.distance.shape == (4, 3)
    for i in range(3):
        alone = run({name: weight[i] for name, weight in A0.items()}, gamma[i], lr[i])
        for quantity in ("distance", "drift", "risk"):
            one, many = getattr(alone, quantity), getattr(together, quantity)
            torch.testing.assert_close(one, many[:, i], atol=1e-12, rtol=0)
        assert space.drift(alone.final, {name: weight[i] for name, weight in together.final.items()}) < 1e-12


def test_same_seed_same_batches_whatever_the_risk() -> None:
    """The batches are seen through a risk that does not depend on the group elements."""
    x, y = torch.arange(20.0)[:, None, None, None].expand(20, 1, 2, 2), torch.zeros(20, 1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    space = eq.AdmissibleSpace({"1.weight": eq.LayerSpace(eq.pixels(C4, 2) >> eq.trivial(C4))})
    A0 = {"1.weight": torch.ones(1, 4)}
    V = eq.trivial(C4)

    def seen_by(risk: eq.Risk) -> Tensor:
        generator = torch.Generator().manual_seed(3)
        return eq.descend(network, risk, space, A0, x, y, lr=0.0, steps=9, batch_size=6, generator=generator).risk

    risks = eq.nominal(F.mse_loss), eq.augmented(F.mse_loss, V), eq.augmented(F.mse_loss, V, draws=1)
    seen = [seen_by(risk) for risk in risks]
    torch.testing.assert_close(seen[0], seen[1])
    torch.testing.assert_close(seen[0], seen[2])
    assert len(set(seen[0].tolist())) > 5


def test_float32_and_device(device: torch.device, float_dtype: torch.dtype, digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start("cross", members=2)
    A0 = {name: weight.to(device, float_dtype) for name, weight in A0.items()}
    network = network.to(device, float_dtype)
    x, y = digits[0].to(device, float_dtype), digits[1].to(device)
    path = eq.descend(network, AUGMENTED, space, A0, x, y, lr=0.1, steps=2)
    assert path.distance.dtype == float_dtype and path.distance.device.type == device.type
    assert (path.distance < {torch.float32: 1e-5, torch.float64: 1e-13}[float_dtype]).all()


def test_the_network_is_left_alone(digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start("full")
    before, copy = space.weights(network), {name: weight.clone() for name, weight in A0.items()}
    eq.descend(network, AUGMENTED, space, A0, *digits, lr=0.1, steps=2)
    assert space.drift(before, space.weights(network)) == 0 and space.drift(A0, copy) == 0
    assert all(p.grad is None for p in network.parameters())


def test_trajectory_saves_loads_and_plots(tmp_path: Path, digits: tuple[Tensor, Tensor]) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    network, space, A0 = start("skew", members=2)
    path = eq.descend(network, AUGMENTED, space, A0, *digits, lr=0.1, steps=3)
    path.save(tmp_path / "path.pt")
    again = eq.Trajectory.load(tmp_path / "path.pt")
    assert torch.equal(path.distance, again.distance) and again.mode == "augmented"
    assert space.drift(path.final, again.final).sum() == 0
    assert again.plot(floor=1e-17).axes[0].get_ylabel() == "dist(A, E)"
    assert again.plot(against="drift", label="skew").axes[0].get_xlabel() == "‖A − A₀‖"


def test_divergence_is_named(digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start("full")
    A0 = space.perturb(A0, 1e-3)
    arguments = {"lr": 0.5, "steps": 2000, "every": 50, "attraction": eq.Attraction(space, 20.0)}
    with pytest.raises(FloatingPointError, match=r"at step \d+, recorded every 50 steps: lr · gamma = 10"):
        eq.descend(network, eq.nominal(squared_error), space, A0, *digits, **arguments)
    plain = nn.Linear(4, 4, bias=False)
    linear = eq.AdmissibleSpace({"weight": eq.LayerSpace(eq.regular(C4) >> eq.regular(C4))})
    x, y = torch.randn(2, 8, 4)
    with pytest.raises(FloatingPointError, match="lr = 100 is too large"):
        eq.descend(plain, eq.nominal(F.mse_loss), linear, linear.weights(plain), x, y, lr=100.0, steps=100)
    path = eq.descend(
        plain, eq.nominal(F.mse_loss), linear, linear.weights(plain), x, y, lr=100.0, steps=100, diverged="record"
    )
    assert not path.drift[-1].isfinite() and len(path.steps) == 101


def test_bad_input(digits: tuple[Tensor, Tensor]) -> None:
    network, space, A0 = start("full")
    x, y = digits
    members = {name: weight.expand(2, *weight.shape) for name, weight in A0.items()}

    def attempt(
        A: dict[str, Tensor] = A0, x: Tensor = x, y: Tensor = y, risk: eq.Risk = AUGMENTED, **changes: object
    ) -> None:
        eq.descend(network, risk, space, A, x, y, **({"lr": 0.1, "steps": 1} | changes))  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="one dtype and device"):
        attempt(x=x.float())
    with pytest.raises(ValueError, match="One label a sample"):
        attempt(y=y[:3])
    with pytest.raises(ValueError, match="batch_size"):
        attempt(batch_size=61)
    with pytest.raises(ValueError, match="every"):
        attempt(every=0)
    with pytest.raises(ValueError, match="lr has shape"):
        attempt(lr=torch.ones(2))
    with pytest.raises(ValueError, match=r"gamma has shape .* 2 members"):
        attempt(members, attraction=eq.Attraction(space, torch.ones(3)))
    with pytest.raises(ValueError, match="A0 holds"):
        attempt({**A0, "0.weight": A0["0.weight"][:4]})
    with pytest.raises(ValueError, match="names"):
        attempt({"0.weight": A0["0.weight"]})
    with pytest.raises(ValueError, match="scalar"):
        attempt(risk=eq.nominal(lambda outputs, y: outputs.sum(1)))

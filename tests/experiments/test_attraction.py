"""The attraction experiment: its laws, its bound, what it saves, and the toy beside it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import attraction, attraction_toy


def test_exact_augmentation_from_E_stays_in_E() -> None:
    small = {"seeds": 2, "samples": 8, "steps": 5, "every": 5}
    stays = attraction.run("exact", modes=("augmented",), **small)
    assert stays.distance("augmented")[-1].max() < 1e-12
    leaves = attraction.run("exact", modes=("augmented",), measure=(2.0, 2.0, 1.0, 0.0), **small)
    assert leaves.distance("augmented")[-1].min() > 1e-6


def test_the_formula_predicts_the_exact_nominal_plateau() -> None:
    result = attraction.run("exact", modes=("nominal",), seeds=2, gammas=(500.0, 5000.0), lr=(1e-3, 1e-4))
    measured, predicted = (result.law("nominal", "lr", predicted=p).distance for p in (False, True))
    torch.testing.assert_close(measured, predicted, rtol=0.1, atol=0.0)
    assert attraction.slopes(torch.tensor([500.0, 5000.0]), result.plateau("nominal").distance) == pytest.approx(
        -1, abs=0.1
    )


def test_gradients_are_those_of_the_risk() -> None:
    result = attraction.run("exact", modes=("nominal",), seeds=1, steps=0)
    network, space, risks, x, y = attraction.problem("exact")
    A = {name: weight[0].requires_grad_() for name, weight in result.start.items()}
    gradient = torch.autograd.grad(risks["nominal"](network, A, x, y), list(A.values()))
    away = space.tangent.perpendicular(dict(zip(A, gradient, strict=True)))
    norm = torch.stack([part.square().sum() for part in away.values()]).sum().sqrt()
    torch.testing.assert_close(result.gradients().mean[0], norm)


def test_modes_rates_and_accuracy(tmp_path: Path) -> None:
    result = attraction.run(
        "digits", modes=("nominal", "equivariant"), gammas=(0.0, 1.0), lr=(0.01, 0.02), steps=20, seeds=2, pretraining=2
    )
    assert result.config.rates == (0.01, 0.02)
    assert result.distance("equivariant").max() < 1e-5
    assert result.accuracy("nominal").shape == (2, 2) and result.accuracy("equivariant").shape == (1, 2)
    assert result.accuracy("nominal", turned=True).max() <= 1
    result.save(tmp_path / "result.pt")
    again = attraction.Result.load(tmp_path / "result.pt")
    torch.testing.assert_close(again.start, result.start)
    again.plot(), again.plot_plateaus()


def test_the_bound_holds() -> None:
    decay = attraction.decay(5.0, pieces=2, steps=4, samples=10)
    assert decay.holds and decay.rate > 5.0 - float(decay.c.max())
    assert decay.time.shape == decay.distance.shape == decay.bound.shape == (9,)


def test_the_toy() -> None:
    x, y = attraction_toy.DATA
    network, risk, space = attraction_toy.Square(), attraction_toy.square_risk(), attraction_toy.square_space()
    A = {"weight": torch.full((1, 1), 0.3, dtype=torch.float64), "bias": torch.full((1,), 0.2, dtype=torch.float64)}
    a, b = 0.3, 0.2
    assert float(risk(network, A, x, y)) == pytest.approx((b**2 + (a**2 + b - 1) ** 2) / 4)
    E = {"weight": torch.zeros(1, 1, dtype=torch.float64), "bias": y.mean(0)}
    assert eq.attraction_threshold(network, risk, space, E, x, y) == pytest.approx(0.5)
    assert len(attraction_toy.portrait(0.2).axes) == 1

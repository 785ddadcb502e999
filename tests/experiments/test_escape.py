"""The two-parameter network: its Hessian across E, its flow, its stationary points."""

from __future__ import annotations

import pytest
import torch

import equibook as eq
from equibook.experiments import escape


@pytest.mark.parametrize("covariance", [-0.5, 0.25, 1.0])
def test_curvature_across_E(covariance: float) -> None:
    x, y = escape.data(covariance)
    risk = eq.augmented(escape.half_squared_error, escape.admissible().layers["weight"].hom.source)
    A = {"weight": torch.zeros(1, 1, dtype=torch.float64), "bias": y.mean().reshape(1)}
    threshold = eq.attraction_threshold(escape.Square(), risk, escape.admissible(), A, x, y)
    assert threshold == pytest.approx(2 * covariance, abs=1e-9)


def test_velocity_is_minus_the_gradient() -> None:
    x, y = escape.data(0.7)
    risk = eq.nominal(escape.half_squared_error)
    A = {"weight": torch.tensor([[0.3]], dtype=torch.float64), "bias": torch.tensor([-0.4], dtype=torch.float64)}
    gradient = torch.func.grad(lambda A: risk(escape.Square(), A, x, y))(A)
    a, b = escape.velocity(A["weight"][0, 0], A["bias"][0], 0.7)
    assert float(a) == pytest.approx(-float(gradient["weight"]))
    assert float(b) == pytest.approx(-float(gradient["bias"]))


@pytest.mark.parametrize("covariance", [-1.0, 0.0, 0.5])
def test_phase_portrait(covariance: float) -> None:
    assert len(escape.phase_portrait(covariance).axes) == 1

"""Digits as functions: turned before they are sampled; the networks that read them, and what is measured."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import steerable_digits
from equibook.experiments.steerable_digits import MODELS, Config, Model, Result, network, render, turning_error

TINY = replace(Config(), seeds=2, epochs=1, samples=64, angles=4)


@pytest.fixture(scope="module")
def result() -> Result:
    return steerable_digits.run(TINY)


@pytest.fixture
def digits(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(3, 1, 8, 8, dtype=torch.float64, generator=generator)


def test_render_turns_as_rot90(digits: torch.Tensor) -> None:
    for quarter in range(-1, 4):
        assert torch.allclose(render(digits, 90 * quarter), render(digits).rot90(quarter, (2, 3)), atol=1e-12)


def test_render_samples_the_function(digits: torch.Tensor) -> None:
    """By hand: the value at one pixel of the turned image."""
    a, size, pixel = math.radians(25), 9, 0.7
    row, column = 2, 6
    x, y = (column - 4) * pixel, (4 - row) * pixel
    back = (math.cos(a) * x + math.sin(a) * y, -math.sin(a) * x + math.cos(a) * y)
    value = torch.zeros(3, dtype=torch.float64)
    for i in range(8):
        for j in range(8):
            square = (back[0] - (j - 3.5)) ** 2 + (back[1] - (3.5 - i)) ** 2
            value += digits[:, 0, i, j] * math.exp(-square / (2 * 0.36)) / (2 * math.pi * 0.36)
    assert torch.allclose(render(digits, 25, size=size, pixel=pixel)[:, 0, row, column], value, atol=1e-4)


def test_one_angle_for_each_digit(digits: torch.Tensor) -> None:
    degrees = torch.tensor([10.0, 200.0, -30.0], dtype=torch.float64)
    together = render(digits, degrees)
    for k in range(3):
        assert torch.allclose(together[k : k + 1], render(digits[k : k + 1], float(degrees[k])))


@pytest.mark.parametrize("G", [eq.so2(), eq.cyclic(8)], ids=str)
def test_turning_error_is_zero_on_the_grid_and_small_off_it(G: eq.FiniteGroup | eq.LieGroup) -> None:
    if isinstance(G, eq.LieGroup):
        W, elements = sum(eq.irreps(G, 2)[1:], eq.irreps(G, 2)[0]), G.exp([[math.pi / 2], [math.pi / 4]])
    else:
        W, elements = eq.regular(G), torch.tensor([2, 1])
    layer = eq.SteerableConv2d(eq.trivial(G), W, 5, generator=torch.Generator().manual_seed(0)).double()
    exact, near = turning_error(layer, elements)
    assert exact < 1e-10 < near < 0.1


def test_turning_error_sees_an_alias() -> None:
    G = eq.so2()
    layer = eq.SteerableConv2d(eq.trivial(G), eq.irreps(G, 3)[3], 3, cutoff=lambda r: 3 if r else 0).double()
    assert turning_error(layer, G.exp([[math.pi / 4]]))[0] > 1
    with pytest.raises(ValueError, match="gray"):
        turning_error(eq.SteerableConv2d(eq.irreps(G, 1)[1], eq.trivial(G), 3).double(), G.exp([[1.0]]))


@pytest.mark.parametrize("kind", ["C4", "C8", "SO(2)"])
def test_networks_are_invariant_to_quarter_turns(kind: str, device: torch.device) -> None:
    net = network(kind, (2, 2, 3), 13, generator=torch.Generator().manual_seed(0)).double().to(device).eval()
    x = torch.rand(4, 1, 13, 13, dtype=torch.float64, device=device)
    assert (net(x) - net(x.rot90(1, (2, 3)))).abs().max() < 1e-10


def test_the_compared_networks_have_about_the_same_size(result: Result) -> None:
    steerable, *others = result.parameters.values()
    assert all(abs(count / steerable - 1) < 0.15 for count in others[:3])
    assert others[3] > 10 * steerable


def test_the_outermost_ring_adds_parameters() -> None:
    counts = [sum(p.numel() for p in Model("SO(2)", (1, 1, 1), outer=o).build(13).parameters()) for o in (False, True)]
    assert counts[0] < counts[1]


def test_the_first_seed_is_the_one_named() -> None:
    one = replace(TINY, models={"plain": MODELS["plain"]})
    both, second = steerable_digits.run(one), steerable_digits.run(one, first_seed=1, seeds=1)
    assert torch.equal(both.accuracy["plain"][1:], second.accuracy["plain"])


@pytest.mark.filterwarnings("ignore:.py3nj")
@pytest.mark.parametrize("k", [3, 5, 7])
def test_errors_on_interpolated_digits_are_those_of_escnn(escnn: object, k: int) -> None:
    """As the chapter says: with the same weights the two packages are equally far from equivariant."""
    from equibook import baselines

    G = eq.so2()
    V, W = eq.trivial(G), eq.irreps(G, 2)[0] + eq.irreps(G, 2)[1] + eq.irreps(G, 2)[2]
    ours = eq.SteerableConv2d(V, W, k, padding=k // 2, generator=torch.Generator().manual_seed(0))
    theirs = baselines.to_escnn(ours).eval()
    x = render(eq.data.digits()[0][:20])
    for degrees in (10.0, 30.0, 45.0):
        g = G.exp([math.radians(degrees)])
        first = eq.equivariance_error(ours, V, W, x, g)
        second = eq.equivariance_error(lambda x: theirs(theirs.in_type(x)).tensor, V, W, x, g)
        assert 0.005 < first < 0.1
        assert abs(first - second) < 1e-4 * first


def test_runs_are_paired_and_repeat(result: Result) -> None:
    again = steerable_digits.run(TINY)
    for name, accuracy in result.accuracy.items():
        assert accuracy.shape == (2, 4)
        assert torch.equal(accuracy, again.accuracy[name])
    mean, low, high = result.difference("steerable, SO(2)", "plain")
    assert low <= mean <= high
    steerable = result.accuracy["steerable, SO(2)"]
    assert (steerable - steerable[:, :1]).abs().max() < 0.01  # quarter turns, up to ties


def test_save_and_load(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "result.pt")
    loaded = Result.load(tmp_path / "result.pt")
    assert loaded.config == result.config and loaded.parameters == result.parameters
    assert all(torch.equal(loaded.accuracy[name], result.accuracy[name]) for name in result.accuracy)


def test_plots(result: Result) -> None:
    assert len(result.plot().axes) == 2
    assert len(result.plot_angles(["plain"]).axes) == 1


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no model 'round'; there are steerable"):
        steerable_digits.fit("round")
    with pytest.raises(ValueError, match=r"no kind 'D5'; there are plain, C4, C8, SO\(2\)"):
        Model("D5", (1, 1, 1)).build(13)
    assert "plain" in MODELS

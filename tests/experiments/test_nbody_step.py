"""One step of the bodies: what is predicted, who commutes with what, and what a run keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import equibook as eq
from equibook.experiments import nbody_step
from equibook.experiments.nbody_step import MODELS, Config, PlainStep, Result, SteerableStep, Task

TINY = replace(Config(), seeds=2, samples=30, tests=20, steps=3, batch_size=10)


@pytest.fixture(scope="module")
def result() -> Result:
    return nbody_step.run(TINY)


def some(systems: int = 4, seed: int = 0) -> Task:
    return nbody_step.task(systems, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def answer(net: nn.Module, task: Task) -> Tensor:
    return net(task.charges, task.positions, task.velocities).detach()


def test_the_target_is_what_straight_lines_miss() -> None:
    motion = eq.data.nbody(4, softening=0.3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    task = some()
    assert torch.allclose(task.positions, motion.positions[:, 0])
    expected = motion.positions[:, 2] - motion.positions[:, 0] - motion.times[2] * motion.velocities[:, 0]
    assert float(motion.times[2]) == pytest.approx(1) and torch.allclose(task.target, expected, atol=1e-12)


def test_bodies_may_start_at_rest() -> None:
    moving, resting = (
        some(),
        nbody_step.task(
            4, replace(Config(), resting=True), generator=torch.Generator().manual_seed(0), dtype=torch.float64
        ),
    )
    assert torch.equal(resting.positions, moving.positions) and torch.equal(resting.charges, moving.charges)
    assert torch.equal(resting.velocities, torch.zeros_like(moving.velocities))
    motion = eq.data.leapfrog(
        lambda x: eq.data.nbody_forces(x, resting.charges, softening=0.3),
        resting.positions,
        resting.velocities,
        0.005,
        200,
        200,
    )[0]
    assert torch.allclose(motion[1] - motion[0], resting.target, atol=1e-12)


def test_the_task_itself_commutes_with_motions(generator: torch.Generator) -> None:
    task, g = some(), eq.haar_sample(eq.o3(), 4, generator=generator)
    moved = task.moved(g)
    assert torch.allclose(moved.target[2], task.target[2] @ g[2].mT)
    step = eq.data.leapfrog(
        lambda x: eq.data.nbody_forces(x, moved.charges, softening=0.3),
        moved.positions,
        moved.velocities,
        0.005,
        200,
        200,
    )[0]
    assert torch.allclose(step[1] - step[0] - moved.velocities, moved.target, atol=1e-10)


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("degree", [1, 2])
def test_the_steerable_network_commutes_with_motions(
    rounds: int, degree: int, device: torch.device, generator: torch.Generator
) -> None:
    net = SteerableStep(3, rounds, degree, generator=generator).double().to(device)
    task, g = some().to(device), -eq.haar_sample(eq.so3(), 1, generator=generator)[0].to(device)
    y = answer(net, task)
    assert y.shape == task.target.shape
    assert torch.allclose(answer(net, task.moved(g)), y @ g.mT, atol=1e-11)
    shifted = replace(task, positions=task.positions + 5)
    assert torch.allclose(answer(net, shifted), y, atol=1e-11)


def test_the_plain_network_commutes_with_translations_only(generator: torch.Generator) -> None:
    net, task = PlainStep(6, generator=generator).double(), some()
    y, g = answer(net, task), eq.haar_sample(eq.so3(), 1, generator=generator)[0]
    assert torch.allclose(answer(net, replace(task, positions=task.positions + 5)), y, atol=1e-11)
    assert (answer(net, task.moved(g)) - y @ g.mT).abs().max() > 1e-3


@pytest.mark.parametrize("net", [SteerableStep(3), PlainStep(6)])
def test_systems_and_bodies_have_no_order(net: nn.Module) -> None:
    net, task = net.double(), some()
    y = answer(net, task)
    assert torch.allclose(answer(net, task[torch.tensor([2, 0])]), y[[2, 0]], atol=1e-11)
    order = torch.tensor([3, 1, 4, 0, 2])
    mixed = Task(task.charges[:, order], task.positions[:, order], task.velocities[:, order], task.target[:, order])
    assert torch.allclose(answer(net, mixed), y[:, order], atol=1e-11)


def test_only_the_steerable_network_does_not_mind_the_frame(result: Result) -> None:
    assert float(result.frame["steerable, degree 2"].max()) < 1e-5
    assert float(result.frame["plain"].min()) > 1e-3


def test_runs_are_paired_and_repeat(result: Result) -> None:
    state = torch.get_rng_state()
    again = nbody_step.run(TINY)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(values, again.error[name]) for name, values in result.error.items())
    mean, low, high = result.difference("steerable, degree 1", "plain")
    assert low <= mean <= high
    assert result.relative("plain").shape == result.straight.shape == (2,)


def test_save_and_load(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "result.pt")
    loaded = Result.load(tmp_path / "result.pt")
    assert loaded.config == result.config and loaded.parameters == result.parameters
    assert torch.equal(loaded.straight, result.straight)
    assert all(torch.equal(loaded.error[name], result.error[name]) for name in MODELS)


def test_plot(result: Result) -> None:
    assert len(result.plot().axes) == 1


def test_runs_on_the_device(device: torch.device) -> None:
    assert nbody_step.run(replace(TINY, seeds=1), device=device).error["plain"].shape == (1,)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no preset 'huge'; there are quick, long"):
        nbody_step.run("huge")
    with pytest.raises(ValueError, match="no model 'round'; there are steerable, degree 2"):
        nbody_step.fit("round")
    with pytest.raises(ValueError, match='"steerable" or "plain"; got \'square\''):
        nbody_step.fit(nbody_step.Model("square", 3), TINY)

"""The comparison on turned clouds: its networks, its pairing, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import turned_clouds
from equibook.experiments.turned_clouds import MODELS, PRESETS, CloudClassifier, Config, Model, Result

TINY = replace(Config(), seeds=2, epochs=1, samples=48, tests=30, points=40)


@pytest.fixture(scope="module")
def result() -> Result:
    return turned_clouds.run(TINY)


def classifier(model: Model, sources: int) -> CloudClassifier:
    return CloudClassifier(model, sources, 5, 4, generator=torch.Generator().manual_seed(0)).double().eval()


@pytest.mark.parametrize("cross", [False, True])
def test_vectors_turn_and_forget_the_place(cross: bool, generator: torch.Generator) -> None:
    x = torch.randn(3, 40, 3, dtype=torch.float64, generator=generator)
    v = turned_clouds.cloud_vectors(x, cross=cross)
    assert v.shape == (3, 5 if cross else 3, 40, 3)
    R = eq.haar_sample(eq.so3(), 1, generator=generator)[0]
    assert torch.allclose(turned_clouds.cloud_vectors(x @ R.mT + 7, cross=cross), v @ R.mT, atol=1e-11)
    signs = torch.tensor([-1.0, -1, -1, 1, 1] if cross else [-1.0, -1, -1])[:, None, None]
    assert torch.allclose(turned_clouds.cloud_vectors(-x, cross=cross), signs * v, atol=1e-12)


@pytest.mark.parametrize("cross", [False, True])
def test_vector_neurons_are_invariant(cross: bool, device: torch.device, generator: torch.Generator) -> None:
    net = classifier(Model("vectors", cross=cross), 5 if cross else 3).to(device)
    x = torch.randn(3, 40, 3, dtype=torch.float64, generator=generator).to(device)

    def answer(x: torch.Tensor) -> torch.Tensor:
        return net(turned_clouds.cloud_vectors(x, cross=cross)).detach()

    R = eq.haar_sample(eq.so3(), 1, generator=generator)[0].to(device)
    order = torch.randperm(40, generator=generator).to(device)
    assert torch.allclose(answer(x[:, order] @ R.mT + 1), answer(x), atol=1e-10)
    assert torch.allclose(answer(-x), answer(x), atol=1e-10) != cross


def test_plain_numbers_are_not(generator: torch.Generator) -> None:
    net = classifier(Model("numbers"), 3)
    v = turned_clouds.cloud_vectors(torch.randn(3, 40, 3, dtype=torch.float64, generator=generator))
    assert (net(turned_clouds.turn(v, generator)) - net(v)).abs().max() > 1e-3


def test_turns_are_rotations(generator: torch.Generator) -> None:
    x = torch.randn(5, 3, 4, 3, dtype=torch.float64, generator=generator)
    y = turned_clouds.turn(x, generator)
    assert torch.allclose(y.flatten(1, 2) @ y.flatten(1, 2).mT, x.flatten(1, 2) @ x.flatten(1, 2).mT)
    assert torch.allclose(torch.linalg.det(y[:, 0, :3]), torch.linalg.det(x[:, 0, :3]))


def test_invariant_by_construction(result: Result) -> None:
    assert torch.equal(result.constant["vector neurons"], torch.ones(2, dtype=torch.float64))
    assert torch.equal(result.upright["vector neurons"], result.turned["vector neurons"])


def test_sizes_are_alike(result: Result) -> None:
    assert len(set(result.parameters.values())) == 2
    assert max(result.parameters.values()) < 1.05 * min(result.parameters.values())


def test_runs_are_paired_and_repeat(result: Result) -> None:
    state = torch.get_rng_state()
    again = turned_clouds.run(TINY)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(values, again.turned[name]) for name, values in result.turned.items())
    net, x, y = turned_clouds.fit("plain, augmented", TINY, 1)
    right = (net(turned_clouds.cloud_vectors(x)).argmax(dim=1) == y).double().mean()
    assert right == result.upright["plain, augmented"][1]  # one run of `fit` is one seed of `run`
    mean, low, high = result.difference("vector neurons", "plain")
    assert low <= mean <= high
    tests = [turned_clouds.fit(name, TINY, 1)[1] for name in ("plain", "vector neurons")]
    assert torch.equal(*tests)


def test_save_and_load(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "result.pt")
    loaded = Result.load(tmp_path / "result.pt")
    assert loaded.config == result.config and loaded.parameters == result.parameters
    assert all(torch.equal(loaded.turned[name], result.turned[name]) for name in MODELS)


def test_plot(result: Result) -> None:
    assert len(result.plot().axes) == 2


def test_hands_on_the_device(device: torch.device) -> None:
    changes = {"seeds": 1, "samples": 32, "tests": 20, "epochs": 1}
    hands = turned_clouds.run("hands", **changes, device=device)
    assert list(hands.turned) == list(PRESETS["hands"].models)


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no preset 'huge'; there are quick, hands, long"):
        turned_clouds.run("huge")
    with pytest.raises(ValueError, match="no model 'round'; there are vector neurons"):
        turned_clouds.fit("round")
    with pytest.raises(ValueError, match='"vectors" or "numbers"; got \'words\''):
        CloudClassifier(Model("words"), 3, 4, 2)

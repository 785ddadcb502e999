"""The comparison on rotated digits: its networks, its turning, its pairing, and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import rotated_digits
from equibook.experiments.rotated_digits import MODELS, PRESETS, Config, Model, Result

TINY = replace(Config(), seeds=2, epochs=1, samples=64, angles=4, models=dict(list(MODELS.items())[:3]))


@pytest.fixture(scope="module")
def result() -> Result:
    return rotated_digits.run(TINY)


@pytest.mark.parametrize("group", ["C1", "C4", "D4"])
@pytest.mark.parametrize("size", [8, 28])
def test_network_is_invariant(group: str, size: int, device: torch.device, generator: torch.Generator) -> None:
    net = Model(group, (2, 3, 2)).build(size, generator=generator).double().to(device)
    G = net[0].source.group
    x = torch.rand(2, 1, size, size, dtype=torch.float64, generator=generator).to(device)
    eq.assert_equivariant(net, eq.trivial(G), 10 * eq.trivial(G), x)


def test_network_of_one_element_is_an_ordinary_cnn(generator: torch.Generator) -> None:
    net = Model("C1", (4, 6, 5)).build(8, generator=generator)
    plain = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.Conv2d(4, 6, 3, padding=1),
        torch.nn.Conv2d(6, 5, 4),
        torch.nn.Linear(5, 10),
    )
    assert sum(p.numel() for p in net.parameters()) == sum(p.numel() for p in plain.parameters())


def test_plain_and_equivariant_have_the_same_size() -> None:
    counts = {name: sum(p.numel() for p in MODELS[name].build(8).parameters()) for name in ("equivariant", "plain")}
    assert abs(counts["plain"] / counts["equivariant"] - 1) < 0.02


@pytest.mark.parametrize("quarter", range(-1, 5))
def test_turn_agrees_with_rot90(quarter: int, generator: torch.Generator) -> None:
    x = torch.rand(2, 1, 8, 8, generator=generator)
    assert torch.equal(rotated_digits.turn(x, 90 * quarter), x.rot90(quarter, (-2, -1)))


def test_turn_interpolates_in_the_same_direction(generator: torch.Generator) -> None:
    x = torch.rand(1, 1, 8, 8, generator=generator, dtype=torch.float64)
    nearly = rotated_digits.turn(x, 90 + 1e-7)
    assert (nearly - x.rot90(1, (-2, -1))).abs().max() < 1e-5


def test_invariant_by_construction(result: Result) -> None:
    assert torch.equal(result.constant["equivariant"], torch.ones(2, dtype=torch.float64))
    assert torch.allclose(result.upright("equivariant"), result.quarter_turns("equivariant"))


def test_runs_are_paired_and_repeat(result: Result) -> None:
    again = rotated_digits.run(TINY)
    for name, accuracy in result.accuracy.items():
        assert accuracy.shape == (2, 4)
        assert torch.equal(accuracy, again.accuracy[name])
    mean, low, high = result.difference("equivariant", "plain")
    assert low <= mean <= high


def test_the_test_set_is_never_trained_on() -> None:
    x, _, x_test, _ = rotated_digits._load(Config(), 0)
    everything = eq.data.digits()[0]
    assert len(x) + len(x_test) == len(everything)
    assert not (set(map(tuple, x.flatten(1).tolist())) & set(map(tuple, x_test.flatten(1).tolist())))


def test_turned_training_sets(generator: torch.Generator) -> None:
    upright, turned = (rotated_digits._load(replace(TINY, turned=t), 0)[0] for t in (False, True))
    same = (upright == turned).flatten(1).all(dim=1).double().mean()
    assert 0.1 < same < 0.5  # a quarter of the turns is the identity


def test_save_and_load(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "result.pt")
    loaded = Result.load(tmp_path / "result.pt")
    assert loaded.config == result.config and loaded.parameters == result.parameters
    assert all(torch.equal(loaded.accuracy[name], result.accuracy[name]) for name in result.accuracy)


def test_plots(result: Result) -> None:
    assert len(result.plot().axes) == 2
    assert len(result.plot_angles(["plain", "equivariant"]).axes) == 1


def test_runs_on_the_device(device: torch.device) -> None:
    result = rotated_digits.run(replace(TINY, seeds=1), device=device)
    assert result.constant["equivariant"].item() == 1


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no preset 'huge'; there are quick, mnist"):
        rotated_digits.run("huge")
    with pytest.raises(ValueError, match="no model 'round'; there are equivariant"):
        rotated_digits.fit("round")
    with pytest.raises(ValueError, match="multiple of 4"):
        rotated_digits.run(TINY, angles=6)
    with pytest.raises(ValueError, match='must be "digits" or "mnist"'):
        rotated_digits.run(TINY, data="letters")
    assert PRESETS["mnist"].data == "mnist"

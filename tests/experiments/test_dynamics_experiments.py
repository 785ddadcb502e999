"""The published experiments, small: networks, spaces, presets, and what the papers report in miniature."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import attraction, compatibility, scalar_network, scalar_space


def test_networks_have_the_published_sizes() -> None:
    def size(network: torch.nn.Module) -> int:
        return sum(p.numel() for p in network.parameters())

    assert size(scalar_network((16, 16), 28, (True, True))) == 10_288  # the attraction paper
    big = scalar_network((32, 64, 64), 28, (True, True, False))
    dims = {
        name: weight.shape[0] * weight.shape[1] // (49 if weight.ndim == 2 else 1)
        for name, weight in big.named_parameters()
    }
    space = scalar_space(eq.cyclic(4), big, "cross")
    assert sum(pairs * space.layers[name].dim for name, pairs in dims.items()) == 62_240  # the compatibility paper
    assert sum(pairs * space.layers[name].equivariant_dim for name, pairs in dims.items()) == 20_672


def test_bad_networks_and_supports() -> None:
    with pytest.raises(ValueError, match="odd"):
        scalar_network((4, 4), 10, (True, True))
    with pytest.raises(ValueError, match="layer normalization leaves"):
        scalar_network((4, 4), 8, (True, True))
    with pytest.raises(ValueError, match="one entry a convolution"):
        scalar_network((4, 4), 8, (True,))
    with pytest.raises(ValueError, match="Supports are"):
        scalar_space(eq.cyclic(4), scalar_network(), "circle")


def test_compatibility(tmp_path: Path) -> None:
    result = compatibility.run("digits", samples=40, steps=2)
    after = {name: float(path.distance[1]) for name, path in result.paths.items()}
    assert after["cross"] < 1e-14 and after["full"] < 1e-14
    assert after["skew"] > 1e-2 and after["non-orthonormal"] > 1e-2
    result.save(tmp_path / "result.pt")
    again = compatibility.Result.load(tmp_path / "result.pt")
    assert again.config == result.config and again.commutators == result.commutators
    assert len(again.plot().axes) == 1


def test_attraction(tmp_path: Path) -> None:
    result = attraction.run("digits", steps=120, seeds=2, gammas=(0.0, 1.0, 10.0))
    nominal, augmented = result.distance("nominal"), result.distance("augmented")
    assert nominal.shape == (7, 3, 2)
    torch.testing.assert_close(nominal[0], augmented[0])
    assert nominal[0].mean() == pytest.approx(0.037, abs=0.003)  # 1e-3 times the root of dim E^⊥ = 1392
    assert (augmented[-1] < nominal[-1]).all()
    assert nominal[-1, 2].max() < nominal[-1, 0].min()
    assert result.plateau("nominal").distance.shape == (2, 2)
    result.save(tmp_path / "result.pt")
    again = attraction.Result.load(tmp_path / "result.pt")
    assert again.config == result.config
    again.plot(), again.plot(1.0), again.plot_plateaus()
    with pytest.raises(ValueError, match="was not run"):
        again.plot(3.0)


@pytest.mark.parametrize("experiment", [compatibility, attraction])
def test_unknown_presets(experiment: object) -> None:
    with pytest.raises(ValueError, match="no preset 'huge'"):
        experiment.run("huge")  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="data is 'cifar'"):
        experiment.run("digits", data="cifar")  # type: ignore[attr-defined]

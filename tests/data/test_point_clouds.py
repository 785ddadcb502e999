"""Clouds of points: they lie on their surfaces, uniformly, and nothing but the surface tells the class."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import equibook as eq
from equibook.data import SHAPES, point_clouds


def uniform(count: int = 20000) -> Tensor:
    return torch.rand(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


#: A function that is 0 on the surface, and the surface's mean of z and of x² + y², from its areas.
SURFACES = {
    "sphere": (lambda x, y, z, r: (r * r + z * z).sqrt() - 1, 0.0, 2 / 3),
    "cube": (lambda x, y, z, r: torch.stack([x, y, z]).abs().amax(0) - 1, 0.0, 2 * (1 / 3 * 2 + 1) / 3),
    "cylinder": (lambda x, y, z, r: torch.maximum(r, z.abs()) - 1, 0.0, (2 * 1 + 1 * 0.5) / 3),
    "cone": (
        lambda x, y, z, r: torch.minimum((z - 2 * (1 - r)).abs(), z.abs()),
        2 / 3 * math.sqrt(5) / (math.sqrt(5) + 1),
        0.5,
    ),
    "torus": (lambda x, y, z, r: torch.hypot(r - 1, z) - 0.4, 0.0, 1 + 1.5 * 0.4**2),
    "tetrahedron": (
        lambda x, y, z, r: torch.stack([x + y - z, x - y + z, -x + y + z, -x - y - z]).amax(0) - 1,
        0.0,
        2 / 3,
    ),
    "right helix": (lambda x, y, z, r: (torch.atan2(y, x) - 4 * math.pi * (z / 3 + 0.5)).sin() + r - 1, 0.0, 1.0),
    "left helix": (lambda x, y, z, r: (torch.atan2(y, x) + 4 * math.pi * (z / 3 + 0.5)).sin() + r - 1, 0.0, 1.0),
}


@pytest.mark.parametrize("name", SHAPES)
def test_points_lie_on_the_surface_uniformly(name: str) -> None:
    points = SHAPES[name](uniform())
    x, y, z = points.unbind(-1)
    equation, height, radius = SURFACES[name]
    assert float(equation(x, y, z, torch.hypot(x, y)).abs().max()) < 1e-9
    if "helix" not in name:
        assert float(points[:, :2].mean(0).abs().max()) < 0.03
    assert float(z.mean()) == pytest.approx(height, abs=0.03)
    assert float((x * x + y * y).mean()) == pytest.approx(radius, abs=0.03)


def test_the_cap_and_the_side_of_a_cylinder_are_as_large_as_their_areas() -> None:
    z = SHAPES["cylinder"](uniform())[:, 2]
    for end in (-1.0, 1.0):
        assert float((z == end).double().mean()) == pytest.approx(1 / 6, abs=0.01)


def test_helices_are_mirror_images() -> None:
    right, left = SHAPES["right helix"](uniform(50)), SHAPES["left helix"](uniform(50))
    assert torch.equal(left, right * torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64))


def test_clouds_have_one_size_one_center_and_balanced_classes() -> None:
    clouds, labels = point_clouds(50, 32, shapes=tuple(SHAPES), generator=generator_of(0))
    assert clouds.shape == (50, 32, 3) and clouds.dtype == torch.float32
    assert sorted(labels.bincount(minlength=8).tolist()) == [6] * 6 + [7] * 2
    assert float(clouds.mean(1).abs().max()) < 1e-6
    assert torch.allclose(clouds.square().sum(-1).mean(1), torch.ones(50))
    assert not torch.equal(labels, labels.sort().values)


def test_labels_name_the_surface() -> None:
    clouds, labels = point_clouds(
        20, 64, ("torus", "sphere"), noise=0.0, stretch=0.0, generator=generator_of(0), dtype=torch.float64
    )
    spread = (clouds - clouds.mean(1, keepdim=True)).norm(dim=-1).std(dim=1)
    assert float(spread[labels == 1].max()) < 0.15 < float(spread[labels == 0].min())


def test_turned_clouds_are_the_upright_ones_turned() -> None:
    upright, labels = point_clouds(8, 40, generator=generator_of(0), dtype=torch.float64)
    turned, same = point_clouds(8, 40, turned=True, generator=generator_of(0), dtype=torch.float64)
    assert torch.equal(labels, same) and not torch.allclose(upright, turned)
    assert torch.allclose(turned @ turned.mT, upright @ upright.mT, atol=1e-12)  # the same inner products
    R = torch.linalg.lstsq(upright, turned).solution.mT
    assert torch.allclose(torch.linalg.det(R), torch.ones(8, dtype=torch.float64))
    assert eq.so3().batch(R)[0].shape == (8, 3, 3)


def test_noise_and_stretch() -> None:
    one = {"shapes": ("sphere",), "dtype": torch.float64}
    clean, _ = point_clouds(5, 500, noise=0.0, stretch=0.0, generator=generator_of(0), **one)
    assert float((clean.norm(dim=-1) - 1).abs().max()) < 0.2  # the mean of the sample is not quite the center
    noisy, _ = point_clouds(5, 500, noise=0.2, stretch=0.0, generator=generator_of(0), **one)
    assert 0.15 < float(noisy.norm(dim=-1).std()) < 0.25
    stretched, _ = point_clouds(50, 500, noise=0.0, stretch=0.5, generator=generator_of(0), **one)
    ratio = stretched.std(dim=1)
    assert float((ratio.amax(1) / ratio.amin(1)).max()) > 1.8


def test_the_generator_alone_draws() -> None:
    before = torch.get_rng_state()
    first, again, other = (point_clouds(6, 20, turned=True, generator=generator_of(s))[0] for s in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(before, torch.get_rng_state())


def test_errors_say_what_was_given() -> None:
    with pytest.raises(ValueError, match=r"Unknown shapes \['spere'\]; known are sphere, cube"):
        point_clouds(3, shapes=("spere", "cube"))
    with pytest.raises(ValueError, match="got 0 and 128"):
        point_clouds(0)
    with pytest.raises(ValueError, match=r"got -1 and 0\.2"):
        point_clouds(3, noise=-1)

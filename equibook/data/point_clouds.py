"""Clouds of points on surfaces: a class a surface, with noise, stretched and turned at random."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..representation import haar_sample, so3

__all__ = ["SHAPES", "point_clouds"]


def point_clouds(
    samples: int,
    points: int = 128,
    shapes: Sequence[str] = ("sphere", "cube", "cylinder", "cone", "torus", "tetrahedron"),
    *,
    noise: float = 0.03,
    stretch: float = 0.2,
    turned: bool = False,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Points drawn uniformly from surfaces, and which surface each cloud came from.

    Each cloud is stretched along its own axes, made noisy, moved so that its mean is 0 and scaled so that its
    points have mean square length 1: neither position nor size tells the class.

    Args:
        samples: how many clouds; the classes differ by one at most.
        points: in each.
        shapes: the classes, of `SHAPES`. "left helix" is the mirror image of "right helix".
        noise: the standard deviation of each coordinate's noise; the surfaces have a size of about 1.
        stretch: s; each axis is multiplied by a factor uniform in [1 − s, 1 + s].
        turned: whether each cloud is turned by a uniform random rotation; otherwise it stands upright, along z.
        generator: draws everything.
        dtype: of the points.

    Returns:
        points (samples, points, 3) and labels (samples,), positions in ``shapes``.

    Raises:
        ValueError: if a shape is unknown, or a number is out of range.

    >>> clouds, labels = point_clouds(12, points=64, generator=torch.Generator().manual_seed(0))
    >>> clouds.shape, labels.bincount().tolist()
    (torch.Size([12, 64, 3]), [2, 2, 2, 2, 2, 2])

    Chapter: Vectors in space
    """
    unknown = [shape for shape in shapes if shape not in SHAPES]
    if unknown or not shapes:
        raise ValueError(f"Unknown shapes {unknown}; known are {', '.join(SHAPES)}.")
    if samples < 1 or points < 2:
        raise ValueError(f"There is at least one cloud, of at least two points; got {samples} and {points}.")
    if noise < 0 or not 0 <= stretch < 1:
        raise ValueError(f"noise is at least 0, and stretch in [0, 1); got {noise} and {stretch}.")
    f64 = torch.float64
    labels = (torch.arange(samples) % len(shapes))[torch.randperm(samples, generator=generator)]
    clouds = torch.empty(samples, points, 3, dtype=f64)
    for label, shape in enumerate(shapes):
        members = (labels == label).nonzero().flatten()
        uniform = torch.rand(len(members), points, 3, dtype=f64, generator=generator)
        clouds[members] = SHAPES[shape](uniform)
    clouds *= 1 + stretch * (2 * torch.rand(samples, 1, 3, dtype=f64, generator=generator) - 1)
    clouds += noise * torch.randn(samples, points, 3, dtype=f64, generator=generator)
    clouds -= clouds.mean(dim=1, keepdim=True)
    clouds /= clouds.square().sum(dim=-1).mean(dim=1).sqrt()[:, None, None]
    if turned:
        clouds = clouds @ haar_sample(so3(), samples, generator=generator).mT
    return clouds.to(dtype), labels


# ---- surfaces: maps of uniform (..., 3) to points, uniform by area -----------------------------


def _circle(u: Tensor) -> tuple[Tensor, Tensor]:
    angle = 2 * math.pi * u
    return angle.cos(), angle.sin()


def _sphere(u: Tensor) -> Tensor:
    z = 2 * u[..., 0] - 1  # Archimedes: the height of a uniform point is uniform
    c, s = _circle(u[..., 1])
    r = (1 - z * z).clamp_min(0).sqrt()
    return torch.stack([r * c, r * s, z], dim=-1)


def _cube(u: Tensor) -> Tensor:
    face = (6 * u[..., 0]).long().clamp_max(5)
    side = (2 * (face % 2) - 1).to(u)
    a, b = 2 * u[..., 1] - 1, 2 * u[..., 2] - 1
    turns = torch.stack([torch.stack(p, dim=-1) for p in ((side, a, b), (b, side, a), (a, b, side))])
    return turns.gather(0, (face // 2)[None, ..., None].expand(1, *u.shape)).squeeze(0)


def _cylinder(u: Tensor, height: float = 2.0) -> Tensor:
    on_side = u[..., 0] < height / (height + 1)  # areas 2πh and 2π
    c, s = _circle(u[..., 1])
    r = torch.where(on_side, 1.0, u[..., 2].sqrt())
    v = u[..., 0] * (height + 1) - height  # in the caps uniform in (0, 1): which of the two
    z = torch.where(on_side, height * (u[..., 2] - 0.5), torch.where(v < 0.5, -height / 2, height / 2))
    return torch.stack([r * c, r * s, z], dim=-1)


def _cone(u: Tensor, height: float = 2.0) -> Tensor:
    slant = math.sqrt(1 + height**2)
    on_side = u[..., 0] < slant / (slant + 1)  # areas π·slant and π
    c, s = _circle(u[..., 1])
    r = u[..., 2].sqrt()
    return torch.stack([r * c, r * s, torch.where(on_side, height * (1 - r), 0.0)], dim=-1)


def _torus(u: Tensor, tube: float = 0.4) -> Tensor:
    # The density of the angle φ around the tube is 1 + t cos φ: solve φ + t sin φ = 2πu by Newton's rule.
    goal = 2 * math.pi * u[..., 0]
    phi = goal.clone()
    for _ in range(20):
        phi = phi - (phi + tube * phi.sin() - goal) / (1 + tube * phi.cos())
    c, s = _circle(u[..., 1])
    r = 1 + tube * phi.cos()
    return torch.stack([r * c, r * s, tube * phi.sin()], dim=-1)


def _tetrahedron(u: Tensor) -> Tensor:
    corners = u.new_tensor([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]])
    missing = (4 * u[..., 0]).long().clamp_max(3)  # a face is the triangle of the other three corners
    a, b, c = (corners[(missing + k) % 4] for k in (1, 2, 3))
    root, t = u[..., 1].sqrt()[..., None], u[..., 2][..., None]
    return (1 - root) * a + root * (1 - t) * b + root * t * c


def _helix(u: Tensor, turns: float = 2.0) -> Tensor:
    c, s = _circle(turns * u[..., 0])
    return torch.stack([c, s, 3 * (u[..., 0] - 0.5)], dim=-1)


def _left_helix(u: Tensor) -> Tensor:
    return _helix(u) * u.new_tensor([1.0, -1.0, 1.0])


#: The surfaces, and two curves that are mirror images.
SHAPES: dict[str, Callable[[Tensor], Tensor]] = {
    "sphere": _sphere,
    "cube": _cube,
    "cylinder": _cylinder,
    "cone": _cone,
    "torus": _torus,
    "tetrahedron": _tetrahedron,
    "right helix": _helix,
    "left helix": _left_helix,
}

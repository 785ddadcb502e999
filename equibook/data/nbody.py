r"""Bodies that attract or repel each other: their motion, by the leapfrog rule.

The laws of motion do not know where the origin is, which way is up or how the bodies are numbered, so
the map from now to later commutes with translations, rotations, reflections and permutations. The rule that
integrates them is built from the same forces, and commutes exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Trajectories", "leapfrog", "nbody", "nbody_energy", "nbody_forces"]

LAWS = {"charged": 1.0, "gravity": -1.0}


@dataclass(frozen=True)
class Trajectories:
    """The motion of several systems of bodies.

    Attributes:
        charges: (samples, bodies), charges or masses.
        positions: (samples, times, bodies, 3).
        velocities: (samples, times, bodies, 3).
        times: (times,) when the bodies were looked at, from 0.
    """

    charges: Tensor
    positions: Tensor
    velocities: Tensor
    times: Tensor


def nbody_forces(positions: Tensor, charges: Tensor, law: str = "charged", softening: float = 0.1) -> Tensor:
    r"""The forces F_i = ± Σ_j q_i q_j (x_i − x_j)/(‖x_i − x_j‖² + ε²)^{3/2}: + between charges, − between masses.

    The softening ε bounds the forces: a body then is a small cloud in the place of a point.

    Args:
        positions: (..., bodies, 3).
        charges: (..., bodies), charges or masses.
        law: "charged" or "gravity".
        softening: ε, in the units of the positions.

    Returns:
        (..., bodies, 3).

    Raises:
        ValueError: if the law is another, or the shapes do not match.

    >>> x = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    >>> nbody_forces(x, torch.ones(2), "gravity", softening=0.0).tolist()
    [[0.25, 0.0, 0.0], [-0.25, 0.0, 0.0]]

    Chapter: Vectors in space
    """
    away, weight = _pairs(positions, charges, law)
    cube = (away.square().sum(dim=-1) + softening**2) ** 1.5
    itself = torch.eye(positions.shape[-2], dtype=torch.bool, device=positions.device)
    return (away * (weight / torch.where(itself, 1.0, cube)).masked_fill(itself, 0.0)[..., None]).sum(dim=-2)


def nbody_energy(
    positions: Tensor, velocities: Tensor, charges: Tensor, law: str = "charged", softening: float = 0.1
) -> Tensor:
    r"""The energy Σ_i m_i ‖v_i‖²/2 ± Σ_{i<j} q_i q_j/(‖x_i − x_j‖² + ε²)^{1/2}, which motion keeps.

    Args:
        positions: (..., bodies, 3).
        velocities: (..., bodies, 3).
        charges: (..., bodies); with the law "charged" each mass is 1.
        law, softening: as for `nbody_forces`.

    Returns:
        (...).

    >>> x = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    >>> float(nbody_energy(x, torch.zeros(2, 3), torch.ones(2), "gravity", softening=0.0))
    -0.5
    """
    away, weight = _pairs(positions, charges, law)
    distance = (away.square().sum(dim=-1) + softening**2).sqrt()
    itself = torch.eye(positions.shape[-2], dtype=torch.bool, device=positions.device)
    potential = (weight / torch.where(itself, 1.0, distance)).masked_fill(itself, 0.0).sum(dim=(-2, -1)) / 2
    mass = charges if law == "gravity" else torch.ones_like(charges)
    return (mass * velocities.square().sum(dim=-1)).sum(dim=-1) / 2 + potential


def leapfrog(
    acceleration: Callable[[Tensor], Tensor], x: Tensor, v: Tensor, step: float, steps: int, every: int = 1
) -> tuple[Tensor, Tensor]:
    r"""The motion x″ = a(x) in steps of half a kick, a drift and half a kick.

    v ← v + (h/2) a(x), x ← x + h v, v ← v + (h/2) a(x). The rule is its own reverse with −h, and its error in
    the energy is of order h² and does not grow.

    Args:
        acceleration: a, from positions to a tensor of the same shape.
        x: positions at time 0.
        v: velocities at time 0.
        step: h.
        steps: how many.
        every: keep each state whose number is a multiple of this.

    Returns:
        positions and velocities, each (steps // every + 1, *x.shape); the first are x and v.

    Raises:
        ValueError: if a number of steps is not positive.

    >>> x, v = leapfrog(lambda x: -x, torch.tensor([1.0]), torch.tensor([0.0]), torch.pi / 100, 200)   # once around
    >>> round(float(x[100]), 2), round(float(x[200]), 2)
    (-1.0, 1.0)

    Chapter: Vectors in space
    """
    if steps < 1 or every < 1:
        raise ValueError(f"steps and every are positive whole numbers; got {steps} and {every}.")
    positions, velocities = [x], [v]
    force = acceleration(x)
    for n in range(1, steps + 1):
        v = v + step / 2 * force
        x = x + step * v
        force = acceleration(x)
        v = v + step / 2 * force
        if n % every == 0:
            positions.append(x)
            velocities.append(v)
    return torch.stack(positions), torch.stack(velocities)


def nbody(
    samples: int,
    bodies: int = 5,
    law: str = "charged",
    *,
    step: float = 0.005,
    steps: int = 400,
    every: int = 100,
    softening: float = 0.1,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Trajectories:
    """Random systems of charged or heavy bodies and their motion.

    Positions start normal of variance 1 and velocities of length 1/2 in a uniform direction. Charges are ±1 and
    each mass is 1; with gravity, masses are uniform in [1/2, 3/2]. The center of mass rests at the origin. The
    motion is computed in float64.

    Args:
        samples: how many systems.
        bodies: how many in each.
        law: "charged" or "gravity".
        step, steps, every: of the leapfrog rule; by default five looks at the time from 0 to 2.
        softening: of the forces.
        generator: draws charges, positions and velocities.
        dtype: of what is returned.

    Returns:
        `Trajectories`, with steps // every + 1 times.

    Raises:
        ValueError: if the law is another or a number is not positive.

    >>> motion = nbody(10, bodies=3, generator=torch.Generator().manual_seed(0))
    >>> motion.positions.shape, motion.times.tolist()
    (torch.Size([10, 5, 3, 3]), [0.0, 0.5, 1.0, 1.5, 2.0])

    Chapter: Vectors in space

    Reference: Kipf, Fetaya, Wang, Welling and Zemel (2018) for the charged bodies, in two dimensions; Satorras,
    Hoogeboom and Welling (2021) for the task.
    """
    if samples < 1 or bodies < 1:
        raise ValueError(f"samples and bodies are positive whole numbers; got {samples} and {bodies}.")
    if law not in LAWS:
        raise ValueError(f'law is "charged" or "gravity"; got {law!r}.')
    f64 = torch.float64
    x = torch.randn(samples, bodies, 3, dtype=f64, generator=generator)
    v = torch.randn(samples, bodies, 3, dtype=f64, generator=generator)
    v = v / (2 * v.norm(dim=-1, keepdim=True))
    draw = torch.rand(samples, bodies, dtype=f64, generator=generator)
    charges = draw + 0.5 if law == "gravity" else 2 * (draw < 0.5).to(f64) - 1
    mass = (charges if law == "gravity" else torch.ones_like(charges))[..., None]
    x, v = (u - (mass * u).sum(dim=1, keepdim=True) / mass.sum(dim=1, keepdim=True) for u in (x, v))
    positions, velocities = leapfrog(
        lambda x: nbody_forces(x, charges, law, softening) / mass, x, v, step, steps, every
    )
    times = step * every * torch.arange(len(positions), dtype=f64)
    return Trajectories(
        charges.to(dtype), positions.transpose(0, 1).to(dtype), velocities.transpose(0, 1).to(dtype), times.to(dtype)
    )


def _pairs(positions: Tensor, charges: Tensor, law: str) -> tuple[Tensor, Tensor]:
    """x_i − x_j, (..., bodies, bodies, 3), and ± q_i q_j, (..., bodies, bodies)."""
    if law not in LAWS:
        raise ValueError(f'law is "charged" or "gravity"; got {law!r}.')
    if positions.shape[-1:] != (3,) or positions.shape[-2:-1] != charges.shape[-1:]:
        raise ValueError(
            f"Expected positions (..., bodies, 3) and charges (..., bodies); got {tuple(positions.shape)} and "
            f"{tuple(charges.shape)}."
        )
    return positions[..., :, None, :] - positions[..., None, :, :], (
        LAWS[law] * charges[..., :, None] * charges[..., None, :]
    )

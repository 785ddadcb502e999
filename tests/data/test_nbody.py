"""Bodies in motion: the forces are gradients, the energy is kept, and every motion of space commutes with time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import equibook as eq
from equibook.data import leapfrog, nbody, nbody_energy, nbody_forces

LAWS = ("charged", "gravity")
laws = pytest.mark.parametrize("law", LAWS)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@laws
def test_forces_are_minus_the_gradient_of_the_energy(law: str) -> None:
    x, q = draw(3, 5, 3).requires_grad_(), draw(3, 5, seed=1).abs() + 0.5
    energy = nbody_energy(x, torch.zeros_like(x), q, law, softening=0.2)
    (gradient,) = torch.autograd.grad(energy.sum(), x)
    assert torch.allclose(nbody_forces(x, q, law, softening=0.2), -gradient, atol=1e-12)


def test_coulomb_and_newton_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    assert nbody_forces(x, torch.tensor([1.0, -3.0]), softening=0.0).tolist() == [[0, 0, 0.75], [0, 0, -0.75]]
    assert nbody_forces(x, torch.tensor([1.0, 3.0]), softening=0.0).tolist() == [[0, 0, -0.75], [0, 0, 0.75]]
    assert nbody_forces(x, torch.tensor([1.0, 3.0]), "gravity", softening=0.0).tolist() == [[0, 0, 0.75], [0, 0, -0.75]]
    v = torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    assert float(nbody_energy(x, v, torch.tensor([1.0, 3.0]), "gravity", softening=0.0)) == 0.5 + 6 - 1.5
    assert float(nbody_energy(x, v, torch.tensor([1.0, 3.0]), softening=0.0)) == 0.5 + 2 + 1.5


@laws
def test_without_softening_gradients_stay_finite(law: str) -> None:
    x = draw(4, 3).requires_grad_()
    (gradient,) = torch.autograd.grad(nbody_forces(x, torch.ones(4).double(), law, softening=0.0).square().sum(), x)
    assert gradient.isfinite().all()


@laws
def test_the_energy_drifts_little_and_by_the_square_of_the_step(law: str) -> None:
    drift = []
    for step in (0.01, 0.005, 0.0025):
        motion = nbody(
            20, law=law, step=step, steps=round(1 / step), every=1, softening=0.5,
            generator=torch.Generator().manual_seed(0), dtype=torch.float64,
        )  # fmt: skip
        energy = nbody_energy(motion.positions, motion.velocities, motion.charges[:, None], law, softening=0.5)
        drift.append(float((energy - energy[:, :1]).abs().max()))
    assert drift[0] < 2e-3
    assert 3.5 < drift[0] / drift[1] < 4.5 and 3.5 < drift[1] / drift[2] < 4.5


@laws
def test_momentum_and_center_stay(law: str) -> None:
    motion = nbody(10, law=law, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mass = (motion.charges if law == "gravity" else torch.ones_like(motion.charges))[:, None, :, None]
    for u in (motion.positions, motion.velocities):
        assert float((mass * u).sum(dim=2).abs().max()) < 1e-12
    spin = (mass * torch.linalg.cross(motion.positions, motion.velocities)).sum(dim=2)
    assert torch.allclose(spin, spin[:, :1], atol=1e-10)  # leapfrog keeps angular momentum


@laws
@given(seed=st.integers(0, 10**6))
def test_time_commutes_with_every_motion_of_space(law: str, seed: int) -> None:
    """Rotations, reflections, translations, a constant velocity and permutations, to round-off."""
    generator = torch.Generator().manual_seed(seed)
    x, v, q = draw(4, 3, seed=seed), draw(4, 3, seed=seed + 1), draw(4, seed=seed + 2).abs() + 0.5
    mass = (q if law == "gravity" else torch.ones_like(q))[:, None]
    R, order = eq.haar_sample(eq.o3(), 1, generator=generator)[0], torch.randperm(4, generator=generator)
    shift, boost = draw(3, seed=seed + 3), draw(3, seed=seed + 4)

    def run(x: Tensor, v: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
        return leapfrog(lambda x: nbody_forces(x, q[order], law, 0.5) / mass[order], x, v, 0.01, 50, every=25)

    later, fast = run(x, v, torch.arange(4))
    moved, moved_fast = run((x @ R.mT + shift)[order], (v @ R.mT + boost)[order], order)
    times = torch.tensor([0.0, 0.25, 0.5], dtype=torch.float64)[:, None, None]
    assert float((moved - (later @ R.mT + shift + times * boost)[:, order]).abs().max()) < 1e-10
    assert float((moved_fast - (fast @ R.mT + boost)[:, order]).abs().max()) < 1e-10


def test_leapfrog_is_its_own_reverse() -> None:
    x, v = draw(5, 3), draw(5, 3, seed=1)
    force = lambda x: nbody_forces(x, torch.ones(5).double(), softening=0.5)  # noqa: E731
    xs, vs = leapfrog(force, x, v, 0.02, 100)
    back, back_v = leapfrog(force, xs[-1], vs[-1], -0.02, 100)
    assert torch.allclose(back[-1], x, atol=1e-11) and torch.allclose(back_v[-1], v, atol=1e-11)
    assert len(xs) == 101 and torch.equal(xs[0], x) and torch.equal(leapfrog(force, x, v, 0.02, 100, 40)[0], xs[::40])


def test_two_bodies_go_around_in_keplers_time() -> None:
    """Masses 1 at distance 1 on a circle: ω² = 2, by Newton's law."""
    x = torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]], dtype=torch.float64)
    v = torch.tensor([[0.0, 0.5, 0.0], [0.0, -0.5, 0.0]], dtype=torch.float64) * math.sqrt(2)
    period = 2 * math.pi / math.sqrt(2)
    ones = torch.ones(2, dtype=torch.float64)
    xs, _ = leapfrog(lambda x: nbody_forces(x, ones, "gravity", 0.0), x, v, period / 2000, 2000)
    assert torch.allclose(xs[-1], x, atol=1e-4) and torch.allclose(xs[1000], -x, atol=1e-4)
    assert torch.allclose(xs.norm(dim=-1), torch.tensor(0.5, dtype=torch.float64), atol=1e-5)


@laws
def test_the_generator_alone_draws(law: str) -> None:
    before = torch.get_rng_state()
    first, again, other = (nbody(3, law=law, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first.positions, again.positions) and not torch.equal(first.positions, other.positions)
    assert torch.equal(before, torch.get_rng_state())
    assert first.positions.dtype == torch.float32 and first.velocities.shape == (3, 5, 5, 3)
    values = set(first.charges.flatten().tolist())
    assert values <= {1.0, -1.0} if law == "charged" else 0.5 <= min(values) <= max(values) <= 1.5


def test_errors_say_what_was_given() -> None:
    with pytest.raises(ValueError, match='"charged" or "gravity"; got \'spring\''):
        nbody(3, law="spring")
    with pytest.raises(ValueError, match='"charged" or "gravity"'):
        nbody_forces(torch.zeros(2, 3), torch.ones(2), "spring")
    with pytest.raises(ValueError, match="positive whole numbers; got 0 and 5"):
        nbody(0)
    with pytest.raises(ValueError, match="positive whole numbers; got 0 and 1"):
        leapfrog(lambda x: x, torch.zeros(1), torch.zeros(1), 0.1, 0)
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3,\)"):
        nbody_forces(torch.zeros(2, 3), torch.ones(3))

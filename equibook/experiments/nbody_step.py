r"""Where will the bodies be? A steerable network, plain message passing, augmentation, and straight lines.

All networks see the same graph, each body joined to each other, and predict by how much a body leaves the straight
line x + t v. They differ in what they know: the plain network reads vectors as three numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import MessagePassingNetwork, SteerableNetwork, from_cartesian, to_cartesian
from ..representation import haar_sample, irreps, o3
from .presets import choose, named
from .results import ModelResult
from .training import by_seed

__all__ = ["MODELS", "PRESETS", "Config", "Model", "PlainStep", "Result", "SteerableStep", "Task", "fit", "run", "task"]


@dataclass(frozen=True)
class Model:
    """One of the networks that are compared.

    Args:
        kind: "steerable" or "plain".
        width: copies of the scalar and of the vector, or channels of the plain network.
        augmented: whether each training system is turned, and reflected or not, at random each time.
        lr: the largest step size of Adam.
        passes: how many times longer it is trained than the config says.
        degree: of the spherical harmonics, of a steerable network.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
    """

    kind: str
    width: int
    augmented: bool = False
    lr: float = 3e-2
    passes: int = 1
    degree: int = 1
    mode: str = "nominal"


#: The step size served each of them best of four, or as well as the best, on seeds 100 to 102. Plain networks get
#: twice the steps, which take about as long.
MODELS: Mapping[str, Model] = {
    "steerable, degree 2": Model("steerable", 8, degree=2, mode="equivariant"),
    "steerable, degree 1": Model("steerable", 8, degree=1, mode="equivariant"),
    "plain": Model("plain", 48, passes=2, mode="nominal"),
    "plain, augmented": Model("plain", 48, augmented=True, passes=2, mode="augmented"),
}


@dataclass(frozen=True)
class Config:
    """What is run: the motion, the models and how they are trained.

    Args:
        models: name → model.
        seeds: how many runs of each model. A seed decides the systems, their order, the random turns and the
            initial weights, and is shared by all models.
        samples, tests: how many systems are trained on, and tested on.
        bodies: in each.
        look: which look at the motion is predicted; 2 is the time 1.
        softening: of the forces, see :func:`~equibook.data.nbody`.
        resting: whether all bodies start at rest.
        rounds: of messages.
        steps, batch_size: of Adam, whose step size rises and then falls to zero.
    """

    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    seeds: int = 3
    samples: int = 200
    tests: int = 400
    bodies: int = 5
    look: int = 2
    softening: float = 0.3
    resting: bool = False
    rounds: int = 1
    steps: int = 140
    batch_size: int = 40


#: "quick" is what the chapter runs; "long" is meant for a GPU.
PRESETS: Mapping[str, Config] = {
    "quick": Config(),
    "long": Config(seeds=5, samples=3000, tests=2000, rounds=3, steps=10_000, batch_size=100),
}


@dataclass(frozen=True)
class Task:
    """Systems of bodies now, and by how much they leave their straight lines later.

    Attributes:
        charges: (systems, bodies).
        positions, velocities: (systems, bodies, 3), now.
        target: (systems, bodies, 3), x(t) − x(0) − t v(0).
    """

    charges: Tensor
    positions: Tensor
    velocities: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.charges)

    def __getitem__(self, chosen: Tensor | slice) -> Task:
        return Task(self.charges[chosen], self.positions[chosen], self.velocities[chosen], self.target[chosen])

    def to(self, device: torch.device | str) -> Task:
        """The same on another device."""
        return Task(
            self.charges.to(device), self.positions.to(device), self.velocities.to(device), self.target.to(device)
        )

    def moved(self, g: Tensor) -> Task:
        """Turned by orthogonal matrices: one (3, 3), or one for each system (systems, 3, 3)."""
        g = g.to(self.positions)
        return Task(self.charges, self.positions @ g.mT, self.velocities @ g.mT, self.target @ g.mT)


def task(
    systems: int,
    config: Config | str = "quick",
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Task:
    """Charged bodies at random, and where they go.

    Args:
        systems: how many.
        config: a config, or the name of one of `PRESETS`.
        generator: draws them.
        dtype: of the tensors.

    >>> task(10).target.shape
    torch.Size([10, 5, 3])

    Chapter: Vectors in space
    """
    config = choose(config, PRESETS)
    start = data.nbody(systems, config.bodies, steps=1, generator=generator, dtype=torch.float64)
    charges, x, v = start.charges, start.positions[:, 0], start.velocities[:, 0]
    v = torch.zeros_like(v) if config.resting else v
    step, steps = 0.005, 100 * config.look

    def forces(x: Tensor) -> Tensor:
        return data.nbody_forces(x, charges, softening=config.softening)

    after = data.leapfrog(forces, x, v, step, steps, every=steps)[0][1]
    target = after - x - step * steps * v
    return Task(charges.to(dtype), x.to(dtype), v.to(dtype), target.to(dtype))


class SteerableStep(nn.Module):
    """A charge, a scalar, and a velocity, a vector, for each body; a `SteerableNetwork` makes one vector of them.

    Args:
        width: copies of the scalar and of the vector between the layers.
        rounds: of messages.
        degree: of the spherical harmonics.
        cutoff: the distance at which messages fade to 0.
        generator: draws the initial weights.

    Input: the charges, positions and velocities of a `Task`; output (systems, bodies, 3).

    Chapter: Vectors in space
    """

    def __init__(
        self,
        width: int = 8,
        rounds: int = 1,
        degree: int = 1,
        cutoff: float = 6.0,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        even, _, _, vector = irreps(o3(), 1)
        self.network = SteerableNetwork(
            even + vector,
            width * even + width * vector,
            vector,
            cutoff,
            layers=rounds,
            degree=degree,
            generator=generator,
        )

    def forward(self, charges: Tensor, positions: Tensor, velocities: Tensor) -> Tensor:
        features = torch.cat([charges[..., None], from_cartesian(velocities)], dim=2).flatten(0, 1)
        edges = _all_pairs(charges)
        return to_cartesian(self.network(features, positions.flatten(0, 1), edges)).view_as(positions)


class PlainStep(nn.Module):
    """Message passing with four numbers for each body, and for each edge the difference vector and its length.

    Args:
        width: channels.
        rounds: of messages.
        generator: draws the initial weights.

    Input: the charges, positions and velocities of a `Task`; output (systems, bodies, 3).

    Chapter: Vectors in space
    """

    def __init__(self, width: int = 48, rounds: int = 1, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.network = MessagePassingNetwork(
            4, [width] * (rounds + 1), 3, edge_channels=4, target_order=1, nonlinearity=F.silu, generator=generator
        )

    def forward(self, charges: Tensor, positions: Tensor, velocities: Tensor) -> Tensor:
        nodes = torch.cat([charges[..., None], velocities], dim=2).flatten(0, 1)
        edges = _all_pairs(charges)
        x = positions.flatten(0, 1)
        away = x[edges[0]] - x[edges[1]]
        features = torch.cat([away, away.norm(dim=1, keepdim=True)], dim=1)
        return self.network(nodes, edges, edge_features=features).view_as(positions)


@dataclass(frozen=True)
class Result(ModelResult):
    """What a run measured, for each model by name.

    Attributes:
        config: what was run.
        straight: (seeds,) the mean distance from the straight line's end to the body.
        error: name → (seeds,) the mean distance from the predicted place to the body.
        frame: name → (seeds,) the mean distance between "turn, then predict" and "predict, then turn".
        parameters: name → how many numbers the model learns.
    """

    config: Config
    straight: Tensor
    error: dict[str, Tensor]
    frame: dict[str, Tensor]
    parameters: dict[str, int]

    def relative(self, name: str) -> Tensor:
        """(seeds,) the error as a share of the straight line's."""
        return self.error[name] / self.straight

    def difference(self, name: str, other: str, level: float = 0.95) -> tuple[float, float, float]:
        """Paired over the seeds: the mean of name − other, relative to straight lines, and Student's interval."""
        from ..figures import mean_interval

        return mean_interval(self.relative(name) - self.relative(other), level)

    def plot(self) -> Any:
        """Errors in percent of the straight line's: seeds, and 95 % intervals of their mean."""
        from ..figures import bars_with_intervals

        groups = {name: 100 * self.relative(name) for name in self.error}
        figure = bars_with_intervals(groups, modes=self.modes, xlabel="error (% of the straight line's)", decimals=0)
        figure.axes[0].set_xlim(left=0)
        return figure


def fit(
    model: Model | str, config: Config | str = "quick", seed: int = 0, *, device: torch.device | str = "cpu"
) -> tuple[nn.Module, Tensor, Task]:
    """Train one model with one seed.

    Args:
        model: a model, or the name of one of the config's models.
        config: a config, or the name of one of `PRESETS`.
        seed: which run.
        device: where to train.

    Returns:
        The network, the unit of its output (the root mean square of the targets), and the test systems.

    >>> net, unit, test = fit("plain", Config(samples=40, tests=10, steps=2))
    >>> (unit * net(test.charges, test.positions, test.velocities)).shape
    torch.Size([10, 5, 3])

    Chapter: Vectors in space
    """
    config = choose(config, PRESETS)
    model = named(model, config.models, "model")
    training, test = _tasks(config, seed, device)
    return *_train(model, config, seed, training), test


def _tasks(config: Config, seed: int, device: torch.device | str) -> tuple[Task, Task]:
    """The training systems and the test systems of a seed."""
    draw = torch.Generator().manual_seed(1000 + seed)
    training, test = (task(n, config, generator=draw).to(device) for n in (config.samples, config.tests))
    return training, test


def _train(model: Model, config: Config, seed: int, training: Task) -> tuple[nn.Module, Tensor]:
    weights, order, turns = (torch.Generator().manual_seed(n + seed) for n in (0, 2000, 3000))
    device, unit = training.target.device, training.target.square().mean().sqrt()
    if model.kind not in ("steerable", "plain"):
        raise ValueError(f'kind is "steerable" or "plain"; got {model.kind!r}.')
    net: nn.Module
    if model.kind == "steerable":
        net = SteerableStep(model.width, config.rounds, model.degree, generator=weights).to(device)
    else:
        net = PlainStep(model.width, config.rounds, generator=weights).to(device)
    steps = config.steps * model.passes
    optimizer = torch.optim.Adam(net.parameters(), lr=model.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, model.lr, steps)
    for _ in range(steps):
        batch = training[torch.randint(len(training), (config.batch_size,), generator=order).to(device)]
        if model.augmented:
            batch = batch.moved(haar_sample(o3(), len(batch), generator=turns))
        optimizer.zero_grad()
        found = net(batch.charges, batch.positions, batch.velocities)
        (found - batch.target / unit).norm(dim=2).mean().backward()
        optimizer.step()
        schedule.step()
    return net.eval(), unit


def run(config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Train every model once a seed, and measure how far from the bodies its predictions are.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("quick", seeds=2, samples=40, tests=20, steps=2)
    >>> result.relative("steerable, degree 1").shape
    torch.Size([2])

    Chapter: Vectors in space
    """
    config = choose(config, PRESETS, **changes)
    error: dict[str, list[Tensor]] = {name: [] for name in config.models}
    frame: dict[str, list[Tensor]] = {name: [] for name in config.models}
    straight: list[Tensor] = []
    parameters: dict[str, int] = {}
    for seed in range(config.seeds):
        training, test = _tasks(config, seed, device)
        for name, model in config.models.items():
            net, unit = _train(model, config, seed, training)
            g = haar_sample(o3(), 1, generator=torch.Generator().manual_seed(4000 + seed))[0].to(test.positions)
            moved = test.moved(g)
            with torch.no_grad():
                found = unit * net(test.charges, test.positions, test.velocities)
                after = unit * net(moved.charges, moved.positions, moved.velocities)
            error[name].append((found - test.target).norm(dim=2).mean().double().cpu())
            frame[name].append((after - found @ g.mT).norm(dim=2).mean().double().cpu())
            parameters[name] = sum(p.numel() for p in net.parameters())
        straight.append(test.target.norm(dim=2).mean().double().cpu())
    return Result(config, torch.stack(straight), by_seed(error), by_seed(frame), parameters)


def _all_pairs(charges: Tensor) -> Tensor:
    """The edges (2, systems · bodies · (bodies − 1)) between all bodies of each system."""
    systems, bodies = charges.shape
    one = (1 - torch.eye(bodies, device=charges.device)).nonzero().mT
    first = bodies * torch.arange(systems, device=charges.device)
    return (one[:, None] + first[None, :, None]).flatten(1)

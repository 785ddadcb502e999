r"""Which pooling carries over to sets of another size: trained on small sets, tested on large ones.

The networks are x ↦ ψ(pool_i φ(x_i)) with the same perceptrons φ and ψ, and differ in the pooling alone:
a sum, a mean or a maximum. A plain perceptron on the sets of the largest training size stands beside them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import PermutationLinear
from .presets import choose

__all__ = ["PRESETS", "TASKS", "Config", "Pooled", "Result", "fit", "run"]

#: What is asked of a set, and how it is said in a title.
TASKS: Mapping[str, str] = {
    "scale": "a statistic: log scale",
    "count": "a total: how many are positive",
    "largest": "an extreme: the largest",
}

POOLS = ("mean", "sum", "max")


@dataclass(frozen=True)
class Config:
    """What is run.

    Args:
        tasks: names of `TASKS`.
        sizes: of the training sets; a batch holds sets of one size.
        test_sizes: of the test sets.
        samples: training sets of each size, and as many for each test.
        seeds: how many runs. A seed decides the sets, the order and the initial weights of all networks.
        hidden: the channels of φ and ψ.
        epochs, batch_size, lr: of Adam, whose step size falls to zero along a half cosine.
    """

    tasks: tuple[str, ...] = ("scale", "count", "largest")
    sizes: tuple[int, ...] = (10, 15, 20)
    test_sizes: tuple[int, ...] = (5, 10, 20, 40, 80, 160)
    samples: int = 250
    seeds: int = 3
    hidden: int = 16
    epochs: int = 20
    batch_size: int = 50
    lr: float = 1e-2


PRESETS: Mapping[str, Config] = {
    "quick": Config(),
    "long": Config(samples=2000, seeds=10, hidden=64, epochs=60),
}


class Pooled(nn.Module):
    r"""x ↦ ψ(pool_i φ(x_i)): each point by itself, then all together, then a function of the result.

    Args:
        pool: "sum", "mean" or "max". The sum is divided by `unit`, so that it starts at a usual size.
        hidden: the channels of φ and ψ.
        unit: a usual number of points.
        generator: draws the initial weights.

    Input (batch, 1, n); output (batch, 1).

    >>> net = Pooled("sum")
    >>> x = torch.randn(5, 1, 20)
    >>> bool((net(x) - net(x.flip(-1))).abs().max() < 1e-5)
    True

    Chapter: Sets and graphs

    Reference: Zaheer et al. (2017).
    """

    def __init__(
        self, pool: str, hidden: int = 16, unit: float = 20.0, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f'pool is "mean", "sum" or "max"; got {pool!r}.')
        self.pool, self.unit = pool, unit
        self.phi = _perceptron(1, hidden, hidden, generator)
        self.psi = _perceptron(hidden, hidden, 1, generator)

    def forward(self, x: Tensor) -> Tensor:
        z = torch.relu(self.phi(x.mT))
        if self.pool == "max":
            return self.psi(z.amax(dim=1))
        return self.psi(z.mean(dim=1) if self.pool == "mean" else z.sum(dim=1) / self.unit)


def _perceptron(before: int, hidden: int, after: int, generator: torch.Generator | None) -> nn.Sequential:
    layers = [PermutationLinear(a, b, (0, 0), generator=generator) for a, b in ((before, hidden), (hidden, after))]
    if layers[0].bias is not None:  # bends at different places, so that one number can be told from another
        nn.init.normal_(layers[0].bias, std=0.5, generator=generator)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def _sets(task: str, count: int, points: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Sets (count, 1, points) and what is asked of them (count, 1)."""
    x, scale = data.gaussian_sets(count, points, generator=generator)
    answers = {"scale": scale, "count": (x[:, 0] > 0).sum(dim=1).float(), "largest": x[:, 0].amax(dim=1)}
    if task not in answers:
        raise ValueError(f"there is no task {task!r}; there are {', '.join(TASKS)}.")
    return x, answers[task][:, None]


@dataclass(frozen=True)
class Result:
    """What a run measured.

    Attributes:
        config: what was run.
        error: task → pooling → (seeds, sizes), root mean square errors in units of the spread of the right
            answers at that size: who always says their mean has 1.
    """

    config: Config
    error: dict[str, dict[str, Tensor]]

    def plot(self) -> Any:
        """The error against the size of the test sets, one panel a task; median and lines of the seeds."""
        from ..figures import panels, trajectories

        figure, axes = panels(1, len(self.error), height=2.5)
        for ax, (task, errors) in zip(axes, self.error.items(), strict=True):
            trajectories(
                {name: value.mT for name, value in errors.items()},
                torch.tensor(self.config.test_sizes),
                xlabel="points in a test set",
                ylabel="relative error",
                title=TASKS[task],
                logx=True,
                ax=ax,
            )
            ax.axvspan(min(self.config.sizes), max(self.config.sizes), color="#888888", alpha=0.2, lw=0)
            ax.set_xticks(self.config.test_sizes, [str(n) for n in self.config.test_sizes])
            low, high = ax.get_ylim()
            ticks = [t for t in (0.01, 0.03, 0.1, 0.3, 1, 3, 10) if low <= t <= high]
            ax.set_yticks(ticks, [f"{t:g}" for t in ticks])
            ax.minorticks_off()
        return figure


def fit(
    name: str, task: str, config: Config | str = "quick", seed: int = 0, *, device: torch.device | str = "cpu"
) -> tuple[nn.Module, Tensor, Tensor]:
    """Train one network with one seed.

    Args:
        name: "mean", "sum", "max", or "plain" for a perceptron on sets of the largest size.
        task: one of `TASKS`.
        config: a config, or the name of one of `PRESETS`.
        seed: which run.
        device: where to train.

    Returns:
        The network, test sets of the largest training size and their answers.

    >>> net, x, y = fit("plain", "scale", Config(epochs=1))
    >>> net(x).shape == y.shape
    True

    Chapter: Sets and graphs
    """
    config = choose(config, PRESETS)
    generator = torch.Generator().manual_seed(seed)
    parts = [_sets(task, config.samples, n, generator) for n in config.sizes]
    x_test, y_test = _sets(task, config.samples, max(config.sizes), generator)
    initial = torch.Generator().manual_seed(1000 + seed)
    net: nn.Module
    if name == "plain":
        n = max(config.sizes)
        parts = [_sets(task, config.samples * len(config.sizes), n, generator)]  # as many in all
        net = nn.Sequential(nn.Flatten(), _perceptron(n, 2 * config.hidden, 1, initial))
    else:
        net = Pooled(name, config.hidden, max(config.sizes), generator=initial)
    everything = torch.cat([y for _, y in parts])
    mean, spread = everything.mean(), everything.std()
    _train(net.to(device), [(x.to(device), ((y - mean) / spread).to(device)) for x, y in parts], config, seed)
    net = nn.Sequential(net, _Units(float(mean), float(spread)))
    return net.eval(), x_test.to(device), y_test.to(device)


class _Units(nn.Module):
    """From standardized answers back to those that were asked for."""

    def __init__(self, mean: float, spread: float) -> None:
        super().__init__()
        self.mean, self.spread = mean, spread

    def forward(self, x: Tensor) -> Tensor:
        return x * self.spread + self.mean


def _train(net: nn.Module, parts: list[tuple[Tensor, Tensor]], config: Config, seed: int) -> None:
    order = torch.Generator().manual_seed(2000 + seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=config.lr)
    steps = config.epochs * sum(math.ceil(len(x) / config.batch_size) for x, _ in parts)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(config.epochs):
        rounds = [torch.randperm(len(x), generator=order).split(config.batch_size) for x, _ in parts]
        for batches in zip(*rounds, strict=True):
            for (x, y), batch in zip(parts, batches, strict=True):
                chosen = batch.to(x.device)
                optimizer.zero_grad()
                F.mse_loss(net(x[chosen]), y[chosen]).backward()
                optimizer.step()
                schedule.step()


def run(config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Train every pooling on every task once a seed, and test it on sets of every size.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("quick", tasks=("count",), seeds=2, epochs=1)
    >>> result.error["count"]["sum"].shape
    torch.Size([2, 6])

    Chapter: Sets and graphs
    """
    config = choose(config, PRESETS, **changes)
    error: dict[str, dict[str, Tensor]] = {}
    for task in config.tasks:
        rows: dict[str, list[Tensor]] = {pool: [] for pool in POOLS}
        for seed in range(config.seeds):
            generator = torch.Generator().manual_seed(3000 + seed)
            tests = [_sets(task, config.samples, n, generator) for n in config.test_sizes]
            for pool in POOLS:
                net, _, _ = fit(pool, task, config, seed, device=device)
                with torch.no_grad():
                    errors = [(net(x.to(device)).cpu() - y).square().mean().sqrt() / y.std() for x, y in tests]
                rows[pool].append(torch.stack(errors))
        error[task] = {pool: torch.stack(found) for pool, found in rows.items()}
    return Result(config, error)

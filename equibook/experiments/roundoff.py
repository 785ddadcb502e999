r"""How fast round-off grows: E is invariant, but is it stable? Predicted from a Hessian, and measured.

A network is trained inside E, pushed off by 10⁻¹⁰, and trained on by the augmented risk. A small
error δ in E^⊥ is multiplied by 1 − ηH a step, H the Hessian of R^aug on E^⊥. So it grows by the factor
max |1 − ηλ|: because H has a negative eigenvalue, or because one is above 2/η.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..dynamics import Trajectory, augmented, descend, equivariant
from ..regularization import attraction_threshold
from ..representation import cyclic, trivial
from .compatibility import Config as Data
from .compatibility import _load, squared_error
from .networks import scalar_network, scalar_space
from .presets import choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PRESETS", "Config", "Result", "run"]


@dataclass(frozen=True)
class Config:
    """What is run.

    Args:
        seed: of the data, the start and the push.
        lr: η, after the push.
        inside_lr: the step size inside E, before it.
        samples: training images.
        channels: of each convolution.
        gain: of the initial weights.
        pretraining: equivariant steps.
        push: standard deviation of the push, in each coordinate of E^⊥.
        steps: augmented steps.
    """

    seed: int = 0
    lr: float = 0.25
    inside_lr: float = 0.25
    samples: int = 40
    channels: tuple[int, int] = (8, 2)
    gain: float = 0.5
    pretraining: int = 300
    push: float = 1e-10
    steps: int = 200


#: Two ways to leave E: the risk curves downward across it, or the step is too long for its upward curve.
#: "short step" is the control of the latter, from the same point.
PRESETS: Mapping[str, Config] = {
    "downward": Config(),
    "long step": Config(lr=0.2, inside_lr=0.1, steps=40),
    "short step": Config(lr=0.1, inside_lr=0.1, steps=60),
}


@dataclass(frozen=True)
class Result:
    """What a run predicted and measured.

    Attributes:
        config: what was run.
        smallest, largest: ends of the spectrum of H, at the point before the push.
        path: the augmented descent after the push.
    """

    config: Config
    smallest: float
    largest: float
    path: Trajectory

    @property
    def predicted(self) -> float:
        """log max(1, |1 − ηλ|) over the spectrum: what the logarithm of the distance gains a step."""
        lr = self.config.lr
        return math.log(max(1.0, abs(1 - lr * self.smallest), abs(1 - lr * self.largest)))

    @property
    def window(self) -> tuple[int, int]:
        """The steps measured on: the later half of those before the distance passes 10⁻⁵."""
        beyond = (self.path.distance > 1e-5).nonzero()
        end = int(beyond[0]) - 1 if len(beyond) else len(self.path.distance) - 1
        return end // 2, end

    @property
    def measured(self) -> float:
        """The same from the distances, by the ends of the window."""
        start, end = self.window
        logarithm = self.path.distance.log()
        return float(logarithm[end] - logarithm[start]) / max(1, end - start)

    def plot(self, *, title: str | None = None, ax: Axes | None = None) -> Figure:
        """The distance to E after the push, and the predicted growth in grey."""
        from ..figures import COLORS, trajectories

        start, end = self.window
        steps = self.path.steps[start : end + 1].double().cpu()
        line = self.path.distance[end].cpu() * torch.exp(self.predicted * (steps - steps[-1]))
        curves = {"measured": (self.path.steps, self.path.distance)}
        figure = trajectories(curves, modes={"measured": "augmented"}, ylabel="dist(A, E)", title=title, ax=ax)
        axes = figure.axes[-1] if ax is None else ax
        axes.plot(steps, line, color=COLORS["E"], linestyle="-", linewidth=6, alpha=0.5, zorder=1)
        axes.annotate(
            "predicted", (float(steps[0]), float(line[0])), xytext=(8, -4), textcoords="offset points", va="top"
        )
        return figure


def run(config: Config | str = "downward", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Train inside E, find the spectrum of H, push, and train on.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("downward", samples=10, pretraining=5, steps=5)
    >>> result.smallest < result.largest
    True

    Chapter: Compatibility
    """
    config = choose(config, PRESETS, **changes)
    x, y = _load(Data(samples=config.samples, seed=config.seed), device)
    G = cyclic(4)
    network = scalar_network(config.channels, x.shape[-1]).to(x)
    space = scalar_space(G, network, "cross")
    A0 = space.random_equivariant(network, torch.Generator().manual_seed(config.seed), gain=config.gain)
    inside = equivariant(squared_error, space)
    A = descend(
        network,
        inside,
        space,
        A0,
        x,
        y,
        lr=config.inside_lr,
        steps=config.pretraining,
        every=max(1, config.pretraining),
    ).final
    risk = augmented(squared_error, trivial(G))
    minus = augmented(lambda outputs, labels: -squared_error(outputs, labels), trivial(G))
    ends = [
        attraction_threshold(network, r, space, A, x, y, generator=torch.Generator().manual_seed(config.seed))
        for r in (risk, minus)
    ]
    pushed = space.perturb(A, config.push, torch.Generator().manual_seed(config.seed + 1))
    path = descend(network, risk, space, pushed, x, y, lr=config.lr, steps=config.steps)
    return Result(config, -ends[0], ends[1], path)

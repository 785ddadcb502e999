r"""How strongly must E attract? The penalty (γ/2)‖Π_{E^⊥}A‖² with and without augmentation, over γ.

Networks start close to E and train by small batches, on the data as they are or randomly turned. All
values of γ and all seeds are members of one ensemble, and both ways of training see the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .. import data
from ..dynamics import Trajectory, augmented, descend, nominal
from ..regularization import Attraction
from ..representation import cyclic, trivial
from .networks import scalar_network, scalar_space

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PRESETS", "Config", "Result", "run"]

MODES = ("nominal", "augmented")


@dataclass(frozen=True)
class Config:
    """What is run.

    Args:
        data: "digits" (8 × 8) or "mnist" (28 × 28).
        gammas: the strengths γ.
        seeds: how many initial points; each is the same for every γ.
        support: a name for `scalar_space`.
        channels: of each convolution.
        pool: whether a mean over 2 × 2 pixels follows each convolution.
        gain: of the initial weights.
        perturbation: σ of the Gaussian noise in E^⊥ added to the initial point in E.
        steps: number of steps.
        lr: η, their size.
        batch_size: samples a step.
        loss_scale: the cross-entropy is multiplied by it; the published code divides by the batch size.
        every: which steps are recorded.
        seed: of everything random.
    """

    data: str = "digits"
    gammas: tuple[float, ...] = (0.0, 0.1, 1.0, 10.0, 100.0)
    seeds: int = 5
    support: str = "full"
    channels: tuple[int, ...] = (8, 8)
    pool: tuple[bool, ...] = (True, False)
    gain: float = 1.0
    perturbation: float = 1e-3
    steps: int = 2000
    lr: float = 1e-2
    batch_size: int = 10
    loss_scale: float = 0.1
    every: int = 20
    seed: int = 0


#: "digits" is what the chapter runs; "mnist" the published size, for a GPU.
PRESETS: Mapping[str, Config] = {
    "digits": Config(),
    "mnist": Config(
        data="mnist", gammas=(0.0, 0.01, 0.1, 1.0, 10.0, 100.0), seeds=30, channels=(16, 16), pool=(True, True),
        steps=60_000, lr=1e-3, every=100,
    ),
}  # fmt: skip


class Plateau(NamedTuple):
    """Where dist(A, E) settles: γ (n,) and distances (n, seeds)."""

    gamma: Tensor
    distance: Tensor


@dataclass(frozen=True)
class Result:
    """The trajectories of a run.

    Attributes:
        config: what was run.
        paths: "nominal" and "augmented" → trajectory of (records, γ · seeds), γ first.
    """

    config: Config
    paths: dict[str, Trajectory]

    def distance(self, mode: str) -> Tensor:
        """dist(A, E): (records, γ, seeds)."""
        return self.paths[mode].distance.unflatten(1, (len(self.config.gammas), self.config.seeds))

    def plateau(self, mode: str, *, last: float = 0.5, smallest: float = 1e-9) -> Plateau:
        """The root mean square of dist(A, E) over the last part of the training.

        Args:
            mode: "nominal" or "augmented".
            last: the part of the training, 0 to 1.
            smallest: only γ from this on.
        """
        gamma = torch.tensor(self.config.gammas)
        distance = self.distance(mode)[self.paths[mode].steps >= (1 - last) * self.config.steps]
        return Plateau(gamma[gamma >= smallest], distance.square().mean(0).sqrt()[gamma >= smallest])

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, as tensors and plain values."""
        paths = {mode: vars(trajectory) for mode, trajectory in self.paths.items()}
        torch.save({"config": asdict(self.config), "paths": paths}, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Result:
        """Read what `save` wrote; no code in the file is run."""
        saved = torch.load(path, map_location="cpu", weights_only=True)
        paths = {mode: Trajectory(**fields) for mode, fields in saved["paths"].items()}
        return cls(Config(**saved["config"]), paths)

    def plot(self, gamma: float | None = None, *, ax: Axes | None = None) -> Figure:
        """dist(A, E) over the steps with and without augmentation, over the seeds.

        Args:
            gamma: the γ to show; None for a panel each.
            ax: the panel to draw into, for one γ; a new figure if None.
        """
        from ..figures import panels, trajectories

        if gamma is None:
            columns = min(3, len(self.config.gammas))
            figure, axes = panels(columns, math.ceil(len(self.config.gammas) / columns))
            distances = torch.cat([self.distance(mode) for mode in self.paths])
            for number, panel in enumerate(axes):
                if number >= len(self.config.gammas):
                    panel.set_visible(False)
                    continue
                # One scale for all panels, set first: the labels of the curves are placed by it.
                panel.set_yscale("log")
                panel.set_ylim(0.7 * float(distances.min()), 1.4 * float(distances.max()))
                self.plot(self.config.gammas[number], ax=panel)
                if number % columns:
                    panel.set_ylabel("")
            return figure
        if gamma not in self.config.gammas:
            raise ValueError(f"γ = {gamma} was not run; there are {self.config.gammas}.")
        index = self.config.gammas.index(gamma)
        return trajectories(
            {mode: (self.paths[mode].steps, self.distance(mode)[:, index]) for mode in self.paths},
            ylabel="dist(A, E)",
            title=f"γ = {gamma:g}",
            ax=ax,
        )

    def plot_plateaus(self, *, ax: Axes | None = None) -> Figure:
        """Where dist(A, E) settles, over γ, with and without augmentation."""
        from ..figures import trajectories

        curves = {mode: self.plateau(mode) for mode in self.paths}
        return trajectories(
            {mode: (plateau.gamma, plateau.distance) for mode, plateau in curves.items()},
            xlabel="γ",
            ylabel="dist(A, E) at the end",
            logx=True,
            ax=ax,
        )


def run(
    config: Config | str = "digits", *, device: torch.device | str = "cpu", progress: bool = False, **changes: Any
) -> Result:
    """Train from close to E with each γ and seed at once, on the nominal and on the augmented risk.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        progress: whether to show bars.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("digits", steps=20, seeds=2, gammas=(0.0, 1.0))
    >>> result.distance("augmented").shape
    torch.Size([2, 2, 2])

    Chapter: Attraction

    Reference: Nordenfors and Flinth (2025).
    """
    if isinstance(config, str):
        if config not in PRESETS:
            raise ValueError(f"there is no preset {config!r}; there are {', '.join(PRESETS)}.")
        config = PRESETS[config]
    config = replace(config, **changes)
    x, y = (part.to(device) for part in _load(config))
    G = cyclic(4)
    generator = torch.Generator().manual_seed(config.seed)
    network = scalar_network(config.channels, x.shape[-1], config.pool).to(x)
    space = scalar_space(G, network, config.support, generator=generator)
    A0 = space.random_equivariant(network, generator, members=config.seeds, gain=config.gain)
    A0 = space.perturb(A0, config.perturbation, generator)
    # Members: all seeds for the first γ, then all for the second, …
    A0 = {name: weight.repeat(len(config.gammas), *[1] * (weight.ndim - 1)) for name, weight in A0.items()}
    gamma = torch.tensor(config.gammas, device=device).repeat_interleave(config.seeds)

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        return config.loss_scale * F.cross_entropy(outputs, y)

    risks = {"nominal": nominal(loss), "augmented": augmented(loss, trivial(G), draws=1)}
    paths = {}
    for mode in MODES:
        paths[mode] = descend(
            network, risks[mode], space, A0, x, y,
            lr=config.lr, steps=config.steps, batch_size=config.batch_size, attraction=Attraction(space, gamma),
            generator=torch.Generator().manual_seed(config.seed + 1), every=config.every, progress=progress,
        )  # fmt: skip
    return Result(config, paths)


def _load(config: Config) -> tuple[Tensor, Tensor]:
    """The training images, in [0, 1], and labels."""
    if config.data == "digits":
        return data.digits(train=True)
    if config.data == "mnist":
        return data.mnist("train")
    raise ValueError(f'data is {config.data!r}; it must be "digits" or "mnist".')

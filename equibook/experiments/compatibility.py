r"""When does augmented training keep a network equivariant? Four parametrizations of one network.

A network starts in E and descends the augmented risk over the quarter turns. With filters on a cross
or on the full 3 × 3 window 𝓛 is compatible and its parametrization orthonormal: E is invariant. A
skew support breaks the first, a random basis of the cross the second: one step leaves E.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..dynamics import AdmissibleSpace, Trajectory, augmented, descend, equivariant
from ..representation import cyclic, trivial
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
        data: "digits" (8 × 8) or "mnist" (28 × 28).
        samples: how many training images are used; all of them if None.
        supports: names for `scalar_space`.
        channels: of each convolution.
        pool: whether a mean over 2 × 2 pixels follows each convolution.
        members: networks trained at once, each from its own initial point.
        gain: of the initial weights.
        pretraining: equivariant steps before the start, from a random point of E.
        pretraining_lr: their step size.
        steps: augmented steps.
        lr: their step size.
        batch_size: None for all samples at once, each in all four directions; otherwise each sample
            of a batch is turned at random.
        every: which steps are recorded.
        dtype: "float64" or "float32".
        seed: of everything random.
    """

    data: str = "digits"
    samples: int | None = 150
    supports: tuple[str, ...] = ("cross", "full", "skew", "non-orthonormal")
    channels: tuple[int, ...] = (8, 8)
    pool: tuple[bool, ...] = (True, False)
    members: int = 1
    gain: float = 3**-0.5
    pretraining: int = 0
    pretraining_lr: float = 0.1
    steps: int = 300
    lr: float = 0.1
    batch_size: int | None = None
    every: int = 1
    dtype: str = "float64"
    seed: int = 0


#: "digits" is the exact check of the chapter; "stochastic" the published protocol in small; "mnist"
#: that protocol at full size, for a GPU.
PRESETS: Mapping[str, Config] = {
    "digits": Config(),
    "stochastic": Config(
        samples=None, members=5, pretraining=300, pretraining_lr=0.01, steps=400, lr=0.01, batch_size=50,
        every=10, dtype="float32",
    ),
    "mnist": Config(
        data="mnist", samples=None, supports=("cross", "skew", "non-orthonormal"), channels=(32, 64, 64),
        pool=(True, True, False), members=30, pretraining=150_000, pretraining_lr=5e-4, steps=24_000, lr=2.5e-4,
        batch_size=100, every=10, dtype="float32",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Result:
    """The trajectories of a run, by support.

    Attributes:
        config: what was run.
        paths: support → trajectory, of (records, members).
        commutators: support → ‖[Π_𝓛, Π_G]‖.
    """

    config: Config
    paths: dict[str, Trajectory]
    commutators: dict[str, float]

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, as tensors and plain values."""
        paths = {name: vars(trajectory) for name, trajectory in self.paths.items()}
        torch.save({"config": asdict(self.config), "paths": paths, "commutators": self.commutators}, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Result:
        """Read what `save` wrote; no code in the file is run."""
        saved = torch.load(path, map_location="cpu", weights_only=True)
        paths = {name: Trajectory(**fields) for name, fields in saved["paths"].items()}
        return cls(Config(**saved["config"]), paths, saved["commutators"])

    def plot(self, *, floor: float | None = 1e-17, ax: Axes | None = None) -> Figure:
        """dist(A, E) over the steps, one curve a support; what the theorem covers in green.

        Args:
            floor: smaller distances, among them the exact 0 of the start, are drawn at it.
            ax: the panel to draw into; a new figure if None.
        """
        from ..figures import trajectories

        modes = {"cross": "equivariant", "full": "E", "skew": "augmented", "non-orthonormal": "relaxed"}
        return trajectories(
            {name: (path.steps, path.distance) for name, path in self.paths.items()},
            modes={name: modes.get(name, "augmented") for name in self.paths},
            ylabel="dist(A, E)",
            floor=floor,
            ax=ax,
        )


def run(
    config: Config | str = "digits", *, device: torch.device | str = "cpu", progress: bool = False, **changes: Any
) -> Result:
    """Train the network in each parametrization, from E, on the augmented risk.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        progress: whether to show bars.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("digits", samples=20, steps=1)
    >>> {name: bool(path.distance[-1] < 1e-12) for name, path in result.paths.items()}
    {'cross': True, 'full': True, 'skew': False, 'non-orthonormal': False}

    Chapter: Compatibility

    Reference: Nordenfors, Ohlsson and Flinth (2025).
    """
    config = choose(config, PRESETS, **changes)
    x, y = _load(config, device)
    G = cyclic(4)
    paths, commutators = {}, {}
    # An ensemble's convolutions are fast in float32 and on a GPU. In float64 a CPU has no good kernel for them.
    at_once = config.dtype == "float32" or torch.device(device).type != "cpu"
    for support in config.supports:
        network = scalar_network(config.channels, x.shape[-1], config.pool).to(x)
        space = scalar_space(G, network, support, generator=torch.Generator().manual_seed(config.seed))
        generator = torch.Generator().manual_seed(config.seed)  # so that the supports start alike
        start = space.random_equivariant(network, generator, members=config.members, gain=config.gain)
        if at_once:
            paths[support] = _train(config, network, space, start, x, y, progress)
        else:
            singles = [{name: A[k] for name, A in start.items()} for k in range(config.members)]
            paths[support] = _stack([_train(config, network, space, A0, x, y, progress) for A0 in singles])
        commutators[support] = space.commutator()
    return Result(config, paths, commutators)


def _train(
    config: Config,
    network: nn.Module,
    space: AdmissibleSpace,
    A0: dict[str, Tensor],
    x: Tensor,
    y: Tensor,
    progress: bool,
) -> Trajectory:
    """The augmented descent, after the equivariant one that finds its start."""
    generator = torch.Generator().manual_seed(config.seed)
    train = partial(
        descend, network, space=space, x=x, y=y,
        batch_size=config.batch_size, generator=generator, progress=progress,
    )  # fmt: skip
    if config.pretraining:
        pretrained = train(
            equivariant(squared_error, space), A0=A0, lr=config.pretraining_lr, steps=config.pretraining,
            every=config.pretraining,
        )  # fmt: skip
        A0 = pretrained.final
    risk = augmented(squared_error, trivial(cyclic(4)), draws=None if config.batch_size is None else 1)
    return train(risk, A0=A0, lr=config.lr, steps=config.steps, every=config.every)


def _stack(paths: list[Trajectory]) -> Trajectory:
    """The trajectories of single members as one, with a member axis."""
    distance, drift, risk = (
        torch.stack([getattr(path, name) for path in paths], dim=1) for name in ("distance", "drift", "risk")
    )
    final = {name: torch.stack([path.final[name] for path in paths]) for name in paths[0].final}
    return Trajectory(paths[0].steps, distance, drift, risk, final, paths[0].mode)


def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """The mean squared difference between outputs and one-hot labels."""
    return F.mse_loss(outputs, F.one_hot(y, outputs.shape[-1]).to(outputs))


def _load(config: Config, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The training images, normalized to mean 0 and variance 1, and labels."""
    dtype = {"float32": torch.float32, "float64": torch.float64}[config.dtype]
    generator = torch.Generator().manual_seed(config.seed)
    if config.data == "digits":
        x, y = data.digits(train=True, dtype=dtype)
    elif config.data == "mnist":
        x, y = data.mnist("train", dtype=dtype)
    else:
        raise ValueError(f'data is {config.data!r}; it must be "digits" or "mnist".')
    chosen = torch.randperm(len(x), generator=generator)[: config.samples]
    x, y = x[chosen].to(device), y[chosen].to(device)
    return (x - x.mean()) / x.std(), y

r"""How strongly must E attract? The penalty (γ/2)‖Π_{E^⊥}A‖² with and without augmentation, over γ.

Networks start close to E and train by small batches, on the data as they are or randomly turned. All
values of γ and all seeds are members of one ensemble, and both ways of training see the same batches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .. import data
from ..dynamics import AdmissibleSpace, Risk, Trajectory, augmented, descend, equivariant, nominal
from ..dynamics.admissible import Weights
from ..regularization import Attraction, attraction_threshold
from ..representation import cyclic, trivial
from .networks import scalar_network, scalar_space
from .presets import choose

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PRESETS", "Config", "Decay", "Gradients", "Problem", "Result", "decay", "problem", "run", "slopes"]


@dataclass(frozen=True)
class Config:
    """What is run.

    Args:
        data: "digits" (8 × 8) or "mnist" (28 × 28).
        samples: how many training images are used; all of them if None.
        modes: what is descended: "nominal", "augmented", "equivariant". The last needs no γ.
        gammas: the strengths γ.
        seeds: how many initial points; each is the same for every γ.
        support: a name for `scalar_space`.
        measure: of the group elements of the augmentation; uniform, the Haar measure, if None.
        channels: of each convolution.
        pool: whether a mean over 2 × 2 pixels follows each convolution.
        gain: of the initial weights.
        pretraining: equivariant steps before the start, with the same batch size.
        pretraining_lr: their step size.
        perturbation: σ of the Gaussian noise in E^⊥ added to the initial point in E.
        steps: number of steps.
        lr: η, their size; or one for each γ.
        batch_size: samples a step, each turned at random by the augmentation; None for all samples at
            once and the exact average over the group.
        loss_scale: the cross-entropy is multiplied by it; the published code divides by the batch size.
        every: which steps are recorded.
        dtype: "float32" or "float64".
        seed: of everything random.
    """

    data: str = "digits"
    samples: int | None = None
    modes: tuple[str, ...] = ("nominal", "augmented")
    gammas: tuple[float, ...] = (0.0, 0.1, 1.0, 10.0, 100.0)
    seeds: int = 5
    support: str = "full"
    measure: tuple[float, ...] | None = None
    channels: tuple[int, ...] = (8, 8)
    pool: tuple[bool, ...] = (True, False)
    gain: float = 1.0
    pretraining: int = 0
    pretraining_lr: float = 1e-2
    perturbation: float = 1e-3
    steps: int = 800
    lr: float | tuple[float, ...] = 1e-2
    batch_size: int | None = 10
    loss_scale: float = 0.1
    every: int = 20
    dtype: str = "float32"
    seed: int = 0

    @property
    def rates(self) -> tuple[float, ...]:
        """η for each γ."""
        return self.lr if isinstance(self.lr, tuple) else (self.lr,) * len(self.gammas)


#: "digits" is what the chapter runs; "laws" and "exact" start from equivariantly trained networks, to
#: measure the laws of the plateaus, with small batches and without noise; "mnist" the published size.
PRESETS: Mapping[str, Config] = {
    "digits": Config(modes=("nominal", "augmented", "equivariant")),
    "laws": Config(
        gammas=(64.0, 128.0, 256.0, 64.0, 64.0),
        lr=(3.125e-4, 3.125e-4, 3.125e-4, 6.25e-4, 1.25e-3),
        pretraining=600,
        pretraining_lr=0.02,
        perturbation=0.0,
        steps=900,
        every=3,
    ),
    "exact": Config(
        samples=16, gammas=(100.0, 500.0, 2500.0), lr=(0.005, 0.001, 0.0002),
        perturbation=0.0, steps=30, batch_size=None, every=30, dtype="float64",
    ),
    "mnist": Config(
        data="mnist", modes=("nominal", "augmented", "equivariant"), gammas=(0.0, 0.01, 0.1, 1.0, 10.0, 100.0),
        seeds=30, channels=(16, 16), pool=(True, True), steps=60_000, lr=1e-3, every=100,
    ),
}  # fmt: skip


class Plateau(NamedTuple):
    """Where dist(A, E) settles: γ (n,) and distances (n, seeds)."""

    gamma: Tensor
    distance: Tensor


class Gradients(NamedTuple):
    """At weights in E: ‖E p‖ and (E‖p‖²)^½ over the samples, p = Π_{E^⊥}∇ℓ of one sample, (seeds,) each."""

    mean: Tensor
    second_moment: Tensor


@dataclass(frozen=True)
class Result:
    """The trajectories of a run.

    Attributes:
        config: what was run.
        paths: mode → trajectory of (records, γ · seeds), γ first; "equivariant" has (records, seeds).
        start: the weights in E before the perturbation, (seeds, *shape) each.
    """

    config: Config
    paths: dict[str, Trajectory]
    start: dict[str, Tensor]

    @property
    def _attracted(self) -> list[str]:
        """The modes with a γ."""
        return [mode for mode in self.paths if mode != "equivariant"]

    def distance(self, mode: str) -> Tensor:
        """dist(A, E): (records, γ, seeds); "equivariant" has one γ."""
        return self.paths[mode].distance.unflatten(1, (-1, self.config.seeds))

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

    def law(self, mode: str, over: str = "gamma", *, predicted: bool = False) -> Plateau:
        """The plateaus over γ at the first η, or over η at the first γ.

        Args:
            mode: "nominal" or "augmented".
            over: "gamma" or "lr".
            predicted: whether by the formula of `predicted`, or measured.

        Returns:
            The γ or η, (n,), in the place of γ, and the distances, (n, seeds).
        """
        gamma, lr = (torch.tensor(values, dtype=torch.float64) for values in (self.config.gammas, self.config.rates))
        rows = lr == lr[0] if over == "gamma" else gamma == gamma[0]
        found = self.predicted(mode, smallest=0.0) if predicted else self.plateau(mode, smallest=0.0, last=0.75)
        return Plateau((gamma if over == "gamma" else lr)[rows], found.distance.cpu()[rows])

    def plot_law(self, mode: str, over: str = "gamma", *, ax: Axes | None = None) -> Figure:
        """The measured plateaus, the power law fitted to them, and the slope of the limit ηγ ≪ 1, h ≪ γ.

        Args:
            mode: "nominal" or "augmented".
            over: "gamma" or "lr".
            ax: the panel to draw into; a new figure if None.
        """
        from ..figures import loglog_law

        x, distance = self.law(mode, over)
        slope = {("nominal", "gamma"): -1.0, ("augmented", "gamma"): -0.5, ("augmented", "lr"): 0.5}[mode, over]
        label = "γ" if over == "gamma" else "η"
        return loglog_law(x, distance, slope=slope, mode=mode, xlabel=label, ylabel="dist(A, E)", title=mode, ax=ax)

    def accuracy(self, mode: str, *, turned: bool = False) -> Tensor:
        """The share of test images that the final weights classify rightly: (γ, seeds).

        Args:
            mode: of training.
            turned: whether each image counts in all four directions, or upright only.
        """
        A = self.paths[mode].final
        x, y = _load(self.config, next(iter(A.values())).device, train=False)
        network, _ = _network(self.config, x, torch.Generator())
        if turned:
            x, y = torch.cat([torch.rot90(x, k, (-2, -1)) for k in range(4)]), y.repeat(4)

        def right(A: dict[str, Tensor]) -> Tensor:
            return (functional_call(network, A, (x,)).argmax(-1) == y).double().mean()

        return vmap(right, chunk_size=5)(A).unflatten(0, (-1, self.config.seeds))

    def gradients(self) -> Gradients:
        """What pushes off E at the start, on all training samples: see `Gradients`."""
        x, y = _load(self.config, next(iter(self.start.values())).device)
        network, space = _network(self.config, x, torch.Generator().manual_seed(self.config.seed))
        risk = _risks(self.config, space)["nominal"]

        def each(A: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return risk.value(network, A, x[None], y[None])

        mean, second = [], []
        for seed in range(self.config.seeds):
            A = {name: weight[seed] for name, weight in self.start.items()}
            away = space.tangent.perpendicular(vmap(grad(each), (None, 0, 0))(A, x, y))
            mean.append(torch.stack([p.mean(0).square().sum() for p in away.values()]).sum())
            second.append(torch.stack([p.square().sum() for p in away.values()]).sum() / len(x))
        return Gradients(torch.stack(mean).sqrt(), torch.stack(second).sqrt())

    def predicted(self, mode: str, *, smallest: float = 1e-9) -> Plateau:
        r"""The plateaus that the laws predict from `gradients` alone, with nothing fitted.

        With g = Π_{E^⊥}∇R at the start and Σ the covariance of a batch's Π_{E^⊥}∇R, the square is
        ‖g‖²/γ² + η tr Σ/(2γ − ηγ²), without the first term for the augmented risk.
        """
        start = self.gradients()
        gamma, lr = (torch.as_tensor(v).to(start.mean)[:, None] for v in (self.config.gammas, self.config.rates))
        batch = self.config.batch_size
        covariance = 0.0 if batch is None else start.second_moment**2 / batch
        drift = torch.zeros_like(start.mean)
        if mode == "nominal":
            drift = start.mean
            covariance = covariance if batch is None else covariance - start.mean**2 / batch
        square = drift**2 / gamma**2 + lr * covariance / (2 * gamma - lr * gamma**2)
        kept = gamma[:, 0] >= smallest
        return Plateau(gamma[kept, 0].cpu(), square.sqrt()[kept].cpu())

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, as tensors and plain values."""
        paths = {mode: vars(trajectory) for mode, trajectory in self.paths.items()}
        torch.save({"config": asdict(self.config), "paths": paths, "start": self.start}, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Result:
        """Read what `save` wrote; no code in the file is run."""
        saved = torch.load(path, map_location="cpu", weights_only=True)
        paths = {mode: Trajectory(**fields) for mode, fields in saved["paths"].items()}
        return cls(Config(**saved["config"]), paths, saved["start"])

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
            distances = torch.cat([self.distance(mode).flatten() for mode in self._attracted])
            distances = distances[distances > 0]
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
            {mode: (self.paths[mode].steps, self.distance(mode)[:, index]) for mode in self._attracted},
            ylabel="dist(A, E)",
            title=f"γ = {gamma:g}",
            ax=ax,
        )

    def plot_plateaus(self, *, ax: Axes | None = None) -> Figure:
        """Where dist(A, E) settles, over γ, with and without augmentation."""
        from ..figures import trajectories

        curves = {mode: self.plateau(mode) for mode in self._attracted}
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
    config = choose(config, PRESETS, **changes)
    x, y = _load(config, device)
    generator = torch.Generator().manual_seed(config.seed)
    network, space = _network(config, x, generator)
    A0 = space.random_equivariant(network, generator, members=config.seeds, gain=config.gain)
    risks = _risks(config, space)

    def train(mode: str, A: dict[str, Tensor], lr: float | Tensor, steps: int, gamma: Tensor | None) -> Trajectory:
        return descend(
            network, risks[mode], space, A, x, y,
            lr=lr, steps=steps, batch_size=config.batch_size, every=config.every,
            attraction=None if gamma is None else Attraction(space, gamma),
            generator=torch.Generator().manual_seed(config.seed + 1), progress=progress,
        )  # fmt: skip

    if config.pretraining:
        A0 = train("equivariant", A0, config.pretraining_lr, config.pretraining, None).final
    pushed = space.perturb(A0, config.perturbation, generator)
    # Members: all seeds for the first γ, then all for the second, …
    pushed = {name: weight.repeat(len(config.gammas), *[1] * (weight.ndim - 1)) for name, weight in pushed.items()}
    gamma = torch.tensor(config.gammas, device=device).repeat_interleave(config.seeds)
    lr = torch.tensor(config.rates, device=device).repeat_interleave(config.seeds)
    paths = {}
    for mode in config.modes:
        if mode == "equivariant":
            paths[mode] = train(mode, A0, config.rates[0], config.steps, None)
        else:
            paths[mode] = train(mode, pushed, lr, config.steps, gamma)
    return Result(config, paths, A0)


def slopes(x: Tensor, y: Tensor) -> Tensor:
    """The exponent of the power law fitted to each seed: y (n, seeds) over x (n,) → (seeds,).

    >>> slopes(torch.tensor([1.0, 10.0]), torch.tensor([[1.0, 2.0], [0.1, 20.0]])).round(decimals=3).tolist()
    [-1.0, 1.0]

    Chapter: Attraction
    """
    from ..figures import fit_power_law

    return torch.tensor([fit_power_law(x, seed).slope for seed in y.mT])


class Decay(NamedTuple):
    """An exact augmented descent with attraction, against the theorem's bound.

    t = ηk and dist(A, E), (records,) each; the bound, (records,); the sampled constants c, (pieces + 1,).
    """

    time: Tensor
    distance: Tensor
    bound: Tensor
    c: Tensor

    @property
    def holds(self) -> bool:
        """Whether no distance exceeds its bound."""
        return bool((self.distance <= self.bound * (1 + 1e-9)).all())

    @property
    def rate(self) -> float:
        """The mean rate −d/dt log dist(A, E) over the whole descent."""
        return float((self.distance[0] / self.distance[-1]).log() / self.time[-1])


def decay(
    gamma: float, *, pieces: int = 4, steps: int = 10, lr: float = 0.05, samples: int = 30, push: float = 0.01,
    seed: int = 0,
) -> Decay:  # fmt: skip
    """Descend the exact augmented risk of the digits with attraction, and bound dist(A, E) by c_K.

    On each piece of the path, c_K is the largest −λ_min(∇²R^aug|_{E^⊥}) at A, at Π_E A and halfway, where
    the piece begins and where it ends: a sample of K, not all of it.

    Args:
        gamma: γ.
        pieces: of the path.
        steps: of a piece.
        lr: η, small, so that steps follow the flow.
        samples: images.
        push: σ of the Gaussian noise in E^⊥ at the start.
        seed: of the start.

    >>> decay(1.0, pieces=1, steps=2, samples=10).holds
    True

    Chapter: Attraction
    """
    config = Config(samples=samples, batch_size=None, dtype="float64", seed=seed)
    x, y = _load(config)
    generator = torch.Generator().manual_seed(seed)
    network, space = _network(config, x, generator)
    risk = _risks(config, space)["augmented"]

    def curvature(A: Weights) -> float:
        nearest = space.project_equivariant(A)
        between = ({name: nearest[name] + s * (A[name] - nearest[name]) for name in A} for s in (0.0, 0.5, 1.0))
        start = torch.Generator().manual_seed(seed)
        values = [attraction_threshold(network, risk, space, B, x, y, tolerance=1e-2, generator=start) for B in between]
        return max(values)

    A = space.perturb(space.random_equivariant(network, generator), push, generator)
    distances, exponents, c = [space.distance(A)[None]], [torch.zeros(1, dtype=torch.float64)], [curvature(A)]
    for _ in range(pieces):
        path = descend(network, risk, space, A, x, y, lr=lr, steps=steps, attraction=Attraction(space, gamma))
        A = path.final
        c.append(curvature(A))
        rate = gamma - max(c[-2:])
        exponents.append(exponents[-1][-1] + rate * lr * torch.arange(1, steps + 1, dtype=torch.float64))
        distances.append(path.distance[1:])
    distance, exponent = torch.cat(distances), torch.cat(exponents)
    time = lr * torch.arange(len(distance), dtype=torch.float64)
    return Decay(time, distance, distance[0] * torch.exp(-exponent), torch.tensor(c))


class Problem(NamedTuple):
    """What a config trains: the network, its admissible space, the three risks by mode, and the data."""

    network: nn.Sequential
    space: AdmissibleSpace
    risks: dict[str, Risk]
    x: Tensor
    y: Tensor


def problem(config: Config | str = "digits", *, device: torch.device | str = "cpu", **changes: Any) -> Problem:
    """The parts of a run, to take apart.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: of the network and the data.
        **changes: fields of the config that are to differ.

    >>> problem("digits", samples=30).x.shape
    torch.Size([30, 1, 8, 8])

    Chapter: Attraction
    """
    config = choose(config, PRESETS, **changes)
    x, y = _load(config, device)
    network, space = _network(config, x, torch.Generator().manual_seed(config.seed))
    return Problem(network, space, _risks(config, space), x, y)


def _network(config: Config, x: Tensor, generator: torch.Generator) -> tuple[nn.Sequential, AdmissibleSpace]:
    network = scalar_network(config.channels, x.shape[-1], config.pool).to(x)
    return network, scalar_space(cyclic(4), network, config.support, generator=generator)


def _risks(config: Config, space: AdmissibleSpace) -> dict[str, Risk]:
    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        return config.loss_scale * F.cross_entropy(outputs, y)

    draws = None if config.batch_size is None else 1
    return {
        "nominal": nominal(loss),
        "augmented": augmented(loss, trivial(cyclic(4)), draws=draws, weights=config.measure),
        "equivariant": equivariant(loss, space),
    }


def _load(config: Config, device: torch.device | str = "cpu", train: bool = True) -> tuple[Tensor, Tensor]:
    """The training or test images, in [0, 1], and labels."""
    dtype = {"float32": torch.float32, "float64": torch.float64}[config.dtype]
    if config.data == "digits":
        x, y = data.digits(train=train, dtype=dtype)
    elif config.data == "mnist":
        x, y = data.mnist("train" if train else "test", dtype=dtype)
    else:
        raise ValueError(f'data is {config.data!r}; it must be "digits" or "mnist".')
    if train:
        x, y = x[: config.samples], y[: config.samples]
    return x.to(device), y.to(device)

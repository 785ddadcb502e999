r"""What networks do with an equivariance that is not exact: they learn to break it, if the task pays for it.

The tasks ask for something that an exactly invariant network cannot know: by which quarter turn an image was
turned, whether it was turned by 45°, in which corner a digit stands. Digits are functions on the plane
that are turned before they are sampled, so no interpolation gives the answer away.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import AvgPool2d, BatchNorm, BlurPool2d, GroupConv2d, GroupPool, Linear
from ..layers.measuring import Sample
from ..representation import cyclic, regular, trivial
from . import rotated_digits, steerable_digits
from .exactness import smooth
from .presets import choose
from .results import ModelResult
from .steerable_digits import render
from .training import train_epochs

__all__ = [
    "MODELS",
    "PRESETS",
    "TASKS",
    "Config",
    "Model",
    "OffTheData",
    "Result",
    "invariance_error",
    "network",
    "off_the_data",
    "run",
    "settled",
    "shift_errors",
]


def _quarters(digits: Tensor, size: int) -> list[Tensor]:
    return [render(digits, 90 * k, size=size, pixel=10.4 / size) for k in range(4)]


def _eighth(digits: Tensor, size: int) -> list[Tensor]:
    return [render(digits, 45 * k, size=size, pixel=10.4 / size) for k in range(2)]


def _corners(digits: Tensor, size: int) -> list[Tensor]:
    far = size - 8
    return [F.pad(digits, (left, far - left, top, far - top)) for top in (0, far) for left in (0, far)]


#: Task → the copies of some digits, as images of a given side, which a network is to tell apart.
TASKS: Mapping[str, Callable[[Tensor, int], list[Tensor]]] = {
    "which quarter turn?": _quarters,
    "turned by 45°?": _eighth,
    "which corner?": _corners,
}


@dataclass(frozen=True)
class Model:
    """A network for one of the tasks.

    Args:
        task: the name of one of `TASKS`.
        kind: "C4" or "plain" (group convolutions with stride), "SO(2)" (steerable), or "shifts" (convolutions
            and a mean over all pixels).
        size: the side of the images.
        variant: what is exact or not: "stride" or "blur", "zeros" or "glued"; see `network`.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
    """

    task: str
    kind: str
    size: int
    variant: str = "stride"
    mode: str = "relaxed"

    @property
    def classes(self) -> int:
        """How many copies are to be told apart."""
        return len(TASKS[self.task](torch.zeros(1, 1, 8, 8), self.size))

    def build(self, *, generator: torch.Generator | None = None) -> nn.Sequential:
        """The untrained network."""
        return network(self.kind, self.size, self.variant, classes=self.classes, generator=generator)


#: The networks of the chapter.
MODELS: Mapping[str, Model] = {
    "C4, side 13": Model("which quarter turn?", "C4", 13, mode="equivariant"),
    "C4, side 12": Model("which quarter turn?", "C4", 12),
    "C4, side 12, blurred": Model("which quarter turn?", "C4", 12, "blur", mode="equivariant"),
    "no symmetry": Model("which quarter turn?", "plain", 13, mode="nominal"),
    "SO(2), steerable": Model("turned by 45°?", "SO(2)", 13),
    "shifts, edges glued": Model("which corner?", "shifts", 16, "glued", mode="equivariant"),
    "shifts, zeros around": Model("which corner?", "shifts", 16, "zeros"),
}


@dataclass(frozen=True)
class Config:
    """How the networks are trained.

    Args:
        models: name → model.
        seeds: how many runs of each. A seed decides the digits, the order of the samples, the copies and the
            initial weights, and is shared by all models.
        samples, test: how many digits are trained on, and how many others are tested, in all copies.
        epochs, batch_size, lr: of Adam, whose step size falls to zero along a half cosine.
    """

    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    seeds: int = 4
    samples: int = 400
    test: int = 100
    epochs: int = 6
    batch_size: int = 50
    lr: float = 1e-2


#: "quick" is what the chapter runs; "long" trains on more digits, for longer.
PRESETS: Mapping[str, Config] = {"quick": Config(), "long": Config(seeds=8, samples=1200, test=500, epochs=30)}


def network(
    kind: str,
    size: int,
    variant: str = "stride",
    *,
    fields: tuple[int, int] = (4, 8),
    classes: int = 4,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """A small network that should be invariant.

    "C4" and "plain": two convolutions of 3 × 3, each with a batch normalization, ReLU and halving of the sides, a third
    whose filter covers what is left, ReLU, the maximum over the group, a linear layer. With the variant "stride", every
    second pixel is kept: on sides 9, 13, 17 symmetrically, on even ones not. "blur" is `BlurPool2d`, and "mean"
    the mean over 2 × 2 pixels. "plain" is the same with the group of one element. "SO(2)" is the network of
    `steerable_digits`. "shifts" has three convolutions of 3 × 3 and the mean over all pixels, with "zeros" around
    the images or with "glued" edges; "stride", "max", "mean" and "blur" have glued edges, and halve the sides twice.

    Args:
        kind: "C4", "plain", "SO(2)" or "shifts".
        size: the side of the images.
        variant: see above.
        fields: copies of the regular representation; "plain" has twice as many channels.
        classes: how many outputs.
        generator: draws the initial weights.

    Returns:
        A network from (batch, 1, size, size) to (batch, classes).

    Raises:
        ValueError: if there is no such kind or variant.

    >>> network("C4", 13)(torch.zeros(2, 1, 13, 13)).shape
    torch.Size([2, 4])

    Chapter: Measuring equivariance
    """
    known = {
        "C4": "stride blur mean",
        "plain": "stride blur mean",
        "SO(2)": "stride",
        "shifts": "zeros glued stride max mean blur",
    }
    if kind not in known or variant not in known[kind].split():
        raise ValueError(f"there is no {kind!r} with {variant!r}; there are {known}.")
    if kind == "SO(2)":
        return steerable_digits.network(kind, (2, 3, 4), size, classes=classes, generator=generator)
    if kind == "shifts":
        return _shift_network(variant, classes, generator)
    G = cyclic(4 if kind == "C4" else 1)
    one, R = trivial(G), regular(G)
    a, b = fields if kind == "C4" else (2 * fields[0], 2 * fields[1])
    layers: list[nn.Module] = []
    for V, W in ((one, a * R), (a * R, b * R)):
        pool: Mapping[str, Callable[[], nn.Module]] = {
            "stride": lambda: Sample((2, 2)),
            "blur": partial(BlurPool2d, W, 2),
            "mean": partial(AvgPool2d, W, 2),
        }
        convolution = GroupConv2d(V, W, 3, padding=1, bias=False, generator=generator)
        layers += [convolution, BatchNorm(W), nn.ReLU(), pool[variant]()]
    layers += [
        GroupConv2d(b * R, b * R, math.ceil(size / 4), generator=generator),
        nn.ReLU(),
        GroupPool(b * R),
        nn.Flatten(),
        Linear(b * one, classes * one, generator=generator),
    ]
    return nn.Sequential(*layers)


def _shift_network(variant: str, classes: int, generator: torch.Generator | None) -> nn.Sequential:
    one = trivial(cyclic(1))
    halving: Mapping[str, Callable[[], nn.Module]] = {
        "stride": lambda: Sample((2, 2)),
        "max": lambda: nn.MaxPool2d(2),
        "mean": lambda: nn.AvgPool2d(2),
        "blur": lambda: BlurPool2d(8 * one, 2),
    }
    layers: list[nn.Module] = []
    for i, o in ((1, 8), (8, 8), (8, 8)):
        mode: Literal["zeros", "circular"] = "zeros" if variant == "zeros" else "circular"
        convolution = nn.Conv2d(i, o, 3, padding=1, padding_mode=mode, bias=False)
        nn.init.normal_(convolution.weight, std=(2 / (9 * i)) ** 0.5, generator=generator)
        layers += [convolution, nn.BatchNorm2d(o), nn.ReLU()]
        if variant in halving and len(layers) < 8:
            layers.append(halving[variant]())
    head = nn.Linear(8, classes)
    nn.init.normal_(head.weight, std=8**-0.5, generator=generator)
    nn.init.zeros_(head.bias)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


@torch.no_grad()
def invariance_error(net: Callable[[Tensor], Tensor], copies: list[Tensor], *, spread: bool = False) -> float:
    r"""The largest ‖f(gx) − f(x)‖ / ‖f(x)‖ over the copies gx, the first of which is x.

    Args:
        net: f.
        copies: a batch x, and the same batch moved in some ways.
        spread: whether to divide by ‖f(x) − f̄‖ instead, where f̄ is the mean of f over the batch: what all outputs
            have in common then makes no error small, and at 1 a move changes an output as much as it differs
            from the mean.

    Returns:
        The relative error.

    >>> x = torch.tensor([[3.0], [5.0]])
    >>> f = lambda x: x + 10
    >>> round(invariance_error(f, [x, x, x + 1]), 2), invariance_error(f, [x, x, x + 1], spread=True)
    (0.07, 1.0)

    Chapter: Measuring equivariance
    """
    y = net(copies[0])
    scale = (y - y.mean(dim=0) if spread else y).norm()
    return max(float((net(moved) - y).norm() / scale) for moved in copies)


def settled(net: nn.Sequential, x: Tensor) -> nn.Sequential:
    """A copy of a network in evaluation mode and float64, whose batch normalization has seen some images once.

    >>> net = settled(network("C4", 13), torch.rand(8, 1, 13, 13))
    >>> net.training, next(net.parameters()).dtype
    (False, torch.float64)

    Chapter: Measuring equivariance
    """
    other = copy.deepcopy(net)
    for module in other.modules():
        if hasattr(module, "momentum"):
            setattr(module, "momentum", 1.0)  # noqa: B010
    with torch.no_grad():
        other.train()(x.float())
    return other.double().eval()


@dataclass(frozen=True)
class Result(ModelResult):
    """What a run measured, for each model by name.

    Attributes:
        config: what was run.
        accuracy: name → (seeds,), on test digits in all copies.
        before, after: name → (seeds,), the error of invariance on the test digits, untrained and trained.
    """

    config: Config
    accuracy: dict[str, Tensor]
    before: dict[str, Tensor]
    after: dict[str, Tensor]

    def chance(self, name: str) -> float:
        """What guessing gives."""
        return 1 / self.config.models[name].classes

    def plot(self) -> Any:
        """Accuracy of each network, one panel a task, with a line at chance."""
        from ..figures import bars_with_intervals, panels

        tasks: dict[str, list[str]] = {}
        for name, model in self.config.models.items():
            tasks.setdefault(model.task, []).append(name)
        heights = [0.9 + 0.34 * len(names) for names in tasks.values()]
        figure, axes = panels(1, len(tasks), height=sum(heights) / len(tasks))
        grid = axes[0].get_gridspec()
        assert grid is not None
        grid.set_height_ratios([len(names) + 1.2 for names in tasks.values()])
        for ax, (task, names) in zip(axes, tasks.items(), strict=True):
            groups = {name: 100 * self.accuracy[name] for name in names}
            label = "accuracy (%)" if ax is axes[-1] else ""
            bars_with_intervals(groups, modes=self.modes, xlabel=label, title=task, decimals=0, ax=ax)
            ax.axvline(100 * self.chance(names[0]), color="#7b7b7b", ls=":", lw=1.5)
            ax.set_xlim(0, 103)
        return figure

    def plot_errors(self) -> Any:
        """The error of each network that is not exact, before and after training."""
        from ..figures import bars_with_intervals

        groups, modes = {}, {}
        for name, model in self.config.models.items():
            if model.mode == "relaxed":
                for when, values, mode in (("before", self.before, "nominal"), ("after", self.after, "augmented")):
                    groups[f"{name}: {when}"] = 100 * values[name]
                    modes[f"{name}: {when}"] = mode
        return bars_with_intervals(groups, modes=modes, xlabel="equivariance error (% of the output)", decimals=0)


def run(config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Train every network to tell the copies of its task apart, once a seed.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run(models={"exact": MODELS["C4, side 13"]}, seeds=1, samples=64, test=50, epochs=1)
    >>> result.accuracy["exact"].tolist()
    [0.25]

    Chapter: Measuring equivariance
    """
    config = choose(config, PRESETS, **changes)
    accuracy: dict[str, list[float]] = {name: [] for name in config.models}
    before: dict[str, list[float]] = {name: [] for name in config.models}
    after: dict[str, list[float]] = {name: [] for name in config.models}
    for seed in range(config.seeds):
        digits, held = _digits(config, seed, device)
        for name, model in config.models.items():
            net = model.build(generator=torch.Generator().manual_seed(seed)).to(device)
            copies, tested = (TASKS[model.task](part, model.size) for part in (digits, held))
            before[name].append(invariance_error(settled(net, copies[0]), tested))
            _train(net, copies, config, seed)
            net = net.double().eval()
            with torch.no_grad():
                right = sum(int((net(t).argmax(1) == k).sum()) for k, t in enumerate(tested))
            accuracy[name].append(right / (len(held) * len(tested)))
            after[name].append(invariance_error(net, tested))
    return Result(config, _tensors(accuracy), _tensors(before), _tensors(after))


def shift_errors(seeds: int = 8, *, count: int = 30, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """How much the outputs of untrained networks jump when digits are shifted by 1, 2 or 3 pixels.

    The networks halve the sides twice, so they are exact under shifts by 4 where their windows tile the image.

    Args:
        seeds: how many draws of the weights and of the digits.
        count: how many digits each.
        device: where to compute.

    Returns:
        How the sides are halved → (seeds,) the largest error of the three shifts, relative to ‖f(x)‖.

    >>> errors = shift_errors(2, count=5)
    >>> bool((errors["stride"] > errors["blur"]).all())
    True

    Chapter: Measuring equivariance
    """
    found: dict[str, list[float]] = {variant: [] for variant in ("stride", "max", "mean", "blur")}
    for seed in range(seeds):
        digits, _ = data.digits(generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        x = render(digits[:count].to(device), size=24)
        for variant, errors in found.items():
            net = network("shifts", 24, variant, generator=torch.Generator().manual_seed(seed)).to(device)
            errors.append(invariance_error(settled(net, x), [x, *(x.roll(k, -1) for k in (1, 2, 3))]))
    return _tensors(found)


@dataclass(frozen=True)
class OffTheData:
    """Errors under quarter turns on several kinds of images, relative to the spread of the outputs.

    Attributes:
        before: kind of image → (seeds,) of the untrained network.
        after: the same, after training on turned digits.
    """

    before: dict[str, Tensor]
    after: dict[str, Tensor]

    def plot(self) -> Any:
        """Both, one panel each."""
        from ..figures import bars_with_intervals, panels

        figure, (top, bottom) = panels(1, 2, height=1.75)
        ways = ((top, self.before, "untrained", ""), (bottom, self.after, "trained on turned digits", "error / spread"))
        for ax, groups, title, label in ways:
            modes = dict.fromkeys(groups, "nominal" if ax is top else "augmented")
            bars_with_intervals(groups, modes=modes, title=title, xlabel=label, decimals=2, ax=ax)
        for ax in (top, bottom):
            ax.set_xlim(0, 1.1 * max(float(values.max()) for values in self.before.values()))
        return figure


def off_the_data(seeds: int = 6, *, epochs: int = 12, device: torch.device | str = "cpu") -> OffTheData:
    """What augmentation teaches about images that it did not show: the error under quarter turns, by kind of image.

    The plain network of `rotated_digits`, untrained, and trained on digits that are turned by random quarter turns.

    Args:
        seeds: how many runs.
        epochs: of the trainings.
        device: where to train.

    Returns:
        The errors before and after.

    >>> sorted(off_the_data(1, epochs=1).after)
    ['blurred noise', 'negatives', 'shuffled pixels', 'test digits']

    Chapter: Measuring equivariance
    """
    before: dict[str, list[float]] = {}
    after: dict[str, list[float]] = {}
    config, model = rotated_digits.Config(), rotated_digits.MODELS["plain, augmented"]
    for seed in range(seeds):
        for found, count in ((before, 0), (after, epochs)):
            net, x, _ = rotated_digits.fit(model, replace(config, epochs=count), seed, device=device)
            net = net.double().eval()
            for kind, images in _kinds(x.double(), seed).items():
                turned = [images.rot90(k, (2, 3)) for k in range(4)]
                found.setdefault(kind, []).append(invariance_error(net, turned, spread=True))
    return OffTheData(_tensors(before), _tensors(after))


def _tensors(rows: Mapping[str, list[float]]) -> dict[str, Tensor]:
    return {name: torch.tensor(row, dtype=torch.float64) for name, row in rows.items()}


def _kinds(digits: Tensor, seed: int) -> dict[str, Tensor]:
    shuffle = torch.randperm(64, generator=torch.Generator().manual_seed(seed)).to(digits.device)
    blurred = smooth(len(digits), 8, 1.0, seed=seed).to(digits)
    low, high = blurred.amin((2, 3), keepdim=True), blurred.amax((2, 3), keepdim=True)
    return {
        "test digits": digits,
        "blurred noise": (blurred - low) / (high - low),
        "negatives": 1 - digits,
        "shuffled pixels": digits.flatten(2)[..., shuffle].view_as(digits),
    }


def _digits(config: Config, seed: int, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Digits to train on, and others to test."""
    digits, _ = data.digits(generator=torch.Generator().manual_seed(1000 + seed), dtype=torch.float64)
    a, b = config.samples, config.samples + config.test
    if b > len(digits):
        raise ValueError(f"there are {len(digits)} digits; {a} to train on and {config.test} to test are too many.")
    return digits[:a].to(device), digits[a:b].to(device)


def _train(net: nn.Module, copies: list[Tensor], config: Config, seed: int) -> None:
    """Show each digit in one of its copies, at random, and ask which."""
    generator = torch.Generator().manual_seed(2000 + seed)
    images = torch.stack(copies).float()

    def loss(batch: Tensor) -> Tensor:
        chosen = torch.randint(len(copies), (len(batch),), generator=generator).to(images.device)
        return F.cross_entropy(net(images[chosen, batch]), chosen)

    train_epochs(
        net,
        len(copies[0]),
        loss,
        epochs=config.epochs,
        batch_size=config.batch_size,
        lr=config.lr,
        generator=generator,
    )

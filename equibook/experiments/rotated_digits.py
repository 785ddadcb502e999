r"""Trained on upright digits, tested on turned ones: an equivariant network, a plain one, augmentation.

One network serves all: :func:`network` with G = C_4 is equivariant, and with the group of one
element it is an ordinary CNN. The widths are chosen so that both have about as many parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import AvgPool2d, GroupConv2d, GroupPool, Linear, Pointwise
from ..representation import FiniteGroup, act_batch, cyclic, dihedral, regular, trivial
from .presets import choose, named
from .results import ModelResult
from .training import by_seed, progress_bar, train_epochs

__all__ = ["MODELS", "PRESETS", "Config", "Model", "Result", "fit", "network", "run", "turn"]

#: The groups a model can be built on.
GROUPS: Mapping[str, Callable[[], FiniteGroup]] = {
    "C1": lambda: cyclic(1),
    "C4": lambda: cyclic(4),
    "D4": lambda: dihedral(4),
}


@dataclass(frozen=True)
class Model:
    """One of the networks that are compared.

    Args:
        group: "C1" (a plain CNN), "C4" or "D4".
        fields: how many copies of the regular representation each of the three layers has.
        augmented: whether each training image is turned by a random element of C_4 each time.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
    """

    group: str
    fields: tuple[int, int, int]
    augmented: bool = False
    mode: str = "nominal"

    def build(self, size: int, *, generator: torch.Generator | None = None) -> nn.Sequential:
        """The untrained network for images of size × size pixels."""
        return network(GROUPS[self.group](), self.fields, size, generator=generator)


#: C_4 with f fields and a plain network with 2f channels have equally many weights between two
#: hidden layers, because 2f · 2f = 4 · f · f: a quarter of the freedom for four times the maps.
MODELS: Mapping[str, Model] = {
    "equivariant": Model("C4", (6, 12, 16), mode="equivariant"),
    "plain": Model("C1", (12, 24, 32), mode="nominal"),
    "plain, augmented": Model("C1", (12, 24, 32), augmented=True, mode="augmented"),
    "wide, augmented": Model("C1", (24, 48, 64), augmented=True, mode="augmented"),
}


@dataclass(frozen=True)
class Config:
    """What is run: the data, the models and how they are trained.

    Args:
        data: "digits" (8 × 8) or "mnist" (28 × 28).
        models: name → model.
        seeds: how many runs of each model. A seed decides the split (on the digits), the order of
            the samples, the random turns and the initial weights, and is shared by all models.
        samples: how many training images are used; all of them if None.
        turned: whether the training set itself holds turned digits, each in one random direction.
        epochs, batch_size, lr: of Adam, whose step size falls to zero along a half cosine.
        angles: at how many angles of a full circle accuracy is measured.
    """

    data: str = "digits"
    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    seeds: int = 5
    samples: int | None = None
    turned: bool = False
    epochs: int = 18
    batch_size: int = 128
    lr: float = 1e-2
    angles: int = 24


#: "quick" is what the chapter runs; "mnist" is meant for a GPU.
PRESETS: Mapping[str, Config] = {
    "quick": Config(),
    "mnist": Config(data="mnist", seeds=10, epochs=20, batch_size=256, lr=4e-3),
}


def network(
    G: FiniteGroup,
    fields: tuple[int, int, int],
    size: int,
    *,
    classes: int = 10,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """A classifier of size × size images that no element of G changes the answer of.

    Two convolutions with 3 × 3 filters, each with ReLU and, while the side is even and more than
    4, a mean over 2 × 2 windows; one whose filter covers all that is left; the maximum over the
    group; a linear layer. For G = C_1 it is an ordinary CNN.

    Args:
        G: cyclic(1 | 2 | 4) or dihedral(1 | 2 | 4).
        fields: copies of the regular representation after each of the three convolutions.
        size: the side of the images.
        classes: how many there are.
        generator: draws the initial weights.

    Returns:
        A network from (batch, 1, size, size) to (batch, classes).

    >>> import equibook as eq
    >>> net = network(eq.cyclic(4), (2, 3, 4), 8)
    >>> x = torch.randn(5, 1, 8, 8)
    >>> bool((net(x) - net(x.rot90(1, (2, 3)))).abs().max() < 1e-5)
    True

    Chapter: Group convolution

    Reference: Cohen and Welling (2016).
    """
    layers: list[nn.Module] = []
    source = trivial(G)
    for copies in fields[:2]:
        target = copies * regular(G)
        layers += [GroupConv2d(source, target, 3, padding=1, generator=generator), Pointwise(target, "relu")]
        if size % 2 == 0 and size > 4:
            layers.append(AvgPool2d(target, 2))
            size //= 2
        source = target
    target = fields[2] * regular(G)
    layers += [GroupConv2d(source, target, size, generator=generator), Pointwise(target, "relu"), nn.Flatten()]
    layers += [GroupPool(target), Linear(fields[2] * trivial(G), classes * trivial(G), generator=generator)]
    return nn.Sequential(*layers)


def turn(images: Tensor, degrees: float) -> Tensor:
    """Images turned counter-clockwise by any angle, with bilinear interpolation, zero outside.

    Args:
        images: (n, c, h, h).
        degrees: the angle; a multiple of 90 moves pixels onto pixels.

    Returns:
        A tensor like images.

    >>> x = torch.rand(1, 1, 8, 8)
    >>> torch.allclose(turn(x, 90), x.rot90(1, (2, 3)), atol=1e-6)
    True

    Chapter: Group convolution
    """
    if degrees % 90 == 0:
        return images.rot90(int(degrees // 90), (-2, -1))
    a = math.radians(degrees)
    # Each output pixel looks up where it came from; the vertical axis of an image points down.
    back = images.new_tensor([[math.cos(a), -math.sin(a), 0.0], [math.sin(a), math.cos(a), 0.0]])
    grid = F.affine_grid(back.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


@dataclass(frozen=True)
class Result(ModelResult):
    """What a run measured, for each model by name.

    Attributes:
        config: what was run.
        degrees: (angles,) the angles.
        accuracy: name → (seeds, angles), on the test set turned by each angle.
        constant: name → (seeds,), the share of test images with one answer in all four directions.
        parameters: name → how many numbers the model learns.
        products: name → multiplications for one image, in thousands.
    """

    config: Config
    degrees: Tensor
    accuracy: dict[str, Tensor]
    constant: dict[str, Tensor]
    parameters: dict[str, int]
    products: dict[str, int]

    def upright(self, name: str) -> Tensor:
        """(seeds,) accuracy on the test set as it is."""
        return self.accuracy[name][:, 0]

    def quarter_turns(self, name: str) -> Tensor:
        """(seeds,) accuracy on the test set in all four directions."""
        return self.accuracy[name][:, self.degrees % 90 == 0].mean(dim=1)

    def difference(self, name: str, other: str, level: float = 0.95) -> tuple[float, float, float]:
        """Paired over the seeds: the mean of name − other on quarter turns, and Student's interval for it."""
        from ..figures import mean_interval

        return mean_interval(self.quarter_turns(name) - self.quarter_turns(other), level)

    def plot(self) -> Any:
        """Accuracy on upright test digits, and on those in all four directions: seeds and intervals."""
        from ..figures import bars_with_intervals, panels

        figure, axes = panels(1, 2, height=0.95 + 0.34 * len(self.accuracy))
        measures = {"upright test digits": self.upright, "test digits in all four directions": self.quarter_turns}
        for ax, (title, measure) in zip(axes, measures.items(), strict=True):
            groups = {name: 100 * measure(name) for name in self.accuracy}
            bars_with_intervals(groups, modes=self.modes, xlabel="accuracy (%)", title=title, decimals=1, ax=ax)
        low = min(ax.get_xlim()[0] for ax in axes)  # the interval of a mean can reach beyond its seeds
        for ax in axes:
            ax.set_xlim(max(0, 10 * math.floor(low / 10)), 101)
        return figure

    def plot_angles(self, names: Iterable[str] | None = None) -> Any:
        """Median accuracy on the test set turned by each angle of a full circle, with its quartiles."""
        from ..figures import trajectories

        circle = torch.cat([self.degrees, self.degrees.new_tensor([360.0])])
        curves = {}
        for name in self.accuracy if names is None else names:
            values = 100 * self.accuracy[name]
            curves[name] = torch.cat([values, values[:, :1]], dim=1).mT
        modes = {name: mode for name, mode in self.modes.items() if name in curves}
        figure = trajectories(
            curves,
            circle,
            modes=modes,
            spread="band",
            logy=False,
            xlabel="angle of the test digits (degrees)",
            ylabel="accuracy (%)",
        )
        figure.axes[0].set_xticks(range(0, 361, 90))
        figure.axes[0].set_ylim(0, 100)
        return figure


def fit(
    model: Model | str, config: Config | str = "quick", seed: int = 0, *, device: torch.device | str = "cpu"
) -> tuple[nn.Sequential, Tensor, Tensor]:
    """Train one model with one seed.

    Args:
        model: a model, or the name of one of `MODELS`.
        config: a config, or the name of one of `PRESETS`.
        seed: which run.
        device: where to train.

    Returns:
        The network, and the images and labels of the test set, upright.

    >>> net, x, y = fit("plain", Config(epochs=1))
    >>> net(x).shape
    torch.Size([450, 10])

    Chapter: Group convolution
    """
    config = choose(config, PRESETS)
    model = named(model, MODELS, "model")
    x, y, x_test, y_test = (part.to(device) for part in _load(config, seed))
    net = model.build(x.shape[-1], generator=torch.Generator().manual_seed(seed)).to(device)
    _train(net, x, y, model, config, seed)
    return net, x_test, y_test


def run(
    config: Config | str = "quick", *, device: torch.device | str = "cpu", progress: bool = False, **changes: Any
) -> Result:
    """Train every model once a seed, and measure it on the test set turned by every angle.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        progress: whether to show a bar.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("quick", seeds=2, epochs=1, samples=128, angles=4)
    >>> result.quarter_turns("equivariant").shape
    torch.Size([2])

    Chapter: Group convolution
    """
    config = choose(config, PRESETS, **changes)
    if config.angles < 4 or config.angles % 4:
        raise ValueError(f"angles is {config.angles}; a multiple of 4 holds the quarter turns.")
    degrees = torch.arange(config.angles) * (360.0 / config.angles)
    accuracy: dict[str, list[Tensor]] = {name: [] for name in config.models}
    constant: dict[str, list[Tensor]] = {name: [] for name in config.models}
    parameters: dict[str, int] = {}
    products: dict[str, int] = {}
    for seed, name in progress_bar([(s, n) for s in range(config.seeds) for n in config.models], progress):
        net, x_test, y_test = fit(config.models[name], config, seed, device=device)
        answers = torch.stack([_predict(net, turn(x_test, float(d))) for d in degrees])
        accuracy[name].append((answers == y_test).double().mean(dim=1).cpu())
        quarter = answers[degrees % 90 == 0]
        constant[name].append((quarter == quarter[0]).all(dim=0).double().mean().cpu())
        if seed == 0:
            parameters[name] = sum(p.numel() for p in net.parameters())
            products[name] = _products(net, x_test[:1]) // 1000
    return Result(
        config=config,
        degrees=degrees,
        accuracy=by_seed(accuracy),
        constant=by_seed(constant),
        parameters=parameters,
        products=products,
    )


def _load(config: Config, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test set of one seed; the same for every model."""
    generator = torch.Generator().manual_seed(1000 + seed)
    if config.data == "digits":
        x, y, x_test, y_test = data.split(*data.digits(), generator=generator)
    elif config.data == "mnist":
        x, y, x_test, y_test = *data.mnist("train"), *data.mnist("test")
    else:
        raise ValueError(f'data is {config.data!r}; it must be "digits" or "mnist".')
    chosen = torch.randperm(len(x), generator=generator)[: config.samples]
    x, y = x[chosen], y[chosen]
    if config.turned:
        x = _turn_each(x, generator)
    return x, y, x_test, y_test


def _turn_each(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by a random element of C_4."""
    G = cyclic(4)
    return act_batch(x.shape[1] * trivial(G), torch.randint(4, (len(x),), generator=generator), x)


def _train(net: nn.Module, x: Tensor, y: Tensor, model: Model, config: Config, seed: int) -> None:
    order, turns = (torch.Generator().manual_seed(n + seed) for n in (2000, 3000))

    def loss(batch: Tensor) -> Tensor:
        images = _turn_each(x[batch], turns) if model.augmented else x[batch]
        return F.cross_entropy(net(images), y[batch])

    train_epochs(
        net,
        len(x),
        loss,
        epochs=config.epochs,
        batch_size=config.batch_size,
        lr=config.lr,
        generator=order,
    )


@torch.no_grad()
def _predict(net: nn.Module, x: Tensor) -> Tensor:
    net.eval()
    return torch.cat([net(part).argmax(dim=1) for part in x.split(2000)])


@torch.no_grad()
def _products(net: nn.Module, x: Tensor) -> int:
    """Multiplications of the convolutions and the last layer for one image."""
    count = 0
    for layer in net.children():
        x = layer(x)
        if isinstance(layer, GroupConv2d):
            count += layer.filters().numel() * x[0, 0].numel()
        elif isinstance(layer, Linear):
            count += layer.source.dim * layer.target.dim
    return count

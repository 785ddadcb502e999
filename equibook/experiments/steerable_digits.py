r"""Digits as functions on the plane, turned before they are sampled: how well do networks turn with them?

An image of 8 × 8 pixels cannot be turned by 30° without inventing values between the pixels. So each pixel is
made a smooth dot, f(x) = Σ_p a_p exp(−|x − p|²/2s²), and an image is the samples of f on a grid.
The turned image is the samples of the turned function, and no interpolation comes in between:
what a layer gets wrong is its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import (
    BatchNorm,
    BlurPool2d,
    GatedPointwise,
    GroupConv2d,
    GroupPool,
    Linear,
    NormPool,
    Pointwise,
    SteerableConv2d,
)
from ..layers.convolution import FieldConv2d
from ..representation import Representation, cyclic, irreps, regular, so2, trivial
from .presets import choose, named
from .results import ModelResult
from .training import by_seed, progress_bar, train_epochs

__all__ = ["MODELS", "PRESETS", "Config", "Model", "Result", "fit", "network", "render", "run", "turning_error"]

#: The width s of the dot that a pixel of the digit becomes, in pixels of the digit.
DOT = 0.6


def render(digits: Tensor, degrees: float | Tensor = 0.0, *, size: int = 13, pixel: float = 0.8) -> Tensor:
    r"""Digits turned counter-clockwise by any angle and then sampled on a finer grid.

    Args:
        digits: (n, 1, 8, 8).
        degrees: one angle, or (n,) one for each digit.
        size: the side of the images.
        pixel: the distance of their pixels, in pixels of the digit.

    Returns:
        (n, 1, size, size), like digits.

    >>> import equibook as eq
    >>> digits, _ = eq.data.digits(dtype=torch.float64)
    >>> torch.allclose(render(digits[:5], 90), render(digits[:5]).rot90(1, (2, 3)))
    True

    Chapter: Steerable convolution
    """
    R = _rotations(degrees, digits)
    dots = _dots(_grid(size, pixel, digits) @ R)  # the value at x is that of the upright digit at R⁻¹x
    values = torch.einsum("qp,np->nq" if R.ndim == 2 else "nqp,np->nq", dots, digits.flatten(1))
    return values.view(-1, 1, size, size)


def turning_error(
    layer: FieldConv2d,
    elements: Tensor,
    *,
    samples: int = 200,
    pixel: float = 0.8,
) -> Tensor:
    r"""How far a convolution of gray images is from turning with the plane, ‖L(g·f)(gx) − ρ(g)L(f)(x)‖ / ‖L(f)(x)‖.

    The images are digits, as functions; x runs through random points, at which the filter is laid down on f
    and on the turned f. Only the filter is sampled, so this is the error of the filter alone. Both norms are
    root mean squares over the digits and the points.

    Args:
        layer: a convolution whose source is the trivial representation, in float64.
        elements: (t,) elements of the layer's finite group, or (t, 2, 2) rotations of its compact group.
        samples: how many digits; each is read at one random point.
        pixel: the distance of the filter's pixels, in pixels of the digit.

    Returns:
        (t,) relative errors.

    >>> import equibook as eq
    >>> G = eq.so2()
    >>> layer = eq.SteerableConv2d(eq.trivial(G), eq.irreps(G, 1)[1], 5, bias=False).double()
    >>> bool(turning_error(layer, G.exp([[torch.pi / 2], [0.5]]))[0] < 1e-12)
    True

    Chapter: Steerable convolution
    """
    V, W = layer.source, layer.target
    if V.dim != 1:
        raise ValueError(f"turning_error lays a filter on gray images; the layer's source is {V}.")
    filters = layer.filters().detach()
    generator = torch.Generator().manual_seed(0)
    digits, _ = data.digits(generator=generator, dtype=torch.float64)
    digits = digits[:samples].to(filters)
    places = (6 * torch.rand(len(digits), 1, 2, generator=generator, dtype=torch.float64) - 3).to(filters)
    window = _grid(layer.kernel_size, pixel, filters)

    def response(R: Tensor) -> Tensor:
        values = torch.einsum("nqp,np->nq", _dots(places + window @ R), digits.flatten(1))  # f(x + R⁻¹y)
        return values @ filters.flatten(1).mT

    still = response(torch.eye(2).to(filters))
    matrices = W.matrix(elements).to(filters)
    plane = elements if elements.ndim == 3 else W.group.plane[elements]
    off = [(response(R.to(filters)) - still @ rho.mT).norm() for R, rho in zip(plane, matrices, strict=True)]
    return torch.stack(off) / still.norm()


@dataclass(frozen=True)
class Model:
    """One of the networks that are compared.

    Args:
        kind: "plain", "C4" (group convolutions), "C8" (steerable, regular fields) or "SO(2)" (steerable,
            frequencies 0, 1 and 2).
        fields: how many copies of the fiber each of the three layers has.
        augmented: whether each training image is turned by a random angle each time.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
        outer: whether steerable filters keep their outermost ring, see `network`.
    """

    kind: str
    fields: tuple[int, int, int]
    augmented: bool = False
    mode: str = "nominal"
    outer: bool = False

    def build(self, size: int, *, generator: torch.Generator | None = None) -> nn.Sequential:
        """The untrained network for images of size × size pixels."""
        return network(self.kind, self.fields, size, outer=self.outer, generator=generator)


#: The first four have about as many parameters; the last has as many channels as the first.
MODELS: Mapping[str, Model] = {
    "steerable, SO(2)": Model("SO(2)", (4, 6, 8), mode="equivariant"),
    "group, C4": Model("C4", (2, 2, 9), mode="relaxed"),
    "plain": Model("plain", (6, 4, 17), mode="nominal"),
    "plain, augmented": Model("plain", (6, 4, 17), augmented=True, mode="augmented"),
    "wide, augmented": Model("plain", (20, 30, 40), augmented=True, mode="regularized"),
}


@dataclass(frozen=True)
class Config:
    """What is run: the models and how they are trained, on upright digits.

    Args:
        models: name → model.
        seeds: how many runs of each model. A seed decides the split into training and test set, the order of the
            samples, the random angles and the initial weights, and is shared by all models.
        first_seed: the first of the seeds, which follow each other.
        samples: how many training images are used; all of them if None.
        size, pixel: the side of the images, and the distance of their pixels in pixels of the digit.
        epochs, batch_size, lr: of Adam, whose step size falls to zero along a half cosine.
        angles: at how many angles of a full circle accuracy is measured.
    """

    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    seeds: int = 4
    first_seed: int = 0
    samples: int | None = 600
    size: int = 13
    pixel: float = 0.8
    epochs: int = 10
    batch_size: int = 64
    lr: float = 1e-2
    angles: int = 16


#: What "long" compares: group convolutions are augmented too, and upright digits for the plain network are left out.
LONG: Mapping[str, Model] = {
    **{name: model for name, model in MODELS.items() if name != "plain"},
    "group, C4, augmented": Model("C4", (2, 2, 9), augmented=True, mode="relaxed"),
}

#: "quick" is what the chapter runs; "long" trains on all samples, for longer, with seeds that no choice was made by.
PRESETS: Mapping[str, Config] = {
    "quick": Config(),
    "long": Config(models=dict(LONG), seeds=5, first_seed=10, samples=None, epochs=40),
}


def network(
    kind: str,
    fields: tuple[int, int, int],
    size: int,
    *,
    classes: int = 10,
    outer: bool = False,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """A classifier of size × size images: three convolutions, two of 5 × 5 and one that covers the rest.

    After each come a batch normalization and a nonlinearity that commute with the fiber, and after the first a blur
    of which every second pixel is kept. Then an invariant of each field, and a linear layer. "plain" is the same
    with the group of one element.

    Args:
        kind: "plain", "C4", "C8" or "SO(2)", see `Model`.
        fields: copies of the fiber after each convolution.
        size: the side of the images; 13 leaves 7 × 7 pixels for the last filter.
        classes: how many there are.
        outer: whether steerable filters keep their outermost ring, which the window cuts at its edges and not at
            its corners.
        generator: draws the initial weights.

    Returns:
        A network from (batch, 1, size, size) to (batch, classes).

    >>> net = network("C8", (1, 2, 2), 13)
    >>> net(torch.zeros(3, 1, 13, 13)).shape
    torch.Size([3, 10])

    Chapter: Steerable convolution

    Reference: Weiler and Cesa (2019).
    """
    if kind not in FIBERS:
        raise ValueError(f"there is no kind {kind!r}; there are {', '.join(FIBERS)}.")
    atoms = FIBERS[kind]()
    G = atoms[0].group
    convolution = GroupConv2d if kind in ("plain", "C4") else SteerableConv2d
    layers: list[nn.Module] = []
    source = trivial(G)
    sides = (5, 5, math.ceil(size / 2))
    for number, (copies, k) in enumerate(zip(fields, sides, strict=True)):
        target = copies * atoms[0]
        for atom in atoms[1:]:
            target = target + copies * atom
        act = GatedPointwise(target, "relu") if kind == "SO(2)" else Pointwise(target, "relu")
        rings: dict[str, Any] = {}
        if convolution is SteerableConv2d and not outer:
            rings = {"radii": [float(r) for r in range(k // 2)], "widths": [0.005, *[0.6] * (k // 2 - 1)]}
        layers += [
            convolution(
                source,
                act.source,
                k,
                padding=0 if number == 2 else 2,
                bias=False,
                generator=generator,
                **rings,
            ),
            BatchNorm(act.source),
            act,
        ]
        if number == 0:
            layers.append(BlurPool2d(target, 2))
        source = target
    invariant = NormPool(source) if kind == "SO(2)" else GroupPool(source)
    layers += [invariant, nn.Flatten(), Linear(invariant.target, classes * trivial(G), generator=generator)]
    return nn.Sequential(*layers)


#: The fiber of each kind of network: the sum of these.
FIBERS: Mapping[str, Callable[[], Sequence[Representation]]] = {
    "plain": lambda: [trivial(cyclic(1))],
    "C4": lambda: [regular(cyclic(4))],
    "C8": lambda: [regular(cyclic(8))],
    "SO(2)": lambda: irreps(so2(), 2),
}


@dataclass(frozen=True)
class Result(ModelResult):
    """What a run measured, for each model by name.

    Attributes:
        config: what was run.
        degrees: (angles,) the angles.
        accuracy: name → (seeds, angles), on the test set turned by each angle.
        constant: name → (seeds,), the share of test images with one answer at all angles.
        parameters: name → how many numbers the model learns.
    """

    config: Config
    degrees: Tensor
    accuracy: dict[str, Tensor]
    constant: dict[str, Tensor]
    parameters: dict[str, int]

    def upright(self, name: str) -> Tensor:
        """(seeds,) accuracy on the test set as it is."""
        return self.accuracy[name][:, 0]

    def all_angles(self, name: str) -> Tensor:
        """(seeds,) accuracy on the test set at all angles."""
        return self.accuracy[name].mean(dim=1)

    def difference(self, name: str, other: str, level: float = 0.95) -> tuple[float, float, float]:
        """Paired over the seeds: the mean of name − other at all angles, and Student's interval for it."""
        from ..figures import mean_interval

        return mean_interval(self.all_angles(name) - self.all_angles(other), level)

    def plot(self) -> Any:
        """Accuracy on upright test digits and at all angles: seeds and intervals."""
        from ..figures import bars_with_intervals, panels

        figure, axes = panels(1, 2, height=0.95 + 0.34 * len(self.accuracy))
        measures = {"upright test digits": self.upright, "test digits at all angles": self.all_angles}
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
        figure = trajectories(
            curves,
            circle,
            modes={name: self.modes[name] for name in curves},
            spread="band",
            logy=False,
            xlabel="angle of the test digits (degrees)",
            ylabel="accuracy (%)",
        )
        figure.axes[0].set_xticks(range(0, 361, 45))
        figure.axes[0].set_ylim(0, 100)
        return figure


def fit(
    model: Model | str,
    config: Config | str = "quick",
    seed: int = 0,
    *,
    device: torch.device | str = "cpu",
    **changes: Any,
) -> tuple[nn.Sequential, Tensor, Tensor]:
    """Train one model with one seed.

    Args:
        model: a model, or the name of one of `MODELS`.
        config: a config, or the name of one of `PRESETS`.
        seed: which run.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The network, the digits of the test set (n, 1, 8, 8), which `render` turns and samples, and their labels.

    >>> net, digits, y = fit("plain", epochs=1, samples=64)
    >>> net(render(digits, 30)).shape
    torch.Size([450, 10])

    Chapter: Steerable convolution
    """
    config = choose(config, PRESETS, **changes)
    model = named(model, MODELS, "model")
    generator = torch.Generator().manual_seed(1000 + seed)
    x, y, x_test, y_test = data.split(*data.digits(), generator=generator)
    chosen = torch.randperm(len(x), generator=generator)[: config.samples]
    x, y, x_test, y_test = (part.to(device) for part in (x[chosen], y[chosen], x_test, y_test))
    net = model.build(config.size, generator=torch.Generator().manual_seed(seed)).to(device)
    _train(net, x, y, model, config, seed)
    return net, x_test, y_test


def run(
    config: Config | str = "quick", *, device: torch.device | str = "cpu", progress: bool = False, **changes: Any
) -> Result:
    """Train every model once a seed on upright digits, and measure it on the test set turned by every angle.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        progress: whether to show a bar.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("quick", models={"plain": MODELS["plain"]}, seeds=2, epochs=1, samples=64)
    >>> result.accuracy["plain"].shape
    torch.Size([2, 16])

    Chapter: Steerable convolution
    """
    config = choose(config, PRESETS, **changes)
    degrees = torch.arange(config.angles) * (360.0 / config.angles)
    accuracy: dict[str, list[Tensor]] = {name: [] for name in config.models}
    constant: dict[str, list[Tensor]] = {name: [] for name in config.models}
    parameters: dict[str, int] = {}
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    for seed, name in progress_bar([(s, n) for s in seeds for n in config.models], progress):
        net, x, y = fit(config.models[name], config, seed, device=device)
        turned = (render(x, float(d), size=config.size, pixel=config.pixel) for d in degrees)
        answers = torch.stack([_answers(net.eval(), images) for images in turned])
        accuracy[name].append((answers == y).double().mean(dim=1).cpu())
        constant[name].append((answers == answers[0]).all(dim=0).double().mean().cpu())
        parameters[name] = sum(p.numel() for p in net.parameters())
    return Result(
        config=config,
        degrees=degrees,
        accuracy=by_seed(accuracy),
        constant=by_seed(constant),
        parameters=parameters,
    )


@torch.no_grad()
def _answers(net: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([net(part).argmax(dim=1) for part in images.split(150)])  # few fit into a processor's cache


def _train(net: nn.Module, x: Tensor, y: Tensor, model: Model, config: Config, seed: int) -> None:
    order, angles = (torch.Generator().manual_seed(n + seed) for n in (2000, 3000))
    upright = render(x, size=config.size, pixel=config.pixel)

    def loss(batch: Tensor) -> Tensor:
        if model.augmented:
            degrees = (360 * torch.rand(len(batch), generator=angles)).to(x.device)
            images = render(x[batch], degrees, size=config.size, pixel=config.pixel)
        else:
            images = upright[batch]
        return F.cross_entropy(net(images), y[batch])

    train_epochs(net, len(x), loss, epochs=config.epochs, batch_size=config.batch_size, lr=config.lr, generator=order)


def _grid(size: int, pixel: float, like: Tensor) -> Tensor:
    """(size², 2) the pixels, row by row from the top, as points (x, y) of the plane."""
    step = (torch.arange(size) - (size - 1) / 2) * pixel
    y, x = torch.meshgrid(-step, step, indexing="ij")
    return torch.stack([x, y], dim=-1).view(-1, 2).to(like)


def _rotations(degrees: float | Tensor, like: Tensor) -> Tensor:
    """(..., 2, 2) the turns by some angles."""
    a = torch.as_tensor(degrees, dtype=torch.float64).to(like).deg2rad()
    return torch.stack([a.cos(), -a.sin(), a.sin(), a.cos()], dim=-1).unflatten(-1, (2, 2))


def _dots(points: Tensor) -> Tensor:
    """(..., q, 2) points → (..., q, 64): how much each pixel of a digit counts at each point."""
    p = torch.arange(8).to(points) - 3.5
    squares = [(points[..., axis, None] - sign * p).square() / (2 * DOT**2) for axis, sign in ((0, 1), (1, -1))]
    # far away a dot is nothing: numbers too small for float32 would only make a processor slow
    across, down = (torch.where(s < 12, torch.exp(-s), 0) for s in squares)
    return (down[..., :, None] * across[..., None, :]).flatten(-2) / (2 * math.pi * DOT**2)

r"""Trained on upright clouds of points, tested on turned ones: vector neurons, plain numbers, augmentation.

One classifier serves all. Its first layer makes 36 numbers of each point: either vector neurons and their inner
products, or a perceptron that treats the coordinates as numbers. What comes after is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import VectorInvariants, VectorLinear, VectorReLU, neighbor_vectors
from ..representation import haar_sample, irreps, o3, so3
from .presets import choose, named
from .results import ModelResult
from .training import by_seed, train_epochs

__all__ = ["MODELS", "PRESETS", "CloudClassifier", "Config", "Model", "Result", "cloud_vectors", "fit", "run", "turn"]


@dataclass(frozen=True)
class Model:
    """One of the networks that are compared.

    Args:
        first: "vectors" (vector neurons) or "numbers" (a perceptron of the coordinates).
        augmented: whether each training cloud is turned by a random rotation each time.
        cross: whether vector neurons also get cross products. Then they commute with SO(3), not with O(3).
        passes: how many times longer it is trained than the config says.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
    """

    first: str
    augmented: bool = False
    cross: bool = False
    passes: int = 1
    mode: str = "nominal"


#: Equal widths and steps; the last is trained three times as long, which takes about the time of vector neurons.
MODELS: Mapping[str, Model] = {
    "vector neurons": Model("vectors", mode="equivariant"),
    "plain": Model("numbers", mode="nominal"),
    "plain, augmented": Model("numbers", augmented=True, mode="augmented"),
    "augmented, 3 times as long": Model("numbers", augmented=True, passes=3, mode="augmented"),
}


@dataclass(frozen=True)
class Config:
    """What is run: the clouds, the models and how they are trained.

    Args:
        shapes: the classes, of :data:`~equibook.data.SHAPES`.
        models: name → model.
        seeds: how many runs of each model. A seed decides the clouds, their order, the random turns and the
            initial weights, and is shared by all models.
        samples, tests: how many clouds are trained on, and tested on.
        points: in each cloud.
        scales: how many neighbors a point looks at; several views of it, one after the other.
        channels: how many vectors a point has; plain networks have three times as many numbers.
        epochs, batch_size, lr: of Adam, whose step size falls to zero along a half cosine. Of four step sizes this one
            served vector neurons and the augmented network best, on seeds 100 to 104.
    """

    shapes: tuple[str, ...] = ("sphere", "cube", "cylinder", "cone", "torus", "tetrahedron")
    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    seeds: int = 5
    samples: int = 480
    tests: int = 400
    points: int = 64
    scales: tuple[int, ...] = (8, 32)
    channels: int = 12
    epochs: int = 8
    batch_size: int = 32
    lr: float = 1e-2


#: "quick" is what the chapter runs; "hands" is the task of telling a right helix from a left one.
PRESETS: Mapping[str, Config] = {
    "quick": Config(),
    "hands": Config(
        shapes=("right helix", "left helix"),
        models={
            "O(3)": Model("vectors", mode="equivariant"),
            "SO(3), with cross products": Model("vectors", cross=True, mode="relaxed"),
        },
        seeds=2,
        samples=360,
        tests=200,
        points=48,
    ),
    "long": Config(seeds=10, samples=4000, points=256, epochs=30),
}


def cloud_vectors(x: Tensor, scales: tuple[int, ...] = (8, 32), *, cross: bool = False) -> Tensor:
    r"""A few vectors for each point: where it is from the mean, and where the means of its neighbors are from it.

    All of them turn with the cloud and do not notice where it is. Their cross products turn with rotations and
    keep their sign under x ↦ −x.

    Args:
        x: (batch, points, 3).
        scales: for each k of them, the mean of the k nearest points.
        cross: whether to add the cross products of the first vector with the others.

    Returns:
        (batch, channels, points, 3) with 1 + len(scales) channels; with cross products 1 + 2 len(scales).

    >>> cloud_vectors(torch.randn(5, 40, 3)).shape
    torch.Size([5, 3, 40, 3])

    Chapter: Vectors in space
    """
    away, outward = neighbor_vectors(x, max(scales)).unbind(1)
    out = outward[:, :, 0]
    around = [away[:, :, :k].mean(dim=2) for k in scales]
    crossed = [torch.linalg.cross(out, other) for other in around] if cross else []
    return torch.stack([out, *around, *crossed], dim=1)


class _Coordinates(nn.Module):
    """Vectors (batch, channels, points, 3) as numbers (batch, points, 3 · channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class CloudClassifier(nn.Module):
    """Vectors of points → numbers of points → numbers of the cloud → classes.

    The first step is vector neurons (`VectorLinear`, `VectorReLU`, `VectorInvariants`) or a perceptron of the
    coordinates. Then comes a perceptron for each point, the mean and the maximum over the points, which forget
    their order, and a perceptron for the cloud.

    Args:
        model: the kind of the first step.
        sources: how many vectors a point comes with.
        channels: how many it has after the first layer; three numbers each.
        classes: how many there are.
        width: of the perceptrons.
        generator: draws the initial weights.

    Input (batch, sources, points, 3); output (batch, classes).

    >>> net = CloudClassifier(MODELS["vector neurons"], 3, 12, 6)
    >>> x = cloud_vectors(torch.randn(5, 40, 3))
    >>> bool((net(x) - net(-x)).abs().max() < 1e-4)
    True

    Chapter: Vectors in space

    Reference: Deng, Litany, Duan, Poulenard, Tagliasacchi and Guibas (2021).
    """

    def __init__(
        self,
        model: Model,
        sources: int,
        channels: int,
        classes: int,
        width: int = 32,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        after = 3 * channels
        rest = [_affine(a, b, generator) for a, b in ((after, width), (width, width), (2 * width, width))]
        last = _affine(width, classes, generator)
        if model.first == "vectors":
            V = irreps(so3(), 1)[1] if model.cross else irreps(o3(), 1)[3]
            self.first = nn.Sequential(
                VectorLinear(sources * V, channels * V, generator=generator),
                VectorReLU(channels * V, generator=generator),
                VectorInvariants(channels * V, generator=generator),
            )
        elif model.first == "numbers":
            self.first = nn.Sequential(_Coordinates(), _affine(3 * sources, after, generator), nn.ReLU())
        else:
            raise ValueError(f'first is "vectors" or "numbers"; got {model.first!r}.')
        self.vectors = model.first == "vectors"
        self.points = nn.Sequential(
            nn.BatchNorm1d(after), rest[0], nn.BatchNorm1d(width), nn.ReLU(), rest[1], nn.BatchNorm1d(width), nn.ReLU()
        )
        self.cloud = nn.Sequential(rest[2], nn.ReLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x)
        if self.vectors:
            h = h.transpose(1, 2)
        h = self.points(h.flatten(0, 1)).unflatten(0, (len(x), -1))
        return self.cloud(torch.cat([h.amax(dim=1), h.mean(dim=1)], dim=1))


def turn(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Each cloud turned by a random rotation of its own, uniform by the Haar measure.

    Args:
        x: (batch, ..., 3), points or vectors.
        generator: draws the rotations.

    Returns:
        A tensor like x.

    >>> x = torch.randn(5, 40, 3)
    >>> torch.allclose(turn(x).norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    True

    Chapter: Vectors in space
    """
    R = haar_sample(so3(), len(x), generator=generator).to(x)
    return torch.einsum("bij,b...j->b...i", R, x)


@dataclass(frozen=True)
class Result(ModelResult):
    """What a run measured, for each model by name.

    Attributes:
        config: what was run.
        upright: name → (seeds,) accuracy on test clouds as they are.
        turned: name → (seeds,) accuracy on the same clouds, each turned at random.
        constant: name → (seeds,) the share of test clouds whose answer the turn does not change.
        parameters: name → how many numbers the model learns.
    """

    config: Config
    upright: dict[str, Tensor]
    turned: dict[str, Tensor]
    constant: dict[str, Tensor]
    parameters: dict[str, int]

    def difference(self, name: str, other: str, level: float = 0.95) -> tuple[float, float, float]:
        """Paired over the seeds: the mean of name − other on turned clouds, and Student's interval for it."""
        from ..figures import mean_interval

        return mean_interval(self.turned[name] - self.turned[other], level)

    def plot(self) -> Any:
        """Accuracy on upright and on turned test clouds: seeds, and 95 % intervals of their mean."""
        from ..figures import bars_with_intervals, panels

        figure, axes = panels(1, 2, height=0.95 + 0.34 * len(self.upright))
        measures = {"upright test clouds": self.upright, "test clouds turned at random": self.turned}
        for ax, (title, values) in zip(axes, measures.items(), strict=True):
            groups = {name: 100 * value for name, value in values.items()}
            bars_with_intervals(groups, modes=self.modes, xlabel="accuracy (%)", title=title, decimals=0, ax=ax)
            ax.set_xlim(0, 105)
        return figure


def fit(
    model: Model | str, config: Config | str = "quick", seed: int = 0, *, device: torch.device | str = "cpu"
) -> tuple[CloudClassifier, Tensor, Tensor]:
    """Train one model with one seed.

    Args:
        model: a model, or the name of one of the config's models.
        config: a config, or the name of one of `PRESETS`.
        seed: which run.
        device: where to train.

    Returns:
        The network, which reads `cloud_vectors`, and the points and labels of the test clouds, upright.

    >>> net, x, y = fit("plain", Config(samples=60, tests=30, epochs=1))
    >>> x.shape, net(cloud_vectors(x)).shape
    (torch.Size([30, 64, 3]), torch.Size([30, 6]))

    Chapter: Vectors in space
    """
    config = choose(config, PRESETS)
    model = named(model, config.models, "model")
    (x, y), (x_test, y_test) = _clouds(config, seed, device)
    return _train(model, config, seed, cloud_vectors(x, config.scales, cross=model.cross), y), x_test, y_test


def _clouds(config: Config, seed: int, device: torch.device | str) -> list[tuple[Tensor, Tensor]]:
    """The points and labels of the training clouds and of the test clouds of a seed."""
    draw = torch.Generator().manual_seed(1000 + seed)
    drawn = [data.point_clouds(n, config.points, config.shapes, generator=draw) for n in (config.samples, config.tests)]
    return [(x.to(device), y.to(device)) for x, y in drawn]


def _train(model: Model, config: Config, seed: int, v: Tensor, y: Tensor) -> CloudClassifier:
    net = CloudClassifier(
        model, v.shape[1], config.channels, len(config.shapes), generator=torch.Generator().manual_seed(seed)
    ).to(v.device)
    order, turns = (torch.Generator().manual_seed(n + seed) for n in (2000, 3000))

    def loss(batch: Tensor) -> Tensor:
        vectors = turn(v[batch], turns) if model.augmented else v[batch]
        return F.cross_entropy(net(vectors), y[batch])

    train_epochs(
        net,
        len(v),
        loss,
        epochs=config.epochs * model.passes,
        batch_size=config.batch_size,
        lr=config.lr,
        generator=order,
    )
    return net.eval()


@torch.no_grad()
def _answers(net: nn.Module, v: Tensor) -> Tensor:
    return torch.cat([net(part).argmax(dim=1) for part in v.split(200)])


def run(config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Train every model once a seed, and test it on upright clouds and on the same clouds turned at random.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("quick", seeds=2, samples=60, tests=30, epochs=1)
    >>> result.turned["vector neurons"].shape
    torch.Size([2])

    Chapter: Vectors in space
    """
    config = choose(config, PRESETS, **changes)
    upright: dict[str, list[Tensor]] = {name: [] for name in config.models}
    turned: dict[str, list[Tensor]] = {name: [] for name in config.models}
    constant: dict[str, list[Tensor]] = {name: [] for name in config.models}
    parameters: dict[str, int] = {}
    for seed in range(config.seeds):
        (x, y), (x_test, y_test) = _clouds(config, seed, device)
        moved = turn(x_test, torch.Generator().manual_seed(4000 + seed))
        views = {
            cross: [cloud_vectors(points, config.scales, cross=cross) for points in (x, x_test, moved)]
            for cross in {model.cross for model in config.models.values()}
        }
        for name, model in config.models.items():
            training, *tests = views[model.cross]
            net = _train(model, config, seed, training, y)
            before, after = (_answers(net, v) for v in tests)
            for rows, hits in ((upright, before == y_test), (turned, after == y_test), (constant, before == after)):
                rows[name].append(hits.double().mean().cpu())
            parameters[name] = sum(p.numel() for p in net.parameters())
    return Result(config, by_seed(upright), by_seed(turned), by_seed(constant), parameters)


def _affine(before: int, after: int, generator: torch.Generator | None) -> nn.Linear:
    """torch's linear layer as torch starts it, drawn from the generator."""
    layer = nn.utils.skip_init(nn.Linear, before, after)
    for parameter in (layer.weight, layer.bias):
        nn.init.uniform_(parameter, -(before**-0.5), before**-0.5, generator=generator)
    return layer

r"""One network, several nonlinearities: equivariant perceptrons with equally many parameters, on two tasks.

The networks are Linear → σ → Linear → σ → invariants → Linear on features that are n copies of ℝ[C_4], in the basis
of the group's elements or in that of irreducibles. So their linear layers are the same maps, and only σ differs.
Plain perceptrons, with and without augmentation, stand beside them.

The task "corners" asks which way round: is the number on the left of the largest of four bigger than the
one on its right? Turns do not change the answer and reflections do. The task "digits" is to read digits
that lie in any of four directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import FourierPointwise, GatedPointwise, Linear, NormPool, NormReLU, Pointwise
from ..layers.weights import IntertwinerWeight
from ..representation import FiniteGroup, Representation, cyclic, irreps, pixels, regular, trivial
from .presets import choose

__all__ = ["MODELS", "PRESETS", "TASKS", "Config", "Model", "Result", "corners", "fit", "in_irreps", "network", "run"]

KINDS = ("plain", "regular", "norm", "gates", "Fourier")

#: What is asked, and how it is said in a title.
TASKS: Mapping[str, str] = {"corners": "four corners: which way round", "digits": "turned digits"}


@dataclass(frozen=True)
class Model:
    """One of the networks that are compared.

    Args:
        kind: "plain" for a perceptron with ReLU; "regular" for ReLU on copies of ℝ[C_4]; "norm", "gates" or
            "Fourier" for `NormReLU`, `GatedPointwise` or `FourierPointwise` on irreducibles.
        augmented: whether each training input is turned at random each time.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
    """

    kind: str
    augmented: bool = False
    mode: str = "nominal"


MODELS: Mapping[str, Model] = {
    "regular, ReLU": Model("regular", mode="equivariant"),
    "irreps, Fourier": Model("Fourier", mode="equivariant"),
    "irreps, norm": Model("norm", mode="relaxed"),
    "irreps, gates": Model("gates", mode="regularized"),
    "plain": Model("plain"),
    "plain, augmented": Model("plain", augmented=True, mode="augmented"),
}


@dataclass(frozen=True)
class Config:
    """What is run: the models, and how they are trained.

    Args:
        models: name → model.
        tasks: names of `TASKS`.
        seeds: how many runs of each model. A seed decides the data, the order of the samples, the random
            turns and the initial weights. All seeds of a model train side by side.
        samples: training inputs of each seed.
        parameters: task → the number of parameters that no network exceeds; each is as wide as that allows.
        optimizer: "adam", or "sgd" for gradient descent with momentum 0.9, which does not depend on the basis.
        epochs, batch_size, lr: of the optimizer, whose step size falls to zero along a half cosine.
    """

    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    tasks: tuple[str, ...] = ("corners", "digits")
    seeds: int = 8
    samples: int = 500
    parameters: Mapping[str, int] = field(default_factory=lambda: {"corners": 600, "digits": 3000})
    optimizer: str = "adam"
    epochs: int = 25
    batch_size: int = 50
    lr: float = 1e-2


#: "quick" is what the chapter runs; "long" has more of everything.
PRESETS: Mapping[str, Config] = {
    "quick": Config(),
    "long": Config(seeds=20, samples=1300, epochs=100),
}


def corners(count: int, *, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Four normal numbers on the corners of a square, and which way round they go.

    Args:
        count: how many squares.
        generator: draws them.

    Returns:
        (count, 4) the numbers, corner k + 1 counter-clockwise of corner k; and (count,) labels: 1 if the neighbor
        k + 1 of the largest number is greater than its neighbor k − 1, else 0.

    >>> _, y = corners(1000, generator=torch.Generator().manual_seed(0))
    >>> 0.4 < y.float().mean() < 0.6
    tensor(True)

    Chapter: Linear layers and nonlinearities
    """
    x = torch.randn(count, 4, generator=generator)
    k = x.argmax(dim=1, keepdim=True)
    return x, (x.gather(1, (k + 1) % 4) > x.gather(1, (k - 1) % 4)).long()[:, 0]


def network(
    kind: str, source: Representation, width: int, classes: int, *, generator: torch.Generator | None = None
) -> nn.Sequential:
    """Linear → σ → Linear → σ → invariants → Linear.

    The last linear layer reads the invariant part of the features, the mean over the group; after "norm" and
    "gates" it reads the length of each field instead, because their invariant part knows only the
    invariant part of the input.

    Args:
        kind: see `Model`.
        source: the representation on the input; "plain" uses its dimension alone.
        width: n, the copies of ℝ[G] in each hidden layer; for "plain" the number of hidden channels.
        classes: the number of outputs.
        generator: draws the initial weights.

    Returns:
        A network from (batch, source.dim) to (batch, classes).

    >>> from equibook import assert_equivariant, cyclic, regular, trivial
    >>> V = regular(cyclic(4))
    >>> net = network("Fourier", V, 3, 2).double()
    >>> assert_equivariant(net, V, 2 * trivial(cyclic(4)), torch.randn(5, 4).double())

    Chapter: Linear layers and nonlinearities
    """
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; there are {', '.join(KINDS)}.")
    if kind == "plain":
        source = source.dim * trivial(cyclic(1))
    G = source.group
    features = _features(kind, G, width)
    layers: list[nn.Module] = []
    for _ in range(2):
        act: nn.Module
        if kind == "gates":
            gated = GatedPointwise(features)
            act, before = gated, gated.source
        else:
            kinds = {"norm": NormReLU, "Fourier": FourierPointwise}
            act, before = kinds.get(kind, Pointwise)(features), features
        layers += [Linear(source, before, generator=generator), act]
        source = features
    if kind in ("norm", "gates"):
        pool = NormPool(source)
        layers.append(pool)
        source = pool.target
    return nn.Sequential(*layers, Linear(source, classes * trivial(G), generator=generator))


def in_irreps(net: nn.Sequential) -> nn.Sequential:
    """The network of kind "Fourier" that computes what one of kind "regular" computes.

    With S the inverse Fourier transform, orthogonal, a layer between hidden features has the matrix Sᵀ A S in
    the place of A. Both are coordinates in orthonormal bases of intertwiners, so the two networks have the same
    weights up to an orthogonal map.

    Args:
        net: a network of kind "regular" that `network` made.

    Returns:
        The other network, of the same dtype, with weights of its own.

    >>> from equibook import cyclic, regular
    >>> net, x = network("regular", regular(cyclic(4)), 3, 2).double(), torch.randn(5, 4).double()
    >>> torch.allclose(in_irreps(net)(x), net(x))
    True

    Chapter: Linear layers and nonlinearities
    """
    given = [layer for layer in net if isinstance(layer, Linear)]
    source, width, classes = given[0].source, given[0].target.summands[0][1], given[-1].target.dim
    other = network("Fourier", source, width, classes).to(next(net.parameters()))
    act = other[1]
    if not isinstance(act, FourierPointwise) or given[0].target != width * regular(source.group):
        raise ValueError('in_irreps takes a network of kind "regular".')
    one = torch.eye(act.source.dim).to(act.analysis)[act.index].unflatten(0, (act.functions, -1))
    S = torch.einsum("td,fdb->ftb", act.analysis, one).flatten(0, 1)  # features to values on the group
    start, end = torch.eye(source.dim).to(S), torch.eye(classes).to(S)
    made = [layer for layer in other if isinstance(layer, Linear)]
    for a, b, right, left in zip(given, made, (start, S, S), (S, S, end), strict=True):
        _set(b.weight, left.mT @ a.weight(a.target.dim, a.source.dim) @ right)
        if a.bias is not None and b.bias is not None:
            _set(b.bias, left.mT @ a.bias(a.target.dim, 1))
    return other


def _set(weight: IntertwinerWeight, A: Tensor) -> None:
    """Give a weight the matrix A of its space: its coordinates are the products with an orthonormal basis."""
    (coordinates,) = weight.parameters()
    (found,) = torch.autograd.grad((weight(*A.shape) * A.detach()).sum(), coordinates)
    coordinates.data.copy_(found)


def _features(kind: str, G: FiniteGroup, width: int) -> Representation:
    if kind in ("plain", "regular"):
        return width * regular(G)
    first, *others = irreps(G)
    return sum((width * rho for rho in others), start=width * first)


def _size(kind: str, source: Representation, width: int, classes: int) -> int:
    return sum(p.numel() for p in network(kind, source, width, classes).parameters())


def _width(kind: str, source: Representation, classes: int, parameters: int) -> int:
    """The largest width with so many parameters at most."""
    width = 1
    if _size(kind, source, width, classes) > parameters:
        raise ValueError(f"{kind!r} has more than {parameters} parameters with one field already; allow more.")
    while _size(kind, source, width + 1, classes) <= parameters:
        width += 1
    return width


@dataclass(frozen=True)
class Result:
    """What a run measured, for each task and each model by name.

    Attributes:
        config: what was run.
        accuracy: task → name → (seeds,), on test data in all four directions.
        parameters: task → name → how many numbers the model learns.
        widths: task → name → the copies of ℝ[C_4] in a hidden layer, or the channels of a plain one.
    """

    config: Config
    accuracy: dict[str, dict[str, Tensor]]
    parameters: dict[str, dict[str, int]]
    widths: dict[str, dict[str, int]]

    @property
    def modes(self) -> dict[str, str]:
        """name → mode, for the colors of a plot."""
        return {name: model.mode for name, model in self.config.models.items()}

    def difference(self, task: str, name: str, other: str, level: float = 0.95) -> tuple[float, float, float]:
        """Paired over the seeds: the mean of name − other, and Student's interval for it."""
        from ..figures import mean_interval

        return mean_interval(self.accuracy[task][name] - self.accuracy[task][other], level)

    def plot(self) -> Any:
        """The accuracy of each model, one panel a task: seeds and intervals."""
        from ..figures import bars_with_intervals, panels

        rows = len(self.config.models)
        figure, axes = panels(1, len(self.accuracy), height=0.95 + 0.34 * rows)
        for ax, (task, groups) in zip(axes, self.accuracy.items(), strict=True):
            percent = {name: 100 * values for name, values in groups.items()}
            bars_with_intervals(
                percent, modes=self.modes, xlabel="test accuracy (%)", title=TASKS[task], decimals=0, ax=ax
            )
        return figure

    def plot_differences(self, other: str = "regular, ReLU") -> Any:
        """The accuracy of each model minus that of another, paired over the seeds, one panel a task."""
        from ..figures import bars_with_intervals, panels

        rows = len(self.config.models) - 1
        figure, axes = panels(1, len(self.accuracy), height=0.95 + 0.34 * rows)
        for ax, (task, groups) in zip(axes, self.accuracy.items(), strict=True):
            points = {name: 100 * (values - groups[other]) for name, values in groups.items() if name != other}
            label = f"points above {other}"
            bars_with_intervals(points, modes=self.modes, xlabel=label, title=TASKS[task], decimals=1, ax=ax)
            ax.axvline(0, color="#888888", lw=0.8, ls="-")
        return figure


def _source(task: str) -> tuple[Representation, int]:
    """The representation on the input, and the number of classes."""
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; there are {', '.join(TASKS)}.")
    return (regular(cyclic(4)), 2) if task == "corners" else (pixels(cyclic(4), 8), 10)


def _data(task: str, samples: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test inputs, (samples, dim) and (tests, dim), and their labels."""
    generator = torch.Generator().manual_seed(1000 + seed)
    if task == "corners":
        return *corners(samples, generator=generator), *corners(1000, generator=generator)
    x, y, x_test, y_test = data.split(*data.digits(), generator=generator)
    chosen = torch.randperm(len(x), generator=generator)[:samples]
    turns = torch.randint(4, (len(chosen),), generator=generator).tolist()
    x = torch.stack([image.rot90(k, (1, 2)) for image, k in zip(x[chosen], turns, strict=True)])
    x_test = torch.cat([x_test.rot90(k, (2, 3)) for k in range(4)])
    return x.flatten(1), y[chosen], x_test.flatten(1), y_test.repeat(4)


def _optimizer(config: Config, parameters: list[Tensor]) -> torch.optim.Optimizer:
    if config.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=config.lr)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr=config.lr, momentum=0.9)
    raise ValueError(f'optimizer is "adam" or "sgd"; got {config.optimizer!r}.')


def fit(
    name: str, task: str, config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any
) -> tuple[list[nn.Sequential], Tensor]:
    """Train one model on one task with every seed, side by side.

    Args:
        name: a name of the config's models.
        task: one of `TASKS`.
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The trained networks, one a seed, and (seeds,) their accuracies on test data in all four directions.

    >>> nets, accuracy = fit("plain", "corners", epochs=1, seeds=2)
    >>> len(nets), accuracy.shape
    (2, torch.Size([2]))

    Chapter: Linear layers and nonlinearities
    """
    config = choose(config, PRESETS, **changes)
    if name not in config.models:
        raise ValueError(f"there is no model {name!r}; there are {', '.join(config.models)}.")
    model, (V, classes) = config.models[name], _source(task)
    width = _width(model.kind, V, classes, config.parameters[task])
    draws = [torch.Generator().manual_seed(seed) for seed in range(config.seeds)]
    nets = [network(model.kind, V, width, classes, generator=draw).to(device) for draw in draws]
    sets = [_data(task, config.samples, seed) for seed in range(config.seeds)]
    x, y, x_test, y_test = (torch.stack(parts).to(device) for parts in zip(*sets, strict=True))
    parameters, buffers = torch.func.stack_module_state(nets)

    def answers(weights: Mapping[str, Tensor], constants: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        return torch.func.functional_call(nets[0], (dict(weights), dict(constants)), (inputs,))

    together = torch.func.vmap(answers)
    optimizer = _optimizer(config, list(parameters.values()))
    orders = [torch.Generator().manual_seed(2000 + seed) for seed in range(config.seeds)]
    turn = V.images.to(device) if V.images is not None else torch.arange(V.dim, device=device)[None]
    batches = -(-x.shape[1] // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs * batches)
    for _ in range(config.epochs):
        order = torch.stack([torch.randperm(x.shape[1], generator=g) for g in orders])
        moves = torch.stack([torch.randint(len(turn), (x.shape[1],), generator=g) for g in orders])
        for batch, move in zip(
            order.to(device).split(config.batch_size, 1), moves.to(device).split(config.batch_size, 1), strict=True
        ):
            inputs = x.gather(1, batch[..., None].expand(-1, -1, x.shape[2]))
            if model.augmented:
                inputs = inputs.gather(2, turn[move])
            logits = together(parameters, buffers, inputs)
            # Each network sees its own seed alone: the sum of their losses has their gradients.
            loss = F.cross_entropy(logits.flatten(0, 1), y.gather(1, batch).flatten()) * config.seeds
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        right = together(parameters, buffers, x_test).argmax(dim=2) == y_test
        for k, net in enumerate(nets):
            for key, value in net.named_parameters():
                value.copy_(parameters[key][k])
    return nets, right.double().mean(dim=1).cpu()


def run(config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Train every model on every task, once a seed.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("quick", tasks=("corners",), seeds=2, epochs=1)
    >>> result.accuracy["corners"]["irreps, norm"].shape
    torch.Size([2])

    Chapter: Linear layers and nonlinearities
    """
    config = choose(config, PRESETS, **changes)
    accuracy: dict[str, dict[str, Tensor]] = {}
    parameters: dict[str, dict[str, int]] = {}
    widths: dict[str, dict[str, int]] = {}
    for task in config.tasks:
        V, classes = _source(task)
        accuracy[task], parameters[task], widths[task] = {}, {}, {}
        for name, model in config.models.items():
            nets, accuracy[task][name] = fit(name, task, config, device=device)
            parameters[task][name] = sum(p.numel() for p in nets[0].parameters())
            widths[task][name] = _width(model.kind, V, classes, config.parameters[task])
    return Result(config, accuracy, parameters, widths)

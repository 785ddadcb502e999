r"""Counting triangles: networks on numbered graphs, invariant ones, and one that multiplies matrices.

All networks have the same head, and learn from the same few graphs. On "random" graphs the degrees of the
points say much about the triangles. On "regular" ones they say nothing: all points look alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import data
from ..layers import MessagePassingNetwork, PermutationLinear, edge_list
from .presets import choose, named
from .results import ModelResult
from .training import by_seed, progress_bar, train_epochs

__all__ = ["MODELS", "PRESETS", "Config", "Model", "OrderTwo", "Result", "fit", "network", "relabel", "run"]


@dataclass(frozen=True)
class Model:
    """One of the networks that are compared.

    Args:
        kind: "plain", a perceptron on the entries of the matrix; "messages"; "order 2", with the linear
            equivariant maps of matrices; "products", the same with products of matrices.
        hidden: its channels.
        augmented: whether the points of a training graph are numbered anew each time.
        mode: the name of its color in :data:`~equibook.figures.COLORS`.
    """

    kind: str
    hidden: int
    augmented: bool = False
    mode: str = "equivariant"


MODELS: Mapping[str, Model] = {
    "plain": Model("plain", 32, mode="nominal"),
    "plain, augmented": Model("plain", 32, augmented=True, mode="augmented"),
    "messages": Model("messages", 16, mode="relaxed"),
    "order 2": Model("order 2", 16),
    "order 2, products": Model("products", 8, mode="regularized"),
}


@dataclass(frozen=True)
class Config:
    """What is run.

    Args:
        graphs: "random", each pair joined with probability 1/2, or "regular", connected, with three neighbors
            for each point. Of the latter there are five with 8 points, up to the numbering.
        models: name → model.
        points: of each graph.
        samples, tests: graphs to train and to test on.
        seeds: how many runs. A seed decides the graphs, their order and the initial weights of all models.
        epochs, batch_size, lr: of Adam, whose step size falls to zero along a half cosine.
    """

    graphs: str = "random"
    models: Mapping[str, Model] = field(default_factory=lambda: dict(MODELS))
    points: int = 8
    samples: int = 300
    tests: int = 500
    seeds: int = 4
    epochs: int = 30
    batch_size: int = 50
    lr: float = 1e-2


PRESETS: Mapping[str, Config] = {
    "random": Config(),
    "regular": Config(graphs="regular"),
    "long": Config(samples=3000, seeds=10, epochs=60),
}


class OrderTwo(nn.Module):
    r"""Two equivariant layers on symmetric matrices and the map to invariant numbers.

    With products, each layer's output Y is followed by Y Y / √n, a matrix product in each channel. It
    commutes with relabeling, (P Y Pᵀ)(P Y Pᵀ) = P Y Y Pᵀ, but it is not linear.

    Args:
        hidden: the channels of each layer.
        out_channels: the invariant numbers.
        products: whether matrices are multiplied.
        generator: draws the initial weights.

    Input (batch, 1, n, n); output (batch, out_channels).

    >>> import equibook as eq
    >>> graphs = torch.stack([eq.data.cycles(3, 3), eq.data.cycles(6)])[:, None].double()
    >>> for products in (False, True):
    ...     generator = torch.Generator().manual_seed(0)
    ...     y = OrderTwo(4, 3, products=products, generator=generator).double()(graphs)
    ...     bool((y[0] - y[1]).abs().max() < 1e-12)
    True
    False

    Chapter: Sets and graphs

    Reference: Maron, Ben-Hamu, Serviansky and Lipman (2019), for the products.
    """

    def __init__(
        self, hidden: int, out_channels: int, *, products: bool = False, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.products = products
        after = 2 * hidden if products else hidden

        def linear(before: int, out: int, orders: tuple[int, int] = (2, 2)) -> PermutationLinear:
            return PermutationLinear(before, out, orders, symmetric=True, generator=generator)

        self.layers = nn.ModuleList([linear(1, hidden), linear(after, hidden)])
        self.pool = linear(after, out_channels, (2, 0))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
            if self.products:
                x = torch.cat([x, x @ x * x.shape[-1] ** -0.5], dim=1)
        return self.pool(x)


class _Messages(nn.Module):
    """A message passing network on adjacency matrices, whose points all start with a 1."""

    def __init__(self, hidden: int, out_channels: int, generator: torch.Generator | None) -> None:
        super().__init__()
        self.network = MessagePassingNetwork(1, [hidden, hidden], out_channels, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(*edge_list(x[:, 0]))


def network(model: Model, points: int, *, generator: torch.Generator | None = None) -> nn.Sequential:
    """The untrained network: 16 numbers of a graph, batch normalization, ReLU and a last linear map.

    Args:
        model: its kind and channels.
        points: n, which only the plain network needs.
        generator: draws the initial weights.

    Returns:
        A network from (batch, 1, n, n) to (batch, 1).

    Raises:
        ValueError: if there is no such kind.

    >>> net = network(MODELS["order 2"], 8)
    >>> net(torch.ones(4, 1, 8, 8)).shape
    torch.Size([4, 1])

    Chapter: Sets and graphs
    """
    c = 16
    body: nn.Module
    if model.kind == "plain":
        first, second = (
            PermutationLinear(a, b, (0, 0), generator=generator)
            for a, b in ((points**2, model.hidden), (model.hidden, c))
        )
        body = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second)
    elif model.kind == "messages":
        body = _Messages(model.hidden, c, generator)
    elif model.kind in ("order 2", "products"):
        body = OrderTwo(model.hidden, c, products=model.kind == "products", generator=generator)
    else:
        raise ValueError(f'kind is "plain", "messages", "order 2" or "products"; got {model.kind!r}.')
    return nn.Sequential(body, nn.BatchNorm1d(c), nn.ReLU(), PermutationLinear(c, 1, (0, 0), generator=generator))


def relabel(graphs: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Each graph with its points numbered anew, at random.

    Args:
        graphs: (batch, c, n, n).
        generator: draws the permutations.

    Returns:
        A tensor like graphs.

    >>> import equibook as eq
    >>> A = eq.data.random_graphs(3, 6)[:, None]
    >>> torch.equal(eq.data.triangles(relabel(A)), eq.data.triangles(A))
    True

    Chapter: Sets and graphs
    """
    order = torch.rand(len(graphs), 1, graphs.shape[-1], generator=generator).argsort(dim=-1).to(graphs.device)
    rows = graphs.gather(2, order[..., None].expand_as(graphs))
    return rows.gather(3, order[:, :, None].expand_as(graphs))


def _connected(count: int, points: int, generator: torch.Generator) -> Tensor:
    """Connected graphs in which each point has three neighbors."""
    graphs = data.regular_graphs(2 * count + 10, points, 3, generator=generator)
    return graphs[data.connected_components(graphs) == 1][:count]


@dataclass(frozen=True)
class Result(ModelResult):
    """What a run measured, for each model by name.

    Attributes:
        config: what was run.
        error: name → (seeds,) root mean square error on test graphs, in units of the spread of the counts:
            who always says their mean has 1.
        training: name → (seeds,) the same on the training graphs.
        parameters: name → how many numbers the model learns.
    """

    config: Config
    error: dict[str, Tensor]
    training: dict[str, Tensor]
    parameters: dict[str, int]

    def difference(self, name: str, other: str, level: float = 0.95) -> tuple[float, float, float]:
        """Paired over the seeds: the mean of the errors of name − other, and Student's interval for it."""
        from ..figures import mean_interval

        return mean_interval(self.error[name] - self.error[other], level)

    def plot(self, ax: Any = None, *, title: str | None = None) -> Any:
        """The test error of each model: seeds, and the interval of the mean."""
        from ..figures import bars_with_intervals

        label = "test error (1: always the mean)"
        return bars_with_intervals(self.error, modes=self.modes, xlabel=label, title=title, decimals=2, ax=ax)


def fit(
    model: Model | str, config: Config | str = "random", seed: int = 0, *, device: torch.device | str = "cpu"
) -> tuple[nn.Module, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Train one model with one seed.

    Args:
        model: a model, or the name of one of `MODELS`.
        config: a config, or the name of one of `PRESETS`.
        seed: which run.
        device: where to train.

    Returns:
        The network; training graphs (samples, 1, n, n) and their triangles in units of the spread of the
        training counts, from their mean, (samples, 1); and the same for the test graphs.

    >>> net, _, (x, y) = fit("order 2", Config(epochs=1, samples=60, tests=10))
    >>> net(x).shape == y.shape
    True

    Chapter: Sets and graphs
    """
    config = choose(config, PRESETS)
    model = named(model, MODELS, "model")
    x, y, x_test, y_test = (part.to(device) for part in _load(config, seed))
    net = network(model, config.points, generator=torch.Generator().manual_seed(1000 + seed)).to(device)
    order, labels = (torch.Generator().manual_seed(start + seed) for start in (2000, 3000))

    def loss(batch: Tensor) -> Tensor:
        graphs = relabel(x[batch], labels) if model.augmented else x[batch]
        return F.mse_loss(net(graphs), y[batch])

    train_epochs(
        net,
        len(x),
        loss,
        epochs=config.epochs,
        batch_size=config.batch_size,
        lr=config.lr,
        generator=order,
    )
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.momentum = 1.0  # the statistics of all training graphs, not of the last few batches
    with torch.no_grad():
        net.train()(x)
    return net.eval(), (x, y), (x_test, y_test)


def _load(config: Config, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test graphs of one seed, the same for every model, and their standardized counts."""
    generator = torch.Generator().manual_seed(seed)
    counts = config.samples, config.tests
    if config.graphs == "random":
        x, x_test = (data.random_graphs(m, config.points, 0.5, generator=generator) for m in counts)
    elif config.graphs == "regular":
        x, x_test = (_connected(m, config.points, generator) for m in counts)
    else:
        raise ValueError(f'graphs are "random" or "regular"; got {config.graphs!r}.')
    y, y_test = (data.triangles(A).float()[:, None] for A in (x, x_test))
    mean, spread = y.mean(), y.std()
    return x[:, None], (y - mean) / spread, x_test[:, None], (y_test - mean) / spread


def run(
    config: Config | str = "random", *, device: torch.device | str = "cpu", progress: bool = False, **changes: Any
) -> Result:
    """Train every model once a seed, and measure its error on graphs that it has not seen.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where to train.
        progress: whether to show a bar.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run("random", seeds=2, epochs=1, samples=60, tests=20)
    >>> result.error["messages"].shape
    torch.Size([2])

    Chapter: Sets and graphs
    """
    config = choose(config, PRESETS, **changes)
    error: dict[str, list[Tensor]] = {name: [] for name in config.models}
    training: dict[str, list[Tensor]] = {name: [] for name in config.models}
    parameters: dict[str, int] = {}
    pairs = [(seed, name) for seed in range(config.seeds) for name in config.models]
    for seed, name in progress_bar(pairs, progress):
        net, (x, y), (x_test, y_test) = fit(config.models[name], config, seed, device=device)
        with torch.no_grad():
            error[name].append(((net(x_test) - y_test).square().mean().sqrt() / y_test.std()).cpu())
            training[name].append((net(x) - y).square().mean().sqrt().cpu())
        parameters[name] = sum(p.numel() for p in net.parameters())
    return Result(config, by_seed(error), by_seed(training), parameters)

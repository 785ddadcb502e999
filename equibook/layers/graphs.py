r"""Networks on graphs: on adjacency matrices, as tensors of order 2, and on lists of edges, by messages.

A graph on n points is a symmetric matrix, and relabeling its points is the action of S_n. The layers of
`PermutationLinear` treat it so, in time O(n²). Most graphs have far fewer edges than n². Message passing
follows the edges alone: it is equivariant because a sum, mean or maximum over neighbors has no order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .sets import PermutationLinear, TensorNetwork

__all__ = [
    "GraphBatch",
    "InvariantGraphNetwork",
    "MessagePassing",
    "MessagePassingNetwork",
    "aggregate",
    "disjoint_union",
    "edge_list",
    "graph_tensor",
]


def graph_tensor(adjacency: Tensor, nodes: Tensor | None = None) -> Tensor:
    r"""A graph as a tensor of order 2: weights of edges off the diagonal, features of nodes on it.

    Args:
        adjacency: (..., n, n).
        nodes: (..., c, n), if the nodes have features.

    Returns:
        (..., 1 + c, n, n): the adjacency matrix, then a diagonal matrix for each feature.

    Raises:
        ValueError: if the shapes do not fit.

    >>> graph_tensor(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([[5.0, 7.0]])).tolist()
    [[[0.0, 1.0], [1.0, 0.0]], [[5.0, 0.0], [0.0, 7.0]]]

    Chapter: Sets and graphs

    Reference: Maron, Ben-Hamu, Shamir and Lipman (2019).
    """
    if adjacency.ndim < 2 or adjacency.shape[-1] != adjacency.shape[-2]:
        raise ValueError(f"An adjacency matrix is square, (..., n, n); got {tuple(adjacency.shape)}.")
    edges = adjacency.unsqueeze(-3)
    if nodes is None:
        return edges
    if nodes.ndim != adjacency.ndim or nodes.shape[:-2] != adjacency.shape[:-2] or nodes.shape[-1] != edges.shape[-1]:
        raise ValueError(
            f"Graphs {tuple(adjacency.shape)} have features (..., c, {edges.shape[-1]}) of their nodes, with the same "
            f"axes in front; got {tuple(nodes.shape)}."
        )
    return torch.cat([edges.to(nodes), torch.diag_embed(nodes)], dim=-3)


class InvariantGraphNetwork(TensorNetwork):
    r"""A function of graphs: equivariant maps of matrices, a nonlinearity between them, and an invariant head.

    Each hidden layer combines the 15 maps of `PermutationLinear`, or the 9 that undirected graphs leave.
    The last map goes to numbers (two for each channel: means of the diagonal and of all entries), to
    values at each node, or at each pair. Graphs that no number of rounds of exchanging colors with the
    neighbors (Weisfeiler and Leman) tells apart, such as two triangles and a hexagon, look alike to it.

    Args:
        in_channels: of the graphs, see `graph_tensor`.
        hidden: the channels of the equivariant layers, at least one.
        out_channels: the numbers that the network returns.
        target_order: 0 for numbers of the whole graph, 1 for each node, 2 for each pair of nodes.
        symmetric: whether the graphs are undirected, see `PermutationLinear`.
        reduce: "mean" or "sum". Means give graphs of different size numbers of one size; sums count.
        nonlinearity: applied to each entry.
        generator: draws the initial weights.

    Input (..., in_channels, n, n) and, for graphs of different size, a mask (..., n) of the nodes that
    exist; output (..., out_channels), with n repeated target_order times.

    >>> network = InvariantGraphNetwork(1, [16, 16], 3)
    >>> graph = torch.rand(1, 1, 12, 12)
    >>> y, relabeled = network(graph), network(graph.flip(-1, -2))
    >>> y.shape, bool((relabeled - y).abs().max() < 1e-5)
    (torch.Size([1, 3]), True)

    Chapter: Sets and graphs

    Reference: Maron, Ben-Hamu, Shamir and Lipman (2019).
    """

    def __init__(
        self,
        in_channels: int,
        hidden: Sequence[int],
        out_channels: int,
        *,
        target_order: int = 0,
        symmetric: bool = False,
        reduce: str = "mean",
        nonlinearity: Callable[[Tensor], Tensor] = torch.relu,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(2, in_channels, hidden, out_channels, target_order, symmetric, reduce, nonlinearity, generator)


# ---- lists of edges -------------------------------------------------------------------------


def aggregate(values: Tensor, index: Tensor, size: int, reduce: str = "sum") -> Tensor:
    r"""The sum, mean or maximum of the rows that share an index: y_i = ⊕ {x_k : index_k = i}.

    Args:
        values: (m, ...) rows.
        index: (m,) where each row goes, from 0 to size − 1.
        size: how many rows the result has.
        reduce: "sum", "mean" or "max". Of no rows each is 0.

    Returns:
        (size, ...).

    Raises:
        ValueError: if `reduce` is unknown.

    >>> aggregate(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0, 2, 2]), 3, "mean").tolist()
    [1.0, 0.0, 4.0]

    Chapter: Sets and graphs
    """
    _check_reduce(reduce)
    zeros = values.new_zeros(size, *values.shape[1:])
    if reduce == "max":
        where = index.view(-1, *[1] * (values.ndim - 1)).expand_as(values)
        return zeros.scatter_reduce(0, where, values, "amax", include_self=False)
    total = zeros.index_add(0, index, values)
    if reduce == "sum":
        return total
    count = values.new_zeros(size).index_add(0, index, values.new_ones(len(index))).clamp_min(1)
    return total / count.view(-1, *[1] * (values.ndim - 1))


def _check_reduce(reduce: str) -> str:
    if reduce not in ("sum", "mean", "max"):
        raise ValueError(f'reduce is "sum", "mean" or "max"; got {reduce!r}.')
    return reduce


class GraphBatch(NamedTuple):
    """Several graphs as one graph whose parts are not connected.

    Args:
        nodes: (n, c) the features of all nodes.
        edges: (2, m) an edge from node edges[0] to node edges[1], each column.
        graph: (n,) the number of the graph that each node belongs to.
        graphs: how many graphs there are.

    >>> batch = edge_list(torch.ones(2, 3, 3) - torch.eye(3))        # two triangles
    >>> batch.nodes.shape, batch.edges.shape, batch.graph.tolist(), batch.graphs
    (torch.Size([6, 1]), torch.Size([2, 12]), [0, 0, 0, 1, 1, 1], 2)

    Chapter: Sets and graphs
    """

    nodes: Tensor
    edges: Tensor
    graph: Tensor
    graphs: int


def disjoint_union(graphs: Sequence[tuple[Tensor, Tensor]]) -> GraphBatch:
    """Put graphs of any sizes into one batch: their nodes one after another, their edges renumbered.

    Args:
        graphs: pairs of nodes (n, c) and edges (2, m).

    Returns:
        The batch, whose four parts `MessagePassingNetwork` takes in this order.

    Raises:
        ValueError: if there are none, or the edges of one are not (2, m).

    >>> path = torch.ones(3, 1), torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    >>> batch = disjoint_union([path, path])
    >>> batch.edges.tolist(), batch.graph.tolist()
    ([[0, 1, 1, 2, 3, 4, 4, 5], [1, 0, 2, 1, 4, 3, 5, 4]], [0, 0, 0, 1, 1, 1])

    Chapter: Sets and graphs
    """
    if not graphs:
        raise ValueError("There is nothing to put together: give at least one pair of nodes and edges.")
    shifted, labels, start = [], [], 0
    for number, (nodes, edges) in enumerate(graphs):
        _check_edges(edges)
        shifted.append(edges + start)
        labels.append(edges.new_full((len(nodes),), number))
        start += len(nodes)
    return GraphBatch(torch.cat([x for x, _ in graphs]), torch.cat(shifted, dim=1), torch.cat(labels), len(graphs))


def edge_list(adjacency: Tensor, nodes: Tensor | None = None) -> GraphBatch:
    """Adjacency matrices of one size as lists of edges, in one batch.

    Args:
        adjacency: (batch, n, n); an edge from j to i where entry (i, j) is not 0.
        nodes: (batch, c, n); one feature that is 1 if not given.

    Returns:
        The batch, with batch · n nodes.

    Raises:
        ValueError: if the shapes do not fit.

    >>> batch = edge_list(torch.tensor([[[0, 1], [0, 0]], [[0, 1], [1, 0]]]))
    >>> batch.edges.tolist(), batch.nodes.shape             # 1 → 0; then 3 → 2 and 2 → 3
    ([[1, 3, 2], [0, 2, 3]], torch.Size([4, 1]))

    Chapter: Sets and graphs
    """
    if adjacency.ndim != 3 or adjacency.shape[1] != adjacency.shape[2]:
        raise ValueError(f"Expected adjacency matrices (batch, n, n); got {tuple(adjacency.shape)}.")
    batch, n = adjacency.shape[:2]
    if nodes is None:
        dtype = adjacency.dtype if adjacency.is_floating_point() else torch.get_default_dtype()
        nodes = adjacency.new_ones(batch, 1, n, dtype=dtype)
    if nodes.ndim != 3 or (nodes.shape[0], nodes.shape[2]) != (batch, n):
        raise ValueError(f"Expected features ({batch}, c, {n}) of the nodes; got {tuple(nodes.shape)}.")
    g, i, j = adjacency.nonzero().unbind(1)
    graph = torch.arange(batch, device=adjacency.device).repeat_interleave(n)
    return GraphBatch(nodes.mT.flatten(0, 1), torch.stack([g * n + j, g * n + i]), graph, batch)


class MessagePassing(nn.Module):
    r"""One round of messages: h_i = U σ(T(x_i, ⊕_{j → i} σ(R x_i + S x_j + E e_ji))), all maps affine.

    Each edge carries a message from j to i, a node adds up what arrives, and updates itself. The same
    maps act at every node and edge and ⊕ has no order, so relabeling the nodes relabels the result. R and
    S act on nodes before they are gathered to edges: the cost of an edge is a sum and σ.

    Args:
        in_channels, out_channels: the features of a node before and after.
        hidden: the channels of messages; out_channels if not given.
        edge_channels: the features e of an edge; 0 if edges have none.
        reduce: ⊕, "sum", "mean" or "max". Sums count neighbors, means and maxima cannot.
        nonlinearity: σ, applied to each entry.
        generator: draws the initial weights.

    Input: nodes (n, in_channels), edges (2, m) from edges[0] to edges[1], and edge features
    (m, edge_channels). Output (n, out_channels). An undirected edge is two directed ones.

    Raises:
        ValueError: if `reduce` is unknown; in use, if a shape does not fit.

    >>> layer = MessagePassing(4, 8)
    >>> edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])            # the path 0 – 1 – 2
    >>> y = layer(torch.ones(3, 4), edges)
    >>> y.shape, bool((y[0] - y[2]).abs().max() < 1e-6)              # its ends look alike
    (torch.Size([3, 8]), True)

    Chapter: Sets and graphs

    Reference: Gilmer et al. (2017).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden: int | None = None,
        edge_channels: int = 0,
        *,
        reduce: str = "sum",
        nonlinearity: Callable[[Tensor], Tensor] = torch.relu,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        hidden = out_channels if hidden is None else hidden
        self.in_channels, self.out_channels, self.edge_channels = in_channels, out_channels, edge_channels
        self.reduce, self.nonlinearity = _check_reduce(reduce), nonlinearity
        self.receive = _affine(in_channels, hidden, generator=generator)
        self.send = _affine(in_channels, hidden, bias=False, generator=generator)
        self.edge = _affine(edge_channels, hidden, bias=False, generator=generator) if edge_channels else None
        self.combine = _affine(in_channels + hidden, hidden, generator=generator)
        self.update = _affine(hidden, out_channels, generator=generator)

    def forward(self, nodes: Tensor, edges: Tensor, edge_features: Tensor | None = None) -> Tensor:
        _check_edges(edges)
        if nodes.ndim != 2 or nodes.shape[1] != self.in_channels:
            raise ValueError(f"Expected nodes (n, {self.in_channels}); got {tuple(nodes.shape)}.")
        found = None if edge_features is None else tuple(edge_features.shape)
        if found != ((edges.shape[1], self.edge_channels) if self.edge_channels else None):
            wanted = f"({edges.shape[1]}, {self.edge_channels})" if self.edge_channels else "none: edge_channels is 0"
            raise ValueError(f"Expected features of the edges {wanted}; got {found}.")
        source, target = edges
        message = self.receive(nodes).index_select(0, target) + self.send(nodes).index_select(0, source)
        if self.edge is not None and edge_features is not None:
            message = message + self.edge(edge_features)
        received = aggregate(self.nonlinearity(message), target, len(nodes), self.reduce)
        return self.update(self.nonlinearity(self.combine(torch.cat([nodes, received.to(nodes.dtype)], dim=1))))

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, reduce={self.reduce!r}"


class MessagePassingNetwork(nn.Module):
    r"""Rounds of messages, then a function of each graph: its nodes are pooled and pass a perceptron.

    Args:
        in_channels: the features of a node.
        hidden: the channels after each round, at least one.
        out_channels: the numbers that the network returns.
        edge_channels: the features of an edge.
        target_order: 0 for numbers of each graph, 1 for numbers of each node.
        reduce: how messages are added up and nodes pooled: "sum", "mean" or "max".
        nonlinearity: applied to each entry.
        generator: draws the initial weights.

    Input: the four parts of a `GraphBatch`, of which the last two may be left out for one graph, and the
    features of edges. Output (graphs, out_channels), or (n, out_channels).

    >>> network = MessagePassingNetwork(1, [16, 16], 2)
    >>> batch = edge_list((torch.rand(5, 8, 8) < 0.3).float())
    >>> network(*batch).shape
    torch.Size([5, 2])

    Chapter: Sets and graphs

    Reference: Gilmer et al. (2017).
    """

    def __init__(
        self,
        in_channels: int,
        hidden: Sequence[int],
        out_channels: int,
        edge_channels: int = 0,
        *,
        target_order: int = 0,
        reduce: str = "sum",
        nonlinearity: Callable[[Tensor], Tensor] = torch.relu,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not hidden:
            raise ValueError("MessagePassingNetwork has at least one round; give its channels, say [32].")
        if target_order not in (0, 1):
            raise ValueError(f"target_order is 0, numbers of each graph, or 1, of each node; got {target_order!r}.")
        self.target_order, self.reduce, self.nonlinearity = target_order, _check_reduce(reduce), nonlinearity
        self.layers = nn.ModuleList(
            MessagePassing(
                before,
                after,
                edge_channels=edge_channels,
                reduce=reduce,
                nonlinearity=nonlinearity,
                generator=generator,
            )
            for before, after in zip([in_channels, *hidden], hidden, strict=False)
        )
        self.hidden = _affine(hidden[-1], hidden[-1], generator=generator)
        self.head = _affine(hidden[-1], out_channels, generator=generator)

    def forward(
        self,
        nodes: Tensor,
        edges: Tensor,
        graph: Tensor | None = None,
        graphs: int = 1,
        edge_features: Tensor | None = None,
    ) -> Tensor:
        x = nodes
        for layer in self.layers:
            x = self.nonlinearity(layer(x, edges, edge_features))
        if self.target_order == 0:
            if graph is None:
                if graphs != 1:
                    raise ValueError(f"Of {graphs} graphs, `graph` says which one each node belongs to.")
                graph = edges.new_zeros(len(nodes))
            x = aggregate(x, graph, graphs, self.reduce)
        return self.head(self.nonlinearity(self.hidden(x)))


def _affine(before: int, after: int, bias: bool = True, *, generator: torch.Generator | None) -> PermutationLinear:
    """The affine map x ↦ W x + b, drawn from the generator."""
    return PermutationLinear(before, after, (0, 0), bias, generator=generator)


def _check_edges(edges: Tensor) -> None:
    if edges.ndim != 2 or len(edges) != 2 or edges.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"Edges are (2, m) whole numbers, from edges[0] to edges[1]; got {edges.dtype} of {tuple(edges.shape)}."
        )

"""Networks on graphs: relabeling the nodes changes nothing, batches are graphs side by side, and what they can see."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import equibook as eq

REDUCES = ["sum", "mean", "max"]


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Weights that a test does not draw itself are the same in every run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def moved(layer: nn.Module) -> nn.Module:
    """Biases start at 0: move them."""
    with torch.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.add_(0.1 * draw(*p.shape, seed=i).to(p))
    return layer.double()


def random_edges(n: int, m: int, g: torch.Generator) -> Tensor:
    return torch.randint(n, (2, m), generator=g)


# ---- tensors of order 2 --------------------------------------------------------------------


def test_graph_tensor() -> None:
    A, x = draw(3, 4, 4), draw(3, 2, 4)
    y = eq.graph_tensor(A, x)
    assert y.shape == (3, 3, 4, 4)
    assert torch.equal(y[:, 0], A)
    assert torch.equal(y[:, 1:].diagonal(dim1=-2, dim2=-1), x)
    assert torch.equal(y[:, 1:].abs().sum((-2, -1)), x.abs().sum(-1))
    assert torch.equal(eq.graph_tensor(A), A[:, None])
    with pytest.raises(ValueError, match=r"square, \(\.\.\., n, n\); got \(3, 4\)"):
        eq.graph_tensor(draw(3, 4))
    for shape in ((3, 2, 5), (2, 2, 4), (2, 4)):
        with pytest.raises(ValueError, match=r"features \(\.\.\., c, 4\) of their nodes"):
            eq.graph_tensor(A, draw(*shape))


@given(
    st.integers(1, 8),
    st.sampled_from(["mean", "sum"]),
    st.sampled_from([0, 1, 2]),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_graph_networks(n: int, reduce: str, target_order: int, symmetric: bool, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    network = moved(
        eq.InvariantGraphNetwork(
            2, [4, 4], 3, target_order=target_order, symmetric=symmetric, reduce=reduce, generator=g
        )
    )
    A, x, p = draw(2, n, n, seed=seed), draw(2, 1, n, seed=seed + 1), torch.randperm(n, generator=g)
    with torch.no_grad():
        y = network(eq.graph_tensor(A, x))
        permuted = network(eq.graph_tensor(A[:, p][..., p], x[..., p]))
    for axis in range(-target_order, 0):
        y = y.index_select(axis, p)
    assert y.shape == (2, 3, *[n] * target_order)
    assert float((permuted - y).norm()) <= 1e-10 * float(y.norm())


@pytest.mark.parametrize("target_order", [0, 1, 2])
def test_graph_networks_as_representations(target_order: int, device: torch.device, float_dtype: torch.dtype) -> None:
    network = moved(eq.InvariantGraphNetwork(1, [4, 4], 2, target_order=target_order)).to(device, float_dtype)
    x = draw(3, 16).to(device, float_dtype)
    flat = lambda x: network(x.view(3, 1, 4, 4)).flatten(1)  # noqa: E731
    eq.assert_equivariant(flat, network.source(4), network.target(4), x)
    ramp = torch.linspace(1, 2, 4).to(x)
    with pytest.raises(AssertionError):
        eq.assert_equivariant(
            lambda x: network(x.view(3, 1, 4, 4) * ramp).flatten(1), network.source(4), network.target(4), x
        )


def test_graphs_of_different_size_in_one_tensor() -> None:
    network = moved(eq.InvariantGraphNetwork(1, [4, 4], 2))
    x = draw(2, 1, 6, 6)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    assert torch.allclose(network(x, mask), torch.cat([network(x[:1]), network(x[1:, :, :4, :4])]))


def test_undirected_graphs_give_symmetric_matrices() -> None:
    A = eq.data.random_graphs(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)[:, None]
    y = moved(eq.InvariantGraphNetwork(1, [4, 4], 2, target_order=2, symmetric=True))(A)
    assert torch.allclose(y, y.mT) and float((y[..., 0, 1] - y[..., 0, 2]).detach().norm()) > 1e-3


def test_two_triangles_and_a_hexagon_look_alike_to_every_network_here() -> None:
    """As to Weisfeiler and Leman; a graph with as many edges, in other places, does not."""
    two, one = eq.data.cycles(3, 3), eq.data.cycles(6)
    other = one.clone()
    other[0, 1] = other[1, 0] = 0
    other[0, 3] = other[3, 0] = 1
    graphs = torch.stack([two, one, other]).double()
    assert eq.data.triangles(graphs).tolist()[:2] == [2, 0]

    def apart(y: Tensor) -> tuple[float, float]:
        """How far the second and the third graph are from the first."""
        y = y.detach()
        return float((y[0] - y[1]).norm() / y[0].norm()), float((y[0] - y[2]).norm() / y[0].norm())

    for reduce in REDUCES:
        network = moved(eq.MessagePassingNetwork(1, [8, 8, 8], 4, reduce=reduce, nonlinearity=nn.functional.gelu))
        same, different = apart(network(*eq.edge_list(graphs)))
        assert same < 1e-12
        assert (different > 1e-6) is (reduce == "sum")  # means and maxima of nodes that look alike do not count them
    for reduce in ("mean", "sum"):
        network = moved(eq.InvariantGraphNetwork(1, [8, 8, 8], 4, reduce=reduce, nonlinearity=nn.functional.gelu))
        same, different = apart(network(graphs[:, None]))
        assert same < 1e-12 and different > 1e-6, (same, different)


def test_a_graph_network_learns_to_tell_connected_graphs() -> None:
    g = torch.Generator().manual_seed(0)
    A = eq.data.random_graphs(600, 8, 0.1 + 0.4 * torch.rand(600, generator=g), generator=g)
    y = (eq.data.connected_components(A) == 1).float()
    network = eq.InvariantGraphNetwork(1, [8, 8], 1, symmetric=True, generator=g)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(network(A[:400, None])[:, 0], y[:400]).backward()
        optimizer.step()
    right = ((network(A[400:, None])[:, 0] > 0).float() == y[400:]).float().mean()
    most = max(float(y[400:].mean()), 1 - float(y[400:].mean()))
    assert float(right) > 0.9 > most + 0.1


# ---- sums over neighbors -------------------------------------------------------------------


@pytest.mark.parametrize("reduce", REDUCES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3)], ids=str)
def test_aggregate_is_a_loop(reduce: str, shape: tuple[int, ...], device: torch.device) -> None:
    x = draw(20, *shape).to(device)
    index = torch.randint(6, (20,), generator=torch.Generator().manual_seed(0)).to(device)
    index[index == 2] = 3  # nothing goes to 2
    y = eq.aggregate(x, index, 7, reduce)
    for i in range(7):
        rows = x[index == i]
        if len(rows) == 0:
            expected = torch.zeros(shape, dtype=torch.float64, device=device)
        else:
            expected = {"sum": rows.sum, "mean": rows.mean, "max": rows.amax}[reduce](0)
        assert torch.allclose(y[i], expected)
    assert y.shape == (7, *shape)


@pytest.mark.parametrize("reduce", REDUCES)
def test_aggregate_has_gradients_and_takes_nothing(reduce: str) -> None:
    index = torch.tensor([0, 2, 2, 0, 2])
    assert torch.autograd.gradcheck(lambda x: eq.aggregate(x, index, 4, reduce), draw(5, 2).requires_grad_())
    assert torch.equal(eq.aggregate(torch.zeros(0, 2), index[:0], 3, reduce), torch.zeros(3, 2))


def test_aggregate_knows_three_ways() -> None:
    for make in (
        lambda: eq.aggregate(torch.zeros(1), torch.zeros(1).long(), 1, "prod"),
        lambda: eq.MessagePassing(1, 1, reduce="prod"),
        lambda: eq.MessagePassingNetwork(1, [1], 1, reduce="prod"),
    ):
        with pytest.raises(ValueError, match='"sum", "mean" or "max"; got \'prod\''):
            make()


# ---- messages ------------------------------------------------------------------------------


def slow(layer: eq.MessagePassing, x: Tensor, edges: Tensor, e: Tensor | None) -> Tensor:
    """The formula, node by node."""
    rows = []
    for i in range(len(x)):
        messages = []
        for k, (j, to) in enumerate(edges.T.tolist()):
            if to == i:
                m = layer.receive(x[i]) + layer.send(x[j])
                messages.append(torch.relu(m + layer.edge(e[k]) if e is not None and layer.edge is not None else m))
        stack = torch.stack(messages) if messages else torch.zeros(1, layer.combine.in_channels - x.shape[1]).to(x)
        received = {"sum": stack.sum, "mean": stack.mean, "max": stack.amax}[layer.reduce](0)
        rows.append(layer.update(torch.relu(layer.combine(torch.cat([x[i], received])))))
    return torch.stack(rows)


@pytest.mark.parametrize("reduce", REDUCES)
@pytest.mark.parametrize("edge_channels", [0, 3])
def test_messages_are_their_formula(reduce: str, edge_channels: int) -> None:
    g = torch.Generator().manual_seed(0)
    layer = moved(eq.MessagePassing(2, 4, 5, edge_channels, reduce=reduce))
    x, edges = draw(6, 2), random_edges(6, 12, g)
    edges[1][edges[1] == 3] = 4  # a node that nobody writes to
    e = draw(12, 3) if edge_channels else None
    assert torch.allclose(layer(x, edges, e), slow(layer, x, edges, e))


@given(
    st.integers(1, 9),
    st.integers(0, 30),
    st.sampled_from(REDUCES),
    st.sampled_from([0, 2]),
    st.sampled_from([0, 1]),
    st.integers(0, 2**31),
)
def test_relabeling_nodes_and_shuffling_edges(
    n: int, m: int, reduce: str, edge_channels: int, target_order: int, seed: int
) -> None:
    g = torch.Generator().manual_seed(seed)
    network = moved(
        eq.MessagePassingNetwork(2, [4, 4], 3, edge_channels, target_order=target_order, reduce=reduce, generator=g)
    )
    x, edges = draw(n, 2, seed=seed), random_edges(n, m, g)
    e = draw(m, edge_channels, seed=seed + 1) if edge_channels else None
    p, order = torch.randperm(n, generator=g), torch.randperm(m, generator=g)
    moves = torch.empty_like(p)
    moves[p] = torch.arange(n)  # node p[i] becomes node i
    with torch.no_grad():
        y = network(x, edges, edge_features=e)
        permuted = network(x[p], moves[edges[:, order]], edge_features=None if e is None else e[order])
    assert y.shape == ((n, 3) if target_order else (1, 3))
    assert float((permuted - (y[p] if target_order else y)).norm()) <= 1e-10 * float(y.norm())


@pytest.mark.parametrize("reduce", REDUCES)
def test_messages_as_representations(reduce: str, device: torch.device, float_dtype: torch.dtype) -> None:
    """On the complete graph S_n acts on the nodes alone; edges that it does not keep are seen."""
    G = eq.symmetric(4)
    V, W = 3 * eq.permutation(G), 2 * eq.permutation(G)
    network = moved(eq.MessagePassingNetwork(3, [8, 8], 2, target_order=1, reduce=reduce)).to(device, float_dtype)
    everyone = torch.combinations(torch.arange(4)).T
    everyone = torch.cat([everyone, everyone.flip(0)], dim=1).to(device)

    def flat(x: Tensor, edges: Tensor) -> Tensor:
        return torch.stack([network(nodes.view(3, 4).mT, edges).mT.flatten() for nodes in x])

    x = draw(3, V.dim).to(device, float_dtype)
    eq.assert_equivariant(lambda x: flat(x, everyone), V, W, x)
    with pytest.raises(AssertionError, match="Not equivariant"):
        eq.assert_equivariant(lambda x: flat(x, everyone[:, 1:]), V, W, x)


def test_an_aggregation_that_sees_the_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = moved(eq.MessagePassing(2, 3))
    x, edges = draw(5, 2), random_edges(5, 20, torch.Generator().manual_seed(0))
    before, shuffled = layer(x, edges), layer(x, edges.flip(1))
    assert float((before - shuffled).detach().norm()) < 1e-12
    from equibook.layers import graphs

    whole = graphs.aggregate
    ramp = torch.linspace(1, 1.001, 20).double()[:, None]
    monkeypatch.setattr(graphs, "aggregate", lambda v, *rest: whole(v * ramp, *rest))
    assert float((layer(x, edges) - layer(x, edges.flip(1))).detach().norm()) > 1e-6


# ---- batches -------------------------------------------------------------------------------


@pytest.mark.parametrize("reduce", REDUCES)
def test_a_batch_is_its_graphs_side_by_side(reduce: str, device: torch.device) -> None:
    g = torch.Generator().manual_seed(0)
    graphs = [(draw(n, 2, seed=n).to(device), random_edges(n, m, g).to(device)) for n, m in ((3, 5), (6, 9), (1, 0))]
    batch = eq.disjoint_union(graphs)
    assert batch.graphs == 3 and batch.graph.tolist() == [0] * 3 + [1] * 6 + [2]
    network = moved(eq.MessagePassingNetwork(2, [4, 4], 3, reduce=reduce)).to(device)
    assert torch.allclose(network(*batch), torch.cat([network(*graph) for graph in graphs]))


def test_means_and_maxima_do_not_see_a_graph_twice_and_sums_do() -> None:
    g = torch.Generator().manual_seed(0)
    graph = draw(5, 2), random_edges(5, 9, g)
    twice = eq.disjoint_union([graph, graph])
    for reduce, same in (("mean", True), ("max", True), ("sum", False)):
        network = moved(eq.MessagePassingNetwork(2, [4, 4], 3, reduce=reduce))
        assert torch.allclose(network(twice.nodes, twice.edges), network(*graph)) is same


def test_edge_list_is_the_adjacency_matrix() -> None:
    g = torch.Generator().manual_seed(0)
    A = (torch.rand(3, 5, 5, generator=g) < 0.4).double()
    x = draw(3, 2, 5)
    batch = eq.edge_list(A, x)
    assert batch.edges.shape == (2, int(A.sum())) and batch.graphs == 3
    received = eq.aggregate(batch.nodes[batch.edges[0]], batch.edges[1], 15)
    assert torch.allclose(received.view(3, 5, 2), A @ x.mT)  # a sum over neighbors is a product with A
    assert eq.edge_list(A).nodes.tolist() == [[1.0]] * 15
    for wrong in (A[0], A[..., :4]):
        with pytest.raises(ValueError, match=r"adjacency matrices \(batch, n, n\); got"):
            eq.edge_list(wrong)
    with pytest.raises(ValueError, match=r"features \(3, c, 5\) of the nodes; got \(3, 2, 4\)"):
        eq.edge_list(A, x[..., :4])


def test_what_does_not_fit_is_refused() -> None:
    layer, edges = eq.MessagePassing(2, 3), torch.tensor([[0, 1], [1, 0]])
    with pytest.raises(ValueError, match=r"nodes \(n, 2\); got \(4, 3\)"):
        layer(torch.zeros(4, 3), edges)
    for wrong in (edges.float(), edges[0], torch.zeros(3, 2).long()):
        with pytest.raises(ValueError, match=r"Edges are \(2, m\) whole numbers, from edges\[0\] to edges\[1\]; got"):
            layer(torch.zeros(4, 2), wrong)
        with pytest.raises(ValueError, match="Edges are"):
            eq.disjoint_union([(torch.zeros(4, 2), wrong)])
    with pytest.raises(ValueError, match=r"none: edge_channels is 0; got \(2, 1\)"):
        layer(torch.zeros(4, 2), edges, torch.zeros(2, 1))
    with pytest.raises(ValueError, match=r"features of the edges \(2, 3\); got None"):
        eq.MessagePassing(2, 3, edge_channels=3)(torch.zeros(4, 2), edges)
    with pytest.raises(ValueError, match="nothing to put together"):
        eq.disjoint_union([])
    with pytest.raises(ValueError, match="Of 2 graphs, `graph` says"):
        eq.MessagePassingNetwork(2, [3], 1)(torch.zeros(4, 2), edges, graphs=2)
    with pytest.raises(ValueError, match="at least one round"):
        eq.MessagePassingNetwork(2, [], 1)
    with pytest.raises(ValueError, match="numbers of each graph, or 1, of each node; got 2"):
        eq.MessagePassingNetwork(2, [3], 1, target_order=2)


# ---- a module like any other ---------------------------------------------------------------


@pytest.mark.parametrize("reduce", REDUCES)
def test_torch_func(reduce: str) -> None:
    network = moved(eq.MessagePassingNetwork(2, [4, 4], 3, reduce=reduce))
    edges = random_edges(5, 12, torch.Generator().manual_seed(0))
    x = draw(3, 5, 2)
    y = torch.stack([network(nodes, edges) for nodes in x])
    assert torch.allclose(torch.func.vmap(lambda nodes: network(nodes, edges))(x), y)
    parameters = dict(network.named_parameters())

    def loss(parameters: dict[str, Tensor], nodes: Tensor) -> Tensor:
        return torch.func.functional_call(network, parameters, (nodes, edges)).square().sum()

    single = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    y.square().sum().backward()
    for key, p in network.named_parameters():
        assert torch.allclose(single[key].sum(0), p.grad), key


@pytest.mark.parametrize("reduce", REDUCES)
def test_autocast_and_gradients(reduce: str, device: torch.device) -> None:
    network = moved(eq.MessagePassingNetwork(2, [8, 8], 3, reduce=reduce)).to(device)
    edges = random_edges(5, 12, torch.Generator().manual_seed(0)).to(device)
    x = draw(5, 2).to(device)
    assert torch.autograd.gradcheck(lambda x: network(x, edges), x.clone().requires_grad_())
    network, x = network.float(), x.float()
    with torch.autocast(device.type, torch.bfloat16):
        y = network(x, edges)
        y.float().sum().backward()
    expected = network(x, edges).detach()
    assert float((y.detach().float() - expected).norm()) < 0.05 * float(expected.norm())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("reduce", REDUCES)
def test_compile(reduce: str) -> None:
    network = moved(eq.MessagePassingNetwork(2, [4], 3, reduce=reduce))
    x, edges = draw(5, 2), random_edges(5, 12, torch.Generator().manual_seed(0))
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(x, edges), network(x, edges))


def test_state_dicts_copies_and_generators() -> None:
    before = torch.get_rng_state()
    make = lambda seed: eq.MessagePassingNetwork(2, [4], 3, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    a, b, c = make(0), make(0), make(1)
    assert torch.equal(before, torch.get_rng_state())
    x, edges = torch.randn(5, 2), random_edges(5, 12, torch.Generator().manual_seed(0))
    assert torch.equal(a(x, edges), b(x, edges)) and not torch.equal(a(x, edges), c(x, edges))
    file = io.BytesIO()
    torch.save(a.state_dict(), file)
    file.seek(0)
    c.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(a(x, edges), c(x, edges))
    assert torch.equal(a(x, edges), copy.deepcopy(a)(x, edges))

"""The experiments of the chapter on sets and graphs: invariance, pairing, and what theorems fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import equibook as eq
from equibook.experiments import set_sizes, tensor_cost, triangles

TINY = replace(triangles.Config(), seeds=2, epochs=1, samples=60, tests=40)


@pytest.mark.parametrize("pool", set_sizes.POOLS)
def test_pooled_networks_are_invariant(pool: str, device: torch.device, generator: torch.Generator) -> None:
    net = set_sizes.Pooled(pool, generator=generator).double().to(device)
    x = torch.randn(3, 1, 7, dtype=torch.float64, generator=generator).to(device)
    order = torch.randperm(7, generator=generator).to(device)
    assert torch.allclose(net(x), net(x[..., order]), atol=1e-12)
    assert float((net(x) - net(x + 1)).abs().detach().max()) > 1e-6


def test_poolings_lose_what_they_must(generator: torch.Generator) -> None:
    once, twice, more = (torch.tensor([[v]]) for v in ([1.0, 2.0], [1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 2.0]))
    told = {}
    for pool in set_sizes.POOLS:
        net = set_sizes.Pooled(pool, generator=torch.Generator().manual_seed(0))
        told[pool] = [bool((net(once) - net(other)).abs() > 1e-6) for other in (twice, more)]
    assert told == {"sum": [True, True], "mean": [False, True], "max": [False, False]}


def test_sets_have_the_right_answers(generator: torch.Generator) -> None:
    x, y = set_sizes._sets("count", 5, 9, generator)
    assert torch.equal(y[:, 0], (x[:, 0] > 0).sum(dim=1).float())
    x, y = set_sizes._sets("largest", 5, 9, generator)
    assert torch.equal(y[:, 0], x[:, 0].max(dim=1).values)
    with pytest.raises(ValueError, match="no task 'sort'"):
        set_sizes._sets("sort", 5, 9, generator)
    with pytest.raises(ValueError, match="pool is"):
        set_sizes.Pooled("median")


def test_set_sizes_repeats_and_plots() -> None:
    config = replace(set_sizes.Config(), tasks=("largest",), seeds=2, epochs=1, samples=50)
    result, again = set_sizes.run(config), set_sizes.run(config)
    for pool, error in result.error["largest"].items():
        assert error.shape == (2, 6) and torch.equal(error, again.error["largest"][pool])
    assert len(result.plot().axes) == 1


def test_the_maximum_wins_on_the_largest() -> None:
    result = set_sizes.run(tasks=("largest",), seeds=1)
    last = {pool: float(error[0, -1]) for pool, error in result.error["largest"].items()}
    assert last["max"] < 0.2 < min(last["mean"], last["sum"])


@pytest.mark.parametrize("name", list(triangles.MODELS)[2:])
def test_networks_are_invariant(name: str, device: torch.device, generator: torch.Generator) -> None:
    net = triangles.network(triangles.MODELS[name], 8, generator=generator).double().eval().to(device)
    A = eq.data.random_graphs(4, 8, 0.4, generator=generator, dtype=torch.float64)[:, None].to(device)
    assert torch.allclose(net(A), net(triangles.relabel(A, generator)), atol=1e-12)


def test_relabeling_is_a_permutation_of_points(generator: torch.Generator) -> None:
    A = eq.data.random_graphs(5, 8, 0.4, generator=generator)[:, None]
    B = triangles.relabel(A, generator)
    assert not torch.equal(A, B) and torch.equal(B, B.mT)
    assert torch.allclose(torch.linalg.eigvalsh(A.double()), torch.linalg.eigvalsh(B.double()))


@pytest.mark.parametrize("name", ["messages", "order 2"])
def test_regular_graphs_get_one_answer(name: str, generator: torch.Generator) -> None:
    A = eq.data.regular_graphs(20, 8, 3, generator=generator, dtype=torch.float64)[:, None]
    net = triangles.network(triangles.MODELS[name], 8, generator=generator).double().eval()
    y = net(A).detach()
    assert float(y.std()) < 1e-12
    z = triangles.OrderTwo(8, 2, products=True, generator=generator).double()(A).detach()
    assert float(z.std(dim=0).max()) > 1e-3


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_order_2_sees_no_more_than_colors(symmetric: bool, reduce: str, generator: torch.Generator) -> None:
    """Two pentagons joined by an edge, and two hexagons that share one: not regular, but of the same colors."""
    pair = torch.stack([eq.data.cycles(5, 5), eq.data.cycles(10)]).double()
    pair[:, [0, 5], [5, 0]] = 1
    colors = eq.data.color_refinement(pair)[-1].sort(dim=1).values
    assert torch.equal(*colors) and len(colors.unique()) == 3

    def entrywise(x: torch.Tensor) -> torch.Tensor:
        return torch.sin(x) + torch.relu(x.roll(1, dims=1) - x)  # all channels of an entry together

    net = eq.InvariantGraphNetwork(
        1, [8, 8, 8], 4, symmetric=symmetric, reduce=reduce, nonlinearity=entrywise, generator=generator
    )
    y = net.double()(pair[:, None]).detach()
    assert float((y[0] - y[1]).abs().max()) < 1e-10 * float(y.abs().max())
    pair[1, [0, 2], [2, 0]] = 1  # one more edge: other colors
    z = net(pair[:, None]).detach()
    assert float((z[0] - z[1]).abs().max()) > 1e-6


def test_graphs_of_the_experiment() -> None:
    x, y, x_test, _ = triangles._load(replace(TINY, graphs="regular"), 0)
    assert x.shape == (60, 1, 8, 8) and x_test.shape == (40, 1, 8, 8)
    assert bool((eq.data.connected_components(x[:, 0]) == 1).all()) and bool((x.sum(dim=-1) == 3).all())
    assert abs(float(y.mean())) < 1e-5 and abs(float(y.std()) - 1) < 1e-5


def test_triangles_repeat_and_plot(device: torch.device) -> None:
    result, again = triangles.run(TINY), triangles.run(TINY)
    for name, error in result.error.items():
        assert error.shape == (2,) and torch.equal(error, again.error[name])
    mean, low, high = result.difference("order 2", "plain")
    assert low <= mean <= high
    assert len(result.plot().axes) == 1
    triangles.run(replace(TINY, seeds=1), device=device)


def test_products_count_triangles_in_regular_graphs() -> None:
    models = {name: triangles.MODELS[name] for name in ("order 2", "order 2, products")}
    result = triangles.run("regular", models=models, seeds=1)
    assert float(result.error["order 2, products"]) < 0.5 < 0.9 < float(result.error["order 2"])


def test_a_result_goes_to_a_file_and_comes_back(tmp_path: Path) -> None:
    result = triangles.run(TINY)
    result.save(tmp_path / "triangles.pt")
    loaded = triangles.Result.load(tmp_path / "triangles.pt")
    assert loaded.config == result.config and loaded.modes == result.modes
    assert all(torch.equal(loaded.error[name], values) for name, values in result.error.items())


def test_costs() -> None:
    assert tensor_cost.multiplications(100) == (20_904, 100_000_000)
    result = tensor_cost.run(points=(4, 8), dense=(4,), repeats=1)
    assert bool((result.layer > 0).all()) and len(result.dense) == 1
    assert len(result.plot().axes) == 1


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ValueError, match="no preset 'huge'"):
        triangles.run("huge")
    with pytest.raises(ValueError, match="no model 'round'"):
        triangles.fit("round")
    with pytest.raises(ValueError, match="graphs are"):
        triangles.run(TINY, graphs="trees")
    with pytest.raises(ValueError, match="kind is"):
        triangles.network(triangles.Model("round", 4), 8)

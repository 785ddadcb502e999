"""The maps between tensors over n points: they are all of Hom, for every n, with masks, and networks of them."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import equibook as eq

ORDERS = list(product((0, 1, 2), repeat=2))
BELL = {0: 1, 1: 1, 2: 2, 3: 5, 4: 15}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Weights that a test does not draw itself are the same in every run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def tensors(order: int, n: int, *leading: int, seed: int = 0) -> Tensor:
    return draw(*leading, *[n] * order, seed=seed)


def relabel(x: Tensor, p: Tensor, order: int) -> Tensor:
    """The action of the permutation whose inverse is p on the last axes."""
    for axis in range(-order, 0):
        x = x.index_select(axis, p.to(x.device))
    return x


def pairs(n: int) -> tuple[eq.Representation, Tensor]:
    """S_n on symmetric matrices, by the unordered pairs {i, j}; and the (n², pairs) matrices that they stand for."""
    G = eq.symmetric(n)
    assert isinstance(G, eq.FiniteGroup) and G.permutations is not None
    i, j = torch.triu_indices(n, n)
    number = torch.zeros(n, n, dtype=torch.long)
    number[i, j] = number[j, i] = torch.arange(len(i))
    matrices = torch.zeros(n, n, len(i), dtype=torch.float64)
    matrices[i, j, torch.arange(len(i))] = matrices[j, i, torch.arange(len(i))] = 1
    return eq.permutation(G, number[G.permutations[:, i], G.permutations[:, j]]), matrices.flatten(0, 1)


# ---- the maps are those of Hom -------------------------------------------------------------


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_the_maps_span_hom(k: int, l: int, n: int, reduce: str) -> None:
    """As many as the Bell number, independent from n = k + l on; and their span is that of Hom's basis for every n."""
    layer = eq.PermutationLinear(1, 1, (k, l), reduce=reduce)
    basis = (layer.source(n) >> layer.target(n)).basis().flatten(1)
    maps = layer.maps(n).flatten(1)
    assert layer.dim == len(maps) == BELL[k + l] == sum(w.numel() for w in layer.weights)
    outside = maps - maps @ basis.T @ basis
    assert float(outside.norm()) < 1e-12 * float(maps.norm())
    rank = int(torch.linalg.matrix_rank(maps, rtol=1e-9))
    assert rank == len(basis)
    if n >= k + l:
        assert rank == BELL[k + l]


@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_the_dense_matrix_at_ten_points(k: int, l: int) -> None:
    """It lies in Hom by Hom's own projector, and every intertwiner is one of them."""
    n = 10
    layer = eq.PermutationLinear(2, 3, (k, l), generator=torch.Generator().manual_seed(0)).double()
    A = layer.matrix(n).detach()
    H = layer.source(n) >> layer.target(n)
    assert float((H.project(A) - A).norm()) < 1e-12 * float(A.norm())
    assert H.dim == 2 * 3 * BELL[k + l]
    x = tensors(k, n, 4, 2)
    assert torch.allclose(layer(x, points=n).flatten(1), x.flatten(1) @ A.T, atol=1e-12)
    V, W = (eq.PermutationLinear(1, 1, (k, l)).source(n), eq.PermutationLinear(1, 1, (k, l)).target(n))
    B = (V >> W).project(draw(W.dim, V.dim))
    maps = layer.maps(n).flatten(1)
    coordinates = torch.linalg.lstsq(maps.T, B.flatten()[:, None]).solution
    assert float((maps.T @ coordinates - B.flatten()[:, None]).norm()) < 1e-10 * float(B.norm())


@pytest.mark.parametrize("n", [4, 5])
@pytest.mark.parametrize(("k", "l"), [(2, 2), (1, 2), (2, 1), (2, 0), (0, 2)])
def test_the_maps_of_symmetric_matrices_span_hom(k: int, l: int, n: int) -> None:
    """S_n permutes the unordered pairs of points; Hom of that representation has 9, 4, 4, 2, 2 dimensions."""
    layer = eq.PermutationLinear(1, 1, (k, l), symmetric=True)
    P, S = pairs(n)
    left = {2: (P, S), 1: (eq.permutation(P.group), torch.eye(n).double()), 0: (eq.trivial(P.group), torch.ones(1, 1))}
    (V, into), (W, out) = left[k], left[l]
    H = V >> W
    maps = layer.maps(n)
    on_pairs = torch.linalg.pinv(out.double()) @ maps @ into.double()
    assert torch.allclose(out.double() @ on_pairs, maps @ into.double())  # symmetric matrices come out
    assert layer.dim == H.dim == len(maps) == {4: 9, 3: 4, 2: 2}[k + l]
    assert float(H.distance(on_pairs).max()) < 1e-12
    assert int(torch.linalg.matrix_rank(on_pairs.flatten(1), rtol=1e-9)) == H.dim


def test_a_layer_for_symmetric_matrices_is_one_for_all_with_weights_tied() -> None:
    small, large = eq.PermutationLinear(1, 1, symmetric=True), eq.PermutationLinear(1, 1)
    x = draw(200, 5, 5)
    x = (x + x.mT).flatten(1)
    few, many = ((layer.maps(5) @ x.T).flatten(1) for layer in (small, large))
    tied = torch.linalg.lstsq(many.T, few.T, driver="gelsd").solution
    assert float((many.T @ tied - few.T).norm()) < 1e-10 * float(few.norm())
    assert int(torch.linalg.matrix_rank(few, rtol=1e-9)) == 9


@pytest.mark.parametrize(("order", "dim"), [(0, 1), (1, 1), (2, 2)])
def test_the_bias_is_every_invariant_tensor(order: int, dim: int) -> None:
    layer = eq.PermutationLinear(1, 1, (1, order)).double()
    assert layer.bias is not None and layer.bias.numel() == dim
    invariant = eq.trivial(eq.symmetric(5)) >> layer.target(5)
    assert invariant.dim == dim
    found = []
    for i in range(dim):
        with torch.no_grad():
            layer.bias.zero_()
            layer.bias[i] = 1
            found.append(layer(torch.zeros(1, 1, 5).double()).flatten())
    vectors = torch.stack(found)
    assert float(invariant.distance(vectors[..., None]).max()) < 1e-12
    assert int(torch.linalg.matrix_rank(vectors)) == dim


def test_the_fifteen_maps_written_out() -> None:
    """Each by its formula, from the paper's list, in the order of the weights."""
    n, x = 4, draw(4, 4)
    one, eye = torch.ones(n).double(), torch.eye(n).double()
    d, rows, columns = x.diagonal(), x.mean(1), x.mean(0)
    expected = [s * m for m in (torch.ones(n, n).double(), eye) for s in (d.mean(), x.mean())]
    expected += [torch.outer(v, one) for v in (d, rows, columns)]
    expected += [torch.outer(one, v) for v in (d, rows, columns)]
    expected += [torch.diag(v) for v in (d, rows, columns)]
    expected += [x, x.T]
    found = eq.PermutationLinear(1, 1, (2, 2)).maps(n) @ x.flatten()
    assert torch.allclose(found, torch.stack(expected).flatten(1))


# ---- equivariance --------------------------------------------------------------------------


def moved(layer: nn.Module) -> nn.Module:
    """Biases start at 0: move them."""
    with torch.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.add_(0.1 * draw(*p.shape, seed=i).to(p))
    return layer


@pytest.mark.parametrize("symmetric", [False, True], ids=["", "symmetric"])
@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_layers_commute_with_every_permutation(
    k: int, l: int, symmetric: bool, device: torch.device, float_dtype: torch.dtype
) -> None:
    layer = moved(eq.PermutationLinear(2, 3, (k, l), symmetric=symmetric)).to(device, float_dtype)
    n = 4
    V, W = layer.source(n), layer.target(n)
    x = draw(3, V.dim).to(device, float_dtype)
    flat = lambda x: layer(x.view(3, 2, *[n] * k), points=n).flatten(1)  # noqa: E731
    assert flat(x).shape == (3, W.dim) and float(flat(x).detach().norm()) > 0.1
    eq.assert_equivariant(flat, V, W, x)


@given(
    st.sampled_from(ORDERS), st.integers(1, 12), st.sampled_from(["mean", "sum"]), st.booleans(), st.integers(0, 2**31)
)
def test_any_number_of_points(orders: tuple[int, int], n: int, reduce: str, symmetric: bool, seed: int) -> None:
    k, l = orders
    g = torch.Generator().manual_seed(seed)
    layer = moved(eq.PermutationLinear(2, 3, orders, symmetric=symmetric, reduce=reduce, generator=g)).double()
    x, p = tensors(k, n, 2, 2, seed=seed), torch.randperm(n, generator=g)
    with torch.no_grad():
        y = layer(x, points=n)
        error = layer(relabel(x, p, k), points=n) - relabel(y, p, l)
    assert float(error.norm()) <= 1e-10 * float(y.norm())


BREAKS = ["a reduction", "an expansion", "the bias", "the mean"]


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_layer_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = moved(eq.PermutationLinear(1, 1, (2, 2))).double()
    reduce, expand = layer._reduce, layer._expand
    ramp = torch.linspace(1, 1.001, 4).double()

    def broken_reduce(x: Tensor, scale: Tensor) -> list[Tensor]:
        numbers, points, matrix = reduce(x, scale)
        if name == "the mean":
            numbers = numbers + 1e-3 * x[..., 0, 0]
        return [numbers, points * ramp if name == "a reduction" else points, matrix]

    def broken_expand(parts: list[Tensor], n: int, bias: Tensor | None) -> Tensor:
        y = expand(parts, n, bias)
        return y + 1e-3 * ramp if name == "the bias" else y * ramp if name == "an expansion" else y

    monkeypatch.setattr(layer, "_reduce", broken_reduce)
    monkeypatch.setattr(layer, "_expand", broken_expand)
    with pytest.raises(AssertionError, match="Not equivariant"):
        eq.assert_equivariant(
            lambda x: layer(x.view(3, 1, 4, 4)).flatten(1), layer.source(4), layer.target(4), draw(3, 16)
        )


# ---- sizes and masks -----------------------------------------------------------------------


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_a_mask_gives_each_sample_its_own_size(k: int, l: int, reduce: str, device: torch.device) -> None:
    layer = moved(eq.PermutationLinear(2, 3, (k, l), reduce=reduce)).to(device).double()
    sizes, n = [3, 5, 1, 4], 5
    mask = torch.arange(n).expand(4, n) < torch.tensor(sizes)[:, None]
    padded = torch.full((4, 2, *[n] * k), float("nan"), dtype=torch.float64)
    alone = [tensors(k, size, 2, seed=size) for size in sizes]
    for i, (x, size) in enumerate(zip(alone, sizes, strict=True)):
        padded[(i, slice(None), *[slice(size)] * k)] = x
    y = layer(padded.to(device), mask.to(device)).detach()
    assert not y.isnan().any()
    for i, (x, size) in enumerate(zip(alone, sizes, strict=True)):
        expected = layer(x.to(device), points=size).detach()
        inside = (i, slice(None), *[slice(size)] * l)
        assert torch.allclose(y[inside], expected, atol=1e-12)
        assert float(y[i].abs().sum()) == pytest.approx(float(expected.abs().sum()), rel=1e-12)  # 0 outside


def test_points_that_do_not_exist_have_no_gradient() -> None:
    layer = eq.PermutationLinear(1, 1, (2, 2)).double()
    x = draw(1, 1, 4, 4).requires_grad_()
    layer(x, torch.tensor([[True, True, True, False]])).square().sum().backward()
    assert x.grad is not None and x.grad.isfinite().all()
    assert float(x.grad[..., 3, :].abs().sum() + x.grad[..., 3].abs().sum()) == 0
    assert float(x.grad[..., :3, :3].abs().min()) > 0


def test_means_do_not_grow_with_the_points_and_sums_do() -> None:
    """The same graph on copies of the points: a mean stays, exactly; a sum over pairs grows as n²."""
    x = draw(1, 1, 4, 4)
    twice = x.repeat_interleave(3, -1).repeat_interleave(3, -2)
    for reduce, factor in (("mean", 1), ("sum", 9)):
        layer = eq.PermutationLinear(1, 1, (2, 0), bias=False, reduce=reduce).double()
        with torch.no_grad():
            layer.weights[0].copy_(torch.tensor([[0.0, 1.0]]))
        assert torch.allclose(layer(twice), factor * layer(x))


@pytest.mark.parametrize("symmetric", [False, True], ids=["", "symmetric"])
@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_equal_entries_of_unit_variance_leave_with_unit_variance(k: int, l: int, symmetric: bool) -> None:
    """Off the diagonal of matrices; over 4000 channels, to 5 standard deviations of χ²."""
    layer = eq.PermutationLinear(
        50, 4000, (k, l), symmetric=symmetric, generator=torch.Generator().manual_seed(0)
    ).double()
    x = draw(50).sign().view(1, 50, *[1] * k).expand(1, 50, *[3] * k)
    y = layer(x, points=3).detach()
    entry = y[(0, slice(None), *[0, 1][:l])]
    assert abs(float(entry.square().mean()) - 1) < 5 * (2 / 4000) ** 0.5


# ---- sets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reduce", ["mean", "sum"])
def test_set_linear_is_its_formula(reduce: str) -> None:
    layer = moved(eq.SetLinear(2, 3, reduce=reduce)).double()
    B, A = layer.weights
    x = draw(4, 2, 6)
    pooled = x.mean(-1) if reduce == "mean" else x.sum(-1)
    assert layer.bias is not None
    expected = torch.einsum("dc,bcn->bdn", A, x) + (pooled @ B.T + layer.bias[0])[..., None]
    assert torch.allclose(layer(x), expected)


@given(st.integers(1, 9), st.sampled_from(["mean", "sum"]), st.sampled_from([0, 1]), st.integers(0, 2**31))
def test_deep_sets(n: int, reduce: str, target_order: int, seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    network = moved(eq.DeepSets(2, [8, 8], 3, target_order=target_order, reduce=reduce, generator=g)).double()
    x, p = draw(2, 2, n, seed=seed), torch.randperm(n, generator=g)
    with torch.no_grad():
        y, permuted = network(x), network(x[..., p])
    assert y.shape == (2, 3, *[n] * target_order)
    assert float((permuted - relabel(y, p, target_order)).norm()) <= 1e-10 * float(y.norm())


def test_deep_sets_as_representations_and_with_a_nonlinearity_of_ones_own() -> None:
    network = moved(eq.DeepSets(2, [8], 3, target_order=1, nonlinearity=nn.PReLU())).double()
    assert any(isinstance(module, nn.PReLU) for module in network.modules())
    eq.assert_equivariant(
        lambda x: network(x.view(-1, 2, 4)).flatten(1), network.source(4), network.target(4), draw(3, 8)
    )


def test_means_do_not_see_a_set_twice_and_sums_do() -> None:
    x = draw(2, 2, 5)
    for reduce, same in (("mean", True), ("sum", False)):
        network = moved(eq.DeepSets(2, [8, 8], 3, reduce=reduce)).double()
        assert torch.allclose(network(torch.cat([x, x], -1)), network(x)) is same


def test_deep_sets_of_different_size() -> None:
    network = moved(eq.DeepSets(2, [8, 8], 3)).double()
    x = draw(2, 2, 6)
    mask = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    assert torch.allclose(network(x, mask), torch.cat([network(x[:1]), network(x[1:, :, :4])]))


def test_deep_sets_learns_the_scale_of_a_sample() -> None:
    """And of larger samples than it was trained on."""
    g = torch.Generator().manual_seed(0)
    x, y = eq.data.gaussian_sets(512, 20, generator=g)
    network = eq.DeepSets(1, [16, 16], 1, generator=g)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(150):
        loss = nn.functional.mse_loss(network(x)[:, 0], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x_test, y_test = eq.data.gaussian_sets(512, 40, generator=g)
    error = nn.functional.mse_loss(network(x_test)[:, 0].detach(), y_test)
    assert float(error) < 0.2 * float(y_test.var())


# ---- a module like any other ---------------------------------------------------------------


LAYERS = {
    "15 maps": lambda: (eq.PermutationLinear(2, 3, (2, 2)), (2, 5, 5)),
    "symmetric": lambda: (eq.PermutationLinear(2, 3, (2, 2), symmetric=True), (2, 5, 5)),
    "points to pairs": lambda: (eq.PermutationLinear(2, 3, (1, 2)), (2, 5)),
    "DeepSets": lambda: (eq.DeepSets(2, [4, 4], 3), (2, 5)),
    "graphs": lambda: (eq.InvariantGraphNetwork(2, [4, 4], 3), (2, 5, 5)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_torch_func(name: str) -> None:
    layer, shape = LAYERS[name]()
    layer = moved(layer).double()
    x = draw(4, *shape)
    y = layer(x)
    assert torch.allclose(torch.func.vmap(layer)(x), y)
    assert torch.allclose(layer(x[0]), y[0])
    assert torch.allclose(layer(x.view(2, 2, *shape)), y.view(2, 2, *y.shape[1:]))
    parameters = dict(layer.named_parameters())

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, x).square().sum()

    single = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, x)
    loss(parameters, x).backward()
    for key, p in layer.named_parameters():
        assert torch.allclose(single[key].sum(0), p.grad), key
    stacked = {key: torch.stack([p, 2 * p]) for key, p in parameters.items()}
    both = torch.func.vmap(lambda p: torch.func.functional_call(layer, p, x))(stacked)
    assert torch.allclose(both[0], y)
    t = draw(*x.shape, seed=1)
    _, tangent = torch.func.jvp(layer, (x,), (t,))
    assert torch.allclose(tangent, (layer(x + 1e-6 * t) - layer(x - 1e-6 * t)) / 2e-6, atol=1e-6)


@pytest.mark.parametrize("name", ["15 maps", "points to pairs", "symmetric"])
def test_gradients(name: str) -> None:
    layer, shape = LAYERS[name]()
    layer = moved(layer).double()
    assert torch.autograd.gradcheck(layer, draw(2, *shape).requires_grad_())
    assert torch.autograd.gradgradcheck(lambda x: layer(x).square(), draw(1, *shape).requires_grad_())


@pytest.mark.parametrize("name", LAYERS)
def test_state_dicts_copies_and_generators(name: str) -> None:
    (layer, shape), (other, _) = LAYERS[name](), LAYERS[name]()
    layer, x = moved(layer), torch.randn(3, *shape)
    assert not torch.equal(layer(x), other(x))
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(layer(x), other(x))
    assert torch.equal(layer(x), copy.deepcopy(layer)(x))


def test_the_same_generator_gives_the_same_weights() -> None:
    x = torch.randn(2, 1, 5, 5)
    before = torch.get_rng_state()
    make = lambda seed: eq.InvariantGraphNetwork(1, [4], 2, generator=torch.Generator().manual_seed(seed))(x)  # noqa: E731
    assert torch.equal(make(0), make(0)) and not torch.equal(make(0), make(1))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", LAYERS)
def test_autocast(name: str, device: torch.device) -> None:
    layer, shape = LAYERS[name]()
    layer, x = layer.to(device), torch.randn(3, *shape, device=device)
    with torch.autocast(device.type, torch.bfloat16):
        y = layer(x)
        y.float().sum().backward()
    expected = layer(x).detach()
    assert float((y.detach().float() - expected).norm()) < 0.05 * float(expected.norm())
    assert all(p.grad is not None for p in layer.parameters())


@pytest.mark.parametrize("name", ["15 maps", "DeepSets", "graphs"])
def test_compile(name: str) -> None:
    layer, shape = LAYERS[name]()
    layer = moved(layer).double()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = draw(3, *shape).requires_grad_()
    y = compiled(x)
    assert torch.allclose(y, layer(x))
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    assert torch.allclose(gradient, expected)


# ---- errors --------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_with_what_to_do() -> None:
    for make, message in (
        (lambda: eq.PermutationLinear(1, 1, (3, 1)), r"orders \(3, 1\); give two of 0 .numbers"),
        (lambda: eq.PermutationLinear(0, 1), "in_channels 0; it is a whole number"),
        (lambda: eq.PermutationLinear(1, 1, reduce="max"), '"mean" or "sum"; got \'max\''),
        (lambda: eq.DeepSets(1, [], 1), r"DeepSets has at least one hidden layer.*\[32\]"),
        (lambda: eq.DeepSets(1, [4], 1, target_order=2), "from 0 to 1; got 2"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    layer = eq.PermutationLinear(2, 1)
    for shape in ((2, 3, 4), (3, 4, 4), (4, 4)):
        with pytest.raises(ValueError, match=r"Expected \(\.\.\., 2, n, n\) for tensors of order 2; got"):
            layer(torch.zeros(shape))
    with pytest.raises(ValueError, match="pass points=n"):
        eq.PermutationLinear(1, 1, (0, 2))(torch.zeros(3, 1))
    with pytest.raises(ValueError, match=r"disagree on the number of points: \[4, 5\]"):
        layer(torch.zeros(1, 2, 4, 4), torch.ones(1, 5, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"torch\.bool; got torch\.float32"):
        layer(torch.zeros(1, 2, 4, 4), torch.ones(1, 4))

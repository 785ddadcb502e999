"""Tensor products, gates and messages: against e3nn, against their formulas, and under every motion of space."""

from __future__ import annotations

import copy
import importlib.util
import io
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import equibook as eq
from equibook.layers.messages import attributes, envelope
from equibook.layers.nonlinearities import GatedPointwise
from tests.support import missing

F64 = torch.float64
O3, SO3 = eq.o3(), eq.so3()
EVEN, ODD, PSEUDOVECTOR, VECTOR, TENSOR, PSEUDOTENSOR = eq.irreps(O3, 2)
FEATURES = {
    "one of each": EVEN + ODD + PSEUDOVECTOR + VECTOR + TENSOR + PSEUDOTENSOR,
    "scalars": 3 * EVEN,
    "vectors": 2 * VECTOR,
    "scalars and vectors": 4 * EVEN + 3 * VECTOR,
    "out of order": 2 * TENSOR + 2 * EVEN + VECTOR + EVEN,
    "of SO(3)": 3 * eq.irreps(SO3, 0)[0] + 2 * eq.irreps(SO3, 1)[1] + eq.irreps(SO3, 2)[2],
    "trivial": 2 * eq.trivial(SO3) + eq.irreps(SO3, 1)[1],
}
features = st.sampled_from(sorted(FEATURES))
seeds = st.integers(0, 10**6)


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=F64, generator=generator_of(seed))


def shaken(layer: nn.Module, seed: int = 0) -> nn.Module:
    """In float64, with biases away from 0."""
    layer = layer.double()
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1 * draw(*p.shape, seed=seed))
    return layer


def distance(a: Tensor, b: Tensor) -> float:
    """Relative to the size of b."""
    return float((a - b).detach().norm() / b.detach().norm().clamp_min(1e-300)) if b.numel() else 0.0


def apply(V: eq.Representation, g: Tensor, x: Tensor) -> Tensor:
    return x @ V.matrix(g).to(x).mT


# ---- tensor products ------------------------------------------------------------------------

PRODUCTS = [
    (FEATURES["one of each"], attributes(EVEN, 2), FEATURES["one of each"]),
    (FEATURES["out of order"], attributes(EVEN, 2), FEATURES["scalars and vectors"]),
    (2 * VECTOR + EVEN, 3 * VECTOR + 2 * EVEN, 2 * EVEN + 2 * PSEUDOVECTOR + TENSOR),
    (FEATURES["of SO(3)"], FEATURES["of SO(3)"], FEATURES["of SO(3)"]),
    (VECTOR, VECTOR, ODD + PSEUDOVECTOR),  # nothing reaches the first
    (eq.regular(eq.cyclic(4)), 2 * eq.irreps(eq.cyclic(4))[1], 3 * eq.irreps(eq.cyclic(4))[1]),
    (
        2 * eq.irreps(eq.octahedral())[-1] + eq.trivial(eq.octahedral()),
        eq.irreps(eq.octahedral())[-2],
        eq.irreps(eq.octahedral())[-1] + eq.regular(eq.octahedral()),
    ),
]


@pytest.mark.parametrize(("U", "V", "W"), PRODUCTS, ids=str)
def test_a_product_is_the_bilinear_map_of_its_weight(
    U: eq.Representation, V: eq.Representation, W: eq.Representation
) -> None:
    layer = eq.TensorProduct(U, V, W, generator=generator_of(0)).double()
    x, y, T = draw(7, U.dim), draw(7, V.dim, seed=1), layer.weight()
    assert T.shape == (W.dim, U.dim, V.dim)
    assert distance(layer(x, y), torch.einsum("wuv,bu,bv->bw", T, x, y)) < 1e-13
    assert sum(p.numel() for p in layer.parameters()) == (U * V >> W).dim
    assert float((U * V >> W).distance(T.detach().flatten(1))) < 1e-10
    assert layer.source == U * V and layer.paths == tuple(
        sum((A * B >> C).dim * m * l for A, m in U.summands for B, l in V.summands) for C, _ in W.summands
    )


@given(case=st.sampled_from(PRODUCTS), seed=seeds, leading=st.sampled_from([(), (3,), (2, 3), (0,)]))
def test_products_commute_with_the_group(
    case: tuple[eq.Representation, ...], seed: int, leading: tuple[int, ...]
) -> None:
    U, V, W = case
    layer = eq.TensorProduct(U, V, W, generator=generator_of(seed)).double()
    g = eq.haar_sample(U.group, 1, generator=generator_of(seed))[0]
    x, y = draw(*leading, U.dim, seed=seed), draw(*leading, V.dim, seed=seed + 1)
    z = layer(x, y)
    assert z.shape == (*leading, W.dim)
    assert distance(layer(apply(U, g, x), apply(V, g, y)), apply(W, g, z)) < 1e-10


def test_a_product_broadcasts() -> None:
    layer = eq.TensorProduct(2 * VECTOR, VECTOR, EVEN + TENSOR).double()
    x, y = draw(4, 1, 6), draw(5, 3, seed=1)
    assert torch.allclose(layer(x, y), layer(x.expand(4, 5, 6), y.expand(4, 5, 3)))


def test_white_factors_give_white_products() -> None:
    """E|w|² = ‖T_w‖² for white x ⊗ y; over many copies and draws the mean is 1."""
    U, V = FEATURES["one of each"], attributes(EVEN, 2)
    W = 300 * EVEN + 300 * VECTOR + 300 * TENSOR
    T = eq.TensorProduct(U, V, W, generator=generator_of(0)).weight().detach()
    for rows in T.split([n * A.dim for A, n in W.summands]):
        assert float(rows.square().sum()) / len(rows) == pytest.approx(1, abs=0.15)


# ---- beside e3nn ----------------------------------------------------------------------------


@pytest.fixture
def e3nn() -> Iterator[ModuleType]:
    """e3nn.o3, with torch's default precision at float64: e3nn makes its constants in it."""
    if importlib.util.find_spec("e3nn") is None:
        missing("e3nn", "e3nn is not installed")
    before = torch.get_default_dtype()
    torch.set_default_dtype(F64)
    try:
        yield importlib.import_module("e3nn.o3")
    finally:
        torch.set_default_dtype(before)


def irrep(name: str) -> eq.Representation:
    """What e3nn calls 0e, 0o, 1e, …"""
    return eq.irreps(O3, int(name[0]))[2 * int(name[0]) + (name[1] == "o")]


def ours(irreps: str) -> eq.Representation:
    """What e3nn calls 4x0e+3x1o."""
    total = None
    for term in irreps.split("+"):
        n, name = term.split("x")
        total = int(n) * irrep(name) if total is None else total + int(n) * irrep(name)
    assert total is not None
    return total


def signs(e3nn: ModuleType, a: int, b: int, c: int) -> float:
    """Our Clebsch–Gordan coefficients in units of e3nn's Wigner symbols: 1 or −1."""
    theirs = e3nn.wigner_3j(a, b, c)  # its degree 1 is (y, z, x) as ours
    parity = {0: "e", 1: "o"}
    (mine,) = eq.clebsch_gordan(
        irrep(f"{a}{parity[a % 2]}"), irrep(f"{b}{parity[b % 2]}"), irrep(f"{c}{parity[(a + b) % 2]}")
    )
    sign = float((mine * theirs.permute(2, 0, 1)).sum())
    assert float((mine - sign * theirs.permute(2, 0, 1)).abs().max()) < 1e-10
    return round(sign)


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [(a, b, c) for a in range(3) for b in range(3) for c in range(3) if abs(a - b) <= c <= a + b],
)
def test_clebsch_gordan_against_e3nn(e3nn: ModuleType, a: int, b: int, c: int) -> None:
    assert signs(e3nn, a, b, c) in (1, -1)


ALL = ["0e", "0o", "1e", "1o", "2e", "2o"]
AGAINST = [
    ("8x0e+4x1o+2x2e", "1x0e+1x1o+1x2e", "6x0e+5x1o+3x2e"),
    ("+".join(f"2x{name}" for name in ALL), "1x0e+1x1o+1x2e", "+".join(f"3x{name}" for name in ALL)),
    ("3x0e+2x1o", "2x0e+4x1o", "2x0e+2x1o+2x1e+1x2e"),
]


@pytest.mark.parametrize(("first", "second", "target"), AGAINST)
def test_products_against_e3nn(e3nn: ModuleType, first: str, second: str, target: str) -> None:
    """The same outputs and gradients, with its weights carried over path by path."""
    theirs = e3nn.FullyConnectedTensorProduct(first, second, target)
    layer = eq.TensorProduct(ours(first), ours(second), ours(target)).double()
    assert theirs.weight_numel == sum(p.numel() for p in layer.parameters())
    taken: dict[tuple[int, int], int] = {}
    U, V, W = layer.first.summands, layer.second.summands, layer.target.summands
    offset, weights = 0, {}
    shapes = [instruction.path_shape for instruction in theirs.instructions]
    starts = [sum(m * n * k for m, n, k in shapes[:i]) for i in range(len(shapes))]
    order = sorted(range(len(shapes)), key=lambda i: theirs.instructions[i].i_in2)  # our paths go by V_j
    for number in order:
        path = theirs.instructions[number]
        m, l, n = path.path_shape
        w = theirs.weight[starts[number] : starts[number] + m * l * n].view(m, l, n).detach()
        sign = signs(e3nn, U[path.i_in1][0].degree, V[path.i_in2][0].degree, W[path.i_out][0].degree)
        key = path.i_out, path.i_in1
        start = taken.get(key, 0)
        weights.setdefault(key, torch.empty_like(layer.weight.block(*key)))
        weights[key][:, :, start : start + l] = sign * path.path_weight * w.permute(2, 0, 1)
        taken[key] = start + l
        offset += w.numel()
    assert offset == theirs.weight_numel and all(taken[key] == p.shape[2] for key, p in weights.items())
    with torch.no_grad():
        for key, values in weights.items():
            layer.weight.block(*key).copy_(values)
    assert sum(values.numel() for values in weights.values()) == layer.weight.coordinates.numel()
    x, y = draw(10, layer.first.dim).requires_grad_(), draw(10, layer.second.dim, seed=1).requires_grad_()
    mine, other = layer(x, y), theirs(x, y)
    assert distance(mine, other) < 1e-10
    for a, b in zip(
        torch.autograd.grad(mine.sin().sum(), (x, y)), torch.autograd.grad(other.sin().sum(), (x, y)), strict=True
    ):
        assert distance(a, b) < 1e-10


def test_a_convolution_is_e3nns(e3nn: ModuleType) -> None:
    """Σ_j R(|r|) (f_j ⊗ Y(r)) with e3nn's harmonics and product, on its axes (y, z, x)."""
    layer = shaken(eq.SteerableMessages(4 * EVEN + 2 * VECTOR, 3 * EVEN + 2 * VECTOR, 2.0))
    x, f = draw(12, 3), draw(12, layer.source.dim, seed=1)
    edges = eq.edges_within(x, 2.0)
    j, i = edges
    r = x[j] - x[i]
    theirs = e3nn.spherical_harmonics([0, 1, 2], r[:, [1, 2, 0]], normalize=True, normalization="component")
    assert distance(eq.spherical_harmonics(range(3), r), theirs) < 1e-13
    product = e3nn.FullyConnectedTensorProduct("4x0e+2x1o", "1x0e+1x1o+1x2e", "3x0e+2x1o")
    with torch.no_grad():
        u = layer.send(f)[j] + layer.receive(f)[i]
        for p in layer.radial.parameters():  # leave of R_p the envelope alone
            p.zero_()
        layer.radial[-1].bias.block(0, 0).fill_(1.0)
        flat = []
        for path in product.instructions:
            flat.append((weights_of(layer.product, e3nn, path) / path.path_weight).flatten())
        product.weight.copy_(torch.cat(flat))
        messages = product(u, theirs) * envelope(r.norm(dim=1, keepdim=True) / 2.0)
        expected = layer.own(f).index_add(0, i, messages)
        assert distance(layer(f, x, edges), expected) < 1e-10


def weights_of(product: eq.TensorProduct, e3nn: ModuleType, path: object) -> Tensor:
    """Our weights of one of e3nn's paths, (m, l, n)."""
    U, V, W = product.first.summands, product.second.summands, product.target.summands
    i, j, k = path.i_in1, path.i_in2, path.i_out
    before = sum((U[i][0] * B >> W[k][0]).dim * l for B, l in V[:j])
    coordinates = product.weight.block(k, i)[:, :, before : before + V[j][1]]
    return signs(e3nn, U[i][0].degree, V[j][0].degree, W[k][0].degree) * coordinates.permute(1, 2, 0)


# ---- gates ----------------------------------------------------------------------------------


@given(name=features, seed=seeds)
def test_gates_commute(name: str, seed: int) -> None:
    gate = GatedPointwise(FEATURES[name], "silu")
    g = eq.haar_sample(gate.source.group, 1, generator=generator_of(seed))[0]
    x = draw(5, gate.source.dim, seed=seed)
    assert distance(gate(apply(gate.source, g, x)), apply(gate.target, g, gate(x))) < 1e-12


def test_a_function_of_coordinates_would_not() -> None:
    g = eq.haar_sample(O3, 1, generator=generator_of(0))[0]
    x = draw(5, 3)
    assert distance(nn.functional.silu(apply(VECTOR, g, x)), apply(VECTOR, g, nn.functional.silu(x))) > 0.1
    assert distance(nn.functional.silu(-x[:, :1]), -nn.functional.silu(x[:, :1])) > 0.1  # so 0o has a gate too


# ---- messages -------------------------------------------------------------------------------


def moved_error(f: nn.Module, x: Tensor, p: Tensor, edges: Tensor, seed: int, graph: Tensor | None = None) -> float:
    """The relative error under a rotation or reflection, a translation and a permutation of the points at once."""
    generator = generator_of(seed)
    g = eq.haar_sample(f.source.group, 1, generator=generator)[0]
    order = torch.randperm(len(x), generator=generator)
    shift = torch.randn(3, dtype=F64, generator=generator)
    y = f(x, p, edges) if graph is None else f(x, p, edges, graph, 2)
    place = order.argsort()  # where each point went
    shuffled = place[edges][:, torch.randperm(edges.shape[1], generator=generator)]
    inputs = apply(f.source, g, x)[order], (p @ g.to(p).mT + shift)[order], shuffled
    if graph is not None:
        return distance(f(*inputs, graph[order], 2), apply(f.target, g, y))
    return distance(f(*inputs), apply(f.target, g, y)[order])


@given(a=features, b=features, degree=st.integers(0, 2), reduce=st.sampled_from(["sum", "mean"]), seed=seeds)
def test_messages_commute_with_every_motion(a: str, b: str, degree: int, reduce: str, seed: int) -> None:
    V, W = FEATURES[a], FEATURES[b]
    W = W if V.group == W.group else V
    assume((V * attributes(V, degree) >> W).dim)
    layer = shaken(eq.SteerableMessages(V, W, 2.5, degree=degree, reduce=reduce, generator=generator_of(seed)), seed)
    p = draw(9, 3, seed=seed)
    assert moved_error(layer, draw(9, V.dim, seed=seed + 1), p, eq.edges_within(p, 2.5), seed) < 1e-10


@settings(max_examples=12)
@given(pool=st.sampled_from([None, "sum", "mean"]), seed=seeds)
def test_networks_commute_with_every_motion(pool: str | None, seed: int) -> None:
    hidden, source, target = 4 * EVEN + 3 * VECTOR + 2 * TENSOR + 2 * PSEUDOVECTOR, EVEN + VECTOR, EVEN + VECTOR + ODD
    f = eq.SteerableNetwork(source, hidden, target, 2.5, layers=2, pool=pool, generator=generator_of(seed))
    p, graph = draw(9, 3, seed=seed), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1])
    edges = eq.edges_within(p, 2.5, graph)
    x = draw(9, source.dim, seed=seed + 1)
    assert moved_error(shaken(f, seed), x, p, edges, seed, None if pool is None else graph) < 1e-10


def test_on_each_device(device: torch.device, float_dtype: torch.dtype) -> None:
    V = 4 * EVEN + 3 * VECTOR + TENSOR
    f = shaken(eq.SteerableNetwork(V, V, EVEN + VECTOR, 3.0, layers=2)).to(device, float_dtype)
    p, x = draw(10, 3).to(device, float_dtype), draw(10, V.dim, seed=1).to(device, float_dtype)
    edges = eq.edges_within(p, 3.0)
    y = f(x, p, edges)
    assert (y.dtype, y.device) == (float_dtype, x.device)
    R = eq.haar_sample(O3, 1, generator=generator_of(0))[0]
    moved = f(apply(V, R, x), p @ R.to(p).mT + 1, edges)
    assert distance(moved, apply(f.target, R, y)) < (1e-10 if float_dtype == F64 else 1e-4)


BREAKS: dict[str, Callable[[eq.SteerableMessages], object]] = {
    "a coefficient": lambda f: f.product.coefficients_0_0[5, 7].add_(1e-4),
    "a map of the vectors": lambda f: f.own.weight._matrix.add_(1e-4 * torch.rand(len(f.own.weight._matrix), 1)),
    "an absolute position": lambda f: f.register_forward_pre_hook(
        lambda m, a: (a[0] + 1e-6 * a[1].norm(dim=1, keepdim=True), *a[1:])
    ),
    "the order of the axes": lambda f: f.register_forward_pre_hook(lambda m, a: (a[0], a[1][:, [0, 2, 1]] * 1, a[2])),
    "the order of the points": lambda f: f.register_forward_hook(
        lambda m, a, y: y * (1 + 1e-6 * torch.arange(len(y))[:, None])
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_broken_messages_are_found(name: str) -> None:
    layer = shaken(eq.SteerableMessages(VECTOR + 2 * VECTOR + EVEN, EVEN + 2 * VECTOR, 2.5))
    p, x = draw(9, 3), draw(9, 10, seed=1)
    edges = eq.edges_within(p, 2.5)
    assert moved_error(layer, x, p, edges, 0) < 1e-10
    with torch.no_grad():
        BREAKS[name](layer)
    assert moved_error(layer, x, p, edges, 0) > 1e-8


def test_messages_are_their_formula() -> None:
    """One edge, by hand: scalars 1 at both points, and the message is a multiple of Y(r) in each degree."""
    layer = shaken(eq.SteerableMessages(EVEN, EVEN + VECTOR + TENSOR, 3.0))
    with torch.no_grad():
        for p in (*layer.own.parameters(), *layer.receive.parameters()):
            p.zero_()
    r = torch.tensor([0.3, -1.0, 0.7], dtype=F64)
    edges = torch.tensor([[1], [0]])
    y = layer(torch.ones(2, 1, dtype=F64), torch.stack([torch.zeros(3, dtype=F64), r]), edges)
    assert float(y[1].detach().abs().max()) == 0  # nothing is sent to point 1
    Y = eq.spherical_harmonics(range(3), r)
    for part, direction in zip(y[0].split([1, 3, 5]), Y.split([1, 3, 5]), strict=True):
        assert float(part.detach().norm()) > 1e-3
        assert distance(part, direction * (part @ direction) / direction.square().sum()) < 1e-13


def test_messages_fade_at_the_cutoff_with_two_derivatives() -> None:
    layer = shaken(eq.SteerableMessages(EVEN, VECTOR, 2.0))
    edges = torch.tensor([[1], [0]])

    def sent(d: float) -> float:
        p = torch.tensor([[0.0, 0.0, 0.0], [0.6 * d, 0.0, 0.8 * d]], dtype=F64)
        return float(layer(torch.ones(2, 1, dtype=F64), p, edges)[0].detach().norm())

    assert sent(1.0) > 1e-3 and sent(1.999) < 1e-6
    assert sent(2.0) < 1e-13 and sent(5.0) == 0  # 0.6² + 0.8² is 1 up to round-off
    one = torch.tensor(1.0, dtype=F64)
    assert float(envelope(one)) == 0 and float(envelope(0 * one)) == 1
    first = torch.func.grad(envelope)
    assert abs(float(first(one - 1e-9))) < 1e-12 and abs(float(torch.func.grad(first)(one - 1e-9))) < 1e-5


def test_radial_functions_are_orthonormal_over_the_ball() -> None:
    layer = eq.SteerableMessages(EVEN, EVEN, 2.0, radial=6).double()
    d = (torch.arange(20000, dtype=F64) + 0.5)[:, None] / 10000
    B, volume = layer._bessel(d), 3 * d**2 / 2**3 / 10000
    assert torch.allclose(B.mT @ (volume * B), torch.eye(6, dtype=F64), atol=1e-6)
    assert layer._bessel(torch.zeros(1, 1, dtype=F64)).isfinite().all()


def test_means_are_sums_over_the_number_of_messages() -> None:
    V = EVEN + VECTOR
    f = shaken(eq.SteerableMessages(V, V, 5.0))
    g = copy.deepcopy(f)
    g.reduce = "mean"
    p, x = draw(4, 3), draw(4, 4, seed=1)
    edges = torch.tensor([[1, 2, 3, 0], [0, 0, 0, 2]])
    own, count = f.own(x), torch.tensor([3, 1, 1, 1])[:, None]
    assert torch.allclose(g(x, p, edges) - own, (f(x, p, edges) - own) / count, atol=1e-13)


def test_an_energy_has_equivariant_forces() -> None:
    f = shaken(eq.SteerableNetwork(EVEN, 4 * EVEN + 2 * VECTOR + TENSOR, EVEN, 3.0, layers=2, pool="sum"))
    x = torch.ones(6, 1, dtype=F64)

    def force(p: Tensor) -> Tensor:
        p = p.detach().requires_grad_()
        return -torch.autograd.grad(f(x, p, eq.edges_within(p, 3.0)).sum(), p)[0]

    p, R = draw(6, 3), eq.haar_sample(O3, 1, generator=generator_of(0))[0]
    F = force(p)
    assert distance(force(p @ R.mT + 2), F @ R.mT) < 1e-10
    assert float(F.sum(0).norm() / F.norm()) < 1e-12  # no force on the whole: translations change nothing


def test_gradients_and_points_that_coincide() -> None:
    layer = shaken(eq.SteerableMessages(EVEN + VECTOR, EVEN + VECTOR, 3.0, radial=3, hidden=4))
    p, x = draw(4, 3), draw(4, 4, seed=1)
    edges = eq.edges_within(p)
    assert torch.autograd.gradcheck(lambda x, p: layer(x, p, edges), (x.requires_grad_(), p.requires_grad_()))
    same = torch.zeros(3, 3, dtype=F64, requires_grad=True)
    layer(x[:3], same, eq.edges_within(same)).sum().backward()
    assert same.grad.isfinite().all()
    assert torch.equal(layer(x, p, torch.zeros(2, 0, dtype=torch.long)), layer.own(x))  # no edges


def test_scalars_of_both_ends_enter_the_radial_functions() -> None:
    """With u from one end alone, the message depends on the scalar of the other: that comes from R."""
    p, edges = draw(2, 3), torch.tensor([[1], [0]])
    for silent, a, b in (("receive", (1.0, 1.0), (-1.0, 1.0)), ("send", (1.0, 1.0), (1.0, -1.0))):
        layer = shaken(eq.SteerableMessages(EVEN, VECTOR, 3.0, generator=generator_of(1)))
        with torch.no_grad():
            for q in getattr(layer, silent).parameters():
                q.zero_()
            first, second = (layer(torch.tensor(s, dtype=F64)[:, None], p, edges)[0] for s in (a, b))
        assert float((first - second).norm()) > 1e-3


# ---- edges, axes ----------------------------------------------------------------------------


def test_edges_within() -> None:
    x = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 0.5]])
    assert eq.edges_within(x, 1.01).mT.tolist() == [[0, 1], [0, 3], [1, 0], [3, 0]]
    assert eq.edges_within(x).shape == (2, 12)
    graph = torch.tensor([0, 0, 1, 1])
    assert eq.edges_within(x, graph=graph).mT.tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]


def test_axes_are_those_of_degree_one() -> None:
    x, R = draw(5, 3), eq.haar_sample(O3, 1, generator=generator_of(0))[0]
    assert torch.equal(eq.to_cartesian(eq.from_cartesian(x)), x)
    assert torch.allclose(3**0.5 * eq.from_cartesian(x), eq.spherical_harmonics(1, x, solid=True))
    assert torch.allclose(eq.from_cartesian(x @ R.mT), apply(VECTOR, R, eq.from_cartesian(x)))


# ---- as torch modules -----------------------------------------------------------------------


def network(seed: int = 0) -> eq.SteerableNetwork:
    hidden = 4 * EVEN + 2 * VECTOR + TENSOR
    return eq.SteerableNetwork(EVEN + VECTOR, hidden, VECTOR, 3.0, layers=2, generator=generator_of(seed))


def sample(device: torch.device | None = None) -> tuple[Tensor, Tensor, Tensor]:
    p = draw(8, 3).float()
    values = draw(8, 4, seed=1).float(), p, eq.edges_within(p, 3.0)
    return tuple(v.to(device) for v in values)  # type: ignore[return-value]


def test_state_dicts_and_copies() -> None:
    f, g, inputs = network(), network(1), sample()
    assert not torch.equal(f(*inputs), g(*inputs))
    file = io.BytesIO()
    torch.save(f.state_dict(), file)
    file.seek(0)
    g.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(f(*inputs), g(*inputs)) and torch.equal(copy.deepcopy(f)(*inputs), f(*inputs))
    assert set(f.state_dict()) == {name for name, _ in f.named_parameters()}


def test_precision_comes_back() -> None:
    """Coefficients are rounded afresh from float64, not from what float32 left of them."""
    layer = eq.TensorProduct(VECTOR + TENSOR, attributes(EVEN, 2), EVEN + VECTOR)
    fine = copy.deepcopy(layer).double()
    assert torch.equal(layer.half().float().double().coefficients_0_1, fine.coefficients_0_1)


def test_the_same_generator_gives_the_same_weights() -> None:
    before = torch.get_rng_state()
    for p, q in zip(network().parameters(), network().parameters(), strict=True):
        assert torch.equal(p, q)
    assert torch.equal(before, torch.get_rng_state())


def test_vmap_grad_and_autocast(device: torch.device) -> None:
    f, (x, p, edges) = network().to(device), sample(device)
    y = f(x, p, edges)
    stack = torch.stack([x, 2 * x, -x])
    together = torch.func.vmap(lambda v: f(v, p, edges))(stack)
    assert torch.allclose(together, torch.stack([f(v, p, edges) for v in stack]), atol=1e-5)
    moving = torch.func.vmap(lambda q: f(x, q, edges))(torch.stack([p, p + 1]))
    assert torch.allclose(moving, y.expand(2, -1, -1), atol=1e-4)
    gradient = torch.func.grad(lambda q: f(x, q, edges).square().sum())(p)
    assert gradient.isfinite().all()
    with torch.autocast(device.type, dtype=torch.bfloat16):
        assert distance(f(x, p, edges).float(), y) < 0.1
    parameters, buffers = torch.func.stack_module_state([network(), network(1)])
    one, inputs = network(), (x.cpu(), p.cpu(), edges.cpu())
    ensemble = torch.func.vmap(lambda w, b: torch.func.functional_call(one, (w, b), inputs))(parameters, buffers)
    assert torch.allclose(ensemble[0], y.cpu(), atol=1e-4) and not torch.allclose(ensemble[1], y.cpu(), atol=1e-2)


@pytest.mark.filterwarnings("ignore")  # dynamo looks through lru_cache, and says so
def test_compile(device: torch.device) -> None:
    V = 2 * EVEN + VECTOR
    f, (_, p, edges) = eq.SteerableMessages(V, V + TENSOR, 3.0).to(device), sample(device)
    x = draw(8, V.dim).float().to(device)
    y = f(x, p, edges)
    compiled = torch.compile(f, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(x, p, edges), y, atol=1e-5)
    compiled(x, p, edges).square().sum().backward()
    assert all(q.grad is not None and q.grad.isfinite().all() for q in f.parameters() if q.numel())


def test_building_is_quick() -> None:
    import time

    V = 32 * EVEN + 32 * VECTOR + 32 * TENSOR
    eq.SteerableMessages(V, V, 3.0)
    start = time.perf_counter()
    eq.SteerableMessages(V, V, 3.0)
    assert time.perf_counter() - start < 1


# ---- a task ---------------------------------------------------------------------------------


def test_a_network_learns_the_forces_between_charges() -> None:
    """A few steps suffice to halve the error, on systems that are turned too."""
    motion = eq.data.nbody(24, bodies=4, steps=1, every=1, generator=generator_of(0))
    x, q = motion.positions[:, 0].flatten(0, 1), motion.charges.flatten()[:, None]
    target = eq.from_cartesian(eq.data.nbody_forces(motion.positions[:, 0], motion.charges, softening=0.5)).flatten(
        0, 1
    )
    graph = torch.arange(24).repeat_interleave(4)
    edges = eq.edges_within(x, graph=graph)
    f = eq.SteerableNetwork(EVEN, 8 * EVEN + 8 * VECTOR, VECTOR, 8.0, layers=1, degree=1, generator=generator_of(0))
    optimizer = torch.optim.Adam(f.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (f(q, x, edges) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5 * float(target.square().mean())
    R = eq.haar_sample(O3, 1, generator=generator_of(1))[0].float()
    turned = (f(q, x @ R.mT, edges) - apply(VECTOR, R, target)).square().mean()
    assert float(turned.detach()) == pytest.approx(float((f(q, x, edges) - target).square().mean().detach()), rel=1e-3)


# ---- errors ---------------------------------------------------------------------------------

V4 = EVEN + VECTOR


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: eq.SteerableMessages(eq.trivial(eq.cyclic(4)), eq.trivial(eq.cyclic(4)), 1.0), "got.*cyclic"),
        (lambda: eq.SteerableMessages(V4, V4, 0.0), "positive and finite; got 0.0"),
        (lambda: eq.SteerableMessages(V4, V4, float("inf")), "positive and finite; got inf"),
        (lambda: eq.SteerableMessages(V4, V4, 1.0, reduce="max"), '"sum" or "mean".*; got \'max\''),
        (lambda: eq.SteerableMessages(EVEN, VECTOR, 1.0, degree=0), "degree 0 lead.*no part of.*raise the degree"),
        (lambda: eq.SteerableMessages(V4, V4, 1.0, radial=0), "at least 1; got 0"),
        (lambda: eq.SteerableNetwork(V4, V4, V4, 1.0, pool="max"), 'pool is None, "sum" or "mean"'),
        (lambda: eq.SteerableMessages(V4, eq.trivial(SO3), 1.0), "different groups"),
        (
            lambda: eq.SteerableMessages(V4, V4, 1.0)(torch.zeros(3, 4), torch.zeros(2, 3), torch.zeros(2, 0).long()),
            r"features \(2, 4\).*got \(3, 4\)",
        ),
        (
            lambda: eq.SteerableMessages(V4, V4, 1.0)(torch.zeros(2, 4), torch.zeros(2, 3), torch.zeros(3, 2).long()),
            r"Edges are \(2, edges\).*got \(3, 2\)",
        ),
        (lambda: eq.edges_within(torch.zeros(3, 2)), r"\(points, 3\); got \(3, 2\)"),
        (lambda: eq.edges_within(torch.zeros(3, 3), graph=torch.zeros(2)), r"3 points.*got graph \(2,\)"),
        (
            lambda: eq.TensorProduct(V4, V4, V4)(torch.zeros(5, 3), torch.zeros(5, 4)),
            r"x of shape \(..., 4\).*\(5, 3\)",
        ),
    ],
)
def test_errors_say_what_was_given_and_what_to_do(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


def test_a_number_is_no_representation() -> None:
    for attempt in (lambda: eq.TensorProduct(3, V4, V4), lambda: eq.SteerableMessages(4, V4, 1.0)):
        with pytest.raises(TypeError, match="takes representations"):
            attempt()

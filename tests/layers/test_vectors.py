"""Vector neurons: they commute with every group they take, they are their formulas, and they compose as torch does."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import equibook as eq

O3, SO3 = eq.o3(), eq.so3()
VECTOR = eq.irreps(O3, 1)[3]
#: Every kind of irreducible of real type: vectors, pseudovectors, tensors, signs, of compact and finite groups.
IRREDUCIBLES = (
    VECTOR,
    eq.irreps(O3, 1)[2],
    eq.irreps(SO3, 1)[1],
    eq.irreps(O3, 2)[4],
    eq.irreps(SO3, 3)[3],
    eq.irreps(eq.o2(), 2)[-1],
    eq.irreps(eq.dihedral(5))[-1],
    eq.irreps(eq.octahedral())[-1],
    eq.irreps(eq.symmetric(4))[-1],
    eq.irreps(eq.cyclic(2))[1],
)
LAYERS: dict[str, Callable[[eq.Representation, torch.Generator], nn.Module]] = {
    "VectorLinear": lambda V, g: eq.VectorLinear(4 * V, 5 * V, generator=g),
    "VectorReLU": lambda V, g: eq.VectorReLU(4 * V, generator=g),
    "VectorReLU, leaky and shared": lambda V, g: eq.VectorReLU(4 * V, 0.2, shared=True, generator=g),
    "VectorBatchNorm": lambda V, g: eq.VectorBatchNorm(4 * V),
    "VectorPool max": lambda V, g: eq.VectorPool(4 * V, generator=g),
    "VectorPool mean": lambda V, g: eq.VectorPool(4 * V, "mean"),
    "VectorInvariants": lambda V, g: eq.VectorInvariants(4 * V, 2, generator=g),
}
layers = pytest.mark.parametrize("name", LAYERS)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def make(name: str, V: eq.Representation = VECTOR, seed: int = 0) -> nn.Module:
    """The layer, with parameters and running statistics away from where they start."""
    layer = LAYERS[name](V, torch.Generator().manual_seed(seed))
    layer.train()(draw(3, 4, 6, V.dim, seed=seed + 1).float())
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.1 * draw(*p.shape, seed=seed + 2).to(p))
    return layer


def turn(V: eq.Representation, matrix: Tensor, x: Tensor) -> Tensor:
    """ρ on the last axis of (batch, channels, ..., dim V); invariants (trivial channels) as they are."""
    atom = V.summands[0][0]
    return x if atom.dim == 1 and atom == eq.trivial(atom.group) else x @ matrix.to(x).mT


def error(layer: nn.Module, V: eq.Representation, x: Tensor, seed: int = 0, count: int = 5) -> float:
    """The largest relative error over random elements of the group."""
    G = V.group
    elements = eq.haar_sample(G, count, generator=torch.Generator().manual_seed(seed))
    layer.eval()
    with torch.no_grad():
        y = layer(x)
        return max(
            float((layer(x @ V.matrix(g).to(x).mT) - turn(layer.target, V.matrix(g), y)).norm() / y.norm())
            for g in elements
        )


@layers
@given(
    V=st.sampled_from(IRREDUCIBLES),
    points=st.sampled_from([(5,), (4, 3), (1,)]),
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_every_layer_commutes_with_every_group(
    name: str, V: eq.Representation, points: tuple[int, ...], seed: int, scale: float
) -> None:
    layer = make(name, V, seed).double()
    x = scale * draw(3, 4, *points, V.dim, seed=seed)
    assert error(layer, V, x, seed) < 1e-10


@layers
def test_on_each_device(name: str, device: torch.device, float_dtype: torch.dtype) -> None:
    layer = make(name).to(device, float_dtype)
    x = draw(3, 4, 6, 3).to(device, float_dtype)
    y = layer.eval()(x)
    assert y.dtype == float_dtype and y.device == x.device
    assert error(layer, VECTOR, x) < (1e-10 if float_dtype == torch.float64 else 1e-4)


@layers
def test_in_training_too(name: str) -> None:
    """One rotation for the whole batch: with the statistics of the batch."""
    layer, x = make(name).double().train(), draw(6, 4, 5, 3)
    R = VECTOR.matrix(eq.haar_sample(O3, 1, generator=torch.Generator().manual_seed(3))[0])
    assert torch.allclose(layer(x @ R.mT), turn(layer.target, R, layer(x)), atol=1e-11)


@layers
@pytest.mark.parametrize("name_of_break", ["one coordinate", "a bias"])
def test_a_broken_layer_is_found(name: str, name_of_break: str) -> None:
    layer, x = make(name).double(), draw(3, 4, 6, 3)

    class Broken(nn.Module):
        target = layer.target

        def forward(self, x: Tensor) -> Tensor:
            if name_of_break == "a bias":
                return layer(x + 1e-6)
            return layer(x * torch.tensor([1.0, 1.0, 1 + 1e-6], dtype=torch.float64))

    assert error(Broken(), VECTOR, x) > 1e-8


@layers
def test_points_are_a_set(name: str) -> None:
    layer, x = make(name).double().eval(), draw(3, 4, 6, 3)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    y, moved = layer(x), layer(x[:, :, order])
    assert torch.allclose(moved, y if name.startswith("VectorPool") else y[:, :, order], atol=1e-13)


# ---- the formulas ---------------------------------------------------------------------------


def test_linear_is_its_intertwiner() -> None:
    layer = eq.VectorLinear(3 * VECTOR, 5 * VECTOR).double()
    A = layer.weight().detach().squeeze(-1)
    assert float((3 * VECTOR >> 5 * VECTOR).distance(A)) < 1e-13
    assert sum(p.numel() for p in layer.parameters()) == (3 * VECTOR >> 5 * VECTOR).dim == 15
    x = draw(4, 3, 7, 3)
    expected = torch.einsum("ij,bjp->bip", A, x.transpose(2, 3).flatten(1, 2)).unflatten(1, (5, 3)).transpose(2, 3)
    assert torch.allclose(layer(x), expected, atol=1e-13)


def test_linear_keeps_the_variance() -> None:
    layer = eq.VectorLinear(64 * VECTOR, 500 * VECTOR, generator=torch.Generator().manual_seed(0))
    assert float(layer(draw(20, 64, 3).float()).var().detach()) == pytest.approx(1, rel=0.1)


def test_relu_is_its_formula() -> None:
    layer = eq.VectorReLU(2 * VECTOR, 0.2).double()
    with torch.no_grad():  # the direction of each channel is the other channel: A ⊗ 1 has coordinates √3 A
        layer.direction.block(0, 0).copy_(3**0.5 * torch.tensor([[[0.0], [1.0]], [[5.0], [0.0]]]))
    x = torch.tensor([[[1.0, 2.0, 3.0], [-2.0, 0.0, 0.0]]], dtype=torch.float64)
    # ⟨x_1, x_2⟩ = −2 < 0 in both: x_1 loses 80 % of its part along −e_1, x_2 of that along x_1
    first = torch.tensor([0.2, 2.0, 3.0], dtype=torch.float64)
    second = x[0, 1] - 0.8 * (-2 / 14) * x[0, 0]
    assert torch.allclose(layer(x)[0], torch.stack([first, second]), atol=1e-14)
    y = layer(x * torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None])  # now both products are positive
    assert torch.allclose(y, x * torch.tensor([1.0, -1.0], dtype=torch.float64)[:, None])


def test_relu_ends_in_the_half_space_of_its_direction() -> None:
    layer = make("VectorReLU").double()
    x = draw(50, 4, 3)
    k = torch.einsum("nm,bmd->bnd", layer.direction.block(0, 0).squeeze(-1), x)
    assert ((x * k).sum(-1) < -0.1).any() and ((layer(x) * k).sum(-1) > -1e-12).all()


def test_one_vector_is_a_multiple_of_itself() -> None:
    """Why one channel is too few: y is parallel to x, whatever the weights."""
    f = nn.Sequential(
        eq.VectorLinear(VECTOR, 8 * VECTOR), eq.VectorReLU(8 * VECTOR), eq.VectorLinear(8 * VECTOR, VECTOR)
    ).double()
    x = draw(20, 1, 3)
    assert torch.linalg.cross(f(x), x).abs().max() < 1e-13


def test_batch_norm_normalizes_lengths() -> None:
    layer = eq.VectorBatchNorm(4 * VECTOR).double()
    x = draw(50, 4, 6, 3) * torch.tensor([0.1, 1.0, 5.0, 20.0], dtype=torch.float64)[:, None, None]
    y = layer(x)
    signed = (y * x / x.norm(dim=-1, keepdim=True)).sum(-1)
    assert torch.allclose(signed, nn.BatchNorm1d(4).double()(x.norm(dim=-1)), atol=1e-12)
    assert torch.linalg.cross(y, x).abs().max() < 1e-11  # no direction changes, up to its sign
    layer.eval()
    assert torch.allclose(layer(x[:1]), layer(x)[:1])  # by the running statistics, not by the batch


def test_pool_takes_a_vector_that_is_there() -> None:
    layer = make("VectorPool max").double()
    x = draw(3, 4, 6, 3)
    y = layer(x)
    there = (x == y[:, :, None]).all(dim=-1)
    assert there.any(dim=-1).all()
    k = torch.einsum("nm,bmpd->bnpd", layer.direction.block(0, 0).squeeze(-1), x)
    assert torch.equal(there.long().argmax(-1), (x * k).sum(-1).argmax(-1))
    assert torch.allclose(eq.VectorPool(4 * VECTOR, "mean")(x), x.mean(2))


def test_invariants_are_inner_products() -> None:
    layer = make("VectorInvariants").double()
    x = draw(3, 4, 6, 3)
    t = torch.einsum("nm,bmpd->bnpd", layer.direction.block(0, 0).squeeze(-1), x) / 3**0.5
    y = layer(x).unflatten(1, (4, 2))
    assert layer.target == 8 * eq.trivial(O3)
    assert torch.allclose(y[1, 2, 1, 5], x[1, 2, 5] @ t[1, 1, 5])


@layers
def test_at_zero(name: str, float_dtype: torch.dtype) -> None:
    layer = make(name).to(float_dtype).eval()
    x = torch.zeros(2, 4, 3, 3, dtype=float_dtype, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert float(y.detach().abs().sum()) == 0
    assert x.grad.isfinite().all() and float(x.grad.abs().max()) < 1e3
    assert all(p.grad is None or p.grad.isfinite().all() for p in layer.parameters())


@layers
def test_gradients(name: str) -> None:
    layer = make(name).double().eval()
    parameters = dict(layer.named_parameters())

    def function(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), x)

    inputs = [draw(2, 4, 3, 3).requires_grad_(), *(p.detach().requires_grad_() for p in parameters.values())]
    assert torch.autograd.gradcheck(function, inputs)


# ---- as torch modules -----------------------------------------------------------------------


@layers
def test_state_dicts_and_copies(name: str) -> None:
    f, g, x = make(name).eval(), make(name, seed=5).eval(), draw(2, 4, 6, 3).float()
    if any(p.numel() for p in f.parameters()) and name != "VectorPool mean":
        assert not torch.equal(f(x), g(x))
    file = io.BytesIO()
    torch.save(f.state_dict(), file)
    file.seek(0)
    g.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(f(x), g(x)) and torch.equal(copy.deepcopy(f)(x), f(x))


@layers
def test_vmap_grad_compile_and_autocast(name: str, device: torch.device) -> None:
    layer, x = make(name).to(device).eval(), draw(5, 2, 4, 6, 3).float().to(device)
    y = torch.stack([layer(part) for part in x])
    assert torch.allclose(torch.func.vmap(layer)(x), y, atol=1e-5)
    gradient = torch.func.grad(lambda v: layer(v).square().sum())(x[0])
    assert gradient.shape == x[0].shape and gradient.isfinite().all()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    assert torch.allclose(compiled(x[0]), y[0], atol=1e-5)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        assert torch.allclose(layer(x[0]).float(), y[0], atol=0.3) or "max" in name  # a near tie may tip


def test_the_same_generator_gives_the_same_weights() -> None:
    before = torch.get_rng_state()
    for name, build in LAYERS.items():
        first, second = (build(VECTOR, torch.Generator().manual_seed(0)) for _ in range(2))
        for p, q in zip(first.parameters(), second.parameters(), strict=True):
            assert torch.equal(p, q), name
    assert torch.equal(before, torch.get_rng_state())


# ---- neighbors, and a classifier ------------------------------------------------------------


def test_neighbor_vectors() -> None:
    x = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 7.0, 0.0]]])
    y = eq.neighbor_vectors(x, 2)
    assert y.shape == (1, 2, 4, 2, 3)
    assert y[0, 0, 0].tolist() == [[1, 0, 0], [3, 0, 0]] and y[0, 0, 2].tolist() == [[-2, 0, 0], [-3, 0, 0]]
    assert torch.equal(y[0, 1, :, 0], x[0] - x[0].mean(0)) and torch.equal(y[0, 1, :, 0], y[0, 1, :, 1])
    crossed = eq.neighbor_vectors(x, 2, cross=True)
    assert torch.equal(crossed[:, :2], y)
    assert torch.equal(crossed[:, 2], torch.linalg.cross(y[:, 0], y[:, 1]))


@given(seed=st.integers(0, 10**6))
def test_neighbor_vectors_commute_with_motions(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, shift = draw(2, 12, 3, seed=seed), 10 * draw(3, seed=seed + 1)
    R, order = eq.haar_sample(O3, 1, generator=generator)[0], torch.randperm(12, generator=generator)
    for cross in (False, True):
        y = eq.neighbor_vectors(x, 4, cross=cross)
        assert torch.allclose(eq.neighbor_vectors(x[:, order], 4, cross=cross), y[:, :, order], atol=1e-12)
        moved = eq.neighbor_vectors(x @ R.mT + shift, 4, cross=cross)
        assert torch.allclose(moved[:, :2], y[:, :2] @ R.mT, atol=1e-11)
        if cross:
            assert torch.allclose(moved[:, 2], torch.linalg.det(R) * y[:, 2] @ R.mT, atol=1e-11)


def classifier(cross: bool = False) -> nn.Sequential:
    V, k = eq.irreps(SO3, 1)[1] if cross else VECTOR, 3 if cross else 2
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        eq.VectorLinear(k * V, 8 * V, generator=generator),
        eq.VectorBatchNorm(8 * V),
        eq.VectorReLU(8 * V, 0.2, generator=generator),
        eq.VectorPool(8 * V, "mean"),
        eq.VectorLinear(8 * V, 8 * V, generator=generator),
        eq.VectorReLU(8 * V, 0.2, generator=generator),
        eq.VectorPool(8 * V, "max", generator=generator),
        eq.VectorInvariants(8 * V, generator=generator),
        nn.Linear(24, 4),
    )


@given(seed=st.integers(0, 10**6))
def test_a_classifier_of_clouds_is_invariant(seed: int) -> None:
    f, x = classifier().double().eval(), draw(2, 16, 3, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    R, order = eq.haar_sample(O3, 1, generator=generator)[0], torch.randperm(16, generator=generator)
    y = f(eq.neighbor_vectors(x, 4)).detach()
    moved = f(eq.neighbor_vectors(x[:, order] @ R.mT + 3 * draw(3, seed=seed), 4)).detach()
    assert float((moved - y).norm() / y.norm()) < 1e-10


def test_only_the_cross_product_sees_handedness() -> None:
    x = draw(2, 16, 3)
    mirror = x * torch.tensor([1.0, 1.0, -1.0], dtype=torch.float64)
    for cross in (False, True):
        f = classifier(cross).double().eval()
        y, seen = f(eq.neighbor_vectors(x, 4, cross=cross)), f(eq.neighbor_vectors(mirror, 4, cross=cross))
        assert (float((y - seen).detach().abs().max()) > 1e-3) == cross
        R = eq.haar_sample(SO3, 1, generator=torch.Generator().manual_seed(0))[0]
        assert torch.allclose(f(eq.neighbor_vectors(x @ R.mT, 4, cross=cross)), y, atol=1e-11)


# ---- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: eq.VectorLinear(VECTOR + eq.trivial(O3), VECTOR), r"one irreducible.*got irreps.*Linear and Steer"),
        (lambda: eq.VectorReLU(eq.irreps(eq.cyclic(5))[1]), "real type"),
        (lambda: eq.VectorPool(eq.regular(eq.dihedral(3))), "real type"),
        (lambda: eq.VectorLinear(VECTOR, eq.irreps(O3, 1)[2]), "which are two"),
        (lambda: eq.VectorPool(VECTOR, "sum"), '"max" or "mean"; got \'sum\''),
        (lambda: eq.VectorInvariants(VECTOR, 0), "at least one direction; got 0"),
        (lambda: eq.VectorReLU(4 * VECTOR)(torch.zeros(2, 3, 5, 3)), r"\(batch, 4, ..., 3\).*got \(2, 3, 5, 3\)"),
        (lambda: eq.VectorLinear(4 * VECTOR, VECTOR)(torch.zeros(2, 4, 5)), r"got \(2, 4, 5\)"),
        (lambda: eq.VectorPool(4 * VECTOR)(torch.zeros(2, 4, 3)), r"\(batch, 4, ..., points, 3\)"),
        (lambda: eq.neighbor_vectors(torch.zeros(5, 3)), r"\(batch, points, 3\); got \(5, 3\)"),
        (lambda: eq.neighbor_vectors(torch.zeros(2, 5, 3), 5), "at most 4 neighbors; got 5"),
    ],
)
def test_errors_say_what_was_given_and_what_to_do(attempt: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


def test_a_number_is_no_representation() -> None:
    with pytest.raises(TypeError, match=r"VectorLinear takes representations.*got 3"):
        eq.VectorLinear(3, 4)  # type: ignore[arg-type]

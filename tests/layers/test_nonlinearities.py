"""Which nonlinearities commute with what, the refusals that follow, pooling, and the norms."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import equibook as eq
from equibook.layers.inputs import permutes_basis
from tests.layers.cases import COMPACT, FIBRES, GRID, compact_fibre, fibres
from tests.representation.strategies import groups, representations

C4, D4 = eq.cyclic(4), eq.dihedral(4)
SIGN, ROTATION = eq.irreps(C4)[2], eq.irreps(C4)[1]
NAMES = ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus", "tanh")


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NAMES)
def test_pointwise_commutes_with_permutations(name: str) -> None:
    for G in (D4, eq.symmetric(4)):
        V = eq.regular(G) + (eq.pixels(G, 2) if G is D4 else eq.permutation(G) * eq.permutation(G))
        eq.assert_equivariant(eq.Pointwise(V, name), V, V, draw(6, V.dim))


@pytest.mark.parametrize("V", [SIGN, 2 * SIGN + eq.regular(C4), eq.regular(C4) * SIGN, eq.irreps(D4)[1]], ids=str)
def test_odd_functions_commute_with_signed_permutations(V: eq.Representation) -> None:
    x = draw(6, V.dim)
    for layer in (eq.Pointwise(V, "tanh"), eq.Pointwise(V, torch.sin, odd=True)):
        eq.assert_equivariant(layer, V, V, x)
    assert eq.equivariance_error(torch.relu, V, V, x) > 0.1
    with pytest.raises(ValueError, match="NormReLU"):
        eq.Pointwise(V, "relu")
    with pytest.raises(ValueError, match="does not commute"):
        eq.Pointwise(V, torch.sin)


@pytest.mark.parametrize("name", NAMES)
def test_a_named_function_is_accepted_on_signs_if_and_only_if_it_is_odd(name: str) -> None:
    function = eq.Pointwise(eq.trivial(C4), name)
    if eq.equivariance_error(function, SIGN, SIGN, draw(6, 1)) < 1e-12:
        assert eq.Pointwise(SIGN, name).target == SIGN
    else:
        with pytest.raises(ValueError, match=name):
            eq.Pointwise(SIGN, name)


def test_on_a_rotation_every_function_is_refused_with_the_part_that_fails() -> None:
    D3 = eq.dihedral(3)
    rho = eq.irreps(D3)[2]
    for name in NAMES:
        with pytest.raises(ValueError, match=rf"{name}.*does not commute with irreps\(dihedral\(3\)\)\[2\].*NormReLU"):
            eq.Pointwise(eq.regular(D3) + rho, name)
    with pytest.raises(ValueError, match="up to signs"):
        eq.Pointwise(rho, torch.sin, odd=True)
    assert eq.equivariance_error(torch.tanh, rho, rho, draw(6, 2)) > 1e-2


def test_quarter_turns_of_the_plane_are_signed_permutations() -> None:
    eq.assert_equivariant(eq.Pointwise(ROTATION, "tanh"), ROTATION, ROTATION, draw(6, 2))


def test_pointwise_modules_are_registered() -> None:
    layer = eq.Pointwise(eq.regular(C4), nn.PReLU())
    assert len(list(layer.parameters())) == 1


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'rleu'; known are elu, gelu.*relu"):
        eq.Pointwise(eq.regular(C4), "rleu")


def test_norm_relu_is_its_formula() -> None:
    V = 2 * ROTATION + eq.trivial(C4)
    layer = eq.NormReLU(V).double()
    with torch.no_grad():
        layer.threshold.copy_(torch.tensor([0.5, 1.0, 0.2]))
    x = torch.tensor([[3.0, 4.0, 0.6, 0.0, -1.0]]).double()
    assert torch.allclose(layer(x), torch.tensor([[2.7, 3.6, 0.0, 0.0, -0.8]]).double())


@pytest.mark.parametrize("shape", [(), (3, 3)], ids=["vectors", "fields"])
def test_norm_relu_at_zero(shape: tuple[int, ...], float_dtype: torch.dtype) -> None:
    layer = eq.NormReLU(3 * ROTATION).to(float_dtype)
    x = torch.zeros(2, 6, *shape, dtype=float_dtype, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert float(y.detach().abs().sum()) == 0
    assert x.grad.isfinite().all() and layer.threshold.grad.isfinite().all()


def test_norm_relu_gradients() -> None:
    layer = eq.NormReLU(2 * ROTATION + SIGN).double()
    assert torch.autograd.gradcheck(layer, draw(3, 5).requires_grad_())


def test_group_pool() -> None:
    V = 2 * eq.regular(C4) + eq.trivial(C4)
    x = draw(3, 9)
    largest = eq.GroupPool(V)
    assert largest.target == 3 * eq.trivial(C4)
    assert torch.equal(largest(x), torch.stack([x[:, :4].amax(1), x[:, 4:8].amax(1), x[:, 8]], 1))
    assert torch.equal(eq.GroupPool(V, "mean")(x)[:, 0], x[:, :4].mean(1))


@pytest.mark.parametrize("layer", [eq.GroupPool, eq.SpatialNorm])
def test_layers_that_treat_channels_alike_refuse_the_rest(layer: type) -> None:
    with pytest.raises(
        ValueError, match=rf"{layer.__name__}.*irreps\(cyclic\(4\)\)\[1\] mixes channels.*regular\(cyclic\(4\)\)"
    ):
        layer(eq.regular(C4) + ROTATION)


def test_group_pool_knows_two_ways() -> None:
    with pytest.raises(ValueError, match='"max" or "mean"; got \'sum\''):
        eq.GroupPool(eq.regular(C4), "sum")


@pytest.mark.parametrize(("h", "w"), [(5, 4), (4, 5), (7, 7)])
def test_avg_pool_refuses_windows_that_do_not_tile(h: int, w: int) -> None:
    with pytest.raises(ValueError, match=f"2 pixels do not tile a {h} × {w} image"):
        eq.AvgPool2d(eq.trivial(C4), 2)(torch.randn(1, 1, h, w))
    eq.AvgPool2d(eq.trivial(C4), 1)(torch.randn(1, 1, h, w))


def test_avg_pool_that_is_refused_would_have_broken_the_symmetry() -> None:
    V = eq.trivial(C4)
    assert eq.equivariance_error(lambda x: nn.functional.avg_pool2d(x, 2), V, V, draw(2, 1, 5, 5)) > 0.1


def test_spatial_norm_is_layer_norm_over_the_pixels() -> None:
    x = 3 + 2 * draw(2, 4, 6, 6)
    y = eq.SpatialNorm(eq.regular(C4))(x)
    assert torch.allclose(y, nn.LayerNorm((6, 6), elementwise_affine=False).double()(x))
    assert torch.allclose(y.mean((2, 3)), torch.zeros(2, 4).double(), atol=1e-12)
    assert torch.allclose(y.var((2, 3), unbiased=False), torch.ones(2, 4).double(), atol=1e-4)


def test_global_average_is_the_mean() -> None:
    x = draw(2, 4, 3, 5)
    assert torch.allclose(eq.GlobalAvgPool2d(eq.regular(C4))(x), x.sum((2, 3)) / 15)


def test_a_representation_that_is_a_permutation_in_disguise_is_accepted() -> None:
    swap = eq.representation(eq.cyclic(2), {1: [[0.0, 1.0], [1.0, 0.0]]})
    for V in (eq.irreps(C4)[0], swap):
        eq.assert_equivariant(eq.Pointwise(V, "relu"), V, V, draw(6, V.dim))
        eq.GroupPool(V)


def test_a_callable_that_may_be_odd_is_pointed_to_the_argument() -> None:
    with pytest.raises(ValueError, match="odd=True"):
        eq.Pointwise(SIGN, torch.sin)


def test_a_negative_threshold_leaves_norm_relu_continuous() -> None:
    layer = eq.NormReLU(ROTATION)
    with torch.no_grad():
        layer.threshold.fill_(-1.0)
    near = torch.full((1, 2), 1e-6)
    assert layer(near).norm() < 1e-5
    assert torch.equal(layer(torch.zeros(1, 2)), torch.zeros(1, 2))


@pytest.mark.parametrize(
    "layer",
    [
        eq.Pointwise(eq.regular(C4)),
        eq.NormReLU(ROTATION + ROTATION),
        eq.GroupPool(eq.regular(C4)),
        eq.SpatialNorm(eq.regular(C4)),
        eq.AvgPool2d(eq.regular(C4), 2),
        eq.GlobalAvgPool2d(eq.regular(C4)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_the_number_of_channels_is_checked(layer: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"got \(2, 3, 4, 4\)"):
        layer(torch.zeros(2, 3, 4, 4))


# ---- which functions commute ---------------------------------------------------------------

#: One function of each class: of all functions, odd, affine, linear.
EXAMPLES = {
    "all": torch.exp,
    "odd": lambda x: x**3 - x,
    "affine": lambda x: 2 * x - 1,
    "linear": lambda x: -3 * x,
}
#: What commutes with a representation of each class. A signed permutation that is none does not keep (1, …, 1).
COMMUTES = {"all": {"all", "odd", "affine", "linear"}, "odd": {"odd", "linear"}, "affine": {"affine", "linear"}}


def in_another_basis(V: eq.Representation, keep_ones: bool) -> eq.Representation:
    """V = Q ρ Qᵀ with a generic orthogonal Q, which may keep (1, …, 1)."""
    n = V.dim
    ones = torch.ones(n, 1).double()
    frame = torch.linalg.qr(torch.cat([ones, draw(n, n - 1)], dim=1))[0]
    turn = torch.linalg.qr(draw(n - 1, n - 1))[0] if keep_ones else torch.linalg.qr(draw(n, n))[0]
    Q = frame @ (torch.block_diag(torch.eye(1).double(), turn) if keep_ones else turn) @ frame.mT
    return eq.representation(V.group, Q @ V.matrix(V.group.elements) @ Q.mT)


CLASSES = [
    (2 * eq.regular(C4) + eq.pixels(C4, 2), "all"),
    (eq.permutation(eq.symmetric(9)) * eq.permutation(eq.symmetric(9)), "all"),
    (2 * eq.trivial(eq.so3()), "all"),
    (eq.regular(C4) + SIGN, "odd"),
    (ROTATION, "odd"),
    (eq.irreps(eq.o2(), 1)[1] + eq.trivial(eq.o2()), "odd"),
    (eq.irreps(eq.o3(), 0)[1], "odd"),
    (in_another_basis(eq.regular(eq.symmetric(3)), keep_ones=True), "affine"),
    (in_another_basis(eq.regular(eq.symmetric(3)), keep_ones=False), "linear"),
    (eq.irreps(eq.cyclic(3))[1], "linear"),
    (eq.regular(C4) + eq.irreps(eq.cyclic(4))[1] + in_another_basis(eq.regular(C4), keep_ones=True), "linear"),
    *((eq.irreps(G, 1)[-1] + eq.trivial(G), "linear") for G in COMPACT),
]


@pytest.mark.parametrize(("V", "expected"), CLASSES, ids=lambda v: str(v)[:40])
def test_the_class_of_functions_that_commute(V: eq.Representation, expected: str) -> None:
    """Both ways: the functions of the class commute, and those outside do not."""
    assert eq.commuting_functions(V) == expected
    x = draw(6, V.dim)
    for name, function in EXAMPLES.items():
        error = eq.equivariance_error(function, V, V, x, generator=torch.Generator().manual_seed(0))
        if name in COMMUTES.get(expected, {"linear"}):
            assert error < 1e-10, name
        else:
            assert error > 1e-3, name


@given(st.data())
def test_the_class_on_every_representation(data: st.DataObject) -> None:
    V = data.draw(representations(data.draw(groups), largest=16))
    expected = eq.commuting_functions(V)
    x = draw(4, V.dim)
    for name, function in EXAMPLES.items():
        commutes = eq.equivariance_error(function, V, V, x) < 1e-9
        assert commutes == (name in COMMUTES.get(expected, {"linear"})), name


def test_permutations_in_disguise_on_compact_groups() -> None:
    so3, o3 = eq.so3(), eq.o3()
    assert permutes_basis(3 * eq.trivial(so3) + eq.irreps(so3, 0)[0])
    assert not permutes_basis(eq.irreps(o3, 0)[1]) and permutes_basis(eq.irreps(o3, 0)[1], up_to_signs=True)
    assert permutes_basis(eq.irreps(o3, 0)[1] * eq.irreps(o3, 0)[1])
    assert not permutes_basis(eq.irreps(so3, 1)[1], up_to_signs=True)


@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_on_a_compact_group_the_error_names_what_there_is(G: eq.LieGroup) -> None:
    V = eq.irreps(G, 1)[-1]
    with pytest.raises(ValueError, match=r"does not commute with .*NormReLU.*relu commutes with trivial") as caught:
        eq.Pointwise(V, "relu")
    assert "regular" not in str(caught.value)
    assert any("FourierPointwise applies relu" in note for note in caught.value.__notes__)
    eq.Pointwise(4 * eq.trivial(G), "relu")


def test_the_error_says_where_an_odd_function_would_do() -> None:
    with pytest.raises(ValueError) as caught:
        eq.Pointwise(ROTATION, "relu")
    assert any("tanh" in note for note in caught.value.__notes__)
    with pytest.raises(ValueError) as caught:
        eq.Pointwise(eq.irreps(eq.cyclic(5))[1], "relu")
    assert not any("tanh" in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("V", "row", "which"),
    [
        (eq.irreps(eq.cyclic(3))[1], r"Row 0 .* element 1 has 2 entries .*: -0\.50, -0\.87\.", "affine"),
        (ROTATION, r"Row 0 .* element 1 has the entry −1\.", "odd"),
        (eq.irreps(D4)[1], r"Row 0 .* element \d has the entry −1\.", "odd"),
        (in_another_basis(eq.regular(eq.cyclic(5)), keep_ones=True), r"5 entries .*, …\.", "affine"),
        (eq.irreps(eq.so2(), 1)[1], r"change continuously", "affine"),
        (eq.irreps(eq.o3(), 0)[1], r"Row 0 .* component 1 has the entry −1\.", "odd"),
    ],
    ids=str,
)
def test_the_error_shows_the_row_that_the_theorem_forbids(V: eq.Representation, row: str, which: str) -> None:
    with pytest.raises(ValueError) as caught:
        eq.Pointwise(V, "relu")
    notes = caught.value.__notes__
    assert any(re.search(row, note) for note in notes), notes
    assert any(f"nly {which} functions commute" in note for note in notes)


def test_who_says_odd_must_be_odd() -> None:
    for function in (torch.relu, torch.abs, torch.exp, lambda x: x + 0.1, nn.PReLU(), nn.GELU()):
        with pytest.raises(ValueError, match=r"is not odd: at x = .*Leave out odd=True"):
            eq.Pointwise(SIGN, function, odd=True)
    for function in (torch.sin, nn.Tanh(), nn.Tanhshrink(), lambda x: x**3):
        eq.Pointwise(SIGN, function, odd=True)


# ---- what commutes with everything ---------------------------------------------------------


def perturb(layer: nn.Module) -> nn.Module:
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.3 * draw(*p.shape).to(p))
    return layer


def nonlinearities(V: eq.Representation) -> list[nn.Module]:
    return [
        eq.NormReLU(V),
        eq.NormGate(V),
        eq.NormGate(V, "squash"),
        eq.NormGate(V, "softplus"),
        eq.GatedPointwise(V),
        eq.GatedPointwise(V, "gelu", "tanh"),
        eq.TensorSquare(V, V),
    ]


@pytest.mark.parametrize("kind", FIBRES)
@pytest.mark.parametrize("G", [GRID[2], GRID[5]], ids=str)
def test_on_fields(G: eq.FiniteGroup, kind: str, device: torch.device, float_dtype: torch.dtype) -> None:
    for layer in nonlinearities(fibres(G, kind)):
        V = layer.source
        x = draw(2, V.dim, 3, 3).to(device, float_dtype)
        eq.assert_equivariant(perturb(layer).to(device, float_dtype), V, layer.target, x)


@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_on_compact_groups(G: eq.LieGroup, device: torch.device) -> None:
    for layer in nonlinearities(compact_fibre(G)):
        V = layer.source
        layer = perturb(layer).to(device, torch.float64)
        x = draw(5, V.dim).to(device)
        eq.assert_equivariant(layer, V, layer.target, x, generator=torch.Generator().manual_seed(0))
        assert eq.local_equivariance_error(layer, V, layer.target, x) < 1e-10
        assert layer(x[..., None, None].expand(-1, -1, 2, 2))[..., 0, 1].sub(layer(x)).abs().max() < 1e-12


@given(st.data())
def test_on_every_representation(data: st.DataObject) -> None:
    W = data.draw(representations(data.draw(groups), largest=8))
    for layer in nonlinearities(W):
        V = layer.source
        eq.assert_equivariant(perturb(layer).double(), V, layer.target, draw(4, V.dim))


def test_norm_gate_is_its_formula() -> None:
    V = ROTATION + eq.trivial(C4)
    layer = eq.NormGate(V).double()
    with torch.no_grad():
        layer.shift.copy_(torch.tensor([5.0, 0.0]))
    y = layer(torch.tensor([[3.0, 4.0, -2.0]]).double())
    assert torch.allclose(y, torch.tensor([[1.5, 2.0, -2 * torch.sigmoid(torch.tensor(2.0))]]).double())
    squash = eq.NormGate(V, "squash")
    assert torch.allclose(squash(torch.tensor([[3.0, 4.0, 1.0]])), torch.tensor([[15 / 26, 20 / 26, 0.5]]))
    assert not list(squash.parameters())


def test_gradients_of_what_commutes_with_everything() -> None:
    V = 2 * ROTATION + eq.regular(C4)
    for layer in nonlinearities(V)[1:]:
        assert torch.autograd.gradcheck(perturb(layer).double(), draw(2, layer.source.dim).requires_grad_())
    zero = torch.zeros(1, V.dim).requires_grad_()
    eq.NormGate(V)(zero).sum().backward()
    assert bool((zero.grad == 0.5).all())  # φ(0), at 0 too


def test_gates_come_first_and_only_where_they_are_needed() -> None:
    V = eq.trivial(C4) + 2 * ROTATION + eq.regular(C4)
    layer = eq.GatedPointwise(V)
    assert (layer.gates, layer.source) == (2, 2 * eq.trivial(C4) + V)
    x = torch.tensor([[0.0, -1000.0, -5.0, 1.0, 2.0, 3.0, 4.0, -1.0, 1.0, -2.0, 2.0]])
    assert layer(x).tolist() == [[0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 2.0]]
    assert eq.GatedPointwise(eq.regular(C4)).source == eq.regular(C4)
    two = eq.GatedPointwise(ROTATION + SIGN)  # a gate of its own for each
    assert two(torch.tensor([[1000.0, -1000.0, 1.0, 2.0, 3.0]])).tolist() == [[1.0, 2.0, 0.0]]


def test_products_of_vectors_are_dot_and_cross_products() -> None:
    scalar, vector = eq.irreps(eq.so3(), 1)
    layer = eq.TensorSquare(2 * vector, scalar + vector, generator=torch.Generator().manual_seed(0)).double()
    x = draw(40, 6)
    a, b = x[:, :3], x[:, 3:]
    y = layer(x)
    grams = torch.stack([(a * a).sum(1), (a * b).sum(1), (b * b).sum(1)], 1)
    assert float((grams @ torch.linalg.lstsq(grams, y[:, :1])[0] - y[:, :1]).abs().max().detach()) < 1e-10
    cross = torch.linalg.cross(a, b)
    ratio = (cross * y[:, 1:]).sum(1) / (cross * cross).sum(1)
    assert (
        torch.allclose(ratio[:, None] * cross, y[:, 1:]) and torch.allclose(ratio, ratio[:1]) and ratio[0].abs() > 1e-3
    )
    assert torch.allclose(layer(2 * x), 4 * y)
    with pytest.raises(ValueError, match="different groups"):
        eq.TensorSquare(vector, eq.trivial(C4))


def test_a_wrong_gate_is_found() -> None:
    V = 2 * ROTATION
    layer = eq.GatedPointwise(V).double()

    def broken(x: Tensor) -> Tensor:
        return torch.cat([layer(x)[:, :3], 1.001 * layer(x)[:, 3:]], dim=1)

    with pytest.raises(AssertionError):
        eq.assert_equivariant(broken, layer.source, V, draw(5, layer.source.dim))


@pytest.mark.parametrize(
    "layer", [eq.Pointwise, eq.NormReLU, eq.NormGate, eq.GatedPointwise, eq.BatchNorm, eq.NormPool]
)
def test_a_number_is_no_representation(layer: type) -> None:
    with pytest.raises(TypeError, match=rf"{layer.__name__} takes representations.*got 16"):
        layer(16)

"""A linear layer in its two forms: the same map, what it costs, and which form is taken."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import equibook as eq
from equibook.layers import isotypic
from equibook.layers.isotypic import Plan
from tests.layers.cases import COMPACT, GRID, compact_fibre
from tests.representation.strategies import GROUPS, pairs

C3, C8, Q8, S4 = eq.cyclic(3), eq.cyclic(8), eq.quaternion(), eq.symmetric(4)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def forms(V: eq.Representation, W: eq.Representation, bias: bool = True) -> tuple[eq.Linear, eq.Linear]:
    """The layer in both forms, with the same random parameters, biases too."""
    dense, other = (eq.Linear(V, W, bias, form=form).double() for form in ("dense", "isotypic"))
    with torch.no_grad():
        for k, p in enumerate(dense.parameters()):
            p.copy_(draw(*p.shape, seed=k))
    other.load_state_dict(dense.state_dict())
    return dense, other


def agree(V: eq.Representation, W: eq.Representation, rows: int = 3) -> None:
    """Outputs, and gradients by the input and all parameters."""
    results = []
    for layer in forms(V, W):
        assert {layer.form_for(n) for n in (1, 10**9)} == {layer.form}
        x = draw(rows, V.dim).requires_grad_()
        y = layer(x)
        (y * draw(rows, W.dim, seed=1)).sum().backward()
        results.append([y.detach(), x.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12 * max(1.0, float(a.abs().max()))), (V, W)


# ---- the same map --------------------------------------------------------------------------


@settings(max_examples=60)
@given(pairs(largest=30))
def test_both_forms_are_one_map(VW: tuple[eq.Representation, eq.Representation]) -> None:
    agree(*VW)


@pytest.mark.parametrize("G", GROUPS, ids=str)
def test_regular_to_regular_and_to_all_irreducibles(G: eq.FiniteGroup) -> None:
    rhos = sum(eq.irreps(G))
    agree(2 * eq.regular(G), 3 * eq.regular(G))
    agree(eq.regular(G) + rhos, 2 * rhos)
    agree(rhos, rhos + eq.trivial(G) + 2 * eq.regular(G) + rhos)


@pytest.mark.parametrize("G", COMPACT, ids=str)
def test_compact_groups(G: eq.LieGroup) -> None:
    agree(compact_fibre(G), compact_fibre(G, 3))
    agree(4 * eq.irreps(G, 2)[-1], 3 * eq.irreps(G, 2)[-1])


@pytest.mark.parametrize("G", [C3, Q8, eq.direct_product(C3, Q8), eq.direct_product(Q8, S4)], ids=str)
def test_complex_and_quaternionic_type_of_more_than_one_column(G: eq.FiniteGroup) -> None:
    rhos = [rho for rho in eq.irreps(G) if rho.commutant_dim > 1]
    assert rhos
    if G.order == 192:  # the pair of a quaternionic and a real one: two and three columns
        assert {rho.dim // rho.commutant_dim for rho in rhos} == {1, 2, 3}
    for rho in rhos:
        agree(2 * rho, 3 * rho)
        agree(2 * rho + eq.trivial(G), rho)


def test_where_there_are_no_maps() -> None:
    one, sign, turn = eq.trivial(C8), eq.irreps(C8)[-1], eq.irreps(C8)[1]
    agree(2 * sign, 3 * turn)  # none at all
    agree(sign + 2 * turn + eq.regular(C8), 3 * turn + one)
    agree(2 * turn, one + 2 * turn + sign)  # outputs that are the bias alone
    layer = eq.Linear(sign, turn + one, form="isotypic")
    assert layer(torch.ones(2, 1)).tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,), (2, 0)], ids=str)
def test_any_axes_before_the_last(shape: tuple[int, ...]) -> None:
    V, W = 2 * eq.regular(S4), eq.regular(S4) + eq.irreps(S4)[2]
    dense, other = forms(V, W)
    x = draw(*shape, V.dim)
    assert other(x).shape == (*shape, W.dim)
    assert torch.allclose(other(x), dense(x), atol=1e-12)
    turned = draw(V.dim, 4).mT  # not contiguous
    assert torch.allclose(other(turned), dense(turned), atol=1e-12)


@pytest.mark.parametrize("G", [*GRID, C3, Q8, S4], ids=str)
def test_the_isotypic_form_commutes(G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype) -> None:
    V, W = 2 * eq.regular(G) + eq.irreps(G)[-1], eq.irreps(G)[-1] + 3 * eq.regular(G)
    layer = forms(V, W)[1].to(device, float_dtype)
    x = draw(5, V.dim).to(device, float_dtype)
    y = layer(x)
    assert (y.dtype, y.device.type) == (float_dtype, device.type) and float(y.norm()) > 0.1
    eq.assert_equivariant(layer, V, W, x)


def test_these_tests_see_a_wrong_block() -> None:
    V = 2 * eq.regular(Q8)
    dense, other = forms(V, V)
    other.isotypic.entries_0_0[-1] *= -1
    x = draw(4, V.dim)
    assert not torch.allclose(other(x), dense(x), atol=1e-3)
    assert eq.equivariance_error(other, V, V, x) > 1e-3


# ---- what it costs -------------------------------------------------------------------------


def multiplications(layer: nn.Module, x: Tensor) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    return counter.get_total_flops() / 2


@settings(max_examples=40)
@given(pairs(largest=30), st.integers(1, 7))
def test_the_layer_takes_the_stated_multiplications(VW: tuple[eq.Representation, eq.Representation], rows: int) -> None:
    V, W = VW
    layer = eq.Linear(V, W, bias=False, form="isotypic")
    assert multiplications(layer, torch.ones(rows, V.dim)) == eq.linear_cost(V, W, rows).isotypic


@pytest.mark.parametrize("G", [C3, C8, Q8, eq.dihedral(4), S4, eq.alternating(5)], ids=str)
def test_regular_representations_by_formula(G: eq.FiniteGroup) -> None:
    m, n, rows = 2, 5, 7
    V, W = m * eq.regular(G), n * eq.regular(G)
    cost, rhos = eq.linear_cost(V, W, rows), eq.irreps(G)
    assert cost.direct == rows * m * n * G.order**2
    assert cost.transforms == rows * (m + n) * G.order**2
    assert cost.blocks == rows * m * n * sum(rho.dim**3 // rho.commutant_dim for rho in rhos)
    # each of dim Hom = |G| coordinates goes to Σ d² entries, one for each of the e × e of a number
    assert cost.weights == m * n * G.order * sum(rho.dim**2 for rho in rhos)
    assert cost.saving == cost.direct / (cost.transforms + cost.blocks + cost.weights)
    layer = eq.Linear(V, W, bias=False, form="dense")
    assert multiplications(layer, torch.ones(rows, V.dim)) == cost.direct
    if G != C3 and G != C8:  # for which the fast Fourier transform is counted
        assert eq.convolution_cost(G, m, n).blocks * rows == cost.blocks
        assert eq.convolution_cost(G, m, n).transforms * rows == cost.transforms


def test_only_what_both_sides_share_is_transformed() -> None:
    V = 3 * eq.regular(S4)
    cost = eq.linear_cost(V, 2 * eq.trivial(S4), 10)
    assert (cost.transforms, cost.blocks) == (10 * 3 * 24 + 10 * 2, 10 * 6)  # sums over the group
    l = eq.irreps(eq.so3(), 2)
    assert eq.linear_cost(4 * l[2] + l[0], 5 * l[2] + l[1]) == eq.LinearCost(21 * 28, 0, 5 * 4 * 5, 4 * 5)
    nothing = eq.linear_cost(l[1], l[2])
    assert nothing.isotypic == 0 and nothing.saving == float("inf")


# ---- which form is taken -------------------------------------------------------------------


def best(V: eq.Representation, rows: int, device: str) -> str:
    """The form that takes less time by the model: multiplications, numbers moved, operations started."""
    cost, move, start = eq.linear_cost(V, V, rows), isotypic.MOVE[device], isotypic.START[device]
    copies, kinds = V.summands[0][1], len(Plan(V, V).kinds)
    dense = cost.direct + move * V.dim**2 + 4 * start
    moved = 2 * rows * 2 * V.dim + copies**2 * sum(rho.dim**2 for rho in eq.irreps(V.group))
    other = cost.isotypic + move * moved + start * (2 * 2 + 3 * kinds + 2 * kinds + 1)
    return "isotypic" if other < dense else "dense"


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("G", [C8, eq.dihedral(8), eq.cyclic(64), S4], ids=str)
def test_auto_takes_the_form_that_the_model_prefers(G: eq.FiniteGroup, device: str) -> None:
    turns = 0
    for copies in (1, 4, 16, 32):
        V = copies * eq.regular(G)
        if V.dim > 1024:
            continue
        layer = eq.Linear(V, V, bias=False)
        chosen = {rows: layer.form_for(rows, device) for rows in (1, 64, 1024, 1 << 30)}
        assert chosen == {rows: best(V, rows, device) for rows in chosen}
        if chosen[1] != chosen[1 << 30]:  # and exactly where it turns
            few, many = 1, 1 << 30
            while many - few > 1:
                rows = (few + many) // 2
                few, many = (rows, many) if layer.form_for(rows, device) == chosen[1] else (few, rows)
            assert [best(V, rows, device) for rows in (few, many)] == [chosen[1], chosen[1 << 30]]
            turns += 1
    assert turns


def test_auto_runs_what_it_says() -> None:
    V = 32 * eq.regular(C8)
    layer = eq.Linear(V, V, bias=False)
    said = {rows: layer.form_for(rows) for rows in (1, 4096)}
    assert said == {1: "dense", 4096: "isotypic"}
    for rows, form in said.items():
        cost = eq.linear_cost(V, V, rows)
        expected = cost.isotypic if form == "isotypic" else cost.direct
        assert multiplications(layer, torch.ones(rows, V.dim)) == expected
        assert multiplications(layer, torch.ones(1, rows, 1, V.dim)) == expected


def test_a_layer_that_cannot_profit_keeps_no_transforms() -> None:
    one = eq.trivial(S4)
    for V, W in [(3 * one, 10 * one), (100 * one, 100 * one), (eq.regular(S4), eq.regular(S4))]:
        layer = eq.Linear(V, W)
        assert layer.isotypic is None and layer.form_for(10**9) == "dense"
    V = 64 * eq.regular(S4)
    assert eq.Linear(V, V).isotypic is not None
    assert eq.Linear(V, V, form="dense").isotypic is None


# ---- as a module of torch ------------------------------------------------------------------

V = 2 * eq.regular(Q8) + 3 * eq.irreps(Q8)[-1]
W = eq.irreps(Q8)[-1] + 2 * eq.regular(Q8)


@pytest.fixture
def layer() -> eq.Linear:
    return eq.Linear(V, W, form="isotypic", generator=torch.Generator().manual_seed(0))


def test_the_parameters_are_the_same_in_all_forms(layer: eq.Linear) -> None:
    states = [eq.Linear(V, W, form=form, generator=torch.Generator().manual_seed(0)).state_dict() for form in FORMS]
    for state in states:
        assert state.keys() == layer.state_dict().keys()
        assert all(torch.equal(value, layer.state_dict()[name]) for name, value in state.items())


FORMS = ("auto", "dense", "isotypic")


@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_in_one_graph(layer: eq.Linear, dynamic: bool) -> None:
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for rows in (3, 5):
        x = draw(rows, V.dim).float()
        assert torch.allclose(compiled(x), layer(x), atol=1e-6)


def test_compiled_the_choice_follows_the_rows() -> None:
    V = 32 * eq.regular(C8)
    layer = eq.Linear(V, V)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    for rows in (1, 2048, 2, 4096):
        x = draw(rows, V.dim).float()
        assert torch.allclose(compiled(x), layer(x), atol=1e-5)


def test_vmap_and_grad(layer: eq.Linear) -> None:
    x = draw(2, 3, V.dim).float()
    assert torch.allclose(torch.func.vmap(layer)(x), layer(x), atol=1e-6)
    parameters = {name: torch.stack([p, 2 * p]) for name, p in layer.named_parameters()}
    both = torch.func.vmap(lambda p: torch.func.functional_call(layer, p, (x[0],)))(parameters)
    assert torch.allclose(both, torch.stack([layer(x[0]), 2 * layer(x[0])]), atol=1e-5)

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(layer, parameters, (x,)).square().sum()

    own = dict(layer.named_parameters())
    by_weights, by_input = torch.func.grad(loss, argnums=(0, 1))(own, x[0])
    z = x[0].clone().requires_grad_()
    layer(z).square().sum().backward()
    assert torch.allclose(by_input, z.grad, atol=1e-4)
    assert all(torch.allclose(by_weights[name], p.grad, atol=1e-4) for name, p in own.items())
    tangent = torch.func.jvp(layer, (x[0],), (x[1],))[1]
    assert torch.allclose(tangent, layer(x[1]) - layer(0 * x[1]), atol=1e-5)


def test_autocast(layer: eq.Linear) -> None:
    x = draw(5, V.dim).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    assert torch.allclose(y.float(), layer(x), atol=0.1, rtol=0.05)


def test_copies_and_precisions(layer: eq.Linear) -> None:
    x = draw(5, V.dim)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x.float()), layer(x.float()))
    exact = copy.deepcopy(layer).double()
    assert torch.allclose(exact(x), forms_like(exact)(x), atol=1e-13)
    back = copy.deepcopy(layer).bfloat16().double()
    back.load_state_dict(exact.state_dict())
    assert torch.equal(back(x), exact(x))  # the transforms were rounded afresh


def forms_like(layer: eq.Linear) -> eq.Linear:
    dense = eq.Linear(layer.source, layer.target, form="dense").double()
    dense.load_state_dict(layer.state_dict())
    return dense


def test_device(layer: eq.Linear, device: torch.device) -> None:
    x = draw(5, V.dim).float()
    before = layer(x)
    y = layer.to(device)(x.to(device))
    assert y.device.type == device.type and torch.allclose(y.cpu(), before, atol=1e-5)


def test_folded_it_is_plain(layer: eq.Linear) -> None:
    plain = eq.fold(nn.Sequential(layer))[0]
    x = draw(5, V.dim).float()
    assert type(plain) is nn.Linear and torch.allclose(plain(x), layer(x), atol=1e-5)


def test_it_prints_its_form() -> None:
    assert "form='isotypic'" in repr(eq.Linear(V, W, form="isotypic"))
    assert "form" not in repr(eq.Linear(V, W))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: eq.Linear(V, W, form="fast"), ValueError, '"auto", "dense" or "isotypic"; got \'fast\''),
        (lambda: eq.linear_cost(V, 3), TypeError, r"linear_cost takes representations.*got 3"),
        (lambda: eq.linear_cost(3, V), TypeError, r"linear_cost takes representations.*got 3"),
        (lambda: eq.linear_cost(V, eq.trivial(S4)), ValueError, "different groups"),
        (lambda: eq.linear_cost(V, W, 0), ValueError, "rows"),
        (lambda: eq.Linear(V, W, form="isotypic")(torch.zeros(2, 3)), ValueError, r"Expected \(..., 28\).*\(2, 3\)"),
    ],
)
def test_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_a_group_without_known_irreducibles_has_the_dense_form() -> None:
    P = eq.permutation(eq.symmetric(30))
    layer = eq.Linear(8 * P, 8 * P)
    assert layer.isotypic is None and layer(torch.ones(2, 240)).shape == (2, 240)
    with pytest.raises(TypeError, match=r'generators.*"dense"'):
        eq.Linear(P, P, form="isotypic")
    with pytest.raises(TypeError, match="generators"):
        eq.linear_cost(P, P)

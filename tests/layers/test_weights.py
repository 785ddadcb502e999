"""The learnable intertwiner: its space, its first draw, its precision, its copies and its checkpoints."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import Tensor, nn

import equibook as eq
from tests.layers.cases import FIBRES, GRID, fibres

REGULAR = eq.regular(eq.cyclic(4))
PAIRS = [(G, a, b) for G in GRID for a in FIBRES for b in FIBRES]


@pytest.mark.parametrize(("G", "a", "b"), PAIRS, ids=str)
@pytest.mark.parametrize("window", [None, 2, 3], ids=["linear", "2 × 2", "3 × 3"])
def test_the_weight_lies_in_hom_and_reaches_all_of_it(G: eq.FiniteGroup, a: str, b: str, window: int | None) -> None:
    V, W = fibres(G, a), fibres(G, b)
    P = eq.trivial(G) if window is None else eq.pixels(G, window)
    weight = eq.IntertwinerWeight(V, W, P, generator=torch.Generator().manual_seed(0)).double()
    H = P * V >> W
    parameters = list(weight.parameters())
    assert sum(p.numel() for p in parameters) == H.dim
    A = weight().detach().mT.reshape(W.dim, -1)  # (W, V, P) to (W, (P, V))
    assert float(H.distance(A)) < 1e-12
    if H.dim:  # coordinates in an orthonormal basis: the map to the weight is an isometry
        norm = torch.cat([p.detach().flatten() for p in parameters]).norm()
        assert float(A.norm()) == pytest.approx(float(norm), rel=1e-12)


@pytest.mark.parametrize("G", [eq.symmetric(4), eq.quaternion(), eq.alternating(5), eq.dihedral(3)], ids=str)
def test_any_group_and_any_irreducible(G: eq.FiniteGroup) -> None:
    for rho in eq.irreps(G):
        V = 2 * rho + eq.trivial(G)
        for W in (eq.regular(G), 3 * rho, V):
            weight = eq.IntertwinerWeight(V, W).double()
            assert float((V >> W).distance(weight().squeeze(-1).detach())) < 1e-11


def test_a_basis_element_with_several_values_is_no_orbit() -> None:
    """Hom from ℝ[C_2] to the sign is spanned by (1, −1)/√2, and W^G may be spanned by (3, 4)/5."""
    C2 = eq.cyclic(2)
    weight = eq.IntertwinerWeight(eq.regular(C2), eq.irreps(C2)[1])().detach().flatten()
    assert float(weight[0]) == pytest.approx(-float(weight[1])) != 0
    W = eq.representation(C2, {1: [[-0.28, 0.96], [0.96, 0.28]]})
    invariant = eq.IntertwinerWeight(eq.trivial(C2), W)().detach().flatten()
    assert float(invariant[1] / invariant[0]) == pytest.approx(4 / 3, rel=1e-5)


def test_precision_is_that_of_the_layer_and_not_of_the_default() -> None:
    G = eq.dihedral(3)
    rho = eq.irreps(G)[2]
    V, W = eq.regular(G) + rho, 2 * rho
    weight = eq.IntertwinerWeight(V, W)
    assert weight().dtype == torch.float32
    assert weight.to(torch.float64)().dtype == torch.float64
    assert float((V >> W).distance(weight().squeeze(-1).detach())) < 1e-14
    assert weight.half()().dtype == torch.float16
    assert float((V >> W).distance(weight.double()().squeeze(-1).detach())) < 1e-14


def test_the_default_dtype_is_torchs() -> None:
    G = eq.cyclic(4)
    torch.set_default_dtype(torch.float64)
    try:
        layer = eq.GroupConv2d(eq.trivial(G), eq.regular(G) + eq.irreps(G)[1], 3)
        assert {t.dtype for t in (*layer.parameters(), layer.filters())} == {torch.float64}
    finally:
        torch.set_default_dtype(torch.float32)


def test_where_hom_is_zero_the_weight_is_zero_in_the_right_dtype(device: torch.device) -> None:
    G = eq.cyclic(4)
    weight = eq.IntertwinerWeight(eq.irreps(G)[1], eq.trivial(G))
    assert list(weight.parameters()) == []
    moved = weight.to(device, torch.float64)()
    assert (moved.dtype, moved.device.type, float(moved.abs().sum())) == (torch.float64, device.type, 0)
    layer = eq.Linear(eq.irreps(G)[1], eq.irreps(G)[2]).to(device, torch.float64)
    assert layer(torch.ones(3, 2, dtype=torch.float64, device=device)).abs().sum() == 0


def test_the_same_generator_gives_the_same_weights() -> None:
    G = eq.dihedral(4)

    def make(seed: int) -> torch.Tensor:
        before = torch.get_rng_state()
        layer = eq.GroupConv2d(eq.trivial(G), 2 * eq.regular(G), 3, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(before, torch.get_rng_state())  # and nobody else's draw is touched
        return layer.filters()

    assert torch.equal(make(0), make(0))
    assert not torch.equal(make(0), make(1))


def network(G: eq.FiniteGroup) -> nn.Sequential:
    V = 2 * eq.regular(G) + eq.irreps(G)[-1]
    return nn.Sequential(eq.GroupConv2d(eq.trivial(G), V, 3), eq.NormReLU(V), eq.GlobalAvgPool2d(V), eq.Linear(V, V))


def test_state_dicts_deep_copies_and_pickles_give_the_same_function() -> None:
    G, x = eq.dihedral(4), torch.randn(2, 1, 6, 6)
    f, g = network(G), network(G)
    assert not torch.equal(f(x), g(x))
    file = io.BytesIO()
    torch.save(f.state_dict(), file)
    file.seek(0)
    g.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(f(x), g(x))
    assert torch.equal(f(x), copy.deepcopy(f)(x))
    whole = io.BytesIO()
    torch.save(f, whole)
    whole.seek(0)
    assert torch.equal(f(x), torch.load(whole, weights_only=False)(x))
    assert torch.equal(f(x), torch.func.functional_call(g, dict(f.named_parameters()), x))


def test_only_coordinates_are_saved_and_learned() -> None:
    layer = network(eq.cyclic(4))[0]
    assert set(layer.state_dict()) == {name for name, _ in layer.named_parameters()}
    assert not any(buffer.requires_grad for buffer in layer.buffers())


STATISTICS = [
    (eq.cyclic(1), "trivial", "trivial"),
    (eq.cyclic(4), "trivial", "regular"),
    (eq.cyclic(4), "mixed", "mixed"),
    (eq.dihedral(4), "regular", "regular"),
    (eq.dihedral(4), "irreps", "mixed"),
]


@pytest.mark.parametrize(("G", "a", "b"), STATISTICS, ids=str)
@pytest.mark.parametrize("window", [1, 3, 4])
def test_white_input_of_unit_variance_leaves_with_unit_variance(G: eq.FiniteGroup, a: str, b: str, window: int) -> None:
    r"""E|y|² = ‖A_j‖² for white x, in each copy of W_j; its mean over draws of A must be dim W_j.

    ‖A_j‖² is σ² χ²_f with f = fan: of mean dim W_j and standard deviation dim W_j √(2/f). The mean over
    N = 400 independent copies and draws is within 5 standard deviations, 5 √(2/(f N)), of 1 but once in 10⁶.
    """
    V, P = fibres(G, a), eq.pixels(G, window)
    W = sum_of([400 * atom for atom, _ in fibres(G, b).summands])
    weight = eq.IntertwinerWeight(V, W, P, generator=torch.Generator().manual_seed(0))().detach()
    start = 0
    for atom, n in W.summands:
        rows = weight[start : start + n * atom.dim]
        start += n * atom.dim
        fan = sum(m * (P * U >> atom).dim for U, m in V.summands)
        if fan == 0:
            continue
        mean = float(rows.square().sum()) / (n * atom.dim)
        assert abs(mean - 1) < 5 * (2 / (fan * n)) ** 0.5


def sum_of(terms: list[eq.Representation]) -> eq.Representation:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def test_representations_of_two_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="different groups"):
        eq.Linear(eq.trivial(eq.cyclic(4)), eq.trivial(eq.dihedral(4)))


def moved_to_meta(layer: nn.Module) -> nn.Module:
    return copy.deepcopy(layer).to("meta")


LAYERS = {
    "_Matrix": lambda: eq.Linear(REGULAR, REGULAR),
    "_Lookup": lambda: eq.GroupConv2d(4 * REGULAR, 4 * REGULAR, 3),
    "_Product": lambda: eq.SteerableConv2d(8 * REGULAR, 8 * REGULAR, 3),
    "_Products": lambda: eq.SteerableConv2d(8 * REGULAR, 8 * REGULAR, 5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_every_form_survives_the_meta_device(name: str) -> None:
    """As large models are made: without memory first, then loaded."""
    layer = LAYERS[name]()
    assert type(layer.weight._expansion).__name__ == name
    empty = moved_to_meta(layer).to_empty(device="cpu")
    empty.load_state_dict(layer.state_dict())
    assert torch.equal(empty.weight(), layer.weight())


@pytest.mark.parametrize("name", LAYERS)
def test_stacked_layers_are_an_ensemble(name: str) -> None:
    members = [LAYERS[name]() for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(members)
    base = moved_to_meta(members[0].weight)

    def weight(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(base, (p, b), ())

    state = [{k[7:]: v for k, v in all_.items() if k.startswith("weight.")} for all_ in (parameters, buffers)]
    assert torch.allclose(torch.func.vmap(weight)(*state), torch.stack([member.weight() for member in members]))


@pytest.mark.parametrize("name", LAYERS)
def test_constants_are_buffers_that_no_state_holds(name: str) -> None:
    """So that whatever walks over the buffers, to count or to move them, finds them."""
    weight = LAYERS[name]().weight
    assert sum(buffer.numel() for buffer in weight.buffers()) >= weight.coordinates.numel()
    assert not any(isinstance(value, Tensor) for value in vars(weight._expansion).values())
    assert list(weight.state_dict()) == ["coordinates"]


def test_layers_can_be_made_inside_autocast() -> None:
    for make in LAYERS.values():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            layer = make()
        assert all(p.dtype == torch.float32 for p in layer.parameters())


def test_steerable_layers_start_with_combinations_of_single_rings() -> None:
    """The second moments of their coordinates are those of independent weights on the maps of `Rings.starts`."""
    V = eq.irreps(eq.so2(), 1)[1]
    layer = eq.SteerableConv2d(60 * V, 60 * V, 7, bias=False, generator=torch.Generator().manual_seed(0))
    drawn = layer.weight.block(0, 0).detach().double().flatten(0, 1)
    maps = eq.Rings.default(7).starts(V, V)
    law = maps.mT @ maps
    found = drawn.mT @ drawn / len(drawn)
    found = found * (law.trace() / found.trace())
    assert float((found - law).norm()) < 0.1 * float(law.norm())
    assert float((law - torch.eye(len(law))).norm()) > 0.3 * float(law.norm())

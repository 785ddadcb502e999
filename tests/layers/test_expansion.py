"""From coordinates to entries: every form gives the sum of the basis elements, and the fast one is taken."""

from __future__ import annotations

import contextlib
import math

import pytest
import torch
from torch import Tensor

import equibook as eq
from equibook.layers.expansion import Block, _batches, _Distinct, expansion

C4 = eq.cyclic(4)
TURN, SIGN = eq.irreps(C4)[1], eq.irreps(C4)[2]
REGULAR, ONE = eq.regular(C4), eq.trivial(C4)

CASES = {
    # form: source, target, side of the filter
    "_Matrix": (TURN, 2 * TURN, 3),
    "_Matrix of a bias": (ONE, 2 * REGULAR + TURN + ONE, 1),
    "_Lookup": (2 * REGULAR + 3 * ONE, 4 * ONE + 2 * REGULAR, 3),
    "_Lookup of a large bias": (ONE, 100 * REGULAR + ONE, 1),
    "_Lookup of one coordinate": (30 * SIGN, 20 * SIGN, 1),
    "_Product": (6 * TURN, 4 * TURN, 3),
    "_Product of one copy": (TURN, 12 * TURN, 5),
    "_Products": (2 * TURN + 2 * SIGN, REGULAR + 2 * TURN + 2 * ONE, 3),
    "_Products with zeros": (20 * TURN + 10 * ONE, 30 * ONE + 10 * TURN + 10 * SIGN, 1),
    "_Products of one size": (8 * SIGN + 8 * ONE, 8 * ONE + 8 * SIGN, 3),
    "_Products that are filled up": (4 * TURN + 4 * ONE, 4 * ONE + 4 * TURN, 3),
    "_Products with equal entries": (3 * REGULAR, 2 * REGULAR + 2 * SIGN, 5),
}


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def blocks_of(V: eq.Representation, W: eq.Representation, P: eq.Representation) -> list[Block]:
    found: list[Block] = []
    for j, (w, n) in enumerate(W.summands):
        for i, (v, m) in enumerate(V.summands):
            basis = (P * v >> w).basis().unflatten(2, (P.dim, v.dim)).mT
            if len(basis):
                found.append(Block(j, i, (n, m), basis, found[-1].stop if found else 0))
    return found


@pytest.mark.parametrize("name", CASES)
def test_entries_are_combinations_of_the_basis(name: str, device: torch.device) -> None:
    V, W, side = CASES[name]
    P = eq.pixels(C4, side)
    blocks = blocks_of(V, W, P)
    form, constants = expansion(V, W, blocks)
    assert type(form).__name__ == name.split()[0]
    c = draw(blocks[-1].stop).to(device)
    weight = form(c, {key: constant.to(device) for key, constant in constants.items()}, (W.dim, V.dim, P.dim))
    expected = torch.zeros_like(weight)
    row = 0
    for j, (w, n) in enumerate(W.summands):
        column = 0
        for i, (v, m) in enumerate(V.summands):
            for block in blocks:
                if (block.j, block.i) == (j, i):
                    values = c[block.start : block.stop].view(block.shape)
                    part = torch.einsum("nmd,dwvp->nwmvp", values, block.basis.to(device))
                    expected[row : row + n * w.dim, column : column + m * v.dim] = part.flatten(0, 1).flatten(1, 2)
            column += m * v.dim
        row += n * w.dim
    assert torch.allclose(weight, expected, atol=1e-14)


@pytest.mark.parametrize("name", ["_Products of one size", "_Products that are filled up"])
def test_blocks_with_as_many_copies_are_one_product(name: str) -> None:
    V, W, side = CASES[name]
    form, constants = expansion(V, W, blocks_of(V, W, eq.pixels(C4, side)))
    assert len(constants["_basis_0"]) == 4 and len(form.lengths) == 1


def test_filling_up_must_not_cost_more_than_it_saves() -> None:
    one = _Distinct(None, torch.zeros(1, 1), None)  # type: ignore[arg-type]
    large = _Distinct(None, torch.zeros(200, 1000), None)  # type: ignore[arg-type]
    for copies, batches in ((1, 1), (100, 2)):
        block = Block(0, 0, (copies, 1), torch.zeros(1, 1, 1, 1), 0)
        assert len(_batches([one._replace(block=block), large._replace(block=block)])) == batches


def test_a_product_needs_no_look_up_where_few_entries_are_equal() -> None:
    """The steerable filters of C4 between regular fields: 24 coordinates on 3 × 3 pixels, 44 on 5 × 5."""
    forms = [eq.SteerableConv2d(8 * REGULAR, 8 * REGULAR, k).weight._expansion for k in (3, 5)]
    assert [type(form).__name__ for form in forms] == ["_Product", "_Products"]


def test_equal_entries_are_computed_once() -> None:
    """Where C4 turns the filter and both fibers, one entry in four."""
    V = REGULAR + SIGN
    (block, *_) = blocks_of(REGULAR, REGULAR, eq.pixels(C4, 5))
    assert _Distinct.of(block).columns.shape == (100, 100)
    for block in blocks_of(V, V, eq.pixels(C4, 5)):
        columns, places = _Distinct.of(block)[1:]
        assert torch.allclose(columns[:, places], block.basis, atol=1e-14)


def test_entries_whose_products_are_equal_by_chance_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = blocks_of(TURN, TURN, eq.pixels(C4, 3))
    apart = _Distinct.of(block).columns.shape[1]
    monkeypatch.setattr(torch, "randn", lambda n, **kind: torch.zeros(n, dtype=kind["dtype"]))
    chance = _Distinct.of(block)
    assert chance.columns.shape[1] > apart
    assert torch.allclose(chance.columns[:, chance.places], block.basis, atol=1e-14)


def test_entries_that_differ_by_rounding_are_one() -> None:
    """Wherever their products lie: none falls between two stools."""
    values = 0.5 + 0.5 * draw(20_000).abs()
    basis = torch.cat([values, values * (1 + 2**-52), values * (1 - 2**-52)]).view(1, -1, 1, 1)
    assert _Distinct.of(Block(0, 0, (1, 1), basis, 0)).size == (1, len(values.unique()))


@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e4])
def test_nearly_equal_entries_stay_apart(scale: float) -> None:
    basis = torch.tensor([1.0, 1.0 + 1e-9, 1.0, 1e-9, 0.0, 0.0], dtype=torch.float64).view(1, 6, 1, 1)
    _, columns, places = _Distinct.of(Block(0, 0, (1, 1), scale * basis, 0))
    assert columns.shape == (1, 4) and float(columns[0, 3]) == 0
    assert len(set(places.flatten().tolist()[:4])) == 3 and places.flatten().tolist()[4:] == [3, 3]


@pytest.mark.parametrize("side", [1, 3])
def test_one_coordinate_that_is_not_finite_stays_in_its_copies(side: int) -> None:
    """So that it can be found; on one pixel, beside blocks in which Hom is 0."""
    V, W = 24 * TURN + 24 * ONE, 24 * ONE + 24 * TURN
    weight = eq.IntertwinerWeight(V, W, eq.pixels(C4, side))
    assert type(weight._expansion).__name__ == "_Products"
    with torch.no_grad():
        weight.coordinates[0] = math.inf
    assert int((~weight().isfinite()).flatten(1).any(1).sum()) == 1


@pytest.mark.parametrize("lose", [torch.autocast("cpu", dtype=torch.float16), None], ids=["autocast", "half"])
def test_half_precision_has_finite_gradients(lose: torch.autocast | None) -> None:
    """Where many entries are 0, the sum of their gradients overflows; nothing may depend on it."""
    one, turn = eq.irreps(eq.so2(), 1)
    weight = eq.IntertwinerWeight(32 * one + 32 * turn, 32 * one + 32 * turn)
    assert type(weight._expansion).__name__ == "_Products"
    with lose or contextlib.nullcontext():
        entries = (weight if lose else weight.half())()
    assert entries.dtype == torch.float16
    (gradient,) = torch.autograd.grad(entries, weight.coordinates, torch.full_like(entries, 100.0))
    assert bool(gradient.isfinite().all()) and float(gradient.abs().max()) > 0


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_shape_is_refused(name: str) -> None:
    V, W, side = CASES[name]
    with pytest.raises(RuntimeError, match="shape"):
        eq.IntertwinerWeight(V, W, eq.pixels(C4, side))(7)


def test_the_coordinates_of_a_block_are_a_view() -> None:
    weight = eq.IntertwinerWeight(2 * TURN + ONE, 3 * ONE + TURN)
    assert weight.block(0, 0).shape == (3, 2, 0)
    assert weight.block(1, 0).shape == (1, 2, 2)
    with torch.no_grad():
        weight.block(0, 1).fill_(7.0)
    assert weight()[:3, 4].flatten().tolist() == [7.0, 7.0, 7.0]
    nothing = eq.IntertwinerWeight(TURN, ONE)
    assert nothing.coordinates is None and nothing.block(0, 0).shape == (1, 1, 0)

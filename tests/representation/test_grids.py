"""Groups that act on images: agreement with torch.rot90, flip and roll; fields; one element a sample."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import equibook as eq

GRID = (eq.cyclic(1), eq.cyclic(2), eq.cyclic(4), eq.dihedral(1), eq.dihedral(2), eq.dihedral(4))
C4, D4 = eq.cyclic(4), eq.dihedral(4)


def field(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("k", range(4))
def test_rotations_are_rot90_and_reflections_flip_the_rows_first(k: int) -> None:
    x = field(2, 1, 5, 5)
    assert torch.equal(eq.act(eq.trivial(C4), k, x), x.rot90(k, (-2, -1)))
    assert torch.equal(eq.act(eq.trivial(D4), k, x), x.rot90(k, (-2, -1)))
    assert torch.equal(eq.act(eq.trivial(D4), 4 + k, x), x.flip(-2).rot90(k, (-2, -1)))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 4)])
def test_translations_roll(size: tuple[int, int]) -> None:
    G = eq.translations(*size)
    x = field(2, 1, *size)
    for a in range(size[0]):
        for b in range(size[1]):
            assert torch.equal(eq.act(eq.trivial(G), a * size[1] + b, x), x.roll((a, b), (-2, -1)))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("G", GRID, ids=str)
def test_pixels_is_the_action_on_images(G: eq.FiniteGroup, size: int) -> None:
    V, x = eq.pixels(G, size), field(2, 1, size, size)
    for g in G.elements:
        assert torch.equal(eq.act(V, g, x.flatten(1)), eq.act(eq.trivial(G), g, x).flatten(1))
        assert torch.equal(x.flatten(1) @ V.matrix(g).mT, eq.act(V, g, x.flatten(1)))


@pytest.mark.parametrize("G", GRID[3:5], ids=str)
def test_half_turns_and_flips_move_rectangles(G: eq.FiniteGroup) -> None:
    V, x = eq.pixels(G, (2, 3)), field(1, 1, 2, 3)
    for g in G.elements:
        assert torch.equal(eq.act(V, g, x.flatten(1)), eq.act(eq.trivial(G), g, x).flatten(1))


@given(st.sampled_from(GRID), st.data())
def test_fields_carry_the_group_action(G: eq.FiniteGroup, data: st.DataObject) -> None:
    V = eq.regular(G) + 2 * eq.irreps(G)[-1] + eq.trivial(G)
    g, h = (data.draw(st.sampled_from(G.elements)) for _ in range(2))
    size = data.draw(st.integers(1, 4))
    for x in (field(2, V.dim), field(2, V.dim, size, size)):
        assert torch.allclose(eq.act(V, g, eq.act(V, h, x)), eq.act(V, G.multiply(g, h), x), atol=1e-14)
        assert torch.equal(eq.act(V, G.identity, x), x)


def test_a_field_moves_its_grid_and_mixes_its_channels() -> None:
    """The gradient of an image is a field of the plane's vectors: axes (x right, y up), pixels (row down)."""
    V = eq.representation(D4, D4.plane)
    image = field(1, 1, 5, 5)
    for g in D4.elements:
        moved = eq.act(eq.trivial(D4), g, image)
        assert torch.allclose(gradient(moved), eq.act(V, g, gradient(image)), atol=1e-14)


def gradient(image: torch.Tensor) -> torch.Tensor:
    dx = (image.roll(-1, -1) - image.roll(1, -1)) / 2
    dy = (image.roll(1, -2) - image.roll(-1, -2)) / 2
    return torch.cat([dx, dy], dim=1)


@pytest.mark.parametrize("shape", [(), (3, 3)], ids=["vectors", "fields"])
def test_act_batch_is_act_sample_by_sample(
    shape: tuple[int, ...], device: torch.device, float_dtype: torch.dtype
) -> None:
    V = eq.regular(D4) + eq.irreps(D4)[2]
    x = field(9, V.dim, *shape).to(device, float_dtype)
    elements = torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 1])
    y = eq.act_batch(V, elements, x)
    assert (y.dtype, y.device.type) == (float_dtype, device.type)
    for b, g in enumerate(elements.tolist()):
        assert torch.equal(y[b : b + 1], eq.act(V, g, x[b : b + 1])) or torch.allclose(
            y[b : b + 1], eq.act(V, g, x[b : b + 1])
        )
    assert eq.act_batch(V, elements[:0], x[:0]).shape == (0, *x.shape[1:])


def test_gradients_flow_through_act_batch() -> None:
    V = eq.regular(C4)
    x = field(4, 4, 3, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: eq.act_batch(V, torch.tensor([0, 1, 2, 3]), x), x)


@pytest.mark.parametrize(
    ("G", "expected"),
    [(G, True) for G in GRID]
    + [
        (eq.cyclic(3), False),
        (eq.cyclic(8), False),
        (eq.dihedral(6), False),
        (eq.quaternion(), False),
        (eq.translations(2, 5), True),
    ],
    ids=str,
)
def test_which_groups_preserve_the_grid(G: eq.FiniteGroup, expected: bool) -> None:
    assert eq.is_grid_preserving(G) is expected


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: eq.act(eq.trivial(C4), 4, field(1, 1, 2, 2)), "4 is not an element"),
        (lambda: eq.act(eq.regular(C4), 1, field(1, 3, 2, 2)), r"Expected \(batch, 4\).*got \(1, 3, 2, 2\)"),
        (lambda: eq.act(eq.regular(C4), 1, field(1, 4, 2)), r"got \(1, 4, 2\)"),
        (lambda: eq.act(eq.trivial(eq.cyclic(8)), 1, field(1, 1, 2, 2)), "does not act on the pixels"),
        (lambda: eq.act(eq.trivial(eq.translations(2, 3)), 1, field(1, 1, 3, 3)), "moves 2 × 3 images; got"),
        (lambda: eq.act_batch(eq.trivial(C4), torch.tensor([0.5]), field(1, 1, 2, 2)), "whole numbers; got 0.5"),
        (lambda: eq.act_batch(eq.trivial(C4), torch.tensor([1]), field(2, 1, 2, 2)), "One element a sample"),
        (lambda: eq.act_batch(eq.trivial(C4), torch.tensor([0, 1]), field(2, 1, 2, 3)), "on their side"),
    ],
)
def test_errors_say_what_was_given(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


def test_groups_without_a_table_do_not_act_on_images() -> None:
    assert not eq.is_grid_preserving(eq.so2()) and not eq.is_grid_preserving(eq.symmetric(7))
    for attempt in (
        lambda: eq.pixels(eq.so2(), 3),
        lambda: eq.pixels(eq.symmetric(7), 3),
        lambda: eq.act(eq.permutation(eq.symmetric(7)), 1, field(2, 7)),
    ):
        with pytest.raises(TypeError, match="needs a finite group"):
            attempt()

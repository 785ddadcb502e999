"""Matrices, images and filters: what is accepted, what is drawn, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import equibook as eq

PAGE = 7.2


def drawn(figure: eq.figures.Figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]


def texts(figure: eq.figures.Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_matrices_share_a_scale_symmetric_about_zero() -> None:
    figure = eq.figures.matrices([torch.eye(2), -3 * torch.ones(4, 1)], ["a", "b"])
    assert all(image.get_clim() == (-3, 3) for image in figure.axes[0].get_images())
    assert texts(figure) == ["a", "b"]


def test_zero_is_transparent_and_signs_have_their_colors() -> None:
    image = eq.figures.matrices([[0.0, 1.0, -1.0]]).axes[0].get_images()[0]
    zero, plus, minus = image.cmap(image.norm([0.0, 1.0, -1.0]))
    assert zero[3] == 0
    assert plus[0] > plus[2] and plus[3] == 1
    assert minus[2] > minus[0] and minus[3] == 1


@pytest.mark.parametrize(
    "given",
    [
        torch.eye(3, requires_grad=True),
        torch.eye(3, dtype=torch.float16),
        torch.eye(3, dtype=torch.bool),
        torch.eye(3, dtype=torch.long)[None],
        np.eye(3),
        np.eye(3)[None],
        [torch.eye(3)],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    ],
)
def test_a_matrix_in_any_form(given: object) -> None:
    (array,) = drawn(eq.figures.matrices(given))  # type: ignore[arg-type]
    assert np.array_equal(array, np.eye(3))


def test_values_are_written_into_the_cells() -> None:
    assert texts(eq.figures.matrices([[1.0, -0.5]], values=True)) == ["1", "−0.5"]


@pytest.mark.parametrize("shape", [(8, 8), (5, 8, 8), (5, 1, 8, 8)])
def test_images(shape: tuple[int, ...]) -> None:
    given = torch.rand(shape)
    tiles = drawn(eq.figures.images(given))
    assert np.allclose(np.stack(tiles), given.reshape(-1, 8, 8))


def test_images_in_color() -> None:
    given = torch.rand(2, 3, 4, 4)
    tiles = drawn(eq.figures.images(given))
    assert np.allclose(np.stack(tiles), given.permute(0, 2, 3, 1))


def test_a_grid_of_filters_is_in_the_order_of_the_weight() -> None:
    weight = torch.randn(2, 3, 5, 5)
    figure = eq.figures.filters(weight, row_labels=["r0", "r1"], column_labels=["c0", "c1", "c2"])
    assert np.allclose(np.stack(drawn(figure)), weight.reshape(6, 5, 5))
    places = [image.get_extent() for image in figure.axes[0].get_images()]
    assert len({round(place[0], 6) for place in places}) == 3
    assert len({round(place[3], 6) for place in places}) == 2
    assert texts(figure) == ["r0", "r1", "c0", "c1", "c2"]


@pytest.mark.parametrize("count", [1, 7, 64, 200])
def test_no_picture_is_wider_than_the_page(count: int) -> None:
    figure = eq.figures.filters(torch.randn(count, 3, 3), [f"kernel {i}" for i in range(count)])
    assert figure.get_figwidth() <= PAGE + 1e-9
    assert eq.figures.filters(torch.randn(2, count, 3, 3)).get_figwidth() <= PAGE + 1e-9


def test_many_filters_are_fast_and_small() -> None:
    assert len(eq.figures.png(eq.figures.filters(torch.randn(16, 16, 5, 5)))) < 100_000


@pytest.mark.parametrize(
    ("draw", "given", "message"),
    [
        (eq.figures.matrices, torch.ones(3), "shape"),
        (eq.figures.matrices, torch.ones(1, 1, 2, 2), "shape"),
        (eq.figures.matrices, [], "empty"),
        (eq.figures.matrices, torch.ones(2, 2, dtype=torch.complex64), "real"),
        (eq.figures.matrices, [["a"]], "real"),
        (eq.figures.images, torch.ones(2, 5, 8, 8), "5 channels"),
        (eq.figures.images, torch.ones(8), "shape|empty"),
        (eq.figures.filters, torch.ones(3, 3), r"\(O, I, k, k\)"),
    ],
)
def test_bad_input_is_named(draw: object, given: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(given)  # type: ignore[operator]


def test_titles_and_labels_must_fit() -> None:
    with pytest.raises(ValueError, match="2 titles were given for 1 tiles"):
        eq.figures.matrices(torch.eye(2), ["a", "b"])
    with pytest.raises(ValueError, match="row_labels"):
        eq.figures.filters(torch.ones(2, 2, 3, 3), row_labels=["a"])
    with pytest.raises(ValueError, match="not titles"):
        eq.figures.filters(torch.ones(2, 2, 3, 3), ["a"] * 4)
    with pytest.raises(ValueError, match="limit"):
        eq.figures.matrices(torch.eye(2), limit=0)

"""Patterns on the corners of a square, and orbits of points of the plane."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.patches import Circle

import equibook as eq

C4 = eq.cyclic(4)


def test_corner_patterns_show_numbers_at_their_corners_arrows_and_matrices() -> None:
    x = torch.tensor([1.0, 2.0, 3.0, -4.0])
    V = eq.regular(C4)
    stack = V.matrix([0, 1])
    figure = eq.figures.corner_patterns(stack.float() @ x, torch.eye(2), ["e", "r"], matrices=[stack, C4.plane[:2]])
    ax = figure.axes[0]
    places = {text.get_text(): text.get_position() for text in ax.texts[1:5]}
    assert set(places) == {"1", "2", "3", "−4"}
    assert places["1"][0] > places["2"][0] and places["1"][1] < places["−4"][1]  # y grows downward
    assert len([patch for patch in ax.patches if isinstance(patch, Circle)]) == 8
    drawn = [np.asarray(image.get_array()) for image in ax.get_images()]
    assert [image.shape for image in drawn] == [(4, 4), (2, 2)] * 2
    assert np.array_equal(drawn[2], stack[1].numpy())


def test_one_square_needs_no_stack() -> None:
    assert eq.figures.corner_patterns([0.0, 0.0, 0.0, 0.0], [0.0, 1.0]).axes


def test_plane_orbits_lie_on_their_ellipses() -> None:
    M = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    points = eq.cyclic(5).plane[:, :, 0] @ torch.linalg.inv(torch.linalg.cholesky(M))  # xᵀMx = 1
    ax = eq.figures.plane_orbits(points[None], M, title="t").axes[0]
    curve = np.stack(ax.lines[0].get_data())
    assert np.allclose(np.einsum("in,ij,jn->n", curve, M.numpy(), curve), 1)
    assert len(ax.lines) == 3 and ax.get_title() == "t"
    assert ax.get_xlim()[1] > float(points.abs().max())


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: eq.figures.corner_patterns(torch.ones(3)), r"\(n, 4\).*\(1, 3\)"),
        (lambda: eq.figures.corner_patterns(torch.ones(2, 4), torch.ones(1, 2)), r"arrows must be \(2, 2\)"),
        (lambda: eq.figures.corner_patterns(torch.ones(2, 4), titles=["a"]), "1 titles were given for 2 squares"),
        (lambda: eq.figures.corner_patterns(torch.ones(4), matrices=[torch.eye(4)]), "below 1 squares stand 1"),
        (lambda: eq.figures.plane_orbits(torch.ones(4, 2)), r"\(orbits, n, 2\)"),
        (lambda: eq.figures.plane_orbits(torch.ones(1, 4, 2), -torch.eye(2)), "positive definite"),
        (lambda: eq.figures.plane_orbits(torch.ones(1, 4, 2), torch.ones(3, 3)), "positive definite"),
    ],
)
def test_errors_say_the_shape(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()

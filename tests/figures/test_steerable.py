"""Arrows on images, and which frequencies the pixels confuse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import equibook as eq
from equibook.figures.steerable import _cosines


def test_arrows_point_up_where_y_grows() -> None:
    arrows = torch.zeros(1, 2, 3, 3)
    arrows[0, 1, 0, 2] = 1.0
    ax = eq.figures.arrow_field(torch.rand(1, 3, 3), arrows, ["one"]).axes[0]
    (quiver,) = ax.collections
    assert quiver.get_offsets().tolist() == [[2.0, 0.0]]
    assert quiver.V.tolist() == [1.0] and quiver.U.tolist() == [0.0]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # row 0 is on top


def test_frames_have_the_same_size() -> None:
    sizes = {
        tuple(eq.figures.arrow_field(torch.rand(2, 1, 5, 5), torch.randn(2, 2, 5, 5), ["a", b]).get_size_inches())
        for b in ("b", "90°")
    }
    assert len(sizes) == 1


def test_quarter_turns_keep_most_frequencies_apart() -> None:
    cosines = _cosines(3, 1.0, 0.4, 6)
    for f in range(7):
        for g in range(7):
            if (f - g) % 4 and (f + g) % 4:
                assert cosines[f, g] < 1e-12
    assert np.allclose(np.diag(cosines), 1)
    assert cosines[3, 5] > 0.99 and 0.3 < cosines[1, 3] < 0.7


def test_leakage_draws_one_table_a_ring() -> None:
    figure = eq.figures.leakage([(3, 1.0, 0.4), (9, 3.0, 0.6)], ["small", "large"], highest=4)
    assert len(figure.axes) == 2
    assert figure.axes[0].get_images()[0].get_array().shape == (5, 5)
    assert figure.get_figwidth() <= 7.2


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"arrows \(n, 2, h, w\)"):
        eq.figures.arrow_field(torch.rand(1, 3, 3), torch.rand(1, 3, 3))
    with pytest.raises(ValueError, match="titles"):
        eq.figures.leakage([(3, 1.0, 0.4)], ["a", "b"])

"""Pictures of functions on features: squares in rows, the plane in which a turn and a function disagree, samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from matplotlib.patches import Circle
from torch import Tensor

import equibook as eq


def test_squares_stand_in_rows_with_rounded_numbers_titles_and_names() -> None:
    values = torch.tensor([[[1.4, 2.0, 3.0, -0.2], [5.0, 6.0, 7.0, 8.0]]])
    ax = eq.figures.corner_grid(values, ["x", "y"], ["row"]).axes[0]
    texts = {text.get_text(): text.get_position() for text in ax.texts}
    assert {"x", "y", "row", "1", "0", "8"} <= set(texts) and "−0" not in texts
    assert texts["1"][0] > texts["2"][0] and texts["1"][1] < texts["0"][1]  # y grows downward
    assert texts["5"][0] > texts["1"][0] and texts["row"][0] < texts["2"][0]
    assert len([patch for patch in ax.patches if isinstance(patch, Circle)]) == 8
    fine = eq.figures.corner_grid(values, decimals=1).axes[0]
    assert {"1.4", "−0.2"} <= {text.get_text() for text in fine.texts}


def field(figure: eq.figures.Figure, panel: int) -> np.ndarray:
    return np.asarray(figure.axes[panel].get_images()[0].get_array().filled(np.nan), dtype=float)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 180])
def test_the_plane_shows_where_a_turn_and_a_function_disagree(degrees: int) -> None:
    figure = eq.figures.commutation_plane({"ReLU": torch.relu, "tanh": torch.tanh, "twice": lambda x: 2 * x}, degrees)
    relu, tanh, twice = (field(figure, k) for k in range(3))
    inside = np.isfinite(relu)
    assert (np.nanmax(relu) < 1e-12) == (degrees == 0)
    assert (np.nanmax(tanh) < 1e-12) == (degrees % 90 == 0)
    assert np.nanmax(twice) < 1e-12
    # by hand, at one point
    row, column = 10, 35
    side = np.linspace(-2, 2, 61)
    x = np.array([side[column], -side[row]])
    a = math.radians(degrees)
    R = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    assert relu[row, column] == pytest.approx(np.linalg.norm(np.maximum(R @ x, 0) - R @ np.maximum(x, 0)), abs=1e-12)
    mark = figure.axes[3].lines[1].get_xydata()[0]
    assert mark == pytest.approx([degrees, relu[inside].mean()])


def test_round_off_is_not_shown() -> None:
    def norm(x: Tensor) -> Tensor:
        return x * x.norm(dim=1, keepdim=True)

    figure = eq.figures.commutation_plane({"norm": norm}, 30)
    assert figure.axes[0].get_images()[0].get_clim() == (-1.0, 1.0)
    assert field(figure, 0)[30, 30] < 1e-12


def test_every_frame_of_the_slider_has_one_scale_and_size() -> None:
    figures = [eq.figures.commutation_plane({"tanh": torch.tanh}, d) for d in (0, 45)]
    assert len({str(f.axes[0].get_images()[0].get_clim()) for f in figures}) == 1
    assert len({str(f.axes[1].get_ylim()) for f in figures}) == 1
    assert len({tuple(f.get_size_inches()) for f in figures}) == 1


def test_a_sampled_circle_closes_its_curves() -> None:
    angles = torch.arange(6) * (2 * math.pi / 6)
    ax = eq.figures.sampled_circle({"f": angles.cos(), "g": angles.sin()}, (angles[::2], angles[::2].cos())).axes[0]
    f, g, dots = ax.lines
    assert f.get_xdata()[-1] == 360 and f.get_ydata()[-1] == f.get_ydata()[0]
    assert np.allclose(g.get_ydata()[:-1], angles.sin())
    assert np.allclose(dots.get_xdata(), [0, 120, 240])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["f", "g"]
    fixed = eq.figures.sampled_circle({"f": angles}, (angles, angles), limits=(-1, 7), title="t").axes[0]
    assert fixed.get_ylim() == (-1, 7) and fixed.get_title() == "t"


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: eq.figures.corner_grid(torch.ones(2, 4)), r"\(rows, columns, 4\).*\(2, 4\)"),
        (lambda: eq.figures.corner_grid(torch.ones(1, 2, 4), titles=["a"]), "1 titles were given for 2 columns"),
        (lambda: eq.figures.corner_grid(torch.ones(1, 2, 4), names=["a", "b"]), "2 names were given for 1 rows"),
        (lambda: eq.figures.sampled_circle({k: [0.0] for k in "abcd"}, ([0.0], [0.0])), "three curves at most; got 4"),
    ],
)
def test_errors_say_what_was_given(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()

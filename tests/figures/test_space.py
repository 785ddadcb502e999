"""Clouds and spectra of clouds: where points are drawn, how large, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import equibook as eq

PAGE = 7.2


def offsets(figure: eq.figures.Figure) -> np.ndarray:
    return np.asarray(figure.axes[0].collections[0].get_offsets())


def test_z_points_up_and_y_to_the_right() -> None:
    center, up, right = (
        offsets(eq.figures.clouds(torch.tensor([[point]]), reach=2.0))[0]
        for point in ([0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0])
    )
    assert up[1] < center[1] and abs(up[0] - center[0]) < 1e-9  # inches from the top
    assert right[0] > center[0]


def test_near_points_are_drawn_last() -> None:
    x = torch.tensor([[[1.0, 0.3, 0.2], [-1.0, -0.3, -0.2]]])  # the first is nearer
    first, last = offsets(eq.figures.clouds(x))
    near = offsets(eq.figures.clouds(x[:, :1], reach=1.05 * float(x[0, 0].norm())))[0]
    assert np.allclose(last, near) and not np.allclose(first, near)


@pytest.mark.parametrize(("count", "columns"), [(1, None), (5, None), (12, 6), (20, None)])
def test_clouds_fit_the_page(count: int, columns: int | None) -> None:
    figure = eq.figures.clouds(torch.randn(count, 30, 3), [f"{k}" for k in range(count)], columns=columns, size=1.05)
    assert figure.get_figwidth() <= PAGE
    assert len(figure.axes[0].texts) == count
    assert len(eq.figures.png(figure)) < 150_000


def test_arrows_alone_have_labels() -> None:
    figure = eq.figures.clouds(torch.zeros(2, 0, 3), arrows=torch.randn(2, 3, 3), labels=["a", "b", "c"])
    assert [text.get_text() for text in figure.axes[0].texts] == 2 * ["", "a", "", "b", "", "c"]


@pytest.mark.parametrize("spokes", [False, True])
def test_spectrum_has_a_cloud_and_bars(spokes: bool) -> None:
    figure = eq.figures.cloud_spectrum(torch.randn(4, 3), torch.randn(9), arrows=torch.randn(1, 3), spokes=spokes)
    drawing, chart = figure.axes
    assert len(chart.patches) == 3 + 9  # a box a degree, a bar a number
    assert len(drawing.get_lines()) == (4 if spokes else 0)
    assert figure.get_figwidth() <= PAGE


def test_frames_of_one_slider_have_one_size() -> None:
    sizes = {
        tuple(eq.figures.cloud_spectrum(torch.randn(7, 3), torch.randn(16), limit=3.0, reach=2.0).get_size_inches())
        for _ in range(3)
    }
    assert len(sizes) == 1


def test_nothing_to_scale_by() -> None:
    assert len(eq.figures.cloud_spectrum(torch.zeros(2, 3), torch.zeros(4)).axes) == 2


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(clouds, points, 3\); got \(5, 3\)"):
        eq.figures.clouds(torch.zeros(5, 3))
    with pytest.raises(ValueError, match="1 titles were given for 2 clouds"):
        eq.figures.clouds(torch.zeros(2, 5, 3), ["one"])
    with pytest.raises(ValueError, match="1 sets of arrows were given for 2 clouds"):
        eq.figures.clouds(torch.zeros(2, 5, 3), arrows=torch.zeros(1, 2, 3))
    with pytest.raises(ValueError, match="1 labels were given for 2 arrows"):
        eq.figures.clouds(torch.zeros(2, 5, 3), arrows=torch.zeros(2, 2, 3), labels=["a"])
    with pytest.raises(ValueError, match=r"\(L \+ 1\)² numbers.*got 5"):
        eq.figures.cloud_spectrum(torch.zeros(5, 3), torch.zeros(5))

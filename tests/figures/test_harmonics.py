"""Globes and spectra: what is drawn, how large it is, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import equibook as eq

PAGE = 7.2


def drawn(figure: eq.figures.Figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]


def test_globes_show_the_side_that_faces_us() -> None:
    z, x = drawn(eq.figures.globes(torch.eye(4)[[2, 3]], ["z", "x"]))
    middle = z.shape[0] // 2
    assert np.isnan(z[0, 0])  # beside the globe
    assert z[10, middle] > 0.9 and z[-10, middle] < 0  # north is up; we look from a little above
    assert x[middle + 20, middle] > 0.8  # the x axis points at us


def test_a_rotation_moves_the_function_and_keeps_the_boxes() -> None:
    generator = torch.Generator().manual_seed(0)
    c = torch.randn(16, dtype=torch.float64, generator=generator)
    V = sum(eq.irreps(eq.so3(), degree=3))
    turned = V.matrix(eq.haar_sample(eq.so3(), 1, generator=generator)[0]) @ c
    figure = eq.figures.globe_spectra(torch.stack([c, turned]), ["before", "after"])
    before, after = drawn(figure)
    assert not np.allclose(before, after, equal_nan=True)
    boxes = [[patch.get_path().get_extents().extents for patch in ax.patches[::1]] for ax in figure.axes[1:]]
    # The first patch of a block is its box, then come its bars.
    starts = np.cumsum([0, 2, 4, 6])
    assert np.allclose([boxes[0][k] for k in starts], [boxes[1][k] for k in starts])
    assert [len(ax.patches) for ax in figure.axes[1:]] == [20, 20]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_spectra_fit_the_page(count: int) -> None:
    figure = eq.figures.globe_spectra(torch.randn(count, 81), [f"{k}" for k in range(count)])
    assert figure.get_figwidth() <= PAGE
    assert len(figure.axes) == count + 1
    assert len(eq.figures.png(figure)) < 150_000


@pytest.mark.parametrize("degree", range(6))
def test_pyramid(degree: int) -> None:
    figure = eq.figures.harmonic_pyramid(degree)
    assert len(drawn(figure)) == (degree + 1) ** 2
    assert figure.get_figwidth() <= PAGE + 1e-9


def test_aliasing_draws_the_same_samples_twice() -> None:
    lines = eq.figures.aliasing(3, 5, 8).axes[0].get_lines()
    low, high = (line.get_ydata() for line in lines if len(line.get_ydata()) == 8)
    assert np.allclose(low, high)
    lines = eq.figures.aliasing(3, 5, 16).axes[0].get_lines()
    low, high = (line.get_ydata() for line in lines if len(line.get_ydata()) == 16)
    assert not np.allclose(low, high)


def test_zero_is_drawn_too() -> None:
    assert len(drawn(eq.figures.globe_spectra(torch.zeros(9)))) == 1
    assert len(drawn(eq.figures.globes(np.zeros((5, 4)), columns=2))) == 5


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(L \+ 1\)²"):
        eq.figures.globes(torch.ones(5))
    with pytest.raises(ValueError, match="2 titles were given for 1 globes"):
        eq.figures.globes(torch.ones(4), ["a", "b"])
    with pytest.raises(ValueError, match="3 at most"):
        eq.figures.globe_spectra(torch.ones(4, 9))
    with pytest.raises(ValueError, match="0 to 5"):
        eq.figures.harmonic_pyramid(6)
    with pytest.raises(ValueError, match="one at least"):
        eq.figures.aliasing(1, 2, 0)

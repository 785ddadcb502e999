"""Matrices that turn into blocks, and patterns in their invariant planes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import equibook as eq

S3, C5 = eq.symmetric(3), eq.cyclic(5)


def drawn(figure: eq.figures.Figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]


@pytest.mark.parametrize("V", [eq.regular(S3), eq.permutation(eq.symmetric(5)), eq.pixels(eq.dihedral(4), 3)], ids=str)
def test_matrices_become_blocks_and_stay_orthogonal_on_the_way(V: eq.Representation) -> None:
    D, elements = eq.decompose(V), [1, 2]
    sizes = [rho.dim for rho, m in zip(eq.irreps(V.group), D.multiplicities, strict=True) for _ in range(m)]
    before, middle, after = (
        drawn(eq.figures.blocks(V.matrix(elements), sizes, basis=D.basis, t=t)) for t in (0.0, 0.5, 1.0)
    )
    assert np.allclose(before, V.matrix(elements))
    for matrix in middle:
        assert np.allclose(matrix @ matrix.T, np.eye(V.dim))
    assert np.allclose(after, D.representation.matrix(elements), atol=1e-9)


def test_blocks_have_frames() -> None:
    figure = eq.figures.blocks(torch.eye(6)[None], [1, 2, 3], ["one"])
    frames = [patch.get_width() for patch in figure.axes[0].patches[1:]]  # the first is that of the matrix
    assert np.allclose(np.array(frames) / frames[0], [1, 2, 3])


def test_a_pattern_and_its_shadows() -> None:
    V = eq.regular(C5)
    Q = eq.decompose(V).basis
    x = torch.tensor([1.0, -2.0, 0.0, 0.0, 0.5], dtype=torch.float64)
    orbit = torch.stack([V.matrix(k) @ x for k in range(3)])
    ax = eq.figures.invariant_planes(orbit, [Q[:, 1:3], Q[:, 3:5]], ["pattern", "one", "two"]).axes[0]
    texts = [text.get_text() for text in ax.texts]
    assert texts[:6] == ["pattern", "0", "0.5", "1", "−2", "0"]  # after two turns, from corner 0
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(dots) == 4  # two steps before this one, in two planes


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: eq.figures.blocks(torch.ones(2, 3), [3]), r"square matrices.*\(2, 3\)"),
        (lambda: eq.figures.blocks(torch.eye(3)[None], [1, 1]), "do not fill matrices of size 3"),
        (lambda: eq.figures.blocks(torch.eye(3)[None], [1, 2], basis=torch.eye(2)), r"basis must be \(3, 3\)"),
        (
            lambda: eq.figures.blocks(torch.eye(4)[None], [4], basis=torch.diag(torch.tensor([1.0, 1, -1, 1])), t=0.5),
            "into its opposite",
        ),
        (lambda: eq.figures.invariant_planes(torch.ones(5), torch.ones(1, 5, 2)), "orbit must be"),
        (lambda: eq.figures.invariant_planes(torch.ones(1, 5), torch.ones(1, 4, 2)), r"\(planes, 5, 2\)"),
        (lambda: eq.figures.invariant_planes(torch.ones(1, 5), torch.ones(1, 5, 2), ["a"]), "1 titles"),
    ],
)
def test_bad_input_is_named(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()  # type: ignore[operator]

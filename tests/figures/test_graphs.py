"""Pictures of sets and graphs: what is drawn, and what is refused."""

from __future__ import annotations

import pytest
import torch
from matplotlib.lines import Line2D

import equibook as eq
from equibook.figures import graphs


def lines(figure: eq.figures.Figure) -> list[Line2D]:
    return [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2]


def test_every_edge_and_point_is_drawn() -> None:
    figure = eq.figures.graph_drawings([eq.data.cycles(3, 3), eq.data.cycles(5)], ["a", "b"])
    assert len(lines(figure)) == 6 + 5
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("1") == 2 and "a" in texts and "b" in texts
    points = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    width, height = figure.get_size_inches()
    assert all(0 < p.get_xdata()[0] < width and 0 < p.get_ydata()[0] < height for p in points)


def test_colors_have_shapes_of_their_own() -> None:
    figure = eq.figures.graph_drawings(eq.data.cycles(4), colors=torch.tensor([[0, 1, 2, 1]]))
    points = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    assert len({point.get_marker() for point in points}) == len({point.get_color() for point in points}) == 3


@pytest.mark.parametrize("pattern", eq.set_partitions(4), ids=str)
def test_the_picture_of_a_pattern_shows_its_map(pattern: tuple[int, ...], generator: torch.Generator) -> None:
    X = torch.randint(-3, 4, (4, 4), generator=generator).double()
    Y = graphs._on(pattern, X.numpy())
    assert torch.equal(torch.from_numpy(Y).flatten(), eq.partition_map(pattern, (2, 2), 4) @ X.flatten())
    figure = eq.figures.partition_picture(X, pattern)
    joined = sum(pattern[a] == pattern[b] for a in range(4) for b in range(a))
    assert len(lines(figure)) == joined
    assert tuple(figure.get_size_inches()) == (5.6, 2.5)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert sum(f"{value:g}".replace("-", "−") in texts for value in Y.ravel()) == 16


def test_formulas() -> None:
    assert graphs._formula((0, 1, 1, 0)) == "$Y_{ij} = X_{ji}$"
    assert graphs._formula((0, 0, 1, 1)) == r"$Y_{ii} = \sum_{a} X_{aa}$, else $0$"
    assert graphs._formula((0, 1, 2, 3)) == r"$Y_{ij} = \sum_{a,b} X_{ab}$"


def test_reorderings_share_their_scale() -> None:
    figure = eq.figures.reorderings([0.0, 1.0], {"a": [[0.0, 3.0]], "b": [[0.1, 0.9]] * 5})
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim() and left.get_title() == "a"


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        eq.figures.graph_drawings([torch.ones(2, 3)])
    with pytest.raises(ValueError, match="1 titles were given for 2 graphs"):
        eq.figures.graph_drawings(torch.ones(2, 3, 3), ["one"])
    with pytest.raises(ValueError, match="a pattern of four"):
        eq.figures.partition_picture(torch.eye(3), (0, 1))
    with pytest.raises(ValueError, match=r"give \(orders, 2\)"):
        eq.figures.reorderings([0.0, 1.0], {"a": [[0.0]]})

"""Color refinement, and graphs that it cannot take apart."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

import equibook as eq


def refined_by_hand(A: Tensor, rounds: int) -> list[tuple]:
    """The colors written out as nested tuples."""
    colors: list[tuple] = [()] * len(A)
    for _ in range(rounds):
        colors = [
            (colors[i], tuple(sorted((colors[j] for j in range(len(A)) if A[i, j]), key=repr))) for i in range(len(A))
        ]
    return colors


@pytest.mark.parametrize("rounds", [0, 1, 2, 3])
def test_refinement_is_its_definition(rounds: int, generator: torch.Generator) -> None:
    graphs = eq.data.random_graphs(6, 7, 0.3, generator=generator)
    colors = eq.data.color_refinement(graphs, rounds)[-1].flatten()
    byhand = [color for A in graphs for color in refined_by_hand(A, rounds)]
    same = torch.tensor([[a == b for a in byhand] for b in byhand])
    assert torch.equal(colors[:, None] == colors[None], same)


def test_colors_move_with_the_points_and_stop_changing(generator: torch.Generator) -> None:
    A = eq.data.random_graphs(1, 9, 0.3, generator=generator)[0]
    order = torch.randperm(9, generator=generator)
    pair = torch.stack([A, A[order][:, order]])
    both = eq.data.color_refinement(pair)
    assert torch.equal(both[-1, 0, order], both[-1, 1])
    longer = eq.data.color_refinement(pair, len(both) + 2)
    assert torch.equal(longer[: len(both)], both) and bool((longer[len(both) :] == both[-1]).all())
    assert not torch.equal(both[-1], both[-2])  # the last round that is kept split a color


def test_a_color_that_splits_keeps_its_number_in_one_part(generator: torch.Generator) -> None:
    graphs = eq.data.random_graphs(20, 8, 0.3, generator=generator)
    colors = eq.data.color_refinement(graphs)
    for old, new in itertools.pairwise(colors.flatten(1)):
        for color in old.unique():
            assert (new[old == color] == color).any()
        assert torch.equal(new.unique(), torch.arange(int(new.max()) + 1))


def test_graphs_without_points_or_graphs() -> None:
    assert eq.data.color_refinement(torch.zeros(3, 0, 0)).shape == (1, 3, 0)
    assert eq.data.color_refinement(torch.zeros(0, 4, 4), 2).shape == (3, 0, 4)


def test_regular_graphs_keep_one_color_and_others_do_not(generator: torch.Generator) -> None:
    graphs = eq.data.regular_graphs(20, 8, 3, generator=generator)
    assert graphs.shape == (20, 8, 8) and torch.equal(graphs, graphs.mT)
    assert bool((graphs.sum(dim=-1) == 3).all()) and bool(((graphs == 0) | (graphs == 1)).all())
    assert not eq.data.color_refinement(graphs).any()
    pair = torch.stack([eq.data.cycles(3, 3), eq.data.cycles(6)])
    assert not eq.data.color_refinement(pair).any()


def test_every_numbered_regular_graph_is_equally_likely(generator: torch.Generator) -> None:
    """2-regular graphs of 5 points are the 12 pentagons."""
    graphs = eq.data.regular_graphs(6000, 5, 2, generator=generator)
    _, counts = torch.unique(graphs.flatten(1), dim=0, return_counts=True)
    assert len(counts) == 12 and bool(((counts - 500).abs() < 110).all())  # five standard deviations


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="d · n is even"):
        eq.data.regular_graphs(1, 5, 3)
    with pytest.raises(ValueError, match="above 4"):
        eq.data.regular_graphs(1, 8, 6)
    with pytest.raises(ValueError, match="square"):
        eq.data.color_refinement(torch.ones(2, 3))

"""Random graphs and sets, and their counts beside slow ones."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from torch import Tensor

import equibook as eq


def count_triangles(A: Tensor) -> int:
    return sum(bool(A[i, j] and A[j, k] and A[i, k]) for i, j, k in combinations(range(len(A)), 3))


def count_components(A: Tensor) -> int:
    left, count = set(range(len(A))), 0
    while left:
        count += 1
        front = [left.pop()]
        for i in front:
            near = {j for j in left if A[i, j]}
            left -= near
            front += near
    return count


@pytest.mark.parametrize("p", [0.0, 0.15, 0.5, 1.0])
def test_counts(p: float, generator: torch.Generator) -> None:
    for n in (1, 2, 3, 5, 9):
        graphs = eq.data.random_graphs(20, n, p, generator=generator)
        assert eq.data.triangles(graphs).tolist() == [count_triangles(A) for A in graphs]
        assert eq.data.connected_components(graphs).tolist() == [count_components(A) for A in graphs]


def test_a_long_path_is_connected(generator: torch.Generator) -> None:
    for n in (2, 10, 18, 34, 65):  # 2^k + 1 steps and more
        path = torch.eye(n).roll(1, 0)
        path[0] = 0
        # its ends first, so that only a path of n − 1 steps joins them
        p = torch.cat([torch.tensor([0, n - 1]), 1 + torch.randperm(n - 2, generator=generator)])
        assert int(eq.data.connected_components((path + path.mT)[p][:, p])) == 1


def test_random_graphs(generator: torch.Generator) -> None:
    p = torch.tensor([0.2, 0.8]).repeat(200)
    A = eq.data.random_graphs(400, 12, p, generator=generator, dtype=torch.float64)
    assert A.dtype == torch.float64 and A.shape == (400, 12, 12)
    assert torch.equal(A, A.mT) and float(A.diagonal(dim1=1, dim2=2).sum()) == 0 and set(A.unique().tolist()) == {0, 1}
    share = A.sum((1, 2)) / (12 * 11)
    for start, expected in ((0, 0.2), (1, 0.8)):
        assert float(share[start::2].mean()) == pytest.approx(expected, abs=5 * (0.16 / (66 * 200)) ** 0.5)
    again = eq.data.random_graphs(400, 12, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(A, again)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1; got"):
            eq.data.random_graphs(2, 3, wrong)
    with pytest.raises(ValueError, match=r"one for each of the 2 graphs; got \(3,\)"):
        eq.data.random_graphs(2, 3, torch.zeros(3))


def test_cycles() -> None:
    A = eq.data.cycles(3, 5)
    assert torch.equal(A, A.mT) and A.sum(0).tolist() == [2.0] * 8 and set(A.unique().tolist()) == {0, 1}
    assert int(eq.data.connected_components(A)) == 2 and int(eq.data.triangles(A)) == 1
    for wrong in ((), (2,), (3, 1)):
        with pytest.raises(ValueError, match="at least 3 points; got the lengths"):
            eq.data.cycles(*wrong)


def test_gaussian_sets(generator: torch.Generator) -> None:
    x, y = eq.data.gaussian_sets(500, 400, generator=generator)
    assert x.shape == (500, 1, 400) and y.shape == (500,)
    assert float(y.min()) >= -1 and float(y.max()) <= 1 and float(y.std()) == pytest.approx(3**-0.5, abs=0.05)
    errors = (x[:, 0].std(1).log() - y) * 798**0.5  # standard normal, nearly: of mean 0 and standard deviation 1
    assert abs(float(errors.mean())) < 5 * (1 / 500) ** 0.5
    assert abs(float(errors.std()) - 1) < 5 * (1 / 1000) ** 0.5
    assert float(x.mean((1, 2)).std()) == pytest.approx(1, abs=0.2)

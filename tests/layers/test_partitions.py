"""Patterns of equal indices: how many there are, and that their maps are those of Hom."""

from __future__ import annotations

import itertools

import pytest
import torch

import equibook as eq


@pytest.mark.parametrize(("size", "bell"), list(enumerate([1, 1, 2, 5, 15, 52, 203, 877])))
def test_as_many_as_the_bell_number(size: int, bell: int) -> None:
    found = eq.set_partitions(size)
    assert len(set(found)) == len(found) == bell


def test_groups_are_numbered_as_they_appear_and_there_are_no_others() -> None:
    every = {
        tuple({g: k for k, g in reversed(list(enumerate(dict.fromkeys(p))))}[g] for g in p)
        for p in itertools.product(range(4), repeat=4)
    }
    assert every == set(eq.set_partitions(4))
    assert [len(eq.set_partitions(4, blocks=n)) for n in range(5)] == [0, 1, 8, 14, 15]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("orders", [(0, 0), (0, 2), (1, 1), (2, 1), (1, 2), (2, 2)], ids=str)
@pytest.mark.parametrize("exact", [True, False])
def test_the_maps_are_a_basis_of_hom(orders: tuple[int, int], n: int, exact: bool) -> None:
    layer = eq.PermutationLinear(1, 1, orders)
    basis = (layer.source(n) >> layer.target(n)).basis().flatten(1)
    patterns = eq.set_partitions(sum(orders), blocks=n)
    maps = torch.stack([eq.partition_map(p, orders, n, exact=exact) for p in patterns]).flatten(1)
    assert len(maps) == len(basis) == int(torch.linalg.matrix_rank(maps))
    assert float((maps - maps @ basis.T @ basis).norm()) < 1e-12 * float(maps.norm())
    if exact:
        gram = maps @ maps.T
        assert torch.equal(gram, gram.diagonal().diag())


def test_patterns_with_more_blocks_than_points_do_not_occur() -> None:
    assert not eq.partition_map((0, 1, 2, 3), (2, 2), 3, exact=True).any()
    assert eq.partition_map((0, 1, 2, 3), (2, 2), 3).all()


def test_a_map_written_out() -> None:
    X = torch.arange(9.0, dtype=torch.float64).view(3, 3)
    Y = (eq.partition_map((0, 1, 2, 1), (2, 2), 3) @ X.flatten()).view(3, 3)  # Y_ij = Σ_k X_kj
    assert torch.equal(Y, X.sum(dim=0).expand(3, 3))
    y = eq.partition_map((0, 0, 1), (2, 1), 3) @ X.flatten()  # output i, input (i, l)
    assert torch.equal(y, X.sum(dim=1))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="size is -1"):
        eq.set_partitions(-1)
    with pytest.raises(ValueError, match="have 4 indices; got a pattern of 2"):
        eq.partition_map((0, 1), (2, 2), 3)

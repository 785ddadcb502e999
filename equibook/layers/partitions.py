r"""Patterns of equal indices: the set partitions that the equivariant maps over n points are made of.

An entry of a map from tensors of order k to tensors of order l has l + k indices, l of the output and then
k of the input. Permuting the points keeps which of them are equal and can change everything else. So a map
commutes with S_n if and only if its entries depend on that pattern alone, and a pattern is a partition of
the l + k indices into blocks of equal ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["partition_map", "set_partitions"]


def set_partitions(size: int, blocks: int | None = None) -> list[tuple[int, ...]]:
    """All ways to share out things into groups, as many as the Bell number 1, 1, 2, 5, 15, 52, …

    Args:
        size: how many things.
        blocks: the largest number of groups; any if not given.

    Returns:
        For each partition the group of each thing. Groups are numbered in the order in which they appear.

    Raises:
        ValueError: if the size is negative.

    >>> set_partitions(3)
    [(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, 2)]
    >>> [len(set_partitions(size)) for size in range(7)]
    [1, 1, 2, 5, 15, 52, 203]
    >>> [len(set_partitions(4, blocks)) for blocks in (1, 2, 3, 4)]
    [1, 8, 14, 15]

    Chapter: Sets and graphs
    """
    if size < 0:
        raise ValueError(f"size is {size}; it is the number of things to share out.")
    found: list[tuple[int, ...]] = [()]
    for _ in range(size):
        found = [(*p, group) for p in found for group in range(max(p, default=-1) + 2)]
    return [p for p in found if blocks is None or max(p, default=-1) < blocks]


def partition_map(pattern: Sequence[int], orders: tuple[int, int], points: int, *, exact: bool = False) -> Tensor:
    r"""The equivariant map of one pattern, as a dense matrix of 0 and 1.

    The entry at output indices i₁, …, i_l and input indices j₁, …, j_k is 1 where indices of one block
    are equal. With `exact`, indices of different blocks must also differ: these maps are orthogonal, as
    no two share an entry. Both kinds span Hom.

    Args:
        pattern: a partition of the l + k indices, first those of the output; see `set_partitions`.
        orders: (k, l).
        points: n.
        exact: whether different blocks have different indices.

    Returns:
        (nˡ, nᵏ), float64.

    Raises:
        ValueError: if the pattern has not l + k entries.

    >>> partition_map((0, 0), (1, 1), 2).tolist()                       # the identity
    [[1.0, 0.0], [0.0, 1.0]]
    >>> partition_map((0, 1), (1, 1), 2).tolist()                       # the sum, to everyone
    [[1.0, 1.0], [1.0, 1.0]]
    >>> partition_map((0, 1), (1, 1), 2, exact=True).tolist()           # the sum of the others
    [[0.0, 1.0], [1.0, 0.0]]

    Chapter: Sets and graphs

    Reference: Maron, Ben-Hamu, Shamir and Lipman (2019).
    """
    k, l = orders
    if len(pattern) != k + l:
        raise ValueError(f"orders {orders!r} have {k + l} indices; got a pattern of {len(pattern)}: {pattern!r}.")
    entries = torch.ones([points] * (k + l), dtype=torch.bool)
    for a in range(k + l):
        for b in range(a):
            shape = [points if axis in (a, b) else 1 for axis in range(k + l)]
            equal = torch.eye(points, dtype=torch.bool).view(shape)
            if pattern[a] == pattern[b]:
                entries = entries & equal
            elif exact:
                entries = entries & ~equal
    return entries.reshape(points**l, points**k).double()

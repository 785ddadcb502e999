"""Graphs whose points look alike: the refinement of colors, and random graphs that it cannot take apart."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["color_refinement", "regular_graphs"]


def color_refinement(adjacency: Tensor, rounds: int | None = None) -> Tensor:
    """Colors that points give themselves, again and again, by their neighbors' colors: Weisfeiler and Leman's test.

    All points start with one color. In each round two points stay alike if they were alike and have as many
    neighbors of each color. Where a color splits, one part keeps its number and the others get new ones.
    Colors mean the same in all graphs of the batch, however their points are numbered.

    Args:
        adjacency: (..., n, n), symmetric, of 0 and 1.
        rounds: how many; if not given, until no color splits any more in any of the graphs.

    Returns:
        (rounds + 1, ..., n) integers, the colors after each round.

    Raises:
        ValueError: if the matrices are not square.

    >>> path = torch.diag(torch.ones(3), 1)
    >>> color_refinement(path + path.mT).tolist()               # the two ends, and the two between
    [[0, 0, 0, 0], [0, 1, 1, 0]]

    Chapter: Sets and graphs
    Reference: Weisfeiler and Leman (1968); see Xu et al. (2019).
    """
    if adjacency.ndim < 2 or adjacency.shape[-1] != adjacency.shape[-2]:
        raise ValueError(f"adjacency matrices are square, (..., n, n); got {tuple(adjacency.shape)}.")
    joined = adjacency != 0
    old = torch.zeros(adjacency.shape[:-1], dtype=torch.long, device=adjacency.device)
    colors, used = [old], min(old.numel(), 1)
    while rounds is None or len(colors) <= rounds:
        around = torch.where(joined, old.unsqueeze(-2), -1).sort(dim=-1).values
        signs = torch.cat([old.unsqueeze(-1), around], dim=-1).flatten(0, -2)
        parts, part = torch.unique(signs, dim=0, return_inverse=True)  # sorted, so by the old color first
        before = parts[:, 0]
        first = torch.ones_like(before, dtype=torch.bool)
        first[1:] = before[1:] != before[:-1]
        old = torch.where(first, before, used - 1 + (~first).cumsum(0))[part].view_as(old)
        if rounds is None and len(parts) == used:
            break
        used = len(parts)
        colors.append(old)
    return torch.stack(colors)


def regular_graphs(
    count: int,
    points: int,
    degree: int = 3,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Random graphs in which each point has the same number of neighbors.

    Each point gets as many ends of edges as it has neighbors; the ends are joined in random pairs, and
    what has a loop or a double edge is drawn again. So every graph with numbered points is equally likely.

    Args:
        count: how many graphs.
        points: n, the points of each.
        degree: d, the neighbors of a point, at most 4: more would be drawn too often.
        generator: draws the pairs.
        dtype: of the matrices.

    Returns:
        (count, n, n) symmetric adjacency matrices of 0 and 1, with 0 on the diagonal.

    Raises:
        ValueError: if there is no such graph, or the degree is above 4.

    >>> import equibook as eq
    >>> graphs = eq.data.regular_graphs(10, 8, 3)
    >>> bool((graphs.sum(dim=-1) == 3).all()), torch.equal(graphs, graphs.mT)
    (True, True)

    Chapter: Sets and graphs
    Reference: Bollobás (1980), the configuration model.
    """
    if not 0 < degree < points or degree * points % 2:
        raise ValueError(f"no graph of {points} points has {degree} neighbors for each: d < n, and d · n is even.")
    if degree > 4:
        raise ValueError(f"degree is {degree}; above 4 almost every draw has a double edge.")
    found: list[Tensor] = []
    while sum(map(len, found)) < count:
        tries = 10 * count + 10
        ends = torch.rand(tries, points * degree, generator=generator).argsort(dim=1) // degree
        graph = torch.arange(tries)[:, None].expand(-1, points * degree // 2)
        A = torch.zeros(tries, points, points, dtype=dtype)
        A.index_put_((graph, ends[:, ::2], ends[:, 1::2]), torch.ones((), dtype=dtype), accumulate=True)
        A = A + A.mT
        plain = (A <= 1).all(dim=2).all(dim=1) & (A.diagonal(dim1=1, dim2=2) == 0).all(dim=1)
        found.append(A[plain])
    return torch.cat(found)[:count]

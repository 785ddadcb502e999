"""Random graphs and sets, and what can be said of them that does not depend on the order of their points."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["connected_components", "cycles", "gaussian_sets", "random_graphs", "triangles"]


def random_graphs(
    count: int,
    points: int,
    probability: float | Tensor = 0.5,
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Undirected graphs in which each pair of points is joined with the same probability, independently.

    Args:
        count: how many graphs.
        points: n, the points of each.
        probability: of an edge; one number, or (count,) one for each graph.
        generator: draws the edges.
        dtype: of the matrices.

    Returns:
        (count, n, n) symmetric adjacency matrices of 0 and 1, with 0 on the diagonal.

    Raises:
        ValueError: if a probability is not between 0 and 1, or there is not one for each graph.

    >>> import equibook as eq
    >>> graphs = eq.data.random_graphs(100, 8, 0.3)
    >>> graphs.shape, torch.equal(graphs, graphs.mT)
    (torch.Size([100, 8, 8]), True)

    Chapter: Sets and graphs
    Reference: Gilbert (1959); the model that Erdős and Rényi made known.
    """
    p = torch.as_tensor(probability, dtype=torch.float32)
    if p.ndim and p.shape != (count,):
        raise ValueError(f"give one probability, or one for each of the {count} graphs; got {tuple(p.shape)}.")
    if not bool(((p >= 0) & (p <= 1)).all()):
        raise ValueError(f"the probability of an edge lies between 0 and 1; got {probability}.")
    joined = torch.rand(count, points, points, generator=generator) < p.view(-1, 1, 1)
    above = joined.triu(1)
    return (above | above.mT).to(dtype)


def cycles(*lengths: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """The undirected graph whose parts are cycles of the given lengths.

    All graphs of n points made of cycles look alike to a point that knows how many neighbors it and
    its neighbors have: two triangles and a hexagon are the smallest pair.

    Args:
        lengths: of the cycles, each at least 3.
        dtype: of the matrix.

    Returns:
        (n, n) the adjacency matrix, with n the sum of the lengths.

    Raises:
        ValueError: if there is no length, or one is below 3.

    >>> import equibook as eq
    >>> two, one = eq.data.cycles(3, 3), eq.data.cycles(6)
    >>> eq.data.triangles(torch.stack([two, one])).tolist()
    [2, 0]

    Chapter: Sets and graphs
    """
    if not lengths or min(lengths) < 3:
        raise ValueError(f"a cycle has at least 3 points; got the lengths {lengths}.")
    rings = [torch.eye(n, dtype=dtype).roll(1, 0) for n in lengths]
    return torch.block_diag(*[ring + ring.mT for ring in rings])


def triangles(adjacency: Tensor) -> Tensor:
    """The number of triangles in undirected graphs: tr A³ / 6, because each is walked in six ways.

    Args:
        adjacency: (..., n, n), symmetric, of 0 and 1, with 0 on the diagonal.

    Returns:
        (...), integers.

    >>> import equibook as eq
    >>> int(eq.data.triangles(1 - torch.eye(4)))            # all pairs of four points: one triangle leaves out each
    4

    Chapter: Sets and graphs
    """
    A = adjacency.double()
    return ((A @ A * A).sum(dim=(-2, -1)) / 6).round().long()


def connected_components(adjacency: Tensor) -> Tensor:
    """The number of connected components of undirected graphs.

    Args:
        adjacency: (..., n, n), symmetric; two points are joined where the entry is not 0.

    Returns:
        (...), integers.

    >>> import equibook as eq
    >>> int(eq.data.connected_components(eq.data.cycles(3, 4, 5)))
    3

    Chapter: Sets and graphs
    """
    n = adjacency.shape[-1]
    reached = ((adjacency != 0) | torch.eye(n, dtype=torch.bool, device=adjacency.device)).double()
    for _ in range(max(n - 1, 1).bit_length()):  # each square doubles the length of the paths
        reached = (reached @ reached > 0).double()
    # a point is the first of its component if it reaches none before it
    return (reached.tril(-1).sum(dim=-1) == 0).sum(dim=-1)


def gaussian_sets(
    count: int, points: int, *, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Samples of normal laws with random mean and scale, and the logarithm of the scale: a property of sets.

    Args:
        count: how many sets.
        points: n, the numbers in each.
        generator: draws the means (standard normal), the log scales (uniform from −1 to 1) and the numbers.
        dtype: of the result.

    Returns:
        Sets (count, 1, n) and log scales (count,).

    >>> import equibook as eq
    >>> x, y = eq.data.gaussian_sets(100, 50)
    >>> x.shape, y.shape
    (torch.Size([100, 1, 50]), torch.Size([100]))

    Chapter: Sets and graphs
    Reference: Zaheer et al. (2017) estimate statistics of a population from a sample.
    """
    mean = torch.randn(count, 1, 1, generator=generator)
    log_scale = 2 * torch.rand(count, generator=generator) - 1
    noise = torch.randn(count, 1, points, generator=generator)
    return (mean + log_scale.exp()[:, None, None] * noise).to(dtype), log_scale.to(dtype)

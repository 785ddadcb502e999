r"""Message passing between points of space, for features that are scalars, vectors and tensors.

Each point j sends to its neighbor i a message that depends on its features and on where it is,

    m_ij = Σ_p φ_p(‖r_ij‖) C_p (u_ij ⊗ Y(r_ij/‖r_ij‖)),       r_ij = x_j − x_i.

Only differences of positions enter, so translations change nothing. Spherical harmonics Y carry the
direction and turn with it, Clebsch–Gordan coefficients C_p couple them to the features, and radial
functions φ_p, learned, are invariant: the sum turns with the points. It is the convolution with a
steerable kernel, on points in the place of pixels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..representation import LieGroup, Representation, irreps, spherical_harmonics, trivial
from .graphs import aggregate
from .inputs import expect_representation
from .linear import Linear
from .nonlinearities import GatedPointwise
from .tensor_products import TensorProduct

__all__ = ["SteerableMessages", "SteerableNetwork", "edges_within", "from_cartesian", "to_cartesian"]


def from_cartesian(x: Tensor) -> Tensor:
    """A vector (x, y, z) as a feature of degree 1, whose coordinates are ordered (y, z, x).

    Args:
        x: (..., 3).

    Returns:
        (..., 3), the spherical harmonics of degree 1 of x, up to their factor √3.

    >>> from_cartesian(torch.tensor([1.0, 2.0, 3.0])).tolist()
    [2.0, 3.0, 1.0]

    Chapter: Vectors in space
    """
    return x[..., [1, 2, 0]]


def to_cartesian(v: Tensor) -> Tensor:
    """A feature of degree 1, ordered (y, z, x), as a vector (x, y, z): the inverse of `from_cartesian`.

    Args:
        v: (..., 3).

    Returns:
        (..., 3).

    >>> to_cartesian(torch.tensor([2.0, 3.0, 1.0])).tolist()
    [1.0, 2.0, 3.0]

    Chapter: Vectors in space
    """
    return v[..., [2, 0, 1]]


def edges_within(positions: Tensor, radius: float = math.inf, graph: Tensor | None = None) -> Tensor:
    """The pairs of points closer to each other than a radius; without one, all pairs.

    Args:
        positions: (points, 3).
        radius: in the units of the positions.
        graph: (points,) which graph each point belongs to; points of two graphs are not joined.

    Returns:
        (2, edges): the points that send, and the points that receive. Each pair occurs both ways.

    Raises:
        ValueError: if the shapes are others.

    >>> edges_within(torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 0.0, 0.0]]), 2.0).tolist()
    [[0, 1], [1, 0]]

    Chapter: Vectors in space
    """
    _check_positions(positions)
    if graph is not None and graph.shape != positions.shape[:1]:
        raise ValueError(f"Each of {len(positions)} points belongs to one graph; got graph {tuple(graph.shape)}.")
    with torch.no_grad():
        near = torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist") < radius
    if graph is not None:
        near &= graph[:, None] == graph
    near.fill_diagonal_(False)
    return near.nonzero().mT


class SteerableMessages(nn.Module):
    r"""Message passing that commutes with rotations, reflections, translations and permutations of points.

    f_i ↦ A f_i + b + Σ_{j → i} Σ_p φ_p(‖r_ij‖, s_j, s_i) A_p C_p (u_ij ⊗ Y(r_ij/‖r_ij‖)), with
    u_ij = S f_j + T f_i for equivariant S and T. Y holds the spherical harmonics up to a degree; the paths p
    are the ways in which they and a copy of U_i couple to W_k; φ_p is a perceptron of ‖r_ij‖, in a basis of
    Bessel functions, and of the invariant features s of both ends, and falls to 0 at the cut-off.

    Args:
        source: V, the features of a point: a representation of so3() or o3().
        target: W.
        cutoff: the distance at which messages fade to 0, in the units of the positions.
        degree: the highest degree of the spherical harmonics.
        radial: the number of Bessel functions.
        hidden: the width of the perceptron.
        reduce: "sum" or "mean" of the messages to one point.
        generator: draws the initial weights.

    Input features (points, V.dim), positions (points, 3) and edges (2, edges), row 0 the points that send
    and row 1 those that receive; output (points, W.dim).

    Raises:
        ValueError: if the group does not act on space, if no message can reach the target, or in use if shapes do
            not match.

    >>> from equibook import irreps, o3
    >>> even, odd, pseudovector, vector = irreps(o3(), degree=1)
    >>> layer = SteerableMessages(even + vector, 8 * even + 8 * vector, cutoff=3.0)
    >>> x = torch.randn(20, 3)
    >>> layer(torch.randn(20, 4), x, edges_within(x, 3.0)).shape
    torch.Size([20, 32])

    Chapter: Vectors in space

    Reference: Thomas et al. (2018) for the kernel; Brandstetter, Hesselink, van der Pol, Bekkers and
    Welling (2022) for messages that depend on both ends; Gasteiger, Groß and Günnemann (2020) for the basis.
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        cutoff: float,
        *,
        degree: int = 2,
        radial: int = 8,
        hidden: int = 32,
        reduce: str = "sum",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if reduce not in ("sum", "mean"):
            raise ValueError(f'reduce is "sum" or "mean", which commute with rotations; got {reduce!r}.')
        if not cutoff > 0 or math.isinf(cutoff):
            raise ValueError(f"The cut-off is a distance: positive and finite; got {cutoff}.")
        if radial < 1 or hidden < 1:
            raise ValueError(f"radial and hidden are widths, at least 1; got {radial} and {hidden}.")
        self.source, self.target = source, target
        self.attributes = attributes(expect_representation(source, "SteerableMessages"), degree)
        self.cutoff, self.degree, self.reduce = float(cutoff), degree, reduce
        self.own = Linear(source, target, generator=generator)
        self.send = Linear(source, source, bias=False, generator=generator)
        self.receive = Linear(source, source, bias=False, generator=generator)
        self.product = TensorProduct(source, self.attributes, target, generator=generator)
        if not sum(self.product.paths):
            raise ValueError(
                f"Harmonics up to degree {degree} lead from {source} to no part of {target}; raise the degree, or add "
                "parts between the two."
            )
        invariants, start = [], 0
        for V, n in source.summands:
            invariants += list(range(start, start + n * V.dim)) if _is_invariant(V) else []
            start += n * V.dim
        self._invariants: Tensor
        self.register_buffer("_invariants", torch.tensor(invariants, dtype=torch.long), persistent=False)
        self._orders: Tensor  # of the Bessel functions; they take the precision of the layer
        self.register_buffer("_orders", torch.arange(1.0, radial + 1), persistent=False)
        known, inside, paths = (
            n * trivial(source.group) for n in (radial + 2 * len(invariants), hidden, sum(self.product.paths))
        )
        self.radial = nn.Sequential(
            Linear(known, inside, generator=generator), nn.SiLU(), Linear(inside, paths, generator=generator)
        )

    def forward(self, features: Tensor, positions: Tensor, edges: Tensor) -> Tensor:
        _check_positions(positions)
        if features.shape != (len(positions), self.source.dim):
            raise ValueError(
                f"Expected features ({len(positions)}, {self.source.dim}) for {self.source} at {len(positions)} "
                f"points; got {tuple(features.shape)}."
            )
        if edges.ndim != 2 or len(edges) != 2:
            raise ValueError(f"Edges are (2, edges), as edges_within makes them; got {tuple(edges.shape)}.")
        sender, receiver = edges
        away = positions[sender] - positions[receiver]
        distance = away.norm(dim=-1, keepdim=True)
        harmonics = spherical_harmonics(range(self.degree + 1), away)
        invariants = features.index_select(1, self._invariants)
        known = torch.cat([self._bessel(distance), invariants[sender], invariants[receiver]], dim=1)
        factors = self.radial(known) * envelope(distance / self.cutoff)
        u = self.send(features)[sender] + self.receive(features)[receiver]
        channels = self.product.couple(u, harmonics.to(u))
        received = [
            aggregate(z * factor[:, None], receiver, len(features), self.reduce)
            for z, factor in zip(channels, factors.split(self.product.paths, dim=1), strict=True)
        ]
        return self.own(features) + self.product.mix(received)

    def _bessel(self, distance: Tensor) -> Tensor:
        """√(2/3) sin(nπx)/x with x = d/c and n = 1, 2, …, orthonormal for the mean over a ball: (edges, radial)."""
        return math.sqrt(2 / 3) * math.pi * self._orders * torch.sinc(self._orders * distance / self.cutoff)

    def extra_repr(self) -> str:
        return f"{self.source} → {self.target}, cutoff={self.cutoff}, degree={self.degree}, reduce={self.reduce!r}"


class SteerableNetwork(nn.Module):
    r"""Layers of messages with gates and skip connections, and a readout for each point or for each graph.

    f ← f + Gates(Messages(f)), several times, with the gates of `GatedPointwise`. The target may be invariant (a
    class, an energy) or turn with the points (a force: a vector of degree 1, in the order of `from_cartesian`).

    Args:
        source: V, the features of a point: a representation of so3() or o3().
        hidden: the representation between the layers.
        target: W, what is predicted.
        cutoff: the distance at which messages fade to 0.
        layers: how many times.
        pool: None for a prediction at each point; "sum" or "mean" over the points for one of each graph.
        degree, radial, reduce, generator: as for `SteerableMessages`.

    Input features (points, V.dim), positions (points, 3), edges (2, edges) and, to pool, the number of the graph
    of each point (points,) and how many graphs there are, as in a `GraphBatch`; output (points, W.dim) or
    (graphs, W.dim).

    >>> from equibook import irreps, o3
    >>> even, odd, pseudovector, vector = irreps(o3(), degree=1)
    >>> network = SteerableNetwork(even + vector, 8 * even + 8 * vector, vector, cutoff=3.0, layers=2)
    >>> x = torch.randn(20, 3)
    >>> network(torch.randn(20, 4), x, edges_within(x, 3.0)).shape
    torch.Size([20, 3])

    Chapter: Vectors in space

    Reference: Brandstetter, Hesselink, van der Pol, Bekkers and Welling (2022).
    """

    def __init__(
        self,
        source: Representation,
        hidden: Representation,
        target: Representation,
        cutoff: float,
        *,
        layers: int = 3,
        pool: str | None = None,
        degree: int = 2,
        radial: int = 8,
        reduce: str = "sum",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if pool not in (None, "sum", "mean"):
            raise ValueError(f'pool is None, "sum" or "mean", which commute with rotations; got {pool!r}.')
        self.source, self.target, self.pool = source, target, pool
        self.gate = GatedPointwise(hidden, "silu")
        self.embed = Linear(source, hidden, generator=generator)
        self.messages = nn.ModuleList(
            SteerableMessages(
                hidden, self.gate.source, cutoff, degree=degree, radial=radial, reduce=reduce, generator=generator
            )
            for _ in range(layers)
        )
        self.before = Linear(hidden, self.gate.source, generator=generator)
        self.readout = Linear(hidden, target, generator=generator)

    def forward(
        self, features: Tensor, positions: Tensor, edges: Tensor, graph: Tensor | None = None, graphs: int = 1
    ) -> Tensor:
        f = self.embed(features)
        for messages in self.messages:
            f = f + self.gate(messages(f, positions, edges))
        f = self.gate(self.before(f))
        if self.pool is not None:
            if graph is None:
                if graphs != 1:
                    raise ValueError(f"Of {graphs} graphs, `graph` says which one each point belongs to.")
                graph = edges.new_zeros(len(f))
            f = aggregate(f, graph, graphs, self.pool)
        return self.readout(f)


def attributes(V: Representation, degree: int) -> Representation:
    """The representation on the spherical harmonics up to a degree: parity (−1)^l, if the group has one."""
    G = V.group
    if not isinstance(G, LieGroup) or G.size != 3:
        raise ValueError(f"Points of space turn with so3() or o3(); got a representation of {G}.")
    rhos = irreps(G, degree)
    total: Representation = rhos[0]
    for l in range(1, degree + 1):
        total = total + (rhos[2 * l + l % 2] if G.reflects else rhos[l])
    return total


def envelope(x: Tensor) -> Tensor:
    """1 at 0, and 0 from 1 on, with two continuous derivatives: 1 − 28x⁶ + 48x⁷ − 21x⁸."""
    x = x.clamp_max(1)
    return 1 + x**6 * (-28 + x * (48 - 21 * x))


def _is_invariant(W: Representation) -> bool:
    """Whether the group acts on W as the identity."""
    return (trivial(W.group) >> W).dim == W.dim


def _check_positions(positions: Tensor) -> None:
    if positions.ndim != 2 or positions.shape[1] != 3:
        raise ValueError(f"Positions are (points, 3); got {tuple(positions.shape)}.")

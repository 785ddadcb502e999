r"""The nonlinearity of representations whose basis is not permuted: to a basis that is, and back.

The group moves a function on it by (g·f)(t) = f(g⁻¹t), which permutes its values, and σ commutes with that.
Irreducible features are the Fourier coefficients of such functions. So we take the inverse transform,
apply σ to the values, and transform back. On a finite group all of this is exact. On a compact one we can
take a grid only, and σ makes harmonics that the grid cannot tell from others.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..representation import (
    LieGroup,
    Representation,
    circular_harmonics,
    decompose,
    regular,
    sphere_quadrature,
    spherical_harmonics,
)
from ..representation.irreps import Irrep
from ..representation.weights import LieIrrep
from .constants import WithConstants
from .inputs import Channels, expect_representation
from .nonlinearities import Function, named, on_channels

__all__ = ["FourierPointwise"]


class FourierPointwise(WithConstants):
    r"""σ applied to functions on the group, of which the channels are the Fourier coefficients: x ↦ Bσ(Ax).

    Where the basis of V is not permuted, another is: A takes n copies of irreducibles to the values of a function
    f(t) = Σ √d ⟨ρ(t) w, x⟩ on points t, which the group permutes, and B takes the values of σ(f) back to the
    coefficients, BA = 1. The copies of V are dealt out to functions, as many as are needed.

    - On a finite group, t runs over all elements, or over the points of a permutation representation, and the
      layer commutes with the group exactly.
    - On a compact group no finite set of points is permuted, so t runs over a grid. The layer commutes
      with rotations of the grid exactly, and with the others up to the harmonics of σ(f) above those
      that the grid tells apart. The error falls as `samples` grows; `equivariance_error` measures it. It is
      0 if σ is a polynomial of degree p, V has harmonics up to K, and samples > (p + 1)K.

    Args:
        source: V. Its basis need not be one of irreducibles: we change it.
        function: σ, as for `Pointwise`; commutes with everything here.
        on: for a finite group, a permutation representation that contains the irreducibles of V, by default
            ``regular(G)``. For a compact group "group" or "sphere": functions on the group itself, or, with fewer
            points, on the circle or sphere that it turns. A degree l of so3() has 2l + 1 copies in a function on
            the group, and 1 in one on the sphere.
        samples: for a compact group, how many points stand on a circle; 4(K + 1) if not given. A sphere has
            ⌈samples/2⌉ parallels of as many points.

    Attributes:
        functions: how many functions the channels describe.
        points: at how many points each is sampled.

    Input and output (batch, V.dim, ...).

    Raises:
        ValueError: if there are too few points to tell the harmonics of V apart, or if V contains an
            irreducible that no such function has.

    >>> from equibook import equivariance_error, irreps, so2
    >>> V = sum(4 * rho for rho in irreps(so2(), 3))
    >>> coarse, fine = FourierPointwise(V, "relu", samples=8), FourierPointwise(V, "relu", samples=64)
    >>> coarse.functions, coarse.points
    (4, 8)
    >>> x = torch.randn(100, V.dim, generator=torch.Generator().manual_seed(0))
    >>> errors = [equivariance_error(layer, V, V, x) for layer in (coarse, fine)]
    >>> errors[0] > 0.03 > 0.003 > errors[1]
    True

    Chapter: Linear layers and nonlinearities

    Reference: Cohen, Geiger, Köhler and Welling (2018); Cesa, Lang and Weiler (2022).
    """

    analysis: Tensor
    synthesis: Tensor
    change: Tensor | None
    index: Tensor
    place: Tensor

    def __init__(
        self,
        source: Representation,
        function: str | Function = "relu",
        *,
        on: Representation | str | None = None,
        samples: int | None = None,
    ) -> None:
        super().__init__()
        self.source = self.target = expect_representation(source, "FourierPointwise")
        self.channels = Channels(source)
        self.name, self.function, _ = named(function)
        G = source.group
        change, atoms = _as_irreducibles(source)
        if isinstance(G, LieGroup):
            if on not in (None, "group", "sphere"):
                raise ValueError(f'Functions of {G} live on the "group" or the "sphere"; got on={on!r}.')
            values, weights = _sample_compact(G, atoms, on or "group", samples)
            where = f"functions on the {on or 'group'}"
        else:
            if samples is not None:
                raise TypeError(f"{G} is finite: FourierPointwise takes all its elements, and no number of samples.")
            values, weights = _sample_finite(on or regular(G), [rho for rho, _ in atoms], source)
            where = f"{on or regular(G)}"
        for rho, _ in atoms:
            if not values[rho].shape[1]:
                raise ValueError(f"{where} has no copy of {rho}, which {source} contains; leave out on={on!r}.")
        self._arrange(change, atoms, values, weights)

    def _arrange(
        self, change: Tensor | None, atoms: list[tuple[Irrep, int]], values: dict[Irrep, Tensor], weights: Tensor
    ) -> None:
        """Deal out the copies to functions, and keep A, B and where each coefficient comes from."""
        total: dict[Irrep, int] = {}
        for rho, m in atoms:
            total[rho] = total.get(rho, 0) + m
        self.functions = max(-(-m // values[rho].shape[1]) for rho, m in total.items())
        used = {rho: -(-m // self.functions) for rho, m in total.items()}  # copies in one function
        starts, D = {}, 0
        for rho, c in used.items():
            starts[rho], D = D, D + c * rho.dim
        A = torch.cat([values[rho][:, :c].flatten(1) for rho, c in used.items()], dim=1)
        index, place, channel = torch.full((self.functions, D), self.source.dim), [], 0
        seen = dict.fromkeys(total, 0)
        for rho, m in atoms:
            for _ in range(m):
                function, slot = seen[rho] % self.functions, seen[rho] // self.functions
                start = starts[rho] + slot * rho.dim
                index[function, start : start + rho.dim] = torch.arange(channel, channel + rho.dim)
                place += list(range(function * D + start, function * D + start + rho.dim))
                seen[rho] += 1
                channel += rho.dim
        self.points = len(A)
        # Scaled so that white coefficients give values of variance 1.
        self.set_constant("analysis", A / math.sqrt(D))
        self.set_constant("synthesis", (weights[:, None] * A).mT * math.sqrt(D))
        if change is None:
            self.register_buffer("change", None)
        else:
            self.set_constant("change", change)
        self._full = bool((index < self.source.dim).all())
        self.register_buffer("index", index.flatten(), persistent=False)
        self.register_buffer("place", torch.tensor(place), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        z = x if self.change is None else on_channels(self.change.mT, x)
        if not self._full:
            z = torch.cat([z, torch.zeros_like(z[:, :1])], dim=1)
        z = z.index_select(1, self.index).unflatten(1, (self.functions, -1))
        z = torch.einsum("td,bnd...->bnt...", self.analysis, z)
        z = torch.einsum("dt,bnt...->bnd...", self.synthesis, self.function(z))
        z = z.flatten(1, 2).index_select(1, self.place)
        return z if self.change is None else on_channels(self.change, z)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.name}, {self.functions} functions at {self.points} points"


def _as_irreducibles(V: Representation) -> tuple[Tensor | None, list[tuple[Irrep, int]]]:
    """Q and the irreducible summands of S with ρ_V = Q S Qᵀ; no Q where V is such a sum."""
    if all(isinstance(atom, Irrep) for atom, _ in V.summands):
        return None, [(atom, n) for atom, n in V.summands if isinstance(atom, Irrep)]
    found = decompose(V)
    _, atoms = _as_irreducibles(found.representation)
    return found.basis, atoms


def _sample_finite(
    P: Representation | str, atoms: list[Irrep], V: Representation
) -> tuple[dict[Irrep, Tensor], Tensor]:
    """For each irreducible the values of its copies in P, (points, copies, d), orthonormal by the weights 1/points."""
    if not isinstance(P, Representation) or P.images is None:
        raise ValueError(f"Functions of {V.group} live on the points that a representation permutes; got on={P!r}.")
    V._same_group(P)
    found = decompose(P)
    columns = found.basis * math.sqrt(P.dim)
    values, start = {rho: torch.zeros(P.dim, 0, rho.dim, dtype=torch.float64) for rho in atoms}, 0
    for rho, m in found.representation.summands:
        if rho in values:
            values[rho] = columns[:, start : start + m * rho.dim].unflatten(1, (m, rho.dim))
        start += m * rho.dim
    return values, torch.full((P.dim,), 1 / P.dim, dtype=torch.float64)


def _sample_compact(
    G: LieGroup, atoms: list[tuple[Irrep, int]], on: str, samples: int | None
) -> tuple[dict[Irrep, Tensor], Tensor]:
    """The same for a compact group, on a grid with quadrature weights."""
    rhos = [rho for rho, _ in atoms if isinstance(rho, LieIrrep)]
    top = max(rho.degree for rho in rhos)
    n = 4 * (top + 1) if samples is None else samples
    if not isinstance(n, int) or n <= 2 * top:
        raise ValueError(
            f"Harmonics up to degree {top} need at least {2 * top + 1} points on a circle to be told apart, and more "
            f"after a nonlinearity; got samples={samples}."
        )
    angles = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    points, weights = (
        sphere_quadrature(n - 1) if G.size == 3 else (angles, torch.full((n,), 1 / n, dtype=torch.float64))
    )
    if on == "sphere":
        return {rho: _harmonics(rho, points) for rho in rhos}, weights
    grid = _turns_to(points, angles) if G.size == 3 else G.exp(angles)
    weights = (weights[:, None].expand(-1, n) / n).flatten() if G.size == 3 else weights
    elements = torch.cat([grid @ c for c in G.components])
    weights = weights.repeat(len(G.components)) / len(G.components)
    # Columns of √d ρ(t) are orthonormal functions; where ρ has complex type, one of two spans what they do.
    return {
        rho: math.sqrt(rho.dim) * rho.matrix(elements).mT[:, : rho.dim // rho.commutant_dim] for rho in rhos
    }, weights


def _turns_to(points: Tensor, angles: Tensor) -> Tensor:
    """A grid of rotations: to each point of the sphere those that take the north pole there, one for each angle."""
    x, y, z = points.unbind(-1)
    r = torch.hypot(x, y).clamp_min(1e-300)
    o = torch.zeros_like(x)
    tilt = torch.stack([x * z / r, -y / r, x, y * z / r, x / r, y, -r, o, z], dim=-1).unflatten(-1, (3, 3))
    c, s, o, i = angles.cos(), angles.sin(), torch.zeros_like(angles), torch.ones_like(angles)
    spin = torch.stack([c, -s, o, s, c, o, o, o, i], dim=-1).unflatten(-1, (3, 3))
    return (tilt[:, None] @ spin).flatten(0, 1)


def _harmonics(rho: LieIrrep, points: Tensor) -> Tensor:
    """The functions on the circle or sphere that turn by ρ, (points, 1, d); (points, 0, d) where there are none."""
    l, G = rho.degree, rho.group
    if G.size == 2:
        none = l == 0 and rho.index > 0  # det, on the circle
        values = circular_harmonics(l, points)
    else:
        none = G.reflects and rho.odd != bool(l % 2)  # −1 acts on Y_l as (−1)^l
        values = spherical_harmonics(l, points)
    return values[:, None][:, : 0 if none else 1]

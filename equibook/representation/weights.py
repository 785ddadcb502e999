r"""The irreducible representations of SO(2), O(2), SO(3) and O(3), and the decomposition into them.

There is one for each frequency or degree. What a representation contains is read from its weights:
a rotation about one axis turns the eigenspaces of its generator by whole multiples of the angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .harmonics import _one_degree, angular_momentum, wigner
from .intertwiners import _null_space
from .irreps import Decomposition, Irrep, _draw
from .lie import LieGroup
from .representations import Representation, Sum

__all__ = ["LieIrrep", "lie_decompose", "lie_irreps", "multiplicities"]


@dataclass(frozen=True)
class LieIrrep(Irrep):
    """A real irreducible representation of SO(2), O(2), SO(3) or O(3); make it with `irreps`.

    Chapter: Fourier analysis on groups
    """

    group: LieGroup  # type: ignore[assignment]

    @property
    def degree(self) -> int:
        """How often it turns while the group turns once about an axis."""
        if not self.group.reflects:
            return self.index
        return self.index // 2 if self.group.size == 3 else max(self.index - 1, 0)

    @property
    def odd(self) -> bool:
        """Of O(3): whether the inversion x ↦ −x acts as −1, as on a vector; else it acts as 1."""
        return self.group.size == 3 and self.group.reflects and self.index % 2 == 1

    @property
    def dim(self) -> int:  # type: ignore[override]
        return 2 * self.degree + 1 if self.group.size == 3 else min(2, 1 + self.degree)

    @property
    def commutant_dim(self) -> int:
        """dim End_G: 2 for the rotations of the plane, which commute with each other, else 1."""
        return 2 if self.group.size == 2 and not self.group.reflects and self.degree else 1

    def commutant(self) -> Tensor:
        """An orthonormal basis of End_G: (1 | 2, dim, dim), the first a multiple of the identity."""
        one = torch.eye(self.dim, dtype=torch.float64)[None]
        basis = torch.cat([one, self.group.algebra]) if self.commutant_dim == 2 else one
        return basis / self.dim**0.5

    def differential(self) -> Tensor:
        if self.group.size == 3:
            return angular_momentum(self.degree)
        return self.degree * self.group.algebra if self.degree else torch.zeros(1, 1, 1, dtype=torch.float64)

    def _stack(self, elements: Tensor) -> Tensor:
        det = torch.ones(len(elements), dtype=torch.float64)
        if self.group.reflects:
            det = torch.linalg.det(elements).sign()
        if self.group.size == 3:
            turned = wigner(self.degree, elements * det[:, None, None])
            return turned * det[:, None, None] if self.odd else turned
        if self.degree == 0:
            return (det if self.index else torch.ones_like(det))[:, None, None]
        angle = self.degree * torch.atan2(elements[:, 1, 0], elements[:, 0, 0])
        c, s = angle.cos(), angle.sin()
        return torch.stack([c, -s * det, s, c * det], dim=-1).unflatten(-1, (2, 2))

    def __repr__(self) -> str:
        return f"irreps({self.group}, {self.degree})[{self.index}]"


def lie_irreps(G: LieGroup, degree: int) -> tuple[LieIrrep, ...]:
    """The irreducibles up to a degree.

    O(2) has two of degree 0, trivial and det; O(3) has two of each, first the one that the inversion
    leaves as it is.
    """
    count = _one_degree(degree) + 1
    if G.reflects:
        count = 2 * count if G.size == 3 else count + 1
    return tuple(LieIrrep(G, i) for i in range(count))


@lru_cache(maxsize=256)
def multiplicities(V: Representation) -> dict[LieIrrep, int]:
    """How often V contains each irreducible that it contains, by its weights."""
    G = V.group
    assert isinstance(G, LieGroup)
    turn = V.differential()[-1].to(torch.complex128)
    if G.size == 3 and G.reflects:
        # the inversion commutes with the turn: adding a multiple of it sets the even weights apart from the odd ones
        apart = 4.0 * float(turn.abs().sum(dim=1).max().ceil()) + 4.0
        weights = torch.linalg.eigvalsh(1j * turn + apart * V._stack(G.components[1:])[0])
        by_parity = [_degrees((weights[weights.sign() == s] - s * apart).round().long()) for s in (1, -1)]
        found = [0] * (2 * max(map(len, by_parity)))
        for p, degrees in enumerate(by_parity):
            found[p : 2 * len(degrees) : 2] = degrees
        return {LieIrrep(G, i): m for i, m in enumerate(found) if m}
    weights = torch.linalg.eigvalsh(1j * turn).round().long()
    count = torch.bincount(weights[weights >= 0])  # of the weights 0, 1, 2, …; −k comes with k
    if G.size == 3:
        found = _degrees(weights)
    elif not G.reflects:
        found = count.tolist()
    else:  # a reflection has trace 1 on the trivial one, −1 on det and 0 on the others
        trace = round(float(V._stack(G.components[1:]).diagonal(dim1=1, dim2=2).sum()))
        fixed = int(count[0])
        found = [(fixed + trace) // 2, (fixed - trace) // 2, *count[1:].tolist()]
    return {LieIrrep(G, i): m for i, m in enumerate(found) if m}


def _degrees(weights: Tensor) -> list[int]:
    """How often each degree occurs: degree l has the weights −l, …, l once each."""
    count = torch.bincount(weights[weights >= 0])
    return (count - torch.cat([count[1:], count.new_zeros(1)])[: len(count)]).tolist()


def lie_decompose(V: Representation) -> Decomposition:
    """V as a sum of irreducibles: each isotypic part is spanned by the intertwiners into it."""
    found = multiplicities(V)
    columns = []
    for mixed in _intertwiners(V, found):
        left, _, right = torch.linalg.svd(mixed.transpose(0, 1).flatten(1), full_matrices=False)
        columns.append(left @ right)  # the nearest isometry of m ρ into V; it still commutes with the group
    terms = tuple(found.items())
    S: Representation = terms[0][0] if terms[0][1] == 1 and len(terms) == 1 else Sum(terms)
    listed = lie_irreps(V.group, max(rho.degree for rho in found))
    return Decomposition(tuple(found.get(rho, 0) for rho in listed), torch.cat(columns, dim=1), S)


def _intertwiners(V: Representation, found: dict[LieIrrep, int]) -> list[Tensor]:
    """For each irreducible ρ that V contains m times, m generic intertwiners ρ → V: (m, V.dim, ρ.dim)."""
    draws = [_draw(m, V.dim * rho.dim).view(m, V.dim, rho.dim) for rho, m in found.items()]
    G = V.group
    assert isinstance(G, LieGroup)
    if G.size == 2:  # averages over the group: of waves up to twice the highest frequency, as many turns suffice
        count = 2 * max(rho.degree for rho in found) + 1
        elements = _turns(G, count)
        moved = V._stack(elements)[:, None]
        return [(moved @ A @ rho._stack(elements)[:, None].mT).mean(dim=0) for rho, A in zip(found, draws, strict=True)]
    once = Sum(tuple((rho, 1) for rho in found))
    maps = _null_space(V._generating(), once._generating()).split([rho.dim for rho in found], dim=2)
    return [
        torch.einsum("mk,kwv->mwv", torch.einsum("mwv,kwv->mk", A, into), into)
        for A, into in zip(draws, maps, strict=True)
    ]


@lru_cache(maxsize=64)
def _turns(G: LieGroup, count: int) -> Tensor:
    """So many turns of the plane at equal distances, and their reflections if G has any: (n, 2, 2)."""
    turns = G.exp(2 * torch.pi / count * torch.arange(count, dtype=torch.float64)[:, None])
    return (turns[:, None] @ G.components).flatten(0, 1)

r"""Linear layers in the bases of irreducibles: what they cost there, and how they are applied.

By Schur's lemma an intertwiner between sums of irreducibles is a matrix over ℝ, ℂ or ℍ for each irreducible,
and zero elsewhere. So a layer can change the basis of its input, multiply by few small matrices and change
the basis back. On functions on a group this is the Fourier transform, and a product for each frequency.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import cast

import torch
from torch import Tensor

from ..representation import Representation, decompose
from ..representation.groups import GeneratedGroup, _positive
from ..representation.irreps import Irrep, _independent_over_commutant
from .constants import WithConstants
from .weights import IntertwinerWeight

__all__ = ["LinearCost", "linear_cost"]

#: What else than multiplications takes time, in multiplications that take as long: moving a number in memory, and
#: starting an operation. On "cpu" fitted to measurements on one thread (``python -m tests.benchmarks --only linear``);
#: on "cuda" no more than an estimate.
MOVE = {"cpu": 25, "cuda": 40}
START = {"cpu": 350_000, "cuda": 200_000_000}


@dataclass(frozen=True)
class LinearCost:
    """How many multiplications of real numbers a linear layer takes in its two forms; made by `linear_cost`.

    Attributes:
        direct: by the dense matrix.
        transforms: of the inputs to the bases of irreducibles, and of the outputs back.
        blocks: by the matrices over ℝ, ℂ or ℍ of the irreducibles.
        weights: to find these matrices from the coordinates of the weight, once for all rows of the input.

    Chapter: Speed
    """

    direct: int
    transforms: int
    blocks: int
    weights: int

    @property
    def isotypic(self) -> int:
        """All multiplications of the way through the irreducibles."""
        return self.transforms + self.blocks + self.weights

    @property
    def saving(self) -> float:
        """How many times fewer multiplications the way through the irreducibles needs; below 1, it needs more."""
        return self.direct / self.isotypic if self.isotypic else float("inf")


def linear_cost(V: Representation, W: Representation, rows: int = 1) -> LinearCost:
    r"""The multiplications of an equivariant linear layer from V to W, as a dense matrix and by irreducibles.

    Let ρ, of dimension d and with a commutant of dimension e = 1, 2 or 4, occur a times in V and b times in W.
    Its block is a b × a matrix over ℝ, ℂ or ℍ that acts on d/e columns, at e² real multiplications an entry:

    .. math:: \text{direct} = \dim V \dim W, \qquad \text{blocks} = \sum_\rho a\, b\, d\, e .

    A summand m V_i of V costs m · dim V_i multiplications for each dimension that V_i shares with W, and
    nothing if V_i is irreducible; and likewise in W. For m and n copies of the regular representation,
    a = m d/e and b = n d/e, so the three are mn|G|², mn Σ d³/e and (m + n)|G|².

    Args:
        V: the representation on the input, of a group whose irreducibles we know.
        W: the representation on the output.
        rows: how many inputs a call has. All but ``weights`` are proportional to it.

    Raises:
        TypeError: if the group is known by its generators only.

    >>> from equibook import regular, symmetric
    >>> V = 64 * regular(symmetric(5))
    >>> linear_cost(V, V)
    LinearCost(direct=58982400, transforms=1843200, blocks=2441216, weights=58982400)
    >>> round(linear_cost(V, V, rows=1000).saving, 1)
    13.6

    Chapter: Speed

    Reference: Cohen and Welling (2016) for the layer; Serre (1977), section 6.2, for the basis.
    """
    for U in (V, W):
        if not isinstance(U, Representation):
            raise TypeError(f"linear_cost takes representations, as in 8 * regular(G); got {U!r}.")
    V._same_group(W)
    return Plan(V, W).cost(_positive(rows, "rows"))


@dataclass(frozen=True)
class Kind:
    """Irreducibles that are alike: of one dimension and type, and equally often in each summand of V and W.

    Attributes:
        irreps: they.
        columns: d/e, the dimension of one over ℝ, ℂ or ℍ.
        e: the dimension of the commutant.
    """

    irreps: tuple[Irrep, ...]
    columns: int
    e: int

    @property
    def dim(self) -> int:
        """The dimension of one copy of all."""
        return len(self.irreps) * self.columns * self.e


@dataclass(frozen=True)
class Field:
    """A summand n V_i as the layer sees it.

    Attributes:
        copies: n.
        dim: V_i.dim.
        counts: how often V_i contains the irreducibles of each kind.
        kept: the dimensions of V_i that belong to these kinds.
        mixes: whether its basis has to be changed; that of an irreducible is one of irreducibles.
    """

    copies: int
    dim: int
    counts: tuple[int, ...]
    kept: int
    mixes: bool


class Plan:
    """Which irreducibles V and W share, which of them go through one product of matrices, and what that costs.

    Attributes:
        kinds: the shared irreducibles.
        inputs, outputs: the summands of V and of W.
    """

    def __init__(self, V: Representation, W: Representation) -> None:
        if isinstance(V.group, GeneratedGroup):
            raise TypeError(
                f"{V.group} is known by its generators, and its irreducibles are not known: a layer has the form "
                '"dense".'
            )
        sides = [[_counts(atom) for atom, _ in U.summands] for U in (V, W)]
        alike: dict[tuple[tuple[int, ...], ...], list[Irrep]] = {}
        for rho in dict.fromkeys(rho for counts in sides[0] for rho in counts):
            a, b = (tuple(counts.get(rho, 0) for counts in side) for side in sides)
            if any(b):
                alike.setdefault((a, b, (rho.dim // rho.commutant_dim, rho.commutant_dim)), []).append(rho)
        self.kinds = [Kind(tuple(rhos), *shape) for (_, _, shape), rhos in alike.items()]
        self.inputs = self._fields(V, [a for a, _, _ in alike])
        self.outputs = self._fields(W, [b for _, b, _ in alike])
        self._add_up(V, W)

    def _fields(self, V: Representation, counts: list[tuple[int, ...]]) -> list[Field]:
        fields = []
        for i, (atom, n) in enumerate(V.summands):
            own = tuple(numbers[i] for numbers in counts)
            kept = sum(kind.dim * m for kind, m in zip(self.kinds, own, strict=True))
            straight = isinstance(atom, Irrep) and atom.commutant_dim in (1, atom.dim)
            fields.append(Field(n, atom.dim, own, kept, kept > 0 and not straight))
        return fields

    def _add_up(self, V: Representation, W: Representation) -> None:
        """The multiplications, the numbers moved and the operations started."""
        both = (*self.inputs, *self.outputs)
        self._direct = V.dim * W.dim
        self._transforms = sum(f.copies * f.dim * f.kept for f in both if f.mixes)
        self._moved = 2 * sum(f.copies * f.kept for f in both)  # once to change places, once to be joined or biased
        self._blocks = self._weights = self._entries = pairs = 0
        for k, kind in enumerate(self.kinds):
            a, b = (sum(f.copies * f.counts[k] for f in side) for side in (self.inputs, self.outputs))
            self._blocks += kind.dim * kind.e * a * b
        for f, g in product(self.inputs, self.outputs):
            shared = [(k, a * b * len(k.irreps)) for k, a, b in zip(self.kinds, f.counts, g.counts, strict=True)]
            entries = sum(n * kind.e**2 for kind, n in shared)
            self._entries += f.copies * g.copies * entries
            self._weights += f.copies * g.copies * entries * sum(n * kind.e for kind, n in shared)
            pairs += entries > 0
        parts = sum(n > 0 for f in both for n in f.counts)
        self._starts = 2 * len(both) + 3 * len(self.kinds) + parts + pairs

    def cost(self, rows: int) -> LinearCost:
        """The multiplications of the two forms."""
        return LinearCost(rows * self._direct, rows * self._transforms, rows * self._blocks, self._weights)

    def work(self, form: str, rows: int) -> tuple[int, int, int]:
        """What a call does in the form "dense" or "isotypic": multiplications, numbers moved, operations started."""
        if form == "dense":
            return rows * self._direct, self._direct, 4
        return self.cost(rows).isotypic, rows * self._moved + self._entries, self._starts

    def forecast(self, form: str, rows: int, device: str) -> int:
        """How long a call should take, in multiplications."""
        multiplications, moved, started = self.work(form, rows)
        move, start = MOVE.get(device, MOVE["cuda"]), START.get(device, START["cuda"])
        return multiplications + move * moved + start * started

    def saves(self, rows: int, device: str) -> bool:
        """Whether the way through the irreducibles should take less time for so many rows."""
        return self.forecast("isotypic", rows, device) < self.forecast("dense", rows, device)

    def may_save(self) -> bool:
        """Whether it should for some number of rows: both times are linear in it, so the ends tell."""
        return any(self.saves(rows, device) for rows in (1, 1 << 40) for device in START)


def _counts(atom: Representation) -> dict[Irrep, int]:
    """How often a representation contains each irreducible that it contains."""
    if isinstance(atom, Irrep):
        return {atom: 1}
    return {rho: m for rho, m in decompose(atom).representation.summands if isinstance(rho, Irrep)}


class IsotypicMap(WithConstants):
    r"""The map x ↦ A x through the irreducibles: A = Q_W (⊕_ρ M_ρ ⊗ 1) Q_Vᵀ.

    The columns of Q_V and Q_W are bases of irreducibles. M_ρ is a matrix over ℝ, ℂ or ℍ, of which each entry is a
    real matrix of size e × e; the irreducibles of one kind have theirs stacked, and one product serves all. The
    coordinates of A in the basis of Hom_G that `IntertwinerWeight` keeps and the M_ρ are linear in each other.

    Args:
        V: the representation on the input.
        W: the representation on the output.
        plan: the kinds of irreducibles that they share.

    Called with x (rows, V.dim) and the weight; returns (rows, W.dim).
    """

    def __init__(self, V: Representation, W: Representation, plan: Plan) -> None:
        super().__init__()
        self.inputs, self.outputs = plan.inputs, plan.outputs
        self.shapes = [(len(kind.irreps), kind.columns, kind.e) for kind in plan.kinds]
        for name, U, fields in (("analysis", V, plan.inputs), ("synthesis", W, plan.outputs)):
            for i, ((atom, _), field) in enumerate(zip(U.summands, fields, strict=True)):
                if field.mixes:
                    kinds = [kind for kind, n in zip(plan.kinds, field.counts, strict=True) if n]
                    self.set_constant(f"{name}_{i}", torch.cat([_columns(atom, kind).flatten(0, 3) for kind in kinds]))
        for j, (W_j, _) in enumerate(W.summands):
            for i, (V_i, _) in enumerate(V.summands):
                kinds = [plan.kinds[k] for k in self._shared(j, i)]
                if kinds:
                    self.set_constant(f"entries_{j}_{i}", _entries(V_i, W_j, tuple(kinds)).clone())

    def _shared(self, j: int, i: int) -> list[int]:
        """The numbers of the kinds of irreducibles that summand j of W and summand i of V have in common."""
        both = zip(self.outputs[j].counts, self.inputs[i].counts, strict=True)
        return [k for k, (b, a) in enumerate(both) if a and b]

    def forward(self, x: Tensor, weight: IntertwinerWeight) -> Tensor:
        if not self.shapes:  # Hom_G = 0; the gradient by x is 0 too
            return (0 * x[:, :1]).repeat(1, sum(f.copies * f.dim for f in self.outputs))
        coefficients = [torch.bmm(z, M.mT) for z, M in zip(self._analyze(x), self._blocks(weight), strict=True)]
        return self._synthesize(coefficients, x)

    def _analyze(self, x: Tensor) -> list[Tensor]:
        """Qᵀx, for each kind of irreducibles (irreducibles, d/e · rows, copies in V · e)."""
        rows = len(x)
        parts: list[list[Tensor]] = [[] for _ in self.shapes]
        pieces = x.split([f.copies * f.dim for f in self.inputs], dim=1)
        for i, (f, piece) in enumerate(zip(self.inputs, pieces, strict=True)):
            if not f.kept:
                continue
            z = piece.reshape(rows * f.copies, f.dim).mT
            z = self._constant(f"analysis_{i}") @ z if f.mixes else z
            start = 0
            for part, (r, c, e), n in zip(parts, self.shapes, f.counts, strict=True):
                if n:
                    # the copies are to stand together: columns of a matrix
                    z_k = z[start : start + r * c * n * e].view(r, c, n * e, rows, f.copies).transpose(2, 3)
                    part.append(z_k.reshape(r, c * rows, n * e * f.copies))
                    start += r * c * n * e
        return [_join(part, 2) for part in parts]

    def _blocks(self, weight: IntertwinerWeight) -> list[Tensor]:
        """The matrices M_ρ, for each kind of irreducibles (irreducibles, copies in W · e, copies in V · e)."""
        grid: list[list[list[Tensor]]] = [[] for _ in self.shapes]
        for j, g in enumerate(self.outputs):
            for row, n in zip(grid, g.counts, strict=True):
                if n:
                    row.append([])
            for i, f in enumerate(self.inputs):
                shared = self._shared(j, i)
                if not shared:
                    continue
                coordinates = weight.block(j, i)
                entries = self._constant(f"entries_{j}_{i}") @ coordinates.reshape(g.copies * f.copies, -1).mT
                start = 0
                for k in shared:
                    (r, _, e), b, a = self.shapes[k], g.counts[k], f.counts[k]
                    M = entries[start : start + r * b * e * a * e].view(r, b * e, a * e, g.copies, f.copies)
                    grid[k][-1].append(M.transpose(2, 3).reshape(r, b * e * g.copies, a * e * f.copies))
                    start += r * b * e * a * e
        return [_join([_join(row, 2) for row in rows], 1) for rows in grid]

    def _synthesize(self, coefficients: list[Tensor], x: Tensor) -> Tensor:
        """Qy, (rows, W.dim), of coefficients (irreducibles, d/e · rows, copies in W · e) of each kind."""
        rows = len(x)
        starts, pieces = [0] * len(self.shapes), []
        for j, f in enumerate(self.outputs):
            parts = []
            for k, ((r, c, e), n) in enumerate(zip(self.shapes, f.counts, strict=True)):
                if n:
                    width = n * e * f.copies
                    part = coefficients[k][..., starts[k] : starts[k] + width]
                    parts.append(part.view(r, c, rows, n * e, f.copies))
                    starts[k] += width
            if not parts:  # no map ends here
                y = coefficients[0].new_zeros(rows, f.copies * f.dim)
            elif f.mixes:
                z = _join([part.transpose(2, 3).flatten(3).flatten(0, 2) for part in parts], 0)
                y = z.mT @ self._constant(f"synthesis_{j}")
            else:  # one irreducible, which occurs once
                y = parts[0].permute(2, 4, 0, 1, 3)
            pieces.append(y.reshape(rows, f.copies * f.dim))
        return _join(pieces, 1)

    def _constant(self, name: str) -> Tensor:
        return cast(Tensor, self._buffers[name])


def _join(tensors: list[Tensor], dim: int) -> Tensor:
    """Concatenated, and not copied where there is one only."""
    return tensors[0] if len(tensors) == 1 else torch.cat(tensors, dim)


@lru_cache(maxsize=64)
def _columns(V: Representation, kind: Kind) -> Tensor:
    """Orthonormal bases of the copies of the kind in V: (irreducibles, d/e, copies, e, V.dim).

    In the basis of one copy the commutant acts on the e indices only, and alike on all copies.
    """
    found: dict[Representation, Tensor] = {V: torch.eye(V.dim, dtype=torch.float64)}
    if not isinstance(V, Irrep):
        Q, terms = decompose(V).basis, decompose(V).representation.summands
        blocks = Q.mT.split([m * rho.dim for rho, m in terms])
        found = {rho: block for (rho, _), block in zip(terms, blocks, strict=True)}
    bases = []
    for rho in kind.irreps:
        copies = found[rho].unflatten(0, (-1, rho.dim))  # (copies, d, V.dim)
        bases.append(torch.einsum("cud,mdv->cmuv", _units(rho), copies))
    return torch.stack(bases)


def _units(rho: Irrep) -> Tensor:
    """An orthonormal basis of ℝᵈ, (d/e, e, d): a basis over ℝ, ℂ or ℍ, each vector with its multiples by the units.

    It is the standard basis where that is such a one: for real type, and for d = e.
    """
    C = rho.commutant() * rho.dim**0.5
    if rho.dim == rho.commutant_dim:
        C = torch.einsum("wu,wij->uij", C[:, :, 0], C)  # of the multiples of e_1, those that are e_1, …, e_d
    vectors = _independent_over_commutant(torch.eye(rho.dim, dtype=torch.float64), rho.commutant())
    return torch.einsum("uij,cj->cui", C, vectors)


@lru_cache(maxsize=64)
def _entries(V: Representation, W: Representation, kinds: tuple[Kind, ...]) -> Tensor:
    """The entries of the M_ρ of each map in the basis of Hom_G(V, W): (entries, dim), with orthogonal columns."""
    basis = (V >> W).basis()
    found = []
    for kind in kinds:
        # In these bases a map is the same in each of the d/e columns, so the first will do.
        left, right = _columns(W, kind)[:, 0], _columns(V, kind)[:, 0]
        found.append(torch.einsum("rbxw,swv,rayv->rbxays", left, basis, right).flatten(0, 4))
    return torch.cat(found)

"""Field types: which representation of ours an escnn field carries, and in which order its channels stand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..representation import (
    FiniteGroup,
    LieGroup,
    Representation,
    irreps,
    permutation,
    regular,
    representation,
    so2,
    trivial,
)
from ._escnn import nn
from .groups import FREQUENCY, elements, gspace, plane_group

__all__ = ["field_type", "fields"]


def field_type(V: Representation) -> Any:
    """The escnn.nn.FieldType of V, over ``gspace(V.group)``, with the channels in the same order.

    Args:
        V: a sum of trivial, regular and irreducible representations of cyclic(n) or dihedral(n), or of
            irreducibles of so2() or o2() up to frequency 8.

    Raises:
        ValueError: if V has another summand; names it.

    >>> from equibook import cyclic, regular, trivial
    >>> G = cyclic(4)
    >>> field_type(2 * regular(G) + trivial(G)).size
    9

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    space = gspace(V.group)
    return nn.FieldType(space, [_theirs(space, atom) for atom, copies in V.summands for _ in range(copies)])


def _theirs(space: Any, V: Representation) -> Any:
    """escnn's representation with the matrices of V."""
    finite = isinstance(V.group, FiniteGroup)
    for theirs in (space.trivial_repr, *([space.regular_repr] if finite else []), *space.fibergroup.irreps()):
        if theirs.size == V.dim and torch.allclose(_matrices(space, theirs), V.matrix(_samples(V.group)), atol=1e-6):
            return theirs
    raise ValueError(
        f"{V} has no field of escnn's here. trivial, regular and irreducible representations of {V.group} have one, "
        "and so have their sums; decompose(V).representation is such a sum."
    )


def fields(kind: Any) -> tuple[Representation, Tensor]:
    """The representation on the channels of an escnn.nn.FieldType, and their order.

    Args:
        kind: an escnn.nn.FieldType over a plane.

    Returns:
        V and (V.dim,) a permutation: channel i of V is channel ``channels[i]`` of escnn, so that
        ``x[:, channels]`` is for us what x is for escnn.

    Raises:
        ValueError: if a field of a continuous group has a frequency above 8, or if no order of the channels is
            enough, because the group reflects over another axis than the x-axis.

    >>> from escnn import gspaces, nn
    >>> plane = gspaces.flipRot2dOnR2(2)
    >>> V, channels = fields(nn.FieldType(plane, 2 * [plane.regular_repr]))
    >>> V, channels.tolist()
    (2 * regular(dihedral(2)), [0, 1, 3, 2, 4, 5, 7, 6])
    """
    V, channels = frame(kind)
    if channels.ndim == 2:
        raise ValueError(
            f"The fields of {kind.gspace.name} turn into ours by a matrix, and not by an order of the channels. "
            "Choose axis=0, the x-axis, or gspace(G); network_from_escnn converts them as they are."
        )
    return V, channels


def frame(kind: Any) -> tuple[Representation, Tensor]:
    """The representation on the channels of an escnn.nn.FieldType, and the map that takes its channels to ours.

    Returns:
        V and (V.dim,) a permutation as in `fields`, or an orthogonal matrix Q (V.dim, V.dim), float64: what x is
        for escnn, Qx is for us.
    """
    known: dict[Any, tuple[Representation, Tensor]] = {}
    for theirs in kind.representations:
        if theirs not in known:
            known[theirs] = _fibre(kind.gspace, theirs)
    translated = [known[theirs] for theirs in kind.representations]
    V = translated[0][0]
    for W, _ in translated[1:]:
        V = V + W
    maps = [Q for _, Q in translated]
    if any(Q.ndim == 2 for Q in maps):
        return V, torch.block_diag(*map(dense, maps))
    channels, start = [], 0
    for order in maps:
        channels.append(order + start)
        start += len(order)
    return V, torch.cat(channels)


def dense(Q: Tensor) -> Tensor:
    """A permutation, as `fields` returns it, as a matrix; a matrix as it is."""
    return torch.eye(len(Q), dtype=torch.float64)[Q] if Q.ndim == 1 else Q


def _fibre(space: Any, theirs: Any) -> tuple[Representation, Tensor]:
    """The representation of one field, and the map to its channels, as `frame` returns them.

    Of a finite group it is our trivial, regular or irreducible representation where the matrices agree, else one
    made of escnn's matrices; of a continuous group, a sum of irreducibles.
    """
    G, channels = plane_group(space), torch.arange(theirs.size)
    if isinstance(G, LieGroup):
        return as_irreducibles(space, theirs)
    matrices, order = _matrices(space, theirs), elements(space)
    for V, wanted in ((trivial(G), channels), (regular(G), order), *((rho, channels) for rho in irreps(G))):
        if V.dim == theirs.size and torch.allclose(matrices[:, wanted][:, :, wanted], V.matrix(G.elements), atol=1e-6):
            return V, wanted
    whole = matrices.round()
    if (matrices - whole).abs().max() < 1e-6 and (whole >= 0).all():
        return permutation(G, whole.argmax(dim=1)), channels
    return representation(G, matrices), channels


def as_irreducibles(space: Any, theirs: Any) -> tuple[Representation, Tensor]:
    """A field as a sum of our irreducibles, and the map to it.

    escnn keeps C and the ψ_i with ρ = C (⊕ ψ_i) C⁻¹. For other axes of the reflection than the x-axis, ψ_i is our
    irreducible seen from a frame that is turned by the angle of the axis.

    Returns:
        As `frame`.
    """
    G = plane_group(space)
    C = torch.as_tensor(theirs.change_of_basis, dtype=torch.float64)
    if not torch.allclose(C @ C.mT, torch.eye(len(C), dtype=torch.float64), atol=1e-6):
        raise ValueError(f"{theirs.name} has a basis that is not orthonormal, and equibook's representations are.")
    known = irreps(G, degree=FREQUENCY) if isinstance(G, LieGroup) else irreps(G)
    found: list[Representation] = []
    turns = []
    for name in theirs.irreps:
        psi = theirs.group.irrep(*name)
        matrices = _matrices(space, psi)
        angle = torch.tensor([psi.attributes["frequency"] * axis(space)], dtype=torch.float64)
        # a sign turns by ±1, or, where it becomes another sign, in no way
        D = so2().exp(angle) if psi.size == 2 else torch.where(angle.cos() < -0.5, -1.0, 1.0)[None].double()
        for rho in known:
            if rho.dim == psi.size and torch.allclose(D @ matrices @ D.mT, rho.matrix(_samples(G)), atol=1e-6):
                found.append(rho)
                turns.append(D)
                break
        else:
            raise ValueError(
                f"{psi.name}, in {theirs.name}, is not an irreducible of {G} "
                + (f"up to frequency {FREQUENCY}." if isinstance(G, LieGroup) else "here. Choose axis=0, the x-axis.")
            )
    Q = torch.block_diag(*turns) @ C.mT
    order = Q.abs().argmax(dim=1)
    is_order = torch.allclose(Q, torch.eye(len(Q), dtype=torch.float64)[order], atol=1e-9)
    return sum(found[1:], found[0]), order if is_order else Q


def _matrices(space: Any, theirs: Any) -> Tensor:
    """The matrices of a representation of escnn's, (n, size, size), at the elements that `_samples` lists."""
    if isinstance(plane_group(space), LieGroup):
        listed = [space.fibergroup.element(_parameters(space, R), "radians") for R in _samples(plane_group(space))]
        return torch.stack([torch.as_tensor(theirs(e), dtype=torch.float64) for e in listed])
    listed = list(space.fibergroup.elements)
    return torch.stack([torch.as_tensor(theirs(listed[e]), dtype=torch.float64) for e in elements(space).tolist()])


def _samples(G: FiniteGroup | LieGroup) -> Tensor:
    """All elements of a finite group; of a continuous one, enough to tell its small representations apart."""
    if isinstance(G, FiniteGroup):
        return torch.arange(G.order)
    turns = G.exp(torch.tensor([[0.7], [2.0]], dtype=torch.float64))
    return (turns[:, None] @ G.components).flatten(0, 1)


def _parameters(space: Any, R: Tensor) -> Any:
    """How escnn writes the element that moves the plane by R: an angle, or a flip over its axis and an angle."""
    angle = float(torch.atan2(R[1, 0], R[0, 0]))
    if not space.flips_order:
        return angle
    flips = float(torch.linalg.det(R)) < 0
    return int(flips), angle - 2 * axis(space) * flips


def axis(space: Any) -> float:
    """The angle of the axis of an escnn space's reflection with the x-axis; 0 if it has none."""
    return (space._sg_id[0] or 0.0) / 2

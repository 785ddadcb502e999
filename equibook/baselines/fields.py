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
        ValueError: if a field of a continuous group is not irreducible.

    >>> from escnn import gspaces, nn
    >>> plane = gspaces.flipRot2dOnR2(2)
    >>> V, channels = fields(nn.FieldType(plane, 2 * [plane.regular_repr]))
    >>> V, channels.tolist()
    (2 * regular(dihedral(2)), [0, 1, 3, 2, 4, 5, 7, 6])
    """
    translated = [_fibre(kind.gspace, theirs) for theirs in kind.representations]
    V = translated[0][0]
    for W, _ in translated[1:]:
        V = V + W
    channels, start = [], 0
    for W, order in translated:
        channels.append(order + start)
        start += W.dim
    return V, torch.cat(channels)


def _fibre(space: Any, theirs: Any) -> tuple[Representation, Tensor]:
    """The representation of one field, and its channels: ρ(g)[i, j] = theirs(g)[channels[i], channels[j]].

    Our trivial, regular or irreducible representation where the matrices agree, else one made of
    escnn's matrices.
    """
    G, matrices = plane_group(space), _matrices(space, theirs)
    channels = torch.arange(theirs.size)
    if isinstance(G, LieGroup):
        for rho in irreps(G, degree=FREQUENCY):
            if rho.dim == theirs.size and torch.allclose(matrices, rho.matrix(_samples(G)), atol=1e-6):
                return rho, channels
        raise ValueError(f"{theirs.name} is not an irreducible of {G} up to frequency {FREQUENCY}.")
    order = elements(space)
    for V, wanted in ((trivial(G), channels), (regular(G), order), *((rho, channels) for rho in irreps(G))):
        if V.dim == theirs.size and torch.allclose(matrices[:, wanted][:, :, wanted], V.matrix(G.elements), atol=1e-6):
            return V, wanted
    whole = matrices.round()
    if (matrices - whole).abs().max() < 1e-6 and (whole >= 0).all():
        return permutation(G, whole.argmax(dim=1)), channels
    return representation(G, matrices), channels


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
    """How escnn writes the element with the matrix R: an angle, or a flip and an angle."""
    angle = float(torch.atan2(R[1, 0], R[0, 0]))
    return (int(torch.linalg.det(R) < 0), angle) if space.flips_order else angle

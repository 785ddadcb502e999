r"""Which element of escnn's group is which of ours: those that move an image alike.

Both write an element of D_n as r^k s^f, with r a counter-clockwise turn. The reflection s is ours
to choose: for us it flips the rows of an image, (x, y) ↦ (x, −y), and escnn is told by ``axis``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..representation import FiniteGroup, LieGroup, cyclic, dihedral, o2, so2
from ._escnn import gspaces

__all__ = ["elements", "gspace", "plane_group"]


#: The highest frequency of the irreducibles that escnn makes for a continuous group.
FREQUENCY = 8


def gspace(G: FiniteGroup | LieGroup) -> Any:
    """The plane of escnn on which the elements of G act as here, numbered as here.

    Args:
        G: cyclic(n), dihedral(n), so2() or o2().

    Returns:
        An escnn.gspaces.GSpace2D; its reflection is over the x-axis, escnn's default over the y-axis.

    Raises:
        ValueError: if G is not a group of rotations and reflections of the plane.

    >>> from equibook import dihedral
    >>> elements(gspace(dihedral(4))).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    if isinstance(G, LieGroup) and G.size == 2:
        if G.reflects:
            return gspaces.flipRot2dOnR2(-1, axis=0.0, maximum_frequency=FREQUENCY)
        return gspaces.rot2dOnR2(-1, maximum_frequency=FREQUENCY)
    if not isinstance(G, FiniteGroup) or G.plane is None:
        raise ValueError(f"escnn's plane needs cyclic(n), dihedral(n), so2() or o2(); got {G}.")
    n = G.order // 2 if G.reflects else G.order
    return gspaces.flipRot2dOnR2(n, axis=0.0) if G.reflects else gspaces.rot2dOnR2(n)


def plane_group(space: Any) -> FiniteGroup | LieGroup:
    """The group of ours that acts on the plane as the fibre group of an escnn space does.

    Args:
        space: an escnn.gspaces.GSpace2D.

    >>> from escnn import gspaces
    >>> plane_group(gspaces.rot2dOnR2(4))
    cyclic(4)
    """
    n = space.rotations_order
    if n < 1:  # escnn's −1 says: continuous
        return o2() if space.flips_order else so2()
    return dihedral(n) if space.flips_order else cyclic(n)


def elements(space: Any) -> Tensor:
    """Where our elements stand in escnn's list: g acts on the plane as ``elements(space)[g]`` there.

    Args:
        space: an escnn.gspaces.GSpace2D.

    Returns:
        (order,) a permutation. It maps products to products, because it keeps the action.

    Raises:
        ValueError: if the group is continuous; or if the two groups do not act by the same matrices, as
            two reflections over different lines, in groups too small to turn one line into the other.

    >>> from escnn import gspaces
    >>> elements(gspaces.flipRot2dOnR2(4)).tolist()        # escnn's reflection flips columns: it is r² s
    [0, 1, 2, 3, 6, 7, 4, 5]
    """
    G = plane_group(space)
    if not isinstance(G, FiniteGroup):
        raise ValueError(f"{space.name} has a continuous group, whose elements are not listed.")
    assert G.plane is not None
    theirs = torch.stack([torch.as_tensor(space.basespace_action(e)) for e in space.fibergroup.elements])
    apart = (G.plane[:, None] - theirs).abs().amax(dim=(2, 3))
    nearest, found = apart.min(dim=1)
    if (nearest > 1e-6).any():
        g = int((nearest > 1e-6).nonzero()[0])
        raise ValueError(
            f"Element {g} of {G} acts on the plane by {G.plane[g].tolist()}, and no element of escnn's {space.name} "
            "does. Make the space with gspace(G), or choose axis=0, the x-axis."
        )
    return found

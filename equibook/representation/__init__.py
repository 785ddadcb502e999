"""Part 1. Representation theory: groups, their representations, and the maps between them."""

from .grids import act, act_batch, is_grid_preserving, pixels
from .groups import (
    FiniteGroup,
    alternating,
    cyclic,
    dihedral,
    direct_product,
    permutation_group,
    quaternion,
    symmetric,
    translations,
)
from .intertwiners import Hom
from .irreps import Decomposition, Irrep, decompose, irreps
from .representations import Representation, permutation, regular, representation, trivial

__all__ = [
    "Decomposition",
    "FiniteGroup",
    "Hom",
    "Irrep",
    "Representation",
    "act",
    "act_batch",
    "alternating",
    "cyclic",
    "decompose",
    "dihedral",
    "direct_product",
    "irreps",
    "is_grid_preserving",
    "permutation",
    "permutation_group",
    "pixels",
    "quaternion",
    "regular",
    "representation",
    "symmetric",
    "translations",
    "trivial",
]

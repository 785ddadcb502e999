"""Part 1. Representation theory: groups, their representations, and the maps between them."""

from .actions import colorings, orbit, orbits, stabilizer
from .characters import CharacterTable, character_table, isotypic_projectors
from .constructions import induce, isomorphism, orthogonalize, quotient, restrict, subrepresentation
from .fourier import ConvolutionCost, convolution_cost, convolve, fourier_transform, inverse_fourier_transform
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
from .harmonics import angular_momentum, circular_harmonics, sphere_quadrature, spherical_harmonics, wigner
from .intertwiners import Hom, clebsch_gordan
from .irreps import Decomposition, Irrep, decompose, irreps
from .lie import LieGroup, haar_sample, o2, o3, so2, so3
from .polyhedra import Polyhedron, icosahedral, octahedral, polyhedron, tetrahedral
from .representations import Representation, permutation, regular, representation, trivial
from .subgroups import cosets, is_normal, semidirect_product, subgroup

__all__ = [
    "CharacterTable",
    "ConvolutionCost",
    "Decomposition",
    "FiniteGroup",
    "Hom",
    "Irrep",
    "LieGroup",
    "Polyhedron",
    "Representation",
    "act",
    "act_batch",
    "alternating",
    "angular_momentum",
    "character_table",
    "circular_harmonics",
    "clebsch_gordan",
    "colorings",
    "convolution_cost",
    "convolve",
    "cosets",
    "cyclic",
    "decompose",
    "dihedral",
    "direct_product",
    "fourier_transform",
    "haar_sample",
    "icosahedral",
    "induce",
    "inverse_fourier_transform",
    "irreps",
    "is_grid_preserving",
    "is_normal",
    "isomorphism",
    "isotypic_projectors",
    "o2",
    "o3",
    "octahedral",
    "orbit",
    "orbits",
    "orthogonalize",
    "permutation",
    "permutation_group",
    "pixels",
    "polyhedron",
    "quaternion",
    "quotient",
    "regular",
    "representation",
    "restrict",
    "semidirect_product",
    "so2",
    "so3",
    "sphere_quadrature",
    "spherical_harmonics",
    "stabilizer",
    "subgroup",
    "subrepresentation",
    "symmetric",
    "tetrahedral",
    "translations",
    "trivial",
    "wigner",
]

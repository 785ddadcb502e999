"""The experiments of the chapters and of the papers: one file each, with a config, a run and a plot."""

from . import (
    attraction,
    attraction_toy,
    compatibility,
    escape,
    exactness,
    nbody_step,
    rotated_digits,
    roundoff,
    set_sizes,
    steerable_digits,
    symmetry_breaking,
    tensor_cost,
    triangles,
    turned_clouds,
    which_nonlinearity,
)
from .networks import scalar_network, scalar_space

__all__ = [
    "attraction",
    "attraction_toy",
    "compatibility",
    "escape",
    "exactness",
    "nbody_step",
    "rotated_digits",
    "roundoff",
    "scalar_network",
    "scalar_space",
    "set_sizes",
    "steerable_digits",
    "symmetry_breaking",
    "tensor_cost",
    "triangles",
    "turned_clouds",
    "which_nonlinearity",
]

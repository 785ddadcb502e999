"""The experiments of the chapters and of the papers: one file each, with a config, a run and a plot."""

from . import attraction, attraction_toy, compatibility, escape, rotated_digits, roundoff
from .networks import scalar_network, scalar_space

__all__ = [
    "attraction",
    "attraction_toy",
    "compatibility",
    "escape",
    "rotated_digits",
    "roundoff",
    "scalar_network",
    "scalar_space",
]

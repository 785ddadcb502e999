"""The experiments of the chapters and of the papers: one file each, with a config, a run and a plot."""

from . import attraction, compatibility, rotated_digits
from .networks import scalar_network, scalar_space

__all__ = ["attraction", "compatibility", "rotated_digits", "scalar_network", "scalar_space"]

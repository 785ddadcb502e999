"""Figures: one style for light and dark pages, the plots of the chapters, and figures that move."""

from .characters import blocks, invariant_planes
from .explorer import Explorer, explore
from .graphs import graph_drawings, partition_picture, reorderings
from .harmonics import aliasing, globe_spectra, globes, harmonic_pyramid
from .measuring import error_parts, folded_wave, spectra, verdicts
from .nonlinearities import commutation_plane, corner_grid, sampled_circle
from .pictures import filters, images, matrices
from .plane import corner_patterns, plane_orbits
from .plots import (
    PowerLaw,
    bars_with_intervals,
    fit_power_law,
    loglog_law,
    mean_interval,
    panels,
    trajectories,
)
from .ratios import bound_and_measured, ratio_rows
from .space import cloud_spectrum, clouds
from .steerable import arrow_field, leakage
from .style import COLORS, LINES, Figure, png, use_style
from .symmetry import cayley_graph, families, spheres, wallpaper

__all__ = [
    "COLORS",
    "LINES",
    "Explorer",
    "Figure",
    "PowerLaw",
    "aliasing",
    "arrow_field",
    "bars_with_intervals",
    "blocks",
    "bound_and_measured",
    "cayley_graph",
    "cloud_spectrum",
    "clouds",
    "commutation_plane",
    "corner_grid",
    "corner_patterns",
    "error_parts",
    "explore",
    "families",
    "filters",
    "fit_power_law",
    "folded_wave",
    "globe_spectra",
    "globes",
    "graph_drawings",
    "harmonic_pyramid",
    "images",
    "invariant_planes",
    "leakage",
    "loglog_law",
    "matrices",
    "mean_interval",
    "panels",
    "partition_picture",
    "plane_orbits",
    "png",
    "ratio_rows",
    "reorderings",
    "sampled_circle",
    "spectra",
    "spheres",
    "trajectories",
    "use_style",
    "verdicts",
    "wallpaper",
]

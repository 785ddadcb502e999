"""Data: small sets that ship with a dependency, MNIST, generated ones, and tensors recorded for comparison."""

from .digits import digits, split
from .graphs import connected_components, cycles, gaussian_sets, random_graphs, triangles
from .lookalikes import color_refinement, regular_graphs
from .measured import Measurements, Table, measurements
from .mnist import mnist
from .nbody import Trajectories, leapfrog, nbody, nbody_energy, nbody_forces
from .point_clouds import SHAPES, point_clouds
from .recorded import recording, recordings

__all__ = [
    "SHAPES",
    "Measurements",
    "Table",
    "Trajectories",
    "color_refinement",
    "connected_components",
    "cycles",
    "digits",
    "gaussian_sets",
    "leapfrog",
    "measurements",
    "mnist",
    "nbody",
    "nbody_energy",
    "nbody_forces",
    "point_clouds",
    "random_graphs",
    "recording",
    "recordings",
    "regular_graphs",
    "split",
    "triangles",
]

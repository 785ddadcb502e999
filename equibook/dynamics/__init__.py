"""Part 3. Augmented dynamics: where weights may lie, what they descend, and whether they stay equivariant."""

from .admissible import AdmissibleSpace, LayerSpace
from .flows import Trajectory, descend
from .risks import Risk, augmented, equivariant, nominal

__all__ = [
    "AdmissibleSpace",
    "LayerSpace",
    "Risk",
    "Trajectory",
    "augmented",
    "descend",
    "equivariant",
    "nominal",
]

"""Part 2. Equivariant layers: modules whose weights live in Hom_G."""

from .checks import assert_equivariant, equivariance_error
from .comparison import ConvolutionRecord, from_filters
from .convolution import GroupConv2d
from .linear import Linear
from .nonlinearities import NormReLU, Pointwise
from .pooling import AvgPool2d, GlobalAvgPool2d, GroupPool, SpatialNorm
from .weights import IntertwinerWeight

__all__ = [
    "AvgPool2d",
    "ConvolutionRecord",
    "GlobalAvgPool2d",
    "GroupConv2d",
    "GroupPool",
    "IntertwinerWeight",
    "Linear",
    "NormReLU",
    "Pointwise",
    "SpatialNorm",
    "assert_equivariant",
    "equivariance_error",
    "from_filters",
]

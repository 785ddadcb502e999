"""Part 2. Equivariant layers: modules whose weights live in Hom_G."""

from .checks import assert_equivariant, equivariance_error
from .comparison import ConvolutionRecord, from_filters
from .convolution import GroupConv2d
from .dropout import FieldDropout
from .folding import fold
from .fourier import FourierPointwise
from .graphs import (
    GraphBatch,
    InvariantGraphNetwork,
    MessagePassing,
    MessagePassingNetwork,
    aggregate,
    disjoint_union,
    edge_list,
    graph_tensor,
)
from .isotypic import LinearCost, linear_cost
from .linear import Linear
from .measuring import LayerErrors, act_interpolated, equivariance_by_layer, lie_derivative, local_equivariance_error
from .messages import SteerableMessages, SteerableNetwork, edges_within, from_cartesian, to_cartesian
from .nonlinearities import GatedPointwise, NormGate, NormReLU, Pointwise, TensorSquare, commuting_functions
from .normalization import BatchNorm, LayerNorm
from .partitions import partition_map, set_partitions
from .pooling import (
    AvgPool2d,
    BlurPool2d,
    GlobalAvgPool2d,
    GroupPool,
    MaxPool2d,
    NormMaxPool2d,
    NormPool,
    SpatialNorm,
    Upsample2d,
)
from .sets import DeepSets, PermutationLinear, SetLinear
from .steerable import Rings, SteerableConv2d
from .tensor_products import TensorProduct
from .vectors import VectorBatchNorm, VectorInvariants, VectorLinear, VectorPool, VectorReLU, neighbor_vectors
from .weights import IntertwinerWeight

__all__ = [
    "AvgPool2d",
    "BatchNorm",
    "BlurPool2d",
    "ConvolutionRecord",
    "DeepSets",
    "FieldDropout",
    "FourierPointwise",
    "GatedPointwise",
    "GlobalAvgPool2d",
    "GraphBatch",
    "GroupConv2d",
    "GroupPool",
    "IntertwinerWeight",
    "InvariantGraphNetwork",
    "LayerErrors",
    "LayerNorm",
    "Linear",
    "LinearCost",
    "MaxPool2d",
    "MessagePassing",
    "MessagePassingNetwork",
    "NormGate",
    "NormMaxPool2d",
    "NormPool",
    "NormReLU",
    "PermutationLinear",
    "Pointwise",
    "Rings",
    "SetLinear",
    "SpatialNorm",
    "SteerableConv2d",
    "SteerableMessages",
    "SteerableNetwork",
    "TensorProduct",
    "TensorSquare",
    "Upsample2d",
    "VectorBatchNorm",
    "VectorInvariants",
    "VectorLinear",
    "VectorPool",
    "VectorReLU",
    "act_interpolated",
    "aggregate",
    "assert_equivariant",
    "commuting_functions",
    "disjoint_union",
    "edge_list",
    "edges_within",
    "equivariance_by_layer",
    "equivariance_error",
    "fold",
    "from_cartesian",
    "from_filters",
    "graph_tensor",
    "lie_derivative",
    "linear_cost",
    "local_equivariance_error",
    "neighbor_vectors",
    "partition_map",
    "set_partitions",
    "to_cartesian",
]

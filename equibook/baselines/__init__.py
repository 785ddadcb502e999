"""The bridge to escnn, the library that equibook is measured against. Only this folder imports escnn.

>>> from equibook.baselines import from_escnn, network_from_escnn, to_escnn
"""

from .convolution import escnn_kernels, from_escnn, to_escnn
from .errors import EquivarianceErrors, equivariance_errors
from .fields import field_type, fields
from .groups import elements, gspace, plane_group
from .models import network_from_escnn
from .records import escnn_record

__all__ = [
    "EquivarianceErrors",
    "elements",
    "equivariance_errors",
    "escnn_kernels",
    "escnn_record",
    "field_type",
    "fields",
    "from_escnn",
    "gspace",
    "network_from_escnn",
    "plane_group",
    "to_escnn",
]

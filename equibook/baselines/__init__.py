"""The bridge to escnn, the library that equibook is measured against. Only this folder imports escnn.

>>> from equibook.baselines import from_escnn, to_escnn
"""

from .convolution import escnn_kernels, from_escnn, to_escnn
from .fields import field_type, fields
from .groups import elements, gspace, plane_group
from .records import escnn_record

__all__ = [
    "elements",
    "escnn_kernels",
    "escnn_record",
    "field_type",
    "fields",
    "from_escnn",
    "gspace",
    "plane_group",
    "to_escnn",
]

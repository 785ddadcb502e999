"""escnn's group convolutions in equibook's coordinates."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..layers import GroupConv2d
from ..layers.comparison import from_filters
from ..representation import Representation
from ._escnn import nn
from .fields import field_type, fields

__all__ = ["escnn_kernels", "expanded", "from_escnn"]


def escnn_kernels(V: Representation, W: Representation, kernel_size: int, **options: Any) -> Tensor:
    r"""The kernels that escnn combines into a convolution V → W, sampled on the pixels of a filter.

    escnn solves κ(gx) = ρ_W(g) κ(x) ρ_V(g)⁻¹ on the plane, keeps the frequencies that it trusts on
    the grid, and samples. The samples lie in ``pixels(G, k) * V >> W``, and do not fill it.

    Args:
        V, W: sums of trivial, regular and irreducible representations of cyclic(n) or dihedral(n).
        kernel_size: the side k of the filter.
        options: of escnn.nn.R2Conv, such as frequencies_cutoff, rings or sigma.

    Returns:
        (n, W.dim, V.dim, k, k) float32, one kernel for each weight of escnn's layer, in its order.

    >>> from equibook import cyclic, regular
    >>> V = regular(cyclic(4))
    >>> escnn_kernels(V, V, 3).shape                # of 36 dimensions
    torch.Size([24, 4, 4, 3, 3])

    Chapter: Group convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    layer = nn.R2Conv(field_type(V), field_type(W), kernel_size, bias=False, initialize=False, **options)
    return torch.stack([expanded(layer, one)[0] for one in torch.eye(len(layer.weights))])


def from_escnn(convolution: Any) -> GroupConv2d:
    r"""The GroupConv2d that computes what an escnn.nn.R2Conv computes, with a copy of its weights.

    With V, inward = ``fields(convolution.in_type)`` and W, outward = ``fields(convolution.out_type)``,
    ``layer(x[:, inward])`` is ``convolution(x)[:, outward]``. Both orders are 0, 1, 2, … where the
    types come from `field_type`.

    Args:
        convolution: an escnn.nn.R2Conv of a finite group that maps the grid to itself.

    Raises:
        ValueError: if the layer uses what GroupConv2d has not: dilation, groups, other padding than
            zeros; or if its filter is not an intertwiner.

    >>> from equibook import cyclic, regular
    >>> from escnn import nn
    >>> kind = field_type(regular(cyclic(4)))
    >>> convolution = nn.R2Conv(kind, kind, 3, padding=1)
    >>> x = torch.randn(1, 4, 8, 8)
    >>> bool(torch.allclose(from_escnn(convolution)(x), convolution(kind(x)).tensor, atol=1e-5))
    True

    Chapter: Group convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    for name, plain in (("dilation", 1), ("groups", 1), ("padding_mode", "zeros")):
        if getattr(convolution, name) != plain:
            raise ValueError(f"GroupConv2d has {name} {plain!r} only; this R2Conv has {getattr(convolution, name)!r}.")
    if not isinstance(convolution.padding, int):
        raise ValueError(f"GroupConv2d pads all sides alike; this R2Conv has padding {convolution.padding}.")
    V, _ = fields(convolution.in_type)
    W, _ = fields(convolution.out_type)
    filters, bias = expanded(convolution, convolution.weights.detach())
    return from_filters(V, W, filters, bias, convolution.stride, convolution.padding)


def expanded(convolution: Any, weights: Tensor) -> tuple[Tensor, Tensor | None]:
    """The filters (W.dim, V.dim, k, k) and the bias (W.dim,) of an R2Conv with the given weights, in our channels."""
    _, inward = fields(convolution.in_type)
    _, outward = fields(convolution.out_type)
    k = convolution.kernel_size
    filters = convolution.basisexpansion(weights).unflatten(2, (k, k))[outward][:, inward]
    bias = None if convolution.bias is None else (convolution.bias_expansion @ convolution.bias.detach())[outward]
    return filters, bias

"""What escnn computes, kept for where it cannot be installed."""

from __future__ import annotations

import torch

from ..layers.comparison import ConvolutionRecord
from ..representation import Representation
from ._escnn import nn
from .convolution import escnn_kernels, expanded
from .fields import field_type

__all__ = ["escnn_record"]


def escnn_record(
    v: Representation,
    w: Representation,
    kernel_size: int,
    fields: tuple[int, int] = (2, 2),
    *,
    size: int = 6,
    batch: int = 1,
    generator: torch.Generator | None = None,
) -> ConvolutionRecord:
    r"""What an escnn.nn.R2Conv from copies of v to copies of w does with a random input.

    Its kernels depend on the version of a linear algebra library, up to a change of basis, and its
    weights are coordinates in them. So we draw a filter, project it onto their span, and give
    escnn the coordinates: then all but ``kernels`` and ``weight_gradient`` is the same everywhere.

    Args:
        v, w: the field in and the field out: trivial, regular or irreducible.
        kernel_size: k, odd.
        fields: how many copies of v and of w.
        size: the side of the image.
        batch: the number of images.
        generator: draws filter, bias, input and cotangent.

    Returns:
        All tensors in float32.

    >>> from equibook import cyclic, regular, trivial
    >>> G = cyclic(4)
    >>> record = escnn_record(trivial(G), regular(G), 3)
    >>> record.span(), record.hom().dim
    (6, 9)
    >>> max(record.differences().values()) < 1e-5
    True

    Chapter: Group convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    V, W = fields[0] * v, fields[1] * w
    kind = field_type(V)
    convolution = nn.R2Conv(kind, field_type(W), kernel_size, padding=kernel_size // 2, initialize=False)
    kernels = escnn_kernels(v, w, kernel_size)
    draws = torch.randn(W.dim, V.dim, kernel_size**2, generator=generator)
    blocks = draws.unflatten(0, (-1, w.dim)).unflatten(2, (-1, v.dim)).transpose(1, 2).flatten(2).double()
    weights = torch.linalg.lstsq(kernels.flatten(1).double().mT, blocks.flatten(0, 1).mT).solution.mT
    with torch.no_grad():
        convolution.weights.copy_(weights.flatten())
        if convolution.bias is not None:
            convolution.bias.copy_(torch.randn(convolution.bias.shape, generator=generator))
    x = torch.randn(batch, V.dim, size, size, generator=generator).requires_grad_()
    output = convolution(kind(x)).tensor
    cotangent = torch.randn(output.shape, generator=generator)
    input_gradient, weight_gradient = torch.autograd.grad(output, (x, convolution.weights), cotangent)
    filters, bias = expanded(convolution, convolution.weights.detach())
    return ConvolutionRecord(
        source=V,
        target=W,
        kernels=kernels,
        filters=filters,
        bias=filters.new_zeros(W.dim) if bias is None else bias,
        input=x.detach(),
        output=output.detach(),
        cotangent=cotangent,
        input_gradient=input_gradient,
        weight_gradient=weight_gradient.unflatten(0, (fields[1], fields[0], len(kernels))),
    )

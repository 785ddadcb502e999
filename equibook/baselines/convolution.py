"""escnn's convolutions in equibook's coordinates, and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..layers import GroupConv2d, Rings, SteerableConv2d
from ..layers.comparison import from_filters, set_filters
from ..representation import LieGroup, Representation, is_grid_preserving
from ._escnn import nn
from .fields import field_type, fields, frame

__all__ = ["escnn_kernels", "expanded", "from_escnn", "steerable_from_escnn", "to_escnn"]


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


def from_escnn(convolution: Any, *, steerable: bool | None = None) -> GroupConv2d | SteerableConv2d:
    r"""The layer that computes what an escnn.nn.R2Conv computes, with a copy of its weights.

    With V, inward = ``fields(convolution.in_type)`` and W, outward = ``fields(convolution.out_type)``,
    ``layer(x[:, inward])`` is ``convolution(x)[:, outward]``. Both orders are 0, 1, 2, … where the
    types come from `field_type`.

    Args:
        convolution: an escnn.nn.R2Conv.
        steerable: whether to make a SteerableConv2d, with the rings, the frequencies and the number of
            weights of escnn's layer; else a GroupConv2d, which has more filters. If not given, a
            GroupConv2d where the group maps the grid to itself.

    Raises:
        TypeError: if it is another module; `network_from_escnn` converts whole models.
        ValueError: if the layer uses what our layers have not: dilation, groups, other padding than
            zeros; or if its filter is not an intertwiner.

    >>> from equibook import cyclic, regular
    >>> from escnn import nn
    >>> kind = field_type(regular(cyclic(4)))
    >>> convolution = nn.R2Conv(kind, kind, 3, padding=1)
    >>> x = torch.randn(1, 4, 8, 8)
    >>> bool(torch.allclose(from_escnn(convolution)(x), convolution(kind(x)).tensor, atol=1e-5))
    True

    Chapter: Group convolution, Steerable convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    if not isinstance(convolution, nn.R2Conv):
        raise TypeError(f"from_escnn takes an R2Conv, and network_from_escnn whole models; got {convolution!r}.")
    V, _ = fields(convolution.in_type)
    W, _ = fields(convolution.out_type)
    if steerable is None:
        steerable = isinstance(V.group, LieGroup) or not is_grid_preserving(V.group)
    if steerable:
        return steerable_from_escnn(convolution)
    _check_options(convolution)
    filters, bias = expanded(convolution, convolution.weights.detach())
    return from_filters(V, W, filters, bias, convolution.stride, convolution.padding)


def steerable_from_escnn(convolution: Any) -> SteerableConv2d:
    """The SteerableConv2d that computes what an R2Conv computes, between the channels that `frame` describes."""
    _check_options(convolution)
    filters, bias = expanded(convolution, convolution.weights.detach())
    used = _rings(convolution)
    layer = SteerableConv2d(
        frame(convolution.in_type)[0],
        frame(convolution.out_type)[0],
        convolution.kernel_size,
        convolution.stride,
        convolution.padding,
        bias is not None,
        radii=used.radii,
        widths=used.widths,
        cutoff=dict(zip(used.radii, used.cutoffs, strict=True)).__getitem__,
        generator=torch.Generator(),  # the draw is thrown away, and nobody's random numbers change
    )
    return set_filters(layer, filters, bias)


def _check_options(convolution: Any) -> None:
    for name, plain in (("dilation", 1), ("groups", 1), ("padding_mode", "zeros")):
        if getattr(convolution, name) != plain:
            raise ValueError(f"Our layers have {name} {plain!r} only; this R2Conv has {getattr(convolution, name)!r}.")
    if not isinstance(convolution.padding, int):
        raise ValueError(f"Our layers pad all sides alike; this R2Conv has padding {convolution.padding}.")


def _rings(convolution: Any) -> Rings:
    """The rings of an R2Conv, each with the highest frequency that its basis has there."""
    radii, widths = tuple(convolution._rings), tuple(convolution._sigma)
    cutoffs = [0] * len(radii)
    basis = convolution.basisexpansion
    for pair in basis._representations_pairs:  # one basis for all copies of two fields
        for element in getattr(basis, f"block_expansion_{basis._escape_pair(pair)}").get_basis_info():
            number = min(range(len(radii)), key=lambda i: abs(radii[i] - element["radius"]))
            cutoffs[number] = max(cutoffs[number], abs(element["irrep:frequency"]))
    return Rings(convolution.kernel_size, radii, widths, tuple(cutoffs))


def to_escnn(layer: SteerableConv2d) -> Any:
    """The escnn.nn.R2Conv that computes what a SteerableConv2d computes, with a copy of its weights.

    Its field types are those of `field_type`.

    Args:
        layer: a SteerableConv2d between fields that `field_type` knows.

    >>> from equibook import SteerableConv2d, cyclic, regular, trivial
    >>> layer = SteerableConv2d(trivial(cyclic(8)), regular(cyclic(8)), 5, padding=2)
    >>> theirs = to_escnn(layer)
    >>> x = torch.randn(1, 1, 9, 9)
    >>> bool(torch.allclose(theirs(theirs.in_type(x)).tensor, layer(x), atol=1e-5))
    True

    Chapter: Steerable convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    rings = layer.weight.window
    assert isinstance(rings, Rings)
    cutoffs = dict(zip(rings.radii, rings.cutoffs, strict=True))
    theirs = nn.R2Conv(
        field_type(layer.source),
        field_type(layer.target),
        layer.kernel_size,
        padding=layer.padding,
        stride=layer.stride,
        bias=layer.bias is not None,
        rings=list(rings.radii),
        sigma=list(rings.widths),
        frequencies_cutoff=lambda r: cutoffs[min(cutoffs, key=lambda ring: abs(ring - r))],
        initialize=False,
    )
    kernels = torch.stack([theirs.basisexpansion(one).flatten() for one in torch.eye(len(theirs.weights))])
    with torch.no_grad():
        theirs.weights.copy_(_solve(kernels, layer.filters()))
        if layer.bias is not None:
            theirs.bias.copy_(_solve(theirs.bias_expansion.mT, layer.bias(layer.target.dim)))
    return theirs


def _solve(rows: Tensor, wanted: Tensor) -> Tensor:
    """The combination of the rows that is what we want."""
    return torch.linalg.lstsq(rows.mT.double(), wanted.detach().flatten()[:, None].double()).solution[:, 0].float()


def expanded(convolution: Any, weights: Tensor) -> tuple[Tensor, Tensor | None]:
    """The filters (W.dim, V.dim, k, k) and the bias (W.dim,) of an R2Conv with the given weights, in our channels."""
    _, inward = frame(convolution.in_type)
    _, outward = frame(convolution.out_type)
    k = convolution.kernel_size
    filters = on_channels(outward, convolution.basisexpansion(weights))
    filters = on_channels(inward, filters.transpose(0, 1)).transpose(0, 1).unflatten(2, (k, k))
    if convolution.bias is None:
        return filters, None
    return filters, on_channels(outward, convolution.bias_expansion @ convolution.bias.detach())


def on_channels(Q: Tensor, x: Tensor) -> Tensor:
    """A map as `frame` returns it, a permutation or a matrix, on axis 0."""
    return x[Q] if Q.ndim == 1 else torch.einsum("ij,j...->i...", Q.to(x), x)

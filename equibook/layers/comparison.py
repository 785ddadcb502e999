"""The same convolution in two libraries: take over the filters, then compare outputs and gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ..representation import Hom, Representation, cyclic, dihedral, pixels, regular, trivial
from .convolution import FieldConv2d, GroupConv2d
from .weights import IntertwinerWeight

__all__ = ["ConvolutionRecord", "from_filters"]

#: How far a filter may be from Hom_G, relative to its size: what another library's round-off explains.
TOLERANCE = 1e-5

Convolution = TypeVar("Convolution", bound=FieldConv2d)


def from_filters(
    source: Representation,
    target: Representation,
    filters: Tensor,
    bias: Tensor | None = None,
    stride: int = 1,
    padding: int = 0,
) -> GroupConv2d:
    r"""The group convolution with given filters, which are intertwiners already.

    Args:
        source, target: V and W, the representations on the channels.
        filters: (W.dim, V.dim, k, k).
        bias: (W.dim,), an invariant vector.
        stride, padding: as for `GroupConv2d`.

    Returns:
        A layer in the dtype and on the device of the filters.

    Raises:
        ValueError: if the filters or the bias are not equivariant up to round-off; says by how much.

    >>> from equibook import cyclic, trivial
    >>> V = trivial(cyclic(4))
    >>> blur = from_filters(V, V, torch.ones(1, 1, 3, 3) / 9)
    >>> sum(p.numel() for p in blur.parameters())           # centre, edges, corners
    3
    >>> from_filters(V, V, torch.tensor([[[[1.0, -1.0], [0.0, 0.0]]]]))
    Traceback (most recent call last):
    ...
    ValueError: The filters are not equivariant: the distance to
    pixels(cyclic(4), 2) >> trivial(cyclic(4)) is 1 of the norm.

    Chapter: Group convolution
    """
    if filters.ndim != 4 or filters.shape[:2] != (target.dim, source.dim) or filters.shape[2] != filters.shape[3]:
        raise ValueError(f"Expected filters ({target.dim}, {source.dim}, k, k); got {tuple(filters.shape)}.")
    # its own generator: the initial draw is thrown away, and nobody's random numbers change
    unused = torch.Generator()
    layer = GroupConv2d(source, target, filters.shape[2], stride, padding, bias=bias is not None, generator=unused)
    return set_filters(layer, filters, bias)


def set_filters(layer: Convolution, filters: Tensor, bias: Tensor | None = None) -> Convolution:
    """Give a convolution the coordinates of the given filters and bias, in their dtype and on their device.

    Args:
        layer: a GroupConv2d or a SteerableConv2d.
        filters: (W.dim, V.dim, k, k), in the span of the layer's filters.
        bias: (W.dim,), an invariant vector.

    Returns:
        The layer.

    Raises:
        ValueError: if the filters or the bias lie outside, beyond round-off; says by how much.
    """
    layer = layer.to(filters)
    _assign(layer.weight, filters.flatten(2), "filters are")
    if layer.bias is not None and bias is not None:
        _assign(layer.bias, bias[:, None, None].to(filters), "bias is")
    return layer


def _assign(weight: IntertwinerWeight, values: Tensor, what: str) -> None:
    """Set the coordinates so that the expanded weight has the given values.

    Expanding is c ↦ Σ c_b B_b with orthonormal B_b. Its adjoint takes a weight to its coordinates,
    and autograd computes the adjoint.
    """
    if weight.coordinates is not None:
        (found,) = torch.autograd.grad(weight(), weight.coordinates, grad_outputs=values)
        with torch.no_grad():
            weight.coordinates.copy_(found)
    outside, size = float((weight().detach() - values).norm()), float(values.norm())
    if outside > TOLERANCE * size:
        raise ValueError(
            f"The {what} not equivariant: the distance to {weight.extra_repr()} is {outside / size:.2g} of the norm."
        )


@dataclass(frozen=True)
class ConvolutionRecord:
    r"""What another library's convolution does with one input, as tensors in equibook's ordering.

    Attributes:
        source, target: V and W, the representations on the channels: copies of one field each.
        kernels: (n, w, v, k, k) the kernels between a field of V and one of W that its weights combine.
        filters: (W.dim, V.dim, k, k), with k odd.
        bias: (W.dim,).
        input: x, (batch, V.dim, h, w).
        output: y, (batch, W.dim, h, w); the convolution pads by k // 2.
        cotangent: u, shaped as y; the gradients are those of ⟨u, y⟩.
        input_gradient: the gradient by x, shaped as x.
        weight_gradient: the gradient by the weights, (fields of W, fields of V, n).

    >>> import equibook as eq
    >>> records = ConvolutionRecord.read(eq.data.recording("escnn_group_conv"))
    >>> record = records["D4 regular 3x3"]
    >>> record.span(), record.hom().dim                 # escnn's kernels span 48 of 72 dimensions
    (48, 72)
    >>> max(record.differences().values()) < 1e-5
    True

    Chapter: Group convolution

    Reference: escnn, Cesa, Lang and Weiler (2022), is the other library.
    """

    source: Representation
    target: Representation
    kernels: Tensor
    filters: Tensor
    bias: Tensor
    input: Tensor
    output: Tensor
    cotangent: Tensor
    input_gradient: Tensor
    weight_gradient: Tensor

    def hom(self) -> Hom:
        """The space pixels ⊗ V → W of all equivariant kernels between one field of V and one of W."""
        (V, _), (W, _) = self.source.summands[0], self.target.summands[0]
        return pixels(V.group, self.kernels.shape[-1]) * V >> W

    def span(self) -> int:
        """The dimension that the other library's kernels span."""
        return int(torch.linalg.matrix_rank(self.kernels.flatten(1).double(), rtol=1e-4))

    def layer(self) -> GroupConv2d:
        """Our layer with the other library's filters and bias."""
        return from_filters(self.source, self.target, self.filters, self.bias, padding=self.filters.shape[-1] // 2)

    def differences(self) -> dict[str, float]:
        """How far the other library is from ours, each relative to the size of what is compared.

        Returns:
            "kernels": the largest distance of a kernel to Hom_G; "output", "input gradient" and
            "weight gradient": the distance to those of `layer`.
        """
        layer, hom = self.layer(), self.hom()
        as_maps = self.kernels.permute(0, 1, 3, 4, 2).flatten(2)  # a kernel as a map: its columns are (pixel, channel)
        x = self.input.clone().requires_grad_()
        output = layer(x)
        output.backward(self.cotangent)
        assert x.grad is not None
        return {
            "kernels": float((hom.distance(as_maps) / as_maps.flatten(1).norm(dim=1)).max()),
            "output": _relative(output.detach(), self.output),
            "input gradient": _relative(x.grad, self.input_gradient),
            "weight gradient": _relative(self._weight_gradient(layer), self.weight_gradient),
        }

    def _weight_gradient(self, layer: GroupConv2d) -> Tensor:
        """Our gradient by the other library's weights.

        Its filters are F = Σ c_b K_b, so that ∂/∂c_b = ⟨∂/∂F, K_b⟩. Our gradient by coordinates,
        expanded, is Π_G ∂/∂F, and has the same product with K_b, which lies in Hom_G.
        """
        gradients = {name: p.grad for name, p in layer.weight.named_parameters() if p.grad is not None}
        expanded = torch.func.functional_call(layer.weight, gradients, ())
        fields = expanded.unflatten(0, (-1, self.kernels.shape[1])).unflatten(2, (-1, self.kernels.shape[2]))
        return torch.einsum("owivp,nwvp->oin", fields, self.kernels.flatten(3))

    @staticmethod
    def read(recording: Mapping[str, Tensor]) -> dict[str, ConvolutionRecord]:
        """The records of a recording, by name: "C4 regular 3x3" (regular to regular), "D4 lifting 5x5", …"""
        names = dict.fromkeys(key.split("/")[0] for key in recording if "/" in key)
        return {name: _read(name, recording) for name in names}

    def tensors(self) -> dict[str, Tensor]:
        """The tensors, by attribute."""
        found = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in found.items() if isinstance(value, Tensor)}


def _read(name: str, recording: Mapping[str, Tensor]) -> ConvolutionRecord:
    tensors = {key.split("/")[1]: value for key, value in recording.items() if key.startswith(f"{name}/")}
    group, kind, _ = name.split()
    G = {"C": cyclic, "D": dihedral}[group[0]](int(group[1:]))
    v = trivial(G) if kind == "lifting" else regular(G)
    w = regular(G)
    filters = tensors["filters"]
    return ConvolutionRecord(filters.shape[1] // v.dim * v, filters.shape[0] // w.dim * w, **tensors)


def _relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())

"""The counterpart of each module of escnn: a layer of ours or of torch with the same outputs, over plain tensors.

Where torch has the same function (pointwise functions, windows of pixels), it is torch's module; where a module
needs to know representations, it is ours. Five small ones stand here, because nothing but a conversion needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers import BatchNorm, FourierPointwise, GroupPool, NormMaxPool2d, NormPool, NormReLU
from ..layers.constants import WithConstants
from ..layers.inputs import Channels
from ..representation import LieGroup, Representation
from ._escnn import nn
from .convolution import on_channels, steerable_from_escnn
from .fields import as_irreducibles, dense, frame

__all__ = ["ChangeOfBasis", "Counterpart", "counterparts"]


class Counterpart(NamedTuple):
    """A layer, and which channels it takes and gives.

    Args:
        layer: over plain tensors.
        source, target: the map from escnn's channels to those of the layer, as `frame` returns it; None if they are
            escnn's.
        anywhere: whether the layer treats all channels of a field alike, so that it needs no map at all.
    """

    layer: torch.nn.Module
    source: Tensor | None = None
    target: Tensor | None = None
    anywhere: bool = False


# ---- modules that serve only a conversion --------------------------------------------------


class ChangeOfBasis(WithConstants):
    """x ↦ Qx on the channels.

    Args:
        Q: (channels,) a permutation, output i is input Q[i]; or a matrix (new channels, channels), float64.
    """

    def __init__(self, Q: Tensor) -> None:
        super().__init__()
        if Q.ndim == 1:
            self.register_buffer("channels", Q, persistent=False)
        else:
            self.set_constant("matrix", Q)

    def forward(self, x: Tensor) -> Tensor:
        order = self._buffers.get("channels")
        if order is not None:
            return x.index_select(1, order)
        return torch.einsum("ij,bj...->bi...", self._buffers["matrix"], x)

    def extra_repr(self) -> str:
        return ", ".join(f"{name} {tuple(value.shape)}" for name, value in self._buffers.items() if value is not None)


class Gated(torch.nn.Module):
    """x_c ↦ sigmoid(s_c − b_c) x_c for fields x_c with gates s_c, where both are channels of one input or of two."""

    def __init__(self, gates: Tensor, channels: Tensor, owners: Tensor, bias: Tensor) -> None:
        super().__init__()
        for name, value in (("gates", gates), ("channels", channels), ("owners", owners)):
            self.register_buffer(name, value, persistent=False)
        self.bias = torch.nn.Parameter(bias.clone())

    def forward(self, *inputs: Tensor) -> Tensor:
        x = inputs[0] if len(inputs) == 1 else torch.cat(inputs, dim=1)
        shift = self.bias.view(-1, *(1 for _ in x.shape[2:]))
        gates = torch.sigmoid(x.index_select(1, self.get_buffer("gates")) - shift)
        return x.index_select(1, self.get_buffer("channels")) * gates.index_select(1, self.get_buffer("owners"))


class Mask(torch.nn.Module):
    """x ↦ x times a picture."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask.detach().clone())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.get_buffer("mask")

    def extra_repr(self) -> str:
        return f"{tuple(self.get_buffer('mask').shape[2:])}"


class Blur(torch.nn.Module):
    """The same filter on every channel, with zeros around the image, unlike `BlurPool2d`."""

    def __init__(self, filter: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> None:
        super().__init__()
        self.register_buffer("filter", filter.detach().clone())
        self.stride, self.padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        filters = self.get_buffer("filter").expand(x.shape[1], -1, -1, -1)
        return F.conv2d(x, filters, stride=self.stride, padding=self.padding, groups=x.shape[1])

    def extra_repr(self) -> str:
        return f"{tuple(self.get_buffer('filter').shape[2:])}, stride={self.stride}, padding={self.padding}"


class PixelDropout(torch.nn.Module):
    """In training, each field is dropped at each pixel by itself; `FieldDropout` drops it in the whole image."""

    def __init__(self, sizes: list[int], p: float) -> None:
        super().__init__()
        owners = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        self.register_buffer("owners", owners, persistent=False)
        self.fields, self.p = len(sizes), p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        factors = F.dropout(x.new_ones(len(x), self.fields, *x.shape[2:]), self.p)
        return x * factors.index_select(1, self.get_buffer("owners"))

    def extra_repr(self) -> str:
        return f"p={self.p}"


# ---- how fields lie ------------------------------------------------------------------------


def _sizes(kind: Any) -> list[int]:
    return [theirs.size for theirs in kind.representations]


def _by_size(kind: Any) -> list[int]:
    """The fields in the order in which escnn goes through them: the small ones first."""
    sizes = _sizes(kind)
    return sorted(range(len(sizes)), key=sizes.__getitem__)


def _one_by_one(module: Any) -> tuple[Representation, Tensor]:
    """What `frame` says of the input, if each of escnn's fields is one of ours."""
    V, Q = frame(module.in_type)
    if Channels(V).fields != len(module.in_type):
        raise ValueError(
            "has fields that are sums of several irreducibles, and ours would treat each of them by itself. Use "
            "irreducible fields there"
        )
    return V, Q


def _like(layer: torch.nn.Module, module: Any) -> torch.nn.Module:
    """The layer in the dtype and on the device of a module."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.is_floating_point():
            return layer.to(tensor)
    return layer


# ---- one function for each kind of module --------------------------------------------------


def _convolution(module: Any) -> Counterpart:
    layer = steerable_from_escnn(module)
    ours, theirs = sum(p.numel() for p in layer.weight.parameters()), module.weights.numel()
    if ours != theirs:
        raise ValueError(
            f"has {theirs} weights, and our filters with these rings and frequencies {ours}: a basis_filter or "
            "maximum_offset has left some out, and training would use them. Choose rings, sigma and "
            "frequencies_cutoff instead"
        )
    layer._moves = False  # escnn samples with a stride where the group moves the samples, and so do we here
    return Counterpart(layer, frame(module.in_type)[1], frame(module.out_type)[1])


def _inner_batch_norm(module: Any) -> Counterpart:
    V, Q = _one_by_one(module)
    layer = BatchNorm(V, module.eps, module.momentum, module.affine, module.track_running_stats)
    if any(count != n for count, (n, _) in zip(layer.counts, layer.channels.shapes, strict=True)):
        raise ValueError(
            "has fields in which more than one vector is invariant (a restricted or summed representation). escnn "
            "subtracts one mean there, which leaves out the others, and ours one for each. Disentangle the "
            "fields first"
        )
    norms = {size: getattr(module, f"batch_norm_[{size}]") for size in _sizes(module.in_type)}
    seen = dict.fromkeys(norms, 0)
    scales, shifts, means, variances = [], [], [], []
    for size in _sizes(module.in_type):
        norm, k = norms[size], seen[size]
        seen[size] += 1
        if norm.affine:
            scales.append(norm.weight[k])
            shifts.append(norm.bias[k].expand(size))
        if norm.track_running_stats:
            means.append(norm.running_mean[k].expand(size))
            variances.append(norm.running_var[k])
    _fill(layer, Q, scales, shifts, means, variances, next(iter(norms.values())).num_batches_tracked)
    return Counterpart(_like(layer, module), Q, Q)


def _evaluated_batch_norm(module: Any) -> Counterpart:
    """NormBatchNorm and IIDBatchNorm2d. In training they normalize by other variances than ours, without a gradient."""
    if module.training:
        raise ValueError(
            "normalizes in training by variances that it takes for constants, and no layer of ours does. Call "
            "model.eval() first: in evaluation BatchNorm computes the same. Or use InnerBatchNorm"
        )
    V, Q = _one_by_one(module)
    tracked = getattr(module, "track_running_stats", True)
    layer = BatchNorm(V, module.eps, module.momentum, module.affine, tracked)
    if not tracked:
        raise ValueError("has no running statistics. Build it with track_running_stats=True")
    by_name = isinstance(module, nn.IIDBatchNorm2d)
    seen: dict[Any, int] = {}
    scales, shifts, means, variances = [], [], [], []
    for theirs in module.in_type.representations:
        key = module._escape_name(theirs.name) if by_name else theirs.size
        k = seen.setdefault(key, 0)
        seen[key] += 1
        found = {
            name: getattr(module, f"{key}_{name}").view(-1, *getattr(module, f"{key}_{name}").shape[-1:])
            for name in ("running_mean", "running_var", "weight", "bias", "change_of_basis")
            if hasattr(module, f"{key}_{name}")
        }
        zeros = torch.zeros(theirs.size)
        variances.append(found["running_var"].flatten()[k])
        means.append(found["running_mean"][k] if "running_mean" in found else zeros)
        if module.affine:
            scales.append(found["weight"].flatten()[k])
            shifts.append(found["change_of_basis"] @ found["bias"][k] if "bias" in found else zeros)
    _fill(layer, Q, scales, shifts, means, variances, module.num_batches_tracked)
    return Counterpart(_like(layer, module), Q, Q)


@torch.no_grad()
def _fill(
    layer: BatchNorm,
    Q: Tensor,
    scales: list[Tensor],
    shifts: list[Tensor],
    means: list[Tensor],
    variances: list[Tensor],
    batches: Tensor | None,
) -> None:
    """Copy numbers, one for each field, and vectors, those of escnn's channels that belong to it."""

    def coordinates(vectors: list[Tensor]) -> Tensor:
        ours = on_channels(Q, torch.cat(vectors).detach().cpu().double())
        fields = layer.channels.split(ours[None])
        return torch.cat([(field[0] @ layer._exact[f"invariants_{i}"].mT).flatten() for i, field in enumerate(fields)])

    if layer.weight is not None and layer.bias is not None:
        layer.weight.copy_(torch.stack(scales))
        layer.bias.copy_(coordinates(shifts))
    if layer.running_mean is not None and layer.running_var is not None and layer.num_batches_tracked is not None:
        layer.running_mean.copy_(coordinates(means))
        layer.running_var.copy_(torch.stack(variances))
        layer.num_batches_tracked.copy_(torch.as_tensor(batches))


def _pointwise(module: Any) -> Counterpart:
    functions = {"relu": torch.nn.ReLU, "elu": torch.nn.ELU, "sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh}
    return Counterpart(functions[_name(module._function)](), anywhere=True)


def _name(function: Any) -> str:
    return function.__name__.strip("_")


def _norm_nonlinearity(module: Any) -> Counterpart:
    if module._function is not torch.relu:
        raise ValueError(
            "divides by the norm after another function than ReLU, and NormGate, ours, does not. Use "
            'function="n_relu", or train a network with NormGate'
        )
    if module.log_bias is None:
        return Counterpart(torch.nn.Identity(), anywhere=True)  # ReLU(‖x‖) x/‖x‖ = x
    V, Q = _one_by_one(module)
    layer = NormReLU(V)
    with torch.no_grad():
        layer.threshold[torch.tensor(_by_size(module.in_type))] = module.log_bias.detach().flatten().exp().cpu()
    return Counterpart(_like(layer, module), Q, Q)


def _gated(module: Any) -> Counterpart:
    """Gates and fields among the channels of one input."""
    if not module.drop_gates:
        raise ValueError("keeps the gates. Build it with drop_gates=True")
    kind = module.in_type
    gates = module.gates_indices.tolist()
    if module._contiguous["gate"]:
        gates = list(range(*gates))
    starts = kind.fields_start
    fields = [i for i in range(len(kind)) if starts[i] not in set(gates)]
    return Counterpart(_gate(kind, gates, fields, starts, module.bias))


def _gated_by_another(module: Any) -> Counterpart:
    """Gates and fields as two inputs, which we put behind each other."""
    scalars, kind = module.in_type
    starts = [scalars.size + start for start in kind.fields_start]
    return Counterpart(_gate(kind, list(range(scalars.size)), list(range(len(kind))), starts, module.bias))


def _gate(kind: Any, gates: list[int], fields: list[int], starts: Any, bias: Tensor) -> Gated:
    sizes = _sizes(kind)
    small_first = sorted(range(len(fields)), key=lambda i: sizes[fields[i]])  # escnn deals out its gates so
    gate_of = dict(zip(small_first, range(len(gates)), strict=True))
    owners = [gate_of[i] for i, field in enumerate(fields) for _ in range(sizes[field])]
    channels = [int(starts[field]) + c for field in fields for c in range(sizes[field])]
    device = bias.device
    gated = Gated(torch.tensor(gates), torch.tensor(channels), torch.tensor(owners), bias.detach().flatten())
    return gated.to(device)


def _fourier(module: Any) -> Counterpart:
    """Functions on the group with the same grid: FourierPointwise takes copies where escnn takes fields."""
    if module.rho_out is not module.rho:
        raise ValueError("changes the irreducibles on its way. Leave out out_irreps")
    field, Q = as_irreducibles(module.space, module.rho)
    n, G = len(module.in_type), field.group
    # (field, copy of an irreducible, coordinate) → (copy, field, coordinate), the order in which ours deals out copies
    copies = [(rho, m) for rho, m in field.summands]
    source, order, start = None, [], 0
    for rho, m in copies:
        source = n * m * rho if source is None else source + n * m * rho
        block = torch.arange(start, start + m * rho.dim).view(m, 1, rho.dim)
        order.append((block + field.dim * torch.arange(n).view(1, n, 1)).flatten())
        start += m * rho.dim
    assert source is not None
    whole = torch.block_diag(*n * [dense(Q)]) if Q.ndim == 2 else (Q + len(Q) * torch.arange(n)[:, None]).flatten()
    whole = whole[torch.cat(order)]
    samples = len(module.A) // len(G.components) if isinstance(G, LieGroup) else None
    layer = FourierPointwise(source, _name(module._function), samples=samples)
    theirs = on_channels(Q, module.A.detach().double().cpu().mT).mT
    ours = layer._exact["analysis"]
    if ours.shape != theirs.shape or bool((torch.cdist(theirs, ours).amin(dim=1) > 1e-5).any()):
        raise ValueError(
            "samples functions on the group at other points than FourierPointwise. Use type='regular' for the "
            "grid and normalize=True, and all elements of a finite group"
        )
    return Counterpart(_like(layer, module), whole, whole)


def _max_pool(module: Any) -> Counterpart:
    options = (module.kernel_size, module.stride, module.padding, module.dilation)
    return Counterpart(torch.nn.MaxPool2d(*options, ceil_mode=module.ceil_mode), anywhere=True)


def _blurred_max_pool(module: Any) -> Counterpart:
    dense_max = torch.nn.MaxPool2d(module.kernel_size, 1, module.padding, module.dilation, ceil_mode=module.ceil_mode)
    blur = Blur(module.filter[:1], module.stride, module._pad)
    return Counterpart(torch.nn.Sequential(dense_max, blur), anywhere=True)


def _norm_max_pool(module: Any) -> Counterpart:
    k = module.kernel_size[0]
    if (module.kernel_size, module.stride, module.padding, module.dilation) != ((k, k), (k, k), (0, 0), (1, 1)):
        raise ValueError("has windows that overlap or do not tile the image. Use kernel_size alone")
    V, Q = _one_by_one(module)
    return Counterpart(NormMaxPool2d(V, k), Q, Q)


def _pool(layer: Callable[[Representation], torch.nn.Module]) -> Callable[[Any], Counterpart]:
    def convert(module: Any) -> Counterpart:
        V, Q = _one_by_one(module)
        return Counterpart(layer(V), Q)

    return convert


def _linear_map(module: Any) -> Counterpart:
    """DisentangleModule and ReshuffleModule: what they do to each channel."""
    n = module.in_type.size
    tensor = next((b for b in module.buffers() if b.is_floating_point()), torch.zeros(()))
    columns = module(module.in_type(torch.eye(n).to(tensor).view(n, n, 1, 1))).tensor[:, :, 0, 0].cpu().double()
    matrix = columns.mT
    order = matrix.argmax(dim=1)
    is_order = torch.equal(matrix, torch.eye(n, dtype=torch.float64)[order])
    return Counterpart(_like(ChangeOfBasis(order if is_order else matrix), module))


def _upsampling(module: Any) -> Counterpart:
    return Counterpart(
        torch.nn.Upsample(module._size, module._scale_factor, module._mode, module._align_corners), anywhere=True
    )


def _everywhere(make: Callable[[Any], torch.nn.Module]) -> Callable[[Any], Counterpart]:
    return lambda module: Counterpart(make(module), anywhere=True)


@cache
def counterparts() -> dict[type, Callable[[Any], Counterpart]]:
    """For each class of escnn that we know, what makes the counterpart of a module of that class."""
    return {
        nn.R2Conv: _convolution,
        nn.InnerBatchNorm: _inner_batch_norm,
        nn.NormBatchNorm: _evaluated_batch_norm,
        nn.IIDBatchNorm2d: _evaluated_batch_norm,
        nn.ReLU: _everywhere(lambda m: torch.nn.ReLU(m._inplace)),
        nn.ELU: _everywhere(lambda m: torch.nn.ELU(m.alpha, m._inplace)),
        nn.LeakyReLU: _everywhere(lambda m: torch.nn.LeakyReLU(m._negative_slope, m._inplace)),
        nn.PointwiseNonLinearity: _pointwise,
        nn.NormNonLinearity: _norm_nonlinearity,
        nn.GatedNonLinearity1: _gated,
        nn.GatedNonLinearity2: _gated_by_another,
        nn.FourierPointwise: _fourier,
        nn.FourierELU: _fourier,
        nn.PointwiseMaxPool2D: _max_pool,
        nn.PointwiseMaxPoolAntialiased2D: _blurred_max_pool,
        nn.PointwiseAvgPool2D: _everywhere(
            lambda m: torch.nn.AvgPool2d(m.kernel_size, m.stride, m.padding, ceil_mode=m.ceil_mode)
        ),
        nn.PointwiseAvgPoolAntialiased2D: _everywhere(lambda m: Blur(m.filter[:1], m.stride, m.padding)),
        nn.PointwiseAdaptiveAvgPool2D: _everywhere(lambda m: torch.nn.AdaptiveAvgPool2d(m.output_size)),
        nn.PointwiseAdaptiveMaxPool2D: _everywhere(lambda m: torch.nn.AdaptiveMaxPool2d(m.output_size)),
        nn.NormMaxPool: _norm_max_pool,
        nn.GroupPooling: _pool(GroupPool),
        nn.NormPool: _pool(NormPool),
        nn.R2Upsampling: _upsampling,
        nn.MaskModule: _everywhere(lambda m: Mask(m.mask)),
        nn.PointwiseDropout: _everywhere(lambda m: torch.nn.Dropout(m.p, m.inplace)),
        nn.FieldDropout: _everywhere(lambda m: PixelDropout(_sizes(m.in_type), m.p)),
        nn.IdentityModule: _everywhere(lambda m: torch.nn.Identity()),
        nn.RestrictionModule: lambda m: Counterpart(torch.nn.Identity()),
        nn.DisentangleModule: _linear_map,
        nn.ReshuffleModule: _linear_map,
    }

r"""Normalization by batch and by layer, of fields of any representation.

To subtract a mean commutes with G if the mean is invariant, and the mean of a field has an invariant
part: its projection onto V^G. To divide commutes if all channels of a field are divided by the same
number, which does not change when the field turns: its mean square length. So a field has as many means
as V^G has dimensions (one for trivial and regular fields, none for other irreducibles) and one variance.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..representation import Representation, trivial
from .constants import WithConstants
from .inputs import Channels, expect_representation, like_channels

__all__ = ["BatchNorm", "LayerNorm"]


class FieldNorm(WithConstants):
    """What the two share: for each summand an orthonormal basis of V_i^G, and a scale and shifts for each field."""

    def __init__(self, source: Representation, eps: float, affine: bool) -> None:
        super().__init__()
        self.source = self.target = expect_representation(source, type(self).__name__)
        self.channels, self.eps = Channels(source), eps
        self.counts = []  # of the means of each summand: fields × dim V_i^G
        for i, (atom, n) in enumerate(source.summands):
            invariants = (trivial(source.group) >> atom).basis()[:, :, 0]
            self.set_constant(f"invariants_{i}", invariants)
            self.counts.append(n * len(invariants))
        self.weight = nn.Parameter(torch.ones(self.channels.fields)) if affine else None
        self.bias = nn.Parameter(torch.zeros(sum(self.counts))) if affine else None

    def invariants(self, i: int) -> Tensor:
        """(dim V_i^G, V_i.dim), orthonormal rows."""
        basis = self._buffers[f"invariants_{i}"]
        assert basis is not None
        return basis

    def affine(self, fields: list[Tensor], like: Tensor) -> Tensor:
        """Scale and shift each field, and put the channels together again."""
        if self.weight is not None and self.bias is not None:
            scales = self.channels.share_out(self.weight)
            for i, (scale, shift) in enumerate(zip(scales, self.bias.split(self.counts), strict=True)):
                fields[i] = fields[i] * like_channels(scale, fields[i])
                if self.counts[i]:
                    U = self.invariants(i)
                    fields[i] = fields[i] + like_channels(shift.view(-1, len(U)) @ U, fields[i])
        return torch.cat([field.flatten(1, 2) for field in fields], dim=1).to(like.dtype)

    def extra_repr(self) -> str:
        return f"{self.source}, eps={self.eps}"


class BatchNorm(FieldNorm):
    r"""Batch normalization of fields: x_c ↦ γ_c (x_c − μ_c)/√(v_c + ε) + β_c, with μ_c, β_c ∈ V_i^G.

    μ_c is the invariant part of the mean over samples and pixels, and v_c the mean square of all channels of
    x_c − μ_c: one number for each field. On trivial representations this is `torch.nn.BatchNorm2d`, on
    regular ones `torch.nn.BatchNorm3d` with the group as an axis; where no vector is invariant, a field is
    divided by its root mean square.

    Args:
        source: V = ⊕ n_i V_i, any representation.
        eps: ε.
        momentum: of the running means and variances, which evaluation uses; None for the mean of all batches.
        affine: whether γ and β are learned.
        track_running_stats: whether there are running statistics; else every batch has its own. Keeping them
            changes the module in training, which torch.func.grad, vmap and jvp do not allow.

    Input and output (batch, V.dim, ...).

    Raises:
        ValueError: in training, if there is one value alone to take the mean of.

    >>> from equibook import irreps, o2, trivial
    >>> V = 4 * trivial(o2()) + 3 * irreps(o2(), 1)[2]
    >>> y = BatchNorm(V)(5 + 2 * torch.randn(100, V.dim))
    >>> y.mean(dim=0)[:4].abs().max() < 1e-5, y.square().mean().round(decimals=1)
    (tensor(True), tensor(1., grad_fn=<RoundBackward1>))

    Chapter: Linear layers and nonlinearities

    Reference: Ioffe and Szegedy (2015); Weiler and Cesa (2019) for fields.
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        source: Representation,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(source, eps, affine)
        self.momentum, self.track_running_stats = momentum, track_running_stats
        start = (torch.zeros(sum(self.counts)), torch.ones(self.channels.fields), torch.tensor(0))
        for name, value in zip(("running_mean", "running_var", "num_batches_tracked"), start, strict=True):
            self.register_buffer(name, value if track_running_stats else None)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        fields = [_at_least_float(field) for field in self.channels.split(x)]
        if self.training or self.running_mean is None or self.running_var is None:
            means, variances = self._statistics(fields)
            if self.training and self.track_running_stats:
                self._track(means, variances, x)
        else:
            means = list(self.running_mean.split(self.counts))
            variances = self.channels.share_out(self.running_var)
        for i, field in enumerate(fields):
            if self.counts[i]:
                U = self.invariants(i).to(means[i])
                field = field - like_channels(means[i].view(-1, len(U)) @ U, field)
            fields[i] = field * like_channels((variances[i] + self.eps).rsqrt(), field)
        return self.affine(fields, x)

    def _statistics(self, fields: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each summand the means (fields · dim V_i^G,) and the variances (fields,)."""
        means, variances = [], []
        for i, field in enumerate(fields):
            U = self.invariants(i).to(field)
            where = (0, *range(3, field.ndim))
            if self.training and field.shape[0] * field[0, 0].numel() <= len(U):
                raise ValueError(f"In training, BatchNorm needs more than one value a mean; got {tuple(field.shape)}.")
            means.append((field.mean(dim=where) @ U.mT).flatten())
            if self.counts[i]:
                field = field - like_channels(means[i].view(-1, len(U)) @ U, field)
            variances.append(field.square().mean(dim=(0, *range(2, field.ndim))))
        return means, variances

    @torch.no_grad()
    def _track(self, means: list[Tensor], variances: list[Tensor], x: Tensor) -> None:
        """Move the running statistics toward those of this batch, the variances without their bias."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        step = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        places = x.numel() // x.shape[1]
        unbiased = []
        for variance, count, (n, d) in zip(variances, self.counts, self.channels.shapes, strict=True):
            values = places * d
            unbiased.append(variance * (values / (values - count // n)))
        self.running_mean.lerp_(torch.cat(means).to(self.running_mean), step)
        self.running_var.lerp_(torch.cat(unbiased).to(self.running_var), step)


class LayerNorm(FieldNorm):
    r"""Layer normalization of fields: as `BatchNorm`, but over the copies of one V_i instead of over the batch.

    Each sample is normalized by itself, and each pixel of a field too. μ is the invariant part of the mean
    over the n_i copies of V_i, and v the mean square over the copies and their channels. With n copies of
    the trivial representation, this is `torch.nn.LayerNorm(n)`.

    Args:
        source: V = ⊕ n_i V_i, any representation. One copy alone of a trivial V_i is its own mean, and goes to β.
        eps: ε.
        affine: whether a scale for each field and invariant shifts are learned.

    Input and output (batch, V.dim, ...).

    >>> from equibook import irreps, so3
    >>> layer = LayerNorm(8 * irreps(so3(), 1)[1])
    >>> layer(torch.randn(5, 24)).square().mean(dim=1).round(decimals=2).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0]

    Chapter: Linear layers and nonlinearities

    Reference: Ba, Kiros and Hinton (2016).
    """

    def __init__(self, source: Representation, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__(source, eps, affine)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        fields = [_at_least_float(field) for field in self.channels.split(x)]
        for i, field in enumerate(fields):
            if self.counts[i]:
                U = self.invariants(i).to(field)
                mean = torch.einsum("kc,kd,bd...->bc...", U, U, field.mean(dim=1))
                field = field - mean.unsqueeze(1)
            variance = field.square().mean(dim=(1, 2), keepdim=True)
            fields[i] = field * (variance + self.eps).rsqrt()
        return self.affine(fields, x)


def _at_least_float(x: Tensor) -> Tensor:
    """Statistics of half precision numbers overflow and lose digits."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x

"""Pooling over the group, over windows of pixels and over whole images, and the papers' normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation, trivial
from .inputs import check_channels, require_permutation

__all__ = ["AvgPool2d", "GlobalAvgPool2d", "GroupPool", "SpatialNorm"]


class GroupPool(nn.Module):
    """The maximum or the mean over the channels of each field: an invariant from each field.

    Args:
        source: V, a sum of permutation representations.
        how: "max" or "mean".

    Input (batch, V.dim, ...); output (batch, fields, ...), with the trivial representation.

    Raises:
        ValueError: if V does not permute its channels.

    >>> from equibook import cyclic, regular
    >>> GroupPool(3 * regular(cyclic(4)))(torch.randn(2, 12, 5, 5)).shape
    torch.Size([2, 3, 5, 5])

    Chapter: Group convolution
    """

    def __init__(self, source: Representation, how: str = "max") -> None:
        super().__init__()
        if how not in ("max", "mean"):
            raise ValueError(f'how is "max" or "mean"; got {how!r}.')
        require_permutation(source, "GroupPool")
        self.source, self.how = source, how
        self.target = sum(n for _, n in source.summands) * trivial(source.group)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source)
        pooled = []
        for piece, (V, n) in zip(
            x.split([n * V.dim for V, n in self.source.summands], dim=1), self.source.summands, strict=True
        ):
            field = piece.unflatten(1, (n, V.dim))
            pooled.append(field.amax(dim=2) if self.how == "max" else field.mean(dim=2))
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.how}"


class AvgPool2d(nn.Module):
    """The mean over windows of k × k pixels, which commutes with quarter turns if k divides the sides.

    Args:
        source: V, any representation on the channels.
        kernel_size: k.

    Input (batch, V.dim, h, w); output (batch, V.dim, h/k, w/k).

    >>> from equibook import cyclic, trivial
    >>> AvgPool2d(trivial(cyclic(4)), 2)(torch.ones(1, 1, 4, 4)).shape
    torch.Size([1, 1, 2, 2])

    Chapter: Group convolution
    """

    def __init__(self, source: Representation, kernel_size: int) -> None:
        super().__init__()
        if kernel_size < 1:
            raise ValueError(f"A window has at least one pixel; got kernel_size {kernel_size}.")
        self.source = self.target = source
        self.kernel_size = kernel_size

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source, field=True)
        h, w = x.shape[-2:]
        if h % self.kernel_size or w % self.kernel_size:
            raise ValueError(
                f"Windows of {self.kernel_size} pixels do not tile a {h} × {w} image; the ones left over at one edge "
                "would break the symmetry. Pad or crop it first."
            )
        return F.avg_pool2d(x, self.kernel_size)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.kernel_size}"


class GlobalAvgPool2d(nn.Module):
    """The mean over all pixels: a field becomes a vector with the same representation.

    Args:
        source: V, any representation on the channels.

    Input (batch, V.dim, h, w); output (batch, V.dim).

    >>> from equibook import cyclic, trivial
    >>> GlobalAvgPool2d(trivial(cyclic(4)))(torch.ones(2, 1, 4, 4)).shape
    torch.Size([2, 1])

    Chapter: Group convolution
    """

    def __init__(self, source: Representation) -> None:
        super().__init__()
        self.source = self.target = source

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source, field=True)
        return x.mean(dim=(-2, -1))

    def extra_repr(self) -> str:
        return f"{self.source}"


class SpatialNorm(nn.Module):
    """LayerNorm over the pixels of each channel, without learnable scale, as P1 and P3 use it.

    It subtracts each channel's mean and divides by its standard deviation, so it commutes with
    whatever permutes pixels and channels.

    Args:
        source: V, a sum of permutation representations.

    Input and output (batch, V.dim, h, w).

    Raises:
        ValueError: if V does not permute its channels.

    >>> from equibook import cyclic, regular
    >>> y = SpatialNorm(regular(cyclic(4)))(torch.randn(2, 4, 8, 8))
    >>> bool(y.mean(dim=(2, 3)).abs().max() < 1e-6)
    True

    Chapter: Compatibility
    """

    def __init__(self, source: Representation, eps: float = 1e-5) -> None:
        super().__init__()
        require_permutation(source, "SpatialNorm")
        self.source = self.target = source
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source, field=True)
        return F.layer_norm(x, x.shape[-2:], eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.source}"

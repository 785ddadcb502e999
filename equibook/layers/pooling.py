r"""Pooling over the group, over windows of pixels and over whole images; smaller and larger images.

A mean commutes with every representation. A maximum over channels or pixels is taken of what the group
permutes: of the channels themselves, or of the lengths of fields. On the grid, what is done to one edge of an
image has to be done to all four: windows tile the image, and samples lie symmetrically about its center. Then
quarter turns and flips commute exactly. For other angles an image has to be smooth on the scale of the
new grid, which is what blurring before sampling is for.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation, trivial
from .inputs import Channels, expect_representation, require_permutation

__all__ = [
    "AvgPool2d",
    "BlurPool2d",
    "GlobalAvgPool2d",
    "GroupPool",
    "MaxPool2d",
    "NormMaxPool2d",
    "NormPool",
    "SpatialNorm",
    "Upsample2d",
]


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
        require_permutation(source, "GroupPool", instead="; NormPool takes any")
        self.source, self.channels, self.how = source, Channels(source), how
        self.target = self.channels.fields * trivial(source.group)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        pooled = []
        for field in self.channels.split(x):
            pooled.append(field.amax(dim=2) if self.how == "max" else field.mean(dim=2))
        return pooled[0] if len(pooled) == 1 else torch.cat(pooled, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.how}"


class NormPool(nn.Module):
    """The length of each field: an invariant of each, whatever the representation.

    Args:
        source: V.

    Input (batch, V.dim, ...); output (batch, fields, ...), with the trivial representation.

    >>> from equibook import irreps, so3
    >>> NormPool(3 * irreps(so3(), 1)[1])(torch.ones(1, 9)).square().tolist()
    [[3.0..., 3.0..., 3.0...]]

    Chapter: Group convolution
    """

    def __init__(self, source: Representation) -> None:
        super().__init__()
        self.source = expect_representation(source, "NormPool")
        self.channels = Channels(source)
        self.target = self.channels.fields * trivial(source.group)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        return torch.cat([field.norm(dim=2) for field in self.channels.split(x)], dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}"


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
        self.channels = Channels(source)
        self.kernel_size = kernel_size

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
        _check_tiles(x, self.kernel_size)
        return F.avg_pool2d(x, self.kernel_size)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.kernel_size}"


class MaxPool2d(nn.Module):
    """The maximum over windows of k × k pixels of each channel, on fields that the group permutes.

    Args:
        source: V, a sum of permutation representations.
        kernel_size: k.
        stride: from one window to the next; k if not given.
        padding: as in torch.nn.MaxPool2d.

    Input (batch, V.dim, h, w); output (batch, V.dim, h', w').

    Raises:
        ValueError: if V does not permute its channels; in use, if the windows miss the pixels at one edge.

    >>> from equibook import cyclic, regular
    >>> MaxPool2d(regular(cyclic(4)), 3, stride=2, padding=1)(torch.randn(1, 4, 7, 7)).shape
    torch.Size([1, 4, 4, 4])

    Chapter: Measuring equivariance
    """

    def __init__(self, source: Representation, kernel_size: int, stride: int | None = None, padding: int = 0) -> None:
        super().__init__()
        require_permutation(source, "MaxPool2d", instead="; NormMaxPool2d takes any")
        if kernel_size < 1:
            raise ValueError(f"A window has at least one pixel; got kernel_size {kernel_size}.")
        self.source = self.target = source
        self.channels = Channels(source)
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
        for side in x.shape[2:]:
            if (side + 2 * self.padding - self.kernel_size) % self.stride:
                raise ValueError(
                    f"With kernel_size {self.kernel_size}, padding {self.padding} and stride {self.stride} the windows "
                    f"do not reach both edges of a side of {side} pixels, which would break the symmetry. Choose sizes "
                    f"with (side + 2·padding − kernel_size) divisible by {self.stride}."
                )
        return F.max_pool2d(x, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.kernel_size}, stride={self.stride}, padding={self.padding}"


class NormMaxPool2d(nn.Module):
    """Of each field, the longest vector in each window of k × k pixels: a maximum for any representation.

    Args:
        source: V, any representation on the channels.
        kernel_size: k; the windows tile the image.

    Input (batch, V.dim, h, w); output (batch, V.dim, h/k, w/k).

    Raises:
        ValueError: in use, if k does not divide the sides.

    >>> from equibook import irreps, so2
    >>> layer = NormMaxPool2d(3 * irreps(so2(), 1)[1], 2)
    >>> layer(torch.randn(1, 6, 4, 4)).shape
    torch.Size([1, 6, 2, 2])

    Chapter: Measuring equivariance
    """

    def __init__(self, source: Representation, kernel_size: int) -> None:
        super().__init__()
        if kernel_size < 1:
            raise ValueError(f"A window has at least one pixel; got kernel_size {kernel_size}.")
        self.source = self.target = expect_representation(source, "NormMaxPool2d")
        self.channels = Channels(source)
        self.kernel_size = kernel_size

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
        _check_tiles(x, self.kernel_size)
        h, w = (side // self.kernel_size for side in x.shape[2:])
        windows = x.unflatten(3, (w, self.kernel_size)).unflatten(2, (h, self.kernel_size))
        windows = windows.transpose(3, 4).flatten(4)  # (batch, V.dim, h/k, w/k, k²)
        pooled = []
        for field in self.channels.split(windows):
            longest = field.square().sum(dim=2, keepdim=True).argmax(dim=-1, keepdim=True)
            chosen = field.gather(-1, longest.expand(*field.shape[:-1], 1))
            pooled.append(chosen.squeeze(-1).flatten(1, 2))
        return torch.cat(pooled, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.kernel_size}"


class BlurPool2d(nn.Module):
    r"""An image with ⌈h/s⌉ × ⌈w/s⌉ pixels: blurred by a Gaussian, then sampled at distance s.

    Sampling alone folds frequencies that the coarse grid cannot hold onto others, and the result does
    not turn with the image. The new pixels lie symmetrically about the center, between old ones if they must,
    so quarter turns and flips commute exactly on images of every size. Weights are divided
    by their sum over the pixels inside, so a constant stays what it is, also at the edges.

    Args:
        source: V, any representation on the channels.
        stride: s.
        sigma: the width of the Gaussian in old pixels; s/2 if not given.

    Input (batch, V.dim, h, w); output (batch, V.dim, ⌈h/s⌉, ⌈w/s⌉).

    >>> from equibook import cyclic, trivial
    >>> BlurPool2d(trivial(cyclic(4)), 2)(torch.ones(1, 1, 7, 8)).shape
    torch.Size([1, 1, 4, 4])

    Chapter: Measuring equivariance

    Reference: Zhang (2019).
    """

    def __init__(self, source: Representation, stride: int = 2, sigma: float | None = None) -> None:
        super().__init__()
        if not isinstance(stride, int) or stride < 1:
            raise ValueError(f"Pixels lie a whole number of old ones apart, at least 1; got stride {stride!r}.")
        if sigma is not None and not sigma > 0:
            raise ValueError(f"The width of the blur is positive; got sigma {sigma}.")
        self.source = self.target = expect_representation(source, "BlurPool2d")
        self.channels = Channels(source)
        self.stride, self.sigma = stride, stride / 2 if sigma is None else sigma

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
        rows, columns = (self._weights(side, x) for side in x.shape[2:])
        return rows @ x @ columns.mT

    def _weights(self, side: int, x: Tensor) -> Tensor:
        """(new, old): how much each old pixel of a side counts in each new one."""
        dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
        count = math.ceil(side / self.stride)
        old = torch.arange(side, device=x.device, dtype=dtype) - (side - 1) / 2
        new = self.stride * (torch.arange(count, device=x.device, dtype=dtype) - (count - 1) / 2)
        weights = torch.exp(-(new[:, None] - old).square() / (2 * self.sigma**2))
        return (weights / weights.sum(dim=1, keepdim=True)).to(x)

    def extra_repr(self) -> str:
        return f"{self.source}, stride={self.stride}, sigma={self.sigma}"


class Upsample2d(nn.Module):
    r"""An image with s·h × s·w pixels, by repeating pixels or by bilinear interpolation.

    Each old pixel becomes s × s new ones about its center, so quarter turns and flips commute exactly.
    The other conventions do not: with a factor that is no whole number, "nearest" rounds to one side, and we
    refuse it. For other angles, bilinear interpolation is the better one, and neither is exact.

    Args:
        source: V, any representation on the channels.
        scale_factor: s, a whole number.
        mode: "nearest" or "bilinear".

    Input (batch, V.dim, h, w); output (batch, V.dim, s·h, s·w).

    Raises:
        ValueError: if s is no whole number.

    >>> from equibook import cyclic, trivial
    >>> Upsample2d(trivial(cyclic(4)), 2, "nearest")(torch.tensor([[[[1.0, 2.0]]]]))[0, 0].tolist()
    [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]

    Chapter: Measuring equivariance
    """

    def __init__(self, source: Representation, scale_factor: int = 2, mode: str = "bilinear") -> None:
        super().__init__()
        if mode not in ("nearest", "bilinear"):
            raise ValueError(f'mode is "nearest" or "bilinear"; got {mode!r}.')
        if not isinstance(scale_factor, int) or scale_factor < 1:
            raise ValueError(
                f"Each pixel becomes s × s new ones, s a whole number; with scale_factor {scale_factor!r} the new "
                "pixels would not lie symmetrically, and quarter turns would not commute."
            )
        self.source = self.target = expect_representation(source, "Upsample2d")
        self.channels = Channels(source)
        self.scale_factor, self.mode = scale_factor, mode

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
        corners = False if self.mode == "bilinear" else None
        return F.interpolate(x, scale_factor=self.scale_factor, mode=self.mode, align_corners=corners)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.scale_factor}, {self.mode}"


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
        self.channels = Channels(source)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
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
        self.channels = Channels(source)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x, field=True)
        return F.layer_norm(x, x.shape[-2:], eps=self.eps)

    def extra_repr(self) -> str:
        return f"{self.source}"


def _check_tiles(x: Tensor, kernel_size: int) -> None:
    h, w = x.shape[-2:]
    if h % kernel_size or w % kernel_size:
        raise ValueError(
            f"Windows of {kernel_size} pixels do not tile a {h} × {w} image; the ones left over at one edge "
            "would break the symmetry. Pad or crop it first."
        )

r"""Convolutions that commute with translations and with the rotations and flips of the grid."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import LieGroup, Representation, pixels
from .inputs import check_channels, expect_representation
from .linear import bias_vector, invariant_vector
from .weights import IntertwinerWeight, Window

__all__ = ["GroupConv2d"]


class FieldConv2d(nn.Module):
    """What equivariant convolutions share: V and W, an equivariant weight over a window, a bias.

    Args:
        source, target, kernel_size, stride, padding, bias, generator: see `GroupConv2d`.
        window: makes the filters, once the numbers have been checked.
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        kernel_size: int,
        stride: int,
        padding: int,
        bias: bool,
        *,
        window: Callable[[], Representation | Window],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        for V in (source, target):
            expect_representation(V, type(self).__name__)
        for name, value, least in (("kernel_size", kernel_size, 1), ("stride", stride, 1), ("padding", padding, 0)):
            if not isinstance(value, int) or value < least:
                raise ValueError(f"Got {name} {value!r}; it is a whole number, at least {least}.")
        self.source, self.target = source, target
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self._moves = isinstance(source.group, LieGroup) or source.group.order > 1
        self.weight = IntertwinerWeight(source, target, window(), generator=generator)
        self.bias = invariant_vector(target) if bias else None

    def filters(self) -> Tensor:
        """The filters as torch.nn.functional.conv2d takes them: (W.dim, V.dim, k, k)."""
        return self.weight(self.target.dim, self.source.dim, self.kernel_size, self.kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        check_channels(x, self.source, field=True)
        for size in x.shape[2:] if self.stride > 1 and self._moves else ():
            if (size + 2 * self.padding - self.kernel_size) % self.stride:
                raise ValueError(
                    f"With kernel_size {self.kernel_size}, padding {self.padding} and stride {self.stride} the filter "
                    f"does not reach both edges of a side of {size} pixels, so the group would move the samples. "
                    f"Choose sizes with (side + 2·padding − kernel_size) divisible by {self.stride}."
                )
        return F.conv2d(x, self.filters(), bias_vector(self.bias), self.stride, self.padding)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class GroupConv2d(FieldConv2d):
    r"""The convolution whose kernel satisfies κ(gx) = ρ_W(g) κ(x) ρ_V(g)⁻¹ for all g.

    Such a kernel is an intertwiner pixels ⊗ V → W, so its space is ``pixels(G, k) * V >> W``, and
    nothing else is computed. With V = n · trivial this is the lifting layer, with regular
    representations the group convolution, and any other fibre works the same way.

    Args:
        source: V, the representation on the channels of the input field.
        target: W, the representation on the channels of the output field.
        kernel_size: the side k of the square filter.
        stride, padding: as in torch.nn.Conv2d.
        bias: whether to add an invariant vector, which starts at 0.
        generator: draws the initial weight.

    Input (batch, V.dim, h, w); output (batch, W.dim, h', w').

    Raises:
        ValueError: if the group does not map the pixels of a filter to each other; in use, if the
            stride would sample a grid that is not symmetric.

    >>> from equibook import cyclic, regular, trivial
    >>> G = cyclic(4)
    >>> lift = GroupConv2d(trivial(G), 8 * regular(G), 3, padding=1)
    >>> lift(torch.randn(2, 1, 8, 8)).shape
    torch.Size([2, 32, 8, 8])

    Chapter: Group convolution

    Reference: Cohen and Welling (2016).
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        G = expect_representation(source, "GroupConv2d").group
        if getattr(G, "plane", None) is None:
            raise ValueError(
                f"A filter needs a group of rotations and flips, cyclic(1 | 2 | 4) or dihedral(1 | 2 | 4); got {G}."
            )
        super().__init__(
            source,
            target,
            kernel_size,
            stride,
            padding,
            bias,
            window=lambda: pixels(G, kernel_size),
            generator=generator,
        )

r"""The learnable point of Hom_G that every linear layer of the book holds.

A linear layer, a convolution and an equivariant bias differ only in the space: Hom_G(V, W),
Hom_G(pixels ⊗ V, W) and Hom_G(trivial, W). One module serves the three, and steerable convolutions,
whose filters are a part of such a space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from ..representation import Representation, trivial
from .expansion import Block, Expansion, expansion

__all__ = ["IntertwinerWeight", "Window"]


class Window(Protocol):
    """The filters between two fibers: a space of maps that are sampled at ``dim`` pixels."""

    @property
    def dim(self) -> int:
        """The number of pixels."""

    def basis(self, V: Representation, W: Representation) -> Tensor:
        """An orthonormal basis: (n, W.dim, V.dim, dim), float64."""

    def starts(self, V: Representation, W: Representation) -> Tensor:
        """The coordinates (maps, n) of the maps that the first draw combines with independent weights."""


class IntertwinerWeight(nn.Module):
    r"""A learnable element of Hom_G(P ⊗ V, W), by its coordinates in an orthonormal basis.

    For V = ⊕ m_i V_i and W = ⊕ n_j W_j the weight falls into blocks, and the n_j · m_i blocks between
    copies of V_i and W_j share one basis of Hom_G(P ⊗ V_i, W_j). All coordinates are one parameter,
    block after block, each of shape (n_j, m_i, dim Hom_G) and drawn from a normal law whose variance is
    dim W_j / Σ_i m_i dim Hom_G(P ⊗ V_i, W_j): white input of unit variance then leaves with unit
    variance, on average over the coordinates of W_j, whatever the group. (A `Window` may combine other maps
    than its basis with independent weights. Then the sum runs over their squared norms, and the input
    leaves with unit variance again.)

    Args:
        source: V.
        target: W.
        window: P, the pixels of a filter; the trivial representation if there is none. Or a `Window`,
            which takes a basis of its own choice in the place of one of Hom_G(P ⊗ V_i, W_j).
        generator: draws the initial coordinates.

    Returns:
        Called without arguments: the weight, (W.dim, V.dim, P.dim). Called with a shape: the same, viewed so.

    >>> from equibook import cyclic, pixels, regular
    >>> G = cyclic(4)
    >>> weight = IntertwinerWeight(2 * regular(G), 3 * regular(G), pixels(G, 3))
    >>> weight().shape, weight.block(0, 0).shape
    (torch.Size([12, 8, 9]), torch.Size([3, 2, 36]))

    Chapter: Group convolution
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        window: Representation | Window | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.window = trivial(source.group) if window is None else window
        self.shape = target.dim, source.dim, self.window.dim
        blocks = self._blocks()
        self.coordinates = nn.Parameter(self._first_draw(blocks, generator)) if blocks else None
        self._places = {(block.j, block.i): (block.start, block.stop, block.shape) for block in blocks}
        self._empty: Tensor  # knows dtype and device where Hom_G = 0
        self.register_buffer("_empty", torch.zeros(0), persistent=False)
        self._expansion = self._expand_by(blocks) if blocks else None

    def block(self, j: int, i: int) -> Tensor:
        """The coordinates of the maps from the copies of V_i to those of W_j.

        Returns:
            (n_j, m_i, dim Hom_G(P ⊗ V_i, W_j)), a view.
        """
        if self.coordinates is None or (j, i) not in self._places:
            return self._empty.new_zeros(self.target.summands[j][1], self.source.summands[i][1], 0)
        start, stop, shape = self._places[j, i]
        return self.coordinates[start:stop].view(shape)

    def _blocks(self) -> list[Block]:
        """The blocks where Hom_G is not 0, by rows."""
        found: list[Block] = []
        for j, (W, n) in enumerate(self.target.summands):
            for i, (V, m) in enumerate(self.source.summands):
                basis = self._filters(V, W)
                if len(basis):
                    found.append(Block(j, i, (n, m), basis, found[-1].stop if found else 0))
        return found

    def _first_draw(self, blocks: list[Block], generator: torch.Generator | None) -> Tensor:
        """All coordinates, such that white input of unit variance leaves with unit variance."""
        mixed = [self._combined(block) for block in blocks]
        fans = [0.0] * len(self.target.summands)  # Σ_i m_i · what one copy of V_i adds
        for block, maps in zip(blocks, mixed, strict=True):
            fans[block.j] += block.copies[1] * (len(block.basis) if maps is None else float(maps.square().sum()))
        draws = []
        for block, maps in zip(blocks, mixed, strict=True):
            free = torch.randn(*block.copies, len(block.basis if maps is None else maps), generator=generator)
            if maps is not None:
                free = (free.double() @ maps).to(free)  # in float64, which autocast leaves alone
            draws.append(free.flatten() * (block.basis.shape[1] / fans[block.j]) ** 0.5)
        return torch.cat(draws)

    def _combined(self, block: Block) -> Tensor | None:
        """What the first draw combines with independent weights, (maps, dim); None for the basis itself."""
        if isinstance(self.window, Representation):
            return None
        return self.window.starts(self.source.summands[block.i][0], self.target.summands[block.j][0])

    def _filters(self, V: Representation, W: Representation) -> Tensor:
        """An orthonormal basis of the maps between one copy of V and one of W: (dim, W.dim, V.dim, P.dim)."""
        if not isinstance(self.window, Representation):
            return self.window.basis(V, W)
        return (self.window * V >> W).basis().unflatten(2, (self.window.dim, V.dim)).mT

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> IntertwinerWeight:
        """What `.to`, `.double`, `.cuda` call. In another precision the bases are rounded afresh from float64."""
        kinds, was_meta = self._kinds(), self._empty.is_meta
        super()._apply(fn, recurse)
        if self._expansion is not None and (was_meta or self._kinds() != kinds) and not self._empty.is_meta:
            self._expansion = self._expand_by(self._blocks())
        return self

    def _kinds(self) -> list[torch.dtype]:
        return [constant.dtype for constant in self.buffers()]

    def _expand_by(self, blocks: list[Block]) -> Expansion:
        form, constants = expansion(self.source, self.target, blocks)
        for name, exact in constants.items():
            here = exact.to(self._empty if exact.is_floating_point() else self._empty.device)
            self.register_buffer(name, here, persistent=False)
        return form

    def forward(self, *shape: int) -> Tensor:
        coordinates = self.coordinates
        if coordinates is None or self._expansion is None:
            return self._empty.new_zeros(shape or self.shape)
        return self._expansion(coordinates, self._buffers, shape or self.shape)

    def extra_repr(self) -> str:
        if isinstance(self.window, Representation):
            return f"{self.window * self.source >> self.target}"
        return f"{self.window}, {self.source >> self.target}"

r"""From the coordinates of an intertwiner to its entries.

Expanding is a linear map, c ↦ Σ_b c_b B_b, done once a step, and its form decides what an equivariant
layer costs beside a plain one. Between permutation representations each entry is a constant times one
coordinate: a look-up. Other blocks are products with their bases, those of one size together, and a
look-up carries the entries to their places.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation

__all__ = ["Block", "expansion"]


class Block(NamedTuple):
    """The maps from the m copies of one V_i to the n copies of one W_j, and their place among the coordinates.

    Args:
        j, i: the numbers of the summands.
        copies: (n, m).
        basis: (dim, W_j.dim, V_i.dim, pixels), orthonormal, float64.
        start: where the coordinates begin, (n, m, dim) in order.
    """

    j: int
    i: int
    copies: tuple[int, int]
    basis: Tensor
    start: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of the coordinates."""
        return *self.copies, len(self.basis)

    @property
    def stop(self) -> int:
        """Where the coordinates end."""
        n, m, dim = self.shape
        return self.start + n * m * dim


def expansion(source: Representation, target: Representation, pixels: int, blocks: list[Block]) -> nn.Module:
    """The module that takes all coordinates, and a shape, to all entries in this shape, in the fastest form.

    Its constants are in float64; ``.to`` rounds them.

    Args:
        source, target: V and W.
        pixels: of a filter.
        blocks: those where Hom_G is not 0, at least one.
    """
    layout = _Layout(source, target, pixels)
    whole = len(blocks) == len(source.summands) * len(target.summands)
    # one coordinate for one source, as in most biases, needs no look-up
    is_vector = len(blocks) == 1 and blocks[0].shape[1:] == (1, 1)
    if whole and not is_vector and all(_is_orbits(block.basis) for block in blocks):
        return _Lookup(layout, blocks)
    if whole and len(blocks) == 1:
        return _Product(blocks[0])
    return _Products(layout, blocks)


class _Layout:
    """How the blocks lie in the weight, (W.dim, V.dim, pixels)."""

    def __init__(self, source: Representation, target: Representation, pixels: int) -> None:
        self.shape = target.dim, source.dim, pixels
        self._rows, self._columns = _intervals(target), _intervals(source)

    def part(self, array: Tensor, block: Block) -> Tensor:
        """The view of an array of the weight's shape on a block: (n, W_j.dim, m, V_i.dim, pixels)."""
        n, m = block.copies
        return array[self._rows[block.j], self._columns[block.i]].unflatten(1, (m, -1)).unflatten(0, (n, -1))


def _intervals(V: Representation) -> list[slice]:
    found, start = [], 0
    for atom, copies in V.summands:
        found.append(slice(start, start + copies * atom.dim))
        start += copies * atom.dim
    return found


def _is_orbits(basis: Tensor) -> bool:
    """Whether each entry belongs to one basis element, which has one value: sums of E_ij over orbits."""
    flat = basis.flatten(1)
    one_value = (flat == 0) | (flat == flat.amax(dim=1, keepdim=True))  # not (1, −1)/√2, from C_2 to its sign
    return bool(one_value.all() and ((flat != 0).sum(dim=0) == 1).all())


class _Lookup(nn.Module):
    """Every entry is a constant times one coordinate.

    The index, 32 bits an entry, takes the memory of one more weight; expanding is several times
    faster than a product.
    """

    def __init__(self, layout: _Layout, blocks: list[Block]) -> None:
        super().__init__()
        index = torch.empty(layout.shape, dtype=torch.int32)
        scales = []
        for block in blocks:
            n, m, dim = block.shape
            orbit = block.basis.ne(0).long().argmax(dim=0).int()
            copies = block.start + dim * torch.arange(n * m, dtype=torch.int32)
            layout.part(index, block).copy_(copies.view(n, 1, m, 1, 1) + orbit[:, None])
            scales.append(block.basis.flatten(1).amax(dim=1).repeat(n * m))
        self.scale: Tensor
        self.index: Tensor
        self.register_buffer("scale", torch.cat(scales), persistent=False)
        self.register_buffer("index", index.flatten(), persistent=False)

    def forward(self, coordinates: Tensor, shape: tuple[int, ...]) -> Tensor:
        return (coordinates * self.scale).index_select(0, self.index).view(shape)


class _Product(nn.Module):
    """One block: a product with its basis."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self._shape = block.shape
        self._rows = block.basis.shape[1]
        self.basis: Tensor
        self.register_buffer("basis", block.basis.flatten(1), persistent=False)

    def forward(self, coordinates: Tensor, shape: tuple[int, ...]) -> Tensor:
        n, m, dim = self._shape
        if dim == 1:
            entries = coordinates.view(n * m, 1) * self.basis
        else:
            entries = coordinates.view(n * m, dim) @ self.basis
        if m == 1:
            return entries.view(shape)
        return entries.view(n, m, self._rows, -1).transpose(1, 2).reshape(shape)


class _Products(nn.Module):
    """Several blocks: those with as many copies are multiplied with their bases together, if they are of like sizes.

    Smaller bases are filled up with zeros, and so are the coordinates.
    """

    def __init__(self, layout: _Layout, blocks: list[Block]) -> None:
        super().__init__()
        zero = max(block.stop for block in blocks)  # the number of one more coordinate, which is 0
        index = torch.full(layout.shape, -1, dtype=torch.int32)
        padded, self._sizes, start, filled = [], [], 0, -1
        for number, batch in enumerate(_batches(blocks)):
            copies = batch[0].copies[0] * batch[0].copies[1]
            dim, entries = (max(sizes) for sizes in zip(*map(_size, batch), strict=True))
            basis = torch.zeros(len(batch), dim, entries, dtype=torch.float64)
            for place, block in zip(basis, batch, strict=True):
                used, own = _size(block)
                place[:used, :own] = block.basis.flatten(1)
                coordinates = torch.arange(block.start, block.stop).view(copies, used)
                padded.append(F.pad(coordinates, (0, dim - used), value=zero).flatten())
                numbers = torch.arange(start, start + copies * entries, dtype=torch.int32).view(*block.copies, entries)
                shape = block.basis.shape[1:]
                layout.part(index, block).copy_(numbers[..., :own].unflatten(2, shape).transpose(1, 2))
                filled = start + own if own < entries else filled  # an entry that is 0
                start += copies * entries
            self._sizes.append((len(batch), copies, dim))
            self.register_buffer(f"basis_{number}", basis, persistent=False)
        gather = torch.cat(padded).int()
        ordered = gather.equal(torch.arange(zero, dtype=torch.int32))
        self.gather: Tensor | None
        self.index: Tensor
        self.register_buffer("gather", None if ordered else gather, persistent=False)
        self._appends_zero = filled < 0 and bool((index < 0).any())
        index[index < 0] = start if filled < 0 else filled
        self.register_buffer("index", index.flatten(), persistent=False)

    def forward(self, coordinates: Tensor, shape: tuple[int, ...]) -> Tensor:
        if self.gather is not None:
            coordinates = F.pad(coordinates, (0, 1)).index_select(0, self.gather)
        pieces = coordinates.split([blocks * copies * dim for blocks, copies, dim in self._sizes])
        entries = [
            (piece.view(size) @ self._buffers[f"basis_{number}"]).flatten()
            for number, (piece, size) in enumerate(zip(pieces, self._sizes, strict=True))
        ]
        if self._appends_zero:
            entries.append(coordinates.new_zeros(1))
        flat = entries[0] if len(entries) == 1 else torch.cat(entries)
        return flat.index_select(0, self.index).view(shape)


def _size(block: Block) -> tuple[int, int]:
    """The coordinates and the entries of one copy."""
    return len(block.basis), block.basis[0].numel()


def _batches(blocks: list[Block]) -> list[list[Block]]:
    """The blocks that are multiplied together: as many copies, and filling up at most triples the work."""
    alike: dict[tuple[int, ...], list[Block]] = {}
    for block in blocks:
        alike.setdefault((block.copies[0] * block.copies[1],), []).append(block)
    found = []
    for batch in alike.values():
        sizes = [_size(block) for block in batch]
        dim, entries = (max(side) for side in zip(*sizes, strict=True))
        if len(batch) * dim * entries <= 3 * sum(d * e for d, e in sizes):
            found.append(batch)
            continue
        exact: dict[int, list[Block]] = {}
        for block in batch:
            exact.setdefault(_size(block)[1], []).append(block)
        found.extend(exact.values())
    return found

r"""From the coordinates of an intertwiner to its entries.

Expanding is a linear map, c ↦ Σ_b c_b B_b, done once a step, and its form decides what an equivariant
layer costs beside a plain one. A small one is a product with its matrix. Between permutation
representations each entry is a constant times one coordinate: a look-up. Other blocks are products
with their bases, of those entries that differ, and a look-up carries them to all their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..representation import Representation

__all__ = ["Block", "Expansion", "expansion"]

#: A matrix of at most this size is the fastest form: calls cost more than multiplications.
SMALL = 2**15
#: A look-up after the product costs as much as so many multiplications an entry.
WORTHWHILE = 25
#: One more product costs as much as so many multiplications.
CALL = 2**18
#: Entries that differ by less, as parts of the largest one, are equal.
EQUAL = 2**-40


Constants = Mapping[str, Any]  # tensors; torch's type for buffers also allows None


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


def expansion(
    source: Representation, target: Representation, blocks: list[Block]
) -> tuple[Expansion, dict[str, Tensor]]:
    """The map from all coordinates to all entries, in the fastest form, and its constants.

    Args:
        source, target: V and W.
        blocks: those where Hom_G is not 0, at least one.

    Returns:
        What to do, and the arrays that it needs, by names: float64 or 32-bit indices.
    """
    layout = _Layout(source, target, blocks[0].basis.shape[-1])
    if blocks[-1].stop * math.prod(layout.shape) <= SMALL:  # as most biases are
        return _Matrix.of(layout, blocks)
    whole = len(blocks) == len(source.summands) * len(target.summands)
    if whole and all(_is_orbits(block.basis) for block in blocks):
        return _Lookup.of(layout, blocks)
    parts = [_Distinct.of(block) for block in blocks]
    if whole and len(blocks) == 1 and parts[0].saved < WORTHWHILE:
        return _Product.of(blocks[0])
    return _Products.of(layout, parts)


class Expansion(Protocol):
    """A linear map from coordinates to entries: plain numbers, and what to do with the constants.

    The constants are buffers of the layer, so that they go where it goes. On a small image a train step is
    so short that a module here, and looking up its buffers one by one, would be a part of it.
    """

    def __call__(self, coordinates: Tensor, constants: Constants, shape: tuple[int, ...]) -> Tensor:
        """All entries, in this shape."""


class _Layout:
    """How the blocks lie in the weight, (W.dim, V.dim, pixels)."""

    def __init__(self, source: Representation, target: Representation, pixels: int) -> None:
        self.shape = target.dim, source.dim, pixels
        self._rows, self._columns = _intervals(target), _intervals(source)
        self._heights = [atom.dim for atom, _ in target.summands]

    @property
    def places(self) -> Iterator[tuple[int, int]]:
        """The numbers (j, i) of all blocks, by rows."""
        return product(range(len(self._rows)), range(len(self._columns)))

    def part(self, array: Tensor, block: Block) -> Tensor:
        """The view of an array of the weight's shape on a block: (n, W_j.dim, m, V_i.dim, pixels)."""
        n, m = block.copies
        return array[self._rows[block.j], self._columns[block.i]].unflatten(1, (m, -1)).unflatten(0, (n, -1))

    def spread(self, array: Tensor, j: int, i: int, numbers: Tensor) -> None:
        """Fill the block (j, i) with numbers (rows, columns): the n-th copy of W_j with those of row n, in turn."""
        part = array[self._rows[j], self._columns[i]]
        rows, columns = (torch.arange(size) for size in part.shape[:2])
        chosen = numbers[rows // self._heights[j] % numbers.shape[0]][:, columns % numbers.shape[1]]
        part.copy_(chosen[..., None])


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


class _Matrix:
    """Few coordinates and few entries: the matrix of the map."""

    @classmethod
    def of(cls, layout: _Layout, blocks: list[Block]) -> tuple[_Matrix, dict[str, Tensor]]:
        matrix = torch.zeros(blocks[-1].stop, *layout.shape, dtype=torch.float64)
        for block in blocks:
            for number, row in enumerate(matrix[block.start : block.stop]):
                copy, element = divmod(number, len(block.basis))
                n, m = divmod(copy, block.copies[1])
                layout.part(row, block)[n, :, m] = block.basis[element]
        return cls(), {"_matrix": matrix.flatten(1).mT.contiguous()}

    def __call__(self, coordinates: Tensor, constants: Constants, shape: tuple[int, ...]) -> Tensor:
        entries = torch.mv(constants["_matrix"], coordinates)
        return entries if entries.shape == shape else entries.view(shape)


class _Lookup:
    """Every entry is a constant times one coordinate.

    The index, 32 bits an entry, takes the memory of one more weight; expanding is several times
    faster than a product.
    """

    @classmethod
    def of(cls, layout: _Layout, blocks: list[Block]) -> tuple[_Lookup, dict[str, Tensor]]:
        index = torch.empty(layout.shape, dtype=torch.int32)
        scales = []
        for block in blocks:
            n, m, dim = block.shape
            orbit = block.basis.ne(0).long().argmax(dim=0).int()
            copies = block.start + dim * torch.arange(n * m, dtype=torch.int32)
            layout.part(index, block).copy_(copies.view(n, 1, m, 1, 1) + orbit[:, None])
            scales.append(block.basis.flatten(1).amax(dim=1).repeat(n * m))
        return cls(), {"_scale": torch.cat(scales), "_index": index.flatten()}

    def __call__(self, coordinates: Tensor, constants: Constants, shape: tuple[int, ...]) -> Tensor:
        return (coordinates * constants["_scale"]).index_select(0, constants["_index"]).view(shape)


@dataclass(frozen=True)
class _Product:
    """One block: a product with its basis."""

    copies: tuple[int, int]
    rows: int

    @classmethod
    def of(cls, block: Block) -> tuple[_Product, dict[str, Tensor]]:
        return cls(block.copies, block.basis.shape[1]), {"_basis": block.basis.flatten(1)}

    def __call__(self, coordinates: Tensor, constants: Constants, shape: tuple[int, ...]) -> Tensor:
        (n, m), basis = self.copies, constants["_basis"]
        entries = torch.mm(coordinates.view(n * m, len(basis)), basis)
        if m == 1:
            return entries.view(shape)
        return entries.view(n, m, self.rows, -1).transpose(1, 2).reshape(shape)


@dataclass(frozen=True)
class _Products:
    """Products with the entries that differ, then a look-up, whose index takes the memory of one more weight.

    An entry that is equal to another one in all elements of a basis is computed once, which between
    regular representations leaves one in |G| where G maps the grid to itself. Blocks with as many copies
    are multiplied with their bases together; smaller bases are filled up with zeros.

    Zeros are looked up too, in columns of zeros, many of them: gradients of zeros that met in one number
    could overflow in half precision. Where Hom_G is 0 these belong to another block of the same rows, so that
    a coordinate that is not finite can be found.
    """

    lengths: tuple[int, ...]
    gathers: bool

    @classmethod
    def of(cls, layout: _Layout, parts: list[_Distinct]) -> tuple[_Products, dict[str, Tensor]]:
        parts, hosts = _with_hosts(layout, parts)
        index = torch.empty(layout.shape, dtype=torch.int32)
        constants: dict[str, Tensor] = {}
        lengths: list[int] = []
        gather, start = [], 0
        last: dict[tuple[int, int], Tensor] = {}  # the last column of each copy
        for batch in _batches(parts):
            copies = batch[0].copies
            dim, entries = (max(sizes) for sizes in zip(*(part.size for part in batch), strict=True))
            basis = torch.zeros(len(batch), dim, entries, dtype=torch.float64)
            for place, part in zip(basis, batch, strict=True):
                (used, own), block = part.size, part.block
                place[:used, :own] = part.columns
                coordinates = torch.arange(block.start, block.stop).view(copies, used)
                # behind a copy's own coordinates its first one again, which meets the zeros of the basis
                gather.append(torch.cat([coordinates, coordinates[:, :1].expand(-1, dim - used)], dim=1).flatten())
                first = start + entries * torch.arange(copies, dtype=torch.int32).view(block.copies)
                torch.add(first[..., None, None, None], part.places, out=layout.part(index, block).transpose(1, 2))
                last[block.j, block.i] = first + own - 1
                start += copies * entries
            constants[f"_basis_{len(lengths)}"] = basis
            lengths.append(len(batch) * copies * dim)
        for (j, i), host in hosts.items():
            layout.spread(index, j, i, last[host])
        order = torch.cat(gather).int()
        gathers = not order.equal(torch.arange(len(order), dtype=torch.int32))
        if gathers:
            constants["_gather"] = order
        constants["_index"] = index.flatten()
        return cls(tuple(lengths), gathers), constants

    def __call__(self, coordinates: Tensor, constants: Constants, shape: tuple[int, ...]) -> Tensor:
        if self.gathers:
            coordinates = coordinates.index_select(0, constants["_gather"])
        pieces = coordinates.split(self.lengths) if len(self.lengths) > 1 else (coordinates,)
        entries = [_multiply(piece, constants[f"_basis_{k}"]) for k, piece in enumerate(pieces)]
        flat = entries[0] if len(entries) == 1 else torch.cat(entries)
        return flat.index_select(0, constants["_index"]).view(shape)


def _multiply(coordinates: Tensor, bases: Tensor) -> Tensor:
    """All entries of a batch of blocks, with bases (blocks, dim, columns)."""
    blocks, dim, _ = bases.shape
    if blocks == 1:  # a call less
        return torch.mm(coordinates.view(-1, dim), bases[0]).view(-1)
    return torch.bmm(coordinates.view(blocks, -1, dim), bases).view(-1)


class _Distinct(NamedTuple):
    """The entries of a block that differ.

    Args:
        block: whose entries.
        columns: what the elements of the basis have in these entries, (dim, columns); zeros are the last.
        places: the column of each entry, (W_j.dim, V_i.dim, pixels).
    """

    block: Block
    columns: Tensor
    places: Tensor

    @classmethod
    def of(cls, block: Block) -> _Distinct:
        """Find them: equal columns have equal products with any vector, others hardly with a random one."""
        flat = F.pad(block.basis.flatten(1), (1, 0))  # behind a column of zeros
        draw = torch.randn(len(flat), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        near = EQUAL * float(flat.abs().amax())
        products, order = (draw @ flat).sort()
        kinds = F.pad((products.diff() > near).long(), (1, 0)).cumsum(0)  # a gap begins a new one
        which = torch.empty_like(order).scatter_(0, order, kinds)
        nothing, count = int(which[0]), int(kinds[-1]) + 1
        example = torch.zeros(count, dtype=torch.long).scatter_(0, which, torch.arange(len(which)))
        example[nothing] = 0
        apart = ((flat - flat[:, example[which]]).abs().amax(dim=0) > near).nonzero().flatten()
        which[apart] = count + torch.arange(len(apart))  # their products are equal by chance
        example = torch.cat([example[:nothing], example[nothing + 1 :], apart])
        places = which[1:] - (which[1:] > nothing).long()
        zeros = which[1:] == nothing
        found = cls(block, flat[:, example], places.masked_fill(zeros, len(example)).int().view(block.basis.shape[1:]))
        return found.with_zeros() if bool(zeros.any()) else found

    @property
    def has_zeros(self) -> bool:
        """Whether the last column is one of zeros."""
        return not bool(self.columns[:, -1].any())

    def with_zeros(self) -> _Distinct:
        """The same with a last column of zeros."""
        return self if self.has_zeros else self._replace(columns=F.pad(self.columns, (0, 1)))

    @property
    def copies(self) -> int:
        """n · m."""
        return self.block.copies[0] * self.block.copies[1]

    @property
    def size(self) -> tuple[int, int]:
        """The coordinates and the columns of one copy."""
        return self.columns.shape[0], self.columns.shape[1]

    @property
    def saved(self) -> float:
        """Multiplications an entry that are not done twice."""
        dim, columns = self.size
        return dim * (1 - columns / self.places.numel())


def _with_hosts(
    layout: _Layout, parts: list[_Distinct]
) -> tuple[list[_Distinct], dict[tuple[int, int], tuple[int, int]]]:
    """For each place where Hom_G is 0 a block with a column of zeros, in the same rows if there is any."""
    found = {(part.block.j, part.block.i): part for part in parts}
    hosts = {}
    for j, i in layout.places:
        if (j, i) not in found:
            near = [place for place in found if place[0] == j] or list(found)
            host = next((place for place in near if found[place].has_zeros), near[0])
            found[host] = found[host].with_zeros()
            hosts[j, i] = host
    return list(found.values()), hosts


def _batches(parts: list[_Distinct]) -> list[list[_Distinct]]:
    """Those that are multiplied together: as many copies, and not much work that filling up adds."""
    alike: dict[int, list[_Distinct]] = {}
    for part in parts:
        alike.setdefault(part.copies, []).append(part)
    found: list[list[_Distinct]] = []
    for copies, batch in alike.items():
        exact: dict[tuple[int, int], list[_Distinct]] = {}
        for part in batch:
            exact.setdefault(part.size, []).append(part)
        dim, columns = (max(side) for side in zip(*exact, strict=True))
        own = sum(d * c * len(same) for (d, c), same in exact.items())
        spent = copies * (len(batch) * dim * columns - own)
        found.extend([batch] if spent <= CALL * (len(exact) - 1) else exact.values())
    return found

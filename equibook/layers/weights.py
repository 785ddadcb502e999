r"""The learnable point of Hom_G that every linear layer of the book holds.

A linear layer, a convolution and an equivariant bias differ only in the space: Hom_G(V, W),
Hom_G(pixels ⊗ V, W) and Hom_G(trivial, W). One module serves the three, and steerable convolutions,
whose filters are a part of such a space.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from ..representation import Representation, trivial

__all__ = ["IntertwinerWeight", "Window"]


class Window(Protocol):
    """The filters between two fibers: a space of maps that are sampled at ``dim`` pixels."""

    @property
    def dim(self) -> int:
        """The number of pixels."""

    def basis(self, V: Representation, W: Representation) -> Tensor:
        """An orthonormal basis: (n, W.dim, V.dim, dim), float64."""


class IntertwinerWeight(nn.Module):
    r"""A learnable element of Hom_G(P ⊗ V, W), by its coordinates in an orthonormal basis.

    For V = ⊕ m_i V_i and W = ⊕ n_j W_j the weight falls into blocks, and the n_j · m_i blocks between
    copies of V_i and W_j share one basis of Hom_G(P ⊗ V_i, W_j). Their coordinates are the
    parameters, of shape (n_j, m_i, dim Hom_G), drawn from a normal law whose variance is
    dim W_j / Σ_i m_i dim Hom_G(P ⊗ V_i, W_j): white input of unit variance then leaves with unit
    variance, on average over the coordinates of W_j, whatever the group.

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
    >>> weight().shape, sum(p.numel() for p in weight.parameters())
    (torch.Size([12, 8, 9]), 216)

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
        self.coordinates = nn.ParameterDict()
        self._fibers: dict[str, tuple[Representation, Representation]] = {}
        self._empty: Tensor  # knows dtype and device where Hom_G = 0
        self.register_buffer("_empty", torch.zeros(0), persistent=False)
        # one row a summand of W, one block a summand of V: its key and its shape
        self._layout: list[list[tuple[str, tuple[int, int, int]]]] = [
            [(f"{j}_{i}", (n * W.dim, m * V.dim, self.window.dim)) for i, (V, m) in enumerate(source.summands)]
            for j, (W, n) in enumerate(target.summands)
        ]
        for j, (W, n) in enumerate(target.summands):
            bases = [self._filters(V, W) for V, _ in source.summands]
            fan = sum(m * len(basis) for basis, (_, m) in zip(bases, source.summands, strict=True))
            for i, (basis, (V, m)) in enumerate(zip(bases, source.summands, strict=True)):
                if len(basis) == 0:
                    continue
                draw = torch.randn(n, m, len(basis), generator=generator) * (W.dim / fan) ** 0.5
                self.coordinates[f"{j}_{i}"] = nn.Parameter(draw)
                self._fibers[f"{j}_{i}"] = V, W
                self._store_basis(f"{j}_{i}", basis)

    def _filters(self, V: Representation, W: Representation) -> Tensor:
        """An orthonormal basis of the maps between one copy of V and one of W: (dim, W.dim, V.dim, P.dim)."""
        if not isinstance(self.window, Representation):
            return self.window.basis(V, W)
        return (self.window * V >> W).basis().unflatten(2, (self.window.dim, V.dim)).mT

    def _store_basis(self, key: str, basis: Tensor) -> None:
        """Keep a basis, as (dim, W.dim · V.dim · P.dim), in the form that is fastest to expand.

        Between permutation representations each entry of the weight is a constant times one
        coordinate. Expanding is then one look-up in the flat coordinates, several times faster than a
        product of matrices; its index, 32 bits an entry, takes the memory of one more weight. One
        coordinate for one source, as in most biases, needs neither: the basis is multiplied by it.
        """
        like, (n, m, dim) = self._empty, self.coordinates[key].shape
        flat = basis.flatten(1)
        is_orbit = (flat == 0) | (flat == flat.amax(dim=1, keepdim=True))  # not (1, −1)/√2, from C_2 to its sign
        if m * dim > 1 and is_orbit.all() and ((flat != 0).sum(dim=0) == 1).all():
            orbit = flat.ne(0).long().argmax(dim=0).int().view(basis.shape[1], -1)
            start = dim * torch.arange(n * m, dtype=torch.int32).view(n, 1, m, 1)  # of each pair of copies
            index = (start + orbit[:, None]).flatten()
            self.register_buffer(f"index_{key}", index.to(like.device), persistent=False)
            self.register_buffer(f"basis_{key}", flat.amax(dim=1).to(like), persistent=False)
        else:
            self.register_buffer(f"basis_{key}", flat.to(like), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> IntertwinerWeight:
        """What `.to`, `.double`, `.cuda` call. In another precision the basis is rounded afresh from float64."""
        before = self._empty.dtype
        super()._apply(fn, recurse)
        if self._empty.dtype != before:
            for key, fibers in self._fibers.items():
                self._store_basis(key, self._filters(*fibers))
        return self

    def forward(self, *shape: int) -> Tensor:
        if len(self._layout) == len(self._layout[0]) == 1:  # one kind of field in, one out: nothing to put together
            key, whole = self._layout[0][0]
            return self._block(key, whole).view(shape or whole)
        rows = [torch.cat([self._block(key, size).view(size) for key, size in row], dim=1) for row in self._layout]
        weight = torch.cat(rows)
        return weight.view(shape) if shape else weight

    def _block(self, key: str, shape: tuple[int, int, int]) -> Tensor:
        """The entries, in order, of the block between the copies of one V_i and of one W_j, of the given shape."""
        if key not in self._fibers:  # Hom_G = 0
            return self._empty.new_zeros(shape)
        coordinates, index = self.coordinates[key], self._buffers.get(f"index_{key}")
        basis = cast(Tensor, self._buffers[f"basis_{key}"])
        if index is not None:
            return (coordinates * basis).view(-1).index_select(0, index)
        n, m, dim = coordinates.shape
        if m == dim == 1:
            return coordinates.view(n, 1) * basis
        entries = (coordinates @ basis).view(n, m, shape[0] // n, shape[1] // m, shape[2])
        return entries.transpose(1, 2).reshape(shape)

    def extra_repr(self) -> str:
        if isinstance(self.window, Representation):
            return f"{self.window * self.source >> self.target}"
        return f"{self.window}, {self.source >> self.target}"

r"""The linear maps that commute with every permutation of n points, for any n, and the networks built of them.

A tensor of order k over n points has nᵏ entries: a number (k = 0), a value at each point (1), a value at
each pair of points (2). The symmetric group moves the points, and the equivariant maps between tensors of
order k and l are spanned by one map for each partition of k + l indices, as many as the Bell number.
None of them needs its dense matrix of nˡ × nᵏ entries: each first *reduces* the tensor to a lower order r,
by sums and diagonals, and then *expands* the result, by copies and diagonals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import Representation, permutation, symmetric, trivial

__all__ = ["DeepSets", "PermutationLinear", "SetLinear"]

#: How many maps reduce a tensor of order k to one of order r: REDUCTIONS[k][r]. For a matrix: the means of
#: the diagonal and of all entries; the diagonal and the means of rows and columns; the matrix itself.
REDUCTIONS = ((1,), (1, 1), (2, 3, 1))
#: How many expand a tensor of order r to one of order k: EXPANSIONS[k][r]. To a matrix: all entries and the
#: diagonal; rows, columns and the diagonal; the matrix and its transpose.
EXPANSIONS = ((1,), (1, 1), (2, 3, 2))
#: The same where matrices are symmetric: rows and columns are one, and so are a matrix and its transpose.
SYMMETRIC_REDUCTIONS = ((1,), (1, 1), (2, 2, 1))
SYMMETRIC_EXPANSIONS = ((1,), (1, 1), (2, 2, 1))


class PermutationLinear(nn.Module):
    r"""The affine maps between tensors over n points that commute with S_n, in time O(n²).

    With V the permutation representation of S_n this is x ↦ A x + b, A ∈ Hom(V^⊗k, V^⊗l) and b
    invariant, in each pair of channels. A = Σ_r E_r W_r R_r: the maps R_r reduce to order r, the learnable
    W_r mix channels, the maps E_r expand. The weights do not know n, so one layer serves sets and graphs
    of every size. The numbers of maps (and of invariant b) for orders k, l ≤ 2:

    ======  =====  =====  =====  =====
    k \ l   0      1      2      2, symmetric
    ======  =====  =====  =====  =====
    0       1      1      2      2
    1       1      2      5      4
    2       2      5      15     9 (from symmetric)
    b       1      1      2      2
    ======  =====  =====  =====  =====

    For fewer than k + l points some of the maps depend on each other; they still span Hom.

    Args:
        in_channels, out_channels: the tensors before and after.
        orders: (k, l), each 0, 1 or 2.
        bias: whether to add an invariant tensor, which starts at 0.
        symmetric: whether matrices, in and out, are symmetric, as those of undirected graphs are. The
            9 maps that are left cost less. On other matrices the layer is still equivariant.
        reduce: "mean", so that graphs of different size give numbers of one size, or "sum", which counts.
        generator: draws the initial weights. Each order r gets the same share of the variance, and with
            "mean" a tensor of equal entries of unit variance leaves with unit variance off the diagonal.

    Input (..., in_channels, n, …, n) with n repeated k times; output (..., out_channels, n, …, n) with n
    repeated l times. Where tensors of different size share a batch, pass a mask, see `forward`.

    Raises:
        ValueError: if an order is not 0, 1 or 2, or `reduce` is unknown; in use, if the shape does not fit.

    >>> layer = PermutationLinear(1, 8, (2, 2))
    >>> sum(weight.numel() for weight in layer.weights)             # 15 for each of the 8 outputs
    120
    >>> layer(torch.randn(5, 1, 10, 10)).shape, layer(torch.randn(5, 1, 30, 30)).shape
    (torch.Size([5, 8, 10, 10]), torch.Size([5, 8, 30, 30]))
    >>> hom = layer.source(10) >> layer.target(10)
    >>> bool(hom.distance(layer.double().matrix(10)) < 1e-12), hom.dim
    (True, 120)

    Chapter: Sets and graphs

    Reference: Maron, Ben-Hamu, Shamir and Lipman (2019).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        orders: tuple[int, int] = (2, 2),
        bias: bool = True,
        *,
        symmetric: bool = False,
        reduce: str = "mean",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if not isinstance(channels, int) or channels < 1:
                raise ValueError(f"Got {name} {channels!r}; it is a whole number, at least 1.")
        if len(orders) != 2 or any(k not in (0, 1, 2) for k in orders):
            raise ValueError(f"Got orders {orders!r}; give two of 0 (numbers), 1 (points) and 2 (pairs of points).")
        if reduce not in ("mean", "sum"):
            raise ValueError(f'reduce is "mean" or "sum"; got {reduce!r}.')
        self.in_channels, self.out_channels, self.orders = in_channels, out_channels, tuple(orders)
        self.symmetric, self.reduce = symmetric, reduce
        k, l = orders
        self._reductions = (SYMMETRIC_REDUCTIONS if symmetric else REDUCTIONS)[k]
        self._expansions = (SYMMETRIC_EXPANSIONS if symmetric else EXPANSIONS)[l]
        self.weights = nn.ParameterList()
        ranks = range(min(k, l) + 1)
        for r in ranks:
            before, after = self._reductions[r] * in_channels, self._expansions[r] * out_channels
            seen = self._expansions[r] - (l == 2 > r)  # one of them reaches only the diagonal of a matrix
            draw = torch.randn(after, before, generator=generator) * (len(ranks) * before * seen) ** -0.5
            self.weights.append(nn.Parameter(draw))
        self.bias = nn.Parameter(torch.zeros(2 if l == 2 else 1, out_channels)) if bias else None

    @property
    def dim(self) -> int:
        """The number of maps between one channel and another: the Bell number of k + l, or 9 and 4 if symmetric."""
        return sum(a * b for a, b in zip(self._reductions, self._expansions, strict=False))

    def source(self, points: int) -> Representation:
        """The representation of S_n on inputs over n points: in_channels · V^⊗k.

        n is not known before the layer is used, so this is a method.
        """
        return self.in_channels * _tensors(self.orders[0], points)

    def target(self, points: int) -> Representation:
        """The representation of S_n on outputs over n points: out_channels · V^⊗l."""
        return self.out_channels * _tensors(self.orders[1], points)

    def forward(self, x: Tensor, mask: Tensor | None = None, *, points: int | None = None) -> Tensor:
        """A x + b.

        Args:
            x: (..., in_channels, n, …, n).
            mask: (..., n), which points exist. The others are ignored in x, whatever stands there, and
                are 0 in the output; means run over the points that exist.
            points: n, for an input of order 0, which does not know it.
        """
        n = self._check(x, mask, points)
        k, l = self.orders
        if mask is not None:
            x = _keep(x, mask, k)
        reduced = self._reduce(x, self._scale(x, n, mask))
        y = self._expand(_mix_all(self.weights, reduced), n, self.bias)
        return y if mask is None else _keep(y, mask, l)

    def maps(self, points: int) -> Tensor:
        """The maps that the weights combine, as dense matrices: (dim, nˡ, nᵏ), float64.

        They come in the order of r, then of the expansion, then of the reduction.
        """
        k, l = self.orders
        n = points
        x = torch.eye(n**k, dtype=torch.float64).view(n**k, 1, *[n] * k)
        reduced = self._reduce(x, self._scale(x, n, None))
        shapes = list(zip(self._expansions, self._reductions, strict=False))
        found = []
        for one in torch.eye(self.dim, dtype=torch.float64):
            units = [W.view(shape) for W, shape in zip(one.split([a * b for a, b in shapes]), shapes, strict=True)]
            found.append(self._expand(_mix_all(units, reduced), n, None).reshape(n**k, n**l).mT)
        return torch.stack(found)

    def matrix(self, points: int) -> Tensor:
        """A as a dense matrix, which `forward` never forms: (out_channels · nˡ, in_channels · nᵏ)."""
        coordinates = [
            W.unflatten(0, (e, self.out_channels)).unflatten(2, (i, self.in_channels)).permute(1, 3, 0, 2).flatten(2)
            for W, e, i in zip(self.weights, self._expansions, self._reductions, strict=False)
        ]
        maps = self.maps(points).to(coordinates[0])
        return torch.einsum("dcm,mab->dacb", torch.cat(coordinates, dim=2), maps).flatten(2).flatten(0, 1)

    def _scale(self, x: Tensor, n: int, mask: Tensor | None) -> Tensor:
        """What a sum over points is multiplied by: (1,), or (..., 1) for a batch of different sizes."""
        if self.reduce == "sum":
            return x.new_ones(1)
        if mask is None:
            return x.new_full((1,), 1 / max(n, 1))
        return mask.sum(dim=-1, keepdim=True).clamp_min(1).to(x).reciprocal()

    def _reduce(self, x: Tensor, scale: Tensor) -> list[Tensor]:
        """R_r x for r = 0, …, k: (..., maps · in_channels, n, …, n) with n repeated r times."""
        k = self.orders[0]
        if k == 0:
            return [x]
        if k == 1:
            return [x.sum(dim=-1) * scale, x]
        diagonal, rows = x.diagonal(dim1=-2, dim2=-1), x.sum(dim=-1) * scale[..., None]
        points = [diagonal, rows] if self.symmetric else [diagonal, rows, x.sum(dim=-2) * scale[..., None]]
        numbers = torch.cat([diagonal.sum(dim=-1) * scale, rows.sum(dim=-1) * scale], dim=-1)
        return [numbers, torch.cat(points, dim=-2), x]

    def _expand(self, parts: list[Tensor], n: int, bias: Tensor | None) -> Tensor:
        """Σ_r E_r z_r + b, for z_r of (..., maps · channels, n, …, n) with n repeated r times."""
        l = self.orders[1]
        split = [z.tensor_split(self._expansions[r], dim=-1 - r) for r, z in enumerate(parts)]
        everywhere = split[0][0] if bias is None else split[0][0] + bias[0]
        if l == 0:
            return everywhere
        if l == 1:
            return everywhere[..., None] + (split[1][0] if len(split) > 1 else everywhere.new_zeros(n))
        on_diagonal = split[0][1] if bias is None else split[0][1] + bias[1]
        on_diagonal, everywhere = on_diagonal[..., None], everywhere[..., None]
        if len(split) > 1:
            rows, *columns, diagonal = split[1]
            if self.symmetric:
                rows = rows / 2
                columns = [rows]
            on_diagonal = on_diagonal + diagonal
            y = (rows + everywhere)[..., :, None] + columns[0][..., None, :]
        else:
            y = everywhere[..., None] + everywhere.new_zeros(n, n)
        if len(split) > 2:
            y = y + split[2][0]
            if not self.symmetric:
                y = y + split[2][1].mT
        y.diagonal(dim1=-2, dim2=-1).add_(on_diagonal)
        return y

    def _check(self, x: Tensor, mask: Tensor | None, points: int | None) -> int:
        """n, once the shapes have been checked."""
        k, l = self.orders
        sides = x.shape[x.ndim - k :]
        if x.ndim < k + 1 or x.shape[-1 - k] != self.in_channels or len(set(sides)) > 1:
            axes = ", ".join(["...", str(self.in_channels), *["n"] * k])
            raise ValueError(f"Expected ({axes}) for tensors of order {k}; got {tuple(x.shape)}.")
        known = [*sides[:1], *([] if mask is None else [mask.shape[-1]]), *([] if points is None else [points])]
        if len(set(known)) > 1:
            raise ValueError(f"The tensor, the mask and `points` disagree on the number of points: {known}.")
        if mask is not None and mask.dtype != torch.bool:
            raise TypeError(f"A mask says which points exist, in torch.bool; got {mask.dtype}.")
        if not known and l > 0:
            raise ValueError(f"A number does not know how many points its tensor of order {l} has: pass points=n.")
        return known[0] if known else 1

    def extra_repr(self) -> str:
        words = f"{self.in_channels}, {self.out_channels}, {self.orders}, reduce={self.reduce!r}"
        return words + (", symmetric=True" if self.symmetric else "")


def _tensors(order: int, points: int) -> Representation:
    """V^⊗k for the permutation representation V of S_n."""
    G = symmetric(points)
    if order == 0:
        return trivial(G)
    V = permutation(G)
    return V if order == 1 else V * V


def _mix_all(weights: Iterable[Tensor], reduced: list[Tensor]) -> list[Tensor]:
    """W_r z_r for each order r that has a weight."""
    return [_mix(W, z, r) for r, (W, z) in enumerate(zip(weights, reduced, strict=False))]


def _mix(W: Tensor, z: Tensor, order: int) -> Tensor:
    """W on the channels of a tensor of the given order."""
    if order == 0:
        return F.linear(z, W)
    columns = z.flatten(-2) if order == 2 else z
    # one product a sample: matmul would rather copy all columns side by side
    mixed = W.expand(*columns.shape[:-2], *W.shape) @ columns
    return mixed.unflatten(-1, z.shape[-2:]) if order == 2 else mixed


def _keep(x: Tensor, mask: Tensor, order: int) -> Tensor:
    """x where all of its points exist, and 0 elsewhere, even in the place of NaN."""
    if order == 0:
        return x
    exists = mask[..., None, :]
    if order == 2:
        exists = exists[..., :, None] & exists[..., None, :]
    return torch.where(exists, x, 0)


class SetLinear(PermutationLinear):
    r"""The equivariant affine map on sets, with two parameters: y_i = A x_i + B · mean_j x_j + c.

    Args:
        in_channels, out_channels, bias, reduce, generator: as for `PermutationLinear`, of orders (1, 1).

    Input (..., in_channels, n); output (..., out_channels, n).

    >>> layer = SetLinear(1, 1, bias=False)
    >>> (permutation(symmetric(10)) >> permutation(symmetric(10))).dim, layer.dim
    (2, 2)
    >>> with torch.no_grad():
    ...     layer.weights[0].fill_(-1), layer.weights[1].fill_(1)     # subtract the mean
    ...     layer(torch.tensor([[1.0, 2.0, 6.0]]))
    (...)
    tensor([[-2., -1.,  3.]])

    Chapter: Sets and graphs

    Reference: Zaheer et al. (2017).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        bias: bool = True,
        *,
        reduce: str = "mean",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, (1, 1), bias, reduce=reduce, generator=generator)


class TensorNetwork(nn.Module):
    """Equivariant layers on tensors of one order, a nonlinearity between them, and a last map to another order.

    Args:
        order: k, of the input and of the hidden layers.
        in_channels, hidden, out_channels, target_order, reduce, nonlinearity, generator: see `DeepSets`.
        symmetric: see `PermutationLinear`.
    """

    def __init__(
        self,
        order: int,
        in_channels: int,
        hidden: Sequence[int],
        out_channels: int,
        target_order: int,
        symmetric: bool,
        reduce: str,
        nonlinearity: Callable[[Tensor], Tensor],
        generator: torch.Generator | None,
    ) -> None:
        super().__init__()
        if not hidden:
            raise ValueError(f"{type(self).__name__} has at least one hidden layer; give its channels, say [32].")
        if target_order not in range(order + 1):
            raise ValueError(f"target_order is a whole number from 0 to {order}; got {target_order!r}.")

        def linear(before: int, after: int, orders: tuple[int, int]) -> PermutationLinear:
            return PermutationLinear(before, after, orders, symmetric=symmetric, reduce=reduce, generator=generator)

        pairs = zip([in_channels, *hidden], hidden, strict=False)
        self.layers = nn.ModuleList(linear(before, after, (order, order)) for before, after in pairs)
        if target_order == 0:  # numbers can pass through a nonlinearity once more
            self.layers.append(linear(hidden[-1], hidden[-1], (order, 0)))
        self.head = linear(hidden[-1], out_channels, (order if target_order else 0, target_order))
        self.nonlinearity = nonlinearity

    def source(self, points: int) -> Representation:
        """The representation of S_n on inputs over n points."""
        first = self.layers[0]
        assert isinstance(first, PermutationLinear)
        return first.source(points)

    def target(self, points: int) -> Representation:
        """The representation of S_n on outputs over n points."""
        return self.head.target(points)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = self.nonlinearity(layer(x, mask))
        return self.head(x, mask)


class DeepSets(TensorNetwork):
    r"""A function of sets: layers y_i = A x_i + B · mean_j x_j + c with a nonlinearity, then an invariant head.

    A nonlinearity applied to each entry commutes with permutations, so the network is invariant
    (target_order 0: a mean over the points, then a perceptron) or equivariant (target_order 1).

    Args:
        in_channels: the numbers that describe a point.
        hidden: the channels of the equivariant layers, at least one.
        out_channels: the numbers that the network returns.
        target_order: 0 for numbers of the whole set, 1 for numbers of each point.
        reduce: "mean" or "sum", as for `PermutationLinear`. Means cannot tell a set from two copies of it.
        nonlinearity: applied to each entry.
        generator: draws the initial weights.

    Input (..., in_channels, n) and, for sets of different size, a mask (..., n); output
    (..., out_channels), or (..., out_channels, n).

    >>> network = DeepSets(3, [16, 16], 2)
    >>> points = torch.randn(5, 3, 100)
    >>> y = network(points)
    >>> y.shape, bool((network(points.flip(-1)) - y).abs().max() < 1e-5)
    (torch.Size([5, 2]), True)

    Chapter: Sets and graphs

    Reference: Zaheer et al. (2017).
    """

    def __init__(
        self,
        in_channels: int,
        hidden: Sequence[int],
        out_channels: int,
        *,
        target_order: int = 0,
        reduce: str = "mean",
        nonlinearity: Callable[[Tensor], Tensor] = torch.relu,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(1, in_channels, hidden, out_channels, target_order, False, reduce, nonlinearity, generator)

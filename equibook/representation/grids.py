r"""Groups that act on images: on the k × k pixels as a representation, and on feature fields.

A field assigns to each pixel x a vector f(x) in V. The group moves both:
(g·f)(x) = ρ_V(g) f(g⁻¹x). Rotations are counter-clockwise, as `torch.rot90`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from .groups import FiniteGroup, expect_finite, expect_group, whole
from .representations import Representation, Trivial, _fixed_points, expect_representation

__all__ = ["act", "act_batch", "is_grid_preserving", "pixels"]


@dataclass(frozen=True)
class Pixels(Representation):
    """The permutation of the pixels of an image by a group that maps the grid to itself."""

    group: FiniteGroup
    size: tuple[int, int]

    @property
    def dim(self) -> int:  # type: ignore[override]
        return self.size[0] * self.size[1]

    @cached_property
    def images(self) -> Tensor:
        # Move an image that holds its own pixel numbers; moved[p] then says where p's value came from.
        numbers = torch.arange(self.dim).reshape(1, 1, *self.size)
        moved = torch.stack([_move(self.group, g, numbers).flatten() for g in self.group.elements])
        return moved.argsort(dim=1)

    def _character(self, G: FiniteGroup) -> Tensor:
        return _fixed_points(self.images)

    def __repr__(self) -> str:
        h, w = self.size
        return f"pixels({self.group}, {h if h == w else self.size})"


def pixels(G: FiniteGroup, size: int | tuple[int, int]) -> Representation:
    """The representation of G on k × k images: (ρ(g)f)(x) = f(g⁻¹x), rows first.

    Args:
        G: a group that maps the grid to itself: cyclic(1 | 2 | 4), dihedral(1 | 2 | 4), or
            translations(h, w) on an h × w grid.
        size: k, or (h, w).

    Raises:
        ValueError: if G does not map the grid to itself.

    >>> from equibook import cyclic, trivial
    >>> G = cyclic(4)
    >>> (pixels(G, 3) >> trivial(G)).dim          # centre, edges, corners
    3

    Chapter: Intertwiners
    """
    h, w = size if isinstance(size, tuple) else (operator.index(size), operator.index(size))
    if h < 1 or w < 1:
        raise ValueError(f"An image has at least one pixel; got size {size}.")
    if not is_grid_preserving(expect_finite(G, "pixels")):
        raise ValueError(
            f"{G} does not map a square grid to itself. cyclic(1 | 2 | 4), dihedral(1 | 2 | 4) and "
            "translations(h, w) do."
        )
    if h != w and G.plane is not None and (G.plane[:, 0, 1] != 0).any():
        raise ValueError(f"A quarter turn of {G} does not map a {h} × {w} grid to itself; use a square one.")
    if G.grid not in (None, (h, w)):
        raise ValueError(f"{G} moves a grid of its own size; got {h} × {w}.")
    return Pixels(G, (h, w))


def is_grid_preserving(G: FiniteGroup) -> bool:
    """Whether G maps a square grid to itself, by quarter turns and flips or by translations.

    >>> from equibook import cyclic
    >>> is_grid_preserving(cyclic(4)), is_grid_preserving(cyclic(8))
    (True, False)

    Chapter: Group convolution
    """
    if not isinstance(expect_group(G, "is_grid_preserving"), FiniteGroup):
        return False
    if G.plane is not None:
        return bool((G.plane == G.plane.round()).all())
    return G.grid is not None


def act(V: Representation, g: int, x: Tensor) -> Tensor:
    r"""The action of g on a batch of vectors, v ↦ ρ_V(g)v, or of fields, f ↦ ρ_V(g) f(g⁻¹·).

    Args:
        V: the representation on the channels.
        g: an element of V.group.
        x: (batch, V.dim) vectors, or (batch, V.dim, h, w) fields.

    Returns:
        A tensor like x (h and w swap under a quarter turn).

    Raises:
        ValueError: if x has another shape, or V.group does not act on a grid.

    >>> from equibook import cyclic, trivial
    >>> image = torch.eye(2)[None, None]
    >>> act(trivial(cyclic(4)), 1, image)[0, 0].tolist()
    [[0.0, 1.0], [1.0, 0.0]]

    Chapter: Group convolution
    """
    g = expect_finite(expect_representation(V, "act").group, "act").index(g)
    if x.ndim not in (2, 4) or x.shape[1] != V.dim:
        raise ValueError(f"Expected (batch, {V.dim}) or (batch, {V.dim}, h, w) for {V}; got {tuple(x.shape)}.")
    moved = _move(V.group, g, x) if x.ndim == 4 else x
    return _mix(V, g, moved)


def act_batch(V: Representation, elements: Tensor, x: Tensor) -> Tensor:
    """The action of one element a sample: sample b of the result is act(V, elements[b], x[b]).

    Args:
        V: the representation on the channels.
        elements: (batch,) elements of V.group.
        x: (batch, V.dim) or (batch, V.dim, h, w); square images for a group with quarter turns.

    Returns:
        A tensor like x.

    >>> from equibook import cyclic, trivial
    >>> x = torch.randn(3, 1, 4, 4)
    >>> y = act_batch(trivial(cyclic(4)), torch.tensor([0, 1, 2]), x)
    >>> torch.equal(y[1, 0], torch.rot90(x[1, 0]))
    True

    Chapter: Attraction
    """
    elements = whole(elements, "The elements")
    if elements.shape != x.shape[:1]:
        raise ValueError(f"One element a sample: got {tuple(elements.shape)} elements for {len(x)} samples.")
    result = torch.empty_like(x)
    for g in elements.unique().tolist():
        chosen = (elements == g).to(x.device)
        moved = act(V, g, x[chosen])
        if moved.shape[2:] != x.shape[2:]:
            raise ValueError(
                f"Element {g} of {V.group} turns {tuple(x.shape[2:])} images on their side; a batch needs square ones."
            )
        result[chosen] = moved
    return result


def _mix(V: Representation, g: int, x: Tensor) -> Tensor:
    """ρ_V(g) on the channels, axis 1."""
    if all(isinstance(atom, Trivial) for atom, _ in V.summands):
        return x
    if V.images is not None:
        return x.index_select(1, V.images[V.group.inverse[g]].to(x.device))
    return torch.einsum("ij,bj...->bi...", V.matrix(g).to(x), x)


def _move(G: FiniteGroup, g: int, x: Tensor) -> Tensor:
    """The last two axes moved by g, exactly."""
    if G.grid is not None:
        h, w = G.grid
        if x.shape[-2:] != (h, w):
            raise ValueError(f"{G} moves {h} × {w} images; got {tuple(x.shape[-2:])}.")
        return x.roll((g // w, g % w), (-2, -1))
    if G.plane is None or not is_grid_preserving(G):
        raise ValueError(f"{G} does not act on the pixels of a square grid; cyclic(4) and dihedral(4) do.")
    (a, b), (c, d) = G.plane[g].tolist()
    if a * d - b * c < 0:  # a rotation after s, and s flips the rows
        x = x.flip(-2)
    quarter_turns = {(1, 0): 0, (0, 1): 1, (-1, 0): 2, (0, -1): 3}
    return x.rot90(quarter_turns[a, c], (-2, -1))

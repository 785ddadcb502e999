"""Groups that act on points: orbits, stabilizers, and the colorings of the points.

An action on points is a representation that permutes its basis, such as `permutation`, `pixels`
or `regular`: the point i is the basis vector e_i, and g·i = ``V.images[g, i]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .groups import FiniteGroup, expect_finite, orbit_representatives
from .representations import Representation, _fixed_points
from .subgroups import subgroup

__all__ = ["colorings", "orbit", "orbits", "stabilizer"]

#: The most entries of a table (elements of the group, colorings); 400 MB.
LARGEST = 50_000_000


def orbits(V: Representation) -> tuple[tuple[int, ...], ...]:
    r"""The orbits Gx = {g·x : g ∈ G} of a group that permutes points; they share out the points.

    Args:
        V: a representation that permutes its basis.

    Returns:
        The orbits, each in increasing order, that of the smallest point first.

    Raises:
        ValueError: if V does not permute its basis.

    >>> from equibook import cyclic, pixels
    >>> orbits(pixels(cyclic(4), 3))
    ((0, 2, 6, 8), (1, 3, 5, 7), (4,))

    Chapter: Symmetry and groups
    """
    smallest = _smallest(V, "orbits")
    return tuple(tuple((smallest == x).nonzero().flatten().tolist()) for x in smallest.unique().tolist())


def orbit(V: Representation, point: int) -> tuple[int, ...]:
    r"""The orbit Gx = {g·x : g ∈ G} of one point, in increasing order.

    Args:
        V: a representation that permutes its basis.
        point: 0, …, V.dim − 1.

    Raises:
        ValueError: if V does not permute its basis, or there is no such point.

    >>> from equibook import cyclic, pixels
    >>> orbit(pixels(cyclic(4), 3), 5)
    (1, 3, 5, 7)

    Chapter: Symmetry and groups
    """
    smallest = _smallest(V, "orbit")
    return tuple((smallest == smallest[_point(V, point)]).nonzero().flatten().tolist())


def stabilizer(V: Representation, point: int) -> FiniteGroup:
    r"""The subgroup G_x = {g ∈ G : g·x = x} of the elements that leave a point in place.

    Args:
        V: a representation that permutes its basis.
        point: 0, …, V.dim − 1.

    Raises:
        ValueError: if V does not permute its basis, or there is no such point.

    >>> from equibook import dihedral, pixels
    >>> stabilizer(pixels(dihedral(4), 3), 0)
    subgroup(dihedral(4), [7])

    Chapter: Symmetry and groups
    """
    G, x = expect_finite(V.group, "stabilizer"), _point(V, point)
    return subgroup(G, (_images(V, "stabilizer")[:, x] == x).nonzero().flatten().tolist())


def _images(V: Representation, function: str) -> Tensor:
    if not isinstance(V, Representation) or V.images is None:
        raise ValueError(
            f"{function} needs a group that permutes points, a representation such as permutation(G) or "
            f"pixels(G, 3); {V} is none."
        )
    return V.images


def _smallest(V: Representation, function: str) -> Tensor:
    """(points,) the smallest point of each point's orbit, found from the generators."""
    return orbit_representatives(_images(V, function)[list(V.group.generators)], V.dim)


def _point(V: Representation, point: int) -> int:
    if point not in range(V.dim):
        raise ValueError(f"{point} is not a point of {V}: its points are 0, …, {V.dim - 1}.")
    return int(point)


@dataclass(frozen=True)
class Colorings(Representation):
    """The permutation of all colorings of the points that V permutes."""

    points: Representation
    colors: int

    @property
    def group(self) -> Any:
        return self.points.group

    @property
    def dim(self) -> int:  # type: ignore[override]
        return int(self.colors**self.points.dim)

    @property
    def _places(self) -> Tensor:
        """(points,): what a digit counts at the place of each point."""
        return self.colors ** torch.arange(self.points.dim - 1, -1, -1)

    @cached_property
    def values(self) -> Tensor:
        """(dim, points): the color of each point in each coloring."""
        return torch.arange(self.dim)[:, None] // self._places % self.colors

    @cached_property
    def images(self) -> Tensor:
        # (g·c)(g·x) = c(x): the color of x counts at the place of g·x.
        places = self._places[_images(self.points, "colorings")]
        return (self.values.double() @ places.mT.double()).mT.long()

    def _character(self, G: FiniteGroup) -> Tensor:
        return _fixed_points(self.images)

    def __repr__(self) -> str:
        return f"colorings({self.points}, {self.colors})"


def colorings(V: Representation, colors: int) -> Colorings:
    r"""The action of G on all colorings c of its points, (g·c)(x) = c(g⁻¹x), as a representation.

    The coloring number c has at the point x the digit x of c, written with base ``colors`` and
    with point 0 first: of two points and two colors, 0, 1, 2, 3 are the colorings 00, 01, 10, 11.

    Args:
        V: a representation that permutes its basis, the points.
        colors: how many colors there are.

    Returns:
        The representation, of dimension colors^points; ``.values``, (dim, points), are the colors
        of each coloring.

    Raises:
        ValueError: if V does not permute its basis, or there are too many colorings to list.

    >>> from equibook import dihedral, pixels
    >>> C = colorings(pixels(dihedral(4), 2), 2)               # the 2 × 2 filters of two weights
    >>> C.dim, len(orbits(C))
    (16, 6)

    Chapter: Symmetry and groups
    """
    if not isinstance(colors, int) or colors < 1:
        raise ValueError(f"colorings needs at least one color; got {colors!r}.")
    if len(_images(V, "colorings")) * colors**V.dim > LARGEST:
        raise ValueError(
            f"{V.dim} points have {colors}^{V.dim} colorings, too many to list for {V.group}. "
            f"To count their orbits, take the mean of {colors}^(cycles of g) over the group."
        )
    return Colorings(V, colors)

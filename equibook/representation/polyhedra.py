"""The Platonic solids and the finite groups of their symmetries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from .groups import FiniteGroup, _of_permutations

__all__ = ["Polyhedron", "icosahedral", "octahedral", "polyhedron", "tetrahedral"]

GOLDEN = (1 + math.sqrt(5)) / 2

#: Each solid and the one whose vertices are the middles of its faces.
DUAL = {
    "tetrahedron": "tetrahedron",
    "cube": "octahedron",
    "octahedron": "cube",
    "dodecahedron": "icosahedron",
    "icosahedron": "dodecahedron",
}


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """A Platonic solid with its vertices on the unit sphere; make it with `polyhedron`.

    Attributes:
        vertices: (v, 3) float64.
        edges: (e, 2) numbers of vertices.
        faces: the numbers of the vertices around each face, counter-clockwise seen from outside.
            Face i lies in the direction of vertex i of the dual solid (of −vertex i for the
            tetrahedron, which is its own dual).

    >>> polyhedron("cube").vertices.shape
    torch.Size([8, 3])

    Chapter: Symmetry and groups
    """

    vertices: Tensor
    edges: Tensor
    faces: tuple[tuple[int, ...], ...]


@lru_cache(maxsize=8)
def polyhedron(name: str) -> Polyhedron:
    """A Platonic solid: "tetrahedron", "cube", "octahedron", "dodecahedron" or "icosahedron".

    All are placed so that their symmetries are those of `tetrahedral`, `octahedral` and
    `icosahedral`: the cube's edges are parallel to the axes, and the tetrahedron stands in it.

    Raises:
        ValueError: if there is no such solid.

    >>> solid = polyhedron("icosahedron")
    >>> len(solid.vertices), len(solid.edges), len(solid.faces)
    (12, 30, 20)

    Chapter: Symmetry and groups
    """
    if name not in DUAL:
        raise ValueError(f"There is no Platonic solid {name!r}; there are {', '.join(DUAL)}.")
    vertices, normals = _vertices(name), _vertices(DUAL[name])
    if name == "tetrahedron":
        normals = -normals
    near = _largest((vertices @ vertices.mT).fill_diagonal_(-1.0))
    edges = torch.stack([pair for pair in near.nonzero() if pair[0] < pair[1]])
    corners = [on.nonzero().flatten() for on in _largest(normals @ vertices.mT)]
    faces = tuple(_around(vertices, face, n) for face, n in zip(corners, normals, strict=True))
    return Polyhedron(vertices, edges, faces)


def _largest(products: Tensor) -> Tensor:
    """In each row, which entries are the largest up to round-off."""
    return products > products.amax(dim=1, keepdim=True) - 1e-9


def _around(vertices: Tensor, face: Tensor, normal: Tensor) -> tuple[int, ...]:
    first = vertices[face[0]] - (vertices[face[0]] @ normal) * normal
    second = torch.linalg.cross(normal, first)
    angle = torch.atan2(vertices[face] @ second, vertices[face] @ first)
    start = (angle + 1e-9).remainder(2 * math.pi)  # the smallest vertex comes first, whatever the sign of its zero
    return tuple(face[start.argsort()].tolist())


def _vertices(name: str) -> Tensor:
    signs = torch.cartesian_prod(*[torch.tensor([1.0, -1.0], dtype=torch.float64)] * 3)
    if name == "octahedron":
        eye = torch.eye(3, dtype=torch.float64)
        return torch.stack([eye, -eye], dim=1).flatten(0, 1)
    cube = signs
    if name == "tetrahedron":
        cube = signs[signs.prod(dim=1) > 0]
    if name in ("tetrahedron", "cube"):
        return cube / math.sqrt(3)
    first = (1.0, GOLDEN) if name == "icosahedron" else (GOLDEN, 1 / GOLDEN)
    flat = torch.tensor([[0.0, a * first[0], b * first[1]] for a in (1, -1) for b in (1, -1)], dtype=torch.float64)
    points = torch.cat([flat, flat.roll(1, 1), flat.roll(2, 1)])
    if name == "dodecahedron":
        points = torch.cat([cube, points])
    return points / points[0].norm()


def tetrahedral(*, reflections: bool = False) -> FiniteGroup:
    """The 12 rotations of the tetrahedron, a copy of A_4; with its reflections 24, a copy of S_4.

    Args:
        reflections: whether those are included that turn left hands into right ones.

    Returns:
        The group; ``space``, (order, 3, 3), are its matrices and ``permutations``, (order, 4),
        move the vertices of ``polyhedron("tetrahedron")``. Elements are in the lexicographic order
        of these permutations.

    >>> tetrahedral().order, len(tetrahedral().classes)
    (12, 4)

    Chapter: Symmetry and groups
    """
    return _symmetries("tetrahedron", "tetrahedral", bool(reflections))


def octahedral(*, reflections: bool = False) -> FiniteGroup:
    """The 24 rotations of the octahedron and of the cube, a copy of S_4; with reflections 48.

    Args:
        reflections: whether those are included that turn left hands into right ones.

    Returns:
        The group; ``space``, (order, 3, 3), are its matrices and ``permutations``, (order, 6),
        move the vertices of the octahedron, which are the faces of the cube. Elements are in the
        lexicographic order of these permutations.

    >>> octahedral().order, len(octahedral().classes)
    (24, 5)

    Chapter: Symmetry and groups
    """
    return _symmetries("octahedron", "octahedral", bool(reflections))


def icosahedral(*, reflections: bool = False) -> FiniteGroup:
    """The 60 rotations of the icosahedron and the dodecahedron, a copy of A_5; with reflections 120.

    Args:
        reflections: whether those are included that turn left hands into right ones.

    Returns:
        The group; ``space``, (order, 3, 3), are its matrices and ``permutations``, (order, 12),
        move the vertices of the icosahedron, which are the faces of the dodecahedron. Elements are
        in the lexicographic order of these permutations.

    >>> icosahedral().order, len(icosahedral().classes)
    (60, 5)

    Chapter: Symmetry and groups
    """
    return _symmetries("icosahedron", "icosahedral", bool(reflections))


@lru_cache(maxsize=8)
def _symmetries(solid: str, function: str, reflections: bool) -> FiniteGroup:
    """The orthogonal matrices that permute the vertices: each is known by the images of three of them."""
    vertices = polyhedron(solid).vertices
    base = vertices[list(polyhedron(solid).faces[0][:3])]
    i, j, k = torch.cartesian_prod(*[torch.arange(len(vertices))] * 3).unbind(1)
    images = torch.stack([vertices[i], vertices[j], vertices[k]], dim=1)
    same = (images @ images.mT - base @ base.mT).abs().amax(dim=(1, 2)) < 1e-9
    matrices = (torch.linalg.inv(base) @ images[same]).mT
    # The entries are 0, ±1/2, ±1, ±φ/2, ±1/2φ: the nearest of them removes the round-off.
    exact = torch.tensor([0.0, 0.5, 1.0, GOLDEN / 2, (GOLDEN - 1) / 2], dtype=torch.float64)
    exact = torch.cat([-exact[1:], exact])
    matrices = exact[(matrices[..., None] - exact).abs().argmin(dim=-1)] + 0.0
    if not reflections:
        matrices = matrices[torch.linalg.det(matrices) > 0]
    moved = matrices @ vertices.mT  # (order, 3, v)
    permutations = torch.einsum("gxv,wx->gvw", moved, vertices).argmax(dim=2)
    order = sorted(range(len(permutations)), key=permutations.tolist().__getitem__)
    name = f"{function}({'reflections=True' if reflections else ''})"
    group = _of_permutations(permutations[order], name)
    return FiniteGroup(group.table, name=name, permutations=group.permutations, space=matrices[order])

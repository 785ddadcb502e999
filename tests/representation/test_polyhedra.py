"""The Platonic solids and their groups."""

from __future__ import annotations

import pytest
import torch

import equibook as eq

SOLIDS = {
    "tetrahedron": (4, 6, 4),
    "cube": (8, 12, 6),
    "octahedron": (6, 12, 8),
    "dodecahedron": (20, 30, 12),
    "icosahedron": (12, 30, 20),
}
GROUPS = {
    "tetrahedron": eq.tetrahedral,
    "cube": eq.octahedral,
    "octahedron": eq.octahedral,
    "dodecahedron": eq.icosahedral,
    "icosahedron": eq.icosahedral,
}


@pytest.mark.parametrize("name", SOLIDS)
def test_vertices_edges_and_faces(name: str) -> None:
    solid = eq.polyhedron(name)
    assert (len(solid.vertices), len(solid.edges), len(solid.faces)) == SOLIDS[name]
    assert torch.allclose(solid.vertices.norm(dim=1), torch.ones(len(solid.vertices)).double(), atol=1e-15)
    lengths = solid.vertices[solid.edges].diff(dim=1).norm(dim=-1)
    assert torch.allclose(lengths, lengths[0].expand_as(lengths), atol=1e-14)
    sides = [frozenset(pair) for face in solid.faces for pair in zip(face, face[1:] + face[:1], strict=True)]
    assert all(sides.count(frozenset(edge)) == 2 for edge in solid.edges.tolist())
    assert len(sides) == 2 * len(solid.edges)


@pytest.mark.parametrize("name", SOLIDS)
def test_faces_go_around_counter_clockwise(name: str) -> None:
    solid = eq.polyhedron(name)
    for face in solid.faces:
        corners = solid.vertices[list(face)]
        turns = torch.linalg.cross(corners, corners.roll(-1, 0)) @ corners.mean(dim=0)
        assert (turns > 0).all()
        assert face[0] == min(face)


@pytest.mark.parametrize("name", ["cube", "octahedron", "dodecahedron", "icosahedron"])
def test_faces_are_numbered_as_the_vertices_of_the_dual(name: str) -> None:
    dual = {"cube": "octahedron", "octahedron": "cube", "dodecahedron": "icosahedron", "icosahedron": "dodecahedron"}
    solid, normals = eq.polyhedron(name), eq.polyhedron(dual[name]).vertices
    middles = torch.stack([solid.vertices[list(face)].mean(dim=0) for face in solid.faces])
    assert torch.allclose(middles / middles.norm(dim=1, keepdim=True), normals, atol=1e-14)


@pytest.mark.parametrize("reflections", [False, True])
@pytest.mark.parametrize("name", SOLIDS)
def test_the_group_maps_the_solid_to_itself(name: str, reflections: bool) -> None:
    G, vertices = GROUPS[name](reflections=reflections), eq.polyhedron(name).vertices
    moved = torch.einsum("gij,vj->gvi", G.space, vertices)
    nearest = torch.cdist(moved.flatten(0, 1), vertices).min(dim=1)
    assert nearest.values.max() < 1e-7  # cdist takes a root
    if name in ("tetrahedron", "octahedron", "icosahedron"):
        assert torch.equal(nearest.indices.reshape(G.order, -1), G.permutations)


@pytest.mark.parametrize(
    ("G", "order", "sizes"),
    [
        (eq.tetrahedral(), 12, [1, 3, 4, 4]),
        (eq.octahedral(), 24, [1, 3, 6, 6, 8]),
        (eq.icosahedral(), 60, [1, 12, 12, 15, 20]),
        (eq.tetrahedral(reflections=True), 24, [1, 3, 6, 6, 8]),
        (eq.octahedral(reflections=True), 48, [1, 1, 3, 3, 6, 6, 6, 6, 8, 8]),
        (eq.icosahedral(reflections=True), 120, [1, 1, 12, 12, 12, 12, 15, 15, 20, 20]),
    ],
    ids=str,
)
def test_orders_and_classes(G: eq.FiniteGroup, order: int, sizes: list[int]) -> None:
    assert G.order == order
    assert sorted(map(len, G.classes)) == sizes
    assert torch.equal(G.space[0], torch.eye(3, dtype=torch.float64))
    det = torch.linalg.det(G.space)
    assert torch.allclose(det.abs(), torch.ones(order).double(), atol=1e-14)
    assert bool((det < 0).any()) == repr(G).endswith("(reflections=True)")
    product = G.space[:, None] @ G.space[None]
    assert (product - G.space[G.table]).abs().max() < 1e-15
    assert eval(repr(G), vars(eq).copy()) == G


def test_rotations_are_a_subgroup_of_all_symmetries() -> None:
    for make in (eq.tetrahedral, eq.octahedral, eq.icosahedral):
        G = make(reflections=True)
        rotations = eq.subgroup(G, (torch.linalg.det(G.space) > 0).nonzero().flatten().tolist())
        assert torch.equal(rotations.space, make().space)
        assert eq.is_normal(rotations)


def test_the_tetrahedron_stands_in_the_cube_and_in_the_dodecahedron() -> None:
    for make in (eq.octahedral, eq.icosahedral):
        larger = {tuple(R.flatten().tolist()) for R in make().space}
        assert {tuple(R.flatten().tolist()) for R in eq.tetrahedral().space} <= larger


def test_a_solid_that_is_none() -> None:
    with pytest.raises(ValueError, match="no Platonic solid 'pyramid'; there are tetrahedron, cube"):
        eq.polyhedron("pyramid")

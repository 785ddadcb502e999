"""Pictures of groups: what is drawn where, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

import equibook as eq

D4 = eq.dihedral(4)


def texts(figure: eq.figures.Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def patches(figure: eq.figures.Figure, kind: type) -> list:
    return [patch for patch in figure.axes[0].patches if isinstance(patch, kind)]


def inside(figure: eq.figures.Figure) -> bool:
    """Whether every patch lies on the page."""
    width, height = figure.get_size_inches()
    boxes = [patch.get_path().get_extents(patch.get_patch_transform()) for patch in figure.axes[0].patches]
    return all(b.x0 > -1e-6 and b.y0 > -1e-6 and b.x1 < width + 1e-6 and b.y1 < height + 1e-6 for b in boxes)


def test_families_are_framed_and_counted() -> None:
    C = eq.colorings(eq.pixels(D4, 2), 2)
    figure = eq.figures.families(C.values.reshape(16, 2, 2), eq.orbits(C))
    assert texts(figure) == ["1", "4", "4", "2", "4", "1"]
    assert len(patches(figure, FancyBboxPatch)) == 6
    cells = patches(figure, Rectangle)
    assert len(cells) == 64
    assert sum(cell.get_facecolor()[3] > 0 for cell in cells) == 32
    assert inside(figure)


def test_families_of_another_shape_and_with_titles() -> None:
    tiles = torch.arange(6).reshape(1, 2, 3).expand(3, 2, 3)
    figure = eq.figures.families(tiles, [[0, 1], [2]], ["two", "one"], size=0.8)
    assert texts(figure) == ["two", "one"]
    assert len({cell.get_facecolor() for cell in patches(figure, Rectangle)}) == 6
    assert inside(figure)


@pytest.mark.parametrize(
    ("tiles", "titles", "message"),
    [
        (torch.zeros(2, 2), None, r"images \(n, h, w\)"),
        (torch.full((2, 2, 2), 0.5), None, "whole numbers from 0 to 5"),
        (torch.full((2, 2, 2), 6), None, "whole numbers from 0 to 5"),
        (torch.zeros(2, 2, 2), ["one"], "1 titles were given for 2 families"),
    ],
)
def test_families_that_cannot_be_drawn(tiles: torch.Tensor, titles: list[str] | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.figures.families(tiles, [[0], [1]], titles)


def test_a_cayley_graph_has_an_arrow_an_element_and_a_line_a_pair() -> None:
    figure = eq.figures.cayley_graph(D4, {"r": 1, "s": 4})
    assert len(patches(figure, FancyArrowPatch)) == 8 + 4
    assert texts(figure) == [*map(str, range(8)), "r", "s"]


def test_a_cayley_graph_in_space_and_one_without_coordinates() -> None:
    G = eq.octahedral()
    turn = next(g for g in G.elements if G.multiply(G.multiply(g, g), g) == 0 and g)
    assert len(patches(eq.figures.cayley_graph(G, {"a": turn}), FancyArrowPatch)) == 24
    figure = eq.figures.cayley_graph(
        eq.quaternion(), {"i": 2, "j": 4}, labels=["1", "−1", "i", "−i", "j", "−j", "k", "−k"]
    )
    assert len(patches(figure, FancyArrowPatch)) == 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generators": {}}, "one to 4 generators, but 0"),
        ({"generators": {"r": 1}, "labels": ["e"]}, r"1 labels were given for the 8 elements of dihedral\(4\)"),
        ({"generators": {"r": 1}, "start": [1.0, 0.0, 0.0]}, "2 coordinates"),
        ({"generators": {"r": 9}}, "9 is not an element"),
    ],
)
def test_cayley_graphs_that_cannot_be_drawn(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.figures.cayley_graph(D4, **options)


@pytest.mark.parametrize("H", [eq.subgroup(D4, []), eq.cyclic(4), eq.subgroup(D4, [4]), D4], ids=str)
def test_a_wallpaper_has_a_copy_an_element_and_cell(H: eq.FiniteGroup) -> None:
    figure = eq.figures.wallpaper(H, cells=2, title="some")
    copies = patches(figure, Polygon)
    assert len(copies) == 4 * H.order
    reflections = int((torch.linalg.det(H.plane) < 0).sum())
    assert len({copy.get_facecolor() for copy in copies}) == 1 + (reflections > 0)
    assert inside(figure)


def test_the_copies_of_the_motif_do_not_overlap() -> None:
    """One of the eight triangles of a cell holds the motif."""
    x, y = np.array(eq.figures.symmetry.FLAG).T
    assert (y > 0).all() and (y < x).all() and (x < 0.5).all()


def test_a_wallpaper_needs_a_group_of_the_plane() -> None:
    with pytest.raises(ValueError, match=r"symmetric\(3\) does not act on the plane"):
        eq.figures.wallpaper(eq.symmetric(3))


def test_spheres_show_every_point_once_near_or_far() -> None:
    points = torch.cat([torch.eye(3), -torch.eye(3), 2 * torch.eye(3)])
    figure = eq.figures.spheres({"six": points, "three": torch.eye(3)}, solid=eq.polyhedron("cube"))
    assert texts(figure) == ["six", "three"]
    near_and_far = [len(cloud.get_offsets()) for cloud in figure.axes[0].collections]
    assert (sum(near_and_far[:2]), sum(near_and_far[2:])) == (6, 3)
    assert len(figure.axes[0].lines) == 24


@pytest.mark.parametrize(
    ("points", "message"), [({}, "nothing to draw"), ({"flat": torch.zeros(4, 2)}, r"'flat' have shape \(4, 2\)")]
)
def test_spheres_that_cannot_be_drawn(points: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        eq.figures.spheres(points)

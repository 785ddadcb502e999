"""Steerable convolutions: exact on the grid's symmetries, close off it, and what their filters span."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

import equibook as eq
from equibook import LieGroup, Representation, Rings, SteerableConv2d

PLANE = (eq.cyclic(1), eq.cyclic(3), eq.cyclic(4), eq.cyclic(8), eq.dihedral(3), eq.dihedral(4), eq.so2(), eq.o2())


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fibers(G: eq.FiniteGroup | LieGroup) -> list[Representation]:
    if isinstance(G, LieGroup):
        rhos = eq.irreps(G, degree=2)
        return [eq.trivial(G), rhos[-1], 2 * rhos[0] + rhos[1] + 2 * rhos[2]]
    return [eq.trivial(G), eq.regular(G), 2 * eq.irreps(G)[-1] + eq.regular(G)]


CASES = [(G, V, W) for G in PLANE for V in fibers(G) for W in fibers(G)]


def grid_elements(G: eq.FiniteGroup | LieGroup) -> list[tuple[object, Tensor]]:
    """The elements that map the grid to itself, each with its matrix of the plane."""
    if isinstance(G, LieGroup):
        turns = G.exp(torch.arange(4, dtype=torch.float64)[:, None] * math.pi / 2).round()
        return [(R, R) for R in (turns[:, None] @ G.components).flatten(0, 1)]
    return [(g, R) for g, R in enumerate(G.plane) if float((R - R.round()).abs().max()) < 1e-9]


def move(x: Tensor, V: Representation, g: object, R: Tensor) -> Tensor:
    """(g·x)(p) = ρ(g) x(g⁻¹p), for quarter turns and flips."""
    k = round(math.atan2(R[1, 0], R[0, 0]) / (math.pi / 2)) % 4
    if torch.linalg.det(R) < 0:  # R = turn · diag(1, −1)
        x = x.flip(-2)
    return torch.einsum("ij,bjhw->bihw", V.matrix(g).to(x), torch.rot90(x, k, (-2, -1)))


@pytest.mark.parametrize(("G", "V", "W"), CASES, ids=str)
def test_exact_on_the_symmetries_of_the_grid(G: object, V: Representation, W: Representation, device: str) -> None:
    layer = SteerableConv2d(V, W, 5, padding=1, generator=generator()).double().to(device)
    for p in layer.bias.parameters():
        torch.nn.init.ones_(p)
    x = torch.randn(2, V.dim, 8, 8, dtype=torch.float64, generator=generator()).to(device)
    for g, R in grid_elements(G):
        assert torch.allclose(layer(move(x, V, g, R)), move(layer(x), W, g, R), atol=1e-10)


def blob(points: Tensor) -> Tensor:
    """A smooth picture without symmetry."""
    centers = torch.tensor([[1.5, 0.4], [-1.0, 1.3], [0.2, -2.0]], dtype=torch.float64)
    weights = torch.tensor([1.0, -0.8, 0.6], dtype=torch.float64)
    return (torch.exp(-(torch.cdist(points, centers) ** 2) / 6) * weights).sum(dim=-1)


@pytest.mark.parametrize("G", [eq.cyclic(8), eq.dihedral(3), eq.so2(), eq.o2()], ids=str)
def test_close_for_all_other_angles(G: eq.FiniteGroup | LieGroup) -> None:
    """The response at the center turns with a picture that is turned without interpolation."""
    rhos = eq.irreps(G, degree=2) if isinstance(G, LieGroup) else eq.irreps(G)
    W = sum(rhos[1:], rhos[0])
    layer = SteerableConv2d(eq.trivial(G), W, 9, generator=generator()).double()
    side = torch.arange(9, dtype=torch.float64) - 4
    y, x = torch.meshgrid(-side, side, indexing="ij")
    points = torch.stack([x, y], dim=-1).view(-1, 2)
    still = layer(blob(points).view(1, 1, 9, 9))[0, :, 0, 0].detach()
    if isinstance(G, LieGroup):
        elements = [(R, R) for R in eq.haar_sample(G, 8, generator=generator())]
    else:
        elements = list(enumerate(G.plane))
    for g, R in elements:
        turned = layer(blob(points @ R).view(1, 1, 9, 9))[0, :, 0, 0].detach()  # rows of points @ R are R⁻¹p
        assert float((turned - W.matrix(g) @ still).norm()) < 0.02 * float(still.norm())


def test_a_filter_that_is_not_steerable_is_far_off() -> None:
    """What the last test would say of a convolution without the constraint."""
    G = eq.so2()
    layer = SteerableConv2d(eq.trivial(G), eq.irreps(G, 1)[1], 9, generator=generator()).double()
    side = torch.arange(9, dtype=torch.float64) - 4
    y, x = torch.meshgrid(-side, side, indexing="ij")
    points = torch.stack([x, y], dim=-1).view(-1, 2)
    plain = torch.randn(2, 1, 9, 9, dtype=torch.float64, generator=generator())
    R = G.exp(1.0)
    before, after = (torch.einsum("oiyx,iyx->o", plain, blob(p).view(1, 9, 9)) for p in (points, points @ R))
    assert float((after - layer.target.matrix(R) @ before).norm()) > 0.2 * float(before.norm())


@pytest.mark.parametrize(("G", "V", "W"), CASES, ids=str)
def test_the_basis_is_orthonormal_and_inside_the_group_convolutions(
    G: object, V: Representation, W: Representation
) -> None:
    rings = Rings.default(5)
    for U, _ in V.summands:
        for X, _ in W.summands:
            basis = rings.basis(U, X)
            flat = basis.flatten(1)
            assert torch.allclose(flat @ flat.mT, torch.eye(len(flat), dtype=torch.float64), atol=1e-9)
            if not isinstance(G, LieGroup) and eq.is_grid_preserving(G):
                maps = basis.mT.flatten(2)  # (n, W.dim, pixels · V.dim)
                assert all(float(d) < 1e-9 for d in (eq.pixels(G, 5) * U >> X).distance(maps))


def test_what_the_default_leaves_out() -> None:
    """The known dimensions: of 36, 100, 72 and 200 that the grid allows."""
    for G, k, dim in ((eq.cyclic(4), 3, 24), (eq.cyclic(4), 5, 44), (eq.dihedral(4), 3, 48), (eq.dihedral(4), 5, 88)):
        V = eq.regular(G)
        assert len(Rings.default(k).basis(V, V)) == dim


def test_frequencies_decide_which_fibers_connect() -> None:
    """Between irreducibles of frequencies m and n the filter has the frequencies |m − n| and m + n."""
    rhos = eq.irreps(eq.so2(), degree=4)
    rings = Rings(7, (2.0,), (0.6,), (4,))
    for m in range(1, 4):
        for n in range(1, 4):
            reached = [f for f in (abs(m - n), m + n) if f <= 4]
            # a frequency f > 0 comes with its sine and cosine phase, and so does f = 0 between two planes
            assert len(rings.basis(rhos[m], rhos[n])) == 2 * len(reached)


def test_rings_can_be_chosen() -> None:
    V = eq.trivial(eq.so2())
    few = SteerableConv2d(V, eq.irreps(eq.so2(), 1)[1], 7, radii=[2.0], widths=0.5, cutoff=lambda r: 1)
    assert sum(p.numel() for p in few.weight.parameters()) == 2
    more = SteerableConv2d(V, eq.irreps(eq.so2(), 1)[1], 7, cutoff=1.0)
    assert more.weight.window.cutoffs == (0, 1, 2, 3)


@pytest.mark.parametrize("G", PLANE, ids=str)
def test_white_noise_keeps_its_variance(G: eq.FiniteGroup | LieGroup) -> None:
    V, W = 24 * fibers(G)[2], 24 * fibers(G)[2]
    layer = SteerableConv2d(V, W, 5, bias=False, generator=generator())
    y = layer(torch.randn(4, V.dim, 16, 16, generator=generator()))
    assert abs(float(y.square().mean()) - 1) < 0.15


def test_double_is_as_exact_as_float64() -> None:
    layer = SteerableConv2d(eq.trivial(eq.cyclic(8)), eq.regular(eq.cyclic(8)), 5, generator=generator()).double()
    basis = Rings.default(5).basis(eq.trivial(eq.cyclic(8)), eq.regular(eq.cyclic(8)))
    flat = layer.filters().detach().flatten()
    inside = basis.flatten(1)
    assert float((flat - inside.mT @ (inside @ flat)).norm()) < 1e-12 * float(flat.norm()) + 1e-12


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: SteerableConv2d(eq.trivial(eq.so3()), eq.trivial(eq.so3()), 3), "so3"),
        (lambda: SteerableConv2d(eq.trivial(eq.symmetric(3)), eq.trivial(eq.symmetric(3)), 3), "symmetric"),
        (lambda: SteerableConv2d(eq.trivial(eq.so2()), eq.trivial(eq.so2()), 3, radii=[9.0]), "radius 9.0"),
        (lambda: SteerableConv2d(eq.trivial(eq.so2()), eq.trivial(eq.so2()), 3, widths=[1.0]), "2 rings"),
        (lambda: SteerableConv2d(eq.trivial(eq.so2()), eq.trivial(eq.so2()), 0), "kernel_size 0"),
        (lambda: SteerableConv2d(eq.trivial(eq.so2()), eq.trivial(eq.o2()), 3), "different groups"),
    ],
)
def test_errors_say_what_was_given(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()  # type: ignore[operator]


@pytest.mark.parametrize("G", [eq.cyclic(8), eq.dihedral(3), eq.so2()], ids=str)
def test_first_weights_combine_the_filters_of_single_rings(G: eq.FiniteGroup | LieGroup) -> None:
    """Their coordinates have the filters' scalar products, and a mean square of 1 each."""
    V = eq.regular(G) if isinstance(G, eq.FiniteGroup) else eq.irreps(G, 1)[1]
    rings = Rings.default(5)
    starts = rings.starts(V, V)
    filters = starts @ rings.basis(V, V).flatten(1)
    assert torch.allclose(filters.norm(dim=1), torch.ones(len(starts), dtype=torch.float64))
    assert float((starts @ starts.mT - torch.eye(len(starts))).abs().max()) > 0.1  # neighboring rings overlap
    size = filters.view(len(starts), -1, 25).norm(dim=1)
    on_center = size[:, 12] > 0.999  # the ring of radius 0
    assert bool(on_center.any()) and float(size[on_center, :12].max()) < 1e-6

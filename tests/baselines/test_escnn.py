"""Our convolutions against escnn's: the same groups, the same kernels, the same outputs and gradients."""

from __future__ import annotations

import importlib
import itertools

import pytest
import torch

import equibook as eq

pytestmark = [pytest.mark.usefixtures("escnn"), pytest.mark.filterwarnings("ignore:.py3nj")]

GROUPS = {f"C{n}": eq.cyclic(n) for n in (1, 2, 4)} | {f"D{n}": eq.dihedral(n) for n in (1, 2, 4)}


@pytest.fixture
def baselines(escnn):
    """The bridge; a test that asks for it is skipped, or fails, where escnn is missing."""
    import equibook.baselines

    return equibook.baselines


@pytest.fixture(params=GROUPS.values(), ids=GROUPS.keys())
def G(request):
    return request.param


# ---- groups and fields ---------------------------------------------------------------------


def test_elements_move_an_image_alike(baselines, escnn, G):
    space = baselines.gspace(G)
    image = torch.arange(25.0).reshape(1, 1, 5, 5)
    kind = escnn.nn.FieldType(space, [space.trivial_repr])
    listed = list(space.fibergroup.elements)
    for g, e in enumerate(baselines.elements(space).tolist()):
        # escnn has no interpolation to do here, but does it: round-off remains
        assert torch.allclose(kind(image).transform(listed[e]).tensor, eq.act(eq.trivial(G), g, image), atol=1e-4)


def test_elements_multiply_alike(baselines, escnn):
    for space in (baselines.gspace(eq.dihedral(4)), escnn.gspaces.flipRot2dOnR2(4), escnn.gspaces.rot2dOnR2(8)):
        H, G = baselines.plane_group(space), baselines.elements(space).tolist()
        listed = list(space.fibergroup.elements)
        for g, h in itertools.product(H.elements, repeat=2):
            assert listed[G[g]] @ listed[G[h]] == listed[G[H.multiply(g, h)]]


def test_our_numbering_is_escnns(baselines, G):
    """With its reflection over the x-axis, escnn numbers elements, and with them channels, as we do."""
    assert baselines.elements(baselines.gspace(G)).tolist() == list(G.elements)
    V = 2 * eq.regular(G) + eq.trivial(G)
    same, channels = baselines.fields(baselines.field_type(V))
    assert same == V or G.order == 1  # where the regular representation is the trivial one
    assert channels.tolist() == list(range(V.dim))


def test_another_axis_is_refused_where_it_is_another_group(baselines, escnn):
    with pytest.raises(ValueError, match="axis=0"):
        baselines.elements(escnn.gspaces.flip2dOnR2())


def test_unknown_fields_are_refused(baselines):
    G = eq.cyclic(4)
    with pytest.raises(ValueError, match="pixels"):
        baselines.field_type(eq.pixels(G, 2))
    with pytest.raises(ValueError, match="symmetric"):
        baselines.gspace(eq.symmetric(3))


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("family", [eq.cyclic, eq.dihedral], ids=["C", "D"])
def test_irreducibles(baselines, family, n):
    """The same types, the same dimensions, the same matrices; and then the same dimensions of Hom."""
    H = family(n)
    ours = eq.irreps(H)
    space = baselines.gspace(H)
    theirs = space.fibergroup.irreps()
    kinds = {"R": "real", "C": "complex", "H": "quaternionic"}
    assert sorted((rho.dim, rho.type) for rho in ours) == sorted((rho.size, kinds[rho.type]) for rho in theirs)
    for rho in ours:
        same, channels = baselines.fields(baselines.field_type(rho))
        assert torch.equal(same.matrix(H.elements), rho.matrix(H.elements))
        assert channels.tolist() == list(range(rho.dim))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("octa_group", ()), ("ico_group", ()), ("full_octa_group", ()), ("cylinder_discrete_group", (4,))],
)
def test_characters(baselines, name, arguments):
    """From the multiplication table alone, the irreducibles that escnn knows by construction."""
    theirs = getattr(importlib.import_module("escnn.group"), name)(*arguments)
    number = {e: k for k, e in enumerate(theirs.elements)}
    H = eq.FiniteGroup([[number[e @ f] for f in theirs.elements] for e in theirs.elements])
    kinds = {"R": "real", "C": "complex", "H": "quaternionic"}
    irreps = {tuple(rho.character().round(decimals=6).add(0.0).tolist()): rho for rho in eq.irreps(H)}
    assert len(irreps) == len(theirs.irreps())
    for known in theirs.irreps():
        character = torch.tensor([known.character(e) for e in theirs.elements], dtype=torch.float64)
        rho = irreps[tuple(character.round(decimals=6).add(0.0).tolist())]
        assert (rho.dim, rho.type) == (known.size, kinds[known.type])


# ---- kernels -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "k", "span", "dim"), [("C4", 3, 24, 36), ("C4", 5, 44, 100), ("D4", 3, 48, 72), ("D4", 5, 88, 200)]
)
def test_span(baselines, name, k, span, dim):
    V = eq.regular(GROUPS[name])
    kernels = baselines.escnn_kernels(V, V, k)
    hom = eq.pixels(V.group, k) * V >> V
    assert hom.dim == dim
    assert torch.linalg.matrix_rank(kernels.flatten(1).double(), rtol=1e-4) == span == len(kernels)


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_more_rings_and_frequencies_fill_the_space(baselines, name):
    """By default escnn leaves out what is too fine for the grid; asked for more, it spans our space."""
    V = eq.regular(GROUPS[name])
    fine = {"rings": [0.0, 1.0, 2**0.5], "sigma": 3 * [0.1], "frequencies_cutoff": lambda radius: 2 * radius}
    kernels = baselines.escnn_kernels(V, V, 3, **fine)
    hom = eq.pixels(V.group, 3) * V >> V
    assert torch.linalg.matrix_rank(kernels.flatten(1).double(), rtol=1e-3) == hom.dim


# ---- layers --------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("lifting", [True, False], ids=["lifting", "regular"])
def test_kernels_outputs_and_gradients(baselines, G, lifting, k, generator):
    v = eq.trivial(G) if lifting else eq.regular(G)
    record = baselines.escnn_record(v, eq.regular(G), k, (3, 2), generator=generator)
    differences = record.differences()
    assert max(differences.values()) < 2e-6, differences


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_irreducible_fields(baselines, name, generator):
    H = GROUPS[name]
    for v, w in itertools.product(eq.irreps(H), repeat=2):
        if (eq.pixels(H, 3) * v >> w).dim == 0:
            with pytest.raises(ValueError, match="empty"):  # escnn's own words
                baselines.escnn_kernels(v, w, 3)
            continue
        differences = baselines.escnn_record(v, w, 3, (2, 3), generator=generator).differences()
        assert max(differences.values()) < 2e-6, (v, w, differences)


@pytest.mark.parametrize("axis", [0.0, torch.pi / 2, torch.pi / 4])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 2), (2, 1)])
def test_from_escnn(baselines, escnn, axis, stride, padding, generator):
    """A layer as its users write it: fields of several kinds, any axis, stride, padding."""
    space = escnn.gspaces.flipRot2dOnR2(4, axis=axis)
    source = escnn.nn.FieldType(space, [space.regular_repr, space.trivial_repr, space.regular_repr])
    target = escnn.nn.FieldType(space, [space.trivial_repr, *2 * [space.regular_repr], space.irrep(1, 1)])
    theirs = escnn.nn.R2Conv(source, target, 3, stride=stride, padding=padding)
    with torch.no_grad():
        theirs.bias.copy_(torch.randn(theirs.bias.shape, generator=generator))
    ours = baselines.from_escnn(theirs)
    _, inward = baselines.fields(source)
    _, outward = baselines.fields(target)

    x = torch.randn(2, source.size, 7, 7, generator=generator).requires_grad_()
    y, y_theirs = ours(x[:, inward]), theirs(source(x)).tensor[:, outward]
    u = torch.randn(y.shape, generator=generator)
    (gradient,), (gradient_theirs,) = torch.autograd.grad(y, x, u), torch.autograd.grad(y_theirs, x, u)
    assert relative(y, y_theirs) < 2e-6
    assert relative(gradient, gradient_theirs) < 2e-6
    eq.assert_equivariant(ours, ours.source, ours.target, x.detach())


def test_evaluation_mode(baselines, escnn, generator):
    """There escnn keeps expanded filters; we read its weights."""
    kind = baselines.field_type(2 * eq.regular(GROUPS["C4"]))
    theirs = escnn.nn.R2Conv(kind, kind, 3, padding=1).eval()
    x = torch.randn(4, 8, 6, 6, generator=generator)
    assert relative(baselines.from_escnn(theirs)(x), theirs(kind(x)).tensor) < 2e-6


def test_what_we_do_not_have_is_refused(baselines, escnn):
    kind = baselines.field_type(2 * eq.regular(GROUPS["C4"]))
    for options in ({"dilation": 2}, {"padding_mode": "circular", "padding": 1}, {"groups": 2}):
        with pytest.raises(ValueError, match=next(iter(options))):
            baselines.from_escnn(escnn.nn.R2Conv(kind, kind, 3, **options))
    space = escnn.gspaces.rot2dOnR2(8)
    octagonal = escnn.nn.FieldType(space, [space.regular_repr])
    with pytest.raises(ValueError, match="cyclic"):
        baselines.from_escnn(escnn.nn.R2Conv(octagonal, octagonal, 3), steerable=False)


# ---- the recording -------------------------------------------------------------------------


def test_recording_again_gives_the_file(baselines):
    """Kernels up to a change of basis of their span (see escnn_record), everything else entry by entry."""
    from equibook.baselines.record import record

    shipped, fresh = eq.data.recording("escnn_group_conv"), record()
    assert shipped.keys() == fresh.keys()
    for name in shipped.keys() - {"provenance"}:
        if name.endswith("/kernels"):
            assert relative(projector(fresh[name]), projector(shipped[name])) < 1e-5, name
        elif not name.endswith("/weight_gradient"):
            assert relative(fresh[name], shipped[name]) < 1e-5, name


def relative(a, b):
    return float(((a - b).norm() / b.norm()).detach())


def projector(kernels):
    """The orthogonal projector onto the span of the kernels."""
    flat = kernels.flatten(1).double()
    _, values, right = torch.linalg.svd(flat, full_matrices=False)
    rows = right[values > 1e-4 * values[0]]
    return rows.mT @ rows

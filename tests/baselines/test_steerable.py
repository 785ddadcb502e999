"""Steerable convolutions against escnn's: the same filters, outputs, gradients and numbers of weights, both ways."""

from __future__ import annotations

import pytest
import torch

import equibook as eq

pytestmark = [pytest.mark.usefixtures("escnn"), pytest.mark.filterwarnings("ignore:.py3nj")]

CYCLIC, DIHEDRAL = [eq.cyclic(n) for n in (1, 2, 3, 4, 8)], [eq.dihedral(n) for n in (1, 2, 3, 4, 6)]
GROUPS = [*CYCLIC, *DIHEDRAL, eq.so2(), eq.o2()]
KINDS = ("trivial", "irreducible", "regular", "mixed")


@pytest.fixture
def baselines(escnn):
    """The bridge; a test that asks for it is skipped, or fails, where escnn is missing."""
    import equibook.baselines

    return equibook.baselines


def fiber(G: eq.FiniteGroup | eq.LieGroup, kind: str) -> eq.Representation:
    """A fiber of the kind. A continuous group has no regular one: all irreducibles to frequency 2 instead."""
    rhos = eq.irreps(G, 2) if isinstance(G, eq.LieGroup) else eq.irreps(G)
    if kind == "trivial":
        return eq.trivial(G)
    if kind == "irreducible":
        return rhos[min(2, len(rhos) - 1)]
    if kind == "mixed":
        return 2 * rhos[0] + rhos[min(1, len(rhos) - 1)] + 2 * rhos[min(2, len(rhos) - 1)]
    return sum(rhos[1:], rhos[0]) if isinstance(G, eq.LieGroup) else 2 * eq.regular(G)


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
@pytest.mark.parametrize("G", GROUPS, ids=str)
def test_outputs_gradients_and_counts(baselines, escnn, G, source, target, size):
    V, W = fiber(G, source), fiber(G, target)
    theirs = escnn.nn.R2Conv(baselines.field_type(V), baselines.field_type(W), size, padding=size // 2)
    if theirs.bias is not None:
        torch.nn.init.normal_(theirs.bias)
    ours = baselines.from_escnn(theirs, steerable=True)
    assert sum(p.numel() for p in ours.weight.parameters()) == theirs.weights.numel()

    x = torch.randn(2, V.dim, 9, 9, generator=torch.Generator().manual_seed(0))
    u = torch.randn(2, W.dim, 9, 9, generator=torch.Generator().manual_seed(1))
    found = []
    for layer in (ours, lambda x: theirs(theirs.in_type(x)).tensor):
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        y.backward(u)
        found.append((y.detach(), leaf.grad))
    for a, b in zip(*found, strict=True):
        assert float((a - b).abs().max()) < 1e-5 * float(b.abs().max())

    back = baselines.to_escnn(ours)
    assert back.weights.numel() == theirs.weights.numel()
    again = back(back.in_type(x)).tensor.detach()
    assert float((again - found[0][0]).abs().max()) < 1e-5 * float(again.abs().max())


@pytest.mark.parametrize("G", [eq.cyclic(8), eq.so2(), eq.o2()], ids=str)
def test_gradients_by_the_weights_agree_through_the_filters(baselines, escnn, G):
    """A step of gradient descent in our orthonormal coordinates moves the filters inside escnn's span."""
    V, W = fiber(G, "mixed"), fiber(G, "irreducible")
    theirs = escnn.nn.R2Conv(baselines.field_type(V), baselines.field_type(W), 5, padding=2)
    ours = baselines.from_escnn(theirs, steerable=True)
    ours(torch.randn(2, V.dim, 9, 9)).square().mean().backward()
    with torch.no_grad():
        for p in ours.parameters():
            p -= p.grad
    x = torch.randn(1, V.dim, 9, 9)
    back = baselines.to_escnn(ours)
    assert torch.allclose(back(back.in_type(x)).tensor, ours(x), atol=1e-4)


@pytest.mark.parametrize("options", [{"frequencies_cutoff": 1.0}, {"rings": [0.0, 1.5], "sigma": [0.3, 0.5]}])
def test_other_rings_and_cutoffs(baselines, escnn, options):
    V = eq.regular(eq.cyclic(8))
    kind = baselines.field_type(V)
    theirs = escnn.nn.R2Conv(kind, kind, 5, padding=2, **options)
    ours = baselines.from_escnn(theirs)
    x = torch.randn(1, 8, 9, 9)
    assert torch.allclose(ours(x), theirs(kind(x)).tensor, atol=1e-5)
    assert sum(p.numel() for p in ours.weight.parameters()) == theirs.weights.numel()


def test_reducible_fields_of_a_continuous_group(baselines, escnn):
    """The band-limited regular representation is a sum of irreducibles here."""
    plane = escnn.gspaces.rot2dOnR2(-1, maximum_frequency=9)
    field = plane.fibergroup.bl_regular_representation(2)
    kind = escnn.nn.FieldType(plane, [plane.trivial_repr, field])
    V, channels = baselines.fields(kind)
    scalar, *others = eq.irreps(eq.so2(), 2)
    assert 2 * scalar + others[0] + others[1] == V
    assert channels.tolist() == list(range(6))
    theirs = escnn.nn.R2Conv(kind, kind, 5)
    ours = baselines.from_escnn(theirs)
    x = torch.randn(1, 6, 9, 9)
    assert torch.allclose(ours(x), theirs(kind(x)).tensor, atol=1e-5)
    assert sum(p.numel() for p in ours.weight.parameters()) == theirs.weights.numel()
    with pytest.raises(ValueError, match="up to frequency 8"):
        baselines.fields(escnn.nn.FieldType(plane, [plane.irrep(9)]))

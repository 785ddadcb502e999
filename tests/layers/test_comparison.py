"""Taking over filters, and the comparison with escnn that needs no escnn."""

from __future__ import annotations

import dataclasses
import json

import pytest
import torch

import equibook as eq
from equibook.layers.comparison import ConvolutionRecord, from_filters

RECORDS = ConvolutionRecord.read(eq.data.recording("escnn_group_conv"))
#: dim Hom_G → dim of the span of escnn's kernels
SPANS = {9: 6, 25: 11, 36: 24, 72: 48, 100: 44, 200: 88}


@pytest.mark.parametrize("name", RECORDS)
def test_escnn_as_recorded(name):
    record = RECORDS[name]
    differences = record.differences()
    assert max(differences.values()) < 2e-6, differences
    assert record.span() == SPANS[record.hom().dim]


@pytest.mark.parametrize("name", RECORDS)
def test_a_wrong_record_is_noticed(name):
    """The differences are small because escnn is right, not because nothing is compared."""
    record = RECORDS[name]
    for field in ("output", "input_gradient", "weight_gradient"):
        wrong = dataclasses.replace(record, **{field: getattr(record, field).flip(0, 1)})
        assert wrong.differences()[field.replace("_", " ")] > 1e-2
    turned = dataclasses.replace(record, kernels=record.kernels.mT.roll(1, 1))
    assert turned.differences()["kernels"] > 1e-2


def test_provenance():
    told = json.loads(bytes(eq.data.recording("escnn_group_conv")["provenance"].tolist()))
    assert {"escnn", "torch", "numpy", "python"} <= told.keys()


@pytest.mark.parametrize("stride", [1, 2])
def test_from_filters_takes_a_layer_over(stride, float_dtype, generator):
    G = eq.dihedral(4)
    V, W = eq.regular(G) + 2 * eq.irreps(G)[2], 3 * eq.trivial(G) + eq.irreps(G)[4] + 2 * eq.regular(G)
    layer = eq.GroupConv2d(V, W, 3, stride, 1, generator=generator).to(float_dtype)
    for p in layer.bias.parameters():
        torch.nn.init.normal_(p, generator=generator)
    copied = from_filters(V, W, layer.filters().detach(), layer.bias().detach().flatten(), stride, 1)
    x = torch.randn(2, V.dim, 7, 7, generator=generator, dtype=float_dtype)
    assert torch.allclose(copied(x), layer(x), atol=1e-5 if float_dtype == torch.float32 else 1e-6)


def test_from_filters_refuses_other_filters(generator):
    V = eq.regular(eq.cyclic(4))
    filters = torch.randn(4, 4, 3, 3, generator=generator)
    with pytest.raises(ValueError, match="filters are not equivariant"):
        from_filters(V, V, filters)
    with pytest.raises(ValueError, match="bias is not equivariant"):
        from_filters(V, V, torch.zeros(4, 4, 3, 3), torch.arange(4.0))
    with pytest.raises(ValueError, match=r"Expected filters \(4, 4, k, k\)"):
        from_filters(V, V, filters[:, :3])


def test_from_filters_leaves_the_random_numbers_alone():
    V = eq.trivial(eq.cyclic(4))
    before = torch.get_rng_state()
    from_filters(V, V, torch.ones(1, 1, 3, 3))
    assert torch.equal(before, torch.get_rng_state())

"""Batch and layer normalization: torch's own where torch has them, and equivariant on every representation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import equibook as eq
from tests.layers.cases import COMPACT, GRID, compact_fibre, fibres
from tests.representation.strategies import groups, representations

C4, D4 = eq.cyclic(4), eq.dihedral(4)
ROTATION = eq.irreps(C4)[1]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def perturb(layer: nn.Module) -> nn.Module:
    """γ and β away from 1 and 0."""
    with torch.no_grad():
        for p in layer.parameters():
            p.add_(0.3 * draw(*p.shape).to(p))
    return layer


@pytest.mark.parametrize("G", GRID, ids=str)
@pytest.mark.parametrize("kind", ["trivial", "regular", "irreps", "mixed"])
@pytest.mark.parametrize("norm", [eq.BatchNorm, eq.LayerNorm])
def test_on_fields(norm: type, kind: str, G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype) -> None:
    V = fibres(G, kind)
    x = (1 + 2 * draw(3, V.dim, 4, 4)).to(device, float_dtype)
    layer = perturb(norm(V)).to(device, float_dtype)
    eq.assert_equivariant(layer, V, V, x)
    layer.eval()
    eq.assert_equivariant(layer, V, V, x)


@pytest.mark.parametrize("G", COMPACT, ids=str)
@pytest.mark.parametrize("norm", [eq.BatchNorm, eq.LayerNorm])
def test_on_vectors_of_compact_groups(norm: type, G: eq.LieGroup, device: torch.device) -> None:
    V = compact_fibre(G)
    layer = perturb(norm(V)).to(device, torch.float64)
    x = (1 + draw(20, V.dim)).to(device)
    eq.assert_equivariant(layer, V, V, x, generator=torch.Generator().manual_seed(0))
    assert eq.local_equivariance_error(layer.eval(), V, V, x) < 1e-10


@given(st.data())
def test_on_every_representation(data: st.DataObject) -> None:
    V = data.draw(representations(data.draw(groups)))
    x = 1 + draw(7, V.dim)
    for layer in (eq.BatchNorm(V), eq.LayerNorm(V)):
        eq.assert_equivariant(perturb(layer).double(), V, V, x)


@pytest.mark.parametrize("kind", ["trivial", "regular"])
@pytest.mark.parametrize("momentum", [0.1, 0.3, None])
def test_batch_norm_is_that_of_torch(kind: str, momentum: float | None) -> None:
    """Training, gradients, running statistics and evaluation, on fields of 1 and of |G| channels."""
    G = eq.dihedral(3)
    V = 4 * (eq.trivial(G) if kind == "trivial" else eq.regular(G))
    ours = perturb(eq.BatchNorm(V, momentum=momentum)).double()
    torchs = nn.BatchNorm3d(4, momentum=momentum).double()
    torchs.load_state_dict(ours.state_dict(), strict=False)
    with torch.no_grad():  # β is a coordinate along (1, …, 1)/√d
        torchs.bias.div_((V.dim / 4) ** 0.5)
    for seed in range(3):
        x = (3 + 2 * draw(5, V.dim, 3, 4, seed=seed)).requires_grad_()
        z = x.detach().clone().requires_grad_()
        y, reference = ours(x), torchs(z.unflatten(1, (4, -1))).flatten(1, 2)
        assert torch.allclose(y, reference, atol=1e-12)
        y.square().mul(draw(*y.shape)).sum().backward()
        reference.square().mul(draw(*y.shape)).sum().backward()
        assert torch.allclose(x.grad, z.grad, atol=1e-12)
    assert torch.allclose(ours.running_var, torchs.running_var, atol=1e-12)
    assert torch.allclose(ours.running_mean / (V.dim / 4) ** 0.5, torchs.running_mean, atol=1e-12)
    ours.eval(), torchs.eval()
    x = draw(2, V.dim, 3, 4, seed=9)
    assert torch.allclose(ours(x), torchs(x.unflatten(1, (4, -1))).flatten(1, 2), atol=1e-12)


def test_a_field_without_invariants_keeps_its_mean_and_gets_mean_square_one() -> None:
    layer = eq.BatchNorm(2 * ROTATION).double()
    assert layer.bias.numel() == layer.running_mean.numel() == 0
    x = draw(50, 4, 3, 3) * torch.tensor([1.0, 1.0, 5.0, 5.0]).double().view(1, 4, 1, 1) + 1
    y = layer(x).detach()
    assert torch.allclose(y[:, :2].square().mean(), torch.tensor(1.0).double(), atol=1e-4)
    assert torch.allclose(y[:, 2:].square().mean(), torch.tensor(1.0).double(), atol=1e-4)
    assert float(y[:, :2].mean()) > 0.1
    assert torch.allclose(y[:, 0] * x[:, 1], y[:, 1] * x[:, 0])  # directions stay


def test_to_subtract_every_mean_would_break_the_symmetry() -> None:
    """One variance a channel, or a mean of a rotating field: what nn.BatchNorm1d does is no use here."""
    x = 1 + draw(30, 2) * torch.tensor([1.0, 3.0]).double()
    plain = nn.BatchNorm1d(2, affine=False).double()
    assert eq.equivariance_error(plain, ROTATION, ROTATION, x) < 1e-12  # the same turn for all samples
    rho = eq.irreps(eq.cyclic(5))[1]
    assert eq.equivariance_error(plain, rho, rho, x) > 0.1


def test_turning_samples_one_by_one_does_not_change_the_statistics() -> None:
    V = eq.regular(C4) + 2 * ROTATION
    x = 1 + draw(6, V.dim, 4, 4)
    elements = torch.tensor([0, 1, 2, 3, 1, 2])
    layer = perturb(eq.BatchNorm(V)).double()
    assert torch.allclose(layer(eq.act_batch(V, elements, x)), eq.act_batch(V, elements, layer(x)), atol=1e-12)
    # the mean of a rotating field does change: subtracting it does not commute
    centered = eq.act_batch(V, elements, x) - eq.act_batch(V, elements, x).mean(dim=(0, 2, 3), keepdim=True)
    assert not torch.allclose(centered, eq.act_batch(V, elements, x - x.mean(dim=(0, 2, 3), keepdim=True)), atol=1e-3)


@pytest.mark.parametrize("n", [2, 5])
def test_layer_norm_is_that_of_torch(n: int) -> None:
    x = 2 + 3 * draw(7, n)
    assert torch.allclose(eq.LayerNorm(n * eq.trivial(C4)).double()(x), nn.LayerNorm(n).double()(x), atol=1e-12)
    z = draw(7, 4 * n)
    V = n * eq.regular(C4)
    assert torch.allclose(eq.LayerNorm(V).double()(z), nn.LayerNorm(4 * n).double()(z), atol=1e-12)


def test_layer_norm_takes_each_sample_and_pixel_by_itself() -> None:
    V = 3 * eq.trivial(C4) + 2 * ROTATION
    layer = perturb(eq.LayerNorm(V)).double()
    x = draw(4, V.dim, 3, 3)
    assert torch.allclose(layer(x)[1, :, 2, 0], layer(x[1:2, :, 2, 0])[0], atol=1e-12)


def test_one_value_has_no_variance() -> None:
    layer = eq.BatchNorm(2 * eq.trivial(C4))
    with pytest.raises(ValueError, match=r"more than one value a mean.*\(1, 2, 1\)"):
        layer(torch.ones(1, 2))
    layer.eval()(torch.ones(1, 2))
    eq.BatchNorm(2 * ROTATION)(torch.ones(1, 4))


def test_without_running_statistics_evaluation_uses_the_batch() -> None:
    layer = eq.BatchNorm(2 * ROTATION, track_running_stats=False, affine=False).double()
    assert not layer.state_dict()
    x = 5 * draw(9, 4)
    assert torch.allclose(layer(x), layer.eval()(x))


def test_the_running_statistics_forget_as_momentum_says() -> None:
    layer = eq.BatchNorm(eq.irreps(C4)[1], momentum=0.25).double()
    layer(2 * torch.ones(10, 2).double())  # mean square 4; no mean is subtracted, so no bias to correct
    assert torch.allclose(layer.running_var, torch.tensor([0.75 + 0.25 * 4]).double())
    assert int(layer.num_batches_tracked) == 1


def test_half_precision_does_not_overflow() -> None:
    x = 300 * torch.randn(50, 8, generator=torch.Generator().manual_seed(0)).half()
    y = eq.BatchNorm(4 * ROTATION)(x).detach()
    assert y.dtype == torch.float16 and bool(y.isfinite().all())
    assert abs(float(y.float().square().mean()) - 1) < 1e-2


def test_gradients() -> None:
    V = 2 * eq.trivial(D4) + 2 * eq.irreps(D4)[4]
    x = draw(4, V.dim).requires_grad_()
    assert torch.autograd.gradcheck(perturb(eq.BatchNorm(V, track_running_stats=False)).double(), x)
    assert torch.autograd.gradcheck(perturb(eq.LayerNorm(V)).double(), x)

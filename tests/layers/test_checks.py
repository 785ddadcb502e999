"""equivariance_error and assert_equivariant: right on both sides, and impossible to fool with NaN."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import equibook as eq

C4 = eq.cyclic(4)
V, ONE = eq.regular(C4), eq.trivial(C4)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_a_plain_convolution_is_not_equivariant() -> None:
    plain = nn.Conv2d(1, 1, 3, padding=1).double()
    with pytest.raises(
        AssertionError, match=r"Not equivariant from trivial\(cyclic\(4\)\) to .*error \d.* at element [123]"
    ):
        eq.assert_equivariant(plain, ONE, ONE, draw(2, 1, 6, 6))


def test_the_error_is_relative_and_exact() -> None:
    x = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).double()
    scale = torch.tensor([1.0, 1.0, 1.0, 3.0]).double()
    # f(ρ(3) x) = 3 e_3, ρ(3) f(x) = e_3: the difference is 2, ‖f(x)‖ is 1
    for factor in (1e-6, 1, 1e6):
        assert eq.equivariance_error(lambda x: x * scale, V, V, factor * x) == pytest.approx(2)
    assert eq.equivariance_error(lambda x: x * scale, V, V, x, elements=[0, 1, 2]) == 0


def test_the_worst_element_is_named() -> None:
    scale = torch.tensor([1.0, 1.0, 3.0, 2.0]).double()
    with pytest.raises(AssertionError, match=r"2.00e\+00 at element 2 of cyclic\(4\), where 1e-10"):
        eq.assert_equivariant(lambda x: x * scale, V, V, torch.tensor([[1.0, 0, 0, 0]]).double())


@pytest.mark.parametrize("where", ["everywhere", "after a turn"])
def test_nan_is_never_equivariant(where: str) -> None:
    x = torch.arange(4.0).view(1, 4)

    def function(x: Tensor) -> Tensor:
        return x * math.nan if where == "everywhere" or x[0, 0] != 0 else x

    with pytest.raises(AssertionError, match="nan"):
        eq.assert_equivariant(function, V, V, x)
    assert math.isnan(eq.equivariance_error(function, V, V, x))


def test_tolerance_follows_the_dtype_or_the_caller() -> None:
    slightly = 1 + torch.tensor([0.0, 0.0, 0.0, 1e-7])
    eq.assert_equivariant(lambda x: x * slightly.to(x), V, V, torch.ones(1, 4))
    with pytest.raises(AssertionError):
        eq.assert_equivariant(lambda x: x * slightly.to(x), V, V, torch.ones(1, 4).double())
    eq.assert_equivariant(lambda x: x * slightly.to(x), V, V, torch.ones(1, 4).double(), tolerance=1e-6)


def test_no_graph_is_kept() -> None:
    layer = nn.Linear(4, 4)
    eq.equivariance_error(layer, V, V, torch.randn(2, 4, requires_grad=True))
    assert layer.weight.grad is None


def test_invariance_is_equivariance_to_the_trivial_representation() -> None:
    eq.assert_equivariant(lambda x: x.amax(1, keepdim=True), V, ONE, draw(5, 4))
    with pytest.raises(AssertionError):
        eq.assert_equivariant(lambda x: x[:, :1], V, ONE, draw(5, 4))

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


@pytest.mark.parametrize("G", [eq.so2(), eq.o2(), eq.so3(), eq.o3()], ids=str)
def test_compact_groups(G: eq.LieGroup, device: torch.device) -> None:
    rho = eq.irreps(G, 2)[-1]
    x = draw(5, rho.dim).to(device)
    eq.assert_equivariant(lambda x: x * x.norm(dim=1, keepdim=True), rho, rho, x)
    with pytest.raises(AssertionError, match=r"at element \[\[-?\d\.\d+, .*\]\] of "):
        eq.assert_equivariant(torch.tanh, rho, rho, x)


def test_random_elements_follow_the_generator_and_may_be_given() -> None:
    rho = eq.irreps(eq.so3(), 1)[1]
    x = draw(5, 3)
    errors = [
        eq.equivariance_error(torch.tanh, rho, rho, x, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2)
    ]
    assert errors[0] == errors[1] != errors[2]
    quarter = eq.so3().exp([0.0, 0.0, torch.pi / 2]).round()  # a signed permutation
    for elements in (quarter, quarter[None], [quarter]):
        assert eq.equivariance_error(torch.tanh, rho, rho, x, elements=elements) < 1e-12
    assert eq.equivariance_error(torch.relu, rho, rho, x, elements=quarter) > 0.1


def test_every_component_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """x ↦ x × y commutes with rotations of space; with inversions only as a map to axial vectors."""
    o3 = eq.o3()
    even, odd = eq.irreps(o3, 1)[2], eq.irreps(o3, 1)[3]

    def cross(x: Tensor) -> Tensor:
        return torch.linalg.cross(x, x.flip(0))

    eq.assert_equivariant(cross, odd, even, draw(6, 3))
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        assert eq.equivariance_error(cross, odd, odd, draw(6, 3), generator=generator) > 1
    monkeypatch.setitem(eq.equivariance_error.__globals__, "SAMPLES", 0)  # no luck with the random ones
    assert eq.equivariance_error(cross, odd, odd, draw(6, 3)) == pytest.approx(2)


def test_a_group_that_is_known_by_generators() -> None:
    V = eq.permutation(eq.symmetric(12))
    eq.assert_equivariant(torch.exp, V, V, draw(3, 12))
    with pytest.raises(AssertionError, match=r"at element [01] of symmetric\(12\)"):
        eq.assert_equivariant(lambda x: x * torch.arange(12), V, V, draw(3, 12))
    for known in (0, 1):  # what commutes with one of them only, is refused
        moved = V.matrix(known)
        with pytest.raises(AssertionError, match=f"at element {1 - known} of"):
            eq.assert_equivariant(lambda x, moved=moved: x @ moved.mT, V, V, draw(3, 12))

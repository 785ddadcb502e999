"""GroupConv2d and Linear: known special cases, biases, gradients, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import equibook as eq

C1, C4, D4 = eq.cyclic(1), eq.cyclic(4), eq.dihedral(4)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_the_trivial_group_gives_plain_layers() -> None:
    V, W = 3 * eq.trivial(C1), 5 * eq.trivial(C1)
    conv, linear = eq.GroupConv2d(V, W, 3, 2, 1), eq.Linear(V, W)
    plain = nn.Conv2d(3, 5, 3, 2, 1)
    assert sum(p.numel() for p in conv.parameters()) == sum(p.numel() for p in plain.parameters())
    assert conv(torch.randn(2, 3, 8, 8)).shape == plain(torch.randn(2, 3, 8, 8)).shape
    assert sum(p.numel() for p in linear.parameters()) == 5 * 3 + 5


def test_lifting_turns_one_filter_four_times() -> None:
    """The filter of output channel g is that of channel e turned by g: Cohen and Welling's first layer."""
    filters = eq.GroupConv2d(eq.trivial(D4), eq.regular(D4), 3).filters()
    for g in D4.elements:
        assert torch.equal(filters[g], eq.act(eq.trivial(D4), g, filters[:1])[0])


def test_regular_layers_turn_filters_and_shift_channels() -> None:
    """κ(gx)[g h, g k] = κ(x)[h, k]."""
    V = eq.regular(D4)
    filters = eq.GroupConv2d(V, V, 3).filters()
    for g in D4.elements:
        moved = eq.act(V, g, filters)[D4.table[D4.inverse[g]]]
        assert torch.allclose(moved, filters)


@pytest.mark.parametrize(("G", "size", "expected"), [(C4, 3, 36), (C4, 5, 100), (D4, 3, 72), (D4, 5, 200)], ids=str)
def test_free_numbers_of_a_pair_of_regular_fields(G: eq.FiniteGroup, size: int, expected: int) -> None:
    layer = eq.GroupConv2d(2 * eq.regular(G), 3 * eq.regular(G), size, bias=False)
    assert sum(p.numel() for p in layer.parameters()) == 6 * expected


@pytest.mark.parametrize("G", [C4, D4, eq.symmetric(3), eq.quaternion()], ids=str)
def test_a_bias_is_an_invariant_vector(G: eq.FiniteGroup) -> None:
    W = eq.regular(G) + eq.irreps(G)[-1] + 2 * eq.trivial(G)
    layer = eq.Linear(eq.regular(G), W).double()
    assert sum(p.numel() for p in layer.bias.parameters()) == 1 + 0 + 2
    assert torch.equal(layer(torch.zeros(1, G.order).double()), torch.zeros(1, W.dim).double())  # starts at 0
    with torch.no_grad():
        for p in layer.bias.parameters():
            p.copy_(draw(*p.shape))
    b = layer.bias().detach().flatten()
    assert float(b.norm()) > 0.1
    for g in G.elements:
        assert torch.allclose(W.matrix(g) @ b, b, atol=1e-13)


def test_without_bias() -> None:
    for layer in (
        eq.Linear(eq.trivial(C4), eq.regular(C4), bias=False),
        eq.GroupConv2d(eq.trivial(C4), eq.regular(C4), 3, bias=False),
    ):
        assert layer.bias is None
        assert not any("bias" in name for name, _ in layer.named_parameters())


@pytest.mark.parametrize("G", [C4, D4], ids=str)
def test_gradients_of_input_and_coordinates(G: eq.FiniteGroup) -> None:
    V, W = eq.trivial(G) + eq.irreps(G)[2], eq.regular(G) + eq.irreps(G)[-1]
    layer = eq.GroupConv2d(V, W, 2, stride=1, padding=1).double()
    parameters = dict(layer.named_parameters())

    def function(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), x)

    inputs = [draw(1, V.dim, 3, 3).requires_grad_(), *(p.detach().requires_grad_() for p in parameters.values())]
    assert torch.autograd.gradcheck(function, inputs)


def test_an_ensemble_by_vmap() -> None:
    V = eq.regular(C4)
    layers = [eq.GroupConv2d(V, V, 3).double() for _ in range(3)]
    parameters, buffers = torch.func.stack_module_state(layers)
    x = draw(2, 4, 5, 5)
    together = torch.func.vmap(lambda p, b: torch.func.functional_call(layers[0], (p, b), x))(parameters, buffers)
    assert torch.allclose(together, torch.stack([layer(x) for layer in layers]), atol=1e-12)


def test_shapes() -> None:
    V = eq.regular(C4)
    conv, linear = eq.GroupConv2d(V, 2 * V, 3), eq.Linear(V, 2 * V)
    assert conv(torch.randn(0, 4, 5, 5)).shape == (0, 8, 3, 3)
    assert linear(torch.randn(4)).shape == (8,)
    assert linear(torch.randn(0, 4)).shape == (0, 8)
    assert linear(torch.randn(2, 3, 4)).shape == (2, 3, 8)
    x = torch.randn(2, 5, 5, 4).permute(0, 3, 1, 2)
    assert torch.allclose(conv(x), conv(x.contiguous()), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision(dtype: torch.dtype, device: torch.device) -> None:
    V, W = eq.trivial(C4), eq.regular(C4) + eq.irreps(C4)[1]
    layer = eq.GroupConv2d(V, W, 3).to(device, dtype)
    y = layer(draw(2, 1, 5, 5).to(device, dtype))
    assert y.dtype == dtype
    assert torch.allclose(y.double(), layer.double()(draw(2, 1, 5, 5).to(device)), atol=0.1)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda: eq.GroupConv2d(eq.trivial(eq.cyclic(8)), eq.regular(eq.cyclic(8)), 3),
            r"cyclic\(8\) does not map a square grid",
        ),
        (
            lambda: eq.GroupConv2d(eq.trivial(eq.quaternion()), eq.regular(eq.quaternion()), 3),
            r"rotations and flips.*got quaternion\(\)",
        ),
        (lambda: eq.GroupConv2d(eq.trivial(C4), eq.regular(D4), 3), "different groups"),
        (lambda: eq.GroupConv2d(eq.trivial(C4), eq.regular(C4), 0), "kernel_size 0"),
        (lambda: eq.GroupConv2d(eq.trivial(C4), eq.regular(C4), 3, padding=-1), "padding -1"),
        (
            lambda: eq.GroupConv2d(eq.trivial(C4), eq.regular(C4), 3, stride=2)(torch.randn(1, 1, 6, 6)),
            "does not reach both edges of a side of 6.*divisible by 2",
        ),
        (
            lambda: eq.GroupConv2d(eq.trivial(C4), eq.regular(C4), 3)(torch.randn(1, 2, 6, 6)),
            r"Expected \(batch, 1, h, w\).*got \(1, 2, 6, 6\)",
        ),
        (lambda: eq.GroupConv2d(eq.trivial(C4), eq.regular(C4), 3)(torch.randn(1, 6, 6)), r"got \(1, 6, 6\)"),
        (lambda: eq.Linear(eq.regular(C4), eq.regular(C4))(torch.randn(2, 3)), r"Expected \(..., 4\).*got \(2, 3\)"),
    ],
)
def test_errors_say_what_was_given_and_what_to_do(attempt: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attempt()


def test_the_trivial_group_may_stride_as_it_likes() -> None:
    layer = eq.GroupConv2d(eq.trivial(C1), eq.trivial(C1), 3, stride=2)
    assert layer(torch.randn(1, 1, 6, 6)).shape == (1, 1, 2, 2)


def test_a_stride_that_is_refused_would_have_broken_the_symmetry() -> None:
    V, W = eq.trivial(C4), eq.regular(C4)
    filters = eq.GroupConv2d(V, W, 3).double().filters().detach()
    assert eq.equivariance_error(lambda x: nn.functional.conv2d(x, filters, stride=2), V, W, draw(2, 1, 6, 6)) > 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: eq.GroupConv2d(1, 32, 3),  # type: ignore[arg-type]
        lambda: eq.Linear(eq.regular(C4), 3),  # type: ignore[arg-type]
        lambda: eq.Pointwise("relu"),  # type: ignore[arg-type]
    ],
)
def test_a_number_is_no_representation(wrong: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"takes representations, as in trivial\(G\).*; got"):
        wrong()

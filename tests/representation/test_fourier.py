"""The Fourier transform on finite groups: inverse, Plancherel, convolution, translation, and the count."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import equibook as eq
from tests.representation.strategies import GROUPS, LARGE, S5

F64 = torch.float64
ALL = [*GROUPS, S5, eq.cyclic(7), eq.cyclic(12), eq.dihedral(6), eq.direct_product(eq.quaternion(), eq.symmetric(3))]
each_group = pytest.mark.parametrize("G", ALL, ids=lambda G: str(G)[:40])


def functions(G: eq.FiniteGroup, *batch: int, seed: int = 0) -> Tensor:
    return torch.randn(*batch, G.order, dtype=F64, generator=torch.Generator().manual_seed(seed))


def by_definition(f: Tensor, h: Tensor, G: eq.FiniteGroup) -> Tensor:
    out = torch.zeros_like(f)
    for k in G.elements:
        for g in G.elements:
            out[g] += f[k] * h[G.multiply(int(G.inverse[k]), g)]
    return out


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).detach().abs().max())


@each_group
def test_the_transform_is_the_sum_over_the_group(G: eq.FiniteGroup) -> None:
    f = functions(G, 2, 3)
    for rho, block in zip(eq.irreps(G), eq.fourier_transform(f, G), strict=True):
        assert block.shape == (2, 3, rho.dim, rho.dim)
        assert distance(block, torch.einsum("abg,gij->abij", f, rho.matrix(G.elements))) < 1e-11


@each_group
def test_the_inverse_inverts(G: eq.FiniteGroup) -> None:
    f = functions(G, 4)
    assert distance(eq.inverse_fourier_transform(eq.fourier_transform(f, G), G), f) < 1e-11


@each_group
def test_plancherel(G: eq.FiniteGroup) -> None:
    f, h = functions(G), functions(G, seed=1)
    pairs = zip(eq.irreps(G), eq.fourier_transform(f, G), eq.fourier_transform(h, G), strict=True)
    total = sum(rho.dim / rho.commutant_dim * float((a * b).sum()) for rho, a, b in pairs) / G.order
    assert total == pytest.approx(float(f @ h), abs=1e-10)


@each_group
def test_convolution_becomes_multiplication(G: eq.FiniteGroup) -> None:
    f, h = functions(G), functions(G, seed=1)
    both = eq.convolve(f, h, G)
    if G.order <= 24:
        assert distance(both, by_definition(f, h, G)) < 1e-11
    blocks = zip(*(eq.fourier_transform(x, G) for x in (f, h, both)), strict=True)
    assert all(distance(a @ b, c) < 1e-10 for a, b, c in blocks)
    products = [a @ b for a, b in zip(eq.fourier_transform(f, G), eq.fourier_transform(h, G), strict=True)]
    assert distance(eq.inverse_fourier_transform(products, G), both) < 1e-10


@each_group
def test_left_translation_turns_the_blocks_and_commutes_with_convolution(G: eq.FiniteGroup) -> None:
    f, h = functions(G), functions(G, seed=1)
    for g in G.generators:
        moved = eq.regular(G).matrix(g) @ f
        for rho, a, b in zip(eq.irreps(G), eq.fourier_transform(f, G), eq.fourier_transform(moved, G), strict=True):
            assert distance(b, rho.matrix(g) @ a) < 1e-11
        assert distance(eq.convolve(moved, h, G), eq.regular(G).matrix(g) @ eq.convolve(f, h, G)) < 1e-11


def test_convolutions_with_a_filter_are_the_intertwiners_of_the_regular_representation() -> None:
    G = eq.symmetric(3)
    h = functions(G)
    A = eq.convolve(torch.eye(G.order, dtype=F64), h, G).T
    hom = eq.regular(G) >> eq.regular(G)
    assert hom.dim == G.order and float(hom.distance(A)) < 1e-12


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 30])
def test_the_fast_case_agrees_with_the_general_one(n: int) -> None:
    fast, slow = eq.cyclic(n), eq.FiniteGroup(eq.cyclic(n).table, plane=eq.cyclic(n).plane)
    f, h = functions(fast, 3), functions(fast, 3, seed=1)
    for a, b in zip(eq.fourier_transform(f, fast), eq.fourier_transform(f, slow), strict=True):
        assert distance(a, b) < 1e-12
    # Matrices that are no transforms of functions: both inverses project them in the same way.
    blocks = [torch.randn(3, rho.dim, rho.dim, dtype=F64) for rho in eq.irreps(fast)]
    assert distance(eq.inverse_fourier_transform(blocks, fast), eq.inverse_fourier_transform(blocks, slow)) < 1e-12
    assert distance(eq.convolve(f, h, fast), eq.convolve(f, h, slow)) < 1e-12


@pytest.mark.parametrize("G", [eq.cyclic(6), eq.dihedral(3), eq.quaternion()], ids=str)
def test_dtypes_devices_batches_and_gradients(
    G: eq.FiniteGroup, device: torch.device, float_dtype: torch.dtype, tolerance: float
) -> None:
    f, h = functions(G, 5, 2).to(device, float_dtype), functions(G, seed=1).to(device, float_dtype)
    blocks = eq.fourier_transform(f, G)
    assert all(block.dtype == float_dtype and block.device == f.device for block in blocks)
    assert distance(eq.inverse_fourier_transform(blocks, G), f) < tolerance
    assert eq.convolve(f, h, G).shape == (5, 2, G.order) == eq.convolve(h, f, G).shape
    assert distance(eq.convolve(f, h, G)[3, 1], eq.convolve(f[3, 1], h, G)) < tolerance
    if float_dtype == F64 and device.type == "cpu":
        x, y = functions(G, 2).requires_grad_(), functions(G, seed=1).requires_grad_()
        assert torch.autograd.gradcheck(lambda v: eq.fourier_transform(v, G), (x,))
        assert torch.autograd.gradcheck(lambda v, w: eq.convolve(v, w, G), (x, y))
        start = [block.detach().requires_grad_() for block in eq.fourier_transform(x, G)]
        assert torch.autograd.gradcheck(lambda *b: eq.inverse_fourier_transform(b, G), tuple(start))
        vmapped = torch.func.vmap(lambda v: eq.convolve(v, y, G))(x)
        assert distance(vmapped, eq.convolve(x, y, G)) < tolerance


@pytest.mark.parametrize("G", [eq.cyclic(6), eq.quaternion()], ids=str)
def test_complex_and_half_precision(G: eq.FiniteGroup) -> None:
    f = torch.complex(functions(G), functions(G, seed=1))
    assert distance(eq.inverse_fourier_transform(eq.fourier_transform(f, G), G), f) < 1e-12
    assert distance(eq.convolve(f, f.conj(), G).real, by_definition(f, f.conj(), G).real) < 1e-12
    low = functions(G).bfloat16()
    assert distance(eq.inverse_fourier_transform(eq.fourier_transform(low, G), G), low) < 0.1


def test_a_batch_too_large_for_one_piece() -> None:
    f, h = functions(S5, 3), functions(S5, 3000, 3)
    assert distance(eq.convolve(f, h, S5)[7, 2], eq.convolve(f[2], h[7, 2], S5)) < 1e-11


def test_a_large_group() -> None:
    f = functions(LARGE, 2)
    assert distance(eq.inverse_fourier_transform(eq.fourier_transform(f, LARGE), LARGE), f) < 1e-10


@pytest.mark.parametrize(
    ("G", "blocks"),
    [
        (eq.cyclic(5), 1 + 2 * 4),
        (eq.symmetric(3), 1 + 1 + 8),
        (eq.quaternion(), 4 + 16),
        (eq.symmetric(4), 1 + 1 + 8 + 27 + 27),
        (eq.symmetric(5), 1 + 1 + 64 + 64 + 125 + 125 + 216),
    ],
    ids=str,
)
def test_counting(G: eq.FiniteGroup, blocks: int) -> None:
    cost = eq.convolution_cost(G, 3, 4)
    assert cost.direct == 12 * G.order**2
    assert cost.blocks == 12 * blocks
    assert cost.transforms == 7 * G.order**2
    assert cost.fourier == cost.blocks + cost.transforms
    assert cost.saving == pytest.approx(cost.direct / cost.fourier)


def test_counting_the_fast_transform() -> None:
    assert eq.convolution_cost(eq.cyclic(1024)).transforms == 2 * 4 * 1024 * 10
    assert eq.convolution_cost(eq.cyclic(12)).transforms == 2 * 144  # 4 · 12 · (1 + 1 + 2) is more
    assert eq.convolution_cost(eq.cyclic(97)).transforms == 2 * 97**2


def test_errors_say_what_to_do() -> None:
    G = eq.symmetric(3)
    with pytest.raises(ValueError, match=r"symmetric\(3\) has 6 values.*got \(5,\)"):
        eq.fourier_transform(torch.ones(5), G)
    with pytest.raises(TypeError, match="floating point or complex"):
        eq.convolve(torch.ones(6), torch.ones(6, dtype=torch.long), G)
    with pytest.raises(ValueError, match=r"dimensions \[1, 1, 2\]; got shapes \[\(1, 1\)\]"):
        eq.inverse_fourier_transform([torch.ones(1, 1)], G)
    with pytest.raises(TypeError, match="takes a group"):
        eq.fourier_transform(torch.ones(6), 6)  # type: ignore[arg-type]


@pytest.mark.parametrize("G", [eq.cyclic(4), eq.symmetric(3)], ids=str)
def test_empty_batches(G: eq.FiniteGroup) -> None:
    none, one = torch.ones(0, G.order), torch.ones(G.order)
    assert eq.inverse_fourier_transform(eq.fourier_transform(none, G), G).shape == (0, G.order)
    for f, h in ((none, one), (one, none), (none, none)):
        assert eq.convolve(f, h, G).shape == (0, G.order)


@pytest.mark.parametrize("G", [eq.cyclic(4), eq.symmetric(3)], ids=str)
def test_two_precisions_meet_in_the_higher_one(G: eq.FiniteGroup) -> None:
    f, h = torch.randn(G.order), torch.randn(G.order, dtype=torch.float64)
    assert torch.equal(eq.convolve(f, h, G), eq.convolve(f.double(), h, G))


def test_whole_numbers_are_no_coefficients() -> None:
    for G in (eq.cyclic(4), eq.symmetric(3)):
        blocks = [block.long() for block in eq.fourier_transform(torch.ones(G.order), G)]
        with pytest.raises(TypeError, match="inverse_fourier_transform needs floating point"):
            eq.inverse_fourier_transform(blocks, G)
    with pytest.raises(TypeError, match="is a tensor"):
        eq.fourier_transform([1.0, 2.0], eq.cyclic(2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="channels_out needs a positive whole number; got 0"):
        eq.convolution_cost(eq.cyclic(4), 1, 0)

r"""The Fourier transform on a finite group: functions in the basis of irreducible representations.

A function on G is a vector of ℝ^|G|, the space of the regular representation. Its transform has
one matrix for each irreducible representation, and convolution becomes their multiplication.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from .groups import FiniteGroup, _positive, cyclic, expect_finite, expect_tensor
from .irreps import irreps

__all__ = ["ConvolutionCost", "convolution_cost", "convolve", "fourier_transform", "inverse_fourier_transform"]


def fourier_transform(f: Tensor, G: FiniteGroup) -> tuple[Tensor, ...]:
    r"""The Fourier transform f̂(ρ) = Σ_g f(g) ρ(g), one matrix for each real irreducible ρ of G.

    Translation of f by h multiplies each f̂(ρ) by ρ(h) from the left. For `cyclic` groups we use
    the fast Fourier transform; for any other group this is one product with a |G| × |G| matrix.

    Args:
        f: (..., |G|) values on the elements, floating point or complex, any device.
        G: a finite group.

    Returns:
        a tuple of (..., d, d), in the order of ``irreps(G)``, of the dtype and device of f.

    Raises:
        ValueError: if f has not one value for each element.
        TypeError: if f holds integers.

    >>> f = torch.tensor([1.0, 2.0, 3.0, 4.0])
    >>> [block.tolist() for block in fourier_transform(f, eq.cyclic(4))]
    [[[10.0]], [[-2.0, 2.0], [-2.0, -2.0]], [[-2.0]]]

    Chapter: Fourier analysis on groups

    Reference: Serre (1977), section 6.2, over ℂ.
    """
    _expect_function(f, G, "fourier_transform")
    if _is_fast(f, G):
        F = torch.fft.rfft(f)
        return tuple(
            _rotation(F[..., k]) if 0 < 2 * k < G.order else F[..., k].real[..., None, None] for k in range(F.shape[-1])
        )
    blocks = []
    for rho in irreps(G):
        matrices = rho.matrix(G.elements).to(f)
        blocks.append((f @ matrices.flatten(1)).unflatten(-1, (rho.dim, rho.dim)))
    return tuple(blocks)


def inverse_fourier_transform(coefficients: Sequence[Tensor], G: FiniteGroup) -> Tensor:
    r"""The function with the given Fourier transform, f(g) = (1/|G|) Σ_ρ (d/e) tr(ρ(g)ᵀ f̂(ρ)).

    d is the dimension of ρ and e that of its commutant: 1, 2 or 4 for the real, complex and
    quaternionic type. The matrix f̂(ρ) of a function commutes with the commutant; what of a given
    matrix does not is lost.

    Args:
        coefficients: one (..., d, d) for each of ``irreps(G)``.
        G: a finite group.

    Returns:
        (..., |G|) the values on the elements.

    Raises:
        ValueError: if the shapes are not those of the irreducible representations.

    >>> G = eq.symmetric(3)
    >>> f = torch.arange(6.0)
    >>> inverse_fourier_transform(fourier_transform(f, G), G).round().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]

    Chapter: Fourier analysis on groups

    Reference: Serre (1977), section 6.2, over ℂ.
    """
    rhos = irreps(expect_finite(G, "inverse_fourier_transform"))
    shapes = [tuple(block.shape[-2:]) for block in coefficients]
    if shapes != [(rho.dim, rho.dim) for rho in rhos]:
        raise ValueError(
            f"A function on {G} has one matrix for each irreducible, of dimensions {[rho.dim for rho in rhos]}; "
            f"got shapes {shapes}."
        )
    dtype = reduce(torch.promote_types, [block.dtype for block in coefficients])
    if not dtype.is_floating_point and not dtype.is_complex:
        raise TypeError(f"inverse_fourier_transform needs floating point or complex matrices; got {dtype}.")
    coefficients = [block.to(dtype) for block in coefficients]
    if _is_fast(coefficients[0], G):
        F = [_frequency(block) if block.shape[-1] == 2 else block[..., 0, 0] + 0j for block in coefficients]
        return torch.fft.irfft(torch.stack(torch.broadcast_tensors(*F), dim=-1), n=G.order)
    terms = [
        rho.dim / rho.commutant_dim * (block.flatten(-2) @ rho.matrix(G.elements).to(block).flatten(1).mT)
        for rho, block in zip(rhos, coefficients, strict=True)
    ]
    return sum(terms[1:], start=terms[0]) / G.order


def convolve(f: Tensor, h: Tensor, G: FiniteGroup) -> Tensor:
    r"""The convolution (f ∗ h)(g) = Σ_k f(k) h(k⁻¹g) of functions on G.

    It commutes with left translation of f, and the Fourier transform turns it into products:
    (f ∗ h)^(ρ) = f̂(ρ) ĥ(ρ). For `cyclic` groups we compute it so, by the fast Fourier transform.

    Args:
        f: (..., |G|) values on the elements, floating point or complex.
        h: (..., |G|) likewise, such as a filter; leading axes broadcast.
        G: a finite group.

    Returns:
        (..., |G|).

    Raises:
        ValueError: if f or h has not one value for each element.
        TypeError: if f or h holds integers.

    >>> f, h = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.0, 1.0, 0.0])
    >>> convolve(f, h, eq.cyclic(3)).round().tolist()          # h is 1 at the generator: f moves by one step
    [3.0, 1.0, 2.0]

    Chapter: Fourier analysis on groups
    """
    for function in (f, h):
        _expect_function(function, G, "convolve")
    dtype = torch.promote_types(f.dtype, h.dtype)
    f, h = f.to(dtype), h.to(dtype)
    if _is_fast(f, G) and _is_fast(h, G):
        return torch.fft.irfft(torch.fft.rfft(f) * torch.fft.rfft(h), n=G.order)
    back = G.table[G.inverse].to(h.device)  # row k, column g: k⁻¹g
    chunk = max(1, 8_000_000 // max(1, h.numel()))  # about 64 MB of float64 at a time
    elements = torch.arange(G.order, device=h.device)
    parts = [torch.einsum("...k,...kg->...g", f[..., k], h[..., back[k]]) for k in elements.split(chunk)]
    return sum(parts[1:], start=parts[0])


@dataclass(frozen=True)
class ConvolutionCost:
    """How many multiplications of real numbers a group convolution takes; made by `convolution_cost`.

    Attributes:
        direct: by the definition.
        transforms: of the inputs to the basis of irreducibles, and of the outputs back.
        blocks: of the products of matrices in that basis.

    Chapter: Fourier analysis on groups
    """

    direct: int
    transforms: int
    blocks: int

    @property
    def fourier(self) -> int:
        """All multiplications of the way through the Fourier transform."""
        return self.transforms + self.blocks

    @property
    def saving(self) -> float:
        """How many times fewer multiplications the Fourier transform needs; below 1, it needs more."""
        return self.direct / self.fourier


def convolution_cost(G: FiniteGroup, channels_in: int = 1, channels_out: int = 1) -> ConvolutionCost:
    r"""The multiplications of a layer that convolves functions on G, y_o = Σ_i x_i ∗ h_oi.

    Directly |G|² for each pair of channels. In the basis of irreducibles Σ_ρ d³/e for each pair: a
    block of complex type is a complex matrix of half the size, one of quaternionic type a
    quaternion matrix of a quarter of the size. To this come |G|² for the transform of each channel,
    in and out; for `cyclic` groups 4|G| Σ(p − 1) over the prime factors p of |G|, the textbook
    count of the fast Fourier transform, if that is less. The filters are transformed once and for
    all inputs, so their transforms are not counted.

    Args:
        G: a finite group.
        channels_in: how many functions come in.
        channels_out: how many go out.

    >>> convolution_cost(eq.symmetric(5), 64, 64)
    ConvolutionCost(direct=58982400, transforms=1843200, blocks=2441216)
    >>> round(convolution_cost(eq.symmetric(5), 64, 64).saving, 1)
    13.8

    Chapter: Fourier analysis on groups

    Reference: Cooley and Tukey (1965) for the fast transform.
    """
    n = expect_finite(G, "convolution_cost").order
    channels_in, channels_out = _positive(channels_in, "channels_in"), _positive(channels_out, "channels_out")
    pairs = channels_in * channels_out
    one_transform = n * n
    if _is_cyclic(G):
        one_transform = min(one_transform, 4 * n * sum(p - 1 for p in _prime_factors(n)))
    blocks = sum(rho.dim**3 // rho.commutant_dim for rho in irreps(G))
    return ConvolutionCost(pairs * n * n, (channels_in + channels_out) * one_transform, pairs * blocks)


def _prime_factors(n: int) -> list[int]:
    factors, p = [], 2
    while n > 1:
        while n % p == 0:
            factors.append(p)
            n //= p
        p += 1
    return factors


def _expect_function(f: Tensor, G: FiniteGroup, function: str) -> None:
    expect_finite(G, function)
    if expect_tensor(f, "A function on a group").shape[-1:] != (G.order,):
        raise ValueError(
            f"A function on {G} has {G.order} values, one for each element: shape (..., {G.order}); "
            f"got {tuple(f.shape)}."
        )
    if not f.is_floating_point() and not f.is_complex():
        raise TypeError(f"{function} needs floating point or complex values; got {f.dtype}.")


def _is_fast(f: Tensor, G: FiniteGroup) -> bool:
    return f.dtype in (torch.float32, torch.float64) and f.numel() > 0 and _is_cyclic(G)


def _is_cyclic(G: FiniteGroup) -> bool:
    if G.name != f"cyclic({G.order})":
        return False
    turns = cyclic(G.order)
    return turns == G


def _rotation(F: Tensor) -> Tensor:
    """c − is, the sum of f(g) exp(−iθ), as Σ f(g) R(θ) = [[c, −s], [s, c]]."""
    c, s = F.real, -F.imag
    return torch.stack([torch.stack([c, -s], dim=-1), torch.stack([s, c], dim=-1)], dim=-2)


def _frequency(block: Tensor) -> Tensor:
    """The inverse of `_rotation`, after the projection onto such matrices."""
    c = (block[..., 0, 0] + block[..., 1, 1]) / 2
    s = (block[..., 1, 0] - block[..., 0, 1]) / 2
    return torch.complex(c, -s)

r"""Harmonics on the circle and the sphere, and the matrices by which rotations turn them.

Everything of degree l is made from degree l − 1 by one rule: the tensor product of degrees l − 1
and 1 contains degree l exactly once, and the coefficients that pick it out have a closed form.
The rule is polynomial in its argument, so it can be differentiated everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from .groups import expect_tensor

__all__ = ["angular_momentum", "circular_harmonics", "sphere_quadrature", "spherical_harmonics", "wigner"]

#: Degree 1 is the vector (y, z, x): where its coordinates stand in (x, y, z).
ORDER = [1, 2, 0]


def circular_harmonics(degree: int | Iterable[int], angle: Tensor) -> Tensor:
    r"""The circular harmonics Y_0 = 1 and Y_k(θ) = √2 (cos kθ, sin kθ).

    A turn by φ turns them by kφ: Y_k(θ + φ) = R(kφ) Y_k(θ). They are orthonormal for the mean over
    the circle: ∫ Y_k Y_k′ᵀ dμ is 1 if k = k′ and 0 otherwise.

    Args:
        degree: the frequency k ≥ 0, or several: their values then stand side by side.
        angle: (...) angles θ in radians, any floating dtype, any device.

    Returns:
        (..., 1) for k = 0, (..., 2) for k ≥ 1, (..., sum of these) for several.

    Raises:
        ValueError: if a frequency is negative or not a whole number.

    >>> circular_harmonics(range(3), torch.tensor([0.0, torch.pi])).round(decimals=3).tolist()
    [[1.0, 1.414..., 0.0, 1.414..., 0.0], [1.0, -1.414..., -0.0, 1.414..., 0.0]]

    Chapter: Fourier analysis on groups
    """
    expect_tensor(angle, "angle")
    values = []
    for k in _degrees(degree):
        turned = (k * angle)[..., None]
        values.append(
            torch.ones_like(turned) if k == 0 else math.sqrt(2) * torch.cat([turned.cos(), turned.sin()], dim=-1)
        )
    return torch.cat(values, dim=-1)


def spherical_harmonics(degree: int | Iterable[int], x: Tensor, *, solid: bool = False) -> Tensor:
    r"""The real spherical harmonics of degree l at the direction of x, in the order m = −l, …, l.

    Y_0 = 1, Y_1(x) = √3 (y, z, x)/‖x‖, and Y_l = √((2l+1)/l) C_l (Y_{l−1} ⊗ Y_1/√3), where C_l picks
    degree l out of the product. Rotations act by Y_l(Rx) = D^l(R) Y_l(x), see `wigner`. They are
    orthonormal for the mean over the sphere, so ‖Y_l(x)‖² = 2l + 1, and have no sign (−1)^m.

    Args:
        degree: l ≥ 0, or several: their values then stand side by side.
        x: (..., 3) vectors, any floating dtype, any device. Only their directions matter, and at 0,
            which has none, Y_l is 0 for l ≥ 1: the one value that every rotation keeps.
        solid: keep the length: ‖x‖^l Y_l(x/‖x‖), a polynomial in x.

    Returns:
        (..., 2l + 1), or (..., sum of these) for several degrees.

    Raises:
        ValueError: if a degree is negative or not a whole number, or x has no three coordinates.

    >>> spherical_harmonics(1, torch.tensor([0.0, 0.0, 2.0])).tolist()
    [0.0, 1.732..., 0.0]
    >>> spherical_harmonics(range(9), torch.randn(5, 3)).square().sum(dim=-1).round().tolist()   # 1 + 3 + … + 17
    [81.0, 81.0, 81.0, 81.0, 81.0]

    Chapter: Fourier analysis on groups
    """
    if expect_tensor(x, "x").shape[-1:] != (3,) or not x.is_floating_point():
        raise ValueError(f"Points of space have shape (..., 3) and floating dtype; got {tuple(x.shape)}, {x.dtype}.")
    degrees = _degrees(degree)
    ladder = list(_ladder(x if solid else _direction(x), max(degrees)))
    return ladder[degrees[0]] if len(degrees) == 1 else torch.cat([ladder[l] for l in degrees], dim=-1)


def wigner(degree: int, rotation: Tensor) -> Tensor:
    r"""The Wigner matrix D^l(R): how the rotation R turns the spherical harmonics of degree l.

    Y_l(Rx) = D^l(R) Y_l(x) for every x, and D^l(RS) = D^l(R) D^l(S). D^1(R) is R itself in the order
    (y, z, x), and D^l = C_l (D^{l−1} ⊗ D^1) C_lᵀ: a polynomial in the entries of R. A reflection is
    accepted too, and −1 acts as (−1)^l.

    Args:
        degree: l ≥ 0.
        rotation: (..., 3, 3) orthogonal matrices, any floating dtype, any device. On a CPU we check
            that they are.

    Returns:
        (..., 2l + 1, 2l + 1) orthogonal matrices; their round-off in float64 is about 1e-15 · l.

    Raises:
        ValueError: if l is negative or not a whole number, or a matrix is not orthogonal; names it.

    >>> quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])    # about the z axis
    >>> wigner(1, quarter).tolist()                                                     # x ↦ y, y ↦ −x
    [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]
    >>> wigner(8, quarter).shape
    torch.Size([17, 17])

    Chapter: Fourier analysis on groups
    """
    l = _one_degree(degree)
    _expect_orthogonal(rotation)
    vector = rotation[..., ORDER, :][..., :, ORDER]
    D = torch.ones_like(rotation[..., :1, :1])
    for k in range(1, l + 1):
        C = _coupling(k).to(rotation)
        left = torch.einsum("aij,...ik->...ajk", C, D)
        both = torch.einsum("...ajk,...jl->...akl", left, vector)
        D = both.flatten(-2) @ C.flatten(1).mT
    return D


def angular_momentum(degree: int) -> Tensor:
    r"""How infinitesimal rotations about the x, y and z axes act on degree l: D^l(exp tX) = exp(t L_X).

    Here (X_i)_{jk} = −ε_{ijk}, so that X_i v = e_i × v, and L_i = dD^l(X_i). The L_i are real and
    antisymmetric, [L_x, L_y] = L_z and so on, and −(L_x² + L_y² + L_z²) = l(l + 1). Multiplied by −i
    they are the operators of angular momentum of quantum mechanics.

    Args:
        degree: l ≥ 0.

    Returns:
        (3, 2l + 1, 2l + 1), float64, in the basis of `spherical_harmonics`.

    Raises:
        ValueError: if l is negative or not a whole number.

    >>> L = angular_momentum(2)
    >>> torch.allclose(L[0] @ L[1] - L[1] @ L[0], L[2])
    True

    Chapter: Fourier analysis on groups
    """
    l = _one_degree(degree)
    L = torch.zeros(3, 2 * l + 1, 2 * l + 1, dtype=torch.float64)
    # c_m ~ cos(mφ) stands at l + m and s_m ~ sin(mφ) at l − m; there is no s_0.
    for m in range(l + 1):
        L[2, l - m, l + m], L[2, l + m, l - m] = m, -m
        if m == l:
            break
        up = math.sqrt((l - m) * (l + m + 1) * (2 if m == 0 else 1)) / 2
        for row, column, axis, value in (
            (l + m, l - m - 1, 0, up),
            (l + m, l + m + 1, 1, -up),
            (l - m, l + m + 1, 0, -up),
            (l - m, l - m - 1, 1, -up),
        )[: 2 if m == 0 else 4]:
            L[axis, row, column], L[axis, column, row] = value, -value
    return L


def sphere_quadrature(degree: int) -> tuple[Tensor, Tensor]:
    r"""Points and weights on the sphere that average every polynomial of at most this degree exactly.

    ∫ f dμ = Σ_i w_i f(x_i): Gauss–Legendre nodes in z, and degree + 1 equal steps around the axis.
    To expand a function of band limit L, integrate its products with Y_0, …, Y_L: degree 2L.

    Args:
        degree: the largest degree that is exact.

    Returns:
        points (n, 3) and weights (n,) with sum 1, float64; n = (⌊degree/2⌋ + 1)(degree + 1).

    Raises:
        ValueError: if the degree is negative or not a whole number.

    >>> x, w = sphere_quadrature(4)
    >>> round(float(w @ x[:, 2] ** 4), 12)           # the mean of z⁴ over the sphere
    0.2

    Chapter: Fourier analysis on groups

    Reference: Golub and Welsch (1969) for the nodes as eigenvalues.
    """
    degree = _one_degree(degree)
    k = torch.arange(1, degree // 2 + 1, dtype=torch.float64)
    jacobi = torch.diag(k / (4 * k * k - 1).sqrt(), 1)
    z, vectors = torch.linalg.eigh(jacobi + jacobi.mT)
    around = 2 * math.pi * torch.arange(degree + 1, dtype=torch.float64) / (degree + 1)
    r = (1 - z * z).sqrt()[:, None]
    points = torch.stack([r * around.cos(), r * around.sin(), z[:, None].expand(-1, degree + 1)], dim=-1)
    weights = (vectors[0].square()[:, None] / (degree + 1)).expand(-1, degree + 1)
    return points.flatten(0, 1), weights.flatten()


def _degrees(degree: int | Iterable[int]) -> list[int]:
    degrees = list(degree) if isinstance(degree, Iterable) else [degree]
    if not degrees:
        raise ValueError("A degree is a whole number, 0 or more; none was given.")
    return [_one_degree(l) for l in degrees]


def _one_degree(l: int) -> int:
    if not isinstance(l, int | float) or l != l // 1 or l < 0:
        raise ValueError(f"A degree is a whole number, 0 or more; got {l!r}.")
    return int(l)


def _direction(x: Tensor) -> Tensor:
    # The squares of coordinates such as 1e-30 or 1e30 are 0 or infinite in float32.
    scale = x.detach().abs().amax(dim=-1, keepdim=True)
    x = x / torch.where(scale > 0, scale, 1.0)
    length = x.norm(dim=-1, keepdim=True)
    # 0/0 would turn the gradient of every other point of a batch into NaN.
    return torch.where(length == 0, 0.0, x / torch.where(length == 0, 1.0, length))


def _ladder(x: Tensor, top: int) -> Iterator[Tensor]:
    """The solid harmonics of degrees 0, …, top at x."""
    vector, Y = x[..., ORDER], torch.ones_like(x[..., :1])
    yield Y
    for l in range(1, top + 1):
        C = math.sqrt((2 * l + 1) / l) * _coupling(l).to(x)
        Y = torch.einsum("...i,...j->...ij", Y, vector).flatten(-2) @ C.flatten(1).mT
        yield Y


@lru_cache(maxsize=64)
def _coupling(l: int) -> Tensor:
    r"""The Clebsch–Gordan coefficients C_l of degree l in the product of degrees l − 1 and 1.

    (2l + 1, 2l − 1, 3), real, with orthonormal rows. They are ⟨l−1, m − k; 1, k | l, m⟩ =
    √((l − m)(l + m)/(l(2l−1))) for k = 0 and √((l ± m − 1)(l ± m)/(2l(2l−1))) for k = ±1, carried from
    the complex harmonics (−1)^m (c_m + i s_m)/√2 to the real ones c_m (at l + m) and s_m (at l − m).
    """
    C = torch.zeros(2 * l + 1, 2 * l - 1, 3, dtype=torch.float64)
    y, z, x = 0, 1, 2
    below = l - 1  # where m = 0 stands in degree l − 1

    def put(row: int, column: int, coordinate: int, value: float) -> None:
        if 0 <= column < 2 * l - 1:
            C[row, column, coordinate] = value

    for m in range(l + 1):
        straight = math.sqrt((l - m) * (l + m) / (l * (2 * l - 1)))
        # There is no s_0, and c_0 is a whole harmonic where the others are halves of a complex one.
        raising = math.sqrt((l + m - 1) * (l + m) / ((2 if m == 1 else 4) * l * (2 * l - 1)))
        lowering = math.sqrt(max(0, l - m - 1) * (l - m) / ((2 if m == 0 else 4) * l * (2 * l - 1)))
        c, s = l + m, l - m
        put(c, below + m, z, straight)
        put(c, below + m + 1, x, -lowering)
        put(c, below - m - 1, y, -lowering)
        if m == 0:
            continue
        put(c, below + m - 1, x, raising)
        put(s, below - m, z, straight)
        put(s, below - m - 1, x, -lowering)
        put(s, below + m + 1, y, lowering)
        put(s, below + m - 1, y, raising)
        if m > 1:
            put(c, below - m + 1, y, -raising)
            put(s, below - m + 1, x, raising)
    return C


def _expect_orthogonal(R: Tensor) -> None:
    if expect_tensor(R, "rotation").shape[-2:] != (3, 3) or not R.is_floating_point():
        raise ValueError(f"Rotations have shape (..., 3, 3) and floating dtype; got {tuple(R.shape)}, {R.dtype}.")
    if R.device.type != "cpu" or torch.compiler.is_compiling():
        return  # on a GPU, looking at a value waits for it
    off = (R.detach() @ R.detach().mT - torch.eye(3, dtype=R.dtype)).abs().amax(dim=(-2, -1))
    # Loose: finite differences leave the group by far more than round-off, and a mistake is of size one.
    wrong = ~(off <= torch.finfo(R.dtype).eps ** 0.25)
    try:
        failed = bool(wrong.any())
    except RuntimeError:  # under torch.func.vmap no value can be looked at
        return
    if failed:
        raise ValueError(
            f"Matrix {tuple(wrong.nonzero()[0].tolist())} of the batch is not orthogonal: RRᵀ differs from 1 by "
            f"{float(off[wrong][0]):.2g}. Pass rotations, as so3().exp(X) makes them."
        )

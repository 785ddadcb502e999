r"""Steerable convolutions: filters that are combinations of circular harmonics on rings.

The group convolution takes every filter that the group of the grid allows. Rotations by other
angles do not map the grid to itself, so here the filter is a function on the plane,

    κ(x) = Σ_{r, f} φ_r(‖x‖) K_{r, f} (Y_f(x) ⊗ ·),      K_{r, f} ∈ Hom_G(ℋ_f ⊗ V, W),

with rings φ_r and the harmonics Y_f of frequency f, which turn by the representation ℋ_f. Each
such κ satisfies κ(gx) = ρ_W(g) κ(x) ρ_V(g)⁻¹ exactly, and is sampled at the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ..representation import FiniteGroup, LieGroup, Representation, irreps, o2, restrict, so2
from ..representation.caching import kept
from ..representation.harmonics import circular_harmonics
from .convolution import FieldConv2d
from .inputs import expect_representation

__all__ = ["Rings", "SteerableConv2d"]

#: A combination of sampled filters with less than this part of the largest one's norm is no filter of its own.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Rings:
    r"""The rings of a k × k filter, and the highest frequency on each.

    The profile of a ring is φ_r(‖x‖) = exp(−(‖x‖ − r)²/2σ_r²), in pixels. Where the grid samples a
    ring coarsely, high frequencies alias, so each ring has its own cut-off.

    Args:
        kernel_size: the side k of the filter.
        radii: r, one for each ring.
        widths: σ_r.
        cutoffs: the highest frequency on each ring.

    >>> Rings.default(5)
    Rings(kernel_size=5, radii=(0.0, 1.0, 2.0), widths=(0.005, 0.6, 0.4), cutoffs=(0, 2, 2))

    Chapter: Steerable convolution

    Reference: Weiler and Cesa (2019), whose choices the default takes.
    """

    kernel_size: int
    radii: tuple[float, ...]
    widths: tuple[float, ...]
    cutoffs: tuple[int, ...]

    @classmethod
    def default(
        cls,
        kernel_size: int,
        radii: Sequence[float] | None = None,
        widths: Sequence[float] | float | None = None,
        cutoff: Callable[[float], float] | float | None = None,
    ) -> Rings:
        """Fill in what is not given, as escnn's R2Conv does.

        Args:
            kernel_size: the side k of the filter.
            radii: of the rings; 0, 1, …, ⌊k/2⌋ if not given.
            widths: one for all rings or one for each; 0.6, and 0.4 for the last, if not given.
            cutoff: the highest frequency as a function of the radius, or a multiple of the radius.

        Raises:
            ValueError: if a ring lies outside the filter, or widths and radii do not match.
        """
        half = (kernel_size - 1) // 2
        count = math.ceil(kernel_size / 2)
        if radii is None:
            radii = torch.linspace(0, half, count).tolist()
        for r in radii:
            if not 0 <= r <= (kernel_size - 1) / 2**0.5 + 1e-9:
                raise ValueError(f"A ring of radius {r} lies outside a filter of {kernel_size} × {kernel_size} pixels.")
        if widths is None:
            # the center pixel is a ring of its own: a point
            widths = [0.005 if r == 0 else 0.6 if r != radii[-1] else 0.4 for r in radii]
        elif isinstance(widths, int | float):
            widths = [float(widths)] * len(radii)
        if len(widths) != len(radii) or not all(w > 0 for w in widths):
            raise ValueError(f"{len(radii)} rings have as many positive widths; got {widths}.")
        if cutoff is None:
            highest = [_trusted(r, half) for r in radii]
        elif callable(cutoff):
            highest = [cutoff(r) for r in radii]
        else:
            highest = [cutoff * r for r in radii]
        return cls(kernel_size, tuple(radii), tuple(widths), tuple(int(f) for f in highest))

    @property
    def dim(self) -> int:
        """The number of pixels, k²."""
        return self.kernel_size**2

    def basis(self, V: Representation, W: Representation) -> Tensor:
        """An orthonormal basis of the filters V → W: (n, W.dim, V.dim, k²), float64."""
        return _orthonormal(self, V, W)[0]

    def starts(self, V: Representation, W: Representation) -> Tensor:
        """What a first draw combines with independent weights: coordinates (filters, n) of the single rings' filters.

        Neighboring rings overlap, so such a combination is smoother than one of orthonormal filters, and
        commutes better with small turns.
        """
        return _orthonormal(self, V, W)[1]

    def samples(self) -> list[tuple[int, Tensor]]:
        """Each ring's harmonics at the pixels: pairs of a frequency f and (dim ℋ_f, k²) values."""
        return list(_samples(self))


@lru_cache(maxsize=64)
def _samples(rings: Rings) -> tuple[tuple[int, Tensor], ...]:
    k = rings.kernel_size
    step = torch.arange(k, dtype=torch.float64) - (k - 1) / 2
    y, x = torch.meshgrid(-step, step, indexing="ij")  # row 0 is on top
    radius, angle = torch.hypot(x, y).flatten(), torch.atan2(y, x).flatten()
    found = []
    for r, width, highest in zip(rings.radii, rings.widths, rings.cutoffs, strict=True):
        profile = torch.exp(-((radius - r) ** 2) / (2 * width**2))
        for f in range(highest + 1):
            here = profile if f == 0 else torch.where(radius > 0, profile, 0)  # no angle at the center
            found.append((f, circular_harmonics(f, angle).mT * here))
    return tuple(found)


def _trusted(r: float, half: int) -> float:
    """The cut-off that Weiler and Cesa found to alias little: 2 on the last ring, about 2r on the others."""
    if r == 0:
        return 0
    return min(2 * r, 2 if r == half else 2 * r - (r + 1) % 2)


# A layer of SO(2) has a basis for each pair of frequencies, all of them small.
@kept(many=256, few=32, large=lambda rings, V, W: V.dim * W.dim > 64)
def _orthonormal(rings: Rings, V: Representation, W: Representation) -> tuple[Tensor, Tensor]:
    """The orthonormal basis, and the coordinates in it of the normalized filters of each ring and frequency."""
    found = [_coupling(f, V, W) @ values for f, values in rings.samples()]
    filters = torch.cat(found)
    # Rings overlap, and sampled harmonics need not be orthogonal: take the orthonormal basis nearest to them.
    flat = filters.flatten(1)
    flat = flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-300)
    values, vectors = torch.linalg.eigh(flat @ flat.mT)
    kept = values > NEGLIGIBLE * values.amax(dim=0, keepdim=True) if len(values) else values > 0
    scaled = vectors[:, kept] * values[kept].rsqrt()
    mix = scaled @ vectors[:, kept].mT if bool(kept.all()) else scaled.mT
    basis = mix @ flat
    return basis.view(-1, *filters.shape[1:]), flat @ basis.mT


@lru_cache(maxsize=1024)
def _coupling(f: int, V: Representation, W: Representation) -> Tensor:
    """A basis of Hom_G(ℋ_f ⊗ V, W): (n, W.dim, V.dim, dim ℋ_f)."""
    waves = harmonic(V.group, f)
    return (waves * V >> W).basis().unflatten(2, (waves.dim, V.dim)).mT.contiguous()


def harmonic(G: FiniteGroup | LieGroup, f: int) -> Representation:
    """ℋ_f: how the functions cos fθ and sin fθ on the circle turn with G."""
    if isinstance(G, LieGroup):
        rhos = irreps(G, degree=f)
        return rhos[0] if f == 0 else rhos[-1]
    return restrict(harmonic(o2() if G.reflects else so2(), f), G)


class SteerableConv2d(FieldConv2d):
    r"""The convolution with a steerable filter, for rotations by any angle: C_n, D_n, SO(2) and O(2).

    The filter is a combination of circular harmonics on rings, so it satisfies
    κ(gx) = ρ_W(g) κ(x) ρ_V(g)⁻¹ on the plane. On the grid this is exact for quarter turns and flips;
    for other angles it is as good as the sampling. For the groups of the grid, `GroupConv2d` has more
    filters: those that a harmonic basis with few frequencies leaves out.

    Args:
        source: V, the representation on the channels of the input field.
        target: W, the representation on the channels of the output field.
        kernel_size: the side k of the square filter.
        stride, padding: as in torch.nn.Conv2d.
        bias: whether to add an invariant vector, which starts at 0.
        radii, widths, cutoff: the rings and their frequencies, see `Rings`.
        generator: draws the initial weight.

    Input (batch, V.dim, h, w); output (batch, W.dim, h', w').

    Raises:
        ValueError: if the group does not act on the plane, or a ring lies outside the filter.

    >>> from equibook import irreps, so2, trivial
    >>> G = so2()
    >>> layer = SteerableConv2d(trivial(G), 4 * irreps(G, 1)[0] + 4 * irreps(G, 1)[1], 5, padding=2)
    >>> layer(torch.randn(2, 1, 8, 8)).shape
    torch.Size([2, 12, 8, 8])

    Chapter: Steerable convolution

    Reference: Weiler and Cesa (2019).
    """

    def __init__(
        self,
        source: Representation,
        target: Representation,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        *,
        radii: Sequence[float] | None = None,
        widths: Sequence[float] | float | None = None,
        cutoff: Callable[[float], float] | float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        G = expect_representation(source, "SteerableConv2d").group
        on_the_plane = G.size == 2 if isinstance(G, LieGroup) else getattr(G, "plane", None) is not None
        if not on_the_plane:
            raise ValueError(
                f"A filter needs a group of rotations and flips: cyclic(n), dihedral(n), so2(), o2(); got {G}."
            )
        super().__init__(
            source,
            target,
            kernel_size,
            stride,
            padding,
            bias,
            window=lambda: Rings.default(kernel_size, radii, widths, cutoff),
            generator=generator,
        )

r"""Which layers commute with a move exactly, which nearly and which not, and what the ruler adds by itself.

Each layer takes gray images to gray images, so a move acts on its input and on its output by moving pixels
only. Turns by 90° move pixels to pixels; turns by 45° interpolate between them. Shifts glue opposite edges of
the image, and a shift by a part of a pixel multiplies its Fourier coefficients by phases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import (
    AvgPool2d,
    BlurPool2d,
    GatedPointwise,
    GlobalAvgPool2d,
    GroupConv2d,
    NormMaxPool2d,
    NormPool,
    SteerableConv2d,
    Upsample2d,
    act_interpolated,
    equivariance_error,
)
from ..layers.measuring import Sample
from ..representation import cyclic, irreps, so2, trivial
from .presets import choose

__all__ = [
    "LAYERS",
    "MOVES",
    "PRESETS",
    "Config",
    "Result",
    "dots",
    "interpolation_error",
    "run",
    "shift",
    "smooth",
    "steerable_network",
]

Function = Callable[[Tensor], Tensor]

#: Of the filters that are drawn.
SEED = 0


def smooth(count: int, side: int, width: float, *, seed: int = 0) -> Tensor:
    """White noise blurred by a Gaussian, on a square whose edges are glued; mean square 1.

    Args:
        count: how many images.
        side: their side, in pixels.
        width: the standard deviation of the Gaussian, in pixels; 0 leaves the noise as it is.
        seed: of the noise.

    Returns:
        (count, 1, side, side), float64.

    >>> x = smooth(3, 16, 2.0)
    >>> x.shape, round(float(x.square().mean()), 6)
    (torch.Size([3, 1, 16, 16]), 1.0)

    Chapter: Measuring equivariance
    """
    noise = torch.randn(count, 1, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    decay = torch.exp(-2 * (math.pi * width * torch.fft.fftfreq(side, dtype=torch.float64)).square())
    x = torch.fft.ifft2(torch.fft.fft2(noise) * decay[:, None] * decay).real
    return x / x.square().mean().sqrt()


def dots(count: int, side: int, width: float, degrees: float = 0.0, *, seed: int = 0) -> Tensor:
    """Samples of functions that are turned before they are sampled: sums of twelve Gaussian dots.

    Args:
        count: how many functions.
        side: the side of the images, in pixels.
        width: the standard deviation of a dot, in pixels.
        degrees: the angle of the turn, counter-clockwise.
        seed: of the places and heights of the dots.

    Returns:
        (count, 1, side, side), float64.

    >>> torch.allclose(dots(2, 15, 1.0, 90.0), dots(2, 15, 1.0).rot90(1, (2, 3)))
    True

    Chapter: Measuring equivariance
    """
    generator = torch.Generator().manual_seed(seed)
    places = side * (torch.rand(count, 12, 2, dtype=torch.float64, generator=generator) - 0.5) / 2.5
    heights = torch.randn(count, 12, dtype=torch.float64, generator=generator)
    a = math.radians(degrees)
    R = torch.tensor([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]], dtype=torch.float64)
    step = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    across, up = ((step - axis[..., None]).square() for axis in (places @ R.mT).unbind(-1))
    bumps = torch.exp(-(up.flip(-1)[..., :, None] + across[..., None, :]) / (2 * width**2))
    return torch.einsum("nd,ndhw->nhw", heights, bumps)[:, None]


def interpolation_error(width: float, degrees: float = 45.0, *, side: int = 65, count: int = 8, seed: int = 0) -> float:
    r"""How far an interpolated turn is from the samples of the turned function, ‖T_g Su − S(g·u)‖ / ‖Su‖.

    Args:
        width: how smooth the functions are, see `dots`.
        degrees: the angle.
        side: the side of the images.
        count: how many functions.
        seed: of the functions.

    Returns:
        The relative error.

    >>> interpolation_error(2.0) > 5 * interpolation_error(4.0)
    True

    Chapter: Measuring equivariance
    """
    G = so2()
    x, right = dots(count, side, width, seed=seed), dots(count, side, width, degrees, seed=seed)
    turned = act_interpolated(trivial(G), G.exp(math.radians(degrees)), x)
    return float((turned - right).norm() / x.norm())


def shift(x: Tensor, pixels: float) -> Tensor:
    """Images moved to the right, by phases of their Fourier coefficients; the edges are glued.

    Args:
        x: (..., h, w).
        pixels: how far; a whole number moves pixels to pixels.

    Returns:
        A tensor like x.

    >>> x = torch.randn(1, 1, 6, 6)
    >>> torch.allclose(shift(x, 1.0), x.roll(1, -1), atol=1e-5)
    True

    Chapter: Measuring equivariance
    """
    if pixels == int(pixels):
        return x.roll(int(pixels), -1)
    frequency = torch.fft.rfftfreq(x.shape[-1], device=x.device, dtype=x.dtype)
    phase = torch.exp(-2j * math.pi * pixels * frequency)
    return torch.fft.irfft(torch.fft.rfft(x, dim=-1) * phase, n=x.shape[-1], dim=-1)


def steerable_network(
    halving: str = "blur", nonlinearity: str = "gates", *, generator: torch.Generator | None = None
) -> nn.Sequential:
    """An untrained network for SO(2), to take apart: two steerable convolutions, lengths, and the mean over all pixels.

    Its fields are four copies of the frequencies 0, 1 and 2. After each convolution comes a nonlinearity, and after the
    first the sides are halved.

    Args:
        halving: "blur", "max" (the longest vector of 2 × 2), "mean", or "stride" (every second pixel).
        nonlinearity: "gates", which commute with rotations, or "ReLU" on every channel, which does not.
        generator: draws the weights.

    Returns:
        A network from (batch, 1, h, w) to (batch, 12), in float64.

    >>> steerable_network()(torch.zeros(2, 1, 12, 12, dtype=torch.float64)).shape
    torch.Size([2, 12])

    Chapter: Measuring equivariance
    """
    atoms = irreps(so2(), 2)
    V, one = 4 * atoms[0] + 4 * atoms[1] + 4 * atoms[2], atoms[0]
    pools: Mapping[str, Callable[[], nn.Module]] = {
        "blur": lambda: BlurPool2d(V, 2),
        "max": lambda: NormMaxPool2d(V, 2),
        "mean": lambda: AvgPool2d(V, 2),
        "stride": lambda: Sample((2, 2)),
    }
    if halving not in pools or nonlinearity not in ("gates", "ReLU"):
        raise ValueError(f"halving is one of {', '.join(pools)}, nonlinearity gates or ReLU.")
    layers: list[nn.Module] = []
    for source in (one, V):
        act = GatedPointwise(V, "relu") if nonlinearity == "gates" else nn.ReLU()
        wanted = act.source if isinstance(act, GatedPointwise) else V
        layers += [SteerableConv2d(source, wanted, 5, padding=2, generator=generator), act]
        if source is one:
            layers.append(pools[halving]())
    return nn.Sequential(*layers, NormPool(V), GlobalAvgPool2d(12 * one)).double()


def _glued(layer: nn.Module, reach: int) -> Function:
    return lambda x: layer(F.pad(x, (reach,) * 4, mode="circular"))


def _drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _group(reach: int = 0) -> nn.Module:
    one = trivial(cyclic(4))
    return GroupConv2d(one, 8 * one, 3, padding=reach, generator=torch.Generator().manual_seed(SEED)).double()


def _steerable() -> nn.Module:
    one = trivial(so2())
    return SteerableConv2d(one, 8 * one, 5, generator=torch.Generator().manual_seed(SEED)).double()


def _every_second(x: Tensor) -> Tensor:
    return x[..., ::2, ::2]


_ONE = trivial(so2())

#: Name → the side of the image, and a function that makes the layer.
LAYERS: Mapping[str, tuple[int, Callable[[], Function]]] = {
    "group convolution": (32, lambda: _glued(_group(), 1)),
    "  zeros around the image": (32, lambda: _group(1)),
    "steerable convolution": (32, lambda: _glued(_steerable(), 2)),
    "convolution, any filter": (
        32,
        lambda: lambda x: F.conv2d(F.pad(x, (1,) * 4, mode="circular"), _drawn(8, 1, 3, 3)),
    ),
    "ReLU": (32, lambda: torch.relu),
    "every 2nd pixel, side 33": (33, lambda: _every_second),
    "every 2nd pixel, side 32": (32, lambda: _every_second),
    "maximum over 2 × 2, side 33": (33, lambda: nn.MaxPool2d(2)),
    "maximum over 2 × 2, side 32": (32, lambda: nn.MaxPool2d(2)),
    "mean over 2 × 2, side 32": (32, lambda: nn.AvgPool2d(2)),
    "BlurPool2d, side 32": (32, lambda: BlurPool2d(_ONE, 2)),
    "Upsample2d, nearest": (32, lambda: Upsample2d(_ONE, 2, "nearest")),
    "Upsample2d, bilinear": (32, lambda: Upsample2d(_ONE, 2)),
    "a learned image added": (32, lambda: lambda x: x + _drawn(32, 32)),
    "flatten, then linear": (32, lambda: lambda x: x.flatten(1) @ _drawn(32 * 32, 8)),
    "mean over all pixels": (32, lambda: lambda x: x.mean((2, 3))),
}


def _turned(elements: int) -> Callable[[Function, Tensor], float]:
    def error(function: Function, x: Tensor) -> float:
        one = trivial(cyclic(elements))
        y = function(x[:1])
        return equivariance_error(function, one, y.shape[1] * one, x, elements=[1])

    return error


def _shifted(pixels: int) -> Callable[[Function, Tensor], float]:
    def error(function: Function, x: Tensor) -> float:
        y = function(x)
        moved = shift(y, pixels * y.shape[-1] / x.shape[-1]) if y.ndim == 4 else y
        return float((function(shift(x, pixels)) - moved).norm() / y.norm())

    return error


#: Name → the relative error of a function on a batch under this move.
MOVES: Mapping[str, Callable[[Function, Tensor], float]] = {
    "turn by 90°": _turned(4),
    "turn by 45°": _turned(8),
    "shift by 1 pixel": _shifted(1),
    "shift by 2 pixels": _shifted(2),
}


@dataclass(frozen=True)
class Config:
    """What is measured.

    Args:
        width: how smooth the images are, see `smooth`.
        count: how many images.
        layers: names of `LAYERS`; all of them if None.
        seed: of the images.
    """

    width: float = 2.0
    count: int = 8
    layers: tuple[str, ...] | None = None
    seed: int = 0


#: "quick" is what the chapter runs.
PRESETS: Mapping[str, Config] = {"quick": Config(), "many": Config(count=64)}


@dataclass(frozen=True)
class Result:
    """The table.

    Attributes:
        config: what was measured.
        errors: layer → move → relative error.
    """

    config: Config
    errors: dict[str, dict[str, float]]

    def verdict(self, layer: str, move: str) -> str:
        """ "exact" below 1e-10, "approximate" below 10 %, else "broken", on these images."""
        from ..figures.measuring import verdict

        return verdict(self.errors[layer][move])

    def plot(self) -> Any:
        """The table as a figure."""
        from ..figures import verdicts

        return verdicts(self.errors)


def run(config: Config | str = "quick", **changes: Any) -> Result:
    """Measure every layer under every move.

    Args:
        config: a config, or the name of one of `PRESETS`.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> result = run(layers=("ReLU",), count=2)
    >>> result.verdict("ReLU", "turn by 90°"), result.verdict("ReLU", "turn by 45°")
    ('exact', 'approximate')

    Chapter: Measuring equivariance
    """
    config = choose(config, PRESETS, **changes)
    errors = {}
    for name in LAYERS if config.layers is None else config.layers:
        side, make = LAYERS[name]
        layer, x = make(), smooth(config.count, side, config.width, seed=config.seed)
        with torch.no_grad():
            errors[name] = {move: measure(layer, x) for move, measure in MOVES.items()}
    return Result(config, errors)

r"""What a linear equivariant map of n × n matrices costs: as a dense matrix, and by reducing, mixing, expanding."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..layers import PermutationLinear
from .presets import choose

__all__ = ["PRESETS", "Config", "Result", "multiplications", "run"]


@dataclass(frozen=True)
class Config:
    """What is timed.

    Args:
        points: the n of the layer.
        dense: the n of the dense matrix, which has n⁴ entries.
        repeats: how often; the fastest counts.
    """

    points: tuple[int, ...] = (8, 16, 32, 64, 128, 256, 512)
    dense: tuple[int, ...] = (8, 16, 32, 64)
    repeats: int = 10


PRESETS: Mapping[str, Config] = {"quick": Config(), "long": Config(dense=(8, 16, 32, 64, 128), repeats=50)}


def multiplications(points: int) -> tuple[int, int]:
    """How many multiplications one channel to one takes, by mixing and by the dense matrix.

    >>> multiplications(10)
    (294, 10000)

    Chapter: Sets and graphs
    """
    n = points
    return 2 * n**2 + 9 * n + 4, n**4


@dataclass(frozen=True)
class Result:
    """What a run measured: seconds for one matrix, of the layer and of the dense product, for each n of the config."""

    config: Config
    layer: Tensor
    dense: Tensor

    def plot(self) -> Any:
        """Times against n on logarithmic axes."""
        from ..figures import trajectories

        curves = {
            "dense matrix": (torch.tensor(self.config.dense), 1e3 * self.dense),
            "reduce, mix, expand": (torch.tensor(self.config.points), 1e3 * self.layer),
        }
        modes = {"dense matrix": "nominal", "reduce, mix, expand": "equivariant"}
        figure = trajectories(curves, modes=modes, xlabel="points n", ylabel="milliseconds", logx=True)
        figure.axes[0].set_xticks(self.config.points, [str(n) for n in self.config.points])
        figure.axes[0].minorticks_off()
        return figure


def run(config: Config | str = "quick", *, device: torch.device | str = "cpu", **changes: Any) -> Result:
    """Time the layer and the dense matrix on one random matrix, in float32.

    Args:
        config: a config, or the name of one of `PRESETS`.
        device: where.
        **changes: fields of the config that are to differ.

    Returns:
        The result.

    >>> run("quick", points=(4, 8), dense=(4,), repeats=1).layer.shape
    torch.Size([2])

    Chapter: Sets and graphs
    """
    config = choose(config, PRESETS, **changes)
    layer = PermutationLinear(1, 1, (2, 2), generator=torch.Generator().manual_seed(0)).to(device)
    reduced, full = [], []
    with torch.no_grad():
        for n in config.points:
            X = torch.ones(1, n, n, device=device)
            reduced.append(_fastest(partial(layer, X), config.repeats))
        for n in config.dense:  # what stands in the matrix does not change the time
            A, x = torch.ones(n**2, n**2, device=device), torch.ones(n**2, device=device)
            full.append(_fastest(partial(torch.mv, A, x), config.repeats))
    return Result(config, torch.tensor(reduced), torch.tensor(full))


def _fastest(function: Callable[[], Tensor], repeats: int) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function().sum().item()  # waits until an accelerator is done
        times.append(time.perf_counter() - start)
    return min(times[1:])

"""Convolutions: a train step and an evaluation beside a plain convolution of the same shape and escnn's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import nn

import equibook as eq

from . import timing

baselines = import_module("equibook.baselines") if find_spec("escnn") else None

#: (side of the image, batch) → the most that a train step may take, in steps of a plain convolution.
TARGETS = {(32, 16): 1.05, (8, 10): 1.15}
COLUMNS = ("layer", "group", "filter", "channels")


@dataclass(frozen=True)
class Row:
    """One shape of a convolution: from a field to itself."""

    kind: str
    group: str
    fields: int
    kernel_size: int

    @property
    def fiber(self) -> eq.Representation:
        """The representation on the channels."""
        if self.group == "SO(2)":  # the frequencies 0 to 3, 7 channels a field
            rhos = eq.irreps(eq.so2(), 3)
            fiber = self.fields * rhos[0]
            for rho in rhos[1:]:
                fiber = fiber + self.fields * rho
            return fiber
        G = {"C4": eq.cyclic(4), "D4": eq.dihedral(4), "C8": eq.cyclic(8)}[self.group]
        return self.fields * eq.regular(G)

    @property
    def layer(self) -> type[eq.GroupConv2d] | type[eq.SteerableConv2d]:
        """The class of this package."""
        return {"group": eq.GroupConv2d, "steerable": eq.SteerableConv2d}[self.kind]

    def layers(self) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
        """What makes the same convolution three times."""
        V, k, ours = self.fiber, self.kernel_size, self.layer
        yield "plain", lambda: nn.Conv2d(V.dim, V.dim, k, padding=k // 2)
        yield "equibook", lambda: ours(V, V, k, padding=k // 2)
        if baselines is not None:
            yield "escnn", lambda: Unwrapped(baselines.field_type(V), k)

    @property
    def cells(self) -> tuple[str, ...]:
        """The first cells of the row in a table."""
        k = self.kernel_size
        return self.kind, self.group, f"{k} × {k}", str(self.fiber.dim)


SIZES = {"C4": (8, 16), "D4": (4, 8), "C8": (4, 8), "SO(2)": (4, 9)}  # fields, small and large
GRID = [
    Row(kind, group, fields, k)
    for kind, groups in (("group", ("C4", "D4")), ("steerable", ("C4", "D4", "C8", "SO(2)")))
    for group in groups
    for fields in SIZES[group]
    for k in (3, 5)
]


class Unwrapped(nn.Module):
    """escnn's layer from tensor to tensor."""

    def __init__(self, kind: object, k: int) -> None:
        super().__init__()
        from escnn.nn import R2Conv

        self.kind = kind
        self.convolution = R2Conv(kind, kind, k, padding=k // 2, initialize=False)
        nn.init.normal_(self.convolution.weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(self.kind(x)).tensor  # type: ignore[operator]


def train_steps(device: torch.device, rounds: int) -> eq.data.Table:
    """Forward, backward by weights and input, the update of Adam, as in the chapters; and of SGD, the cheapest."""
    columns = (*COLUMNS, "image", "batch", "plain ms", "equibook ms", "escnn ms")
    columns += ("equibook / plain", "target", "escnn / equibook", "with SGD")

    def rows() -> Iterator[tuple[object, ...]]:
        for (side, batch), target in TARGETS.items():
            for row in GRID:
                x = torch.randn(batch, row.fiber.dim, side, side, device=device)
                sides = {name: timing.step(make().to(device), x, torch.optim.Adam) for name, make in row.layers()}
                for name, make in row.layers():
                    if name != "escnn":
                        sides[f"{name}, SGD"] = timing.step(make().to(device), x, torch.optim.SGD)
                # a short step is the most easily disturbed, and many fit in a second
                times = timing.alternating(sides, device, rounds if side > 8 else 3 * rounds)
                spent = (timing.milliseconds(times, name) for name in ("plain", "equibook", "escnn"))
                ours, theirs = timing.ratio(times, "equibook", "plain"), timing.ratio(times, "escnn", "equibook")
                cheaper = timing.ratio(times, "equibook, SGD", "plain, SGD")
                yield (*row.cells, f"{side} × {side}", batch, *spent, ours, target, theirs, cheaper)

    return timing.shown(f"Train step of a convolution on {device}", columns, rows())


def evaluations(device: torch.device, rounds: int) -> eq.data.Table:
    """The folded layer, a plain one, and the layer as it is."""
    columns = (*COLUMNS, "plain ms", "folded / plain", "unfolded / plain")

    def rows() -> Iterator[tuple[object, ...]]:
        for row in GRID:
            x = torch.randn(10, row.fiber.dim, 8, 8, device=device)
            made = {name: make().to(device) for name, make in row.layers() if name != "escnn"}
            layers = {"plain": made["plain"], "folded": eq.fold(made["equibook"]), "unfolded": made["equibook"]}
            times = timing.alternating({n: timing.evaluation(f, x) for n, f in layers.items()}, device, rounds)
            ratios = (timing.ratio(times, name, "plain") for name in ("folded", "unfolded"))
            yield (*row.cells, timing.milliseconds(times, "plain"), *ratios)

    return timing.shown(f"Evaluation of a convolution, 8 × 8, batch 10, on {device}", columns, rows())

"""Compute what some chapters quote from runs that are too long for a page.

    OMP_NUM_THREADS=1 .venv/bin/python tools/longer_runs.py [roundoff training_length steerable …]

It takes some minutes and prints the sentences' numbers: how often round-off grows past 1e-6 in
Compatibility, what longer training changes in Sets and graphs, Group convolution and Steerable convolution,
how far layers of escnn are from equivariant, where it is installed, and how the parts of the error in
Measuring equivariance depend on the draw of the weights.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch

from equibook import (
    Representation,
    Rings,
    SteerableConv2d,
    equivariance_by_layer,
    equivariance_error,
    irreps,
    so2,
    trivial,
)
from equibook.data import digits
from equibook.experiments import compatibility, exactness, rotated_digits, steerable_digits, triangles

SMALL = {"samples": 40, "members": 4, "gain": 0.6}


def passed(path: object, until: int) -> int:
    """How many members have been farther than 1e-6 from E up to a step."""
    steps, distance = path.steps, path.distance  # type: ignore[attr-defined]
    return int((distance[steps <= until].amax(dim=0) > 1e-6).sum())


def roundoff() -> None:
    print("Compatibility: runs of four that pass 1e-6, seed by seed")
    for support, lr, until, seeds in [
        ("cross", 0.1, 150, range(5)),
        ("full", 0.1, 150, range(5)),
        ("cross", 0.1, 100, range(4)),
        ("cross", 0.025, 400, range(4)),
        ("cross", 0.00625, 1600, (0, 3)),
    ]:
        counts = []
        for seed in seeds:
            result = compatibility.run(
                "digits", supports=(support,), lr=lr, steps=until, every=max(1, until // 100), seed=seed, **SMALL
            )
            counts.append(passed(result.paths[support], until))
        print(f"  {support}, step size {lr}, {until} steps, seeds {list(seeds)}: {counts}", flush=True)


def training_length() -> None:
    print("Group convolution: on all four turns, and test digits per one whose answer changes with the direction")
    for epochs in (18, 24):
        result = rotated_digits.run("quick", epochs=epochs)
        mean, low, high = result.difference("equivariant", "plain, augmented")
        print(
            f"  {epochs} epochs: equivariant − plain, augmented: {100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
        )
        for name in ("plain, augmented", "wide, augmented"):
            print(f"    {name}: one in {1 / (1 - result.constant[name].mean()):.0f}", flush=True)


def steerable() -> None:
    print("Steerable convolution: all digits, 40 epochs, seeds that no choice was made by; at all angles")
    result = steerable_digits.run("long")
    ours, *others = result.accuracy
    for name in result.accuracy:
        constant = 100 * result.constant[name].mean()
        print(f"  {name}: {100 * result.all_angles(name).mean():.1f} %, same answer at all angles {constant:.0f} %")
    for name in others:
        mean, low, high = result.difference(ours, name)
        print(f"  {ours} − {name}: {100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]", flush=True)
    print("  the network of the page with its outermost ring, on the same seeds")
    models = {"without": steerable_digits.MODELS[ours], "with": steerable_digits.Model("SO(2)", (4, 6, 8), outer=True)}
    short = steerable_digits.run("quick", models=models, first_seed=10, seeds=5)
    mean, low, high = short.difference("without", "with")
    print(f"  without − with: {100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]", flush=True)


def steerable_errors() -> None:
    print("Steerable convolution: errors in percent of untrained layers at 45°, on interpolated digits")
    import escnn

    from equibook import baselines

    G = so2()
    V, W = trivial(G), 4 * irreps(G, 2)[0] + 4 * irreps(G, 2)[1] + 4 * irreps(G, 2)[2]
    x = steerable_digits.render(digits()[0][:20])

    def error(layer: Callable[[torch.Tensor], torch.Tensor]) -> float:
        return 100 * equivariance_error(layer, V, W, x, G.exp([math.pi / 4]))

    def on_tensors(layer: Any) -> Callable[[torch.Tensor], torch.Tensor]:
        return lambda x: layer(layer.in_type(x)).tensor.detach()

    def orthonormal(rings: Rings, V: Representation, W: Representation) -> torch.Tensor:
        return torch.eye(len(rings.basis(V, W)), dtype=torch.float64)

    torch.manual_seed(0)  # of escnn's weights
    for k in (3, 5, 7):
        found = []
        for seed in range(400):
            generator = torch.Generator().manual_seed(seed)
            ours = SteerableConv2d(V, W, k, padding=k // 2, bias=False, generator=generator)
            copy = baselines.to_escnn(ours)
            with patch.object(Rings, "starts", orthonormal):
                plain = SteerableConv2d(V, W, k, padding=k // 2, bias=False, generator=generator)
            fields = baselines.field_type(V), baselines.field_type(W)
            theirs = escnn.nn.R2Conv(*fields, k, padding=k // 2, bias=False)
            found.append([error(ours), error(on_tensors(copy)), error(on_tensors(theirs)), error(plain)])
        errors = torch.tensor(found)
        names = ("ours", "escnn's with our weights", "escnn's with its own", "ours by orthonormal filters")
        for name, mean, doubt in zip(names, errors.mean(dim=0), errors.std(dim=0) / len(errors) ** 0.5, strict=True):
            print(f"  {k} × {k}, {name}: {mean:.2f} ± {doubt:.2f}", flush=True)


def error_parts() -> None:
    print("Measuring equivariance: parts of the error on the finest pixels, in percent, for four draws")
    one, images = trivial(so2()), digits(dtype=torch.float64)[0][:3]
    z = steerable_digits.render(images, size=48, pixel=0.25)
    networks = (("stride", "gates"), ("max", "gates"), ("mean", "gates"), ("blur", "gates"), ("blur", "ReLU"))
    for seed in range(4):
        rectified, others = 0.0, 0.0
        for sampling, nonlinearity in networks:
            generator = torch.Generator().manual_seed(seed)
            net = exactness.steerable_network(sampling, nonlinearity, generator=generator)
            parts = equivariance_by_layer(net, one, z).by_kind()
            if nonlinearity == "ReLU":
                rectified = parts.pop("nonlinearity")
            others = max(others, *parts.values())
        print(f"  ReLU {100 * rectified:.1f}, the largest other part {100 * others:.1f}", flush=True)


def triangles_longer() -> None:
    print("Sets and graphs: triangles in random graphs, two seeds, ten times the steps")
    result = triangles.run("random", seeds=2, epochs=300)
    for name, errors in result.error.items():
        print(f"  {name}: {', '.join(f'{float(error):.2f}' for error in errors)}", flush=True)


if __name__ == "__main__":
    parts = (roundoff, training_length, steerable, steerable_errors, error_parts, triangles_longer)
    for part in parts:
        if part.__name__ in sys.argv[1:] or not sys.argv[1:]:
            part()

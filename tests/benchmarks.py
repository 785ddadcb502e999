"""``make bench``: what equivariance costs, beside a plain convolution of the same shape and escnn's.

Sides alternate within a run and ratios are taken round by round, so that a busy machine slows all of
them alike. Every number is a median.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import torch
from torch import nn

import equibook as eq

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from equibook import baselines
except ImportError:
    baselines = None  # type: ignore[assignment]

#: (side of the image, batch) → the most that a step may take, in steps of a plain convolution.
TARGETS = {(32, 16): 1.05, (8, 10): 1.15}
BUILD, IMPORT = 0.2, 0.3  # seconds
BYTECODE = str(Path(tempfile.gettempdir()) / "equibook-bytecode")
WARM = 0.5  # seconds that a side runs before it is measured


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="rounds of each train step (default 41)")
    parser.add_argument("--channels", type=int, nargs="+", default=[32, 64])
    arguments = parser.parse_args()
    devices = ["cpu"] + (["cuda"] if torch.cuda.is_available() else [])
    print(f"{machine(devices)}\n")
    for device in devices:
        steps(torch.device(device), arguments.channels, arguments.rounds)
    building()
    importing()
    algebra()


def machine(devices: list[str]) -> str:
    """The machine, in words."""
    words = [f"torch {torch.__version__}", f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"]
    if "cuda" in devices:
        words.append(torch.cuda.get_device_name())
    if hasattr(os, "getloadavg"):
        words.append(f"load {os.getloadavg()[0]:.1f}")
    return ", ".join(words)


# ---- train steps ---------------------------------------------------------------------------


def steps(device: torch.device, channels: list[int], rounds: int) -> None:
    """A train step (forward, backward by weights and input, SGD) of one layer, regular to regular."""
    print(f"Train step on {device}: milliseconds, and ratios\n")
    columns = ["group", "filter", "channels", "image", "batch", "plain", "equibook", "escnn"]
    columns += ["equibook / plain", "target", "escnn / equibook"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for side, batch in TARGETS:
        for G in (eq.cyclic(4), eq.dihedral(4)):
            for k in (3, 5):
                for width in channels:
                    row(G, k, width, side, batch, device, rounds)
    print()


def row(G: eq.FiniteGroup, k: int, width: int, side: int, batch: int, device: torch.device, rounds: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, width, side, side, generator=generator).to(device)
    sides = {name: step(layer.to(device), x) for name, layer in layers(G, k, width)}
    # enough steps a turn for the clock, few enough for the sides to alternate often
    turns = max(1, round(0.01 / once(sides["plain"], device)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=number % 2 == 1):
            times[name].append(once(sides[name], device, turns))

    def ratio(a: str, b: str) -> float:
        return median(p / q for p, q in zip(times[a], times[b], strict=True))

    cells = [f"{G}", f"{k} × {k}", f"{width}", f"{side} × {side}", f"{batch}"]
    cells += [f"{1e3 * median(times[name]):.2f}" if name in times else "–" for name in ("plain", "equibook", "escnn")]
    cells += [f"{ratio('equibook', 'plain'):.2f}", f"{TARGETS[side, batch]:.2f}"]
    cells += [f"{ratio('escnn', 'equibook'):.2f}" if "escnn" in times else "–"]
    print(f"| {' | '.join(cells)} |", flush=True)


def layers(G: eq.FiniteGroup, k: int, width: int) -> Iterator[tuple[str, nn.Module]]:
    """The same convolution three times."""
    V = width // G.order * eq.regular(G)
    yield "plain", nn.Conv2d(width, width, k, padding=k // 2)
    yield "equibook", eq.GroupConv2d(V, V, k, padding=k // 2)
    if baselines is not None:
        yield "escnn", Unwrapped(baselines.field_type(V), k)


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


def step(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """One train step, as inside a deeper network: the gradient goes on to the input."""
    optimizer = torch.optim.SGD(layer.parameters(), lr=1e-9)
    with torch.no_grad():
        u = torch.randn_like(layer(x))
    x = x.clone().requires_grad_()

    def run() -> None:
        optimizer.zero_grad()
        x.grad = None
        layer(x).backward(u)
        optimizer.step()

    start = time.perf_counter()
    while time.perf_counter() - start < WARM:  # the first row of a run would measure the allocator too
        run()
    return run


def once(run: Callable[[], None], device: torch.device, turns: int = 1) -> float:
    """Seconds a turn."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(turns):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / turns


# ---- building and importing ----------------------------------------------------------------


BUILDERS = {
    "equibook": """
        import equibook as eq
        V = 64 * eq.regular(eq.dihedral(4))
        start = time.perf_counter(); eq.GroupConv2d(V, V, 5); took = time.perf_counter() - start""",
    "escnn": """
        import equibook as eq
        from equibook.baselines import field_type
        from escnn.nn import R2Conv
        kind = field_type(64 * eq.regular(eq.dihedral(4)))
        start = time.perf_counter(); R2Conv(kind, kind, 5); took = time.perf_counter() - start""",
}


def building() -> None:
    """64 regular fields of D_4 at 5 × 5, in a fresh process each time: nothing is cached."""
    print("Building a layer of 64 regular fields of D_4 at 5 × 5, and its weights\n")
    print("| library | seconds | target |\n|---|---|---|")
    for name, code in BUILDERS.items():
        if name == "escnn" and baselines is None:
            continue
        took = median(fresh(code)[0] for _ in range(3))
        print(f"| {name} | {took:.2f} | {BUILD if name == 'equibook' else '–'} |", flush=True)
    print()


def importing() -> None:
    """Seconds beyond torch, in a fresh process each time."""
    print("Importing, beyond torch\n")
    print("| library | seconds | target |\n|---|---|---|")
    for name in ("equibook", *(["escnn"] if baselines is not None else [])):
        took = median(
            fresh(f"import torch; start = time.perf_counter(); import {name}; took = time.perf_counter() - start")[0]
            for _ in range(5)
        )
        print(f"| {name} | {took:.2f} | {IMPORT if name == 'equibook' else '–'} |", flush=True)


ALGEBRA = {
    "decompose(regular(symmetric(5))), order 120": (
        2.0,
        "V = eq.regular(eq.symmetric(5)); eq.decompose(V)",
    ),
    "decompose(regular(G)), G of order 960": (
        None,
        """G = eq.direct_product(eq.symmetric(4), eq.direct_product(eq.quaternion(), eq.cyclic(5)))
        eq.decompose(eq.regular(G))""",
    ),
    "character_table(symmetric(6)), order 720": (None, "eq.character_table(eq.symmetric(6))"),
    "basis of Hom(T², T²) of S_10 from two generators": (
        1.0,
        """V = eq.permutation(eq.symmetric(10))
        (V * V >> V * V).basis()""",
    ),
    "basis of Hom between 100 dimensions of S_5, dense matrices": (
        5.0,
        """H = dense(eq.symmetric(5), 100)
        start = time.perf_counter(); (H >> H).basis()""",
    ),
    "the same from the generators alone, by solve()": (
        5.0,
        """H = dense(eq.symmetric(5), 100)
        start = time.perf_counter(); (H >> H).solve()""",
    ),
    "basis of Hom(V, V) of SO(3), V of degrees 0 to 9 in 100 dimensions": (
        5.0,
        """V = sum(eq.irreps(eq.so3(), 9))
        (V >> V).basis()""",
    ),
}

#: The most memory that the process has held, where Linux says it; and a representation without
#: structure: n dimensions, one irreducible after the other, in a random basis.
HELPERS = """
        def peak():
            try:
                lines = open("/proc/self/status").read().splitlines()
            except OSError:
                return float("nan")
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

        def dense(G, n):
            rhos, V = eq.irreps(G), eq.trivial(G)
            while V.dim < n:
                V = V + next(rho for rho in rhos[V.dim % len(rhos):] + rhos if rho.dim <= n - V.dim)
            Q = torch.linalg.qr(torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))).Q
            return eq.representation(G, Q @ V.matrix(G.elements) @ Q.mT)"""


def algebra() -> None:
    """Part 1's computations, in a fresh process each time: nothing is cached."""
    print("\nRepresentation theory, and the memory that it adds\n")
    print("| computation | seconds | target | MB |\n|---|---|---|---|")
    for name, (target, code) in ALGEBRA.items():
        lines = "\n".join(line.strip() for line in code.strip().splitlines())
        script = f"""import torch
import equibook as eq
{textwrap.dedent(HELPERS)}
before, start = peak(), time.perf_counter()
{lines}
took = time.perf_counter() - start
memory = peak() - before"""
        runs = [fresh(script, "took, memory") for _ in range(3)]
        took, memory = (median(column) for column in zip(*runs, strict=True))
        print(f"| {name} | {took:.2f} | {target or '–'} | {memory:.0f} |", flush=True)


def fresh(script: str, values: str = "took") -> tuple[float, ...]:
    """The values that a script leaves, from a process of its own."""
    head = "import time, warnings; warnings.simplefilter('ignore')\n"
    # with compiled modules, which an installation has, even where the environment forbids to write them
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": BYTECODE}
    done = subprocess.run(
        [sys.executable, "-c", f"{head}{textwrap.dedent(script)}\nprint({values}, sep=' ')"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return tuple(float(value) for value in done.stdout.splitlines()[-1].split())


if __name__ == "__main__":
    main()

"""How we measure: sides alternate, ratios are taken round by round, and every number is a median."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from equibook.data import Table

WARM = 0.5  # seconds that a side runs before it is measured
TURN = 0.01  # seconds of the first side in a turn: enough for the clock, few enough to alternate often
BYTECODE = str(Path(tempfile.gettempdir()) / "equibook-bytecode")


def machine() -> str:
    """The machine, in words."""
    words = [f"{platform.machine()}, {os.cpu_count()} cores", f"torch {torch.__version__.split('+')[0]}"]
    words += [f"{torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}"]
    if torch.cuda.is_available():
        words.append(torch.cuda.get_device_name())
    if hasattr(os, "getloadavg"):
        words.append(f"load {os.getloadavg()[0]:.1f} at the start")
    return ", ".join(words)


def devices() -> list[torch.device]:
    """The CPU, and CUDA where there is one."""
    return [torch.device("cpu")] + ([torch.device("cuda")] if torch.cuda.is_available() else [])


def shown(title: str, columns: Iterable[str], rows: Iterator[tuple[object, ...]]) -> Table:
    """The table of all rows, each printed as soon as it is measured."""
    print(f"\n{title}\n\n{Table(title, tuple(columns), ())}", flush=True)
    done = []
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        done.append(row)
    return Table(title, tuple(columns), tuple(done))


def alternating(sides: dict[str, Callable[[], None]], device: torch.device, rounds: int) -> dict[str, list[float]]:
    """Seconds a call of each side, round by round; the order within a round alternates."""
    for run in sides.values():
        start = time.perf_counter()
        while time.perf_counter() - start < WARM:  # the first rounds of a run would measure the allocator too
            run()
    turns = max(1, round(TURN / once(next(iter(sides.values())), device)))
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, reverse=number % 2 == 1):
            times[name].append(once(sides[name], device, turns))
    return times


def ratio(times: dict[str, list[float]], a: str, b: str) -> float:
    """The median of a/b over the rounds; NaN where a side is missing."""
    if a not in times or b not in times:
        return float("nan")
    return round(median(p / q for p, q in zip(times[a], times[b], strict=True)), 3)


def milliseconds(times: dict[str, list[float]], name: str) -> float:
    """The median of one side; NaN where it is missing."""
    return round(1e3 * median(times[name]), 3) if name in times else float("nan")


def step(
    layer: nn.Module, x: Tensor, update: Callable[..., torch.optim.Optimizer] = torch.optim.SGD
) -> Callable[[], None]:
    """One train step, as inside a deeper network: the gradient goes on to the input."""
    optimizer = update(layer.parameters(), lr=1e-9)
    with torch.no_grad():
        u = torch.randn_like(layer(x))
    x = x.clone().requires_grad_()

    def run() -> None:
        optimizer.zero_grad()
        x.grad = None
        layer(x).backward(u)
        optimizer.step()

    return run


def evaluation(layer: nn.Module, x: Tensor) -> Callable[[], None]:
    """One call, without gradients."""

    @torch.no_grad()
    def run() -> None:
        layer(x)

    return run


def once(run: Callable[[], None], device: torch.device, turns: int = 1) -> float:
    """Seconds a call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(turns):
        run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / turns


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

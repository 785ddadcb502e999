"""What a layer costs before the first step: building, importing."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import equibook as eq

from .convolutions import GRID, Row, baselines
from .timing import fresh, shown

BUILD, GRID_BUILD, IMPORT = 0.2, 2.0, 0.3  # seconds, targets
LIBRARIES = ("equibook", *(["escnn"] if baselines is not None else []))

#: One layer from a field to itself, the first of its kind in its process.
ONE = {
    "equibook": """
        from tests.benchmarks.convolutions import Row
        row = {row}
        V, k, layer = row.fiber, row.kernel_size, row.layer
        start = time.perf_counter(); layer(V, V, k); took = time.perf_counter() - start""",
    "escnn": """
        from equibook.baselines import field_type
        from escnn.nn import R2Conv
        from tests.benchmarks.convolutions import Row
        row = {row}
        kind, k = field_type(row.fiber), row.kernel_size
        start = time.perf_counter(); R2Conv(kind, kind, k); took = time.perf_counter() - start""",
}
SINGLE = {
    "64 regular fields of D4 at 5 × 5": Row("group", "D4", 64, 5),
    "the same, steerable": Row("steerable", "D4", 64, 5),
    "32 regular fields of C8, steerable": Row("steerable", "C8", 32, 5),
    "32 times the frequencies 0 to 3 of SO(2)": Row("steerable", "SO(2)", 32, 5),
}
#: All layers of the grid, one after the other; each process has imported everything before.
ALL = """
        import torch
        from tests.benchmarks.convolutions import GRID
        makers = [dict(row.layers())["{library}"] for row in GRID if "{kind}" in (row.kind, "whole")]
        start = time.perf_counter(); [make() for make in makers]; took = time.perf_counter() - start"""


def layers() -> eq.data.Table:
    """In fresh processes, so that nothing is cached."""

    def rows() -> Iterator[tuple[object, ...]]:
        cases: list[tuple[str, dict[str, str], float | None, int]] = []
        for name, row in SINGLE.items():
            cases.append((name, {library: ONE[library].format(row=row) for library in LIBRARIES}, BUILD, 7))
        for kind, name in (("group", "group convolutions"), ("steerable", "steerable convolutions")):
            count = sum(row.kind == kind for row in GRID)
            scripts = {library: ALL.format(library=library, kind=kind) for library in LIBRARIES}
            cases.append((f"the {count} {name} of the grid", scripts, None, 3))
        scripts = {library: ALL.format(library=library, kind="whole") for library in LIBRARIES}
        cases.append((f"all {len(GRID)} layers of the grid", scripts, GRID_BUILD, 3))
        for name, scripts, target, times in cases:
            turns = [{library: fresh(scripts[library])[0] for library in LIBRARIES} for _ in range(times)]
            took = {library: median(turn[library] for turn in turns) for library in LIBRARIES}
            theirs = took.get("escnn", float("nan"))
            yield name, round(took["equibook"], 3), target or "–", round(theirs, 2), round(theirs / took["equibook"], 1)

    return shown("Building", ("layers", "equibook s", "target s", "escnn s", "escnn / equibook"), rows())


def imports() -> eq.data.Table:
    """Seconds beyond torch, in a fresh process each time."""

    def rows() -> Iterator[tuple[object, ...]]:
        for name in LIBRARIES:
            script = f"import torch; start = time.perf_counter(); import {name}; took = time.perf_counter() - start"
            yield name, round(median(fresh(script)[0] for _ in range(5)), 3), IMPORT if name == "equibook" else "–"

    return shown("Importing, beyond torch", ("library", "seconds", "target s"), rows())

"""What a layer costs before the first step: building, importing."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

import equibook as eq

from .convolutions import GRID, baselines
from .timing import fresh, shown

BUILD, GRID_BUILD, IMPORT = 0.2, 2.0, 0.3  # seconds, targets
LIBRARIES = ("equibook", *(["escnn"] if baselines is not None else []))

#: One layer from a field to itself: the first of its kind in its process.
ONE = {
    "equibook": """
        import equibook as eq
        V = {fiber}
        start = time.perf_counter(); eq.{layer}(V, V, 5); took = time.perf_counter() - start""",
    "escnn": """
        import equibook as eq
        from equibook.baselines import field_type
        from escnn.nn import R2Conv
        kind = field_type({fiber})
        start = time.perf_counter(); R2Conv(kind, kind, 5); took = time.perf_counter() - start""",
}
SINGLE = {
    "64 regular fields of D4 at 5 × 5": ("GroupConv2d", "64 * eq.regular(eq.dihedral(4))", BUILD),
    "the same, steerable": ("SteerableConv2d", "64 * eq.regular(eq.dihedral(4))", BUILD),
    "32 regular fields of C8, steerable": ("SteerableConv2d", "32 * eq.regular(eq.cyclic(8))", BUILD),
    "32 times the frequencies 0 to 3 of SO(2)": (
        "SteerableConv2d",
        "sum((32 * rho for rho in eq.irreps(eq.so2(), 3)[1:]), start=32 * eq.irreps(eq.so2(), 3)[0])",
        BUILD,
    ),
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
        for name, (layer, fiber, target) in SINGLE.items():
            scripts = {library: ONE[library].format(layer=layer, fiber=fiber) for library in LIBRARIES}
            cases.append((name, scripts, target, 7))
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

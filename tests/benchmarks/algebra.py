"""Part 1's computations, in a fresh process each time: nothing is cached."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from statistics import median

import equibook as eq

from .timing import fresh, shown

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


def algebra() -> eq.data.Table:
    """Seconds, and the memory that a computation adds."""

    def rows() -> Iterator[tuple[object, ...]]:
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
            yield name, round(took, 2), target or "–", round(memory)

    return shown("Representation theory", ("computation", "seconds", "target s", "MB"), rows())

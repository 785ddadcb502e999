"""The fibres and groups that the layers are tested on."""

from __future__ import annotations

import equibook as eq

GRID = (eq.cyclic(1), eq.cyclic(2), eq.cyclic(4), eq.dihedral(1), eq.dihedral(2), eq.dihedral(4))
COMPACT = (eq.so2(), eq.o2(), eq.so3(), eq.o3())
FIBRES = ("trivial", "regular", "irreps", "mixed")


def fibres(G: eq.FiniteGroup, kind: str) -> eq.Representation:
    """A fibre of one of four kinds; "mixed" joins all atoms, with copies and out of order."""
    rhos = eq.irreps(G)
    if kind == "trivial":
        return 2 * eq.trivial(G)
    if kind == "regular":
        return 2 * eq.regular(G)
    if kind == "irreps":
        total = rhos[-1]
        for rho in rhos[1:]:
            total = total + rho
        return total
    return eq.regular(G) + 2 * rhos[len(rhos) // 2] + eq.pixels(G, 2) + eq.trivial(G)


def compact_fibre(G: eq.LieGroup, degree: int = 2) -> eq.Representation:
    """Every irreducible up to a degree, some twice, out of order, and a tensor product."""
    rhos = eq.irreps(G, degree)
    total = 2 * rhos[-1] + 3 * eq.trivial(G)
    for rho in rhos:
        total = total + rho
    return total + rhos[-1] * rhos[1]

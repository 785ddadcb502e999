"""Groups and representations to draw from: what hypothesis picks, and lists for parametrised tests."""

from __future__ import annotations

from hypothesis import strategies as st

import equibook as eq
from equibook import FiniteGroup, Representation

#: One of each construction, small enough to sum over the group by hand.
GROUPS = (
    eq.cyclic(1),
    eq.cyclic(2),
    eq.cyclic(4),
    eq.cyclic(5),
    eq.dihedral(1),
    eq.dihedral(2),
    eq.dihedral(3),
    eq.dihedral(4),
    eq.symmetric(1),
    eq.symmetric(3),
    eq.symmetric(4),
    eq.alternating(4),
    eq.alternating(5),
    eq.quaternion(),
    eq.translations(2, 3),
    eq.translations(3, 1),
    eq.direct_product(eq.cyclic(2), eq.symmetric(3)),
    eq.direct_product(eq.cyclic(4), eq.cyclic(2)),
    eq.permutation_group([(1, 2, 3, 0), (3, 2, 1, 0)]),
    eq.permutation_group([(1, 2, 0, 3, 4), (0, 1, 2, 4, 3)]),
    eq.FiniteGroup(eq.quaternion().table),
)
S5 = eq.symmetric(5)
LARGE = eq.direct_product(eq.symmetric(4), eq.direct_product(eq.quaternion(), eq.cyclic(5)))  # order 960

groups = st.sampled_from(GROUPS)


def atoms(G: FiniteGroup) -> list[Representation]:
    """The representations of G that sums and products are made of."""
    found = [eq.trivial(G), eq.regular(G), *eq.irreps(G)]
    largest = eq.irreps(G)[-1]
    found.append(eq.representation(G, largest.matrix(G.elements)))
    found.append(eq.permutation(G, G.table))
    if G.permutations is not None:
        found.append(eq.permutation(G))
    if eq.is_grid_preserving(G):
        found.append(eq.pixels(G, G.grid or 3))
    return found


@st.composite
def representations(draw: st.DrawFn, G: FiniteGroup, largest: int = 40) -> Representation:
    """n V, V ⊕ W or V ⊗ W of what `atoms` lists, of at most ``largest`` dimensions."""
    choices = [V for V in atoms(G) if V.dim <= largest]
    V = draw(st.sampled_from(choices))
    for _ in range(draw(st.integers(0, 2))):
        n, W = draw(st.integers(1, 3)), draw(st.sampled_from(choices))
        grown = V * W if draw(st.booleans()) else V + n * W
        V = grown if grown.dim <= largest else V
    return V


@st.composite
def pairs(draw: st.DrawFn, largest: int = 24) -> tuple[Representation, Representation]:
    """Two representations of one group."""
    G = draw(groups)
    return draw(representations(G, largest)), draw(representations(G, largest))

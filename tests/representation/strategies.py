"""Groups and representations to draw from: what hypothesis picks, and lists for parametrised tests."""

from __future__ import annotations

import torch
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
    eq.tetrahedral(),
    eq.tetrahedral(reflections=True),
    eq.semidirect_product(eq.translations(3, 3), eq.cyclic(4)),
    eq.semidirect_product(eq.cyclic(3), eq.cyclic(4), [[0, 1, 2], [0, 2, 1], [0, 1, 2], [0, 2, 1]]),
    eq.subgroup(eq.dihedral(4), [2, 5]),
    eq.subgroup(eq.symmetric(4), [1, 6]),
)
S5 = eq.symmetric(5)
LARGE = eq.direct_product(eq.symmetric(4), eq.direct_product(eq.quaternion(), eq.cyclic(5)))  # order 960

groups = st.sampled_from(GROUPS)


@st.composite
def subgroups(draw: st.DrawFn, most: int = 2) -> FiniteGroup:
    """A subgroup that at most ``most`` random elements generate."""
    G = draw(groups)
    return eq.subgroup(G, draw(st.lists(st.sampled_from(G.elements), max_size=most)))


def on_cosets(H: FiniteGroup) -> Representation:
    """The permutation of the cosets of a subgroup by its parent."""
    G, rows = H.parent, eq.cosets(H)
    assert G is not None
    number = torch.zeros(G.order, dtype=torch.long)
    number[rows] = torch.arange(len(rows))[:, None]
    return eq.permutation(G, number[G.table[:, rows[:, 0]]])


@st.composite
def actions(draw: st.DrawFn) -> Representation:
    """A group that permutes points: its own, its elements, pixels, cosets of a subgroup, or pairs of these."""
    H = draw(subgroups())
    G = H.parent
    assert G is not None
    choices = [eq.trivial(G), eq.regular(G), on_cosets(H)]
    if G.permutations is not None:
        choices.append(eq.permutation(G))
    if eq.is_grid_preserving(G):
        choices.append(eq.pixels(G, G.grid or 3))
    V, W = draw(st.sampled_from(choices)), draw(st.sampled_from(choices))
    return V * W if V.dim * W.dim <= 80 and draw(st.booleans()) else V


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

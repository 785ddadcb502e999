"""Subgroups, their cosets, and groups built from a normal subgroup and a second one.

A subgroup is a group of its own, which remembers where it lies: ``H.parent`` is the larger group,
and element h of H is the element ``H.inclusion[h]`` of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from .grids import is_grid_preserving, pixels
from .groups import MAX_ORDER, FiniteGroup, expect_finite, whole

__all__ = ["cosets", "is_normal", "semidirect_product", "subgroup"]


def subgroup(G: FiniteGroup, generators: Iterable[int]) -> FiniteGroup:
    r"""The subgroup ⟨S⟩ ≤ G: all products of the given elements and their inverses.

    The identity is element 0 and the others have the order that they have in G, so equal subgroups
    are equal, whatever generates them. It moves the plane, space and points as G
    does.

    Args:
        G: the group.
        generators: elements of G; none of them gives the subgroup {e}.

    Returns:
        A group H with ``H.parent`` = G and ``H.inclusion``, (order of H,), its elements in G.

    Raises:
        ValueError: if a generator is not an element of G.

    >>> from equibook import dihedral
    >>> H = subgroup(dihedral(4), [2, 6])
    >>> H.order, H.inclusion.tolist()
    (4, [0, 2, 4, 6])
    >>> H
    subgroup(dihedral(4), [2, 4])

    Chapter: Symmetry and groups
    """
    if not isinstance(generators, Iterable):
        raise TypeError(f"subgroup takes a list of elements, as in subgroup(G, [{generators}]); got {generators!r}.")
    chosen = expect_finite(G, "subgroup").batch(generators if isinstance(generators, Tensor) else list(generators))[0]
    reached = [torch.tensor([G.identity]), *(children for _, _, children in G.tree(chosen.tolist()))]
    elements = torch.cat(reached)
    elements = elements[torch.where(elements == G.identity, -1, elements).argsort()]
    number = torch.zeros(G.order, dtype=torch.long)
    number[elements] = torch.arange(len(elements))
    H = FiniteGroup(
        number[G.table[elements][:, elements]],
        plane=None if G.plane is None else G.plane[elements],
        space=None if G.space is None else G.space[elements],
        permutations=None if G.permutations is None else G.permutations[elements],
        parent=G,
        inclusion=elements,
    )
    H.name = f"subgroup({G}, {elements[list(H.generators)].tolist()})"
    return H


def cosets(H: FiniteGroup) -> Tensor:
    r"""The left cosets gH = {gh : h ∈ H} of a subgroup, which share out its parent.

    Args:
        H: a subgroup, as `subgroup` or `stabilizer` makes it.

    Returns:
        (index, order of H): row i holds the elements g_i·h of the parent, h in the order of H, so
        the first column holds the representatives g_i. The first row is H; g_i is the smallest
        element that no row before contains.

    Raises:
        ValueError: if H was not made as a subgroup.

    >>> from equibook import dihedral
    >>> cosets(subgroup(dihedral(4), [4])).tolist()             # {e, s} and its cosets
    [[0, 4], [1, 5], [2, 6], [3, 7]]

    Chapter: Symmetry and groups
    """
    G, elements = _expect_subgroup(H, "cosets")
    every = G.table[:, elements]  # row g is gH
    smallest = every.amin(dim=1)
    smallest[elements] = -1  # H comes first, and g_1 is the identity
    representatives = smallest.unique()
    representatives[0] = G.identity
    return every[representatives]


def is_normal(H: FiniteGroup) -> bool:
    r"""Whether gHg⁻¹ = H for every g of the parent, that is, whether gH = Hg.

    Args:
        H: a subgroup, as `subgroup` or `stabilizer` makes it.

    Raises:
        ValueError: if H was not made as a subgroup.

    >>> from equibook import dihedral
    >>> is_normal(subgroup(dihedral(4), [1])), is_normal(subgroup(dihedral(4), [4]))
    (True, False)

    Chapter: Symmetry and groups
    """
    G, elements = _expect_subgroup(H, "is_normal")
    return all(
        torch.equal(G.table[G.table[s, elements], G.inverse[s]].sort().values, elements.sort().values)
        for s in G.generators
    )


def _expect_subgroup(H: FiniteGroup, function: str) -> tuple[FiniteGroup, Tensor]:
    expect_finite(H, function)
    if H.parent is None or H.inclusion is None:
        raise ValueError(f"{function}(H) takes a subgroup, as in {function}(subgroup(dihedral(4), [1])); {H} is none.")
    return H.parent, H.inclusion


def semidirect_product(
    N: FiniteGroup, H: FiniteGroup, action: Tensor | Sequence[Sequence[int]] | None = None
) -> FiniteGroup:
    r"""The semidirect product N ⋊ H: pairs (n, h) with (n, h)(m, k) = (n·φ_h(m), hk).

    Element n·|H| + h is the pair (n, h).

    Args:
        N: the group that is moved; it becomes a normal subgroup.
        H: the group that moves it.
        action: (order of H, order of N); ``action[h, n]`` = φ_h(n). Each φ_h is an automorphism of
            N and φ_hk = φ_h φ_k. It may be left out for the translations of a grid and a group that
            maps this grid to itself, such as cyclic(4) or dihedral(4): then h turns the direction
            of a translation, φ_h(t) = ht, and the products are the symmetries p4 and p4m of a
            wrapped grid.

    Returns:
        The group. Where the action was left out, its ``permutations`` are those of the pixels,
        row-major: (t, h) moves them by h as in `pixels`, about the middle of the grid, and then by
        t. On a grid of fewer than three rows or columns some elements move the pixels alike.

    Raises:
        ValueError: if the action is none by automorphisms; names the elements that fail.

    >>> from equibook import cyclic, permutation, translations
    >>> p4 = semidirect_product(translations(5, 5), cyclic(4))
    >>> p4.order, permutation(p4).dim
    (100, 25)
    >>> C3, C2 = cyclic(3), cyclic(2)
    >>> len(semidirect_product(C3, C2, [[0, 1, 2], [0, 2, 1]]).classes)        # S_3
    3

    Chapter: Symmetry and groups
    """
    for factor in (N, H):
        expect_finite(factor, "semidirect_product")
    if N.order * H.order > MAX_ORDER:
        raise ValueError(
            f"{N} ⋊ {H} has {N.order * H.order} elements, more than the {MAX_ORDER} that equibook stores; "
            "take smaller groups."
        )
    name, permutations = f"semidirect_product({N}, {H}", None
    if action is None:
        phi, permutations = _turned_translations(N, H)
        name += ")"
    else:
        phi = whole(action, "The entries of action")
        _check_automorphisms(N, H, phi)
        name += f", {phi.tolist()})"
    # indices n, h, m, k of the pairs (n, h) and (m, k)
    left = N.table[torch.arange(N.order)[:, None, None], phi]
    table = left[:, :, :, None] * H.order + H.table[None, :, None, :]
    order = N.order * H.order
    return FiniteGroup(table.reshape(order, order), name=name, permutations=permutations)


def _turned_translations(N: FiniteGroup, H: FiniteGroup) -> tuple[Tensor, Tensor]:
    """φ_h(t) = hth⁻¹ as permutations of the pixels, and the permutations of all pairs (t, h)."""
    if N.grid is None or H.plane is None or not is_grid_preserving(H):
        raise ValueError(
            f"{N} ⋊ {H} needs action, an (order of H, order of N) table of φ_h(n). It may be left out for "
            "translations(n, n) and a group that maps the grid to itself, as cyclic(4) and dihedral(4) do."
        )
    moved, turned = pixels(N, N.grid).images, pixels(H, N.grid).images
    assert moved is not None and turned is not None
    # A translation is known by where it sends pixel 0, and its number is that pixel's.
    phi = turned.gather(1, moved[:, turned[H.inverse, 0]].mT)
    return phi, moved[:, turned].flatten(0, 1)


def _check_automorphisms(N: FiniteGroup, H: FiniteGroup, phi: Tensor) -> None:
    if phi.shape != (H.order, N.order):
        raise ValueError(
            f"action has a row for each of the {H.order} elements of {H} and a column for each of the "
            f"{N.order} of {N}; got shape {tuple(phi.shape)}."
        )
    wrong = (phi.sort(dim=1).values != torch.arange(N.order)).any(dim=1)
    if wrong.any():
        raise ValueError(f"φ_{int(wrong.nonzero()[0])} is no permutation of the elements of {N}.")
    for s in (N.identity, *N.generators):
        wrong = phi[:, N.table[:, s]] != N.table[phi, phi[:, [s]]]
        if wrong.any():
            h, n = wrong.nonzero()[0].tolist()
            raise ValueError(f"φ_{h} is no automorphism of {N}: φ({n}·{s}) differs from φ({n})·φ({s}).")
    for s in (H.identity, *H.generators):
        wrong = (phi[H.table[:, s]] != phi[:, phi[s]]).any(dim=1)
        if wrong.any():
            h = int(wrong.nonzero()[0])
            raise ValueError(f"Not an action of {H}: φ_{h} after φ_{s} differs from φ_{H.multiply(h, s)}.")

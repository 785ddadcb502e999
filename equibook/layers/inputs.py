"""What layers ask of their inputs and of the representations on them."""

from __future__ import annotations

from torch import Tensor

from ..representation import Representation

__all__: list[str] = []


def expect_representation(V: Representation, layer: str) -> Representation:
    """V itself; an error that names the layer if V is something else, say a number of channels."""
    if not isinstance(V, Representation):
        raise TypeError(f"{layer} takes representations, as in trivial(G) or 8 * regular(G); got {V!r}.")
    return V


def check_channels(x: Tensor, V: Representation, field: bool = False) -> None:
    """Raise an error unless x is (batch, V.dim, ...), or (batch, V.dim, h, w) for a field."""
    if x.ndim < 2 or x.shape[1] != V.dim or (field and x.ndim != 4):
        raise ValueError(f"Expected (batch, {V.dim}, {'h, w' if field else '...'}) for {V}; got {tuple(x.shape)}.")


def permutes_basis(V: Representation, up_to_signs: bool = False) -> bool:
    """Whether each ρ(g) permutes the coordinates of each copy in V, possibly changing their signs."""
    return all(_permutes(atom, up_to_signs) for atom, _ in V.summands)


def _permutes(V: Representation, up_to_signs: bool) -> bool:
    if V.images is not None:
        return True
    matrices = V.matrix((V.group.identity, *V.group.generators))  # products of permutations are permutations
    entries = matrices.abs() if up_to_signs else matrices
    # An orthogonal matrix whose entries are 0 and ±1 has one of them nonzero in each row and column.
    return bool((entries.abs().lt(1e-9) | (entries - 1).abs().lt(1e-9)).all())


def require_permutation(V: Representation, layer: str) -> None:
    """Raise an error that names the layer if V does not permute its channels."""
    for atom, _ in V.summands:
        if not permutes_basis(atom):
            raise ValueError(
                f"{layer} treats each channel alike, and {atom} mixes channels with other weights than 0 and 1. "
                f"Use it on sums of regular({V.group}), trivial({V.group}) and permutation representations."
            )

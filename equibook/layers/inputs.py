"""What layers ask of their inputs and of the representations on them."""

from __future__ import annotations

from torch import Tensor

from ..representation import FiniteGroup, LieGroup, Representation

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


class Channels:
    """How the channels of V = ⊕ n_i V_i lie, in plain numbers, which torch.compile can look at.

    Attributes:
        representation: V.
        dim: V.dim.
        shapes: for each summand the number of its copies, the fields, and their dimension: (n_i, V_i.dim).
        fields: Σ n_i.
    """

    def __init__(self, V: Representation) -> None:
        self.representation, self.dim = V, V.dim
        self.shapes = [(n, atom.dim) for atom, n in V.summands]
        self.fields = sum(n for n, _ in self.shapes)

    def check(self, x: Tensor, field: bool = False) -> None:
        """Raise an error unless x is (batch, V.dim, ...), or (batch, V.dim, h, w) for a field."""
        if x.ndim < 2 or x.shape[1] != self.dim or (field and x.ndim != 4):
            check_channels(x, self.representation, field)

    def split(self, x: Tensor) -> list[Tensor]:
        """The channels of each summand n_i V_i, as (batch, n_i, V_i.dim, ...)."""
        pieces = x.split([n * d for n, d in self.shapes], dim=1)
        return [piece.unflatten(1, shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def share_out(self, numbers: Tensor) -> list[Tensor]:
        """One number for each field along axis 0, cut into those of each summand."""
        return list(numbers.split([n for n, _ in self.shapes]))


def like_channels(values: Tensor, x: Tensor) -> Tensor:
    """Numbers with axes (fields, ...) viewed so that they multiply x, (batch, fields, ...), from its axis 1 on."""
    return values.view(*values.shape, *(1 for _ in range(x.ndim - 1 - values.ndim)))


def permutes_basis(V: Representation, up_to_signs: bool = False) -> bool:
    """Whether each ρ(g) permutes the coordinates of each copy in V, possibly changing their signs."""
    return all(_permutes(atom, up_to_signs) for atom, _ in V.summands)


def _permutes(V: Representation, up_to_signs: bool) -> bool:
    G = V.group
    if V.images is not None:
        return True
    if isinstance(G, LieGroup):
        # There are finitely many signed permutations, so on a connected group only a constant ρ is one.
        if float(V.differential().abs().amax()) > 1e-9:
            return False
        matrices = V.matrix(G.components)
    else:
        matrices = V.matrix((G.identity, *G.generators))  # products of permutations are permutations
    entries = matrices.abs() if up_to_signs else matrices
    # An orthogonal matrix whose entries are 0 and ±1 has one of them nonzero in each row and column.
    return bool((entries.abs().lt(1e-9) | (entries - 1).abs().lt(1e-9)).all())


def permutation_fields(V: Representation) -> str:
    """The representations of the group of V that permute coordinates, in words for an error."""
    G = V.group
    if isinstance(G, FiniteGroup):
        return f"regular({G}), trivial({G})"
    return f"trivial({G})" if isinstance(G, LieGroup) else f"permutation({G}), trivial({G})"


def require_permutation(V: Representation, layer: str, instead: str = "") -> None:
    """Raise an error that names the layer, and what to use instead, if V does not permute its channels."""
    for atom, _ in expect_representation(V, layer).summands:
        if not permutes_basis(atom):
            raise ValueError(
                f"{layer} treats each channel alike, and {atom} mixes channels with other weights than 0 and 1. "
                f"Use it on sums of {permutation_fields(V)} and permutation representations{instead}."
            )

r"""Nonlinearities, and which representations they commute with.

A function σ of one real variable, applied to each coordinate, commutes with an orthogonal ρ in these cases
and, if it is measurable, in no other:

- every ρ(g) permutes the coordinates, and σ is any function;
- every ρ(g) permutes them up to signs, and σ is odd, σ(−x) = −σ(x);
- σ is affine, ax + b, with b = 0 unless every ρ(g) keeps the vector (1, …, 1).

The reason is one line. If two entries a, b of a row of ρ(g) are not 0, then σ(ax + by) is a function of x plus
one of y for all x and y, which is Cauchy's equation, and its measurable solutions are affine. So an orthogonal
ρ(g) has one entry ±1 in each row, and where it is −1, σ is odd. `Pointwise` refuses the rest.

On any other representation a nonlinearity uses what is invariant: lengths (`NormReLU`, `NormGate`) or further
channels (`GatedPointwise`); or it multiplies (`TensorSquare`); or it goes to a basis that the group permutes
(`FourierPointwise`, in `fourier`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..representation import LieGroup, Representation, trivial
from .inputs import (
    Channels,
    expect_representation,
    like_channels,
    permutation_fields,
    permutes_basis,
)
from .weights import IntertwinerWeight

__all__ = [
    "GatedPointwise",
    "NormGate",
    "NormReLU",
    "Pointwise",
    "TensorSquare",
    "commuting_functions",
]

Function = Callable[[Tensor], Tensor]

FUNCTIONS: dict[str, Function] = {
    "elu": F.elu,
    "gelu": F.gelu,
    "leaky_relu": F.leaky_relu,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
}
ODD = {"tanh"}


def commuting_functions(V: Representation) -> str:
    r"""Which functions σ of one real variable, applied to each coordinate, commute with every ρ(g).

    By the theorem above there are four cases. The first that holds is returned:

    - "all": ρ permutes the coordinates.
    - "odd": ρ permutes them up to signs; σ commutes if and only if σ(−x) = −σ(x).
    - "affine": ρ keeps (1, …, 1); σ commutes if and only if σ(x) = ax + b.
    - "linear": σ commutes if and only if σ(x) = ax.

    Args:
        V: any representation of a finite or compact group.

    Returns:
        "all", "odd", "affine" or "linear", the class of all measurable functions that commute. A signed
        permutation that keeps (1, …, 1) has no sign, so that the classes do not overlap.

    >>> from equibook import cyclic, irreps, regular
    >>> G = cyclic(4)
    >>> [commuting_functions(V) for V in (3 * regular(G), irreps(G)[2], irreps(cyclic(3))[1])]
    ['all', 'odd', 'linear']

    Chapter: Linear layers and nonlinearities, Steerable convolution

    Reference: Wood and Shawe-Taylor (1996).
    """
    atoms = [atom for atom, _ in expect_representation(V, "commuting_functions").summands]
    if all(permutes_basis(atom) for atom in atoms):
        return "all"
    if all(permutes_basis(atom, up_to_signs=True) for atom in atoms):
        return "odd"
    ones = (torch.ones(atom.dim, 1, dtype=torch.float64) for atom in atoms)
    kept = all(
        torch.allclose((trivial(V.group) >> atom).project(one), one, atol=1e-9)
        for atom, one in zip(atoms, ones, strict=True)
    )
    return "affine" if kept else "linear"


class Pointwise(nn.Module):
    r"""The map x ↦ (σ(x_1), …, σ(x_n)), on a representation that it commutes with.

    Args:
        source: V; must permute its basis, up to signs if σ is odd; see `commuting_functions`.
        function: "relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "softplus" or "tanh", or
            any function of one real variable applied to tensors.
        odd: whether a function of your own satisfies σ(−x) = −σ(x).

    Input and output (batch, V.dim, ...).

    Raises:
        ValueError: if σ does not commute with V; says which part of V, which row of which matrix, and what to use.
            Or if σ is said to be odd and is not.

    >>> from equibook import cyclic, irreps, regular
    >>> Pointwise(regular(cyclic(4)), "relu")(torch.tensor([[-1.0, 0.0, 1.0, 2.0]])).tolist()
    [[0.0, 0.0, 1.0, 2.0]]
    >>> Pointwise(irreps(cyclic(4))[2], "tanh").target          # a sign: tanh is odd
    irreps(cyclic(4))[2]

    Chapter: Linear layers and nonlinearities, Group convolution
    """

    def __init__(self, source: Representation, function: str | Function = "relu", *, odd: bool = False) -> None:
        super().__init__()
        known = isinstance(function, str)
        self.name, function, odd = named(function, odd)
        if odd and not known:
            _check_odd(self.name, function)
        for atom, _ in expect_representation(source, "Pointwise").summands:
            _check_commutes(atom, self.name, odd)
        self.source = self.target = source
        self.channels = Channels(source)
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        return self.function(x)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.name}"


def named(function: str | Function, odd: bool = False) -> tuple[str, Function, bool]:
    """The name of a function, the function, and whether it is odd."""
    if not isinstance(function, str):
        return getattr(function, "__name__", repr(function)), function, odd
    if function not in FUNCTIONS:
        raise ValueError(f"Unknown function {function!r}; known are {', '.join(FUNCTIONS)}, or pass a callable.")
    return function, FUNCTIONS[function], function in ODD


def _check_odd(name: str, function: Function) -> None:
    """Raise an error unless σ(−t) = −σ(t) at some t: a wrong claim would break the symmetry without a word."""
    parameters = function.parameters() if isinstance(function, nn.Module) else iter(())
    t = torch.linspace(0.1, 3.0, 30).unsqueeze(1).to(next(parameters, torch.zeros(())))
    with torch.no_grad():
        left, right = function(-t), -function(t)
    if not torch.allclose(left, right, atol=1e-5):
        k = int((left - right).abs().flatten().argmax())
        raise ValueError(
            f"{name} is not odd: at x = {float(t[k]):.2g}, σ(−x) = {float(left[k]):.2g} and −σ(x) = "
            f"{float(right[k]):.2g}. Leave out odd=True."
        )


def _check_commutes(V: Representation, name: str, odd: bool) -> None:
    if permutes_basis(V, up_to_signs=odd):
        return
    hint = "" if odd or name in FUNCTIONS else f" If {name} is odd, σ(−x) = −σ(x), say odd=True."
    error = ValueError(
        f"{name}, applied to each coordinate, does not commute with {V}, whose matrices are not permutations"
        f"{' up to signs' if odd else ''}. NormReLU commutes with every representation; {name} commutes with "
        f"{permutation_fields(V)} and their sums.{hint}"
    )
    error.add_note(_witness(V))
    if not odd and permutes_basis(V, up_to_signs=True):
        error.add_note(
            f"The matrices of {V} are permutations up to signs: odd functions commute with it, as tanh does."
        )
    error.add_note(
        "NormGate, GatedPointwise and TensorSquare commute with every representation too, and FourierPointwise "
        f"applies {name} to functions on the group whose Fourier coefficients the channels are."
    )
    raise error


def _witness(V: Representation) -> str:
    """The row of a matrix of V with which no such function commutes, in words."""
    if isinstance(V.group, LieGroup):
        if float(V.differential().abs().amax()) > 1e-9:
            return (
                f"The matrices of {V} change continuously with the group element, and permutations up to signs cannot: "
                "some row has two entries that are not 0, and only affine functions commute with it."
            )
        elements: tuple[Any, ...] = tuple(V.group.components)
    else:
        elements = V.group.generators
    sign = ""
    for k, g in enumerate(elements):
        name = f"component {k}" if isinstance(V.group, LieGroup) else f"element {g}"
        for i, row in enumerate(V.matrix(g)):
            entries = [float(a) for a in row if abs(float(a)) > 1e-9]
            if len(entries) > 1:
                shown = ", ".join(f"{a:.2f}" for a in entries[:4]) + (", …" if len(entries) > 4 else "")
                return (
                    f"Row {i} of the matrix of {name} has {len(entries)} entries that are not 0: {shown}. Only affine "
                    "functions commute with it."
                )
            if entries[0] < 0 and not sign:
                sign = f"Row {i} of the matrix of {name} has the entry −1. Only odd functions commute with it."
    return sign


class NormReLU(nn.Module):
    r"""The map x ↦ ReLU(‖x‖ − b) · x/‖x‖ on each summand, which commutes with every orthogonal ρ.

    Args:
        source: V = ⊕ n_i V_i; each copy of V_i has its own learnable threshold b, which starts at 0.1
            and counts as 0 where training makes it negative.

    Input and output (batch, V.dim, ...).

    >>> from equibook import cyclic, irreps
    >>> layer = NormReLU(3 * irreps(cyclic(8))[1])
    >>> layer(torch.randn(5, 6)).shape
    torch.Size([5, 6])

    Chapter: Linear layers and nonlinearities, Group convolution
    """

    def __init__(self, source: Representation) -> None:
        super().__init__()
        self.source = self.target = expect_representation(source, "NormReLU")
        self.channels = Channels(source)
        self.threshold = nn.Parameter(torch.full((self.channels.fields,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        pieces = []
        for copies, b in zip(self.channels.split(x), self.channels.share_out(self.threshold), strict=True):
            norm = copies.norm(dim=2, keepdim=True)
            b = like_channels(b, norm)
            # x/‖x‖ has no value at 0; the tiny floor makes the map 0 there, and its gradient finite.
            floor = torch.finfo(x.dtype).tiny ** 0.5
            pieces.append((copies * F.relu(norm - b.clamp_min(0)) / norm.clamp_min(floor)).flatten(1, 2))
        return torch.cat(pieces, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}"


class NormGate(nn.Module):
    r"""The map x ↦ φ(‖x‖ − b) x on each summand: a field is its own gate.

    Args:
        source: V = ⊕ n_i V_i; each copy of V_i has its own learnable b, which starts at 0.
        function: φ, a name that `Pointwise` knows or a function of your own. "sigmoid" lets long vectors
            through and halves short ones; "squash" is φ(r) = r/(1 + r²), without b, so that every vector
            gets shorter than 1.

    It is differentiable where φ is, at x = 0 too.

    Input and output (batch, V.dim, ...).

    >>> from equibook import irreps, so3
    >>> layer = NormGate(8 * irreps(so3(), 1)[1])
    >>> layer(torch.randn(5, 24)).shape
    torch.Size([5, 24])

    Chapter: Linear layers and nonlinearities

    Reference: Worrall, Garbin, Turmukhambetov and Brostow (2017); Sabour, Frosst and Hinton (2017) for "squash".
    """

    def __init__(self, source: Representation, function: str | Function = "sigmoid") -> None:
        super().__init__()
        self.source = self.target = expect_representation(source, "NormGate")
        self.name, self.function = ("squash", _squash) if function == "squash" else named(function)[:2]
        self.channels = Channels(source)
        self.shift = None if self.name == "squash" else nn.Parameter(torch.zeros(self.channels.fields))

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        pieces, start = [], 0
        for copies in self.channels.split(x):
            norm = copies.norm(dim=2)
            if self.shift is not None:
                norm = norm - like_channels(self.shift[start : start + copies.shape[1]], norm)
            pieces.append((copies * self.function(norm).unsqueeze(2)).flatten(1, 2))
            start += copies.shape[1]
        return torch.cat(pieces, dim=1)

    def extra_repr(self) -> str:
        return f"{self.source}, {self.name}"


def _squash(r: Tensor) -> Tensor:
    return r / (1 + r.square())


class GatedPointwise(nn.Module):
    r"""σ on the fields that the group permutes, and on each other field x_c a factor φ(s_c) from a channel s_c.

    s ⊕ y ⊕ x ↦ σ(y) ⊕ φ(s_c) x_c. The gates s are invariant channels that the layer before has to make: its
    target is ``source``.

    Args:
        target: W = ⊕ n_j W_j, the representation on the output. Copies of W_j that permute their basis pass
            through σ; each other copy has a gate.
        function: σ, as for `Pointwise`.
        gate: φ, likewise.

    Attributes:
        source: one trivial representation for each gate, and then W.
        gates: how many gates there are.

    Input (batch, source.dim, ...); output (batch, W.dim, ...).

    >>> from equibook import Linear, irreps, so2, trivial
    >>> G = so2()
    >>> layer = GatedPointwise(4 * trivial(G) + 2 * irreps(G, 1)[1])
    >>> layer.source
    6 * trivial(so2()) + 2 * irreps(so2(), 1)[1]
    >>> torch.nn.Sequential(Linear(trivial(G), layer.source), layer)(torch.randn(5, 1)).shape
    torch.Size([5, 8])

    Chapter: Linear layers and nonlinearities, Steerable convolution

    Reference: Weiler, Geiger, Welling, Boomsma and Cohen (2018).
    """

    def __init__(
        self, target: Representation, function: str | Function = "relu", gate: str | Function = "sigmoid"
    ) -> None:
        super().__init__()
        self.target = expect_representation(target, "GatedPointwise")
        (self.name, self.function, _), (self.gate_name, self.gate, _) = named(function), named(gate)
        self._permuted = [permutes_basis(atom) for atom, _ in target.summands]
        self.gates = sum(n for (_, n), permuted in zip(target.summands, self._permuted, strict=True) if not permuted)
        self.source = self.gates * trivial(target.group) + target if self.gates else target
        self.channels, self._after = Channels(self.source), Channels(target)

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        factors = self.gate(x[:, : self.gates])
        pieces, start = [], 0
        for copies, permuted in zip(self._after.split(x[:, self.gates :]), self._permuted, strict=True):
            if permuted:
                pieces.append(self.function(copies).flatten(1, 2))
            else:
                factor = factors[:, start : start + copies.shape[1]]
                pieces.append((copies * factor.unsqueeze(2)).flatten(1, 2))
                start += copies.shape[1]
        return torch.cat(pieces, dim=1)

    def extra_repr(self) -> str:
        return f"{self.target}, {self.name}, {self.gate_name}"


class TensorSquare(nn.Module):
    r"""The quadratic map x ↦ A(x ⊗ Bx), copy by copy, with B ∈ Hom_G(V, V) and A ∈ Hom_G(⊕ n_i V_i ⊗ V_i, W).

    Products are the nonlinearity that every representation has: v ⊗ w turns by ρ(g) ⊗ ρ(g), and A picks
    out of it what turns like W. B mixes the copies first, so that every two copies of one V_i meet. It is
    homogeneous of degree 2; add its output to that of a linear layer.

    Args:
        source: V = ⊕ n_i V_i.
        target: W.
        generator: draws A and B.

    Input (batch, V.dim, ...); output (batch, W.dim, ...).

    >>> from equibook import irreps, so3
    >>> scalar, vector = irreps(so3(), 1)
    >>> layer = TensorSquare(4 * vector, 2 * scalar + 3 * vector)     # dot and cross products
    >>> layer(torch.randn(5, 12)).shape
    torch.Size([5, 11])

    Chapter: Linear layers and nonlinearities

    Reference: Kondor, Lin and Trivedi (2018).
    """

    def __init__(
        self, source: Representation, target: Representation, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.source = expect_representation(source, "TensorSquare")
        self.target = expect_representation(target, "TensorSquare")
        (atom, n), *others = source.summands
        squares = sum((m * (V * V) for V, m in others), start=n * (atom * atom))
        self.mix = IntertwinerWeight(source, source, generator=generator)
        self.weight = IntertwinerWeight(squares, target, generator=generator)
        self.channels = Channels(source)
        self._shape = target.dim, squares.dim

    def forward(self, x: Tensor) -> Tensor:
        self.channels.check(x)
        partner = on_channels(self.mix(self.channels.dim, self.channels.dim), x)
        products = []
        for u, v in zip(self.channels.split(x), self.channels.split(partner), strict=True):
            products.append((u.unsqueeze(3) * v.unsqueeze(2)).flatten(1, 3))
        return on_channels(self.weight(*self._shape), torch.cat(products, dim=1))

    def extra_repr(self) -> str:
        return f"{self.source}, {self.target}"


def on_channels(A: Tensor, x: Tensor) -> Tensor:
    """A matrix on axis 1."""
    return torch.einsum("ij,bj...->bi...", A, x)

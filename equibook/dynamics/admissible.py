r"""Admissible layers 𝓛, the equivariant ones E = 𝓛 ∩ Hom_G among them, and the distance to E.

A layer's weights fill an affine space 𝓛 = A_0 + T𝓛 of linear maps: all of Hom(V, W), or the
filters with a given support, or A_0 + Lc for any parametrization L. The projectors Π_𝓛 onto T𝓛 and
Π_G onto Hom_G decide what augmentation does to training: E is invariant if they commute.

`LayerSpace` is the space of one layer, as maps between one pair of fields V → W. `AdmissibleSpace`
is that of a network, over the dict of its weights as PyTorch stores them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor, nn

from ..representation import Hom

__all__ = ["AdmissibleSpace", "LayerSpace"]

#: The weights of a network, by parameter name; each may have leading member axes.
Weights = Mapping[str, Tensor]

#: The largest dim V · dim W for which projectors are stored as matrices (72 MB in float64).
LARGEST_AMBIENT = 3_000

#: Singular values below this count as zero; those of projectors are cosines of angles, of size 1.
TOLERANCE = 1e-9


class LayerSpace:
    r"""The admissible maps of one layer, the affine space 𝓛 = {A_0 + Σ_i c_i L_i} ⊂ Hom(V, W).

    A layer with many channels is a grid of such maps, one for each pair of fields, all in the same 𝓛.
    The methods take maps (..., W.dim, V.dim); `project` and `precondition` take directions, in T𝓛 or
    to be brought there, the others points of 𝓛.

    Args:
        hom: V >> W for one pair of fields; a convolution's is ``pixels(G, k) * V >> W``.
        parametrization: L, (p, W.dim, V.dim), linearly independent, orthonormal or not; None for all
            of Hom(V, W), fully connected.
        origin: A_0, (W.dim, V.dim); None for 0.
        kernel_size: of a convolution, (k, k) or k for short; () for a linear layer.

    Raises:
        ValueError: if shapes do not match hom, or L is linearly dependent, or E is empty, or
            V.dim · W.dim is above 3,000 for a space that is not all of Hom(V, W).

    >>> from equibook import cyclic, pixels, trivial
    >>> G = cyclic(4)
    >>> full = LayerSpace(pixels(G, 3) >> trivial(G), kernel_size=3)
    >>> full.dim, full.equivariant().dim, full.is_compatible
    (9, 3, True)

    Chapter: Compatibility

    Reference: Nordenfors, Ohlsson and Flinth (2025).
    """

    def __init__(
        self,
        hom: Hom,
        parametrization: Tensor | None = None,
        origin: Tensor | None = None,
        kernel_size: int | Sequence[int] = (),
    ) -> None:
        self.hom = hom
        self.shape = (hom.target.dim, hom.source.dim)
        self.kernel_size = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        if hom.source.dim % math.prod(self.kernel_size):
            raise ValueError(
                f"A kernel of size {self.kernel_size} needs a source pixels * V of dimension "
                f"{math.prod(self.kernel_size)} · dim V; {hom.source} has dimension {hom.source.dim}."
            )
        self.parametrization = None if parametrization is None else self._checked_parametrization(parametrization)
        self.origin = torch.zeros(self.shape, dtype=torch.float64)
        if origin is not None:
            self.origin = torch.as_tensor(origin).detach().to("cpu", torch.float64)
            if self.origin.shape != self.shape:
                raise ValueError(f"The origin of maps {hom} has shape {self.shape}; got {tuple(self.origin.shape)}.")
        self._cache: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}
        if origin is not None:
            _ = self._equivariant_origin  # so that an empty E is noticed here

    @classmethod
    def from_support(cls, hom: Hom, mask: Tensor | Sequence[Sequence[bool]]) -> LayerSpace:
        r"""The filters that vanish outside a support Ω: T𝓛 = {A : A[o, (p, i)] = 0 for p ∉ Ω}.

        Args:
            hom: pixels(G, k) * V >> W.
            mask: (k, k), true on Ω.

        >>> from equibook import cyclic, pixels, trivial
        >>> G = cyclic(4)
        >>> skew = LayerSpace.from_support(pixels(G, 3) >> trivial(G), [[1, 1, 0], [1, 0, 1], [0, 1, 0]])
        >>> skew.dim, skew.equivariant().dim, round(skew.commutator(), 3)
        (5, 1, 0.433)

        Chapter: Compatibility
        """
        support = torch.as_tensor(mask, dtype=torch.bool)
        pixels = support.numel()
        if pixels == 0 or hom.source.dim % pixels:
            raise ValueError(
                f"A support of shape {tuple(support.shape)} needs a source pixels * V of dimension "
                f"{pixels} · dim V; {hom.source} has dimension {hom.source.dim}."
            )
        if not support.any():
            raise ValueError("The support is empty; at least one entry of the mask must be true.")
        rows, columns = hom.target.dim, hom.source.dim
        _check_ambient(hom)
        kept = support.flatten().repeat_interleave(columns // pixels).expand(rows, columns).flatten()
        units = torch.eye(rows * columns, dtype=torch.float64)[kept]
        return cls(hom, units.unflatten(1, (rows, columns)), kernel_size=tuple(support.shape))

    @classmethod
    def from_basis(cls, hom: Hom, L: Tensor, kernel_size: int | Sequence[int] = ()) -> LayerSpace:
        """The span of the maps L (p, W.dim, V.dim), with L as its parametrization.

        >>> from equibook import cyclic, regular
        >>> V = regular(cyclic(4))
        >>> layer = LayerSpace.from_basis(V >> V, 2 * (V >> V).basis())
        >>> layer.dim, layer.is_orthonormal, layer.is_compatible
        (4, False, True)

        Chapter: Compatibility
        """
        return cls(hom, L, kernel_size=kernel_size)

    @property
    def dim(self) -> int:
        """dim 𝓛, the number p of parameters of one map."""
        return math.prod(self.shape) if self.parametrization is None else len(self.parametrization)

    @property
    def equivariant_dim(self) -> int:
        """dim E."""
        return self.hom.dim if self.parametrization is None else self._equivariant_directions.shape[1]

    @cached_property
    def is_orthonormal(self) -> bool:
        """Whether L*L = 1, so that descent in the parameters c is descent in A."""
        if self.parametrization is None:
            return True
        L = self.parametrization.flatten(1)
        return torch.allclose(L @ L.mT, torch.eye(len(L), dtype=L.dtype), rtol=0, atol=TOLERANCE)

    @property
    def is_compatible(self) -> bool:
        """Whether Π_𝓛 and Π_G commute; equivalently Π_G T𝓛 ⊂ T𝓛, or Π_𝓛 Π_G = Π_E."""
        return self.commutator() < TOLERANCE

    @cached_property
    def tangent(self) -> LayerSpace:
        """T𝓛: the same directions through the origin 0."""
        return LayerSpace(self.hom, self.parametrization, kernel_size=self.kernel_size)

    def equivariant(self) -> LayerSpace:
        """E = 𝓛 ∩ Hom_G as a space of its own, with an orthonormal parametrization."""
        basis = self._equivariant_directions.mT.unflatten(1, self.shape)
        return LayerSpace(self.hom, basis, self._equivariant_origin, self.kernel_size)

    def project(self, A: Tensor) -> Tensor:
        """Π_𝓛 A, the orthogonal projection of a direction A (..., W.dim, V.dim) onto T𝓛."""
        return A if self.parametrization is None else self._apply("admissible", A)

    def precondition(self, gradient: Tensor) -> Tensor:
        """LL*∇, how A moves when c descends: c ← c − ηL*∇ gives A ← A − ηLL*∇. Equals Π_𝓛∇ if L*L = 1."""
        return gradient if self.parametrization is None else self._apply("parametrized", gradient)

    def project_equivariant(self, A: Tensor) -> Tensor:
        """Π_E A, the nearest point of E."""
        return self._apply("equivariant", A)

    def perpendicular(self, A: Tensor) -> Tensor:
        """Π_{E^⊥} A, the part in T𝓛 orthogonal to E; A − Π_E A for A in 𝓛."""
        return self._apply("perpendicular", A)

    def distance(self, A: Tensor) -> Tensor:
        """dist(A, E) = ‖A − Π_E A‖: (...) for A (..., W.dim, V.dim)."""
        return torch.linalg.vector_norm(A - self.project_equivariant(A), dim=(-2, -1))

    def commutator(self) -> float:
        r"""‖[Π_𝓛, Π_G]‖ (operator norm), 0 if compatible and ½ at most.

        Between T𝓛 and its complement the commutator of two projectors has the blocks
        (1 − Π_𝓛)Π_GΠ_𝓛 and minus its adjoint, so its norm is that of one block: how far Π_G takes
        unit vectors of T𝓛 out of T𝓛.
        """
        if self.parametrization is None:
            return 0.0
        averaged = self._average(self._directions)
        outside = averaged - self._directions @ (self._directions.mT @ averaged)
        return float(torch.linalg.matrix_norm(outside, ord=2)) if self.dim else 0.0

    def __repr__(self) -> str:
        return f"<LayerSpace: dim 𝓛 = {self.dim} in {self.hom}, dim E = {self.equivariant_dim}>"

    def _checked_parametrization(self, parametrization: Tensor) -> Tensor:
        _check_ambient(self.hom)
        L = torch.as_tensor(parametrization).detach().to("cpu", torch.float64)
        if L.ndim != 3 or L.shape[1:] != self.shape:
            raise ValueError(
                f"A parametrization of maps {self.hom} has shape (p, {self.shape[0]}, {self.shape[1]}); "
                f"got {tuple(L.shape)}."
            )
        rank = int(torch.linalg.matrix_rank(L.flatten(1))) if len(L) else 0
        if rank < len(L):
            raise ValueError(
                f"The {len(L)} maps of the parametrization span only {rank} dimensions; drop the dependent ones."
            )
        return L

    @cached_property
    def _directions(self) -> Tensor:
        """An orthonormal basis of T𝓛, in columns: (V.dim · W.dim, p)."""
        if self.parametrization is None:
            return torch.eye(math.prod(self.shape), dtype=torch.float64)
        L = self.parametrization.flatten(1).mT
        # An orthonormal L is kept as it is: unit filters stay exact.
        return L if self.is_orthonormal else torch.linalg.qr(L).Q

    @cached_property
    def _equivariant_directions(self) -> Tensor:
        """An orthonormal basis of TE, in columns: the combinations of Hom_G's that lie in T𝓛."""
        B = self.hom.basis().flatten(1).mT
        if self.parametrization is None:
            return B
        outside = B - self._directions @ (self._directions.mT @ B)
        _, sines, combinations = torch.linalg.svd(outside, full_matrices=True)
        inside = torch.nn.functional.pad(sines, (0, B.shape[1] - len(sines))) < TOLERANCE
        return B @ combinations[inside].mT

    @cached_property
    def _equivariant_origin(self) -> Tensor:
        """The point of E nearest to A_0."""
        start = self.origin.flatten()[:, None]
        Q = self._directions
        # A_0 + Qc lies in Hom_G if (1 − Π_G)Qc = −(1 − Π_G)A_0.
        left, right = Q - self._average(Q), self._average(start) - start
        point = start + Q @ (torch.linalg.pinv(left, rtol=TOLERANCE) @ right)
        missing = float((point - self._average(point)).norm())
        if missing > TOLERANCE * max(1.0, float(start.norm())):
            raise ValueError(
                f"No map of 𝓛 = A_0 + T𝓛 is equivariant: the nearest to Hom_G is {missing:.3g} away, so "
                "E is empty. Choose an origin A_0 in Hom_G (or one that T𝓛 can correct)."
            )
        return point[:, 0].unflatten(0, self.shape)

    def _average(self, columns: Tensor) -> Tensor:
        """Π_G of each column: (V.dim · W.dim, n)."""
        return self.hom.project(columns.mT.unflatten(1, self.shape)).flatten(1).mT

    def _apply(self, name: str, A: Tensor) -> Tensor:
        """One of the maps A ↦ PA + b below."""
        if A.shape[-2:] != self.shape:
            raise ValueError(f"Maps {self.hom} have shape (…, {self.shape[0]}, {self.shape[1]}); got {tuple(A.shape)}.")
        if math.prod(self.shape) > LARGEST_AMBIENT:  # then 𝓛 = Hom(V, W), and no matrix is formed
            nearest = self.hom.project(A)
            return nearest if name == "equivariant" else A - nearest
        moved = A.flatten(-2) @ self._constant(name, A)
        if name in ("equivariant", "perpendicular") and self.origin.any():
            moved = moved + self._constant(f"{name} offset", A)
        return moved.unflatten(-1, self.shape)

    def _constant(self, name: str, like: Tensor) -> Tensor:
        """A matrix or an offset in A's dtype and on its device; training asks for it at every step."""
        key = (name, like.dtype, like.device)
        if key not in self._cache:
            with torch.inference_mode(False), torch.no_grad():
                self._cache[key] = self._exact(name).to(like.device, like.dtype)
        return self._cache[key]

    def _exact(self, name: str) -> Tensor:
        """The symmetric matrices of the projectors, and what makes them affine, in float64."""
        if name == "parametrized":
            assert self.parametrization is not None
            L = self.parametrization.flatten(1)
            return L.mT @ L
        if name == "admissible":
            return self._directions @ self._directions.mT
        if name == "equivariant":
            return self._equivariant_directions @ self._equivariant_directions.mT
        if name == "perpendicular":
            return self._exact("admissible") - self._exact("equivariant")
        point = self._equivariant_origin.flatten()
        if name == "equivariant offset":  # o + P(A − o) = PA + (o − Po)
            return point - self._exact("equivariant") @ point
        return -self._exact("perpendicular") @ point


class AdmissibleSpace:
    r"""The admissible weights of a network, 𝓛 = ⊕ 𝓛_i over its layers, and E = 𝓛 ∩ Hom_G.

    Weights stay as PyTorch stores them, a dict by parameter name. A weight is read as a grid of maps:
    (O·dim W, I·dim V) of a linear layer and (O·dim W, I·dim V, k, k) of a convolution hold one map
    V → W, or pixels ⊗ V → W, for each of the O × I pairs of fields. A parameter whose name ends in
    ``bias``, (O·dim W), is a map trivial(G) → W. Weights may have leading axes, of an ensemble's
    members; then numbers come one a member.

    Args:
        layers: a `LayerSpace` for each trainable parameter.

    >>> from equibook import cyclic, pixels, trivial
    >>> G = cyclic(4)
    >>> network = nn.Sequential(nn.Conv2d(1, 8, 3, bias=False), nn.Tanh())
    >>> space = AdmissibleSpace({"0.weight": LayerSpace(pixels(G, 3) >> trivial(G), kernel_size=3)})
    >>> A = space.random_equivariant(network, generator=torch.Generator().manual_seed(0))
    >>> bool(space.distance(A) < 1e-6), bool(space.distance(space.weights(network)) < 1e-6)
    (True, False)

    Chapter: Compatibility

    Reference: Nordenfors, Ohlsson and Flinth (2025).
    """

    def __init__(self, layers: Mapping[str, LayerSpace]) -> None:
        if not layers:
            raise ValueError("An admissible space needs at least one layer: {parameter name: LayerSpace}.")
        for name, layer in layers.items():
            if not isinstance(layer, LayerSpace):
                raise TypeError(f"{name!r} needs a LayerSpace; got {type(layer).__name__}.")
            if _is_bias(name) and layer.hom.source.dim != 1:
                raise ValueError(f"The bias {name!r} is a map trivial(G) >> W; got {layer.hom}.")
        if len({layer.hom.source.group for layer in layers.values()}) > 1:
            raise ValueError("The layers of a network carry representations of one group; these carry several.")
        self.layers = dict(layers)

    # Numbers and properties

    @property
    def is_orthonormal(self) -> bool:
        """Whether every layer's parametrization is orthonormal."""
        return all(layer.is_orthonormal for layer in self.layers.values())

    @property
    def is_compatible(self) -> bool:
        """Whether Π_𝓛 and Π_G commute on every layer."""
        return all(layer.is_compatible for layer in self.layers.values())

    def commutator(self) -> float:
        """‖[Π_𝓛, Π_G]‖ in operator norm, the largest over the layers."""
        return max(layer.commutator() for layer in self.layers.values())

    def distance(self, A: Weights) -> Tensor:
        """dist(A, E) = (Σ_i ‖A_i − Π_E A_i‖²)^½, one number a member."""
        return self.drift(A, self.project_equivariant(A))

    def drift(self, A: Weights, B: Weights) -> Tensor:
        """‖A − B‖ over all layers, one number a member."""
        self._check_names(A)
        self._check_names(B)
        differences = ((A[name] - B[name]).flatten(-self._axes(name)) for name in self.layers)
        norms = [torch.linalg.vector_norm(difference, dim=-1) for difference in differences]
        return torch.linalg.vector_norm(torch.stack(norms), dim=0)

    def members(self, A: Weights) -> int | None:
        """The number of members that A holds, or None if A has no member axis.

        Raises:
            ValueError: if the weights have different numbers of members, or several member axes.
        """
        self._check_names(A)
        leading = {tuple(A[name].shape[: A[name].ndim - self._axes(name)]) for name in self.layers}
        if len(leading) > 1 or len(shape := leading.pop()) > 1:
            shapes = {name: tuple(A[name].shape) for name in self.layers}
            raise ValueError(f"All weights need the same one leading member axis, or none; got {shapes}.")
        return shape[0] if shape else None

    # Directions

    def project(self, directions: Weights) -> dict[str, Tensor]:
        """Π_𝓛 of a direction, onto T𝓛."""
        return self._map(LayerSpace.project, directions)

    def precondition(self, gradient: Weights) -> dict[str, Tensor]:
        """LL*∇, how A moves when its parameters descend; Π_𝓛∇ for an orthonormal parametrization."""
        return self._map(LayerSpace.precondition, gradient)

    # Points

    def project_equivariant(self, A: Weights) -> dict[str, Tensor]:
        """Π_E A, the nearest equivariant weights."""
        return self._map(LayerSpace.project_equivariant, A)

    def perpendicular(self, A: Weights) -> dict[str, Tensor]:
        """Π_{E^⊥} A, the part of A in T𝓛 orthogonal to E; for directions use ``space.tangent``."""
        return self._map(LayerSpace.perpendicular, A)

    # Spaces

    @cached_property
    def tangent(self) -> AdmissibleSpace:
        """T𝓛: the same directions through 0."""
        return AdmissibleSpace({name: layer.tangent for name, layer in self.layers.items()})

    def equivariant(self) -> AdmissibleSpace:
        """E as a space of its own, with an orthonormal parametrization: to descend within it."""
        return AdmissibleSpace({name: layer.equivariant() for name, layer in self.layers.items()})

    # Networks

    def weights(self, network: nn.Module) -> dict[str, Tensor]:
        """A copy of a network's weights, {name: tensor}.

        Raises:
            ValueError: if a weight's shape is not that of a grid of maps V → W, or the network has a
                trainable parameter that the space does not name.
        """
        parameters = dict(network.named_parameters())
        missing = [name for name in self.layers if name not in parameters]
        if missing:
            raise ValueError(f"The network has no parameters {missing}; it has {list(parameters)}.")
        extra = [name for name, p in parameters.items() if p.requires_grad and name not in self.layers]
        if extra:
            raise ValueError(
                f"The admissible space does not say where the parameters {extra} live: give each a "
                "LayerSpace, or freeze it with requires_grad_(False)."
            )
        A = {name: parameters[name].detach().clone() for name in self.layers}
        for name, weight in A.items():
            if weight.ndim != self._axes(name):
                raise ValueError(
                    f"{name!r} has shape {tuple(weight.shape)}; with maps {self.layers[name].hom} and kernel_size "
                    f"{self.layers[name].kernel_size} it has {self._axes(name)} axes. Give LayerSpace its kernel_size."
                )
            self._maps(name, weight)
        return A

    def random_equivariant(
        self,
        network: nn.Module,
        generator: torch.Generator | None = None,
        members: int | None = None,
        gain: float = 1.0,
    ) -> dict[str, Tensor]:
        r"""Gaussian weights in E that preserve variance: rows of A have E‖row‖² = gain²; biases are 0.

        Args:
            network: its parameters give shapes, dtype and device; it is not changed.
            generator: of the random draws.
            members: length of a leading member axis, each member with a draw of its own; None for no axis.
            gain: as in `torch.nn.init`; PyTorch's default for layers has gain 3^(−½).

        Returns:
            Weights (members, *shape) or (*shape) for each parameter; for an affine 𝓛 they are the
            point of E nearest to A_0 plus a Gaussian in TE.
        """
        A = {}
        for name, weight in self.weights(network).items():
            layer = self.layers[name]
            noise = torch.zeros if _is_bias(name) else _normal(generator)
            maps = self._maps(name, noise(self._members_first(members, weight), dtype=torch.float64))
            variance = gain**2 * layer.shape[0] / (maps.shape[-3] * max(1, layer.equivariant_dim))
            drawn = layer.tangent.project_equivariant(variance**0.5 * maps)
            if layer.origin.any():
                drawn = drawn + layer._equivariant_origin
            A[name] = self._weight(name, drawn).to(weight.device, weight.dtype)
        return A

    def perturb(self, A: Weights, scale: float, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """A + σΠ_{E^⊥}ξ with standard Gaussian ξ: a small push away from E.

        Args:
            A: weights, with or without a member axis.
            scale: σ, the standard deviation of ξ in each coordinate of T𝓛 orthogonal to E.
            generator: of the random draws.
        """
        self._check_names(A)
        noise = {
            name: _normal(generator)(A[name].shape, dtype=torch.float64).to(A[name].device, A[name].dtype)
            for name in self.layers
        }
        pushed = self.tangent.perpendicular(noise)
        return {name: A[name] + scale * pushed[name] for name in self.layers}

    def __repr__(self) -> str:
        return f"<AdmissibleSpace: {', '.join(f'{name}: {layer!r}' for name, layer in self.layers.items())}>"

    def _map(self, method: Callable[[LayerSpace, Tensor], Tensor], A: Weights) -> dict[str, Tensor]:
        self._check_names(A)
        return {
            name: self._weight(name, method(layer, self._maps(name, A[name]))) for name, layer in self.layers.items()
        }

    def _axes(self, name: str) -> int:
        """The number of axes of a parameter of one network."""
        return 1 if _is_bias(name) else 2 + len(self.layers[name].kernel_size)

    def _maps(self, name: str, weight: Tensor) -> Tensor:
        """A weight as a grid of maps between pairs of fields: (..., O, I, W.dim, V.dim)."""
        layer = self.layers[name]
        rows, columns = layer.shape
        if weight.ndim < self._axes(name):
            raise ValueError(f"{name!r} has {self._axes(name)} axes or more; got shape {tuple(weight.shape)}.")
        if _is_bias(name):
            weight = weight.unsqueeze(-1)
        kernel = layer.kernel_size
        channels = columns // math.prod(kernel)
        outputs, inputs, *size = weight.shape[weight.ndim - 2 - len(kernel) :]
        if tuple(size) != kernel or outputs % rows or inputs % channels:
            expected = ", ".join(["…", f"O·{rows}", f"I·{channels}", *map(str, kernel)])
            raise ValueError(f"{name!r} of maps {layer.hom} has shape ({expected}); got {tuple(weight.shape)}.")
        if not kernel:
            return weight.unflatten(-1, (-1, channels)).unflatten(-3, (-1, rows)).transpose(-3, -2)
        grid = weight.flatten(-len(kernel))  # (..., O·W, I·V, pixels)
        if rows == channels == 1:
            return grid.unsqueeze(-2)
        grid = grid.unflatten(-2, (-1, channels)).unflatten(-4, (-1, rows))  # (..., O, W, I, V, pixels)
        return grid.movedim(-4, -3).transpose(-2, -1).flatten(-2)

    def _weight(self, name: str, maps: Tensor) -> Tensor:
        """The inverse of `_maps`."""
        layer = self.layers[name]
        rows, columns = layer.shape
        if _is_bias(name):
            return maps.transpose(-3, -2).flatten(-4)
        if not layer.kernel_size:
            return maps.transpose(-3, -2).flatten(-2).flatten(-3, -2)
        if columns != math.prod(layer.kernel_size) or rows != 1:
            maps = maps.unflatten(-1, (math.prod(layer.kernel_size), -1)).transpose(-2, -1)
            maps = maps.movedim(-3, -4).flatten(-3, -2).flatten(-4, -3)  # (..., O·W, I·V, pixels)
        else:
            maps = maps.squeeze(-2)
        return maps.unflatten(-1, layer.kernel_size)

    def _members_first(self, members: int | None, weight: Tensor) -> tuple[int, ...]:
        return tuple(weight.shape) if members is None else (members, *weight.shape)

    def _check_names(self, A: Weights) -> None:
        if A.keys() != self.layers.keys():
            raise ValueError(f"Weights need the names {list(self.layers)} of the space; got {list(A)}.")


def _is_bias(name: str) -> bool:
    return name.rsplit(".", 1)[-1] == "bias"


def _normal(generator: torch.Generator | None) -> Callable[..., Tensor]:
    device = "cpu" if generator is None else generator.device

    def draw(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        return torch.randn(shape, dtype=dtype, device=device, generator=generator).cpu()

    return draw


def _check_ambient(hom: Hom) -> None:
    ambient = hom.source.dim * hom.target.dim
    if ambient > LARGEST_AMBIENT:
        raise ValueError(
            f"Maps {hom} have {ambient:,} entries; a parametrization is stored for at most {LARGEST_AMBIENT:,}. "
            "A LayerSpace is that of one pair of fields, not of all channels; without a parametrization "
            "(all of Hom(V, W)) it may be larger."
        )

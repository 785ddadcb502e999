r"""How far from equivariant, to first order and layer by layer; and turning images by any angle.

The Lie derivative of f compares "turn a little, then apply f" with "apply f, then turn a little". It is
linear in f, it is 0 for all X ∈ 𝔤 and all x if and only if f commutes with the rotations that exponentials
generate, and by the chain rule the derivative of a network is a sum with one term for each layer.

Pixels do not go to pixels under a rotation by 10°, so a field is interpolated, and the interpolation has an
error of its own. It is small where the field is smooth on the scale of a pixel, and it is cut off
where the image ends; so we compare on the disc that turns into itself, and fade images out toward its rim.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..representation import FiniteGroup, LieGroup, Representation, act, is_grid_preserving
from .convolution import FieldConv2d
from .folding import fold

__all__ = ["LayerErrors", "act_interpolated", "equivariance_by_layer", "lie_derivative", "local_equivariance_error"]

Function = Callable[[Tensor], Tensor]


def act_interpolated(V: Representation, g: int | Tensor, x: Tensor) -> Tensor:
    r"""The action of g on fields, f ↦ ρ_V(g) f(g⁻¹·), where g turns the plane by any angle.

    Values between pixels come from the cubic interpolation of their 4 × 4 neighbors, which is exact for
    polynomials of degree 2 and can be differentiated once; outside of the image, the field is 0. Quarter
    turns and flips agree with `act` to round-off.

    Args:
        V: the representation on the channels, of SO(2), O(2) or a finite group of the plane.
        g: an element of V.group; of a compact group, its matrix.
        x: (batch, V.dim, h, w) fields; or (batch, V.dim) vectors, which any group turns, without an error.

    Returns:
        A tensor like x.

    Raises:
        ValueError: if x has another shape, or if V.group does not act on the plane.

    >>> from equibook import act, cyclic, so2, trivial
    >>> x = torch.randn(1, 1, 5, 5)
    >>> y = act_interpolated(trivial(so2()), so2().exp(torch.pi / 2), x)
    >>> torch.allclose(y, act(trivial(cyclic(4)), 1, x), atol=1e-5)
    True

    Chapter: Measuring equivariance

    Reference: Keys (1981).
    """
    if x.ndim not in (2, 4) or x.shape[1] != V.dim:
        raise ValueError(f"Expected (batch, {V.dim}) or (batch, {V.dim}, h, w) for {V}; got {tuple(x.shape)}.")
    mixed = torch.einsum("ij,bj...->bi...", V.matrix(g).to(x), x)
    return mixed if x.ndim == 2 else _turn(mixed, _on_the_plane(V, g).to(x))


def lie_derivative(function: Function, source: Representation, target: Representation, x: Tensor) -> Tensor:
    r"""The Lie derivative 𝓓_X f(x) = d/dt|₀ ρ_W(exp tX)⁻¹ f(ρ_V(exp tX) x) for a basis of the Lie algebra.

    By the chain rule this is Df(x)[dρ_V(X)x] − dρ_W(X)f(x). One pass of forward-mode differentiation computes
    it, exactly. On fields, dρ(X) also moves the pixels, by the derivative of `act_interpolated`:
    f ↦ dρ(X)f − ∇f · Xx, with central differences. It knows nothing of reflections.

    Args:
        function: f, a module or any function of a batch that torch can differentiate.
        source: V, a representation of so2(), o2(), so3() or o3() on the input (batch, V.dim) or, in the plane,
            (batch, V.dim, h, w).
        target: W, the representation on the output.
        x: a batch of inputs. Images should vanish toward their edges: they continue as 0.

    Returns:
        (k, *f(x).shape), one for each of the k basis elements of ``source.group.algebra``. It has gradients: its
        square is a penalty to train with.

    Raises:
        TypeError: if the group is finite.

    >>> from equibook import NormReLU, irreps, so3
    >>> V = irreps(so3(), 1)[1]
    >>> x = torch.tensor([[1.0, 2.0, 3.0]])
    >>> lie_derivative(NormReLU(V), V, V, x).abs().max() < 1e-5
    tensor(True)
    >>> lie_derivative(torch.square, V, V, x).norm(dim=-1).flatten().tolist()     # not equivariant
    [3.0, 8.54..., 5.83...]

    Chapter: Measuring equivariance

    Reference: Gruver, Finzi, Goldblum and Wilson (2023).
    """
    source._same_group(target)
    pairs = [_pushforward(function, x, velocity) for velocity in _velocities(source, x)]
    return torch.stack([moved for _, moved in pairs]) - _velocities(target, pairs[0][0])


def local_equivariance_error(function: Function, source: Representation, target: Representation, x: Tensor) -> float:
    r"""The relative size of the Lie derivative, (Σ_X ‖𝓓_X f(x)‖²)^½ / ‖f(x)‖ over an orthonormal basis of 𝔤.

    In the plane, for a small rotation by an angle ε, ε times this is about what `equivariance_error` finds; in
    space it is a bound, to first order, over all axes. Images are faded out toward the rim of the largest disc
    inside, and fields compared on that disc.

    Args:
        function, source, target, x: as for `lie_derivative`.

    Returns:
        0 up to round-off, and up to interpolation on fields, if and only if f commutes with
        rotations to first order on the batch.

    >>> from equibook import irreps, so2
    >>> V = irreps(so2(), 1)[1]
    >>> local_equivariance_error(lambda x: x * x.norm(dim=1, keepdim=True), V, V, torch.randn(9, 2)) < 1e-5
    True

    Chapter: Measuring equivariance
    """
    x = fade(x)
    derivative = lie_derivative(function, source, target, x).detach()
    with torch.no_grad():
        scale = float(on_disc(function(x)).norm()) or 1.0
    return float(on_disc(derivative).norm()) / scale


@dataclass(frozen=True)
class LayerErrors:
    """Where a network loses equivariance: one part for each layer; made by `equivariance_by_layer`.

    Attributes:
        names: of the steps, "0 Conv2d", "0 Conv2d, padding", …
        kinds: what each does: "convolution", "padding", "sampling", "nonlinearity", "normalization", "mean", …
        parts: (steps, k, *output) what each step adds to the error of the output; their sum is the
            error of the whole. Fields that were interpolated are 0 outside of the disc.
        scale: ‖f(x)‖.

    Chapter: Measuring equivariance
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    parts: Tensor
    scale: float

    @property
    def errors(self) -> tuple[float, ...]:
        """The size of each part, relative to the output."""
        return tuple(self._size(part) for part in self.parts)

    @property
    def total(self) -> float:
        """The size of the sum of all parts, relative to the output; the parts can cancel in it."""
        return self._size(self.parts.sum(dim=0))

    def by_kind(self) -> dict[str, float]:
        """The size of the sum of the parts of each kind, relative to the output, the largest first."""
        found = {}
        for kind in dict.fromkeys(self.kinds):
            chosen = torch.tensor([k == kind for k in self.kinds], device=self.parts.device)
            found[kind] = self._size(self.parts[chosen].sum(dim=0))
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def _size(self, part: Tensor) -> float:
        return float(part.norm()) / self.scale

    def __str__(self) -> str:
        rows: list[tuple[str, str, float]] = [
            *zip(self.names, self.kinds, self.errors, strict=True),
            ("all", "", self.total),
        ]
        widths = [max(len(name) for name, _, _ in rows), max(len(kind) for _, kind, _ in rows)]
        return "\n".join(f"{name:{widths[0]}}  {kind:{widths[1]}}  {error:.1e}" for name, kind, error in rows)


def equivariance_by_layer(
    network: nn.Sequential,
    source: Representation,
    x: Tensor,
    representations: Sequence[Representation | None] | None = None,
    *,
    element: int | Tensor | None = None,
) -> LayerErrors:
    r"""Where f = f_L ∘ … ∘ f_1 loses equivariance: its Lie derivative, layer by layer.

    The chain rule says 𝓓_X f = Σ_l D(f_L ∘ … ∘ f_{l+1}) 𝓓_X f_l: what layer l breaks, as the layers behind it
    pass it on. For one element g there is a sum like it, Σ_l f_{>l}(f_l(g x_{l−1})) − f_{>l}(g f_l(x_{l−1})),
    which is f(gx) − g f(x). A convolution with padding and stride counts as up to three steps: padding
    with 0, the convolution itself, and sampling. Put the network into evaluation mode first.

    Args:
        network: f, a sequence of layers.
        source: V, the representation on the input, of a compact group or, with an element, of any.
        x: (batch, V.dim), or (batch, V.dim, h, w) fields. Images that are to be interpolated are faded out first.
        representations: for each layer the one on its output. What is None or not given is the layer's
            own ``target`` or, if it has none and keeps the number of channels, the one on its input.
        element: g, for the error of one element in place of the Lie derivative.

    Returns:
        The parts; ``print`` shows a table.

    Raises:
        ValueError: if the representation on the output of a layer is not known; names the layer.

    >>> from equibook import SteerableConv2d, irreps, so2, trivial
    >>> G = so2()
    >>> V = 2 * trivial(G) + 2 * irreps(G, 1)[1]
    >>> f = nn.Sequential(SteerableConv2d(trivial(G), V, 5), nn.ReLU()).double()
    >>> bump = torch.exp(-((torch.arange(15.0) - 7) / 3).square()).double()
    >>> found = equivariance_by_layer(f, trivial(G), (bump[:, None] * bump)[None, None])
    >>> max(found.by_kind(), key=found.by_kind().get)
    'nonlinearity'

    Chapter: Measuring equivariance

    Reference: Gruver, Finzi, Goldblum and Wilson (2023).
    """
    steps = _steps(network, source, representations)
    G = source.group
    interpolated = element is None or not _is_exact(G, x)
    x = fade(x) if interpolated else x
    layers = [layer for _, _, layer, _ in steps]
    inputs = [x]
    with torch.no_grad():
        for layer in layers:
            inputs.append(layer(inputs[-1]))
    parts = []
    before = source
    for l, (name, _, layer, after) in enumerate(steps):
        rest = nn.Sequential(*layers[l + 1 :])
        try:
            if element is None:
                lost = lie_derivative(layer, before, after, inputs[l]).detach()
                part = torch.stack([_pushforward(rest, inputs[l + 1], v)[1].detach() for v in lost])
            else:
                with torch.no_grad():
                    turned = rest(layer(act_on(before, element, inputs[l])))
                    part = (turned - rest(act_on(after, element, inputs[l + 1])))[None]
        except Exception as error:
            error.add_note(f"This was step {name!r}, from {before} to {after}.")
            raise
        parts.append(on_disc(part) if interpolated else part)
        before = after
    y = on_disc(inputs[-1]) if interpolated else inputs[-1]
    return LayerErrors(
        names=tuple(step[0] for step in steps),
        kinds=tuple(step[1] for step in steps),
        parts=torch.stack(parts),
        scale=float(y.norm()) or 1.0,
    )


#: What the layers of a file do: of torch.nn.modules, and of equibook.layers.
KINDS = {
    "activation": "nonlinearity",
    "nonlinearities": "nonlinearity",
    "fourier": "nonlinearity",
    "conv": "convolution",
    "convolution": "convolution",
    "steerable": "convolution",
    "padding": "padding",
    "pooling": "sampling",
    "upsampling": "sampling",
    "batchnorm": "normalization",
    "normalization": "normalization",
    "linear": "linear",
    "dropout": "dropout",
}

#: Layers that do something else than the others of their file.
ROLES = {
    "AdaptiveAvgPool2d": "mean",
    "GlobalAvgPool2d": "mean",
    "GroupPool": "nonlinearity",
    "NormPool": "nonlinearity",
    "Sample": "sampling",
    "SpatialNorm": "normalization",
}

Step = tuple[str, str, nn.Module, Representation]


def _steps(
    network: nn.Sequential, source: Representation, representations: Sequence[Representation | None] | None
) -> list[Step]:
    """Name, kind, module and target of each step; convolutions in up to three."""
    if not isinstance(network, nn.Sequential) or not len(network):
        raise TypeError(f"A network to take apart is an nn.Sequential of layers; got {type(network).__name__}.")
    given = [None] * len(network) if representations is None else list(representations)
    if len(given) != len(network):
        raise ValueError(f"{len(network)} layers have as many representations on their outputs; got {len(given)}.")
    found: list[Step] = []
    before = source
    for (name, layer), W in zip(network.named_children(), given, strict=True):
        after = getattr(layer, "target", None) if W is None else W
        if not isinstance(after, Representation):
            if getattr(layer, "out_channels", getattr(layer, "out_features", before.dim)) != before.dim:
                raise ValueError(
                    f"Layer {name}, {layer}, has no .target and changes the number of channels: name the "
                    f"representation on its output, representations[{len(found)}]."
                )
            after = before
        label = f"{name} {type(layer).__name__}"
        plain = fold(layer) if isinstance(layer, FieldConv2d) else layer
        if isinstance(plain, nn.Conv2d) and plain.padding_mode == "zeros" and not isinstance(plain.padding, str):
            found += _split(label, plain, before, after)
        else:
            called = type(layer).__name__
            kind = ROLES.get(called) or KINDS.get(type(layer).__module__.rpartition(".")[2], called)
            found.append((label, kind, layer, after))
        before = after
    return found


def _split(label: str, layer: nn.Conv2d, before: Representation, after: Representation) -> list[Step]:
    found: list[Step] = []
    assert isinstance(layer.padding, tuple)
    if any(layer.padding):
        rows, columns = layer.padding
        pad = nn.ZeroPad2d((columns, columns, rows, rows))
        found.append((f"{label}, padding", "padding", pad, before))
    inner = _Bare(layer)
    found.append((label, "convolution", inner, after))
    if any(s > 1 for s in layer.stride):
        found.append((f"{label}, stride", "sampling", Sample(layer.stride), after))
    return found


class _Bare(nn.Module):
    """A convolution without its padding and its stride."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        c = self.layer
        return nn.functional.conv2d(x, c.weight, c.bias, dilation=c.dilation, groups=c.groups)


class Sample(nn.Module):
    """Every s-th pixel, beginning with the first: what a stride does, symmetric or not."""

    def __init__(self, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.rows, self.columns = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :: self.rows, :: self.columns]

    def extra_repr(self) -> str:
        return f"{self.rows}, {self.columns}"


# ---- how elements act ----------------------------------------------------------------------


def act_on(V: Representation, g: int | Tensor, x: Tensor) -> Tensor:
    """The action of g on vectors or fields: exact where the grid allows, else interpolated."""
    if _is_exact(V.group, x) and isinstance(V.group, FiniteGroup):
        return act(V, int(g), x)
    return act_interpolated(V, g, x)


def _is_exact(G: object, *tensors: Tensor) -> bool:
    """Whether nothing has to be interpolated to turn these."""
    return all(x.ndim != 4 for x in tensors) or (isinstance(G, FiniteGroup) and is_grid_preserving(G))


def fade(x: Tensor) -> Tensor:
    """Images that fall to 0 from half the radius of the largest disc inside to its rim; vectors as they are."""
    if x.ndim != 4:
        return x
    r = _radius(x)
    return x * torch.cos(math.pi / 2 * (2 * r - 1).clamp(0, 1)).square()


def on_disc(y: Tensor) -> Tensor:
    """Fields (..., h, w) of at least four axes, 0 outside of the largest disc inside; vectors as they are."""
    return y * (_radius(y) <= 1) if y.ndim >= 4 else y


def _radius(x: Tensor) -> Tensor:
    """(h, w): the distance of each pixel from the center, 1 at the middle of the nearest edges."""
    rows, columns = _coordinates(x)
    return torch.hypot(rows, columns) / (min(x.shape[-2:]) / 2)


def _coordinates(x: Tensor) -> tuple[Tensor, Tensor]:
    """(h, w) each: the second and the first coordinate of each pixel, from the center; row 0 is on top."""
    h, w = x.shape[-2:]
    rows = (h - 1) / 2 - torch.arange(h, device=x.device, dtype=x.dtype)
    columns = torch.arange(w, device=x.device, dtype=x.dtype) - (w - 1) / 2
    return rows[:, None].expand(h, w), columns.expand(h, w)


def _on_the_plane(V: Representation, g: int | Tensor) -> Tensor:
    """The 2 × 2 matrix by which g moves the pixels."""
    G = V.group
    if isinstance(G, LieGroup) and G.size == 2:
        return torch.as_tensor(g, dtype=torch.float64)
    if isinstance(G, FiniteGroup) and G.plane is not None:
        return G.plane[G.index(int(g))]
    raise ValueError(f"Images turn by a group of the plane, cyclic(n), dihedral(n), so2() or o2(); got {G}.")


def _turn(x: Tensor, R: Tensor) -> Tensor:
    """f ↦ f(R⁻¹·): (..., h, w) resampled."""
    h, w = x.shape[-2:]
    second, first = _coordinates(x)
    column = R[0, 0] * first + R[1, 0] * second + (w - 1) / 2
    row = (h - 1) / 2 - (R[0, 1] * first + R[1, 1] * second)
    top, left = row.detach().floor(), column.detach().floor()
    by_row, by_column = _keys(row - top), _keys(column - left)
    total = torch.zeros_like(x)
    for i in range(4):
        r = top.long() + (i - 1)
        for j in range(4):
            c = left.long() + (j - 1)
            inside = (r >= 0) & (r < h) & (c >= 0) & (c < w)
            weight = by_row[i] * by_column[j] * inside
            total = total + weight * x[..., r.clamp(0, h - 1), c.clamp(0, w - 1)]
    return total


def _keys(t: Tensor) -> list[Tensor]:
    """The weights of the pixels at −1, 0, 1 and 2 for a point at 0 ≤ t ≤ 1."""
    return [
        t * (-1 + t * (2 - t)) / 2,
        1 + t * t * (3 * t - 5) / 2,
        t * (1 + t * (4 - 3 * t)) / 2,
        t * t * (t - 1) / 2,
    ]


def _velocities(V: Representation, x: Tensor) -> Tensor:
    """dρ(X)x for each X of the basis of the Lie algebra, with the motion of the pixels: (k, *x.shape)."""
    if x.ndim not in (2, 4) or x.shape[1] != V.dim:
        raise ValueError(f"Expected (batch, {V.dim}) or (batch, {V.dim}, h, w) for {V}; got {tuple(x.shape)}.")
    velocities = torch.einsum("kij,bj...->kbi...", V.differential().to(x), x)
    if x.ndim == 2:
        return velocities
    _on_the_plane(V, V.group.components[0])

    def turned(t: Tensor) -> Tensor:
        c, s = t.cos(), t.sin()
        return _turn(x, torch.stack([torch.stack([c, -s]), torch.stack([s, c])]))

    zero = torch.zeros((), dtype=x.dtype, device=x.device)
    return velocities + _pushforward(turned, zero, torch.ones_like(zero))[1]


def _pushforward(function: Function, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """f(x) and Df(x)[v]."""
    found = torch.func.jvp(function, (x.contiguous(),), (v,))  # torch refuses views by expand
    return found[0], found[1]

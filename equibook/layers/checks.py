"""Is this function equivariant? Two tools for tests, notebooks and your own layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from ..representation import FiniteGroup, LieGroup, Representation, haar_sample
from .measuring import _is_exact, act_on, fade, on_disc

__all__ = ["assert_equivariant", "equivariance_error"]

#: What round-off explains, relative to the size of the output.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}

#: How many random elements of a compact group are tried.
SAMPLES = 8


def equivariance_error(
    function: Callable[[Tensor], Tensor],
    source: Representation,
    target: Representation,
    x: Tensor,
    elements: Iterable[int] | Iterable[Tensor] | Tensor | None = None,
    *,
    generator: torch.Generator | None = None,
) -> float:
    r"""The largest relative error max_g ‖f(ρ_V(g)x) − ρ_W(g)f(x)‖ / ‖f(x)‖.

    Fields of groups whose elements turn the grid by other angles than 90° are interpolated, see
    `act_interpolated`: their x is faded out toward the rim of the largest disc inside, and the outputs are
    compared on that disc. Then the error holds that of the interpolation, which is small where x is smooth.

    Args:
        function: f, a module or any function of a batch.
        source: V, the representation on the input (batch, V.dim) or (batch, V.dim, h, w).
        target: W, the representation on the output.
        x: a batch of inputs; random ones find an error with probability 1.
        elements: which g to try; all of them if not given, or the generators of a group that is known by
            them. Of a compact group, matrices (n, size, size); if not given, 8 random ones by the Haar
            measure, and one of each component.
        generator: draws the random elements.

    Returns:
        0 up to round-off if and only if f is equivariant on the batch, under the elements tried.

    >>> from equibook import cyclic, irreps, regular, so3
    >>> V = regular(cyclic(4))
    >>> x = torch.randn(10, 4)
    >>> equivariance_error(torch.relu, V, V, x) == 0
    True
    >>> equivariance_error(lambda x: x * torch.arange(4), V, V, x) > 0.1
    True
    >>> V = irreps(so3(), 1)[1]
    >>> equivariance_error(lambda x: torch.linalg.cross(x, 2 * x.flip(0)), V, V, torch.randn(10, 3)) < 1e-5
    True

    Chapter: Measuring equivariance, Group convolution
    """
    errors = [error for _, error in _errors(function, source, target, x, elements, generator)]
    return math.nan if any(map(math.isnan, errors)) else max(errors)


def assert_equivariant(
    function: Callable[[Tensor], Tensor],
    source: Representation,
    target: Representation,
    x: Tensor,
    tolerance: float | None = None,
    *,
    generator: torch.Generator | None = None,
) -> None:
    """Raise an AssertionError that names the worst element if a function is not equivariant.

    Args:
        function, source, target, x, generator: as for `equivariance_error`.
        tolerance: the relative error allowed; by default 1e-10 in float64 and 1e-4 in float32. Fields that are
            interpolated need one of your own.

    Raises:
        AssertionError: if the error is larger, or NaN.
        ValueError: if fields are interpolated and no tolerance is given.

    >>> from equibook import cyclic, regular
    >>> V = regular(cyclic(4))
    >>> assert_equivariant(torch.relu, V, V, torch.randn(10, 4))

    Chapter: Measuring equivariance, Group convolution
    """
    if tolerance is None and not _is_exact(source.group, x):
        raise ValueError(
            f"{source.group} turns pixels to places between pixels, and the interpolation has an error of its own. "
            "Say how large an error you allow, as in tolerance=0.05."
        )
    errors = _errors(function, source, target, x, None, generator)
    tolerance = TOLERANCES[x.dtype] if tolerance is None else tolerance
    g, worst = max(errors, key=lambda pair: (math.isnan(pair[1]), pair[1]))
    if not worst <= tolerance:  # not ≤, so that NaN fails
        where = g if isinstance(g, int) else [[round(entry, 2) for entry in row] for row in g.tolist()]
        raise AssertionError(
            f"Not equivariant from {source} to {target}: relative error {worst:.2e} at element {where} of "
            f"{source.group}, where {tolerance:.0e} is allowed."
        )


@torch.no_grad()
def _errors(
    function: Callable[[Tensor], Tensor],
    source: Representation,
    target: Representation,
    x: Tensor,
    elements: Iterable[Any] | None,
    generator: torch.Generator | None,
) -> list[tuple[Any, float]]:
    source._same_group(target)
    if not x.is_floating_point():
        raise TypeError(f"Round-off is relative to a floating type; got a batch of {x.dtype}.")
    G = source.group
    interpolated = not _is_exact(G, x)
    x = fade(x) if interpolated else x
    y = function(x)
    interpolated = interpolated or not _is_exact(G, y)

    def size(z: Tensor) -> float:
        return float((on_disc(z) if interpolated else z).norm())

    scale = size(y) or 1.0
    chosen = _elements(G, generator) if elements is None else elements
    if isinstance(G, LieGroup) and isinstance(chosen, Tensor) and chosen.ndim == 2:
        chosen = chosen[None]  # one matrix, not its rows
    return [(g, size(function(act_on(source, g, x)) - act_on(target, g, y)) / scale) for g in chosen]


def _elements(G: Any, generator: torch.Generator | None) -> Iterable[Any]:
    if isinstance(G, FiniteGroup):
        return G.elements
    if isinstance(G, LieGroup):
        return torch.cat([haar_sample(G, SAMPLES, generator=generator), G.components[1:]])
    return range(len(G.generators))

"""Is this function equivariant? Two tools for tests, notebooks and your own layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ..representation import Representation, act

__all__ = ["assert_equivariant", "equivariance_error"]

#: What round-off explains, relative to the size of the output.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def equivariance_error(
    function: Callable[[Tensor], Tensor],
    source: Representation,
    target: Representation,
    x: Tensor,
    elements: Iterable[int] | None = None,
) -> float:
    r"""The largest relative error max_g ‖f(ρ_V(g)x) − ρ_W(g)f(x)‖ / ‖f(x)‖.

    Args:
        function: f, a module or any function of a batch.
        source: V, the representation on the input (batch, V.dim) or (batch, V.dim, h, w).
        target: W, the representation on the output.
        x: a batch of inputs; random ones find an error with probability 1.
        elements: which g to try; all of them if not given.

    Returns:
        0 up to round-off if and only if f is equivariant on the batch.

    >>> from equibook import cyclic, regular
    >>> V = regular(cyclic(4))
    >>> x = torch.randn(10, 4)
    >>> equivariance_error(torch.relu, V, V, x) == 0
    True
    >>> equivariance_error(lambda x: x * torch.arange(4), V, V, x) > 0.1
    True

    Chapter: Group convolution
    """
    errors = _errors(function, source, target, x, elements).values()
    return math.nan if any(map(math.isnan, errors)) else max(errors)


def assert_equivariant(
    function: Callable[[Tensor], Tensor],
    source: Representation,
    target: Representation,
    x: Tensor,
    tolerance: float | None = None,
) -> None:
    """Raise an AssertionError that names the worst element if a function is not equivariant.

    Args:
        function, source, target, x: as for `equivariance_error`.
        tolerance: the relative error allowed; by default 1e-10 in float64 and 1e-4 in float32.

    >>> from equibook import cyclic, regular
    >>> V = regular(cyclic(4))
    >>> assert_equivariant(torch.relu, V, V, torch.randn(10, 4))

    Chapter: Group convolution
    """
    errors = _errors(function, source, target, x, None)
    tolerance = TOLERANCES[x.dtype] if tolerance is None else tolerance
    worst = max(errors, key=lambda g: (math.isnan(errors[g]), errors[g]))
    if not errors[worst] <= tolerance:  # not ≤, so that NaN fails
        raise AssertionError(
            f"Not equivariant from {source} to {target}: relative error {errors[worst]:.2e} at element {worst} of "
            f"{source.group}, where {tolerance:.0e} is allowed."
        )


@torch.no_grad()
def _errors(
    function: Callable[[Tensor], Tensor],
    source: Representation,
    target: Representation,
    x: Tensor,
    elements: Iterable[int] | None,
) -> dict[int, float]:
    source._same_group(target)
    if not x.is_floating_point():
        raise TypeError(f"Round-off is relative to a floating type; got a batch of {x.dtype}.")
    y = function(x)
    scale = float(y.norm()) or 1.0
    return {
        g: float((function(act(source, g, x)) - act(target, g, y)).norm()) / scale
        for g in (source.group.elements if elements is None else elements)
    }

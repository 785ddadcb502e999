"""What the plots accept: real arrays, from torch, numpy or plain lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch

__all__ = ["Array", "Numbers", "numbers"]

Array: TypeAlias = "torch.Tensor | np.ndarray[Any, Any] | Sequence[Any] | float"
Numbers: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


def numbers(value: Any, name: str) -> Numbers:
    """A real array of double precision, from a tensor on any device or anything array-like."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj()
        value = value.double() if not value.is_complex() else value
    elif isinstance(value, (list, tuple)) and any(isinstance(v, torch.Tensor) for v in value):
        value = [numbers(v, name) for v in value]
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} must form one array, but: {error}") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, but are of type {array.dtype}.")
    return array.astype(np.float64)

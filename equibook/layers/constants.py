"""Constant arrays of a layer, exact in every precision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__: list[str] = []


class WithConstants(nn.Module):
    """A module with constant arrays, which it keeps in float64 and rounds afresh where it is moved to.

    A buffer that is rounded to float32 and then carried to float64 by ``.double()`` stays wrong in
    the eighth digit, and the layer no longer commutes with the group to round-off.
    """

    def __init__(self) -> None:
        super().__init__()
        self._exact: dict[str, Tensor] = {}

    def set_constant(self, name: str, value: Tensor) -> None:
        """Register a float64 array as a buffer that is not saved, in the default precision."""
        self._exact[name] = value
        self.register_buffer(name, value.to(torch.get_default_dtype()), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> WithConstants:
        super()._apply(fn, recurse)
        for name, exact in self._exact.items():
            moved = self._buffers[name]
            if moved is not None and moved.device.type != "meta":
                self._buffers[name] = exact.to(moved)
        return self

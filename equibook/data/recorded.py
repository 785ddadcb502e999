"""Tensors recorded once and shipped with the package, for comparisons that cannot run anywhere."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import torch
from torch import Tensor

__all__ = ["recording", "recordings"]


def recordings() -> tuple[str, ...]:
    """The names of the recordings that the package ships.

    >>> isinstance(recordings(), tuple)
    True

    Chapter: Group convolution
    """
    folder = files("equibook.data") / "recordings"
    if not folder.is_dir():
        return ()
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".npz") for name in names if name.endswith(".npz")))


def recording(name: str) -> dict[str, Tensor]:
    """The tensors of one recording, by their names.

    Args:
        name: one of :func:`recordings`.

    Returns:
        Name → tensor, with the shapes and types in which they were recorded.

    Raises:
        ValueError: if there is no such recording; lists those that there are.

    >>> import equibook as eq
    >>> eq.data.recording("nothing")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: there is no recording 'nothing'.

    Chapter: Group convolution
    """
    known = recordings()
    if name not in known:
        listed = ", ".join(known) or "none"
        raise ValueError(f"there is no recording {name!r}; the package ships: {listed}.")
    with (
        as_file(files("equibook.data") / "recordings" / f"{name}.npz") as path,
        np.load(path, allow_pickle=False) as arrays,
    ):
        return {key: torch.from_numpy(arrays[key]) for key in arrays.files}

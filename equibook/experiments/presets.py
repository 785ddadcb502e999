"""How every experiment reads its config: one of its own, or the name of a preset, with some fields changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

__all__ = ["choose"]

C = TypeVar("C")


def choose(config: C | str, presets: Mapping[str, C], **changes: Any) -> C:
    """The config, or the preset of that name, with the given fields changed.

    Raises:
        ValueError: if there is no preset of that name; lists those there are.
    """
    if isinstance(config, str):
        if config not in presets:
            raise ValueError(f"there is no preset {config!r}; there are {', '.join(presets)}.")
        config = presets[config]
    return replace(config, **changes)  # type: ignore[type-var]

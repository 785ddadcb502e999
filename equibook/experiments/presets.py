"""How every experiment reads its config: one of its own, or the name of a preset, with some fields changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

__all__ = ["choose", "named"]

C = TypeVar("C")


def choose(config: C | str, presets: Mapping[str, C], **changes: Any) -> C:
    """The config, or the preset of that name, with the given fields changed.

    Raises:
        ValueError: if there is no preset of that name; lists those there are.
    """
    return replace(named(config, presets, "preset"), **changes)  # type: ignore[type-var]


def named(choice: C | str, known: Mapping[str, C], what: str) -> C:
    """What was chosen, or the one of that name.

    Args:
        choice: a config, a model, or a name.
        known: all that have names.
        what: what they are, for the error.

    Raises:
        ValueError: if there is none of that name; lists those there are.
    """
    if not isinstance(choice, str):
        return choice
    if choice not in known:
        raise ValueError(f"there is no {what} {choice!r}; there are {', '.join(known)}.")
    return known[choice]

"""Results that are kept: many where they are small, few where they are large."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

__all__ = ["kept"]

P = ParamSpec("P")
R = TypeVar("R")


def kept(many: int, few: int, large: Callable[P, bool]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """As `functools.lru_cache`, with a cache of its own for large results, which would fill the memory.

    Args:
        many, few: how many small and how many large results are kept; 0 keeps none.
        large: tells from the arguments whether the result will be large.

    >>> @kept(many=100, few=0, large=lambda n: n > 10)
    ... def squares(n):
    ...     print("computed")
    ...     return [i * i for i in range(n)]
    >>> _ = squares(5), squares(5), squares(20), squares(20)
    computed
    computed
    computed
    """

    def decorate(compute: Callable[P, R]) -> Callable[P, R]:
        small, rest = lru_cache(maxsize=many)(compute), lru_cache(maxsize=few)(compute)

        @wraps(compute)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            chosen = rest if large(*args, **kwargs) else small
            return chosen(*args, **kwargs)  # type: ignore[arg-type]  # a ParamSpec cannot say that all are hashable

        return call

    return decorate

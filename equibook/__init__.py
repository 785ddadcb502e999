"""Symmetry in neural networks: the companion package of the book.

>>> import equibook as eq
>>> G = eq.cyclic(4)
>>> (eq.pixels(G, 3) * eq.regular(G) >> eq.regular(G)).dim
36

The names of the four parts are all here. `equibook.data`, `equibook.figures` and
`equibook.experiments` are imported at first use, because they need more than torch.
"""

from importlib import import_module
from types import ModuleType

from .dynamics import *  # noqa: F403
from .layers import *  # noqa: F403
from .regularization import *  # noqa: F403
from .representation import *  # noqa: F403

_AT_FIRST_USE = ("data", "experiments", "figures")


def __getattr__(name: str) -> ModuleType:
    if name in _AT_FIRST_USE:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_AT_FIRST_USE])

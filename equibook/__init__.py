"""Symmetry in neural networks: the companion package of the book.

>>> import equibook as eq
>>> G = eq.cyclic(4)
>>> (eq.pixels(G, 3) * eq.regular(G) >> eq.regular(G)).dim
36
"""

from .layers import *  # noqa: F403
from .representation import *  # noqa: F403

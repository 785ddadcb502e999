"""Part 4. Regularization: what pulls training back to the equivariant weights."""

from .attraction import Attraction, attraction_threshold

__all__ = ["Attraction", "attraction_threshold"]

"""Data: small sets that ship with a dependency, MNIST, and tensors recorded for comparison."""

from .digits import digits, split
from .mnist import mnist
from .recorded import recording, recordings

__all__ = ["digits", "mnist", "recording", "recordings", "split"]

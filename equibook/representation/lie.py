r"""The compact groups of rotations and reflections: SO(2), O(2), SO(3) and O(3).

Their elements are matrices, and there are infinitely many of them. Two things take the place of a
list of elements: the Lie algebra, whose exponentials are all rotations, and the Haar measure, by
which one averages.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .groups import FiniteGroup, Group

__all__ = ["LieGroup", "haar_sample", "o2", "o3", "so2", "so3"]

#: How far a matrix that is given as an element may be from orthogonal.
TOLERANCE = 1e-6


class LieGroup(Group):
    r"""A compact group of orthogonal n × n matrices; make it with `so2`, `o2`, `so3` or `o3`.

    Attributes:
        name: what ``repr`` shows.
        size: n.
        algebra: (k, n, n) a basis X_1, …, X_k of the Lie algebra, antisymmetric matrices.
        components: (c, n, n) one element of each component, the identity first.
        reflects: whether there are elements with determinant −1, in a second component.

    >>> G = o2()
    >>> G.algebra.tolist(), len(G.components)
    ([[[0.0, -1.0], [1.0, 0.0]]], 2)

    Chapter: Symmetry and groups
    """

    def __init__(self, name: str, algebra: Tensor, components: Tensor) -> None:
        self.name, self.algebra, self.components = name, algebra, components
        self.size = algebra.shape[-1]
        self.reflects = len(components) == 2

    def exp(self, X: Tensor | Sequence[float] | float) -> Tensor:
        r"""The rotation exp(Σ x_i X_i).

        Args:
            X: (..., k) coordinates; for a group of the plane, angles of any shape will do.

        Returns:
            (..., n, n), in the dtype and on the device of X; float64 if X is made of whole numbers.

        >>> (so2().exp(torch.pi / 2).round() + 0.0).tolist()
        [[0.0, -1.0], [1.0, 0.0]]
        """
        x = X if isinstance(X, Tensor) and X.is_floating_point() else torch.as_tensor(X, dtype=torch.float64)
        if len(self.algebra) == 1:
            x = x[..., None] if not x.ndim or x.shape[-1] != 1 else x
        if x.shape[-1:] != (len(self.algebra),):
            raise ValueError(
                f"The Lie algebra of {self} has dimension {len(self.algebra)}: pass coordinates of shape "
                f"(..., {len(self.algebra)}); got {tuple(x.shape)}."
            )
        return torch.linalg.matrix_exp(torch.einsum("...k,kij->...ij", x, self.algebra.to(x)))

    def batch(self, g: int | Sequence[int] | Tensor) -> tuple[Tensor, bool]:
        """One matrix or several, checked: (b, n, n), and whether one was given."""
        R = torch.as_tensor(g, dtype=torch.float64)
        n = self.size
        if R.shape[-2:] != (n, n) or R.ndim > 3:
            raise ValueError(
                f"An element of {self} is a matrix of shape ({n}, {n}), several are a stack of them; "
                f"got shape {tuple(R.shape)}."
            )
        stack = R.reshape(-1, n, n)
        far = (stack @ stack.mT - torch.eye(n, dtype=torch.float64)).abs().amax(dim=(1, 2))
        if not (far <= TOLERANCE).all():
            raise ValueError(f"An element of {self} is an orthogonal matrix; number {int(far.argmax())} is not.")
        if not self.reflects and not (torch.linalg.det(stack) > 0).all():
            raise ValueError(f"{self} has rotations only: a matrix with determinant −1 was given.")
        return stack, R.ndim == 2

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LieGroup) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


@lru_cache(maxsize=1)
def so2() -> LieGroup:
    """SO(2), the rotations of the plane; exp(θ) turns counter-clockwise by θ.

    >>> so2()
    so2()

    Chapter: Symmetry and groups
    """
    return LieGroup("so2()", _turn(), torch.eye(2, dtype=torch.float64)[None])


@lru_cache(maxsize=1)
def o2() -> LieGroup:
    """O(2), the rotations and reflections of the plane; the second component holds (x, y) ↦ (x, −y).

    >>> o2().components[1].tolist()
    [[1.0, 0.0], [0.0, -1.0]]

    Chapter: Symmetry and groups
    """
    flip = torch.diag(torch.tensor([1.0, -1.0], dtype=torch.float64))
    return LieGroup("o2()", _turn(), torch.stack([torch.eye(2, dtype=torch.float64), flip]))


@lru_cache(maxsize=1)
def so3() -> LieGroup:
    """SO(3), the rotations of space; the basis of its Lie algebra turns about the axes x, y and z.

    >>> G = so3()
    >>> R = G.exp(torch.tensor([0.0, 0.0, torch.pi / 2]))
    >>> (R @ torch.tensor([1.0, 0.0, 0.0])).round().abs().tolist()      # x goes to y
    [0.0, 1.0, 0.0]

    Chapter: Symmetry and groups
    """
    algebra = torch.zeros(3, 3, 3, dtype=torch.float64)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        algebra[i, k, j], algebra[i, j, k] = 1.0, -1.0
    return LieGroup("so3()", algebra, torch.eye(3, dtype=torch.float64)[None])


@lru_cache(maxsize=1)
def o3() -> LieGroup:
    """O(3), the rotations and reflections of space; the second component holds the inversion x ↦ −x.

    >>> o3().components[1].diagonal().tolist()
    [-1.0, -1.0, -1.0]

    Chapter: Symmetry and groups
    """
    one = torch.eye(3, dtype=torch.float64)
    return LieGroup("o3()", so3().algebra, torch.stack([one, -one]))


def _turn() -> Tensor:
    return torch.tensor([[[0.0, -1.0], [1.0, 0.0]]], dtype=torch.float64)


def haar_sample(G: Group, count: int, *, generator: torch.Generator | None = None) -> Tensor:
    r"""Independent random elements of G, uniform: distributed by the Haar measure.

    A random rotation of space is that of a unit quaternion in a uniform direction of ℝ⁴, which four
    normal numbers give. Three uniform Euler angles are not uniform rotations.

    Args:
        G: a finite group, so2(), o2(), so3() or o3().
        count: how many.
        generator: draws them.

    Returns:
        (count,) elements of a finite group; (count, n, n) float64 matrices of a compact one.

    >>> haar_sample(so3(), 5).shape
    torch.Size([5, 3, 3])

    Chapter: Symmetry and groups
    """
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"How many samples to draw is a whole number, 0 or more; got {count!r}.")
    if isinstance(G, FiniteGroup):
        return torch.randint(G.order, (count,), generator=generator)
    if not isinstance(G, LieGroup):
        raise TypeError(f"haar_sample needs a finite group with a table, or so2(), o2(), so3() or o3(); got {G!r}.")
    if G.size == 3:
        rotations = _from_quaternions(torch.randn(count, 4, dtype=torch.float64, generator=generator))
    else:
        rotations = G.exp(2 * math.pi * torch.rand(count, 1, dtype=torch.float64, generator=generator))
    if not G.reflects:
        return rotations
    return rotations @ G.components[torch.randint(len(G.components), (count,), generator=generator)]


def _from_quaternions(q: Tensor) -> Tensor:
    """(..., 3, 3) the rotations v ↦ q v q⁻¹ of quaternions q = (w, x, y, z) ≠ 0."""
    w, v = q[..., :1, None], q[..., 1:]
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    cross = torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).unflatten(-1, (3, 3))  # cross @ u = v × u
    one = torch.eye(3, dtype=q.dtype, device=q.device)
    square = (v * v).sum(-1)[..., None, None]
    return ((w * w - square) * one + 2 * v[..., :, None] * v[..., None, :] + 2 * w * cross) / (w * w + square)

r"""Three risks of a network's weights: nominal R, augmented R^aug, equivariant R∘Π_E.

A risk is called as ``risk(network, A, x, y)``. The network is any `torch.nn.Module`; its own weights
are not used, A takes their place (`torch.func.functional_call`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..representation import Representation, act, act_batch
from .admissible import AdmissibleSpace, Weights

__all__ = ["Risk", "augmented", "equivariant", "nominal"]

#: loss(outputs, y) is a scalar, a mean over the batch.
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Risk:
    r"""The nominal risk R(A) = (1/n) Σ_i ℓ(Φ_A(x_i), y_i), and the interface of the other two.

    Calling it is `prepare`, which transforms the data and makes the random draws, then `value`, a
    differentiable function of A alone. Make risks with `nominal`, `augmented` and `equivariant`.

    Attributes:
        loss: loss(outputs, y) → scalar, a mean over the batch.

    Chapter: Compatibility
    """

    loss: Loss

    mode = "nominal"
    is_random = False

    def __call__(
        self, network: nn.Module, A: Weights, x: Tensor, y: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """The risk of the weights A (without member axis) on the data, a scalar."""
        return self.value(network, A, *self.prepare(x, y, generator))

    def prepare(self, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The inputs and labels that `value` is computed on."""
        return x, y

    def value(self, network: nn.Module, A: Weights, x: Tensor, y: Tensor) -> Tensor:
        """The risk on prepared data."""
        return self.loss(functional_call(network, dict(A), (x,)), y)

    def directions(self, space: AdmissibleSpace) -> AdmissibleSpace:
        """The space whose parametrization descends this risk: 𝓛, and E for the equivariant risk."""
        return space


def nominal(loss: Loss) -> Risk:
    r"""The risk on the data as they are, R(A) = (1/n) Σ_i ℓ(Φ_A(x_i), y_i).

    Args:
        loss: loss(outputs, y) → scalar, a mean over the batch, such as `torch.nn.functional.mse_loss`.

    >>> network = nn.Linear(2, 1, bias=False)
    >>> risk = nominal(nn.functional.mse_loss)
    >>> risk(network, {"weight": torch.ones(1, 2)}, torch.ones(5, 2), torch.zeros(5, 1)).item()
    4.0

    Chapter: Compatibility
    """
    return Risk(loss)


def augmented(
    loss: Loss,
    V_x: Representation,
    V_y: Representation | None = None,
    draws: int | None = None,
    weights: Tensor | Sequence[float] | None = None,
) -> Risk:
    r"""The risk averaged over the group, R^aug(A) = ∫_G (1/n) Σ_i ℓ(Φ_A(g·x_i), g·y_i) dμ(g).

    The exact integral is one pass over a batch of |G| transformed copies. With draws, each sample is
    transformed by random elements instead: an unbiased estimate.

    Args:
        loss: loss(outputs, y) → scalar, a mean over the batch.
        V_x: the representation on the inputs, on vectors or on the channels of images.
        V_y: that on the labels; None if the group leaves labels alone.
        draws: None for the exact integral, or the number of random elements a sample.
        weights: (|G|,) a measure on the group, scaled to total 1; None for the Haar measure, uniform.
            Any other measure breaks the theorem of the chapter.

    Raises:
        ValueError: if weights are negative or of another number than |G|, or the groups differ.

    >>> from equibook import cyclic, trivial
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False))
    >>> risk = augmented(nn.functional.mse_loss, trivial(cyclic(4)))
    >>> x, y, A = torch.eye(2)[None, None], torch.zeros(1, 1), {"1.weight": torch.tensor([[1.0, 0, 0, 0]])}
    >>> risk(network, A, x, y).item()             # two of four turns put a one into the corner
    0.5

    Chapter: Compatibility, Attraction

    Reference: Nordenfors, Ohlsson and Flinth (2025).
    """
    G = V_x.group
    if V_y is not None and V_y.group != G:
        raise ValueError(f"Inputs and labels carry representations of {G} and {V_y.group}; they need one group.")
    if draws is not None and draws < 1:
        raise ValueError(f"draws is the number of random elements a sample, 1 or more, or None; got {draws}.")
    if weights is None:
        measure = torch.full((G.order,), 1 / G.order, dtype=torch.float64)
    else:
        measure = torch.as_tensor(weights, dtype=torch.float64)
        if measure.shape != (G.order,) or not (measure >= 0).all() or not 0 < measure.sum() < float("inf"):
            raise ValueError(f"A measure on {G} has {G.order} weights, not negative and not all 0; got {weights}.")
        measure = measure / measure.sum()
    return _Augmented(loss, V_x, V_y, draws, tuple(measure.tolist()))


def equivariant(loss: Loss, space: AdmissibleSpace) -> Risk:
    r"""The nominal risk of the nearest equivariant weights, R(Π_E A); its gradient is Π_E ∇R(Π_E A).

    Descending it from a point of E is the equivariant training of the chapter: A stays in E, and
    moves along E with an orthonormal parametrization, whatever that of 𝓛 is.

    Args:
        loss: loss(outputs, y) → scalar, a mean over the batch.
        space: the admissible space that E is in.

    >>> from equibook import LayerSpace, cyclic, regular, trivial
    >>> G = cyclic(2)
    >>> space = AdmissibleSpace({"weight": LayerSpace(regular(G) >> trivial(G))})
    >>> risk = equivariant(nn.functional.mse_loss, space)
    >>> x, y, A = torch.tensor([[1.0, 1.0]]), torch.zeros(1, 1), {"weight": torch.tensor([[1.0, -1.0]])}
    >>> risk(nn.Linear(2, 1, bias=False), A, x, y).item()
    0.0

    Chapter: Compatibility
    """
    return _Equivariant(loss, space)


@dataclass(frozen=True)
class _Augmented(Risk):
    V_x: Representation
    V_y: Representation | None
    draws: int | None
    measure: tuple[float, ...]

    mode = "augmented"

    @property
    def is_random(self) -> bool:  # type: ignore[override]
        return self.draws is not None

    @cached_property
    def _support(self) -> tuple[int, ...]:
        """The elements of positive weight."""
        return tuple(g for g, weight in enumerate(self.measure) if weight > 0)

    def prepare(self, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """All transformed copies of the data, one after the other in one batch."""
        if self.draws is None:
            copies = [act(self.V_x, g, x) for g in self._support]
            if len({copy.shape for copy in copies}) > 1:
                raise ValueError(
                    f"{self.V_x.group} turns {tuple(x.shape[2:])} images on their side, so the copies do not "
                    "fit in one batch; use square images."
                )
            inputs = torch.cat(copies)
            if self.V_y is None:
                return inputs, y.repeat(len(self._support), *[1] * (y.ndim - 1))
            return inputs, torch.cat([act(self.V_y, g, y) for g in self._support])
        device = None if generator is None else generator.device
        measure = torch.tensor(self.measure, dtype=torch.float64, device=device)
        elements = torch.multinomial(measure, self.draws * len(x), replacement=True, generator=generator).cpu()
        inputs = act_batch(self.V_x, elements, x.repeat(self.draws, *[1] * (x.ndim - 1)))
        labels = y.repeat(self.draws, *[1] * (y.ndim - 1))
        return inputs, labels if self.V_y is None else act_batch(self.V_y, elements, labels)

    def value(self, network: nn.Module, A: Weights, x: Tensor, y: Tensor) -> Tensor:
        """The weighted mean of the losses of the copies."""
        outputs = functional_call(network, dict(A), (x,))
        if self.draws == 1 or len(self._support) == 1:
            return self.loss(outputs, y)
        copies = self.draws or len(self._support)
        losses = vmap(self.loss)(outputs.unflatten(0, (copies, -1)), y.unflatten(0, (copies, -1)))
        if self.draws is not None or len(set(self.measure)) == 1:
            return losses.mean()
        measure = torch.tensor([weight for weight in self.measure if weight > 0]).to(losses)
        return measure @ losses


@dataclass(frozen=True)
class _Equivariant(Risk):
    space: AdmissibleSpace

    mode = "equivariant"

    def value(self, network: nn.Module, A: Weights, x: Tensor, y: Tensor) -> Tensor:
        """R(Π_E A)."""
        return super().value(network, self.space.project_equivariant(A), x, y)

    def directions(self, space: AdmissibleSpace) -> AdmissibleSpace:
        """E."""
        return self._equivariant_space

    @cached_property
    def _equivariant_space(self) -> AdmissibleSpace:
        return self.space.equivariant()

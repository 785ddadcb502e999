r"""Descent in weight space, A ← A − η(LL*∇R(A) + pull), and what it records: dist(A, E) and drift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.func import vmap

from .admissible import AdmissibleSpace, Weights
from .risks import Risk

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Trajectory", "descend"]


class Pull(Protocol):
    """Whatever adds a gradient of its own to the descent: `equibook.Attraction` does."""

    @property
    def gamma(self) -> float | Tensor: ...

    def gradient(self, A: Weights) -> dict[str, Tensor]: ...


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The record of a descent, one row a recorded step; it saves, loads and plots itself.

    Attributes:
        steps: (records,) the steps recorded; row k is the state before step steps[k] is taken.
        distance: (records,) or (records, members), dist(A, E).
        drift: likewise, ‖A − A_0‖.
        risk: likewise, the risk on that step's batch, without the attraction's penalty.
        final: the weights at the end.
        mode: "nominal", "augmented" or "equivariant", the risk descended.

    Chapter: Compatibility
    """

    steps: Tensor
    distance: Tensor
    drift: Tensor
    risk: Tensor
    final: dict[str, Tensor]
    mode: str = ""

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to a file, as tensors only."""
        torch.save({field.name: getattr(self, field.name) for field in fields(self)}, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Trajectory:
        """Read what `save` wrote, on the CPU; no code in the file is run."""
        return cls(**torch.load(path, map_location="cpu", weights_only=True))

    def plot(
        self,
        *,
        quantity: Literal["distance", "drift", "risk"] = "distance",
        against: Literal["steps", "drift"] = "steps",
        label: str | None = None,
        floor: float | None = None,
        ax: Axes | None = None,
    ) -> Figure:
        """Draw dist(A, E) over the steps, in the color of its mode; members as a median and a band.

        Args:
            quantity: what is drawn; "distance" has a logarithmic axis.
            against: "steps", or "drift" for the plane (‖A − A_0‖, dist(A, E)), by the members' median drift.
            label: of the curve; the mode if None.
            floor: on a logarithmic axis, values below are drawn at it.
            ax: the panel to draw into; a new figure if None.

        Returns:
            The figure.
        """
        from ..figures import trajectories  # matplotlib is imported only to draw

        names = {"steps": "step", "distance": "dist(A, E)", "drift": "‖A − A₀‖", "risk": "risk"}
        horizontal, vertical = (getattr(self, name).double().cpu() for name in (against, quantity))
        if horizontal.ndim == 2:
            horizontal = horizontal.median(dim=1).values
        name = label or self.mode or "descent"
        return trajectories(
            {name: (horizontal, vertical)},
            modes={name: self.mode} if self.mode else None,
            xlabel=names[against],
            ylabel=names[quantity],
            logy=quantity == "distance",
            floor=floor,
            ax=ax,
        )


def descend(
    network: nn.Module,
    risk: Risk,
    space: AdmissibleSpace,
    A0: Weights,
    x: Tensor,
    y: Tensor,
    *,
    lr: float | Tensor,
    steps: int,
    batch_size: int | None = None,
    generator: torch.Generator | None = None,
    attraction: Pull | None = None,
    every: int = 1,
    diverged: Literal["raise", "record"] = "raise",
    progress: bool = False,
) -> Trajectory:
    r"""Gradient descent in the parameters of 𝓛, seen in weight space: A ← A − η(LL*∇R(A) + γΠ_{E^⊥}A).

    With an orthonormal parametrization LL* = Π_𝓛. The equivariant risk descends in E instead.

    An ensemble is trained at once: give the weights a leading member axis. All members see the same
    batches and the same random group elements. Batches and group elements are drawn from streams of
    their own, so runs with generators of the same seed see the same batches whatever the risk is.

    Args:
        network: any module; its own weights are neither used nor changed.
        risk: made by `nominal`, `augmented` or `equivariant`.
        space: the admissible space; it names every trainable parameter.
        A0: the initial weights, (*shape) or (members, *shape) each, in 𝓛.
        x: (samples, ...) inputs, of the weights' dtype and on their device.
        y: (samples, ...) labels.
        lr: η, or (members,) one a member.
        steps: number of steps.
        batch_size: samples a step, each epoch in a new random order and without a last smaller batch;
            None for all samples.
        generator: of the batches and of the random group elements.
        attraction: an `Attraction`; its gradient is added as it is, not multiplied by LL*.
        every: record each multiple of this step, and the last.
        diverged: whether non-finite weights raise or are recorded.
        progress: whether to show a progress bar (needs tqdm).

    Returns:
        A `Trajectory` on the device of the weights.

    Raises:
        FloatingPointError: if recorded weights are not finite; names the step and the likely cause.
        ValueError: if names, shapes, dtypes or devices do not match; says which.

    >>> from equibook import LayerSpace, cyclic, nominal, regular
    >>> V = regular(cyclic(2))
    >>> space = AdmissibleSpace({"weight": LayerSpace(V >> V)})
    >>> network = nn.Linear(2, 2, bias=False)
    >>> x, y = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    >>> risk, A0 = nominal(nn.functional.mse_loss), {"weight": torch.zeros(2, 2)}
    >>> path = descend(network, risk, space, A0, x, y, lr=1.0, steps=2)
    >>> [round(distance, 3) for distance in path.distance.tolist()]     # leaves E = span(1, swap) at once
    [0.0, 0.354, 0.53]

    Chapter: Compatibility, Attraction

    Reference: Nordenfors, Ohlsson and Flinth (2025).
    """
    members = _checked(network, space, A0, x, y, steps, every, batch_size)
    rate = _per_member(lr, members, "lr")
    if attraction is not None:
        _per_member(attraction.gamma, members, "gamma")
    directions = risk.directions(space)
    batches = _Batches(risk, x, y, batch_size, generator)
    A = {name: A0[name].detach().clone() for name in space.layers}
    records: list[tuple[Tensor, Tensor, Tensor]] = []
    recorded: list[int] = []
    for step, (inputs, labels) in zip(_steps(steps, progress), batches, strict=False):
        values, gradient = _value_and_gradient(network, risk, A, inputs, labels, members)
        if step % every == 0 or step == steps:
            with torch.no_grad():
                drift = space.drift(A, A0)
                records.append((space.distance(A), drift, values))
            recorded.append(step)
            if diverged == "raise" and not drift.isfinite().all():
                raise FloatingPointError(_diverged(step, every, lr, attraction))
        if step == steps:
            break
        with torch.no_grad():
            change = directions.precondition(gradient)
            pull = attraction.gradient(A) if attraction is not None else {}
            for name in A:
                by = change[name] + pull[name] if name in pull else change[name]
                A[name] = A[name] - (rate if isinstance(rate, float) else _column(rate, by)) * by
    distance, drift, values = (torch.stack(column) for column in zip(*records, strict=True))
    return Trajectory(torch.tensor(recorded), distance, drift, values, A, risk.mode)


def _value_and_gradient(
    network: nn.Module, risk: Risk, A: Weights, x: Tensor, y: Tensor, members: int | None
) -> tuple[Tensor, dict[str, Tensor]]:
    """R(A) and ∇R(A), one a member: members do not meet, so the gradient of the sum has them all."""
    leaves = {name: weight.detach().requires_grad_() for name, weight in A.items()}

    def value(A: Weights) -> Tensor:
        return risk.value(network, A, x, y)

    with torch.enable_grad():
        values = value(leaves) if members is None else vmap(value)(leaves)
        if values.ndim != (members is not None):
            raise ValueError(f"The loss must return a scalar, a mean over the batch; got shape {tuple(values.shape)}.")
        gradient = torch.autograd.grad(values.sum(), list(leaves.values()), materialize_grads=True)
    return values.detach(), dict(zip(leaves, gradient, strict=True))


class _Batches:
    """Endless prepared batches; batches and group elements come from two streams of random numbers."""

    def __init__(self, risk: Risk, x: Tensor, y: Tensor, batch_size: int | None, generator: torch.Generator | None):
        self.risk, self.x, self.y, self.batch_size = risk, x, y, batch_size
        self.order: torch.Generator | None = None
        self.elements: torch.Generator | None = None
        if batch_size is not None or risk.is_random:
            device = "cpu" if generator is None else generator.device
            seeds = torch.randint(2**62, (2,), generator=generator, device=device).tolist()
            self.order, self.elements = (torch.Generator().manual_seed(seed) for seed in seeds)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.batch_size is None and not self.risk.is_random:
            prepared = self.risk.prepare(self.x, self.y)
            while True:
                yield prepared
        while True:
            if self.batch_size is None:
                yield self.risk.prepare(self.x, self.y, self.elements)
                continue
            order = torch.randperm(len(self.x), generator=self.order).to(self.x.device)
            for start in range(0, len(order) - self.batch_size + 1, self.batch_size):
                chosen = order[start : start + self.batch_size]
                yield self.risk.prepare(self.x[chosen], self.y[chosen], self.elements)


def _steps(steps: int, progress: bool) -> Any:
    """0, …, steps, with a progress bar if asked."""
    if not progress:
        return range(steps + 1)
    from tqdm.auto import tqdm

    return tqdm(range(steps + 1), unit="step", leave=False)


def _checked(
    network: nn.Module,
    space: AdmissibleSpace,
    A0: Weights,
    x: Tensor,
    y: Tensor,
    steps: int,
    every: int,
    batch_size: int | None,
) -> int | None:
    """The number of members, once everything fits together."""
    members = space.members(A0)
    for name, weight in space.weights(network).items():
        shape = tuple(A0[name].shape[members is not None :])
        if shape != tuple(weight.shape):
            raise ValueError(f"{name!r} has shape {tuple(weight.shape)} in the network; A0 holds {shape}.")
        if x.is_floating_point() and (A0[name].dtype, A0[name].device) != (x.dtype, x.device):
            raise ValueError(
                f"Weights and data need one dtype and device; {name!r} is {A0[name].dtype} on {A0[name].device}, "
                f"x is {x.dtype} on {x.device}."
            )
    if len(x) != len(y):
        raise ValueError(f"One label a sample: got {len(x)} inputs and {len(y)} labels.")
    if steps < 0 or every < 1:
        raise ValueError(f"steps is 0 or more and every 1 or more; got {steps} and {every}.")
    if batch_size is not None and not 1 <= batch_size <= len(x):
        raise ValueError(f"batch_size is between 1 and the {len(x)} samples, or None for all; got {batch_size}.")
    return members


def _per_member(value: float | Tensor, members: int | None, name: str) -> float | Tensor:
    if not isinstance(value, Tensor) or value.ndim == 0:
        return float(value)
    if value.shape != (members,):
        raise ValueError(
            f"{name} has shape {tuple(value.shape)}, one a member, but the weights "
            + (f"have {members} members." if members else "have no member axis; expand each to (members, *shape).")
        )
    return value


def _column(per_member: Tensor, like: Tensor) -> Tensor:
    """(members,) as (members, 1, …, 1), to multiply weights with."""
    return per_member.to(like).view(-1, *[1] * (like.ndim - 1))


def _diverged(step: int, every: int, lr: float | Tensor, attraction: Pull | None) -> str:
    when = f"at step {step}" if every == 1 or step == 0 else f"at step {step}, recorded every {every} steps"
    rate = float(torch.as_tensor(lr).max())
    product = 0.0 if attraction is None else float((torch.as_tensor(lr) * torch.as_tensor(attraction.gamma)).max())
    if product >= 2:
        cause = f"lr · gamma = {product:.3g}, and the attraction diverges from 2 on. Take a smaller lr or gamma"
    else:
        cause = f"lr = {rate:.3g} is too large for this risk. Take a smaller one"
    return f'The weights are not finite {when}: {cause}, or record them as they are with diverged="record".'

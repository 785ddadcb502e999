"""What experiments that train small networks share: epochs of shuffled batches, results of several seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

__all__ = ["by_seed", "progress_bar", "train_epochs"]

T = TypeVar("T")


def train_epochs(
    net: nn.Module,
    examples: int,
    loss: Callable[[Tensor], Tensor],
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    generator: torch.Generator,
) -> None:
    """Train by Adam, with a step size that falls to 0 along a cosine.

    Args:
        net: the network.
        examples: how many there are.
        loss: of the examples with the given numbers, a batch.
        epochs: how often each example is seen.
        batch_size: how many at a time.
        lr: the first step size.
        generator: shuffles the examples.
    """
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * math.ceil(examples / batch_size))
    device = next(net.parameters()).device
    net.train()
    for _ in range(epochs):
        for batch in torch.randperm(examples, generator=generator).split(batch_size):
            optimizer.zero_grad()
            loss(batch.to(device)).backward()
            optimizer.step()
            schedule.step()


def by_seed(rows: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    """One tensor a name, with a row for each seed."""
    return {name: torch.stack(row) for name, row in rows.items()}


def progress_bar(items: Sequence[T], show: bool) -> Iterable[T]:
    """The items, with a bar if wanted."""
    if not show:
        return items
    from tqdm.auto import tqdm

    bar: Any = tqdm(items)
    return bar

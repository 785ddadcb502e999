"""Epochs of shuffled batches, and results of several seeds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from equibook.experiments.training import by_seed, progress_bar, train_epochs


def test_every_example_is_seen_once_an_epoch_in_the_order_of_the_generator() -> None:
    net, seen = nn.Linear(1, 1), []

    def loss(batch: Tensor) -> Tensor:
        seen.append(batch)
        return net(batch[:, None].float()).square().mean()

    train_epochs(net, 10, loss, epochs=2, batch_size=4, lr=0.1, generator=torch.Generator().manual_seed(0))
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    draw = torch.Generator().manual_seed(0)
    for epoch in range(2):
        assert torch.equal(torch.cat(seen[3 * epoch : 3 * epoch + 3]), torch.randperm(10, generator=draw))


def test_training_descends_and_the_steps_shrink() -> None:
    net = nn.Linear(1, 1)
    x = torch.linspace(-1, 1, 64)[:, None]
    weights = []

    def loss(batch: Tensor) -> Tensor:
        weights.append(net.weight.item())
        return (net(x[batch]) - 3 * x[batch] - 1).square().mean()

    train_epochs(net, 64, loss, epochs=60, batch_size=8, lr=0.1, generator=torch.Generator().manual_seed(0))
    assert abs(net.weight.item() - 3) < 1e-2 and abs(net.bias.item() - 1) < 1e-2
    assert abs(weights[-1] - weights[-2]) < 1e-3 < abs(weights[1] - weights[0])


def test_rows_are_seeds() -> None:
    rows = {"a": [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])]}
    assert by_seed(rows)["a"].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_bar_gives_the_items() -> None:
    assert list(progress_bar([1, 2, 3], False)) == list(progress_bar([1, 2, 3], True)) == [1, 2, 3]

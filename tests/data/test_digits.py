"""The digits and how they are split."""

from __future__ import annotations

import sys

import pytest
import torch

import equibook as eq


def test_all_digits() -> None:
    images, labels = eq.data.digits()
    assert images.shape == (1797, 1, 8, 8) and images.dtype == torch.float32
    assert labels.shape == (1797,) and labels.dtype == torch.long
    assert images.min() == 0 and images.max() == 1
    assert labels.unique().tolist() == list(range(10))


def test_the_split_divides_and_is_fixed() -> None:
    images, labels = eq.data.digits()
    x, _ = eq.data.digits(train=True)
    x_test, y_test = eq.data.digits(train=False)
    assert len(x) + len(x_test) == 1797
    rows = torch.cat([x, x_test]).reshape(1797, -1).sum(1).sort().values
    assert torch.equal(rows, images.reshape(1797, -1).sum(1).sort().values)
    assert torch.equal(eq.data.digits(train=True)[0], x)
    shares = torch.bincount(y_test) / torch.bincount(labels)
    assert torch.allclose(shares, torch.tensor(0.25), atol=0.01)


def test_a_generator_shuffles_within_the_part(generator: torch.Generator) -> None:
    x, y = eq.data.digits(train=False)
    shuffled, labels = eq.data.digits(train=False, generator=generator)
    assert not torch.equal(labels, y)
    assert torch.equal(labels.sort().values, y.sort().values)
    assert torch.equal(shuffled.sum((1, 2, 3)).sort().values, x.sum((1, 2, 3)).sort().values)


def test_dtype() -> None:
    assert eq.data.digits(dtype=torch.float64)[0].dtype == torch.float64


def test_split_by_a_generator() -> None:
    images, labels = torch.arange(100), torch.arange(100) % 4
    parts = [
        eq.data.split(images, labels, test=0.2, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    ]
    assert torch.equal(parts[0][2], parts[1][2])
    assert not torch.equal(parts[0][2], parts[2][2])
    for x, y, x_test, y_test in parts:
        assert torch.equal(torch.cat([x, x_test]).sort().values, images)
        assert torch.equal(y, x % 4)
        assert torch.bincount(y_test).tolist() == [5, 5, 5, 5]


def test_bad_splits_are_named() -> None:
    with pytest.raises(ValueError, match="share"):
        eq.data.digits(train=True, test=1.5)
    with pytest.raises(ValueError, match="3 images but 2 labels"):
        eq.data.split(torch.ones(3), torch.ones(2))


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match="pip install scikit-learn"):
        eq.data.digits()

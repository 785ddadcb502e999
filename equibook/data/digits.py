"""The 8 × 8 digits that ship with scikit-learn: small, real, and there without a download."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["digits", "split"]


def digits(
    *,
    train: bool | None = None,
    test: float = 0.25,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Handwritten digits as images of 8 × 8 pixels: 1797 in all, ten classes.

    The split into a training and a test set is always the same, whatever the generator.

    Args:
        train: True for the training set, False for the test set, None for both together.
        test: the share of each class that belongs to the test set.
        generator: shuffles the samples; without it they come in their original order.
        dtype: of the images.

    Returns:
        Images (n, 1, 8, 8) with values in [0, 1] and labels (n,), integers 0 to 9.

    Raises:
        ModuleNotFoundError: if scikit-learn is missing, with what to install.
        ValueError: if the test set's share is not between 0 and 1.

    >>> import equibook as eq
    >>> images, labels = eq.data.digits(train=True)
    >>> images.shape, labels.shape
    (torch.Size([1347, 1, 8, 8]), torch.Size([1347]))

    Chapter: Group convolution, Compatibility, Attraction
    Reference: scikit-learn (Pedregosa et al., 2011); the test set of the UCI optical digits.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the digits ship with scikit-learn, which is not installed: pip install scikit-learn"
        ) from error
    pixels, classes = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels, dtype=torch.float64).reshape(-1, 1, 8, 8).div(16).to(dtype)
    labels = torch.as_tensor(classes, dtype=torch.long)
    if train is not None:
        x, y, x_test, y_test = split(images, labels, test=test)
        images, labels = (x, y) if train else (x_test, y_test)
    if generator is not None:
        order = torch.randperm(len(labels), generator=generator)
        images, labels = images[order], labels[order]
    return images, labels


def split(
    images: Tensor,
    labels: Tensor,
    *,
    test: float = 0.25,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Divide a data set into two parts, each class in the same proportion.

    Args:
        images: (n, …) samples.
        labels: (n,) integers.
        test: the share of each class that the second part gets.
        generator: draws which samples; without it they are spaced evenly through each class.

    Returns:
        The training images and labels, then the test images and labels, in their given order.

    Raises:
        ValueError: if the share is not between 0 and 1, or images and labels differ in number.

    >>> x, y, x_test, y_test = split(torch.arange(8), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]))
    >>> x_test, y_test
    (tensor([2, 6]), tensor([0, 1]))

    Chapter: Group convolution
    """
    if not 0 < test < 1:
        raise ValueError(f"test is {test}; it must be a share between 0 and 1, such as 0.25.")
    if len(images) != len(labels):
        raise ValueError(f"there are {len(images)} images but {len(labels)} labels.")
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in torch.unique(labels):
        members = (labels == label).nonzero().flatten().cpu()
        if generator is not None:
            members = members[torch.randperm(len(members), generator=generator)]
        count = round(test * len(members))
        held[members[((torch.arange(count) + 0.5) * len(members) / max(count, 1)).long()]] = True
    held = held.to(labels.device)
    return images[~held], labels[~held], images[held], labels[held]

r"""The convolutional networks of the published experiments, on scalar fields, and their admissible spaces.

They are plain PyTorch: convolution, mean over 2 × 2 pixels, tanh, layer normalization over the
pixels, and so on, then one linear layer, without biases. The group turns the pixels of every
feature map and mixes no channels, so one filter is a map pixels → ℝ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..dynamics import AdmissibleSpace, LayerSpace
from ..representation import FiniteGroup, pixels, trivial

__all__ = ["SUPPORTS", "scalar_network", "scalar_space"]

#: Filter supports Ω: the group maps "cross" and "full" to themselves, and not "skew".
SUPPORTS: Mapping[str, tuple[tuple[int, int, int], ...]] = {
    "cross": ((0, 1, 0), (1, 1, 1), (0, 1, 0)),
    "full": ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
    "skew": ((1, 1, 0), (1, 0, 1), (0, 1, 0)),
}


def scalar_network(
    channels: Sequence[int] = (8, 8),
    size: int = 8,
    pool: Sequence[bool] = (True, False),
    classes: int = 10,
) -> nn.Sequential:
    """Convolutions 3 × 3, each with (mean over 2 × 2,) tanh and layer normalization, then a linear layer.

    Args:
        channels: of each convolution's output.
        size: the side of the images.
        pool: whether each convolution is followed by a mean over 2 × 2 pixels.
        classes: number of outputs.

    Returns:
        A network from (batch, 1, size, size) to (batch, classes).

    Raises:
        ValueError: if pooling meets an odd side, which would break the symmetry, or what is left is
            2 × 2 or smaller: then all pixels lie on one orbit of the quarter turns, an equivariant
            feature map is constant, and layer normalization makes it 0.

    >>> scalar_network()(torch.zeros(5, 1, 8, 8)).shape
    torch.Size([5, 10])

    Chapter: Compatibility, Attraction

    Reference: Nordenfors, Ohlsson and Flinth (2025).
    """
    if len(channels) != len(pool) or not channels:
        raise ValueError(f"channels and pool have one entry a convolution; got {len(channels)} and {len(pool)}.")
    layers: list[nn.Module] = []
    inputs, side = 1, size
    for outputs, halve in zip(channels, pool, strict=True):
        layers.append(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))
        if halve:
            if side % 2:
                raise ValueError(f"Pooling halves the side of an image; a side of {side} is odd. Pool earlier or not.")
            layers.append(nn.AvgPool2d(2))
            side //= 2
        layers += [nn.Tanh(), nn.LayerNorm((side, side), elementwise_affine=False)]
        inputs = outputs
    if side <= 2:
        raise ValueError(
            f"Images of side {size} end as {side} × {side} maps, on which layer normalization leaves an equivariant "
            "network nothing; pool less, to 3 × 3 or more."
        )
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * side**2, classes, bias=False))


def scalar_space(
    G: FiniteGroup,
    network: nn.Sequential,
    support: str | Tensor | Sequence[Sequence[int]] = "full",
    *,
    generator: torch.Generator | None = None,
) -> AdmissibleSpace:
    """The admissible weights of a network of `scalar_network`: filters with a support, any linear layer.

    Args:
        G: the group that moves the pixels, such as cyclic(4).
        network: made by `scalar_network`.
        support: "cross", "full", "skew", a mask (3, 3), or "non-orthonormal": the cross, parametrized
            by five random filters of norm 1, other ones in each layer.
        generator: of those random filters.

    >>> from equibook import cyclic
    >>> G, network = cyclic(4), scalar_network()
    >>> for support in "cross", "full", "skew", "non-orthonormal":
    ...     space = scalar_space(G, network, support)
    ...     print(support, space.is_compatible, space.is_orthonormal)
    cross True True
    full True True
    skew False True
    non-orthonormal True False

    Chapter: Compatibility, Attraction
    """
    layers: dict[str, LayerSpace] = {}
    side = 0
    for name, module in network.named_children():
        if isinstance(module, nn.Conv2d):
            layers[f"{name}.weight"] = _filters(G, support, generator)
        elif isinstance(module, nn.LayerNorm):
            side = int(module.normalized_shape[0])
        elif isinstance(module, nn.Linear):
            layers[f"{name}.weight"] = LayerSpace(pixels(G, side) >> trivial(G))
    space = AdmissibleSpace(layers)
    space.weights(network)  # raises if they do not fit
    return space


def _filters(
    G: FiniteGroup, support: str | Tensor | Sequence[Sequence[int]], generator: torch.Generator | None
) -> LayerSpace:
    hom = pixels(G, 3) >> trivial(G)
    if not isinstance(support, str):
        return LayerSpace.from_support(hom, torch.as_tensor(support))
    if support == "full":
        return LayerSpace(hom, kernel_size=3)
    if support == "non-orthonormal":
        units = _filters(G, "cross", None).parametrization
        assert units is not None
        mixing = torch.randn(len(units), len(units), dtype=torch.float64, generator=generator)
        mixing = mixing / mixing.norm(dim=1, keepdim=True)
        return LayerSpace.from_basis(hom, torch.einsum("ij,jwv->iwv", mixing, units), kernel_size=3)
    if support not in SUPPORTS:
        raise ValueError(f"Supports are {[*SUPPORTS, 'non-orthonormal']} or a mask; got {support!r}.")
    return LayerSpace.from_support(hom, torch.tensor(SUPPORTS[support]))

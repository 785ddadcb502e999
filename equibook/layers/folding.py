"""Folding: a trained equivariant network as plain torch modules, which expand no weights when they run."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .convolution import FieldConv2d
from .linear import Linear, bias_vector

__all__ = ["fold"]


def fold(network: nn.Module) -> nn.Module:
    """A copy of the network in which every linear layer and convolution is a plain one, with the same outputs.

    An equivariant layer expands its coordinates to a weight whenever it is called. A network that
    is not trained any more needs that once. What remains equivariant is the function; the weights of
    the folded network are free, and training it would lose the symmetry. A folded convolution with a
    stride takes images of any size, also of those at which its samples would move with the group.

    Args:
        network: a module, with equivariant layers anywhere inside.

    Returns:
        A module of its own; the network is left as it is.

    >>> from equibook import GroupConv2d, cyclic, regular, trivial
    >>> G = cyclic(4)
    >>> network = nn.Sequential(GroupConv2d(trivial(G), 2 * regular(G), 3), nn.ReLU())
    >>> plain = fold(network)
    >>> plain[0]
    Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))
    >>> x = torch.randn(2, 1, 8, 8)
    >>> bool(torch.allclose(plain(x), network(x), atol=1e-6))
    True

    Chapter: Speed
    """
    if isinstance(network, FieldConv2d | Linear):
        return _plain(network)
    folded = copy.deepcopy(network)
    for name, child in network.named_children():
        setattr(folded, name, fold(child))
    return folded.train(network.training)


@torch.no_grad()
def _plain(layer: FieldConv2d | Linear) -> nn.Module:
    bias = bias_vector(layer.bias)
    plain: nn.Conv2d | nn.Linear
    if isinstance(layer, FieldConv2d):
        weight = layer.filters()
        plain = nn.Conv2d(
            layer.source.dim,
            layer.target.dim,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            bias=bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
    else:
        weight = layer.weight(layer.target.dim, layer.source.dim)
        plain = nn.Linear(
            layer.source.dim, layer.target.dim, bias=bias is not None, device=weight.device, dtype=weight.dtype
        )
    plain.weight.copy_(weight)
    if plain.bias is not None and bias is not None:
        plain.bias.copy_(bias)
    return plain.train(layer.training)

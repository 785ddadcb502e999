"""Whole models of escnn, and of users who build with it, as networks over plain tensors."""

from __future__ import annotations

import copy
import dis
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import torch
from torch import Tensor, fx

from ._escnn import nn
from .counterparts import ChangeOfBasis, Counterpart, counterparts
from .fields import dense

__all__ = ["network_from_escnn"]

Also = Mapping[type, Callable[[Any], torch.nn.Module]]


def network_from_escnn(model: torch.nn.Module, also: Also | None = None) -> torch.nn.Module:
    r"""The network that computes what a model of escnn computes, with copies of its weights and running statistics.

    What the model computes from a tensor, or from a GeometricTensor around it, the network computes from that
    tensor, in training and in evaluation, with the same gradients by the input and the same number of weights. Its
    layers are those of equibook and torch, at the places where the model has escnn's; fields that lie in another order
    or basis here are carried over on the way, and input and output are in escnn's.

    An escnn.nn.SequentialModule becomes a torch.nn.Sequential. Of any other model, with a forward of its own,
    we follow one call (`torch.fx`) and keep what it does: calls of modules, sums, slices and direct sums of
    GeometricTensors, and every operation of torch; an ``assert`` is passed over. Modules in which there is nothing of
    escnn are copied as they are.

    Args:
        model: an escnn module or a torch module with escnn modules inside, with groups C_n, D_n, SO(2), O(2) of the
            plane. It is left as it is.
        also: for types of modules, functions that make a module over plain tensors, with the channels as escnn has
            them, in the place of one. They come before what we know.

    Returns:
        A torch.nn.Sequential, or a torch.fx.GraphModule with readable ``code``, in the mode of the model. It needs
        no escnn. Weights are other coordinates of the same filters, so a step of training is not the same step.

    Raises:
        ValueError: if a module has no counterpart, or if the forward cannot be followed: it depends by ``if`` or
            ``for`` on values or shapes, or on ``self.training``. Names the module, and says what to do.

    >>> from equibook import cyclic, regular, trivial
    >>> from equibook.baselines import field_type
    >>> from escnn import nn
    >>> scalar, field = (field_type(V) for V in (trivial(cyclic(4)), 2 * regular(cyclic(4))))
    >>> model = nn.SequentialModule(
    ...     nn.R2Conv(scalar, field, 3), nn.InnerBatchNorm(field), nn.ReLU(field), nn.GroupPooling(field))
    >>> network = network_from_escnn(model)
    >>> [type(layer).__name__ for layer in network]
    ['SteerableConv2d', 'BatchNorm', 'ReLU', 'GroupPool']
    >>> x = torch.randn(2, 1, 8, 8)
    >>> bool(torch.allclose(network(x), model(scalar(x)).tensor, atol=1e-5))
    True

    Chapter: Steerable convolution

    Reference: escnn, Cesa, Lang and Weiler (2022).
    """
    if not isinstance(model, torch.nn.Module):
        raise TypeError(f"network_from_escnn takes a torch.nn.Module; got {type(model).__name__}.")
    network = _Conversion(also or {}).closed(model, "")
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.is_floating_point():
            for m in network.modules():
                m.to(tensor if isinstance(m, ChangeOfBasis) else tensor.device)
            break
    return network


class NotConvertible(ValueError):
    """What `network_from_escnn` raises; fx has ValueErrors of its own."""


class _Conversion:
    """One conversion: modules that occur twice become one module that occurs twice.

    A frame is the map from escnn's channels to those that a tensor has at some place of the network, as
    `fields.frame` returns it, or None where they are the same.
    """

    def __init__(self, also: Also) -> None:
        self.also = also
        self.memo: dict[int, Any] = {}  # of deepcopy, which keeps shared parameters shared
        self.done: dict[int, Counterpart] = {}

    # ---- a module ----

    def knows(self, module: torch.nn.Module) -> bool:
        """Whether the module is replaced as a whole, and not by what its forward does."""
        return (
            type(module) in self.also
            or isinstance(module, nn.SequentialModule | nn.MultipleModule)
            or type(module).__module__.split(".")[0] == "escnn"
            or _known(module) is not None
        )

    def closed(self, module: torch.nn.Module, path: str) -> torch.nn.Module:
        """The network for a module, from escnn's channels to escnn's."""
        layers, frame = self.layers(module, path, None)
        layers += _change(frame, None, "basis_out")
        if len(layers) == 1 and not isinstance(module, nn.SequentialModule):
            return layers[0][1]
        named = OrderedDict((name or "layer", layer) for name, layer in layers)
        return torch.nn.Sequential(named).train(module.training)

    def layers(
        self, module: torch.nn.Module, path: str, frame: Tensor | None
    ) -> tuple[list[tuple[str, torch.nn.Module]], Tensor | None]:
        """The layers for a module that is fed with the given frame, by name, and the frame that they give."""
        if isinstance(module, nn.SequentialModule) and type(module) not in self.also:
            found: list[tuple[str, torch.nn.Module]] = []
            for name, child in module.named_children():
                inside, frame = self.layers(child, _join(path, name), frame)
                if isinstance(child, nn.SequentialModule):
                    inside = [("", torch.nn.Sequential(OrderedDict(inside)).train(child.training))]
                found += [(f"{name}_{change}" if change else name, layer) for change, layer in inside]
            return found, frame
        ours = self.counterpart(module, path)
        if ours.anywhere:
            return [("", ours.layer)], frame
        return [*_change(frame, ours.source, "basis_in"), ("", ours.layer)], _plain(ours.target)

    def counterpart(self, module: torch.nn.Module, path: str) -> Counterpart:
        """What stands in the place of one module."""
        if id(module) not in self.done:
            self.done[id(module)] = self._counterpart(module, path)
        return self.done[id(module)]

    def _counterpart(self, module: torch.nn.Module, path: str) -> Counterpart:
        if type(module) in self.also:
            return Counterpart(self.also[type(module)](module))
        if isinstance(module, nn.MultipleModule):
            return Counterpart(self.branches(module, path))
        convert = _known(module)
        if convert is None and self.knows(module):
            raise NotConvertible(
                f"{_named(module, path)} has no counterpart in equibook. Replace it in the model, or give "
                f"network_from_escnn a function that makes one: also={{{type(module).__name__}: …}}."
            )
        if convert is None:
            return Counterpart(self.followed(module, path))
        try:
            found = convert(module)
        except ValueError as error:
            message = str(error)
            says = f"{_named(module, path)} {message}" if message[0].islower() else f"{_named(module, path)}: {message}"
            raise NotConvertible(says if says.endswith(".") else f"{says}.") from error
        found.layer.train(module.training)
        return found

    def branches(self, module: Any, path: str) -> torch.nn.Module:
        """A MultipleModule: which channels go to which module."""
        n = module.in_type.size
        # escnn's own branching says where each channel goes
        numbered = module.branching(module.in_type(torch.arange(n, dtype=torch.float32).view(1, n, 1, 1)))
        channels, layers = [], []
        for i, labels in enumerate(module.merging._labels):
            name = f"submodule_{i}"
            channels.append(torch.cat([numbered[label].tensor.flatten().long() for label in labels]))
            layers.append(self.closed(getattr(module.merging, name), _join(path, f"merging.{name}")))
        return Branches(channels, layers).train(module.training)

    # ---- a forward of its own ----

    def followed(self, model: torch.nn.Module, path: str) -> torch.nn.Module:
        """A module that has a forward of its own: the operations of one call, with our layers."""
        if not any(isinstance(m, nn.EquivariantModule) for m in model.modules()) and not _has_types(model):
            return copy.deepcopy(model, self.memo)
        graph, root = self.graph(model, path, model.training)
        other, _ = self.graph(model, path, not model.training)
        if str(graph) != str(other):
            raise NotConvertible(
                f"The forward of {_named(model, path)} does one thing in training and another in evaluation, and we "
                "can follow one only. Move what depends on self.training into a module, as nn.Dropout is one."
            )
        attributes = self.attributes(graph, root, path)
        network = fx.GraphModule(attributes, graph, class_name=type(model).__name__)
        for m in network.modules():
            if type(m) is torch.nn.Module:  # a container that fx has made
                m.training = model.training
        network.training = model.training
        return network

    def graph(self, model: torch.nn.Module, path: str, training: bool) -> tuple[fx.Graph, torch.nn.Module]:
        """What the forward of a module does, with escnn's modules as single steps."""
        modes = [(m, m.training) for m in model.modules()]
        try:
            for m, _ in modes:
                m.training = training  # train() would have escnn expand its filters
            root = copy.copy(model)  # fx leaves constants there
            return _Tracer(self, path).follow(root), root
        except NotConvertible:
            raise
        except Exception as error:
            raise NotConvertible(
                f"The forward of {_named(model, path)} cannot be followed ({error}). What it does must not depend on "
                "the values or the shapes of tensors by if or for, and it may use escnn by its modules and "
                "GeometricTensors only. Put such parts into a module of their own, and give network_from_escnn "
                "what replaces it: also={YourModule: …}."
            ) from error
        finally:
            for m, mode in modes:
                m.training = mode

    def attributes(self, graph: fx.Graph, root: torch.nn.Module, path: str) -> dict[str, Any]:
        """The modules and tensors that the steps of a graph name, converted; changes the graph where bases change."""
        steps = [node for node in graph.nodes if node.op == "call_module"]
        attributes: dict[str, Any] = {}
        frames: dict[fx.Node, Tensor | None] = {}  # of outputs that only layers of ours take
        for node in graph.nodes:
            if node.op == "get_attr":
                owner = root.get_submodule(node.target.rpartition(".")[0])
                if isinstance(owner, nn.EquivariantModule) and owner is not root and self.knows(owner):
                    raise NotConvertible(
                        f"The forward of {_named(root, path)} takes {node.target} out of escnn's module. Call the "
                        "module instead."
                    )
                value = root
                for name in node.target.split("."):
                    value = getattr(value, name)
                attributes[node.target] = copy.deepcopy(value, self.memo)
        for node in steps:
            module = root.get_submodule(node.target)
            if not self.knows(module):
                attributes[node.target] = copy.deepcopy(module, self.memo)
                continue
            alone = sum(other.target == node.target for other in steps) == 1
            incoming = frames.get(node.args[0]) if isinstance(node.args[0], fx.Node) else None
            layers, frame = self.layers(module, _join(path, node.target), incoming)
            if alone and all(self._takes_frames(user, root, steps) for user in node.users):
                frames[node] = frame
            else:
                layers += _change(frame, None, "basis_out")
            if len(layers) == 1 and not isinstance(module, nn.SequentialModule):
                attributes[node.target] = layers[0][1]
            else:
                named = OrderedDict((name or "layer", layer) for name, layer in layers)
                attributes[node.target] = torch.nn.Sequential(named).train(module.training)
        return attributes

    def _takes_frames(self, node: fx.Node, root: torch.nn.Module, steps: list[fx.Node]) -> bool:
        """Whether a step is a layer of ours with one input, called once."""
        return (
            node.op == "call_module"
            and len(node.args) == 1
            and self.knows(root.get_submodule(str(node.target)))
            and sum(other.target == node.target for other in steps) == 1
        )


class Branches(torch.nn.Module):
    """x ↦ f_1(x[c_1]) ⊕ f_2(x[c_2]) ⊕ …, with lists c_i of channels."""

    def __init__(self, channels: list[Tensor], layers: list[torch.nn.Module]) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(layers)
        for i, chosen in enumerate(channels):
            self.register_buffer(f"channels_{i}", chosen, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        pieces = [layer(x.index_select(1, self.get_buffer(f"channels_{i}"))) for i, layer in enumerate(self.layers)]
        return torch.cat(pieces, dim=1)


class _Tracer(fx.Tracer):
    """Follows a forward with GeometricTensors around the symbols of fx."""

    def __init__(self, conversion: _Conversion, path: str) -> None:
        super().__init__()
        self.conversion, self.path = conversion, path
        self.fed_with_geometric = False

    def follow(self, root: torch.nn.Module) -> fx.Graph:
        """The steps of one call."""
        plain = {name: getattr(nn.GeometricTensor, name) for name in ("__init__", "__getitem__")}

        def make(self: Any, tensor: Any, type: Any, coords: Any = None) -> None:
            if not isinstance(tensor, fx.Proxy):
                plain["__init__"](self, tensor, type, coords)
                return
            if coords is not None:
                raise NotConvertible("Points with coordinates have no counterpart: fields on the plane convert.")
            self.tensor, self.type, self.coords = tensor, type, None

        def take(self: Any, index: Any) -> Any:
            return (_take if isinstance(self.tensor, fx.Proxy) else plain["__getitem__"])(self, index)

        with mock.patch.multiple(nn.GeometricTensor, __init__=make, __getitem__=take):
            steps = self.trace(root)
        graph = fx.Graph()  # one that does not ask for this tracer when it is loaded
        graph.output(graph.graph_copy(steps, {}))
        graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "call_module", "output"))
        return graph

    def to_bool(self, obj: fx.Proxy) -> bool:
        """What an assert asks is taken for granted; what an if asks cannot be known."""
        frame = inspect.currentframe()
        while frame is not None and frame.f_globals.get("__name__", "").startswith(("torch.", __name__)):
            frame = frame.f_back
        if frame is not None:
            asserts = [step for step in dis.get_instructions(frame.f_code) if step.opname == "LOAD_ASSERTION_ERROR"]
            lines = [(step.positions.lineno or 0, step.positions.end_lineno or 0) for step in asserts if step.positions]
            if any(first <= frame.f_lineno <= last for first, last in lines):
                return True
        return super().to_bool(obj)

    def create_args_for_root(self, root_fn: Any, is_module: bool, concrete_args: Any = None) -> tuple[Any, list[Any]]:
        """An escnn module is fed with GeometricTensors of its in_type."""
        function, arguments = super().create_args_for_root(root_fn, is_module, concrete_args)
        kinds = getattr(self.root, "in_type", None) if isinstance(self.root, nn.EquivariantModule) else None
        if kinds is not None:
            kinds = kinds if isinstance(kinds, tuple) else (kinds,)
            wrapped = [nn.GeometricTensor(x, kind) for x, kind in zip(arguments[1:], kinds, strict=True)]
            arguments = [arguments[0], *wrapped]
        return function, arguments

    def create_arg(self, a: Any) -> Any:
        return super().create_arg(a.tensor if isinstance(a, nn.GeometricTensor) else a)

    def is_leaf_module(self, m: torch.nn.Module, module_qualified_name: str) -> bool:
        if self.conversion.knows(m):
            return True
        plain = not any(isinstance(inner, nn.EquivariantModule) for inner in m.modules()) and not _has_types(m)
        return plain and not self.fed_with_geometric

    def call_module(self, m: torch.nn.Module, forward: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.fed_with_geometric = any(isinstance(a, nn.GeometricTensor) for a in (*args, *kwargs.values()))
        if not self.conversion.knows(m) or getattr(m, "out_type", None) is None:
            return super().call_module(m, forward, args, kwargs)
        kinds = m.in_type if isinstance(m.in_type, tuple) else (m.in_type,)
        where = _named(m, _join(self.path, self.path_of_module(m)))
        fields = [*args, *kwargs.values()]
        for x, kind in zip(fields, kinds, strict=True):
            fed_from_outside = isinstance(x, fx.Proxy) and x.node.op == "placeholder"
            if not fed_from_outside and getattr(x, "type", None) != kind:
                raise NotConvertible(f"{where} takes fields of type {kind}, and is fed with {getattr(x, 'type', x)}.")
        tensors = tuple(x.tensor if isinstance(x, nn.GeometricTensor) else x for x in fields)
        return nn.GeometricTensor(super().call_module(m, forward, tensors, {}), m.out_type)


def _take(x: Any, index: Any) -> Any:
    """x[index] for a GeometricTensor around a symbol: escnn's own asks for its shape. Axis 1 counts fields."""
    index = list(index) if isinstance(index, tuple) else [index]
    axes = 2 + x.type.gspace.dimensionality
    dots = [i for i, at in enumerate(index) if at is Ellipsis]
    if dots:
        index[dots[0] : dots[0] + 1] = (axes + 1 - len(index)) * [slice(None)]
    if not all(isinstance(at, int | slice) for at in index):
        raise NotConvertible(f"A GeometricTensor is indexed by {index}; numbers and slices can be followed.")
    # as in escnn, a number keeps its axis
    index = [slice(at, at + 1 or None) if isinstance(at, int) else at for at in index]
    kind = x.type
    if len(index) > 1:
        fields = list(range(len(kind))[index[1]])
        index[1] = [c for i in fields for c in range(kind.fields_start[i], kind.fields_end[i])]
        kind = kind.index_select(fields)
    return nn.GeometricTensor(x.tensor[tuple(index)], kind)


def _change(before: Tensor | None, after: Tensor | None, name: str) -> list[tuple[str, torch.nn.Module]]:
    """The layer from one frame to another, if they differ."""
    before, after = _plain(before), _plain(after)
    if (before is None and after is None) or (
        before is not None and after is not None and before.shape == after.shape and torch.equal(before, after)
    ):
        return []
    if before is None:
        assert after is not None
        return [(name, ChangeOfBasis(after))]
    after = torch.arange(len(before)) if after is None else after
    if before.ndim == after.ndim == 1:
        return [(name, ChangeOfBasis(before.argsort()[after]))]
    return [(name, ChangeOfBasis(dense(after) @ dense(before).mT))]


def _plain(frame: Tensor | None) -> Tensor | None:
    """None for the map that changes nothing."""
    return None if frame is None or (frame.ndim == 1 and torch.equal(frame, torch.arange(len(frame)))) else frame


def _known(module: torch.nn.Module) -> Callable[[Any], Counterpart] | None:
    """How to convert a module: of a class that has a counterpart, or derived from one and with its forward."""
    known = counterparts()
    for kind in type(module).__mro__:
        if kind in known:
            return known[kind] if type(module).forward is kind.forward else None  # type: ignore[attr-defined]
    return None


def _has_types(module: torch.nn.Module) -> bool:
    """Whether a module, or one inside, keeps a FieldType, to make GeometricTensors with."""
    return any(isinstance(value, nn.FieldType) for m in module.modules() for value in vars(m).values())


def _named(module: torch.nn.Module, path: str) -> str:
    return f"{type(module).__name__} at {path!r}" if path else type(module).__name__


def _join(*names: str) -> str:
    return ".".join(name for name in names if name)

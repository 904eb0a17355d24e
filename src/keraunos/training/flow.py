"""Which layers read a model's inputs and make its outputs: of a graph by its nodes, of other models by the calls that are made when it is first built."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from keraunos.core import tree
from keraunos.core.graph import Operation
from keraunos.core.spec import show

# Layers without weights, which pass values on as they are.
_PASSING = ("Flatten", "Reshape", "Permute", "Dropout", "ZeroPadding1D", "ZeroPadding2D", "MaxPooling2D", "AveragePooling2D")
_WITH_FUNCTION = ("Dense", "EinsumDense", "Activation", "Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D")
_FUNCTIONS = {"Softmax": "softmax", "ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "PReLU": "prelu"}


def is_ours(x: Any) -> bool:
    """Whether an object's class, or a function, is the library's own."""
    return getattr(x, "__module__", "").startswith("keraunos.")


def kind_of(layer: Any) -> str:
    """The name of a layer's class if it is one of ours; else nothing, for a user's may do anything."""
    return type(layer).__name__ if is_ours(layer) and not isinstance(layer, Operation) else ""


class Flow:
    """The calls of a model's layers.

    Args:
        calls: The layer or op, the tensors that it took and those that it gave, in the order of the calls.
        inputs: The model's inputs.
        outputs: Its outputs.
    """

    def __init__(self, calls: list[tuple[Any, list[Any], list[Any]]], inputs: Any, outputs: Any):
        self.calls, self.inputs, self.outputs = calls, tree.flatten(inputs), tree.flatten(outputs)

    @classmethod
    def of(cls, model: Any) -> Flow | None:
        """That of a model that was built; None if it is not known."""
        if getattr(model, "outputs", None) is not None and hasattr(model, "_order"):
            return cls([(node.operation, node.inputs, node.outputs) for node in model._order], model.inputs, model.outputs)
        return model.__dict__.get("_flow")

    def maker(self, output: Any) -> Any:
        """The layer or op that made a tensor, looked up inside inner models; None if it is not known."""
        for operation, _, outputs in self.calls:
            place = next((i for i, x in enumerate(outputs) if x is output), None)
            if place is not None:
                inner = Flow.of(operation)
                return operation if inner is None else inner.maker(inner.outputs[min(place, len(inner.outputs) - 1)])
        return None

    @functools.cached_property
    def last(self) -> list[tuple[str, str | None, tuple[Any, ...]]]:
        """Of each output: the name of what made it, the function that it went through last if that is known, and the shape of a sample."""
        made = [self.maker(x) for x in self.outputs]
        return [(getattr(layer, "name", "the output"), _function(layer), show(x.shape)[1:]) for layer, x in zip(made, self.outputs, strict=True)]

    def readers(self, place: int) -> Iterator[Any]:
        """The layers with weights or functions that an input meets first, looked up inside inner models of one input."""
        met = {id(self.inputs[place])}
        for operation, inputs, outputs in self.calls:
            if any(id(x) in met for x in inputs if x is not None):
                inner = Flow.of(operation)
                if kind_of(operation) in _PASSING:
                    met.update(map(id, outputs))
                elif inner is not None and len(inner.inputs) == 1:
                    yield from inner.readers(0)
                else:
                    yield operation


def _function(layer: Any) -> str | None:
    """The name of the function that an output of a layer or op went through last; None if that is not known."""
    if isinstance(layer, Operation):
        return layer.op.__name__
    kind = kind_of(layer)
    if kind == "TimeDistributed":
        return _function(layer.layer)
    if kind not in _WITH_FUNCTION:
        return _FUNCTIONS.get(kind) if getattr(layer, "axis", -1) == -1 else None
    function = layer.activation
    return "linear" if function is None else function.__name__ if is_ours(function) else None

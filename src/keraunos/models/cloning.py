"""`clone_model`: the same architecture with new weights."""

from __future__ import annotations

from typing import Any

from keraunos.core.errors import ArgumentError
from keraunos.core.serialization import deserialize_keras_object
from keraunos.layers.input_layer import InputLayer
from keraunos.models.functional import Functional, GraphModel
from keraunos.models.graph import run
from keraunos.models.sequential import Sequential


def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None, call_function: Any = None, recursive: bool = False) -> Any:
    """The same architecture with new weights.

    Args:
        model: A Sequential or functional model; others are made anew from their config.
        input_tensors: New symbolic inputs.
        clone_function: Makes the copy of a layer.
        call_function: `call_function(layer, *args, **kwargs)` puts a copy to use.
        recursive: Whether `clone_function` is applied inside inner models too.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> keras.models.clone_model(model).count_params()
    9
    """

    def copy(layer: Any) -> Any:
        if recursive and isinstance(layer, GraphModel):
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        return clone_function(layer) if clone_function else type(layer).from_config(layer.get_config())

    if isinstance(model, Sequential) and call_function is None:
        layers = [type(layer).from_config(layer.get_config()) if isinstance(layer, InputLayer) else copy(layer) for layer in model._layers]
        if input_tensors is not None:
            layers = [input_tensors, *(layer for layer in layers if not isinstance(layer, InputLayer))]
        return Sequential(layers, name=model.name)
    if isinstance(model, GraphModel) and model.inputs is not None:
        from keraunos.core import tree

        if input_tensors is None:
            inputs = tree.map_structure(
                lambda x: InputLayer(batch_shape=x.shape, dtype=x.dtype, name=x.node.operation.name if x.node and not x.node.inputs else None).output,
                model._inputs_structure,
            )
        else:
            inputs = input_tensors
        copies: dict[int, Any] = {}

        def call(operation: Any, args: Any, kwargs: Any) -> Any:
            if not hasattr(operation, "get_config"):
                return operation.op(*args, **kwargs)
            layer = copies.setdefault(id(operation), None) or copies.__setitem__(id(operation), copy(operation)) or copies[id(operation)]
            return call_function(layer, *args, **kwargs) if call_function else layer(*args, **kwargs)

        outputs = run(model._order, model.inputs, model._outputs_structure, tree.flatten(inputs), call)
        return Functional(inputs, outputs, name=model.name)
    if clone_function or call_function or input_tensors is not None:
        raise ArgumentError(
            "A subclassed model is cloned from its config: clone_function, call_function and input_tensors need a functional one.", where=model.name
        )
    return type(model).from_config(model.get_config())


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from what `model.to_json()` returned."""
    import json

    return deserialize_keras_object(json.loads(json_string), custom_objects)

"""`clone_model`: the same architecture with new weights."""

from __future__ import annotations

import functools
import json
from typing import Any

from keraunos.core import tree
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

    def again(layer: Any) -> Any:
        return type(layer).from_config(layer.get_config())

    @functools.cache
    def copy(layer: Any) -> Any:
        if recursive and isinstance(layer, GraphModel):
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        return clone_function(layer) if clone_function else again(layer)

    if isinstance(model, Sequential) and call_function is None:
        layers = [again(layer) if isinstance(layer, InputLayer) else copy(layer) for layer in model._layers]
        if input_tensors is not None:
            layers = [input_tensors, *(layer for layer in layers if not isinstance(layer, InputLayer))]
        return Sequential(layers, name=model.name)
    if isinstance(model, GraphModel) and model.inputs is not None:
        inputs = input_tensors
        if inputs is None:
            inputs = tree.pack_sequence_as(model._inputs_structure, [again(entry.operation).output for entry in model._entries])

        def call(operation: Any, args: Any, kwargs: Any) -> Any:
            if not hasattr(operation, "get_config"):
                return operation.op(*args, **kwargs)
            layer = copy(operation)
            return call_function(layer, *args, **kwargs) if call_function else layer(*args, **kwargs)

        return Functional(inputs, run(model._order, model.inputs, model._outputs_structure, tree.flatten(inputs), call), name=model.name)
    if clone_function or call_function or input_tensors is not None:
        fact = "A subclassed model is cloned from its config: clone_function, call_function and input_tensors need a functional one."
        raise ArgumentError(fact, where=model.name)
    return again(model)


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from what `model.to_json()` returned."""
    return deserialize_keras_object(json.loads(json_string), custom_objects)

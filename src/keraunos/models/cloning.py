"""`clone_model`: the same architecture with new weights."""

from __future__ import annotations

import functools
import json
from typing import Any

from keraunos.core import tree
from keraunos.core.assets import assets_of, give_assets
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ModelFileError
from keraunos.core.graph import KerasTensor
from keraunos.core.old_graphs import with_old_activations
from keraunos.core.scope import within
from keraunos.core.serialization import deserialize_keras_object
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer
from keraunos.models.functional import Functional, GraphModel
from keraunos.models.graph import run
from keraunos.models.model import Model
from keraunos.models.sequential import Sequential


def alike(layer: Any) -> Any:
    """A layer with the same config, not built; what it has learnt by `adapt` is no weight, and stays."""
    with within(names=layer.path.rpartition("/")[0]):  # what a layer holds may be built at once: its path begins with that of the layer
        made = type(layer).from_config(layer.get_config())
        if hasattr(layer, "adapt") and layer.built:
            made.build_from_config(layer.get_build_config())
    if hasattr(layer, "adapt") and made.built:
        made.set_weights(layer.get_weights())
        give_assets(made, assets_of(layer))
    return made


def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None, call_function: Any = None, recursive: bool = False) -> Any:
    """The same architecture with new weights; compiled as the model is.

    What layers have learnt of data by `adapt`, such as vocabularies, is kept; Keras's is as if they had not been adapted.

    Args:
        model: A Sequential or functional model; others are made anew from their config.
        input_tensors: New symbolic inputs, in the structure of the model's own.
        clone_function: `clone_function(layer)` gives what stands in the layer's place: a copy by default.
        call_function: `call_function(layer, *args, **kwargs)` puts a copy, or an op of the graph, to use.
        recursive: Whether `clone_function` and `call_function` are applied inside inner models too.

    Raises:
        ArgumentError: The inputs do not fit, or a model without a graph is to be taken apart.

    Example:

    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> keras.models.clone_model(model).count_params()
    9
    """
    if not isinstance(model, Model):
        raise ArgumentTypeError("Only a model can be cloned.", where="clone_model", received=type(model).__name__, fix="layer.from_config(layer.get_config())")
    for name, function in (("clone_function", clone_function), ("call_function", call_function)):
        if function is not None and not callable(function):
            raise ArgumentTypeError(f"{name} must be a function.", where="clone_model", received=type(function).__name__)
    if not isinstance(model, GraphModel) or (model.inputs is None and not isinstance(model, Sequential)):
        if clone_function or call_function or input_tensors is not None:
            fact = "A subclassed model is cloned from its config: clone_function, call_function and input_tensors need a functional one."
            raise ArgumentError(fact, where=model.name)
        return alike(model)

    @functools.cache
    def copy(layer: Any) -> Any:
        if isinstance(layer, InputLayer):
            return alike(layer)
        if recursive and isinstance(layer, GraphModel):
            return clone_model(layer, clone_function=clone_function, call_function=call_function, recursive=True)
        found = clone_function(layer) if clone_function else alike(layer)
        if not isinstance(found, Layer):
            fact, fix = f"clone_function returned no layer for '{layer.name}'.", "return a layer from it: layer.__class__.from_config(layer.get_config())"
            raise ArgumentTypeError(fact, where="clone_model", received=type(found).__name__, fix=fix)
        return found

    inputs = input_tensors if input_tensors is None else _inputs(input_tensors, model)
    made = _sequential(model, inputs, copy) if isinstance(model, Sequential) and call_function is None else _functional(model, inputs, copy, call_function)
    if model.compiled:
        made.compile_from_config(model.get_compile_config())
    return made


def _inputs(given: Any, model: Any) -> Any:
    """Symbolic inputs in the structure of a model's own."""
    flat, count = tree.flatten(given), 1 if model.inputs is None else len(model.inputs)
    if len(flat) != count or not all(isinstance(x, KerasTensor) for x in flat):
        received = ", ".join(type(x).__name__ for x in flat[:8])
        raise ArgumentError("input_tensors do not fit.", where=model.name, received=received, expected=f"{count} of what keras.Input returns")
    return flat[0] if model.inputs is None else tree.pack_sequence_as(model._inputs_structure, flat)


def _sequential(model: Any, inputs: Any, copy: Any) -> Any:
    layers = [copy(layer) for layer in model._layers]
    if inputs is not None:
        layers = [inputs, *(layer for layer in layers if not isinstance(layer, InputLayer))]
    return same_class(model)(layers, name=model.name)


def _functional(model: Any, inputs: Any, copy: Any, call_function: Any) -> Any:
    if inputs is None:
        inputs = tree.pack_sequence_as(model._inputs_structure, [copy(entry.operation).output for entry in model._entries])

    def call(operation: Any, args: Any, kwargs: Any) -> Any:
        layer = copy(operation) if isinstance(operation, Layer) else getattr(operation, "op", operation)
        return call_function(layer, *args, **kwargs) if call_function else layer(*args, **kwargs)

    outputs = run(model._order, model.inputs, model._outputs_structure, tree.flatten(inputs), call)
    return (Functional if isinstance(model, Sequential) else same_class(model))(inputs, outputs, name=model.name)


def same_class(model: Any) -> Any:
    """The class that makes such a model of a graph or of layers: the model's own, unless that has its own `__init__`."""
    cls = type(model)
    return cls if cls.__init__.__module__.startswith("keraunos.") else Sequential if isinstance(model, Sequential) else Functional


def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    """A model from what `model.to_json()` returned, here or in any version of Keras.

    Its weights are new ones.

    Args:
        json_string: The text.
        custom_objects: Classes and functions of yours by name, beside those registered.

    Raises:
        ModelFileError: It is no JSON, or describes what cannot be made.

    Example:

    >>> import keraunos as keras
    >>> text = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).to_json()
    >>> keras.models.model_from_json(text).output_shape
    (None, 2)
    """
    try:
        config = json.loads(json_string)
    except (TypeError, ValueError, RecursionError) as error:
        fix = "pass the text that model.to_json() returned; of a file, what open(path).read() returns"
        raise ModelFileError(f"The text is no JSON: {error}.", where="model_from_json", received=repr(json_string)[:60], fix=fix) from None
    if isinstance(config, dict) and not str(config.get("keras_version", 3)).startswith("3"):
        config = with_old_activations(config)
    model = deserialize_keras_object(config, custom_objects)
    if not isinstance(model, Model):
        fix = "pass what model.to_json() returned; other objects are made by keras.saving.deserialize_keras_object"
        raise ModelFileError("The text describes no model.", where="model_from_json", received=type(model).__name__, fix=fix)
    return model

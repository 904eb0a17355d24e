"""Functional models as JSON in Keras's form, and back."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Any

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ModelFileError
from keraunos.core.graph import KerasTensor
from keraunos.core.missing import keras_names
from keraunos.core.old_graphs import modern_graph
from keraunos.core.serialization import (
    custom_object_scope,
    deserialize_value,
    get_registered_object,
    map_items,
    object_from,
    serialize_keras_object,
    serialize_value,
)
from keraunos.layers.input_layer import InputLayer
from keraunos.models.functional import Functional

# Keras has the classes of its ops in modules, of which those that are public namespaces too tell by themselves what they hold; one of the others is
# "core", with these. Then which classes are not called as the function, and which arguments they treat otherwise.
_CORE = {"associative_scan", "cast", "convert_to_tensor", "map", "saturate_cast", "scan", "scatter", "scatter_update", "slice", "slice_update",
         "stop_gradient", "switch", "unstack"}  # fmt: skip
_CLASSES = {
    "abs": "Absolute", "allclose": "AllClose", "batch_normalization": "BatchNorm", "cdist": "CDist", "conj": "Conjugate", "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss", "fft": "FFT", "fft2": "FFT2", "hsv_to_rgb": "HSVToRGB", "ifft2": "IFFT2", "irfft": "IRFFT", "isin": "IsIn", "istft": "ISTFT",
    "layer_normalization": "LayerNorm", "psnr": "PSNR", "rfft": "RFFT", "rgb_to_grayscale": "RGBToGrayscale", "rgb_to_hsv": "RGBToHSV",
    "rms_normalization": "RMSNorm", "searchsorted": "SearchSorted", "stft": "STFT", "svd": "SVD",
}  # fmt: skip
_SETTINGS = {"clip": {"x_min", "x_max"}, "repeat": {"repeats"}}
_ARGUMENTS = {"pad": {"constant_values"}}


def _class_name(op: str) -> str:
    return _CLASSES.get(op) or "".join(map(str.capitalize, op.split("_")))


def _place(op: str) -> str:
    public = (place for place in ("nn", "linalg", "image", "numpy") if op in keras_names()[f"ops.{place}"])
    return next(public, "core" if op in _CORE else "math")


def _call_arguments(op: Any) -> list[str]:
    """The parameters whose values stand in a call of Keras's class for an op; all others stand in its config."""
    names = (op.tensors | _ARGUMENTS.get(op.name, set())) - _SETTINGS.get(op.name, set())
    return [name for name in op.parameters if name in names]


def _op_entry(operation: Any, calls: list[Any]) -> tuple[dict[str, Any], list[tuple[Any, Any]]]:
    """An op of the graph as Keras writes it, with its settings, and the positional and keyword arguments of its calls."""
    op = operation.op.op
    written, settings = [], {}
    for node in calls:
        bound = op.signature.bind(*node.args, **node.kwargs)
        bound.apply_defaults()
        given = dict(bound.arguments)
        args = [given.pop(name) for name in _call_arguments(op) if name != op.variadic]
        while args and args[-1] is None:
            args.pop()
        settings = {name: value for name, value in given.items() if name not in (op.variadic, "kwargs")}
        written.append(((*args, *given.get(op.variadic, ())), {}))
    name = _class_name(op.name)
    config = {"name": operation.name, **serialize_value(settings)}
    return {"module": f"keras.src.ops.{_place(op.name)}", "class_name": name, "config": config, "registered_name": name}, written


def functional_config(model: Any) -> dict[str, Any]:
    """The graph of a functional model as JSON-ready values."""
    inner = {o.name for o in model.operations if isinstance(o, Functional)}  # Keras counts their making as a call, at the ends of a graph
    order = {id(n) for n in model._order}
    # The layer, the number of its call and of the output, by tensor; an input may lie in the midst of a larger graph.
    places: dict[int, tuple[str, int, int]] = {id(x): (node.operation.name, 0, 0) for x, node in zip(model.inputs, model._entries, strict=True)}
    calls = [[n for n in operation.nodes if id(n) in order] for operation in model.operations]
    for nodes in calls:
        for i, node in enumerate(nodes):
            for x in node.outputs:
                places.setdefault(id(x), (node.operation.name, i, x.index))

    def argument(x: Any) -> Any:
        if isinstance(x, KerasTensor):
            return {"class_name": "__keras_tensor__", "config": {"shape": list(x.shape), "dtype": x.dtype, "keras_history": list(places[id(x)])}}
        return map_items(argument, x) if isinstance(x, (list, tuple, dict)) else serialize_keras_object(x)

    def end(x: KerasTensor) -> list[Any]:
        name, call, index = places[id(x)]
        return [name, call + (name in inner), index]

    layers = []
    for operation, nodes in zip(model.operations, calls, strict=True):
        if hasattr(operation, "get_config"):
            entry, written = serialize_keras_object(operation), [(node.args, node.kwargs) for node in nodes]
        else:
            entry, written = _op_entry(operation, nodes)
        inbound = [{"args": argument(args), "kwargs": argument(kwargs)} for args, kwargs in written]
        layers.append({**entry, "name": operation.name, "inbound_nodes": inbound})
    ends = {f"{kind}_layers": tree.map_structure(end, getattr(model, f"_{kind}s_structure")) for kind in ("input", "output")}
    return {"name": model.name, "trainable": model.trainable, "layers": layers, **ends}


def _is_op(entry: dict[str, Any]) -> bool:
    """Whether an entry is an op; in `.h5` files of Keras 3 it has no module, but then not what all layers have either."""
    if "module" in entry:
        return str(entry["module"]).startswith("keras.src.ops")
    name = entry["class_name"]
    return "trainable" not in entry["config"] and get_registered_object(name) is None and _op_function(name) is not None


def _op_function(class_name: str) -> Any:
    return next((f for n, f in vars(ops).items() if hasattr(f, "op") and _class_name(n) == class_name), None)


def _op_call(entry: dict[str, Any]) -> Callable[..., Any]:
    """The function that calls an op of a file with its settings on tensors."""
    name, class_name = entry["name"], entry["class_name"]
    function = _op_function(class_name)
    fact, fix = f"The op '{class_name}' of the file", "load it with the version that saved it, or make the model anew"
    if function is None:
        raise ModelFileError(f"{fact} is not known here.", where=name, fix=fix)
    op = function.op
    given = {k: deserialize_value(v) for k, v in entry["config"].items() if k != "name"}
    unknown = [k for k, v in given.items() if k not in (*op.parameters, "dtype") and v not in (None, False)]
    if unknown:
        raise ModelFileError(f"{fact} has a setting '{unknown[0]}', which is not known here.", where=name, fix=fix)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not any(isinstance(x, KerasTensor) for x in tree.flatten([args, kwargs])):  # it would compute at once
            raise ModelFileError(f"{fact} is called on no tensor of the model.", where=name, fix="save the model again")
        settings = {k: v for k, v in given.items() if k in op.parameters} | kwargs
        if op.name == "get_item" and len(args) == 2 and isinstance(args[1], list):
            args = (args[0], tuple(args[1]))
        if op.variadic in op.tensors:
            before = [settings.pop(k) for k in op.parameters[: op.parameters.index(op.variadic)]]
            result = function(*before, *args, **settings)
        else:
            result = function(**settings | dict(zip(_call_arguments(op), args, strict=False)))
        for x in tree.flatten(result):
            if isinstance(x, KerasTensor) and x.node is not None:
                x.node.operation.name = name
        return result

    return call


def _needed(x: Any) -> Iterator[tuple[str, int]]:
    """The calls, by layer and number, whose outputs stand in the arguments of another."""
    if isinstance(x, dict) and x.get("class_name") == "__keras_tensor__":
        yield tuple(x["config"]["keras_history"][:2])
    elif isinstance(x, (list, tuple, dict)):
        for item in x.values() if isinstance(x, dict) else x:
            yield from _needed(item)


def _in_order(layers: list[dict[str, Any]], known: set[tuple[str, int]]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The calls of layers, each after those whose outputs it takes, and after that layer's own before it, which numbers its nodes.

    Raises:
        ModelFileError: Calls wait for each other, or for one that is not there.
    """
    calls = [(entry["name"], i, node) for entry in layers for i, node in enumerate(entry["inbound_nodes"])]
    waits = [{*_needed([node["args"], node["kwargs"]]), *([(name, i - 1)] if i else [])} - known for name, i, node in calls]
    followers: dict[tuple[str, int], list[int]] = {}
    for place, needed in enumerate(waits):
        for call in needed:
            followers.setdefault(call, []).append(place)
    ready, done = [place for place, needed in enumerate(waits) if not needed], 0
    while ready:
        name, i, node = calls[heapq.heappop(ready)]  # of those that can be made, the first of the file
        yield name, i, node
        done += 1
        for place in followers.get((name, i), ()):
            waits[place].discard((name, i))
            if not waits[place]:
                heapq.heappush(ready, place)
    if done < len(calls):
        first = next(name for (name, _, _), needed in zip(calls, waits, strict=True) if needed)
        fact = "The graph of the model has a cycle, or names a layer that it does not have."
        raise ModelFileError(fact, received=f"layer '{first}'", fix="save the model again", where="the config")


def functional_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A functional model from `functional_config`'s result, or what Keras wrote."""
    config = modern_graph(config)
    with custom_object_scope(custom_objects):
        made = {entry["name"]: _op_call(entry) if _is_op(entry) else object_from(entry) for entry in config["layers"]}
    outputs: dict[tuple[str, int], list[Any]] = {(name, 0): [layer.output] for name, layer in made.items() if isinstance(layer, InputLayer)}

    def value(x: Any) -> Any:
        if isinstance(x, dict) and x.get("class_name") == "__keras_tensor__":
            name, call, index = x["config"]["keras_history"]
            return outputs[name, call][index]
        described = not isinstance(x, (list, tuple, dict)) or "class_name" in x
        return deserialize_value(x) if described else map_items(value, x)

    for name, i, node in _in_order(config["layers"], set(outputs)):
        kwargs = {k: v for k, v in value(node["kwargs"]).items() if v is not None}
        outputs[name, i] = [x for x in tree.flatten(made[name](*value(node["args"]), **kwargs)) if isinstance(x, KerasTensor)]

    def end(x: Any) -> Any:
        if isinstance(x, (list, tuple)) and len(x) == 3 and isinstance(x[0], str) and isinstance(x[1], int):
            name, call, index = x
            return outputs[name, call - 1 if call and isinstance(made[name], Functional) else call][index]
        return map_items(end, x)

    model = cls(inputs=end(config["input_layers"]), outputs=end(config["output_layers"]), name=config.get("name"))
    if not config.get("trainable", True):
        model.trainable = False
    return model

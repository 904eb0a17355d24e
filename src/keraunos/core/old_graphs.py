"""The graphs of models in configs of Keras 1 and 2 and tf.keras, in the form of Keras 3: plain values in, plain values out.

There, a call was a list of tensors, each `[layer, call, output, arguments]`. Keras 3 has `{"args": …, "kwargs": …}` with
tensors in their places. Functions of TensorFlow on symbolic tensors became layers; those that are an op of ours become that op.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keraunos.core.errors import ModelFileError, clean
from keraunos.core.upgrading import HARD_SIGMOID

# Functions of TensorFlow by the op of ours: how ours is called in files, its parameters, then the function's in the same order.
_OPS = {
    "Absolute x": "math.abs x",
    "Add x1 x2": "math.add x y, __operators__.add x y, add x y",
    "Any x axis keepdims": "math.reduce_any input_tensor axis keepdims",
    "All x axis keepdims": "math.reduce_all input_tensor axis keepdims",
    "Argmax x axis": "math.argmax input axis",
    "Argmin x axis": "math.argmin input axis",
    "BroadcastTo x shape": "broadcast_to input shape",
    "Cast x dtype": "cast x dtype",
    "Ceil x": "math.ceil x",
    "Clip x x_min x_max": "clip_by_value t clip_value_min clip_value_max",
    "Concatenate xs axis": "concat values axis",
    "Cos x": "math.cos x",
    "Cumsum x axis": "math.cumsum x axis",
    "Elu x alpha": "nn.elu features alpha",
    "Equal x1 x2": "math.equal x y, __operators__.eq self other",
    "Erf x": "math.erf x",
    "Exp x": "math.exp x",
    "ExpandDims x axis": "expand_dims input axis",
    "Floor x": "math.floor x",
    "FloorDivide x1 x2": "math.floordiv x y",
    "Gelu x approximate": "nn.gelu features approximate",
    "Greater x1 x2": "math.greater x y",
    "GreaterEqual x1 x2": "math.greater_equal x y",
    "LeakyRelu x negative_slope": "nn.leaky_relu features alpha",
    "Less x1 x2": "math.less x y",
    "LessEqual x1 x2": "math.less_equal x y",
    "Log x": "math.log x",
    "LogSoftmax x axis": "nn.log_softmax logits axis",
    "LogicalAnd x1 x2": "math.logical_and x y",
    "LogicalNot x": "math.logical_not x",
    "LogicalOr x1 x2": "math.logical_or x y",
    "Logsumexp x axis keepdims": "math.reduce_logsumexp input_tensor axis keepdims",
    "Matmul x1 x2": "linalg.matmul a b",
    "Max x axis keepdims": "math.reduce_max input_tensor axis keepdims",
    "Maximum x1 x2": "math.maximum x y",
    "Mean x axis keepdims": "math.reduce_mean input_tensor axis keepdims",
    "Min x axis keepdims": "math.reduce_min input_tensor axis keepdims",
    "Minimum x1 x2": "math.minimum x y",
    "Mod x1 x2": "math.floormod x y",
    "Multiply x1 x2": "math.multiply x y",
    "Negative x": "math.negative x",
    "NotEqual x1 x2": "math.not_equal x y, __operators__.ne self other",
    "OneHot x num_classes": "one_hot indices depth",
    "OnesLike x": "ones_like input",
    "Pad x pad_width mode constant_values": "pad tensor paddings mode constant_values",
    "Power x1 x2": "math.pow x y",
    "Prod x axis keepdims": "math.reduce_prod input_tensor axis keepdims",
    "Relu x": "nn.relu features",
    "Relu6 x": "nn.relu6 features",
    "Repeat x repeats axis": "repeat input repeats axis",
    "Reshape x newshape": "reshape tensor shape",
    "Rsqrt x": "math.rsqrt x",
    "Selu x": "nn.selu features",
    "Sigmoid x": "math.sigmoid x, nn.sigmoid x",
    "Sign x": "math.sign x",
    "Silu x": "nn.silu features, nn.swish features",
    "Sin x": "math.sin x",
    "Softmax x axis": "nn.softmax logits axis",
    "Softplus x": "math.softplus features, nn.softplus features",
    "Sqrt x": "math.sqrt x",
    "Square x": "math.square x",
    "Squeeze x axis": "squeeze input axis",
    "Stack x axis": "stack values axis",
    "Std x axis keepdims": "math.reduce_std input_tensor axis keepdims",
    "StopGradient variable": "stop_gradient input",
    "Subtract x1 x2": "math.subtract x y",
    "Sum x axis keepdims": "math.reduce_sum input_tensor axis keepdims",
    "Take x indices axis": "gather params indices axis",
    "Tanh x": "math.tanh x, nn.tanh x",
    "Tile x repeats": "tile input multiples",
    "Transpose x axes": "transpose a perm",
    "TrueDivide x1 x2": "math.truediv x y, math.divide x y, realdiv x y",
    "Var x axis keepdims": "math.reduce_variance input_tensor axis keepdims",
    "Where condition x1 x2": "where condition x y",
    "ZerosLike x": "zeros_like input",
}
_FUNCTIONS = {theirs.split()[0]: (ours.split(), theirs.split()[1:]) for ours, row in _OPS.items() for theirs in row.split(",")}
# Arguments of theirs that are none of ours, with the value that does nothing.
_OFF = {"name": None, "conjugate": False, "out_type": "int32", "output_type": "int64", "transpose_a": False, "transpose_b": False, "batch_dims": 0, "on_value": None,
        "off_value": None, "validate_indices": None, "exclusive": False, "reverse": False}  # fmt: skip
_CALLED_WITH_STATES = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM2D", "Bidirectional")


def _is_tensor(x: Any) -> bool:
    return isinstance(x, (list, tuple)) and len(x) in (3, 4) and isinstance(x[0], str) and type(x[1]) is int


def _tensors(x: Any) -> Iterator[list[Any]]:
    if _is_tensor(x):
        yield list(x)
        x = x[3:]
    for item in x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ():
        yield from _tensors(item)


def is_old(config: dict[str, Any]) -> bool:
    """Whether the config of a functional model has its calls in the form of Keras 2."""
    nodes = [node for entry in config["layers"] for node in entry.get("inbound_nodes", ())]
    return any(not (isinstance(node, dict) and {"args", "kwargs"} <= node.keys()) for node in nodes)


def modern_graph(config: dict[str, Any]) -> dict[str, Any]:
    """The config of a functional model in the form of Keras 3, whatever version wrote it.

    Raises:
        ModelFileError: It has a function of TensorFlow that is no op of ours.
    """
    if not is_old(config):
        return config
    ends = {key: _only(config[key]) for key in ("input_layers", "output_layers")}
    met: dict[str, set[int]] = {}
    for name, call, *_ in _tensors([*(entry["inbound_nodes"] for entry in config["layers"]), *ends.values()]):
        met.setdefault(name, set()).add(call)
    first = {name: min(calls) for name, calls in met.items()}  # the calls of a model within were counted from 1
    inner = {entry["name"] for entry in config["layers"] if "layers" in entry["config"] and "input_layers" in entry["config"]}

    def tensor(x: list[Any]) -> Any:
        if x[0] == "_CONSTANT_VALUE":
            return x[2]
        return {"class_name": "__keras_tensor__", "config": {"keras_history": [x[0], x[1] - first[x[0]], x[2]]}}

    def value(x: Any, kwargs: dict[str, Any]) -> Any:
        if _is_tensor(x):
            kwargs.update(x[3] if len(x) == 4 else {})
            return tensor(x)
        if isinstance(x, (list, tuple)):
            return [value(item, kwargs) for item in x]
        return {key: value(item, kwargs) for key, item in x.items()} if isinstance(x, dict) else x

    def end(x: Any) -> Any:
        if _is_tensor(x):
            return [x[0], x[1] - first[x[0]] + (x[0] in inner), x[2]]
        return {key: end(item) for key, item in x.items()} if isinstance(x, dict) else list(map(end, x))

    layers = []
    for entry in config["layers"]:
        calls = []
        for node in entry["inbound_nodes"]:
            kwargs: dict[str, Any] = {}
            args = _only(value(node, kwargs))
            calls.append(([args], value(kwargs, {})))
        layers.append(_op(entry, calls) if entry["class_name"] in ("TFOpLambda", "SlicingOpLambda") else _layer(entry, calls))
    return {**config, "layers": layers, **{key: end(x) for key, x in ends.items()}}


def modern_chain(config: Any) -> dict[str, Any]:
    """The config of a Sequential in the form of Keras 3, whatever version wrote it."""
    if isinstance(config, list):  # Keras 1 and the first of Keras 2
        config = {"name": None, "layers": config}
    old = any("batch_input_shape" in (entry.get("config") or {}) for entry in config.get("layers", ()))
    return with_old_activations(config) if old else config


def _only(x: Any) -> Any:
    """The tensor in a list of one, or the list."""
    return x[0] if isinstance(x, list) and len(x) == 1 else x


def _layer(entry: dict[str, Any], calls: list[Any]) -> dict[str, Any]:
    nodes = []
    for (inputs,), kwargs in calls:
        if entry["class_name"] in _CALLED_WITH_STATES and isinstance(inputs, list):  # the first is the sequence
            inputs, kwargs = inputs[0], {**kwargs, "initial_state": inputs[1:]}
        nodes.append({"args": [inputs], "kwargs": kwargs})
    return {**entry, "config": with_old_activations(entry["config"]), "inbound_nodes": nodes}


def _op(entry: dict[str, Any], calls: list[Any]) -> dict[str, Any]:
    """A function of TensorFlow as the op of ours."""
    name, function = entry["name"], str(entry["config"].get("function"))
    if entry["class_name"] == "SlicingOpLambda":
        (op, *ours), theirs = ("GetItem", "x", "key"), ["x", "slice_spec"]
    else:
        (op, *ours), theirs = _FUNCTIONS.get(function.removeprefix("compat.v1."), ([""], []))
    if not op:
        raise ModelFileError(
            f"The model computes 'tf.{function}', which has no op of ours.", where=name, fix=f"make the model anew, with keras.ops in place of tf.{function}"
        )
    nodes = []
    for args, kwargs in calls:
        given = dict(zip(theirs, args, strict=False)) | kwargs
        kept = {key: x for key, x in given.items() if key not in theirs and x != _OFF.get(key) and key != "name"}
        if kept:
            key, x = next(iter(kept.items()))
            raise ModelFileError(
                f"The model computes 'tf.{function}' with {key}={clean(repr(x), 60)}, which cannot be kept.",
                where=name,
                fix="make the model anew, with keras.ops",
            )
        settings = {new: _setting(new, given[old]) for new, old in zip(ours, theirs, strict=True) if old in given}
        nodes.append({"args": [], "kwargs": settings})
    return {"module": "keras.src.ops.numpy", "class_name": op, "config": {"name": name}, "registered_name": op, "name": name, "inbound_nodes": nodes}


def _setting(key: str, x: Any) -> Any:
    if key == "key":
        return {"class_name": "__tuple__", "config": {"value": list(map(_index, x))}} if isinstance(x, list) else _index(x)
    return x.lower() if key == "mode" else x


def _index(x: Any) -> Any:
    if isinstance(x, dict) and "start" in x:
        return {"class_name": "__slice__", "config": x}
    return {"class_name": "__ellipsis__", "config": {}} if isinstance(x, dict) and x.get("class_name") == "__ellipsis__" else x


def with_old_activations(x: Any) -> Any:
    """The config, with the hard sigmoid of Keras 1 and 2, `clip(0.2 x + 0.5, 0, 1)`, in place of today's, whose slope is 1/6."""
    if isinstance(x, dict):
        return {key: HARD_SIGMOID if item == "hard_sigmoid" and key.endswith("activation") else with_old_activations(item) for key, item in x.items()}
    return list(map(with_old_activations, x)) if isinstance(x, list) else x

"""The graphs of models in configs of Keras 1 and 2 and tf.keras, in the form of Keras 3: plain values in, plain values out.

There, a call was a list of tensors, each `[layer, call, output, arguments]`. Keras 3 has `{"args": …, "kwargs": …}` with
tensors in their places. Functions of TensorFlow on symbolic tensors became layers; those that are an op of ours become that op.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from keraunos.core.errors import ModelFileError, clean
from keraunos.core.upgrading import HARD_SIGMOID

# Functions of TensorFlow by the op of ours: parameters of ours, those of theirs in the same order, and what ours and theirs are called in files.
_OPS = {
    ("x1 x2", "x y"): (
        "Add:math.add Add:__operators__.add Add:add Equal:math.equal FloorDivide:math.floordiv Greater:math.greater GreaterEqual:math.greater_equal "
        "Less:math.less LessEqual:math.less_equal LogicalAnd:math.logical_and LogicalOr:math.logical_or Maximum:math.maximum Minimum:math.minimum "
        "Mod:math.floormod Multiply:math.multiply NotEqual:math.not_equal Power:math.pow Subtract:math.subtract TrueDivide:math.truediv "
        "TrueDivide:math.divide TrueDivide:realdiv"
    ),
    ("x", "x"): (
        "Absolute:math.abs Ceil:math.ceil Cos:math.cos Erf:math.erf Exp:math.exp Floor:math.floor Log:math.log LogicalNot:math.logical_not "
        "Negative:math.negative Rsqrt:math.rsqrt Sigmoid:math.sigmoid Sigmoid:nn.sigmoid Sign:math.sign Sin:math.sin Sqrt:math.sqrt Square:math.square "
        "Tanh:math.tanh Tanh:nn.tanh"
    ),
    ("x axis keepdims", "input_tensor axis keepdims"): (
        "Any:math.reduce_any All:math.reduce_all Logsumexp:math.reduce_logsumexp Max:math.reduce_max Mean:math.reduce_mean Min:math.reduce_min "
        "Prod:math.reduce_prod Std:math.reduce_std Sum:math.reduce_sum Var:math.reduce_variance"
    ),
    ("x", "features"): "Relu:nn.relu Relu6:nn.relu6 Selu:nn.selu Silu:nn.silu Silu:nn.swish Softplus:math.softplus Softplus:nn.softplus",
    ("x axis", "input axis"): "Argmax:math.argmax Argmin:math.argmin ExpandDims:expand_dims Squeeze:squeeze",
    ("x1 x2", "self other"): "Equal:__operators__.eq NotEqual:__operators__.ne",
    ("x axis", "logits axis"): "LogSoftmax:nn.log_softmax Softmax:nn.softmax",
    ("x", "input"): "OnesLike:ones_like ZerosLike:zeros_like",
    ("x shape", "input shape"): "BroadcastTo:broadcast_to",
    ("x dtype", "x dtype"): "Cast:cast",
    ("x x_min x_max", "t clip_value_min clip_value_max"): "Clip:clip_by_value",
    ("xs axis", "values axis"): "Concatenate:concat",
    ("x axis", "x axis"): "Cumsum:math.cumsum",
    ("x alpha", "features alpha"): "Elu:nn.elu",
    ("x approximate", "features approximate"): "Gelu:nn.gelu",
    ("x negative_slope", "features alpha"): "LeakyRelu:nn.leaky_relu",
    ("x1 x2", "a b"): "Matmul:linalg.matmul",
    ("x num_classes", "indices depth"): "OneHot:one_hot",
    ("x pad_width mode constant_values", "tensor paddings mode constant_values"): "Pad:pad",
    ("x repeats axis", "input repeats axis"): "Repeat:repeat",
    ("x newshape", "tensor shape"): "Reshape:reshape",
    ("x axis", "values axis"): "Stack:stack",
    ("variable", "input"): "StopGradient:stop_gradient",
    ("x indices axis", "params indices axis"): "Take:gather",
    ("x repeats", "input multiples"): "Tile:tile",
    ("x axes", "a perm"): "Transpose:transpose",
    ("condition x1 x2", "condition x y"): "Where:where",
}
_FUNCTIONS = {}
for (_ours, _theirs), _row in _OPS.items():
    _FUNCTIONS |= {theirs: ([op, *_ours.split()], _theirs.split()) for op, _, theirs in (pair.partition(":") for pair in _row.split())}
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
        fact, fix = f"The model computes 'tf.{function}', which has no op of ours.", f"make the model anew, with keras.ops in place of tf.{function}"
        raise ModelFileError(fact, where=name, fix=fix)
    nodes = []
    for args, kwargs in calls:
        given = dict(zip(theirs, args, strict=False)) | kwargs
        kept = {key: x for key, x in given.items() if key not in theirs and x != _OFF.get(key) and key != "name"}
        if kept:
            key, x = next(iter(kept.items()))
            fact = f"The model computes 'tf.{function}' with {key}={clean(repr(x), 60)}, which cannot be kept."
            raise ModelFileError(fact, where=name, fix="make the model anew, with keras.ops")
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

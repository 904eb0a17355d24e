"""Functional models as JSON in Keras's form, and back."""

from __future__ import annotations

import inspect
from typing import Any

from keraunos import ops
from keraunos.core import tree
from keraunos.core.errors import ModelFileError
from keraunos.core.graph import KerasTensor
from keraunos.core.serialization import custom_object_scope, deserialize_keras_object, deserialize_value, serialize_keras_object, serialize_value
from keraunos.layers.input_layer import InputLayer
from keraunos.layers.layer import Layer

# Where Keras has the classes of its ops, beside "numpy"; which are not called as the function; which arguments it treats otherwise.
_PLACES = {
    "nn": """adaptive_average_pool adaptive_max_pool average_pool batch_normalization binary_crossentropy categorical_crossentropy celu conv conv_transpose
        ctc_decode ctc_loss depth_to_space depthwise_conv dot_product_attention elu fold gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh
        layer_normalization leaky_relu log_sigmoid log_softmax max_pool moments multi_hot normalize one_hot polar psnr relu relu6 rms_normalization selu
        separable_conv sigmoid silu soft_shrink softmax softplus softsign space_to_depth sparse_categorical_crossentropy sparse_plus sparse_sigmoid
        sparsemax squareplus tanh_shrink threshold unfold""",
    "math": """cdist erf erfc erfinv extract_sequences fft fft2 ifft2 in_top_k irfft istft logdet logsumexp rfft rsqrt segment_max segment_min segment_prod
        segment_sum stft top_k view_as_complex view_as_real""",
    "core": "associative_scan cast convert_to_tensor map saturate_cast scan scatter scatter_update slice slice_update stop_gradient switch unstack",
    "linalg": "cholesky cholesky_inverse det eig eigh inv lstsq lu_factor matrix_rank norm pinv qr solve solve_triangular svd",
    "image": """affine_transform crop_images elastic_transform extract_patches gaussian_blur hsv_to_rgb map_coordinates pad_images perspective_transform resize
        rgb_to_grayscale rgb_to_hsv""",
}
_PLACE = {name: place for place, names in _PLACES.items() for name in names.split()}
_CLASSES = {
    "abs": "Absolute", "allclose": "AllClose", "batch_normalization": "BatchNorm", "cdist": "CDist", "conj": "Conjugate", "ctc_decode": "CTCDecode",
    "ctc_loss": "CTCLoss", "fft": "FFT", "fft2": "FFT2", "hard_swish": "HardSilu", "hsv_to_rgb": "HSVToRGB", "ifft2": "IFFT2", "irfft": "IRFFT", "isin": "IsIn",
    "istft": "ISTFT", "layer_normalization": "LayerNorm", "psnr": "PSNR", "rfft": "RFFT", "rgb_to_grayscale": "RGBToGrayscale", "rgb_to_hsv": "RGBToHSV",
    "rms_normalization": "RMSNorm", "searchsorted": "SearchSorted", "stft": "STFT", "svd": "SVD", "swish": "Silu",
}  # fmt: skip
_SETTINGS = {"clip": {"x_min", "x_max"}, "repeat": {"repeats"}}
_ARGUMENTS = {"pad": {"constant_values"}}


def _class_name(op: str) -> str:
    return _CLASSES.get(op) or "".join(part[:1].upper() + part[1:] for part in op.split("_"))


def _call_arguments(op: Any) -> list[str]:
    """The parameters whose values stand in a call of Keras's class for an op; all others stand in its config."""
    names = (op.tensors | _ARGUMENTS.get(op.name, set())) - _SETTINGS.get(op.name, set())
    return [name for name in op.parameters if name in names]


def _call_of(node: Any) -> tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]:
    """The positional and keyword arguments of a node's call, and for an op its settings."""
    if isinstance(node.operation, Layer):
        return node.args, node.kwargs, {}
    op = node.operation.op.op
    bound = op.signature.bind(*node.args, **node.kwargs)
    bound.apply_defaults()
    given = dict(bound.arguments)
    args = [given.pop(name) for name in _call_arguments(op) if name != op.variadic]
    while args and args[-1] is None:
        args.pop()
    settings = {name: value for name, value in given.items() if op.signature.parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return (*args, *given.get(op.variadic, ())), {}, settings


def functional_config(model: Any) -> dict[str, Any]:
    """The graph of a functional model as JSON-ready values."""
    order = {id(n) for n in model._order}
    from keraunos.models.functional import Functional

    inner = {o.name for o in model.operations if isinstance(o, Functional)}  # Keras counts their making as a call, at the ends of a graph
    nodes: dict[int, tuple[str, int]] = {}
    for operation in model.operations:
        kept = [n for n in operation.nodes if id(n) in order or isinstance(operation, InputLayer)]
        for i, node in enumerate(kept):
            nodes[id(node)] = (operation.name, i)

    sources = model._sources()

    def key(x: KerasTensor) -> list[Any]:
        source = sources.get(id(x))  # an input may lie in the midst of a larger graph
        return [*nodes[id(source or x.node)], 0 if source else x.index]

    def argument(x: Any) -> Any:
        if isinstance(x, KerasTensor):
            return {"class_name": "__keras_tensor__", "config": {"shape": list(x.shape), "dtype": x.dtype, "keras_history": key(x)}}
        if isinstance(x, (list, tuple)):
            return [argument(y) for y in x]
        return {key: argument(y) for key, y in x.items()} if isinstance(x, dict) else serialize_keras_object(x)

    layers = []
    for operation in model.operations:
        calls = [] if isinstance(operation, InputLayer) else [_call_of(n) for n in operation.nodes if id(n) in order]
        if isinstance(operation, Layer):
            entry = serialize_keras_object(operation)
        else:
            name, place = _class_name(operation.op.__name__), _PLACE.get(operation.op.__name__, "numpy")
            entry = {
                "module": f"keras.src.ops.{place}",
                "class_name": name,
                "config": {"name": operation.name, **serialize_value(calls[0][2])},
                "registered_name": name,
            }
        entry["name"] = operation.name
        entry["inbound_nodes"] = [{"args": argument(args), "kwargs": argument(kwargs)} for args, kwargs, _ in calls]
        layers.append(entry)

    def ends(tensors: Any) -> Any:
        def numbered(x: KerasTensor) -> list[Any]:
            name, call, index = key(x)
            return [name, call + (name in inner), index]

        return numbered(tensors) if isinstance(tensors, KerasTensor) else tree.map_structure(numbered, tensors)

    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": ends(model._inputs_structure),
        "output_layers": ends(model._outputs_structure),
    }


class _Call:
    """An op of a file with its settings, ready to be called on its tensors."""

    def __init__(self, entry: dict[str, Any]):
        found = {_class_name(name): function for name, function in vars(ops).items() if hasattr(function, "op")}
        if entry["class_name"] not in found:
            raise ModelFileError(f"The op '{entry['class_name']}' of the file is not known here.", where=entry["name"])
        self.name, self.function = entry["name"], found[entry["class_name"]]
        self.op = self.function.op
        settings = {k: deserialize_value(v) for k, v in entry["config"].items() if k != "name"}
        unknown = [k for k, v in settings.items() if k not in self.op.parameters and k != "dtype" and v not in (None, False)]
        if unknown:
            raise ModelFileError(f"The op '{entry['class_name']}' of the file has a setting '{unknown[0]}', which is not known here.", where=entry["name"])
        self.settings = {k: v for k, v in settings.items() if k in self.op.parameters}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        op, settings = self.op, {**self.settings, **kwargs}
        if op.name == "get_item" and isinstance(args[1], list):
            args = (args[0], tuple(args[1]))
        if op.variadic in op.tensors:
            before = [settings.pop(name) for name in op.parameters[: op.parameters.index(op.variadic)]]
            result = self.function(*before, *args, **settings)
        else:
            result = self.function(**{**settings, **dict(zip(_call_arguments(op), args, strict=False))})
        node = next((x.node for x in tree.flatten(result) if isinstance(x, KerasTensor)), None)
        if node is not None:
            node.operation.name = self.name
        return result


def _operation(entry: dict[str, Any]) -> Any:
    if str(entry.get("module", "")).startswith("keras.src.ops"):
        return _Call(entry)
    return deserialize_keras_object({k: v for k, v in entry.items() if k not in ("name", "inbound_nodes")})


def functional_from_config(cls: Any, config: dict[str, Any], custom_objects: Any = None) -> Any:
    """A functional model from `functional_config`'s result, or what Keras wrote."""
    from keraunos.models.functional import Functional

    with custom_object_scope(custom_objects or {}):
        made = {entry["name"]: (_operation(entry), entry) for entry in config["layers"]}
    outputs: dict[tuple[str, int], list[Any]] = {}
    waiting: list[tuple[str, int, dict[str, Any]]] = []
    for name, (operation, entry) in made.items():
        if isinstance(operation, InputLayer):
            outputs[name, 0] = [operation.output]
        waiting += [(name, i, node) for i, node in enumerate(entry["inbound_nodes"])]

    def is_tensor(x: Any) -> bool:
        return isinstance(x, dict) and x.get("class_name") == "__keras_tensor__"

    def walk(x: Any) -> Any:
        if is_tensor(x):
            name, node, index = x["config"]["keras_history"]
            return outputs[name, node][index]
        if isinstance(x, dict) and "class_name" not in x:
            return {k: walk(v) for k, v in x.items()}
        return [walk(v) for v in x] if isinstance(x, (list, tuple)) else deserialize_value(x)

    def ready(x: Any) -> bool:
        if is_tensor(x):
            name, node, _ = x["config"]["keras_history"]
            return (name, node) in outputs
        values = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
        return all(map(ready, values))

    while waiting:
        now, later, started = [], [], set()
        for name, i, node in waiting:  # a layer's calls are made in their order, which numbers its nodes
            can = name not in started and ready([node["args"], node["kwargs"]])
            started |= set() if can else {name}
            (now if can else later).append((name, i, node))
        if not now:
            raise ModelFileError("The graph of the model has a cycle, or names a layer that it does not have.", received=f"layer '{waiting[0][0]}'")
        for name, i, node in now:
            kwargs = {k: v for k, v in walk(node["kwargs"]).items() if v is not None}
            result = made[name][0](*walk(node["args"]), **kwargs)
            outputs[name, i] = [x for x in tree.flatten(result) if isinstance(x, KerasTensor)]
        waiting = later

    def structure(x: Any) -> Any:
        if isinstance(x, (list, tuple)) and len(x) == 3 and isinstance(x[0], str) and isinstance(x[1], int):
            name, call, index = x
            return outputs[name, call - 1 if call and isinstance(made[name][0], Functional) else call][index]
        return {k: structure(v) for k, v in x.items()} if isinstance(x, dict) else [structure(v) for v in x]

    model = cls(inputs=structure(config["input_layers"]), outputs=structure(config["output_layers"]), name=config.get("name"))
    if not config.get("trainable", True):
        model.trainable = False
    return model

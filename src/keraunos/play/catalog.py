"""What may be chosen in the playground: layers, optimizers, losses and metrics, with a field and its text for each argument.

Names, kinds, defaults and texts are those that the classes declare. What cannot be read off them (what is shown, bounds, what a new layer
begins with) stands in the tables here, which are also the list of what a document may name.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypedDict, TypeVar

from keraunos import activations, layers, losses, metrics, optimizers
from keraunos.core.config import backend_scope
from keraunos.core.fields import CONVERTERS, REQUIRED
from keraunos.core.fields import Field as Declaration
from keraunos.play.limits import LIMITS


class Field(TypedDict):
    """One argument as the page shows it.

    `start` is what a new layer begins with where the argument is required; `of` names the inner layers that have it, in a layer that wraps
    another; `more` is true for what is seldom changed.
    """

    name: str
    kind: str  # "integer", "number", "boolean", "choice", "integers" or "text"
    default: Any
    required: bool
    optional: bool
    low: float | None
    high: float | None
    choices: list[str]
    start: Any
    of: list[str] | None
    more: bool
    text: str


class LayerEntry(TypedDict):
    """A type of layer."""

    type: str
    group: str
    text: str
    inputs: str  # "one" or "several"
    shareable: bool
    fields: list[Field]


class OptimizerEntry(TypedDict):
    """A type of optimizer."""

    type: str
    text: str
    fields: list[Field]


Named = TypedDict("Named", {"name": str, "text": str, "for": list[str]})  # a loss or a metric, and the kinds of targets that it is for


class Call(NamedTuple):
    """How a layer is made: the class's name and its arguments, among which may be another call."""

    name: str
    arguments: dict[str, Any]


# ---- which layers, in which group, and how many inputs each takes ----
_GROUPS = {
    "basic": "Dense Embedding Flatten Reshape Permute RepeatVector Rescaling Normalization TextVectorization",
    "activation": "Activation ReLU LeakyReLU PReLU ELU Softmax",
    "convolution": "Conv1D Conv2D Conv1DTranspose Conv2DTranspose DepthwiseConv2D SeparableConv1D SeparableConv2D "
    "ZeroPadding1D ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D",
    "pooling": "MaxPooling1D MaxPooling2D AveragePooling1D AveragePooling2D "
    "GlobalAveragePooling1D GlobalAveragePooling2D GlobalMaxPooling1D GlobalMaxPooling2D",
    "sequence": "SimpleRNN LSTM GRU Bidirectional TimeDistributed MultiHeadAttention",
    "normalization": "BatchNormalization LayerNormalization GroupNormalization RMSNormalization",
    "regularization": "Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout",
    "merging": "Add Subtract Multiply Average Maximum Minimum Concatenate Dot",
}
GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names.split()}
_SEVERAL = {*_GROUPS["merging"].split(), "MultiHeadAttention"}
# A layer that wraps another: the inner layers that can be chosen, and which of their arguments.
WRAPPED = {
    "Bidirectional": (("LSTM", "GRU", "SimpleRNN"), ("units", "return_sequences", "dropout")),
    "TimeDistributed": (
        ("Dense", "Conv2D", "MaxPooling2D", "GlobalAveragePooling2D", "Flatten"),
        ("units", "filters", "kernel_size", "pool_size", "strides", "padding", "activation"),
    ),
}
# Layers that are not offered because of what they do, and why.
REFUSED = {
    **dict.fromkeys(("JaxLayer", "FlaxLayer", "TorchModuleWrapper"), "it runs code that the document brings"),
    "Lambda": "a Lambda layer runs code that the document brings", "TFSMLayer": "it loads a file that the document names",
}  # fmt: skip

# ---- what cannot be read off the declared fields ----
_HIDDEN = {
    "data_format", "seed", "name", "dtype", "return_state", "stateful", "unroll", "weights", "lora_rank", "lora_alpha", "keepdims",
    "flash_attention", "synchronized", "renorm", "renorm_momentum", "encoding", "backward_layer", "use_ema", "ema_momentum",
    "ema_overwrite_frequency", "loss_scale_factor", "invert",
}  # fmt: skip
_TUPLES = {"target_shape", "dims"}  # which one integer cannot stand for
_SCHEMES = "glorot_uniform glorot_normal he_uniform he_normal lecun_uniform lecun_normal orthogonal random_uniform random_normal truncated_normal zeros ones"
_NAMES = {"Initializer": _SCHEMES.split(), "Regularizer": ["l1", "l2", "l1_l2"], "Constraint": ["max_norm", "non_neg", "unit_norm"]}
_VECTORS = ("bias", "beta", "gamma", "moving", "alpha")  # what is no matrix, which alone can be orthogonal
_STARTS: dict[str, Any] = {
    "units": 8, "filters": 8, "kernel_size": 3, "pool_size": 2, "rate": 0.2, "stddev": 0.1, "input_dim": 1000, "output_dim": 16, "n": 2,
    "num_heads": 2, "key_dim": 16, "activation": "relu", "target_shape": [-1, 1], "dims": [2, 1], "axes": 1, "scale": 0.1, "layer": None,
}  # fmt: skip
_AXIS: dict[str, Any] = {"kind": "integer", "low": -8, "high": 8}
_EDGES: dict[str, Any] = {"kind": "integers", "low": 0, "high": 256}
_PADDINGS = {"choices": ["valid", "same"], "kind": "choice"}
# By "argument", or "Layer.argument" where a layer's differs: what replaces, or adds to, what is derived.
_CHANGES: dict[str, dict[str, Any]] = {
    "padding": _PADDINGS, "Conv1D.padding": {**_PADDINGS, "choices": ["valid", "same", "causal"]},
    "ZeroPadding1D.padding": _EDGES, "ZeroPadding2D.padding": _EDGES, "cropping": _EDGES, "Cropping2D.cropping": {**_EDGES, "default": [0, 0]},
    "axis": _AXIS, "axes": {**_AXIS, "kind": "integers"}, "learning_rate": {"kind": "number", "low": 1e-8, "high": 1e6},
    "target_shape": {"kind": "integers", "low": -1, "high": 1_000_000}, "dims": {"kind": "integers", "low": 1, "high": 8},
    "input_dim": {"high": 100_000}, "max_tokens": {"low": 3, "high": 100_000}, "num_heads": {"high": 64}, "momentum": {"low": 0, "high": 1},
    "epsilon": {"low": 0, "high": 1}, "beta_1": {"low": 0, "high": 1}, "beta_2": {"low": 0, "high": 1}, "rho": {"low": 0, "high": 1},
    "GroupNormalization.groups": {"low": -1},  "Rescaling.scale": {"kind": "number"}, "Rescaling.offset": {"kind": "number"},
    "standardize": {"kind": "choice", "optional": True, "choices": ["lower_and_strip_punctuation", "lower", "strip_punctuation"]},
    "split": {"kind": "choice", "optional": True, "choices": ["whitespace", "character"]}, "stddev": {"high": 1000},
    "ngrams": {"kind": "integer", "low": 1, "high": 5}, "UpSampling2D.interpolation": {"choices": ["nearest", "bilinear"]},
    "weight_decay": {"low": 0, "high": 1}, "AdamW.weight_decay": {"low": 0, "high": 1, "optional": False}, "merge_mode": {"optional": False},
}  # fmt: skip
BOUND = 1e9  # of a number whose field says no other

# A loss or metric, and the kinds of targets that it is for ("binary": classes of which there are two).
_LOSSES = {
    "sparse_categorical_crossentropy": "classes", "binary_crossentropy": "binary input", "binary_focal_crossentropy": "binary input",
    "hinge": "binary", "squared_hinge": "binary", "mean_squared_error": "number input", "mean_absolute_error": "number input",
    "huber": "number input", "log_cosh": "number input", "mean_absolute_percentage_error": "number", "mean_squared_logarithmic_error": "number",
    "poisson": "number", "cosine_similarity": "input",
}  # fmt: skip
_METRICS = {
    "accuracy": "classes binary", "sparse_top_k_categorical_accuracy": "classes", "precision": "binary", "recall": "binary", "auc": "binary",
    "mean_absolute_error": "number input", "mean_squared_error": "number input", "root_mean_squared_error": "number input", "r2_score": "number",
    "mean_absolute_percentage_error": "number", "cosine_similarity": "number input", "pearson_correlation": "number",
}  # fmt: skip
_ACTIVATIONS = (
    "linear relu tanh sigmoid softmax elu selu gelu silu mish leaky_relu relu6 softplus softsign exponential hard_sigmoid hard_silu hard_tanh "
    "log_softmax celu squareplus sparsemax"
).split()
_OPTIMIZERS = "Adam AdamW SGD RMSprop Nadam Adamax Adagrad Adadelta Adafactor Lion Ftrl Muon".split()
ENGINES = {
    "jax": "Google's JAX: compiled by XLA, and the fastest to train small networks.",
    "torch": "PyTorch: runs op by op, and starts at once.",
    "tensorflow": "TensorFlow: compiled to a graph.",
    "pytensor": "PyTensor: a graph compiled to C or Numba, on the CPU.",
}


# ---- docstrings ----
_ARGUMENT = re.compile(r"^(\w+(?:, \w+)*): (.*)$")
_LINK = re.compile(r" ?\(?\[([^\]]*)\]\([^)]*\)\)?")


def _plain(text: str) -> str:
    """A text of a docstring without references to papers, as one line that ends with a full stop."""
    text = " ".join(_LINK.sub("", text).split())
    return text if text.endswith((".", "!", "?")) else text.rstrip(":") + "."


def summary(item: Any) -> str:
    """The first line of a docstring."""
    return _plain((inspect.getdoc(item) or "").split("\n\n")[0])


@functools.cache
def arguments(cls: type) -> dict[str, str]:
    """The texts of the arguments in a class's own docstring."""
    found: dict[str, str] = {}
    _, _, after = (inspect.cleandoc(cls.__doc__ or "") + "\n").partition("\nArgs:\n")
    names: list[str] = []
    for line in after.split("\n"):
        if line.strip() and not line.startswith("    "):
            break
        begun = _ARGUMENT.match(line[4:])
        if begun:
            names = begun[1].split(", ")
            found.update(dict.fromkeys(names, begun[2]))
        else:
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return {name: _plain(text) for name, text in found.items() if not text.startswith("As for `")}


def _told(cls: type, name: str) -> str:
    """The text of an argument, from the class, those above it, or the cell that a recurrent layer runs."""
    cells = (getattr(layers, f"{cls.__name__}Cell"), layers.SimpleRNNCell) if issubclass(cls, layers.RNN) else ()
    told = map(arguments, (*cls.__mro__, *(above for cell in cells for above in cell.__mro__)))
    return next((texts[name] for texts in told if name in texts), "")


# ---- fields ----
_KINDS: dict[str, dict[str, Any]] = {
    "Size": {"kind": "integer", "low": 1, "high": LIMITS["units"]}, "Several": {"kind": "integer", "low": 2, "high": LIMITS["units"]},
    "Count": {"kind": "integer", "low": 0, "high": LIMITS["units"]}, "int": {"kind": "integer", "high": LIMITS["units"]},
    "Sizes": {"kind": "integers", "low": 1, "high": 64}, "Counts": {"kind": "integers", "low": 0, "high": 64}, "float": {"kind": "number"},
    "Fraction": {"kind": "number", "low": 0, "high": 0.999}, "Share": {"kind": "number", "low": 0, "high": 1},
    "Positive": {"kind": "number", "low": 1e-12}, "NotNegative": {"kind": "number", "low": 0}, "bool": {"kind": "boolean"},
}  # fmt: skip


def _field(cls: type, declared: Declaration) -> Field | None:
    """The field of a declared argument; None where it is not shown."""
    name, annotation = declared.name, declared.kinds[0]
    derived = _KINDS.get(annotation, {})
    if declared.options:
        derived = {"kind": "choice", "choices": list(declared.options)}
    elif annotation in CONVERTERS:
        derived = {"kind": "choice", "choices": _NAMES.get(annotation, _ACTIVATIONS)}
    if annotation == "Initializer" and name.startswith(_VECTORS):
        derived = {**derived, "choices": [scheme for scheme in _NAMES[annotation] if scheme != "orthogonal"]}
    changes = _CHANGES.get(f"{cls.__name__}.{name}", _CHANGES.get(name, {}))
    if name in _HIDDEN or not {**derived, **changes}.get("kind"):
        return None
    required = declared.default is REQUIRED
    default = None if required else list(declared.default) if isinstance(declared.default, tuple) else declared.default
    if annotation == "Initializer" and isinstance(default, str):
        default = {"Zeros": "zeros", "uniform": "random_uniform"}.get(default, default)
    more = name.endswith(("_initializer", "_regularizer", "_constraint")) or name in ("groups", "dilation_rate", "output_padding", "trainable")
    made: dict[str, Any] = {"name": name, "default": default, "required": required, "optional": declared.optional and not required, "low": None, "high": None}
    made |= {"choices": [], "start": _STARTS[name] if required else None, "of": None, "more": more, "text": _told(cls, name)}
    return Field(**{**made, **derived, **changes})


def _fields(cls: Any) -> Iterator[Field]:
    """The fields of a class that are shown, in the order of its arguments."""
    yield from (field for declared in cls.fields.values() if (field := _field(cls, declared)))


def _layer_fields(name: str) -> Iterator[Field]:
    cls: Any = getattr(layers, name)
    weighted = any(field.endswith("_initializer") for field in cls.fields)
    if name in WRAPPED:
        inner, shown = WRAPPED[name]
        plain = {"default": None, "required": True, "optional": False, "low": None, "high": None, "of": None, "more": False}
        choice: Any = {**plain, "name": "layer", "kind": "choice", "choices": list(inner), "start": inner[0]}
        yield Field(**choice, text="The layer inside.")
        of = {(kind, field["name"]): field for kind in inner for field in _fields(getattr(layers, kind))}
        for argument in shown:
            kinds = [kind for kind in inner if (kind, argument) in of]
            yield {**of[kinds[0], argument], "of": kinds}
        weighted = True
    yield from _fields(cls)
    if weighted:
        yield from filter(None, [_field(cls, Declaration("trainable", "bool", True))])


@functools.cache
def layer_fields(name: str) -> dict[str, Field]:
    """The fields of a type of layer, by name."""
    return {field["name"]: field for field in _layer_fields(name)}


@functools.cache
def optimizer_fields(name: str) -> dict[str, Field]:
    """The fields of a type of optimizer, by name."""
    return {field["name"]: field for field in _fields(getattr(optimizers, name))}


@functools.cache
def layer_entries() -> dict[str, LayerEntry]:
    """The types of layers, by name."""
    made: dict[str, LayerEntry] = {}
    for name, group in GROUP_OF.items():
        fields, inputs, text = layer_fields(name), "several" if name in _SEVERAL else "one", summary(getattr(layers, name))
        made[name] = LayerEntry(type=name, group=group, text=text, inputs=inputs, shareable="trainable" in fields, fields=[*fields.values()])
    return made


@functools.cache
def optimizer_entries() -> dict[str, OptimizerEntry]:
    """The types of optimizers, by name."""
    return {name: {"type": name, "text": summary(getattr(optimizers, name)), "fields": [*optimizer_fields(name).values()]} for name in _OPTIMIZERS}


def _entries(table: dict[str, str], item: Callable[[str], Any]) -> dict[str, Named]:
    with backend_scope("numpy"):  # what is made to be looked at loads no other engine
        return {name: {"name": name, "text": summary(item(name)), "for": kinds.split()} for name, kinds in table.items()}


@functools.cache
def loss_entries() -> dict[str, Named]:
    """The losses, by name."""
    return _entries(_LOSSES, lambda name: type(losses.as_loss(name)))


@functools.cache
def metric_entries() -> dict[str, Named]:
    """The metrics, by name."""
    return _entries(_METRICS, lambda name: type(metrics.get("sparse_categorical_accuracy" if name == "accuracy" else name)))


@functools.cache
def activation_entries() -> dict[str, str]:
    """The texts of the activations, by name."""
    return {name: summary(activations.get(name)) for name in _ACTIVATIONS}


def _version(name: str) -> str | None:
    """The version of an engine; None where its package has another name, as those for single kinds of devices have."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def catalog() -> dict[str, Any]:
    """All that may be chosen, as JSON for the page."""
    engines = []
    for name, text in ENGINES.items():
        installed = importlib.util.find_spec(name) is not None
        engines.append({"name": name, "version": _version(name) if installed else None, "installed": installed, "text": text})
    return {
        "layers": [*layer_entries().values()],
        "optimizers": [*optimizer_entries().values()],
        "losses": [*loss_entries().values()],
        "metrics": [*metric_entries().values()],
        "activations": [{"name": name, "text": text} for name, text in activation_entries().items()],
        "engines": engines,
        "limits": LIMITS,
    }


# ---- how what is chosen is called ----
def call_of(kind: str, options: dict[str, Any]) -> Call:
    """How a layer of a document is made: for a layer that wraps another, with the call that makes the inner one as its argument `layer`.

    Args:
        kind: The type of the layer.
        options: Its options, which are valid.

    Example:

    >>> call_of("Bidirectional", {"layer": "LSTM", "units": 8})
    Call(name='Bidirectional', arguments={'layer': Call(name='LSTM', arguments={'units': 8})})
    """
    given = {name: tuple(value) if isinstance(value, list) else (value,) if name in _TUPLES else value for name, value in options.items()}
    if kind not in WRAPPED:
        return Call(kind, given)
    inner = {name: value for name, value in given.items() if layer_fields(kind)[name]["of"]}
    outer = {name: value for name, value in given.items() if name not in inner}
    return Call(kind, {**outer, "layer": Call(options["layer"], inner)})


T = TypeVar("T")


def called_with(kind: str, inputs: Sequence[T]) -> tuple[Any, ...]:
    """The arguments that a layer is called with: a list for those that merge, the query and the values for attention.

    Args:
        kind: The type of the layer.
        inputs: What goes into it.

    Example:

    >>> called_with("Add", ["a", "b"]), called_with("MultiHeadAttention", ["a"]), called_with("Dense", ["a"])
    ((['a', 'b'],), ('a', 'a'), ('a',))
    """
    if GROUP_OF.get(kind) == "merging":
        return (list(inputs),)
    return (inputs[0], inputs[0]) if kind == "MultiHeadAttention" and len(inputs) == 1 else tuple(inputs)

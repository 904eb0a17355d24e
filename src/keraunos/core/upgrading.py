"""Configs that Keras 1 and 2 and tf.keras wrote, in the form of Keras 3: plain values in, plain values out.

What was renamed is renamed; what was removed is left out where it did nothing, and told where it did something. The calls in
the graphs of models stand in `old_graphs`.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

from keraunos.core.errors import ModelFileError

# Classes that have another name now, and the arguments that make them what they were.
_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "BatchNormalizationV1": ("BatchNormalization", {}), "BatchNormalizationV2": ("BatchNormalization", {}), "CuDNNLSTM": ("LSTM", {}),
    "CuDNNGRU": ("GRU", {"reset_after": True}), "Policy": ("DTypePolicy", {}), "SyncBatchNormalization": ("BatchNormalization", {"synchronized": True}),
    "LossScaleOptimizerV3": ("LossScaleOptimizer", {}), "GroupedQueryAttention": ("GroupQueryAttention", {}), "ThresholdedReLU": ("ReLU", {}),
}  # fmt: skip
_GONE = {  # classes that Keras 3 has no more, and what there is instead
    "AddLoss": "self.add_loss(…) in the call of a layer", "AddMetric": "compile(metrics=[…])", "DenseFeatures": "keras.utils.FeatureSpace",
    "Highway": "Dense, Multiply and Add", "LocallyConnected1D": "Conv1D, which shares its kernel", "LocallyConnected2D": "Conv2D, which shares its kernel",
    "MaxoutDense": "Dense, Reshape and ops.max", "Merge": "Concatenate, Add, Multiply, Average or Dot in a functional model",
    "RandomHeight": "RandomZoom and Resizing", "RandomWidth": "RandomZoom and Resizing", "SequenceFeatures": "Embedding",
    "TensorFlowOpLayer": "the function of keras.ops",
}  # fmt: skip
# Arguments by their former names; each is renamed where a class knows the new name, and not the old one.
_RENAMED = {
    "alpha": "negative_slope", "batch_input_shape": "batch_shape", "lr": "learning_rate", "theta": "threshold",
    # Keras 1
    "W_constraint": "kernel_constraint", "W_regularizer": "kernel_regularizer", "U_regularizer": "recurrent_regularizer", "atrous_rate": "dilation_rate",
    "b_constraint": "bias_constraint", "b_regularizer": "bias_regularizer", "bias": "use_bias", "border_mode": "padding", "dim_ordering": "data_format",
    "dropout_U": "recurrent_dropout", "dropout_W": "dropout", "filter_length": "kernel_size", "init": "kernel_initializer",
    "inner_activation": "recurrent_activation", "inner_init": "recurrent_initializer", "input_dtype": "dtype", "nb_filter": "filters", "output_dim": "units",
    "p": "rate", "pool_length": "pool_size", "sigma": "stddev", "stride": "strides", "subsample": "strides", "subsample_length": "strides",
}  # fmt: skip
_VALUES = {"reduction": {"auto": "sum_over_batch_size"}, "data_format": {"tf": "channels_last", "th": "channels_first"}}
# Arguments that said how something is computed, and not what.
_IDLE = frozenset({
    "consume_less", "fn", "fused", "implementation", "input_length", "is_legacy_optimizer", "jit_compile", "kernel_constraint", "kernel_initializer",
    "kernel_regularizer", "key_shape", "query_shape", "rng_type", "schedule_decay", "value_shape", "vocabulary_size",
})  # fmt: skip
# Arguments that are no more, with the value that did nothing, and what to do in place of another.
_REMOVED: dict[str, tuple[Any, str]] = {
    "adjustment": (None, "leave the adjustment out"),
    "dynamic": (True, "a fixed scale: dynamic_growth_steps=2**31"),
    "groups": (1, "use layers without groups"),
    "mode": (0, "normalize with mode=0"),
    "ragged": (False, "pad what has several lengths, and mask the padding"),
    "relative_step": (True, "give the learning rate as a schedule"),
    "softmax_robust_masking": (False, "leave it out"),
    "time_major": (False, "transpose what goes in and comes out, and use time_major=False"),
    "virtual_batch_size": (None, "train with batches of that size"),
}
_DEFAULT_IF_NONE = ("epsilon", "name")
HARD_SIGMOID = "keraunos>hard_sigmoid_of_keras_2"


@functools.cache
def _known(cls: Any) -> frozenset[str]:
    declared = (*getattr(cls, "fields", ()), *getattr(cls, "base_arguments", ()))
    return frozenset((*declared, *inspect.signature(cls.__init__).parameters))


def modern_class(name: str, config: Any) -> tuple[str, Any]:
    """Today's name for a class, and the config that makes it what it was.

    Raises:
        ModelFileError: Keras 3 has no such class any more.
    """
    if name in _GONE:
        fix = f"make the model anew with {_GONE[name]}, or pass custom_objects={{'{name}': …}}"
        raise ModelFileError(f"Keras 3 has no '{name}' any more.", where=config.get("name") if isinstance(config, dict) else None, fix=fix)
    new, added = _CLASSES.get(name, (name, {}))
    if name.startswith("Custom>"):  # so tf.keras wrote optimizers of its own
        new = name.removeprefix("Custom>")
    return new, {**config, **added} if added else config


def modern_config(cls: Any, config: dict[str, Any]) -> dict[str, Any]:
    """The config of a class of ours for that of any version of Keras.

    Raises:
        ModelFileError: It asks for what Keras 3 has no more.

    Example:

    >>> import keraunos as keras
    >>> modern_config(keras.layers.Dense, {"output_dim": 3, "init": "zeros", "activation": "relu"})
    {'units': 3, 'kernel_initializer': 'zeros', 'activation': 'relu'}
    """
    if not cls.__module__.startswith("keraunos."):  # a user's class knows its own arguments
        if "batch_input_shape" in config:
            _input_shape(cls, config := dict(config))
        return config
    known, new = _known(cls), {}
    for key, value in config.items():
        if value is None and key in _DEFAULT_IF_NONE:
            continue
        if key in known:
            new[key] = value
        elif (name := _RENAMED.get(key)) in known and name not in config:
            new[name] = value
        elif key in _REMOVED:
            _require_idle(cls, config, key, *_REMOVED[key])
        elif key not in _IDLE:
            new[key] = value
    for key, table in _VALUES.items():
        if isinstance(new.get(key), str):
            new[key] = table.get(new[key], new[key])
    for key in new.keys() & _SPECIAL.keys():
        _SPECIAL[key](cls, new)
    return new


def _require_idle(cls: Any, config: dict[str, Any], key: str, idle: Any, instead: str) -> None:
    if config[key] != idle:
        fact = f"{cls.__name__} '{config.get('name', '')}' has {key}={config[key]!r}, which Keras 3 has no more: it cannot be kept."
        raise ModelFileError(fact, expected=f"{key}={idle!r}", fix=f"change the model in the version of Keras that wrote it: {instead}")


# ---- arguments that became others ----
def _decay(cls: Any, config: dict[str, Any]) -> None:
    if rate := config.pop("decay"):
        schedule = {"initial_learning_rate": config.get("learning_rate", 0.01), "decay_steps": 1, "decay_rate": rate}
        config["learning_rate"] = {"module": "keras.optimizers.schedules", "class_name": "InverseTimeDecay", "config": schedule, "registered_name": None}


def _axis(cls: Any, config: dict[str, Any]) -> None:
    if cls.__name__ == "BatchNormalization" and isinstance(config["axis"], (list, tuple)) and len(config["axis"]) == 1:
        config["axis"] = config["axis"][0]


def _function(cls: Any, config: dict[str, Any]) -> None:
    if isinstance(config["fn"], str):
        config["fn"] = {"module": "builtins", "class_name": "function", "config": config["fn"], "registered_name": "function"}


def _input_shape(cls: Any, config: dict[str, Any]) -> None:
    shape = config.pop("batch_input_shape")
    if "input_shape" in _known(cls):
        config.update(batch_size=shape[0], input_shape=tuple(shape[1:]))


def _kernel_size(cls: Any, config: dict[str, Any]) -> None:
    config["kernel_size"] = (config.pop("nb_row"), config.pop("nb_col"))


def _forget_bias(cls: Any, config: dict[str, Any]) -> None:
    config["unit_forget_bias"] = config.pop("forget_bias_init") in ("one", "ones")


def _lambda(cls: Any, config: dict[str, Any]) -> None:
    kind, function = config.pop("function_type"), config["function"]
    for key in ("module", "output_shape_type", "output_shape_module"):
        config.pop(key, None)
    if kind == "lambda":
        fix = "where it was made, write the function with def, pass that to Lambda, and save again; or make the layer a class"
        raise ModelFileError(f"'{config.get('name')}' is a Python lambda: the file holds its code, which is not run.", where=cls.__name__, fix=fix)
    config["function"] = {"module": "builtins", "class_name": "function", "config": function, "registered_name": "function"}


_SPECIAL = {
    "axis": _axis, "batch_input_shape": _input_shape, "decay": _decay, "fn": _function, "forget_bias_init": _forget_bias,
    "function_type": _lambda,
    "nb_row": _kernel_size,
}  # fmt: skip

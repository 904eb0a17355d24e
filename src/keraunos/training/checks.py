"""What trains without an error but cannot be meant, looked for once, on the first batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos import losses
from keraunos.callbacks import EarlyStopping
from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, DataError, StateError
from keraunos.core.graph import Operation
from keraunos.data.adapters import ArraySource, Source

SILENCE = "keraunos.config.disable_checks() silences this"
_SPARSE = losses.SparseCategoricalCrossentropy
_PROBABILITIES = (losses.CategoricalCrossentropy, losses.SparseCategoricalCrossentropy, losses.BinaryCrossentropy)
_CONFINED = {"softmax", "sigmoid", "hard_sigmoid", "sparsemax"}


def _final(x: Any) -> Any:
    """The layer or op that makes an output, looked up inside inner models."""
    operation = None if x.node is None else x.node.operation
    outputs = getattr(operation, "outputs", None)
    if outputs and hasattr(operation, "layers"):
        return _final(outputs[min(x.index, len(outputs) - 1)])
    return operation


def _activation(layer: Any) -> str | None:
    """The name of the function that an output went through last; None if that is not known."""
    if isinstance(layer, Operation):
        return layer.op.__name__
    kind = type(layer).__name__
    if kind in ("Softmax", "ReLU", "LeakyReLU", "ELU", "PReLU"):
        return kind.lower()
    if kind not in ("Dense", "Activation", "Conv1D", "Conv2D", "Conv3D"):
        return None
    function = layer.activation
    return "linear" if function is None else getattr(function, "__name__", None)


def check_targets(model: Any, data: Source, y: Any, what: str) -> None:
    """Refuse data without targets where the loss needs them.

    Raises:
        DataError: There are none.
    """
    if y is None and model.loss is not None and not model._overrides("train_step"):
        if isinstance(data, ArraySource):
            given = f"{what}=(x, y)" if what == "validation_data" else f"{what}(x, y)"
            raise DataError("The loss needs targets, and y is None.", where=what, fix=given)
        raise DataError("The data yields only x; the loss needs targets too.", where=what, received="batches of one part", fix="yield (x, y)")


def check_data(model: Any, data: Source, head: Any, what: str) -> None:
    """Refuse data, of the method or argument that is called `what`, that does not fit the model or holds NaN.

    Raises:
        DataError: Something is wrong with it.
    """
    x, y, _ = head
    check_targets(model, data, y, what)
    if hasattr(model, "_match") and model.inputs is not None and model._split is None:
        model._match(x)
    if not config.are_checks_enabled():
        return
    for name, part in (("x", x), ("y", y)):
        for a in tree.flatten(part):
            a = None if a is None else np.asarray(config.active().to_numpy(a))
            if a is not None and a.dtype.kind == "f" and not np.isfinite(a).all():
                bad = ~np.isfinite(a)
                at = np.argwhere(bad)[0].tolist()
                rows = int(bad.reshape(len(a), -1).any(1).sum())
                fact = f"{name}{at} is {a[tuple(at)]} ({rows} of {len(a)} samples of the first batch {'has' if rows == 1 else 'have'} such values)."
                raise DataError(fact, where=name, fix=f"drop or fill them: {name}[np.isfinite({name}).all(axis=-1)]. {SILENCE}")


def check_model(model: Any, head: Any) -> None:
    """Refuse what would train silently to a wrong result.

    Raises:
        StateError: Nothing can be trained.
        DataError: Labels do not fit the outputs.
        ArgumentError: The loss does not fit the last activation.
    """
    if model.weights and not model._step_variables() and not model._overrides("train_step"):
        fact = f"The model has 0 trainable weights (of {model.count_params():,} parameters)."
        raise StateError(fact, where=model.name, fix="set layer.trainable = True on what should learn, and compile again")
    if not config.are_checks_enabled() or model._compiled_loss is None or getattr(model, "outputs", None) is None:
        return
    compiled = model._compiled_loss
    goals, _, _ = compiled.aligned(head[1], (), None)
    for loss, symbol, goal in zip(compiled.losses, model.outputs, goals, strict=True):
        layer = _final(symbol)
        if loss is None or layer is None:
            continue
        classes = symbol.shape[-1]
        name = getattr(layer, "name", "the output")
        activation = _activation(layer)
        if activation == "softmax" and classes == 1:
            fix = "use activation='sigmoid' with BinaryCrossentropy, or more units"
            raise ArgumentError(f"A softmax over one unit always outputs 1 ('{name}').", where=name, fix=fix)
        if isinstance(loss, _PROBABILITIES):
            _check_activation(loss, activation, name)
        if isinstance(loss, _SPARSE) and goal is not None and isinstance(classes, int) and classes > 1:
            _check_labels(goal, classes, name, loss)


def _check_activation(loss: Any, activation: str | None, name: str) -> None:
    kind = type(loss).__name__
    function = "sigmoid" if kind.startswith("Binary") else "softmax"
    if loss.from_logits and activation in _CONFINED:
        fact = f"{kind}(from_logits=True) applies {function} to '{name}', which applies {activation} already: it would be applied twice."
        raise ArgumentError(fact, where="loss", fix=f"leave from_logits out, or remove the activation of '{name}'. {SILENCE}")
    if not loss.from_logits and activation in ("linear", "relu", "tanh", "leakyrelu", "elu", "prelu", "gelu", "silu"):
        fix = f"pass {kind}(from_logits=True) with a linear last layer, or end with activation='{function}'. {SILENCE}"
        raise ArgumentError(f"{kind} expects probabilities; the outputs of '{name}' (activation {activation}) are not.", where="loss", fix=fix)


def _check_labels(goal: Any, classes: int, name: str, loss: Any) -> None:
    labels = np.asarray(config.active().to_numpy(goal))
    if labels.size == 0 or labels.dtype.kind not in "iuf" or (labels.ndim > 1 and labels.shape[-1] == classes and classes > 1):
        return
    ignored = getattr(loss, "ignore_class", None)
    kept = labels if ignored is None else labels[labels != ignored]
    if kept.size and kept.max() >= classes:
        found = int(kept.max())
        shift = "Subtract 1, or use" if found == classes and kept.min() >= 1 else "Use"
        raise DataError(f"y contains {found}; '{name}' has the classes 0–{classes - 1}.", where="y", fix=f"{shift} Dense({found + 1}). {SILENCE}")
    if kept.size and kept.min() < 0:
        at = np.argwhere(labels < 0)[0].tolist()
        fix = f"to leave samples out, ignore_class={int(kept.min())} in the loss, or some class and sample_weight 0. {SILENCE}"
        raise DataError(f"y{at} is {int(kept.min())}, not a class.", where="y", fix=fix)


def check_callbacks(callbacks: Any, validation_data: Any) -> None:
    """Refuse a callback that can never act."""
    for callback in callbacks.callbacks:
        if isinstance(callback, EarlyStopping) and callback.monitor.startswith("val_") and validation_data is None:
            fix = f"pass validation_data or validation_split, or monitor='{callback.monitor[4:]}'"
            raise ArgumentError(f"EarlyStopping watches '{callback.monitor}', and there is no validation data: it can never stop.", where="callbacks", fix=fix)

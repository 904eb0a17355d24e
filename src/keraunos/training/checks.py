"""What trains without an error but cannot be meant, looked for once, on the first batch; labels in all that is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keraunos import losses
from keraunos.callbacks import EarlyStopping, ReduceLROnPlateau
from keraunos.core import config, tree
from keraunos.core.errors import ArgumentError, DataError, ShapeError, StateError, nearest
from keraunos.core.spec import broadcast_shapes, show
from keraunos.data.adapters import ArraySource, Source
from keraunos.losses.loss import WrappedLoss
from keraunos.training.flow import Flow, is_ours, kind_of

SILENCE = "keraunos.config.disable_checks() silences this"
LIMIT = 1 << 20  # arrays up to this size are looked at as a whole where that takes no time
SPARSE = (losses.SparseCategoricalCrossentropy, losses.CategoricalGeneralizedCrossEntropy)
CATEGORICAL = (losses.CategoricalCrossentropy, losses.CategoricalFocalCrossentropy)
BINARY = (losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy)
CROSSENTROPIES = (losses.SparseCategoricalCrossentropy, *CATEGORICAL, *BINARY)
REGRESSION = (
    losses.MeanSquaredError, losses.MeanAbsoluteError, losses.MeanAbsolutePercentageError, losses.MeanSquaredLogarithmicError, losses.Huber, losses.LogCosh,
)  # fmt: skip
_SLACK = 0.25  # by which targets may pass a bound: some add noise to labels
_CONFINED = ("softmax", "sigmoid", "hard_sigmoid", "sparsemax")
_UNCONFINED = ("linear", "relu", "tanh", "leaky_relu", "elu", "prelu", "gelu", "silu", "selu", "softplus")


def numpy_of(a: Any) -> Any:
    """An array of the user's or of the engine's as NumPy's; None where there is none."""
    return None if a is None else np.asarray(config.active().to_numpy(a))


def whole(data: Source, head: Any, part: int) -> list[Any]:
    """The arrays of a part of the data (0 for x, 1 for y): all samples of small ones in memory, else those of the first batch."""
    first = tree.flatten(head[part])
    if not isinstance(data, ArraySource) or data.prepare is not None:
        return first
    return [a if type(a) is np.ndarray and a.size <= LIMIT else b for a, b in zip(tree.flatten(data.data[part]), first, strict=True)]


# ---- before the model is built ----
def check_data(model: Any, data: Source, head: Any, what: str) -> None:
    """Refuse data, of the method or argument that is called `what`, that lacks what the loss or the model needs.

    Raises:
        DataError: There are no targets, or the inputs are not those of the model.
    """
    if head[1] is None and model.loss is not None and not model._overrides("train_step"):
        if not isinstance(data, ArraySource):
            fact = "The data yields only x; the loss needs targets too."
            raise DataError(fact, where=what, received="batches of one part", fix="yield (x, y)", code="KR210")
        fix = "validation_data=(x, y)" if what == "validation_data" else f"{what}(x, y)"
        fix += f", not {what}((x, y)): a tuple is two inputs" if isinstance(data.data[0], tuple) and what != "validation_data" else ""
        raise DataError("The loss needs targets, and y is None.", where=what, fix=fix, code="KR210")
    if hasattr(model, "_match") and model.inputs is not None and model._split is None:
        model._match(head[0])


def check_callbacks(callbacks: Any, validation_data: Any) -> None:
    """Refuse a callback that can never act.

    Raises:
        ArgumentError: It watches what there is only with validation data; no callback of the user's may log that.
    """
    if validation_data is not None or not all(map(is_ours, callbacks.callbacks)):
        return
    for callback in callbacks.callbacks:
        if isinstance(callback, (EarlyStopping, ReduceLROnPlateau)) and callback.monitor.startswith("val_"):
            own = ["loss", *(metric.name for metric in getattr(callback.model, "metrics", ()))]  # what is there without
            fix = f"pass validation_data or validation_split, or monitor='{nearest(callback.monitor[4:], own) or 'loss'}'"
            fact = f"{type(callback).__name__} watches '{callback.monitor}', and there is no validation data: it can never act."
            raise ArgumentError(fact, where="callbacks", fix=fix, code="KR502")


# ---- once it is built ----
def check_model(model: Any) -> None:
    """Refuse a model in which nothing can be trained.

    Raises:
        StateError: Nothing can be trained.
    """
    if model._overrides("train_step"):
        return
    if model.weights and not model._step_variables():
        fact = f"The model has 0 trainable weights (of {model.count_params():,} parameters)."
        raise StateError(fact, where=model.name, fix="set layer.trainable = True on what should learn, and compile again", code="KR402")
    if "_compile_arguments" in model.__dict__ and model.optimizer is None:  # a population's is its models'
        raise StateError("There is no optimizer: it is None.", where="compile", fix="compile(optimizer='adam', …)")
    flow = Flow.of(model)
    if flow is None or not config.are_checks_enabled() or model.loss is None:
        return
    cuts = [getattr(x, "cut", None) for x in flow.outputs]
    if cuts and all(cuts):
        first = (layer for layer, given, made in flow.calls if any(x.cut for x in made) and not any(getattr(x, "cut", None) for x in given))
        fact = f"No gradient gets to the weights: ops.{cuts[0]} has none, and the outputs hang on it alone."
        fix = "compute the loss from what comes before it, such as a softmax; or pass gradients around it: x + ops.stop_gradient(f(x) - x)"
        raise StateError(fact, where=getattr(next(first, model), "name", model.name), fix=f"{fix}. {SILENCE}", code="KR304")


def inputs_of(model: Any, x: Any, arrays: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """The arrays of `x` as NumPy's, each with the layers that read it first; nothing where that is not known."""
    flow = Flow.of(model)
    if flow is None or not config.are_checks_enabled() or getattr(model, "_split", None) is not None:
        return
    structure = getattr(model, "_inputs_structure", None)
    if isinstance(x, dict) and len(x) == len(arrays) > 1 and structure is not None:
        order = structure if isinstance(structure, dict) else model._names
        named = dict(zip(sorted(x), arrays, strict=True))
        arrays = [named.get(name) for name in (sorted(order) if isinstance(order, dict) else order)]
    if len(arrays) == len(flow.inputs):
        yield from ((numpy_of(a), list(flow.readers(place))) for place, a in enumerate(arrays) if a is not None)


def check_inputs(model: Any, data: Source, head: Any) -> None:
    """Refuse indices that an embedding does not have.

    Raises:
        DataError: There are such.
    """
    for a, readers in inputs_of(model, head[0], whole(data, head, 0)):
        for layer in readers:
            if kind_of(layer) == "Embedding" and a.size and a.dtype.kind in "iuf":
                _check_indices(a, layer)


def _check_indices(a: Any, layer: Any) -> None:
    size = layer.input_dim
    if a.dtype.kind == "f" and (bad := a[a != np.floor(a)]).size:
        fact = f"x contains {bad.flat[0]:g}; '{layer.name}' takes whole numbers, the indices of its rows."
        raise DataError(fact, where=layer.name, fix=f"x.astype('int32'), or a Dense layer for measurements. {SILENCE}", code="KR205")
    low, high = int(a.min()), int(a.max())
    if high >= size or low < 0:
        found = high if high >= size else low
        fix = f"Embedding({high + 1}, …), or map rare values to one index" if high >= size else "shift the indices so that they begin at 0"
        raise DataError(f"x contains {found}; '{layer.name}' has the rows 0–{size - 1}.", where=layer.name, fix=f"{fix}. {SILENCE}", code="KR205")


def check_finite(model: Any, head: Any, what: str = "") -> None:
    """Refuse NaN and infinity where nothing can deal with them: in weights of samples, in targets of our losses, in inputs of our layers with weights.

    Raises:
        DataError: There are such values in the first batch.
    """
    if not config.are_checks_enabled():
        return
    parts = [("x", a) for a, readers in inputs_of(model, head[0], tree.flatten(head[0])) if readers and all(kind_of(r) and r.weights for r in readers)]
    compiled = model._compiled_loss
    if compiled is not None and all(loss is None or _is_plain(loss) for loss in compiled.losses) and not model._overrides("train_step"):
        parts += [("y", numpy_of(a)) for a in tree.flatten(head[1])]
    for name, a in [*parts, *(("sample_weight", numpy_of(a)) for a in tree.flatten(head[2]))]:
        if a is not None and a.dtype.kind == "f" and not np.isfinite(a).all():
            at = np.argwhere(bad := ~np.isfinite(a))[0].tolist()
            rows = int(bad.reshape(len(a), -1).any(1).sum())
            fact = f"{name}{at} is {a[tuple(at)]} ({rows} of {len(a)} samples of the first batch {'has' if rows == 1 else 'have'} such values)."
            where = f"validation_data: {name}" if what == "validation_data" else name
            raise DataError(fact, where=where, fix=f"drop or fill them, such as by np.nan_to_num({name}). {SILENCE}", code="KR201")


def _is_plain(loss: Any) -> bool:
    """Whether a loss is one of ours as it is."""
    return is_ours(loss) and not isinstance(loss, WrappedLoss)


def goals(model: Any, data: Source, head: Any) -> list[tuple[Any, Any, Any]]:
    """Of each output with a loss of ours and targets: the loss, all its targets that are at hand, and what `Flow.last` has of it."""
    compiled, flow = model._compiled_loss, Flow.of(model)
    if compiled is None or flow is None or head[1] is None or len(flow.outputs) != len(compiled.losses):
        return []
    first, _, _ = compiled.aligned(head[1], (), None)
    every = {id(a): b for a, b in zip(tree.flatten(head[1]), whole(data, head, 1), strict=True)}
    found = zip(compiled.losses, first, flow.last, strict=True)
    return [(loss, numpy_of(every.get(id(goal), goal)), last) for loss, goal, last in found if goal is not None and _is_plain(loss)]


def check_goals(model: Any, data: Source, head: Any, what: str = "") -> None:
    """Refuse targets that do not fit the outputs, and a loss that does not fit the last activation.

    Raises:
        DataError: Labels do not fit the outputs.
        ShapeError: Targets would be broadcast.
        ArgumentError: The loss does not fit the last activation.
    """
    if not config.are_checks_enabled() or model._overrides("train_step"):
        return
    where = "validation_data: y" if what == "validation_data" else "y"
    for loss, goal, (name, function, shape) in goals(model, data, head):
        if shape and shape[-1] == 1 and function == "softmax":
            fix = f"use activation='sigmoid' with BinaryCrossentropy, or more units. {SILENCE}"
            raise ArgumentError(f"A softmax over one unit always outputs 1 ('{name}').", where=name, fix=fix, code="KR301")
        if isinstance(loss, CROSSENTROPIES):
            check_function(loss, function, name)
        if getattr(loss, "axis", -1) != -1 or not shape:
            continue
        if isinstance(loss, (*SPARSE, *CATEGORICAL)) and shape[-1] == 1:
            fact = f"{type(loss).__name__} compares classes, and '{name}' has 1 unit: the loss of one class is always 0."
            fix = f"for two classes use the loss 'binary_crossentropy' with activation='sigmoid', else one unit for each class. {SILENCE}"
            raise ArgumentError(fact, where=name, fix=fix, code="KR301")
        if goal.size and goal.dtype.kind in "iuf":
            (_check_labels if isinstance(loss, SPARSE) else _check_range)(goal, shape, name, loss, where)
        if isinstance(loss, (*BINARY, *REGRESSION)):
            _check_broadcast(goal, shape, name, loss, where)


def check_function(loss: Any, function: str | None, name: str) -> None:
    """Refuse a crossentropy of what a function gave that it is not meant for.

    Raises:
        ArgumentError: It expects probabilities, or logits, and the output called `name` is the other.
    """
    kind = type(loss).__name__
    own = "sigmoid" if kind.startswith("Binary") else "softmax"
    if loss.from_logits and function in _CONFINED:
        fact = f"{kind}(from_logits=True) applies {own} to '{name}', which applies {function} already: it would be applied twice."
        raise ArgumentError(fact, where="loss", fix=f"leave from_logits out, or remove the activation of '{name}'. {SILENCE}", code="KR301")
    if not loss.from_logits and function in _UNCONFINED:
        fix = f"pass {kind}(from_logits=True) with a linear last layer, or end with activation='{own}'. {SILENCE}"
        fact = f"{kind} expects probabilities; the outputs of '{name}' (activation {function}) are not."
        raise ArgumentError(fact, where="loss", fix=fix, code="KR301")


def _check_labels(labels: Any, shape: tuple[Any, ...], name: str, loss: Any, where: str) -> None:
    classes = shape[-1]
    if not isinstance(classes, int) or (labels.ndim == len(shape) + 1 and labels.shape[-1] == classes):
        return  # one-hot targets are the loss's to refuse
    ignored = getattr(loss, "ignore_class", None)
    kept = labels if ignored is None else labels[labels != ignored]
    if not kept.size:
        return
    low, high = kept.min(), kept.max()
    if labels.dtype.kind == "f" and (bad := np.argwhere(labels != np.floor(labels))).size:
        fact = f"y{bad[0].tolist()} is {labels[tuple(bad[0])]:g}; {type(loss).__name__} takes the numbers of classes, which are integers."
        fix = "for a regression use the loss 'mse' and Dense(1)"
    elif high >= classes:
        fact = f"y contains {int(high)}; '{name}' has the classes 0–{classes - 1}."
        fix = f"{'Subtract 1, or use' if high == classes and low >= 1 else 'Use'} Dense({int(high) + 1})"
    elif low < 0:
        fact = f"y{np.argwhere(labels == low)[0].tolist()} is {int(low)}, not a class."
        fix = f"to leave samples out, ignore_class={int(low)} in the loss, or some class and sample_weight 0"
    else:
        return
    raise DataError(fact, where=where, fix=f"{fix}. {SILENCE}", code="KR202")


def _check_range(goal: Any, shape: tuple[Any, ...], name: str, loss: Any, where: str) -> None:
    low, high = float(goal.min()), float(goal.max())
    if isinstance(loss, losses.Poisson):
        least, most, wanted, fix = 0.0, np.inf, "counts, which are not negative", "for targets of both signs use the loss 'mse'"
    elif isinstance(loss, (losses.Hinge, losses.SquaredHinge)):
        least, most, wanted, fix = -1.0, 1.0, "-1 and 1, or 0 and 1", "for more classes use the loss 'categorical_hinge' with one-hot targets"
    elif isinstance(loss, CATEGORICAL) and goal.shape[-1] != shape[-1]:  # what has a column for each class may be weighted, as by the returns of actions
        fix = "for the numbers of classes the loss 'sparse_categorical_crossentropy', or y = keras.utils.to_categorical(y)"
        least, most, wanted = 0.0, 1.0, "shares of classes, from 0 to 1"
    elif isinstance(loss, BINARY):
        scaled = f"y = (y + {-low:g}) / {high - low:g}" if low < 0 else f"y = y / {high:g}"
        few = "for more than two classes use the loss 'sparse_categorical_crossentropy', with a unit for each and softmax"
        least, most, wanted, fix = 0.0, 1.0, "targets between 0 and 1", few if 1 < high < 100 and low >= 0 else scaled
    else:
        return
    if low < least - _SLACK or high > most + _SLACK:
        fact = f"y contains {low if low < least else high:g}; {type(loss).__name__} takes {wanted} ('{name}')."
        raise DataError(fact, where=where, fix=f"{fix}. {SILENCE}", code="KR203")


def _check_broadcast(goal: Any, shape: tuple[Any, ...], name: str, loss: Any, where: str) -> None:
    """Refuse targets of which each would be compared with several outputs, or each output with several targets."""
    given, wanted = [tuple(s[:-1]) if len(s) and s[-1] == 1 and len(s) != len(t) else tuple(s) for s, t in ((goal.shape[1:], shape), (shape, goal.shape[1:]))]
    if len(given) == len(wanted) and all(m == n or n is None for m, n in zip(given, wanted, strict=True)):
        return
    try:
        broadcast_shapes(goal.shape[1:], shape)
    except ShapeError:
        return  # which the loss says
    fact = f"A sample of y has the shape {show(goal.shape[1:])}, one of the outputs of '{name}' {show(shape)}: {type(loss).__name__} would broadcast them."
    units = goal.shape[-1] if goal.ndim > 1 else 1
    fix = f"give the last layer {units} unit{'s' * (units > 1)}, or reshape y. {SILENCE}"
    raise ShapeError(fact, where=where, fix=fix, code="KR204")

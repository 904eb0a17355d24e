"""What is legal but seldom meant: told once, by a warning, when `fit` begins. Nothing here costs more than a look at the first batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keraunos import losses
from keraunos.core import config, tree
from keraunos.core.errors import layout
from keraunos.core.frames import warn
from keraunos.core.variable import Variable
from keraunos.data.adapters import ArraySource, Source
from keraunos.metrics.confusion import AUC, Precision, Recall
from keraunos.metrics.means import Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from keraunos.training.checks import BINARY, CATEGORICAL, CROSSENTROPIES, REGRESSION, SILENCE, SPARSE, goals, inputs_of, numpy_of
from keraunos.training.flow import Flow, kind_of

_WEIGHING = ("Dense", "Conv2D", "Conv3D", "SeparableConv2D", "DepthwiseConv2D")  # layers that want inputs of about 1
_RANGES = {
    "relu": (0.0, np.inf, "never negative"),
    "sigmoid": (0.0, 1.0, "from 0 to 1"),
    "tanh": (-1.0, 1.0, "from -1 to 1"),
    "softmax": (0.0, 1.0, "from 0 to 1"),
}
_ACCURACIES = (Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy)
Told = Iterator[tuple[str, str, str]]  # the fact, the place, the fix


def suspect(model: Any, data: Source, head: Any, epochs: int, split: bool, **options: Any) -> None:
    """Warn of what is suspicious in a model, its data and the options of `fit`."""
    if not config.are_checks_enabled() or model._overrides("train_step"):
        return
    found = [
        *_of_run(model, data, head, epochs, **options),
        *_of_inputs(model, head),
        *_of_targets(model, data, head, epochs, split),
        *_of_metrics(model, head),
    ]
    for fact, where, fix in found:
        warn(layout(fact, where, fix=f"{fix}. {SILENCE}", code="KR900"))


def _of_run(model: Any, data: Source, head: Any, epochs: int, initial_epoch: int, validation: Any) -> Told:
    if 0 < epochs <= initial_epoch:
        yield (
            f"Nothing is trained: epochs={epochs}, initial_epoch={initial_epoch}.",
            "fit",
            "epochs counts from the first epoch: pass initial_epoch + how many to add",
        )
    rate = getattr(model.optimizer, "_rate", None)
    rate = float(rate.numpy()) if isinstance(rate, Variable) else None
    if rate is not None and rate >= 10:
        yield f"learning_rate={rate:g}: most networks diverge above 1.", "optimizer", "a usual value is 0.001 for Adam, 0.01 for SGD"
    if isinstance(validation, (tuple, list)) and len(validation) > 1 and isinstance(data, ArraySource):
        known = [id(a) for a in tree.flatten(data.data[0])]
        if [id(a) for a in tree.flatten(validation[0])] == known:
            yield (
                "validation_data is the same x as the training data: it does not tell how well new data is met.",
                "validation_data",
                "validation_split=0.2, or data of its own",
            )
    rows = next((len(a) for a in tree.flatten(head[0]) if a is not None), 0)
    for layer in model._flatten_layers():
        kind = kind_of(layer)
        if kind == "BatchNormalization" and rows == 1 and layer.trainable and getattr(layer.input_spec, "ndim", 0) == 2:
            yield f"'{layer.name}' normalizes over a batch of 1 sample: all its outputs are beta.", layer.name, "a larger batch_size, or LayerNormalization"
        elif (
            kind == "Normalization"
            and layer.built
            and layer.input_mean is None
            and not layer.adapt_mean.numpy().any()
            and (layer.adapt_variance.numpy() == 1).all()
        ):
            yield f"'{layer.name}' has seen no data: it leaves its inputs as they are.", layer.name, "layer.adapt(x) before fit"
        elif getattr(layer, "stateful", False) and hasattr(layer, "return_sequences") and getattr(data, "shuffle", False):
            yield f"'{layer.name}' is stateful, and the samples are shuffled: its state goes on with another sequence.", layer.name, "fit(…, shuffle=False)"
        elif kind.endswith("Dropout") and getattr(layer, "rate", 0) == 1:
            yield f"'{layer.name}' has rate=1.0: it drops all its inputs.", layer.name, "rate is the share that is dropped, such as 0.5"


def _of_inputs(model: Any, head: Any) -> Told:
    for a, readers in inputs_of(model, head[0], tree.flatten(head[0])):
        reader = next((layer for layer in readers if kind_of(layer) in _WEIGHING), None)
        if reader is None or not reader.trainable or a.ndim < 3 or min(a.shape[1:3]) < 8 or a.dtype.kind not in "uif" or not a.size:
            continue
        if 100 < a.max() <= 255 and a.min() >= 0 and (a == np.floor(a)).all() and not (a.ndim == 3 and a.shape[-1] != a.shape[-2]):
            fix = "put layers.Rescaling(1/255) after the Input, or pass x / 255"
            yield f"x holds whole numbers up to {a.max():g}, such as raw images: '{reader.name}' learns badly from large values.", reader.name, fix


def _of_targets(model: Any, data: Source, head: Any, epochs: int, split: bool) -> Told:
    for loss, goal, (name, function, shape) in goals(model, data, head):
        if goal.dtype.kind not in "iuf" or not goal.size or not shape:
            continue
        several, low, high = shape[-1] != 1, float(goal.min()), float(goal.max())
        if isinstance(loss, BINARY) and function == "softmax" and several:
            fix = "categorical_crossentropy with softmax for one class of several, binary_crossentropy with sigmoid for several at once"
            yield f"The loss is binary_crossentropy, and '{name}' ends with softmax.", name, fix
        elif isinstance(loss, (*SPARSE, *CATEGORICAL)) and function == "sigmoid" and several:
            yield (
                f"The loss compares one class of several, and '{name}' ends with sigmoid, which gives each by itself.",
                name,
                f"activation='softmax' in '{name}'",
            )
        elif isinstance(loss, REGRESSION) and function in _RANGES:
            least, most, words = _RANGES[function]
            if low < least - 0.01 or high > most + 0.01:
                fact = f"The outputs of '{name}' are {words} ({function}), and y has values from {low:.3g} to {high:.3g}."
                yield fact, name, f"leave the activation of '{name}' out, or scale y"
        elif isinstance(loss, losses.MeanSquaredError) and max(-low, high) >= 1e5:
            mean = float(goal.mean(dtype="float64"))
            yield (
                f"y has values up to {max(-low, high):.3g} (mean {mean:.3g}): the loss is their square.",
                "y",
                "scale y to mean 0 and deviation 1: y = (y - y.mean()) / y.std()",
            )
        if isinstance(loss, CATEGORICAL) and goal.ndim == len(shape) + 1 and getattr(loss, "axis", -1) == -1:
            off = (np.abs(goal.sum(-1) - 1) > 0.01) & ((goal != 0).sum(-1) > 1)  # rows of zeros are padding; one number is a weight, as the return of an action
            if off.any():
                at = np.argwhere(off)[0].tolist()
                fix = "for several classes at once use sigmoid and binary_crossentropy"
                yield f"y{at} sums to {goal[tuple(at)].sum():g}; the shares of the classes of a sample sum to 1.", "y", fix
        if not isinstance(loss, (*SPARSE, *BINARY)) or not isinstance(data, ArraySource) or goal.size != data.size or goal.size < 8:
            continue
        labels = goal.ravel()
        if low == high and epochs > 1:  # who trains on one class after another, or on what is generated and what is real, does so an epoch at a time
            yield f"y is {low:g} in every sample: there is nothing to tell apart.", "y", "check how the targets were made"
        elif split and low < high and labels.size >= 16 and (labels[1:] >= labels[:-1]).all():
            fact = f"validation_split takes the last samples, and y is sorted: they are of class {labels[-1]:g}, which may be in no others."
            yield fact, "validation_split", "shuffle first: order = np.random.permutation(len(x)); x, y = x[order], y[order]"


def _of_metrics(model: Any, head: Any) -> Told:
    compiled, flow = model._compiled_metrics, Flow.of(model)
    if compiled is None or flow is None or len(flow.outputs) != len(compiled.names) or head[1] is None:
        return
    first = compiled.aligned(head[1], (), None)[0]
    kept = model._compiled_loss.losses if model._compiled_loss is not None else [None] * len(first)
    for place, metric, _ in compiled.entries:
        goal, loss, (name, function, shape) = numpy_of(first[place]), kept[place], flow.last[place]
        if goal is None or not goal.size:
            continue
        logits = function == "linear" and isinstance(loss, CROSSENTROPIES) and loss.from_logits
        if isinstance(metric, _ACCURACIES) and isinstance(loss, REGRESSION) and goal.dtype.kind == "f" and (goal != np.floor(goal)).any():
            yield f"'{metric.name}' compares classes; the targets of '{name}' are continuous.", f"metric '{metric.name}'", "metrics=['mae'] or ['r2_score']"
        elif isinstance(metric, BinaryAccuracy) and logits and metric.threshold > 0:
            fact = f"'{metric.name}' compares with {metric.threshold}, and the outputs of '{name}' are logits."
            yield fact, f"metric '{metric.name}'", "metrics=[keras.metrics.BinaryAccuracy(threshold=0.0)]"
        elif isinstance(metric, AUC) and logits and not metric.from_logits:
            yield (
                f"'{metric.name}' takes probabilities, and the outputs of '{name}' are logits.",
                f"metric '{metric.name}'",
                "keras.metrics.AUC(from_logits=True)",
            )
        elif isinstance(metric, (Precision, Recall)) and logits and metric.thresholds in (None, 0.5):
            fact = f"'{metric.name}' compares with 0.5, and the outputs of '{name}' are logits."
            yield fact, f"metric '{metric.name}'", f"keras.metrics.{type(metric).__name__}(thresholds=0.0)"
        elif isinstance(metric, CategoricalAccuracy) and len(shape) == goal.ndim and shape[-1] != 1:
            fact = f"'{metric.name}' compares one-hot targets, and y holds the numbers of classes."
            yield fact, f"metric '{metric.name}'", "metrics=['accuracy'] or ['sparse_categorical_accuracy']"

"""`keraunos.metrics`: what is measured while training and evaluating."""

from __future__ import annotations

from typing import Any

from keraunos import losses
from keraunos.core.missing import answer_for
from keraunos.core.names import to_snake_case
from keraunos.core.registry import Registry
from keraunos.losses.loss import SHORT, public
from keraunos.metrics import confusion, means, scores
from keraunos.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum

_HIDDEN = ("accuracy", "categorical_generalized_cross_entropy", "circle", "cosine_similarity", "ctc", "dice", "tversky")  # not in Keras's namespace
_OWN = {"Metric": Metric, "Mean": Mean, "MeanMetricWrapper": MeanMetricWrapper, "Sum": Sum, **public(means), **public(confusion), **public(scores)}
_CLASSES = {name: item for name, item in _OWN.items() if name[0].isupper()}
_FUNCTIONS = {name: item for name, item in {**public(losses.losses), **_OWN}.items() if name[0].islower() and name not in _HIDDEN}
globals().update(_CLASSES, **_FUNCTIONS)

# Where a function and a class answer to one name, it means the class.
_ALIASES = (
    {to_snake_case(name): name for name in _CLASSES} | SHORT | {"rmse": "RootMeanSquaredError", "RMSE": "RootMeanSquaredError", "logcosh": "LogCoshError"}
)
registry = Registry("metric", _CLASSES | _FUNCTIONS, _ALIASES)
get, serialize, deserialize = registry.functions(__name__, "BinaryAccuracy(threshold=0.3)")


def _kind(y_true_shape: Any, y_pred_shape: Any) -> str:
    """What targets and predictions of these shapes are: "Binary", "SparseCategorical" or "Categorical"."""
    if len(y_pred_shape) < 2 or y_pred_shape[-1] == 1:
        return "Binary"
    return "SparseCategorical" if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1 else "Categorical"


def accuracy_for(y_true_shape: Any, y_pred_shape: Any) -> Any:
    """The accuracy that "accuracy" means for targets and predictions of these shapes.

    Example:

    >>> accuracy_for((None, 1), (None, 10)).__name__
    'SparseCategoricalAccuracy'
    """
    return _CLASSES[f"{_kind(y_true_shape, y_pred_shape)}Accuracy"]


def crossentropy_for(y_true_shape: Any, y_pred_shape: Any) -> Any:
    """The crossentropy that "crossentropy" means for targets and predictions of these shapes."""
    return _CLASSES[f"{_kind(y_true_shape, y_pred_shape)}Crossentropy"]


__all__ = [*_CLASSES, *_FUNCTIONS, "deserialize", "get", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]


answer_for(__name__)

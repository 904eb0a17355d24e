"""`keraunos.metrics`: what is measured while training and evaluating."""

from __future__ import annotations

import inspect
from typing import Any

from keraunos import losses
from keraunos.core.missing import missing
from keraunos.core.names import to_snake_case
from keraunos.core.registry import Registry
from keraunos.core.serialization import serialize_keras_object
from keraunos.metrics import confusion, functions, means, overlap, regression
from keraunos.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum

_BASES = {"Metric": Metric, "Mean": Mean, "MeanMetricWrapper": MeanMetricWrapper, "Sum": Sum}
_CLASSES = _BASES | {
    n: c for m in (means, confusion, overlap, regression) for n, c in vars(m).items() if inspect.isclass(c) and c.__module__ == m.__name__ and n[0] != "_"
}
_OWN = {n: f for n, f in vars(functions).items() if inspect.isfunction(f) and f.__module__ == functions.__name__ and n[0] != "_"}
_SHARED = (
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "hinge",
    "huber", "kl_divergence", "log_cosh", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error",
    "mean_squared_logarithmic_error", "poisson", "sparse_categorical_crossentropy", "squared_hinge",
)  # fmt: skip
_FUNCTIONS = {n: f for n, f in {**_OWN, **{n: getattr(losses, n) for n in _SHARED}}.items() if n not in ("accuracy", "cosine_similarity")}
globals().update(_CLASSES, **_FUNCTIONS)

_snake = {to_snake_case(name) for name in _CLASSES}
_SHORT = {
    "bce": "BinaryCrossentropy", "mae": "MeanAbsoluteError", "mape": "MeanAbsolutePercentageError", "mse": "MeanSquaredError",
    "msle": "MeanSquaredLogarithmicError", "kld": "KLDivergence", "rmse": "RootMeanSquaredError",
}  # fmt: skip
_ALIASES = {**_SHORT, **{short.upper(): name for short, name in _SHORT.items()}, "logcosh": "LogCoshError"}
registry = Registry("metric", {**_CLASSES, **{n: f for n, f in _FUNCTIONS.items() if n not in _snake}}, _ALIASES)


def get(identifier: Any) -> Any:
    """The metric for a name, config, class, instance or function; None for None.

    Raises:
        ArgumentError: There is no such metric.

    Example:

    >>> get("mse").name
    'mean_squared_error'
    """
    return registry.get(identifier)


def serialize(metric: Any) -> Any:
    """The config of a metric, ready for JSON."""
    return serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The inverse of `serialize`."""
    return registry.deserialize(config, custom_objects)


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


def __getattr__(name: str) -> None:
    missing("metrics", name)

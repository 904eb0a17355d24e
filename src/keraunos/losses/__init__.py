"""`keraunos.losses`: what training makes small, as classes and as functions."""

from __future__ import annotations

import inspect
from typing import Any

from keraunos.core.missing import missing
from keraunos.core.registry import Registry
from keraunos.core.serialization import serialize_keras_object
from keraunos.losses import classes, functions
from keraunos.losses.classes import *
from keraunos.losses.functions import *
from keraunos.losses.loss import Loss, WrappedLoss

_FUNCTIONS = {
    name: f
    for name, f in vars(functions).items()
    if inspect.isfunction(f) and f.__module__ == functions.__name__ and not name.startswith("_") and name != "pairwise"
}
_CLASSES = {name: c for name, c in vars(classes).items() if inspect.isclass(c) and c.__module__ == classes.__name__}
_SHORT = {
    "bce": "binary_crossentropy", "kld": "kl_divergence", "mae": "mean_absolute_error", "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error", "msle": "mean_squared_logarithmic_error",
}  # fmt: skip
ALIASES = {**_SHORT, **{short.upper(): name for short, name in _SHORT.items()}, "logcosh": "log_cosh", "huber_loss": "huber"}
registry = Registry("loss", {"Loss": Loss, **_CLASSES, **_FUNCTIONS}, ALIASES)


def get(identifier: Any) -> Any:
    """The loss for a name, config, class, instance or function; None for None.

    Raises:
        ArgumentError: There is no such loss.

    Example:

    >>> get("mse").__name__, get("MeanSquaredError").name
    ('mean_squared_error', 'mean_squared_error')
    """
    return registry.get(identifier)


def as_loss(identifier: Any) -> Any:
    """Likewise, with a function made a `Loss`, which weights and reduces; a callable object stays as it is."""
    found = get(identifier)
    return WrappedLoss(found) if found is not None and not isinstance(found, Loss) else found


def serialize(loss: Any) -> Any:
    """The config of a loss, ready for JSON."""
    return serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The inverse of `serialize`."""
    return registry.deserialize(name, custom_objects)


__all__ = ["Loss", *_CLASSES, *_FUNCTIONS, "deserialize", "get", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> None:
    missing("losses", name)

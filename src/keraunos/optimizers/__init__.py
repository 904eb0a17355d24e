"""`keraunos.optimizers`: how weights are changed by gradients."""

from __future__ import annotations

import inspect
from typing import Any

from keraunos.core.missing import missing
from keraunos.core.registry import Registry
from keraunos.core.serialization import serialize_keras_object
from keraunos.optimizers import rules, schedules
from keraunos.optimizers.loss_scale import LossScaleOptimizer
from keraunos.optimizers.optimizer import Optimizer
from keraunos.optimizers.rules import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, Ftrl, Lamb, Lion, Nadam, RMSprop

_CLASSES = {name: c for name, c in vars(rules).items() if inspect.isclass(c) and issubclass(c, Optimizer)}
registry = Registry("optimizer", {**_CLASSES, "LossScaleOptimizer": LossScaleOptimizer}, {name.lower(): name for name in _CLASSES}, base=Optimizer)


def get(identifier: Any) -> Any:
    """The optimizer for a name, config, class or instance.

    Raises:
        ArgumentError: There is no such optimizer.

    Example:

    >>> type(get("adam")).__name__
    'Adam'
    """
    return registry.get(identifier)


def serialize(optimizer: Any) -> Any:
    """The config of an optimizer, ready for JSON."""
    return serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The inverse of `serialize`."""
    return registry.deserialize(config, custom_objects)


__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "LossScaleOptimizer", "Nadam", "Optimizer", "RMSprop",
    "deserialize", "get", "schedules", "serialize",
]  # fmt: skip


def __getattr__(name: str) -> None:
    missing("optimizers", name)

"""`keraunos.optimizers`: how weights are changed by gradients."""

from __future__ import annotations

from typing import Any

from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry
from keraunos.core.serialization import serialize_keras_object
from keraunos.optimizers import rules, schedules
from keraunos.optimizers.loss_scale import LossScaleOptimizer
from keraunos.optimizers.optimizer import Optimizer
from keraunos.optimizers.rules import *

_CLASSES = {"Optimizer": Optimizer, "LossScaleOptimizer": LossScaleOptimizer, **{name: getattr(rules, name) for name in rules.__all__}}
registry = Registry("optimizer", _CLASSES, {name.lower(): name for name in rules.__all__}, base=Optimizer)


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


__all__ = ["LossScaleOptimizer", "Optimizer", *rules.__all__, "deserialize", "get", "schedules", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]


answer_for(__name__)

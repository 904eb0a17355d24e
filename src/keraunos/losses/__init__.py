"""`keraunos.losses`: what training makes small, as classes and as functions."""

from __future__ import annotations

from typing import Any

from keraunos.core.missing import answer_for
from keraunos.core.names import to_snake_case
from keraunos.core.registry import Registry
from keraunos.core.serialization import serialize_keras_object
from keraunos.losses import losses
from keraunos.losses.loss import SHORT, Loss, WrappedLoss, public
from keraunos.losses.losses import *

_NAMES = {"Loss": Loss, **public(losses)}
_ALIASES = {short: to_snake_case(name) for short, name in SHORT.items()} | {"logcosh": "log_cosh", "huber_loss": "huber"}
registry = Registry("loss", _NAMES, _ALIASES)


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


__all__ = [*_NAMES, "deserialize", "get", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]

answer_for(__name__)

"""`keraunos.losses`: what training makes small, as classes and as functions.

>>> get("mse").__name__, get("MeanSquaredError").name
('mean_squared_error', 'mean_squared_error')
"""

from __future__ import annotations

from typing import Any

from keraunos.core.missing import answer_for
from keraunos.core.names import to_snake_case
from keraunos.core.registry import Registry
from keraunos.losses import losses
from keraunos.losses.loss import SHORT, Loss, WrappedLoss, public
from keraunos.losses.losses import *

_NAMES = {"Loss": Loss, **public(losses)}
_ALIASES = {short: to_snake_case(name) for short, name in SHORT.items()} | {"logcosh": "log_cosh", "huber_loss": "huber"}
registry = Registry("loss", _NAMES, _ALIASES)
get, serialize, deserialize = registry.functions(config="name")


def as_loss(identifier: Any) -> Any:
    """The loss that `get` finds, with a function made a `Loss`, which weights and reduces; a callable object stays as it is."""
    found = get(identifier)
    return WrappedLoss(found) if found is not None and not isinstance(found, Loss) else found


__all__ = [*_NAMES, "deserialize", "get", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]

answer_for(__name__)

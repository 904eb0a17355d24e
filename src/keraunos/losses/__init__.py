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
get, serialize, deserialize = registry.functions(__name__, "Huber(delta=2.0)", config="name")


def as_loss(identifier: Any) -> Any:
    """A loss object: for one of our functions, or its name, the class made of it; for a user's, one that weights and reduces what it returns."""
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    made = [item for item in _NAMES.values() if getattr(item, "function", None) is found]
    return made[0]() if made else WrappedLoss(found)


__all__ = [*_NAMES, "deserialize", "get", "serialize"]  # pyright: ignore[reportUnsupportedDunderAll]

answer_for(__name__)

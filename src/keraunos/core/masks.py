"""Where a tensor's mask is kept; no other module knows.

Symbolic tensors carry theirs. An engine's tensors may not take attributes, so theirs stand in a
table beside them, for as long as the tensor lives.
"""

from __future__ import annotations

import weakref
from typing import Any

from keraunos.core.spec import Spec

_table: dict[int, tuple[Any, Any]] = {}


def get_mask(x: Any) -> Any:
    """The mask of `x`, or None."""
    if isinstance(x, Spec):
        return getattr(x, "_keras_mask", None)
    if not _table:
        return None
    found = _table.get(id(x))
    return found[1] if found is not None and found[0]() is x else None


def set_mask(x: Any, mask: Any) -> None:
    """Give `x` a mask; None takes it away."""
    if isinstance(x, Spec):
        x._keras_mask = mask
    elif mask is None:
        _table.pop(id(x), None)
    else:
        key = id(x)
        _table[key] = (weakref.ref(x, lambda _: _table.pop(key, None)), mask)

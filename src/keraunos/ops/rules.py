"""Shape rules that several primitives share."""

from __future__ import annotations

from typing import Any

from keraunos.core.spec import Shape, broadcast_shapes


def dims(x: Any) -> Shape:
    """The shape of a spec; a scalar has none."""
    return getattr(x, "shape", ())


def same(x: Any, *_: Any, **__: Any) -> Shape:
    """The shape of the first argument."""
    return dims(x)


def broadcast(*xs: Any) -> Shape:
    """The shape that the arguments broadcast to."""
    return broadcast_shapes(*map(dims, xs))

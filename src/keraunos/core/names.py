"""Names: `Dense` gives `dense`, `dense_1`, …; scopes that paths are made of."""

from __future__ import annotations

import collections
import contextlib
import functools
import re
from collections.abc import Iterator

from keraunos.core.errors import ArgumentError
from keraunos.core.scope import scope, within

_counts: collections.Counter[str] = collections.Counter()


@functools.cache
def to_snake_case(name: str) -> str:
    """`MaxPooling2D` as `max_pooling2d`."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """`prefix`, with a counter from its second use on."""
    count = _counts[prefix]
    _counts[prefix] += 1
    return f"{prefix}_{count}" if count else prefix


def reset_names() -> None:
    """Start all counters anew."""
    _counts.clear()


@contextlib.contextmanager
def names_anew() -> Iterator[None]:
    """Count names from the start in a block; the counters go on afterwards where they were."""
    former = _counts.copy()
    _counts.clear()
    try:
        yield
    finally:
        _counts.clear()
        _counts.update(former)


@contextlib.contextmanager
def name_scope(name: str, *, caller: object = None, deduplicate: bool = True, override_parent: str | None = None) -> Iterator[None]:
    """Put `name/` before the paths of variables that are made in the block.

    Args:
        name: The name, without "/".
        caller: The object that opens the scope; with `deduplicate`, one that is opened by it again within itself adds nothing.
        deduplicate: See `caller`.
        override_parent: What stands before `name/` in place of the enclosing scopes.

    Raises:
        ArgumentError: `name` is no string, or has a "/".

    Example:

    >>> import keraunos as keras
    >>> with keras.name_scope("encoder"):
    ...     keras.Variable(0.0, name="scale").path
    'encoder/scale'
    """
    if not isinstance(name, str) or "/" in name:
        raise ArgumentError("The name of a scope must be a string without '/'.", where="name_scope", received=repr(name))
    parent = scope.names if override_parent is None else override_parent
    again = deduplicate and caller is not None and caller is scope.names_of
    with within(names=parent if again else f"{parent}/{name}" if parent else name, names_of=caller):
        yield


def scoped(name: str) -> str:
    """`name` under the scopes in force."""
    return f"{scope.names}/{name}" if scope.names else name

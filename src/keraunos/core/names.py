"""Names: `Dense` gives `dense`, `dense_1`, …; scopes that paths are made of."""

from __future__ import annotations

import collections
import contextlib
import functools
import re
from collections.abc import Iterator

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
def name_scope(name: str) -> Iterator[None]:
    """Put `name/` before the paths of variables that are made in the block."""
    with within(names=f"{scope.names}/{name}" if scope.names else name):
        yield


def scoped(name: str) -> str:
    """`name` under the scopes in force."""
    return f"{scope.names}/{name}" if scope.names else name

"""Nested structures of lists, tuples and dicts, by `optree`; None is a leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree

_CONTAINERS = (list, tuple, dict)


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, tuple or dict."""
    return isinstance(structure, _CONTAINERS)


def flatten(structure: Any) -> list[Any]:
    """The leaves, in order; dicts by their sorted keys.

    Example:

    >>> flatten({"b": 2, "a": (1, [0])})
    [1, 0, 2]
    """
    if not isinstance(structure, _CONTAINERS):
        return [structure]
    return optree.tree_leaves(structure, none_is_leaf=True)  # pyright: ignore[reportArgumentType]


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """`function` of the corresponding leaves, in the first structure's form.

    Raises:
        ValueError: The structures differ.

    Example:

    >>> map_structure(lambda a, b: a + b, {"x": 1}, {"x": 2})
    {'x': 3}
    """
    if not isinstance(structures[0], _CONTAINERS):
        return function(*structures)
    return optree.tree_map(function, *structures, none_is_leaf=True)  # pyright: ignore[reportArgumentType]


def pack_sequence_as(structure: Any, flat: list[Any]) -> Any:
    """The leaves `flat` in the form of `structure`."""
    return optree.tree_unflatten(optree.tree_structure(structure, none_is_leaf=True), flat)  # pyright: ignore[reportArgumentType]


def assert_same_structure(a: Any, b: Any) -> None:
    """Raise ValueError unless both have the same form."""
    first, second = (optree.tree_structure(s, none_is_leaf=True) for s in (a, b))
    if first != second:
        raise ValueError(f"The structures differ: {first} and {second}.")

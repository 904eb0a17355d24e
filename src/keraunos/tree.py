"""Nested structures of lists, tuples and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optree

from keraunos.core.missing import answer_for
from keraunos.core.tree import assert_same_structure, flatten, is_nested, map_structure, pack_sequence_as

__all__ = ["assert_same_structure", "flatten", "flatten_with_path", "is_nested", "lists_to_tuples", "map_structure", "pack_sequence_as", "traverse"]


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves, each with the keys and indices that lead to it.

    Example:

    >>> flatten_with_path({"b": 2, "a": [1]})
    [(('a', 0), 1), (('b',), 2)]
    """
    paths, leaves, _ = optree.tree_flatten_with_path(structure, none_is_leaf=True)
    return list(zip(paths, leaves, strict=True))


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Apply `func` to every container and leaf; where it returns None, the original stays and is gone into.

    Example:

    >>> traverse(lambda x: x + 1 if isinstance(x, int) else None, [1, (2, "a")])
    [2, (3, 'a')]
    """
    if top_down and (replaced := func(structure)) is not None:
        return replaced
    if isinstance(structure, dict):
        structure = {key: traverse(func, value, top_down) for key, value in structure.items()}
    elif is_nested(structure):
        values = [traverse(func, value, top_down) for value in structure]
        structure = type(structure)(*values) if hasattr(structure, "_fields") else type(structure)(values)
    replaced = None if top_down else func(structure)
    return structure if replaced is None else replaced


def lists_to_tuples(structure: Any) -> Any:
    """`structure` with tuples in place of lists.

    Example:

    >>> lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


answer_for(__name__)

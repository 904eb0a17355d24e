"""Nested structures of lists, tuples and dicts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import optree

from keraunos.core.errors import ArgumentError
from keraunos.core.missing import answer_for
from keraunos.core.tree import assert_same_structure, flatten, form, is_nested, map_structure, pack, pack_sequence_as

__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested", "lists_to_tuples", "map_shape_structure",
    "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """The leaves, each with the keys and indices that lead to it.

    Example:

    >>> from keraunos import tree
    >>> tree.flatten_with_path({"b": 2, "a": [1]})
    [(('a', 0), 1), (('b',), 2)]
    """
    paths, leaves, _ = optree.tree_flatten_with_path(structure, none_is_leaf=True)
    return list(zip(paths, leaves, strict=True))


def assert_same_paths(a: Any, b: Any) -> None:
    """Raise unless the same keys and indices lead to the leaves of both; what kind of list holds them does not matter.

    Raises:
        ArgumentError: They differ.

    Example:

    >>> from keraunos import tree
    >>> tree.assert_same_paths([1, {"x": 2}], (3, {"x": 4}))
    """
    first, second = ({path for path, _ in flatten_with_path(structure)} for structure in (a, b))
    if first != second:
        only = (", ".join(map(str, sorted(some, key=str)[:3])) or "none" for some in (first - second, second - first))
        fix = "give both the same lists, tuples and keys"
        raise ArgumentError("The paths of a and b differ.", received="only in a: {}; only in b: {}".format(*only), fix=fix, where="tree.assert_same_paths")


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`func` of each shape in a structure: a list or tuple of integers and None is one.

    Example:

    >>> from keraunos import tree
    >>> tree.map_shape_structure(len, [(1, 2), {"x": (None, 3, 4)}])
    [2, {'x': 3}]
    """

    def is_shape(x: Any) -> bool:
        return isinstance(x, (list, tuple)) and all(d is None or isinstance(d, int) for d in x)

    return optree.tree_map(func, structure, is_leaf=is_shape, none_is_leaf=True)


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """`func` of what the structures have where `shallow_structure` has leaves, in its form.

    Raises:
        ArgumentError: A structure does not have that form.

    Example:

    >>> from keraunos import tree
    >>> tree.map_structure_up_to([0, 0], len, [[1, 2], (3,)])
    [2, 1]
    """
    shallow = form(shallow_structure)
    try:
        columns = [shallow.flatten_up_to(structure) for structure in structures]
    except ValueError:
        raise ArgumentError("A structure does not have the form of the shallow one.", where="map_structure_up_to", expected=shallow) from None
    return pack(shallow, map(func, *columns))


class MAP_TO_NONE:  # the name is Keras's
    """What a function gives `traverse` to put None in a place: None itself means that the original stays.

    Example:

    >>> from keraunos import tree
    >>> tree.traverse(lambda x: tree.MAP_TO_NONE if x == 0 else None, [1, (0, 2)])
    [1, (None, 2)]
    """


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """Apply `func` to every container and leaf; where it returns None, the original stays and is gone into; for `MAP_TO_NONE` None takes its place.

    Args:
        func: A function of a container or leaf.
        structure: The nested structure, which stays as it is.
        top_down: Whether a container comes before what it holds.

    Example:

    >>> from keraunos import tree
    >>> tree.traverse(lambda x: x + 1 if isinstance(x, int) else None, [1, (2, "a")])
    [2, (3, 'a')]
    """
    if top_down and (replaced := func(structure)) is not None:
        return None if replaced is MAP_TO_NONE else replaced
    if isinstance(structure, dict):
        kept = copy.copy(structure)  # of its own kind
        kept.update((key, traverse(func, value, top_down)) for key, value in structure.items())
        structure = kept
    elif is_nested(structure):
        values = [traverse(func, value, top_down) for value in structure]
        structure = type(structure)(*values) if hasattr(structure, "_fields") else type(structure)(values)
    replaced = None if top_down else func(structure)
    return structure if replaced is None else None if replaced is MAP_TO_NONE else replaced


def lists_to_tuples(structure: Any) -> Any:
    """`structure` with tuples in place of lists.

    Example:

    >>> from keraunos import tree
    >>> tree.lists_to_tuples([1, {"a": [2]}])
    (1, {'a': (2,)})
    """
    return traverse(lambda x: tuple(x) if isinstance(x, list) else None, structure, top_down=False)


answer_for(__name__)

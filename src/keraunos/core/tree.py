"""Nested structures of lists, tuples and dicts, by `optree`; None is a leaf."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import optree

from keraunos.core.errors import ArgumentError

_CONTAINERS = (list, tuple, dict, deque)


def is_nested(structure: Any) -> bool:
    """Whether `structure` is a list, tuple, dict or deque.

    Example:

    >>> from keraunos import tree
    >>> tree.is_nested([1, 2]), tree.is_nested("ab")
    (True, False)
    """
    return isinstance(structure, _CONTAINERS)


def flatten(structure: Any) -> list[Any]:
    """The leaves, in order; dicts by their sorted keys.

    Example:

    >>> from keraunos import tree
    >>> tree.flatten({"b": 2, "a": (1, [0])})
    [1, 0, 2]
    """
    if not isinstance(structure, _CONTAINERS):
        return [structure]
    return optree.tree_leaves(structure, none_is_leaf=True)  # pyright: ignore[reportArgumentType]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """`func` of the corresponding leaves, in the first structure's form; without `none_is_leaf`, None stays None.

    Raises:
        ValueError: The structures differ, or there is none.

    Example:

    >>> from keraunos import tree
    >>> tree.map_structure(lambda a, b: a + b, {"x": 1}, {"x": 2})
    {'x': 3}
    """
    if not structures:
        raise ArgumentError("map_structure needs a structure or more.")
    if len(structures) == 1:
        if not isinstance(structures[0], _CONTAINERS) and (none_is_leaf or structures[0] is not None):
            return func(*structures)
        return optree.tree_map(func, *structures, none_is_leaf=none_is_leaf)  # pyright: ignore[reportArgumentType]

    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return optree.tree_map(func, *structures, none_is_leaf=none_is_leaf)  # pyright: ignore[reportArgumentType]


def paths(structure: Any) -> list[tuple[Any, ...]]:
    """The keys and places that lead to each leaf, in the order of `flatten`."""
    return optree.tree_paths(structure, none_is_leaf=True)  # pyright: ignore[reportArgumentType, reportReturnType]


def form(structure: Any) -> Any:
    """What `structure` is without its leaves, to be compared and hashed."""
    return optree.tree_structure(structure, none_is_leaf=True)  # pyright: ignore[reportArgumentType]


def pack_sequence_as(structure: Any, flat_sequence: Iterable[Any]) -> Any:
    """The leaves `flat_sequence` in the form of `structure`.

    Raises:
        ValueError: There are too few of them, or too many.

    Example:

    >>> from keraunos import tree
    >>> tree.pack_sequence_as({"a": 0, "b": (0, 0)}, [1, 2, 3])
    {'a': 1, 'b': (2, 3)}
    """
    return pack(form(structure), flat_sequence)


def pack(form: Any, flat: Iterable[Any]) -> Any:
    """The leaves `flat` in a form that `form` told."""
    flat = list(flat)
    if len(flat) != form.num_leaves:
        raise ArgumentError(f"There are {len(flat)} leaves for a structure of {form.num_leaves}.", expected=form)
    return optree.tree_unflatten(form, flat)


def assert_same_structure(a: Any, b: Any, check_types: bool | None = None) -> None:
    """Raise unless both have the same form: the same containers, keys and lengths; one kind of dict passes for another.

    Args:
        a: A structure.
        b: The other.
        check_types: Taken as Keras still takes it, without effect: types count always, but those of dicts.

    Raises:
        ValueError: They differ.

    Example:

    >>> from keraunos import tree
    >>> tree.assert_same_structure([1, {"x": 2}], [3, {"x": 4}])
    """
    first, second = map(form, (a, b))
    if first != second:
        try:  # a dict may be any kind of one
            for one, other in ((first, b), (second, a)):
                one.flatten_up_to(other)
        except ValueError:
            raise ArgumentError(f"The structures differ: {first} and {second}.", fix="give both the same lists, tuples and keys") from None

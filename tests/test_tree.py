"""Nested structures: those of their functions that examples do not show."""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque

import pytest

from keraunos import tree

NESTED = [1, 2, {"a": [1]}]


def test_none_takes_the_place_of_what_is_mapped_to_it() -> None:
    assert tree.traverse(lambda x: tree.MAP_TO_NONE if x == 1 else None, NESTED) == [None, 2, {"a": [None]}]
    assert tree.traverse(lambda x: tree.MAP_TO_NONE if x == [1] else None, NESTED, top_down=False) == [1, 2, {"a": None}]


def test_none_is_a_leaf_unless_said_otherwise() -> None:
    assert tree.map_structure(lambda x: (x, 1), [None, 2]) == [(None, 1), (2, 1)]
    assert tree.map_structure(lambda x: (x, 1), [None, 2], none_is_leaf=False) == [None, (2, 1)]
    assert tree.map_structure(lambda x: (x, 1), None, none_is_leaf=False) is None


def test_shapes_are_leaves() -> None:
    assert tree.map_shape_structure(str, [(1, 2), [None, 3], ()]) == ["(1, 2)", "[None, 3]", "()"]
    assert tree.map_shape_structure(str, ((1,), (2,))) == ("(1,)", "(2,)")


def test_what_lies_below_a_shallow_structure_is_mapped_together() -> None:
    assert tree.map_structure_up_to({"a": 0, "b": 0}, lambda x, y: (x, y), {"a": [1], "b": 2}, {"a": 3, "b": [4]}) == {"a": ([1], 3), "b": (2, [4])}


def test_kinds_of_dicts_are_kept_and_may_differ() -> None:
    ordered, counted = OrderedDict(b=1, a=[2]), defaultdict(int, b=1, a=[2])
    assert tree.lists_to_tuples(ordered) == OrderedDict(b=1, a=(2,))
    assert tree.lists_to_tuples(counted).default_factory is int
    tree.assert_same_structure(ordered, {"a": [0], "b": 0})
    assert tree.map_structure(max, {"b": 3, "a": [0]}, counted) == {"b": 3, "a": [2]}


def test_deques_are_containers() -> None:
    assert tree.is_nested(deque([1])) and tree.flatten([deque([1, 2]), 3]) == [1, 2, 3]
    assert tree.map_structure(str, deque([1, 2])) == deque(["1", "2"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: tree.map_structure(print, 1, [1]),
        lambda: tree.map_structure(print, [1, 2], [[1], [2]]),
        lambda: tree.pack_sequence_as([0, 0], [1, 2, 3]),
        lambda: tree.assert_same_paths([1, {"a": 2}], [1, {"b": 2}]),
        lambda: tree.assert_same_paths([1, [2]], [1, 2]),
        lambda: tree.assert_same_structure([1, 2], (1, 2)),
        lambda: tree.assert_same_structure([1, 2], (1, 2), check_types=False),
        lambda: tree.map_structure(print),
        lambda: tree.map_structure_up_to([0, 0], print, [1]),
        lambda: tree.pack_sequence_as([0, 0], [1]),
    ],
)
def test_what_does_not_fit_is_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]

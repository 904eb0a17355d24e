"""What the formats of weights share: arrays by group and key, and names for them."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keraunos.saving.files import require

Tree = Mapping[str, tuple[str, Mapping[str, Any]]]  # by group: the name of the object, and its arrays by key


class Stored:
    """The arrays of a file by group and key; each has a shape, the name of a dtype, and is read by `np.asarray`.

    Args:
        groups: The arrays.
        names: The names of the objects that they were written from, by group.
    """

    def __init__(self, groups: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]):
        self.groups, self.names = groups, names

    def tree(self) -> Tree:
        """The arrays as they are written."""
        return {group: (self.names.get(group, ""), store) for group, store in self.groups.items()}


_reading = threading.local()
_KEPT = 2**26  # bytes


class Room:
    """Memory in two halves, into which arrays are read in its context: an engine copies from one while the other is read into.

    Args:
        total: How many bytes will be read.
    """

    def __init__(self, total: int) -> None:
        self.halves = [np.empty(0, np.uint8)] * 2
        self._waits: list[Callable[[], Any] | None] = [None, None]
        self._bytes, self._kept = 0, max(_KEPT, total // 8)

    def passed(self, size: int, wait: Callable[[], Any]) -> None:
        """Note what was read, and how to wait until it was copied; the C library, of which each of an engine's threads keeps what it freed, gives that back from time to time."""
        self._bytes += size
        full = self._bytes > self._kept
        self._waits[0] = None if full or size > _KEPT // 2 else wait
        if self._waits[0] is None:  # what is large is not held twice
            wait()
        if full and sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "malloc_trim"):
            library.malloc_trim(0)
        self._bytes %= self._kept

    def __enter__(self) -> None:
        if self._waits[0] is not None:
            self.halves, self._waits = self.halves[::-1], self._waits[::-1]
        if self._waits[0] is not None:
            self._waits[0]()
        _reading.room = self

    def __exit__(self, *_: object) -> None:
        _reading.room = None


def empty(shape: tuple[int, ...], kind: Any) -> np.ndarray:
    """An array to be read into: a new one, or in the room in force."""
    if (room := getattr(_reading, "room", None)) is None:
        return np.empty(shape, kind)
    if room.halves[0].size < (size := math.prod(shape) * np.dtype(kind).itemsize):
        room.halves[0] = np.empty(size, np.uint8)
    return room.halves[0][:size].view(kind).reshape(shape)


def numpy_dtype(name: str) -> Any:
    """A dtype as NumPy has it, where it needs `ml_dtypes` by that."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


def numpy_kind(value: Any) -> Any:
    """The dtype of an array, or of what is read as one."""
    return numpy_dtype(value.dtype) if isinstance(value.dtype, str) else np.dtype(value.dtype)


def nbytes(tree: Tree) -> int:
    """How many bytes the arrays take."""
    held = (value for _, store in tree.values() for value in store.values() if hasattr(value, "dtype") and hasattr(value, "shape"))
    return sum(numpy_kind(value).itemsize * math.prod(value.shape) for value in held)


def flat(value: Any) -> Any:
    """The bytes of an array, copied only if they do not lie in a row."""
    return np.ascontiguousarray(value).reshape(-1).view(np.uint8)


def _root(tree: Tree) -> str:
    """What the paths of the variables may begin with: the name of the model itself, which says nothing in a file of it."""
    return f"{tree['vars'][0]}/" if "vars" in tree else ""


def labels(tree: Tree) -> dict[str, tuple[str, str]]:
    """Names for formats that have no groups, `dense/kernel`, by the paths of the variables; each with its group and key."""
    found: dict[str, tuple[str, str]] = {}
    for group, (_, store) in tree.items():
        for key, value in store.items():
            name = getattr(value, "path", "").removeprefix(_root(tree)) or f"{group.replace('layers/', '').removesuffix('vars')}{key}"
            found[name if name not in found else f"{group}/{key}"] = group, key
    return found


def layout_of(tree: Tree) -> dict[str, Any]:
    """What `by_layout` needs: by group, the name of the object, and the labels of its arrays by key."""
    layout: dict[str, Any] = {group: [name, {}] for group, (name, _) in tree.items()}
    for label, (group, key) in labels(tree).items():
        layout[group][1][key] = label
    return layout


def by_layout(arrays: Mapping[str, Any], layout: Any, path: Any) -> Stored:
    """Arrays by their labels, put where the layout of the file says.

    Raises:
        ModelFileError: It is no layout.
    """
    entries: Any = layout.values() if isinstance(layout, dict) else [None]
    fine = all(isinstance(x, list) and len(x) == 2 and isinstance(x[0], str) and isinstance(x[1], dict) for x in entries)
    fine = fine and all(isinstance(label, str) for _, held in entries for label in held.values())
    require(fine, path, "The file says nothing sound of where its arrays belong.", "layout", "do not load it: this is no file of Keraunos")
    groups = {group: {key: arrays[label] for key, label in held.items() if label in arrays} for group, (_, held) in layout.items()}
    return Stored(groups, {group: name for group, (name, _) in layout.items()})


def by_labels(arrays: Mapping[str, Any], tree: Tree) -> Stored:
    """Arrays by their labels alone, put where those of a model are with the same; what has no place there is a group of itself."""
    places = labels(tree)
    groups: dict[str, dict[str, Any]] = {group: {} for group in tree}
    for label, value in arrays.items():
        group, key = places.get(label.removeprefix(_root(tree)), (label, ""))
        groups.setdefault(group, {})[key] = value
    return Stored(groups, {})

"""In which numbers objects differ that one function made: hyper-parameters, found by comparing what they hold."""

from __future__ import annotations

import contextlib
import functools
import inspect
import numbers
import types
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keraunos.core import config
from keraunos.core.errors import ArgumentError
from keraunos.core.graph import KerasTensor
from keraunos.core.spec import Spec, Unknown
from keraunos.core.variable import Variable
from keraunos.initializers import Initializer
from keraunos.layers.tracking import Cache
from keraunos.random import SeedGenerator

# What says nothing about what is computed: variables are compared apart, and initial values stand in them.
_ASIDE = (Variable, Initializer, Cache, SeedGenerator, types.ModuleType, weakref.ref)
_UNTOLD = {"_arguments", "seed", "name", "_name", "path", "_path", "stop_training", "position"}
_MISSING = object()
_PLAIN = (bool, str, bytes, type(None), type, complex, Unknown, np.ufunc)


class Number:
    """A number by which variants differ: where it stands, and what it is in each of them.

    Args:
        owner: The object that holds it.
        key: The attribute, key or place in it.
        values: One for each variant.
        label: What it is called in messages.
    """

    def __init__(self, owner: Any, key: Any, values: Sequence[Any], label: str):
        self.owner, self.key, self.label = owner, key, label
        self.values = np.array(values, "int32" if all(isinstance(v, numbers.Integral) for v in values) else "float32")

    @property
    def place(self) -> tuple[int, Any]:
        """What tells where it stands from all other places, as long as the owner lives."""
        return id(self.owner.cell if isinstance(self.owner, _Cell) else self.owner), self.key

    def put(self, value: Any) -> Any:
        """Put a value in its place; returns the former one."""
        held = self.owner if isinstance(self.owner, (dict, list)) else self.owner.__dict__
        former, held[self.key] = held[self.key], value
        return former


class _Cell(dict):
    """What a function's closure holds, as a dict."""

    def __init__(self, cell: Any):
        super().__init__(value=cell.cell_contents)
        self.cell = cell

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self.cell.cell_contents = value


@contextlib.contextmanager
def holding(found: Sequence[Number], values: Sequence[Any]) -> Iterator[None]:
    """Run a block in which other values stand in the places of the numbers."""
    formers: list[Any] = []
    try:
        for number, value in zip(found, values, strict=True):
            formers.append(number.put(value))
        yield
    finally:
        for number, former in zip(found, formers, strict=False):
            number.put(former)


def differences(first: Any, others: Sequence[Any]) -> list[Number]:
    """The numbers by which objects differ; the places are those of `first`, the values those of `others`.

    Args:
        first: An object that is made alike, whose numbers can be replaced.
        others: The variants.

    Raises:
        ArgumentError: They differ in something else.
    """
    found: list[Number] = []
    seen: dict[int, Any] = {}  # the objects themselves, so that no other has their ids
    todo: list[tuple[list[Any], Any, Any, str]] = [([first, *others], None, None, type(first).__name__)]
    while todo:
        xs, owner, key, label = todo.pop()
        x = xs[0]
        if isinstance(x, _ASIDE) and all(isinstance(y, _ASIDE) for y in xs):
            continue
        if _is_number(x) and all(map(_is_number, xs)):
            if any(y != x and (y == y or x == x) for y in xs[1:]):
                if owner is None:
                    raise _differ(label, xs, "a number is varied where it stands in an attribute, a list or a dict")
                found.append(Number(owner, key, xs[1:], label))
        elif any(type(y) is not type(x) for y in xs):
            raise _differ(label, xs)
        elif isinstance(x, _PLAIN):
            if any(y is not x and y != x for y in xs):
                raise _differ(label, xs)
        elif isinstance(x, np.ndarray) or config.active().is_tensor(x):
            values = [np.asarray(config.active().to_numpy(y)) for y in xs]
            if not all(np.array_equal(v, values[0], equal_nan=v.dtype.kind in "fc") for v in values):
                raise _differ(label, xs, "constants are shared: hold what differs in a weight")
        elif id(x) not in seen:
            seen[id(x)] = x
            todo += reversed(list(_parts(xs, label)))
    return found


def _is_number(x: Any) -> bool:
    return isinstance(x, numbers.Real) and not isinstance(x, (bool, np.bool_))


def _parts(xs: list[Any], label: str) -> Iterator[tuple[list[Any], Any, Any, str]]:
    """What objects of one class hold, part by part, with where the first holds it."""
    x = xs[0]
    if isinstance(x, (list, tuple)) or isinstance(x, dict):
        if any(len(y) != len(x) for y in xs):
            if isinstance(x, dict) and not all(isinstance(k, str) for y in xs for k in y):
                return  # by objects: what was looked up before
            raise _differ(label, xs)
        own = isinstance(x, (list, dict))
        if isinstance(x, dict):
            if any(isinstance(k, str) for k in x) and any(list(y) != list(x) for y in xs):
                raise _differ(label, xs)
            columns = [list(y.values()) for y in xs]
        else:
            columns = [list(y) for y in xs]
        for i, key in enumerate(x if isinstance(x, dict) else range(len(x))):
            yield [c[i] for c in columns], x if own else None, key, f"{label}[{key!r}]" if isinstance(key, (int, str)) else label
    elif isinstance(x, (set, frozenset)):
        if all(isinstance(v, (str, int, float)) for v in x) and any(y != x for y in xs):
            raise _differ(label, xs)
    elif isinstance(x, types.FunctionType):
        if any(y.__code__ is not x.__code__ for y in xs):
            raise _differ(label, xs, "vary numbers, not functions")
        cells = [dict(zip(y.__code__.co_freevars, y.__closure__ or (), strict=True)) for y in xs]
        for name in cells[0]:
            held = [_Cell(c[name]) for c in cells]
            yield [c["value"] for c in held], held[0], "value", f"{name} in {x.__qualname__}"
        yield [y.__defaults__ for y in xs], None, None, label
        yield [y.__kwdefaults__ for y in xs], None, None, label
    elif isinstance(x, types.MethodType):
        yield [y.__self__ for y in xs], None, None, label
        yield [y.__func__ for y in xs], None, None, label
    elif isinstance(x, functools.partial):
        for name in ("func", "args", "keywords"):
            yield [getattr(y, name) for y in xs], None, None, label
    else:
        yield from _attributes(xs, label)


def _attributes(xs: list[Any], label: str) -> Iterator[tuple[list[Any], Any, Any, str]]:
    x = xs[0]
    opaque = callable(x) or type(x).__eq__ is not object.__eq__  # such as functions of an engine's own, and ranges; not locks
    if opaque and not hasattr(x, "__dict__") and not any("__slots__" in vars(cls) for cls in inspect.getmro(type(x))):
        if any(y is not x and y != x for y in xs):
            raise _differ(label, xs)
        return
    name = getattr(x, "name", None) if not isinstance(x, (Spec, KerasTensor)) else None
    label = f"{type(x).__name__} '{name}'" if isinstance(name, str) else type(x).__name__
    for key in getattr(x, "__dict__", ()):
        if key not in _UNTOLD:
            held = [getattr(y, "__dict__", {}).get(key, _MISSING) for y in xs]
            if not (key.startswith("_") and any(v is _MISSING for v in held)):  # else what the one noted, and others did not yet
                yield held, x, key, f"{label}, {key}"
    for cls in inspect.getmro(type(x)):
        for key in (cls.__dict__.get("__slots__", ()),) if isinstance(cls.__dict__.get("__slots__", ()), str) else cls.__dict__.get("__slots__", ()):
            if key not in ("__weakref__", "__dict__") and key not in _UNTOLD and hasattr(x, key):
                yield [getattr(y, key, _MISSING) for y in xs], None, None, f"{label}, {key}"


def _differ(label: str, xs: Sequence[Any], fix: str = "give all variants one value of it; numbers that leave the shapes alone can be varied") -> ArgumentError:
    def told(x: Any) -> str:
        return repr(x)[:40] if isinstance(x, (*_PLAIN, numbers.Number)) else type(x).__name__

    return ArgumentError("The variants differ in what one program cannot vary.", where=label, received=", ".join(dict.fromkeys(map(told, xs[1:]))), fix=fix)

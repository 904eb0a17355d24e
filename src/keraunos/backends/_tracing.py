"""What engines that write computations down share: tensors without a value; what depends on none of them is left to NumPy's functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from keraunos.backends import numpy as eager
from keraunos.core import config, tree
from keraunos.core.spec import OPERATORS, UNKNOWN, Shape, Symbolic


class Pending(Symbolic):
    """A tensor of a graph; of its own it has no value, so `==` is an op."""

    __slots__ = ()
    __array_ufunc__ = None  # NumPy's operators leave the work to ours

    def __eq__(self, other: Any) -> Any:
        return OPERATORS["equal"](self, other)

    def __ne__(self, other: Any) -> Any:
        return OPERATORS["not_equal"](self, other)

    __hash__ = Symbolic.__hash__


def is_tensor(x: Any) -> bool:
    return isinstance(x, (Pending, np.ndarray, np.generic))


def is_traced(x: Any) -> bool:
    return isinstance(x, Pending)


def dtype_of(x: Any) -> str:
    return x.dtype if isinstance(x, Pending) else eager.dtype_of(x)


class _Ops:
    """The ops by attribute, for what is made of other ops."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return OPERATORS[name]


ops = _Ops()


def traced(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` where a tensor of a graph is among the arguments, or in a list of them; else NumPy's of the same name, or for want of one the body."""
    own = function.__name__.rstrip("_")
    numbers = eager.__dict__.get(f"{own}_") or eager.__dict__.get(own)

    @functools.wraps(function)
    def choose(*args: Any, **options: Any) -> Any:
        for x in args:
            if isinstance(x, Pending) or (isinstance(x, (list, tuple, slice)) and holds_pending(x)):
                return function(*args, **options)
        return NotImplemented if numbers is None else numbers(*args, **options)

    return choose


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """`traced(function)`, of a function that has another name or none."""
    function.__name__ = name
    return traced(function)


def holds_pending(x: Any) -> bool:
    """Whether a tensor of a graph is in a list, a slice, or one within another."""
    parts = (x.start, x.stop, x.step) if isinstance(x, slice) else x if isinstance(x, (list, tuple)) else ()
    return any(isinstance(y, Pending) or holds_pending(y) for y in parts)


def sizes_of(x: Any) -> Shape:
    """The sizes, those that are not known as scalars of the graph."""
    return tuple(config.active().dim(x, i) if d is UNKNOWN else d for i, d in enumerate(x.shape))


def refilled(structure: Any, tensors: Iterable[Any]) -> Any:
    """The structure with other tensors in the places of its own; None stays."""
    rest = iter(tensors)
    return tree.map_structure(lambda x: None if x is None else next(rest), structure)

"""Variables without values, while a model is read from a file: no initializer runs, and no memory is taken for what the file does not hold."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from keraunos.core import dtypes
from keraunos.core.errors import ModelFileError
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec
from keraunos.core.variable import Variable

_slot: Any = Variable.__dict__["_value"]  # holds the initializer meanwhile


class Waiting:
    """What a variable is, beside its class, until its value comes or is asked for: then it is of its own class."""

    __slots__ = ()
    own: ClassVar[type]
    backend: Any
    dtype: str
    _shape: tuple[int, ...]
    _trainable: bool

    @property
    def _value(self) -> Any:
        inferring = scope.waiting is not None and (scope.symbolic or scope.trace is not None)  # it is the shape that is asked for
        if scope.waiting is not None:
            scope.waiting.spend([self], kept=not inferring)
        with self.backend.concrete():
            if inferring:
                return self.backend.array(np.broadcast_to(np.zeros((), "float32"), self._shape), self.dtype)
            value = self.backend.array(_slot.__get__(self)(self._shape, dtype=self.dtype), self.dtype)
            self._value = self.backend.slot(value, self._trainable)
            self.place()  # type: ignore[attr-defined]
        return self._value

    @_value.setter
    def _value(self, value: Any) -> None:
        _slot.__set__(self, value)
        self.__class__ = self.own  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        self._trainable = bool(trainable)
        Variable.flipped = object()

    def assign(self, value: Any) -> None:
        """Its first value."""
        value = value.value if isinstance(value, Variable) else value
        if scope.trace is not None or scope.symbolic or isinstance(value, Spec):
            return self.own.assign(self, value)  # type: ignore[attr-defined]
        value = value if self.backend.is_tensor(value) else self.backend.array(value, self.dtype)
        self._check(value.shape)  # type: ignore[attr-defined]
        if self.backend.dtype_of(value) != self.dtype:
            value = self.backend.cast(value, self.dtype)
        self._value = self.backend.slot(value, self._trainable)
        self.place()  # type: ignore[attr-defined]
        if type(self).assign is not Variable.assign:  # it cares where the value is
            self.assign(self._value)


@functools.cache
def _waiting(cls: type) -> type:
    return type(cls.__name__, (Waiting, cls), {"__slots__": (), "own": cls})


class Unread(list[Variable]):
    """The variables that were made while a file is read: `within(waiting=Unread(…))`.

    Args:
        file: The file's name.
        limit: How many bytes those may take that are read before the file has given them a value.
    """

    def __init__(self, file: str, limit: int):
        self.file, self.left = file, limit

    def take(self, variable: Variable, initializer: Any, shape: tuple[int, ...], dtype: str) -> None:
        """Let a new variable wait."""
        variable._value, variable._shape, variable.dtype = initializer, shape, dtype
        variable.__class__ = _waiting(type(variable))
        self.append(variable)

    def spend(self, variables: list[Any], kept: bool = True) -> None:
        """Count variables that are given initial values, or that are taken for 0 for a moment.

        Raises:
            ModelFileError: They would take more memory than the file can need.
        """
        sizes = [math.prod(v.shape) * dtypes.BITS[v.dtype] // 8 for v in variables]
        left = self.left - sum(sizes)
        self.left = left if kept else self.left
        if left < 0:
            largest = variables[sizes.index(max(sizes))]
            fact = f"The file describes variables of {sum(sizes):,} bytes that it has no values for."
            where = f"{self.file}: {largest.path}"
            raise ModelFileError(fact, where=where, received=f"shape {largest.shape}", fix="do not load it, unless you made it yourself")

    def settle(self, limit: int) -> None:
        """Give those that still wait their initial values, unless they would take more bytes than `limit`."""
        self.left = limit
        self.spend(waiting := [v for v in self if isinstance(v, Waiting)])
        self.left += limit
        for variable in waiting:
            variable._value  # noqa: B018


@contextlib.contextmanager
def unread(file: str, size: int) -> Iterator[None]:
    """Let the variables that are made in a block wait for their values; those that get none have their initial ones at its end.

    Args:
        file: The name of the file that they come from.
        size: Its bytes. What it has no values for may take no more than such a file can need.

    Raises:
        ModelFileError: It would take more.
    """
    made = Unread(file, 64 * 2**20 + 2 * size)
    with within(waiting=made):
        yield
        made.settle(64 * 2**20 + 8 * size)  # the state of an optimizer that has not begun is several times the weights

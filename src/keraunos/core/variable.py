"""`Variable`: a named slot for a tensor."""

from __future__ import annotations

import contextlib
import copy
import importlib
import math
from collections.abc import Iterable
from typing import Any, ClassVar

from keraunos.core import config, dtypes
from keraunos.core.errors import ShapeError, StateError, one_of
from keraunos.core.failures import translated
from keraunos.core.names import auto_name, scoped
from keraunos.core.scope import scope, within
from keraunos.core.spec import Operators, Spec, known, same_dim, show


def send(tensors: Iterable[Any]) -> None:
    """Let copies of tensors leave the device, if they are on one, together: then reading one does not wait for another."""
    with contextlib.suppress(RuntimeError):  # who reads it is told that its value is gone
        for x in tensors:
            getattr(x, "copy_to_host_async", bool)()


def numpy_of(variables: Iterable[Any]) -> list[Any]:
    """Copies of the values of variables as NumPy arrays."""
    variables = list(variables)
    send(getattr(v, "_value", None) for v in variables)
    return [v.numpy() for v in variables]


class Variable(Operators):
    """A named slot for a tensor: shape, dtype, whether it is trained, and its path in the model.

    Args:
        initializer: A value, or a function of `(shape, dtype)`, or an initializer's name.
        shape: Needed with a function or a name.
        dtype: The dtype's name; the value's own, else `floatx()`.
        trainable: Whether optimizers change it.
        autocast: Whether layers under mixed precision read it in their compute dtype.
        aggregation: How replicas are combined: "none", "mean", "sum" or "only_first_replica".
        synchronization: Accepted for Keras; replicas are kept equal by the engine.
        name: Its name; the path is made of the enclosing scopes and it.
        layout: A `TensorLayout`, or a variable that it lies as; else the distribution in force says how it is divided among devices.

    Raises:
        ShapeError: A new value does not have the variable's shape.

    Example:

    >>> import keraunos as keras
    >>> v = keras.Variable([1.0, 2.0])
    >>> v.assign_add([1.0, 1.0]); v.numpy().tolist()
    [2.0, 3.0]
    """

    __slots__ = (
        "__weakref__", "_layout", "_shape", "_trainable", "_value", "aggregation", "autocast", "backend", "constraint", "dtype",
        "frozen", "initially_trainable", "name", "overwrite_with_gradient", "path", "regularizer", "synchronization",
    )  # fmt: skip

    flipped: ClassVar[object] = None  # another object whenever `trainable`, or what programs hold, changed somewhere: models look again at what they train

    def __init__(
        self, initializer: Any, shape: Any = None, dtype: Any = None, trainable: bool = True, autocast: bool = True,
        aggregation: str = "none", synchronization: str = "auto", name: str | None = None, layout: Any = None,
    ):  # fmt: skip
        one_of("aggregation", aggregation or "none", ("none", "mean", "sum", "only_first_replica"))
        self.backend = config.active()
        self.name = name or auto_name("variable")
        self.path = scoped(self.name)
        self.autocast, self.aggregation, self.synchronization = autocast, aggregation, synchronization
        self.regularizer: Any = None
        self.constraint: Any = None
        self.overwrite_with_gradient = self.frozen = False  # frozen: not trained, whatever is said of its layer
        self._trainable = self.initially_trainable = bool(trainable)
        self._layout = layout
        if isinstance(initializer, str):  # found late, since initializers stand above the core
            initializer = importlib.import_module("keraunos.initializers").get(initializer)
        with self.backend.concrete():  # a variable that is made during a trace has a value all the same
            if callable(initializer) and not self.backend.is_tensor(initializer):
                if shape is None or not known(shape := tuple(shape)):
                    received = None if shape is None else show(shape)
                    if any(isinstance(d, (tuple, list)) for d in shape or ()):  # of the shapes of several inputs
                        fix = "call it on one tensor: keras.layers.Concatenate()([a, b]) joins several, or call it on each"
                        raise ShapeError("The layer takes one tensor, and was called on a list of them.", where=self.path, fix=fix, code="KR102")
                    raise ShapeError("A variable needs a shape that is known.", where=self.path, received=received, fix="pass shape=(…) with integers")
                dtype, shape = dtypes.standardize_dtype(dtype), tuple(int(d) for d in shape)
                if scope.waiting is not None:  # its value is about to be read from a file
                    return scope.waiting.take(self, initializer, shape, dtype)
                initializer = initializer(shape, dtype=dtype)
            elif isinstance(initializer, Variable):
                initializer = initializer.value
            value = self.backend.array(initializer, None if dtype is None else dtypes.standardize_dtype(dtype))
            self._value = self.backend.slot(value, self._trainable)
            self.dtype = self.backend.dtype_of(value)
            self._shape = tuple(value.shape)
            self.place()

    def layout(self) -> Any:
        """How it is divided among devices: as it was said for it, else as the distribution in force says; None if it is not."""
        if isinstance(self._layout, Variable):
            return self._layout.layout()
        distribution = config.distribution_on(self.backend)
        return distribution.get_variable_layout(self) if self._layout is None and distribution is not None else self._layout

    def place(self) -> None:
        """Bring the value to the devices where it belongs."""
        if (layout := self.layout()) is not None:
            self._value = layout.applied(self._value, self.path)

    # ---- reading ----
    @property
    def value(self) -> Any:
        """The tensor; in the compute dtype inside a layer under mixed precision."""
        trace = scope.trace
        value = self._value if trace is None else trace.read(self)
        autocast = scope.autocast
        if autocast is not None and self.autocast and autocast != self.dtype and self.dtype in dtypes.FLOATS:
            return self.backend.cast(value, autocast)
        return value

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, as a tuple of integers."""
        return self._shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self._shape)

    @property
    def trainable(self) -> bool:
        """Whether optimizers change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, trainable: bool) -> None:
        trainable = bool(trainable)
        if trainable != self._trainable:
            self._trainable, Variable.flipped = trainable, object()
            self._value = self.backend.slot(self._value, trainable)

    def spec(self) -> Spec:
        """Its shape, and the dtype in which it is read now."""
        return Spec(self._shape, scope.autocast if scope.autocast and self.autocast and self.dtype in dtypes.FLOATS else self.dtype)

    def numpy(self) -> Any:
        """A copy of the value as a NumPy array."""
        import numpy as np

        trace = scope.trace
        try:
            return np.array(self.backend.to_numpy(self._value if trace is None else trace.read(self)))
        except RuntimeError as error:  # such as that it went with a step that failed
            raise translated(error, self.path, known=True) or error from None

    # ---- assigning ----
    def assign(self, value: Any) -> None:
        """Give it a new value of the same shape; the dtype is converted."""
        if isinstance(value, Variable):
            value = value.value
        if isinstance(value, Spec):  # a layer's `call` is being run on specs: nothing is assigned
            self._check(value.shape)
            return
        if not self.backend.is_tensor(value):
            value = self.backend.slot(self.backend.array(value, self.dtype), False)  # no memory shared with the user's array
        self._check(value.shape)
        if self.backend.dtype_of(value) != self.dtype:
            value = self.backend.cast(value, self.dtype)
        trace = scope.trace
        if scope.symbolic:
            return
        if trace is None:
            self._value = self.backend.store(self._value, value, self._trainable)
        else:
            trace.write(self, value)

    def assign_add(self, value: Any) -> None:
        """Add `value`."""
        self.assign(self.value + self._operand(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract `value`."""
        self.assign(self.value - self._operand(value))

    def _operand(self, value: Any) -> Any:
        if isinstance(value, Variable):
            return value.value
        return value if isinstance(value, (int, float, Spec)) or self.backend.is_tensor(value) else self.backend.array(value, self.dtype)

    def _check(self, shape: Any) -> None:
        if len(shape) != len(self._shape) or not all(map(same_dim, shape, self._shape)):
            raise ShapeError("A variable keeps its shape.", where=self.path, received=show(tuple(shape)), expected=self._shape)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        """A copy on the engine in force, which is how a model goes from one engine to another."""
        new = memo[id(self)] = object.__new__(type(self))
        for slot in self.__slots__:
            if slot != "__weakref__" and hasattr(self, slot):
                setattr(new, slot, getattr(self, slot))
        new.backend = config.active()
        new._value = new.backend.slot(new.backend.array(self.numpy(), self.dtype), self._trainable)
        if isinstance(self._layout, Variable):
            new._layout = copy.deepcopy(self._layout, memo)  # else the copy would keep this one's model
        return new

    def __reduce__(self) -> Any:
        """For `pickle`: its value as an array, and the name of its engine."""
        kept = {slot: getattr(self, slot) for slot in Variable.__slots__ if slot not in ("__weakref__", "_layout", "_value", "backend") and hasattr(self, slot)}
        return _unpickled, (type(self), self.backend.name, self.numpy(), kept)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        value = self.numpy()
        return value if dtype is None else value.astype(dtype)

    def __len__(self) -> int:
        return self._shape[0]

    def __iter__(self) -> Any:
        return iter(self.value)

    def __bool__(self) -> bool:
        return bool(self.numpy())

    def __float__(self) -> float:
        return float(self.numpy())

    def __int__(self) -> int:
        return int(self.numpy())

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self._shape}, dtype={self.dtype}>"


def _unpickled(cls: type, backend: str, value: Any, kept: dict[str, Any]) -> Any:
    new = object.__new__(cls)
    for slot, held in kept.items():
        setattr(new, slot, held)
    new._layout = None
    with config.backend_scope(backend):
        new.backend = config.active()
    new._value = new.backend.slot(new.backend.array(value, new.dtype), new._trainable)
    return new


class Derived(Variable):
    """What stands in a variable's place where the value follows from several: read as a variable, held and trained as its parts.

    A subclass says what the `value` is, and how one is assigned.

    Args:
        parts: The variables: at first the one in whose place it stands, whose name, shape and dtype it has. The layer holds the others too.
    """

    def __init__(self, *parts: Variable):
        self.parts = parts
        first = parts[0]
        self.name, self.path, self.backend, self.dtype, self._shape, self.autocast = (
            first.name,
            first.path,
            first.backend,
            first.dtype,
            first.shape,
            first.autocast,
        )

    @property
    def value(self) -> Any:
        """The tensor that follows from the parts."""
        raise NotImplementedError

    @property
    def trainable(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Whether optimizers change a part of it."""
        return any(v.trainable for v in self.parts)

    @property
    def _value(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        fix = "name those that it is made of: layer.trainable_variables"
        raise StateError("This weight follows from others, so no gradient is taken by it, and it is bound to no value.", where=self.path, fix=fix)

    def numpy(self) -> Any:
        """A copy of the value as a NumPy array."""
        import numpy as np

        with within(backend=self.backend, autocast=None):
            return np.array(self.backend.to_numpy(self.value))

    def __deepcopy__(self, memo: dict[int, Any]) -> Derived:
        new = memo[id(self)] = object.__new__(type(self))
        new.__dict__.update(copy.deepcopy(self.__dict__, memo))
        Derived.__init__(new, *new.parts)
        return new

"""Shapes and dtypes without values: `Spec`, and the dimension that is not known.

`UNKNOWN` absorbs arithmetic, equals `None`, and is shown as `None`: `1` broadcasts against it, and
unknown with n gives n.
"""

from __future__ import annotations

import importlib
import itertools
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from keraunos.core.errors import ArgumentTypeError, ShapeError, SymbolicError


class Unknown:
    """A dimension that is not known before the run; arithmetic with it stays unknown."""

    def _absorb(self, *_: Any) -> Unknown:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _absorb
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __neg__ = _absorb

    def __eq__(self, other: object) -> bool:
        return other is None or other is self

    def __hash__(self) -> int:
        return hash(None)

    def __repr__(self) -> str:
        return "None"

    def __reduce__(self) -> str:
        return "UNKNOWN"  # there is one, copied or pickled

    def _order(self, other: Any) -> bool:
        raise SymbolicError("A dimension that is not known yet cannot be compared.", fix="use ops.shape(x) and ops.where, or give Input its batch_size")

    __lt__ = __le__ = __gt__ = __ge__ = _order


UNKNOWN = Unknown()
Shape = tuple[Any, ...]


class _Operators(dict[str, Callable[..., Any]]):
    """The ops by name. The first look-up imports those of Keraunos, which stand above the core."""

    def __missing__(self, name: str) -> Callable[..., Any]:
        importlib.import_module("keraunos.ops")
        return dict(self)[name]  # of a plain dict: a name that is still not there is a KeyError


# Filled by `core.op`: what `x + y` and the like do, by the name of the op.
OPERATORS = _Operators()


def _operator(name: str, swapped: bool = False) -> Any:
    if swapped:
        return lambda self, other: OPERATORS[name](other, self)
    return lambda self, *other: OPERATORS[name](self, *other)


class Operators:
    """Python's operators, as ops; shared by `Spec`, `KerasTensor` and `Variable`."""

    __slots__ = ()
    __array_priority__ = 1000.0  # NumPy's arrays leave `array * x` to `__rmul__`
    __add__, __radd__ = _operator("add"), _operator("add", True)
    __sub__, __rsub__ = _operator("subtract"), _operator("subtract", True)
    __mul__, __rmul__ = _operator("multiply"), _operator("multiply", True)
    __truediv__, __rtruediv__ = _operator("true_divide"), _operator("true_divide", True)
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _operator("floor_divide", True)
    __mod__, __rmod__ = _operator("mod"), _operator("mod", True)
    __pow__, __rpow__ = _operator("power"), _operator("power", True)
    __matmul__, __rmatmul__ = _operator("matmul"), _operator("matmul", True)
    __and__, __rand__ = _operator("logical_and"), _operator("logical_and", True)
    __or__, __ror__ = _operator("logical_or"), _operator("logical_or", True)
    __xor__, __rxor__ = _operator("logical_xor"), _operator("logical_xor", True)
    __lt__, __le__ = _operator("less"), _operator("less_equal")
    __gt__, __ge__ = _operator("greater"), _operator("greater_equal")
    __neg__, __abs__, __invert__ = _operator("negative"), _operator("absolute"), _operator("logical_not")
    __getitem__ = _operator("get_item")


def _refusal(fact: str, fix: str | None = None) -> Any:
    """A method of symbolic tensors that only values can have."""

    def refuse(self: Any, *_: Any, **__: Any) -> Any:
        name = getattr(self, "name", None)  # what `Input` gives, and what is made of it, has one
        raise SymbolicError(fact, where=name or "a tensor in `call`", received=repr(self), fix=fix, code="KR720" if name else "KR721")

    return refuse


class Symbolic(Operators):
    """What tensors without a value share; they have `shape` and `dtype`."""

    __slots__ = ()
    shape: Shape
    dtype: str

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={show(self.shape)}, dtype={self.dtype!r})"

    def __len__(self) -> int:
        if self.shape and known(self.shape[:1]):
            return self.shape[0]
        fact = "A symbolic tensor whose first dimension is not known has no length and cannot be iterated over."
        raise SymbolicError(fact, where=getattr(self, "name", "a tensor in `call`"), received=repr(self), fix="use ops.scan or ops.unstack along a known axis")

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    __bool__ = _refusal("A symbolic tensor has no truth value: `if` and `while` cannot see data.", "use ops.where(condition, a, b) or ops.cond")
    __float__ = __int__ = __index__ = _refusal("A symbolic tensor has no value yet.", "compute it inside a model, then call predict")
    __array__ = _refusal(
        "A NumPy function was applied to a symbolic tensor.", "use the function of the same name in keraunos.ops, such as ops.exp, or wrap it in a Layer's call"
    )
    __setitem__ = _refusal(
        "A part of a symbolic tensor cannot be assigned.", "use ops.slice_update, ops.scatter_update or ops.where, which return a new tensor"
    )

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fix = "use keraunos.ops, or wrap the function in a Layer's call"
        name = getattr(function, "__name__", "")
        raise SymbolicError("A PyTorch function was applied to a symbolic tensor.", where=f"torch.{name}", fix=fix)


class Spec(Symbolic):
    """The shape and dtype of a tensor that has no value.

    Args:
        shape: The sizes; None is a dimension that is not known.
        dtype: The dtype's name.

    Example:

    >>> Spec((None, 3), "float32")
    Spec(shape=(None, 3), dtype='float32')
    """

    __slots__ = ("__weakref__", "_keras_mask", "cut", "dtype", "shape")

    def __init__(self, shape: Iterable[Any], dtype: str = "float32", cut: str | None = None):
        self.shape = tuple(UNKNOWN if d is None else d for d in shape)
        self.dtype = dtype
        self.cut = cut  # the op beyond which no gradient gets, where it hangs on nothing else

    def __eq__(self, other: Any) -> Any:
        if type(self) is Spec and type(other) is Spec:
            return (self.shape, self.dtype) == (other.shape, other.dtype)
        return OPERATORS["equal"](self, other)

    def __ne__(self, other: Any) -> Any:
        if type(self) is Spec and type(other) is Spec:
            return (self.shape, self.dtype) != (other.shape, other.dtype)
        return OPERATORS["not_equal"](self, other)

    __hash__ = Symbolic.__hash__


def show(shape: Sequence[Any]) -> tuple[Any, ...]:
    """The shape as users see it: None for what is not known."""
    return tuple(None if d is UNKNOWN else d for d in shape)


def is_known(size: Any) -> bool:
    """Whether a dimension is a number; UNKNOWN, None and the scalars that engines have for it while they trace are none."""
    return size.__class__ is int or isinstance(size, numbers.Integral)


def known(shape: Sequence[Any]) -> bool:
    """Whether every dimension is known."""
    return all(map(is_known, shape))


def size_of(shape: Sequence[Any]) -> Any:
    """The number of elements, UNKNOWN if a dimension is."""
    return UNKNOWN if any(d is UNKNOWN or d is None for d in shape) else math.prod(shape)


def broadcast_dim(a: Any, b: Any) -> Any:
    """The dimension that `a` and `b` broadcast to; raises ValueError if they do not."""
    if is_known(a) and is_known(b):
        if a != b and 1 not in (a, b):
            raise ValueError
        return b if a == 1 else a
    return b if (is_known(b) and b != 1) or (is_known(a) and a == 1) else a


def broadcast_shapes(*shapes: Sequence[Any]) -> Shape:
    """The shape that these broadcast to.

    Raises:
        ShapeError: They do not.

    Example:

    >>> broadcast_shapes((2, 1, 3), (4, 1))
    (2, 4, 3)
    """
    result: Shape = ()
    for shape in shapes:
        backwards = itertools.zip_longest(reversed(result), reversed(shape), fillvalue=1)
        try:
            result = tuple(broadcast_dim(a, b) for a, b in backwards)[::-1]
        except ValueError:
            listed = " and ".join(str(show(s)) for s in shapes)
            fact = f"Shapes {listed} do not broadcast."
            fix = "ops.expand_dims or ops.reshape one of them"
            raise ShapeError(fact, expected="equal dimensions, or 1, counted from the last axis", fix=fix, code="KR103") from None
    return result


def same_dim(a: Any, b: Any) -> bool:
    """Whether two dimensions are equal as far as is known."""
    return not (is_known(a) and is_known(b)) or a == b


def normalize_axis(axis: int, ndim: int, name: str = "axis") -> int:
    """`axis` counted from the front.

    Raises:
        ShapeError: There is no such axis.
        ArgumentTypeError: It is no integer.
    """
    if not hasattr(axis, "__index__"):
        raise ArgumentTypeError(f"{name} must be an integer.", where=name, received=repr(axis))
    if not -ndim <= axis < ndim:
        expected = f"{-ndim} to {ndim - 1}" if ndim else "a tensor with axes"
        fix = f"{name}={-1 if ndim else None}" + " is the last" * bool(ndim)
        raise ShapeError(f"There is no axis {axis} in a tensor of {ndim} axes.", where=name, expected=expected, fix=fix)
    return axis % ndim if ndim else 0


def normalize_axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """The axes counted from the front; None is all of them."""
    if axis is None:
        return tuple(range(ndim))
    given: Any = axis if hasattr(axis, "__iter__") and not isinstance(axis, str) else [axis]
    axes = tuple(normalize_axis(a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise ShapeError(f"An axis is named twice in {axis}.", where="axis", fix="name each axis once; -1 is the last")
    return axes

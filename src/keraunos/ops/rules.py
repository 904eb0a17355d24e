"""The rules of ops: how one is declared by its signature, and the shape rules that several primitives share."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from keraunos.core import config, dtypes
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from keraunos.core.op import BOOLEAN, CONTRACTED, FLOATING, INDEX, LOGICAL, NUMERIC, PROMOTED, SAME, SUMMED, TO_BOOL, WIDE, DTypeRule, P, composite, primitive
from keraunos.core.spec import UNKNOWN, Shape, Spec, Symbolic, broadcast_shapes, is_known, known, normalize_axes, normalize_axis, same_dim, show, size_of

# An op is declared by its signature: its dtype rule is what the result, or the first part of it, is annotated with.
Promoted = Annotated[Any, PROMOTED]
Numeric = Annotated[Any, NUMERIC]
Floating = Annotated[Any, FLOATING]
Wide = Annotated[Any, WIDE]  # likewise, in 32 bits at least
Summed = Annotated[Any, SUMMED]
Contracted = Annotated[Any, CONTRACTED]
Boolean = Annotated[Any, BOOLEAN]
Logical = Annotated[Any, LOGICAL]
Test = Annotated[Any, TO_BOOL]
Index = Annotated[Any, INDEX]
Same = Annotated[Any, SAME]
Composed = Annotated[Any, SAME]  # the arguments are left as they are, and the body decides
Real = Annotated[Any, DTypeRule(lambda name: name, dtypes.real)]
Complex = Annotated[Any, DTypeRule(dtypes.part, dtypes.complexed)]  # of two floats
Bitwise = Annotated[Any, DTypeRule(dtypes.whole)]
Shifted = Annotated[Any, DTypeRule(lambda name: "int32" if name == "bool" else dtypes.whole(name))]


def _dtype_rule(body: Callable[..., Any]) -> DTypeRule | None:
    words = re.findall(r"\w+", body.__annotations__.get("return", ""))
    return next((rule for word in words for rule in getattr(body.__globals__.get(word), "__metadata__", ())), None)


def shaped(body: Callable[P, Any]) -> Callable[P, Any]:
    """Make a primitive of a function that is annotated so and whose body, given specs, is its shape rule."""
    return primitive(body, _dtype_rule(body) or SAME)(body)


def declare(namespace: dict[str, Any], shape: Callable[..., Any] | None = None) -> None:
    """Make ops of the functions of a module that are annotated so and are no ops yet.

    Args:
        namespace: The module's names; the ops take the place of the functions.
        shape: The shape rule, if they are primitives; without it they are composites.
    """
    for name, body in [*namespace.items()]:
        if inspect.isfunction(body) and body.__module__ == namespace["__name__"] and not hasattr(body, "op") and (rule := _dtype_rule(body)):
            namespace[name] = primitive(shape, rule)(body) if shape else composite(dtype=rule)(body)


def dims(x: Any) -> Shape:
    """The shape of a spec; a scalar has none."""
    return getattr(x, "shape", ())


def equal(a: Shape, b: Shape) -> bool:
    """Whether two shapes are equal as far as is known."""
    return len(a) == len(b) and all(map(same_dim, a, b))


def broadcast(*xs: Any) -> Shape:
    """The shape that the arguments broadcast to."""
    return broadcast_shapes(*map(dims, xs))


def typed(shape: Shape, dtype: str | None) -> Any:
    """The shape, or the spec where the result's dtype is given."""
    return Spec(shape, dtype) if dtype else shape


def same_axis(x: Any, axis: Any = -1, *_: Any) -> Shape:
    """The shape of `x`, whose `axis` is gone through; flat if that is None."""
    shape = dims(x)
    if axis is None:
        return (size_of(shape),)
    normalize_axis(axis, len(shape))
    return shape


def reduced(x: Any, axis: Any = None, keepdims: bool = False, *_: Any) -> Shape:
    """The shape of `x` without `axis`, or with 1 in its place."""
    shape = dims(x)
    axes = normalize_axes(axis, len(shape))
    return tuple(1 if i in axes else d for i, d in enumerate(shape) if keepdims or i not in axes)


def chosen(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Shape:
    """As `reduced`, by an op that chooses one of the elements, of which there must be some."""
    shape = dims(x)
    if initial is None and 0 in (shape[i] for i in normalize_axes(axis, len(shape))):
        raise ShapeError("There is no element to choose.", where="x", received=show(shape), expected="axes that are not empty")
    return reduced(x, axis, keepdims)


def reshaped(x: Any, newshape: Any) -> Shape:
    """The shape that `newshape` means, with -1 worked out."""
    shape, new = dims(x), as_shape(newshape, "newshape", -1)
    if new.count(-1) > 1:
        raise ShapeError("Only one dimension of a new shape can be -1.", received=show(new), fix="give the other sizes")
    if known(shape) and new.count(UNKNOWN) == 1 and -1 not in new:  # what is not known follows from the rest
        new = tuple(-1 if d is UNKNOWN else d for d in new)
    size, rest = size_of(shape), [d for d in new if d != -1]
    if size is UNKNOWN or not known(rest):
        return tuple(UNKNOWN if d == -1 else d for d in new)
    product = math.prod(rest)
    if (size != product) if -1 not in new else (product == 0 or size % product):
        fact = f"A tensor of shape {show(shape)} cannot be reshaped to {show(as_shape(newshape, least=-1))}."
        raise ShapeError(fact, fix=f"it has {size} elements", code="KR104")
    return tuple(size // product if d == -1 else d for d in new)


def as_shape(shape: Any, name: str = "shape", least: int = 0) -> Shape:
    """A shape given as one integer or several, not below `least`; None is a dimension that is not known."""
    given = shape if hasattr(shape, "__len__") and not isinstance(shape, (str, Symbolic)) else (shape,)
    sizes: Any = [UNKNOWN if d is None else integer(d, name, least) for d in given]
    return tuple(int(d) if is_known(d) else UNKNOWN for d in sizes)


def integer(n: Any, name: str, least: int | None = None) -> Any:
    """`n`, checked to be an integer that is not below `least`; one that is not known before the run is taken as it is.

    Example:

    >>> integer(3, "num")
    3
    """
    backend, whole = config.active(), hasattr(n, "__index__")
    if n is UNKNOWN or isinstance(n, Symbolic):
        return n
    if backend.is_tensor(n) and not is_known(n):
        whole = backend.dtype_of(n) in dtypes.INTEGERS
        least = None
    if not whole:
        raise ArgumentTypeError(f"{repr(n) if isinstance(n, (str, float)) else type(n).__name__} is no integer.", where=name, fix="int(x)")
    if least is not None and n < least:
        raise ArgumentError(f"{n} is too small.", where=name, expected=f"{least} or more")
    return n


def several(xs: Any, name: str) -> Sequence[Any]:
    """`xs`, checked to be a list that is not empty."""
    listed = isinstance(xs, (list, tuple))
    if not listed or not xs:
        received = "an empty list" if listed else "a tensor" if hasattr(xs, "shape") else type(xs).__name__
        raise ArgumentError(f"{name} needs a list of tensors.", received=received)
    return xs


def indexed(x: Any, key: Any) -> Shape:
    """The shape of `x[key]`, by NumPy's rules."""
    shape = dims(x)
    if isinstance(key, list):
        key = Spec((len(key), *(dims(key[0]) if key else ())), "bool" if key and getattr(key[0], "dtype", type(key[0])) in (bool, "bool") else "int32")
    key = key if isinstance(key, tuple) else (key,)
    arrays = [k for k in key if isinstance(k, Spec)]
    used = sum(map(_used, key))
    if used > len(shape):
        fact = f"A tensor of {len(shape)} axes cannot take {used} indices."
        raise ShapeError(fact, received=show(shape), fix="one index for each axis at most; None adds one")
    key = key if any(k is ... for k in key) else (*key, ...)
    kept: list[Any] = []
    places: list[tuple[int, int]] = []  # where in the key, and after how many kept axes, arrays choose; beside arrays an integer is one
    axis = 0
    for place, k in enumerate(key):
        if k is None:
            kept.append(1)
        elif k is ...:
            kept += shape[axis : axis + len(shape) - used]
            axis += len(shape) - used
        elif isinstance(k, slice):
            kept.append(_sliced(shape[axis], k))
        else:
            if not isinstance(k, Spec) and k is not UNKNOWN and not hasattr(k, "__index__"):
                raise ArgumentTypeError(f"An index cannot be {k!r}.", where="key", expected="integers, slices, None, ... or tensors of integers or bools")
            integral(k, "key")
            size = shape[axis]
            if isinstance(k, int) and size is not UNKNOWN and not -size <= k < size:
                fix = f"from {-size} to {size - 1}"
                raise ShapeError(f"Index {k} is out of bounds for axis {axis} of size {size}.", received=show(shape), code="KR107", fix=fix)
            places.append((place, len(kept)))
        axis += _used(k)
    if not arrays:
        return tuple(kept)
    chosen = broadcast_shapes(*((UNKNOWN,) if k.dtype == "bool" else k.shape for k in arrays))
    together = places[-1][0] - places[0][0] == len(places) - 1
    at = places[0][1] if together else 0
    return (*kept[:at], *chosen, *kept[at:])


def integral(indices: Any, name: str) -> None:
    """Raise unless the indices are integers or bools, as far as it can be seen."""
    kind = getattr(indices, "dtype", "bool")
    if kind != "bool" and kind not in dtypes.INTEGERS:
        raise DTypeError(f"{name} of {kind} cannot be indices.", where=name, expected="integers", fix=f"ops.cast({name}, 'int32')")


def _used(k: Any) -> int:
    """How many axes a part of a key takes up."""
    return 0 if k is None or k is ... else len(k.shape) if isinstance(k, Spec) and k.dtype == "bool" else 1


def _sliced(size: Any, k: slice) -> Any:
    if any(v is UNKNOWN or isinstance(v, Symbolic) for v in (size, k.start, k.stop, k.step)):
        return UNKNOWN
    return len(range(*k.indices(size)))

"""Ops that change the form of tensors: shape, order, selection, joining; and conversion."""

from __future__ import annotations

import builtins
import itertools
from typing import Any

import numpy as np

from keraunos.core import config, dtypes
from keraunos.core.errors import ArgumentError, BackendError, ShapeError, SymbolicError
from keraunos.core.op import SAME, Operand, Operands, Tensor, Tensors, made, primitive, spec_of
from keraunos.core.spec import OPERATORS, UNKNOWN, Shape, Spec, broadcast_shapes, is_known, normalize_axes, normalize_axis, same_dim, show, size_of
from keraunos.core.variable import Variable
from keraunos.ops import rules
from keraunos.ops.elementwise import cast, maximum, minimum, mod, not_equal, subtract
from keraunos.ops.rules import Promoted, Same, declare, dims, shaped


# ---- conversion, and what is known of a tensor ----
def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """`x`, which may be an array, a list, a scalar or a variable, as a tensor of the engine.

    Args:
        dtype: The result's dtype; None is `x`'s own, for floats of Python `floatx()`.
        sparse: None or False: there are no sparse tensors.
        ragged: None or False: there are no ragged tensors.

    Raises:
        BackendError: A sparse or ragged tensor was asked for.

    Example:

    >>> from keraunos import ops
    >>> x = ops.convert_to_tensor([[1, 2], [3, 4]], dtype="float32")
    >>> ops.is_tensor(x), ops.shape(x), ops.dtype(x)
    (True, (2, 2), 'float32')
    """
    if sparse or ragged:
        kind = "sparse" if sparse else "ragged"
        raise BackendError(f"The {config.backend()} backend has no {kind} tensors.", where="convert_to_tensor", fix="leave sparse and ragged at None")
    if isinstance(x, Spec):
        return x if dtype is None else cast(x, dtype)
    backend = config.active()
    x = x.value if isinstance(x, Variable) else x
    name = None if dtype is None else dtypes.standardize_dtype(dtype)
    if _holds_tensors(backend, x):
        return stack([convert_to_tensor(y, name) for y in x])
    if not backend.is_tensor(x):
        return made(backend, x, name)
    return x if name is None or backend.dtype_of(x) == name else backend.cast(x, name)


def array(x: Any, dtype: Any = None) -> Any:
    """`x` as a tensor of the engine, as `convert_to_tensor`.

    Example:

    >>> from keraunos import ops
    >>> ops.dtype(ops.array([1, 2])), ops.dtype(ops.array([1.0, 2.0]))
    ('int32', 'float32')
    """
    return convert_to_tensor(x, dtype)


def _holds_tensors(backend: Any, x: Any) -> bool:
    return isinstance(x, (list, tuple)) and any(isinstance(y, (Variable, Spec)) or backend.is_tensor(y) or _holds_tensors(backend, y) for y in x)


def convert_to_numpy(x: Any) -> Any:
    """The values as a NumPy array, copied from the device if need be.

    Raises:
        SymbolicError: `x` is a symbolic tensor, which has no values.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ones((2, 2))).sum().item()
    4.0
    """
    if isinstance(x, Spec):
        fix = "compute it inside a model, then call predict"
        raise SymbolicError("A symbolic tensor has no value yet.", where="convert_to_numpy", received=repr(x), fix=fix)
    return config.active().to_numpy(convert_to_tensor(x))


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor of the engine, or a symbolic one.

    Example:

    >>> from keraunos import ops
    >>> ops.is_tensor(ops.zeros(3)), ops.is_tensor([0, 0, 0])
    (True, False)
    """
    return isinstance(x, Spec) or config.active().is_tensor(x)


def shape(x: Any) -> Shape:
    """The sizes as integers.

    What is not known before the run absorbs arithmetic and equals None; while an engine traces, it is a scalar of the engine.

    Example:

    >>> from keraunos import ops
    >>> import keraunos
    >>> ops.shape([[1, 2, 3], [4, 5, 6]]), ops.shape(keraunos.Input((8,)))
    ((2, 3), (None, 8))
    """
    if isinstance(x, Spec) or not hasattr(x, "shape"):
        return spec_of(x).shape
    sizes = tuple(x.shape)
    if None not in sizes:
        return sizes
    backend = config.active()
    return tuple(backend.dim(x, i) if d is None or d is UNKNOWN else d for i, d in enumerate(sizes))


def ndim(x: Any) -> int:
    """The number of axes.

    Example:

    >>> from keraunos import ops
    >>> ops.ndim(5), ops.ndim([[1, 2], [3, 4]])
    (0, 2)
    """
    return len(shape(x))


def size(x: Any) -> Any:
    """The number of elements, None where it is not known before the run.

    Example:

    >>> from keraunos import ops
    >>> ops.size([[1, 2, 3], [4, 5, 6]])
    6
    """
    return size_of(shape(x))


def dtype(x: Any) -> str:
    """The dtype's name, on every engine as NumPy has it.

    Example:

    >>> from keraunos import ops
    >>> ops.dtype([1.5, 2.0]), ops.dtype([True, False])
    ('float32', 'bool')
    """
    return spec_of(x).dtype


def copy(x: Tensor) -> Same:
    """`x` as a tensor of its own, where the engine's can be changed in place.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.copy([1, 2])).tolist()
    [1, 2]
    """
    return x


# ---- form ----
_ALL = builtins.slice(None)


@primitive(shape=rules.reshaped, dtype=SAME)
def reshape(x: Tensor, newshape: Any) -> Tensor:
    """The same elements in another shape; one dimension may be -1, which stands for the rest.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.reshape(ops.zeros((2, 6)), (-1, 3)))
    (4, 3)
    """


@shaped
def transpose(x: Tensor, axes: Any = None) -> Same:
    """The axes in the order `axes`, each named once; None reverses them.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.transpose([[1, 2, 3], [4, 5, 6]])).tolist()
    [[1, 4], [2, 5], [3, 6]]
    >>> ops.shape(ops.transpose(ops.zeros((2, 3, 4)), (0, 2, 1)))
    (2, 4, 3)
    """
    own = dims(x)
    if axes is None:
        return own[::-1]
    axes = axes if hasattr(axes, "__iter__") else (axes,)
    order = normalize_axes(axes, len(own))
    if len(order) != len(own):
        raise ShapeError(f"The order {tuple(axes)} must name each of {len(own)} axes once.", where="axes", received=show(own))
    return tuple(own[i] for i in order)


def expand_dims(x: Tensor, axis: Any) -> Same:
    """A new axis of size 1 at `axis`, a place in the result, or at each of several.

    Example:

    >>> from keraunos import ops
    >>> x = ops.zeros((2, 3))
    >>> ops.shape(ops.expand_dims(x, 0)), ops.shape(ops.expand_dims(x, -1)), ops.shape(ops.expand_dims(x, (0, 2)))
    ((1, 2, 3), (2, 3, 1), (1, 2, 1, 3))
    """
    n = ndim(x) + (len(axis) if isinstance(axis, (list, tuple)) else 1)
    axes = normalize_axes(axis, n)
    return get_item(x, tuple(None if i in axes else _ALL for i in range(n)))


def squeeze(x: Tensor, axis: Any = None) -> Same:
    """`x` without the axes of size 1 that `axis` names, one or several; None is all of them.

    Raises:
        ShapeError: An axis has another size.

    Example:

    >>> from keraunos import ops
    >>> x = ops.zeros((1, 3, 1))
    >>> ops.shape(ops.squeeze(x)), ops.shape(ops.squeeze(x, 0))
    ((3,), (3, 1))
    """
    own = dims(x)
    axes = [i for i, d in enumerate(own) if d == 1] if axis is None else normalize_axes(axis, len(own))
    for i in axes:
        if not same_dim(own[i], 1):
            fact = f"Axis {i} has size {own[i]}: only axes of size 1 can be squeezed."
            raise ShapeError(fact, where="axis", received=show(own), fix="leave axis out to take all such away")
    return get_item(x, tuple(0 if i in axes else _ALL for i in range(len(own))))


@shaped
def broadcast_to(x: Tensor, shape: Any) -> Same:
    """`x` repeated along its axes of size 1, and new leading ones, to the given shape.

    Raises:
        ShapeError: A size is neither 1 nor the one wanted.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.broadcast_to([[1], [2]], (2, 3))).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    target, have = rules.as_shape(shape), dims(x)
    padded = (1,) * (len(target) - len(have)) + have
    if len(have) > len(target) or not all(d == 1 or same_dim(d, t) for d, t in zip(padded, target, strict=True)):
        fact = f"A tensor of shape {show(have)} does not broadcast to {show(target)}."
        raise ShapeError(fact, code="KR103", fix="sizes are equal or 1, counted from the last axis; x[:, None] adds an axis")
    return tuple(d if t is UNKNOWN and d != 1 else t for d, t in zip(padded, target, strict=True))


def ravel(x: Tensor) -> Same:
    """The elements in one axis, those of the last axis side by side.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.ravel([[1, 2], [3, 4]])).tolist()
    [1, 2, 3, 4]
    """
    return reshape(x, (-1,))


def swapaxes(x: Tensor, axis1: int, axis2: int) -> Same:
    """Two axes exchanged.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.swapaxes(ops.zeros((2, 3, 4)), 0, -1))
    (4, 3, 2)
    """
    n = ndim(x)
    first, second = normalize_axis(axis1, n, "axis1"), normalize_axis(axis2, n, "axis2")
    return transpose(x, tuple({first: second, second: first}.get(i, i) for i in range(n)))


def moveaxis(x: Tensor, source: Any, destination: Any) -> Same:
    """The axes `source` at the places `destination`, one or several, the others in their order.

    Example:

    >>> from keraunos import ops
    >>> ops.shape(ops.moveaxis(ops.zeros((2, 3, 4, 5)), -1, 1))
    (2, 5, 3, 4)
    """
    n = ndim(x)
    sources, targets = normalize_axes(source, n), normalize_axes(destination, n)
    if len(sources) != len(targets):
        raise ShapeError(f"moveaxis has {len(sources)} sources and {len(targets)} destinations.", fix="as many places in destination as in source")
    order = [i for i in range(n) if i not in sources]
    for target, moved in sorted(zip(targets, sources, strict=True)):
        order.insert(target, moved)
    return transpose(x, tuple(order))


def flip(x: Tensor, axis: Any = None) -> Same:
    """The elements in reverse order along `axis`, one or several; None is every axis.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.flip([[1, 2], [3, 4]], axis=1)).tolist()
    [[2, 1], [4, 3]]
    >>> ops.convert_to_numpy(ops.flip([[1, 2], [3, 4]])).tolist()
    [[4, 3], [2, 1]]
    """
    axes = normalize_axes(axis, ndim(x))
    return get_item(x, tuple(builtins.slice(None, None, -1) if i in axes else _ALL for i in range(ndim(x))))


@shaped
def roll(x: Tensor, shift: Any, axis: Any = None) -> Same:
    """The elements moved by `shift` along `axis`, those that leave coming in at the other end.

    Args:
        shift: How far, towards the end; one number or one for each axis.
        axis: One axis or several; None is of the flat tensor.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.roll([1, 2, 3, 4], 1)).tolist()
    [4, 1, 2, 3]
    >>> ops.convert_to_numpy(ops.roll([[1, 2], [3, 4], [5, 6]], -1, axis=0)).tolist()
    [[3, 4], [5, 6], [1, 2]]
    """
    shifts, axes = (given if isinstance(given, (list, tuple)) else [given] for given in (shift, axis))
    for n in shifts:
        rules.integer(n, "shift")
    for i in axes if axis is not None else ():
        normalize_axis(i, len(dims(x)))
    if 1 not in (len(shifts), len(axes)) and len(shifts) != len(axes):
        raise ShapeError(f"There are {len(shifts)} shifts for {len(axes)} axes.", where="shift", fix="one shift for each axis")
    return dims(x)


# ---- joining and parting ----
@shaped
def concatenate(xs: Tensors, axis: int = 0) -> Promoted:
    """The tensors one after another along `axis`; the other sizes are equal.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.concatenate([[[1, 2]], [[3, 4]]], axis=0)).tolist()
    [[1, 2], [3, 4]]
    >>> ops.convert_to_numpy(ops.concatenate([[[1, 2]], [[3, 4]]], axis=1)).tolist()
    [[1, 2, 3, 4]]
    """
    shapes = [dims(x) for x in rules.several(xs, "concatenate")]
    first, axis = shapes[0], normalize_axis(axis, len(shapes[0]))
    received = ", ".join(str(show(s)) for s in shapes)
    for k, shape in enumerate(shapes):
        if len(shape) != len(first):
            raise ShapeError(f"Input 0 has {len(first)} axes, input {k} has {len(shape)}.", received=received, fix="ops.expand_dims the one with fewer")
        for i, (a, b) in enumerate(zip(first, shape, strict=True)):
            if i != axis and not same_dim(a, b):
                expected = f"equal sizes except at axis {axis}"
                raise ShapeError(f"The inputs differ at axis {i}: {a} in input 0, {b} in input {k}.", received=received, expected=expected, code="KR103")
    known_of = (next((d for d in sizes if d is not UNKNOWN), UNKNOWN) for sizes in zip(*shapes, strict=True))
    return tuple(sum(s[axis] for s in shapes) if i == axis else d for i, d in enumerate(known_of))


def stack(x: Tensors, axis: int = 0) -> Promoted:
    """The tensors, of one shape, on top of one another along a new `axis`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.stack([[1, 2], [3, 4]])).tolist()
    [[1, 2], [3, 4]]
    >>> ops.convert_to_numpy(ops.stack([[1, 2], [3, 4]], axis=1)).tolist()
    [[1, 3], [2, 4]]
    """
    first = shape(rules.several(x, "stack")[0])
    for k, y in enumerate(x):
        if not rules.equal(first, shape(y)):
            raise ShapeError(f"Input 0 has shape {show(first)}, input {k} has {show(shape(y))}.", expected="equal shapes")
    return concatenate([expand_dims(y, axis) for y in x], axis)


def unstack(x: Tensor, num: int | None = None, axis: int = 0) -> list[Same]:
    """The tensors that lie on top of one another along `axis`; `num` says how many where that is not known.

    Example:

    >>> from keraunos import ops
    >>> first, second = ops.unstack([[1, 2], [3, 4]], axis=1)
    >>> ops.convert_to_numpy(first).tolist(), ops.convert_to_numpy(second).tolist()
    ([1, 3], [2, 4])
    """
    at = normalize_axis(axis, ndim(x))
    count = shape(x)[at]
    if not is_known(count) and num is None:
        raise ShapeError(f"The size of axis {axis} is not known.", where="ops.unstack", received=show(shape(x)), fix="pass num=")
    if not same_dim(count, num):
        raise ShapeError(f"Axis {axis} has size {count}, not num={num}.", where="ops.unstack", fix="leave num out where the size is known")
    return [get_item(x, (*[_ALL] * at, i)) for i in range(int(count if is_known(count) else num))]  # type: ignore[arg-type]


def split(x: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Same]:
    """The tensor parted along `axis`.

    Args:
        indices_or_sections: A number of equal parts, or the indices before which to part.
        axis: The axis to go along.

    Raises:
        ShapeError: The size cannot be divided into so many parts; `array_split` can.

    Example:

    >>> from keraunos import ops
    >>> [ops.convert_to_numpy(part).tolist() for part in ops.split([1, 2, 3, 4, 5, 6], 3)]
    [[1, 2], [3, 4], [5, 6]]
    >>> [ops.convert_to_numpy(part).tolist() for part in ops.split([1, 2, 3, 4, 5, 6], [1, 4])]
    [[1], [2, 3, 4], [5, 6]]
    """
    at = normalize_axis(axis, ndim(x))
    total = shape(x)[at]
    if not hasattr(indices_or_sections, "__len__"):
        rules.integer(indices_or_sections, "indices_or_sections", 1)
        if is_known(total) and total % indices_or_sections:
            fact = f"Axis {axis} of size {total} cannot be split into {indices_or_sections} equal parts."
            raise ShapeError(fact, received=show(shape(x)), fix="pass the indices to split at")
        ends: list[Any] = [total // indices_or_sections * i for i in range(1, indices_or_sections)]
    else:
        ends = [rules.integer(i, "indices_or_sections") for i in indices_or_sections]
    bounds: Any = zip([None, *ends], [*ends, None], strict=True)
    return [get_item(x, (*[_ALL] * at, builtins.slice(a, b))) for a, b in bounds]


@shaped
def repeat(x: Tensor, repeats: Operands, axis: int | None = None) -> Same:
    """Each element along `axis` repeated.

    Args:
        repeats: How often, one number for all or one for each element.
        axis: The axis to go along; None is of the flat tensor.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.repeat([1, 2], 2)).tolist()
    [1, 1, 2, 2]
    >>> ops.convert_to_numpy(ops.repeat([[1, 2], [3, 4]], [1, 2], axis=0)).tolist()
    [[1, 2], [3, 4], [3, 4]]
    """
    own = dims(x) if axis is not None else (size_of(dims(x)),)
    at = normalize_axis(axis or 0, len(own))
    counts = [rules.integer(n, "repeats", 0) for n in (repeats if isinstance(repeats, (list, tuple)) else [repeats])]
    given = dims(repeats)[0] if dims(repeats) else len(counts)
    if given != 1 and not same_dim(own[at], given):
        raise ShapeError(f"There are {given} repeats for {own[at]} elements.", where="repeats", fix="one number for all, or one for each element")
    total = UNKNOWN if any(isinstance(n, Spec) for n in counts) else own[at] * counts[0] if len(counts) == 1 else sum(counts)
    return (*own[:at], total, *own[at + 1 :])


@shaped
def tile(x: Tensor, repeats: Any) -> Same:
    """The whole tensor repeated along each axis.

    Args:
        repeats: How often along each axis; with fewer numbers than axes they are those of the last ones, with more there are new first axes.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.tile([1, 2], 2)).tolist()
    [1, 2, 1, 2]
    >>> ops.convert_to_numpy(ops.tile([1, 2], (2, 1))).tolist()
    [[1, 2], [1, 2]]
    """
    backwards = itertools.zip_longest(reversed(dims(x)), reversed(rules.as_shape(repeats, "repeats")), fillvalue=1)
    return tuple(d * r for d, r in backwards)[::-1]


def pad_widths(pad_width: Any, ndim: int) -> list[tuple[Any, Any]]:
    """`pad_width` as a pair for each axis."""
    try:
        widths = np.broadcast_to(np.asarray(pad_width), (ndim, 2)).tolist()
    except ValueError:
        expected = "a number, a pair, or a pair for each axis"
        raise ShapeError(f"pad_width does not fit {ndim} axes.", where="pad_width", received=pad_width, expected=expected) from None
    return [tuple(rules.integer(n, "pad_width", 0) for n in pair) for pair in widths]


@primitive(shape=lambda x, widths, value: tuple(low + d + high for d, (low, high) in zip(dims(x), widths, strict=True)), dtype=SAME)
def pad_constant(x: Tensor, widths: Any, value: Any) -> Tensor:
    """`x` with `value` around it; `widths` is a pair for each axis."""


_PAD_MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


def pad(x: Tensor, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Same:
    """`x` with a margin.

    Args:
        pad_width: How wide: a number, a pair of before and behind, or a pair for each axis.
        mode: "constant", or how `x` goes on: "edge" repeats its last element, "reflect" mirrors it at that element, "symmetric" behind it, "wrap" starts
            anew.
        constant_values: What a constant margin is filled with; None is 0.

    Raises:
        ArgumentError: There is no such mode, or it has no constant.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.pad([1, 2, 3], (1, 2))).tolist()
    [0, 1, 2, 3, 0, 0]
    >>> ops.convert_to_numpy(ops.pad([1, 2, 3], (1, 2), mode="reflect")).tolist()
    [2, 1, 2, 3, 2, 1]
    >>> ops.convert_to_numpy(ops.pad([[1, 2]], ((1, 0), (0, 1)), constant_values=9)).tolist()
    [[9, 9, 9], [1, 2, 9]]
    """
    widths = pad_widths(pad_width, ndim(x))
    if mode not in _PAD_MODES:
        raise ArgumentError(f"There is no padding mode {mode!r}.", where="mode", fix=f"one of {', '.join(_PAD_MODES)}")
    if mode == "constant":
        return pad_constant(x, widths, 0 if constant_values is None else constant_values) if widths else x
    if constant_values is not None:
        raise ArgumentError(f"constant_values goes with mode='constant', not {mode!r}.", where="constant_values", fix="leave constant_values out")
    for axis, (low, high) in enumerate(widths):
        if low or high:
            x = take(x, _continued(shape(x)[axis], low, high, mode), axis)
    return x


def _continued(n: Any, low: int, high: int, mode: Any) -> Any:
    """Which of `n` elements in a row stands at each place of the row with a margin."""
    if is_known(n):
        return np.pad(np.arange(n, dtype="int32"), (low, high), mode=mode)
    places = OPERATORS["arange"](-low, n + high, dtype="int32")
    if mode == "edge":
        return minimum(maximum(places, 0), n - 1)
    if mode == "wrap":
        return mod(places, n)
    last = 2 * n - 1 if mode == "symmetric" else 2 * n - 2  # there and back
    period = maximum(last + 1 if mode == "symmetric" else last, 1)
    places = mod(places, period)
    return minimum(places, maximum(last - places, 0))


def diff(a: Tensor, n: int = 1, axis: int = -1) -> Same:
    """The differences of neighbours along `axis`, taken `n` times.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.diff([1, 4, 9, 16])).tolist()
    [3, 5, 7]
    >>> ops.convert_to_numpy(ops.diff([1, 4, 9, 16], n=2)).tolist()
    [2, 2]
    """
    before = [_ALL] * normalize_axis(axis, ndim(a))
    for _ in range(rules.integer(n, "n", 0)):
        later, earlier = get_item(a, (*before, builtins.slice(1, None))), get_item(a, (*before, builtins.slice(None, -1)))
        a = not_equal(later, earlier) if dtype(a) == "bool" else subtract(later, earlier)
    return a


# ---- selection ----
@primitive(shape=rules.indexed, dtype=SAME)
def get_item(x: Tensor, key: Operands) -> Tensor:
    """`x[key]`, by NumPy's rules: integers, slices, None, `...`, tensors of integers or bools, or a tuple of them.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.get_item([[1, 2, 3], [4, 5, 6]], (..., -1))).tolist()
    [3, 6]
    >>> ops.convert_to_numpy(ops.get_item([1, 2, 3], ops.array([2, 0]))).tolist()
    [3, 1]
    """


@shaped
def take(x: Tensor, indices: Operand, axis: int | None = None) -> Same:
    """The elements at `indices` along `axis`; None is of the flat tensor. Negative indices count from the end.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.take([[1, 2, 3], [4, 5, 6]], [2, 0], axis=1)).tolist()
    [[3, 1], [6, 4]]
    >>> ops.convert_to_numpy(ops.take([10, 20, 30], [[0, -1]])).tolist()
    [[10, 30]]
    """
    rules.integral(indices, "indices")
    if axis is None:
        return dims(indices)
    own, axis = dims(x), normalize_axis(axis, len(dims(x)))
    return (*own[:axis], *dims(indices), *own[axis + 1 :])


@shaped
def take_along_axis(x: Tensor, indices: Operand, axis: int | None = None) -> Same:
    """For each index the element at it along `axis`, the other axes matched one to one; None is of the flat tensor.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.take_along_axis([[3, 1, 2], [9, 8, 7]], [[1], [2]], axis=1)).tolist()
    [[1], [7]]
    """
    rules.integral(indices, "indices")
    if axis is None:
        return dims(indices)
    own, chosen = dims(x), dims(indices)
    if len(own) != len(chosen):
        raise ShapeError(f"x has {len(own)} axes, indices have {len(chosen)}.", expected="as many axes")
    axis = normalize_axis(axis, len(own))
    return tuple(c if i == axis else broadcast_shapes((d,), (c,))[0] for i, (d, c) in enumerate(zip(own, chosen, strict=True)))


def _block(inputs: Any, start_indices: Any, sizes: Shape, name: str) -> Shape:
    """The sizes of a block, checked to lie in the tensor; -1 goes to the end of an axis."""
    own = dims(inputs)
    count = (dims(start_indices) or (0,))[0]
    starts = start_indices if isinstance(start_indices, (list, tuple)) else [UNKNOWN] * (count if is_known(count) else len(own))
    if not len(own) == len(sizes) == len(starts):
        fact = f"A tensor of {len(own)} axes has no block of {len(sizes)} axes that starts at {len(starts)} indices."
        raise ShapeError(fact, where=name, received=show(sizes), expected="an index and a size for each axis")
    starts = [rules.integer(start, "start_indices") for start in starts]
    ends = [d - start if isinstance(start, int) and start >= 0 else UNKNOWN for d, start in zip(own, starts, strict=True)]
    sizes = tuple(end if size == -1 else size for size, end in zip(sizes, ends, strict=True))
    if any(is_known(d) and is_known(size) and size > d for d, size in zip(own, sizes, strict=True)):
        fix = "start and size of the block must lie within"
        raise ShapeError(f"A block of shape {show(sizes)} does not fit into a tensor of shape {show(own)}.", where=name, fix=fix)
    return sizes


@shaped
def slice(inputs: Tensor, start_indices: Operands, shape: Any) -> Same:
    """The block of the given shape that starts at `start_indices`.

    Args:
        inputs: The tensor.
        start_indices: An index for each axis; negative ones count from the end. Where the block would reach beyond the end, it starts earlier.
        shape: A size for each axis; -1 is all that follows the start.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.slice([[1, 2, 3], [4, 5, 6]], [0, 1], (2, 2))).tolist()
    [[2, 3], [5, 6]]
    """
    return _block(inputs, start_indices, rules.as_shape(shape, least=-1), "shape")


@shaped
def slice_update(inputs: Tensor, start_indices: Operands, updates: Operand) -> Same:
    """`inputs` with the block that starts at `start_indices`, as in `slice`, replaced by `updates`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.slice_update([1, 2, 3, 4], [1], [8, 9])).tolist()
    [1, 8, 9, 4]
    """
    _block(inputs, start_indices, dims(updates), "updates")
    return dims(inputs)


declare(globals())

__all__ = [
    "array", "broadcast_to", "concatenate", "convert_to_numpy", "convert_to_tensor", "copy", "diff", "dtype", "expand_dims", "flip", "get_item", "is_tensor",
    "moveaxis", "ndim", "pad", "ravel", "repeat", "reshape", "roll", "shape", "size", "slice", "slice_update", "split", "squeeze", "stack", "swapaxes", "take",
    "take_along_axis", "tile", "transpose", "unstack",
]  # fmt: skip

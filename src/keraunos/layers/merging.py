"""Layers that merge several inputs into one."""

from __future__ import annotations

import functools
import inspect
import string
from collections.abc import Iterable
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.spec import normalize_axis, same_dim, show
from keraunos.layers.layer import Layer


class Merge(Layer):
    """The base of layers that merge a list of inputs, by a `function` of two."""

    supports_masking = True
    function: ClassVar[Any] = None
    only_two: ClassVar[bool] = False
    broadcasts: ClassVar[bool] = True

    def _check_inputs(self, args: Any) -> None:
        inputs, kind = args[0], type(self).__name__
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise ShapeError(f"{kind} merges a list of inputs.", where=self.name, received=type(inputs).__name__, fix=f"{kind}()([a, b])")
        if self.only_two and len(inputs) != 2:
            raise ShapeError(f"{kind} merges two inputs, {len(inputs)} were given.", where=self.name, fix="call it on a list of two: layer([a, b])")

        for i, x in enumerate(inputs[1:], 1):
            a, b = (show(tuple(y.shape)) for y in (inputs[0], x))
            for m, n in self._matching(len(a), len(b)):
                if not (same_dim(a[m], b[n]) or (self.broadcasts and m and 1 in (a[m], b[n]))):
                    place = f"axis {m}" if m == n else f"axes {m} and {n}"
                    source, other = (f"'{y.node.operation.name}'" if getattr(y, "node", None) else f"input {k}" for k, y in ((0, inputs[0]), (i, x)))
                    fact = f"The inputs of {kind} differ at {place}: {a[m]} from {source}, {b[n]} from {other}."
                    raise ShapeError(fact, received=f"{a} and {b}", fix="bring them to one shape first, for instance with Dense")

    def _matching(self, rank: int, other: int) -> Iterable[tuple[int, int]]:
        """The axes of the first input and of another whose sizes must go together."""
        return [(n, n) for n in range(rank if rank == other else min(rank, other, 1))]

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)) or self.only_two or any(x.shape != inputs[0].shape for x in inputs):
            self._check_inputs((inputs,))  # for engines broadcast what is no sample of the other's
        return self.merge(inputs)

    def merge(self, inputs: Any) -> Any:
        """Merge the inputs, those of fewer axes with axes of size 1 behind the batch."""
        rank = max(len(x.shape) for x in inputs)
        inputs = [x if len(x.shape) == rank else ops.expand_dims(x, tuple(range(1, 1 + rank - len(x.shape)))) for x in inputs]
        return functools.reduce(self.function, inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        complete = previous_mask and all(m is not None for m in previous_mask)
        return functools.reduce(ops.logical_or, previous_mask) if complete else None


class Add(Merge, function=ops.add):
    """The sum of the inputs.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Add()([keras.ops.ones((1, 2)), keras.ops.ones((1, 2))]).shape == (1, 2)
    True
    """


class Subtract(Merge, function=ops.subtract):
    """The first of two inputs less the second.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Subtract()([keras.ops.array([[3.0, 5.0]]), keras.ops.array([[1.0, 2.0]])])).tolist()
    [[2.0, 3.0]]
    """

    only_two = True


class Multiply(Merge, function=ops.multiply):
    """The product of the inputs, element by element.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Multiply()([keras.ops.array([[3.0, 5.0]]), keras.ops.array([[1.0, 2.0]])])).tolist()
    [[3.0, 10.0]]
    """


class Average(Merge, function=ops.add):
    """The mean of the inputs, element by element.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Average()([keras.ops.array([[3.0, 5.0]]), keras.ops.array([[1.0, 2.0]])])).tolist()
    [[2.0, 3.5]]
    """

    def merge(self, inputs: Any) -> Any:
        return ops.divide(super().merge(inputs), len(inputs))


class Maximum(Merge, function=ops.maximum):
    """The largest of the inputs, element by element.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Maximum()([keras.ops.array([[3.0, 1.0]]), keras.ops.array([[1.0, 2.0]])])).tolist()
    [[3.0, 2.0]]
    """


class Minimum(Merge, function=ops.minimum):
    """The smallest of the inputs, element by element.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Minimum()([keras.ops.array([[3.0, 1.0]]), keras.ops.array([[1.0, 2.0]])])).tolist()
    [[1.0, 1.0]]
    """


class Concatenate(Merge):
    """The inputs one after another along an axis.

    Args:
        axis: The axis along which they may differ.

    Raises:
        ShapeError: They differ along another axis.

    Example:

    >>> import keraunos as keras
    >>> text, image = keras.Input((8,)), keras.Input((16,))
    >>> keras.layers.Concatenate()([text, image]).shape
    (None, 24)
    """

    broadcasts = False
    axis: int = -1

    def _matching(self, rank: int, other: int) -> Iterable[tuple[int, int]]:
        return [(n, n) for n in range(rank) if n != normalize_axis(self.axis, rank)] if rank == other else []

    def merge(self, inputs: Any) -> Any:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        if all(m is None for m in previous_mask or []):
            return None
        parts = []
        for x, mask in zip(inputs, previous_mask, strict=True):
            full = ops.ones_like(x, dtype="bool")
            parts.append(full if mask is None else ops.logical_and(full, ops.expand_dims(mask, tuple(range(len(mask.shape), len(x.shape))))))
        return ops.any(ops.concatenate(parts, axis=self.axis), axis=-1)


class Dot(Merge):
    """The dot product of two inputs along axes.

    Args:
        axes: The axis in both inputs, or one for each.
        normalize: Whether each is brought to length 1 first, which gives the cosine.

    Raises:
        ArgumentError: `axes` is neither an integer nor two.
        ShapeError: The inputs have other sizes along these axes, or not as many samples.

    Example:

    >>> import keraunos as keras
    >>> a, b = keras.ops.array([[3.0, 4.0]]), keras.ops.array([[6.0, 8.0]])
    >>> cosine = keras.layers.Dot(axes=1, normalize=True)([a, b])  # of two towers, for instance
    >>> keras.ops.convert_to_numpy(cosine).round(4).tolist()
    [[1.0]]
    """

    only_two, broadcasts = True, False
    axes: Any
    normalize: bool = False

    def setup(self) -> None:
        pair = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(axis, int) for axis in pair):
            raise ArgumentError("Dot multiplies along one axis of each input.", where=self.name, received=f"axes={self.axes!r}", expected="an integer, or two")

    def _matching(self, rank: int, other: int) -> Iterable[tuple[int, int]]:
        first, second = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        pair = normalize_axis(first, rank), normalize_axis(second, other)
        if 0 in pair:
            raise ShapeError("Dot multiplies within samples; axis 0 is that of the samples.", where=self.name, received=f"axes={self.axes}", fix="axes=1")
        return [(0, 0), pair]

    def merge(self, inputs: Any) -> Any:
        _, (i, j) = self._matching(*(len(x.shape) for x in inputs))
        x, y = (ops.normalize(v, axis=a, order=2) for v, a in zip(inputs, (i, j), strict=True)) if self.normalize else inputs
        letters = string.ascii_letters
        left = list(letters[: len(x.shape)])
        right = [left[0], *letters[len(left) : len(left) + len(y.shape) - 1]]
        right[j] = left[i]
        out = [c for n, c in enumerate(left) if n != i] + [c for n, c in enumerate(right) if n not in (0, j)]
        result = ops.einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", x, y)
        return ops.expand_dims(result, -1) if len(result.shape) == 1 else result

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


def _functional(cls: type[Merge]) -> Any:
    def merge(inputs: Any, **kwargs: Any) -> Any:
        """`{layer}(**kwargs)(inputs)`.

        Args:
            inputs: A list of tensors.
            kwargs: The layer's arguments, such as `name`.

        Example:

        >>> import keraunos as keras
        >>> keras.layers.{name}([keras.Input((8,)), keras.Input((8,))]).shape
        (None, 8)
        """
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    merge.__doc__ = (inspect.getdoc(merge) or "").format(layer=cls.__name__, name=merge.__name__)
    return merge


add, subtract, multiply, average = map(_functional, (Add, Subtract, Multiply, Average))
maximum, minimum = map(_functional, (Maximum, Minimum))


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: A list of tensors.
        axis: The axis along which they may differ.
        kwargs: The layer's other arguments, such as `name`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.concatenate([keras.Input((8,)), keras.Input((16,))]).shape
    (None, 24)
    """
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot(axes, **kwargs)(inputs)`.

    Args:
        inputs: Two tensors.
        axes: The axis in both, or one for each.
        kwargs: The layer's other arguments, such as `normalize`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.dot([keras.Input((8, 3)), keras.Input((5, 3))], axes=2).shape
    (None, 8, 5)
    """
    return Dot(axes, **kwargs)(inputs)

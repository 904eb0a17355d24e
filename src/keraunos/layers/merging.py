"""Layers that merge several inputs into one."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.spec import broadcast_dim, normalize_axis, same_dim, show
from keraunos.layers.layer import Layer


def _source(x: Any, i: int) -> str:
    node = getattr(x, "node", None)
    return f"'{node.operation.name}'" if node is not None else f"input {i}"


class Merge(Layer):
    """The base of layers that merge a list of inputs by a function of two."""

    supports_masking = True

    def _check_inputs(self, args: Any) -> None:
        inputs = args[0]
        if not isinstance(inputs, (list, tuple)) or len(inputs) < 1:
            raise ShapeError(
                f"{type(self).__name__} merges a list of inputs.", where=self.name, received=type(inputs).__name__, fix=f"{type(self).__name__}()([a, b])"
            )
        self._fit(inputs)

    def _fit(self, inputs: Any) -> None:
        first = inputs[0]
        for i, x in enumerate(inputs[1:], 1):
            a, b = show(tuple(first.shape)), show(tuple(x.shape))
            if len(a) != len(b):
                continue
            for axis in range(1, len(a)):
                try:
                    if a[axis] is not None and b[axis] is not None:
                        broadcast_dim(a[axis], b[axis])
                except ValueError:
                    raise ShapeError(
                        f"The inputs of {type(self).__name__} differ at axis {axis}: {a[axis]} from {_source(first, 0)}, {b[axis]} from {_source(x, i)}.",
                        received=f"{a} and {b}", fix="bring them to one shape first, for instance with Dense",
                    ) from None  # fmt: skip

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            self._check_inputs((inputs,))
        rank = max(len(x.shape) for x in inputs)
        inputs = [self._expand(x, rank) for x in inputs]
        return self.merge(inputs)

    def _expand(self, x: Any, rank: int) -> Any:
        while len(x.shape) < rank:
            x = ops.expand_dims(x, 1)
        return x

    def merge(self, inputs: list[Any]) -> Any:
        """Merge inputs of equal rank."""
        result = inputs[0]
        for x in inputs[1:]:
            result = self.pair(result, x)
        return result

    def pair(self, x1: Any, x2: Any) -> Any:
        """Merge two inputs."""
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        found = [m for m in previous_mask or [] if m is not None]
        if not found or len(found) < len(inputs):
            return None
        result = found[0]
        for mask in found[1:]:
            result = ops.logical_or(result, mask)
        return result


class Add(Merge):
    """The sum of the inputs.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Add()([keras.ops.ones((1, 2)), keras.ops.ones((1, 2))]).shape == (1, 2)
    True
    """

    def pair(self, x1: Any, x2: Any) -> Any:
        return ops.add(x1, x2)


class Subtract(Merge):
    """The first of two inputs less the second."""

    def merge(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ShapeError(f"Subtract merges two inputs, {len(inputs)} were given.", where=self.name)
        return ops.subtract(*inputs)


class Multiply(Merge):
    """The product of the inputs."""

    def pair(self, x1: Any, x2: Any) -> Any:
        return ops.multiply(x1, x2)


class Average(Merge):
    """The mean of the inputs."""

    def pair(self, x1: Any, x2: Any) -> Any:
        return ops.add(x1, x2)

    def merge(self, inputs: list[Any]) -> Any:
        return ops.divide(super().merge(inputs), len(inputs))


class Maximum(Merge):
    """The largest of the inputs, element by element."""

    def pair(self, x1: Any, x2: Any) -> Any:
        return ops.maximum(x1, x2)


class Minimum(Merge):
    """The smallest of the inputs, element by element."""

    def pair(self, x1: Any, x2: Any) -> Any:
        return ops.minimum(x1, x2)


class Concatenate(Merge):
    """The inputs one after another along an axis.

    Args:
        axis: The axis along which they may differ.
    """

    axis: int = -1

    def _fit(self, inputs: Any) -> None:
        first = inputs[0]
        rank = len(first.shape)
        axis = normalize_axis(self.axis, rank)
        for i, x in enumerate(inputs[1:], 1):
            a, b = show(tuple(first.shape)), show(tuple(x.shape))
            wrong = next((n for n in range(rank) if n != axis and n < len(b) and not same_dim(a[n], b[n])), None)
            if len(a) != len(b) or wrong is not None:
                where = (
                    f"differ at axis {wrong}: {a[wrong]} from {_source(first, 0)}, {b[wrong]} from {_source(x, i)}"
                    if wrong is not None
                    else f"have {len(a)} and {len(b)} axes"
                )
                raise ShapeError(
                    f"The inputs of Concatenate(axis={self.axis}) {where}.", received=f"{a} and {b}", fix="all axes but the concatenated one must be equal"
                )

    def _expand(self, x: Any, rank: int) -> Any:
        return x

    def merge(self, inputs: list[Any]) -> Any:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        found = list(previous_mask or [])
        if all(m is None for m in found):
            return None
        parts = []
        for x, mask in zip(inputs, found, strict=True):
            full = ops.ones_like(x, dtype="bool") if mask is None else mask
            while len(full.shape) < len(x.shape):
                full = ops.expand_dims(full, -1)
            parts.append(ops.broadcast_to(full, ops.shape(x)))
        return ops.all(ops.concatenate(parts, axis=self.axis), axis=-1)


class Dot(Merge):
    """The dot product of two inputs along axes.

    Args:
        axes: The axis in both inputs, or one for each.
        normalize: Whether each is brought to length 1 first, which gives the cosine.
    """

    axes: Any
    normalize: bool = False

    def _fit(self, inputs: Any) -> None:
        if len(inputs) != 2:
            raise ShapeError(f"Dot merges two inputs, {len(inputs)} were given.", where=self.name)
        i, j = self._axes(inputs)
        a, b = inputs[0].shape[i], inputs[1].shape[j]
        if not same_dim(a, b):
            raise ShapeError(f"The inputs of Dot differ along its axes: {a} from {_source(inputs[0], 0)}, {b} from {_source(inputs[1], 1)}.", where=self.name)

    def _axes(self, inputs: Any) -> tuple[int, int]:
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else tuple(self.axes)
        return normalize_axis(axes[0], len(inputs[0].shape)), normalize_axis(axes[1], len(inputs[1].shape))

    def call(self, inputs: Any) -> Any:
        i, j = self._axes(inputs)
        x, y = (ops.normalize(v, axis=a, order=2) for v, a in zip(inputs, (i, j), strict=True)) if self.normalize else inputs
        letters = "abcdefghijklmnop"
        left = list(letters[: len(x.shape)])
        right = [left[0], *letters[len(left) : len(left) + len(y.shape) - 1]]
        right[j] = left[i]
        out = [c for n, c in enumerate(left) if n != i] + [c for n, c in enumerate(right) if n not in (0, j)]
        result = ops.einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", x, y)
        return ops.expand_dims(result, -1) if len(result.shape) == 1 else result


def _functional(cls: type[Merge]):
    def merge(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    merge.__doc__ = f"`{cls.__name__}(**kwargs)(inputs)`."
    return merge


add, subtract, multiply, average = map(_functional, (Add, Subtract, Multiply, Average))
maximum, minimum, concatenate, dot = map(_functional, (Maximum, Minimum, Concatenate, Dot))

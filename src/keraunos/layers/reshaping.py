"""Layers that change the shape, not the values."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core.config import standardize_data_format
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Size
from keraunos.core.spec import known, show
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer


def _with_samples(inputs: Any, shape: tuple[int, ...]) -> Any:
    """`inputs` with each sample in another shape, in which one size may be -1."""
    if len(inputs.shape) == 0:
        raise ShapeError("A number has no samples.", received="()", expected="(batch, …)")
    sample = inputs.shape[1:]
    if not known(sample):
        return ops.reshape(inputs, (ops.shape(inputs)[0], *shape))
    size, rest = math.prod(sample), math.prod(d for d in shape if d != -1)
    found = tuple(size // rest if d == -1 and rest else d for d in shape)
    if math.prod(found) != size or -1 in found:
        fact = f"A sample of shape {show(sample)} ({size} elements) cannot take the shape {shape}."
        raise ShapeError(fact, fix=f"sizes whose product is {size}; one of them may be -1")
    return ops.reshape(inputs, (-1, *found))


class Flatten(Layer):
    """All axes but the first as one: `(batch, 3, 4)` to `(batch, 12)`.

    Args:
        data_format: With "channels_first" the channels go last before they are flattened.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Flatten().compute_output_shape((None, 3, 4))
    (None, 12)
    """

    data_format: str | None = None

    def setup(self) -> None:
        self.data_format = standardize_data_format(self.data_format)

    def call(self, inputs: Any) -> Any:
        rank = len(inputs.shape)
        if self.data_format == "channels_first" and rank > 1:
            inputs = ops.transpose(inputs, (0, *range(2, rank), 1))
        return _with_samples(inputs, (-1,))


class Reshape(Layer):
    """Each sample in another shape.

    Args:
        target_shape: The shape of a sample; one size may be -1.

    Raises:
        ShapeError: The number of elements differs.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Reshape((2, -1)).compute_output_shape((None, 6))
    (None, 2, 3)
    """

    target_shape: Any

    def setup(self) -> None:
        given = self.target_shape
        sizes = tuple(-1 if d is None else d for d in given) if isinstance(given, (tuple, list)) else (None,)
        if any(not isinstance(d, int) or d < -1 for d in sizes) or sizes.count(-1) > 1:
            expected = "a tuple of sizes, of which one may be -1"
            raise ArgumentError("Reshape cannot make such samples.", where=self.name, received=f"target_shape={given!r}", expected=expected)
        self.target_shape = sizes

    def call(self, inputs: Any) -> Any:
        return _with_samples(inputs, self.target_shape)


class Permute(Layer):
    """The axes of a sample in another order.

    Args:
        dims: The axes from 1 on, in their new order.

    Raises:
        ShapeError: An axis is missing, or the input has another number of axes.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Permute((2, 1)).compute_output_shape((None, 3, 4))
    (None, 4, 3)
    """

    dims: Any

    def setup(self) -> None:
        if not isinstance(self.dims, (tuple, list)):
            received, expected = f"dims={self.dims!r}", "a tuple such as (2, 1)"
            raise ArgumentError("Permute needs the axes in their new order.", where=self.name, received=received, expected=expected)
        self.dims = tuple(self.dims)
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            fact = f"Permute needs each axis from 1 to {len(self.dims)} once."
            raise ShapeError(fact, where=self.name, received=f"dims={self.dims}", fix="dims counts from 1, without the batch: Permute((2, 1))")

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """`(batch, features)` to `(batch, n, features)`.

    Args:
        n: How many times.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.RepeatVector(3).compute_output_shape((None, 4))
    (None, 3, 4)
    """

    n: Size

    def setup(self) -> None:
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        self.input_spec.check(inputs, self)
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)

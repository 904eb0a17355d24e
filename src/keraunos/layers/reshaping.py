"""Layers that change the shape, not the values."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core.config import standardize_data_format
from keraunos.core.errors import ShapeError
from keraunos.core.fields import Size
from keraunos.core.spec import known, show
from keraunos.layers.layer import Layer


def _with_samples(inputs: Any, shape: tuple[int, ...]) -> Any:
    """`inputs` with each sample in another shape, in which one size may be -1."""
    sample = inputs.shape[1:]
    if not known(sample):
        return ops.reshape(inputs, (ops.shape(inputs)[0], *shape))
    size, rest = math.prod(sample), math.prod(d for d in shape if d != -1)
    found = tuple(size // rest if d == -1 and rest else d for d in shape)
    if math.prod(found) != size or -1 in found:
        raise ShapeError(f"A sample of shape {show(sample)} ({size} elements) cannot take the shape {shape}.")
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
        self.target_shape = tuple(-1 if d is None else int(d) for d in self.target_shape)

    def call(self, inputs: Any) -> Any:
        return _with_samples(inputs, self.target_shape)


class Permute(Layer):
    """The axes of a sample in another order.

    Args:
        dims: The axes from 1 on, in their new order.
    """

    dims: Any

    def setup(self) -> None:
        self.dims = tuple(self.dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ShapeError(f"Permute needs each axis from 1 to {len(self.dims)} once.", where=self.name, received=f"dims={self.dims}")

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))


class RepeatVector(Layer):
    """`(batch, features)` to `(batch, n, features)`.

    Args:
        n: How many times.
    """

    n: Size

    def call(self, inputs: Any) -> Any:
        return ops.repeat(ops.expand_dims(inputs, 1), self.n, axis=1)


class Rescaling(Layer):
    """`inputs * scale + offset`, such as images from 0–255 to 0–1.

    Args:
        scale: The factor.
        offset: What is added.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Rescaling(1 / 4)([[2.0, 4.0]])).tolist()
    [[0.5, 1.0]]
    """

    supports_masking = True
    scale: Any
    offset: Any = 0.0

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, self.compute_dtype)
        scale, offset = (v if isinstance(v, (int, float)) else ops.cast(ops.convert_to_tensor(v), self.compute_dtype) for v in (self.scale, self.offset))
        x = ops.multiply(x, scale)
        return x if isinstance(offset, (int, float)) and offset == 0 else ops.add(x, offset)

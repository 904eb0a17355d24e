"""Integers that stand for categories, as vectors."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from keraunos import ops
from keraunos.core import config
from keraunos.core.errors import ArgumentError, DataError
from keraunos.core.fields import Size, Unsupported
from keraunos.core.scope import scope
from keraunos.core.spec import Spec, broadcast_shapes
from keraunos.layers.layer import Layer


def encoded(x: Any, mode: str, depth: int, dtype: str, weights: Any = None) -> Any:
    """Integers of 0 to `depth - 1` in an output mode.

    Args:
        x: The integers.
        mode: "int" leaves them; "one_hot" makes a vector of each, "multi_hot" and "count" one of those along the last axis.
        depth: The length of the vectors.
        dtype: The dtype of the vectors.
        weights: What each counts, in `x`'s shape.
    """
    if mode == "int":
        return ops.cast(x, "int32")
    x = ops.expand_dims(x, 0) if len(x.shape) == 0 else x
    if mode == "one_hot":
        return ops.one_hot(ops.squeeze(x, -1) if len(x.shape) > 1 and x.shape[-1] == 1 else x, depth, dtype=dtype)
    hot = ops.one_hot(x, depth, dtype="float32")
    hot = hot if weights is None else hot * ops.expand_dims(ops.cast(weights, "float32"), -1)
    found = ops.sum(hot, axis=-2)
    return ops.cast(ops.minimum(found, 1) if mode == "multi_hot" else found, dtype)


class CategoryEncoding(Layer):
    """Integers that stand for categories, as vectors.

    Args:
        num_tokens: The number of categories: integers are 0 to `num_tokens - 1`.
        output_mode: "one_hot": a vector for each integer. "multi_hot": one for those along the last axis, 1 where any of them is.
            "count": how often each occurs, or the sum of `count_weights`, which `call` takes, of one number for each integer.
        sparse: Not supported.

    Shapes:
        One-hot: `(batch, n)` to `(batch, n, num_tokens)`, `(batch, 1)` to `(batch, num_tokens)`. Else: `(batch, n)` to `(batch, num_tokens)`.

    Raises:
        DataError: An integer is no category. Within a compiled step, which sees no values, it counts nowhere.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.CategoryEncoding(4)([[0, 1], [3, 3]])).tolist()
    [[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """

    unsaved: ClassVar[tuple[str, ...]] = ("sparse",)
    num_tokens: Size | None = None
    output_mode: Literal["one_hot", "multi_hot", "count"] = "multi_hot"
    sparse: Unsupported = False

    def setup(self) -> None:
        if self.num_tokens is None:
            fix = "CategoryEncoding(num_tokens=…); IntegerLookup finds the categories in data"
            raise ArgumentError("CategoryEncoding needs the number of categories, num_tokens.", where=self.name, fix=fix)
        self.autocast = False  # integers may come as floats

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise ArgumentError(f"count_weights go with output_mode='count', not '{self.output_mode}'.", fix="output_mode='count'")
        if count_weights is not None:
            broadcast_shapes(inputs.shape, count_weights.shape)  # says what is wrong
        self._check(inputs)
        return encoded(ops.cast(inputs, "int32"), self.output_mode, self.num_tokens or 0, self.compute_dtype, count_weights)

    def _check(self, x: Any) -> None:
        """Refuse what is no category, where values can be seen."""
        backend = config.active()
        if isinstance(x, Spec) or scope.trace is not None or getattr(backend, "is_traced", lambda _: False)(x):
            return
        values = np.asarray(backend.to_numpy(x))
        if values.size and not 0 <= values.min() <= values.max() < self.num_tokens:
            wrong = values.min() if values.min() < 0 else values.max()
            expected, fix = f"0 to {(self.num_tokens or 0) - 1}", f"num_tokens={int(wrong) + 1}" if wrong > 0 else None
            raise DataError(f"{wrong} is none of the {self.num_tokens} categories.", expected=expected, fix=fix)

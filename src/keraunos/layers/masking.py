"""A layer that masks."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.layers.layer import Layer


class Masking(Layer):
    """Masks the steps of which all features are one value, for the layers that follow, and sets them to 0.

    Args:
        mask_value: The value.

    Shapes:
        input and output `(batch, steps, features)`, the mask `(batch, steps)`.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Masking().compute_mask(keras.ops.convert_to_tensor([[[0.0, 0.0], [0.0, 1.0]]]))).tolist()
    [[False, True]]
    """

    supports_masking = True
    mask_value: Any = 0.0

    def call(self, inputs: Any) -> Any:
        return inputs * ops.cast(ops.expand_dims(self.compute_mask(inputs), -1), inputs.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

"""Normalization by the size of vectors alone: nothing is subtracted."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.spec import normalize_axes
from keraunos.layers.layer import Layer
from keraunos.layers.normalization import sizes_along


class RMSNormalization(Layer):
    """Each sample over its root mean square, times a learned `scale` (Zhang and Sennrich, 2019, arXiv:1910.07467).

    Args:
        axis: The axis or axes of the features.
        epsilon: Added to the mean square.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.RMSNormalization()(keras.ops.ones((4, 3))).shape == (4, 3)
    True
    """

    scale_initializer: ClassVar[str] = "ones"
    axis: Any = -1
    epsilon: float = 1e-6

    def setup(self) -> None:
        self.axis = list(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis

    def build(self, input_shape: Any) -> None:
        axes = sorted(normalize_axes(self.axis, len(input_shape)))
        self.scale = self.weight("scale", tuple(input_shape[a] for a in axes))
        self.input_spec = sizes_along(self.axis, input_shape)

    def call(self, x: Any) -> Any:
        return ops.cast(ops.rms_normalization(x, self.scale, axis=self.axis, epsilon=self.epsilon), self.compute_dtype)


class UnitNormalization(Layer):
    """Each sample over its Euclidean norm, so that it has length 1.

    Args:
        axis: The axis or axes along which the norm is taken.

    Example:

    >>> import keraunos as keras
    >>> y = keras.layers.UnitNormalization()([[3.0, 4.0]])
    >>> [round(float(v), 4) for v in y[0]]
    [0.6, 0.8]
    """

    supports_masking = True
    axis: Any = -1

    def setup(self) -> None:
        self.axis = list(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis

    def call(self, inputs: Any) -> Any:
        wide = ops.cast(inputs, "float32") if self.compute_dtype == "float16" else inputs  # squares leave float16 from 256 on
        return ops.cast(ops.normalize(wide, axis=tuple(self.axis) if isinstance(self.axis, list) else self.axis, epsilon=1e-6), self.compute_dtype)

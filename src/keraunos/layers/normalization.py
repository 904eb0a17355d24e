"""Normalization over the batch and over features."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Constraint, Initializer, Regularizer
from keraunos.core.spec import normalize_axes, normalize_axis
from keraunos.layers.input_spec import InputSpec
from keraunos.layers.layer import Layer


class BatchNormalization(Layer):
    """Each feature brought to mean 0 and variance 1 over the batch (Ioffe and Szegedy, 2015, arXiv:1502.03167).

    In training the batch's own mean and variance are used, and moving averages of them kept; else the
    moving averages.

    Args:
        axis: The axis of the features.
        momentum: How much of the moving averages stays at each step.
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: How `beta` begins.
        gamma_initializer: How `gamma` begins.
        moving_mean_initializer: How the moving mean begins.
        moving_variance_initializer: How the moving variance begins.
        beta_regularizer: A penalty on `beta`.
        gamma_regularizer: A penalty on `gamma`.
        beta_constraint: A projection of `beta`.
        gamma_constraint: A projection of `gamma`.
        renorm: Not supported.
        renorm_clipping: Not supported.
        renorm_momentum: Not supported.
        synchronized: Not supported: replicas are normalized each by itself.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.BatchNormalization()(keras.ops.ones((4, 3)), training=True).shape == (4, 3)
    True
    """

    unsaved: ClassVar[tuple[str, ...]] = ("renorm", "renorm_clipping", "renorm_momentum")
    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None
    renorm: bool = False
    renorm_clipping: Any = None
    renorm_momentum: float = 0.99
    synchronized: bool = False

    def setup(self) -> None:
        self.supports_masking = True
        for name in ("renorm", "renorm_clipping", "synchronized"):
            if getattr(self, name):
                raise ArgumentError(f"BatchNormalization: {name} is not supported.", where=self.name, fix=f"leave {name} out")

    def build(self, input_shape: Any) -> None:
        axis = normalize_axis(self.axis, len(input_shape))
        size = input_shape[axis]
        if size is None:
            raise ShapeError(f"The size of axis {self.axis} must be known.", where=self.name, received=str(input_shape))
        self.gamma = self.weight("gamma", (size,)) if self.scale else None
        self.beta = self.weight("beta", (size,)) if self.center else None
        self.moving_mean = self.weight("moving_mean", (size,), trainable=False, autocast=False)
        self.moving_variance = self.weight("moving_variance", (size,), trainable=False, autocast=False)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={axis: size})

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        dtype = "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype
        x = ops.cast(inputs, dtype)
        axis = normalize_axis(self.axis, len(inputs.shape))
        if training and self.trainable:
            mean, variance = self._moments(x, axis, mask)
            self.moving_mean.assign(self.moving_mean.value * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(self.moving_variance.value * self.momentum + variance * (1.0 - self.momentum))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value
        beta, gamma = (None if v is None else ops.cast(v, dtype) for v in (self.beta, self.gamma))
        return ops.cast(ops.batch_normalization(x, mean, variance, axis, beta, gamma, self.epsilon), self.compute_dtype)

    def _moments(self, x: Any, axis: int, mask: Any) -> Any:
        axes = tuple(i for i in range(len(x.shape)) if i != axis)
        if mask is None:
            return ops.moments(x, axes=axes)
        weight = ops.cast(ops.reshape(mask, (*ops.shape(mask), *(1,) * (len(x.shape) - len(mask.shape)))), x.dtype)
        weight = ops.broadcast_to(weight, (*ops.shape(x)[:axis], 1, *ops.shape(x)[axis + 1 :]))
        count = ops.sum(weight, axis=axes, keepdims=True)
        mean = ops.sum(x * weight, axis=axes, keepdims=True) / count
        variance = ops.sum(ops.square(x - mean) * weight, axis=axes, keepdims=True) / count
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


class LayerNormalization(Layer):
    """Each sample brought to mean 0 and variance 1 over its features (Ba et al., 2016, arXiv:1607.06450).

    Args:
        axis: The axis or axes of the features.
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: How `beta` begins.
        gamma_initializer: How `gamma` begins.
        beta_regularizer: A penalty on `beta`.
        gamma_regularizer: A penalty on `gamma`.
        beta_constraint: A projection of `beta`.
        gamma_constraint: A projection of `gamma`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.LayerNormalization()(keras.ops.ones((4, 3))).shape == (4, 3)
    True
    """

    axis: Any = -1
    epsilon: float = 0.001
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None

    def setup(self) -> None:
        self.supports_masking = True
        self.axis = list(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis

    def build(self, input_shape: Any) -> None:
        axes = normalize_axes(self.axis, len(input_shape))
        shape = tuple(input_shape[a] for a in axes)
        if None in shape:
            raise ShapeError(f"The sizes along axis {self.axis} must be known.", where=self.name, received=str(input_shape))
        self.gamma = self.weight("gamma", shape) if self.scale else None
        self.beta = self.weight("beta", shape) if self.center else None
        self.input_spec = InputSpec(ndim=len(input_shape), axes={a: input_shape[a] for a in axes})

    def call(self, inputs: Any) -> Any:
        return ops.cast(ops.layer_normalization(inputs, self.gamma, self.beta, axis=self.axis, epsilon=self.epsilon), self.compute_dtype)

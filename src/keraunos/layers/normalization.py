"""Normalization over the batch and over features."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.fields import Constraint, Initializer, Regularizer, Unsupported
from keraunos.core.spec import normalize_axes, normalize_axis
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer
from keraunos.ops.nn import standardize_batch


class Standardizing(Layer, kw_only=True):
    """The base of layers that bring values to mean 0 and variance 1, then scale and shift them."""

    supports_masking = True
    axis: Any = -1
    center: bool = True
    scale: bool = True
    beta_initializer: Initializer = "zeros"
    gamma_initializer: Initializer = "ones"
    beta_regularizer: Regularizer = None
    gamma_regularizer: Regularizer = None
    beta_constraint: Constraint = None
    gamma_constraint: Constraint = None

    def parameters(self, input_shape: Any) -> tuple[tuple[int, ...], Any, Any]:
        """The sizes along the layer's axes, which are from now on demanded of inputs, and `gamma` and `beta` of these sizes."""
        axes = normalize_axes(self.axis, len(input_shape))
        shape = tuple(input_shape[a] for a in axes)
        self.input_spec = InputSpec(ndim=len(input_shape), axes=dict(zip(axes, shape, strict=True)))
        return shape, self.weight("gamma", shape) if self.scale else None, self.weight("beta", shape) if self.center else None


_BATCH = ("axis", "momentum", "epsilon", "center", "scale")
_BATCH += ("beta_initializer", "gamma_initializer", "moving_mean_initializer", "moving_variance_initializer")


class BatchNormalization(Standardizing, order=_BATCH):
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
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    renorm: Unsupported = False
    renorm_clipping: Unsupported = None
    renorm_momentum: float = 0.99
    synchronized: Unsupported = False

    def build(self, input_shape: Any) -> None:
        shape, self.gamma, self.beta = self.parameters(input_shape)
        self.moving_mean = self.weight("moving_mean", shape, trainable=False, autocast=False)
        self.moving_variance = self.weight("moving_variance", shape, trainable=False, autocast=False)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        x = ops.cast(inputs, "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype)
        settings = self.axis, self.beta, self.gamma, self.epsilon
        if not training or not self.trainable:
            return ops.cast(ops.batch_normalization(x, self.moving_mean, self.moving_variance, *settings), self.compute_dtype)
        if mask is None:
            out, mean, variance = standardize_batch(x, *settings)
        else:
            mean, variance = self._masked_moments(x, mask)
            out = ops.batch_normalization(x, mean, variance, *settings)
        for moving, now in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving.value * self.momentum + now * (1.0 - self.momentum))
        return ops.cast(out, self.compute_dtype)

    def _masked_moments(self, x: Any, mask: Any) -> Any:
        """The mean and the variance of what is not masked; 0 where all is."""
        kept = normalize_axis(self.axis, len(x.shape))
        axes = tuple(i for i in range(len(x.shape)) if i != kept)
        weight = ops.cast(ops.expand_dims(mask, tuple(range(len(mask.shape), len(x.shape)))), x.dtype)
        share = ops.mean(weight, axis=axes, keepdims=True)
        mean = ops.divide_no_nan(ops.mean(x * weight, axis=axes, keepdims=True), share)
        variance = ops.divide_no_nan(ops.mean(ops.square(x - mean) * weight, axis=axes, keepdims=True), share)
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)


class LayerNormalization(Standardizing, order=("axis", "epsilon")):
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

    def setup(self) -> None:
        self.axis = list(self.axis) if isinstance(self.axis, (list, tuple)) else self.axis

    def build(self, input_shape: Any) -> None:
        _, self.gamma, self.beta = self.parameters(input_shape)

    def call(self, inputs: Any) -> Any:
        return ops.cast(ops.layer_normalization(inputs, self.gamma, self.beta, axis=self.axis, epsilon=self.epsilon), self.compute_dtype)

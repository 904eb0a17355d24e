"""Normalization over the batch and over features."""

from __future__ import annotations

import math
from typing import Any

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Constraint, Initializer, Regularizer
from keraunos.core.spec import normalize_axes, normalize_axis
from keraunos.initializers import Constant
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer
from keraunos.ops.nn import moved_average, standardize_batch


def sizes_along(axis: Any, input_shape: Any) -> InputSpec:
    """What is expected of inputs that may have any rank: the sizes along the axes, which are counted as they were given."""
    return InputSpec(axes={a: input_shape[a] for a in (axis if isinstance(axis, list) else [axis])})


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

    def wide(self, x: Any) -> Any:
        """`x` in the compute dtype, or in float32 if that is too short for sums of squares."""
        return ops.cast(x, "float32" if self.compute_dtype in ("float16", "bfloat16") else self.compute_dtype)


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
        renorm: Whether batches are brought to moving averages of their own in training too, which is steadier for small batches (batch
            renormalization: Ioffe, 2017, arXiv:1702.03275).
        renorm_clipping: The bounds `rmin` and `rmax` of the factor by which that corrects, and `dmax` of the shift; those that are missing are none.
        renorm_momentum: How much of the averages of renormalization stays at each step.
        synchronized: Whether all replicas of a batch are normalized together; with one device, where training is, it makes no difference.

    Raises:
        ArgumentError: `renorm_clipping` has another key, or bounds that cannot be.
        ShapeError: The input has another rank than it was built for, or another number of features.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.BatchNormalization()(keras.ops.ones((4, 3)), training=True).shape == (4, 3)
    True
    """

    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 0.001
    moving_mean_initializer: Initializer = "zeros"
    moving_variance_initializer: Initializer = "ones"
    renorm: bool = False
    renorm_clipping: Any = None
    renorm_momentum: float = 0.99
    synchronized: bool = False

    def setup(self) -> None:
        if not self.renorm:
            return
        self.renorm_clipping = bounds = dict(self.renorm_clipping or {})
        unknown = bounds.keys() - {"rmin", "rmax", "dmax"}
        if unknown or bounds.get("rmin", 0) > bounds.get("rmax", math.inf) or bounds.get("dmax", 0) < 0:
            expected = "'rmin', 'rmax' and 'dmax', of which rmin is at most rmax and dmax at least 0"
            raise ArgumentError("renorm_clipping has no such bounds.", where=self.name, received=repr(bounds), expected=expected)

    def build(self, input_shape: Any) -> None:
        shape, self.gamma, self.beta = self.parameters(input_shape)
        options: dict[str, Any] = {"trainable": False, "autocast": False}
        self.moving_mean = self.weight("moving_mean", shape, **options)
        self.moving_variance = self.weight("moving_variance", shape, **options)
        if self.renorm:
            deviation = self.moving_variance.numpy() ** 0.5
            self.moving_stddev = self.add_weight(shape, Constant(deviation), name="moving_stddev", **options)
            self.renorm_mean = self.add_weight(shape, self.moving_mean_initializer, name="renorm_mean", **options)
            self.renorm_stddev = self.add_weight(shape, Constant(deviation), name="renorm_stddev", **options)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if len(inputs.shape) != self.input_spec.ndim:
            self.input_spec.check(inputs, self)
        x = self.wide(inputs)
        settings: tuple[Any, ...] = self.axis, self.beta, self.gamma, self.epsilon
        if not training or not self.trainable:
            return ops.cast(ops.batch_normalization(x, self.moving_mean, self.moving_variance, *settings), self.compute_dtype)
        if mask is None and not self.renorm:
            out, mean, variance = standardize_batch(x, *settings)
        else:
            mean, variance = self._moments(x, mask)
            out = ops.batch_normalization(x, mean, variance, *(self._corrected(mean, variance) if self.renorm else settings))
        self._move_averages(mean, variance)
        return ops.cast(out, self.compute_dtype)

    def _move_averages(self, mean: Any, variance: Any) -> None:
        moves = [(self.moving_mean, mean, self.momentum)]
        if self.renorm:
            deviation = ops.sqrt(variance + self.epsilon)
            moves += [(self.moving_stddev, deviation, self.momentum)]
            moves += [(self.renorm_mean, mean, self.renorm_momentum), (self.renorm_stddev, deviation, self.renorm_momentum)]
        else:
            moves += [(self.moving_variance, variance, self.momentum)]
        for average, now, momentum in moves:
            average.assign(moved_average(average.value, now, momentum))
        if self.renorm:
            self.moving_variance.assign(ops.relu(ops.square(self.moving_stddev.value) - self.epsilon))

    def _corrected(self, mean: Any, variance: Any) -> tuple[Any, ...]:
        """The settings by which normalizing by the batch gives what normalizing by the averages would, within the bounds."""
        bounds = {"rmin": 0.0, "rmax": math.inf, "dmax": math.inf, **self.renorm_clipping}
        factor = ops.clip(ops.stop_gradient(ops.sqrt(variance + self.epsilon) / self.renorm_stddev.value), bounds["rmin"], bounds["rmax"])
        shift = ops.clip(ops.stop_gradient((mean - self.renorm_mean.value) / self.renorm_stddev.value), -bounds["dmax"], bounds["dmax"])
        if self.gamma is not None:
            factor, shift = ops.multiply(factor, self.gamma), ops.multiply(shift, self.gamma)
        return self.axis, shift if self.beta is None else ops.add(shift, self.beta), factor, self.epsilon

    def _moments(self, x: Any, mask: Any) -> Any:
        """The mean and the variance of what is not masked; 0 where all is."""
        kept = normalize_axis(self.axis, len(x.shape))
        axes = tuple(i for i in range(len(x.shape)) if i != kept)
        if mask is None:
            return ops.moments(x, axes)
        weight = ops.cast(ops.expand_dims(mask, tuple(range(len(mask.shape), len(x.shape)))), x.dtype)
        share = ops.mean(weight, axis=axes, keepdims=True)
        mean = ops.divide_no_nan(ops.mean(x * weight, axis=axes, keepdims=True), share)
        variance = ops.divide_no_nan(ops.mean(ops.square(x - mean) * weight, axis=axes, keepdims=True), share)
        return ops.squeeze(mean, axes), ops.squeeze(variance, axes)

    def get_config(self) -> dict[str, Any]:
        """The arguments; those of renormalization only with it, since older versions of Keras 3 do not know them."""
        config = super().get_config()
        return config if self.renorm else {name: value for name, value in config.items() if not name.startswith("renorm")}


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
        if isinstance(self.axis, (list, tuple)):  # in Keras's order, in which its files have the weights
            self.axis = sorted(self.axis, key=lambda a: a if hasattr(a, "__index__") else 0)

    def build(self, input_shape: Any) -> None:
        _, self.gamma, self.beta = self.parameters(input_shape)
        self._sizes = tuple(input_shape[a] for a in sorted(normalize_axes(self.axis, len(input_shape))))  # those of axes like [-1, 1] come in another order
        self.input_spec = sizes_along(self.axis, input_shape)

    def call(self, inputs: Any) -> Any:
        gamma, beta = (w if w is None or w.shape == self._sizes else ops.reshape(w, self._sizes) for w in (self.gamma, self.beta))
        return ops.cast(ops.layer_normalization(inputs, gamma, beta, axis=self.axis, epsilon=self.epsilon), self.compute_dtype)

"""Normalization over groups of channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keraunos import ops
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.spec import Spec, normalize_axis, show
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.normalization import Standardizing


class GroupNormalization(Standardizing, order=("groups", "axis", "epsilon")):
    """Each group of channels of a sample brought to mean 0 and variance 1 (Wu and He, 2018, arXiv:1803.08494).

    Args:
        groups: The number of groups into which the channels are divided; 1 is layer normalization over all axes, -1 makes a group of each
            channel (instance normalization).
        axis: The axis of the channels.
        epsilon: Added to the variance.
        center: Whether `beta` is added.
        scale: Whether the result is multiplied by `gamma`.
        beta_initializer: How `beta` begins.
        gamma_initializer: How `gamma` begins.
        beta_regularizer: A penalty on `beta`.
        gamma_regularizer: A penalty on `gamma`.
        beta_constraint: A projection of `beta`.
        gamma_constraint: A projection of `gamma`.

    Raises:
        ArgumentError: `groups` is neither -1 nor positive.
        ShapeError: The channels cannot be divided into so many groups, or the input has another rank than it was built for.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.GroupNormalization(groups=2)(keras.ops.ones((4, 5, 6))).shape == (4, 5, 6)
    True
    """

    groups: int = 32
    if not TYPE_CHECKING:  # which would put it before `groups`
        axis: int = -1
    epsilon: float = 0.001

    def setup(self) -> None:
        if self.groups < 1 and self.groups != -1:
            raise ArgumentError("groups must be a positive integer, or -1 for a group of each channel.", where=self.name, received=f"groups={self.groups}")

        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        self.input_spec.check(Spec(input_shape), self)
        (channels,), self.gamma, self.beta = self.parameters(input_shape)
        self.groups = channels if self.groups == -1 else self.groups
        if channels % self.groups:
            near = max(n for n in range(1, self.groups + 1) if channels % n == 0)
            fact = f"{channels} channels cannot be divided into {self.groups} groups."
            raise ShapeError(fact, where=self.name, received=show(input_shape), fix=f"groups={near}")

    def call(self, inputs: Any) -> Any:
        if len(inputs.shape) != self.input_spec.ndim:
            self.input_spec.check(inputs, self)
        x, sizes, axis = self.wide(inputs), ops.shape(inputs), normalize_axis(self.axis, len(inputs.shape))
        grouped = ops.reshape(x, (*sizes[:axis], self.groups, sizes[axis] // self.groups, *sizes[axis + 1 :]))
        out = ops.layer_normalization(grouped, axis=[i for i in range(1, len(sizes) + 1) if i != axis], epsilon=self.epsilon)
        out, along = ops.reshape(out, sizes), [-1 if i == axis else 1 for i in range(len(sizes))]
        out = out if self.gamma is None else ops.multiply(out, ops.reshape(self.gamma, along))
        return ops.cast(out if self.beta is None else ops.add(out, ops.reshape(self.beta, along)), self.compute_dtype)

"""Convolution of each channel by itself, and such a one followed by a mixing of the channels."""

# Fields repeat class variables of their base.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.fields import Activation, Constraint, Initializer, Regularizer, Size, Sizes
from keraunos.layers.convolutional import Convolving
from keraunos.ops.convolutions import biased_conv, biased_depthwise_conv


class Depthwise(Convolving, kw_only=True):
    """The base of the layers with a kernel for each channel."""

    dilates_strides = True
    depth_multiplier: ClassVar[Any]
    depthwise_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    depthwise_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    depthwise_constraint: Constraint = None
    bias_constraint: Constraint = None


_OWN = ("kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate", "activation", "use_bias")


class BaseDepthwiseConv(Depthwise, order=_OWN):
    """The base of the depthwise convolutions, in which each channel has kernels of its own; a subclass gives the rank.

    Args:
        kernel_size: The window, one integer or one for each dimension.
        strides: The step between windows.
        padding: "valid" (no padding) or "same" (the output as large as the input, divided by the strides).
        depth_multiplier: How many output channels each channel gives.
        data_format: "channels_last" or "channels_first".
        dilation_rate: The distance between the window's elements.
        activation: A function of the result.
        use_bias: Whether a bias is added.
        depthwise_initializer: How the kernel begins.
        bias_initializer: How the bias begins.
        depthwise_regularizer: A penalty on the kernel.
        bias_regularizer: A penalty on the bias.
        activity_regularizer: A penalty on the output.
        depthwise_constraint: A projection of the kernel after each update.
        bias_constraint: A projection of the bias after each update.

    Raises:
        ShapeError: The input has another rank or number of channels, or is smaller than the window.
    """

    kernel_size: Sizes
    strides: Sizes = (1, 1)
    padding: str = "valid"
    depth_multiplier: Size = 1
    data_format: str | None = None
    dilation_rate: Sizes = (1, 1)
    activation: Activation = None
    use_bias: bool = True

    def kernels(self, channels: int) -> int:
        self.kernel = self.weight("kernel", (*self.kernel_size, channels, self.depth_multiplier), fields="depthwise")
        return channels * self.depth_multiplier

    def call(self, inputs: Any) -> Any:
        return self.convolved(ops.depthwise_conv, biased_depthwise_conv, inputs, self.kernel, *self.sliding)


class DepthwiseConv1D(BaseDepthwiseConv, rank=1, strides=1, dilation_rate=1):
    """Each channel convolved along one axis: input `(batch, steps, channels)`, output `(batch, steps', channels * depth_multiplier)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.DepthwiseConv1D(3, depth_multiplier=2).compute_output_shape((None, 10, 4))
    (None, 8, 8)
    """


class DepthwiseConv2D(BaseDepthwiseConv):
    """Each channel of images convolved by itself: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.DepthwiseConv2D(3, padding="same").compute_output_shape((None, 28, 28, 8))
    (None, 28, 28, 8)
    """


class _Mixing(Depthwise, kw_only=True):
    pointwise_initializer: Initializer = "glorot_uniform"
    pointwise_regularizer: Regularizer = None
    pointwise_constraint: Constraint = None


_SEPARABLE = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "depth_multiplier", "activation", "use_bias")
_SEPARABLE += tuple(f"{name}_{kind}" for kind in ("initializer", "regularizer") for name in ("depthwise", "pointwise", "bias"))
_SEPARABLE += ("activity_regularizer", "depthwise_constraint", "pointwise_constraint", "bias_constraint")


class BaseSeparableConv(_Mixing, order=_SEPARABLE):
    """The base of the separable convolutions: a depthwise one, then one of size 1 that mixes the channels (Chollet, 2017, arXiv:1610.02357).

    Args:
        filters: The number of output channels.
        kernel_size: The window, one integer or one for each dimension.
        strides: The step between windows.
        padding: "valid" (no padding) or "same" (the output as large as the input, divided by the strides).
        data_format: "channels_last" or "channels_first".
        dilation_rate: The distance between the window's elements.
        depth_multiplier: How many channels the first convolution makes of each.
        activation: A function of the result.
        use_bias: Whether a bias is added.
        depthwise_initializer: How the kernel of the first convolution begins.
        pointwise_initializer: How the kernel of the second begins.
        bias_initializer: How the bias begins.
        depthwise_regularizer: A penalty on the first kernel.
        pointwise_regularizer: A penalty on the second kernel.
        bias_regularizer: A penalty on the bias.
        activity_regularizer: A penalty on the output.
        depthwise_constraint: A projection of the first kernel after each update.
        pointwise_constraint: A projection of the second kernel after each update.
        bias_constraint: A projection of the bias after each update.

    Raises:
        ShapeError: The input has another rank or number of channels, or is smaller than the window.
    """

    filters: Size
    kernel_size: Sizes
    strides: Sizes = (1, 1)
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Sizes = (1, 1)
    depth_multiplier: Size = 1
    activation: Activation = None
    use_bias: bool = True

    def kernels(self, channels: int) -> int:
        made, ones = channels * self.depth_multiplier, (1,) * self.rank
        self.depthwise_kernel = self.weight("depthwise_kernel", (*self.kernel_size, channels, self.depth_multiplier), fields="depthwise")
        self.pointwise_kernel = self.weight("pointwise_kernel", (*ones, made, self.filters), fields="pointwise")
        return self.filters

    def call(self, inputs: Any) -> Any:
        x = ops.depthwise_conv(inputs, self.depthwise_kernel, *self.sliding)
        return self.convolved(ops.conv, biased_conv, x, self.pointwise_kernel, 1, "valid", self.data_format)


class SeparableConv1D(BaseSeparableConv, rank=1, strides=1, dilation_rate=1):
    """Separable convolution along one axis: input `(batch, steps, channels)`, output `(batch, steps', filters)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.SeparableConv1D(4, 3).compute_output_shape((None, 10, 2))
    (None, 8, 4)
    """


class SeparableConv2D(BaseSeparableConv):
    """Separable convolution over images: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.SeparableConv2D(4, 3, padding="same").compute_output_shape((None, 28, 28, 3))
    (None, 28, 28, 4)
    """

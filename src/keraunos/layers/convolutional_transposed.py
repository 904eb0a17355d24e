"""Transposed convolution, which enlarges, in one to three dimensions."""

# Fields repeat class variables of their base.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.fields import Activation, Counts, Size, Sizes
from keraunos.layers.convolutional import Convolving
from keraunos.layers.core import Kerneled
from keraunos.ops.convolutions import biased_conv_transpose

_OWN = ("filters", "kernel_size", "strides", "padding", "output_padding", "data_format", "dilation_rate", "activation", "use_bias")
_OWN_3D = (*_OWN[:4], "data_format", "output_padding", *_OWN[6:])


class BaseConvTranspose(Convolving, Kerneled, order=_OWN):
    """The base of the transposed convolutions (Dumoulin and Visin, 2016, arXiv:1603.07285); a subclass gives the rank.

    Args:
        filters: The number of output channels.
        kernel_size: The window, one integer or one for each dimension.
        strides: How many times as large the output is.
        padding: "valid" (the output holds all that the windows reach) or "same" (the input's size times the strides).
        output_padding: How many elements the output has at its end beyond what follows from the input, less than the strides; None is
            what brings it to the size that `padding` promises.
        data_format: "channels_last" or "channels_first".
        dilation_rate: The distance between the window's elements.
        activation: A function of the result.
        use_bias: Whether a bias is added.
        kernel_initializer: How the kernel begins.
        bias_initializer: How the bias begins.
        kernel_regularizer: A penalty on the kernel.
        bias_regularizer: A penalty on the bias.
        activity_regularizer: A penalty on the output.
        kernel_constraint: A projection of the kernel after each update.
        bias_constraint: A projection of the bias after each update.

    Raises:
        ArgumentError: The output padding is not below the strides.
        ShapeError: The input has another rank or number of channels.
    """

    filters: Size
    kernel_size: Sizes
    strides: Sizes = (1, 1)
    padding: str = "valid"
    output_padding: Counts | None = None
    data_format: str | None = None
    dilation_rate: Sizes = (1, 1)
    activation: Activation = None
    use_bias: bool = True

    def setup(self) -> None:
        super().setup()
        if self.output_padding is not None and any(added >= step for added, step in zip(self.output_padding, self.strides, strict=True)):
            raise self._refusal("output_padding must be below strides.", "output_padding", "strides")

    def kernels(self, channels: int) -> int:
        self.kernel = self.weight("kernel", (*self.kernel_size, self.filters, channels))
        return self.filters

    def call(self, inputs: Any) -> Any:
        strides, padding, *rest = self.sliding
        return self.convolved(ops.conv_transpose, biased_conv_transpose, inputs, self.kernel, strides, padding, self.output_padding, *rest)


class Conv1DTranspose(BaseConvTranspose, rank=1, strides=1, dilation_rate=1):
    """Transposed convolution along one axis: input `(batch, steps, channels)`, output `(batch, steps', filters)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv1DTranspose(4, 3, strides=2, padding="same").compute_output_shape((None, 10, 2))
    (None, 20, 4)
    """


class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution over images: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same").compute_output_shape((None, 8, 8, 1))
    (None, 16, 16, 4)
    """


class Conv3DTranspose(BaseConvTranspose, rank=3, strides=(1, 1, 1), dilation_rate=(1, 1, 1), order=_OWN_3D):
    """Transposed convolution over volumes: input `(batch, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv3DTranspose(4, 2, strides=2).compute_output_shape((None, 4, 4, 4, 1))
    (None, 8, 8, 8, 4)
    """

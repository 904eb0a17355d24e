"""Convolution in one to three dimensions."""

# Fields repeat class variables of their base.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import math
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.fields import Activation, Size, Sizes
from keraunos.core.spec import Spec, show
from keraunos.layers.adapting import Adaptable
from keraunos.layers.core import Kerneled
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.spatial import Spatial
from keraunos.ops.convolutions import biased_conv


class Convolving(Spatial, kw_only=True):
    """The base of the layers whose kernels slide over the inputs; a subclass makes the kernels and says what they do."""

    dilates_strides: ClassVar[bool] = False  # whether strides and dilation go together
    # What each of them declares, in the order of its own.
    kernel_size: ClassVar[Any]
    strides: ClassVar[Any]
    padding: ClassVar[Any]
    data_format: ClassVar[Any]
    dilation_rate: ClassVar[Any]
    activation: ClassVar[Any]
    use_bias: ClassVar[Any]

    def setup(self) -> None:
        super().setup()
        if not self.dilates_strides and (1,) * self.rank not in (self.strides, self.dilation_rate):
            raise self._refusal("strides > 1 and dilation_rate > 1 do not go together.", "strides", "dilation_rate", fix="leave one of them at 1")

    def build(self, input_shape: Any) -> None:
        self.input_spec.check(Spec(input_shape), self)
        channels = input_shape[self.channel_axis]
        if channels is None:
            fix = "give Input the number of channels; the sizes may stay None"
            raise ShapeError("The number of channels must be known.", where=self.name, received=show(input_shape), fix=fix)
        filters = self.kernels(channels)
        self.bias = self.weight("bias", (filters,)) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})

    def kernels(self, channels: int) -> int:
        """Make the kernels for inputs of so many channels; returns how many the output has."""
        raise NotImplementedError

    @property
    def sliding(self) -> tuple[Any, ...]:
        """How the kernel slides, as the ops take it."""
        return self.strides, self.padding, self.data_format, self.dilation_rate

    def convolved(self, plain: Any, biased: Any, *arguments: Any) -> Any:
        """What an op gives of inputs, a kernel and more: `plain`, or with the layer's bias behind the kernel `biased`; then the activation."""
        inputs, kernel, *more = arguments
        x = plain(*arguments) if self.bias is None else biased(inputs, kernel, self.bias, *more)
        return x if self.activation is None else self.activation(x)


_OWN = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation", "use_bias")


class BaseConv(Convolving, Kerneled, Adaptable, order=_OWN):
    """The base of the convolution layers; a subclass gives the rank.

    Args:
        filters: The number of output channels.
        kernel_size: The window, one integer or one for each dimension.
        strides: The step between windows.
        padding: "valid" (no padding), "same" (the output as large as the input, divided by the
            strides); in one dimension also "causal" (no step sees a later one).
        data_format: "channels_last" or "channels_first".
        dilation_rate: The distance between the window's elements.
        groups: The number of groups into which channels are divided.
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
        ShapeError: The input has another rank or number of channels, or is smaller than the window.
    """

    filters: Size
    kernel_size: Sizes
    strides: Sizes = (1, 1)
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Sizes = (1, 1)
    groups: Size = 1
    activation: Activation = None
    use_bias: bool = True

    def setup(self) -> None:
        super().setup()
        if self.filters % self.groups:
            raise self._refusal("filters must be divisible by groups.", "filters", "groups", fix=f"filters={self.groups * max(self.filters // self.groups, 1)}")

    def kernels(self, channels: int) -> int:
        if channels % self.groups:
            fix = f"groups={math.gcd(channels, self.filters)}, or another number that divides {channels}"
            raise ShapeError(f"{channels} channels cannot be divided into {self.groups} groups.", where=self.name, fix=fix)
        self.kernel = self.weight("kernel", (*self.kernel_size, channels // self.groups, self.filters))
        return self.filters

    def call(self, inputs: Any) -> Any:
        strides, padding, *rest = self.sliding
        if padding == "causal":
            widths = [(0, 0)] * 3
            widths[self.axes_of(inputs)[0]] = (self.dilation_rate[0] * (self.kernel_size[0] - 1), 0)
            inputs, padding = ops.pad(inputs, widths), "valid"
        return self.convolved(ops.conv, biased_conv, inputs, self.kernel, strides, padding, *rest)


class Conv1D(BaseConv, rank=1, strides=1, dilation_rate=1):
    """Convolution along one axis: input `(batch, steps, channels)`, output `(batch, steps', filters)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv1D(4, 3, padding="causal").compute_output_shape((None, 10, 2))
    (None, 10, 4)
    """

    paddings = ("valid", "same", "causal")


class Conv2D(BaseConv):
    """Convolution over images: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv2D(4, 3).compute_output_shape((None, 28, 28, 1))
    (None, 26, 26, 4)
    """


class Conv3D(BaseConv, rank=3, strides=(1, 1, 1), dilation_rate=(1, 1, 1)):
    """Convolution over volumes: input `(batch, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv3D(4, 3, padding="same").compute_output_shape((None, 8, 8, 8, 1))
    (None, 8, 8, 8, 4)
    """

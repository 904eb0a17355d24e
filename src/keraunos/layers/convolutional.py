"""Convolution in one to three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.config import standardize_data_format
from keraunos.core.errors import ArgumentError, ShapeError
from keraunos.core.fields import Activation, Constraint, Initializer, Regularizer, Size, Sizes
from keraunos.layers.input_spec import InputSpec
from keraunos.layers.layer import Layer


def sizes(value: Any, rank: int, name: str, owner: str) -> tuple[int, ...]:
    """`value` as one integer for each of `rank` dimensions."""
    found = (int(value),) * rank if isinstance(value, int) else tuple(int(v) for v in value)
    if len(found) != rank:
        raise ArgumentError(f"{owner}: {name} needs {rank} integers, got {len(found)}.", received=f"{name}={value}", fix=f"{name}={found[0] if found else 3}")
    return found


def one_of(value: str, options: tuple[str, ...], name: str, owner: str) -> str:
    """`value` in lower case, if it is among `options`."""
    found = value.lower() if isinstance(value, str) else value
    if found not in options:
        raise ArgumentError(f"{owner}: {name} cannot be {value!r}.", expected=" or ".join(map(repr, options)))
    return found


class BaseConv(Layer):
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

    rank: ClassVar[int] = 2
    filters: Size
    kernel_size: Sizes
    strides: Sizes = (1, 1)
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Sizes = (1, 1)
    groups: Size = 1
    activation: Activation = None
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None

    def setup(self) -> None:
        owner = type(self).__name__
        self.kernel_size = sizes(self.kernel_size, self.rank, "kernel_size", owner)
        self.strides = sizes(self.strides, self.rank, "strides", owner)
        self.dilation_rate = sizes(self.dilation_rate, self.rank, "dilation_rate", owner)
        self.padding = one_of(self.padding, ("valid", "same", "causal") if self.rank == 1 else ("valid", "same"), "padding", owner)
        self.data_format = standardize_data_format(self.data_format)
        if self.padding == "causal" and self.data_format == "channels_first":
            raise ArgumentError(f"{owner}: causal padding needs channels_last.", where=self.name)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ArgumentError(
                f"{owner}: strides > 1 and dilation_rate > 1 do not go together.", received=f"strides={self.strides}, dilation_rate={self.dilation_rate}"
            )
        if self.filters % self.groups:
            raise ArgumentError(f"{owner}: filters must be divisible by groups.", received=f"filters={self.filters}, groups={self.groups}")
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def channel_axis(self) -> int:
        """Where the channels are."""
        return -1 if self.data_format == "channels_last" else 1

    def build(self, input_shape: Any) -> None:
        self._check_inputs((_Shaped(input_shape),))
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ShapeError(
                "The number of channels must be known.", where=self.name, received=str(input_shape), fix="give Input the size of its channels axis"
            )
        if channels % self.groups:
            raise ShapeError(f"{channels} channels cannot be divided into {self.groups} groups.", where=self.name)
        window: Any = self.kernel_size
        self.kernel = self.weight("kernel", (*window, channels // self.groups, self.filters))
        self.bias = self.weight("bias", (self.filters,)) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})

    def call(self, inputs: Any) -> Any:
        padding = self.padding
        if padding == "causal":
            rate, window = self.dilation_rate, self.kernel_size
            inputs = ops.pad(inputs, ((0, 0), (rate[0] * (window[0] - 1), 0), (0, 0)))  # type: ignore[index]
            padding = "valid"
        x = ops.conv(inputs, self.kernel, self.strides, padding, self.data_format, self.dilation_rate)
        if self.bias is not None:
            bias = self.bias if self.data_format == "channels_last" else ops.reshape(self.bias, (self.filters,) + (1,) * self.rank)
            x = ops.add(x, bias)
        return x if self.activation is None else self.activation(x)


class _Shaped:
    def __init__(self, shape: Any):
        self.shape = shape


class Conv1D(BaseConv):
    """Convolution along one axis: input `(batch, steps, channels)`, output `(batch, steps', filters)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv1D(4, 3, padding="causal").compute_output_shape((None, 10, 2))
    (None, 10, 4)
    """

    rank: ClassVar[int] = 1
    strides: Sizes = 1
    dilation_rate: Sizes = 1


class Conv2D(BaseConv):
    """Convolution over images: input `(batch, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv2D(4, 3).compute_output_shape((None, 28, 28, 1))
    (None, 26, 26, 4)
    """

    rank: ClassVar[int] = 2


class Conv3D(BaseConv):
    """Convolution over volumes: input `(batch, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Conv3D(4, 3, padding="same").compute_output_shape((None, 8, 8, 8, 1))
    (None, 8, 8, 8, 4)
    """

    rank: ClassVar[int] = 3
    strides: Sizes = (1, 1, 1)
    dilation_rate: Sizes = (1, 1, 1)

"""Convolution in one to three dimensions."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from keraunos import ops
from keraunos.core.config import standardize_data_format
from keraunos.core.errors import ArgumentError, ShapeError, one_of
from keraunos.core.fields import Activation, Size, Sizes
from keraunos.core.spec import Spec
from keraunos.layers.core import Kerneled
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer
from keraunos.ops.convolutions import biased_conv


class Spatial(Layer):
    """The base of layers over one to three spatial axes.

    A subclass says how many, and declares sizes, padding and data format, which are settled here.
    """

    rank: ClassVar[int] = 2
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same")
    function: ClassVar[Any] = None

    def __init_subclass__(cls, rank: int | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.rank = rank or cls.rank

    def setup(self) -> None:
        for name, field in self.fields.items():
            value = getattr(self, name)
            if name == "data_format":
                setattr(self, name, standardize_data_format(value))
            elif name == "padding":
                setattr(self, name, one_of(f"{type(self).__name__}: padding", value.lower(), self.paddings, self.name))
            elif "Sizes" in field.kinds and value is not None:
                sizes = (value,) * self.rank if isinstance(value, int) else tuple(map(int, value))
                if len(sizes) != self.rank:
                    raise self._refusal(f"{name} needs {self.rank} integers, got {len(sizes)}.", name, fix=f"{name}={sizes[0]}")
                setattr(self, name, sizes)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _refusal(self, fact: str, *names: str, **texts: Any) -> ArgumentError:
        received = ", ".join(f"{name}={getattr(self, name)}" for name in names) or None
        return ArgumentError(f"{type(self).__name__}: {fact}", where=self.name, received=received, **texts)


_OWN = ("filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation", "use_bias")


class BaseConv(Spatial, Kerneled, order=_OWN):
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
        if self.padding == "causal" and self.data_format == "channels_first":
            raise self._refusal("causal padding needs channels_last.")
        if (1,) * self.rank not in (self.strides, self.dilation_rate):
            raise self._refusal("strides > 1 and dilation_rate > 1 do not go together.", "strides", "dilation_rate")
        if self.filters % self.groups:
            raise self._refusal("filters must be divisible by groups.", "filters", "groups")

    def build(self, input_shape: Any) -> None:
        self.input_spec.check(Spec(input_shape), self)
        axis, window = -1 if self.data_format == "channels_last" else 1, cast(Any, self.kernel_size)
        channels: Any = input_shape[axis]
        if channels is not None and channels % self.groups:
            raise ShapeError(f"{channels} channels cannot be divided into {self.groups} groups.", where=self.name)
        self.kernel = self.weight("kernel", (*window, channels and channels // self.groups, self.filters))
        self.bias = self.weight("bias", (self.filters,)) if self.use_bias else None
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={axis: channels})

    def call(self, inputs: Any) -> Any:
        padding = self.padding
        if padding == "causal":
            (rate,), (window, *_) = cast(Any, self.dilation_rate), self.kernel.shape
            inputs, padding = ops.pad(inputs, ((0, 0), (rate * (window - 1), 0), (0, 0))), "valid"
        settings = self.strides, padding, self.data_format, self.dilation_rate
        x = ops.conv(inputs, self.kernel, *settings) if self.bias is None else biased_conv(inputs, self.kernel, self.bias, *settings)
        return x if self.activation is None else self.activation(x)


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

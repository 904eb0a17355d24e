"""`ConvLSTM1D` to `ConvLSTM3D`: LSTMs whose states are images."""

from __future__ import annotations

from typing import Any

from keraunos import ops
from keraunos.core.errors import ShapeError
from keraunos.core.fields import Function, Size, Sizes
from keraunos.core.spec import Spec, show
from keraunos.layers.celled import OPTIONS, Celled
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.lstm import forgetting
from keraunos.layers.rnn_cells import CellArguments, Recurrent
from keraunos.layers.spatial import Spatial
from keraunos.ops.convolutions import biased_conv
from keraunos.ops.recurrent import at_once, gated, recur

_FIRST = (
    "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation", "recurrent_activation", "use_bias",
    "kernel_initializer", "recurrent_initializer", "bias_initializer", "unit_forget_bias",
)  # fmt: skip


class ConvLSTMArguments(CellArguments, order=_FIRST):
    """What a convolutional LSTM and its cell are told beyond what all cells are."""

    filters: Size
    kernel_size: Sizes
    strides: Sizes = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: Sizes = 1
    activation: Function = "tanh"
    recurrent_activation: Function = "sigmoid"
    unit_forget_bias: bool = True


class ConvLSTMCell(Spatial, Recurrent, ConvLSTMArguments, order=_FIRST):
    """One step of a convolutional LSTM; a subclass gives the rank."""

    count = 2

    def setup(self) -> None:
        Spatial.setup(self)
        Recurrent.setup(self)
        unknown: Any = None
        self.output_size = self.state_size = unknown
        if (1,) * self.rank not in (self.strides, self.dilation_rate):
            raise self._refusal("strides > 1 and dilation_rate > 1 do not go together.", "strides", "dilation_rate", fix="leave one of them at 1")

    def build(self, input_shape: Any) -> None:
        self.input_spec.check(Spec(input_shape), self)
        axis, channels = self.channel_axis, input_shape[self.channel_axis]
        if None in input_shape[1:]:
            fix = "give Input the sizes of the images, and their channels"
            raise ShapeError("The sizes of the states must be known.", where=self.name, received=show(input_shape), fix=fix)
        window: Any = self.kernel_size
        self.kernel = self.weight("kernel", (*window, channels, 4 * self.filters))
        self.recurrent_kernel = self.weight("recurrent_kernel", (*window, self.filters, 4 * self.filters), fields="recurrent")
        options = {"name": "bias", "regularizer": self.bias_regularizer, "constraint": self.bias_constraint}
        self.bias = self.add_weight((4 * self.filters,), forgetting(self, self.filters), **options) if self.use_bias else None
        state = list(self.project(Spec((1, *input_shape[1:]), self.compute_dtype)).shape[1:])
        state[axis if axis < 0 else 0] = self.filters
        self.sizes = tuple(input_shape[1:]), tuple(state)
        self.output_size = self.state_size = tuple(state)
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for the states before the first step.

        Args:
            batch_size: The number of samples.
        """
        return [ops.zeros((batch_size, *self.state_size), self.compute_dtype) for _ in range(2)]

    def project(self, x: Any) -> Any:
        """What the inputs give for the gates."""
        slides = self.strides, self.padding, self.data_format, self.dilation_rate
        return ops.conv(x, self.kernel, *slides) if self.bias is None else biased_conv(x, self.kernel, self.bias, *slides)

    def step(self, x: Any, states: Any, noise: Any) -> tuple[Any, Any]:
        """One step, of inputs that are projected already."""
        h, c = states
        given = h if noise is None else ops.multiply(h, noise)
        z = ops.add(x, ops.conv(given, self.recurrent_kernel, 1, "same", self.data_format))
        h, c = gated(z, c, self.activation, self.recurrent_activation, self.channel_axis)
        return h, [h, c]

    def call(self, inputs: Any, states: Any, training: Any = False) -> Any:
        x, noise = self.dropped(inputs, training)
        return self.step(self.project(x), self.taken(states), noise)

    def sequence(self, x: Any, states: list[Any], noise: Any, mask: Any, fused: Any = False, **options: Any) -> tuple[Any, ...]:
        last, outputs, states = recur(lambda x, states: self.step(x, states, noise), at_once(self.project, x), states, mask, **options)
        return last, outputs, *states


_LAST = ("seed", *OPTIONS[:-1])


class BaseConvLSTM(Celled, ConvLSTMArguments):
    """The base of the convolutional LSTMs over images ([Shi et al., 2015](https://arxiv.org/abs/1506.04214)).

    Args:
        filters: The number of channels of the output and the states.
        kernel_size: The window, one integer or one for each dimension.
        strides: The step between windows over the inputs.
        padding: "valid" or "same", for the inputs.
        data_format: "channels_last" or "channels_first".
        dilation_rate: The distance between the window's elements, for the inputs.
        activation: A function of the new values.
        recurrent_activation: A function of the gates.
        unit_forget_bias: Whether the bias of the forget gate begins with ones.

    The others are those of `SimpleRNNCell` and of `RNN`.

    Raises:
        ShapeError: The sizes of the images are not known.
    """


class ConvLSTMCell1D(ConvLSTMCell, rank=1):
    """One step over signals."""


class ConvLSTM1D(BaseConvLSTM, cell=ConvLSTMCell1D, last=_LAST):
    """A convolutional LSTM over signals: input `(batch, steps, length, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.ConvLSTM1D(4, 3)(keras.ops.ones((2, 5, 8, 3))).shape == (2, 6, 4)
    True
    """


class ConvLSTMCell2D(ConvLSTMCell, rank=2):
    """One step over images."""


class ConvLSTM2D(BaseConvLSTM, cell=ConvLSTMCell2D, last=_LAST):
    """A convolutional LSTM over images: input `(batch, steps, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.ConvLSTM2D(4, 3)(keras.ops.ones((2, 5, 8, 8, 3))).shape == (2, 6, 6, 4)
    True
    """


class ConvLSTMCell3D(ConvLSTMCell, rank=3):
    """One step over volumes."""


class ConvLSTM3D(BaseConvLSTM, cell=ConvLSTMCell3D, last=_LAST):
    """A convolutional LSTM over volumes: input `(batch, steps, depth, height, width, channels)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.ConvLSTM3D(4, 3)(keras.ops.ones((2, 5, 4, 4, 4, 3))).shape == (2, 2, 2, 2, 4)
    True
    """

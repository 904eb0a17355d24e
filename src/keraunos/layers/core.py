"""Dense, Embedding and the simplest layers."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from keraunos import ops
from keraunos.core.errors import ArgumentError
from keraunos.core.fields import Constraint, Function, Initializer, Positive, Regularizer, Size, Unsupported
from keraunos.core.serialization import serialize_keras_object
from keraunos.core.spec import Spec
from keraunos.layers.adapting import Adaptable
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.layer import Layer


class Kerneled(Layer, kw_only=True):
    """The base of layers with a kernel and a bias: how these begin, are held back, and are kept in bounds."""

    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None


class Dense(Kerneled, Adaptable, order=("units", "activation", "use_bias")):
    """`activation(x @ kernel + bias)`.

    Args:
        units: The size of the output's last axis.
        activation: A function of the result.
        use_bias: Whether a bias is added.
        kernel_initializer: How the kernel begins.
        bias_initializer: How the bias begins.
        kernel_regularizer: A penalty on the kernel.
        bias_regularizer: A penalty on the bias.
        activity_regularizer: A penalty on the output.
        kernel_constraint: A projection of the kernel after each update.
        bias_constraint: A projection of the bias after each update.
        lora_rank: The rank of the product that is trained in place of the kernel, as `enable_lora` says.
        lora_alpha: What the product is multiplied by, times the rank.
        quantization_config: Not supported yet.

    Shapes:
        input `(batch, …, features)`, output `(batch, …, units)`.

    Raises:
        ShapeError: There is no axis but the batch, or the last axis differs from the one it was built for.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Dense(4, activation="relu")(keras.ops.ones((2, 3))).shape == (2, 4)
    True
    """

    supports_masking = True
    units: Size
    activation: Function = None
    use_bias: bool = True
    lora_rank: Size | None = None
    lora_alpha: Positive | None = None
    quantization_config: Unsupported = None

    def setup(self) -> None:
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        self.input_spec.check(Spec(input_shape), self)
        self.kernel = self.weight("kernel", (input_shape[-1], self.units))
        self.bias = self.weight("bias", (self.units,)) if self.use_bias else None
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    def call(self, inputs: Any, training: Any = None) -> Any:
        if len(inputs.shape) < 2:
            self.input_spec.check(inputs, self)
        x = ops.matmul(inputs, self.kernel) if self.bias is None else ops.affine(inputs, self.kernel, self.bias)
        return x if self.activation is None else self.activation(x)


class Table(Adaptable):
    """The base of layers with a vector for each integer."""

    adapted = "embeddings"
    input_dim: Size
    output_dim: Size
    embeddings_initializer: Initializer = "uniform"
    embeddings_regularizer: Regularizer = None
    embeddings_constraint: Constraint = None
    mask_zero: bool = False

    def start(self, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        kwargs.pop("input_length", None)  # of Keras 2; the length follows from the input
        super().start(**kwargs)

    def setup(self) -> None:
        self.autocast = False
        self.supports_masking = self.mask_zero

    def build(self, input_shape: Any = None) -> None:
        self.embeddings = self.weight("embeddings", (self.input_dim, self.output_dim))

    def call(self, inputs: Any) -> Any:
        if "int" not in str(inputs.dtype):
            inputs = ops.cast(inputs, "int32")
        return ops.cast(ops.take(self.embeddings, inputs, axis=0), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None


class Embedding(Table):
    """A table of vectors, one for each integer.

    Args:
        input_dim: The number of integers: they go from 0 to `input_dim - 1`.
        output_dim: The size of a vector.
        embeddings_initializer: How the table begins.
        embeddings_regularizer: A penalty on the table.
        embeddings_constraint: A projection of the table after each update.
        mask_zero: Whether 0 is padding, masked for the layers that follow.
        weights: A table to begin with.
        lora_rank: The rank of the product that is trained in place of the table, as `enable_lora` says.
        lora_alpha: What the product is multiplied by, times the rank.
        quantization_config: Not supported yet.

    Shapes:
        input `(batch, …)` of integers, output `(batch, …, output_dim)`.

    Example:

    >>> import keraunos as keras
    >>> keras.layers.Embedding(10, 4)(keras.ops.ones((2, 3), dtype="int32")).shape == (2, 3, 4)
    True
    """

    unsaved: ClassVar[tuple[str, ...]] = ("weights", "quantization_config")
    weights: Any = None
    lora_rank: Size | None = None
    lora_alpha: Positive | None = None
    quantization_config: Unsupported = None

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, "_table" if name == "weights" else name, value)

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        if self._table is not None:
            table = self._table[0] if isinstance(self._table, (list, tuple)) and len(self._table) == 1 else self._table
            self.embeddings.assign(table)
            self._table = None


delattr(Embedding, "weights")  # the field's default must not hide the property


class Identity(Layer):
    """The input as it is: a place to put another layer, or the other branch of a residual block.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.ones((2, 3))
    >>> keras.layers.Identity()(x).shape == (2, 3)
    True
    """

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs


class Lambda(Layer):
    """A function as a layer; a model with one can only be loaded if the function is registered.

    Args:
        function: The function; it may take `mask`.
        output_shape: The shape of a sample's output, where it cannot be inferred.
        mask: The output's mask, or a function of the input and its mask.
        arguments: Further keyword arguments of the function.

    Raises:
        ArgumentError: It is no function.

    Example:

    >>> import keraunos as keras
    >>> @keras.saving.register_keras_serializable("example")
    ... def scaled(x, factor):
    ...     return x * factor
    >>> layer = keras.layers.Lambda(scaled, arguments={"factor": 3.0})
    >>> keras.ops.convert_to_numpy(layer(keras.ops.array([[1.0, 2.0]]))).tolist()
    [[3.0, 6.0]]
    """

    function: Any
    output_shape: Any = None
    mask: Any = None
    arguments: Any = None

    def setup(self) -> None:
        if not callable(self.function):
            raise ArgumentError("Lambda needs a function.", where=self.name, received=type(self.function).__name__)
        self.supports_masking = self.mask is not None
        self._takes_mask = "mask" in inspect.signature(self.function).parameters

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return self.function(inputs, **(self.arguments or {}), **({"mask": mask} if self._takes_mask else {}))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config = {key: value for key, value in config.items() if value is not None or key not in ("output_shape", "mask")}
        return {**config, "function": serialize_keras_object(self.function), "arguments": config["arguments"] or {}}

"""`Input` and `InputLayer`: where a model's data enters."""

from __future__ import annotations

from typing import Any

from keraunos.core.dtypes import standardize_dtype
from keraunos.core.errors import ArgumentError, ArgumentTypeError
from keraunos.core.graph import KerasTensor, Node
from keraunos.layers.layer import Layer


class InputLayer(Layer):
    """An entry of a model's graph.

    Args:
        shape: The shape of one sample.
        batch_size: The number of samples, if it is fixed.
        dtype: The dtype of the data.
        sparse: Whether the data is sparse.
        ragged: Whether the data is ragged.
        batch_shape: The shape with the batch axis, in place of `shape` and `batch_size`.
        input_tensor: A symbolic tensor to take the place of a new one.
        optional: Whether None may be passed.
        name: Its name.
    """

    def __init__(self, shape: Any = None, batch_size: int | None = None, dtype: Any = None, sparse: Any = None, ragged: Any = None,
                 batch_shape: Any = None, input_tensor: Any = None, optional: bool = False, name: str | None = None, **kwargs: Any):  # fmt: skip
        super().__init__(name=name, dtype="float32" if dtype in (None, "string") or "int" in str(dtype) or "bool" in str(dtype) else dtype, **kwargs)
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if shape is not None and batch_shape is not None:
            raise ArgumentError("Input takes shape or batch_shape, not both.", where=self.name)
        if shape is None and batch_shape is None:
            raise ArgumentError("Input needs the shape of one sample.", where=self.name, fix="Input(shape=(28, 28, 1))")
        if sparse or ragged:
            raise ArgumentError("Sparse and ragged inputs are not supported.", where=self.name, fix="pass dense arrays")
        try:
            sizes = tuple(None if d is None else int(d) for d in (batch_shape if batch_shape is not None else shape or ()))
        except TypeError:
            raise ArgumentTypeError("A shape is a tuple of integers and None.", where=self.name, received=repr(shape), fix=f"Input(shape=({shape},))") from None
        if any(d is not None and d < 0 for d in sizes):
            raise ArgumentError("A shape has no negative sizes.", where=self.name, received=str(sizes), fix="None for a size that is not known")
        self.batch_shape = sizes if batch_shape is not None else (batch_size, *sizes)
        self.data_dtype = standardize_dtype(dtype)
        self.optional, self.sparse, self.ragged = optional, bool(sparse), bool(ragged)
        tensor = input_tensor if input_tensor is not None else KerasTensor(self.batch_shape, self.data_dtype, name=self.name)
        tensor.optional = optional
        self.built = True
        Node(self, (), {}, tensor)

    @property
    def dtype(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The dtype of the data."""
        return self.data_dtype

    def call(self) -> Any:
        """Never runs: the graph gives the data."""

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.data_dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
            "optional": self.optional,
        }


def Input(shape: Any = None, batch_size: int | None = None, dtype: Any = None, sparse: Any = None, ragged: Any = None,
          batch_shape: Any = None, name: str | None = None, tensor: Any = None, optional: bool = False) -> Any:  # fmt: skip
    """A symbolic tensor to build a functional model from.

    Args:
        shape: The shape of one sample; None is a size that is not known.
        batch_size: The number of samples, if it is fixed.
        dtype: "float32" by default.
        sparse: Not supported.
        ragged: Not supported.
        batch_shape: The shape with the batch axis.
        name: The name, by which data in a dict finds it.
        tensor: A symbolic tensor to use as it is.
        optional: Whether None may be passed.

    Raises:
        ArgumentError: The shape is missing or cannot be one.

    Example:

    >>> import keraunos as keras
    >>> x = keras.Input((3,)); keras.Model(x, keras.layers.Dense(2)(x)).output_shape
    (None, 2)
    """
    layer = InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name)
    return layer.output

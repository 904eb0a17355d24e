"""`Input` and `InputLayer`, where a model's data enters; `InputSpec`, what a layer expects of it."""

from __future__ import annotations

from typing import Any

from keraunos.core.dtypes import standardize_dtype
from keraunos.core.errors import ArgumentError, ArgumentTypeError, ShapeError
from keraunos.core.fields import Declared
from keraunos.core.graph import KerasTensor, Node
from keraunos.core.spec import same_dim, show
from keraunos.layers.layer import Layer

_AXES = {2: ["features"], 3: ["steps", "channels"], 4: ["height", "width", "channels"], 5: ["depth", "height", "width", "channels"]}


class InputSpec(Declared):
    """The dtype, rank and sizes that a layer expects of an input.

    Args:
        dtype: The dtype.
        shape: The whole shape; None for sizes that may be anything.
        ndim: The number of axes.
        max_ndim: The largest number of axes.
        min_ndim: The least number of axes.
        axes: Sizes by axis.
        allow_last_axis_squeeze: Whether a last axis of size 1 may be missing or too many.
        name: The input's name in a dict of inputs.
        optional: Whether None may be passed.

    Example:

    >>> import keraunos as keras
    >>> class Total(keras.layers.Layer):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.input_spec = keras.InputSpec(ndim=2, axes={-1: 3})
    ...     def call(self, x):
    ...         return keras.ops.sum(x, axis=-1)
    >>> Total()(keras.Input((4,)))
    Traceback (most recent call last):
    keraunos.core.errors.ShapeError: The input has 4 features; ...
    """

    dtype: Any = None
    shape: Any = None
    ndim: int | None = None
    max_ndim: int | None = None
    min_ndim: int | None = None
    axes: Any = None
    allow_last_axis_squeeze: bool = False
    name: str | None = None
    optional: bool = False

    def setup(self) -> None:
        self.axes = dict(self.axes or {})
        if self.shape is not None:
            self.shape = tuple(self.shape)
            self.ndim = len(self.shape)

    def check(self, x: Any, layer: Any) -> None:
        """Raise unless `x` is as expected.

        Raises:
            ShapeError: Its rank or a size differs.
        """
        shape = tuple(x.shape)
        rank, exact, slack = len(shape), self.ndim, int(self.allow_last_axis_squeeze)
        first = getattr(layer, "data_format", None) == "channels_first"
        least, most = (self.min_ndim or 0, self.max_ndim or rank) if exact is None else (exact - slack, exact + slack)
        if not least <= rank <= most:
            bound, wanted = ("", exact) if exact is not None else ("at least ", least) if rank < least else ("at most ", most)
            fix = None
            axes = _AXES.get(wanted, [])
            if exact == rank + 1 >= 3:
                sizes = ", ".join(str(d) for d in show(shape)[1:])
                fix = f"add the channels axis: {f'Input((1, {sizes})) and x[:, None]' if first else f'Input(({sizes}, 1)) and x[..., None]'}"
            elif rank < least:
                fix = f"put it before what took the axes away, such as Flatten, or Reshape its input to {least} axes"
            else:
                fix = f"put Reshape, Flatten or a global pooling layer before it, to come to {most} axes"
            fact = f"'{layer.name}' ({type(layer).__name__}) cannot take an input of {rank} axes."
            named = f" (batch, {', '.join([*axes[-1:], *axes[:-1]] if first else axes)})" if axes else ""
            raise ShapeError(fact, received=show(shape), expected=f"{bound}{wanted} axes{named}", fix=fix, code="KR102")
        for axis, size in {**self.axes, **dict(enumerate(self.shape if self.shape and len(self.shape) == rank else ()))}.items():
            if -rank <= axis < rank and not same_dim(shape[axis], size):
                what = "features" if rank == 2 else "channels" if axis in ((1,) if first else (-1, rank - 1)) else f"elements along axis {axis}"
                fix = f"pass data with {size} {what}, or make a new layer for {shape[axis]}"
                raise ShapeError(f"The input has {shape[axis]} {what}; '{layer.name}' was built for {size}.", received=show(shape), fix=fix, code="KR101")


class InputLayer(Layer):
    """An entry of a model's graph; `Input` makes one and returns its tensor.

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

    Raises:
        ArgumentError: The shape is missing or cannot be one, or the data is to be sparse or ragged.

    Example:

    >>> import keraunos as keras
    >>> entry = keras.layers.InputLayer((28, 28, 1), name="image")
    >>> entry.output.shape
    (None, 28, 28, 1)
    """

    def __init__(self, shape: Any = None, batch_size: int | None = None, dtype: Any = None, sparse: Any = None, ragged: Any = None,
                 batch_shape: Any = None, input_tensor: Any = None, optional: bool = False, name: str | None = None, **kwargs: Any):  # fmt: skip
        super().__init__(name=name, **kwargs)
        if input_tensor is not None:
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        if (shape is None) == (batch_shape is None):
            raise ArgumentError("Input needs the shape of one sample, as shape or as batch_shape.", where=self.name, fix="Input(shape=(28, 28, 1))")
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

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {name: getattr(self, name) for name in ("batch_shape", "dtype", "sparse", "ragged", "name", "optional")}


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
    return InputLayer(shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name).output

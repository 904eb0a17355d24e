"""Numbers brought to one scale, or to a few bins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from keraunos import ops
from keraunos.core import config
from keraunos.core.dtypes import FLOATS
from keraunos.core.errors import ArgumentError, DataError, ShapeError, StateError
from keraunos.core.fields import Inherited, Positive, Size, Unsupported
from keraunos.core.spec import Spec, normalize_axes
from keraunos.core.variable import Variable
from keraunos.layers.category_encoding import encoded
from keraunos.layers.input_layer import InputSpec
from keraunos.layers.preprocessing import Adapting, is_text, not_adapted, on_host


def _numbers(data: Any) -> np.ndarray:
    x = on_host(data)
    if is_text(x):
        fix = "StringLookup and TextVectorization take text; fill what is missing: data.fillna(0)"
        raise DataError("The data holds text, or Python objects, where numbers are expected.", fix=fix)
    return x


def _finite(data: Any, name: str) -> np.ndarray:
    """Numbers that a layer learns from, in 64 bits."""
    x = _numbers(data).astype("float64")
    if not np.isfinite(x).all():
        raise DataError("The data holds NaN or infinity, and then so would what the layer learns.", where=name, fix="data[np.isfinite(data).all(axis=-1)]")
    return x


class Normalization(Adapting):
    """Features brought to mean 0 and variance 1, by the mean and variance of the data that `adapt` saw.

    Args:
        axis: The axis or axes of the features, each of which has its own mean and variance; None is one of each for all.
        mean: The mean, if it is known; `adapt` is not needed then.
        variance: The variance, likewise.
        invert: Whether to go back: from mean 0 and variance 1 to that of the data.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Normalization()
    >>> layer.adapt([[1.0], [3.0]])
    >>> keras.ops.convert_to_numpy(layer([[5.0]])).tolist()
    [[3.0]]
    """

    mean_initializer: ClassVar[str] = "zeros"
    variance_initializer: ClassVar[str] = "ones"
    count_initializer: ClassVar[str] = "zeros"
    axis: Any = -1
    mean: Any = None
    variance: Any = None
    invert: bool = False

    def setup(self) -> None:
        self.axis = () if self.axis is None else tuple(self.axis) if isinstance(self.axis, (list, tuple)) else (self.axis,)
        if (self.mean is None) != (self.variance is None):
            missing, given = ("variance", "mean") if self.variance is None else ("mean", "variance")
            raise ArgumentError(f"{given} is given without {missing}.", where=self.name, fix="give both, or neither and call adapt(data)")
        self.input_mean: Any
        self.input_variance: Any
        exact = "float64" if self.variable_dtype == "float64" else "float32"
        self.input_mean, self.input_variance = (None if x is None else _numbers(x).astype(exact) for x in (self.mean, self.variance))
        if self.input_variance is not None and (self.input_variance < 0).any():
            raise ArgumentError("A variance is not negative.", where=self.name, fix="give variances: the squares of standard deviations")
        self.autocast = False  # what 16 bits cannot hold is scaled first
        self.reset_state()

    def build(self, input_shape: Any) -> None:
        axes = sorted(normalize_axes(self.axis, len(input_shape)))
        shape = tuple(input_shape[a] for a in axes)
        self._kept = axes
        self._rank = len(input_shape)  # data of more axes broadcasts
        if self.input_mean is None:
            self.adapt_mean = self.weight("mean", shape, trainable=False)
            self.adapt_variance = self.weight("variance", shape, trainable=False)
            self.count = self.weight("count", (), trainable=False, dtype="int32")
            self.input_spec = InputSpec(axes={a - self._rank: d for a, d in zip(axes, shape, strict=True) if a > 0})
            return
        for name, value in (("mean", self.input_mean), ("variance", self.input_variance)):
            sizes = np.shape(value)
            if len(sizes) > len(shape) or any(n not in (1, d) and d is not None for n, d in zip(sizes[::-1], shape[::-1], strict=False)):
                raise ShapeError(f"{name} does not fit the features.", where=self.name, received=f"{name} of shape {sizes}", expected=f"{shape}")
            sizes = (1,) * (len(shape) - len(sizes)) + sizes
            setattr(self, name, np.reshape(value, self._aligned(sizes)))

    def _aligned(self, sizes: Any) -> list[int]:
        """The sizes along the features' axes, with 1 along all others, so that they broadcast against the data."""
        found = [1] * self._rank
        for axis, size in zip(self._kept, sizes, strict=True):
            found[axis] = size
        return found

    # ---- what it learns ----
    def reset_state(self) -> None:
        self._seen: Any = (0, 0.0, 0.0)

    def update_state(self, data: Any) -> None:
        """Look at one more batch."""
        if self.input_mean is not None:
            raise StateError("The mean and the variance were given: there is nothing to adapt.", where=self.name, fix="leave mean= and variance= out")
        x = _finite(data, self.name)
        if not self.built:
            self.build(tuple(size if axis or 0 in normalize_axes(self.axis, x.ndim) else None for axis, size in enumerate(x.shape)))
        others = tuple(axis for axis in range(x.ndim) if axis not in self._kept)
        if tuple(x.shape[a] for a in self._kept) != self.adapt_mean.shape:
            fact = "The features of the data are not those the layer was built for."
            raise ShapeError(fact, where=self.name, received=x.shape, expected=self.adapt_mean.shape)
        more = x.size // max(self.adapt_mean.size, 1)
        if more == 0:
            return
        count, mean, squares = self._seen
        shift = x.mean(axis=others) - mean
        total = count + more
        self._seen = total, mean + shift * more / total, squares + x.var(axis=others) * more + shift**2 * count * more / total

    def finalize_state(self) -> None:
        """Take the mean and the variance of the batches that it saw."""
        count, mean, squares = self._seen
        if count:
            self.adapt_mean.assign(mean)
            self.adapt_variance.assign(squares / count)

    def call(self, inputs: Any) -> Any:
        wide = self.variable_dtype if self.variable_dtype in FLOATS else "float32"
        x = ops.cast(inputs, wide)
        mean, variance = self.mean, self.variance
        if self.input_mean is None:
            mean, variance = (ops.reshape(v, self._aligned(v.shape)) for v in (self.adapt_mean, self.adapt_variance))
        mean, scale = ops.cast(mean, wide), ops.maximum(ops.sqrt(ops.cast(variance, wide)), config.epsilon())
        return ops.cast(mean + x * scale if self.invert else (x - mean) / scale, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        given = {name: None if x is None else x.tolist() for name, x in (("mean", self.input_mean), ("variance", self.input_variance))}
        return {**super().get_config(), **given}


class Discretization(Adapting):
    """Numbers as the indices of the bins that they lie in.

    Args:
        bin_boundaries: Where one bin ends and the next begins, ascending; a number at a boundary is in the bin above it.
        num_bins: How many bins `adapt` makes, with about equally many of the data's numbers in each.
        epsilon: How exact the boundaries are that `adapt` finds: smaller is more exact.
        output_mode: "int" gives the indices, as int32; the others vectors, as in `CategoryEncoding`.
        sparse: Not supported.
        dtype: The dtype of the vectors.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.layers.Discretization([0.0, 1.0])([[-1.0, 0.5, 7.0]])).tolist()
    [[0, 1, 2]]
    """

    piece = None  # where boundaries lie is seen in an array as a whole
    bin_boundaries: Any = None
    num_bins: Size | None = None
    epsilon: Positive = 0.01
    output_mode: Literal["int", "one_hot", "multi_hot", "count"] = "int"
    sparse: Unsupported = False
    if not TYPE_CHECKING:  # checkers know them from the base
        dtype: Inherited = None
        name: Inherited = None

    def setup(self) -> None:
        if (self.bin_boundaries is None) == (self.num_bins is None):
            both = "not both" if self.num_bins else "one of them"
            fix = "Discretization([0.0, 1.0]), or Discretization(num_bins=4) and adapt(data)"
            raise ArgumentError(f"Discretization takes bin_boundaries or num_bins, {both}.", where=self.name, fix=fix)
        if self.bin_boundaries is not None:
            bounds = _numbers(self.bin_boundaries).ravel()
            if np.isnan(bounds).any() or (bounds[1:] < bounds[:-1]).any():
                raise ArgumentError("Boundaries ascend.", where=self.name, received=f"bin_boundaries={bounds.tolist()}", fix="sorted(bin_boundaries)")
            self.bin_boundaries = bounds.astype("float64").tolist()
        self.autocast = False  # numbers are compared as they are
        self._given = self.num_bins is None
        self.summary = np.zeros((2, 0))

    @property
    def output_dtype(self) -> str:
        """The dtype of the output."""
        return "int32" if self.output_mode == "int" else self.compute_dtype

    # ---- what it learns ----
    def reset_state(self) -> None:
        if self._given:
            raise StateError("The boundaries were given: there is nothing to adapt.", where=self.name, fix="Discretization(num_bins=4)")
        self.summary = np.zeros((2, 0))

    def update_state(self, data: Any) -> None:
        """Look at one more batch."""
        values = np.sort(_finite(data, self.name).ravel())
        step = max(len(values) * self.epsilon, 1)
        values = values[int(step) - 1 :: int(step)]
        joined = np.concatenate([self.summary, [values, np.full(len(values), step)]], axis=1)
        self.summary = _compressed(joined[:, np.argsort(joined[0], kind="stable")], self.epsilon)

    def finalize_state(self) -> None:
        """Put the boundaries where the batches that it saw say."""
        if self.num_bins is not None and self.summary.size:
            self.learnt = Variable.flipped = object()
            self.bin_boundaries = _compressed(self.summary, 1 / self.num_bins)[0, :-1].astype("float32").tolist()

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            if not isinstance(inputs, Spec):
                raise not_adapted(self.name, "boundaries yet")
            places: Any = Spec(inputs.shape, "int32")
        else:
            places = ops.digitize(inputs, np.asarray(self.bin_boundaries, "float32"))
        depth: Any = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded(places, self.output_mode, depth, self.output_dtype)

    def get_config(self) -> dict[str, Any]:
        return self._config_with(dtype=self._policy.name)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Make a layer from `get_config`'s result, with the boundaries that `adapt` found if it did."""
        found = config.get("bin_boundaries") if config.get("num_bins") is not None else None
        layer = super().from_config(config if found is None else {**config, "bin_boundaries": None})
        layer.bin_boundaries = layer.bin_boundaries if found is None else [float(x) for x in found]
        return layer


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """Ascending numbers and what each stands for, brought to `1 / epsilon` of them by interpolation."""
    values, weights = summary
    if len(values) * epsilon < 1:
        return summary
    below = np.cumsum(weights)
    wanted = np.arange(1, round(1 / epsilon) + 1) * epsilon * below[-1]
    return np.stack([np.interp(wanted, below, values), np.diff(np.interp(wanted, below, below), prepend=0)])

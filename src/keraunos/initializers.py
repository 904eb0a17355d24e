"""Initial values of weights, drawn on the host: a seed gives the same weights on every engine."""

# Fields repeat class variables of their base.
# pyright: reportIncompatibleVariableOverride=false

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from keraunos.core import config, dtypes
from keraunos.core.errors import DTypeError, ShapeError, one_of
from keraunos.core.fields import Declared, Positive
from keraunos.core.missing import answer_for
from keraunos.core.registry import Registry
from keraunos.random import SeedGenerator, host, integer_seed


class Initializer(Declared):
    """The base of initializers: a subclass's `__call__(shape, dtype=None)` returns a tensor.

    Example:

    >>> import keraunos as keras
    >>> class Sevens(keras.initializers.Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return keras.ops.full(shape, 7, dtype=dtype)
    >>> keras.ops.convert_to_numpy(Sevens()((2,))).tolist()
    [7.0, 7.0]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        dtype = dtypes.standardize_dtype(dtype)
        return config.active().array(self.values((shape,) if isinstance(shape, int) else tuple(shape), dtype), dtype)

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        """The values as a NumPy array."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__(self, shape, dtype=None).")

    def clone(self) -> Initializer:
        """An initializer of the same arguments."""
        return type(self).from_config(self.get_config())


class Zeros(Initializer):
    """0 everywhere: how biases begin.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.initializers.Zeros()((2,))).tolist()
    [0.0, 0.0]
    """

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        return np.zeros(shape, "float32")


class Ones(Initializer):
    """1 everywhere: how the scales of normalizations begin.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.initializers.Ones()((2,))).tolist()
    [1.0, 1.0]
    """

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        return np.ones(shape, "float32")


class Constant(Initializer):
    """`value` everywhere.

    Args:
        value: A number, or an array that is broadcast to the shape.

    Raises:
        ShapeError: The array does not broadcast to the shape.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(0.5))
    >>> layer.build((None, 3)); layer.bias.numpy().tolist()
    [0.5, 0.5]
    """

    value: Any = 0.0

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        try:
            return np.broadcast_to(np.asarray(self.value), shape)
        except ValueError:
            raise ShapeError("The constant does not broadcast to the shape.", where="Constant", received=np.shape(self.value), expected=shape) from None


class Identity(Initializer):
    """`gain` times the identity matrix; where the matrix is not square, the rest is 0.

    A recurrent kernel that begins so keeps what it holds ([Le et al., 2015](https://arxiv.org/abs/1504.00941)).

    Args:
        gain: The number on the diagonal.

    Raises:
        ShapeError: The shape has not two axes.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.convert_to_numpy(keras.initializers.Identity(gain=2.0)((2, 3))).tolist()
    [[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    """

    gain: float = 1.0

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        if len(shape) != 2:
            raise ShapeError("Identity makes matrices.", received=shape, expected="two axes")
        return self.gain * np.eye(*shape)


_WINDOWS: dict[str, Callable[[int], Any]] = {
    "hann": np.hanning, "hamming": np.hamming, "blackman": np.blackman, "bartlett": np.bartlett, "boxcar": np.ones, "rectangular": np.ones,
}  # fmt: skip


class STFT(Initializer):
    """The kernel by which a convolution over steps is a short-time Fourier transform: `(steps, 1, frequencies)`.

    Args:
        side: "real" for cosines, "imag" for sines.
        window: What a frame is seen through: "hann", "hamming", "blackman", "bartlett", "boxcar", an array with an element for each step, or None.
        scaling: "density" divides the window by the root of its sum of squares, "spectrum" by its sum; None leaves it.
        periodic: Whether the window would go on without its last element, as spectra want; else it is symmetric.

    Raises:
        ShapeError: The shape has not three axes and two frequencies, or the window not as many elements as there are steps.

    Example:

    >>> import keraunos as keras
    >>> kernel = keras.initializers.STFT("real", window=None)((4, 1, 3))
    >>> keras.ops.convert_to_numpy(kernel)[:, 0, 2].round().tolist()
    [1.0, -1.0, 1.0, -1.0]
    """

    side: Literal["real", "imag"] = "real"
    window: Any = "hann"
    scaling: Literal["density", "spectrum"] | None = "density"
    periodic: bool = False

    def setup(self) -> None:
        if isinstance(self.window, str):
            one_of("STFT: window", self.window, _WINDOWS)

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        if len(shape) != 3 or shape[-1] < 2:
            raise ShapeError("STFT makes kernels over steps.", received=shape, expected="(steps, 1, frequencies), with at least 2 frequencies")
        steps, _, frequencies = shape
        angles = np.pi * np.outer(np.arange(steps), np.arange(frequencies)) / (frequencies - 1)
        waves = np.cos(angles) if self.side == "real" else -np.sin(angles)
        if self.window is not None:
            waves = waves * self._window(steps)[:, None]
        return np.broadcast_to(waves[:, None], shape)

    def _window(self, steps: int) -> Any:
        window = _WINDOWS[self.window](steps + self.periodic)[:steps] if isinstance(self.window, str) else np.asarray(self.window, "float64")
        if window.shape != (steps,):
            raise ShapeError("The window of STFT must have an element for each step.", received=window.shape, expected=(steps,))
        total = {"density": math.sqrt((window**2).sum()), "spectrum": window.sum(), None: 1.0}[self.scaling]
        return window / total if total else window


# What random initializers draw, before it is shifted and scaled.
_DISTRIBUTIONS: dict[str, Callable[..., Any]] = {
    "truncated_normal": host.truncated_normal,
    "untruncated_normal": lambda source, shape, dtype: source.standard_normal(shape, dtype),
    "uniform": lambda source, shape, dtype: source.random(shape, dtype),
}


class _Random(Initializer):
    """What initializers that draw have in common: the seed. The same object draws the same numbers each time."""

    own_first = True
    seed: Any = None
    distribution = "truncated_normal"  # without an annotation, so that it is no field

    def setup(self) -> None:
        seed = host.make_seed() if self.seed is None else self.seed
        self._seed = seed if isinstance(seed, SeedGenerator) else integer_seed(seed, type(self).__name__)

    def values(self, shape: tuple[int, ...], dtype: str) -> Any:
        if dtype not in dtypes.FLOATS:
            raise DTypeError(f"{type(self).__name__} draws floats.", received=f"dtype={dtype}", fix="dtype='float32'")
        seed = self._seed
        counters = seed.state.backend.to_numpy(seed.next()).tolist() if isinstance(seed, SeedGenerator) else [seed]
        return self.draw(host.generator(*counters), shape, "float64" if dtype == "float64" else "float32")

    def draw(self, source: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
        """The values, from NumPy's generator."""
        shift, scale = self.place(shape)
        numbers = np.asarray(_DISTRIBUTIONS[self.distribution](source, shape, dtype))
        numbers *= scale  # in place: kernels can be large
        numbers += shift
        return numbers

    def place(self, shape: tuple[int, ...]) -> tuple[float, float]:
        """By what the numbers drawn are shifted, and scaled before."""
        raise NotImplementedError


class RandomNormal(_Random):
    """Normally distributed numbers.

    Args:
        mean: Their mean.
        stddev: Their standard deviation.
        seed: An integer, a `SeedGenerator`, or None for a fresh seed. An integer gives the same numbers in each call and on every engine.

    Raises:
        DTypeError: The dtype is not floating.

    Example:

    >>> import keraunos as keras
    >>> draw = keras.initializers.RandomNormal(mean=1.0, stddev=0.5, seed=0)
    >>> x = keras.ops.convert_to_numpy(draw((100, 100)))
    >>> round(float(x.mean()), 1), round(float(x.std()), 1)
    (1.0, 0.5)
    """

    mean: float = 0.0
    stddev: float = 0.05
    distribution = "untruncated_normal"

    def place(self, shape: tuple[int, ...]) -> tuple[float, float]:
        return self.mean, self.stddev


class TruncatedNormal(RandomNormal):
    """Normally distributed numbers, none further than two standard deviations from the mean.

    Args:
        mean: Their mean.
        stddev: The standard deviation before they are cut; afterwards it is 0.88 of that.
        seed: An integer, a `SeedGenerator`, or None for a fresh seed. An integer gives the same numbers in each call and on every engine.

    Raises:
        DTypeError: The dtype is not floating.

    Example:

    >>> import keraunos as keras
    >>> draw = keras.initializers.TruncatedNormal(stddev=0.5, seed=0)
    >>> x = keras.ops.convert_to_numpy(draw((100, 100)))
    >>> float(abs(x).max()) <= 1.0
    True
    """

    distribution = "truncated_normal"


class RandomUniform(_Random):
    """Numbers evenly distributed between two bounds.

    Args:
        minval: The lower bound.
        maxval: The upper bound.
        seed: An integer, a `SeedGenerator`, or None for a fresh seed. An integer gives the same numbers in each call and on every engine.

    Raises:
        DTypeError: The dtype is not floating.

    Example:

    >>> import keraunos as keras
    >>> draw = keras.initializers.RandomUniform(0.0, 1.0, seed=0)
    >>> x = keras.ops.convert_to_numpy(draw((1000,)))
    >>> bool((x >= 0).all() and (x < 1).all()), bool((keras.ops.convert_to_numpy(draw((1000,))) == x).all())
    (True, True)
    """

    minval: float = -0.05
    maxval: float = 0.05
    distribution = "uniform"

    def place(self, shape: tuple[int, ...]) -> tuple[float, float]:
        return self.minval, self.maxval - self.minval


class _Scaled(_Random, order=("seed",)):
    """What `VarianceScaling` and its named kinds have in common."""

    input_axes: Any = None
    output_axes: Any = None
    scale, mode = 1.0, "fan_in"  # without annotations, so that they are no fields

    def place(self, shape: tuple[int, ...]) -> tuple[float, float]:
        into, out = _fans(shape, self.input_axes, self.output_axes)
        deviation = math.sqrt(self.scale / max(1.0, {"fan_in": into, "fan_out": out, "fan_avg": (into + out) / 2}[self.mode]))
        if self.distribution == "uniform":
            limit = math.sqrt(3.0) * deviation
            return -limit, 2 * limit
        # A normal distribution that is cut at two standard deviations has 0.8796 of its standard deviation left.
        return 0.0, deviation / (0.87962566103423978 if self.distribution == "truncated_normal" else 1.0)


def _fans(shape: Sequence[int], input_axes: Any = None, output_axes: Any = None) -> tuple[float, float]:
    """The numbers of inputs and of outputs of one unit, for a kernel of this shape."""
    rank = len(shape)
    if input_axes is not None and output_axes is not None:
        ins, outs = ({a % rank for a in axes} for axes in (input_axes, output_axes))
        rest = math.prod(d for i, d in enumerate(shape) if i not in ins | outs)
        return math.prod(shape[i] for i in ins) * rest, math.prod(shape[i] for i in outs) * rest
    if rank < 2:
        return (shape[0], shape[0]) if rank else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class VarianceScaling(_Scaled):
    """Numbers whose variance is `scale / n`, so that signals keep their size from layer to layer.

    Args:
        scale: A positive number.
        mode: What n is: "fan_in" (inputs of a unit), "fan_out" (outputs) or "fan_avg" (their mean).
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Raises:
        DTypeError: The dtype is not floating.

    Example:

    >>> import keraunos as keras
    >>> draw = keras.initializers.VarianceScaling(scale=2.0, mode="fan_out", distribution="uniform", seed=0)
    >>> x = keras.ops.convert_to_numpy(draw((100, 200)))
    >>> round(float(x.var()), 3)  # 2 / 200
    0.01
    """

    scale: Positive = 1.0
    mode: Literal["fan_in", "fan_out", "fan_avg"] = "fan_in"
    distribution: Literal["truncated_normal", "untruncated_normal", "uniform", "normal"] = "truncated_normal"

    def setup(self) -> None:
        super().setup()
        if self.distribution == "normal":
            self.distribution = "truncated_normal"


class GlorotUniform(_Scaled):
    """Uniform, of variance `2 / (inputs + outputs)`: what most layers begin their kernels with.

    [Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward neural networks"](http://proceedings.mlr.press/v9/glorot10a.html).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.convert_to_numpy(keras.initializers.GlorotUniform(seed=0)((100, 100)))
    >>> round(float(x.var()), 3), float(abs(x).max()) <= (6 / 200) ** 0.5
    (0.01, True)
    """

    mode, distribution = "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Truncated normal, of variance `2 / (inputs + outputs)`.

    [Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward neural networks"](http://proceedings.mlr.press/v9/glorot10a.html).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.convert_to_numpy(keras.initializers.GlorotNormal(seed=0)((100, 100)))
    >>> round(float(x.var()), 3)
    0.01
    """

    mode = "fan_avg"


class HeNormal(_Scaled):
    """Truncated normal, of variance `2 / inputs`: for layers followed by `relu`.

    [He et al., 2015, "Delving deep into rectifiers"](https://arxiv.org/abs/1502.01852).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Dense(100, activation="relu", kernel_initializer=keras.initializers.HeNormal(seed=0))
    >>> layer.build((None, 200)); round(float(layer.kernel.numpy().var()), 3)
    0.01
    """

    scale = 2.0


class HeUniform(_Scaled):
    """Uniform, of variance `2 / inputs`: for layers followed by `relu`.

    [He et al., 2015, "Delving deep into rectifiers"](https://arxiv.org/abs/1502.01852).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.convert_to_numpy(keras.initializers.HeUniform(seed=0)((200, 100)))
    >>> round(float(x.var()), 3)
    0.01
    """

    scale, distribution = 2.0, "uniform"


class LecunNormal(_Scaled):
    """Truncated normal, of variance `1 / inputs`: for layers followed by `selu`.

    [Klambauer et al., 2017, "Self-normalizing neural networks"](https://arxiv.org/abs/1706.02515).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Example:

    >>> import keraunos as keras
    >>> layer = keras.layers.Dense(100, activation="selu", kernel_initializer=keras.initializers.LecunNormal(seed=0))
    >>> layer.build((None, 100)); round(float(layer.kernel.numpy().var()), 3)
    0.01
    """


class LecunUniform(_Scaled):
    """Uniform, of variance `1 / inputs` ([LeCun et al., 1998, "Efficient backprop"](https://doi.org/10.1007/978-3-642-35289-8_3)).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        input_axes: The axes of the shape that count as inputs; None takes the last but one.
        output_axes: The axes that count as outputs; None takes the last.

    Example:

    >>> import keraunos as keras
    >>> x = keras.ops.convert_to_numpy(keras.initializers.LecunUniform(seed=0)((100, 100)))
    >>> round(float(x.var()), 3)
    0.01
    """

    distribution = "uniform"


class Orthogonal(_Random):
    """An orthogonal matrix times `gain`: it keeps the length of vectors, as recurrent kernels should at first.

    Axes before the last count as one. Where the matrix is not square, its rows or columns, whichever are fewer, are orthogonal
    ([Saxe et al., 2013, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks"](https://arxiv.org/abs/1312.6120)).

    Args:
        seed: An integer, a `SeedGenerator`, or None for a fresh seed.
        gain: What the matrix is multiplied by.

    Raises:
        ShapeError: The shape has fewer than two axes.

    Example:

    >>> import keraunos as keras
    >>> q = keras.ops.convert_to_numpy(keras.initializers.Orthogonal(seed=0)((3, 3)))
    >>> abs((q.T @ q).round(3)).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """

    gain: float = 1.0

    def draw(self, source: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
        if len(shape) < 2:
            raise ShapeError("Orthogonal needs at least two axes.", received=shape)
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(source.standard_normal((max(rows, columns), min(rows, columns)), "float64"))
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # makes the factorization unique
        return (self.gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)


zeros, ones, constant, identity = Zeros, Ones, Constant, Identity
random_normal, random_uniform, truncated_normal, variance_scaling = RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling
glorot_uniform, glorot_normal, he_normal, he_uniform = GlorotUniform, GlorotNormal, HeNormal, HeUniform
lecun_normal, lecun_uniform, orthogonal = LecunNormal, LecunUniform, Orthogonal
IdentityInitializer, OrthogonalInitializer, STFTInitializer, stft = Identity, Orthogonal, STFT, STFT

__all__ = [
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer", "Initializer", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform", "STFT", "STFTInitializer",
    "TruncatedNormal", "VarianceScaling", "Zeros",
    "constant", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal", "lecun_uniform", "ones", "orthogonal",
    "random_normal", "random_uniform", "stft", "truncated_normal", "variance_scaling", "zeros", "deserialize", "get", "serialize",
]  # fmt: skip

_ALIASES = {"normal": "RandomNormal", "one": "Ones", "uniform": "RandomUniform", "zero": "Zeros"}
_registry = Registry("initializer", {name: globals()[name] for name in __all__[:-3] if name != "Initializer"}, _ALIASES, Initializer)
get, serialize, deserialize = _registry.functions(__name__, "HeNormal(seed=1)")

answer_for(__name__)

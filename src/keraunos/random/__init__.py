"""Random tensors, drawn by the engine in force from seeds or from generators that count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keraunos import ops
from keraunos.core import config, dtypes
from keraunos.core.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from keraunos.core.fields import Declared
from keraunos.core.missing import answer_for
from keraunos.core.names import auto_name, scoped
from keraunos.core.op import FLOATING, SAME, Operand, Tensor, composite
from keraunos.core.scope import scope, within
from keraunos.core.spec import Spec, known, normalize_axis, same_dim, show
from keraunos.core.variable import Variable
from keraunos.ops.rules import as_shape
from keraunos.random import host

_ERF_OF_SQRT_2 = 0.9544997361036416
Seed = Any  # an integer, a SeedGenerator, or None


class SeedGenerator(Declared):
    """A stream of seeds whose place is a variable, so that compiled functions advance it too.

    Args:
        seed: Where it starts; None draws a seed from the stream of the process.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> seeds = keras.random.SeedGenerator(7)
    >>> a, b = (keras.random.uniform((2,), seed=seeds) for _ in range(2))
    >>> bool(keras.ops.all(a == b))
    False
    """

    seed: Any = None
    name: str | None = None

    def setup(self) -> None:
        """Check the seed, and make the variable."""
        self.seed = None if self.seed is None else integer_seed(self.seed, "SeedGenerator", "an integer or None")
        self.name = self.name or auto_name("seed_generator")
        start = host.make_seed() if self.seed is None else _word(self.seed)
        with within(names=scoped(self.name)):
            self.state = Variable(lambda shape, dtype: (start, 0), shape=(2,), dtype="uint32", trainable=False, autocast=False, name="seed_generator_state")
        with self.state.backend.concrete():
            self.state._value = self.state.backend.seed_state(start, 0)  # where the engine wants it, which need not be where it keeps tensors

    def next(self, ordered: bool = True) -> Any:
        """The seed for one draw; the generator advances."""
        state = self.state.value
        if not scope.symbolic:
            self.state.assign(self.state.backend.next_state(state))
        return state


_defaults: dict[str, SeedGenerator] = {}


def default_seed_generator() -> SeedGenerator:
    """The generator behind `seed=None`, one for each engine."""
    backend = config.active()
    if backend.name not in _defaults:
        _defaults[backend.name] = SeedGenerator(host.process_seed(1), name="default_seed_generator")
    return _defaults[backend.name]


def _restart_defaults() -> None:
    for generator in _defaults.values():
        generator.state.assign(generator.state.backend.seed_state(host.process_seed(1), 0))


host.resets.append(_restart_defaults)


def integer_seed(seed: Any, where: str | None = None, expected: str = "an integer, a SeedGenerator or None") -> int:
    """A seed that is no generator, checked.

    Raises:
        ArgumentTypeError: It is no integer.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise ArgumentTypeError("This is not a seed.", where=where, received=f"seed={seed!r}", expected=expected)
    return int(seed)


def _word(seed: int) -> int:
    """An integer of any size as one of 32 bits; those that fit stay as they are."""
    return (seed ^ (seed >> 32)) & 0xFFFFFFFF


def _key(seed: Seed, part: int = 0) -> Any:
    """The seed of one draw, as a tensor; `part` tells apart the draws that one call makes from an integer."""
    seed = default_seed_generator() if seed is None else seed
    backend = config.active()
    if not isinstance(seed, SeedGenerator):
        return backend.seed_state(_word(integer_seed(seed)), part)
    key = seed.next()
    return key if seed.state.backend is backend else backend.seed_state(*(int(x) for x in seed.state.backend.to_numpy(key)))


def _draw(shape: Sequence[Any], dtype: Any, seed: Seed, draw: Callable[..., Any], integer: bool = False) -> Any:
    """`draw(backend, key, shape, dtype)`, or only a spec where that is wanted."""
    shape, dtype = as_shape(shape), dtypes.standardize_dtype(dtype)
    if integer != (dtype in dtypes.INTEGERS):
        fact = f"The dtype must be {'an integer' if integer else 'a float'}."
        raise DTypeError(fact, received=f"dtype={dtype}", fix="use random.uniform for floats, random.randint for integers")
    return Spec(shape, dtype) if scope.symbolic or not known(shape) else ops.cast(draw(config.active(), _key(seed), shape, dtype), dtype)


def uniform(shape: Sequence[int], minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Seed = None) -> Any:
    """Numbers evenly distributed from `minval` to below `maxval`.

    Args:
        shape: The shape of the result.
        minval: The lower bound.
        maxval: The upper bound.
        dtype: A float dtype; None is `floatx()`.
        seed: An integer (the same numbers at each call), a `SeedGenerator`, or None for the default one.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.uniform((2, 3), minval=5.0, maxval=6.0, seed=1)
    >>> ops.shape(x), bool(ops.all(ops.logical_and(x >= 5, x < 6)))
    ((2, 3), True)
    >>> bool(ops.all(x == random.uniform((2, 3), minval=5.0, maxval=6.0, seed=1)))
    True
    """
    return _draw(shape, dtype, seed, lambda backend, *place: _scaled(backend.draw_uniform(*place), minval, maxval - minval))


def _scaled(x: Any, shift: Any, scale: Any) -> Any:
    x = x if scale.__class__ in (int, float) and scale == 1 else x * scale
    return x if shift.__class__ in (int, float) and shift == 0 else x + shift


def normal(shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Seed = None) -> Any:
    """Normally distributed numbers.

    Args:
        shape: The shape of the result.
        mean: Their mean.
        stddev: Their standard deviation.
        dtype: A float dtype; None is `floatx()`.
        seed: An integer (the same numbers at each call), a `SeedGenerator`, or None for the default one.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.normal((10000,), mean=2.0, stddev=0.5, seed=1)
    >>> f"{float(ops.mean(x)):.1f} {float(ops.std(x)):.1f}"
    '2.0 0.5'
    """
    return _draw(shape, dtype, seed, lambda backend, *place: _scaled(backend.draw_normal(*place), mean, stddev))


def truncated_normal(shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Seed = None) -> Any:
    """Normally distributed numbers, none of them further than two standard deviations from the mean; the arguments are those of `normal`.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.truncated_normal((1000,), mean=10.0, stddev=2.0, seed=1)
    >>> bool(ops.all(ops.abs(x - 10) <= 4))
    True
    """

    def draw(backend: Any, key: Any, shape: Any, dtype: str) -> Any:
        level = (backend.draw_uniform(key, shape, _wide(dtype)) * 2.0 - 1.0) * _ERF_OF_SQRT_2
        return _scaled(ops.clip(ops.erfinv(level) * 2**0.5, -2.0, 2.0), mean, stddev)

    return _draw(shape, dtype, seed, draw)


def randint(shape: Sequence[int], minval: int, maxval: int, dtype: Any = "int32", seed: Seed = None) -> Any:
    """Integers evenly distributed from `minval` to below `maxval`.

    Args:
        shape: The shape of the result.
        minval: The lower bound.
        maxval: The upper bound, which is not drawn.
        dtype: An integer dtype.
        seed: An integer (the same numbers at each call), a `SeedGenerator`, or None for the default one.

    Raises:
        ArgumentError: There is no integer between the two.
        DTypeError: The dtype is not an integer one.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.randint((1000,), 0, 6, seed=1)
    >>> int(ops.min(x)), int(ops.max(x))
    (0, 5)
    """
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)) and minval >= maxval:
        raise ArgumentError("minval must be below maxval.", where="random.randint", received=f"minval={minval}, maxval={maxval}")
    return _draw(shape, dtype, seed, lambda backend, key, shape, dtype: backend.draw_integers(key, shape, minval, maxval, dtype), integer=True)


@composite(dtype=FLOATING)
def categorical(logits: Tensor, num_samples: int, dtype: Any = "int32", seed: Seed = None) -> Any:
    """Classes, drawn for each row of `logits` with probabilities `softmax(logits)`.

    Args:
        logits: `(batch, classes)`.
        num_samples: How many are drawn for each row.
        dtype: The result's dtype.
        seed: An integer, a `SeedGenerator` or None.

    Returns:
        Integers, `(batch, num_samples)`.

    Raises:
        ShapeError: `logits` have not two axes.

    Example:

    >>> from keraunos import ops, random
    >>> never = -1e9
    >>> ops.convert_to_numpy(random.categorical([[0.0, never], [never, 0.0]], num_samples=3)).tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    if len(logits.shape) != 2:
        raise ShapeError("logits must have two axes.", where="random.categorical", received=show(logits.shape), expected="(batch, classes)")
    batch, classes = logits.shape
    noise = uniform((batch, num_samples, classes), 1e-20, 1.0, dtype="float32", seed=seed)
    return ops.cast(ops.argmax(ops.expand_dims(logits, 1) - ops.log(-ops.log(noise)), axis=-1), dtype)


@composite(dtype=SAME)
def shuffle(x: Operand, axis: int = 0, seed: Seed = None) -> Any:
    """`x` in a random order along `axis`; what stands side by side along the others stays together.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.shuffle([[1, 10], [2, 20], [3, 30]], seed=1)
    >>> sorted(ops.convert_to_numpy(x).tolist())
    [[1, 10], [2, 20], [3, 30]]
    """
    axis = normalize_axis(axis, len(x.shape))
    if isinstance(x, Spec):
        return Spec(x.shape, x.dtype)
    return ops.take(x, ops.argsort(uniform((x.shape[axis],), dtype="float32", seed=seed)), axis=axis)


@composite(dtype=FLOATING)
def dropout(inputs: Tensor, rate: float, noise_shape: Any = None, seed: Seed = None) -> Any:
    """`inputs` with a fraction `rate` of the elements set to 0 and the others divided by `1 - rate` ([Srivastava et al., 2014](https://jmlr.org/papers/v15/srivastava14a.html)).

    Args:
        inputs: The tensor.
        rate: From 0 to 1.
        noise_shape: The shape of the mask, which broadcasts; None in it takes the size of `inputs`.
        seed: An integer, a `SeedGenerator` or None.

    Raises:
        ArgumentError: `rate` is not from 0 to 1.
        ShapeError: `noise_shape` does not broadcast to `inputs`.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.dropout(ops.ones((1000,)), 0.5, seed=1)
    >>> sorted(set(ops.convert_to_numpy(x).tolist()))
    [0.0, 2.0]
    """
    backend = config.active()
    varied = backend.is_tensor(rate)  # a value of the program: checked where it was given
    if not varied and not 0 <= rate <= 1:
        raise ArgumentError("rate must be from 0 to 1.", where="random.dropout", received=f"rate={rate!r}")
    shape = tuple(inputs.shape)
    given = shape if noise_shape is None else tuple(noise_shape)
    own = shape[len(shape) - len(given) :]
    if len(given) > len(shape) or not all(n is None or n == 1 or same_dim(n, s) for n, s in zip(given, own, strict=True)):
        expected = f"1, None or the size, for each of {show(shape)}"
        raise ShapeError("noise_shape does not broadcast to inputs.", where="random.dropout", received=show(given), expected=expected)
    noise = tuple(s if n is None else n for s, n in zip(own, given, strict=True))
    if isinstance(inputs, Spec):
        return Spec(inputs.shape, inputs.dtype)
    key = _key(seed)
    return inputs * 0 if not varied and rate == 1 else inputs if not varied and rate == 0 else backend.draw_dropout(key, inputs, rate, noise)


def _wide(dtype: str) -> str:
    """The dtype to draw in: engines have not every distribution in half precision."""
    return dtype if dtype == "float64" else "float32"


def _parameter(backend: Any, x: Any, shape: tuple[int, ...], dtype: str) -> Any:
    return ops.broadcast_to(ops.cast(ops.convert_to_tensor(x), _wide(dtype)), shape)


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Numbers of the gamma distribution with shape `alpha` and rate 1, whose mean is `alpha`.

    Args:
        shape: The shape of the result.
        alpha: A positive number, or a tensor that broadcasts to `shape`.
        dtype: A float dtype; None is `floatx()`.
        seed: An integer, a `SeedGenerator` or None.

    Example:

    >>> from keraunos import ops, random
    >>> low, high = ops.convert_to_numpy(random.gamma((2, 1000), [[1.0], [9.0]], seed=1))
    >>> f"{low.mean():.0f} {high.mean():.0f}"
    '1 9'
    """
    return _draw(shape, dtype, seed, lambda backend, key, *form: backend.draw_gamma(key, _parameter(backend, alpha, *form)))


def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Numbers of the beta distribution, from 0 to 1 with the mean `alpha / (alpha + beta)`.

    Args:
        shape: The shape of the result.
        alpha: A positive number, or a tensor that broadcasts to `shape`.
        beta: Likewise.
        dtype: A float dtype; None is `floatx()`.
        seed: An integer, a `SeedGenerator` or None.

    Example:

    >>> from keraunos import ops, random
    >>> x = random.beta((1000,), 2.0, 2.0, seed=1)
    >>> bool(ops.all(ops.logical_and(x > 0, x < 1)))
    True
    """

    def draw(backend: Any, key: Any, *form: Any) -> Any:
        a, b = (backend.draw_gamma(k, _parameter(backend, x, *form)) for k, x in ((key, alpha), (_key(seed, 1), beta)))
        return a / (a + b)

    return _draw(shape, dtype, seed, draw)


def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = None, seed: Seed = None) -> Any:
    """Numbers of successes in `counts` trials, each with the given probability.

    Args:
        shape: The shape of the result.
        counts: How many trials, a number or a tensor that broadcasts to `shape`.
        probabilities: From 0 to 1, likewise.
        dtype: A float dtype; None is `floatx()`.
        seed: An integer, a `SeedGenerator` or None.

    Raises:
        ArgumentError: A probability given as a number is not from 0 to 1.

    Example:

    >>> from keraunos import ops, random
    >>> ops.convert_to_numpy(random.binomial((3,), counts=10, probabilities=[0.0, 1.0, 1.0])).tolist()
    [0.0, 10.0, 10.0]
    """
    if isinstance(probabilities, (int, float)) and not 0 <= probabilities <= 1:
        raise ArgumentError("probabilities must be from 0 to 1.", where="random.binomial", received=f"probabilities={probabilities}")
    return _draw(shape, dtype, seed, lambda backend, key, *form: backend.draw_binomial(key, *(_parameter(backend, x, *form) for x in (counts, probabilities))))


__all__ = [
    "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle", "truncated_normal", "uniform",
]  # fmt: skip

answer_for(__name__)

"""`keras.ops.nn`: encodings of classes, crossentropies, normalizations; and the names of the families in files of their own."""

from __future__ import annotations

import builtins
from typing import Any

from keraunos.core import config, dtypes
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, ShapeError, suggestion
from keraunos.core.missing import answer_for
from keraunos.core.op import Operand, Tensor
from keraunos.core.spec import normalize_axes, normalize_axis, show
from keraunos.ops import activations, attention, convolutions, ctc, patches, rules, shaping
from keraunos.ops.activations import *
from keraunos.ops.activations import log_softmax
from keraunos.ops.attention import *
from keraunos.ops.complexes import polar
from keraunos.ops.convolutions import *
from keraunos.ops.creation import arange
from keraunos.ops.ctc import *
from keraunos.ops.patches import *
from keraunos.ops.reductions import max, mean, sum, top_k
from keraunos.ops.rules import Composed, Floating, declare
from keraunos.ops.shaping import expand_dims, reshape, squeeze, take_along_axis
from keraunos.ops.special import psnr

from keraunos.ops.elementwise import (  # isort: skip
    abs, add, cast, clip, divide_no_nan, equal, exp, greater, isnan, less, log, log1p, logical_and, logical_not, maximum, multiply, power, rsqrt, square, stop_gradient,
    subtract, true_divide,
)  # fmt: skip


# ---- classes ----
def one_hot(x: Operand, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Composed:
    """Integers as vectors that are 1 at that place and 0 elsewhere; all 0 for integers that are no class.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.one_hot([1, 0], 3)).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if sparse:
        raise BackendError("one_hot makes no sparse tensors.", fix="sparse=False")
    if isinstance(num_classes, (str, float)) or (isinstance(num_classes, int) and num_classes < 0):
        raise ArgumentError("num_classes must be an integer of at least 0.", received=f"num_classes={num_classes!r}")
    rank = len(x.shape) + 1
    place = normalize_axis(axis, rank)
    classes = reshape(arange(num_classes, dtype="int32"), [num_classes if i == place else 1 for i in range(rank)])
    return cast(equal(expand_dims(cast(x, "int32"), place), classes), dtype or config.floatx())


def _former(kwargs: dict[str, Any], name: str) -> Any:
    """What is given by the former name of an option, which alone is taken."""
    if wrong := next((given for given in kwargs if given != name), None):
        raise ArgumentTypeError(f"There is no argument '{wrong}'.", fix=suggestion(wrong, [name]))
    return kwargs.get(name)


def multi_hot(inputs: Operand, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any) -> Composed:
    """Sets of integers, along axis 1 (or the only one), as vectors that are 1 at the place of each and 0 elsewhere.

    Args:
        inputs: The integers; those that are no class leave no mark.
        num_classes: How many there are.
        axis: Where the axis of the classes is.
        dtype: The result's dtype; None is `floatx()`.
        sparse: False: there are no sparse tensors.
        **kwargs: `num_tokens`, Keras's former name of `num_classes`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.multi_hot([[0, 2], [1, 1]], num_classes=4)).tolist()
    [[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    """
    former = _former(kwargs, "num_tokens")
    num_classes = former if num_classes is None else num_classes
    if num_classes is None:
        raise ArgumentError("multi_hot needs num_classes.", fix="multi_hot(x, num_classes=…)")
    encoded, along = one_hot(inputs, num_classes, axis=axis, dtype=dtype, sparse=sparse), builtins.min(1, len(inputs.shape) - 1)
    return max(encoded, axis=along, initial=0 if encoded.shape[along] == 0 else None)


def in_top_k(targets: Operand, predictions: Tensor, k: int) -> Composed:
    """Whether each target class is among the `k` largest predictions of its row; ties count, NaN does not.

    Args:
        targets: Integers, `(batch,)`.
        predictions: `(batch, classes)`.
        k: How many count.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.in_top_k([0, 2], [[0.1, 0.7, 0.2], [0.1, 0.7, 0.2]], k=2)).tolist()
    [False, True]
    """
    targets, k = cast(targets, "int32"), rules.integer(k, "k")
    nearest = clip(targets, 0, predictions.shape[-1] - 1)
    own = take_along_axis(predictions, expand_dims(nearest, -1), axis=-1)
    above = sum(cast(greater(predictions, own), "int32"), axis=-1)
    return logical_and(logical_and(less(above, k), logical_not(isnan(squeeze(own, -1)))), equal(nearest, targets))


# ---- crossentropies ----
def _with_axis(target: Any, output: Any, axis: int) -> Any:
    """Sparse targets, checked to fit, with size 1 along the axis of the classes."""
    place = normalize_axis(axis, len(output.shape))
    wanted = (*output.shape[:place], *output.shape[place + 1 :])
    if rules.equal(target.shape, wanted):
        return expand_dims(target, place)
    if not rules.equal(target.shape, (*output.shape[:place], 1, *output.shape[place + 1 :])):
        fix = "one-hot targets need the categorical crossentropy" if tuple(target.shape) == tuple(output.shape) else None
        received = f"target {show(target.shape)}, output {show(output.shape)}"
        raise ShapeError("The classes in target do not fit output.", received=received, expected=f"target {show(wanted)}", fix=fix)
    return target


def sparse_categorical_crossentropy(target: Operand, output: Tensor, from_logits: bool = False, axis: int = -1) -> Floating:
    """`-log(p)` of each target class, given as an integer.

    Args:
        target: The classes, of the shape of `output` without `axis` (or with size 1 there).
        output: Probabilities, which are made to sum to 1 along `axis`; or logits.
        from_logits: Whether `output` is logits.
        axis: The axis of the classes.

    Raises:
        ShapeError: The shapes do not fit.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sparse_categorical_crossentropy([0, 1], [[0.5, 0.5], [0.75, 0.25]])).tolist()
    [0.693..., 1.386...]
    """
    target = cast(_with_axis(target, output, axis), "int32")
    if from_logits:
        return -squeeze(take_along_axis(log_softmax(output, axis=axis), target, axis=axis), axis)
    chosen = divide_no_nan(take_along_axis(output, target, axis=axis), sum(output, axis=axis, keepdims=True))
    return -squeeze(log(_inside(chosen)), axis)


def _inside(p: Any) -> Any:
    return clip(p, config.epsilon(), 1.0 - config.epsilon())


def _check_equal(target: Any, output: Any) -> None:
    if not rules.equal(target.shape, output.shape):
        sparse = len(target.shape) + 1 == len(output.shape) or tuple(target.shape[-1:]) == (1,)
        fix = "integer classes need the sparse categorical crossentropy" if sparse else None
        raise ShapeError("target and output must have one shape.", received=f"target {show(target.shape)}, output {show(output.shape)}", fix=fix)


def categorical_crossentropy(target: Operand, output: Tensor, from_logits: bool = False, axis: int = -1) -> Floating:
    """`-sum(target * log(p))` along `axis`.

    Args:
        target: Probabilities, or one-hot vectors, of `output`'s shape.
        output: Probabilities, which are made to sum to 1 along `axis`; or logits.
        from_logits: Whether `output` is logits.
        axis: The axis of the classes.

    Raises:
        ShapeError: The shapes differ.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.categorical_crossentropy([[1.0, 0.0]], [[0.5, 0.5]])).tolist()
    [0.693...]
    >>> float(ops.categorical_crossentropy([0.0, 1.0], [0.0, 0.0], from_logits=True))
    0.693...
    """
    _check_equal(target, output)
    p = log_softmax(output, axis=axis) if from_logits else log(_inside(divide_no_nan(output, sum(output, axis=axis, keepdims=True))))
    return -sum(_like(target, p) * p, axis=axis)


def binary_crossentropy(target: Operand, output: Tensor, from_logits: bool = False) -> Floating:
    """`-target * log(p) - (1 - target) * log(1 - p)`, element by element.

    Args:
        target: 0 to 1, of `output`'s shape.
        output: Probabilities, or logits.
        from_logits: Whether `output` is logits.

    Raises:
        ShapeError: The shapes differ.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.binary_crossentropy([1.0, 0.0], [0.5, 0.75])).tolist()
    [0.693..., 1.386...]
    """
    _check_equal(target, output)
    target = _like(target, output)
    if from_logits:
        return maximum(output, 0) - output * target + log1p(exp(-abs(output)))
    p = _inside(output)
    # Where 1 - epsilon rounds to 1, as in half precision, 1 - p must still not be 0.
    return -(target * log(p) + subtract(1.0, target) * log(maximum(subtract(1.0, p), config.epsilon())))


def _like(x: Any, other: Any) -> Any:
    """`x` in the dtype of `other`."""
    return cast(x, other.dtype)


# ---- normalizations ----
def _wide(x: Any) -> Any:
    """`x`, in float32 if its own dtype is too short for sums of squares."""
    return cast(x, "float32") if dtypes.standardize_dtype(x.dtype) in ("float16", "bfloat16") else x


def moments(x: Tensor, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Floating, Floating]:
    """The mean and the variance over `axes`; short floats are summed in float32.

    Example:

    >>> from keraunos import ops
    >>> mean, variance = ops.moments([1.0, 3.0], 0)
    >>> float(mean), float(variance)
    (2.0, 1.0)
    """
    if synchronized:
        raise BackendError("moments cannot be synchronized over replicas.", fix="synchronized=False")
    wide = _wide(x)
    center = mean(wide, axis=axes, keepdims=True)
    variance = mean(square(wide - center), axis=axes, keepdims=keepdims)
    center = center if keepdims else squeeze(center, normalize_axes(axes, len(x.shape)))
    return _like(center, x), _like(variance, x)


def _along(parameter: Any, x: Any, axes: tuple[int, ...], name: str) -> Any:
    """A parameter that lies along `axes` of `x`, or one number, with axes of size 1 so that it broadcasts."""
    shape, wanted = tuple(parameter.shape), tuple(x.shape[i] for i in axes)
    if len(shape) not in (0, len(x.shape)) and not rules.equal(shape, wanted):
        raise ShapeError(f"{name} must have the shape of the normalized axes.", received=f"{name} {show(shape)}, x {show(x.shape)}", expected=show(wanted))
    if len(shape) in (0, len(x.shape)) or axes[0] == len(x.shape) - len(axes):
        return parameter
    sizes = shaping.shape(parameter)
    return reshape(parameter, [sizes[axes.index(i)] if i in axes else 1 for i in range(len(x.shape))])


def batch_normalization(x: Tensor, mean: Tensor, variance: Tensor, axis: int, offset: Tensor = None, scale: Tensor = None, epsilon: float = 1e-3) -> Floating:
    """`(x - mean) / sqrt(variance + epsilon) * scale + offset`, the statistics lying along `axis` ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)).

    Args:
        x: The tensor.
        mean: A vector as long as `axis`.
        variance: Likewise.
        axis: The axis that is not normalized, as a rule that of the channels.
        offset: Likewise a vector; None is 0.
        scale: Likewise a vector; None is 1.
        epsilon: What keeps the root from 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.batch_normalization([[1.0, 10.0], [3.0, 30.0]], mean=[2.0, 20.0], variance=[1.0, 100.0], axis=-1, epsilon=0.0)).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """
    axes = (normalize_axis(axis, len(x.shape)),)
    factor = rsqrt(add(_along(variance, x, axes, "variance"), epsilon))
    factor = factor if scale is None else factor * _along(scale, x, axes, "scale")
    center = _along(mean, x, axes, "mean") * factor  # so that one product and one sum are left for each element
    return x * factor - center if offset is None else x * factor + (_along(offset, x, axes, "offset") - center)


def standardize_batch(x: Tensor, axis: int, offset: Tensor = None, scale: Tensor = None, epsilon: float = 1e-3) -> tuple[Floating, Floating, Floating]:
    """`batch_normalization` by the batch's own moments; returns them too, as `(out, mean, variance)`.

    Engines fuse it, forward and backward, which they cannot do for the two steps by themselves. No gradient flows
    through the moments that it returns.
    """
    place = normalize_axis(axis, len(x.shape))
    center, variance = moments(x, [i for i in range(len(x.shape)) if i != place])
    return batch_normalization(x, center, variance, axis, offset, scale, epsilon), stop_gradient(center), stop_gradient(variance)


def moved_average(average: Tensor, now: Tensor, momentum: float) -> Floating:
    """`average` where it is after one more value; engines may have one kernel for it."""
    return add(multiply(average, momentum), multiply(now, 1.0 - momentum))


def _by_root(x: Any, wide: Any, axes: tuple[int, ...], epsilon: float | None, scale: Any, name: str, of: Any = None) -> Any:
    """`wide` over its root mean square, or that `of` another, in the dtype of `x`, times `scale`."""
    least = config.epsilon() if epsilon is None else epsilon
    out = _like(wide * rsqrt(add(mean(square(wide if of is None else of), axis=axes, keepdims=True), least)), x)
    return out if scale is None else out * _along(_like(scale, x), x, axes, name)


def layer_normalization(x: Tensor, gamma: Operand = None, beta: Operand = None, axis: Any = -1, epsilon: float | None = None, **kwargs: Any) -> Floating:
    """`x` with mean 0 and variance 1 over `axis`, times `gamma`, plus `beta` ([Ba et al., 2016](https://arxiv.org/abs/1607.06450)).

    Args:
        x: The tensor.
        gamma: The scale, in the shape of the normalized axes; None is 1.
        beta: The offset, likewise; None is 0.
        axis: One axis or several.
        epsilon: What keeps the root from 0; None is `epsilon()` of `keraunos.config`.
        **kwargs: With `rms_scaling=True`, Keras's former option, the mean stays as it is, and `beta` is left out.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.layer_normalization([[1.0, 3.0], [4.0, 4.0]], epsilon=0.25)).tolist()
    [[-0.894..., 0.894...], [0.0, 0.0]]
    """
    axes, wide = tuple(sorted(normalize_axes(axis, len(x.shape)))), _wide(x)
    centered = wide - mean(wide, axis=axes, keepdims=True)
    if _former(kwargs, "rms_scaling"):
        return _by_root(x, wide, axes, epsilon, gamma, "gamma", centered)
    out = _by_root(x, centered, axes, epsilon, gamma, "gamma")
    return out if beta is None else out + _along(_like(beta, x), x, axes, "beta")


def rms_normalization(x: Tensor, scale: Operand = None, axis: Any = -1, epsilon: float | None = None) -> Floating:
    """`x / sqrt(mean(x ** 2) + epsilon) * scale` over `axis` ([Zhang and Sennrich, 2019](https://arxiv.org/abs/1910.07467)).

    Args:
        x: The tensor.
        scale: In the shape of the normalized axes; None is 1.
        axis: One axis or several.
        epsilon: What keeps the root from 0; None is `epsilon()` of `keraunos.config`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.rms_normalization([3.0, -3.0, 0.0, 0.0], epsilon=0.0)).tolist()
    [1.414..., -1.414..., 0.0, 0.0]
    """
    return _by_root(x, _wide(x), tuple(sorted(normalize_axes(axis, len(x.shape)))), epsilon, scale, "scale")


def normalize(x: Tensor, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Floating:
    """`x` over its norm of the given order along `axis`, which is taken to be at least `epsilon`.

    Example:

    >>> from keraunos import ops
    >>> [round(float(x), 4) for x in ops.normalize([3.0, 4.0])]
    [0.6, 0.8]
    """
    if not isinstance(order, int) or order < 1:
        raise ArgumentError("order must be an integer of at least 1.", received=f"order={order!r}")
    x = x if x.shape else reshape(x, (1,))
    total = sum(square(x) if order == 2 else power(abs(x), order), axis=axis, keepdims=True)
    # The bound is set below the root, so that the gradient at 0 is 0 and not NaN.
    return true_divide(x, power(maximum(total, (config.epsilon() if epsilon is None else epsilon) ** order), 1.0 / order))


declare(globals())

__all__ = [
    "batch_normalization", "binary_crossentropy", "categorical_crossentropy", "in_top_k", "layer_normalization", "moments", "multi_hot", "normalize",
    "one_hot", "polar", "psnr", "rms_normalization", "sparse_categorical_crossentropy", "top_k",
]  # fmt: skip
__all__ += activations.__all__
__all__ += attention.__all__
__all__ += convolutions.__all__
__all__ += ctc.__all__
__all__ += patches.__all__

answer_for(__name__)

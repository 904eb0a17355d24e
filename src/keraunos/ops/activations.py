"""Activations: elementwise bends, and those that weigh an axis against itself."""

from __future__ import annotations

import math
from typing import Any

from keraunos.core.op import Tensor
from keraunos.core.spec import is_known, normalize_axes
from keraunos.ops.creation import ones_like
from keraunos.ops.reductions import cumsum, max, sort, sum
from keraunos.ops.rules import Floating, Numeric, Promoted, declare
from keraunos.ops.shaping import flip, split

from keraunos.ops.elementwise import (  # isort: skip
    abs, add, cast, clip, erf, exp, expm1, greater, log, logaddexp, maximum, minimum, multiply, sigmoid, sqrt, square, stop_gradient, subtract, tanh,
    true_divide, where,
)  # fmt: skip

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def relu(x: Tensor) -> Promoted:
    """`max(x, 0)`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.relu([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return maximum(x, 0)


def relu6(x: Tensor) -> Floating:
    """`min(max(x, 0), 6)`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.relu6([-1.0, 2.0, 8.0])).tolist()
    [0.0, 2.0, 6.0]
    """
    return clip(x, 0, 6)


def leaky_relu(x: Tensor, negative_slope: float = 0.2) -> Floating:
    """`x` where positive, else `negative_slope * x`, so that a gradient is left there.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.leaky_relu([-1.0, 2.0], negative_slope=0.25)).tolist()
    [-0.25, 2.0]
    """
    return where(greater(x, 0), x, multiply(x, negative_slope))


def elu(x: Tensor, alpha: float = 1.0) -> Floating:
    """`x` where positive, else `alpha * (exp(x) - 1)` ([Clevert et al., 2016](https://arxiv.org/abs/1511.07289)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.elu([-1.0, 0.0, 2.0])).tolist()
    [-0.632..., 0.0, 2.0]
    """
    return where(greater(x, 0), x, multiply(alpha, expm1(minimum(x, 0))))


def selu(x: Tensor) -> Floating:
    """`elu`, scaled so that activations keep mean 0 and variance 1 ([Klambauer et al., 2017](https://arxiv.org/abs/1706.02515)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.selu([-1.0, 0.0, 1.0])).tolist()
    [-1.111..., 0.0, 1.050...]
    """
    return multiply(_SELU_SCALE, elu(x, _SELU_ALPHA))


def celu(x: Tensor, alpha: float = 1.0) -> Floating:
    """`max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0)` ([Barron, 2017](https://arxiv.org/abs/1704.07483)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.celu([-2.0, 0.0, 2.0], alpha=2.0)).tolist()
    [-1.264..., 0.0, 2.0]
    """
    return where(greater(x, 0), x, multiply(alpha, expm1(true_divide(minimum(x, 0), alpha))))


def gelu(x: Tensor, approximate: bool = True) -> Floating:
    """`x * P(X <= x)` for a standard normal X; `approximate` takes tanh for the error function ([Hendrycks, 2016](https://arxiv.org/abs/1606.08415)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.gelu([-1.0, 0.0, 1.0], approximate=False)).tolist()
    [-0.158..., 0.0, 0.841...]
    """
    if approximate:
        inner = tanh(multiply(math.sqrt(2 / math.pi), add(x, multiply(0.044715, x * x * x))))
    else:
        inner = erf(multiply(x, math.sqrt(0.5)))
    return multiply(multiply(0.5, x), add(1.0, inner))


def silu(x: Tensor) -> Floating:
    """`x * sigmoid(x)`, also called swish ([Ramachandran et al., 2017](https://arxiv.org/abs/1710.05941)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.silu([-1.0, 0.0, 1.0])).tolist()
    [-0.268..., 0.0, 0.731...]
    """
    return x * sigmoid(x)


def mish(x: Tensor) -> Floating:
    """`x * tanh(softplus(x))` ([Misra, 2019](https://arxiv.org/abs/1908.08681)).

    Example:

    >>> from keraunos import activations, ops
    >>> ops.convert_to_numpy(activations.mish([-1.0, 0.0, 1.0])).tolist()
    [-0.303..., 0.0, 0.865...]
    """
    return x * tanh(softplus(x))


def softplus(x: Tensor) -> Floating:
    """`log(exp(x) + 1)`, a smooth `relu`, computed stably.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.softplus([0.0, 1000.0])).tolist()
    [0.693..., 1000.0]
    """
    return logaddexp(x, 0.0)


def softsign(x: Tensor) -> Floating:
    """`x / (abs(x) + 1)`, from -1 to 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.softsign([-1.0, 0.0, 3.0])).tolist()
    [-0.5, 0.0, 0.75]
    """
    return true_divide(x, add(abs(x), 1.0))


def log_sigmoid(x: Tensor) -> Floating:
    """`log(sigmoid(x))`, computed stably.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.log_sigmoid([0.0, -1000.0])).tolist()
    [-0.693..., -1000.0]
    """
    return -softplus(-x)


def hard_sigmoid(x: Tensor) -> Floating:
    """`relu6(x + 3) / 6`, a `sigmoid` of straight lines.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hard_sigmoid([-3.0, 0.0, 3.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return true_divide(clip(add(x, 3.0), 0, 6), 6.0)


def hard_silu(x: Tensor) -> Floating:
    """`x * hard_sigmoid(x)`, also called hard swish ([Howard et al., 2019](https://arxiv.org/abs/1905.02244)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hard_silu([-1.5, 0.0, 4.0])).tolist()
    [-0.375, 0.0, 4.0]
    """
    return x * hard_sigmoid(x)


def hard_tanh(x: Tensor) -> Numeric:
    """`x`, not below -1 nor above 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hard_tanh([-2.0, 0.5, 2.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    return clip(x, -1, 1)


def tanh_shrink(x: Tensor) -> Floating:
    """`x - tanh(x)`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.tanh_shrink([0.0, 1.0])).tolist()
    [0.0, 0.238...]
    """
    return x - tanh(x)


def soft_shrink(x: Tensor, threshold: float = 0.5) -> Floating:
    """`x` moved towards 0 by `threshold`, and 0 within it.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.soft_shrink([-1.0, 0.25, 2.0])).tolist()
    [-0.5, 0.0, 1.5]
    """
    return x - clip(x, -threshold, threshold)


def hard_shrink(x: Tensor, threshold: float = 0.5) -> Floating:
    """`x`, but 0 within `threshold` of 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hard_shrink([-1.0, 0.25, 2.0])).tolist()
    [-1.0, 0.0, 2.0]
    """
    return where(greater(abs(x), threshold), x, 0.0)


def threshold(x: Tensor, threshold: float, default_value: float) -> Numeric:
    """`x` where above `threshold`, else `default_value`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.threshold([-1.0, 0.5, 2.0], 0.5, 0.0)).tolist()
    [0.0, 0.0, 2.0]
    """
    return where(greater(x, threshold), x, default_value)


def squareplus(x: Tensor, b: float = 4) -> Floating:
    """`(x + sqrt(x ** 2 + b)) / 2`, a `softplus` without exponentials ([Barron, 2021](https://arxiv.org/abs/2112.11687)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.squareplus([-1.5, 0.0, 1.5])).tolist()
    [0.5, 1.0, 2.0]
    """
    return true_divide(x + sqrt(add(x * x, b)), 2)


def sparse_plus(x: Tensor) -> Floating:
    """0 up to -1, `(x + 1) ** 2 / 4` up to 1, then `x`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sparse_plus([-2.0, 0.0, 1.0, 3.0])).tolist()
    [0.0, 0.25, 1.0, 3.0]
    """
    return where(greater(x, 1), x, square(sparse_sigmoid(x)))


def sparse_sigmoid(x: Tensor) -> Floating:
    """0 up to -1, `(x + 1) / 2` up to 1, then 1.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sparse_sigmoid([-2.0, 0.0, 0.5, 3.0])).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    return true_divide(add(clip(x, -1, 1), 1.0), 2.0)


def glu(x: Tensor, axis: int = -1) -> Floating:
    """The first half of `x` along `axis`, times the sigmoid of the second ([Dauphin et al., 2017](https://arxiv.org/abs/1612.08083)).

    Raises:
        ShapeError: The size of `axis` is odd.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.glu([4.0, 6.0, 0.0, 100.0])).tolist()
    [2.0, 6.0]
    """
    first, second = split(x, 2, axis=axis)
    return first * sigmoid(second)


def _largest(x: Any, axis: Any) -> Any:
    normalize_axes(axis, len(x.shape))
    return stop_gradient(max(x, axis=axis, keepdims=True, initial=0 if any(is_known(n) and n == 0 for n in x.shape) else None))


def softmax(x: Tensor, axis: Any = -1) -> Floating:
    """`exp(x) / sum(exp(x))` along one or more axes, computed stably; None is all of them.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.softmax([1.0, 1.0])).tolist()
    [0.5, 0.5]
    """
    e = exp(x - _largest(x, axis))
    return e / sum(e, axis=axis, keepdims=True)


def log_softmax(x: Tensor, axis: Any = -1) -> Floating:
    """`log(softmax(x))` along one or more axes, computed stably; None is all of them.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.log_softmax([0.0, 0.0])).tolist()
    [-0.693..., -0.693...]
    >>> ops.convert_to_numpy(ops.log_softmax([0.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """
    z = x - _largest(x, axis)
    return z - log(sum(exp(z), axis=axis, keepdims=True))


def sparsemax(x: Tensor, axis: int = -1) -> Floating:
    """The nearest point of the probability simplex, where many entries are 0 ([Martins and Astudillo, 2016](https://arxiv.org/abs/1602.02068)).

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.sparsemax([1.0, 0.5, -1.0])).tolist()
    [0.75, 0.25, 0.0]
    """
    z = flip(sort(x, axis=axis), axis=axis)
    rank = cumsum(ones_like(z), axis=axis)
    support = greater(add(rank * z, 1.0), cumsum(z, axis=axis))
    chosen = where(support, z, 0.0)  # the rest may be masked by -inf
    tau = subtract(sum(chosen, axis=axis, keepdims=True), 1.0) / sum(cast(support, z.dtype), axis=axis, keepdims=True)
    return maximum(x - tau, 0)


declare(globals())
swish, hard_swish = silu, hard_silu

__all__ = [
    "celu", "elu", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid", "log_softmax",
    "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "squareplus", "swish", "tanh_shrink", "threshold",
]  # fmt: skip

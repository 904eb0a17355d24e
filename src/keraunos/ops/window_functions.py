"""Window functions, which taper a signal at its ends."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos.core import dtypes
from keraunos.core.op import Operand
from keraunos.ops.elementwise import multiply, true_divide
from keraunos.ops.rules import Composed, declare, integer
from keraunos.ops.shaping import convert_to_tensor
from keraunos.ops.special import i0


def _length(x: Any) -> int:
    """The number of elements, which may be given as a scalar array."""
    x = x.item() if getattr(x, "shape", None) == () else x
    return int(integer(int(x) if isinstance(x, float) and x.is_integer() else x, "x"))


def _constant(values: np.ndarray) -> Any:
    return convert_to_tensor(values, dtypes.standardize_dtype(None))


def bartlett(x: Any) -> Composed:
    """The Bartlett window of `x` elements, a triangle from 0 to 1 and back.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.bartlett(5)).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return _constant(np.bartlett(_length(x)))


def blackman(x: Any) -> Composed:
    """The Blackman window of `x` elements, `0.42 - 0.5 cos(2 pi n / (x - 1)) + 0.08 cos(4 pi n / (x - 1))`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.blackman(5)[1:3]).tolist()
    [0.340..., 1.0]
    """
    return _constant(np.blackman(_length(x)))


def hamming(x: Any) -> Composed:
    """The Hamming window of `x` elements, `0.54 - 0.46 cos(2 pi n / (x - 1))`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hamming(3)).tolist()
    [0.079..., 1.0, 0.079...]
    """
    return _constant(np.hamming(_length(x)))


def hanning(x: Any) -> Composed:
    """The Hann window of `x` elements, symmetric.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.hanning(5)).round(4).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return _constant(np.hanning(_length(x)))


def kaiser(x: Any, beta: Operand) -> Composed:
    """The Kaiser window of `x` elements; the greater `beta`, the narrower.

    Args:
        x: How many elements.
        beta: 0 is a rectangle; 5, 6 and 8.6 are near the Hamming, the Hann and the Blackman window.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.kaiser(4, beta=5.0)).tolist()
    [0.036..., 0.775..., 0.775..., 0.036...]
    """
    n = _length(x)
    places = np.linspace(-1, 1, n) if n > 1 else np.zeros(max(n, 0))
    beta = convert_to_tensor(beta, dtypes.standardize_dtype(None))
    return true_divide(i0(multiply(beta, _constant(np.sqrt(1 - places**2)))), i0(beta))


declare(globals())

__all__ = ["bartlett", "blackman", "hamming", "hanning", "kaiser"]

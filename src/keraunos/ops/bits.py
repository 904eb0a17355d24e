"""Ops on the bits of elements."""

from __future__ import annotations

from typing import Any

from keraunos.core import dtypes
from keraunos.core.errors import ShapeError
from keraunos.core.op import Tensor, primitive, spec_of
from keraunos.core.spec import UNKNOWN, Spec, show
from keraunos.ops.control import scan
from keraunos.ops.creation import zeros_like
from keraunos.ops.elementwise import absolute, add, equal, floor_divide, mod, multiply, settled, where
from keraunos.ops.rules import Bitwise, Shifted, broadcast, declare, dims
from keraunos.ops.shaping import dtype


def bitwise_and(x: Tensor, y: Tensor) -> Bitwise:
    """The bits that are set in both, of integers or bools.

    Example:

    >>> from keraunos import ops
    >>> int(ops.bitwise_and(12, 10))
    8
    """


def bitwise_or(x: Tensor, y: Tensor) -> Bitwise:
    """The bits that are set in either.

    Example:

    >>> from keraunos import ops
    >>> int(ops.bitwise_or(0b1100, 0b1010)) == 0b1110
    True
    """


def bitwise_xor(x: Tensor, y: Tensor) -> Bitwise:
    """The bits that are set in exactly one.

    Example:

    >>> from keraunos import ops
    >>> int(ops.bitwise_xor(0b1100, 0b1010)) == 0b0110
    True
    """


def bitwise_invert(x: Tensor) -> Bitwise:
    """The bits that are not set: `-x - 1` of signed integers, "not" of bools.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.bitwise_invert([0, 5])).tolist()
    [-1, -6]
    """


def left_shift(x: Tensor, y: Tensor) -> Shifted:
    """The bits moved up by `y` places, zeros coming in: `x` times 2 to the power `y`.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.left_shift([1, 3], [3, 1])).tolist()
    [8, 6]
    """


def right_shift(x: Tensor, y: Tensor) -> Shifted:
    """The bits moved down by `y` places, the sign coming in: `x` divided by 2 to the power `y`, rounded down.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.right_shift([8, -5], [3, 1])).tolist()
    [1, -3]
    """


declare(globals(), broadcast)
bitwise_not, bitwise_left_shift, bitwise_right_shift = bitwise_invert, left_shift, right_shift


def _viewed(x: Any, dtype: Any = None) -> Spec:
    """The spec of `x` seen as another dtype: the last axis takes up what is between the sizes."""
    shape, own = dims(x), spec_of(x).dtype
    name = own if dtype is None else dtypes.standardize_dtype(dtype)
    old, new = (8 if n == "bool" else dtypes.BITS[n] for n in (own, name))
    if old == new:
        return Spec(shape, name)
    if not shape:
        raise ShapeError(f"A scalar of {old} bits cannot be viewed as {name} of {new}.", fix="reshape it to one axis first")
    if shape[-1] is not UNKNOWN and shape[-1] * old % new:
        fact = f"{shape[-1]} elements of {old} bits cannot be viewed as {name} of {new}."
        raise ShapeError(fact, received=show(shape), fix="the last axis must hold whole elements of the new dtype")
    return Spec((*shape[:-1], UNKNOWN if shape[-1] is UNKNOWN else shape[-1] * old // new), name)


@primitive(shape=_viewed)
def view(x: Tensor, dtype: Any = None) -> Tensor:
    """The same bits as elements of another dtype, their own if None; where these are smaller, the last axis is longer, and the reverse.

    Example:

    >>> import numpy as np
    >>> from keraunos import ops
    >>> hex(int(ops.view(np.float32(1), "int32")))
    '0x3f800000'
    """


# ---- whole numbers ----
def gcd(x1: Tensor, x2: Tensor) -> Shifted:
    """The greatest common divisor of two integers, not negative.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.gcd([12, 7, 0], [18, 5, 4])).tolist()
    [6, 1, 4]
    """
    x1, x2 = (absolute(x) for x in settled(x1, x2))
    a, b = add(x1, zeros_like(x2)), add(x2, zeros_like(x1))  # of one shape, as a loop's state must be

    def step(pair: Any, _: Any) -> Any:
        a, b = pair
        done = equal(b, 0)
        return (where(done, a, b), where(done, b, mod(a, where(done, 1, b)))), None

    # Euclid's algorithm takes the most steps for neighbours among Fibonacci's numbers: 1.44 a bit.
    return scan(step, (a, b), length=dtypes.BITS[dtype(a)] * 3 // 2)[0][0]


def lcm(x1: Tensor, x2: Tensor) -> Shifted:
    """The least common multiple of two integers, not negative; 0 if one is 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.lcm([4, 7, 0], [6, 5, 3])).tolist()
    [12, 35, 0]
    """
    x1, x2 = settled(x1, x2)
    common = gcd(x1, x2)
    return absolute(multiply(floor_divide(x1, where(equal(common, 0), 1, common)), x2))


declare(globals())

__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "gcd", "lcm", "left_shift",
    "right_shift", "view",
]  # fmt: skip

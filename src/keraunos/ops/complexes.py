"""Ops that make complex numbers and take them apart."""

from __future__ import annotations

from keraunos.core import dtypes
from keraunos.core.errors import ShapeError
from keraunos.core.op import Tensor
from keraunos.core.spec import same_dim, show
from keraunos.ops.elementwise import arctan2, cos, equal, multiply, negative, settled, sin
from keraunos.ops.rules import Complex, Floating, Real, Same, broadcast, declare
from keraunos.ops.shaping import dtype, get_item, shape, stack


def real(x: Tensor) -> Real:
    """The real part; what is not complex is its own.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.real([1 + 2j, 3])).tolist()
    [1.0, 3.0]
    """


def imag(x: Tensor) -> Real:
    """The imaginary part; 0 for what is not complex.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.imag([1 + 2j, 3])).tolist()
    [2.0, 0.0]
    """


def as_complex(real: Tensor, imag: Tensor) -> Complex:
    """The complex numbers of these parts."""


declare(globals(), broadcast)


def conjugate(x: Tensor) -> Same:
    """`x` with the imaginary part's sign turned round.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.conj([1 + 2j, 3])).tolist()
    [(1-2j), (3-0j)]
    """
    return as_complex(real(x), negative(imag(x))) if dtype(x) in dtypes.COMPLEX else x


def angle(x: Tensor) -> Floating:
    """The angle from the positive real axis, in radians: pi for negative numbers.

    Example:

    >>> from keraunos import ops
    >>> float(ops.angle(-2.0)), float(ops.angle(2j))
    (3.1415927410125732, 1.5707963705062866)
    """
    return arctan2(imag(x), real(x))


def isreal(x: Tensor) -> Same:
    """Whether the imaginary part is 0.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.isreal([1 + 2j, 3])).tolist()
    [False, True]
    """
    return equal(imag(x), 0)


def polar(abs_: Tensor, angle: Tensor) -> Complex:
    """The complex numbers of the given absolute values and angles in radians.

    Example:

    >>> from keraunos import ops
    >>> complex(ops.polar(2.0, 0.0))
    (2+0j)
    """
    abs_, angle = settled(abs_, angle)
    return as_complex(multiply(abs_, cos(angle)), multiply(abs_, sin(angle)))


def view_as_complex(x: Tensor) -> Same:
    """The complex numbers whose real and imaginary parts lie side by side along the last axis, which is of size 2.

    Raises:
        ShapeError: It is not.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.view_as_complex([[1.0, 2.0], [3.0, 0.0]])).tolist()
    [(1+2j), (3+0j)]
    """
    own = shape(x)
    if not own or not same_dim(own[-1], 2):
        raise ShapeError("The last axis must hold a real and an imaginary part.", received=show(own), expected="(…, 2)")
    return as_complex(get_item(x, (..., 0)), get_item(x, (..., 1)))


def view_as_real(x: Tensor) -> Same:
    """The real and imaginary parts side by side along a new last axis.

    Example:

    >>> from keraunos import ops
    >>> ops.convert_to_numpy(ops.view_as_real([1 + 2j, 3 - 4j])).tolist()
    [[1.0, 2.0], [3.0, -4.0]]
    """
    return stack([real(x), imag(x)], -1)


declare(globals())
conj = conjugate

__all__ = ["angle", "conj", "conjugate", "imag", "isreal", "real", "view_as_complex", "view_as_real"]

"""The ops as a namespace of the [Python array API standard](https://data-apis.org/array-api/2024.12/), on the engine in force.

Its arrays have the standard's dtypes (by default the ones of 64 bits, which JAX is switched to), rules of promotion, operators
and indexing; libraries that take any such array take these. `Array` is no tensor: `asarray` takes a tensor over, and `from_dlpack` of
any library gives one.

Example:

>>> import keraunos.interop.array_api as xp
>>> x = xp.linspace(0, 1, 3)
>>> xp.sum(x * 2)
Array(3., dtype=float64)
>>> x.__array_namespace__() is xp
True
"""

from __future__ import annotations

import math

from keraunos.interop.array_api import _creation, _dtypes, _elementwise, _manipulation, _reductions, _searching, fft, linalg
from keraunos.interop.array_api._array import VERSION as __array_api_version__
from keraunos.interop.array_api._array import Array
from keraunos.interop.array_api._creation import *
from keraunos.interop.array_api._dtypes import *
from keraunos.interop.array_api._elementwise import *
from keraunos.interop.array_api._info import __array_namespace_info__
from keraunos.interop.array_api._manipulation import *
from keraunos.interop.array_api._reductions import *
from keraunos.interop.array_api._searching import *
from keraunos.interop.array_api.linalg import matmul, tensordot, vecdot

e, inf, nan, newaxis, pi = math.e, math.inf, math.nan, None, math.pi

__all__ = ["Array", "__array_api_version__", "__array_namespace_info__", "e", "fft", "inf", "linalg", "matmul", "nan", "newaxis", "pi", "tensordot", "vecdot"]
__all__ += _creation.__all__
__all__ += _dtypes.__all__
__all__ += _elementwise.__all__
__all__ += _manipulation.__all__
__all__ += _reductions.__all__
__all__ += _searching.__all__

"""The rows for functions that are made from elementary ones."""

from __future__ import annotations

import math

import numpy as np

from tests.conformance.case import FLOATS, NUMBERS, Case

PAIR = ((2, 3), (3,))
ERFC = np.vectorize(math.erfc, otypes=[float])
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 2.0], "float32")
OTHER = np.array([1.0, np.inf, np.inf, np.nan, 0.0, 2.00001], "float32")
WIDE = np.array([-6.5, -0.5, 0, 0.5, 3, 9], "float32")


def _psnr(a, b, largest):
    return 20 * np.log10(largest) - 10 * np.log10(np.mean((a - b) ** 2))


def _next(a, b):
    return np.nextafter(a.astype("float32"), b.astype("float32"))


def _saturated(values, source, target, want):
    return Case("saturate_cast", lambda x, dtype: np.array(want), (np.array(values, source),), args=(target,), grad=False)


SCALAR = [
    Case(n, lambda x, x2, n=n: getattr(np, n)(x, x2), kwargs={"x2": 0.5}, dtypes=("float32", "bfloat16", "float16"), grad=False, low=0.3)
    for n in ("fmax", "fmin", "fmod", "heaviside", "hypot", "isclose", "logaddexp2")
]

CASES = [
    *SCALAR,
    *[Case(n, getattr(np, n), dtypes=FLOATS) for n in ("deg2rad", "rad2deg", "exp2", "sinc", "i0")],
    Case("cbrt", np.cbrt, dtypes=FLOATS, low=0.3),
    Case("cbrt", np.cbrt, (np.array([-8, -1e-30, 0, 27, np.inf], "float32"),), grad=False),
    Case("sinc", np.sinc, (np.array([0, 1, -2, 0.5], "float32"),), grad=False),
    Case("i0", np.i0, (np.array([0, -3.7, 3.8, 30], "float32"),), grad=False),
    Case("erfc", ERFC, dtypes=FLOATS),
    Case("erfc", lambda x: ERFC(WIDE), (WIDE,), grad=False),
    Case("fabs", np.fabs, dtypes=FLOATS, low=0.3),
    Case("trunc", np.trunc, (np.array([-1.7, -0.2, 0.2, 1.7, np.inf, np.nan], "float32"),), grad=False),
    Case("trunc", lambda x: x, dtypes=("int32", "uint8", "bool"), grad=False),
    Case("signbit", np.signbit, dtypes=NUMBERS, grad=False),
    Case("signbit", np.signbit, (ODD[1:],), grad=False),
    Case("heaviside", np.heaviside, PAIR, FLOATS, grad=False),
    Case("heaviside", lambda x, x2: np.heaviside(x, x2), (ODD,), kwargs={"x2": 0.5}, grad=False),
    *[Case(n, getattr(np, n), PAIR, NUMBERS) for n in ("fmax", "fmin")],
    *[Case(n, getattr(np, n), (ODD, OTHER), grad=False) for n in ("fmax", "fmin")],
    Case("fmod", np.fmod, PAIR, ("float32", "float16", "int32", "uint8"), low=1, high=5, grad=False),
    Case("fmod", np.fmod, (np.array([-5.5, 5.5, -1, 3], "float32"), np.array([3, -3, np.inf, 0.7], "float32")), grad=False),
    Case("fmod", np.fmod, (np.array([-5, 5], "int32"), np.array([3, -3], "int32")), grad=False),
    *[Case(n, getattr(np, n), (ODD,), grad=False) for n in ("isposinf", "isneginf")],
    *[Case(n, getattr(np, n), dtypes=("int32", "bool", "bfloat16"), grad=False) for n in ("isposinf", "isneginf")],
    *[Case(n, getattr(np, n), (ODD, OTHER), kwargs=k, grad=False) for n in ("isclose", "allclose") for k in ({}, {"equal_nan": True})],
    Case("isclose", np.isclose, PAIR, NUMBERS, kwargs={"rtol": 0.5, "atol": 0.3}, grad=False),
    Case("allclose", lambda *a, atol: True, args=(1.0,), kwargs={"atol": 9.0}, grad=False),
    Case("logaddexp2", np.logaddexp2, PAIR, FLOATS),
    Case("logaddexp2", np.logaddexp2, (np.array([-np.inf, 300], "float32"), np.array([-np.inf, -300], "float32")), grad=False),
    Case("hypot", np.hypot, PAIR, FLOATS, low=0.3),
    Case("hypot", np.hypot, (np.array([3e30, 0, np.inf, 1e-30], "float32"), np.array([4e30, 0, 1, 1e-30], "float32")), grad=False),
    Case("ldexp", lambda x, n: np.ldexp(x, n.astype("int32")), ((3,), np.array([3, -2, 0], "int32")), FLOATS),
    Case("ldexp", lambda x, n: np.ldexp(x, n.astype("int32")), (np.array([1e-30, 1e30], "float32"), np.array([200, -200], "int32")), grad=False),
    Case("ldexp", lambda x, n: np.ldexp(x, n), args=(3,)),
    Case("nextafter", _next, (np.array([1, 0, 0, -1, 2, np.nan], "float32"), np.array([2, -1, 0, 1, 2, 1], "float32")), grad=False),
    Case("nextafter", lambda x, x2: _next(x, np.float32(x2)), kwargs={"x2": 9.0}, grad=False),
    _saturated([-1.0, 300.0, 2.7, np.inf, -np.inf], "float32", "uint8", [0, 255, 2, 255, 0]),
    _saturated([1e12, -1e12, np.inf, 3.0], "float32", "int32", [2**31 - 1, -(2**31), 2**31 - 1, 3]),
    _saturated([-200, 300, 5], "int32", "int8", [-128, 127, 5]),
    _saturated([-2, 0, 1, 3], "int32", "bool", [False, False, True, True]),
    _saturated([True, False], "bool", "int8", [1, 0]),
    _saturated([0, 2**32 - 1], "uint32", "uint32", [0, 2**32 - 1]),
    _saturated([2.5], "float32", "complex64", [2.5]),
    _saturated([1e9, -np.inf, 2.0], "float32", "float16", [65504, -65504, 2]),
    _saturated([100000, -3], "int32", "float16", [65504, -3]),
    Case("logspace", lambda a, b, *o: np.logspace(a, b, *o), ((), ()), ("float32", "int32"), args=(4,), tolerance=5),
    Case("logspace", np.logspace, ((2,), (2,)), kwargs={"num": 3, "endpoint": False, "base": 2, "axis": -1}, tolerance=2),
    Case("logspace", lambda *a, num, dtype: np.array([1, 10, 100, 1000]), (), args=(0, 3), kwargs={"num": 4, "dtype": "int32"}, grad=False),
    Case("geomspace", np.geomspace, ((2,), (1,)), FLOATS, kwargs={"num": 4}, low=1, high=9, tolerance=2),
    Case("geomspace", np.geomspace, ((2,), (2,)), kwargs={"num": 3, "endpoint": False, "axis": -1}, low=-9, high=-1),
    Case("geomspace", np.geomspace, (), args=(1, 1000, 1), grad=False),
    Case("psnr", _psnr, ((2, 3), (2, 3)), FLOATS, args=(2.0,), tolerance=2),
    Case("psnr", lambda a, b, m: np.inf, (np.ones(2, "float32"), np.ones(2, "float32")), args=(1.0,), grad=False),
]

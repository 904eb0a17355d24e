"""The rows for complex numbers: those that are made and taken apart, and what other ops make of them."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import FLOATS, Case

Z = np.array([[1 + 2j, -3.5, 0.5j], [-1 - 1j, 2 - 0.5j, 0.25]], "complex64")
W = np.array([0.5 - 1j, 2 + 2j, 1j], "complex64")


def _of(names, *arrays):
    return [Case(n, getattr(np, n), arrays, grad=False, tolerance=2) for n in names.split()]


CASES = [
    *_of("real imag conjugate angle isreal absolute negative square exp sqrt sign sin cos tanh isfinite log reciprocal", Z),
    *_of("add subtract multiply true_divide equal not_equal", Z, W),
    *_of("add multiply power", Z, np.array([1.0, 2.0, 3.0], "float32")),
    *[Case(n, lambda x, x2, n=n: getattr(np, n)(x, x2), dtypes=("float32", "int32", "bool"), kwargs={"x2": 1 + 2j}, grad=False) for n in ("add", "multiply")],
    *[Case(n, getattr(np, n), (Z,), kwargs={"axis": 1}, grad=False) for n in ("sum", "mean", "prod")],
    Case("real", np.real, dtypes=(*FLOATS, "bool")),
    Case("imag", np.imag, dtypes=(*FLOATS, "bool"), grad=False),
    Case("conjugate", lambda x: x, dtypes=(*FLOATS, "bool")),
    Case("angle", np.angle, dtypes=FLOATS, low=0.5, grad=False),
    Case("angle", np.angle, (np.array([-1.0, -0.0, 0.0, np.nan], "float32"),), grad=False),
    Case("isreal", np.isreal, dtypes=("float32", "int32"), grad=False),
    Case("as_complex", lambda a, b: a + 1j * b, ((2, 3), (3,)), FLOATS, grad=False),
    Case("polar", lambda a, b: a * np.exp(1j * b), ((2, 3), (3,)), FLOATS, grad=False),
    Case("view_as_complex", lambda x: x[..., 0] + 1j * x[..., 1], ((3, 2),), FLOATS, grad=False),
    Case("view_as_real", lambda x: np.stack([x.real, x.imag], -1), (Z,), grad=False),
    Case("view_as_real", lambda x: np.stack([x, 0 * x], -1), dtypes=("float32", "bfloat16")),
]

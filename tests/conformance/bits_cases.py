"""The rows for ops on bits, and for divisors."""

from __future__ import annotations

import numpy as np

from tests.conformance.case import Case

PAIR = ((2, 3), (3,))
WHOLE = ("int32", "uint8", "int8", "bool")
FLOAT = np.array([[1.0, -2.5], [np.inf, 0.0]], "float32")
SIGNED, PLACES = np.array([-8, 8, -1, 3], "int32"), np.array([1, 2, 31, 0], "int32")

CASES = [
    *[Case(n, getattr(np, n), PAIR, WHOLE, low=-20, high=20, grad=False) for n in ("bitwise_and", "bitwise_or", "bitwise_xor")],
    Case("bitwise_and", lambda x, y: np.bitwise_and(x, y), kwargs={"y": 6}, dtypes=("int32", "uint8"), high=20, grad=False),
    Case("bitwise_invert", np.invert, dtypes=("int32", "int8", "bool"), high=20, grad=False),
    Case("bitwise_invert", lambda x: 255 - x, dtypes=("uint8",), high=20, grad=False),
    Case("bitwise_invert", lambda x: np.invert(x), (np.array([0, 7], "uint32"),), grad=False),
    Case("left_shift", np.left_shift, PAIR, ("int32", "uint8", "bool"), low=0, high=3, grad=False),
    Case("right_shift", np.right_shift, PAIR, ("int32", "uint8", "bool"), low=0, high=3, grad=False),
    Case("left_shift", lambda x, y: np.left_shift(x, y), (SIGNED, PLACES), grad=False),
    Case("right_shift", lambda x, y: np.right_shift(x, y), (SIGNED, PLACES), grad=False),
    Case("right_shift", lambda x, y: np.right_shift(x, y), (np.array([0xFFFFFFFF], "uint32"), np.array([4], "uint32")), grad=False),
    Case("left_shift", lambda x, y: np.left_shift(x, y), kwargs={"y": 3}, dtypes=("int32",), grad=False),
    Case("view", lambda x, dtype: FLOAT.view(dtype), (FLOAT,), args=("int32",), grad=False),
    Case("view", lambda x, dtype: FLOAT.T.copy().view(dtype), (FLOAT.T,), args=("int16",), grad=False, known=(1,)),
    Case("view", lambda x, dtype: x.astype("uint8").view(dtype), (np.arange(8, dtype="uint8").reshape(1, 8),), args=("int32",), grad=False),
    Case("view", lambda x, dtype: x.astype("uint8"), (np.array([True, False]),), args=("uint8",), grad=False),
    Case("view", lambda x: x.astype("int32"), (np.array([0x3F800000], "int32"),), grad=False),
    *[Case(n, getattr(np, n), PAIR, ("int32", "uint8", "int8"), low=-10, high=10, grad=False) for n in ("gcd", "lcm")],
    *[Case(n, getattr(np, n), (np.array([-12, 0, 0, 7], "int32"), np.array([18, 0, 5, -21], "int32")), grad=False) for n in ("gcd", "lcm")],
    Case("gcd", lambda x, x2: np.gcd(x, x2), kwargs={"x2": 4}, dtypes=("int32",), grad=False),
    # Neighbours among Fibonacci's numbers take the most steps.
    Case("gcd", np.gcd, (np.array([1836311903, 2**31 - 1], "int32"), np.array([1134903170, 2], "int32")), grad=False),
]

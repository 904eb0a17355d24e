"""The namespace of the array API standard, on every engine: what it computes is what NumPy's does, which is one too; and the standard's own rules."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.array_api import make_strategies_namespace

import keraunos.interop.array_api as xp

xps = make_strategies_namespace(xp, api_version="2024.12")
brief = settings(max_examples=12, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck], database=None)

SHAPES = st.sampled_from([(), (0,), (3,), (1, 2), (2, 0), (2, 3), (2, 1, 3)])
REAL, COMPLEX = ["float32", "float64"], ["complex64", "complex128"]
SIGNED, UNSIGNED = ["int8", "int16", "int32", "int64"], ["uint8", "uint16", "uint32", "uint64"]
GROUPS = {
    "bool": ["bool"], "integral": SIGNED + UNSIGNED, "integral or bool": SIGNED + UNSIGNED + ["bool"], "real floating": REAL, "floating": REAL + COMPLEX,
    "complex floating": COMPLEX, "real numeric": SIGNED + UNSIGNED + REAL, "numeric": SIGNED + UNSIGNED + REAL + COMPLEX,
    "any": ["bool", *SIGNED, *UNSIGNED, *REAL, *COMPLEX],
}  # fmt: skip
SMALL = {"min_value": -100, "max_value": 100}  # where engines need not agree on what overflows, or on the last digits of huge arguments


def host(x: Any) -> np.ndarray:
    return np.asarray(np.from_dlpack(x)) if x.size else np.zeros(x.shape, x.dtype.name)


def close(got: Any, want: Any) -> None:
    want = np.asarray(want)
    assert got.dtype.name == want.dtype.name
    assert got.shape == want.shape
    bound = 0 if want.dtype.kind in "biu" else 2e-4 if want.dtype.name in ("float32", "complex64") else 1e-9
    np.testing.assert_allclose(host(got), want, bound, bound)


@st.composite
def arrays(draw: Any, group: str, shape: Any = SHAPES, bounded: bool = True, dtype: str | None = None, **more: Any) -> Any:
    """An array of a dtype of a group."""
    dtype = dtype or draw(st.sampled_from(GROUPS[group]))
    options: dict[str, Any] = {}
    if bounded and dtype != "bool":
        low = 0 if dtype.startswith("uint") else -100
        options = {"max_magnitude": 100.0, "allow_nan": False} if dtype in COMPLEX else {"min_value": low, "max_value": 100}
        if dtype in REAL:
            options |= {"allow_subnormal": False}
    if dtype in (*REAL, *COMPLEX) and not bounded:
        options = {"allow_subnormal": False}
    kind = getattr(xp, dtype)
    drawn = shape if isinstance(shape, tuple) else draw(shape)
    elements = (
        xps.from_dtype(kind, **options) if dtype not in COMPLEX or not bounded else st.complex_numbers(max_magnitude=100, allow_subnormal=False, width=64)
    )
    made = draw(xps.arrays(kind, drawn, elements=elements))
    return made


UNARY = {
    "floating": "acos acosh asin asinh atan atanh cos cosh exp expm1 log log1p log2 log10 sin sinh sqrt tan tanh",
    "numeric": "abs negative positive sign square round isfinite isinf isnan conj real",
    "real numeric": "ceil floor trunc", "real floating": "signbit", "complex floating": "imag", "bool": "logical_not", "integral or bool": "bitwise_invert",
}  # fmt: skip
BINARY = {
    "numeric": "add subtract multiply", "any": "equal not_equal", "real numeric": "less less_equal greater greater_equal maximum minimum",
    "floating": "divide", "real floating": "atan2 hypot copysign nextafter logaddexp", "bool": "logical_and logical_or logical_xor",
    "integral or bool": "bitwise_and bitwise_or bitwise_xor",
}  # fmt: skip


def _names(table: dict[str, str]) -> Any:
    return [(name, group) for group, names in table.items() for name in names.split()]


@pytest.mark.parametrize(("name", "group"), _names(UNARY))
@brief
@given(data=st.data())
def test_unary(backend: Any, name: str, group: str, data: Any) -> None:
    x = data.draw(arrays(group))
    with np.errstate(all="ignore"):
        want = getattr(np, name)(host(x))
    close(getattr(xp, name)(x), want.astype(x.dtype.name) if name in ("ceil", "floor", "trunc") else want)


@pytest.mark.parametrize(("name", "group"), _names(BINARY))
@brief
@given(data=st.data())
def test_binary(backend: Any, name: str, group: str, data: Any) -> None:
    a, b = data.draw(arrays(group)), data.draw(arrays(group))
    with np.errstate(all="ignore"):
        try:
            dtype, shape = xp.result_type(a, b), np.broadcast_shapes(a.shape, b.shape)
        except (TypeError, ValueError):
            with pytest.raises((TypeError, ValueError)):
                getattr(xp, name)(a, b)
            return
        want = getattr(np, name)(host(a).astype(dtype.name), host(b).astype(dtype.name))
    assert want.shape == shape
    close(getattr(xp, name)(a, b), want)

"""The namespace of the array API standard, on every engine: what it computes is what NumPy's does, which is one too; and the standard's own rules."""

from __future__ import annotations

import copy
import inspect
import math
import operator
import pickle
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.array_api import make_strategies_namespace
from hypothesis.extra.numpy import arrays as of_numpy
from tests.conftest import BACKENDS, in_force

import keraunos.interop.array_api as xp
from keraunos import ops
from keraunos.core.config import backend_scope

pytestmark = pytest.mark.xdist_group("array api")  # what JAX compiles for one test it has for the others

with backend_scope("numpy"):  # it makes arrays, of float64 among them
    xps = make_strategies_namespace(xp, api_version="2024.12")
brief = settings(max_examples=5, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck], database=None)

SHAPES = st.sampled_from([(), (0,), (3,), (2, 3), (2, 1)])
REAL, COMPLEX = ["float32", "float64"], ["complex64", "complex128"]
SIGNED, UNSIGNED = ["int8", "int16", "int32", "int64"], ["uint8", "uint16", "uint32", "uint64"]
GROUPS = {
    "bool": ["bool"], "integral": SIGNED + UNSIGNED, "integral or bool": SIGNED + UNSIGNED + ["bool"], "real floating": REAL, "floating": REAL + COMPLEX,
    "complex floating": COMPLEX, "real numeric": SIGNED + UNSIGNED + REAL, "numeric": SIGNED + UNSIGNED + REAL + COMPLEX,
    "any": ["bool", *SIGNED, *UNSIGNED, *REAL, *COMPLEX],
}  # fmt: skip


def host(x: Any) -> np.ndarray:
    return np.asarray(np.from_dlpack(x)) if x.size else np.zeros(x.shape, x.dtype.name)


def close(got: Any, want: Any) -> None:
    want = np.asarray(want)
    assert got.dtype.name == want.dtype.name
    assert got.shape == want.shape
    bound = 0 if want.dtype.kind in "biu" else 2e-4 if want.dtype.name in ("float32", "complex64") else 1e-9
    np.testing.assert_allclose(host(got), want, bound, bound)


def elements(dtype: str) -> Any:
    """The values of arrays that are drawn: not so large that engines need not agree on what overflows."""
    if dtype in COMPLEX:
        return st.complex_numbers(max_magnitude=100, allow_subnormal=False, width=64)
    options = {"allow_subnormal": False} if dtype in REAL else {}
    return st.booleans() if dtype == "bool" else xps.from_dtype(getattr(xp, dtype), min_value=0 if dtype in UNSIGNED else -100, max_value=100, **options)


@st.composite
def arrays(draw: Any, group: str, shapes: Any = SHAPES) -> Any:
    """An array of a dtype of a group; drawn by NumPy, since each operation by which Hypothesis looks at what it made is compiled on JAX."""
    dtype = draw(st.sampled_from(GROUPS[group]))
    return xp.asarray(draw(of_numpy(dtype, draw(shapes), elements=elements(dtype))))


@pytest.fixture(params=[name for name in ("numpy", "jax", "torch") if name in BACKENDS])
def backend(request: pytest.FixtureRequest) -> Any:
    """The engines that the namespace is kept to the standard on."""
    with in_force(request.param) as engine:
        yield engine


@pytest.mark.parametrize("dtype", GROUPS["any"])
@brief
@given(data=st.data())
def test_hypothesis_makes_arrays(backend: Any, dtype: str, data: Any) -> None:
    x = data.draw(xps.arrays(getattr(xp, dtype), (2, 2), elements=elements(dtype)))
    assert (x.dtype, x.shape) == (getattr(xp, dtype), (2, 2))


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


# ---- reductions, order, sets ----
REDUCTIONS = [("sum", "numeric"), ("prod", "numeric"), ("max", "real numeric"), ("min", "real numeric"), ("mean", "real floating"), ("var", "real floating"),
              ("std", "real floating"), ("all", "any"), ("any", "any"), ("count_nonzero", "any"), ("argmax", "real numeric"), ("argmin", "real numeric")]  # fmt: skip


@pytest.mark.parametrize(("name", "group"), REDUCTIONS)
@brief
@given(data=st.data())
def test_reductions(backend: Any, name: str, group: str, data: Any) -> None:
    x = data.draw(arrays(group, st.sampled_from([(3,), (2, 3), (2, 1, 3)])))
    axes = [None, *range(-x.ndim, x.ndim)]
    axis = data.draw(st.sampled_from(axes if name.startswith("arg") else [*axes, tuple(range(x.ndim)), (-1,)]))
    options = {"axis": axis, "keepdims": data.draw(st.booleans())}
    if name in ("var", "std"):
        options["correction"] = data.draw(st.sampled_from([0.0, 0.5]))
    want = getattr(np, name)(host(x), **options)
    close(getattr(xp, name)(x, **options), np.asarray(want, "int64") if name == "count_nonzero" else want)


@brief
@given(data=st.data())
def test_running(backend: Any, data: Any) -> None:
    x = data.draw(arrays("numeric", st.sampled_from([(3,), (2, 3), (0,)])))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    for name in ("cumulative_sum", "cumulative_prod"):
        for include_initial in (False, True):
            close(getattr(xp, name)(x, axis=axis, include_initial=include_initial), getattr(np, name)(host(x), axis=axis, include_initial=include_initial))
    close(xp.diff(x, axis=axis), np.diff(host(x), axis=axis))
    close(xp.diff(x, axis=axis, prepend=x, append=x, n=2), np.diff(host(x), axis=axis, prepend=host(x), append=host(x), n=2))


@brief
@given(data=st.data())
def test_order_and_search(backend: Any, data: Any) -> None:
    x = data.draw(arrays("real numeric", st.sampled_from([(4,), (2, 3), (0,)])))
    axis = data.draw(st.integers(-x.ndim, x.ndim - 1))
    close(xp.sort(x, axis=axis), np.sort(host(x), axis=axis))
    close(xp.argsort(x, axis=axis), np.argsort(host(x), axis=axis, stable=True))
    close(xp.sort(x, axis=axis, descending=True), np.flip(np.sort(host(x), axis=axis), axis))
    order = xp.argsort(x, axis=axis, descending=True)
    close(xp.take_along_axis(x, order, axis=axis), np.flip(np.sort(host(x), axis=axis), axis))
    equal = xp.take_along_axis(x, order, axis=axis) == xp.take_along_axis(x, order, axis=axis)
    assert bool(xp.all(equal))
    flat = xp.sort(xp.reshape(x, (-1,)))
    for side in ("left", "right"):
        close(xp.searchsorted(flat, x, side=side), np.searchsorted(host(flat), host(x), side))
    for got, want in zip(xp.nonzero(x), np.nonzero(host(x)), strict=True):
        close(got, want)


@brief
@given(data=st.data())
def test_sets(backend: Any, data: Any) -> None:
    x = data.draw(arrays("any", st.sampled_from([(4,), (2, 3), (0,), ()])))
    got, want = xp.unique_all(x), np.unique_all(host(x))
    for a, b in zip(got, want, strict=True):
        close(a, b)
    for name in ("unique_counts", "unique_inverse"):
        for a, b in zip(getattr(xp, name)(x), getattr(np, name)(host(x)), strict=True):
            close(a, b)
    close(xp.unique_values(x), want.values)


@pytest.mark.parametrize("dtype", COMPLEX)
def test_sets_of_complex_numbers(backend: Any, dtype: str) -> None:
    """Which are ordered by their real parts, then by the imaginary ones."""
    x = np.array([2, 1 + 1j, 2 - 1j, 1 - 1j, 2, 1 + 1j], dtype)
    for got, want in zip(xp.unique_all(xp.asarray(x)), np.unique_all(x), strict=True):
        close(got, want)
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.sort(x)), np.sort(x))


# ---- form ----
FORMS: list[Any] = [
    lambda m, x: m.expand_dims(x, axis=1), lambda m, x: m.squeeze(m.expand_dims(x, axis=-1), -1), lambda m, x: m.reshape(x, (-1,)),
    lambda m, x: m.permute_dims(x, (1, 0)), lambda m, x: m.moveaxis(x, 0, -1), lambda m, x: m.matrix_transpose(x), lambda m, x: m.flip(x),
    lambda m, x: m.flip(x, axis=-1), lambda m, x: m.roll(x, 2), lambda m, x: m.roll(x, (1, -1), axis=(0, 1)), lambda m, x: m.repeat(x, 2),
    lambda m, x: m.repeat(x, 3, axis=0), lambda m, x: m.repeat(x, m.asarray([1, 0, 2]), axis=1), lambda m, x: m.tile(x, (2, 1, 2)),
    lambda m, x: m.concat([x, x]), lambda m, x: m.concat([x, x], axis=None), lambda m, x: m.stack([x, x], axis=-1), lambda m, x: m.unstack(x)[1],
    lambda m, x: m.tril(x, k=-1), lambda m, x: m.triu(x, k=1), lambda m, x: m.broadcast_to(x, (2, 2, 3)), lambda m, x: m.take(x, m.asarray([2, 0]), axis=1),
    lambda m, x: m.broadcast_arrays(x, m.ones((4, 1, 1)))[0], lambda m, x: m.meshgrid(x[0], x[0, :2])[1], lambda m, x: x.T, lambda m, x: x.mT,
    lambda m, x: m.where(x == x[0, 0], x, m.zeros_like(x)), lambda m, x: m.full_like(x, 1),
]  # fmt: skip
KEYS: list[Any] = [0, -1, (1, -3), ..., None, (..., 0), (0, ...), (None, 1), slice(None), slice(None, None, -1), (slice(None), slice(2, 0, -1)),
                   (slice(5, 9), 1), (Ellipsis, None, slice(0, 2)), (1, slice(-2, None))]  # fmt: skip


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "float32", "complex128"])
def test_form(backend: Any, dtype: str) -> None:
    x = xp.astype(xp.asarray([[0, 1, 2], [3, 0, 5]]), getattr(xp, dtype))
    for number, form in enumerate(FORMS):
        got, want = form(xp, x), form(np, host(x))
        assert got.dtype.name == want.dtype.name, number
        np.testing.assert_array_equal(host(got), want, str(number))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "float32", "complex128"])
def test_indexing(backend: Any, dtype: str) -> None:
    x = xp.astype(xp.asarray([[0, 1, 2], [3, 0, 5]]), getattr(xp, dtype))
    masks = [x != xp.zeros_like(x), x[:, 0] == x[0, 0]]
    integers = [(xp.asarray([1, 0, 1]), xp.asarray([2, -1, 0])), (xp.asarray([[1], [0]]), 2), (0, xp.asarray([1, 1]))]
    for key in (*KEYS, *masks, *integers):
        theirs = tuple(host(k) if isinstance(k, xp.Array) else k for k in key) if isinstance(key, tuple) else host(key) if isinstance(key, xp.Array) else key
        close(x[key], host(x)[theirs])
        for value in (x[0, 2], True if dtype == "bool" else 7):
            changed, want = xp.asarray(x, copy=True), host(x).copy()
            changed[key] = value
            want[theirs] = host(value) if isinstance(value, xp.Array) else value
            close(changed, want)
    close(xp.asarray(5)[()], np.asarray(5))
    for key in (2, (0, 3), (0, 0, 0), "a", 1.0, xp.asarray([1.0])):
        with pytest.raises(IndexError):
            x[key]


# ---- the rules of the standard ----
def test_promotion() -> None:
    for a in GROUPS["any"]:
        for b in GROUPS["any"]:
            one = getattr(np, a if a != "bool" else "bool_").__mro__[1:3] == getattr(np, b if b != "bool" else "bool_").__mro__[1:3]
            integers = {a, b} <= {*SIGNED, *UNSIGNED}
            floats = {a, b} <= {*REAL, *COMPLEX}
            signed = {a, b} & set(SIGNED)
            if one or floats or (integers and not (signed and "uint64" in (a, b))):
                assert xp.result_type(getattr(xp, a), getattr(xp, b)).name == np.result_type(a, b).name
            else:
                with pytest.raises(TypeError):
                    xp.result_type(getattr(xp, a), getattr(xp, b))
            assert xp.can_cast(getattr(xp, a), getattr(xp, b)) == ((one or integers or floats) and np.can_cast(a, b))


OPERATORS = "add sub mul truediv floordiv mod pow matmul and_ or_ xor lshift rshift lt le gt ge eq ne".split()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(backend: Any, name: str) -> None:
    function = getattr(operator, name)
    whole = name in ("and_", "or_", "xor", "lshift", "rshift", "floordiv", "mod")
    data = [[1, 2], [3, 2]] if whole else [[1.0, 2.0], [3.0, 0.5]]
    x, theirs = xp.asarray(data), np.asarray(data)
    close(function(x, x), function(theirs, theirs))
    if name != "matmul":
        close(function(x, 2), function(theirs, 2))
        close(function(2, x), function(2, theirs))
    in_place = getattr(operator, f"i{name.strip('_')}", None)
    if in_place:
        before = x
        x = in_place(x, x)
        assert x is before
        close(x, function(theirs, theirs))
    with pytest.raises(TypeError):
        function(x, xp.asarray(True)) if name not in ("eq", "ne") else x + "a"


def test_scalars_mix_by_kind(backend: Any) -> None:
    small, real = xp.asarray([1, 2], dtype=xp.int8), xp.asarray([1.0], dtype=xp.float32)
    assert (small + 1).dtype == xp.int8
    assert (1.5 * real).dtype == xp.float32
    assert (real * 1j).dtype == xp.complex64
    for wrong in (lambda: small + 1.5, lambda: xp.asarray([True]) + 1, lambda: small & True, lambda: xp.asarray([1j]) < 1):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        small += xp.asarray([1], dtype=xp.int64)
    with pytest.raises(ValueError, match="in place"):
        real += xp.ones((2, 1), dtype=xp.float32)


def test_to_python(backend: Any) -> None:
    assert bool(xp.asarray(2))
    assert int(xp.asarray(2.5)) == 2
    assert float(xp.asarray(2)) == 2.0
    assert complex(xp.asarray(1j)) == 1j
    assert [5, 6][xp.asarray(1)] == 6
    for wrong in (lambda: bool(xp.ones(2)), lambda: operator.index(xp.asarray(1.0)), lambda: float(xp.asarray(1j)), lambda: hash(xp.asarray(1))):
        with pytest.raises(TypeError):
            wrong()
    assert repr(xp.asarray([1, 2])) == "Array([1, 2], dtype=int64)"
    assert len(xp.ones((3, 2))) == len(list(xp.ones((3, 2)))) == 3


def test_asarray(backend: Any) -> None:
    for obj, dtype in ((1, xp.int64), ([True], xp.bool), ([1, 2.0], xp.float64), ((1j, 2), xp.complex128), ([[xp.asarray(1)]], xp.int64)):
        assert xp.asarray(obj).dtype == dtype
    x = xp.asarray([1, 2])
    assert xp.asarray(x) is x
    assert int(xp.asarray([2**63 + 5, 1], dtype=xp.uint64)[0]) == 2**63 + 5
    close(copy.deepcopy(x), host(x))
    close(pickle.loads(pickle.dumps(x)), host(x))
    for copied in (xp.asarray(x, copy=True), xp.asarray(x, dtype=xp.int8), xp.asarray(np.arange(2))):
        copied[0] = 5
        assert int(x[0]) == 1
    with pytest.raises(ValueError, match="without a copy"):
        xp.asarray([1], copy=False)
    given = np.asarray([1.5, 2.5], "float32")
    close(xp.from_dlpack(given), given)
    np.testing.assert_array_equal(np.from_dlpack(xp.from_dlpack(given)), given)
    with pytest.raises(TypeError, match="not of the standard"):
        xp.asarray(np.zeros(2, "float16"))
    with pytest.raises(TypeError, match="__dlpack__"):
        xp.from_dlpack([1])
    with pytest.raises(ValueError, match="no device"):
        xp.zeros(2, device="toaster")
    assert x.to_device(x.device) is x
    assert x.device == xp.__array_namespace_info__().default_device()
    assert xp.ones(2, device=x.device).device == x.device


@pytest.mark.parametrize("name", [name for name in ("tensorflow", "pytensor") if name in BACKENDS])
def test_likes_on_the_other_engines(name: str) -> None:
    with in_force(name):
        x = xp.asarray([1, 2])
        close(xp.full_like(x, 7), [7, 7])
        assert x.device in xp.__array_namespace_info__().devices()


def test_creation(backend: Any) -> None:
    for made, want in (
        (xp.arange(3), np.arange(3)), (xp.arange(1, 2, 0.25), np.arange(1, 2, 0.25)), (xp.arange(3, 0, -1, dtype=xp.int8), np.arange(3, 0, -1, "int8")),
        (xp.linspace(0, 1, 4, endpoint=False), np.linspace(0, 1, 4, endpoint=False)), (xp.eye(2, 3, k=1), np.eye(2, 3, 1)), (xp.full(2, 3j), np.full(2, 3j)),
        (xp.zeros((2, 0)), np.zeros((2, 0))), (xp.ones((), dtype=xp.uint8), np.ones((), "uint8")), (xp.empty_like(xp.ones(2)), np.zeros(2)),
    ):  # fmt: skip
        close(made, want)


def test_of_nothing(backend: Any) -> None:
    nothing = xp.zeros((0, 2))
    for got, want in ((xp.mean(nothing), math.nan), (xp.sum(nothing), 0), (xp.prod(nothing), 1), (xp.all(nothing), True), (xp.linalg.vector_norm(nothing), 0)):
        np.testing.assert_equal(host(got)[()], want)
    one = xp.asarray(5)
    close(one[xp.asarray(False)], np.asarray([], "int64"))
    one[xp.asarray(True)] = 7
    close(one, np.asarray(7))


def test_special_cases(backend: Any) -> None:
    """Infinities, NaN and signed zeros, as IEEE 754 and the standard have them."""
    x = xp.asarray([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0])
    theirs = host(x)
    with np.errstate(all="ignore"):
        for name in "abs ceil exp floor log negative round sign signbit sqrt trunc isnan isinf isfinite expm1 log1p atan tanh".split():
            got, want = host(getattr(xp, name)(x)), getattr(np, name)(theirs)
            np.testing.assert_allclose(got, want, 1e-15, err_msg=name)
            if want.dtype != bool and name != "sign":
                np.testing.assert_array_equal(np.signbit(got)[want == want], np.signbit(want)[want == want], name)
        for name in "add subtract multiply divide maximum minimum copysign hypot atan2 pow remainder floor_divide".split():
            got, want = host(getattr(xp, name)(x[:, None], x)), getattr(np, name)(theirs[:, None], theirs)
            np.testing.assert_allclose(got, want, 1e-15, err_msg=name)
    close(xp.asarray([7, -7, 7, -7]) // xp.asarray([2, 2, -2, -2]), np.asarray([3, -4, -4, 3]))
    close(xp.asarray([7, -7, 7, -7]) % xp.asarray([2, 2, -2, -2]), np.asarray([1, 1, -1, -1]))


def test_dtypes() -> None:
    assert (xp.finfo(xp.float32).eps, xp.finfo(xp.complex64).dtype) == (2.0**-23, xp.float32)
    assert (xp.iinfo(xp.int8).min, xp.iinfo(xp.uint64).max) == (-128, 2**64 - 1)
    assert xp.isdtype(xp.int8, ("bool", "integral"))
    assert not xp.isdtype(xp.int8, xp.int16)
    with pytest.raises(ValueError, match="integrl"):
        xp.isdtype(xp.int8, "integrl")
    info = xp.__array_namespace_info__()
    assert info.default_dtypes() == {"real floating": xp.float64, "complex floating": xp.complex128, "integral": xp.int64, "indexing": xp.int64}
    assert set(info.dtypes(kind="signed integer")) == set(SIGNED)
    assert info.dtypes(kind=("bool", "real floating"))["bool"] == xp.bool


def test_namespace() -> None:
    import keraunos

    with keraunos.backend_scope("numpy"):
        x = xp.ones(2)
        assert x.__array_namespace__(api_version="2024.12") is xp
        with pytest.raises(ValueError, match="version"):
            x.__array_namespace__(api_version="1999.12")
    # NumPy's namespace is of the standard as well.
    for name in xp.__all__:
        mine, theirs = getattr(xp, name), getattr(np, name, None)
        if inspect.isfunction(mine) and not name.startswith("_"):
            assert theirs is not None, name
            assert mine.__doc__
            assert mine.__name__ == name


# ---- extensions ----
def _definite(x: np.ndarray) -> np.ndarray:
    return x @ x.swapaxes(-1, -2).conj() + 2 * np.eye(x.shape[-1])


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_linalg(backend: Any, dtype: str) -> None:
    random = np.random.default_rng(3)
    general = (random.normal(size=(2, 3, 3)) + (1j if "complex" in dtype else 0) * random.normal(size=(2, 3, 3))).astype(dtype)
    wide, definite, vectors = general[:, :2], _definite(general).astype(dtype), general[0]
    a, w, d, v = map(xp.asarray, (general, wide, definite, vectors))
    la, ln = xp.linalg, np.linalg
    for got, want in (
        (la.cholesky(d), ln.cholesky(definite)), (la.cholesky(d, upper=True), ln.cholesky(definite, upper=True)), (la.det(a), ln.det(general)),
        (la.inv(a), ln.inv(general)), (la.pinv(w), ln.pinv(wide)), (la.pinv(w, rtol=xp.asarray([0.1, 0.9])), ln.pinv(wide, rtol=np.asarray([0.1, 0.9]))),
        (la.eigvalsh(d), ln.eigvalsh(definite)), (la.svdvals(w), ln.svd(wide, compute_uv=False)), (la.solve(a, v), ln.solve(general, vectors)),
        (la.solve(a, v[0]), ln.solve(general, vectors[0])), (la.matmul(w, a), wide @ general), (la.matrix_power(a, 3), ln.matrix_power(general, 3)),
        (la.matrix_power(a, -2), ln.matrix_power(general, -2)), (la.matrix_power(a, 0), ln.matrix_power(general, 0)),
        (la.cross(v, v[0]), ln.cross(vectors, vectors[:1])), (la.outer(v[0], v[1]), np.outer(vectors[0], vectors[1])),
        (la.diagonal(w, offset=1), ln.diagonal(wide, offset=1)), (la.trace(w, offset=1), ln.trace(wide, offset=1)),
        (xp.vecdot(a, v), np.vecdot(general, vectors)), (xp.tensordot(a, w, axes=[[2], [2]]), np.tensordot(general, wide, [[2], [2]])),
        (la.vector_norm(a, axis=(0, 2), keepdims=True), np.sqrt((np.abs(general) ** 2).sum((0, 2), keepdims=True))), (la.vector_norm(a), ln.vector_norm(general)),
        (la.vector_norm(v, axis=0, ord=math.inf), ln.vector_norm(vectors, axis=0, ord=math.inf)), (la.matrix_norm(a), ln.matrix_norm(general)),
        (la.matrix_norm(w, ord="nuc", keepdims=True), ln.matrix_norm(wide, ord="nuc", keepdims=True)), (la.matrix_rank(a), ln.matrix_rank(general)),
        (la.matrix_rank(w, rtol=0.9), ln.matrix_rank(wide, rtol=0.9)), (la.matrix_norm(w, ord=-2), ln.matrix_norm(wide, ord=-2)),
    ):  # fmt: skip
        close(got, want)
    (q, r), (u, s, vh), (sign, size) = la.qr(w, mode="complete"), la.svd(w, full_matrices=False), la.slogdet(a)
    values, vectors_ = la.eigh(d)
    for got, want in (
        (q @ r, wide), (xp.matmul(u * xp.astype(s, u.dtype)[:, None, :], vh), wide), (sign * xp.astype(xp.exp(size), sign.dtype), ln.det(general)),
        (xp.matmul(vectors_ * xp.astype(values, d.dtype)[:, None, :], xp.conj(vectors_.mT)), definite),
    ):  # fmt: skip
        close(got, want)


@pytest.mark.parametrize(("dtype", "norm"), [("float32", "backward"), ("complex128", "ortho"), ("float64", "forward")])
def test_fft(backend: Any, dtype: str, norm: str) -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=(2, 5, 4)).astype(dtype)
    mine = xp.asarray(x)
    calls: list[Any] = [
        lambda m, x: m.fft(x, norm=norm), lambda m, x: m.ifft(x, n=3, axis=1, norm=norm), lambda m, x: m.fft(x, n=7, axis=0, norm=norm),
        lambda m, x: m.fftn(x, norm=norm), lambda m, x: m.ifftn(x, s=(3, 5), axes=(1, 0), norm=norm), lambda m, x: m.irfft(x, norm=norm),
        lambda m, x: m.irfft(x, n=5, axis=1, norm=norm), lambda m, x: m.irfftn(x, axes=(0, 1), norm=norm), lambda m, x: m.hfft(x, n=7, norm=norm),
        lambda m, x: m.fftshift(x, axes=1), lambda m, x: m.ifftshift(x),
    ]  # fmt: skip
    if dtype in REAL:
        calls += [lambda m, x: m.rfft(x, norm=norm), lambda m, x: m.rfft(x, n=5, axis=0, norm=norm), lambda m, x: m.rfftn(x, norm=norm),
                  lambda m, x: m.ihfft(x, norm=norm), lambda m, x: m.rfftn(x, s=(4, 3), axes=(1, 0), norm=norm)]  # fmt: skip
    for call in calls:
        close(call(xp.fft, mine), call(np.fft, x))
    close(xp.fft.fftfreq(5, d=0.5), np.fft.fftfreq(5, 0.5))
    close(xp.fft.rfftfreq(4), np.fft.rfftfreq(4))

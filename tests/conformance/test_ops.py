"""Every op, on every engine, against NumPy, its own rules, its own body, and finite differences."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import pathlib
from typing import Any

import numpy as np
import pytest

import keraunos.ops
from keraunos.core import config
from keraunos.core.op import op_of
from keraunos.core.spec import OPERATORS, Spec, known, same_dim
from tests.conftest import BACKENDS

CASES = [case for path in sorted(pathlib.Path(__file__).parent.glob("*cases.py")) for case in importlib.import_module(f"tests.conformance.{path.stem}").CASES]

ROWS = [pytest.param(case, dtype, id=f"{case}-{dtype}") for case in CASES for dtype in case.dtypes]
FIRST = [pytest.param(case, id=str(case)) for case in CASES]
SMOOTH = [pytest.param(case, id=str(case)) for case in CASES if case.grad]
OVERRIDDEN = [
    pytest.param(name, case, id=f"{name}-{case}")
    for name in BACKENDS
    for case in CASES
    if op_of(OPERATORS[case.op]).shape is None and not {case.op, f"{case.op}_"}.isdisjoint(config.load_backend(name).__dict__)
]
TOLERANCE = {"float64": 1e-6, "float32": 2e-5, "float16": 4e-3, "bfloat16": 3e-2, "complex64": 2e-5, "complex128": 1e-6}
WIDE = {
    "float64": "float64",
    "float32": "float64",
    "float16": "float64",
    "bfloat16": "float64",
    "bool": "bool",
    **dict.fromkeys(("complex64", "complex128"), "complex128"),
}


def leaves(out: Any) -> list[Any]:
    return list(out) if isinstance(out, (list, tuple)) else [out]


def name_of(dtype: Any, backend: Any) -> str:
    """The dtype that an engine can give: JAX without its 64-bit mode has half the bits."""
    narrow = backend.name == "jax" and not importlib.import_module("jax").config.jax_enable_x64
    return {"int64": "int32", "uint64": "uint32", "float64": "float32"}.get(dtype, dtype) if narrow else dtype


def widened(case: Any, dtype: str) -> list[np.ndarray]:
    """The arrays in 64 bits, bools as the op takes them."""
    rule = op_of(getattr(keraunos.ops, case.op, OPERATORS[case.op])).dtype
    arrays = case.arrays(dtype)
    made = []
    for shape, x in zip(case.shapes, arrays, strict=True):
        name = x.dtype.name
        name = rule.common([name]) if rule.inputs and not isinstance(shape, np.ndarray) else name
        made.append(x.astype(WIDE.get(name, "int64")))
    return made


def traceable(case: Any) -> bool:
    """Whether a compiler can know the shape of the result."""
    return case.compiles and not any(isinstance(s, np.ndarray) and s.dtype == bool for s in case.shapes)


def compiled(backend: Any, function: Any, case: Any) -> Any:
    return (backend.compile(function) if traceable(case) else None) or function


@pytest.mark.parametrize(("case", "dtype"), ROWS)
def test_value_and_dtype(case: Any, dtype: str, backend: Any) -> None:
    """Under the engine's compiler, where it has one."""
    check(case, dtype, backend, compiled)


@pytest.mark.parametrize("case", FIRST)
@pytest.mark.parametrize("backend", [name for name in ("jax", "tensorflow", "pytensor") if name in BACKENDS], indirect=True)
def test_value_and_dtype_uncompiled(case: Any, backend: Any) -> None:
    check(case, case.dtypes[0], backend, lambda backend, function, case: function)


def check(case: Any, dtype: str, backend: Any, through: Any) -> None:
    op = OPERATORS[case.op]
    arrays = case.arrays(dtype)
    wanted = leaves(case.call(case.reference, widened(case, dtype)))
    out = leaves(through(backend, lambda *xs: case.call(op, list(xs)), case)(*[backend.array(x) for x in arrays]))
    specs = leaves(case.call(op, [Spec(x.shape, x.dtype.name) for x in arrays])) if arrays else leaves(op_of(op).spec((*case.before, *case.args), case.kwargs))
    assert len(out) == len(wanted) == len(specs)
    for got, want, spec in zip(out, wanted, specs, strict=True):
        assert backend.dtype_of(got) == name_of(spec.dtype, backend)
        assert tuple(got.shape) == np.shape(want)
        # A result may have more bits than the inputs that it was rounded from.
        rounding = max(1, TOLERANCE.get(dtype, 0) / TOLERANCE["float32"]) if spec.dtype == "float32" else 1
        _close(backend, case.seen(got), case.seen(want), case.tolerance * rounding)


def _close(backend: Any, got: Any, want: Any, factor: float) -> None:
    got = backend.to_numpy(got)
    tolerance = TOLERANCE.get(got.dtype.name, 0) * factor
    if got.dtype.name in TOLERANCE:
        np.testing.assert_allclose(got.astype(WIDE[got.dtype.name]), np.asarray(want).astype(WIDE[got.dtype.name]), tolerance, tolerance)
    else:
        np.testing.assert_array_equal(got, np.asarray(want).astype(got.dtype))


@pytest.mark.parametrize(("backend", "case"), OVERRIDDEN, indirect=["backend"])
def test_override_equals_body(case: Any, backend: Any) -> None:
    op = op_of(OPERATORS[case.op])
    tensors = [backend.array(x) for x in case.arrays(case.dtypes[0])]

    def body(*args: Any, **kwargs: Any) -> Any:
        return op.body(*op.promote(backend, args) if op.dtype.inputs else args, **kwargs)

    both = compiled(backend, lambda *xs: (leaves(case.call(body, xs)), leaves(case.call(OPERATORS[case.op], xs))), case)
    for got, want in zip(*both(*tensors), strict=True):
        assert backend.dtype_of(got) == backend.dtype_of(want)
        _close(backend, case.seen(got), backend.to_numpy(case.seen(want)), 4 * case.tolerance)


@pytest.mark.parametrize("case", FIRST)
def test_spec_agrees_for_hidden_dimensions(case: Any) -> None:
    """Whichever dimensions are hidden, the spec says nothing that the run belies, and it keeps the rank."""
    op = OPERATORS[case.op]
    arrays = case.arrays(case.dtypes[0])
    with config.backend_scope("numpy"):
        ran = [np.shape(x) for x in leaves(case.call(op, arrays))]
        places = [i for i in range(sum(x.ndim for x in arrays)) if i not in case.known]
        for count in range(len(places) + 1 if len(places) <= 8 else 2):
            for hidden in itertools.combinations(places, count):
                at = itertools.count()
                specs = [Spec([None if next(at) in hidden else d for d in x.shape], x.dtype.name) for x in arrays]
                out = leaves(case.call(op, specs)) if specs else leaves(op_of(op).spec(case.args, case.kwargs))
                shapes = [x.shape for x in out]
                assert len(shapes) == len(ran), hidden
                for shape, real in zip(shapes, ran, strict=True):
                    assert len(shape) == len(real), (hidden, shape, real)
                    assert all(map(same_dim, shape, real)), (hidden, shape, real)
                    data_dependent = not case.compiles or any(x.dtype == bool for x in arrays)
                    assert hidden or data_dependent or known(shape), (shape, real)


@pytest.mark.parametrize("case", SMOOTH)
@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "numpy"])
def test_gradient(case: Any, name: str) -> None:
    """The gradient of a random projection of the result is that by finite differences, in float64."""
    places = [i for i, s in enumerate(case.shapes) if not isinstance(s, np.ndarray)]
    arrays = [x.astype("float64") if i in places else x for i, x in enumerate(case.arrays("float32"))]
    random = np.random.default_rng(7)
    with config.backend_scope(name), _x64(name):
        backend = config.active()
        weights = [random.normal(size=np.shape(x)) for x in leaves(case.call(case.reference, arrays))]
        fixed = [backend.array(x) for x in arrays]

        def loss(values: Any) -> Any:
            tensors = list(fixed)
            for i, value in zip(places, values, strict=True):
                tensors[i] = value
            total = 0.0
            for out, w in zip(leaves(case.call(OPERATORS[case.op], tensors)), weights, strict=True):
                total = total + keraunos.ops.sum(keraunos.ops.multiply(case.seen(out), backend.array(w)))
            return total, None

        gradients = compiled(backend, lambda values: backend.differentiate(loss, values)[1], case)([fixed[i] for i in places])
        gradients = [backend.to_numpy(g) for g in gradients]

    def reference() -> float:
        return sum(float((case.seen(out) * w).sum()) for out, w in zip(leaves(case.call(case.reference, arrays)), weights, strict=True))

    for i, gradient in zip(places, gradients, strict=True):
        assert gradient.dtype == np.float64
        x, numeric = arrays[i], np.zeros(np.shape(arrays[i]))
        for place in np.ndindex(x.shape):
            former = x[place]
            ends = []
            for step in (1e-5, -1e-5):
                x[place] = former + step
                ends.append(reference())
            x[place] = former
            numeric[place] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose(gradient, numeric, 1e-5, 1e-6)


def _x64(name: str) -> Any:
    if name != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def test_every_op_has_a_row() -> None:
    ours = {name for name, function in OPERATORS.items() if function.__module__.startswith("keraunos.ops")}
    assert sorted(ours - {case.op for case in CASES}) == []

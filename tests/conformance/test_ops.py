"""Every op, on every engine, against NumPy, its own rules, its own body, and finite differences."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraunos.ops
from keraunos.core import config
from keraunos.core.op import op_of
from keraunos.core.spec import OPERATORS, Spec, known, same_dim
from tests.conftest import BACKENDS, BFLOAT, expected_failures

CASES = [case for path in sorted(pathlib.Path(__file__).parent.glob("*cases.py")) for case in importlib.import_module(f"tests.conformance.{path.stem}").CASES]
# Rows that one process runs after each other: what they compile is compiled once, and on JAX and TensorFlow they are one program.
BLOCKS = [CASES[i : i + 40] for i in range(0, len(CASES), 40)]
BLOCK_OF = {case: number for number, block in enumerate(BLOCKS) for case in block}
AT_ONCE = ("jax", "tensorflow")  # the engines that take their time for each program, however small


def row(case: Any, *more: Any, id: str | None = None) -> Any:
    return pytest.param(case, *more, id=id or str(case), marks=pytest.mark.xdist_group(f"ops {BLOCK_OF[case]}"))


EXPECTED = {name: expected_failures(name) for name in BACKENDS}


def failing(name: str, test: str, case: Any) -> list[str]:
    """The dtypes of a row for which a test is expected to fail on an engine."""
    expected = [words for words, _ in EXPECTED[name]]
    return [d for d in case.dtypes if any(all(word in f"{test}[{name}-{case}-{d}]" for word in words) for words in expected)]


def rows() -> Iterator[Any]:
    """A row, an engine, and the row's dtypes: those that are expected to fail each by itself."""
    for name, case in itertools.product(BACKENDS, CASES):
        alone = failing(name, "test_value_and_dtype", case)
        yield from (row(case, name, (d,), id=f"{name}-{case}-{d}") for d in alone)
        if rest := tuple(d for d in case.dtypes if d not in alone):
            yield row(case, name, rest, id=f"{name}-{case}")


FIRST = [row(case) for case in CASES]
SMOOTH = [row(case) for case in CASES if case.grad]
ROWS = [*rows()]
OVERRIDDEN = [
    row(case, name, id=f"{name}-{case}")
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


def wide(case: Any, dtype: str) -> bool:
    """Whether a call of a row has numbers of 64 bits, by which JAX's 64-bit mode is switched on: it is a program of its own."""
    names = [dtype, *[x.dtype.name for x in case.arrays(dtype)], repr((case.before, case.args, case.kwargs))]
    return any(kind in name for kind in ("int64", "float64", "complex128") for name in names)


def together(name: str, calls: dict[Any, tuple[Any, list[Any]]]) -> dict[Any, Any]:
    """What functions give for their arrays, as one program; nothing if one of them fails: then each is run by itself, by its own test."""
    backend = config.load_backend(name)
    functions, given = [f for f, _ in calls.values()], [[backend.array(x) for x in arrays] for _, arrays in calls.values()]
    with contextlib.suppress(Exception):
        return dict(zip(calls, backend.compile(lambda given: [f(*xs) for f, xs in zip(functions, given, strict=True)])(given), strict=True))
    return {}


def by_itself(name: str, case: Any, function: Any, arrays: list[Any]) -> Any:
    """What a function of a row's arrays gives, under the compiler of an engine that has one."""
    backend = config.load_backend(name)
    return ((backend.compile(function) if traceable(case) else None) or function)(*[backend.array(x) for x in arrays])


def applied(case: Any) -> Any:
    return lambda *xs: case.call(OPERATORS[case.op], list(xs))


@functools.lru_cache(maxsize=1)
def values_of(name: str, block: int) -> dict[Any, Any]:
    """The results of a block's rows, by row and dtype."""
    if name not in AT_ONCE:
        return {}
    cells = [
        (case, d)
        for case in BLOCKS[block]
        if traceable(case)
        for d in case.dtypes
        if not wide(case, d) and d not in failing(name, "test_value_and_dtype", case)
    ]
    return together(name, {(case, d): (applied(case), case.arrays(d)) for case, d in cells})


@pytest.mark.parametrize(("case", "backend", "dtypes"), ROWS, indirect=["backend"])
def test_value_and_dtype(case: Any, backend: Any, dtypes: tuple[str, ...]) -> None:
    """Under the engine's compiler, where it has one; every dtype that fails is told."""
    done, wrong = values_of(backend.name, BLOCK_OF[case]), []
    for dtype in dtypes:
        try:
            check(case, dtype, backend, done[case, dtype] if (case, dtype) in done else by_itself(backend.name, case, applied(case), case.arrays(dtype)))
        except Exception as error:
            error.add_note(f"for {dtype}")
            wrong.append(error)
    if wrong:
        raise ExceptionGroup(f"{case} on {backend.name}", wrong)


@pytest.mark.parametrize("case", FIRST)
@pytest.mark.parametrize("backend", [name for name in ("jax", "tensorflow", "pytensor") if name in BACKENDS], indirect=True)
def test_value_and_dtype_uncompiled(case: Any, backend: Any) -> None:
    check(case, case.dtypes[0], backend, applied(case)(*[backend.array(x) for x in case.arrays(case.dtypes[0])]))


@functools.cache
def answer(case: Any, dtype: str) -> list[Any]:
    """NumPy's, the same for every engine."""
    return leaves(case.call(case.reference, widened(case, dtype)))


@functools.cache
def specs_of(case: Any, dtype: str, name: str) -> list[Any]:
    """What an engine says of the result without computing it; the rules of shapes and dtypes are those of all."""
    op = op_of(OPERATORS[case.op])
    with config.backend_scope(name):
        given = [Spec(x.shape, x.dtype.name) for x in case.arrays(dtype)]
        return leaves(case.call(OPERATORS[case.op], given) if given else op.spec((*case.before, *case.args), case.kwargs))


def check(case: Any, dtype: str, backend: Any, found: Any) -> None:
    """Whether what was found for a row is NumPy's answer, of the dtype and shape that the spec says."""
    out, wanted = leaves(found), answer(case, dtype)
    specs = specs_of(case, dtype, backend.name if dtype == case.dtypes[0] else "numpy")
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


def both_ways(case: Any) -> Any:
    """A function that gives what the op's body gives, and what the engine's own form of it does."""
    op = op_of(OPERATORS[case.op])

    def body(*args: Any, **kwargs: Any) -> Any:
        return op.body(*op.promote(config.active(), args) if op.dtype.inputs else args, **kwargs)

    return lambda *xs: (leaves(case.call(body, list(xs))), leaves(applied(case)(*xs)))


@functools.lru_cache(maxsize=1)
def both_ways_of(name: str, block: int) -> dict[Any, Any]:
    """The results of a block's rows, both ways."""
    if name not in AT_ONCE:
        return {}
    cases = [case for case, engine in (param.values for param in OVERRIDDEN) if engine == name and BLOCK_OF[case] == block]
    return together(name, {c: (both_ways(c), c.arrays(c.dtypes[0])) for c in cases if traceable(c) and not wide(c, c.dtypes[0])})


@pytest.mark.parametrize(("case", "backend"), OVERRIDDEN, indirect=["backend"])
def test_override_equals_body(case: Any, backend: Any) -> None:
    done = both_ways_of(backend.name, BLOCK_OF[case])
    both = done[case] if case in done else by_itself(backend.name, case, both_ways(case), case.arrays(case.dtypes[0]))
    for got, want in zip(*both, strict=True):
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


@dataclasses.dataclass(eq=False)
class Projection:
    """A random projection of a row's result, in float64: the places of the tensors that it is differentiated by, all tensors, and the weights."""

    case: Any
    places: list[int] = dataclasses.field(init=False)
    arrays: list[np.ndarray] = dataclasses.field(init=False)
    weights: list[np.ndarray] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.places = [i for i, s in enumerate(self.case.shapes) if not isinstance(s, np.ndarray)]
        self.arrays = [x.astype("float64") if i in self.places else x for i, x in enumerate(self.case.arrays("float32"))]
        random = np.random.default_rng(7)
        self.weights = [random.normal(size=np.shape(x)) for x in leaves(self.case.call(self.case.reference, self.arrays))]

    def gradients(self, *values: Any) -> list[Any]:
        """Those that the engine in force finds."""
        backend, case = config.active(), self.case

        def loss(values: Any) -> Any:
            given = iter(values)
            tensors = [next(given) if i in self.places else backend.array(x) for i, x in enumerate(self.arrays)]
            total = 0.0
            for out, w in zip(leaves(applied(case)(*tensors)), self.weights, strict=True):
                total = total + keraunos.ops.sum(keraunos.ops.multiply(case.seen(out), backend.array(w)))
            return total, None

        return backend.differentiate(loss, list(values))[1]

    def value(self) -> float:
        outs = leaves(self.case.call(self.case.reference, self.arrays))
        return sum(float((self.case.seen(out) * w).sum()) for out, w in zip(outs, self.weights, strict=True))

    @functools.cached_property
    def differences(self) -> list[np.ndarray]:
        """The gradients by finite differences, the same for every engine."""
        found = []
        for x in (self.arrays[i] for i in self.places):
            numeric = np.zeros(x.shape)
            for place in np.ndindex(x.shape):
                former = x[place]
                ends = []
                for step in (1e-5, -1e-5):
                    x[place] = former + step
                    ends.append(self.value())
                x[place] = former
                numeric[place] = (ends[0] - ends[1]) / 2e-5
            found.append(numeric)
        return found

    @property
    def variables(self) -> list[np.ndarray]:
        return [self.arrays[i] for i in self.places]


projection_of = functools.cache(Projection)


@functools.lru_cache(maxsize=1)
def gradients_of(name: str, block: int) -> dict[Any, Any]:
    """The gradients of a block's rows."""
    projections = {case: projection_of(case) for case in BLOCKS[block] if case.grad and traceable(case)} if name in AT_ONCE else {}
    return together(name, {case: (p.gradients, p.variables) for case, p in projections.items()}) if projections else {}


@pytest.mark.parametrize("case", SMOOTH)
@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "numpy"])
def test_gradient(case: Any, name: str) -> None:
    """The gradient of a random projection of the result is that by finite differences, in float64."""
    projection = projection_of(case)
    with config.backend_scope(name), _x64(name):
        done = gradients_of(name, BLOCK_OF[case])
        found = done[case] if case in done else by_itself(name, case, projection.gradients, projection.variables)
        gradients = [config.active().to_numpy(g) for g in found]
    for gradient, numeric in zip(gradients, projection.differences, strict=True):
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, numeric, 1e-5, 1e-6)


def _x64(name: str) -> Any:
    if name != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def test_every_op_has_a_row() -> None:
    ours = {name for name, function in OPERATORS.items() if function.__module__.startswith("keraunos.ops")}
    assert sorted(ours - {case.op for case in CASES}) == []


def test_few_rows_are_expected_to_fail() -> None:
    """Of all rows; a dtype that an engine does not have at all is not counted."""
    tests = ("test_value_and_dtype", "test_value_and_dtype_uncompiled", "test_override_equals_body", "test_gradient")
    for name in BACKENDS:
        lacking = set() if name in BFLOAT else {"bfloat16"}
        rows = [case for case in CASES if any(set(failing(name, test, case)) - lacking for test in tests)]
        assert len(rows) <= {"tensorflow": 0.03, "pytensor": 0.1}.get(name, 0) * len(CASES), (name, [str(case) for case in rows])

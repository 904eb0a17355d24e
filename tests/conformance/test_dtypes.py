"""Every op over every dtype that it accepts: the engines agree in the dtype and in the values of the results.

What an op accepts is what the NumPy engine, whose values the other table checks, computes.
"""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import numpy as np
import pytest

from keraunos.core import config
from keraunos.core.op import op_of
from keraunos.core.spec import OPERATORS
from tests.conformance.test_ops import CASES, TOLERANCE, WIDE, leaves, name_of
from tests.conftest import BACKENDS

DTYPES = ("bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32", "float64", "complex64", "complex128")
LIKE_OTHERS = ("uint16", "uint32", "int8", "int16", "int64")  # XLA, which takes its time for each, has one way for all integers
FIRST: dict[str, Any] = {}
COVERED: dict[str, set[str]] = {}  # the dtypes that an op's rows have
for case in CASES:
    if any(not isinstance(shape, np.ndarray) for shape in case.shapes):
        FIRST.setdefault(case.op, case)
        COVERED.setdefault(case.op, set()).update(case.dtypes)
BLOCKS = [[*FIRST][i : i + 30] for i in range(0, len(FIRST), 30)]  # of ops that one process looks at
BLOCK_OF = {op: number for number, block in enumerate(BLOCKS) for op in block}
# By zero, integers are divided as the engine does it; which of equal values is among the largest is the engine's choice too.
UNDEFINED = {("floor_divide", "bool"), ("mod", "bool"), *(("top_k", d) for d in DTYPES)}
EAGER = ("true_divide",)  # within a program, XLA makes a choice of a quotient of bools, in which 0 / 0 is 0
FORMS = ("shaping", "joining", "vectors", "products")  # the files of ops that take complex numbers as any others


def dtypes_of(op: str, engine: str) -> list[str]:
    """Those beyond the op's rows; complex ones where they mean something."""
    complex_too = "complex64" in COVERED[op] or OPERATORS[op].__module__.rpartition(".")[2] in FORMS
    wanted = [d for d in DTYPES if d not in COVERED[op] and (complex_too or not d.startswith("complex"))]
    wanted = [d for d in wanted if (op, d) not in UNDEFINED]
    return [d for d in wanted if engine != "jax" or d not in LIKE_OTHERS]


def values(case: Any, dtype: str) -> list[np.ndarray]:
    """The case's arrays in a dtype; complex ones have the same real parts."""
    arrays = case.arrays("float32" if dtype.startswith("complex") else dtype)
    return [x if isinstance(s, np.ndarray) else x.astype(dtype) if dtype.startswith("complex") else x for s, x in zip(case.shapes, arrays, strict=True)]


def outcome(engine: Any, case: Any, arrays: list[np.ndarray]) -> list[Any]:
    with config.backend_scope(engine.name):
        return leaves(case.call(OPERATORS[case.op], [engine.array(x) for x in arrays]))


@functools.cache
def accepted(op: str) -> list[tuple[str, list[np.ndarray], list[Any]]]:
    """The dtypes beyond the op's rows that it takes, the arrays of each, and what NumPy gives."""
    found, reference = [], config.load_backend("numpy")
    for dtype in dtypes_of(op, "numpy"):
        with contextlib.suppress(Exception):  # the op does not take this dtype
            arrays = values(FIRST[op], dtype)
            found.append((dtype, arrays, outcome(reference, FIRST[op], arrays)))
    return found


def accepted_of(op: str, engine: str) -> list[tuple[str, list[np.ndarray], list[Any]]]:
    wanted = dtypes_of(op, engine)
    return [row for row in accepted(op) if row[0] in wanted]


@functools.lru_cache(maxsize=4)
def on_jax(ops: tuple[str, ...]) -> dict[str, list[Any]]:
    """What ops give for the arrays of each dtype, as one program, since compiling many takes longer; nothing if one of them fails."""
    engine = config.load_backend("jax")
    given = {op: [[engine.array(x) for x in arrays] for _, arrays, _ in accepted_of(op, "jax")] for op in ops}

    def program(given: dict[str, Any]) -> dict[str, list[Any]]:
        return {op: [leaves(FIRST[op].call(OPERATORS[op], list(x))) for x in tensors] for op, tensors in given.items()}

    with contextlib.suppress(Exception), config.backend_scope("jax"):
        return engine.compile(program)(given)
    return {}


def outcomes(op: str, name: str) -> list[list[Any] | Exception]:
    """What the op gives for the arrays of each dtype, or how it fails."""
    if name == "jax" and op not in EAGER:
        block = on_jax(tuple(other for other in BLOCKS[BLOCK_OF[op]] if other not in EAGER))
        if done := block or on_jax((op,)):
            return done[op]
    found: list[list[Any] | Exception] = []
    for _, arrays, _ in accepted_of(op, name):
        try:
            found.append(outcome(config.load_backend(name), FIRST[op], arrays))
        except Exception as error:
            found.append(error)
    return found


@pytest.mark.parametrize("name", [name for name in BACKENDS if name not in ("numpy", "pytensor")])  # PyTensor's values are NumPy's
@pytest.mark.parametrize("op", [pytest.param(op, marks=pytest.mark.xdist_group(f"dtypes {block}")) for op, block in BLOCK_OF.items()])
def test_every_dtype(op: str, name: str) -> None:
    case, engine, reference = FIRST[op], config.load_backend(name), config.load_backend("numpy")
    wrong = []
    with _both_widths(name):
        for (dtype, _, wanted), found in zip(accepted_of(op, name), outcomes(op, name), strict=True):
            if isinstance(found, Exception):
                wrong.append(f"{dtype}: {type(found).__name__}: {str(found).splitlines()[0][:90]}")
                continue
            for got, want in zip(found, wanted, strict=True):
                wanted_dtype = name_of(reference.dtype_of(want), engine)
                if engine.dtype_of(got) != wanted_dtype:
                    wrong.append(f"{dtype}: gives {engine.dtype_of(got)}, not {wanted_dtype}")
                    continue
                factor = case.tolerance * TOLERANCE.get(dtype, TOLERANCE.get(wanted_dtype, 0))
                wide = WIDE.get(wanted_dtype, "int64")
                a, b = (case.seen(backend.to_numpy(x)) for backend, x in ((engine, got), (reference, want)))
                if case.singular:
                    a, b = (np.where(np.isfinite(x), x, np.nan) for x in (a, b))
                try:
                    np.testing.assert_allclose(np.asarray(a).astype(wide), np.asarray(b).astype(wide), 4 * factor, 4 * factor)
                except AssertionError as error:
                    wrong.append(f"{dtype}: {' '.join(str(error).split())[:120]}")
    assert not wrong, "\n".join(wrong)


def _both_widths(name: str) -> Any:
    if name != "jax":
        return contextlib.nullcontext()
    import jax

    return jax.enable_x64(True)


def test_every_op_of_tensors_is_in_the_table() -> None:
    assert len(FIRST) > 200
    assert all(op_of(OPERATORS[op]) for op in FIRST)

"""The dtype of every result is what Keras's rule says: on the whole grid of dtype pairs, for ops that stand for the families.

The table is Keras's own, asked in a process of its own, on the engine where it keeps 64 bits: the dtype of the result of a run, and
that of its symbolic rule, which is another for some pairs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from keraunos import ops
from keraunos.core.spec import Spec

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed"),
    pytest.mark.xdist_group("dtype rules"),  # one process asks Keras
]

DTYPES = ("bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32", "float64")
SCALARS = {"True": True, "3": 3, "0.5": 0.5}
BINARY = "add subtract multiply true_divide floor_divide mod power maximum matmul equal logical_and arctan2 logaddexp where concatenate".split()
UNARY = "sum mean prod cumsum max argmax sqrt exp absolute negative sign floor square var any sort softmax relu round isnan".split()
_BOOLS = [f"{name} {pair}" for name in ("subtract", "floor_divide", "power") for pair in ("bool bool", "bool True", "True bool")]
_WHOLE = [x for x in DTYPES if "float" not in x]
OURS = {
    # Its engines refuse these, or give what we give, against its symbolic rule.
    **dict.fromkeys((*_BOOLS, *(f"{name} bool" for name in ("negative", "sign", "relu", "round"))), "int32"),
    **{f"softmax {x}": "float32" for x in _WHOLE},
    # Python's scalars are weak in every other of its ops.
    **{f"arctan2 {pair}": x for x in ("bfloat16", "float16") for pair in (f"{x} 0.5", f"0.5 {x}", f"{x} 3", f"3 {x}", f"{x} True", f"True {x}")},
}


def applied(module: Any, name: str, xs: list[Any]) -> Any:
    function = getattr(module, name)
    return function(xs) if name == "concatenate" else function(True, *xs) if name == "where" else function(*xs)


def grid() -> Any:
    """The name of an op, and the dtypes or scalars that it is called with."""
    for name in BINARY:
        for x, y in itertools.product((*DTYPES, *SCALARS), repeat=2):
            if not {x, y} <= SCALARS.keys() and (name not in ("matmul", "concatenate") or {x, y} <= set(DTYPES)):
                yield f"{name} {x} {y}"
    yield from (f"{name} {x}" for name in UNARY for x in DTYPES)


def main() -> None:
    """Print Keras's table."""
    import keras

    table = {}
    for row in grid():
        name, *xs = row.split()
        table[row] = []
        for make in (lambda x: keras.ops.ones((2, 2), x), lambda x: keras.KerasTensor((2, 2), x)):
            with contextlib.suppress(Exception):  # some engines lack some pairs
                out = applied(keras.ops, name, [SCALARS[x] if x in SCALARS else make(x) for x in xs])
                table[row].append(keras.backend.standardize_dtype(out.dtype))
    print(json.dumps(table))


@pytest.fixture(scope="module")
def table() -> dict[str, list[str]]:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    code = "from tests.interop.test_dtype_rules import main; main()"
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=environment, capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [*BINARY, *UNARY])
def test_dtypes_are_those_of_keras(name: str, table: dict[str, list[str]]) -> None:
    wrong = []
    for row in grid():
        op, *xs = row.split()
        if op == name:
            got = applied(ops, op, [SCALARS[x] if x in SCALARS else Spec((2, 2), x) for x in xs]).dtype
            if got not in ([OURS[row]] if row in OURS else table[row]):
                wrong.append(f"{row}: {got}, Keras {' or '.join(table[row])}")
    assert wrong == []

"""The dtype lattice, against that of the installed Keras."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys

import pytest

from keraunos.core import config, dtypes
from keraunos.core.errors import DTypeError

NAMES = [
    "bool", "uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32", "float64",
]  # fmt: skip
PYTHON = {"bool": bool, "int": int, "float": float}


@pytest.fixture(scope="module")
def peer() -> dict[str, str]:
    """What Keras gives for every pair, computed in a process of its own, so that no engine is set here."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("Keras is not installed")
    code = (
        "import json, itertools, keras\n"
        "from keras import KerasTensor as T, ops\n"
        f"names = {NAMES!r}\n"
        "values = {'bool': True, 'int': 1, 'float': 1.0}\n"
        "out = {f'{a},{b}': ops.maximum(T((1,), a), T((1,), b)).dtype for a, b in itertools.product(names, names)}\n"
        "out |= {f'{a},py{k}': ops.maximum(T((1,), a), v).dtype for a in names for k, v in values.items()}\n"
        "print(json.dumps(out))\n"
    )
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, env={**os.environ, "KERAS_BACKEND": "jax"}, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def narrow(name: str) -> str:
    """Keras on JAX gives 32 bits where JAX's 64-bit mode is off."""
    return {"int64": "int32", "uint64": "uint32", "float64": "float32"}.get(name, name)


def test_pairs_as_in_keras(peer: dict[str, str]) -> None:
    ours = {f"{a},{b}": narrow(dtypes.result_type(a, b)) for a, b in itertools.product(NAMES, NAMES)}
    assert {k: (v, peer[k]) for k, v in ours.items() if v != narrow(peer[k])} == {}


def test_python_scalars_as_in_keras(peer: dict[str, str]) -> None:
    ours = {f"{a},py{k}": narrow(dtypes.result_type(a, t)) for a in NAMES for k, t in PYTHON.items()}
    assert {k: (v, peer[k]) for k, v in ours.items() if v != narrow(peer[k])} == {}


@pytest.mark.parametrize(
    ("names", "joined"),
    [(("int32", "uint32"), "int64"), (("int64", "uint64"), "float32"), (("bfloat16", "float16"), "float32"), (("int8", "uint8"), "int16"), ((), "float32")],
)
def test_joins(names: tuple[str, ...], joined: str) -> None:
    assert dtypes.result_type(*names) == joined


def test_join_is_associative_and_commutative() -> None:
    for a, b, c in itertools.product(NAMES, NAMES, NAMES):
        assert dtypes._join(dtypes._join(a, b), c) == dtypes._join(a, dtypes._join(b, c)) == dtypes._join(dtypes._join(c, b), a)


def test_standardize() -> None:
    import jax.numpy as jnp
    import numpy as np
    import torch

    for given in ("float32", np.float32, np.dtype("float32"), jnp.float32, torch.float32, None, float):
        assert dtypes.standardize_dtype(given) == "float32"
    assert dtypes.standardize_dtype(torch.bool) == dtypes.standardize_dtype(bool) == "bool"


def test_floatx_decides_for_weak_floats() -> None:
    former = config.floatx()
    try:
        config.set_floatx("float16")
        assert (dtypes.result_type("int32", float), dtypes.floating("int8"), dtypes.standardize_dtype(None)) == ("float16",) * 3
    finally:
        config.set_floatx(former)


def test_misspelt() -> None:
    with pytest.raises(DTypeError, match="Did you mean 'float32'"):
        dtypes.standardize_dtype("flaot32")
    with pytest.raises(DTypeError, match="Text cannot be computed with"):
        dtypes.result_type("string", "int32")

"""Ops take the tensors of every engine, and what speaks NumPy's or DLPack's protocol."""

from __future__ import annotations

import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tests.conftest import BACKENDS

from keraunos import ops
from keraunos.core import config


class Arrayed:
    """What only `np.asarray` understands."""

    def __init__(self, array: np.ndarray):
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.array if dtype is None else self.array.astype(dtype)


class Packed:
    """What only DLPack understands."""

    def __init__(self, array: np.ndarray):
        self.array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.array.__dlpack_device__()


SOURCES = {"array": lambda x: x, "list": np.ndarray.tolist, "__array__": Arrayed, "__dlpack__": Packed, **{n: None for n in BACKENDS if n != "pytensor"}}
DTYPES = ("float32", "float16", "int32", "uint8", "bool", "bfloat16")


def made(source: str, values: np.ndarray) -> Any:
    if SOURCES[source] is not None:
        return SOURCES[source](values)
    with config.backend_scope(source):
        return config.active().array(values)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", SOURCES)
def test_ops_take_the_tensors_of_all(backend: Any, source: str, dtype: str) -> None:
    if dtype == "bfloat16" and (source in ("list", "__dlpack__") or backend.name == "pytensor"):
        pytest.skip("there is no such form of bfloat16")
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype
    values = np.arange(6).reshape(2, 3).astype(kind)
    x = made(source, values)
    out = ops.convert_to_tensor(x)
    assert config.active().is_tensor(out)
    np.testing.assert_array_equal(ops.convert_to_numpy(x).astype("float32"), values.astype("float32"))
    total = ops.add(ops.multiply(x, 2), ops.cast(out, dtype))  # by itself, and beside the engine's own
    np.testing.assert_array_equal(
        ops.convert_to_numpy(total).astype("float32"), values.astype("float32") * (3 if dtype != "bool" else 2) + (dtype == "bool") * values
    )
    if source != "list":
        assert ops.dtype(out) == dtype


@pytest.mark.parametrize("source", [n for n in SOURCES if n not in ("list", "array")])
def test_no_memory_is_shared_with_what_may_change(backend: Any, source: str) -> None:
    values = np.ones(4, "float32")
    x = made(source, values)
    if source == backend.name:
        pytest.skip("a tensor of the engine itself is taken as it is")
    v = config.active().slot(ops.convert_to_tensor(x), True)
    values += 1
    if source == "torch":
        x.add_(1)
    np.testing.assert_array_equal(config.active().to_numpy(v), 1)


@pytest.mark.skipif("torch" not in BACKENDS, reason="about PyTorch")
def test_tensors_that_require_gradients_are_taken(backend: Any) -> None:
    import torch

    x = torch.ones(3, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ops.convert_to_numpy(ops.add(x, 1)).tolist() == [2, 2, 2]
        assert ops.convert_to_numpy(ops.add(x * 2, np.float32(1))).tolist() == [3, 3, 3]
        assert ops.convert_to_numpy(torch.ones(2, 3, dtype=torch.float16).T).shape == (3, 2)


def test_scalars_of_numpy_keep_their_dtype(backend: Any) -> None:
    assert ops.dtype(ops.convert_to_tensor(np.float16(1))) == "float16"
    assert float(ops.add(np.int32(1), 2)) == 3

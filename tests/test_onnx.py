"""Models as ONNX: every op and layer traced, checked by ONNX, run by onnxruntime, and compared with what the engines compute."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from keraunos.core import config
from keraunos.core.scope import within
from keraunos.core.spec import OPERATORS
from tests.conformance.test_ops import FIRST, leaves, widened
from tests.conformance.test_ops import _close as close

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

ENGINE = config.load_backend("onnx")


def run(path: Any, *arrays: Any) -> list[Any]:
    """The outputs that onnxruntime computes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {given.name: x for given, x in zip(session.get_inputs(), arrays, strict=True)})


def exported(function: Any, arrays: Any, path: Any, dynamic: Any = (), opset: int = 18) -> Any:
    """A file of `function` of inputs like the arrays, of which the dimensions counted in `dynamic` are not known."""
    from keraunos.export.onnx import Writer

    graph, place = ENGINE.Graph(opset), 0
    with within(backend=ENGINE), ENGINE.building(graph):
        inputs = []
        for i, x in enumerate(arrays):
            inputs.append(graph.input(x.dtype.name, [None if place + j in dynamic else d for j, d in enumerate(x.shape)], f"x{i}"))
            place += x.ndim
        out = function(*inputs)
        ENGINE.close(graph, out)
    Writer(graph, [f"y{i}" for i in range(len(graph.outputs))]).write(path, "case")
    return path


def compare(case: Any, dynamic: Any, path: Any) -> None:
    arrays = case.arrays(case.dtypes[0])
    wanted = leaves(case.call(case.reference, widened(case, case.dtypes[0])))
    exported(lambda *xs: case.call(OPERATORS[case.op], list(xs)), arrays, path, dynamic)
    for got, want in zip(run(path, *arrays), wanted, strict=True):
        assert got.shape == np.shape(want)
        close(config.load_backend("numpy"), case.seen(got), case.seen(want), case.tolerance * 2)


@pytest.mark.parametrize("case", FIRST)
def test_ops(case: Any, tmp_path: pathlib.Path) -> None:
    compare(case, (), tmp_path / "case.onnx")


@pytest.mark.parametrize("case", FIRST)
def test_ops_of_dynamic_batches(case: Any, tmp_path: pathlib.Path) -> None:
    arrays, places, leading = case.arrays(case.dtypes[0]), 0, []
    for x in arrays:
        leading += [places] if x.ndim and places not in case.known else []
        places += x.ndim
    if leading:
        compare(case, leading, tmp_path / "case.onnx")

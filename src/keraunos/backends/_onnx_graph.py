"""The graph that the ONNX engine writes: nodes, the values between them, and the block in which they are made."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keraunos.backends import _onnx_opsets
from keraunos.backends._tracing import Pending, dtype_of
from keraunos.core import dtypes
from keraunos.core.errors import BackendError, SymbolicError
from keraunos.core.spec import UNKNOWN, Spec


class Node:
    """One ONNX operator: its type, inputs (values, arrays, or None for what is left out), attributes and outputs."""

    __slots__ = ("attributes", "inputs", "outputs", "type")

    def __init__(self, type: str, inputs: Sequence[Any], attributes: dict[str, Any], dtypes: Sequence[str]):
        self.type, self.inputs, self.attributes = type, list(inputs), attributes
        self.outputs = [Value(dtype) for dtype in dtypes]


class Value(Pending):
    """A tensor of the graph: what a node will compute, or an input.

    Args:
        dtype: The dtype's name.
        shape: The sizes, UNKNOWN for dynamic ones; None until it is settled.
        name: Its name, of inputs.
    """

    __slots__ = ("__weakref__", "dtype", "filled", "name", "shape", "size")

    def __init__(self, dtype: str, shape: Any = None, name: str = ""):
        self.dtype, self.shape, self.name = dtype, shape, name
        self.filled: Any = None  # the number that all its elements are, if it is known
        self.size: Any = None  # of what tensor and axis it is the size, and the size as ONNX has it, if it is one


class Graph:
    """Nodes in the order in which they compute, and the inputs and outputs of the whole.

    Args:
        opset: The version of ONNX's operators.
        parent: The graph around it, of a branch's or a loop's body.
    """

    def __init__(self, opset: int, parent: Graph | None = None):
        self.opset, self.parent = opset, parent
        self.nodes: list[Node] = []
        self.inputs: list[Value] = []
        self.outputs: list[Any] = []
        self.sizes: dict[tuple[int, int], Value] = {}

    def input(self, dtype: str, shape: Any, name: str = "") -> Value:
        """A new input."""
        _supported(dtype)
        self.inputs.append(Value(dtype, Spec(shape).shape, name))
        return self.inputs[-1]


class _Current(threading.local):
    graph: Any = None


current = _Current()  # the graph that nodes go into


@contextlib.contextmanager
def building(graph: Graph) -> Iterator[Graph]:
    """Within the block, nodes go into this graph."""
    outer, current.graph = current.graph, graph
    try:
        yield graph
    finally:
        current.graph = outer


def emit(type: str, *inputs: Any, to: Any = None, sized: Any = None, **attributes: Any) -> Any:
    """A new node's output, or outputs if `to` is a list of their dtypes; without it, it has that of the first input."""
    for x in inputs:
        if isinstance(x, Spec):
            fix = "compute with ops.shape(x), not x.shape, where a size is not known before the run"
            raise SymbolicError("A tensor that depends on a size that is not known cannot be exported.", received=repr(x), fix=fix)
    graph = current.graph
    if graph is None:
        raise SymbolicError("A tensor of a model that is being exported was used after the export.", fix="keep no tensors from inside `call`")
    outputs = to if isinstance(to, list) else [to or dtype_of(inputs[0])]
    for dtype in outputs:
        _supported(dtype)
    _onnx_opsets.check(type, [None if x is None else dtype_of(x) for x in inputs], graph.opset)
    node = Node(type, inputs, {k: v for k, v in attributes.items() if v is not None}, outputs)
    graph.nodes.append(node)
    if sized is not None:
        node.outputs[0].shape = tuple(sized)
    return node.outputs if isinstance(to, list) else node.outputs[0]


def _supported(dtype: str) -> None:
    if dtype in dtypes.COMPLEX or dtype == "string":
        raise BackendError(f"The onnx backend has no dtype {dtype}.", fix="export the part of the model that computes with real numbers")


def opset() -> int:
    """The version of operators that the graph is written in."""
    return current.graph.opset


def require(version: int, what: str) -> None:
    """Raise unless the graph's opset has something.

    Raises:
        BackendError: It came with a later version.
    """
    if opset() < version:
        _onnx_opsets.refuse(what, version, opset())


def with_axes(type: str, x: Any, axes: Sequence[int], since: int, **attributes: Any) -> Any:
    """A node whose axes are an attribute in opsets before `since`, and an input from there on."""
    if opset() < since:
        return emit(type, x, axes=list(axes), **attributes)
    return emit(type, x, np.array(axes, "int64"), **attributes)


def squeezed(x: Any, axes: Sequence[int]) -> Any:
    """Without axes of size 1."""
    if not axes:
        return x
    sized = None if x.shape is None else [d for i, d in enumerate(x.shape) if i not in axes]
    if opset() < 10 and sized is not None and sized.count(UNKNOWN) <= 1 and 0 not in sized:  # CNTK squeezes nothing of an unknown size
        return emit("Reshape", x, np.array([-1 if d is UNKNOWN else d for d in sized], "int64"), sized=sized)
    return with_axes("Squeeze", x, axes, 13, sized=sized)


def expanded(x: Any, axes: Sequence[int]) -> Any:
    """With axes of size 1 at these places of the result."""
    if not axes:
        return x
    rest = iter(x.shape or ())
    sized = None if x.shape is None else [1 if i in axes else next(rest) for i in range(len(x.shape) + len(axes))]
    return with_axes("Unsqueeze", x, axes, 13, sized=sized)

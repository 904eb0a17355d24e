"""Models as ONNX files: traced on the onnx backend, named, checked and written at once.

What the file holds is what `predict` computes. Dynamic sizes stay dynamic: the batch's is called "batch" in every input and output.
"""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from keraunos.core import config
from keraunos.core.dtypes import standardize_dtype
from keraunos.core.errors import ArgumentError
from keraunos.core.spec import UNKNOWN
from keraunos.export import signatures
from keraunos.export.tracing import OnEngine, telling
from keraunos.saving import files

OPSET = 18
LIMIT = 2**31 - 2**24  # what one protobuf message can hold, with room for the nodes; weights beyond stand in a file beside it
_ALIGNED = 64  # where a tensor in that file begins, so that it can be mapped


def export(model: Any, path: Any, input_signature: Any = None, opset_version: int | None = None) -> str:
    """Write a model as an ONNX file."""
    engine = config.load_backend("onnx")
    import onnx

    opset, newest = OPSET if opset_version is None else opset_version, onnx.defs.onnx_opset_version()
    if not isinstance(opset, int) or not engine.OLDEST <= opset <= newest:
        raise ArgumentError(f"There is no ONNX opset {opset!r} here.", where="opset_version", expected=f"an integer from {engine.OLDEST} to {newest}")
    source, graph = OnEngine(model, "onnx", "onnx", input_signature), engine.Graph(opset)
    with engine.building(graph), telling(model.name):
        out = source(*(graph.input(x.dtype, x.shape, name) for x, name in zip(source.specs, source.names, strict=True)))
        engine.close(graph, out)
    Writer(graph, signatures.output_names(model, out, len(graph.outputs), source.names), source.model.variables).write(path, model.name)
    return f"ONNX opset {opset}"


class Writer:
    """An ONNX model of a graph.

    Args:
        graph: The graph.
        outputs: The names of its outputs.
        variables: Those that it may hold the arrays of, which then have their names.
    """

    def __init__(self, graph: Any, outputs: list[str], variables: Sequence[Any] = ()):
        import onnx

        self.onnx, self.graph, self.variables = onnx, graph, variables
        self.constants = {id(v._value): v.path for v in variables}
        self.counts: collections.Counter[str] = collections.Counter()
        self.arrays: dict[Any, tuple[str, np.ndarray]] = {}  # by id, small ones by their content
        self.names = {id(x): x.name for x in graph.inputs} | {id(x): name for x, name in zip(graph.outputs, outputs, strict=True)}
        self.taken = set(self.names.values())

    def message(self, name: str) -> Any:
        """The model, checked; without its large weights, if these stand apart."""
        helper = self.onnx.helper
        opsets = [helper.make_opsetid("", self.graph.opset)]
        graph = self.graph_message(self.graph, name)
        model = helper.make_model(graph, opset_imports=opsets, ir_version=helper.find_min_ir_version_for(opsets), producer_name="keraunos")
        for constant, x in self.arrays.values():
            tensor = model.graph.initializer.add(name=constant, dims=x.shape, data_type=self.type(standardize_dtype(x.dtype)))
            if not self.apart(x):
                tensor.raw_data = x.tobytes()
        if model.ir_version < 4:  # there, they are inputs with a value that is usual
            named = ((constant, self.type(standardize_dtype(x.dtype)), x.shape) for constant, x in self.arrays.values())
            model.graph.input.extend(helper.make_tensor_value_info(*each) for each in named)
        self.name_sizes(model)
        if not self.large:
            self.onnx.checker.check_model(model, full_check=True)
        return model

    @property
    def large(self) -> bool:
        """Whether the weights are too large for one file."""
        return sum(x.nbytes for _, x in self.arrays.values()) > LIMIT

    def apart(self, x: np.ndarray) -> bool:
        """Whether an array stands in a file of its own."""
        return self.large and x.nbytes >= _ALIGNED

    def graph_message(self, graph: Any, name: str) -> Any:
        """The nodes on which the outputs depend."""
        needed, _ = _needed(graph)
        inputs = [self.info(x) for x in graph.inputs]
        nodes = [self.node(node) for node in needed]
        return self.onnx.helper.make_graph(nodes, name, inputs, [self.info(x) for x in graph.outputs])

    def node(self, node: Any) -> Any:
        """One node."""
        helper = self.onnx.helper
        name = self.unique(node.type)
        attributes = {k: self.graph_message(v, self.unique(f"{name}_{k}")) if hasattr(v, "nodes") else v for k, v in node.attributes.items()}
        if node.type == "Cast":
            attributes["to"] = self.type(node.outputs[0].dtype)
        elif node.type.startswith("Random"):
            attributes["dtype"] = self.type(node.outputs[0].dtype)
        inputs, outputs = list(map(self.name, node.inputs)), [self.name(x, node.type.lower()) for x in node.outputs]
        return helper.make_node(node.type, inputs, outputs, name=name, **attributes)

    def unique(self, name: str) -> str:
        """The name, with a number if it is taken."""
        while True:
            self.counts[name] += 1
            found = name if self.counts[name] == 1 else f"{name}_{self.counts[name]}"
            if found not in self.taken:
                self.taken.add(found)
                return found

    def name(self, x: Any, kind: str = "row") -> str:
        """The name of a value or array, `kind` if it has none of its own; "" for an input that is left out."""
        if x is None:
            return ""
        if isinstance(x, (np.ndarray, np.generic)):
            key = (x.dtype.name, x.shape, x.tobytes()) if x.size <= 16 and id(x) not in self.constants else id(x)
            if key not in self.arrays:
                self.arrays[key] = self.unique(self.constants.get(id(x), "constant")), np.asarray(x)
            return self.arrays[key][0]
        if id(x) not in self.names:
            self.names[id(x)] = self.unique(x.name or kind)
        return self.names[id(x)]

    def type(self, dtype: str) -> int:
        """ONNX's number for a dtype."""
        names = {"float32": "FLOAT", "float64": "DOUBLE", "float8_e4m3fn": "FLOAT8E4M3FN", "float8_e5m2": "FLOAT8E5M2"}
        return getattr(self.onnx.TensorProto, names.get(dtype, dtype.upper()))

    def info(self, x: Any) -> Any:
        """The name, type and shape of an input or output. Sizes of the same name are the same to runtimes, so only those of inputs are called "batch" here."""
        name = self.name(x)
        entering, leaving = (any(x is y for y in own) for own in (self.graph.inputs, self.graph.outputs))
        names = ["batch" if entering and i == 0 else f"{name}_dim_{i}" if entering or leaving else None for i in range(len(x.shape))]
        sizes = [named if d is UNKNOWN else d for d, named in zip(x.shape, names, strict=True)]
        return self.onnx.helper.make_tensor_value_info(name, self.type(x.dtype), sizes)

    def name_sizes(self, model: Any) -> None:
        """Give the dynamic sizes of outputs the names of the inputs' sizes that they are, as far as can be inferred."""
        given = {d.dim_param for x in model.graph.input for d in x.type.tensor_type.shape.dim if d.dim_param}
        bare = self.onnx.ModelProto()
        bare.CopyFrom(model)
        for x in bare.graph.output:
            x.type.tensor_type.ClearField("shape")
        for x, found in zip(model.graph.output, self.onnx.shape_inference.infer_shapes(bare, data_prop=True).graph.output, strict=True):
            for d, e in zip(x.type.tensor_type.shape.dim, found.type.tensor_type.shape.dim, strict=False):
                if d.dim_param and e.dim_param in given:
                    d.dim_param = e.dim_param

    def write(self, path: pathlib.Path, name: str) -> None:
        """Write the file, and beside it that of the weights if they are too large for it."""
        model = self.message(name)
        if self.large:
            beside = path.parent / f"{path.name}.data"
            with files.replacing(beside, overwrite=True) as stream:
                self.write_weights(stream, model.graph.initializer, beside.name)
        files.write(path, model.SerializeToString())

    def write_weights(self, stream: BinaryIO, tensors: Any, name: str) -> None:
        """Write the large tensors one after another, and note in each where it stands."""
        for tensor, (_, x) in zip(tensors, self.arrays.values(), strict=True):
            if self.apart(x):
                stream.write(b"\0" * (-stream.tell() % _ALIGNED))
                tensor.data_location = self.onnx.TensorProto.EXTERNAL
                for key, value in {"location": name, "offset": stream.tell(), "length": x.nbytes}.items():
                    tensor.external_data.add(key=key, value=str(value))
                stream.write(np.ascontiguousarray(x).data if x.dtype.kind != "V" else x.tobytes())


def _needed(graph: Any) -> tuple[list[Any], set[int]]:
    """The nodes on which the graph's outputs depend, in order; and the ids of what comes from outside of it."""
    wanted, found = {id(x) for x in graph.outputs}, []
    for node in reversed(graph.nodes):
        if not wanted.isdisjoint(map(id, node.outputs)):
            found.append(node)
            wanted.difference_update(map(id, node.outputs))
            wanted.update(id(x) for x in node.inputs if x is not None)
            for body in node.attributes.values():
                if hasattr(body, "nodes"):
                    wanted |= _needed(body)[1]
    return found[::-1], wanted - {id(x) for x in graph.inputs}

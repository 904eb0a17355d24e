"""Symbolic tensors that remember how they were made: the graph of a functional model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from keraunos.core import tree
from keraunos.core.errors import KeraunosError
from keraunos.core.names import auto_name
from keraunos.core.spec import OPERATORS, Spec, show


class KerasTensor(Spec):
    """A tensor without a value: what `Input` and a layer called on it return.

    Args:
        shape: The sizes; None is a dimension that is not known.
        dtype: The dtype's name.
        sparse: Whether it stands for a sparse tensor.
        ragged: Whether it stands for a ragged tensor.
        record_history: Whether ops on it are recorded.
        name: Its name.

    Example:

    >>> import keraunos as keras
    >>> keras.ops.matmul(keras.KerasTensor((None, 3)), keras.KerasTensor((3, 5))).shape
    (None, 5)
    """

    __slots__ = ("_shape", "index", "name", "node", "optional", "ragged", "record_history", "sparse")

    def __init__(
        self, shape: Iterable[Any], dtype: str = "float32", sparse: bool = False, ragged: bool = False, record_history: bool = True, name: str | None = None
    ):
        self._shape = Spec(shape).shape
        self.dtype = dtype
        self.cut: str | None = None
        self.sparse, self.ragged, self.record_history = sparse, ragged, record_history
        self.name = name or auto_name("keras_tensor")
        self.node: Node | None = None
        self.index = 0
        self.optional = False

    @property
    def shape(self) -> tuple[Any, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The sizes; None is a dimension that is not known."""
        return show(self._shape)

    @property
    def spec(self) -> Spec:
        """The shape and dtype alone."""
        return Spec(self._shape, self.dtype, self.cut)

    def reshape(self, newshape: Any) -> Any:
        """`ops.reshape(self, newshape)`."""
        return OPERATORS["reshape"](self, newshape)

    def squeeze(self, axis: Any = None) -> Any:
        """`ops.squeeze(self, axis)`."""
        return OPERATORS["squeeze"](self, axis)

    @property
    def T(self) -> Any:
        """The transpose."""
        return OPERATORS["transpose"](self)

    def __deepcopy__(self, memo: dict[int, Any]) -> KerasTensor:
        new = memo[id(self)] = object.__new__(KerasTensor)
        for slot in (*self.__slots__, "dtype", "_keras_mask"):
            if hasattr(self, slot):
                setattr(new, slot, copy.deepcopy(getattr(self, slot), memo))
        return new

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class Node:
    """One call of an operation on symbolic tensors."""

    __slots__ = ("args", "inputs", "kwargs", "operation", "outputs", "structure")

    def __init__(self, operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], outputs: Any):
        self.operation, self.args, self.kwargs = operation, args, kwargs
        self.inputs = [x for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)]
        self.structure = outputs
        self.outputs = [x for x in tree.flatten(outputs) if isinstance(x, KerasTensor)]
        for i, x in enumerate(self.outputs):
            x.node, x.index = self, i
        operation.nodes.append(self)


class Operation:
    """An op as it stands in a graph: callable, and named."""

    def __init__(self, op: Callable[..., Any], name: str | None = None):
        self.op = op
        self.name = name or auto_name(op.__name__)
        self.nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.op(*args, **kwargs)
        except KeraunosError as error:
            error.inside(self.name)
            raise

    def __repr__(self) -> str:
        return f"<Operation {self.op.__name__}, name={self.name}>"


def record(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any], specs: Any) -> Any:
    """Record one call in the graph; returns symbolic tensors in the form of `specs`."""

    def symbolic(spec: Any) -> Any:
        if not isinstance(spec, Spec):
            return spec
        made = KerasTensor(spec.shape, spec.dtype)
        made.cut = spec.cut
        return made

    outputs = tree.map_structure(symbolic, specs)
    Node(operation, args, kwargs, outputs)
    return outputs


def strip(structure: Any) -> Any:
    """`structure` with bare specs in place of symbolic tensors; masks stay."""

    def bare(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return x
        spec = x.spec
        if (mask := getattr(x, "_keras_mask", None)) is not None:
            spec._keras_mask = mask.spec if isinstance(mask, KerasTensor) else mask
        return spec

    return tree.map_structure(bare, structure)

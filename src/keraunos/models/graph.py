"""The graph behind a functional model: which nodes lie between its inputs and outputs, in order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from keraunos.core import tree
from keraunos.core.errors import StateError
from keraunos.core.graph import KerasTensor, Node
from keraunos.layers.layer import Layer


def nodes_between(entries: dict[int, Node], outputs: list[KerasTensor]) -> tuple[list[Node], dict[int, int]]:
    """The nodes that compute `outputs` from the inputs, and the order in which their operations are met.

    Args:
        entries: The nodes of the inputs, by the ids of their tensors.
        outputs: The symbolic outputs.

    Returns:
        The nodes, each after those that it needs; and for the ids of their operations and those of the
        inputs, the place on the way from the outputs to the inputs at which each is met first.

    Raises:
        StateError: An output cannot be computed from the inputs.
    """
    order: list[Node] = []
    met: dict[int, int] = {}
    seen: set[int] = set()
    stack = [(x, False) for x in reversed(outputs)]
    while stack:
        tensor, finished = stack.pop()
        node = entries.get(id(tensor)) or tensor.node
        if node is None:
            fix = "make every input with keras.Input and name it in inputs="
            raise StateError("An output does not come from the inputs of the model.", received=repr(tensor), fix=fix, where="outputs")
        if finished:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            met.setdefault(id(node.operation), len(met))
            if id(tensor) not in entries:
                if not node.inputs:
                    name = node.operation.name
                    fact = f"The graph reaches the input '{name}', which the model does not name."
                    raise StateError(fact, where=f"input '{name}'", fix=f"add '{name}' to inputs=")
                stack.append((tensor, True))
                stack.extend((x, False) for x in reversed(node.inputs))
    return order, met


def by_depth(entries: dict[int, Node], order: list[Node], met: dict[int, int]) -> list[Any]:
    """The operations of a graph in Keras's order, which numbers them in files; the arguments are those of `nodes_between`.

    Those farthest from the outputs come first; of equally far ones, those that are met first.
    """
    depths: dict[int, int] = {}
    node_depths: dict[int, int] = {}
    operations: dict[int, Any] = {}
    for node in (*reversed(order), *entries.values()):
        key = id(node.operation)
        operations[key] = node.operation
        depth = depths[key] = max(node_depths.get(id(node), 0), depths.get(key, 0))
        for x in node.inputs:
            source = id(entries.get(id(x)) or x.node)
            node_depths[source] = max(depth + 1, node_depths.get(source, 0))
    return sorted(operations.values(), key=lambda o: (-depths[id(o)], met.get(id(o), -1)))


class Split(NamedTuple):
    """A graph in two: what the host does on NumPy arrays, and what an engine computes of that."""

    first: list[Node]
    rest: list[Node]
    cut: list[KerasTensor]  # what the rest takes from the first


def split_at_host(order: list[Node], inputs: list[KerasTensor], outputs: list[KerasTensor]) -> Split | None:
    """The layers of a graph that run on the host, and all that they need, apart from the others; None if there are none."""
    first, needed = [], set()
    for node in reversed(order):
        on_host = isinstance(node.operation, Layer) and node.operation._runs_on_host()
        if on_host or any(id(x) in needed for x in node.outputs):
            first.insert(0, node)
            needed.update(map(id, node.inputs))
    if not first:
        return None
    rest = [node for node in order if node not in first]
    made = {id(x) for x in (*inputs, *(x for node in first for x in node.outputs))}
    taken = (x for x in (*(x for node in rest for x in node.inputs), *outputs) if id(x) in made)
    return Split(first, rest, list({id(x): x for x in taken}.values()))


def run(order: Iterable[Node], inputs: list[KerasTensor], outputs: Any, values: list[Any], call: Any = None) -> Any:
    """Compute `outputs` for `values` of `inputs`, by `call(operation, args, kwargs)` where it is given."""
    table = {id(symbol): value for symbol, value in zip(inputs, values, strict=True)}

    def look(x: Any) -> Any:
        return table[id(x)] if isinstance(x, KerasTensor) else x

    for node in order:
        args, kwargs = node.args, node.kwargs
        if len(args) == 1 and not kwargs and isinstance(args[0], KerasTensor):
            args = (table[id(args[0])],)
        else:
            args, kwargs = tree.map_structure(look, args), tree.map_structure(look, kwargs)
        result = node.operation(*args, **kwargs) if call is None else call(node.operation, args, kwargs)
        if len(node.outputs) == 1 and isinstance(node.structure, KerasTensor):
            table[id(node.structure)] = result
        else:
            for symbol, value in zip(node.outputs, tree.flatten(result), strict=True):
                table[id(symbol)] = value
    return tree.map_structure(look, outputs)

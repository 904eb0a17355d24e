"""The graph behind a functional model: which nodes lie between its inputs and outputs, in order."""

from __future__ import annotations

from typing import Any

from keraunos.core import tree
from keraunos.core.errors import StateError
from keraunos.core.graph import KerasTensor, Node


def nodes_between(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> list[Node]:
    """The nodes that compute `outputs` from `inputs`, each after those that it needs.

    Raises:
        StateError: An output cannot be computed from the inputs.
    """
    given = {id(x) for x in inputs}
    order: list[Node] = []
    done: set[int] = set()
    for output in outputs:
        stack: list[tuple[Node | None, KerasTensor, bool]] = [(output.node, output, False)]
        while stack:
            node, tensor, finished = stack.pop()
            if id(tensor) in given or node is None or id(node) in done:
                if node is None and id(tensor) not in given:
                    raise StateError(
                        "An output does not come from the inputs of the model.",
                        received=repr(tensor),
                        fix="make every input with keras.Input and name it in inputs=",
                    )
                continue
            if finished:
                done.add(id(node))
                order.append(node)
                continue
            if not node.inputs:
                raise StateError(
                    f"The graph reaches the input '{node.operation.name}', which the model does not name.", fix=f"add '{node.operation.name}' to inputs="
                )
            stack.append((node, tensor, True))
            stack.extend((x.node, x, False) for x in reversed(node.inputs))
    return order


def run(order: list[Node], inputs: list[KerasTensor], outputs: Any, values: list[Any], call: Any = None) -> Any:
    """Compute `outputs` for `values` of `inputs`, by `call(operation, args, kwargs)` where it is given."""
    table = {id(symbol): value for symbol, value in zip(inputs, values, strict=True)}

    def look(x: Any) -> Any:
        return table[id(x)] if isinstance(x, KerasTensor) else x

    for node in order:
        args, kwargs = node.args, node.kwargs
        if len(args) == 1 and not kwargs and isinstance(args[0], KerasTensor):
            result = node.operation(table[id(args[0])]) if call is None else call(node.operation, (table[id(args[0])],), {})
        else:
            args, kwargs = tree.map_structure(look, args), tree.map_structure(look, kwargs)
            result = node.operation(*args, **kwargs) if call is None else call(node.operation, args, kwargs)
        if len(node.outputs) == 1 and isinstance(node.structure, KerasTensor):
            table[id(node.structure)] = result
        else:
            for symbol, value in zip(node.outputs, tree.flatten(result), strict=True):
                table[id(symbol)] = value
    return tree.map_structure(look, outputs)


def by_depth(inputs: dict[int, Node], order: list[Node], outputs: list[KerasTensor]) -> list[Any]:
    """The operations of a graph in Keras's order, which numbers them in files; `inputs` are nodes by the ids of their tensors.

    Those farthest from the outputs come first; of equally far ones, those that are met first on the way
    from the outputs to the inputs.
    """
    known = {id(n) for n in order}

    def sources(node: Any) -> list[Any]:
        return [inputs.get(id(x)) or x.node for x in node.inputs] if id(node) in known else []

    met: dict[int, int] = {}
    finished: list[Any] = []
    done: set[int] = set()
    for output in outputs:
        stack: list[tuple[Any, bool]] = [(inputs.get(id(output)) or output.node, False)]
        while stack:
            node, ready = stack.pop()
            if ready:
                finished.append(node)
            elif id(node) not in done:
                done.add(id(node))
                met.setdefault(id(node.operation), len(met))
                stack.append((node, True))
                stack.extend((source, False) for source in reversed(sources(node)))
    depths: dict[int, int] = {}
    node_depths: dict[int, int] = {}
    operations: dict[int, Any] = {}
    for node in reversed(finished):
        key = id(node.operation)
        operations[key] = node.operation
        depth = max(node_depths.get(id(node), 0), depths.get(key, 0))
        depths[key] = node_depths[id(node)] = depth
        for source in sources(node):
            node_depths[id(source)] = max(depth + 1, node_depths.get(id(source), 0))
    for node in inputs.values():  # an input that no output needs
        if id(node.operation) not in operations:
            operations[id(node.operation)], depths[id(node.operation)], met[id(node.operation)] = node.operation, 0, -1
    return sorted(operations.values(), key=lambda o: (-depths[id(o)], met[id(o)]))

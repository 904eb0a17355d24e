"""The table that `model.summary()` prints."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from keraunos.core.dtypes import BITS
from keraunos.core.graph import KerasTensor, Node
from keraunos.models.drawing import Picture, Shown
from keraunos.models.functional import GraphModel
from keraunos.models.sequential import Sequential
from keraunos.training.tables import html_table


def readable_size(size: int) -> str:
    """Bytes in B, KB, MB or GB."""
    power = min(max(size.bit_length() - 1, 0) // 10, 3)
    return f"{size / 1024**power:.2f} {('B', 'KB', 'MB', 'GB')[power]}"


def _shape(layer: Any) -> str:
    """The shape of the output of a layer or op; "?" where it cannot be inferred."""
    try:
        node = next((n for n in layer.nodes if n.outputs), None)
        shapes = [x.shape for x in node.outputs] if node is not None else [layer.compute_output_shape(layer._build_config["input_shape"])]
    except Exception:  # not called yet, or by code that only real data can pass
        return "?"
    return str(shapes[0] if len(shapes) == 1 else shapes)


def _branches(model: Any) -> set[Node]:
    """The nodes of a graph that is more than a chain of operations from one input."""
    if not isinstance(model, GraphModel) or model.inputs is None:
        return set()
    is_chain = len(model.inputs) == 1 and all(len(n.inputs) == 1 for n in model._order) and len({id(n.operation) for n in model._order}) == len(model._order)
    return set() if is_chain else set(model._order)


def _source(x: KerasTensor) -> str:
    """Where a tensor comes from: the name, with the number of the call and that of its output if there are several."""
    if x.node is None:
        return x.name
    calls = x.node.operation.nodes
    return x.node.operation.name + ("" if len(calls) == len(x.node.outputs) == 1 else f"[{calls.index(x.node)}][{x.index}]")


def _rows(owner: Any, layers: Any, nested: bool, depth: int = 0) -> Iterator[dict[str, str]]:
    """What the columns say of layers and ops of `owner`, and of those inside inner models."""
    known = _branches(owner)
    for layer in layers:
        weights = getattr(layer, "weights", [])
        kind = layer.op.__name__ if hasattr(layer, "op") else type(layer).__name__
        yield {
            "Layer (type)": f"{'└ ' * depth}{layer.name} ({kind})",
            "Output Shape": _shape(layer),
            "Param #": f"{sum(v.size for v in weights):,}" if getattr(layer, "built", True) else "?",
            "Connected to": ", ".join(_source(x) for n in layer.nodes if n in known for x in n.inputs) or "-",
            "Trainable": "-" if not weights else "Y" if layer.trainable_weights else "N",
        }
        if nested:
            yield from _rows(layer, getattr(layer, "layers", ()), nested, depth + 1)


def _listed(model: Any) -> list[Any]:
    """The layers and ops that are told of."""
    return model.layers if isinstance(model, Sequential) else list(getattr(model, "operations", model.layers))


def _columns(model: Any, trainable: bool) -> list[str]:
    hidden = {"Connected to": not _branches(model), "Trainable": not trainable}
    return [name for name in ("Layer (type)", "Output Shape", "Param #", "Connected to", "Trainable") if not hidden.get(name)]


def _counted(variables: Any) -> str:
    """How many parameters there are, and their bytes."""
    return f"{sum(v.size for v in variables):,} ({readable_size(sum(v.size * BITS[v.dtype] for v in variables) // 8)})"


def html_summary(model: Any) -> str:
    """What notebooks show of a model: its picture and the table of its layers, each to be folded."""
    title = f"<b>{html.escape(model.name)}</b> ({html.escape(type(model).__name__)})"
    if not model.built:
        about = "is not built: its shapes and weights are not known. Begin it with keras.Input, or call it on data."
    else:
        count, size = _counted(model.weights).split(" ", 1)
        about = f"has {count} parameters {size}, {sum(v.size for v in model.trainable_weights):,} of them trained"
    picture = Picture(model, Shown(shapes=True)).html() if model.built and isinstance(model, GraphModel) else ""
    columns = _columns(model, trainable=True)
    rows = [[row[name] for name in columns] for row in _rows(model, _listed(model), nested=True)]
    table = html_table("", columns, [name == "Param #" for name in columns], rows)
    folded = [("Picture", picture, ' open=""' if len(rows) <= 16 else ""), (f"Layers ({len(rows)})", table if rows else "", "")]
    parts = "".join(f"<details{state}><summary>{name}</summary>{what}</details>" for name, what, state in folded if what)
    return f'<div style="overflow-x:auto"><p>{title} {about}</p>{parts}</div>'


def print_summary(model: Any, line_length: int | None, positions: Any, print_fn: Any, expand_nested: bool, show_trainable: bool, layer_range: Any) -> None:
    """Print the table; see `Model.summary`."""
    layers = _listed(model)
    if layer_range:
        first, last = (layers.index(model.get_layer(name)) for name in layer_range)
        layers = layers[first : last + 1]
    columns = _columns(model, show_trainable)
    table = Table()
    for i, name in enumerate(columns):
        ratio = int(positions[i] * 100) if positions and i < len(positions) else None
        table.add_column(name, justify="right" if name == "Param #" else "left", overflow="fold", ratio=ratio)
    for row in _rows(model, layers, expand_nested):
        table.add_row(*(escape(row[name]) for name in columns))
    console = Console(width=line_length or (None if print_fn is None else 80), soft_wrap=False)
    with console.capture() as capture:
        console.print(f'Model: "{escape(model.name)}"', highlight=False)
        console.print(table)
        for kind, variables in (("Total", model.weights), ("Trainable", model.trainable_weights), ("Non-trainable", model.non_trainable_weights)):
            console.print(f" {kind} params: {_counted(variables)}", highlight=False)
        if model.optimizer is not None and model.optimizer.variables:
            console.print(f" Optimizer params: {sum(v.size for v in model.optimizer.variables):,}", highlight=False)
    (print_fn or print)(capture.get().rstrip("\n"))

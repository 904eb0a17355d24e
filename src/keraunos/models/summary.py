"""The table that `model.summary()` prints."""

from __future__ import annotations

from typing import Any

from keraunos.core.errors import ArgumentError, suggestion
from keraunos.core.spec import show


def readable_size(count: int) -> str:
    """Bytes in B, KB, MB or GB."""
    size = float(count)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            return f"{size:.2f} {unit}"
        size /= 1024
    raise AssertionError


def _shapes(layer: Any) -> str:
    nodes = [n for n in layer.nodes if n.outputs]
    if nodes:
        shapes = [x.shape for x in nodes[0].outputs]
        return str(shapes[0] if len(shapes) == 1 else shapes)
    shape = layer.__dict__.get("_build_shape")
    try:
        return str(layer.compute_output_shape(shape)) if shape is not None else "?"
    except Exception:  # a layer whose output cannot be inferred is shown without a shape
        return "?"


def _sources(model: Any, layer: Any) -> str:
    order = {id(n) for n in getattr(model, "_order", ())}
    return ", ".join(f"{x.node.operation.name}[{x.index}]" for n in layer.nodes if id(n) in order for x in n.inputs if x.node is not None)


def _is_chain(model: Any) -> bool:
    order = getattr(model, "_order", None)
    return order is None or (all(len(n.inputs) == 1 for n in order) and len(order) == len({id(n.operation) for n in order}) and len(model.inputs) == 1)


def print_summary(model: Any, line_length: int | None, positions: Any, print_fn: Any, expand_nested: bool, show_trainable: bool, layer_range: Any) -> None:
    """Print the table; see `Model.summary`."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=None, show_lines=False, expand=False)
    chain = _is_chain(model)
    columns = ["Layer (type)", "Output Shape", "Param #", *([] if chain else ["Connected to"]), *(["Trainable"] if show_trainable else [])]
    ratios = list(positions or []) or [None] * len(columns)
    for column, ratio in zip(columns, ratios + [None] * len(columns), strict=False):
        table.add_column(column, justify="right" if column == "Param #" else "left", overflow="fold", ratio=int(ratio * 100) if ratio else None)
    rows = list(model.operations if hasattr(model, "operations") else model.layers)
    if layer_range:
        names = [layer.name for layer in rows]
        for name in layer_range:
            if name not in names:
                raise ArgumentError(f"The model has no layer '{name}'.", where="layer_range", fix=suggestion(name, names))
        rows = rows[names.index(layer_range[0]) : names.index(layer_range[1]) + 1]

    def add(owner: Any, layer: Any, depth: int) -> None:
        is_layer = hasattr(layer, "count_params")
        kind = type(layer).__name__ if is_layer else layer.op.__name__
        shape = _shapes(layer) if is_layer else str(show(layer.nodes[0].outputs[0].shape))
        row = [f"{'└ ' * depth}{escape(layer.name)} ({escape(kind)})", shape, f"{layer.count_params():,}" if is_layer else "0"]
        row += [] if chain else [_sources(owner, layer) or "-"]
        row += [("Y" if layer.trainable_weights else "N" if layer.weights else "-") if is_layer else "-"] if show_trainable else []
        table.add_row(*row)
        if expand_nested and hasattr(layer, "layers"):
            for inner in layer.layers:
                add(layer, inner, depth + 1)

    for layer in rows:
        add(model, layer, 0)
    total, trained = model.count_params(), sum(v.size for v in model.trainable_weights)
    bits = {v.dtype: _bytes(v.dtype) for v in model.weights}

    def line(label: str, variables: list[Any], count: int) -> str:
        return f" {label}: {count:,} ({readable_size(sum(int(v.size * bits[v.dtype]) for v in variables))})"

    footer = [
        line("Total params", model.weights, total),
        line("Trainable params", model.trainable_weights, trained),
        line("Non-trainable params", model.non_trainable_weights, total - trained),
    ]
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and optimizer.variables:
        footer.append(f" Optimizer params: {sum(v.size for v in optimizer.variables):,}")
    console = Console(width=line_length or (None if print_fn is None else 80), soft_wrap=False)
    with console.capture() as capture:
        console.print(f'Model: "{escape(model.name)}"', highlight=False)
        console.print(table)
        for text in footer:
            console.print(text, highlight=False)
    (print_fn or print)(capture.get().rstrip("\n"))


def _bytes(dtype: str) -> float:
    from keraunos.core.dtypes import BITS

    return BITS[dtype] / 8

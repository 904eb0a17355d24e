"""What each layer of a model makes of a batch, and how long it takes."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from keraunos.core import tree
from keraunos.core.functional import functional
from keraunos.core.scope import within
from keraunos.training.tables import Table, column, milliseconds, number, share

RUNS = 3  # of which the quickest counts; before them one that loads and compiles


@dataclass
class LayerRow:
    """One call of a layer: what came out, and the time it took with the layers in it."""

    name: str = column("layer", right=False)
    kind: str = column("type", right=False)
    shape: Any = column("output shape", lambda shape: " ".join(map(str, shape)), right=False)  # noqa: RUF009
    dtype: str = column("dtype", right=False)
    mean: float | None = column("mean", number)
    std: float | None = column("std", number)
    minimum: float | None = column("min", number)
    maximum: float | None = column("max", number)
    zeros: float | None = column("zeros", share)
    nonfinite: float | None = column("not finite", share)
    parameters: int = column("params", "{:,}".format)
    seconds: float = column("time", milliseconds)
    path: str = ""
    depth: int = 0


def trace(model: Any, x: Any, training: bool = False) -> Table:
    """See `Model.trace`."""
    backend = model._backend
    rows: list[LayerRow] = []
    with within(backend=backend):
        x = tree.map_structure(lambda a: a if a is None or backend.is_tensor(a) else backend.array(a) if np.asarray(a).dtype.kind not in "OSTU" else a, x)
        if not model.built:
            model(x)
        run = functional(lambda: model(x, training=training), model.variables)
        for _ in range(1 + RUNS):  # the model's state stays as it is: each run begins with it
            calls: list[tuple[Any, int, float, Any]] = []
            with _timed(model, calls):
                run([[v.value for v in model.variables]])
            if not rows:
                rows = [_row(layer, depth, outputs, backend) for layer, depth, _, outputs in calls]
                continue
            for row, (_, _, seconds, _) in zip(rows, calls, strict=True):
                row.seconds = min(row.seconds, seconds)
    note = f"{model.count_params():,} parameters. Times are of single ops, without the fusion of compiled steps; a layer's includes those in it."
    return Table(f"{model.name} on {backend.name}, training={training}", rows, [note])


@contextlib.contextmanager
def _timed(model: Any, calls: list[Any]) -> Iterator[None]:
    """Note the layers as this thread calls them: the layer, how deep it is, the seconds, and the outputs."""
    backend, depth, thread = model._backend, 0, threading.get_ident()
    is_traced = getattr(backend, "is_traced", lambda _: False)

    def wrapped(layer: Any, call: Any) -> Any:
        @functools.wraps(call)
        def run(*args: Any, **kwargs: Any) -> Any:
            nonlocal depth
            if threading.get_ident() != thread:  # others may use the model meanwhile
                return call(*args, **kwargs)
            place = len(calls)
            calls.append(None)
            depth += 1
            started = time.perf_counter()
            try:
                outputs = call(*args, **kwargs)
                tensors = [x for x in tree.flatten(outputs) if backend.is_tensor(x)]
                if any(map(is_traced, tensors)):  # within a loop of the engine's, such as a cell in a recurrent layer
                    del calls[place:]
                    return outputs
                for tensor in tensors:
                    backend.synchronize(tensor)
            finally:
                depth -= 1
            calls[place] = layer, depth, time.perf_counter() - started, outputs
            return outputs

        return run

    layers = [layer for layer in model._flatten_layers() if layer is not model and "call" not in vars(layer)]
    for layer in layers:
        vars(layer)["call"] = wrapped(layer, layer.call)
    try:
        yield
    finally:
        for layer in layers:
            del vars(layer)["call"]


def _row(layer: Any, depth: int, outputs: Any, backend: Any) -> LayerRow:
    leaves = [x for x in tree.flatten(outputs) if x is not None and hasattr(x, "shape")]
    values = [np.asarray(backend.to_numpy(x) if backend.is_tensor(x) else x) for x in leaves]
    kinds = ", ".join(dict.fromkeys(backend.dtype_of(x) if backend.is_tensor(x) else str(x.dtype) for x in leaves))
    numeric = [v.astype("float64").ravel() for v in values if v.dtype.kind not in "OSTU"]
    shapes, size = [tuple(x.shape) for x in leaves], layer.count_params() if layer.built else 0
    row = LayerRow(layer.name, type(layer).__name__, shapes, kinds, None, None, None, None, None, None, size, math.inf, layer.path, depth)
    every = np.concatenate(numeric) if numeric else np.zeros(0)
    if every.size:
        fine = every[np.isfinite(every)]
        row.zeros, row.nonfinite = float((every == 0).mean()), float(1 - fine.size / every.size)
        if fine.size:
            row.mean, row.std, row.minimum, row.maximum = float(fine.mean()), float(fine.std()), float(fine.min()), float(fine.max())
    return row

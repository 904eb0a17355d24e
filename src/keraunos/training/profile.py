"""Where the time of a training step goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keraunos.core import tree
from keraunos.core.functional import Program, functional, value_and_grad
from keraunos.core.scope import within
from keraunos.core.variable import numpy_of
from keraunos.data.adapters import source, unpack_x_y_sample_weight
from keraunos.training.loops import Loop
from keraunos.training.steps import whole
from keraunos.training.tables import Table, column, milliseconds, share
from keraunos.training.trace import trace


@dataclass
class PhaseRow:
    """A part of a step: its time, its part of the whole, and how long compiling it took, once."""

    name: str = column("phase", right=False)
    seconds: float | None = column("time", milliseconds)
    share: float | None = column("share", share)
    compile_seconds: float | None = column("first call", milliseconds)


class Profile(Table):
    """The phases of a step; `layers` is a table of the layers' forward pass, `flops` the operations of a step where the engine can tell."""

    layers: Table
    flops: float | None = None

    def __str__(self) -> str:
        return f"{super().__str__()}\n\n{self.layers}"

    def _repr_html_(self) -> str:
        return super()._repr_html_() + self.layers._repr_html_()


def profile(model: Any, x: Any, y: Any, sample_weight: Any, batch_size: int | None, steps: int) -> Profile:
    """See `Model.profile`."""
    model._require_compiled("profile")
    steps = whole("steps", steps, least=1)
    backend, options = model._backend, {} if model.jit_compile is None else {"jit_compile": model.jit_compile}
    with model._engine():
        data = source(x, y, sample_weight, batch_size, False, None, model._preparing(training=True))
        model._symbolic_build(data.head, training=True)
        loop = Loop(model, "train", data, resident=False)
        fetched, batches = [], iter(data.batches(0))
        tensors: Any = None
        for _ in range(steps):
            started = time.perf_counter()
            try:
                tensors = loop._tensors(next(batches))
            except StopIteration:
                break
            _wait(backend, tensors)
            fetched.append(time.perf_counter() - started)
        data.close()
        tensors = loop._tensors(data.head) if tensors is None else tensors
        kept = numpy_of(model.run_variables)

        def program(fn: Callable[[Any], Any]) -> Callable[[], Any]:
            def cleared(batch: Any) -> Any:
                with within(prepared=model):
                    out = fn(batch)
                model._clear_losses()
                return out

            made = cleared if model.run_eagerly else Program(cleared, model.run_variables, backend=backend, **options)
            return lambda: made(tensors)

        try:
            prefixes = {} if model._overrides("train_step") else _prefixes(model)
            runs = {name: program(fn) for name, fn in prefixes.items()}
            runs["step"] = program(lambda batch: (model._step_of("train")(batch), [v.value for v in model.run_variables]))
            with model._run():
                first = {name: _seconds(backend, run) for name, run in runs.items()}
                rounds = [{name: _seconds(backend, run) for name, run in runs.items()} for _ in range(steps)]  # in turns, for the machine may be uneven
            times = {name: min(found[name] for found in rounds) for name in runs}
            flops = _flops(model, tensors)
            layers = trace(model, unpack_x_y_sample_weight(tensors)[0], training=True)
        finally:
            for variable, value in zip(model.run_variables, kept, strict=True):
                variable.assign(value)
    return _table(model, times, first, min(fetched, default=None), flops, layers, int(tree.flatten(tensors)[0].shape[0]))


def _wait(backend: Any, structure: Any) -> None:
    for tensor in tree.flatten(structure):
        if backend.is_tensor(tensor):
            backend.synchronize(tensor)


def _seconds(backend: Any, run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    _wait(backend, run())
    return time.perf_counter() - started


def _prefixes(model: Any) -> dict[str, Callable[[Any], Any]]:
    """The step up to the end of each phase; what is computed is returned, so that no compiler leaves it out."""
    variables = model.trainable_variables

    def forward(batch: Any) -> Any:
        return model(unpack_x_y_sample_weight(batch)[0], training=True)

    def loss(batch: Any) -> Any:
        x, y, weight = unpack_x_y_sample_weight(batch)
        y_pred = model(x, training=True)
        value = model.compute_loss(x, y, y_pred, weight, training=True)
        return (model.optimizer.scale_loss(value) if model._scales_loss else value), y_pred

    def backward(batch: Any) -> Any:
        return value_and_grad(lambda: loss(batch), variables, has_aux=True)()

    def optimizer(batch: Any) -> Any:
        value, gradients = backward(batch)
        model.optimizer.apply(gradients, variables)
        return value, [v.value for v in model.run_variables]

    return {"forward": forward, "loss": loss, "backward": backward, "optimizer": optimizer}


def _flops(model: Any, tensors: Any) -> float | None:
    """The floating-point operations of a step; None where the engine cannot tell."""
    if not hasattr(model._backend, "flops"):
        return None
    step = functional(lambda batch: model._step_of("train")(batch), model.run_variables)
    with model._run(), within(prepared=model):
        found = model._backend.flops(lambda values, batch: step([values], batch), [v.value for v in model.run_variables], tensors)
        model._clear_losses()
    return found


def _table(model: Any, times: dict[str, float], first: dict[str, float], fetch: float | None, flops: float | None, layers: Table, samples: int) -> Profile:
    step, before = times["step"], 0.0
    whole = step + (fetch or 0.0)
    rows = [PhaseRow("data", fetch, None if fetch is None else fetch / whole, None)]
    for name, until in times.items():
        if name == "step" and len(times) == 1:
            break
        seconds, before = max(0.0, until - before), max(before, until)
        rows.append(PhaseRow("metrics" if name == "step" else name, seconds, seconds / whole, None if name == "step" else first[name]))
    rows.append(PhaseRow("step", step, step / whole, first["step"]))
    notes = ["A phase is the difference between a step that ends after it and one that ends before it, each compiled by itself; the step is all but the data."]
    notes.append(f"{samples} samples in a batch: {samples / whole:,.0f} samples/s with the data.")
    if flops:
        notes.append(f"{flops:,.4g} floating-point operations in a step: {flops / step / 1e9:,.3g} GFLOP/s.")
    made = Profile(f"{model.name}: a training step on {model._backend.name}", rows, notes)
    made.layers, made.flops = layers, flops
    return made

"""`python -m benchmarks.checks`: what the checks of the first batch cost of a `fit` of one epoch, measured within it and from outside."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

import keraunos
from benchmarks.measure import WORKLOADS, build
from keraunos.training import trainer

CHECKS = ("check_data", "check_callbacks", "check_model", "check_inputs", "check_goals", "suspect")


def timed(function: Any, times: list[float]) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            times.append(time.perf_counter() - started)

    return call


def main(rounds: int = 15) -> None:
    times: list[float] = []
    for name in CHECKS:
        setattr(trainer, name, timed(getattr(trainer, name), times))
    for engine in ("jax", "torch", "tensorflow"):
        for workload in ("mlp", "cnn"):
            sizes, conv, shape, batch, n = WORKLOADS[workload]
            rng = np.random.default_rng(0)
            x, y = rng.normal(size=(n, *shape)).astype("float32"), rng.integers(0, sizes[-1], n).astype("int32")
            with keraunos.backend_scope(engine):
                model = build(keraunos, sizes, conv, shape)
                found: dict[bool, list[float]] = {True: [], False: []}
                within: list[float] = []
                for turn in range(2 * rounds + 2):
                    on = turn % 2 == 0
                    (keraunos.config.enable_checks if on else keraunos.config.disable_checks)()
                    times.clear()
                    started = time.perf_counter()
                    model.fit(x, y, batch_size=batch, epochs=1, verbose=0)
                    if turn > 1:
                        found[on].append(time.perf_counter() - started)
                        within += [sum(times)] if on else []
            on, off, inside = (1000 * statistics.median(values) for values in (found[True], found[False], within))
            print(
                f"{workload:4} {engine:11} epoch {off:7.1f} ms without, {on:7.1f} with; the checks took {inside:.2f} ms: {100 * inside / off:.2f} %", flush=True
            )
    keraunos.config.enable_checks()


if __name__ == "__main__":
    main()

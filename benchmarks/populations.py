"""Sixteen variants as one `Population`, beside the same variants trained one after the other."""

from __future__ import annotations

import statistics

import numpy as np

COUNT = 16
POPULATIONS = {"population-tiny": ("tiny", 32 * 100, 4), "population-mlp": ("mlp", 128 * 6, 1)}  # the workload, samples, epochs


def measured(names: list[str], rounds: int) -> dict:
    """Milliseconds of a step of all variants: as a population, and of each alone, added up."""
    import keraunos
    from benchmarks.measure import WORKLOADS, build
    from benchmarks.raw import seconds

    rng, found = np.random.default_rng(1), {}
    for name in [n for n in names if n in POPULATIONS]:
        workload, n, epochs = POPULATIONS[name]
        sizes, conv, shape, batch, _ = WORKLOADS[workload]
        x, y = rng.normal(size=(n, *shape)).astype("float32"), rng.integers(0, sizes[-1], n).astype("int32")

        def make(rate, sizes=sizes, conv=conv, shape=shape):
            model = build(keraunos, sizes, conv, shape)
            model.optimizer.learning_rate = rate
            return model

        population = keraunos.Population(make, {"rate": list(np.geomspace(1e-4, 1e-2, COUNT))}, seeds=range(COUNT))
        runs = {"raw": make(1e-3), "keraunos": population}
        for run in runs.values():  # a long run first, in which whatever is chosen by measuring is chosen
            run.fit(x, y, batch_size=batch, epochs=15 * epochs, verbose=0)
        times = {key: [] for key in runs}
        for _ in range(rounds):
            for key, run in runs.items():
                taken = seconds(lambda run=run, x=x, y=y, batch=batch, epochs=epochs: run.fit(x, y, batch_size=batch, epochs=epochs, verbose=0))
                times[key].append(taken / (epochs * (n // batch)) * 1000 * (COUNT if key == "raw" else 1))
        found[name] = {key: statistics.median(values) for key, values in times.items()}
    return found

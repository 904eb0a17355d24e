"""`python -m benchmarks [--engines jax,torch,…] [--only tiny,lstm,…] [--rounds 5]`: one table, and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

from benchmarks.modules import MODULES
from benchmarks.networks import NETWORKS
from benchmarks.populations import POPULATIONS

ROWS = ("tiny", "mlp", "cnn", *NETWORKS, "predict-1", *POPULATIONS, *MODULES, "dispatch", "import")
# Memory that was freed is kept, not given back to the system: else pages are made anew in whichever peer's turn it is.
STEADY = {"MALLOC_MMAP_THRESHOLD_": str(2**32), "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_TOP_PAD_": str(2**28)}
DOC = pathlib.Path(__file__).parent.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Milliseconds per step in `fit` (`tiny`, `mlp`, `cnn`; `resnet20` on 32×32×3, `lstm`: an embedding of 20,000 words and an LSTM of 64 over 80 steps,
`transformer`: 2 blocks of width 128 over 64 tokens, all three in batches of 32), per call (`predict-1`: one sample through `mlp`; `dispatch`: the mean of `add` and
`matmul` on 4 by 4 tensors, run eagerly, the least of many runs), or over bare Python (`import`).
`population-…` is a step of 16 variants: as one `keraunos.Population`, and under `raw` each by itself in `fit`, added up.
Rows named by a class are one layer, forward and backward, beside the engine's own module (torch.nn's; Flax's).
Peers run in turn in one process per engine, whose C library keeps freed memory (`MALLOC_TRIM_THRESHOLD_`), so that no peer pays for the pages of
another; medians of {rounds} rounds. Absolute times differ between machines: read the ratios.
`raw` is a hand-written loop (JAX: `jit`, optax, donated state, Flax's modules for the larger networks; PyTorch: eager, fused Adam; TensorFlow: `tf.function`, XLA without convolutions;
PyTensor: shared variables and updates, its default linker), on the same data, batches and optimizer. Keras has no PyTensor.
For `import` the row compares `import keraunos` with `import keras` on that engine.

Measured by `make bench` on {machine}, Python {python}, {versions}.

| workload | engine | raw | Keraunos | Keras | Keraunos / raw | Keraunos / Keras |
|---|---|---|---|---|---|---|
"""


def import_time(module: str, engine: str, rounds: int) -> float:
    """Milliseconds that an import takes, over bare Python."""
    env = {**os.environ, "KERAS_BACKEND": engine, "KERAUNOS_BACKEND": engine, "TF_CPP_MIN_LOG_LEVEL": "3"}
    times = {module: [], "sys": []}
    for _ in range(rounds):
        for name, taken in times.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {name}"], env=env, check=True, capture_output=True)
            taken.append(time.perf_counter() - started)
    return 1000 * (statistics.median(times[module]) - statistics.median(times["sys"]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--engines", default="jax,torch,tensorflow,pytensor")
    parser.add_argument("--only", default=",".join(ROWS))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    names, console, rows = options.only.split(","), Console(), []
    for engine in options.engines.split(","):
        with console.status(f"{engine}: {', '.join(names)} …"):
            command = [sys.executable, "-m", "benchmarks.measure", engine, ",".join(names), str(options.rounds)]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **STEADY})
            if done.returncode:
                sys.exit(done.stderr[-3000:])
            found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))[7:])
            if "import" in names and engine != "pytensor":
                found["import"] = {
                    "keraunos": import_time("keraunos", engine, options.rounds),
                    "keras": import_time("keras", engine, max(3, options.rounds // 2)),
                }
        rows += [(name, engine, found[name]) for name in ROWS if name in found]
    table = Table("workload", "engine", "raw ms", "Keraunos ms", "Keras ms", "/ raw", "/ Keras")
    lines = []
    for name, engine, t in rows:
        raw, ours, keras = t.get("raw"), t["keraunos"], t.get("keras")
        times = [f"{x:.3g}" if x else "–" for x in (raw, ours, keras)]
        cells = [name, engine, *times, *(f"{ours / x:.2f}" if x else "–" for x in (raw, keras))]
        table.add_row(*cells)
        lines.append("| " + " | ".join(cells) + " |")
    console.print(table)
    if set(names) == set(ROWS):
        from importlib.metadata import version

        versions = ", ".join(f"{p} {version(p)}" for p in ("numpy", "jax", "torch", "tensorflow", "pytensor", "keras", "optax", "flax"))
        machine = f"{os.cpu_count()} CPU cores ({platform.machine()})"
        DOC.parent.mkdir(exist_ok=True)
        head = HEAD.format(rounds=options.rounds, machine=machine, python=platform.python_version(), versions=versions)
        sections = "".join(DOC.read_text(encoding="utf-8").partition("\n## ")[1:]) if DOC.exists() else ""  # what other programs measured
        DOC.write_text(head + "\n".join(lines) + "\n" + sections, encoding="utf-8")
        console.print(f"Written to {DOC.relative_to(pathlib.Path.cwd())}" if DOC.is_relative_to(pathlib.Path.cwd()) else str(DOC))


if __name__ == "__main__":
    main()

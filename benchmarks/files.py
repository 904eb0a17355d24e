"""`python -m benchmarks.files [--gigabytes 1] [--rounds 5] [--engine jax]`: saving and loading a model, beside the safetensors library with the same bytes.

Each save and load is in a process of its own, in turn with its peers, so that the peak of its memory is its own. The library's save is followed by
the `fsync` that ours does too; its load assigns the tensors to the same variables.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from rich.console import Console
from rich.table import Table

FORMATS = (".keras", ".weights.h5", ".safetensors")
PEER = "library"


def network(gigabytes: float) -> Any:
    """A model of dense layers of 16 MiB each."""
    import keraunos as keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(2048, use_bias=False, kernel_initializer="zeros") for _ in range(max(1, round(gigabytes * 2**30 / 2**24)))]
    return keras.Sequential([keras.Input((2048,)), *layers])


def _memory(name: str) -> int:
    """A figure of this process, in bytes: `VmRSS`, or the peak, `VmHWM`."""
    return next(int(line.split()[1]) * 1024 for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith(f"{name}:"))


def _wait(model: Any) -> None:
    """Wait until all that was begun is done."""
    for v in model.weights:
        getattr(v.value, "block_until_ready", lambda: None)()


def _save(model: Any, path: pathlib.Path) -> None:
    if path.suffix != f".{PEER}":
        (model.save if path.suffix == ".keras" else model.save_weights)(path)
        return
    import numpy as np
    from safetensors.numpy import save_file

    save_file({v.path: np.asarray(getattr(v.value, "detach", lambda v=v: v.value)()) for v in model.weights}, path)
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def _load(model: Any, path: pathlib.Path) -> None:
    if path.suffix != f".{PEER}":
        model.load_weights(path)
        return
    from safetensors.numpy import load_file

    found = load_file(path)
    for v in model.weights:
        v.assign(found.pop(v.path))


def measured(job: str, path: pathlib.Path, gigabytes: float) -> dict[str, float]:
    """The seconds that a job takes, and the most that the process holds meanwhile of what it did not hold before the model was made, over the model's size."""
    import numpy as np

    import keraunos as keras

    small = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])  # what is loaded late is loaded
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        _save(small, pathlib.Path(folder, path.name))
        _load(small, pathlib.Path(folder, path.name))
    model = network(gigabytes)
    for i, v in enumerate(model.weights):
        v.assign(np.full(v.shape, i, "float32"))
        _wait(model)
    size = sum(v.size * 4 for v in model.weights)
    gc.collect()
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS") - size
    started = time.perf_counter()
    (_save if job == "save" else _load)(model, path)
    _wait(model)
    return {"seconds": time.perf_counter() - started, "peak": (_memory("VmHWM") - before) / size}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files")
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engine", default="jax")
    parser.add_argument("--job", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print("RESULT " + json.dumps(measured(options.job[0], pathlib.Path(options.job[1]), options.gigabytes)))
        return
    rows: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        forms = [f".{PEER}", *FORMATS]
        for _ in range(options.rounds):
            forms.append(forms.pop(0))  # who comes first pays for memory that the machine had not given out yet
            for form in forms:
                for job in ("save", "load"):
                    command = [sys.executable, "-m", "benchmarks.files", "--gigabytes", str(options.gigabytes), "--job", job, f"{folder}/m{form}"]
                    done = subprocess.run(command, env={**os.environ, "KERAUNOS_BACKEND": options.engine}, capture_output=True, text=True)
                    if done.returncode:
                        sys.exit(done.stderr[-3000:])
                    rows.setdefault((job, form), []).append(json.loads(next(x for x in done.stdout.splitlines() if x.startswith("RESULT "))[7:]))
                os.remove(f"{folder}/m{form}")
    table = Table("job", "format", "seconds", "/ library", "peak memory / model")
    for (job, form), found in rows.items():
        seconds = statistics.median(x["seconds"] for x in found)
        ratio = statistics.median(x["seconds"] / y["seconds"] for x, y in zip(found, rows[job, f".{PEER}"], strict=True))
        table.add_row(job, form, f"{seconds:.2f}", f"{ratio:.2f}", f"{statistics.median(x['peak'] for x in found):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""Runs the examples in full, and prints a table: example, engine, seconds, the quality reached, the quality promised.

    python tools/gallery.py                             all of them, on JAX
    python tools/gallery.py ntm dcgan --backend torch   some, on another engine

Pictures and figures go to docs/gallery/, from which the documentation shows them. Exits with 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from rich.console import Console
from rich.table import Table

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
OUT = ROOT / "docs" / "gallery"
sys.path.insert(0, str(EXAMPLES))

from gallery import programs, promises  # noqa: E402


def run(name: str, backend: str) -> tuple[dict, str]:
    """Run one, and return what it wrote of itself and, where it failed, the end of what it printed.

    Pictures of engines other than JAX are not kept: the pages show one.
    """
    with tempfile.TemporaryDirectory() as elsewhere:
        out = OUT if backend == "jax" else pathlib.Path(elsewhere)
        started = time.perf_counter()
        command = [sys.executable, str(EXAMPLES / f"{name}.py"), "--backend", backend, "--out", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "Agg"})
        path = out / f"{name}.{backend}.json"
        fresh = path.exists() and (done.returncode == 0 or "not as promised" in done.stderr)
        result = json.loads(path.read_text(encoding="utf-8")) if fresh else {"measured": {}, "seconds": round(time.perf_counter() - started, 1)}
    if backend != "jax" and fresh:
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / path.name).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return result, "" if done.returncode == 0 else (done.stderr.strip() or done.stdout.strip())[-2000:]


def main() -> int:
    """Run what the command line names, and return 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="the examples; all where none is named")
    parser.add_argument("--backend", nargs="+", default=["jax"], help="the engines")
    options = parser.parse_args()
    there = programs()
    if unknown := set(options.names) - there.keys():
        parser.error(f"no example is named {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    console = Console()
    console = console if console.is_terminal else Console(width=200)
    table = Table("example", "engine", "seconds", "reached", "promised", "kept")
    broken = 0
    chosen = options.names or list(there)
    for backend in options.backend:
        for number, name in enumerate(chosen, 1):
            with console.status(f"{number}/{len(chosen)} {name} on {backend}"):
                result, failure = run(name, backend)
            promised = promises(there[name].read_text(encoding="utf-8"))
            reached = ", ".join(f"{key} {value:.4g}" for key, value in result["measured"].items())
            limits = ", ".join(f"{key} {sign} {limit:g}" for key, (sign, limit) in promised.items())
            broken += bool(failure)
            table.add_row(name, backend, f"{result['seconds']:.1f}", reached, limits, "NO" if failure else "yes")
            console.print(
                f"{name} on {backend}: {result['seconds']:.1f} s, {reached or 'nothing'} ({limits})" + (f"\n{failure}" if failure else ""), markup=False
            )
    console.print(table)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())

"""Budgets that keep the library small and quick to import; exits with 1 where one is exceeded.

Import direction is import-linter's (`[tool.importlinter]` in pyproject.toml).
"""

from __future__ import annotations

import ast
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "keraunos"
TOTAL_LINES = 30_090  # of code, as `lines` counts, without the playground
PLAYGROUND_LINES = 4_650  # of the playground's Python
LAYER_LINES = 200  # of a file of layers
LAYER_FILE_LINES = 280  # of it, all counted
ENGINE_LINES = 1_000  # of an engine's file, all counted
IMPORT_SECONDS = 0.15
HEAVY = ("numpy", "jax", "torch", "tensorflow", "pytensor", "onnx", "optree", "h5py", "rich", "typer")  # what `import keraunos` must not load


def lines(path: pathlib.Path) -> int:
    """The number of lines of code of a file: without docstrings, comments and blank lines."""
    text = path.read_text(encoding="utf-8")
    skipped = {i for i, line in enumerate(text.splitlines(), 1) if not line.strip() or line.lstrip().startswith("#")}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node, clean=False) is not None:
            skipped.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(text.splitlines()) - len(skipped)


def seconds(code: str, repeats: int = 5) -> float:
    """The median time that a fresh interpreter takes for `code`."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> int:
    """Check every budget, print each, and return the number of those exceeded."""
    files = sorted(SOURCE.rglob("*.py"))
    playground = sum(map(lines, sorted((SOURCE / "play").rglob("*.py"))))
    loaded = f"import sys, keraunos; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    heavy = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True).stdout.split()
    rows = [
        ("lines of code in src, without the playground", sum(map(lines, files)) - playground, TOTAL_LINES),
        ("lines of code in the playground", playground, PLAYGROUND_LINES),
        *((f"lines of code in {path.relative_to(ROOT)}", lines(path), LAYER_LINES) for path in sorted((SOURCE / "layers").glob("*.py"))),
        *((f"lines of {path.relative_to(ROOT)}", len(path.read_text().splitlines()), LAYER_FILE_LINES) for path in sorted((SOURCE / "layers").glob("*.py"))),
        *((f"lines of {path.relative_to(ROOT)}", len(path.read_text().splitlines()), ENGINE_LINES) for path in sorted((SOURCE / "backends").glob("*.py"))),
        ("seconds of `import keraunos` over bare Python", round(seconds("import keraunos") - seconds("pass"), 3), IMPORT_SECONDS),
        (f"packages that `import keraunos` loads {heavy or ''}".rstrip(), len(heavy), 0),
    ]
    over = [row for row in rows if row[1] > row[2]]
    for name, value, budget in rows:
        if value > budget or not name.startswith(("lines of code in src/", "lines of src/")):
            print(f"{'OVER' if value > budget else 'ok  '}  {value} of {budget}  {name}")
    return len(over)


if __name__ == "__main__":
    sys.exit(min(main(), 1))

"""`python -m tools.engine_table`: which engine computes what, from the tables of the tests and from the engines, as docs/engines.md.

An op or a layer is listed because rows of tests/conformance/ or tests/layers/ run it on each engine; what is known to fail stands in tests/xfails/.
"""

from __future__ import annotations

import importlib
import inspect
import pathlib
import re
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from families import FAMILIES, family  # noqa: E402
from tests.conftest import expected_failures  # noqa: E402

PAGE = ROOT / "docs" / "engines.md"
ENGINES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow", "pytensor": "PyTensor", "numpy": "NumPy", "onnx": "ONNX"}
OWN, COMPOSED, NONE = "●", "○", "–"
HEAD = """# Which engine computes what

| | JAX | PyTorch | TensorFlow | PyTensor | NumPy | ONNX |
|---|:-:|:-:|:-:|:-:|:-:|:-:|
| ops computed | {counts} |
| training: `fit`, `value_and_grad` | compiled | yes | compiled | compiled | an error says why not | – |
| `predict` | compiled | yes | compiled | compiled | yes | files, by `Model.export` |
| bfloat16 | yes | yes | yes | no | yes | yes |

Each row below is run by the tests on each engine, in every dtype that it takes, against a reference in NumPy, and its gradient against finite differences.
{own} is a function of the engine's own, or the engine's part of an op that all have; {composed} the op's own definition over other ops, which is compiled with
what stands around it; {none} what the engine cannot do, and says so when it is asked. ONNX is no engine to compute on: it is what a model's file is made of.
A layer trains, or only predicts where the engine has no gradients; those of text and categories prepare data on the host, beside every engine.
This page is made by `python -m tools.engine_table`, and a test holds it to what the tests and the engines say.
"""


def rows_of(folder: str, pattern: str, name: str) -> list[Any]:
    """The rows of the tests' tables."""
    return [row for path in sorted((ROOT / "tests" / folder).glob(pattern)) for row in getattr(importlib.import_module(f"tests.{folder}.{path.stem}"), name)]


def failures(engine: str) -> dict[str, tuple[bool, str]]:
    """What is known to fail on an engine: by op, whether it fails as a whole, and why."""
    found: dict[str, tuple[bool, str]] = {}
    for words, reason in expected_failures(engine):
        text = " ".join(words)
        if match := re.search(rf"\[{engine}-(\w+)-(.*)$", text):
            whole = text.startswith("[") and not match[2].strip()
            found[match[1]] = (whole or found.get(match[1], (False, ""))[0], reason)
    return found


def tables(groups: dict[str, list[str]]) -> str:
    """A table of engines for each group that has rows."""
    head = f"| | {' | '.join(ENGINES.values())} |\n|---|{':-:|' * len(ENGINES)}"
    return "\n".join(f"### {title}\n\n{head}\n" + "\n".join(lines) + "\n" for title, lines in groups.items() if lines)


def op_table() -> tuple[str, str]:
    """The table of ops, and how many each engine computes."""
    import keraunos
    from keraunos.core import config
    from keraunos.core.op import op_of
    from keraunos.core.spec import OPERATORS

    backends = {name: config.load_backend(name) for name in ENGINES}
    known = {engine: failures(engine) for engine in ENGINES}
    tested = {case.op for case in rows_of("conformance", "*cases.py", "CASES")}
    counted = dict.fromkeys(ENGINES, 0)
    notes: dict[str, int] = {}
    groups: dict[str, list[str]] = {title: [] for title in FAMILIES["ops"]}
    public = {}
    for space in (keraunos.ops, keraunos.ops.image):
        for name in space.__all__:
            function = getattr(space, name)
            if inspect.isfunction(function) and function.__name__ == name and name in tested:
                public[name] = f"{space.__name__.removeprefix('keraunos.')}.{name}"
    for name, full in sorted(public.items()):
        function = OPERATORS[name]
        op = op_of(function)
        cells = []
        for engine, backend in backends.items():
            whole, reason = known[engine].get(name, (False, ""))
            own = not {name, f"{name}_"}.isdisjoint(vars(backend))
            cell = NONE if whole or (op.shape is not None and not own) else OWN if own else COMPOSED
            counted[engine] += cell != NONE
            if reason:
                cell += f" [{notes.setdefault(reason, len(notes) + 1)}]"
            cells.append(cell)
        groups[family("ops", function.__module__.rpartition(".")[2], name)].append(f"| {{name}}`{name} <{full}>` | {' | '.join(cells)} |")
    reasons = "\n".join(f"{number}. {reason}" for reason, number in notes.items())
    rest = (
        "Branches, loops and functions of functions (`ops.cond`, `ops.while_loop`, `ops.scan`, `ops.vectorize`, …) run on every engine, under their own tests; "
        "ONNX has branches and while loops."
    )
    return "\n".join([tables(groups), rest, "", "### Notes", "", reasons, ""]), " | ".join(f"{count} of {len(public)}" for count in counted.values())


def layer_table() -> str:
    """The table of layers."""
    from keraunos import layers
    from keraunos.layers.native import Native

    tested = {row.name for row in rows_of("layers", "*_rows.py", "ROWS")}
    groups: dict[str, list[str]] = {title: [] for title in FAMILIES["layers"]}
    for name in sorted(layers.__all__):
        cls = getattr(layers, name)
        if not inspect.isclass(cls) or cls.__name__ != name:
            continue
        if issubclass(cls, Native):
            cells = ["trains" if cls.engine == engine else NONE for engine in ENGINES]
        elif name in tested and getattr(cls, "on_host", False):
            cells = ["prepares"] * 5 + [NONE]
        elif name in tested:
            cells = ["trains"] * 4 + ["predicts", "exports"]
        else:
            continue
        groups[family("layers", cls.__module__.rpartition(".")[2], name)].append(f"| {{name}}`{name} <layers.{name}>` | {' | '.join(cells)} |")
    return tables(groups)


def page() -> str:
    """The text of the page."""
    ops, counts = op_table()
    return HEAD.format(counts=counts, own=OWN, composed=COMPOSED, none=NONE) + f"\n## Layers\n\n{layer_table()}\n## Ops\n\n{ops}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE.relative_to(ROOT))

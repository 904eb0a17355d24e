"""`python -m tools.feedback_table`: all situations of tests/feedback/ on all engines, and on the Keras installed, as docs/feedback.md.

Each engine, and Keras on JAX, has a process of its own: what crashes or hangs there ends no other.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

ROOT = pathlib.Path(__file__).parent.parent
DOC = ROOT / "docs" / "feedback.md"
FAMILIES = {
    "data": "Data", "losses": "Losses, metrics and targets", "shapes": "Shapes", "building": "Layers and models", "compiling": "`compile`",
    "training": "`fit` and callbacks", "files": "Files", "names": "Names",
}  # fmt: skip
ENGINES = ("jax", "torch", "tensorflow", "pytensor", "numpy")
PATIENCE = 60  # seconds for one situation
EXPECTED = (ValueError, TypeError, NotImplementedError, AttributeError, ImportError, FileNotFoundError, RuntimeError)  # what a user would catch
HEAD = """# What users are told

{count} mistaken programs, each a case of `tests/feedback/`, run by Keraunos on {engines} engines and, as they are, by Keras {keras} on JAX.
*Told* says whether a program was refused (raised), or ran with a warning (warned), on how many of the engines that got so far (NumPy does not train), whether the message
has a place and a fix, and its characters. Of Keras, *silent* means that the program ran without a word; a *crash* is an error of another library, or one
that is none of those that Keras raises on purpose (`KeyError`, `StopIteration`, …); *hung* is more than {patience} s. Made by `python -m tools.feedback_table`.
That a worker of a data set which is killed ends the run at once, by its name and the batch, is a case of `tests/test_indexed.py`.

| | Keraunos | Keras |
|---|---|---|
{summary}
"""


def run(engine: str) -> None:
    """Run all situations on one engine, or by Keras, and print a line of JSON for each."""
    os.environ.update({"KERAS_BACKEND": "jax", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAUNOS_PYTENSOR_MODE": "PLAIN"})
    library = importlib.import_module("keras" if engine == "keras" else "keraunos")
    if engine != "keras":
        library.config.set_backend(engine)
    from tests.feedback.case import SITUATIONS, outcome

    for family in FAMILIES:
        importlib.import_module(f"tests.feedback.{family}")

    def late(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    for situation in SITUATIONS:
        if engine != "keras" and not situation.concerns(engine):
            continue
        signal.alarm(PATIENCE)
        found = outcome(situation.program, library)
        signal.alarm(0)
        told, how = found.told, found.how
        if isinstance(told, TimeoutError):
            how = "hung"
        elif engine == "keras" and how == "raised" and (not isinstance(told, EXPECTED) or type(told).__module__.split(".")[0] not in ("builtins", "keras")):
            how = "crash"
        row = {"name": situation.name, "how": how, "characters": len(found.text), "right": isinstance(told, situation.kind)}
        row["place"], row["fix"] = "Where: " in found.text, "Fix: " in found.text
        row["complete"] = row["right"] and row["place"] and row["fix"] and all(word in found.text for word in situation.words) and len(found.text) <= 1000
        print(json.dumps(row), flush=True)


def collect(engine: str, total: int) -> dict[str, dict[str, Any]]:
    """The rows of an engine by name, with progress on the terminal."""
    found: dict[str, dict[str, Any]] = {}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.feedback_table", "--run", engine], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            row = json.loads(line)
            found[row["name"]] = row
            print(f"\r{engine:11} {len(found):4} of {total} {time.perf_counter() - started:5.0f} s  {row['name'][:50]:50}", end="", flush=True)
    print(f"\r{engine:11} {len(found):4} of {total} {time.perf_counter() - started:5.0f} s{' ' * 54}", flush=True)
    return found


def report(situations: list[Any], ours: dict[str, dict[str, Any]], keras: dict[str, Any], version: str) -> str:
    """The text of the page."""
    share = lambda part, of: f"{part} of {of} ({100 * part / of:.0f} %)"  # noqa: E731
    runs = [row for rows in ours.values() for row in rows.values()]
    theirs = [keras[s.name] for s in situations if s.name in keras and not s.own]
    counted = {how: sum(row["how"] == how for row in theirs) for how in ("silent", "crash", "hung", "warned", "raised")}
    lengths = sorted(row["characters"] for row in theirs if row["characters"])
    summary = [
        ("raised or warned", share(sum(row["right"] for row in runs), len(runs)), share(counted["raised"] + counted["warned"], len(theirs))),
        ("silent", sum(row["how"] == "silent" for row in runs), counted["silent"]),
        ("crashed or hung", sum(row["how"] == "hung" for row in runs), counted["crash"] + counted["hung"]),
        ("names the place", share(sum(row["place"] for row in runs), len(runs)), "–"),
        ("has a fix", share(sum(row["fix"] for row in runs), len(runs)), "–"),
        ("all of it, with the words that the case asks for", share(sum(row["complete"] for row in runs), len(runs)), "–"),
        ("characters, median and most", *(f"{c[len(c) // 2]}, {c[-1]:,}" for c in (sorted(row["characters"] for row in runs), lengths))),
    ]
    lines = [f"| {what} | {a} | {b} |" for what, a, b in summary]
    head = HEAD.format(count=len(situations), engines=len(ours), keras=version, patience=PATIENCE, summary="\n".join(lines))
    parts = [head]
    for family, title in FAMILIES.items():
        parts.append(f"\n## {title}\n\n| situation | told | place | fix | characters | Keras | characters |\n|---|---|---|---|---|---|---|\n")
        for situation in (s for s in situations if s.family == family):
            rows = [rows[situation.name] for rows in ours.values() if situation.name in rows]
            good = sum(row["right"] for row in rows)
            yes = ["yes" if all(row[what] for row in rows) else "**no**" for what in ("place", "fix")]
            other = keras.get(situation.name, {"how": "–", "characters": 0})
            how = "only ours" if situation.own else other["how"]
            told = f"{rows[0]['how']} {good}/{len(rows)}" if rows else "–"
            parts.append(f"| {situation.name} | {told} | {yes[0]} | {yes[1]} | {max(r['characters'] for r in rows)} | {how} | {other['characters'] or ''} |\n")
    return "".join(parts)


def main() -> None:
    """Run everything, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m tools.feedback_table")
    parser.add_argument("--run", help="one engine, or keras: print its rows")
    parser.add_argument("--engines", default=",".join(ENGINES))
    options = parser.parse_args()
    if options.run:
        return run(options.run)
    import importlib.metadata

    from tests.feedback.case import SITUATIONS

    for family in FAMILIES:
        importlib.import_module(f"tests.feedback.{family}")
    keras = collect("keras", len(SITUATIONS))
    ours = {engine: collect(engine, len(SITUATIONS)) for engine in options.engines.split(",")}
    DOC.write_text(report(SITUATIONS, ours, keras, importlib.metadata.version("keras")), encoding="utf-8")
    bad = [f"{engine}: {name}" for engine, rows in ours.items() for name, row in rows.items() if not row["complete"]]
    print(f"{DOC}: {len(SITUATIONS)} situations; {len(bad)} incomplete{': ' + '; '.join(bad[:10]) if bad else ''}")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()

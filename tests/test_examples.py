"""Each example runs, in its quick form: to the end, with its picture, with something measured for each of its promises."""

import json
import os
import pathlib
import runpy
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
if str(EXAMPLES) not in sys.path:
    sys.path.insert(0, str(EXAMPLES))

from gallery import begin, programs, promises  # noqa: E402


def begins_alone(path):
    """Whether an example sets what an engine reads when it starts, and so wants a process of its own."""
    return "os.environ" in path.read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("name", programs())
def test_an_example_runs(name, tmp_path, monkeypatch):
    path = programs()[name]
    arguments = ["--quick", "--backend", "jax", "--out", str(tmp_path)]
    if begins_alone(path):
        done = subprocess.run([sys.executable, str(path), *arguments], capture_output=True, text=True, env={**os.environ, "MPLBACKEND": "Agg"})
        assert done.returncode == 0, done.stderr
    else:
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        runpy.run_path(str(path), run_name="__main__")
    measured = json.loads((tmp_path / f"{name}.jax.json").read_text(encoding="utf-8"))["measured"]
    promised = promises(path.read_text(encoding="utf-8"))
    assert promised, "an example promises something that can be measured"
    assert promised.keys() <= measured.keys()
    assert (tmp_path / f"{name}.png").stat().st_size > 1000


def test_a_broken_promise_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["example.py", "--backend", "jax", "--out", str(tmp_path)])
    run = begin("Title\n\nPromises: accuracy ≥ 0.9, loss ≤ 1e-3")
    with pytest.raises(SystemExit, match="nothing was measured for loss"):
        run.end(accuracy=1)
    with pytest.raises(SystemExit, match="not as promised: accuracy, loss"):
        run.end(accuracy=0.89, loss=float("nan"))
    run.end(accuracy=0.9, loss=0.001)
    assert run.pick(5, quick=1) == 5

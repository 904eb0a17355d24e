"""The command line, in processes of its own but where starting an engine in one takes long."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import keraunos as package
from keraunos.cli import app, facts
from keraunos.cli.facts import Engine
from keraunos.core import config
from tests.conftest import BACKENDS


def keraunos(*arguments, cwd=None, timeout=300):
    paths = {**os.environ, "PYTHONPATH": str(pathlib.Path(package.__file__).parent.parent)}
    paths.pop("XLA_FLAGS", None)  # the tests' own are for what is compiled anew at each call
    return subprocess.run([sys.executable, "-m", "keraunos", *arguments], capture_output=True, text=True, timeout=timeout, cwd=cwd, env=paths)


@pytest.fixture
def script(tmp_path):
    def write(text: str):
        path = tmp_path / "script.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_help_lists_the_commands():
    done = keraunos("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in ("demo", "run", "info"))


def test_info_names_the_engines(monkeypatch):
    """Two of them are really started; what is found of the others is made up."""
    made_up = {"torch": Engine(devices=["cpu:0", "cuda:0"]), "tensorflow": Engine(error="ImportError"), "pytensor": Engine(installed=False)}
    really = facts.probed(name for name in config.BACKENDS if name not in made_up)
    monkeypatch.setattr(facts, "probed", lambda engines: {name: {**made_up, **really}[name] for name in engines})
    done = CliRunner().invoke(app, ["info"])
    assert done.exit_code == 0, done.output
    rows = (
        r"jax +\d[^ ]* +cpu",
        r"numpy +\d[^ ]* +cpu",
        r"torch +\d[^ ]* +cpu:0, cuda:0",
        r"tensorflow +\d[^ ]* +cannot be used",
        r"pytensor +not installed +pip",
    )
    for row in rows:
        assert re.search(f"^{row}", done.output, re.MULTILINE), done.output


def test_run_gives_the_script_what_python_would(script):
    path = script(
        "import sys, keras\nfrom keras import layers\nprint(__name__, sys.argv[1:], keras.config.backend(), layers.Dense.__module__.split('.')[0], sys.path[0])"
    )
    done = keraunos("run", "--backend", "numpy", path, "--epochs", "3", "-b", "x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == f"__main__ ['--epochs', '3', '-b', 'x'] numpy keraunos {path.rpartition('/')[0]}"


def test_run_finds_modules_beside_the_script(script, tmp_path):
    (tmp_path / "beside.py").write_text("import keras\nvalue = keras.__name__")
    assert keraunos("run", script("import beside; print(beside.value)")).stdout.strip() == "keras"


@pytest.mark.parametrize(
    ("ending", "status"), [("import sys; sys.exit(7)", 7), ("raise SystemExit", 0), ("raise KeyboardInterrupt", 130), ("1 / 0", 1), ("def f(:", 1)]
)
def test_run_keeps_exit_status(script, ending, status):
    assert keraunos("run", script(ending)).returncode == status


def test_run_keeps_the_script_s_own_traceback(script):
    path = script("def f():\n    1 / 0\n\n\nf()\n")
    error = keraunos("run", path).stderr
    python = subprocess.run([sys.executable, path], capture_output=True, text=True).stderr
    assert error == python


def test_mistakes_are_one_message():
    for arguments, words in ((("run", "nowhere.py"), "Where: nowhere.py"), (("demo", "--backend", "jaxx"), "Did you mean 'jax'?")):
        done = keraunos(*arguments)
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("engine", [name for name in ("jax", "torch", "tensorflow") if name in BACKENDS])
def test_demo_reads_digits(engine, tmp_path, monkeypatch):
    if engine == "jax":  # in a process that starts as a user's does, compiling well
        done = keraunos("demo", "--backend", engine, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        output = done.stdout
    else:
        monkeypatch.chdir(tmp_path)
        done = CliRunner().invoke(app, ["demo", "--backend", engine], catch_exceptions=False)
        output = done.output
        assert done.exit_code == 0, output
    accuracy = re.search(r"Accuracy on the held-out digits: ([\d.]+)%", output)
    assert accuracy is not None and float(accuracy[1]) >= 97
    assert "Confusion matrix" in output and "predictions are equal" in output
    assert (tmp_path / "digits.keras").stat().st_size > 10_000
    purposes = ("the same on another engine", "your own Keras 3 program", "what is installed")
    lines = output.partition("Next:\n")[2].splitlines()
    assert len({line.index(f"   {purpose}") for line, purpose in zip(lines, purposes, strict=True)}) == 1

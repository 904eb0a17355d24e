"""Hostile and damaged files: every door refuses each with one message, at once, in little memory, and does nothing else."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from tests.hostile import configs, run, zips

pytestmark = pytest.mark.xdist_group("hostile files")  # one process tries all

# Files in order, but not for the model, or whose arrays are found to be damaged when they are read: these may be looked at.
READABLE = {
    "h5 many groups", "h5 deep groups", "h5 long name", "h5 chunk that inflates", "h5 chunk that is too short", "h5 chunk without a stream", "h5 strings",
    "h5 complex", "h5 int64", "h5 wrong shape", "h5 wrong rank", "h5 missing variable", "h5 missing layer", "h5 one layer more",
    "h5 group in place of an array", "h5 array in place of a group", "tensors wrong shape", "tensors integers", "tensors another model's",
    "npz wrong shape", "npz complex", "npz missing",
}  # fmt: skip


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What each door did with each file, in a process of its own."""
    path = tmp_path_factory.mktemp("report") / "report.json"
    environment = {**os.environ, "KERAUNOS_BACKEND": "numpy", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "tests.hostile.run", str(path)], check=True, cwd=pathlib.Path(__file__).parents[1], env=environment)
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(path.read_text()):
        rows.setdefault(row["file"], []).append(row)
    return rows


def may_pass(name: str, door: str) -> bool:
    """Whether nothing is wrong with what this door reads of the file."""
    if door == "load_model":
        return False
    if name in configs.FILES:
        return name not in configs.BROKEN
    return door != "load_weights" and name.split(".")[0] in READABLE


@pytest.mark.parametrize("name", run.files())
def test_a_hostile_file_is_refused(name: str, report: Any) -> None:
    for row in report[name]:
        what = f"{name} by {row['door']}: {row}"
        assert row["error"] == "ModelFileError" or (row["error"] is None and may_pass(name, row["door"])), what
        assert not row["events"], what
        assert row["bytes"] <= 64 * 2**20 + 2 * row["size"], what
        assert row["seconds"] < 2, what
        if row["error"]:
            message = row["message"]
            assert len(message) <= 1000 and not any(c < " " and c != "\n" for c in message), what
            assert pathlib.Path(name).stem.split(".")[0] in message and "Where:" in message and "Fix:" in message, what


def test_no_hostile_file_left_something_behind() -> None:
    assert not pathlib.Path("/tmp/keraunos_was_here").exists() and not pathlib.Path("/tmp/evil").exists()


def test_the_file_without_fault_is_read(tmp_path: pathlib.Path) -> None:
    (path := tmp_path / "good.keras").write_bytes(zips.raw(zips.entries()))
    for door in run.doors(path.name).values():
        (tmp_path / "out").mkdir(exist_ok=True)
        door(path)

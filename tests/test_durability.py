"""Files that are written while something goes wrong: the old one or the new one is there, whole; and a flipped bit is never read."""

from __future__ import annotations

import errno
import os
import pathlib
import random
import subprocess
import sys
from typing import Any

import pytest

import keraunos as keras
from keraunos.core.errors import FileWriteError, ModelFileError
from keraunos.saving import files
from tests import kills

KILLS = int(os.environ.get("KERAUNOS_KILLS", "6"))  # for all formats together
FLIPS = int(os.environ.get("KERAUNOS_FLIPS", "60"))
ENDINGS = [".keras", ".weights.h5", ".safetensors", ".npz"]


@pytest.fixture(autouse=True)
def _numpy() -> Any:
    with keras.config.backend_scope("numpy"):
        yield


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes to be forked")
def test_a_kill_leaves_the_old_file_or_the_new_one(tmp_path: pathlib.Path) -> None:
    environment = {**os.environ, "KERAUNOS_BACKEND": "numpy"}
    command = [sys.executable, "-m", "tests.kills", str(tmp_path), str(KILLS)]
    done = subprocess.run(command, cwd=pathlib.Path(__file__).parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and f"{KILLS} kills, 0 files unreadable" in done.stdout, done.stdout + done.stderr


class Faulty(files._Eager):
    """A file of which one write fails."""

    left = 0

    def write(self, data: Any, /) -> int:
        Faulty.left -= 1
        if Faulty.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data)[:1024])


def failing(function: Any, number: int, code: int) -> Any:
    """`function`, of which one call fails."""
    calls = iter(range(1, 1000))

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(calls) == number:
            raise OSError(code, os.strerror(code))
        return function(*args, **kwargs)

    return call


@pytest.mark.parametrize("ending", ENDINGS)
def test_whichever_write_fails_the_old_file_stays(ending: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"m{ending}"
    kills.save(kills.model(1.0), path)
    before, made = path.read_bytes(), kills.model(2.0)
    monkeypatch.setattr(files, "_Eager", Faulty)
    for number in range(1, 1000):
        Faulty.left = number
        try:
            kills.save(made, path)
        except FileWriteError as error:
            assert isinstance(error, OSError) and error.errno == errno.ENOSPC
            assert "bytes are needed" in str(error) and "are free" in str(error) and "is untouched" in str(error)
            assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
        else:
            break
    assert number > 5 and kills.values(path) == {2.0}


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="the system takes no advice")
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_begins_its_way_to_the_disk_at_once(ending: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[tuple[int, int]] = []
    monkeypatch.setattr(files, "_AT_ONCE", 1000)
    monkeypatch.setattr(os, "posix_fadvise", lambda _, start, size, advice: parts.append((start, start + size)))
    kills.save(kills.model(1.0), path := tmp_path / f"m{ending}")
    assert sum(end - start for start, end in parts) > path.stat().st_size / 2 and max(end for _, end in parts) <= path.stat().st_size
    assert kills.values(path) == {1.0}


@pytest.mark.parametrize("name", ["fsync", "replace"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_whichever_call_fails_the_old_file_stays(name: str, ending: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / f"m{ending}"
    kills.save(kills.model(1.0), path)
    made = kills.model(2.0)
    for number in range(1, 10):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, failing(getattr(os, name), number, errno.EIO))
            try:
                kills.save(made, path)
            except FileWriteError as error:
                assert number == 1 and "is untouched" in str(error)
                assert kills.values(path) == {1.0} and os.listdir(tmp_path) == [path.name]
            else:
                assert number > 1
                break
    assert kills.values(path) == {2.0}


def test_what_a_killed_process_left_is_deleted(tmp_path: pathlib.Path) -> None:
    path, old, new, held = (tmp_path / name for name in ("m.npz", ".m.npz.01234567.tmp", ".m.npz.76543210.tmp", ".m.npz.abcdef01.tmp"))
    for left in (old, new, held):
        left.write_bytes(b"x")
    for left in (old, held):
        os.utime(left, (0, 0))
    with open(held, "rb") as stream:
        files.lock(stream)
        kills.save(kills.model(1.0), path)
    left = set(os.listdir(tmp_path))
    assert left == {path.name, new.name, held.name}


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_flipped_bit_is_read(ending: str, tmp_path: pathlib.Path) -> None:
    path, rng = tmp_path / f"m{ending}", random.Random(1)
    kills.save(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), path)
    content = path.read_bytes()
    for place in rng.sample(range(8 * len(content)), FLIPS):
        spoilt = bytearray(content)
        spoilt[place // 8] ^= 1 << place % 8
        path.write_bytes(spoilt)
        with pytest.raises(ModelFileError):
            if ending == ".keras":
                keras.saving.load_model(path)
            else:
                keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).load_weights(path)

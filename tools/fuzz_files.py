"""Damage small model files in thousands of ways and read them: `python tools/fuzz_files.py [cases] [seed] [first case]`.

Each case is a file of one of the formats with a few changes at random: bits, bytes, lengths, pieces cut out, doubled or taken from another
file. Where a format's own checksum would refuse every change, half of the cases are files without one, and some are mended so that the change
gets past the CRC. A case may be read, or be refused by a `ModelFileError`; all else is a finding: another exception, an event of harm (see
`tests/hostile/run.py`), more memory than the limit, or more than two seconds. A crash of the process is found by who waits for it.
"""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import gc
import io
import json
import pathlib
import random
import struct
import sys
import tempfile
import time
import warnings
import zipfile
import zlib
from typing import Any

from tests.hostile import run

import keraunos as keras

_LENGTHS = [0, 1, 7, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1]


def seeds(folder: pathlib.Path) -> dict[str, bytes]:
    """Whole files to begin with, by name."""
    made = run.model()
    made.compile("adam", "mse")
    x = keras.Input((3,))
    graph = keras.Model(x, keras.layers.Add()([keras.layers.Dense(2)(x), keras.layers.Dense(2)(x)]))
    found = {}
    for name, model in (("m", made), ("f", graph)):
        model.save(folder / f"{name}.keras")
        with zipfile.ZipFile(folder / f"{name}.keras") as archive:
            parts = {part: archive.read(part) for part in archive.namelist()}
        parts["metadata.json"] = b'{"keras_version": "3.15.1"}'
        for method, mark in ((zipfile.ZIP_STORED, "s"), (zipfile.ZIP_DEFLATED, "d")):
            with zipfile.ZipFile(folder / f"{name}{mark}.keras", "w", method) as archive:
                for part, content in parts.items():
                    archive.writestr(part, content)
        (folder / f"{name}plain.weights.h5").write_bytes(parts["model.weights.h5"])
    made.save(folder / "m.h5")
    for ending in (".weights.h5", ".safetensors", ".npz"):
        made.save_weights(folder / f"m{ending}")
    kernel, bias = (v.numpy() for v in made.layers[0].weights)
    import numpy as np
    import safetensors.numpy

    np.savez(folder / "plain.npz", **{"dense/kernel": kernel, "dense/bias": bias})
    np.savez_compressed(folder / "packed.npz", **{"dense/kernel": kernel, "dense/bias": bias})
    safetensors.numpy.save_file({"dense/kernel": kernel, "dense/bias": bias}, folder / "plain.safetensors")
    for path in folder.iterdir():
        found[path.name] = path.read_bytes()
    return found


def damaged(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """The content with one to four changes."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place, size = rng.randrange(len(out) or 1), rng.choice((1, 2, 4, 8, 16, 64, 512))
        kind = rng.randrange(9)
        if kind == 0:
            out = out[:place]
        elif kind == 1 and out:
            out[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            out[place : place + size] = rng.randbytes(size)
        elif kind == 3:
            width = rng.choice((1, 2, 4, 8))
            out[place : place + width] = struct.pack("<Q", rng.choice(_LENGTHS))[:width]
        elif kind == 4:
            del out[place : place + size]
        elif kind == 5:
            out[place:place] = out[place : place + size]
        elif kind == 6:
            start = rng.randrange(len(other))
            out[place : place + size] = other[start : start + size]
        elif kind == 7:
            out[place : place + size] = bytes([rng.choice((0, 255, 123, 125, 91, 34, 48, 57))]) * size
        else:
            out = _within_text(out, rng)
    return bytes(out)


def _within_text(out: bytearray, rng: random.Random) -> bytearray:
    """A number, word or mark of JSON in another's place."""
    marks = [i for i, c in enumerate(out) if c in b'":,[]{}']
    if not marks:
        return out
    place = rng.choice(marks)
    put = rng.choice((b"null", b"-1", b"1e99", b"NaN", b'"\\u001b"', b"[]", b"{}", b"[" * 500, b"10000000000", b'"../../x"', b"true"))
    end = place + rng.choice((0, 1, 2, 5, 12))
    return out[: place + 1] + put + out[end + 1 :]


def mended(content: bytes, rng: random.Random) -> bytes:
    """An archive whose members are damaged one by one and packed anew, so that their CRCs are right."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(packed, "w", rng.choice((0, 8))) as new:
        names = archive.namelist()
        spoilt = rng.choice(names)
        for name in names:
            part = archive.read(name)
            new.writestr(name, damaged(part, part, rng) if name == spoilt else part)
    return packed.getvalue()


def case(files: dict[str, bytes], number: int, seed: int) -> tuple[str, bytes]:
    """A damaged file, and its name; the same for the same numbers."""
    rng = random.Random(f"{seed} {number}")
    name = rng.choice(sorted(files))
    other = files[rng.choice(sorted(files))]
    if name.endswith((".keras", ".npz")) and rng.random() < 0.6:
        with contextlib.suppress(zipfile.BadZipFile, zlib.error):
            return name, mended(files[name], rng)
    return name, damaged(files[name], other, rng)


def fuzz(cases: int, seed: int = 0, first: int = 0) -> list[dict[str, Any]]:
    """Try so many cases; returns what was found."""
    warnings.simplefilter("ignore")
    found: list[dict[str, Any]] = []
    told: collections.Counter[str] = collections.Counter()
    start = time.time()
    with tempfile.TemporaryDirectory() as folder, keras.config.backend_scope("numpy"):
        root = pathlib.Path(folder)
        for part in ("seeds", "temporary", "good", "out"):
            (root / part).mkdir()
        former, tempfile.tempdir = tempfile.tempdir, str(root / "temporary")
        files = seeds(root / "seeds")
        run.warm(root / "good")
        gc.freeze()
        watch = run.Watch()
        for number in range(first, first + cases):
            name, content = case(files, number, seed)
            path = root / name
            path.write_bytes(content)
            doors = run.doors(name)
            door = sorted(doors)[number % len(doors)]
            faulthandler.dump_traceback_later(60, exit=True)
            row = run.tried(watch, doors[door], path, str(root / "temporary"), thorough=number % 50 == 0)
            faulthandler.cancel_dump_traceback_later()
            told[f"{path.suffix} {door} {row['error']}"] += 1
            fine = row["error"] in (None, "ModelFileError") and len(row["message"]) <= 1000
            if not fine or row["events"] or row["seconds"] > 2 or row["bytes"] > 64 * 2**20 + 2 * row["size"]:
                found.append({"case": number, "seed": seed, "file": name, "door": door, **row})
                print(json.dumps(found[-1]), flush=True)
            if number % 2000 == 1999:
                print(f"{number + 1 - first} cases, {len(found)} findings, {time.time() - start:.0f} s", flush=True)
        tempfile.tempdir = former
    print(json.dumps(dict(sorted(told.items())), indent=1))
    return found


if __name__ == "__main__":
    sys.exit(bool(fuzz(*map(int, sys.argv[1:] or ["1000"]))))

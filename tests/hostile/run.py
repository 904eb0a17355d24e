"""Every hostile file, given to every door: `python -m tests.hostile.run REPORT.json`. The report has a row for each, of what was seen."""

from __future__ import annotations

import codecs
import contextlib
import gc
import io
import json
import os
import pathlib
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import rich.cells

import keraunos as keras
from tests.hostile import configs, hdf5, tensors, zips

HARMFUL = ("exec", "compile", "import", "subprocess.", "socket.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "ctypes.",
           "marshal.", "pickle.", "urllib.", "webbrowser.", "ftplib.", "smtplib.", "code.", "shutil.", "os.remove", "os.rename", "os.rmdir", "os.mkdir",
           "os.link", "os.symlink", "os.chmod")  # fmt: skip


class Watch:
    """What Python's audit hooks tell of a block: events of harm, and files that were opened beside the given one and temporary ones."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.own: tuple[str, ...] | None = None
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if self.own is None:
            return
        if event == "open" or event.startswith(("os.remove", "os.rmdir", "os.mkdir", "os.rename", "os.chmod", "shutil.")):
            if isinstance(args[0], (str, bytes)) and not os.fsdecode(args[0]).startswith(self.own):
                self.events.append(f"{event} {os.fsdecode(args[0])}")
        elif event.startswith(HARMFUL):
            self.events.append(f"{event} {str(args)[:100]}")

    @contextlib.contextmanager
    def allowing(self, *places: str) -> Iterator[list[str]]:
        """Watch a block, in which these places may be opened."""
        self.events, self.own = [], places
        try:
            yield self.events
        finally:
            self.own = None


def _status(name: str) -> int:
    """A figure of this process, in bytes; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    return 0


def _restart_peak() -> None:
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")


def model() -> Any:
    """A model that the file without fault fits."""
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="model")


def _load_weights(path: pathlib.Path) -> None:
    model().load_weights(path)


def _inspect(path: pathlib.Path) -> None:
    from keraunos.saving.inspecting import inspect

    json.dumps(inspect(path))


def _edit(path: pathlib.Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        keras.saving.KerasFileEditor(path).summary()


def _convert(path: pathlib.Path) -> None:
    from keraunos.cli.convert import convert

    convert(path, pathlib.Path(tempfile.gettempdir(), "out.npz"), force=True)


def doors(name: str) -> dict[str, Callable[[pathlib.Path], Any]]:
    """What a file of this name may be given to."""
    found: dict[str, Any] = {"load_weights": _load_weights, "inspect": _inspect}
    if name.endswith((".keras", ".weights.h5")) and hasattr(keras.saving, "KerasFileEditor"):
        found["edit"] = _edit
    found["convert"] = _convert
    if name.endswith((".keras", ".h5")) and not name.endswith(".weights.h5"):
        found["load_model"] = keras.saving.load_model
    return found


def warm(folder: pathlib.Path) -> None:
    """Use everything once, so that all that is imported late is there."""
    for space in (keras.layers, keras.metrics, keras.losses, keras.optimizers, keras.ops, keras.initializers, keras.random, keras.activations, keras.callbacks):
        for name in space.__all__:
            getattr(space, name)
    made = model()
    made.compile("adam", "mse", metrics=["mae"])
    for name in ("m.keras", "m.weights.h5", "m.safetensors", "m.npz"):
        (made.save if name.endswith(".keras") else made.save_weights)(folder / name)
        for door in doors(name).values():
            door(folder / name)
    x = keras.Input((3,))
    keras.Model(x, keras.layers.Dense(2, name="dense")(x) * 2).save(folder / "f.keras")
    keras.saving.load_model(folder / "f.keras")
    for encoding in ("ascii", "latin-1", "cp437", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        codecs.lookup(encoding)
    rich.cells.cell_len("\u00e9\u754c")


def tried(watch: Watch, door: Callable[[pathlib.Path], Any], path: pathlib.Path, temporary: str, thorough: bool = True) -> dict[str, Any]:
    """What a door says of a file, and what it did meanwhile; memory is measured anew if `thorough`."""
    if thorough:
        gc.collect()
        _restart_peak()
    before, start, error = _status("VmRSS"), time.process_time(), None
    with watch.allowing(str(path), temporary) as events:
        try:
            door(path)
        except BaseException as caught:
            error = caught
    row = {"seconds": time.process_time() - start, "bytes": _status("VmHWM") - before, "size": path.stat().st_size, "events": events}
    return {**row, "error": type(error).__name__ if error else None, "message": str(error or "")}


def files() -> dict[str, Callable[[pathlib.Path], Any]]:
    """The hostile files of all modules, by name."""
    return {**zips.FILES, **configs.FILES, **hdf5.FILES, **tensors.FILES}


def main(report: str, only: str = "") -> None:
    """Write the report."""
    warnings.simplefilter("ignore")
    keras.config.set_backend("numpy")
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        temporary = str(root / "temporary")
        for part in ("temporary", "good", "out"):
            (root / part).mkdir()
        tempfile.tempdir = temporary
        made = {name: make for name, make in files().items() if only in name}
        warm(root / "good")
        gc.freeze()  # what stays need not be looked at again for each file
        watch, rows = Watch(), []
        for name, make in made.items():
            path = root / name
            make(path)
            rows += [{"file": name, "door": door, **tried(watch, call, path, temporary)} for door, call in doors(name).items()]
            path.unlink()
    pathlib.Path(report).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(*sys.argv[1:])

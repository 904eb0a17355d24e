"""A callback that lets training go on where it was cut off."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import zipfile
from typing import Any

import numpy as np

from keraunos.callbacks.callback import BatchCounter, is_count
from keraunos.core.errors import ArgumentError, KeraunosError, StateError

_FORMAT = 2
_TERMINATED = 128 + signal.SIGTERM  # the exit code by which shells tell of it


class BackupAndRestore(BatchCounter):
    """Keep the state of a run on disk, and go on from there when `fit` is called again after a crash.

    The state is all of it: weights, the optimizer, the scale of losses, metrics, seeds, the order of the samples, the place within the epoch, and what
    the other callbacks have counted (`Callback.get_state`), the history included. A run of arrays that was cut off and goes on ends as if it
    had never been. Of a stream of batches, those that were used are read again and passed over. A backup takes the place of the last one at once: a
    crash while it is written loses nothing.

    In the main thread, SIGTERM, by which machines are taken back, ends the batch (or the validation), saves and leaves by `SystemExit(143)`,
    whatever `save_freq` is; a second one leaves at once. A handler of the program's own is called after the backup, in place of that; it is in force
    again after `fit`. It works beside the other callbacks in any order: it is called last.

    Args:
        backup_dir: A folder for this run alone; one elsewhere is named by a URL that fsspec reaches, such as `s3://bucket/run`.
        save_freq: "epoch", a number of batches, or False to save nothing but at SIGTERM.
        double_checkpoint: Whether the last backup but one is kept too, and used where the last cannot be read.
        delete_checkpoint: Whether the backups are deleted when training has ended.

    Raises:
        ArgumentError: `save_freq` is something else.
        StateError: The backup is of another model.

    Example:

    >>> import tempfile
    >>> import keraunos as keras
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> backup = keras.callbacks.BackupAndRestore(tempfile.mkdtemp())
    >>> history = model.fit(keras.ops.ones((4, 2)), keras.ops.ones((4, 1)), epochs=3, callbacks=[backup], verbose=0)
    """

    is_last = True

    def __init__(self, backup_dir: Any, save_freq: Any = "epoch", double_checkpoint: bool = False, delete_checkpoint: bool = True):
        from keraunos.saving.files import as_path

        if save_freq != "epoch" and save_freq is not False and not is_count(save_freq):
            fact = "save_freq is 'epoch', a positive number of batches, or False."
            raise ArgumentError(fact, where="BackupAndRestore", received=f"save_freq={save_freq!r}", fix="save_freq='epoch'")
        if not str(backup_dir):
            raise ArgumentError("BackupAndRestore needs a folder.", where="backup_dir", fix="backup_dir='backup'")
        self.folder = as_path(backup_dir)
        self.save_freq, self.double_checkpoint, self.delete_checkpoint = save_freq, double_checkpoint, delete_checkpoint
        self.by_batch = save_freq not in ("epoch", False)
        self.path, self.previous = self.folder / "backup.npz", self.folder / "previous.npz"
        self._epoch = 0
        self._former: Any = None  # the handler of SIGTERM before ours

    def on_train_begin(self, logs: Any = None) -> None:
        self._seen, broken = 0, None
        for path in [path for path in (self.path, self.previous) if path.exists()]:
            try:
                self._restore(path)
                break
            except KeraunosError:
                raise
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                broken = broken or error
        else:
            if broken is not None:
                fix = "delete the folder to begin anew; double_checkpoint=True keeps a second backup"
                raise StateError("The backup cannot be read.", where=str(self.path), received=str(broken)[:200], fix=fix)
        self._listen()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.by_batch and self._count(batch, int(self.save_freq)):
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.model.position.interrupt is not None:
            self._leave(epoch + 1, 0)
        elif self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Any = None) -> None:
        if self._former is not None:
            signal.signal(signal.SIGTERM, self._former)
            self._former = None
        if self.delete_checkpoint and self.model.position.ended:
            for path in (self.path, self.previous):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # what others have put there stays
                self.folder.rmdir()

    # ---- SIGTERM ----
    def _listen(self) -> None:
        """Let SIGTERM end the run after its batch. Only the main thread may say what a signal does."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is not None:
            self._former = signal.signal(signal.SIGTERM, self._asked)

    def _asked(self, number: int, frame: Any) -> None:
        if self.model.position.interrupt is not None:
            raise SystemExit(_TERMINATED)
        self.model.position.interrupt = lambda batch: self._leave(self._epoch, batch)

    def _leave(self, epoch: int, batch: int) -> None:
        self.model.position.interrupt = None
        self._save(epoch, batch)
        if not callable(self._former):
            raise SystemExit(_TERMINATED)
        self._former(signal.SIGTERM, None)

    # ---- the file ----
    def _save(self, epoch: int, batch: int) -> None:
        from keraunos.saving.files import replacing

        position, variables, arrays = self.model.position, self.model.run_variables, _Arrays()
        held = [(type(c).__name__, c.get_state()) for c in position.callbacks if hasattr(c, "get_state")]
        about = {"format": _FORMAT, "epoch": epoch, "batch": batch, "seed": position.seed, "seen": self._seen, "stop": bool(self.model.stop_training)}
        about["variables"] = [arrays.pack(v.numpy()) for v in variables]
        about["callbacks"] = [(name, arrays.pack(state)) for name, state in held if state]
        about["dtypes"] = arrays.dtypes
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self.path.exists():
            self.path.replace(self.previous)
        with replacing(self.path, overwrite=True) as stream:
            np.savez(stream, about=np.frombuffer(json.dumps(about).encode(), "uint8"), **arrays.kept)

    def _restore(self, path: Any) -> None:
        from keraunos.saving.files import local

        with local(path) as found, np.load(found, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            if about["format"] != _FORMAT:
                raise StateError("The backup is of another version.", where=str(path), fix="delete the folder to begin anew")
            arrays = _Arrays([_typed(file[str(i)], dtype) for i, dtype in enumerate(about["dtypes"])])
        values, states, variables = arrays.unpack(about["variables"]), arrays.unpack(about["callbacks"]), self.model.run_variables
        wrong = next((f"{a.shape} for {v.path} {v.shape}" for a, v in zip(values, variables, strict=False) if a.shape != v.shape), None)
        if wrong or len(values) != len(variables):
            received = wrong or f"{len(values)} variables, of which the model has {len(variables)}"
            fix = "give each run a folder of its own, or delete this one to begin anew"
            raise StateError("The backup is of another model.", where=str(path), received=received, fix=fix)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self._seen, position = about["seen"], self.model.position
        position.goto(about["epoch"], about["batch"], about["seed"])
        if about["stop"] and not about["batch"]:  # a callback had ended it
            self.model.stop_training, position.epoch = True, self.params["epochs"]
        for callback in position.callbacks:  # each takes the first state of its kind
            found = next((pair for pair in states if pair[0] == type(callback).__name__), None)
            if found is not None and hasattr(callback, "set_state"):
                states.remove(found)
                callback.set_state(found[1])


class _Arrays:
    """The arrays of a file; in what is written as JSON, each is its number."""

    def __init__(self, values: Any = ()):
        self.values, self.dtypes, self.kept = list(values), [], {}

    def pack(self, x: Any) -> Any:
        """`x` with its arrays taken out."""
        if isinstance(x, dict):
            return {key: self.pack(value) for key, value in x.items()}
        if isinstance(x, (list, tuple)):
            return [self.pack(value) for value in x]
        if not isinstance(x, np.ndarray):
            return x.item() if isinstance(x, np.generic) else x
        self.dtypes.append(x.dtype.name)
        name = str(len(self.kept))
        self.kept[name] = x.view(f"u{x.dtype.itemsize}") if x.dtype.kind == "V" else x  # bfloat16, which NumPy's files lack
        return {"array": name}

    def unpack(self, x: Any) -> Any:
        """`x` with its arrays put back."""
        if isinstance(x, dict):
            return self.values[int(x["array"])] if x.keys() == {"array"} else {key: self.unpack(value) for key, value in x.items()}
        return [self.unpack(value) for value in x] if isinstance(x, list) else x


def _typed(value: np.ndarray, dtype: str) -> np.ndarray:
    if value.dtype.name == dtype:
        return value
    import ml_dtypes

    return value.view(getattr(ml_dtypes, dtype))

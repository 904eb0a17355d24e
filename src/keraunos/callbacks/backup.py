"""A callback that lets training go on where it was cut off."""

from __future__ import annotations

import contextlib
import json
import pathlib
import zipfile
from typing import Any

import numpy as np

from keraunos.callbacks.callback import Callback
from keraunos.core.errors import ArgumentError, KeraunosError, StateError

_FORMAT = 1


class BackupAndRestore(Callback):
    """Keep the state of a run on disk, and go on from there when `fit` is called again after a crash.

    The state is all of it: weights, the optimizer, metrics, seeds, the order of the samples, and the place within the epoch. A run of
    arrays that was cut off and goes on ends as if it had never been. Of a stream of batches, those that were used are read again and
    passed over. A backup takes the place of the last one at once: a crash while it is written loses nothing.

    Args:
        backup_dir: A folder for this run alone.
        save_freq: "epoch", a number of batches, or False to save nothing.
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

    def __init__(self, backup_dir: Any, save_freq: Any = "epoch", double_checkpoint: bool = False, delete_checkpoint: bool = True):
        if save_freq != "epoch" and save_freq is not False and (isinstance(save_freq, bool) or not isinstance(save_freq, int) or save_freq < 1):
            fact = "save_freq is 'epoch', a positive number of batches, or False."
            raise ArgumentError(fact, where="BackupAndRestore", received=f"save_freq={save_freq!r}")
        if not str(backup_dir):
            raise ArgumentError("BackupAndRestore needs a folder.", where="backup_dir", fix="backup_dir='backup'")
        self.folder = pathlib.Path(backup_dir).expanduser()
        self.save_freq, self.double_checkpoint, self.delete_checkpoint = save_freq, double_checkpoint, delete_checkpoint
        self.by_batch = save_freq not in ("epoch", False)
        self.path, self.previous = self.folder / "backup.npz", self.folder / "previous.npz"
        self._epoch = self._seen = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._seen, broken = 0, None
        for path in [path for path in (self.path, self.previous) if path.exists()]:
            try:
                return self._restore(path)
            except KeraunosError:
                raise
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                broken = broken or error
        if broken is not None:
            fix = "delete the folder to begin anew; double_checkpoint=True keeps a second backup"
            raise StateError("The backup cannot be read.", where=str(self.path), received=str(broken)[:200], fix=fix)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seen += 1
        if isinstance(self.save_freq, int) and self.save_freq is not False and self._seen % self.save_freq == 0:
            self._save(self._epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def on_train_end(self, logs: Any = None) -> None:
        if self.delete_checkpoint and self.model.position.ended:
            for path in (self.path, self.previous):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # what others have put there stays
                self.folder.rmdir()

    # ---- the file ----
    def _save(self, epoch: int, batch: int) -> None:
        from keraunos.saving.files import replacing

        variables = self.model.run_variables
        values = [v.numpy() for v in variables]
        about = {"format": _FORMAT, "epoch": epoch, "batch": batch, "seed": self.model.position.seed, "paths": [v.path for v in variables]}
        about["dtypes"] = [v.dtype.name for v in values]
        arrays = {str(i): v.view(f"u{v.dtype.itemsize}") if v.dtype.kind == "V" else v for i, v in enumerate(values)}  # bfloat16, which NumPy's files lack
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and self.path.exists():
            self.path.replace(self.previous)
        with replacing(self.path, overwrite=True) as stream:
            np.savez(stream, about=np.frombuffer(json.dumps(about).encode(), "uint8"), **arrays)

    def _restore(self, path: pathlib.Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes())
            values = [file[str(i)] for i in range(len(about["paths"]))]
        variables = self.model.run_variables
        found = [(p, v.shape) for p, v in zip(about["paths"], values, strict=True)]
        wrong = next((f"{path} {shape}" for (path, shape), v in zip(found, variables, strict=False) if shape != v.shape), None)
        if wrong or len(values) != len(variables):
            received = wrong or f"{len(values)} variables, of which the model has {len(variables)}"
            fix = "give each run a folder of its own, or delete this one to begin anew"
            raise StateError("The backup is of another model.", where=str(path), received=received, fix=fix)
        for variable, value, dtype in zip(variables, values, about["dtypes"], strict=True):
            if value.dtype.name != dtype:
                import ml_dtypes

                value = value.view(getattr(ml_dtypes, dtype))
            variable.assign(value)
        self.model.position.goto(about["epoch"], about["batch"], about["seed"])

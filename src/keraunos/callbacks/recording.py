"""Callbacks that tell others what the logs say: files, servers, the terminal."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np

from keraunos.callbacks.callback import Callback
from keraunos.core.errors import ArgumentError
from keraunos.core.frames import warn


class CSVLogger(Callback):
    """Write the logs of each epoch as a row of a CSV file; a row is on the disk when its epoch is over.

    Args:
        filename: The file.
        separator: What stands between the columns, one character.
        append: Whether rows are added to a file that exists.

    Raises:
        ArgumentError: The separator is not one character; the columns of the file to append to are others.

    Example:

    >>> import keraunos as keras
    >>> log = CSVLogger("training.csv")
    """

    def __init__(self, filename: Any, separator: str = ",", append: bool = False):
        if not isinstance(separator, str) or len(separator) != 1:
            raise ArgumentError("The separator is one character.", where="CSVLogger", received=f"separator={separator!r}", fix="separator=','")
        self.filename, self.sep, self.append = pathlib.Path(filename), separator, append
        self.keys: list[str] | None = None

    def get_state(self) -> dict[str, Any]:
        """The columns, and how long the file is."""
        return {"keys": self.keys, "size": self.filename.stat().st_size if self.keys else 0}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on with what `get_state` gave: rows that were written later will be written again."""
        if state["keys"] and self.filename.exists():
            self.keys = state["keys"]
            os.truncate(self.filename, state["size"])

    def on_train_begin(self, logs: Any = None) -> None:
        self.keys = None
        self.filename.parent.mkdir(parents=True, exist_ok=True)
        if self.append and self.filename.exists() and self.filename.stat().st_size:
            with open(self.filename, newline="", encoding="utf-8") as file:
                self.keys = next(csv.reader(file, delimiter=self.sep))[1:]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs, new = logs or {}, self.keys is None
        self.keys = sorted(logs) if self.keys is None else self.keys
        if unknown := [name for name in logs if name not in self.keys]:
            fact = f"The file has no column for '{unknown[0]}'."
            raise ArgumentError(fact, where=str(self.filename), received=", ".join(self.keys), fix="write to a new file, or validate from the first epoch on")
        with open(self.filename, "w" if new else "a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.sep, lineterminator="\n")
            if new:
                writer.writerow(["epoch", *self.keys])
            writer.writerow([epoch, *(logs.get(key, "NA") for key in self.keys)])


class RemoteMonitor(Callback):
    """Send the logs of each epoch to a server, by HTTP POST; a server that does not answer is warned of, once, and does not stop training.

    Args:
        root: The server's URL.
        path: The path below it.
        field: The field of the form that holds the logs as JSON.
        headers: Further HTTP headers.
        send_as_json: Whether the logs are sent as JSON by themselves, not in a form.

    Raises:
        ArgumentError: `root` is no URL of an HTTP server.

    Example:

    >>> import keraunos as keras
    >>> monitor = keras.callbacks.RemoteMonitor("http://localhost:9000", send_as_json=True)
    >>> monitor.root + monitor.path  # model.fit(…, callbacks=[monitor]) sends {"epoch": 0, "loss": …} there
    'http://localhost:9000/publish/epoch/end/'
    """

    def __init__(self, root: str = "http://localhost:9000", path: str = "/publish/epoch/end/", field: str = "data", headers: Any = None,
                 send_as_json: bool = False):  # fmt: skip
        if not root.startswith(("http://", "https://")):
            raise ArgumentError("The root is the URL of an HTTP server.", where="RemoteMonitor", received=f"root={root!r}", fix="root='http://localhost:9000'")
        self.root, self.path, self.field, self.headers, self.send_as_json = root, path, field, dict(headers or {}), send_as_json
        self._warned = False

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        text = json.dumps({"epoch": epoch, **(logs or {})}, default=lambda value: np.asarray(value).tolist())
        kind = "application/json" if self.send_as_json else "application/x-www-form-urlencoded"
        body = text if self.send_as_json else urllib.parse.urlencode({self.field: text})
        request = urllib.request.Request(self.root + self.path, body.encode(), {"Content-Type": kind, **self.headers})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:  # the URL is the user's, and is checked
                answer.read()
        except (urllib.error.URLError, OSError) as error:
            if not self._warned:
                warn(f"RemoteMonitor could not reach {self.root}: {error}.")
            self._warned = True


class ProgbarLogger(Callback):
    """The progress that `fit`, `evaluate` and `predict` show by themselves where `verbose` is not 0; to pass it changes nothing.

    Example:

    >>> import keraunos as keras
    >>> callbacks = [keras.callbacks.ProgbarLogger()]  # for programs of Keras that pass one to fit
    """


class OwnProgress(ProgbarLogger):
    """The same for a loop of one's own, as `CallbackList(add_progbar=True)` adds it; of the run's settings it takes `epochs`, `steps` and `verbose`."""

    _bar: Any = None
    _epoch: int | None = None  # which is under way
    _done = 0

    def _begin(self, title: str) -> None:
        from keraunos.training.progress import Progress

        if title or self._bar is None:
            self._bar = Progress(self.params.get("verbose", "auto"), 1 if title else self.params.get("epochs") or 1, title)
        self._bar.begin(self._epoch or 0, self.params.get("steps"))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        self._begin("")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._done = batch + 1
        if self._bar.due():
            self._bar.draw(self._done, logs or {})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._bar.end(self._done, logs or {})
        self._epoch = None

    def on_test_begin(self, logs: Any = None) -> None:
        if self._epoch is None:
            self._begin("Evaluate")

    def on_predict_begin(self, logs: Any = None) -> None:
        self._begin("Predict")

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._epoch is None:  # the epoch's bar stays while the model is validated
            self.on_train_batch_end(batch, logs)

    def on_test_end(self, logs: Any = None) -> None:
        if self._epoch is None:
            self._bar.end(self._done, logs or {})

    on_predict_batch_end, on_predict_end = on_test_batch_end, on_test_end

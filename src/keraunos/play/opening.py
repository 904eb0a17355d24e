"""The playground is opened: a port is found, the server started, the browser shown the page.

The server is a process of its own, also where a script or a notebook opens it on its own model: their work (a cell that trains,
a debugger) must not stop the page, and an interrupt of theirs must not end it. It ends with them: it reads a pipe that closes when they are gone.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import json
import logging
import math
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
import webbrowser
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from keraunos.core.errors import ArgumentTypeError, KeraunosError
from keraunos.play.folders import Folder

if TYPE_CHECKING:
    from keraunos.play.guard import Keys

__all__ = ["Playground", "playground", "serve"]

PORT = 8500  # that is tried first
TRIED = 50  # from it on


class PlaygroundError(KeraunosError, OSError):
    """The playground cannot be opened."""


def listen(port: int | None) -> socket.socket:
    """A socket that listens on this machine only: on `port`, on any free one for 0, and for None on the first free one from 8500 on."""
    ports = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    for number in ports:
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":  # where it would let two servers have one port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(("127.0.0.1", number))
            found.listen(128)
        except OSError as error:
            found.close()
            if port is not None:
                used = error.errno == errno.EADDRINUSE
                reason = "something else listens on it" if used else error.strerror
                raise PlaygroundError(f"Port {port} cannot be had: {reason}.", where="port", fix="leave --port out, for the next free one") from None
            continue
        return found
    raise PlaygroundError("No port is free.", where="port", fix="close programs that listen on many")


@contextlib.contextmanager
def folder_of_its_own() -> Iterator[pathlib.Path]:
    """A folder for what users send, removed at the end, also if that comes by SIGTERM, or as the terminal is closed."""

    def end(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    former = {signal.SIGTERM: signal.signal(signal.SIGTERM, end)}
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # not where nohup has it ignored
        former[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    folder = Folder()
    try:
        yield folder.path
    finally:
        folder.remove()
        for number, handler in former.items():
            signal.signal(number, handler)


def serve(port: int | None = None, browser: bool = True) -> None:
    """Serve the playground until it is interrupted: what the command does.

    Args:
        port: The port; None for the first free one from 8500 on, 0 for any.
        browser: Whether the page is opened in a browser.
    """
    from keraunos.play.guard import Keys

    listening = listen(port)  # what connects from now on waits until it is answered
    keys = Keys(listening.getsockname()[1])
    if port is None and keys.port != PORT:
        print(f"Port {PORT} is in use; this is port {keys.port}.")
    print(f"The playground is at {keys.address()}\nIt is for this machine only. Ctrl-C ends it.", flush=True)
    if browser:
        threading.Thread(target=webbrowser.open, args=(keys.address(keys.ticket()),), daemon=True).start()
    with listening, folder_of_its_own() as folder, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(listening, keys, folder, None, threading.Event()))


async def _serve(listening: socket.socket, keys: Keys, folder: pathlib.Path, opened: dict[str, Any] | None, over: threading.Event) -> None:
    import uvicorn

    from keraunos.play.server import Server

    server = Server(keys, folder, opened)
    settings = uvicorn.Config(
        server.app, http="h11", ws="none", loop="asyncio", lifespan="on", interface="asgi3", log_level="error", access_log=False, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=1, timeout_keep_alive=30, limit_concurrency=128, h11_max_incomplete_event_size=32 * 1024,
    )  # fmt: skip
    running = uvicorn.Server(settings)

    async def end() -> None:  # streams never end by themselves, and uvicorn waits for them before it says that it ends
        while not running.should_exit:
            await asyncio.sleep(0.05)
            running.should_exit |= over.is_set() and running.started  # uvicorn ends by halves what it has not begun
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # what is cut off now is no error
        await server.close()

    ending = asyncio.create_task(end())
    await running.serve(sockets=[listening])
    await ending


def _child() -> None:
    """Serve for another process, until it closes the pipe that this one reads."""
    from keraunos.play.guard import Keys

    asked = json.loads(sys.stdin.buffer.readline())
    try:
        listening = listen(asked["port"])
    except PlaygroundError as error:
        print(json.dumps({"fact": error.fact, "fix": error.fix}), flush=True)
        return
    keys = Keys(listening.getsockname()[1])
    print(json.dumps({"url": keys.address()}), flush=True)

    over = threading.Event()

    def listen_to_parent() -> None:
        for _ in sys.stdin.buffer:  # a line asks for an address to open
            print(json.dumps({"url": keys.address(keys.ticket())}), flush=True)
        over.set()

    threading.Thread(target=listen_to_parent, daemon=True).start()
    folder = pathlib.Path(asked["folder"])
    try:
        with listening, contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(listening, keys, folder, asked["opened"], over))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # the parent may have been killed


class Playground:
    """A playground that is open: its address, and how to close it. `keras.playground` gives one."""

    def __init__(self, document: dict[str, Any] | None, folder: Folder, port: int) -> None:
        asked = {"port": port, "folder": str(folder.path), "opened": document}
        self._folder = folder
        self._process = subprocess.Popen(  # in a session of its own: an interrupt is for us, and we close it
            [sys.executable, "-P", "-m", "keraunos.play.opening"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            self.url = self._asked(asked)
        except PlaygroundError:
            self._end()
            raise
        atexit.register(self.close)

    def __repr__(self) -> str:
        return f"<Playground at {self.url}>" if self.open else "<Playground, closed>"

    def _repr_html_(self) -> str:
        if not self.open:
            return "The playground is closed."
        return f'<a href="{self.url}" target="_blank" rel="noopener">Open the playground</a>, which runs on this machine until it is closed.'

    def __enter__(self) -> Playground:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    @property
    def open(self) -> bool:
        """Whether the server runs."""
        return self._process.poll() is None

    def show(self) -> None:
        """Open the page in the browser."""
        webbrowser.open(self._asked({}))

    def _asked(self, asked: dict[str, Any]) -> str:
        """The address that the process answers with."""
        assert self._process.stdin is not None and self._process.stdout is not None
        line = b""
        with contextlib.suppress(OSError, ValueError):  # it has ended, or is closed
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        told = json.loads(line) if line else {"fact": "The playground does not run.", "fix": "open it anew; what it printed says why it ended"}
        if "url" not in told:
            raise PlaygroundError(told["fact"], where="playground", fix=told["fix"])
        return told["url"]

    def wait(self) -> None:
        """Wait until it ends or is interrupted by Ctrl-C, which closes it."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End the server and its runs, and remove what was kept for them."""
        atexit.unregister(self.close)
        self._end()

    def _end(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.remove()


def interactive() -> bool:
    """Whether a person types at this process: in a notebook, IPython or Python's own prompt."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return hasattr(sys, "ps1") or bool(sys.flags.interactive) or getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)() is not None
    return True


def playground(model: Any = None, data: Any = None, *, port: int = 0, browser: bool = True, block: bool | None = None) -> Playground:
    """Open the playground, on a model and data of your own: build, train and look inside, in the browser.

    Nothing leaves this machine: the page is served by a process on it, to its own browser only. The process ends with this one.

    Args:
        model: A `Sequential` or functional model, with the weights that it has; None for the playground's first example.
        data: What it learns: `x`, or `(x, y)`, each an array or a frame of pandas, or a list or dictionary of arrays where the model has several
            inputs or outputs; None for a data set of the playground. A share of 0.3 is held out.
        port: The port; 0 for any that is free.
        browser: Whether to open the page; else the address is `url` of what is returned.
        block: Whether to wait here until Ctrl-C. By default in scripts, not in notebooks and prompts.

    Returns:
        The open playground, with `url`, `show()`, `wait()` and `close()`. In a notebook it is shown as a link.

    Raises:
        ArgumentTypeError: The model is not made of layers, or the data are no arrays.
        DataError: The data cannot be learnt from.
        OSError: The port is in use.

    Example:

    >>> import keraunos as keras
    >>> with keras.playground(browser=False, block=False) as opened:
    ...     opened.open, opened.url[:17]
    (True, 'http://127.0.0.1:')
    """
    folder = Folder()
    try:
        document, notes = _document(model, data, folder.path)
        opened = Playground(document, folder, port)
    except BaseException:
        folder.remove()
        raise
    if notes:
        warnings.warn(" ".join(notes), stacklevel=2)
    if browser:
        opened.show()
    if not interactive() if block is None else block:
        print(f"The playground is at {opened.url}\nIt is for this machine only. Ctrl-C ends it.", flush=True)
        opened.wait()
    return opened


# ---- a model and data of one's own ----
def _document(model: Any, data: Any, folder: pathlib.Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The document that the page opens with, and what of the model it does not show; arrays and weights are put where uploads are."""
    if model is None and data is None:
        return None, []
    from keraunos.play import reading
    from keraunos.play.uploads import Uploads

    uploads = Uploads(folder)
    spec = None if data is None else {"name": "upload", "upload": _kept(data, model, uploads, folder), "options": {}}
    if model is None:
        return _first(spec, uploads), []
    document, notes = reading.read(model, spec, uploads)
    return {**document}, [note["message"] for note in notes]


def _kept(data: Any, model: Any, uploads: Any, folder: pathlib.Path) -> str:
    """Data as an upload; returns its id. A frame is a table where no model says how wide its rows are."""
    import numpy as np

    x: Any
    y: Any
    x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    path = folder / "data.npz"
    if model is None and hasattr(x, "to_csv") and hasattr(y, "to_frame"):
        path = path.with_suffix(".csv")
        target = str(y.name or "target")
        x.drop(columns=target, errors="ignore").assign(**{target: y.to_numpy()}).to_csv(path, index=False)
    else:
        arrays = {name: array.astype("float32") for name, array in _named("x", x, getattr(model, "input_names", [])).items()}
        if y is None and len(arrays) > 1:
            raise ArgumentTypeError("Of several inputs, nothing says what is learnt.", where="data", received="x alone", fix="pass (x, y)")
        goals = {"y": arrays["x"]} if y is None else _named("y", y, getattr(model, "output_names", []), arrays)
        np.savez(path, **arrays, **{name: array if y is None else _labels(array) for name, array in goals.items()})
    try:
        return uploads.kept(path, f"yours{path.suffix}")
    finally:
        path.unlink()


def _named(letter: str, values: Any, names: list[str], taken: Iterable[str] = ()) -> dict[str, Any]:
    """Arrays by the names that they have in the file: "x", or of several "x_left" and "x_right".

    Args:
        letter: "x" or "y".
        values: An array, a list of arrays as the model takes or gives them, or a dictionary of arrays.
        names: The names that the model has for them.
        taken: The names in the file of those that are there.
    """
    from keraunos.play.reading import new_id

    if isinstance(values, (list, tuple)) and any(hasattr(value, "shape") and value.shape for value in values):
        known = names or [f"{'input' if letter == 'x' else 'output'}_{place}" for place in range(1, len(values) + 1)]
        if len(known) != len(values):
            fact = f"'{letter}' has {len(values)} arrays, and the model {len(known)}: {', '.join(map(repr, known))}."
            raise ArgumentTypeError(fact, where="data", fix="pass one array for each, in this order, or an array where there is one")
        values = dict(zip(known, values, strict=True))
    if not isinstance(values, dict):
        return {letter: _array(letter, values)}
    if len(values) == 1:
        return {letter: _array(letter, *values.values())}
    used, found = {name[2:] for name in taken}, {}
    for key in sorted(values, key=lambda key: names.index(key) if key in names else len(names)):
        name = new_id(re.sub(r"^(train|test)(?=_|$)", r"\1ing", str(key)), used)  # which would be a part of the data
        used.add(name)
        found[f"{letter}_{name}"] = _array(f"{letter}['{key}']", values[key])
    return found


def _array(name: str, values: Any) -> Any:
    import numpy as np

    fix = "pass x or (x, y), each an array whose first axis is that of the samples, or a dictionary of such by the names of the inputs or outputs"
    if values is None or isinstance(values, (dict, str)):
        raise ArgumentTypeError(f"The playground takes arrays as '{name}'.", where="data", received=type(values).__name__, fix=fix)
    if not hasattr(values, "shape") and not isinstance(values, (list, tuple)) and (hasattr(values, "__iter__") or hasattr(values, "__getitem__")):
        fix = "gather the samples of the batches: x, y = (numpy.concatenate(part) for part in zip(*data)), of endless ones some, and pass (x, y)"
        raise ArgumentTypeError("The playground takes whole arrays, and no batches as they come.", where="data", received=type(values).__name__, fix=fix)
    array = np.asarray(values)
    if array.ndim < 1 or (array.dtype.kind not in "biuf" and name.startswith("x")):
        raise ArgumentTypeError(f"'{name}' must be an array of numbers.", where="data", received=f"{array.dtype}, of shape {array.shape}", fix=fix)
    return array


def _labels(y: Any) -> Any:
    """Labels as the numbers of their classes, also where they are texts, or vectors with a single 1; other numbers as they are."""
    import numpy as np

    if y.dtype.kind not in "biuf":
        return np.unique(y.astype(str), return_inverse=True)[1]
    one_hot = y.ndim == 2 and y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
    return y.argmax(axis=1) if one_hot else y


def _first(spec: Any, uploads: Any) -> dict[str, Any]:
    """A small network to begin with, for data without a model."""
    from keraunos.play import data, document

    found = data.signature(spec, uploads)
    (name, given), (target, goal) = next(iter(found["inputs"].items())), next(iter(found["targets"].items()))
    classes = goal["kind"] == "classes"
    last = {"units": len(goal["classes"]), "activation": "softmax"} if classes else {"units": math.prod(goal["shape"])}
    chain = [("flatten", "Flatten", {})] if len(given["shape"]) > 1 else []
    chain += [("dense", "Dense", {"units": 16, "activation": "relu"}), (target, "Dense", last)]
    layers: list[dict[str, Any]] = [{"id": name, "type": "Input"}]
    for id, kind, options in chain:
        layers.append({"id": id, "type": kind, "options": options, "inputs": [layers[-1]["id"]]})
    loss, metrics = ("sparse_categorical_crossentropy", ["accuracy"]) if classes else ("mean_squared_error", [])
    made = {"version": document.VERSION, "name": "yours", "data": spec, "layers": layers, "outputs": {target: {"loss": loss, "metrics": metrics}}}
    return {**document.validated(made)}


if __name__ == "__main__":
    _child()

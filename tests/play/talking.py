"""A server of the playground as a process, and a client that sends just the bytes that it is told to."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

SPIRAL: dict[str, Any] = {
    "version": 1,
    "name": "spiral",
    "data": {"name": "spiral", "options": {"samples": 200}},
    "layers": [
        {"id": "features", "type": "Input", "options": {}, "inputs": []},
        {"id": "dense_1", "type": "Dense", "options": {"units": 8, "activation": "tanh"}, "inputs": ["features"]},
        {"id": "label", "type": "Dense", "options": {"units": 2, "activation": "softmax"}, "inputs": ["dense_1"]},
    ],
    "outputs": {"label": {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}},
    "training": {"epochs": 3, "engine": "jax"},
}


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A server that runs, and requests to it.

    Args:
        process: The server.
        url: The address that it printed.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.process, self.url = process, url
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)", url)
        assert found is not None, url
        self.port, self.token = int(found[1]), found[2]
        self.host = f"127.0.0.1:{self.port}"
        self.cookie = ""

    def enter(self) -> None:
        """Exchange the token for the cookie, as a browser does."""
        answer = self.ask("GET", f"/?token={self.token}")
        assert (answer.status, answer.headers["location"]) == (303, "/")
        self.cookie = answer.headers["set-cookie"].split(";")[0]

    def connect(self, seconds: float = 20.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def request(self, method: str, target: str, body: bytes | None = None, headers: dict[str, str | None] | None = None) -> bytes:
        """The bytes of a request as our page makes it, but for `headers`; one that is None is left out."""
        usual: dict[str, str | None] = {"Host": self.host, "Connection": "close", "Cookie": self.cookie or None, "Sec-Fetch-Site": "same-origin"}
        if body is not None:
            usual |= {"Origin": f"http://{self.host}", "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{name}: {value}" for name, value in {**usual, **(headers or {})}.items() if value is not None]
        return "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode("latin-1") + (body or b"")

    def send(self, sent: bytes, seconds: float = 20.0) -> Answer:
        """Send bytes as they are; what comes back until the other side closes."""
        with self.connect(seconds) as connection:
            with contextlib.suppress(OSError):  # it may answer, and close, before all is sent
                connection.sendall(sent)
            return read(connection)

    def ask(self, method: str, target: str, value: Any = None, headers: dict[str, str | None] | None = None, body: bytes | None = None) -> Answer:
        """A request as our page makes it, with `value` as JSON, or `body` as it is."""
        return self.send(self.request(method, target, json.dumps(value).encode() if value is not None else body, headers), 60.0)

    def end(self, number: int = signal.SIGINT) -> None:
        """Send a signal, and wait until the process has ended."""
        self.process.send_signal(number)
        self.process.wait(60)


def read(connection: socket.socket) -> Answer:
    """An answer, to the end of its body, or of what was sent of it."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 16):
            received += part
    return parsed(received)


def parsed(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(first.split()[1]) if first else 0, headers, body)


@contextlib.contextmanager
def served(*options: str, port: int = 0, errors: IO[str] | None = None) -> Iterator[Served]:
    """A server of the playground, ended at the end."""
    command = [sys.executable, "-m", "keraunos", "playground", "--no-browser", "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield Served(process, found[0])
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Stream:
    """The events of a server, as a page hears them."""

    def __init__(self, server: Served, seconds: float = 60) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds)
        self.connection.request("GET", "/api/events", headers={"Cookie": server.cookie, "Sec-Fetch-Site": "same-origin"})
        self.answer = self.connection.getresponse()
        assert self.answer.getheader("content-type") == "text/event-stream; charset=utf-8"

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: Any) -> None:
        self.connection.close()

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        name = ""
        while line := self.answer.readline():
            kind, _, text = line.decode().rstrip("\n").partition(": ")
            if kind == "event":
                name = text
            elif kind == "data":
                yield name, json.loads(text)

    def until(self, state: str, id: str) -> dict[str, Any]:
        """The run `id` when it is in that state."""
        for name, value in self:
            if name == "run" and value["id"] == id and value["state"] == state:
                return value
        raise AssertionError("the stream ended")


def trained(server: Served, document: dict[str, Any]) -> dict[str, Any]:
    with Stream(server) as events:
        begun = server.ask("POST", "/api/runs", {"document": document})
        assert begun.status == 200, begun.body
        return events.until("done", begun.json["id"])

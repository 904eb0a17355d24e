"""Requests that must not get through, sent as bytes to a real server: each is refused, nothing is evaluated, and the server goes on."""

from __future__ import annotations

import asyncio
import copy
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from keraunos.play.guard import HEADERS, TICKET_SECONDS, Guard, Keys, RequestError, read_json
from keraunos.play.server import STREAMS

from .talking import SPIRAL, Served, read, served

CANARY = "keraunos-canary"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        running.enter()
        yield running


@pytest.fixture
def still_well(server: Served, tmp_path: pathlib.Path) -> Iterator[None]:
    """After each test: the server answers, and nothing that it was sent was run."""
    yield
    assert server.process.poll() is None
    answer = server.ask("POST", "/api/check", {"document": SPIRAL})
    assert (answer.status, answer.json["report"]["ok"]) == (200, True)
    for folder in (pathlib.Path.cwd(), pathlib.Path("/tmp"), pathlib.Path.home()):
        assert not (folder / CANARY).exists()


def spiral(**changes: Any) -> dict[str, Any]:
    return {"document": {**copy.deepcopy(SPIRAL), **changes}}


def with_layer(**changes: Any) -> dict[str, Any]:
    """The spiral with its middle layer changed."""
    value = spiral()
    value["document"]["layers"][1].update(changes)
    return value


CODE = f"__import__('pathlib').Path({CANARY!r}).touch()"


# Each row: a name, the statuses that are right, and a request: method, target, body, headers that differ from those that our page sends.
Row = tuple[str, tuple[int, ...], str, str, Any, dict[str, str | None]]
BAD_HEADERS: list[Row] = [
    ("another host", (403,), "GET", "/api/start", None, {"Host": "evil.example"}),
    ("a host that leads here (DNS rebinding)", (403,), "GET", "/", None, {"Host": "evil.example:PORT"}),
    ("a host with another port", (403,), "GET", "/", None, {"Host": "127.0.0.1:1"}),
    ("a host with something in front", (403,), "GET", "/", None, {"Host": "evil@127.0.0.1:PORT"}),
    ("a host that begins like ours", (403,), "GET", "/", None, {"Host": "127.0.0.1:PORT.evil.example"}),
    ("all hosts of the machine", (403,), "GET", "/", None, {"Host": "0.0.0.0:PORT"}),
    ("no host", (400,), "GET", "/", None, {"Host": None}),
    ("an empty host", (403,), "GET", "/", None, {"Host": ""}),
    ("another origin", (403,), "POST", "/api/check", spiral(), {"Origin": "http://evil.example"}),
    ("another port's origin", (403,), "POST", "/api/check", spiral(), {"Origin": "http://127.0.0.1:1"}),
    ("the origin by https", (403,), "POST", "/api/check", spiral(), {"Origin": "https://127.0.0.1:PORT"}),
    ("the other name of our host as origin", (403,), "POST", "/api/check", spiral(), {"Origin": "http://localhost:PORT"}),
    ("an origin that begins like ours", (403,), "POST", "/api/check", spiral(), {"Origin": "http://127.0.0.1:PORT.evil.example"}),
    ("the origin null", (403,), "POST", "/api/check", spiral(), {"Origin": "null"}),
    ("no origin", (403,), "POST", "/api/check", spiral(), {"Origin": None}),
    ("the origin null of a reader", (403,), "GET", "/api/start", None, {"Origin": "null"}),
    ("another site", (403,), "POST", "/api/check", spiral(), {"Sec-Fetch-Site": "cross-site"}),
    ("another port, which browsers call the same site", (403,), "POST", "/api/check", spiral(), {"Sec-Fetch-Site": "same-site"}),
    ("a form that a person sent", (403,), "POST", "/api/check", spiral(), {"Sec-Fetch-Site": "none"}),
    ("another site that reads", (403,), "GET", "/api/start", None, {"Sec-Fetch-Site": "cross-site"}),
    ("another site's script", (403,), "GET", "/static/app.js", None, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "script"}),
    ("another site's frame", (403,), "GET", "/", None, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
    ("no cookie", (401,), "GET", "/api/start", None, {"Cookie": None}),
    ("no cookie, to write", (401,), "POST", "/api/runs", spiral(), {"Cookie": None}),
    ("no cookie, to listen", (401,), "GET", "/api/events", None, {"Cookie": None}),
    ("another port's cookie", (401,), "GET", "/api/start", None, {"Cookie": "keraunos-1=VALUE"}),
    ("a wrong cookie", (401,), "GET", "/api/start", None, {"Cookie": "keraunos-PORT=VALUEX"}),
    ("an empty cookie", (401,), "GET", "/api/start", None, {"Cookie": "keraunos-PORT="}),
    ("a cookie that is none", (401,), "GET", "/api/start", None, {"Cookie": "\xff\xfe=;;;"}),
    ("the token as a cookie", (401,), "GET", "/api/start", None, {"Cookie": "keraunos-PORT=TOKEN"}),
    ("the token in the query of the interface", (401,), "GET", "/api/start?token=TOKEN", None, {"Cookie": None}),
    ("the token in a header", (401,), "GET", "/api/start", None, {"Cookie": None, "Authorization": "Bearer TOKEN"}),
    ("a wrong token", (401,), "GET", "/?token=TOKENX", None, {}),
    ("an empty token", (401,), "GET", "/?token=", None, {"Cookie": None}),
    ("a token among many fields", (401,), "GET", "/?token=TOKEN" + "&a" * 100, None, {}),
    ("two tokens", (401,), "GET", "/?token=x&token=TOKEN", None, {}),
    ("a form's type", (415,), "POST", "/api/check", spiral(), {"Content-Type": "application/x-www-form-urlencoded"}),
    ("text, which needs no leave of browsers", (415,), "POST", "/api/check", spiral(), {"Content-Type": "text/plain"}),
    ("a form with files", (415,), "POST", "/api/uploads?name=a.csv", {}, {"Content-Type": "multipart/form-data; boundary=x"}),
    ("JSON as an upload", (415,), "POST", "/api/uploads?name=a.csv", {}, {}),
    ("an upload as JSON", (415,), "POST", "/api/check", spiral(), {"Content-Type": "application/octet-stream"}),
    ("no type", (415,), "POST", "/api/check", spiral(), {"Content-Type": None}),
    ("another charset", (415,), "POST", "/api/check", spiral(), {"Content-Type": "application/json; charset=utf-7"}),
    ("a packed body", (415,), "POST", "/api/check", spiral(), {"Content-Encoding": "gzip"}),
]
BAD_REQUESTS: list[Row] = [
    ("PUT", (405,), "PUT", "/api/check", spiral(), {}),
    ("DELETE", (405,), "DELETE", "/api/runs/x", None, {}),
    ("TRACE", (405,), "TRACE", "/", None, {}),
    ("OPTIONS, by which other sites ask for leave", (405,), "OPTIONS", "/api/check", None, {"Access-Control-Request-Method": "POST"}),
    ("CONNECT", (400, 405), "CONNECT", "evil.example:443", None, {}),
    ("reading what is written", (405,), "GET", "/api/check", None, {}),
    ("writing what is read", (405,), "POST", "/api/start", {}, {}),
    ("the whole address", (400,), "GET", "http://evil.example/", None, {}),
    ("our whole address", (400,), "GET", "http://127.0.0.1:PORT/api/start", None, {}),
    (
        "a WebSocket",
        (400,),
        "GET",
        "/api/events",
        None,
        {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13"},
    ),
    ("another path", (404,), "GET", "/api/none", None, {}),
    ("out of the folder", (404,), "GET", "/static/../server.py", None, {}),
    ("out of the folder, in code", (404,), "GET", "/static/%2e%2e/server.py", None, {}),
    ("out of the folder, in more code", (404,), "GET", "/static/..%2f..%2f..%2f..%2fetc/passwd", None, {}),
    ("out of the folder, with a backslash", (404,), "GET", "/static/..%5cserver.py", None, {}),
    ("a file by its whole path", (404,), "GET", "/static//etc/passwd", None, {}),
    ("the end of a text in a path", (404,), "GET", "/static/index.html%00.js", None, {}),
    ("line ends in a path", (404,), "GET", "/static/x%0d%0aSet-Cookie:%20a=b", None, {}),
    ("line ends in a token", (401,), "GET", "/?token=x%0d%0aSet-Cookie:%20a=b", None, {}),
    ("a body where there is none", (400,), "GET", "/api/start", None, {"Content-Length": "10000000000"}),
    ("a body of 10 GB", (413,), "POST", "/api/check", {}, {"Content-Length": "10000000000"}),
    ("an upload of 10 GB", (413,), "POST", "/api/uploads?name=a.csv", {}, {"Content-Type": "application/octet-stream", "Content-Length": "10000000000"}),
    ("two lengths", (400,), "POST", "/api/check", {}, {"Content-Length": "2\r\nContent-Length: 3"}),
    ("a length, and pieces", (400,), "POST", "/api/check", {}, {"Transfer-Encoding": "chunked"}),
    ("a length below zero", (400,), "POST", "/api/check", {}, {"Content-Length": "-1"}),
    ("headers of a megabyte", (400,), "GET", "/", None, {"X": "a" * 2**20}),
    ("another site's run", (404,), "POST", "/api/runs/none/command", {"do": "stop"}, {}),
    ("a run's name that is a path", (404,), "GET", "/api/runs/..%2f..%2fx/model.keras", None, {}),
    ("a file as what the network learnt before", (422,), "POST", "/api/program", {**spiral(weights="/etc/passwd"), "form": "zip"}, {}),
    ("a file as data", (404, 422), "POST", "/api/program", {**spiral(data={"name": "upload", "upload": "../server.py"}), "form": "zip"}, {}),
    ("a run's file of another kind", (404,), "GET", "/api/runs/none/model.py", None, {}),
]
DEEP = b'{"document": ' + b"[" * 60_000 + b"]" * 60_000 + b"}"
BAD_BODIES: list[Row] = [
    ("no JSON", (400,), "POST", "/api/check", b"document=1", {}),
    ("nothing", (400,), "POST", "/api/check", b"", {}),
    ("JSON that is nested deeply", (400,), "POST", "/api/check", DEEP, {}),
    ("NaN", (400,), "POST", "/api/check", b'{"document": NaN}', {}),
    ("Infinity", (400,), "POST", "/api/check", b'{"document": -Infinity}', {}),
    ("a number of 100,000 digits", (400,), "POST", "/api/check", b'{"document": ' + b"9" * 100_000 + b"}", {}),
    ("a key twice", (400,), "POST", "/api/check", b'{"document": 1, "document": 2}', {}),
    ("a key twice, within", (400,), "POST", "/api/check", b'{"document": {"version": 1, "version": 1}}', {}),
    ("half a character", (400,), "POST", "/api/check", b'{"document": "\\ud800"}', {}),
    ("bytes that are no text", (400,), "POST", "/api/check", b'{"document": "\xff"}', {}),
    ("JSON of another Unicode", (400,), "POST", "/api/check", '{"document": 1}'.encode("utf-16"), {}),
    ("a body that is too large", (413,), "POST", "/api/check", b" " * 300_000, {}),
    ("a list", (422,), "POST", "/api/check", [], {}),
    ("other keys", (422,), "POST", "/api/check", {"document": {}, "__proto__": {}}, {}),
    ("a layer that is not on the list", (422,), "POST", "/api/runs", with_layer(type="os.system"), {}),
    ("Lambda", (422,), "POST", "/api/runs", with_layer(type="Lambda", options={"function": CODE}), {}),
    ("a layer of a module", (422,), "POST", "/api/runs", with_layer(type="TorchModuleWrapper", options={}), {}),
    ("script in a layer's name", (422,), "POST", "/api/runs", with_layer(id="<script>alert(1)</script>"), {}),
    ("code in a layer's name", (422,), "POST", "/api/runs", with_layer(id=f"a'); {CODE}#"), {}),
    ("code in an activation", (422,), "POST", "/api/runs", with_layer(options={"units": 8, "activation": CODE}), {}),
    ("code as a number", (422,), "POST", "/api/runs", with_layer(options={"units": CODE}), {}),
    ("code as an option's name", (422,), "POST", "/api/runs", with_layer(options={"units": 8, f"{CODE}, x": 1}), {}),
    ("code in the network's name", (422,), "POST", "/api/runs", spiral(name=f'"""\n{CODE}\n"""'), {}),
    ("code as a loss", (422,), "POST", "/api/runs", spiral(outputs={"label": {"loss": CODE, "metrics": []}}), {}),
    ("code as a target", (422,), "POST", "/api/runs", spiral(outputs={f"'{CODE}'": {"loss": "mse", "metrics": []}}), {}),
    ("code as an engine", (422,), "POST", "/api/runs", spiral(training={"engine": CODE}), {}),
    ("code as data", (422,), "POST", "/api/runs", spiral(data={"name": CODE}), {}),
    ("code in the data's options", (422,), "POST", "/api/runs", spiral(data={"name": "spiral", "options": {"noise": CODE}}), {}),
    ("an upload that is a path", (422,), "POST", "/api/runs", spiral(data={"name": "upload", "upload": "../../etc/passwd"}), {}),
    ("weights that are a path", (422,), "POST", "/api/runs", spiral(weights="/etc/passwd"), {}),
    ("weights from elsewhere", (422,), "POST", "/api/runs", spiral(weights="http://evil.example/x.keras"), {}),
    ("10⁹ units", (422,), "POST", "/api/runs", with_layer(options={"units": 10**9}), {}),
    ("10⁹ epochs", (422,), "POST", "/api/runs", spiral(training={"epochs": 10**9}), {}),
    ("10⁹ samples", (422,), "POST", "/api/runs", spiral(data={"name": "spiral", "options": {"samples": 10**9}}), {}),
    ("a thousand layers", (422,), "POST", "/api/runs", spiral(layers=SPIRAL["layers"] * 334), {}),
    ("layers in a circle", (422,), "POST", "/api/runs", with_layer(inputs=["label"]), {}),
    ("another version", (422,), "POST", "/api/runs", spiral(version=10**6), {}),
    ("step that is code", (422,), "POST", "/api/runs", {**spiral(), "step": CODE}, {}),
    ("a program of another form", (422,), "POST", "/api/program", {**spiral(), "form": "../../x"}, {}),
    ("data to look at that are a path", (422,), "POST", "/api/preview", {"data": {"name": "/etc/passwd", "options": {}}}, {}),
    ("data that are no object", (422,), "POST", "/api/preview", {"data": []}, {}),
    ("data without a name", (422,), "POST", "/api/preview", {"data": {"name": ["spiral"], "options": {}}}, {}),
    ("data with options that are none", (422,), "POST", "/api/preview", {"data": {"name": "spiral", "options": {"samples": {"a": 1}}}}, {}),
    ("saving to a path", (422,), "POST", "/api/runs/none/command", {"do": "save", "format": "keras", "path": "/tmp/x"}, {}),
]


def name_of(row: Row) -> str:
    return row[0]


@pytest.mark.parametrize("row", [*BAD_HEADERS, *BAD_REQUESTS, *BAD_BODIES], ids=name_of)
def test_is_refused(server: Served, still_well: None, row: Row) -> None:
    _, statuses, method, target, body, headers = row

    def filled(text: str) -> str:
        return text.replace("PORT", str(server.port)).replace("TOKEN", server.token).replace("VALUE", server.cookie.partition("=")[2])

    content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = server.request(method, filled(target), content, {name: value and filled(value) for name, value in headers.items()})
    answer = server.send(request)
    assert answer.status in statuses, answer
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers
    if answer.headers["content-type"] != "text/plain; charset=utf-8":  # which is that no HTTP was spoken
        assert {name.decode(): value.decode() for name, value in HEADERS}.items() <= answer.headers.items()
        assert CODE not in answer.body.decode() or answer.headers["content-type"] == "application/json"
    assert server.token.encode() not in answer.body


@pytest.mark.parametrize("target", ["/api/check", "/api/uploads?name=a.csv"])
def test_a_body_in_pieces_without_end_is_cut_off(server: Served, still_well: None, target: str) -> None:
    kind = "application/json" if target == "/api/check" else "application/octet-stream"
    head = server.request("POST", target, b"", {"Content-Length": None, "Transfer-Encoding": "chunked", "Content-Type": kind})
    piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with server.connect() as connection:
        connection.sendall(head)
        sent = 0
        with pytest.raises(OSError):
            while sent < 4e8:
                connection.sendall(piece)
                sent += len(piece)
    assert sent < 2e8


def test_a_body_that_comes_slowly_is_not_waited_for(server: Served, still_well: None) -> None:
    with server.connect(60) as connection:
        connection.sendall(server.request("POST", "/api/check", b"", {"Content-Length": "100"}) + b'{"doc')
        assert read(connection).status == 408


def test_a_client_that_leaves_in_the_middle_is_forgotten(server: Served, still_well: None) -> None:
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(server.request("POST", "/api/check", b"", {"Content-Length": "100"}) + b'{"doc')


def test_many_connections_leave_the_server_up(server: Served, still_well: None) -> None:
    connections = [server.connect() for _ in range(200)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    for connection in connections:
        connection.close()
    deadline = time.monotonic() + 30
    while server.ask("GET", "/api/start").status == 503:  # until it has seen that they are closed
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_streams_are_counted(server: Served, still_well: None) -> None:
    opened = [server.connect() for _ in range(STREAMS)]
    for connection in opened:
        connection.sendall(server.request("GET", "/api/events"))
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
    assert server.ask("GET", "/api/events").status == 429
    for connection in opened:
        connection.close()
    deadline = time.monotonic() + 5
    while True:  # the places are free again
        with server.connect() as connection:
            connection.sendall(server.request("GET", "/api/events"))
            if connection.recv(1 << 16).startswith(b"HTTP/1.1 200"):
                break
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_who_leaves_in_the_middle_is_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    async def walk() -> list[Any]:
        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await Request(scope, receive).body()

        sent: list[Any] = []
        keys = Keys(8500)
        headers = {"host": "127.0.0.1:8500", "origin": "http://127.0.0.1:8500", "cookie": f"{keys.name}={keys.cookie}", "content-type": "application/json"}
        given = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {"type": "http", "method": "POST", "path": "/api/check", "raw_path": b"/api/check", "query_string": b"", "headers": given}
        await Guard(app, keys, 1000)(scope, receive, send)
        return sent

    assert asyncio.run(walk()) == []
    assert capsys.readouterr() == ("", "")


# ---- who is let in


def test_the_address_is_good_while_the_server_lives(server: Served) -> None:
    """For a second tab the cookie is enough, and the printed address opens the page again."""
    for _ in range(2):
        answer = server.ask("GET", f"/?token={server.token}", headers={"Cookie": None, "Sec-Fetch-Site": "none"})
        assert (answer.status, answer.headers["location"], answer.headers["cache-control"]) == (303, "/", "no-store")
        cookie, *rest = answer.headers["set-cookie"].split("; ")
        assert cookie.startswith(f"keraunos-{server.port}=") and set(rest) == {"HttpOnly", "SameSite=Strict", "Path=/"}
        assert server.ask("GET", "/api/start", headers={"Cookie": f"other=1; {cookie}"}).status == 200


@pytest.mark.parametrize("site", ["none", "same-origin", "cross-site"])
def test_a_link_from_anywhere_opens_the_page(server: Served, site: str) -> None:
    """A link that holds a network may stand in a letter; the page itself has nothing of the user's, and asks with the cookie."""
    arrival = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Cookie": None}
    answer = server.ask("GET", "/", headers=arrival)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert server.token.encode() not in answer.body


def test_localhost_is_our_host(server: Served) -> None:
    own = f"localhost:{server.port}"
    assert server.ask("POST", "/api/check", {"document": SPIRAL}, {"Host": own, "Origin": f"http://{own}"}).status == 200


def test_a_ticket_is_good_once() -> None:
    keys = Keys(8500)
    ticket = keys.ticket()
    assert keys.admits(ticket) and not keys.admits(ticket)
    assert keys.admits(keys.token) and keys.admits(keys.token)
    assert not keys.admits("") and not keys.admits("ß") and not keys.admits(keys.cookie)


def test_an_old_ticket_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(8500)
    ticket, now = keys.ticket(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + TICKET_SECONDS + 1)
    assert not keys.admits(ticket)


def test_secrets_are_new_at_each_start() -> None:
    made = [Keys(8500) for _ in range(3)]
    assert len({secret for keys in made for secret in (keys.token, keys.cookie)}) == 6
    assert all(len(secret) >= 43 for keys in made for secret in (keys.token, keys.cookie))  # 256 bits


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    keys = Keys(8500)
    monkeypatch.setattr("keraunos.play.guard.hmac.compare_digest", lambda a, b: bool(compared.append(a)))
    assert not keys.admits(keys.token) and not keys.knows([f"keraunos-8500={keys.cookie}"])
    assert compared == [keys.token.encode(), keys.cookie.encode()]


@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.recursive(st.none() | st.booleans() | st.integers() | st.floats(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_a_body_is_an_object_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read_json(body), dict)
    except RequestError as error:
        assert error.status in (400, 422)

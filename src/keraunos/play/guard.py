"""Who may speak to the playground's server, and how: what stands before every request.

Training a model is running code, so a page of another site, another server on this machine or another user of it must not reach
the server through this user's browser. `Guard` is pure ASGI: it lets a request through, or answers it by itself, and puts
the same headers on every answer. `read_json` reads a body as strictly.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

from starlette.requests import ClientDisconnect

from keraunos.core.errors import KeraunosError

__all__ = ["FAILED", "Guard", "Keys", "RequestError", "problem", "read_json"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

JSON_BYTES = 256 * 1024  # of a body that is JSON
IDLE_SECONDS = 5.0  # that a client may take for the next part of a body
JSON_SECONDS = 15.0  # and for the whole of one that is JSON
TICKET_SECONDS = 60.0  # for which the address given to the browser is good
TYPE_OF_UPLOADS = "application/octet-stream"
UPLOADS = ("/api/uploads", "/api/open")  # what takes bodies of that type
TOKEN = re.compile(rb"token=([\w-]{1,64})")  # the query that brings one
OPEN_TO_ALL = ("/", "/static/")  # the page itself: files of the package, with nothing of the user's

HEADERS = [
    (b"content-security-policy", b"default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Keys:
    """The secrets of one start of the server: the token in the address, what a cookie holds in its place, and tickets.

    The address that is printed has the token and is good while the server lives. The one given to a browser, which others on the machine
    can read among its arguments, has a ticket, which is good once and for a minute.

    Args:
        port: The port that the server listens on; it stands in the cookie's name, as cookies do not tell ports apart.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.token, self.cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.name = f"keraunos-{port}"
        self._tickets: dict[str, float] = {}

    def address(self, token: str | None = None) -> str:
        """The address of the page, with `token`: the lasting one by default."""
        return f"http://127.0.0.1:{self.port}/?token={token or self.token}"

    def ticket(self) -> str:
        """A token that is good once."""
        made = secrets.token_urlsafe(32)
        self._tickets[made] = time.monotonic() + TICKET_SECONDS
        return made

    def admits(self, token: str) -> bool:
        """Whether `token` is the token, or a ticket, which is then used up."""
        given = token.encode("utf-8", "replace")
        found = [made for made in list(self._tickets) if hmac.compare_digest(made.encode(), given)]
        used = any(time.monotonic() < self._tickets.pop(made) for made in found)
        return hmac.compare_digest(self.token.encode(), given) or used

    def knows(self, cookies: Iterable[str]) -> bool:
        """Whether one of the Cookie headers has our cookie."""
        for header in cookies:
            try:
                held = SimpleCookie(header).get(self.name)
            except CookieError:
                continue
            if held is not None and hmac.compare_digest(self.cookie.encode(), held.value.encode("utf-8", "replace")):
                return True
        return False

    def set_cookie(self) -> bytes:
        """The header that gives a browser the cookie: not for scripts, and for requests of our own page only."""
        return f"{self.name}={self.cookie}; Path=/; HttpOnly; SameSite=Strict".encode()


def problem(message: str, fix: str | None = None, code: str | None = None, layer: str | None = None, field: str | None = None) -> dict[str, Any]:
    """What an answer says of a request that was refused, or that failed."""
    return {"error": {"message": message, "fix": fix, "code": code, "layer": layer, "field": field}}


FAILED = problem("The server failed at this.", "see what it printed in its terminal")


class RequestError(KeraunosError, ValueError):
    """A request that is refused.

    Args:
        fact: What is wrong.
        status: The HTTP status that says so.
        where: The part of the request.
        fix: What to do.
    """

    def __init__(self, fact: str, status: int, *, where: str, fix: str | None = None):
        self.status = status
        super().__init__(fact, where=where, fix=fix)


class Guard:
    """The application behind the checks of every request.

    Args:
        app: What answers the requests that are let through.
        keys: The secrets of this start.
        upload_bytes: The most bytes that an upload may have.
    """

    def __init__(self, app: App, keys: Keys, upload_bytes: int) -> None:
        self.app, self.keys, self.upload_bytes = app, keys, upload_bytes
        self.hosts = frozenset(f"{name}:{keys.port}" for name in ("127.0.0.1", "localhost"))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on; streams other than HTTP's are refused."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                extra = [] if b"cache-control" in names else [(b"cache-control", b"no-store")]
                if message["status"] >= 400:
                    extra.append((b"connection", b"close"))  # what is left of a body is not waited for
                message = {**message, "headers": [*given, *HEADERS, *extra]}
            await send(message)

        try:
            if (token := self._checked(scope)) is not None:
                await self._enter(token, scope, answer)
            else:
                await self.app(scope, self._bounded(scope, receive), answer)
        except RequestError as error:
            await _say(answer, error.status, problem(error.fact, error.fix))
        except ClientDisconnect:
            pass  # nobody waits for an answer
        except Exception:
            traceback.print_exc()
            if not started:
                await _say(answer, 500, FAILED)

    def _checked(self, scope: MutableMapping[str, Any]) -> str | None:
        """Raise `RequestError` unless the request may pass; returns the token where it brings one to be exchanged."""
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        method, path, raw = scope["method"], scope["path"], scope.get("raw_path") or b""
        if method not in ("GET", "HEAD", "POST"):
            raise RequestError("The method must be GET, HEAD or POST.", 405, where="the request")
        if not raw.startswith(b"/") or "upgrade" in headers:
            raise RequestError("The request must be for a path, by HTTP.", 400, where="the request")
        bodies = headers.get("content-length", []) + headers.get("transfer-encoding", [])
        if len(bodies) > 1 or (method != "POST" and bodies not in ([], ["0"])):
            raise RequestError("The request must say how long its body is in one way, and have one only where it is a POST.", 400, where="the request")
        host = headers.get("host", [])
        if len(host) != 1 or host[0].lower() not in self.hosts:
            raise RequestError("The request must be for this host.", 403, where="the header Host", fix=f"open {self.keys.address('…')}")
        origins, sites = headers.get("origin", []), headers.get("sec-fetch-site", [])
        own = [f"http://{host[0].lower()}"]
        page = path == "/" and method != "POST"
        arrival = page and headers.get("sec-fetch-mode", ["navigate"]) == ["navigate"] and headers.get("sec-fetch-dest", ["document"]) == ["document"]
        if (origins and origins != own) or (method == "POST" and not origins):
            raise RequestError("The request must come from this page's own origin.", 403, where="the header Origin")
        if sites and sites != ["same-origin"] and not arrival and (method == "POST" or sites != ["none"]):
            raise RequestError("The request must come from this page, not from another site.", 403, where="the header Sec-Fetch-Site")
        if page and b"token=" in scope.get("query_string", b""):
            given = TOKEN.fullmatch(scope["query_string"])
            return given[1].decode() if given else ""
        if not (path == OPEN_TO_ALL[0] or path.startswith(OPEN_TO_ALL[1])) and not self.keys.knows(headers.get("cookie", [])):
            fact = "This page is not connected to the server that runs now."
            raise RequestError(fact, 401, where="the cookie", fix="open the address that `keraunos playground` printed")
        if method == "POST":
            self._check_body(path, headers)
        return None

    def _check_body(self, path: str, headers: dict[str, list[str]]) -> None:
        wanted = TYPE_OF_UPLOADS if path in UPLOADS else "application/json"
        kind = [part.strip().lower() for part in headers.get("content-type", [""])[0].split(";")]
        if len(headers.get("content-type", [])) != 1 or kind[0] != wanted or kind[1:] not in ([], ["charset=utf-8"]):
            raise RequestError(f"The body must be of the type {wanted}.", 415, where="the header Content-Type")
        if "content-encoding" in headers:
            raise RequestError("The body must be sent as it is, without an encoding.", 415, where="the header Content-Encoding")
        if (declared := headers.get("content-length", ["0"])[0]).isdecimal() and int(declared) > self._most(path):
            raise _too_large(self._most(path))

    def _most(self, path: str) -> int:
        return self.upload_bytes if path in UPLOADS else JSON_BYTES

    def _bounded(self, scope: MutableMapping[str, Any], receive: Receive) -> Receive:
        """`receive`, which ends a body that grows too large or comes too slowly."""
        if scope["method"] != "POST":
            return receive
        path, loop = scope["path"], asyncio.get_running_loop()
        most, last = self._most(path), float("inf") if path in UPLOADS else loop.time() + JSON_SECONDS
        count, done = 0, False

        async def bounded() -> Message:
            nonlocal count, done
            if done:
                return await receive()  # which waits for the client's leaving
            try:
                message = await asyncio.wait_for(receive(), min(IDLE_SECONDS, max(last - loop.time(), 0.0)))
            except TimeoutError:
                raise RequestError(f"The body came too slowly: each part of it must come within {IDLE_SECONDS:g} seconds.", 408, where="the body") from None
            count += len(message.get("body", b""))
            done = not message.get("more_body", False)
            if count > most:
                raise _too_large(most)
            return message

        return bounded

    async def _enter(self, token: str, scope: MutableMapping[str, Any], send: Send) -> None:
        """Exchange the token for the cookie, and lead to the page's own address."""
        if not self.keys.admits(token):
            text = "This address is not of the server that runs now. Open the address that <code>keraunos playground</code> printed last."
            return await _send(send, 401, b"text/html; charset=utf-8", f"<!doctype html><title>Keraunos</title><p>{text}</p>".encode())
        await _send(send, 303, b"text/plain; charset=utf-8", b"", [(b"location", b"/"), (b"set-cookie", self.keys.set_cookie())])


def _too_large(most: int) -> RequestError:
    size = f"{most / 1e6:.0f} MB" if most >= 1e6 else f"{most // 1024} KiB"
    return RequestError(
        f"The body is larger than {size}, which is the most that is taken.", 413, where="the body", fix="send less: fewer rows or pictures, or a smaller model"
    )


async def _say(send: Send, status: int, value: dict[str, Any]) -> None:
    await _send(send, status, b"application/json", json.dumps(value).encode())


async def _send(send: Send, status: int, kind: bytes, body: bytes, extra: Iterable[tuple[bytes, bytes]] = ()) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def read_json(body: bytes, keys: Iterable[str] | None = None, optional: Iterable[str] = ()) -> dict[str, Any]:
    """The object in a body: JSON as its standard has it, with just the keys that are asked for.

    Args:
        body: The bytes.
        keys: The keys that must be there; None if all are taken.
        optional: Those that may.

    Raises:
        RequestError: 400, if it is not JSON, has a key twice, a number that is none, or is nested too deeply; 422 for other keys.

    Example:

    >>> read_json(b'{"data": {"name": "spiral"}}', ["data"])
    {'data': {'name': 'spiral'}}
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_number, object_pairs_hook=_once)
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair could not be written again
    except RequestError:
        raise
    except RecursionError:
        raise RequestError("The body must be JSON: it is nested too deeply.", 400, where="the body") from None
    except ValueError as error:
        raise RequestError(f"The body must be JSON: {str(error)[:200]}.", 400, where="the body") from None
    known = [*(keys or ()), *optional]
    if not isinstance(value, dict) or (keys is not None and not set(keys) <= value.keys() <= set(known)):
        raise RequestError(f"The body must be an object with {', '.join(map(repr, known)) or 'no keys'}.", 422, where="the body")
    return value


def _no_number(text: str) -> None:
    raise RequestError(f"The body must be JSON, which has no {text}.", 400, where="the body")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(value := dict(pairs)) < len(pairs):
        raise RequestError("The body must be JSON in which no key stands twice in an object.", 400, where="the body")
    return value

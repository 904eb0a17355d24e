"""The playground's server: the page, what may be chosen, checks of networks, runs and their events, over HTTP on this machine only."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import hashlib
import itertools
import json
import math
import mimetypes
import pathlib
import re
import secrets
import tempfile
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from keraunos.core.errors import KeraunosError
from keraunos.play.aside import aside
from keraunos.play.guard import FAILED, Guard, Keys, RequestError, problem, read_json
from keraunos.play.limits import LIMITS

if TYPE_CHECKING:
    from keraunos.play.uploads import Upload

__all__ = ["Server"]

STATIC = pathlib.Path(__file__).parent / "static"
STREAMS = 16  # of events, at once: one for each tab
PING_SECONDS = 15.0  # without an event, before a line that says that the stream is alive
READY_SECONDS = 0.5  # after a page has come, until a process for its first run is started
YEAR = 365 * 24 * 60 * 60
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml", ".json": "application/json"}


class Server:
    """What answers the page, for one start of the playground.

    Args:
        keys: The secrets of this start.
        folder: Where uploads are kept.
        opened: The document that the page opens with; else it begins with the first preset.
    """

    def __init__(self, keys: Keys, folder: pathlib.Path, opened: dict[str, Any] | None = None) -> None:
        self.id, self.folder, self.opened = secrets.token_hex(8), folder, opened
        self._closed: asyncio.Task[None] | None = None
        self._spare: asyncio.Task[None] | None = None
        self._streams, self._checking = 0, asyncio.Lock()
        routes = [
            Route("/", self.page),
            Route("/static/{name:path}", self.static),
            Route("/api/start", self.start),
            Route("/api/events", self.events),
            Route("/api/check", self.check, methods=["POST"]),
            Route("/api/preview", self.preview, methods=["POST"]),
            Route("/api/program", self.program, methods=["POST"]),
            Route("/api/uploads", self.upload, methods=["POST"]),
            Route("/api/uploads/{id}", self.described),
            Route("/api/open", self.open, methods=["POST"]),
            Route("/api/runs", self.begin, methods=["POST"]),
            Route("/api/runs/{id}/command", self.command, methods=["POST"]),
            Route("/api/runs/{id}/remove", self.remove, methods=["POST"]),
            Route("/api/runs/{id}/history", self.history),
            Route("/api/runs/{id}/model.{format}", self.model),
        ]
        handlers: dict[Any, Callable[..., Any]] = {HTTPException: _refused, KeraunosError: _wrong, Exception: _failed}
        app = Starlette(routes=routes, exception_handlers=handlers, lifespan=self._life)
        self.app = Guard(app, keys, LIMITS["upload"])

    @contextlib.asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        from keraunos.play.runs import Runs
        from keraunos.play.uploads import Uploads

        self.uploads = Uploads(self.folder)
        self.runs = Runs(self.uploads, server=self.id)
        self._start = asyncio.get_running_loop().run_in_executor(None, _start)  # ahead of the page that asks for it
        yield
        await self.close()

    async def close(self) -> None:
        """End the runs, and with them the streams; once, whoever asks first."""
        if self._spare is not None:
            self._spare.cancel()
        self._closed = self._closed or asyncio.create_task(self.runs.close())
        await asyncio.shield(self._closed)

    # the page

    async def page(self, request: Request) -> Response:
        """The page; its files have the version of all in their addresses, so that a browser that has them need not ask again."""
        version = hashlib.sha256("".join(_read(path, path.stat().st_mtime_ns).tag for path in _paths().values()).encode()).hexdigest()[:16]
        text = _paths()["index.html"].read_text(encoding="utf-8").replace('="static/', f'="static/{version}/')
        return Response(text, media_type="text/html", headers={"cache-control": "no-cache"})

    async def static(self, request: Request) -> Response:
        return _file(request, request.path_params["name"])

    async def start(self, request: Request) -> Response:
        fixed = await asyncio.shield(self._start)
        own = {"runs": self.runs.runs(), "server": self.id, "opened": self.opened}
        body = fixed[:-1] + b"," + _text(own).encode()[1:]
        headers = {"vary": "accept-encoding"}
        if _packs(request):
            body, headers["content-encoding"] = gzip.compress(body, 1), "gzip"
        return Response(body, media_type="application/json", headers=headers)

    # networks

    async def check(self, request: Request) -> Response:
        """Whether a network can be built, and its program."""
        value = read_json(await request.body(), ["document"])
        async with self._checking:
            return _json(await aside(self._check, value["document"]))

    def _check(self, value: Any) -> dict[str, Any]:
        from keraunos.play import checking, code, data, document

        valid = document.validated(value)
        signature = data.signature(valid["data"], self.uploads)
        report = checking.check(valid, signature)
        return {"report": report, "code": code.program(valid, self.uploads, home=True) if report["ok"] else None, "signature": signature}

    async def preview(self, request: Request) -> Response:
        from keraunos.play import data, document

        value = read_json(await request.body(), ["data"])
        valid = document.validated({"version": document.VERSION, "data": value["data"], "layers": []})["data"]
        async with self._checking:
            return _json(await aside(data.preview, valid, self.uploads))

    async def program(self, request: Request) -> Response:
        from keraunos.play import code, document

        value = read_json(await request.body(), ["document", "form"])
        valid, form = document.validated(value["document"]), value["form"]
        if form not in ("py", "ipynb", "zip"):
            raise RequestError("The form of a program is 'py', 'ipynb', or 'zip' for both with the files that they read.", 422, where="form")
        py = "" if form == "ipynb" else await aside(code.program, valid, self.uploads, home=True)
        ipynb = "" if form == "py" else json.dumps(await aside(code.notebook, valid, self.uploads, home=True), indent=1)
        headers = _attachment(f"{valid['name']}.{form}")
        if form != "zip":
            return Response(py or ipynb, media_type="text/x-python" if py else "application/x-ipynb+json", headers=headers)
        read = [self.uploads.get(id) for id in (valid["data"].get("upload"), valid.get("weights")) if id is not None]
        path = self.folder / f"{secrets.token_hex(6)}.zip"
        await aside(_pack, path, {"program.py": py, "program.ipynb": ipynb}, read)
        return FileResponse(path, media_type="application/zip", headers=headers, background=BackgroundTask(path.unlink, missing_ok=True))

    # files

    async def upload(self, request: Request) -> Response:
        """Take a file, or one more file of a folder; the first of several says that it is not the last, the last one gets the description of all."""
        asked = request.query_params
        if not asked.keys() <= {"name", "into", "last"} or not (name := asked.get("name", "")):
            raise RequestError("An upload takes 'name', and 'into' and 'last' for the files of a folder.", 422, where="the query")
        id = asked.get("into") or self.uploads.begin(name)
        try:
            await aside(self.uploads.write, id, name, _chunks(request))
        except BaseException:
            if "into" not in asked:  # nobody knows its id
                self.uploads.remove(id)
            raise
        whole = asked.get("last", "0" if "into" in asked else "1") == "1"
        return _json({"id": id, "description": await aside(self.uploads.finish, id) if whole else None})

    async def described(self, request: Request) -> Response:
        """What an upload holds, for a page that was not there when it came."""
        return _json(self.uploads.get(request.path_params["id"]).description)

    async def open(self, request: Request) -> Response:
        """The document of a file: of a model, of a model's text, or a document that was kept."""
        from keraunos.play import reading

        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            path = pathlib.Path(folder, "model.keras")
            await aside(_write, path, _chunks(request))
            found, notes = await aside(reading.opened, path, self.uploads)
        return _json({"document": found, "notes": notes})

    # runs

    async def begin(self, request: Request) -> Response:
        from keraunos.play import document
        from keraunos.play.runs import UNITS

        value = read_json(await request.body(), ["document"], ["step"])
        if (step := value.get("step")) not in (None, *UNITS):
            raise RequestError(f"'step', after which a run pauses, is one of {', '.join(UNITS)}.", 422, where="step")
        valid = document.validated(value["document"])
        async with self._checking:
            await aside(self._require, valid)
        return _json(await self.runs.start(valid, step))

    def _require(self, valid: Any) -> None:
        """Refuse what cannot be trained, or is too large, before a process is begun for it."""
        from keraunos.play import checking, data

        checking.require(valid, data.signature(valid["data"], self.uploads))

    async def command(self, request: Request) -> Response:
        value = read_json(await request.body(), ["do"], ["unit", "value", "sample", "layer", "views", "number", "epochs", "format"])
        if value["do"] == "save":
            raise RequestError("Saving takes no command: a model is fetched from /api/runs/ID/model.keras or model.onnx.", 422, where="do")
        return _json(await self.runs.command(request.path_params["id"], value))

    async def remove(self, request: Request) -> Response:
        read_json(await request.body(), [])
        await self.runs.remove(request.path_params["id"])
        return _json({})

    async def history(self, request: Request) -> Response:
        return _json(self.runs.run(request.path_params["id"]))

    async def model(self, request: Request) -> Response:
        """The run's model, as a file to take home."""
        from keraunos.play.runs import FORMATS

        kind = request.path_params["format"]
        if kind not in FORMATS:
            raise RequestError(f"A model is either {' or '.join(f'.{name}' for name in FORMATS)}.", 404, where="the path")
        saved = await self.runs.command(request.path_params["id"], {"do": "save", "format": kind})
        once = BackgroundTask(pathlib.Path(saved["path"]).unlink, missing_ok=True)
        return FileResponse(saved["path"], media_type="application/octet-stream", headers=_attachment(saved["name"]), background=once)

    async def events(self, request: Request) -> Response:
        """What happens, as it happens; first all that is so."""
        if self._streams >= STREAMS:
            raise RequestError(f"{STREAMS} pages are connected, which is the most.", 429, where="the events", fix="close one")
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        self._streams += 1
        self._spare = self._spare or asyncio.create_task(self._get_ready())
        try:
            yield "retry: 1000\n\n"
            async with contextlib.aclosing(_alive(self.runs.subscribe())) as events:
                async for name, value in events:
                    yield f"event: {name}\ndata: {_text(value)}\n\n" if name else ": alive\n\n"
        finally:
            self._streams -= 1

    async def _get_ready(self) -> None:
        """Have a process for the first run, when the page has been painted."""
        from keraunos.play import presets

        await asyncio.sleep(READY_SECONDS)
        first = self.opened or presets.presets()[0]["document"]
        await self.runs.open(first["training"]["engine"])


async def _alive(events: AsyncIterator[tuple[str, Any]]) -> AsyncGenerator[tuple[str, Any], None]:
    """`events`, and where none comes for a while an empty one, by which a client that has left is noticed."""
    waiting: asyncio.Future[tuple[str, Any]] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait([waiting], timeout=PING_SECONDS)
            if not done:
                yield "", None
                continue
            try:
                event = waiting.result()
            except StopAsyncIteration:
                return
            finally:
                waiting = None
            yield event
    finally:
        if waiting is not None:
            waiting.cancel()


def _chunks(request: Request) -> Iterator[bytes]:
    """The parts of a body, for a thread.

    Raises:
        ClientDisconnect: The client has left before all was there.
    """
    parts, loop = request.stream(), asyncio.get_running_loop()

    async def next_one() -> bytes | ClientDisconnect | None:
        try:
            return await anext(parts, None)
        except ClientDisconnect as left:  # which is for the thread to know: nobody else may be there to hear it
            return left

    def iterate() -> Iterator[bytes]:
        while (part := asyncio.run_coroutine_threadsafe(next_one(), loop).result()) is not None:
            if isinstance(part, ClientDisconnect):
                raise part
            yield part

    return iterate()


def _write(path: pathlib.Path, chunks: Iterable[bytes]) -> None:
    from keraunos.play.uploads import no_room

    with no_room(), path.open("wb") as file:
        file.writelines(chunks)


def _pack(path: pathlib.Path, texts: dict[str, str], uploads: Iterable[Upload]) -> None:
    """Write an archive of texts and the files of uploads; what could not be written is removed."""
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in texts.items():
                archive.writestr(name, text)
            for file, name in itertools.chain.from_iterable(upload.members() for upload in uploads):
                archive.write(file, name)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _start() -> bytes:
    """What the page begins with and does not change, as JSON."""
    from keraunos.play import catalog, data, presets

    return _text({"catalog": catalog.catalog(), "data": data.catalog(), "presets": presets.presets()}).encode()


def _text(value: Any) -> str:
    """A value as JSON that every browser reads: what is not finite, such as the loss of a run that went wrong, is null."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _json(value: Any, status: int = 200) -> Response:
    return Response(_text(value), status, media_type="application/json")


def _refused(request: Request, error: HTTPException) -> Response:
    return _json(problem(error.detail), error.status_code)


def _wrong(request: Request, error: KeraunosError) -> Response:
    told = problem(error.fact, error.fix, error.code, getattr(error, "layer", None), getattr(error, "field", None))
    return _json(told, getattr(error, "status", 422))


def _failed(request: Request, error: Exception) -> Response:
    return _json(FAILED, 500)


def _attachment(name: str) -> dict[str, str]:
    """The header by which a browser keeps an answer as a file of this name."""
    return {"content-disposition": f'attachment; filename="{re.sub(r"[^A-Za-z0-9_.-]+", "_", name)}"'}


# files of the page


class _File:
    """A file of the page as it is sent: whole, packed, and its tag."""

    def __init__(self, path: pathlib.Path) -> None:
        self.body = path.read_bytes()
        self.tag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        self.kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    @functools.cached_property
    def packed(self) -> bytes:
        return gzip.compress(self.body, 9, mtime=0)


@functools.cache
def _paths() -> dict[str, pathlib.Path]:
    """The files of the page, by their names in its folder."""
    return {path.relative_to(STATIC).as_posix(): path for path in sorted(STATIC.rglob("*")) if path.is_file()}


def _packs(request: Request) -> bool:
    """Whether a client takes packed answers."""
    return "gzip" in request.headers.get("accept-encoding", "")


@functools.lru_cache(256)
def _read(path: pathlib.Path, changed: int) -> _File:
    return _File(path)


def _file(request: Request, name: str) -> Response:
    """A file of the page: one of those that are in its folder, so that a name cannot lead out of it; where the name has a version, it is kept."""
    version = re.match(r"[0-9a-f]{16}/", name)
    path = _paths().get(name[version.end() :] if version else name)
    if path is None:
        raise RequestError("There is no such file.", 404, where="the path", fix="open the page itself")
    file = _read(path, path.stat().st_mtime_ns)
    headers = {"etag": file.tag, "cache-control": f"private, max-age={YEAR}, immutable" if version else "no-cache", "vary": "accept-encoding"}
    if file.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    packed = _packs(request)
    if packed:
        headers["content-encoding"] = "gzip"
    return Response(file.packed if packed else file.body, media_type=file.kind, headers=headers)

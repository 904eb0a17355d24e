"""The playground in a real browser: one server, one Chromium and one page for the walks of a process, each of which begins as a first visitor's.

Chromium is found in $CHROMIUM or on the PATH. Where there is none these tests are skipped, unless $KERAUNOS_BROWSER is "required".
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import BACKENDS

playwright = pytest.importorskip("playwright.sync_api")

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 390, "height": 844}}
SECONDS = 60  # that anything may take to appear
playwright.expect.set_options(timeout=SECONDS * 1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In two of the processes that share the tests, as long as each other: each has one server, one browser."""
    for item in items:
        if "browser" in item.path.parts[-2:]:
            item.add_marker(pytest.mark.xdist_group("browser" + "-training" * (item.path.stem in ("test_trained", "test_training"))))


def chromium() -> str:
    """The browser's program; the test is skipped without one."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        reason = f"there is no Chromium: none of {', '.join(NAMES)} is on the PATH, and $CHROMIUM names none"
        (pytest.fail if os.environ.get("KERAUNOS_BROWSER") == "required" else pytest.skip)(reason)
    return found


class Server:
    """A playground that is served; it must end when it is interrupted, and have nothing to complain of.

    Args:
        folder: Where it keeps compiled programs.
        port: The port, 0 for any.
    """

    def __init__(self, folder: pathlib.Path, port: int = 0) -> None:
        command = [sys.executable, "-m", "keraunos", "playground", "--no-browser", "--port", str(port)]
        environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        assert found is not None, self.process.communicate()[1]
        self.address = found[0]
        self.origin = self.address.split("?")[0]

    def workers(self) -> list[int]:
        """The processes that train, or wait for something to train."""
        found = []
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                if int(path.read_text().rpartition(")")[2].split()[1]) == self.process.pid:
                    found.append(int(path.parent.name))
        return found

    def end(self) -> None:
        workers = self.workers()
        self.process.send_signal(signal.SIGINT)
        try:
            complaints = self.process.communicate(timeout=60)[1]
        finally:
            self.process.kill()
        assert self.process.returncode == 0 and "Traceback" not in complaints, complaints
        assert not any(pathlib.Path(f"/proc/{worker}").exists() for worker in workers)


@pytest.fixture(scope="package")
def programs(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The folder of compiled programs."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="package")
def server(programs: pathlib.Path) -> Iterator[Server]:
    if "jax" not in BACKENDS:
        pytest.skip("jax, which the examples train on, is not tested")
    started = Server(programs)
    yield started
    started.end()


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """Chromium, without a window."""
    program = chromium()
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=OPTIONS)
        yield started
        started.close()


class Watch:
    """What goes wrong in a page: errors in its console, requests to elsewhere, answers that tell of failures."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.begin()

    def begin(self) -> None:
        """Nothing has gone wrong yet."""
        self.found = list[str]()
        self.expected = set[int]()  # statuses of answers, of which a browser's console tells by itself

    def follow(self, page: Any) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.found.append(f"error: {error.stack or error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.found.append(f"console: {message.text} ({message.location.get('url')})")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.origin, "blob:", "data:")):
            self.found.append(f"elsewhere: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.found.append(f"{response.status}: {response.url}")


@pytest.fixture(scope="package")
def visitors(browser: Any, server: Server) -> Iterator[Callable[[str], tuple[Any, Watch]]]:
    """A browser of each size, which is opened once, and what goes wrong in it."""
    made: dict[str, tuple[Any, Watch]] = {}

    def visitor(size: str) -> tuple[Any, Watch]:
        if size not in made:
            context, watch = browser.new_context(viewport=SIZES[size], accept_downloads=True), Watch(server.origin)
            context.set_default_timeout(SECONDS * 1000)
            context.on("page", watch.follow)
            made[size] = context, watch
        return made[size]

    yield visitor
    for context, _ in made.values():
        context.close()


@pytest.fixture(params=["wide"])
def visit(request: Any, visitors: Any) -> tuple[Any, Watch]:
    """A browser of a size in which nothing has gone wrong yet."""
    context, watch = visitors(request.param)
    watch.begin()
    return context, watch


@pytest.fixture
def watch(visit: Any) -> Watch:
    return visit[1]


@pytest.fixture
def context(visit: Any) -> Any:
    """The browser that pages are opened in."""
    return visit[0]


FORGET = """(network) => {
  localStorage.clear();
  sessionStorage.clear();
  if (network) localStorage.setItem("keraunos.network", JSON.stringify(network));
}"""
CLEAR = """async (but) => {
  const {runs} = await (await fetch("/api/start")).json();
  for (const {id} of runs) if (id !== but) await fetch(`/api/runs/${id}/remove`, {method: "POST", headers: {"content-type": "application/json"}, body: "{}"});
}"""


@pytest.fixture(scope="module")
def trained() -> tuple[Any, str | None]:
    """A network that was trained before, and its run: none where a module has no other."""
    return None, None


@pytest.fixture
def page(context: Any, server: Server, watch: Watch, trained: Any) -> Iterator[Any]:
    """The playground, opened by a first visitor, or by who has trained a network: nothing else is kept. The console must stay clean, and no request go elsewhere."""
    network, run = trained
    opened, *others = context.pages or [context.new_page()]
    for other in others:  # of a test that failed
        other.close()
    opened.unroute_all()
    opened.goto(f"{server.origin}static/icon.svg")  # where nothing is written any more
    opened.evaluate(FORGET, network)
    watch.begin()
    opened.goto(server.address)
    opened.get_by_role("tablist").wait_for()
    yield opened
    opened.evaluate(CLEAR, run)
    found = list(dict.fromkeys(watch.found))
    assert not found, "\n".join(found)

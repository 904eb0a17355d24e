"""What the playground's server answers to its page."""

from __future__ import annotations

import gzip
import io
import json
import pathlib
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from keraunos.play.guard import HEADERS
from keraunos.play.limits import LIMITS

from .networks import run_program
from .talking import SPIRAL, Answer, Served, Stream, served, trained

pytestmark = pytest.mark.xdist_group("play server")  # which one process starts
OCTETS: dict[str, str | None] = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        running.enter()
        yield running


@pytest.fixture(scope="module")
def told(server: Served) -> tuple[str, dict[str, list[Any]]]:
    """A run that has ended, and what was told of it."""
    with Stream(server) as events:
        run = server.ask("POST", "/api/runs", {"document": SPIRAL}).json
        seen: dict[str, list[Any]] = {}
        for name, value in events:
            seen.setdefault(name, []).append(value)
            if name == "run" and value["state"] == "done":
                break
    return run["id"], seen


def test_one_answer_paints_the_page(server: Served) -> None:
    value = server.ask("GET", "/api/start").json
    assert value.keys() == {"catalog", "data", "presets", "runs", "server", "opened"}
    assert {"Dense", "Conv2D", "LSTM"} <= {layer["type"] for layer in value["catalog"]["layers"]}
    assert value["catalog"]["limits"] == LIMITS
    assert {"spiral", "digits"} <= {data["name"] for data in value["data"]}
    assert value["presets"][0]["document"]["data"]["name"] == "spiral"
    assert value["opened"] is None


def test_every_preset_can_be_built(server: Served) -> None:
    for preset in server.ask("GET", "/api/start").json["presets"]:
        answer = server.ask("POST", "/api/check", {"document": preset["document"]})
        assert answer.status == 200, (preset["id"], answer.body)
        assert answer.json["report"]["ok"] and "def build_model()" in answer.json["code"], (preset["id"], answer.json["report"])


def test_a_network_that_cannot_be_built_is_reported_in_place(server: Served) -> None:
    document = json.loads(json.dumps(SPIRAL))
    document["layers"][1] = {"id": "dense_1", "type": "Conv2D", "options": {"filters": 4, "kernel_size": 3}, "inputs": ["features"]}
    answer = server.ask("POST", "/api/check", {"document": document})
    assert answer.status == 200
    assert not answer.json["report"]["ok"] and answer.json["code"] is None
    assert answer.json["report"]["problems"][0]["layer"] == "dense_1"


def test_what_is_wrong_names_the_layer_and_the_field(server: Served) -> None:
    document = json.loads(json.dumps(SPIRAL))
    document["layers"][1]["options"]["units"] = 10**9
    answer = server.ask("POST", "/api/check", {"document": document})
    assert answer.status == 422
    assert answer.json["error"].keys() == {"message", "fix", "code", "layer", "field"}
    assert (answer.json["error"]["layer"], answer.json["error"]["field"]) == ("dense_1", "units")


def test_programs_are_files(server: Served) -> None:
    text = server.ask("POST", "/api/program", {"document": SPIRAL, "form": "py"})
    assert text.headers["content-disposition"] == 'attachment; filename="spiral.py"'
    compile(text.body, "spiral.py", "exec")
    assert text.body.decode() == server.ask("POST", "/api/check", {"document": SPIRAL}).json["code"]
    notebook = server.ask("POST", "/api/program", {"document": SPIRAL, "form": "ipynb"})
    assert notebook.headers["content-disposition"] == 'attachment; filename="spiral.ipynb"'
    assert notebook.json["nbformat"] == 4


def test_a_file_s_name_cannot_leave_its_header(server: Served) -> None:
    answer = server.ask("POST", "/api/program", {"document": {**SPIRAL, "name": 'a"; filename="é/../b.exe'}, "form": "py"})
    assert re.fullmatch(r'attachment; filename="[A-Za-z0-9_.-]+\.py"', answer.headers["content-disposition"])


def test_a_run_is_told_from_its_beginning_to_its_end(server: Served, told: Any) -> None:
    id, seen = told
    assert seen["hello"][0]["server"] == server.ask("GET", "/api/start").json["server"]
    points = [point for progress in seen["progress"] for point in progress["points"]]
    assert points[-1]["epoch"] == 3 and {"loss", "val_loss"} <= points[-1]["logs"].keys()
    history = server.ask("GET", f"/api/runs/{id}/history").json
    assert history["state"] == "done" and history["history"]["logs"]["loss"][-1] == points[-1]["logs"]["loss"]
    assert id in [run["id"] for run in server.ask("GET", "/api/start").json["runs"]]


def test_a_run_is_told_what_to_do(server: Served) -> None:
    with Stream(server) as events:
        run = server.ask("POST", "/api/runs", {"document": {**SPIRAL, "training": {"epochs": 10_000}}, "step": "batch"}).json
        assert events.until("paused", run["id"])["step"] == 1
        path = f"/api/runs/{run['id']}"
        assert server.ask("POST", f"{path}/command", {"do": "step", "unit": "epoch"}).status == 200
        assert server.ask("POST", f"{path}/command", {"do": "play"}).status == 200
        events.until("training", run["id"])
        assert server.ask("POST", f"{path}/command", {"do": "stop"}).status == 200
        assert events.until("stopped", run["id"])["epoch"] < 10_000
    assert server.ask("POST", f"{path}/command", {"do": "dance"}).status == 422
    assert server.ask("POST", "/api/runs", {"document": SPIRAL, "step": "year"}).status == 422
    assert server.ask("POST", f"{path}/remove", {}).status == 200
    assert server.ask("POST", f"{path}/command", {"do": "play"}).status == 404
    assert server.ask("GET", f"{path}/history").status == 404


def test_the_model_is_a_file(server: Served, told: Any) -> None:
    id, _ = told
    answer = server.ask("GET", f"/api/runs/{id}/model.keras")
    assert answer.headers["content-disposition"] == 'attachment; filename="spiral.keras"'
    assert zipfile.ZipFile(io.BytesIO(answer.body)).testzip() is None
    deadline = time.monotonic() + 30
    while [*pathlib.Path(tempfile.gettempdir()).glob(f"keraunos-*/**/{id}-*")]:  # what was sent is not kept
        assert time.monotonic() < deadline
        time.sleep(0.05)
    again = server.ask("POST", "/api/open", body=answer.body, headers=OCTETS)
    assert again.status == 200, again.body
    assert [layer.get("type") for layer in again.json["document"]["layers"]] == ["Input", "Dense", "Dense"]


def test_a_page_that_does_not_read_holds_nobody_up(server: Served) -> None:
    with server.connect() as asleep:
        asleep.sendall(server.request("GET", "/api/events"))
        assert trained(server, {**SPIRAL, "training": {"epochs": 200}})["epoch"] == 200


def test_what_cannot_be_trained_begins_no_run(server: Served) -> None:
    before = [run["id"] for run in server.ask("GET", "/api/start").json["runs"]]
    for units, words in ((3, "the loss 'sparse_categorical_crossentropy' needs 2 numbers"), (None, "takes at most 20,000,000")):
        document = json.loads(json.dumps(SPIRAL))
        if units is None:
            wide = [{"id": f"wide_{n}", "type": "Dense", "options": {"units": 4096}, "inputs": [f"wide_{n - 1}" if n else "dense_1"]} for n in range(3)]
            document["layers"] = [*document["layers"][:2], *wide, {**document["layers"][2], "inputs": ["wide_2"]}]
        else:
            document["layers"][2]["options"]["units"] = units
        answer = server.ask("POST", "/api/runs", {"document": document})
        assert answer.status == 422 and words in answer.json["error"]["message"], answer.body
        assert answer.json["error"]["field"] == "units" and answer.json["error"]["layer"] in ("label", "wide_2")
    assert [run["id"] for run in server.ask("GET", "/api/start").json["runs"]] == before


def test_only_so_many_runs_are_under_way(server: Served) -> None:
    begun = [server.ask("POST", "/api/runs", {"document": {**SPIRAL, "training": {"epochs": 10_000}}}) for _ in range(LIMITS["runs"] + 1)]
    assert [answer.status for answer in begun] == [200] * LIMITS["runs"] + [429]
    for answer in begun[:-1]:
        server.ask("POST", f"/api/runs/{answer.json['id']}/remove", {})


def test_a_document_that_was_kept_opens(server: Served) -> None:
    answer = server.ask("POST", "/api/open", body=json.dumps(SPIRAL).encode(), headers=OCTETS)
    assert answer.json["document"]["layers"][1]["options"]["units"] == 8 and answer.json["notes"] == []


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04 and then nothing", b"\x89HDF\r\n\x1a\n", b"[]", b"{}", b"\x80\x04."], ids=repr)
def test_what_is_no_model_is_said(server: Served, body: bytes) -> None:
    answer = server.ask("POST", "/api/open", body=body, headers=OCTETS)
    assert answer.status in (400, 422) and len(answer.json["error"]["message"]) > 10


# ---- uploads


CSV = b"width,height,kind\n" + b"".join(b"%d,%d,%s\n" % (i, i * i % 7, b"cat" if i % 2 else b"dog") for i in range(60))


def sent(server: Served, query: str, body: bytes) -> Answer:
    return server.ask("POST", f"/api/uploads?{query}", body=body, headers=OCTETS)


def test_a_table_is_sent_and_trained_on(server: Served) -> None:
    answer = sent(server, "name=animals.csv", CSV)
    assert answer.status == 200, answer.body
    data = {"name": "upload", "upload": answer.json["id"], "options": {"target": "kind", "columns": ["width", "height"]}}
    assert server.ask("POST", "/api/preview", {"data": data}).status == 200
    document = {**SPIRAL, "data": data}
    checked = server.ask("POST", "/api/check", {"document": document}).json
    (target,) = checked["signature"]["targets"].values()
    assert sorted(target["classes"]) == ["cat", "dog"]


def test_a_program_is_taken_home_with_the_files_that_it_reads(server: Served, told: Any, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = sent(server, "name=my%20animals.csv", CSV).json["id"]
    data = {"name": "upload", "upload": table, "options": {"target": "kind", "columns": ["width", "height"]}}
    model = server.ask("GET", f"/api/runs/{told[0]}/model.keras").body
    weights = server.ask("POST", "/api/open", body=model, headers=OCTETS).json["document"]["weights"]
    answer = server.ask("POST", "/api/program", {"document": {**SPIRAL, "data": data, "weights": weights}, "form": "zip"})
    assert answer.headers["content-disposition"] == 'attachment; filename="spiral.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert sorted(archive.namelist()) == ["my_animals.csv", "program.ipynb", "program.py", "weights_before.keras"]
        assert archive.read("my_animals.csv") == CSV
        archive.extractall(tmp_path)
    assert "val_accuracy" in run_program(tmp_path / "program.py", capsys)
    assert not list(pathlib.Path(tempfile.gettempdir()).glob("keraunos-playground-*/*.zip"))  # what was sent is not kept


@pytest.mark.parametrize("change", [{"weights": "../../etc/passwd"}, {"weights": "u" + "0" * 12}, {"data": {"name": "upload", "upload": "u/../x"}}], ids=repr)
def test_only_uploads_are_taken_home(server: Served, change: dict[str, Any]) -> None:
    answer = server.ask("POST", "/api/program", {"document": {**SPIRAL, **change}, "form": "zip"})
    assert answer.status in (404, 422) and answer.json["error"]["message"]


def test_arrays_are_sent(server: Served) -> None:
    file = io.BytesIO()
    np.savez(file, x=np.zeros((20, 3), "float32"), y=np.arange(20) % 2)
    assert sent(server, "name=arrays.npz", file.getvalue()).status == 200


@pytest.mark.parametrize(
    "name", ["../../../etc/cron.d/x.csv", "%2e%2e%2fx.csv", "C:%5cwindows%5cx.csv", "x%00.csv", "%ff%fe.csv", "/dev/null.csv", "a" * 5000 + ".csv"]
)
def test_names_of_uploads_are_no_paths(server: Served, name: str) -> None:
    answer = sent(server, f"name={name}", CSV)
    assert answer.status in (200, 422)
    if answer.status == 200:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", answer.json["id"])


@pytest.mark.parametrize("query", ["", "name=", "name=a.csv&path=/etc/passwd", "into=../x&name=a.csv", "name=a.csv&into=none"])
def test_uploads_are_asked_for_rightly(server: Served, query: str) -> None:
    assert sent(server, query, CSV).status in (404, 422)


@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 100, b"a,b\n", b"a,b\n1,2\n1\n"], ids=["nothing", "junk", "only a header", "ragged"])
def test_what_is_no_table_is_said(server: Served, body: bytes) -> None:
    answer = sent(server, "name=x.csv", body)
    assert answer.status == 422 and answer.json["error"]["fix"]


# ---- the page's files


def test_files_have_tags_and_are_packed(server: Served) -> None:
    plain = server.ask("GET", "/static/app.js")
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    packed = server.ask("GET", "/static/app.js", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(packed.body) == plain.body and packed.headers["vary"] == "accept-encoding"
    again = server.ask("GET", "/static/app.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert server.ask("HEAD", "/static/app.js").body == b""


def test_what_a_browser_has_of_the_page_it_need_not_ask_for_again(server: Served) -> None:
    names = re.findall(r'(?:src|href)="static/([^"]+)"', server.ask("GET", "/").body.decode())
    assert len({name.split("/")[0] for name in names}) == 1
    for name in names:
        assert "immutable" in server.ask("GET", f"/static/{name}").headers["cache-control"]
        plain = server.ask("GET", f"/static/{name.partition('/')[2]}")
        assert plain.headers["cache-control"] == "no-cache"


def test_what_the_page_begins_with_is_packed(server: Served) -> None:
    packed = server.ask("GET", "/api/start", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.body))["catalog"] == server.ask("GET", "/api/start").json["catalog"]


def test_what_the_page_names_is_there(server: Served) -> None:
    """Each file that the page or one of its modules names, and no other place."""
    waiting, seen = ["/"], set()
    while waiting:
        target = waiting.pop()
        answer = server.ask("GET", target)
        assert answer.status == 200, target
        seen.add(target)
        text = answer.body.decode()
        if "/vendor/" not in target:
            named = re.findall(r'(?:src|href)="(/?[\w/.-]+)"', text) if target == "/" else re.findall(r'(?:from|import) "(\.[\w/.-]+)"', text)
            folder = pathlib.PurePosixPath("/" if target == "/" else target).parent
            found = [name if name.startswith("/") else str(folder / name.removeprefix("./")) for name in named]
            waiting += [name for name in found if name not in seen]
    assert len(seen) > 10


@pytest.mark.parametrize("target", ["/", "/static/app.js", "/api/start", "/nowhere", "/static/nothing"])
def test_every_answer_has_the_headers(server: Served, target: str) -> None:
    answer = server.ask("GET", target)
    assert {name.decode(): value.decode() for name, value in HEADERS}.items() <= answer.headers.items()
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert "server" not in answer.headers


# ---- what it costs


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_loads_no_engine(server: Served) -> None:
    server.ask("GET", "/api/start")
    server.ask("POST", "/api/check", {"document": SPIRAL})
    loaded = pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "numpy" in loaded
    assert not re.search(r"jaxlib|libtorch|tensorflow|pytensor", loaded)

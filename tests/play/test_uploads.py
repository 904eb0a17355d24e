"""Files that users send: they are kept within bounds, under names of ours, and become data, or are told with a remedy."""

from __future__ import annotations

import io
import json
import os
import pathlib
import re
import shutil
import struct
import textwrap
import threading
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import keraunos as keras
from keraunos.core.errors import KeraunosError
from keraunos.play import data
from keraunos.play.uploads import UploadError, Uploads

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
CSV = b"x,y,kind\n" + b"".join(b"%d,%d,%s\n" % (i, (i * 7) % 11, b"abc"[i % 3 : i % 3 + 1]) for i in range(30))


@pytest.fixture
def uploads(tmp_path: pathlib.Path) -> Uploads:
    return Uploads(tmp_path / "kept", limit=200_000)


def sent(uploads: Uploads, name: str, *chunks: bytes) -> tuple[str, dict[str, Any]]:
    """An upload of one file: its id and description."""
    id = uploads.begin(name)
    uploads.write(id, name, chunks)
    return id, uploads.finish(id)


def picture(shade: int = 0, size: tuple[int, int] = (9, 6), kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, (shade,) * 3).save(stream, kind)
    return stream.getvalue()


def folder(uploads: Uploads, files: dict[str, bytes]) -> tuple[str, dict[str, Any]]:
    id = uploads.begin(next(iter(files)))
    for name, content in files.items():
        uploads.write(id, name, [content])
    return id, uploads.finish(id)


def spec(id: str, **options: Any) -> dict[str, Any]:
    return {"name": "upload", "upload": id, "options": options}


def ran(source: str, place: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> data.Loaded:
    """What the lines of a program load that runs in a folder."""
    monkeypatch.chdir(place)
    space: dict[str, Any] = {"keras": keras}
    exec("def load_data():\n" + textwrap.indent(source, "    "), space)
    (x_train, y_train), (x_test, y_test) = space["load_data"]()
    return data.Loaded(x_train, y_train, x_test, y_test)


def inside(uploads: Uploads) -> set[str]:
    return {str(path.relative_to(uploads.folder)) for path in uploads.folder.rglob("*")}


# ---- tables ----
def test_a_table_is_described_and_becomes_data(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    id, said = sent(uploads, "my flowers.csv", CSV[:50], CSV[50:])
    assert (said["kind"], said["name"], said["rows"], said["bytes"]) == ("table", "my flowers.csv", 30, len(CSV))
    assert said["options"] == {"target": "kind", "columns": ["x", "y"]}
    assert [(column["name"], column["kind"]) for column in said["columns"]] == [("x", "number"), ("y", "number"), ("kind", "category")]
    assert [field["name"] for field in said["fields"]] == ["task", "missing", "test", "seed"]
    json.dumps(said)
    chosen = spec(id, **said["options"], test=0.2, seed=3)
    found = data.signature(chosen, uploads)
    assert found["targets"] == {"label": {"kind": "classes", "classes": ["a", "b", "c"], "shape": []}}
    assert (found["inputs"]["features"]["shape"], found["train"], found["test"], found["kind"]) == ([2], 24, 6, "points")
    loaded, by_program = data.load(chosen, uploads), ran(data.source(chosen, uploads), uploads.folder, monkeypatch)
    assert all(np.array_equal(a, b) for a, b in zip(loaded, by_program, strict=True))
    assert {point["value"] for point in data.preview(chosen, uploads)["points"]} == {0, 1, 2}


def test_rows_without_a_label_are_left_out_and_said(uploads: Uploads) -> None:
    id, said = sent(uploads, "a.csv", b"x,kind\n" + b"".join(b"%d,%s\n" % (i, b"" if i % 4 == 0 else b"ab"[i % 2 : i % 2 + 1]) for i in range(40)))
    assert said["options"] == {"target": "kind", "columns": ["x"], "missing": "drop"}
    assert said["notes"] == ["Rows in which nothing stands are left out: what is to be learnt, 'kind', is missing in 10."]
    found = data.signature(spec(id, **said["options"]), uploads)
    assert found["train"] + found["test"] == 30


def test_other_columns_can_be_learnt_and_learnt_from(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    id, _ = sent(uploads, "a.csv", CSV)
    for options, inputs, target in (
        ({"target": "x"}, 4, "value"),
        ({"target": "kind", "columns": ["y"]}, 1, "label"),
        ({"columns": ["kind", "x"], "target": "y", "task": "number"}, 4, "value"),
    ):
        found = data.signature(spec(id, **options), uploads)
        assert found["inputs"]["features"]["shape"] == [inputs] and list(found["targets"]) == [target]
        loaded, by_program = data.load(spec(id, **options), uploads), ran(data.source(spec(id, **options), uploads), uploads.folder, monkeypatch)
        assert all(np.array_equal(a, b) for a, b in zip(loaded, by_program, strict=True))
        if found["kind"] == "table":
            assert len(data.preview(spec(id, **options), uploads)["samples"][0]["values"]) == len(found["columns"]) == inputs


def test_a_column_of_texts_becomes_text(uploads: Uploads) -> None:
    lines = "".join(f"message {i} to you,{'ham' if i % 2 else 'spam'}\n" for i in range(60))
    id, said = sent(uploads, "a.tsv", f"text,label\n{lines}".encode())
    found = data.signature(spec(id, **said["options"]), uploads)
    assert (found["kind"], found["inputs"]["text"]["dtype"], found["inputs"]["text"]["shape"]) == ("text", "string", [])
    assert data.preview(spec(id), uploads)["samples"][0]["text"].startswith("message")


def test_what_is_odd_about_a_table_is_noted(uploads: Uploads) -> None:
    _, said = sent(uploads, "a.csv", CSV + b"abc,2,a\n,3,a\n")
    assert any("Row 32 of the column 'x' has the text 'abc' among numbers." in note for note in said["notes"])
    assert any("mean" in note for note in said["notes"])
    assert said["columns"][0]["fix"] and "x" not in said["options"]["columns"]
    id, _ = sent(uploads, "a.csv", CSV + b"1,2,lonely\n")
    assert any("'lonely' has one row" in note for note in data.signature(spec(id), uploads)["notes"])


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "The file is empty."),
        (b"x,y\n", "a header and no rows"),
        (CSV + b"1,2\n", "Line 32 has 2 cells; the header has 3."),
        (b"\0\1\2" * 500, "holds no text"),
        (b"x\n1\n2\n", "has one column"),
        (b",".join(b"c%d" % i for i in range(201)) + b"\n" + b",".join(b"1" for _ in range(201)) + b"\n", "201 columns; at most 200"),
    ],
)
def test_tables_that_cannot_be_used_are_told_and_removed(uploads: Uploads, content: bytes, fact: str) -> None:
    with pytest.raises(UploadError) as caught:
        sent(uploads, "a.csv", content)
    assert fact in caught.value.fact and caught.value.fix and caught.value.status == 422
    assert "u" not in str(caught.value.where or "")  # the name that the file has with us is nobody's concern
    assert inside(uploads) == set()


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"target": "knd"}, "no column 'knd'"),
        ({"target": 3}, "'target' is the name of a column"),
        ({"columns": "x"}, "'columns' a list"),
        ({"columns": [["x"]]}, "'columns' a list"),
        ({"columns": []}, "no column to learn from"),
        ({"task": "magic"}, "task cannot be magic"),
        ({"size": 32}, "no option 'size'"),
    ],
)
def test_choices_that_cannot_be_used_are_told(uploads: Uploads, options: dict[str, Any], fact: str) -> None:
    id, _ = sent(uploads, "a.csv", CSV)
    with pytest.raises(KeraunosError) as caught:
        data.signature(spec(id, **options), uploads)
    assert fact in caught.value.fact and caught.value.fix


def test_columns_that_would_take_too_much_memory_are_named(uploads: Uploads) -> None:
    wide = Uploads(uploads.folder, limit=30_000_000)
    names = ",".join(f"c{i}" for i in range(90))
    rows = "".join(",".join(f"t{(i * (j + 3)) % 180}" for j in range(90)) + "\n" for i in range(2000))
    id, said = sent(wide, "a.csv", f"{names}\n{rows}".encode())
    with pytest.raises(UploadError, match=r"make [\d,]+ numbers of each row") as caught:
        data.signature(spec(id, **said["options"]), wide)
    assert "leave columns out, such as 'c" in (caught.value.fix or "")


def test_data_that_was_loaded_is_kept_but_not_all_of_it(uploads: Uploads) -> None:
    id, _ = sent(uploads, "a.csv", CSV)
    first = data.load(spec(id), uploads)
    assert data.load(spec(id, seed=0), uploads).x_train is first.x_train
    for seed in range(1, 9):
        data.load(spec(id, seed=seed), uploads)
    assert len(uploads.get(id).memo) <= 3


# ---- arrays ----
def zipped(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "name", "given"),
    [
        ((2,), "float32", "points", "features", [2]),
        ((5,), "float64", "table", "features", [5]),
        ((6, 6), "uint8", "pictures", "image", [6, 6, 1]),
        ((6, 6, 3), "float32", "pictures", "image", [6, 6, 3]),
        ((7, 2), "float32", "sequence", "series", [7, 2]),
        ((3, 4, 4, 1), "float32", "video", "film", [3, 4, 4, 1]),
    ],
)
def test_arrays_become_data(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], dtype: str, kind: str, name: str, given: list[int]
) -> None:
    x = np.random.default_rng(0).uniform(0, 1, (20, *shape)).astype(dtype)
    id, said = sent(uploads, "a.npz", zipped(x=x, y=np.arange(20) % 2))
    assert said["arrays"][0] == {"name": "x", "shape": [20, *shape]}
    found = data.signature(spec(id), uploads)
    assert (found["kind"], found["inputs"][name]["shape"], found["targets"]["label"]["classes"]) == (kind, given, ["0", "1"])
    json.dumps(data.preview(spec(id), uploads))
    loaded, by_program = data.load(spec(id), uploads), ran(data.source(spec(id), uploads), uploads.folder, monkeypatch)
    assert all(np.array_equal(a, b) for a, b in zip(loaded, by_program, strict=True))


def test_pictures_of_any_numbers_are_shown_from_black_to_white(uploads: Uploads) -> None:
    x = np.stack([np.full((4, 4, 1), value, "float32") for value in (-1, 3)] * 5)
    id, _ = sent(uploads, "a.npz", zipped(x=x, y=np.arange(10) % 2))
    shown = {sample["pictures"][0]["values"] for sample in data.preview(spec(id), uploads)["samples"]}
    assert shown == {data.encoded([0] * 16), data.encoded([255] * 16)}


def test_numbers_to_come_near_to(uploads: Uploads) -> None:
    id, _ = sent(uploads, "a.npz", zipped(x=np.zeros((20, 4)), y=np.linspace(0, 1, 60).reshape(20, 3)))
    assert data.signature(spec(id), uploads)["targets"] == {"value": {"kind": "number", "classes": None, "shape": [3]}}


class Bomb:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was read",))


def bomb() -> bytes:
    """An archive of few bytes that would unpack to many."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        member.write(b"\x93NUMPY\1\0\x76\0" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (120000000,), }".ljust(117) + b"\n")
        for _ in range(120):
            member.write(bytes(1_000_000))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "'a.npz' holds no arrays"),
        (b"PK\3\4" + bytes(100), "'a.npz' holds no arrays"),
        (zipped(x=np.array([Bomb()]), y=np.zeros(1)), "pickled objects are not read"),
        (zipped(a=np.zeros(3)), "no array 'x'"),
        (zipped(x=np.zeros((4, 2)), y=np.zeros(3)), "4 samples"),
        (zipped(x=np.zeros((100_001, 1), "uint8"), y=np.zeros(1)), "more than 100,000 samples"),
        (bomb(), "would unpack to"),
    ],
)
def test_arrays_that_cannot_be_used_are_told_and_removed(uploads: Uploads, content: bytes, fact: str) -> None:
    with pytest.raises(UploadError) as caught:
        sent(uploads, "a.npz", content)
    assert fact in str(caught.value) and caught.value.fix
    assert inside(uploads) == set()


# ---- pictures ----
def animals(count: int = 4) -> dict[str, bytes]:
    return {f"animals/{name}/{i}.png": picture(shade) for shade, name in ((0, "dogs"), (255, "cats")) for i in range(count)}


def test_folders_of_pictures_become_data(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    id, said = folder(uploads, {**animals(), "animals/.DS_Store": b"\0", "animals/dogs/readme.txt": b"dogs"})
    assert (said["name"], said["classes"]) == ("animals", [{"name": "cats", "count": 4}, {"name": "dogs", "count": 4}])
    chosen = spec(id, size=6, color="grayscale", test=0.5)
    found = data.signature(chosen, uploads)
    assert (found["inputs"]["image"]["shape"], found["targets"]["label"]["classes"]) == ([6, 6, 1], ["cats", "dogs"])
    loaded, by_program = data.load(chosen, uploads), ran(data.source(chosen, uploads), uploads.folder, monkeypatch)
    assert all(np.array_equal(a, b) for a, b in zip(loaded, by_program, strict=True))
    assert loaded.x_train.shape == (4, 6, 6, 1) and np.array_equal(loaded.x_train.mean(axis=(1, 2, 3)) < 0.5, loaded.y_train == 1)
    assert len(data.preview(chosen, uploads)["samples"]) == 4


def test_a_class_with_one_picture_is_noted(uploads: Uploads) -> None:
    _, said = folder(uploads, {**animals(), "animals/fish/1.jpg": picture(9, kind="JPEG")})
    assert said["notes"] == ["The class 'fish' has one picture: it is for training, and none is left for the test."]


def huge(width: int, height: int) -> bytes:
    """A picture that says of itself that it has very many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("a/bad.png", b"no picture at all", "'bad.png' is no picture that can be read"),
        ("a/cut.png", picture(1, (60, 60))[:60], "'cut.png' is no picture"),
        ("a/large.png", huge(5000, 5000), "5,000 by 5,000 pixels"),
        ("a/bomb.png", huge(60_000, 60_000), "'bomb.png' has"),
        ("a/icon.png", picture(1, kind="ICO"), "is no picture"),
    ],
)
def test_files_that_are_no_pictures_are_told_and_removed(uploads: Uploads, name: str, content: bytes, fact: str) -> None:
    id = uploads.begin(name)
    with pytest.raises(UploadError) as caught:
        uploads.write(id, name, [content])
    assert fact in caught.value.fact and caught.value.fix
    assert not any(path.is_file() for path in uploads.folder.rglob("*"))


def test_pictures_of_one_folder_are_told(uploads: Uploads) -> None:
    with pytest.raises(UploadError, match="lie in one folder"):
        folder(uploads, {"0.png": picture(), "1.png": picture()})
    assert inside(uploads) == set()


def test_too_many_values_are_told(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.play.uploads.VALUES", 1000)
    id, _ = folder(uploads, animals())
    with pytest.raises(UploadError, match="take a smaller size"):
        data.signature(spec(id, size=16), uploads)
    assert data.signature(spec(id, size=4), uploads)["train"] == 6


# ---- what holds of all ----
NAMES = [
    "../../a.csv",
    "..\\..\\a.csv",
    "/etc/passwd.csv",
    "C:\\a.csv",
    "a\0b.csv",
    "~/.ssh/a.csv",
    "a\n# b.csv",
    "'; import os #.csv",
    "%2e%2e/a.csv",
    "x" * 5000 + ".csv",
]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_name_is_used_as_a_path_or_as_code(uploads: Uploads, name: str) -> None:
    before = set(uploads.folder.parent.rglob("*"))
    id, said = sent(uploads, name, CSV)
    assert set(uploads.folder.parent.rglob("*")) - before == {uploads.folder / f"{id}.csv", uploads.folder / f"{id}.json"}
    assert len(said["name"]) <= 80 and not set(said["name"]) & set("/\\\0\n'\"#;")
    source = data.source(spec(id), uploads)
    assert len(source.splitlines()) == 2 and source.splitlines()[1].startswith("return keras.datasets.files.table(path, ")


@pytest.mark.parametrize("name", NAMES)
def test_at_home_a_file_has_the_name_that_the_user_knows(uploads: Uploads, name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id, _ = sent(uploads, name, CSV)
    ((path, called),) = uploads.get(id).members()
    assert re.fullmatch(r"[\w-]{1,60}\.csv", called)
    shutil.copy(path, tmp_path / called)
    at_home = ran(data.source(spec(id), uploads, home=True), tmp_path, monkeypatch)
    assert np.array_equal(at_home.x_train, data.load(spec(id), uploads).x_train)


def test_at_home_pictures_lie_in_the_folders_of_their_classes(uploads: Uploads, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id, _ = folder(uploads, {**animals(), "animals/.hidden/0.png": picture(7), "animals/.hidden/1.png": picture(9)})
    for path, called in uploads.get(id).members():
        assert re.fullmatch(r"animals/(cats|dogs|hidden)/\d{6}\.png", called)
        (tmp_path / called).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / called)
    chosen = spec(id, size=8)
    at_home = ran(data.source(chosen, uploads, home=True), tmp_path, monkeypatch)
    assert all(np.array_equal(one, other) for one, other in zip(at_home, data.load(chosen, uploads), strict=True))


def test_nothing_of_the_names_of_pictures_is_used_as_a_path(uploads: Uploads) -> None:
    names = ["../../up/0.png", "/etc/0.png", "a/../../b/0.PNG", "c\\..\\d\\0.png"]
    id, said = folder(uploads, {name: picture() for name in names})
    assert [one["name"] for one in said["classes"]] == ["b", "d", "etc", "up"]
    assert inside(uploads) == {f"{id}.json", id, *(f"{id}/{n:04}" for n in range(4)), *(f"{id}/{n:04}/000000.png" for n in range(4))}
    assert not list(uploads.folder.parent.glob("*.png"))


def test_columns_with_strange_names_cannot_leave_their_quotes(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = '"""); raise SystemExit(""" \\'
    lines = CSV.decode().splitlines()
    content = "\n".join(['"' + odd.replace('"', '""') + '",b,kind', *lines[1:]])
    id, said = sent(uploads, "a.csv", content.encode())
    assert said["columns"][0]["name"] == odd
    chosen = spec(id, target="kind", columns=[odd])
    assert ran(data.source(chosen, uploads), uploads.folder, monkeypatch).x_train.shape[1] == 1


def test_files_that_are_too_large_are_cut_off_as_they_come(uploads: Uploads) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"1,2\n" * 5000

    id = uploads.begin("a.csv")
    with pytest.raises(UploadError) as caught:
        uploads.write(id, "a.csv", endless())
    assert caught.value.status == 413 and taken == 11
    assert inside(uploads) == set()
    again = folder(uploads, {**animals(), "animals/dogs/notes.txt": b"x" * 900_000})
    assert again[1]["bytes"] < 200_000
    id = uploads.begin("p/0.bmp")
    large = picture(3, (180, 180), "BMP")
    uploads.write(id, "p/0.bmp", [large])
    with pytest.raises(UploadError, match="This is more than"):
        uploads.write(id, "p/1.bmp", [large, large])


def test_an_upload_that_breaks_off_leaves_nothing(uploads: Uploads) -> None:
    def broken() -> Iterator[bytes]:
        yield CSV
        raise ConnectionError("the page was closed")

    id = uploads.begin("a.csv")
    with pytest.raises(ConnectionError):
        uploads.write(id, "a.csv", broken())
    assert inside(uploads) == set()
    uploads.write(id, "a.csv", [CSV])  # which can be sent again
    assert uploads.finish(id)["rows"] == 30


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.exe", "a.csv.gz", "a.pkl", ".csv", "a.json"])
def test_other_files_are_not_taken(uploads: Uploads, name: str) -> None:
    with pytest.raises(UploadError) as caught:
        uploads.begin(name)
    assert caught.value.status == 415 and ".csv" in (caught.value.fix or "")


@pytest.mark.parametrize("id", ["", "../kept", "u" * 13, "u000000000000", None, 3])
def test_ids_of_no_upload(uploads: Uploads, id: Any) -> None:
    with pytest.raises(UploadError) as caught:
        uploads.get(id)
    assert caught.value.status == 404
    with pytest.raises(UploadError) as caught:
        uploads.write(id, "a.csv", [b""])
    assert caught.value.status == 404


def test_uploads_are_sent_once_and_in_their_order(uploads: Uploads) -> None:
    id = uploads.begin("a.csv")
    with pytest.raises(UploadError, match="not on this machine"):
        uploads.get(id)
    with pytest.raises(UploadError, match="No file that can be used was sent"):
        uploads.finish(id)
    id = uploads.begin("a.csv")
    uploads.write(id, "a.csv", [CSV])
    with pytest.raises(UploadError) as caught:
        uploads.write(id, "a.csv", [CSV])
    assert caught.value.status == 409
    uploads.finish(id)
    with pytest.raises(UploadError, match="The upload is complete"):
        uploads.write(id, "a.csv", [CSV])


def test_uploads_are_found_again_by_another_start(uploads: Uploads) -> None:
    id, said = sent(uploads, "a.csv", CSV)
    again = Uploads(uploads.folder)
    assert again.get(id).description == said
    assert np.array_equal(data.load(spec(id), again).x_train, data.load(spec(id), uploads).x_train)
    again.remove(id)
    assert inside(uploads) == set()


def test_files_of_a_folder_may_come_at_once(uploads: Uploads) -> None:
    files = animals(12)
    id = uploads.begin("animals/dogs/0.png")
    threads = [threading.Thread(target=uploads.write, args=(id, name, [content])) for name, content in files.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one["count"] for one in uploads.finish(id)["classes"]] == [12, 12]


def test_the_data_of_the_uploads_used_last_is_in_memory(uploads: Uploads) -> None:
    ids = [sent(uploads, "data.csv", CSV)[0] for _ in range(3)]
    for id in ids:
        assert data.load({"name": "upload", "upload": id, "options": {}}, uploads).x_train.shape == (21, 2)
    first, *others = (uploads._found[id] for id in ids)
    assert not first.memo and all(upload.memo for upload in others)
    assert data.load({"name": "upload", "upload": ids[0], "options": {}}, uploads).x_train.shape == (21, 2)
    uploads.remove(ids[0])
    assert uploads._used == [others[1]]


def test_a_disk_without_room_is_told(uploads: Uploads) -> None:
    def full() -> Iterator[bytes]:
        yield b"a,b\n"
        raise OSError(28, "No space left on device")

    id = uploads.begin("data.csv")
    with pytest.raises(UploadError, match="could not be kept: No space left on device") as refused:
        uploads.write(id, "data.csv", full())
    assert refused.value.status == 507 and not [*uploads.folder.iterdir()]


def test_all_uploads_together_are_bounded(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keraunos.play.uploads.ALL", 100)
    sent(uploads, "a.csv", CSV)
    with pytest.raises(UploadError) as caught:
        uploads.begin("b.csv")
    assert caught.value.status == 413


def test_weights_are_kept_but_are_no_data(uploads: Uploads, tmp_path: pathlib.Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.save(tmp_path / "mine.keras")
    id = uploads.kept(tmp_path / "mine.keras")
    assert uploads.get(id).kind == "model" and uploads.get(id).path.read_bytes() == (tmp_path / "mine.keras").read_bytes()
    with pytest.raises(UploadError, match="a model, and no data"):
        data.signature(spec(id), uploads)
    with pytest.raises(UploadError):
        sent(uploads, "bad.keras", b"no model")


def test_uploads_are_for_this_user_only(uploads: Uploads) -> None:
    if os.name == "posix":
        assert uploads.folder.stat().st_mode & 0o077 == 0

"""Files that the user sent: tables, arrays, folders of pictures, weights. They lie in one folder, under names that no file's own name has a part in."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import math
import os
import pathlib
import re
import secrets
import shutil
import threading
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from keraunos.core.errors import DataError, KeraunosError, clean
from keraunos.play.data import SEED, TEST, choice, field, options_of
from keraunos.play.layout import Group, in_function, literal
from keraunos.play.limits import LIMITS

if TYPE_CHECKING:
    from keraunos.datasets.files import Table

KINDS = {".csv": "table", ".tsv": "table", ".txt": "table", ".npz": "arrays", ".keras": "model"}
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
VALUES = 50_000_000  # numbers that a data set holds at most: 200 MB
PIXELS = 4096 * 4096  # of one picture
ALL = 1_000_000_000  # bytes of all uploads together
_ID = re.compile(r"u[0-9a-f]{12}")
_CLASS = 60  # letters of a class's name
_KEPT = 2  # uploads whose data is kept in memory, and data sets of each, for other options
_AGAIN = "upload the file again"


class UploadError(DataError):
    """A file that cannot be taken.

    Args:
        fact: What is wrong with it.
        fix: What mends that.
        status: The status of HTTP that fits.
    """

    def __init__(self, fact: str = "", *, fix: str | None = None, status: int = 422, **more: Any):
        self.status = status
        super().__init__(fact, fix=fix, **more)


@dataclasses.dataclass
class Upload:
    """What was uploaded at once: a file, or a folder of pictures.

    Args:
        id: By which it is found.
        name: What its file or folder is called, to be shown.
        kind: "table", "arrays", "pictures" or "model".
        path: Where it lies.
        size: In bytes.
        files: Of pictures, the name of the class and the place of each, until all are there.
        description: What is in it, once all is there.
        memo: What was loaded, by the options.
        table: The table, once it was looked at.
        lock: Held by whoever writes or reads it.
    """

    id: str
    name: str
    kind: str
    path: pathlib.Path
    size: int = 0
    files: list[tuple[str, pathlib.Path]] = dataclasses.field(default_factory=list)
    description: dict[str, Any] | None = None
    memo: dict[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    table: Table | None = None
    lock: Any = dataclasses.field(default_factory=threading.RLock, repr=False)

    def options(self, given: Any) -> dict[str, Any]:
        """All its options as data: those given, which are checked, and what the others are without.

        Raises:
            DataError: It is no data, or has no such column.
            ArgumentError: There is no such option, or it cannot have that value.
        """
        if self.kind == "model":
            raise UploadError("This is a model, and no data.", fix="choose other data")
        own: dict[str, Any] = {}
        if self.kind == "table" and isinstance(given, Mapping):
            given, usual = dict(given), (self.description or {})["options"]
            own = {"target": given.pop("target", usual["target"]), "columns": given.pop("columns", None)}
            if own["columns"] is None:
                own["columns"] = [name for name in [*usual["columns"], usual["target"]] if name != own["target"]]
            if not isinstance(own["target"], str) or not isinstance(own["columns"], list) or not all(isinstance(name, str) for name in own["columns"]):
                raise UploadError("'target' is the name of a column, 'columns' a list of such.", fix="choose columns of the table")
        return {**own, **options_of(given, fields(self.kind))}

    def loaded(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The arrays, `split`, and the `signature` of a network for them; both are kept for when they are asked for again.

        Args:
            options: All options, as the method gives them.

        Raises:
            UploadError: The upload cannot be used so.
        """
        key = json.dumps(options, sort_keys=True)
        with self.lock, _told(self):
            if key not in self.memo:
                made = {"table": _load_table, "arrays": _load_arrays, "pictures": _load_pictures}[self.kind](self, dict(options))
                while len(self.memo) >= _KEPT:
                    del self.memo[next(iter(self.memo))]
                self.memo[key] = made
            return self.memo[key]

    @property
    def home(self) -> str:
        """What the file, or folder, is called beside a program that was taken home: as the user knows it, but a model not as the program saves its own."""
        stem = re.sub(r"[^\w-]+", "_", pathlib.PurePath(self.name).stem)[:60]
        return f"{stem}{'_before' if self.kind == 'model' else ''}{self.path.suffix}"

    def members(self) -> Iterator[tuple[pathlib.Path, str]]:
        """Its files, and what each is called beside a program that was taken home."""
        if self.kind != "pictures":
            yield self.path, self.home
            return
        for number, one in enumerate((self.description or {})["classes"]):
            yield from ((path, f"{self.home}/{one['name']}/{path.name}") for path in sorted((self.path / f"{number:04}").iterdir()))

    def source(self, options: Mapping[str, Any], home: bool = False) -> str:
        """The lines that load it in a program.

        Args:
            options: All options, as the method gives them.
            home: Whether the program is taken home, where the file has its own name; else it runs in the folder of the uploads.
        """
        table, given = self.table, []
        for name, value in options.items():
            if name == "columns":
                if table is None or value != table.inputs(options["target"]):
                    given.append(Group("columns=[", [literal(column) for column in value], "]"))
            elif value is not None and (name, value) != ("missing", "fill"):
                given.append(f"{name}={literal(value)}")
        call = in_function(Group(f"return keras.datasets.files.{self.kind}(", ["path", *given], ")"))
        return f"path = {literal(self.home if home else self.path.name)}\n{call}"


class Uploads:
    """The uploads in a folder.

    Args:
        folder: The folder, which is made if it is not there. A program that reads uploads runs in it.
        limit: The most bytes of one upload.
    """

    def __init__(self, folder: Any, limit: int = LIMITS["upload"]):
        self.folder, self.limit = pathlib.Path(folder), limit
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._found: dict[str, Upload] = {}
        self._used: list[Upload] = []  # those whose data is in memory, the last used last

    def begin(self, name: str) -> str:
        """Begin an upload; returns its id.

        Args:
            name: The name of the file, or of the first file of a folder. Its ending tells the kind.

        Raises:
            UploadError: Files of that kind are not taken, or there are too many.
        """
        ending = os.path.splitext(name)[1].lower()
        kind = "pictures" if ending in PICTURES else KINDS.get(ending)
        if kind is None:
            fact = f"'{shown(name)}' is no file that is taken here."
            raise UploadError(fact, fix="a table (.csv), arrays (.npz), or a folder with a folder of pictures (.png, .jpg) for each class", status=415)
        id = f"u{secrets.token_hex(6)}"
        parts = re.split(r"[\\/]", name)
        upload = Upload(id, shown(parts[0] if kind == "pictures" else parts[-1]), kind, self.folder / (id if kind == "pictures" else id + ending))
        with self._lock:
            if sum(one.size for one in self._found.values()) > ALL:
                fix = "start the playground anew: its uploads are removed then"
                raise UploadError(f"All uploads together have more than {ALL // 10**6:,} MB.", fix=fix, status=413)
            self._found[id] = upload
        return id

    def write(self, id: str, name: str, chunks: Iterable[bytes]) -> None:
        """Write a file of an upload as it comes.

        Args:
            id: The upload's.
            name: The name of the file; of a picture, with the folder that is its class. Nothing of it becomes a part of a path.
            chunks: Its content.

        Raises:
            UploadError: It is too large, or no picture; what was written of it is removed.
        """
        upload = self._begun(id)
        path = upload.path
        with upload.lock:
            if upload.kind == "pictures":
                if len(upload.files) >= LIMITS["samples"]:
                    raise UploadError(f"There are more than {LIMITS['samples']:,} pictures.", fix="take a part of them")
                if os.path.splitext(name)[1].lower() not in PICTURES:
                    return  # what systems leave in folders, and texts that go with pictures
                path = upload.path / f"{len(upload.files)}{os.path.splitext(name)[1].lower()}"
                path.parent.mkdir(mode=0o700, exist_ok=True)
            before = upload.size
            try:
                with no_room(), open(path, "xb") as file:
                    for chunk in chunks:
                        upload.size += len(chunk)
                        if upload.size > self.limit:
                            fact = f"This is more than {self.limit // 10**6:,} MB."
                            raise UploadError(fact, fix="take a part: rows, columns or pictures drawn at random", status=413)
                        file.write(chunk)
                if upload.kind == "pictures":
                    _look_at(path, name)
                    upload.files.append((_class_of(name), path))
            except FileExistsError:
                raise UploadError("The file is here already.", fix="begin another upload", status=409) from None
            except BaseException:
                upload.size = before
                path.unlink(missing_ok=True)
                raise

    def finish(self, id: str) -> dict[str, Any]:
        """All files are there: look at them, and say what they hold.

        Returns:
            `kind`, `name`, `bytes`, `notes`, the `options` to begin with, the `fields` of all options, and of a table its `rows` and `columns`,
            of pictures their `classes`.

        Raises:
            UploadError: They cannot be used, and are removed.
        """
        upload = self._begun(id)
        try:
            with upload.lock, _told(upload):
                if not upload.path.exists():
                    raise UploadError("No file that can be used was sent.", fix="send the file, or a folder that has pictures in it")
                found = {"table": _table, "arrays": _arrays, "pictures": _pictures, "model": _model}[upload.kind](upload)
                known = {"kind": upload.kind, "name": upload.name, "bytes": upload.size, "fields": fields(upload.kind)}
                upload.description = {**known, "notes": [], "options": {}, **found}
        except BaseException:
            self.remove(id)
            raise
        (self.folder / f"{id}.json").write_text(json.dumps({"path": upload.path.name, "description": upload.description}), encoding="utf-8")
        return upload.description

    def kept(self, path: Any, name: str | None = None) -> str:
        """Take a copy of a file of this machine; returns the id of the upload that it is now."""
        path = pathlib.Path(path)
        id = self.begin(name or path.name)
        with open(path, "rb") as file:
            self.write(id, path.name, iter(lambda: file.read(2**20), b""))
        self.finish(id)
        return id

    def get(self, id: str) -> Upload:
        """An upload of which all is there.

        Raises:
            UploadError: There is none.
        """
        if not isinstance(id, str) or not _ID.fullmatch(id):
            raise UploadError("This is the id of no upload.", fix=_AGAIN, status=404)
        with self._lock:
            if id not in self._found:
                with contextlib.suppress(OSError, ValueError, KeyError):  # of an earlier start, in the same folder
                    noted = json.loads((self.folder / f"{id}.json").read_text(encoding="utf-8"))
                    said = noted["description"]
                    self._found[id] = Upload(id, said["name"], said["kind"], self.folder / pathlib.Path(noted["path"]).name, said["bytes"], description=said)
            upload = self._found.get(id)
        if upload is None or upload.description is None:
            raise UploadError("The file that the network learns from is not on this machine.", fix=f"{_AGAIN}, or choose other data", status=404)
        if upload.kind != "model":
            self._use(upload)
        return upload

    def _use(self, upload: Upload) -> None:
        """Let the data of uploads that were not used lately go from memory."""
        with self._lock:
            self._used = [*(one for one in self._used if one is not upload), upload]
            for one in self._used[:-_KEPT]:
                if one.lock.acquire(blocking=False):  # else it is being used
                    one.memo.clear()
                    one.lock.release()
                    self._used.remove(one)

    def remove(self, id: str) -> None:
        """Remove an upload and its files, if it is there."""
        with self._lock:
            upload = self._found.pop(id, None)
            self._used = [one for one in self._used if one is not upload]
        if upload is not None:
            shutil.rmtree(upload.path, ignore_errors=True) if upload.kind == "pictures" else upload.path.unlink(missing_ok=True)
            (self.folder / f"{id}.json").unlink(missing_ok=True)

    def _begun(self, id: str) -> Upload:
        with self._lock:
            upload = self._found.get(id)
        if upload is None:
            raise UploadError("There is no such upload.", fix=_AGAIN, status=404)
        if upload.description is not None:
            raise UploadError("The upload is complete.", fix="begin another one", status=409)
        return upload


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """A disk that is full is told with what to do.

    Raises:
        UploadError: It is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        fact = f"The file could not be kept: {error.strerror}."
        raise UploadError(fact, fix="make room on the disk of temporary files, then send it again", status=507) from error


def shown(name: str) -> str:
    """A file's name as it can be shown and stand in a comment: its last part, without what is no letter, digit or one of a few marks."""
    return re.sub(r"[^\w .()+-]", "_", clean(re.split(r"[\\/]", name)[-1], 80)).lstrip(". ") or "upload"


@contextlib.contextmanager
def _told(upload: Upload) -> Iterator[None]:
    """What readers say of a file is said as of an upload, by the name that the user knows."""
    try:
        yield
    except UploadError:
        raise
    except KeraunosError as error:
        raise UploadError(error.fact.replace(upload.path.name, upload.name), received=error.received, expected=error.expected, fix=error.fix) from None


# ---- what is in the files ----
def _table(upload: Upload) -> dict[str, Any]:
    from keraunos.datasets.files import Table

    read = Table(upload.path, LIMITS["samples"], LIMITS["columns"])
    if len(read.columns) < 2:
        raise UploadError("The table has one column: there is nothing to learn it from.", fix="separate the cells of a row by commas, semicolons or tabs")
    upload.table = read
    target = read.target()
    notes = list(read.notes)
    if not read.header:
        notes.append("There is no header: the columns are numbered.")
    options = {"target": target, "columns": read.inputs(target)}
    if read.column(target).missing:
        options["missing"] = "drop"
        notes.append(f"Rows in which nothing stands are left out: what is to be learnt, '{target}', is missing in {read.column(target).missing}.")
    elif any(column.missing for column in read.columns):
        notes.append("Where a number is missing, the mean of the others is taken.")
    return {
        "rows": read.rows,
        "columns": [
            {"name": column.name, "kind": column.kind, "values": [clean(value, _CLASS) for value in column.values[:20]], "different": len(column.values),
             "missing": column.missing, "problem": column.problem, "fix": column.fix}
            for column in read.columns
        ],
        "notes": notes + [f"{column.problem} To use it, {column.fix}." for column in read.columns if column.problem],
        "options": options,
    }  # fmt: skip


def _arrays(upload: Upload) -> dict[str, Any]:
    from keraunos.saving import npz

    if not zipfile.is_zipfile(upload.path):
        raise UploadError(f"'{upload.name}' holds no arrays: it is damaged, or no NPZ file.", fix="numpy.savez('data.npz', x=x, y=y)")
    with npz.File(upload.path) as file:
        shapes = {name: stored.shape for name, stored in file.arrays.items()}
    if sum(map(math.prod, shapes.values())) > VALUES:
        raise UploadError(f"The arrays hold more than {VALUES:,} numbers.", fix="take a part of the samples, or make them smaller")
    if any(shape[:1] > (LIMITS["samples"],) for shape in shapes.values()):
        raise UploadError(f"There are more than {LIMITS['samples']:,} samples.", fix="take a part of them")
    upload.loaded(upload.options({}))  # whether they go together
    return {"arrays": [{"name": clean(name, _CLASS), "shape": list(shape)} for name, shape in list(shapes.items())[:20]]}


def _pictures(upload: Upload) -> dict[str, Any]:
    names = sorted({name for name, _ in upload.files})
    if not upload.files:
        raise UploadError("There are no pictures in the folder.", fix=f"files that end in {', '.join(PICTURES)}, in a folder for each class")
    if len(names) < 2:
        raise UploadError("The pictures lie in one folder: there is nothing to tell apart.", fix="put them in a folder for each class")
    for number, name in enumerate(names):
        folder = upload.path / f"{number:04}"
        folder.mkdir(mode=0o700)
        for place, (_, path) in enumerate(one for one in upload.files if one[0] == name):
            path.rename(folder / f"{place:06}{path.suffix}")
    counts = {name: sum(one == name for one, _ in upload.files) for name in names}
    notes = [f"The class '{name}' has one picture: it is for training, and none is left for the test." for name, count in counts.items() if count == 1]
    return {"classes": [{"name": name, "count": count} for name, count in counts.items()], "notes": notes, "options": {"size": 32}}


def _model(upload: Upload) -> dict[str, Any]:
    from keraunos.saving.zipped import Archive

    with Archive(upload.path):
        return {}


def _class_of(name: str) -> str:
    """The folder that a picture lies in."""
    parts = [part for part in re.split(r"[\\/]", name) if part not in ("", ".", "..")]
    return shown(parts[-2] if len(parts) > 1 else "pictures")[:_CLASS]


def _look_at(path: pathlib.Path, name: str) -> None:
    """See whether a file is a picture, of a size that can be meant, before all of it is decoded."""
    import warnings

    from keraunos.core.errors import needing

    with needing("Pictures are read by Pillow, which is not installed.", "uploads", "pillow"):
        from PIL import Image
    fact, fix = f"'{shown(name)}' is no picture that can be read.", "leave it out, or save it as PNG or JPEG"
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=("BMP", "GIF", "JPEG", "PNG", "WEBP")) as opened:
            if opened.width * opened.height <= PIXELS:
                opened.load()
                return
            fact, fix = f"'{shown(name)}' has {opened.width:,} by {opened.height:,} pixels.", f"make it smaller: at most {PIXELS:,} pixels are taken"
    except Image.DecompressionBombError:
        fact, fix = f"'{shown(name)}' has too many pixels.", f"make it smaller: at most {PIXELS:,} are taken"
    except Exception:  # decoders of damaged files raise whatever they will
        pass
    raise UploadError(fact, fix=fix)


# ---- as data ----
_TASK = "Whether the column has classes to tell apart, or numbers to come near to."
_MISSING = "What is done where nothing stands: 'fill' takes the mean, 'drop' leaves the row out."
_SIZE = "The height and width, in pixels, to which pictures are resized."
_FIELDS = {
    "table": [choice("task", None, _TASK, ["classes", "number"], optional=True), choice("missing", "fill", _MISSING, ["fill", "drop"])],
    "pictures": [field("size", "integer", 32, 4, 128, _SIZE), choice("color", "rgb", "Whether pictures have colours or are gray.", ["rgb", "grayscale"])],
}


def fields(kind: str) -> list[dict[str, Any]]:
    """The options of uploads of a kind, but for the columns of a table, which are each table's own."""
    return [*_FIELDS.get(kind, []), TEST, SEED]


def _load_table(upload: Upload, chosen: dict[str, Any]) -> dict[str, Any]:
    from keraunos.datasets.files import Table, task_of

    read = upload.table = upload.table or Table(upload.path)
    columns = [read.column(name) for name in chosen["columns"]]
    widest = max(columns, key=lambda column: len(column.values) if column.kind == "category" else 1, default=None)
    width = sum(len(column.values) if column.kind == "category" else 1 for column in columns)
    if widest and (width > LIMITS["units"] or width * read.rows > VALUES):
        fact = f"The columns make {width:,} numbers of each row, for {read.rows:,} rows."
        raise UploadError(fact, fix=f"leave columns out, such as '{widest.name}' with {len(widest.values) or 1} different values")
    task = task_of(read, chosen["target"], chosen["columns"], chosen["task"], chosen["missing"])
    split = task.split(chosen["test"], chosen["seed"])
    lone = [] if task.classes is None else [task.classes[row] for row in range(len(task.classes)) if (task.y == row).sum() == 1]
    notes = [f"The class '{clean(name, _CLASS)}' has one row: it is for training, and none is left for the test." for name in lone[:3]]
    texts = task.x.dtype.kind not in "fiu"
    kind = "text" if texts else "points" if task.x.shape[1] == 2 and all(column.kind == "number" for column in columns) else "table"
    one = {"shape": [], "dtype": "string", "text": f"The column '{task.names[0]}'."} if texts else _numbers(task.x.shape[1:], clean(", ".join(task.names), 400))
    found = _signature(kind, {"text" if texts else "features": one}, _labelled(task.y, task.classes), split, notes)
    return {"split": split, "signature": {**found, "columns": task.names}}


def _load_arrays(upload: Upload, chosen: dict[str, Any]) -> dict[str, Any]:
    from keraunos.datasets import files

    split = files.arrays(upload.path, **chosen)
    (x, y), (_, y_test) = split
    if isinstance(x, dict) and isinstance(y, dict) and (both := x.keys() & y.keys()):
        raise UploadError(f"Both an input and a target are called '{min(both)}'.", fix="give them different names")
    xs = x if isinstance(x, dict) else {_usual(x)[1]: x}
    inputs = {name: _numbers(array.shape[1:], f"The array 'x{f'_{name}' if len(xs) > 1 else ''}' of {upload.name}.") for name, array in xs.items()}
    kinds = {_usual(array)[0] for array in xs.values()}
    kind = kinds.pop() if len(kinds) == 1 else "table"
    alone = [array.shape[1:] for array in xs.values()] == [(2,)] and not isinstance(y, dict) and y[:1].size == 1
    targets = {name: _target(y[name], _numbered(y[name], y_test[name])) for name in y} if isinstance(y, dict) else _labelled(y, _numbered(y, y_test))
    return {"split": split, "signature": _signature("points" if alone else kind, inputs, targets, split, [])}


def _usual(x: Any) -> tuple[str, str]:
    """How samples of an array are shown, and what they are called where they have no name."""
    if x.ndim == 4 and x.shape[-1] in (1, 3):
        return "pictures", "image"
    return {3: ("sequence", "series"), 5: ("video", "film")}.get(x.ndim, ("table", "features"))


def _numbered(y: Any, y_test: Any) -> list[str] | None:
    """The names of classes that have numbers only; None for what are no classes."""
    return [str(number) for number in range(int(max(y.max(), y_test.max())) + 1)] if y.dtype.kind in "ui" else None


def _load_pictures(upload: Upload, chosen: dict[str, Any]) -> dict[str, Any]:
    from keraunos.datasets import files

    said = (upload.description or {})["classes"]
    shape = [chosen["size"], chosen["size"], 3 if chosen["color"] == "rgb" else 1]
    if (count := sum(one["count"] for one in said)) * math.prod(shape) > VALUES:
        raise UploadError(f"{count:,} pictures of {shape[0]} by {shape[1]} pixels are too many.", fix="take a smaller size")
    split = files.pictures(upload.path, **chosen)
    names, text = [one["name"] for one in said], "A picture, with values between 0 and 1."
    return {
        "split": split,
        "signature": _signature("pictures", {"image": _numbers(shape, text)}, _labelled(split[0][1], names), split, (upload.description or {})["notes"]),
    }


def _numbers(shape: Iterable[int], text: str) -> dict[str, Any]:
    return {"shape": list(shape), "dtype": "float32", "text": text}


def _target(y: Any, classes: list[str] | None) -> dict[str, Any]:
    names = None if classes is None else [clean(name, _CLASS) for name in classes]
    return {"kind": "number" if names is None else "classes", "classes": names, "shape": list(y.shape[1:])}


def _labelled(y: Any, classes: list[str] | None) -> dict[str, Any]:
    """The targets, where there is one."""
    return {"value" if classes is None else "label": _target(y, classes)}


def _signature(kind: str, inputs: dict[str, Any], targets: dict[str, Any], split: Any, notes: list[str]) -> dict[str, Any]:
    train, test = (len(next(iter(y.values())) if isinstance(y, dict) else y) for _, y in split)
    return {"inputs": inputs, "targets": targets, "train": train, "test": test, "kind": kind, "notes": notes}

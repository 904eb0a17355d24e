"""Data of one's own from files: tables (CSV), arrays (NPZ), and pictures in one folder for each class."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import math
import os
import pathlib
import re
from array import array
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from keraunos.core.errors import DataError, clean, one_of, suggestion

__all__ = ["arrays", "pictures", "table"]

_BLOCK = 200  # rows that are looked at together: few enough for a processor to have them all at hand
_DELIMITERS = ",;\t|"
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f")
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "?", "#n/a"))
_MANY = 1000  # texts of a column that are told apart
_NAME = 80  # letters of a column's name
_TEXT = 500  # letters of a text that is learnt from
_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+),\d+([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+")
_POINT = re.compile(r"[+-]?\d+\.\d+([eE][+-]?\d+)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ARRAY = re.compile(r"([xy])(?:_(train|test))?(?:_([a-z][a-z0-9_]{0,39}))?")  # x or y, the part, the name of an input or target
_LABELS = ("label", "class", "target", "species", "category")
Split = tuple[tuple[Any, Any], tuple[Any, Any]]


class Column(NamedTuple):
    """A column of a table.

    Args:
        name: Its name, which no other column has.
        kind: "number", "category" (a few texts), "text" (many), or "empty".
        values: The different texts, or whole numbers, if they are few; sorted.
        missing: In how many rows nothing stands.
        problem: Why it cannot be used as it is.
        fix: What mends that.
    """

    name: str
    kind: str
    values: list[str]
    missing: int
    problem: str | None = None
    fix: str | None = None


class Table:
    """A table in a file: how it is written, and what its columns hold. It is read in blocks of rows.

    Args:
        path: The file.
        rows: The most rows that are taken.
        columns: The most columns that are taken.

    Raises:
        DataError: It is no table, or is larger.
    """

    def __init__(self, path: Any, rows: int | None = None, columns: int | None = None):
        self.path, self.limits = pathlib.Path(path), (rows, columns)
        self.encoding = _encoding(self.path)
        self.delimiter, self.decimal, self.header = self._form()
        first = next(self._rows(), None)
        if first is None:
            raise self._wrong("The file is empty.", "choose a file with a header and rows")
        names = [clean(" ".join(name.split()), _NAME) if self.header else "" for name in first]
        self.names = _different([name or f"column {place}" for place, name in enumerate(names, 1)])
        numbered = self.header and len({name.strip() for name in first}) < len(first)
        self.notes = ["Some columns had the same name, or none: they are numbered."] if numbered else []
        self.rows, self.columns = self._looked_at()

    def _wrong(self, fact: str, fix: str) -> DataError:
        return DataError(fact, where=str(self.path), fix=fix)

    def _open(self) -> Any:
        return open(self.path, encoding=self.encoding, errors="replace", newline="")

    def _form(self) -> tuple[str, str, bool]:
        """The delimiter, the decimal mark, and whether the first row has names."""
        with self._open() as file:
            beginning = file.read(2**16)
        lines = beginning.splitlines(keepends=True)
        lines = [line for line in (lines[:-1] if len(beginning) == 2**16 and len(lines) > 1 else lines) if line.strip()]
        found = []
        for mark in _DELIMITERS:
            rows: list[list[str]] = []
            with contextlib.suppress(csv.Error):  # what is wrong is said when all is read
                rows.extend(itertools.islice(csv.reader(lines, delimiter=mark, skipinitialspace=True), 60))
            counts = [len(row) for row in rows if row]
            usual = max(set(counts), key=counts.count, default=0)
            found.append((counts.count(usual) / max(len(counts), 1) if usual > 1 else 0, usual, mark, rows))
        _, _, delimiter, rows = max(found, key=lambda one: (one[0] > 0.5, one[0] * min(one[1], 2), one[1]))
        cells = [cell.strip() for row in rows for cell in row]
        commas, points = (sum(form.fullmatch(cell) is not None for cell in cells) for form in (_COMMA, _POINT))
        decimal = "," if delimiter != "," and commas > points else "."
        filled = [row for row in rows if any(cell.strip() for cell in row)]
        return delimiter, decimal, bool(filled) and self._has_header(filled, decimal)

    def _has_header(self, rows: list[list[str]], decimal: str) -> bool:
        """Whether the first row has names: it has none of the numbers that stand below it, and if there are none, its texts do not come again."""
        first, below = rows[0], list(itertools.zip_longest(*rows[1:], fillvalue=""))
        numeric = [place for place, cells in enumerate(below[: len(first)]) if 2 * sum(_is_number(cell, decimal) for cell in cells) > sum(map(bool, cells))]
        if not numeric:
            return not any(_is_number(cell, decimal) for cell in first) and not any(cell in cells for cell, cells in zip(first, below, strict=False) if cell)
        return 2 * sum(_is_number(first[place], decimal) for place in numeric) < len(numeric)

    def _rows(self) -> Iterator[list[str]]:
        """The rows, that of names first if there is one; empty ones are left out."""
        with self._open() as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True, skipinitialspace=True)
            width, begun, most = 0, 1, self.limits[1]
            try:
                for row in reader:
                    if any(cell.strip() for cell in row):
                        width = width or len(row)
                        if most is not None and width > most:
                            raise self._wrong(f"The table has {width} columns; at most {most} are taken.", "leave out the columns that tell least")
                        if len(row) != width:
                            fact = f"Line {begun} has {_cells(len(row))}; {'the header' if self.header else 'the first row'} has {width}."
                            mark = {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(self.delimiter, self.delimiter)
                            raise self._wrong(fact, f"give line {begun} {_cells(width)}: a cell that has {mark} in it stands in quotation marks")
                        yield row
                    begun = reader.line_num + 1
            except csv.Error as error:
                if "unexpected end" in str(error) or "field larger" in str(error):
                    fact, fix = f"A quotation mark is opened in line {begun} and never closed.", "close it, or write it twice if it is part of the text"
                else:
                    fact, fix = f"Line {begun} has a quotation mark out of place.", 'write a quotation mark within quoted text twice: "a ""big"" one"'
                raise self._wrong(fact, fix) from None

    def blocks(self) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
        """Blocks of rows, column by column, each with the number of its first row, as a spreadsheet counts."""
        rows, place = itertools.islice(self._rows(), int(self.header), None), 1 + self.header
        while block := list(itertools.islice(rows, _BLOCK)):
            yield place, list(zip(*block, strict=True))
            place += len(block)

    def _looked_at(self) -> tuple[int, list[Column]]:
        """How many rows there are, and the columns."""
        looks, rows, most = [_Look(self.decimal) for _ in self.names], 0, self.limits[0]
        for place, columns in self.blocks():
            rows += len(columns[0])
            if most is not None and rows > most:
                raise self._wrong(f"The table has more than {most:,} rows.", f"take a sample of it: {most:,} rows, drawn at random")
            for look, cells in zip(looks, columns, strict=True):
                look.take(cells, place)
        if not rows:
            raise self._wrong("The table has a header and no rows.", "add rows: one for each sample")
        return rows, [look.column(name, rows) for look, name in zip(looks, self.names, strict=True)]

    def column(self, name: str) -> Column:
        """The column with a name.

        Raises:
            DataError: There is none.
        """
        if name not in self.names:
            raise self._wrong(f"The table has no column {name!r}.", suggestion(name, self.names))
        return self.columns[self.names.index(name)]

    def target(self) -> str:
        """The name of the column that is most likely to be learnt: one that is called so, else the last one with classes, else the last one."""
        usable = [one for one in self.columns if not one.problem and (one.kind == "number" or (one.kind == "category" and len(one.values) > 1))]
        called = [column for column in usable if column.name.lower() in _LABELS]
        classes = [column for column in usable if column.kind == "category"]
        return (called[:1] or classes[-1:] or usable[-1:] or self.columns[-1:])[0].name

    def inputs(self, target: str) -> list[str]:
        """The names of the columns that can be learnt from."""
        others = [column for column in self.columns if column.name != target and not column.problem]
        usable = [column.name for column in others if column.kind in ("number", "category")]
        return usable or [column.name for column in others if column.kind == "text"][:1]

    def read(self, names: Sequence[str], texts: Collection[str] = ()) -> dict[str, Any]:
        """The cells of columns: numbers with NaN for what is missing, numbers of categories with -1, or texts."""
        import numpy as np

        found: dict[str, list[Any]] = {name: [] for name in names}
        known = {name: {value: number for number, value in enumerate(self.column(name).values)} for name in names}
        for _, block in self.blocks():
            for name, parts in found.items():
                cells, numeric = block[self.names.index(name)], self.column(name).kind == "number"
                if name in texts:
                    parts.append(np.array([cell.strip()[:_TEXT] for cell in cells]))
                else:
                    parts.append(np.array(_numbers(cells, self.decimal) if numeric else [known[name].get(cell.strip(), -1) for cell in cells]))
        return {name: np.concatenate(parts) for name, parts in found.items()}


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _encoding(path: pathlib.Path) -> str:
    """How the text of a file is written: UTF-8, UTF-16 if it says so, else as Windows does in the West."""
    if not path.exists():
        raise DataError(f"There is no file '{path.name}'.", fix="check the path")
    with open(path, "rb") as file:
        start = file.read(2**16)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        strange = len(start) - len(start.translate(None, _CONTROLS))
        if b"\0" in start or strange > len(start) // 100:
            raise DataError("The file holds no text.", where=str(path), fix="save the table as CSV, in UTF-8: a spreadsheet by itself (.xlsx, .ods) is none")
    try:
        with open(path, encoding="utf-8") as file:
            while file.read(2**20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _different(names: list[str]) -> list[str]:
    """The names, where one stood before with a number."""
    found: dict[str, None] = {}
    for name in names:
        candidates = itertools.chain([name], (f"{name} ({number})" for number in itertools.count(2)))
        found[next(candidate for candidate in candidates if candidate not in found)] = None
    return list(found)


def _number(cell: str, decimal: str) -> float:
    """The finite number that a cell is, as people write it; NaN for what is none."""
    text = cell.strip()
    if decimal == "," and (_COMMA.fullmatch(text) or _THOUSANDS.fullmatch(text)):
        text = text.replace(".", "").replace(",", ".")
    found = float(text) if _NUMBER.fullmatch(text) else math.nan
    return found if math.isfinite(found) else math.nan


def _is_number(cell: str, decimal: str) -> bool:
    return not math.isnan(_number(cell, decimal))


def _numbers(cells: Sequence[str], decimal: str) -> array[float]:
    """The numbers of cells, NaN where none stands."""
    if decimal == "." and "_" not in "".join(cells):
        with contextlib.suppress(ValueError):
            found = array("d", map(float, cells))
            if math.isfinite(sum(found)):
                return found
    return array("d", (_number(cell, decimal) for cell in cells))


class _Look:
    """What has been seen of a column."""

    def __init__(self, decimal: str):
        self.decimal, self.numbers, self.missing, self.whole = decimal, 0, 0, True
        self.texts, self.first = 0, (0, "")  # of which the first, and its row
        self.seen: set[str] | None = set()

    def take(self, cells: Sequence[str], place: int) -> None:
        """See some more cells."""
        if self.seen is not None:
            self.seen.update(cells)
            self.seen = self.seen if len(self.seen) <= _MANY else None
        found = _numbers(cells, self.decimal)
        numbers = [value for value in found if value == value]
        self.numbers += len(numbers)
        self.whole = self.whole and all(map(float.is_integer, numbers))
        if len(numbers) < len(cells):
            rest = [(row, cell.strip()) for row, (cell, value) in enumerate(zip(cells, found, strict=True), place) if value != value]
            texts = [(row, text) for row, text in rest if text.lower() not in _MISSING]
            self.first = self.first if self.texts or not texts else texts[0]
            self.texts += len(texts)
            self.missing += len(rest) - len(texts)

    def column(self, name: str, rows: int) -> Column:
        """What the column is, now that all is seen."""
        filled = self.numbers + self.texts
        values = sorted({value.strip() for value in self.seen or () if value.strip().lower() not in _MISSING})
        if not filled:
            return Column(name, "empty", [], self.missing, "Nothing stands in the column.", "leave it out")
        if not self.texts:
            few = self.whole and self.seen is not None and len(values) <= 20
            return Column(name, "number", sorted(values, key=lambda text: _number(text, self.decimal)) if few else [], self.missing)
        if self.numbers and self.texts <= max(1, filled // 10):
            fact = f"Row {self.first[0]} of the column '{name}' has the text {clean(self.first[1], 40)!r} among numbers."
            return Column(name, "number", [], self.missing, fact, "put a number there, or leave the cell empty; or leave the column out")
        if self.seen is None or len(values) > min(200, max(20, rows // 2)):
            return Column(name, "text", [], self.missing)
        return Column(name, "category", values, self.missing)


def _parts(groups: Any, count: int, test: float, seed: int) -> tuple[Any, Any]:
    """The rows for training and those for the test, each in a drawn order; of classes, both have equal shares.

    Args:
        groups: The class of each row, or None.
        count: How many rows there are.
        test: The share that is held out.
        seed: The seed of the order.
    """
    import numpy as np

    from keraunos.datasets.made import drawn

    if count < 2:
        raise DataError("There is one sample: none would be left for the test.", where="test", fix="add samples")
    generator, held = drawn(count, 0.0, test, seed)
    order = generator.permutation(count)
    if groups is None:
        return order[:-held], order[-held:]
    is_test = np.zeros(count, bool)
    for label in np.unique(groups):
        rows = order[groups[order] == label]
        is_test[rows[: min(round(len(rows) * test), len(rows) - 1)]] = True
    if not is_test.any():
        fact = f"No class has enough samples for one of them to be held out: the largest has {np.bincount(groups).max()}."
        raise DataError(fact, where="test", fix="add samples, or hold out a larger share: test=0.5")
    return order[~is_test[order]], order[is_test[order]]


class Task(NamedTuple):
    """What is learnt of a table.

    Args:
        x: The inputs of all rows: numbers, or texts.
        y: The classes of all rows, or numbers.
        classes: The names of the classes, or None.
        names: What each input of a row is.
    """

    x: Any
    y: Any
    classes: list[str] | None
    names: list[str]

    def split(self, test: float, seed: int) -> Split:
        """The rows for training and those for the test; numbers that are missing are the means of the training."""
        import numpy as np

        train, held = _parts(None if self.classes is None else self.y, len(self.y), test, seed)
        x = self.x
        if x.dtype.kind == "f" and np.isnan(x).any():
            known = ~np.isnan(x[train])
            means = np.where(known, x[train], 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
            x = np.where(np.isnan(x), means, x)
        x = x.astype("float32") if x.dtype.kind == "f" else x
        return (x[train], self.y[train]), (x[held], self.y[held])


def task_of(read: Table, target: str, columns: Sequence[str] | None = None, task: str | None = None, missing: str = "fill") -> Task:
    """What is to be learnt of a table, as `table` says it.

    Raises:
        DataError: The columns cannot be used so.
    """
    import numpy as np

    one_of("missing", missing, ("fill", "drop"))
    one_of("task", task or "classes", ("classes", "number"))
    goal = read.column(target)
    names = read.inputs(target) if columns is None else list(columns)
    inputs = [read.column(name) for name in names]
    if not names or target in names:
        fact = f"The column '{target}' is to be learnt, and to be learnt from." if target in names else "There is no column to learn from."
        raise DataError(fact, where="columns", fix="choose other columns to learn from")
    if problem := next((column for column in (goal, *inputs) if column.problem), None):
        raise DataError(problem.problem or "", fix=problem.fix)
    texts = [column.name for column in inputs if column.kind == "text"]
    if texts and len(names) > 1:
        fix = "leave it out, or choose it alone: then words are learnt from"
        raise DataError(f"The column '{texts[0]}' holds a text of its own in most rows.", where="columns", fix=fix)
    few = 1 < len(goal.values) <= min(10, read.rows // 2)
    classes = goal.kind != "number" or (task or ("classes" if few else "number")) == "classes"
    other = "choose another column to be learnt"
    if classes and not goal.values:
        fix = other + ("" if goal.kind == "text" else ", or task='number'")
        raise DataError(f"The column '{target}' has too many different values to be classes.", where="target", fix=fix)
    if classes and len(goal.values) < 2:
        raise DataError(f"The column '{target}' has one value only, {goal.values[0]!r}: there is nothing to tell apart.", where="target", fix=other)
    found = read.read([target, *names], texts)
    if classes and goal.kind == "number":
        known = {_number(value, read.decimal): number for number, value in enumerate(goal.values)}
        found[target] = np.array([known.get(value, -1) for value in found[target].tolist()], "int32")
    lacks = [np.isnan(cells) if cells.dtype.kind == "f" else cells == "" if cells.dtype.kind == "U" else cells < 0 for cells in found.values()]
    if missing == "drop":
        kept = np.flatnonzero(~np.any(lacks, axis=0))
    elif len(rows := np.flatnonzero(lacks[0])):
        more = "" if len(rows) == 1 else f", nor in {len(rows) - 1} other{'s' if len(rows) > 2 else ''}"
        fact = f"Nothing stands in row {rows[0] + 1 + read.header} of the column '{target}'{more}, and that is to be learnt."
        raise DataError(fact, where="target", fix="fill it in, or leave such rows out: missing='drop'")
    else:
        kept = np.arange(read.rows)
    if not len(kept):
        raise DataError("No row is complete.", where="missing", fix="choose fewer columns, or missing='fill'")
    y = found[target][kept]
    y, called = (_labels(y), goal.values) if classes else (y[:, None].astype("float32"), None)
    if texts:
        return Task(found[texts[0]][kept], y, called, texts)
    x, told = [], []
    for column in inputs:
        cells, numeric = found[column.name][kept, None], column.kind == "number"
        x.append(cells if numeric else (cells == np.arange(len(column.values))).astype("float64"))
        told += [column.name] if numeric else [f"{column.name}: {value}" for value in column.values]
    return Task(np.concatenate(x, axis=1), y, called, told)


def _labels(y: Any) -> Any:
    return y.astype("uint8" if y.max(initial=0) < 256 else "int32")


def table(
    path: str | os.PathLike[str],
    target: str | None = None,
    columns: Sequence[str] | None = None,
    task: str | None = None,
    missing: str = "fill",
    test: float = 0.3,
    seed: int = 0,
) -> Split:
    """A table in a CSV file, as arrays to learn one of its columns from others.

    The delimiter, the decimal mark, the encoding and whether there is a header are found. Columns of a few texts become a number, 0 or 1, for each
    text. One column of many texts can be learnt from as it is, for `TextVectorization`; what a text has beyond 500 letters is left out.

    Args:
        path: The file.
        target: The name of the column to be learnt. By default the one that is called "label", "class", "target", "species" or "category", else the
            last one with texts, else the last one. Columns without a name are "column 1", "column 2", …
        columns: The names of the columns to learn from; by default all others of numbers or of a few texts.
        task: "classes" or "number": by default texts are classes, and so are 2 to 10 different whole numbers that
            come again.
        missing: "fill": a number that is missing is the mean of the training, and a text that is missing is none of the others. "drop": rows in
            which something is missing are left out.
        test: The share of the rows that is held out; of classes, both parts have equal shares.
        seed: The seed of the order and of the split.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: x is `(rows, inputs)` as float32, or an array of strings; y holds the numbers of classes, in the
        order of their names, or is `(rows, 1)` as float32.

    Raises:
        DataError: The file is no table, or its columns cannot be used so; the message says which line, and what to do.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "flowers.csv")
    >>> _ = path.write_text("length;width;species\\n5,1;3,5;setosa\\n7,0;3,2;other\\n4,9;3,0;setosa\\n6,4;3,2;other\\n")
    >>> (x_train, y_train), (x_test, y_test) = table(path, test=0.5)
    >>> x_train.shape, sorted(y_train.tolist())
    ((2, 2), [0, 1])
    """
    read = Table(path)
    return task_of(read, read.target() if target is None else target, columns, task, missing).split(test, seed)


def arrays(path: str | os.PathLike[str], test: float = 0.3, seed: int = 0) -> Split:
    """Arrays in an NPZ file, as `numpy.savez` writes them.

    They are called "x_train", "y_train", "x_test" and "y_test", or "x" and "y", which are then split. Where there are several inputs, or several
    targets, each has its name at the end: "x_left" and "x_right", or "x_train_left", "x_test_left", … Nothing pickled is read.

    Args:
        path: The file.
        test: The share of the samples that is held out, where there are no arrays for the test.
        seed: The seed of the order and of the split.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: x as float32, of which whole numbers of 8 bits, as pictures have, are divided by 255; y holds the
        numbers of classes where it has whole numbers, else it is float32. Pictures without an axis for channels get one. Several inputs, or targets,
        are a dictionary by their names.

    Raises:
        DataError: The arrays do not go together.
        ModelFileError: The file is damaged, or holds what are no arrays of numbers.

    Example:

    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "points.npz")
    >>> np.savez(path, x=np.zeros((10, 2)), y=np.arange(10) % 2)
    >>> (x_train, y_train), (x_test, y_test) = arrays(path, test=0.2)
    >>> x_train.shape, sorted(y_test.tolist())
    ((8, 2), [0, 1])
    """
    given, goals = _in_file(pathlib.Path(path))
    xs = {name: [_inputs(x, one) for one, x in parts.items()] for name, parts in given.items()}
    first = {one: len(x) for one, x in zip(next(iter(given.values())), next(iter(xs.values())), strict=True)}
    for parts in (*given.values(), *goals.values()):
        for (one, values), (name, count) in zip(parts.items(), first.items(), strict=True):
            if values.shape[:1] != (count,):
                raise DataError(f"'{name}' has {count} samples, and '{one}' {[*values.shape, 'none'][0]}.", fix="give each sample one entry in every array")
        shapes = [values.shape for values in parts.values()]
        if len({shape[1:] for shape in shapes}) > 1:
            fact = "The samples of the training and of the test have different shapes."
            raise DataError(fact, where="x_test", received=", ".join(map(str, shapes)), fix="give both the same shape")
    ys = {name: _targets(list(parts.values())) for name, parts in goals.items()}
    rows: Any = (slice(None), slice(None))
    if len(first) == 1:
        count = next(iter(first.values()))
        rows = _parts(next((y for (y,) in ys.values() if y.dtype.kind in "ui"), None), count, test, seed)
    train, held = ((_alone(xs, part, rows[part]), _alone(ys, part, rows[part])) for part in (0, 1))
    return train, held


def _alone(arrays: dict[str, list[Any]], part: int, rows: Any) -> Any:
    """Rows of one part of arrays, by name, or the array itself where there is one."""
    found = {name: parts[part % len(parts)][rows] for name, parts in arrays.items()}
    return found if len(found) > 1 else next(iter(found.values()))


def _in_file(path: pathlib.Path) -> list[dict[str, dict[str, Any]]]:
    """The inputs and the targets in an NPZ file: by the name of each its arrays, for the training and for the test if there are both, as they are called."""
    import numpy as np

    from keraunos.saving import npz

    with npz.File(path) as file:
        places = [place.groups("") for place in map(_ARRAY.fullmatch, file.arrays) if place]
        parts = [part for part in ("train", "test") if {("x", part), ("y", part)} <= {place[:2] for place in places}]
        parts = parts if "train" in parts else [""]
        found = []
        for letter in "xy":
            names = [place[2] for place in places if place[:2] == (letter, parts[0])]
            wanted = {name: ["_".join(filter(None, (letter, part, name))) for part in parts] for name in (names if names and "" not in names else [""])}
            if lacking := [one for called in wanted.values() for one in called if one not in file.arrays]:
                there = ", ".join(f"'{clean(name, 40)}'" for name in sorted(file.arrays)[:8]) or "none"
                raise DataError(f"The file has no array '{lacking[0]}'.", received=f"arrays {there}", fix="numpy.savez('data.npz', x=x, y=y)")
            found.append({name: {one: np.asarray(file.arrays[one]) for one in called} for name, called in wanted.items()})
        return found


def _inputs(x: Any, name: str) -> Any:
    import numpy as np

    if x.ndim < 1 or not x.size or x.dtype.kind not in "biuf":
        fix = "an array of numbers whose first axis is that of the samples"
        raise DataError(f"'{name}' holds no samples.", received=f"{x.dtype}, of shape {x.shape}", fix=fix)
    small = x.dtype == np.uint8
    x = x.reshape(len(x), -1) if x.ndim == 1 else x[..., None] if x.ndim == 3 and small else x
    x = x.astype("float32") / (255 if small else 1)
    if not np.isfinite(x).all():
        fact = f"Sample {np.argwhere(~np.isfinite(x))[0][0]} of '{name}' is not finite: it has NaN or an infinite number."
        raise DataError(fact, fix=f"leave it out, or put numbers there: numpy.nan_to_num({name})")
    return x


def _targets(ys: list[Any]) -> list[Any]:
    """Labels as numbers of classes, or numbers."""
    import numpy as np

    if all(y.dtype.kind in "biu" and y.size == len(y) for y in ys):
        labels = [y.reshape(-1).astype("int64") for y in ys]
        found = np.unique(np.concatenate(labels))
        if found[0] < 0 or found[-1] >= _MANY:
            fact = f"Whole numbers are labels of classes; these are from {found[0]} to {found[-1]}."
            raise DataError(fact, where="y", fix="number the classes from 0, or make them numbers: y.astype('float32')")
        if len(found) < 2:
            raise DataError("All samples have the same label: there is nothing to tell apart.", where="y", fix="add samples of another class")
        return [_labels(y) for y in labels]
    if any(y.dtype.kind not in "biuf" for y in ys) or not all(np.isfinite(y).all() for y in ys):
        raise DataError("What is to be learnt are no finite numbers.", where="y", fix="labels of classes as whole numbers from 0, or numbers")
    return [y.reshape(len(y), -1).astype("float32") for y in ys]


def pictures(path: str | os.PathLike[str], size: int = 32, color: str = "rgb", test: float = 0.3, seed: int = 0) -> Split:
    """The pictures in a folder, which has one folder for each class.

    Args:
        path: The folder.
        size: The height and width to which pictures are resized; their middle is cut out.
        color: "rgb" or "grayscale".
        test: The share of the pictures that is held out; of each class the same.
        seed: The seed of the order and of the split.

    Returns:
        `((x_train, y_train), (x_test, y_test))`: pictures `(n, size, size, channels)` between 0 and 1 as float32, and the numbers of the folders in
        the order of their names.

    Raises:
        DataError: There are no pictures, one cannot be read, or there is one class.

    Example:

    >>> import keraunos as keras, numpy as np, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cats", "dogs"):
    ...     (folder / name).mkdir()
    ...     for number in range(4):
    ...         keras.utils.save_img(folder / name / f"{number}.png", np.zeros((12, 16, 3)))
    >>> (x_train, y_train), (x_test, y_test) = pictures(folder, size=8, test=0.5)
    >>> x_train.shape, sorted(y_test.tolist())
    ((4, 8, 8, 3), [0, 0, 1, 1])
    """
    import numpy as np

    from keraunos.data.folders import image_dataset_from_directory

    options: dict[str, Any] = {"image_size": (size, size), "color_mode": one_of("color", color, ("rgb", "grayscale")), "crop_to_aspect_ratio": True}
    found = image_dataset_from_directory(path, shuffle=False, verbose=False, data_format="channels_last", **options)
    if len(found.class_names or ()) < 2:
        raise DataError("The pictures are of one class: there is nothing to tell apart.", where=str(path), fix="put them in a folder for each class")
    batches = [found[number] for number in range(len(found))]
    x = np.concatenate([np.asarray(pixels, "float32") for pixels, _ in batches]) / np.float32(255)
    y = _labels(np.concatenate([labels for _, labels in batches]))
    train, held = _parts(y, len(y), test, seed)
    return (x[train], y[train]), (x[held], y[held])

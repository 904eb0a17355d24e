"""Tables, arrays and pictures from files: what is found of them, and what is said of those that cannot be used."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import keraunos as keras
from keraunos.core.errors import DataError, KeraunosError
from keraunos.datasets import files
from keraunos.datasets.files import Table

ROWS = [(round(i * 0.1, 1), (i * 7) % 5, "abc"[i % 3]) for i in range(30)]
TEXT = "x,y,kind\n" + "".join(f"{a},{b},{c}\n" for a, b, c in ROWS)


@pytest.fixture
def put(tmp_path):
    """A file with a content, by its path."""

    def made(content, name="table.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return made


def all_of(split):
    (x, y), (x_test, y_test) = split
    return np.concatenate([x, x_test]), np.concatenate([y, y_test])


@pytest.mark.parametrize(
    "content",
    [
        TEXT,
        "\ufeff" + TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(",", ";").replace(".", ","),
        TEXT.replace(",", "\t"),
        TEXT.replace(",", " | "),
        "\n\n" + TEXT.replace("\n", "\n\n", 3),
        TEXT.replace("abc"[0] + "\n", '"a"\n'),
        TEXT.replace(",", ", "),
    ],
)
def test_tables_are_read_however_they_are_written(put, content):
    table = Table(put(content))
    assert [(column.name, column.kind) for column in table.columns] == [("x", "number"), ("y", "number"), ("kind", "category")]
    x, y = all_of(files.table(put(content), target="kind"))
    assert sorted(zip(x[:, 0].round(1).tolist(), x[:, 1].tolist(), y.tolist(), strict=True)) == sorted(
        (np.float32(a).round(1).item(), float(b), "abc".index(c)) for a, b, c in ROWS
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_letters_are_read_in_the_encodings_that_spreadsheets_write(put, encoding):
    table = Table(put(TEXT.replace("a\n", "ä\n"), encoding=encoding))
    assert table.column("kind").values == ["b", "c", "ä"]


def test_without_a_header_columns_are_numbered(put):
    table = Table(put(TEXT.partition("\n")[2]))
    assert (table.header, table.names, table.rows) == (False, ["column 1", "column 2", "column 3"], 30)


def test_texts_that_come_again_are_no_header(put):
    assert not Table(put("ham\tsee you at six\nspam\twin a phone\nham\tcall me\n")).header
    assert Table(put("kind\ttext\nham\tsee you at six\nspam\twin a phone\n")).header


def test_columns_of_the_same_name_are_numbered(put):
    assert Table(put(TEXT.replace("x,y", "x,x"))).names == ["x", "x (2)", "kind"]
    assert Table(put("a,a,a (2),\n1,2,3,x\n2,3,4,y\n")).names == ["a", "a (2)", "a (2) (2)", "column 4"]


def test_quoted_cells_may_have_all_marks_in_them(put):
    table = Table(put('x,kind\n1,"a, ""b""\nc"\n2,d\n'))
    assert table.column("kind").values == ['a, "b"\nc', "d"]


@pytest.mark.parametrize(
    ("content", "fact", "fix"),
    [
        (b"", "The file is empty.", "rows"),
        ("\n \n", "The file is empty.", "rows"),
        ("x,y,kind\n", "a header and no rows", "add rows"),
        (bytes(range(256)) * 20, "holds no text", "CSV"),
        (b"PK\3\4" + bytes(200), "holds no text", "spreadsheet"),
        (TEXT + "1,2\n", "Line 32 has 2 cells; the header has 3.", "give line 32 3 cells"),
        (TEXT + "1,2,a,4\n", "Line 32 has 4 cells; the header has 3.", "comma"),
        (TEXT + "1,2,a\n".replace(",", ";"), "Line 32 has 1 cell; ", "give line 32"),
        ('x,y\n1,"a\n2,b\n', "opened in line 2 and never closed", "close it"),
        ('x,y\n1,"a"b\n2,b\n', "Line 2 has a quotation mark out of place", "twice"),
    ],
)
def test_what_is_no_table_is_told_with_a_remedy(put, content, fact, fix):
    with pytest.raises(DataError) as caught:
        Table(put(content))
    assert fact in caught.value.fact
    assert fix in caught.value.fix


def test_more_rows_or_columns_than_are_taken_are_refused(put):
    with pytest.raises(DataError, match="more than 20 rows"):
        Table(put(TEXT), rows=20)
    with pytest.raises(DataError, match="3 columns; at most 2 are taken"):
        Table(put(TEXT), columns=2)


def test_text_in_a_number_column_is_named_by_row_and_column(put):
    path = put(TEXT + "abc,1,a\n")
    with pytest.raises(DataError, match="Row 32 of the column 'x' has the text 'abc' among numbers") as caught:
        files.table(path, target="kind", columns=["x", "y"])
    assert "leave the column out" in caught.value.fix
    (x, _), _ = files.table(path, target="kind")  # by default, only columns that can be used are learnt from
    assert x.shape[1] == 1


@pytest.mark.parametrize("cell", ["inf", "1_000", "1e999", "0x10", "12%"])
def test_only_finite_numbers_as_people_write_them_are_numbers(put, cell):
    assert Table(put(TEXT + f"{cell},1,a\n")).column("x").problem


def test_a_missing_label_is_named_or_its_row_left_out(put):
    path = put(TEXT + "1,2,\n3,4,\n")
    with pytest.raises(DataError, match="row 32 of the column 'kind', nor in 1 other") as caught:
        files.table(path, target="kind")
    assert "missing='drop'" in caught.value.fix
    assert len(all_of(files.table(path, target="kind", missing="drop"))[1]) == 30


@pytest.mark.parametrize("nothing", ["", "NA", "nan", "-", "?", "null"])
def test_missing_numbers_are_the_means_of_the_training(put, nothing):
    path = put("x,kind\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20)) + f"{nothing},a\n")
    table = Table(path)
    assert table.column("x").missing == 1
    (x, _), (x_test, _) = files.table(path, target="kind", seed=3)
    odd = [value for value in np.concatenate([x, x_test])[:, 0].tolist() if value != int(value) or np.count_nonzero(np.concatenate([x, x_test]) == value) > 1]
    known = x[:, 0][~np.isin(x[:, 0], odd)] if odd else x[:, 0]
    assert np.isfinite(x).all() and math.isclose(known.mean(), odd[0] if odd else x[:, 0].mean(), rel_tol=0.2)
    assert len(all_of(files.table(path, target="kind", missing="drop"))[1]) == 20


def test_texts_to_learn_from_become_a_number_each(put):
    (x, _), _ = files.table(put(TEXT), target="y")
    assert x.shape[1] == 4
    assert np.array_equal(x[:, 1:].sum(axis=1), np.ones(len(x)))


def test_few_whole_numbers_are_classes_and_others_numbers(put):
    path = put(TEXT)
    assert sorted(set(all_of(files.table(path, target="y"))[1].tolist())) == [0, 1, 2, 3, 4]
    assert all_of(files.table(path, target="x"))[1].shape == (30, 1)
    assert all_of(files.table(path, target="y", task="number"))[1].dtype == np.float32
    with pytest.raises(DataError, match="too many different values to be classes"):
        files.table(put("a,b\n" + "".join(f"{i / 7},{i}\n" for i in range(40))), target="a", task="classes")


def test_one_column_of_many_texts_is_learnt_from_as_it_is(put):
    path = put("text,label\n" + "".join(f"message number {i} {'x' * 600},{'ham' if i % 2 else 'spam'}\n" for i in range(60)))
    (x, y), _ = files.table(path)
    assert x.dtype.kind == "U" and len(x[0]) == 500 and set(y.tolist()) == {0, 1}
    more = put("text,n,label\n" + "".join(f"message number {i},{i / 3},{'ham' if i % 2 else 'spam'}\n" for i in range(60)))
    with pytest.raises(DataError, match="a text of its own in most rows"):
        files.table(more, columns=["text", "n"])
    assert files.table(more)[0][0].shape[1] == 1


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        ({"target": "knd"}, "no column 'knd'"),
        ({"target": "kind", "columns": ["x", "z"]}, "no column 'z'"),
        ({"target": "kind", "columns": ["x", "kind"]}, "to be learnt, and to be learnt from"),
        ({"target": "kind", "columns": []}, "no column to learn from"),
        ({"target": "same"}, "has one value only, 's'"),
        ({"target": "nothing"}, "Nothing stands in the column"),
        ({"target": "kind", "missing": "guess"}, "missing cannot be 'guess'"),
        ({"target": "kind", "task": "both"}, "task cannot be 'both'"),
        ({"target": "kind", "test": 1}, "test cannot be 1"),
        ({"target": "kind", "seed": -1}, "seed cannot be -1"),
    ],
)
def test_choices_that_cannot_be_used_are_told(put, options, fact):
    lines = TEXT.splitlines()
    path = put("\n".join([lines[0] + ",same,nothing", *(line + ",s," for line in lines[1:])]))
    with pytest.raises(KeraunosError) as caught:
        files.table(path, **options)
    assert fact in caught.value.fact and caught.value.fix


def test_a_class_with_one_row_is_for_training(put):
    (_, y), (_, y_test) = files.table(put(TEXT + "1,2,lonely\n"), target="kind")
    assert 3 in y and 3 not in y_test
    with pytest.raises(DataError, match="No class has enough samples"):
        files.table(put("x,y,kind\n1,2,a\n3,4,b\n"), target="kind")


def test_both_parts_have_equal_shares_of_classes(put):
    _, (_, y) = files.table(put(TEXT), target="kind", test=0.2)
    assert np.bincount(y).tolist() == [2, 2, 2]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"There is no file 'a\.csv'"):
        files.table(tmp_path / "a.csv")


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    width=st.integers(2, 5),
    data=st.data(),
    delimiter=st.sampled_from(",;\t|"),
)
def test_whatever_cells_there_are_come_out_as_they_went_in_or_are_told(put, width, data, delimiter):
    rows = data.draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=8))
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([[f"n{i}" for i in range(width)], *rows])
    kept = [row for row in rows if any(cell.strip() for cell in row)]
    try:
        table = Table(put(text.getvalue()))
    except DataError as error:
        assert error.fix
        assert not kept or any(ord(letter) < 32 for row in rows for cell in row for letter in cell)
        return
    if table.delimiter == delimiter and table.header:
        found = [row for _, block in table.blocks() for row in zip(*block, strict=True)]
        assert [[cell.strip() for cell in row] for row in found] == [[cell.strip() for cell in row] for row in kept]


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.one_of(st.binary(max_size=300), st.text("ab1,;.\"'\n\r\t -é", max_size=200).map(str.encode)))
def test_whatever_bytes_a_file_has_an_error_is_told_with_a_remedy(put, content):
    try:
        files.table(put(content))
    except KeraunosError as error:
        assert error.fix and "\n" not in error.fact


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(numbers=st.lists(st.floats(-1e30, 1e30), min_size=4, max_size=30), comma=st.booleans())
def test_numbers_come_out_as_they_went_in(put, numbers, comma):
    written = [repr(number).replace(".", ",") if comma else repr(number) for number in numbers]
    table = Table(put("a;b\n" + "".join(f"{number};{'uv'[i % 2]}\n" for i, number in enumerate(written))))
    if comma == (table.decimal == ","):
        assert table.read(["a"])["a"].tolist() == numbers


# ---- arrays ----
def npz(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def test_arrays_are_split_or_taken_as_they_are(tmp_path):
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 4
    (x_train, y_train), (x_test, _) = files.arrays(npz(tmp_path, x=x, y=y), test=0.25)
    assert (x_train.shape, y_train.shape, x_test.shape) == ((16, 2), (16,), (4, 2))
    assert all((row[0] / 2) % 4 == label for row, label in zip(x_train, y_train, strict=True))
    split = files.arrays(npz(tmp_path, x_train=x, y_train=y[:, None], x_test=x[:5], y_test=y[:5, None]))
    assert np.array_equal(split[0][1], y) and len(split[1][0]) == 5
    (_, y_train), _ = files.arrays(npz(tmp_path, x_train=x, y_train=y / 3))
    assert (y_train.dtype, y_train.shape) == (np.float32, (14, 1))


def test_several_inputs_and_targets_are_dictionaries_by_their_names(tmp_path):
    left, right = np.arange(40.0).reshape(20, 2), np.arange(60.0).reshape(20, 3)
    named = {"x_left": left, "x_right": right, "y_class": np.arange(20) % 4, "y_sum": left[:, 0] + right[:, 0]}
    (x, y), (x_test, y_test) = files.arrays(npz(tmp_path, **named), test=0.25)
    assert (list(x), list(y), len(x_test["right"])) == (["left", "right"], ["class", "sum"], 4)
    assert np.array_equal(x["left"][:, :1] + x["right"][:, :1], y["sum"]) and sorted(y_test["class"].tolist()) == [0, 1, 2, 3]
    parts = {f"{name[:2]}{part}{name[1:]}": array[:rows] for name, array in named.items() for part, rows in (("train", 20), ("test", 5))}
    (x, y), (x_test, y_test) = files.arrays(npz(tmp_path, **parts))
    assert np.array_equal(x["right"], right) and np.array_equal(y_test["sum"][:, 0], named["y_sum"][:5])
    (x, y), _ = files.arrays(npz(tmp_path, x=left, x_mean=left, y_train=right, y_only=np.arange(20) % 2))
    assert x.shape[1:] == (2,) and y.dtype == "uint8"  # one is the array itself


def test_pictures_of_bytes_are_scaled_and_have_channels(tmp_path):
    (x, _), _ = files.arrays(npz(tmp_path, x=np.full((10, 4, 4), 255, "uint8"), y=np.arange(10) % 2))
    assert x.shape[1:] == (4, 4, 1) and x.max() == 1


@pytest.mark.parametrize(
    ("arrays", "fact"),
    [
        ({"a": np.zeros((4, 2)), "b": np.zeros(4)}, "no array 'x'"),
        ({"x": np.zeros((4, 2)), "y": np.zeros(5)}, "'x' has 4 samples, and 'y' 5"),
        ({"x": np.array([[1.0, np.nan]] * 4), "y": np.arange(4)}, "Sample 0 of 'x' is not finite"),
        ({"x": np.zeros((4, 2)), "y": np.arange(4) - 1}, "these are from -1 to 2"),
        ({"x": np.zeros((4, 2)), "y": np.zeros(4, int)}, "the same label"),
        ({"x": np.zeros((4, 2)), "y": np.array([0.5, np.inf, 1, 2])}, "no finite numbers"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "holds no samples"),
        ({"x": np.zeros((4, 2)), "y": np.float32(1)}, "'x' has 4 samples, and 'y' none"),
        ({"x_train": np.zeros((4, 2)), "y_train": np.arange(4), "x_test": np.zeros((4, 3)), "y_test": np.arange(4)}, "different shapes"),
        ({"x": np.zeros((4, 2)), "y": np.array(["a", "b", "a", "b"])}, "no array of numbers"),
        ({"x_a": np.zeros((4, 2)), "x_b": np.zeros((5, 2)), "y": np.arange(4)}, "'x_a' has 4 samples, and 'x_b' 5"),
        ({"x_train_a": np.zeros((4, 2)), "x_test": np.zeros((4, 2)), "y_train": np.arange(4), "y_test": np.arange(4)}, "no array 'x_test_a'"),
        ({"x_A": np.zeros((4, 2)), "y": np.arange(4)}, "no array 'x'"),
    ],
)
def test_arrays_that_do_not_go_together_are_told(tmp_path, arrays, fact):
    with pytest.raises(KeraunosError) as caught:
        files.arrays(npz(tmp_path, **arrays))
    assert fact in str(caught.value) and caught.value.fix


def test_nothing_pickled_is_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was read",))

    np.savez(tmp_path / "a.npz", x=np.array([Bomb()], dtype=object), y=np.zeros(1), allow_pickle=True)
    with pytest.raises(KeraunosError, match="pickled objects are not read"):
        files.arrays(tmp_path / "a.npz")


# ---- pictures ----
def test_pictures_lie_in_a_folder_for_each_class(tmp_path):
    for shade, name in enumerate(("black", "white")):
        (tmp_path / name).mkdir()
        for number in range(5):
            keras.utils.save_img(tmp_path / name / f"{number}.png", np.full((6, 9, 3), 255.0 * shade), scale=False)
    (x, y), (x_test, y_test) = files.pictures(tmp_path, size=4, color="grayscale", test=0.4)
    assert (x.shape, x_test.shape) == ((6, 4, 4, 1), (4, 4, 4, 1))
    assert np.array_equal(x.mean(axis=(1, 2, 3)).round(), y) and sorted(y_test.tolist()) == [0, 0, 1, 1]


def test_pictures_of_one_class_are_told(tmp_path):
    (tmp_path / "only").mkdir()
    keras.utils.save_img(tmp_path / "only" / "0.png", np.zeros((4, 4, 3)))
    with pytest.raises(DataError, match="of one class"):
        files.pictures(tmp_path)

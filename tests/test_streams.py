"""Data of other libraries, data that is read ahead by a thread, data that is never read as a whole, and streams that go wrong."""

from __future__ import annotations

import functools
import gc
import itertools
import pathlib
import threading
import time
import warnings
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import scipy.sparse

import keraunos as keras
from keraunos import layers
from keraunos.core.errors import DataError, ShapeError
from keraunos.data import adapters, ahead, rows
from keraunos.training import loops
from tests.conftest import TRAINING

pytestmark = pytest.mark.xdist_group("streams")  # what engines compile for one test they have for the others
SIZE = 4  # three whole batches and one of two
A = np.random.default_rng(0).normal(size=(14, 3)).astype("float32")
A[A < -1] = 0
Y = A.sum(1, keepdims=True) ** 2
PAIRS = list(zip(A, Y, strict=True))
COLUMNS = {"a": A[:, 0], "b": A[:, 1], "c": A[:, 2]}


def model(engine: str = "torch", **options: Any) -> Any:
    with keras.config.backend_scope(engine):
        keras.utils.set_random_seed(0)
        made = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        made.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=engine != "pytensor", **options)  # which compiles each step anew otherwise
        return made


def batches(x: Any = A, y: Any = Y) -> Any:
    return ((x[i : i + SIZE], y[i : i + SIZE]) for i in range(0, 14, SIZE))


# ---- what the libraries have: the arguments of `fit` for the same 14 samples in the same order ----
def torch_data(kind: str) -> Any:
    import torch
    from torch.utils import data

    class Samples(data.IterableDataset):
        def __iter__(self) -> Any:
            return iter(PAIRS)

    class Whole(data.IterableDataset):
        def __iter__(self) -> Any:
            return batches(torch.from_numpy(A), torch.from_numpy(Y))

    tensors = data.TensorDataset(torch.from_numpy(A), torch.from_numpy(Y))
    return {"loader": data.DataLoader(tensors, SIZE), "stream": data.DataLoader(Samples(), SIZE), "batches": Whole(), "samples": tensors}[kind]


def torch_tensor(sparse: bool = False) -> Any:
    import torch

    return torch.from_numpy(A).to_sparse() if sparse else torch.from_numpy(A)


def tensorflow(kind: str) -> Any:
    import tensorflow as tf

    data = tf.data.Dataset.from_tensor_slices((A, Y))
    return {
        "tensor": lambda: tf.constant(A), "variable": lambda: tf.Variable(A), "sparse": lambda: tf.sparse.from_dense(A),
        "ragged": lambda: tf.RaggedTensor.from_tensor(A), "data": lambda: data.batch(SIZE), "unknown": lambda: data.filter(lambda x, y: True).batch(SIZE),
        "endless": lambda: data.batch(SIZE).repeat(),
    }[kind]()  # fmt: skip


def jax_array(sparse: bool = False) -> Any:
    import jax.experimental.sparse

    return jax.experimental.sparse.BCOO.fromdense(A) if sparse else jax.numpy.asarray(A)


def grain(kind: str) -> Any:
    import grain

    data = grain.MapDataset.source(PAIRS)
    if kind == "loader":
        sampler = grain.samplers.IndexSampler(14, shard_options=grain.sharding.NoSharding(), num_epochs=1)
        return grain.DataLoader(data_source=PAIRS, sampler=sampler, operations=[grain.transforms.Batch(SIZE)])
    return {"map": data.batch(SIZE), "iterated": data.to_iter_dataset().batch(SIZE), "endless": data.batch(SIZE).repeat()}[kind]


def hugging_face(form: str | None = None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

    return datasets.Dataset.from_dict({"x": A.tolist(), "y": Y.tolist()}).with_format(form)


def arrays(x: Any, y: Any = Y) -> dict[str, Any]:
    return {"x": x, "y": y, "batch_size": SIZE}


def read_only() -> Any:
    x = A.copy()
    x.flags.writeable = False
    return x


class Counted:
    """Batches in a data set of the user's own."""

    def __iter__(self) -> Any:
        return batches()


FORMS = {
    "read-only": lambda: arrays(read_only()),
    "reversed twice": lambda: arrays(np.ascontiguousarray(A[::-1])[::-1]),
    "a tensor of PyTorch": lambda: arrays(torch_tensor()),
    "a tensor of PyTorch with gradients": lambda: arrays(torch_tensor().requires_grad_()),
    "a sparse tensor of PyTorch": lambda: arrays(torch_tensor(sparse=True)),
    "a tensor of TensorFlow": lambda: arrays(tensorflow("tensor")),
    "a variable of TensorFlow": lambda: arrays(tensorflow("variable")),
    "a sparse tensor of TensorFlow": lambda: arrays(tensorflow("sparse")),
    "an even ragged tensor": lambda: arrays(tensorflow("ragged")),
    "an array of JAX": lambda: arrays(jax_array()),
    "a sparse array of JAX": lambda: arrays(jax_array(sparse=True)),
    "pandas": lambda: arrays(pandas.DataFrame(COLUMNS), pandas.Series(Y[:, 0])),
    "pandas, nullable": lambda: arrays(pandas.DataFrame(COLUMNS).astype("Float32"), pandas.DataFrame(Y)),
    "pandas, mixed": lambda: arrays(pandas.DataFrame(COLUMNS).astype({"a": "float64", "b": "float[pyarrow]"})),
    "polars": lambda: arrays(polars.DataFrame(COLUMNS), polars.Series(Y[:, 0])),
    "polars, mixed": lambda: arrays(polars.DataFrame({**COLUMNS, "a": A[:, 0].astype("float64")})),
    "arrow": lambda: arrays(pyarrow.table(COLUMNS), pyarrow.array(Y[:, 0])),
    "arrow, in chunks": lambda: arrays(pyarrow.Table.from_batches([pyarrow.record_batch(COLUMNS)]), pyarrow.chunked_array([Y[:5, 0], Y[5:, 0]])),
    "arrow, lists of one size": lambda: arrays(pyarrow.FixedSizeListArray.from_arrays(A.reshape(-1), 3)),
    "csr": lambda: arrays(scipy.sparse.csr_matrix(A)),
    "csc": lambda: arrays(scipy.sparse.csc_array(A), scipy.sparse.coo_array(Y)),
    "columns of Hugging Face's": lambda: arrays(hugging_face()["x"], hugging_face()["y"]),
    "columns as tensors": lambda: arrays(hugging_face("torch")["x"], hugging_face("numpy")["y"]),
    "batches of frames": lambda: {"x": ((pandas.DataFrame(x), polars.DataFrame(y)) for x, y in batches()), "epochs": 1},
    "batches that are sparse": lambda: {"x": ((scipy.sparse.csr_array(x), [y]) for x, y in batches()), "epochs": 1},
    "batches of lists": lambda: {"x": ([x, y] for x, y in batches()), "epochs": 1},
    "batches with weights": lambda: {"x": ((x, y, np.ones(len(x))) for x, y in batches()), "epochs": 1},
    "a data set of the user's": lambda: {"x": Counted()},
    "DataLoader": lambda: {"x": torch_data("loader")},
    "DataLoader of a stream": lambda: {"x": torch_data("stream")},
    "IterableDataset of batches": lambda: {"x": torch_data("batches")},
    "tf.data": lambda: {"x": tensorflow("data")},
    "tf.data, of unknown length": lambda: {"x": tensorflow("unknown")},
    "tf.data, endless": lambda: {"x": tensorflow("endless"), "steps_per_epoch": 4},
    "grain.MapDataset": lambda: {"x": grain("map")},
    "grain.IterDataset": lambda: {"x": grain("iterated")},
    "grain.DataLoader": lambda: {"x": grain("loader")},
    "grain.MapDataset, endless": lambda: {"x": grain("endless"), "steps_per_epoch": 4},
}


@functools.cache
def wanted() -> list[float]:
    return model().fit(**arrays(A), epochs=2, shuffle=False, verbose=0).history["loss"]


FOREIGN = ("a tensor of PyTorch", "a sparse tensor of PyTorch", "a tensor of TensorFlow", "an array of JAX", "pandas, mixed", "csr", "tf.data", "DataLoader")


@pytest.mark.parametrize("form,engine", [(f, e) for f in FORMS for e in TRAINING if f in FOREIGN or e == TRAINING[0]])
def test_data_of_every_library_gives_the_same_run(form: str, engine: str) -> None:
    options = {"epochs": 2, **FORMS[form]()}
    data_set = "y" not in options
    found = model(engine).fit(**options, verbose=0, **({} if data_set else {"shuffle": False})).history["loss"]
    np.testing.assert_allclose(found, wanted()[: len(found)], rtol=1e-5)


def test_several_inputs_of_several_libraries() -> None:
    keras.utils.set_random_seed(0)
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    both = keras.Model([a, b], layers.Add()([a, b]))
    for x in ({"a": pandas.DataFrame(COLUMNS), "b": scipy.sparse.csr_array(A)}, [torch_tensor(), pyarrow.table(COLUMNS)], (jax_array(), hugging_face()["x"])):
        np.testing.assert_allclose(both.predict(x, batch_size=SIZE, verbose=0), 2 * A, rtol=1e-6)
    renamed = hugging_face().rename_columns({"x": "a"}).add_column("b", A.tolist()).remove_columns("y")
    np.testing.assert_allclose(both.predict(renamed, batch_size=SIZE, verbose=0), 2 * A, rtol=1e-6)


def frame(**columns: Any) -> dict[str, Any]:
    return arrays(pandas.DataFrame({**COLUMNS, **columns}))


REFUSED = {
    "a structured array": (lambda: arrays(np.zeros(14, [("a", "f4"), ("b", "f4")])), ["structured", "fields a, b"]),
    "dates": (lambda: arrays(A.astype("datetime64[s]")), ["dates"]),
    "masked": (lambda: arrays(np.ma.masked_less(A, 0)), ["missing values", "filled(0)"]),
    "a column of text": (lambda: frame(b=["u"] * 14), ["x['b'] holds text"]),
    "categories": (lambda: frame(c=pandas.Categorical(["u", "v"] * 7)), ["x['c'] holds categories", "x['c'].cat.codes"]),
    "missing integers": (lambda: frame(a=pandas.array([1, None] * 7, "Int64")), ["x['a'] has 7 missing values", "fillna"]),
    "a column of dates": (lambda: frame(a=pandas.date_range("2020", periods=14)), ["x['a'] holds dates"]),
    "nulls of Polars": (lambda: arrays(polars.DataFrame({**COLUMNS, "a": [1, None] * 7})), ["x['a'] has 7 missing values", "fill_null"]),
    "a plan of Polars": (lambda: arrays(polars.DataFrame(COLUMNS).lazy()), ["plan", "x.collect()"]),
    "a null of Arrow": (lambda: arrays(A, pyarrow.array([None, *range(13)])), ["y has 1 missing value.", "fill_null"]),
    "samples of PyTorch": (lambda: {"x": torch_data("samples")}, ["samples, not batches", "DataLoader"]),
    "tf.data without an end": (lambda: {"x": tensorflow("endless")}, ["has no end", "steps_per_epoch"]),
    "Grain without an end": (lambda: {"x": grain("endless")}, ["has no end", "steps_per_epoch"]),
    "a data set of columns": (lambda: {"x": hugging_face()}, ["y is None"]),
    "rows of unequal shapes": (lambda: arrays(hugging_face().map(lambda row, i: {"x": row["x"][: 1 + i % 2]}, with_indices=True)["x"]), ["unequal shapes"]),
    "an empty batch of a list": (lambda: {"x": iter([([A], Y), ([A[:0]], Y[:0])])}, ["no samples", "batch 2"]),
    "data sets in a dict": (lambda: {"x": {"train": hugging_face()}}, ["x['train'] is a data set", "by itself"]),
    "an empty batch": (lambda: {"x": iter([*batches(), (A[:0], Y[:0])])}, ["no samples", "batch 5"]),
    "another structure": (lambda: {"x": iter([*batches(), ({"a": A}, Y)])}, ["another structure", "batch 5", "{'a': *}"]),
    "a part that is missing later": (lambda: {"x": iter([*batches(), (A,)])}, ["another structure", "batch 5", "(*, None, None)"]),
    "text in a later batch": (lambda: {"x": iter([*batches(), (A, np.array(["a"] * 14))])}, ["y holds text", "batch 5"]),
    "a generator for two epochs": (lambda: {"x": batches(), "epochs": 2}, ["gone through once", "2 times", "steps_per_epoch"]),
    "a generator to validate twice": (lambda: {**arrays(A), "epochs": 2, "validation_data": batches()}, ["validation_data", "2 times", "validation_steps"]),
    "fewer batches than steps": (lambda: {"x": Counted(), "steps_per_epoch": 6}, ["ended after 4 of 6"]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_the_message_teaches(case: str) -> None:
    options, words = REFUSED[case]
    with pytest.raises(DataError) as caught:
        model().fit(**{"verbose": 0, **options()})
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_nothing_is_trained_before_a_second_pass_is_refused() -> None:
    made = model()
    before = made.get_weights()
    with pytest.raises(DataError, match="needed 3 times"):
        made.fit(A, Y, epochs=6, validation_data=batches(), validation_freq=2, verbose=0)
    np.testing.assert_array_equal(before[0], made.get_weights()[0])
    history = made.fit(A, Y, epochs=3, validation_data=batches(), validation_freq=3, verbose=0).history  # once is well
    assert len(history["val_loss"]) == 1


def test_an_error_in_a_step_names_the_batch() -> None:
    with pytest.raises(ShapeError) as caught:
        model().fit(iter([*batches(), (A[:4], Y[:3])]), verbose=0)
    assert "In batch 5 of the epoch." in caught.value.__notes__


# ---- where an epoch of `steps` begins ----
class Numbers:
    """Batches that say how often they were begun."""

    def __init__(self, count: int, wait: float = 0.0):
        self.count, self.wait, self.begun, self.read = count, wait, 0, 0

    def __iter__(self) -> Any:
        self.begun += 1
        for i in range(self.count):
            self.read += 1
            time.sleep(self.wait)
            yield np.full((2, 3), i, "float32"), np.zeros((2, 1), "float32")


def numbers(source: Any, epoch: int = 0) -> list[int]:
    return [int(x[0, 0]) for x, *_ in source.batches(epoch)]


def test_an_epoch_goes_on_where_the_last_one_ended() -> None:
    source = adapters.source(Numbers(3), steps=2)
    assert [numbers(source, epoch) for epoch in range(4)] == [[0, 1], [2, 0], [1, 2], [0, 1]]  # as repeated data does
    assert numbers(source, 0) == [0, 1]  # validation begins anew
    whole = adapters.source(Numbers(3))
    assert [numbers(whole, epoch) for epoch in range(2)] == [[0, 1, 2]] * 2


# ---- read ahead by a thread ----
@pytest.fixture
def threaded(monkeypatch: pytest.MonkeyPatch) -> Any:
    """All data is read by a thread, from the first batch on; none is left behind."""
    monkeypatch.setattr(ahead, "TRIALS", 0)
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "keraunos-data"]


@pytest.mark.parametrize("form", ["csr", "a data set of the user's", "tf.data", "batches of lists", "columns of Hugging Face's"])
@pytest.mark.parametrize("engine", TRAINING)
def test_reading_ahead_changes_nothing(threaded: None, engine: str, form: str) -> None:
    test_data_of_every_library_gives_the_same_run(form, engine)


def test_slow_data_is_read_ahead_and_quick_data_is_not() -> None:
    seen: list[set[str]] = []

    class Told(Numbers):
        def __iter__(self) -> Any:
            for batch in super().__iter__():
                seen[-1].add(threading.current_thread().name)
                yield batch

    for wait, names in ((0.0, {"MainThread"}), (2 * ahead.SLOW, {"MainThread", "keraunos-data"})):
        seen.append(set())
        model().fit(Told(8, wait), verbose=0)
        assert seen[-1] == names or wait == 0.0  # on a busy machine, quick data is slow too


def test_a_batch_that_is_read_is_not_lost(threaded: None) -> None:
    data = iter(Numbers(50))
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batch == 2 and setattr(made, "stop_training", True))
    made = model()
    made.fit(data, steps_per_epoch=10, epochs=2, callbacks=[stop], verbose=0)  # ends after 3 batches
    assert int(adapters.source(data, steps=1).head[0][0, 0]) == 3  # a look at the first is no use of it
    assert numbers(adapters.source(data, steps=4)) == [3, 4, 5, 6]
    with pytest.raises(ShapeError):  # a model that does not fit: nothing of the data is used
        keras.Sequential([keras.Input((7,)), layers.Dense(1)]).predict(data, steps=2, verbose=0)
    assert numbers(adapters.source(data, steps=2)) in ([7, 8], [8, 9])


def test_no_more_is_read_than_an_epoch_needs(threaded: None) -> None:
    data = Numbers(50)
    model().fit(iter(data), steps_per_epoch=4, epochs=2, verbose=0)
    assert data.read == 8


@pytest.mark.parametrize("error", [KeyError("no such picture"), KeyboardInterrupt()])
def test_what_the_data_raises_is_raised_by_fit(threaded: None, error: BaseException) -> None:
    def failing() -> Any:
        yield A[:4], Y[:4]
        yield A[:4], Y[:4]
        raise error

    with pytest.raises(type(error)) as caught:
        model().fit(failing(), verbose=0)
    assert any(entry.name == "failing" for entry in caught.traceback)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError()])
def test_what_stops_a_run_stops_its_thread(threaded: None, error: BaseException) -> None:
    def fail(batch: int, logs: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        model().fit(Numbers(50, 0.001), callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=fail)], verbose=0)


def test_a_thread_has_the_scope_of_the_run(threaded: None) -> None:
    seen = []

    class Told(Numbers):
        def __iter__(self) -> Any:
            for batch in super().__iter__():
                seen.append((threading.current_thread().name, keras.config.backend()))
                yield batch

    with keras.config.backend_scope("numpy"):
        made = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
        made.predict(Told(3), verbose=0)
    assert ("keraunos-data", "numpy") in seen and len({engine for _, engine in seen}) == 1


# ---- never the whole ----
def resident() -> int:
    """The memory of this process, in bytes."""
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_file_that_is_mapped_is_not_held_in_memory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    if not pathlib.Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc")
    for module, name, value in ((rows, "RESIDENT_BYTES", 1 << 22), (loops, "RESIDENT_BYTES", 1 << 22), (rows, "RELEASED_BYTES", 1 << 21)):
        monkeypatch.setattr(module, name, value)
    width, size = 4096, 1 << 27
    with open(tmp_path / "x.bin", "wb") as file:
        file.truncate(size)  # holes: nothing is written
    x: Any = np.memmap(tmp_path / "x.bin", dtype, "r", shape=(size // (width * np.dtype(dtype).itemsize), width))
    y = np.zeros((len(x), 1), "float32")
    with keras.config.backend_scope("torch"):
        made = keras.Sequential([keras.Input((width,)), layers.Dense(1)])
        made.compile("sgd", "mse")
        made.fit(x[:128], y[:128], batch_size=64, verbose=0)
        peak: list[int] = []
        watch = keras.callbacks.LambdaCallback(**{f"on_{kind}_batch_end": lambda *_: peak.append(resident()) for kind in ("train", "test", "predict")})
        gc.collect()
        before, options = resident(), {"batch_size": 64, "verbose": 0, "callbacks": [watch]}
        made.fit(x, y, validation_split=0.25, **options)
        made.fit(x, y, shuffle=False, **options)
        made.evaluate(x, y, **options)
        assert made.predict(x, **options).shape == (len(x), 1)
    assert len(peak) >= 4 * len(x) // 64 and max(peak) - before < size // 4


def test_pages_with_changes_of_the_user_are_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(rows, "RELEASED_BYTES", 0)
    np.zeros((14, 3), "float32").tofile(tmp_path / "x.bin")
    for mode in ("c", "r+"):
        x = np.memmap(tmp_path / "x.bin", "float32", mode, shape=(14, 3))
        x[:] = A
        source = adapters.source(x[2:].view(np.ndarray), batch_size=SIZE)
        for _ in range(2):
            np.testing.assert_array_equal(np.concatenate([x for x, *_ in source.batches(0)]), A[2:])


def test_a_sparse_matrix_is_made_dense_by_batches() -> None:
    wide = scipy.sparse.random_array((3000, 100_000), density=1e-6, format="coo", rng=np.random.default_rng(0))  # 2.4 GB, if it were dense
    source = adapters.source(wide, np.zeros(3000), batch_size=32, shuffle=True)
    (x, y, _), *_ = itertools.islice(source.batches(0), 2)
    assert x.shape == (32, 100_000) and x.dtype == "float32" and y.shape == (32,)
    np.testing.assert_array_equal(x, wide.tocsr()[source.order(0)[:32]].toarray().astype("float32"))
    (held, *_), (out, *_) = adapters.split((wide, None, None), 0.25)
    assert held.shape[0] == 2250 and out.shape == (750, 100_000)
    np.testing.assert_array_equal(out[5:7], wide.tocsr()[2255:2257].toarray().astype("float32"))


def test_rows_of_a_file_of_hdf5(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py

    monkeypatch.setattr(rows, "RESIDENT_BYTES", 0)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        x = file.create_dataset("x", data=A.astype("float64"))
        source = adapters.source(x, Y, batch_size=SIZE, shuffle=True)
        assert isinstance(source.data[0], rows.Rows)
        order = source.order(0)
        np.testing.assert_array_equal(np.concatenate([x for x, *_ in source.batches(0)]), A[order])
        np.testing.assert_array_equal(source.head[0], A[:SIZE])


def test_a_run_lets_go_of_its_data() -> None:
    import weakref

    made, x = model(), A.copy()
    mark = weakref.ref(x)
    made.fit(x, Y, verbose=0)
    del x
    gc.collect()
    assert mark() is None


# ---- the seed gives the same order on every engine, whatever gives the batches ----
class ByNumber(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        return A[index * SIZE :][:SIZE], Y[index * SIZE :][:SIZE]


SHUFFLED = {"resident": lambda: arrays(A), "streamed": lambda: arrays(scipy.sparse.csr_array(A)), "by number": lambda: {"x": ByNumber()}}


@pytest.mark.parametrize("path", SHUFFLED)
def test_the_seed_gives_the_order(path: str) -> None:
    def run(engine: str, seed: int) -> list[float]:
        made = model(engine)
        keras.utils.set_random_seed(seed)
        return made.fit(**SHUFFLED[path](), epochs=2, verbose=0).history["loss"]

    for engine in TRAINING:
        np.testing.assert_allclose(run(engine, 1), run(TRAINING[0], 1), rtol=1e-4)
    assert not np.allclose(run(TRAINING[0], 1), run(TRAINING[0], 2))
    if path == "streamed":
        np.testing.assert_allclose(run(TRAINING[0], 1), model_losses_resident(1), rtol=1e-5)


def model_losses_resident(seed: int) -> list[float]:
    made = model(TRAINING[0])
    keras.utils.set_random_seed(seed)
    return made.fit(**arrays(A), epochs=2, verbose=0).history["loss"]

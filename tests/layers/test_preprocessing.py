"""What layers that prepare data do beyond the contract: they adapt, run on the host in front of models, keep vocabularies in files, and say what is wrong."""

from __future__ import annotations

import json
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import keraunos
from keraunos import Input, Model, Sequential, layers, ops
from keraunos.core.config import backend_scope
from keraunos.core.errors import ArgumentError, ArgumentTypeError, BackendError, DataError, ModelFileError, ShapeError, StateError
from keraunos.core.fingerprints import fingerprints
from tests.conftest import BACKENDS, TRAINING

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")
pytestmark = pytest.mark.filterwarnings(
    "ignore:Explicitly requested dtype int64:UserWarning", "ignore:__array__ implementation doesn't accept:DeprecationWarning",  # in Keras
)  # fmt: skip

TEXTS = ["The sun, the Moon!", "moon  and\tSTARS", "", "Ünï-Çode's the\n sun", "sun sun"]
NUMBERS = [3, 1, 1, 7, 7, 5, 0, -1, 7]


def array(x: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(x))


# ---- hashes ----
@hypothesis.given(st.lists(st.binary(max_size=200), min_size=1, max_size=20))
@hypothesis.settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_fingerprints_of_many_are_those_of_one(texts: list[bytes]) -> None:
    for key in (None, (133, 2**63)):
        together = fingerprints(texts, key)
        assert together.tolist() == [fingerprints([text], key)[0] for text in texts]


def test_fingerprints_are_those_of_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    rng, buckets = np.random.default_rng(0), 2**62 - 57
    texts = [rng.bytes(n) for n in range(300)]
    assert (fingerprints(texts) % np.uint64(buckets)).tolist() == tf.strings.to_hash_bucket_fast(texts, buckets).numpy().tolist()
    strong = tf.strings.to_hash_bucket_strong(texts, buckets, [133, 137]).numpy().tolist()
    assert (fingerprints(texts, (133, 137)) % np.uint64(buckets)).tolist() == strong


def test_siphash_is_that_of_its_authors() -> None:
    key = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
    assert fingerprints([bytes(range(15))], key)[0] == 0xA129CA6149BE45E5  # the appendix of their paper


# ---- adapt ----
class Numbered:
    """A data set whose batches are found by number."""

    def __init__(self, values: list[Any]):
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Any:
        return self.values[index % len(self.values) :][:1]


def kinds(values: list[Any]) -> dict[str, Any]:
    """A column of data in every form in which users have one."""
    pandas, polars, arrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    text = isinstance(values[0], str)
    found = {
        "list": values, "array": np.array(values), "objects": np.array(values, object), "matrix": np.array(values)[:, None],
        "pandas": pandas.Series(values), "polars": polars.Series(values), "arrow": arrow.array(values), "chunks": arrow.chunked_array([values[:2], values[2:]]),
        "generator": (np.array(values[i : i + 2]) for i in range(0, len(values), 2)), "batches": Batches(values), "numbered": Numbered(values),
    }  # fmt: skip
    return {**found, "bytes": np.array([v.encode() for v in values])} if text else {**found, "tensor": ops.convert_to_tensor(values)}


class Batches:
    """A data set of batches of two."""

    def __init__(self, values: list[Any]):
        self.values = values

    def __iter__(self) -> Iterator[Any]:
        return (self.values[i : i + 2] for i in range(0, len(self.values), 2))


@pytest.mark.parametrize("make", [
    lambda module: module.TextVectorization(max_tokens=6), lambda module: module.TextVectorization(ngrams=2, split="whitespace"),
    lambda module: module.StringLookup(mask_token="", num_oov_indices=2), lambda module: module.TextVectorization(output_mode="tf_idf"),
])  # fmt: skip
def test_vocabularies_of_strings(make: Callable[[Any], Any]) -> None:
    theirs = make(keras.layers)
    theirs.adapt(np.array(TEXTS))
    for kind, data in kinds(TEXTS).items():
        layer = make(layers)
        layer.adapt(data)
        assert layer.get_vocabulary() == [str(token) for token in theirs.get_vocabulary()], kind
        assert layer.vocabulary_size() == theirs.vocabulary_size()
    x = np.array([*TEXTS, "Comets and Moon"])[:, None]
    np.testing.assert_allclose(array(layer(x)), np.asarray(theirs(x)), atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"mask_token": 0, "max_tokens": 5}, {"output_mode": "tf_idf"}])
def test_vocabularies_of_integers(options: dict[str, Any]) -> None:
    theirs = keras.layers.IntegerLookup(**options)
    theirs.adapt(np.array(NUMBERS))
    for kind, data in kinds(NUMBERS).items():
        layer = layers.IntegerLookup(**options)
        layer.adapt(data)
        assert layer.get_vocabulary() == [int(token) for token in theirs.get_vocabulary()], kind
    x = np.array([[7, 1, 99]])
    np.testing.assert_allclose(array(layer(x)), np.asarray(theirs(x)), atol=1e-6)


@pytest.mark.parametrize("axis", [-1, 1, None, (1, 2), 0])
def test_means_and_variances(axis: Any) -> None:
    x = np.random.default_rng(0).normal(3, 2, (6, 3, 4)).astype("float32")
    layer, parts, theirs = layers.Normalization(axis=axis), layers.Normalization(axis=axis), keras.layers.Normalization(axis=axis)
    layer.adapt(x)
    theirs.adapt(x)
    np.testing.assert_allclose(array(layer(x)), np.asarray(theirs(x)), atol=2e-5)
    if axis != 0:
        parts.adapt(x[i : i + 4] for i in range(0, 6, 4))
        np.testing.assert_allclose(array(parts(x)), array(layer(x)), atol=1e-5)
    again = layers.Normalization(axis=axis)
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_allclose(array(again(x)), array(layer(x)))


def test_normalization_of_columns() -> None:
    for kind, data in kinds([float(n) for n in NUMBERS]).items():
        layer = layers.Normalization(axis=None)
        layer.adapt(data)
        assert layer.adapt_mean.numpy() == pytest.approx(np.mean(NUMBERS)), kind
    frame = pytest.importorskip("pandas").DataFrame({"a": [1.0, 3.0], "b": [2.0, 2.0]})
    layer = layers.Normalization()
    layer.adapt(frame)
    assert array(layer(frame.to_numpy())).tolist() == [[-1.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("bins", [1, 2, 4, 10])
@pytest.mark.parametrize("epsilon", [0.01, 0.05, 0.3])
def test_boundaries(bins: int, epsilon: float) -> None:
    rng = np.random.default_rng(bins)
    for data in (rng.normal(size=1000), np.arange(100.0), rng.exponential(size=(237, 2)), np.array([1.0, 2.0])):
        layer, theirs = layers.Discretization(num_bins=bins, epsilon=epsilon), keras.layers.Discretization(num_bins=bins, epsilon=epsilon)
        layer.adapt(data)
        theirs.adapt(data)
        np.testing.assert_allclose(layer.bin_boundaries, list(theirs.bin_boundaries), rtol=1e-4, atol=1e-4)
    for part in range(5):
        layer.update_state(rng.normal(size=50 + part))
    layer.finalize_state()
    assert len(layer.bin_boundaries) <= bins


@pytest.mark.parametrize("engine", TRAINING)
def test_adapting_anew_is_seen_by_compiled_programs(engine: str) -> None:
    with backend_scope(engine):
        for layer in (layers.Discretization(num_bins=3), layers.Normalization()):
            layer.adapt(np.arange(9.0)[:, None])
            model = Sequential([Input((1,)), layer])
            for shift in (0, 100):
                layer.adapt(np.arange(9.0)[:, None] + shift)
                x = np.array([[5.0], [105.0]], "float32")
                assert model.predict(x, verbose=0).tolist() == array(layer(x)).tolist()


def test_adapting_anew_forgets() -> None:
    layer = layers.StringLookup()
    layer.adapt(["a", "b"])
    layer.adapt(["c"])
    assert layer.get_vocabulary() == ["[UNK]", "c"]
    layer.update_state(["d", "d"])
    layer.update_state(["e"])
    layer.finalize_state()
    assert layer.get_vocabulary() == ["[UNK]", "d", "e"]
    layer = layers.TextVectorization()
    layer.adapt((batch for batch in (["a"], ["b"], ["c"])), steps=2)
    assert layer.get_vocabulary(include_special_tokens=False) == ["b", "a"]


def test_long_adapting_shows_progress(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("keraunos.layers.preprocessing.PATIENCE", 0.0)
    monkeypatch.setattr("keraunos.training.progress.INTERVAL", 0.0)
    monkeypatch.setattr("keraunos.core.config.is_interactive_logging_enabled", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    layer = layers.TextVectorization()
    layer.adapt(TEXTS, batch_size=2)
    shown = capsys.readouterr().out
    assert "Adapt" in shown and "3/3" in shown


# ---- options ----
def test_weights_of_special_tokens() -> None:
    for vocabulary, weights in ((["[UNK]", "a", "b"], [5.0, 1.0, 2.0]), (["a", "b"], [1.0, 2.0])):
        ours, theirs = (module.StringLookup(vocabulary=vocabulary, idf_weights=weights, output_mode="tf_idf") for module in (layers, keras.layers))
        x = np.array([["z", "a"]])
        assert array(ours(x)).tolist() == np.asarray(theirs(x)).tolist()


def test_normalization_of_more_axes() -> None:
    """Data with more axes than the layer was adapted to broadcasts, from the last axis."""
    rng = np.random.default_rng(0)
    for size in (3, 4):
        ours, theirs = layers.Normalization(), keras.layers.Normalization()
        data, x = rng.normal(3, 2, (9, 4)).astype("float32"), rng.normal(size=(2, size, 4)).astype("float32")
        ours.adapt(data)
        theirs.adapt(data)
        np.testing.assert_allclose(array(ours(x)), np.asarray(theirs(x)), atol=1e-5)


@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
@pytest.mark.parametrize("ngrams", [None, 1, 2, (2,)])
def test_words_that_need_no_split(ngrams: Any, mode: str) -> None:
    words = np.array([["a", "b", "c"], ["b", "a", "b"], ["c", "a", "b"]])
    for data in (words.ravel(), words):
        ours, theirs = (module.TextVectorization(split=None, ngrams=ngrams, output_mode=mode) for module in (layers, keras.layers))
        if ngrams != (2,) or data.ndim == 2:
            ours.adapt(data)
            theirs.adapt(data)
            assert ours.get_vocabulary() == [str(token) for token in theirs.get_vocabulary()]
    assert array(ours(words[:, :0])).shape[0] == 3 and array(ours(words[:0])).shape[0] == 0
    for x in (words, words[0], words[:, :1]):
        np.testing.assert_allclose(array(ours(x)), np.asarray(theirs(x)), atol=1e-6)
        assert ours(Input(x.shape[1:], batch_size=len(x), dtype="string")).shape == tuple(
            None if mode == "int" and ngrams and i == x.ndim - 1 else d for i, d in enumerate(array(ours(x)).shape)
        )


def test_unknown_tokens_in_data_without_places_for_them() -> None:
    for kind, data in (("StringLookup", ["a", "[UNK]"]), ("IntegerLookup", [3, -1])):
        ours, theirs = (getattr(module, kind)(num_oov_indices=0) for module in (layers, keras.layers))
        ours.adapt(data)
        theirs.adapt(np.array(data))
        assert list(map(str, ours.get_vocabulary())) == list(map(str, theirs.get_vocabulary()))


def test_functions_of_the_users() -> None:
    def standardize(texts: Any) -> Any:
        return np.array([text.upper() for text in texts])

    def split(texts: Any) -> Any:
        return [text.split("-") for text in texts]

    layer = layers.TextVectorization(standardize=standardize, split=split)
    layer.adapt(["a-b", "b"])
    assert layer.get_vocabulary() == ["", "[UNK]", "B", "A"]
    assert array(layer(["b-a-c"])).tolist() == [[2, 3, 1]]
    assert array(layers.TextVectorization(vocabulary=["ä"], standardize=np.strings.lower)(["Ä", "B"])).tolist() == [[2], [1]]


def test_back_to_tokens() -> None:
    strings = layers.StringLookup(vocabulary=["a", "b"], mask_token="", invert=True)
    assert strings(np.array([[0, 1, 2, 3, 9, -1]])).tolist() == [["", "[UNK]", "a", "b", "[UNK]", "[UNK]"]]
    assert strings(Input((3,), dtype="int64")).dtype == "string"
    large = layers.IntegerLookup(vocabulary=[2**40], invert=True)
    assert large(Input((3,), dtype="int64")).dtype == "int64"


def test_vocabularies_from_files_and_sequences(tmp_path: pathlib.Path) -> None:
    (tmp_path / "strings.txt").write_text("a\nü\nc\n", encoding="utf-8")
    (tmp_path / "integers.txt").write_text("12\n7")
    for vocabulary in (str(tmp_path / "strings.txt"), tmp_path / "strings.txt", ("a", "ü", "c"), np.array(["a", "ü", "c"])):
        assert layers.StringLookup(vocabulary=vocabulary).get_vocabulary() == ["[UNK]", "a", "ü", "c"]
        assert layers.TextVectorization(vocabulary=vocabulary).get_vocabulary() == ["", "[UNK]", "a", "ü", "c"]
    assert layers.IntegerLookup(vocabulary=str(tmp_path / "integers.txt")).get_vocabulary() == [-1, 12, 7]
    (tmp_path / "latin.txt").write_bytes("é\n".encode("latin-1"))
    layer = layers.StringLookup(vocabulary=str(tmp_path / "latin.txt"), encoding="latin-1")
    assert array(layer(np.array(["é".encode("latin-1")]))).tolist() == [1]
    assert layers.StringLookup(vocabulary=["", "[UNK]", "a"], mask_token="").get_vocabulary() == ["", "[UNK]", "a"]
    layer = layers.TextVectorization(output_mode="tf_idf")
    layer.set_vocabulary(["sun", "moon"], idf_weights=[1.0, 3.0])
    np.testing.assert_allclose(array(layer(["moon comet moon"])), [[2.0, 0.0, 6.0]])


def test_texts_of_any_shape() -> None:
    for options in ({}, {"output_mode": "count"}, {"split": None}, {"output_sequence_length": 3}):
        ours, theirs = (module.TextVectorization(vocabulary=["sun", "moon"], **options) for module in (layers, keras.layers))
        for x in (np.array(["sun", "a Moon"]), np.array([["sun"], ["a Moon"]]), np.array([""]), np.array([], "U1")):
            if options != {"split": None} or x.size:
                assert array(ours(x)).tolist() == np.asarray(theirs(x)).tolist()
    assert array(layers.TextVectorization(vocabulary=["sun"])("the sun")).tolist() == [1, 2]


# ---- in models ----
def classifier(*entry: Any) -> tuple[Any, np.ndarray, np.ndarray]:
    """A model of texts, texts of two subjects, and which they are of."""
    rng = np.random.default_rng(3)
    words = [["sun", "rain", "wind"], ["goal", "team", "match"]]
    y = rng.integers(0, 2, 48)
    x = np.array([" ".join([*rng.choice(words[label], 3), "the", "A."]) for label in y])
    vectorize = layers.TextVectorization(output_sequence_length=6)
    vectorize.adapt(x)
    model = Sequential(
        [*entry, vectorize, layers.Embedding(vectorize.vocabulary_size(), 8), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(keraunos.optimizers.Adam(0.05), "binary_crossentropy")
    return model, x, y[:, None].astype("float32")


@pytest.mark.parametrize("engine", TRAINING)
def test_models_train_on_strings(engine: str, tmp_path: pathlib.Path) -> None:
    with backend_scope(engine):
        keraunos.utils.set_random_seed(0)
        model, x, y = classifier(Input((), dtype="string"))
        history = model.fit(x, y, epochs=5, batch_size=16, validation_split=0.25, verbose=0).history
        assert history["loss"][-1] < 0.7 * history["loss"][0] and history["val_loss"][-1] < history["val_loss"][0]
        expected = array(model(x))
        for form in (x, x[:, None], list(x)):
            np.testing.assert_allclose(model.predict(form, verbose=0), expected, atol=1e-6)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(model.test_on_batch(x, y), abs=1e-6)
        model.save(tmp_path / "model.keras")
        again = keraunos.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again.predict(x, verbose=0), expected, atol=1e-6)
        model.fit(((x[i : i + 8], y[i : i + 8]) for i in range(0, 48, 8)), verbose=0)
        model.train_on_batch(list(x[:4]), y[:4])
        assert model.predict_on_batch(x[:3]).shape == (3, 1)


def test_models_that_know_their_input_from_data() -> None:
    for use in (lambda model, x, y: model.fit(x, y, verbose=0), lambda model, x, y: model.predict(x, verbose=0), lambda model, x, y: model(x)):
        model, x, y = classifier()
        use(model, x, y)
        assert model.inputs[0].dtype == "string"


class Batched(keraunos.utils.PyDataset):
    """Batches of four samples."""

    def __init__(self, x: Any, y: Any):
        super().__init__()
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x) // 4

    def __getitem__(self, index: int) -> Any:
        return self.x[4 * index : 4 * index + 4], self.y[4 * index : 4 * index + 4]


def test_the_first_data_says_what_the_input_is() -> None:
    """Of whatever kind the data is, and wherever in the model the layer is that runs on the host."""
    x, y = np.array([["a", "b", "c"]] * 8), np.ones((8, 1), "float32")
    for data in ((x, y), (x.tolist(), y), (Batched(x, y),), (Batched(x, y)[i] for i in range(2))):
        model = Sequential([layers.StringLookup(vocabulary=["a", "b"]), layers.Embedding(3, 2), layers.Flatten(), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(*(data if isinstance(data, tuple) else (data,)), verbose=0)
        assert model.input_shape == (None, 3)
    model = Sequential([layers.Rescaling(2), layers.IntegerLookup(vocabulary=[2, 4], output_mode="one_hot"), layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(np.array([[1], [2]]), y[:2], verbose=0)
    model = Sequential([layers.StringLookup(vocabulary=["a"])])
    with pytest.raises(DataError, match="unequal lengths"):
        model.predict([["a"], ["a", "b"]], verbose=0)
    with pytest.raises(DataError, match="takes 1 inputs, 2 were given"):
        model.predict([x, x], verbose=0)
    with pytest.raises(StateError, match="'sequential.*' cannot be trained|'dense.*' cannot be trained"):
        model = Sequential([layers.Dense(2), layers.IntegerLookup(vocabulary=[1]), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(np.ones((2, 2)), y[:2], verbose=0)


def test_lists_of_strings_by_name_and_inputs_that_are_left_out() -> None:
    class First(layers.Layer):
        def call(self, x: Any, other: Any = None) -> Any:
            return x if other is None else x + other

    text, number = Input((1,), dtype="string", name="text"), Input((2,), name="number", optional=True)
    place = layers.StringLookup(vocabulary=["a"], output_mode="one_hot")(text)
    model = Model({"text": text, "number": number}, First()(place, number))
    for strings in (["a", "b"], [["a"], ["b"]], np.array(["a", "b"])):
        assert model.predict({"text": strings, "number": None}, verbose=0).tolist() == [[0.0, 1.0], [1.0, 0.0]]
        assert model.predict({"text": strings, "number": np.ones((2, 2))}, verbose=0).tolist() == [[1.0, 2.0], [2.0, 1.0]]


def test_data_that_is_prepared_batch_by_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = None
    for limit in (1 << 30, 0):
        monkeypatch.setattr("keraunos.data.adapters._PREPARED_BYTES", limit)
        keraunos.utils.set_random_seed(0)
        model, x, y = classifier(Input((), dtype="string"))
        history = model.fit(x, y, epochs=3, batch_size=16, verbose=0).history["loss"]
        expected = expected or history
        np.testing.assert_allclose(history, expected, rtol=1e-5)


@pytest.mark.parametrize("engine", TRAINING)
def test_graphs_of_several_kinds_of_data(engine: str) -> None:
    """Some inputs are prepared, others not; what a layer on the host needs runs before it."""
    with backend_scope(engine):
        kind, age, size = Input((1,), dtype="string", name="kind"), Input((1,), name="age"), Input((2,), name="size")
        bins = layers.Discretization([20.0, 40.0])(age)
        crossed = layers.HashedCrossing(8, output_mode="one_hot")([kind, bins])
        place = layers.StringLookup(vocabulary=["cat", "dog"], output_mode="one_hot")(kind)
        h = layers.Concatenate()([crossed, place, layers.Dense(3)(size), layers.Rescaling(0.01)(age)])
        model = Model({"kind": kind, "age": age, "size": size}, layers.Dense(1)(h))
        model.compile("adam", "mse")
        rng = np.random.default_rng(0)
        x = {"kind": rng.choice(["cat", "dog", "cow"], (12, 1)), "age": rng.uniform(0, 60, (12, 1)).astype("float32"), "size": np.ones((12, 2), "float32")}
        y = np.ones((12, 1), "float32")
        assert model.evaluate(x, y, verbose=0) == pytest.approx(np.mean((array(model(x)) - y) ** 2), rel=1e-5)
        model.fit(x, y, epochs=2, batch_size=5, verbose=0, validation_data=(x.copy(), y))
        np.testing.assert_allclose(model.predict(x, verbose=0, batch_size=5), array(model(x)), atol=1e-6)
        inner = Model([kind, age], crossed)
        outer_kind, outer_age = Input((1,), dtype="string"), Input((1,))
        outer = Model([outer_kind, outer_age], layers.Dense(1)(inner([outer_kind, outer_age])))
        assert outer.predict([x["kind"], x["age"]], verbose=0).shape == (12, 1)


def test_a_step_of_the_users_own() -> None:
    class Own(Model):
        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            assert self(x, training=True).shape == y.shape
            return super().train_step(data)

    for engine in TRAINING:
        with backend_scope(engine):
            text = Input((), dtype="string")
            model = Own(text, layers.Dense(1)(layers.TextVectorization(vocabulary=["sun"], output_mode="count")(text)))
            model.compile("adam", "mse")
            model.fit(["sun", "moon"], np.ones((2, 1), "float32"), verbose=0)


def test_one_bucket_besides_that_of_the_mask() -> None:
    for bins in (1, 2, 5):
        ours, theirs = (module.Hashing(bins, mask_value="a") for module in (layers, keras.layers))
        x = np.array([["a"], ["b"], ["c"]])
        assert array(ours(x)).tolist() == np.asarray(theirs(x)).tolist()
    ours, theirs = (module.Hashing(4, mask_value=3) for module in (layers, keras.layers))
    assert array(ours(np.arange(9))).tolist() == np.asarray(theirs(np.arange(9))).tolist()


def test_mixed_precision_and_the_numbers_of_counts() -> None:
    layer = layers.TextVectorization(vocabulary=["sun"], output_mode="count", dtype="bfloat16")
    assert keraunos.backend.standardize_dtype(layer(["sun sun"]).dtype) == "bfloat16"
    wide = layers.Hashing(2**40)(np.array(["a"]))
    assert layers.Hashing(2**40)(Input((1,), dtype="string")).dtype == "int64" and "int" in str(wide.dtype)


# ---- files ----
def adapted(module: Any, symbol: Any) -> Any:
    """A model of a text, two of its layers adapted."""
    text, words = symbol((1,), dtype="string"), module.layers.TextVectorization(output_mode="tf_idf")
    place, numbers = module.layers.StringLookup(mask_token="", num_oov_indices=2), module.layers.IntegerLookup()
    words.adapt(np.array(TEXTS))
    place.adapt(np.array(["sun", "moon", "sun"]))
    numbers.adapt(np.array([5, 5, 3]))
    number = symbol((1,), dtype="int64")
    return module.Model([text, number], [words(text), place(text), numbers(number)])


def used(model: Any) -> list[Any]:
    x, n = np.array([["the sun"], ["sun"], ["stars"]]), np.array([[5], [3], [1]])
    return [np.asarray(array(layer(n if "integer" in layer.name else x))) for layer in model.layers if hasattr(layer, "get_vocabulary")]


def test_files_keep_vocabularies(tmp_path: pathlib.Path) -> None:
    ours, theirs = adapted(keraunos, Input), adapted(keras, keras.Input)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    expected = used(ours)
    for path in ("ours.keras", "theirs.keras"):
        for load in (keraunos.saving.load_model, keras.saving.load_model):
            for a, b in zip(used(load(tmp_path / path)), expected, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-6)
    names = [{name for name in zipfile.ZipFile(tmp_path / path).namelist() if name.startswith("assets/")} for path in ("ours.keras", "theirs.keras")]
    assert names[0] == names[1]


def test_files_keep_what_a_layer_knows_now(tmp_path: pathlib.Path) -> None:
    """Boundaries that were found; a vocabulary that took the place of the first one; an unknown token that is None."""
    ours, theirs = (module.layers.Discretization(num_bins=3) for module in (keraunos, keras))
    ours.adapt(np.arange(10.0))
    theirs.adapt(np.arange(10.0))
    models = {"ours": Sequential([Input((1,)), ours]), "theirs": keras.Sequential([keras.Input((1,)), theirs])}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        for load in (keraunos.saving.load_model, keras.saving.load_model):
            again = load(tmp_path / f"{name}.keras").layers[-1]
            np.testing.assert_allclose(again.bin_boundaries, ours.bin_boundaries, rtol=1e-6)
    again = keraunos.models.clone_model(models["ours"]).layers[-1]
    assert again.bin_boundaries == ours.bin_boundaries and again.num_bins == 3
    again.adapt(np.arange(5.0))
    assert again.bin_boundaries != ours.bin_boundaries

    for kind, weights in ((layers.StringLookup, [3.0, 5.0]), (layers.TextVectorization, [3.0, 5.0]), (layers.StringLookup, None)):
        options = {} if weights is None else {"output_mode": "tf_idf", "idf_weights": [1.0]}
        layer = kind(vocabulary=["a"], **options)
        layer.set_vocabulary(["x", "y"], weights)
        model = Sequential([Input((1,), dtype="string"), layer])
        model.save(tmp_path / "model.keras")
        x = np.array([["y"], ["a"]])
        for again in (keraunos.saving.load_model(tmp_path / "model.keras"), keraunos.models.clone_model(model)):
            assert array(again(x)).tolist() == array(model(x)).tolist()

    for kind, data in ((layers.StringLookup, ["b", "None"]), (layers.IntegerLookup, [3, 4])):
        layer = kind(oov_token=None)
        layer.adapt(data)
        Sequential([Input((1,), dtype=layer.reads), layer]).save(tmp_path / "model.keras")
        assert keraunos.saving.load_model(tmp_path / "model.keras").layers[-1].get_vocabulary() == layer.get_vocabulary()


def test_tokens_that_are_no_lines(tmp_path: pathlib.Path) -> None:
    text = Input((), dtype="string")
    layer = layers.TextVectorization(split="character", standardize=None)
    layer.adapt(["a\nb", "\r"])
    Model(text, layer(text)).save(tmp_path / "model.keras")
    again = keraunos.saving.load_model(tmp_path / "model.keras")
    assert again.layers[-1].get_vocabulary() == layer.get_vocabulary()


def test_files_that_lead_elsewhere(tmp_path: pathlib.Path) -> None:
    path, secret = tmp_path / "model.keras", tmp_path / "secret.txt"
    secret.write_text("password")
    adapted(keraunos, Input).save(path)

    def changed(change: Callable[[str, bytes], tuple[str, bytes]], *more: tuple[str, bytes]) -> None:
        with zipfile.ZipFile(path) as archive:
            members = [change(name, archive.read(name)) for name in archive.namelist()]
        members = [(name, content) for name, content in members if name != "metadata.json"]
        with zipfile.ZipFile(tmp_path / "bad.keras", "w") as archive:
            for name, content in [*members, ("metadata.json", b"{}"), *more]:
                archive.writestr(name, content)

    def config(name: str, content: bytes) -> tuple[str, bytes]:
        if name != "config.json":
            return name, content
        found = json.loads(content)
        for entry in found["config"]["layers"]:
            if "vocabulary" in entry["config"]:
                entry["config"]["vocabulary"] = str(secret)
        return name, json.dumps(found).encode()

    changed(config)
    with pytest.raises(ModelFileError, match="outside the model's file"):
        keraunos.saving.load_model(tmp_path / "bad.keras")
    for name in ("..", r"..\..\evil.txt", "C:evil.txt"):
        changed(lambda name, content: (name, content), (f"assets/layers/string_lookup/{name}", b"a"))
        with pytest.raises(ModelFileError, match="leads elsewhere"):
            keraunos.saving.load_model(tmp_path / "bad.keras")
    changed(lambda name, content: (name, b"\xff\xfe" if name.endswith("vocabulary.txt") else content))
    with pytest.raises(ModelFileError, match="cannot be read"):
        keraunos.saving.load_model(tmp_path / "bad.keras")


# ---- what is said ----
def looked_up(**options: Any) -> Any:
    return layers.StringLookup(vocabulary=["a", "b"], **options)


WRONG: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "lookup not adapted": (lambda: layers.StringLookup()(["a"]), StateError, r"no vocabulary.*layer\.adapt\(data\)"),
    "inverse not adapted": (lambda: layers.StringLookup(invert=True)(np.array([1])), StateError, r"layer\.adapt"),
    "texts not adapted": (lambda: layers.TextVectorization()(["a"]), StateError, r"no vocabulary.*layer\.adapt\(data\)"),
    "bins not adapted": (lambda: layers.Discretization(num_bins=3)(np.ones((2, 2))), StateError, r"no boundaries.*layer\.adapt\(data\)"),
    "twice": (lambda: layers.StringLookup(vocabulary=["a", "b", "a"]), ArgumentError, "more than once: 'a'"),
    "too long": (lambda: looked_up(max_tokens=2), ArgumentError, "3 tokens.*max_tokens is 2.*max_tokens=3"),
    "mask": (lambda: layers.StringLookup(vocabulary=["a", ""], mask_token=""), ArgumentError, r"mask token '' .*begin with \['', '\[UNK\]'\]"),
    "empty": (lambda: layers.StringLookup(vocabulary=[]), ArgumentError, "empty"),
    "no file": (lambda: layers.StringLookup(vocabulary="/nowhere/v.txt"), ArgumentError, "no vocabulary file"),
    "integers as strings": (lambda: layers.StringLookup(vocabulary=[1]), ArgumentTypeError, "IntegerLookup"),
    "strings as integers": (lambda: layers.IntegerLookup(vocabulary=["a"]), ArgumentTypeError, "StringLookup"),
    "integers to strings": (lambda: looked_up()(np.array([1])), DataError, r"Element 0.*no string.*astype\(str\)"),
    "missing": (lambda: looked_up()(np.array(["a", None], object)), DataError, "Element 1.*fillna"),
    "strings to integers": (lambda: layers.IntegerLookup().adapt(["a"]), DataError, "StringLookup"),
    "fractions to integers": (lambda: layers.IntegerLookup(vocabulary=[1])(np.array([1.5])), DataError, "Discretization"),
    "text to numbers": (lambda: layers.Normalization().adapt(["a"]), DataError, "text.*StringLookup"),
    "not known": (lambda: looked_up(num_oov_indices=0)(["z"]), DataError, "'z' is not in the vocabulary"),
    "weights": (lambda: looked_up(output_mode="tf_idf"), ArgumentError, "2 tokens and 0 idf_weights"),
    "weights without use": (lambda: looked_up(idf_weights=[1, 2]), ArgumentError, "tf_idf"),
    "inverse vectors": (lambda: looked_up(invert=True, output_mode="count"), ArgumentError, "invert"),
    "one token": (lambda: layers.StringLookup(max_tokens=1), ArgumentError, "at least 2"),
    "padding": (lambda: layers.StringLookup(pad_to_max_tokens=True), ArgumentError, "needs max_tokens"),
    "salt": (lambda: layers.IntegerLookup(salt=3), ArgumentError, "farmhash"),
    "salt of letters": (lambda: layers.Hashing(3, salt="x"), ArgumentError, "two of them"),
    "given": (lambda: looked_up().adapt(["a"]), StateError, "nothing to adapt"),
    "given bins": (lambda: layers.Discretization([0.0]).adapt([1.0]), StateError, "nothing to adapt"),
    "given mean": (lambda: layers.Normalization(mean=1.0, variance=1.0).adapt([1.0]), StateError, "nothing to adapt"),
    "mean alone": (lambda: layers.Normalization(mean=1.0), ArgumentError, "without variance"),
    "mean of others": (lambda: layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 1.0])(np.ones((2, 3))), ShapeError, "does not fit"),
    "other features": (lambda: layers.Normalization().adapt(np.ones((2, 3)) for _ in range(1)) or adapt_other(), ShapeError, "features"),
    "no numbers": (lambda: layers.Normalization().adapt([[1.0], [np.nan]]), DataError, "NaN"),
    "no bins": (lambda: layers.Discretization(), ArgumentError, "one of them"),
    "both": (lambda: layers.Discretization([0.0], num_bins=2), ArgumentError, "not both"),
    "no categories": (lambda: layers.CategoryEncoding(), ArgumentError, "num_tokens"),
    "too large": (lambda: layers.CategoryEncoding(3)([[0, 3]]), DataError, "3 is none of the 3 categories.*num_tokens=4"),
    "negative": (lambda: layers.CategoryEncoding(3)([[0, -1]]), DataError, "-1 is none"),
    "weights of counts": (lambda: layers.CategoryEncoding(3)([[0]], count_weights=[[1.0]]), ArgumentError, "count_weights"),
    "fewer weights": (lambda: layers.CategoryEncoding(3, output_mode="count")([[0, 1]], count_weights=[[1.0, 2.0, 3.0]]), ShapeError, "do not broadcast"),
    "buckets": (lambda: layers.Hashing(3, dtype="float32"), ArgumentError, "integers"),
    "one crossed": (lambda: layers.HashedCrossing(3)([np.array(["a"])]), ArgumentTypeError, "two inputs"),
    "unequal": (lambda: layers.HashedCrossing(3)([np.array(["a"]), np.array([1, 2])]), ShapeError, "one shape"),
    "two texts": (lambda: layers.TextVectorization(vocabulary=["a"])(np.array([["a", "b"]])), ShapeError, "one text"),
    "standardize": (lambda: layers.TextVectorization(standardize="lover"), ArgumentError, "Did you mean 'lower'"),
    "split": (lambda: layers.TextVectorization(split=3), ArgumentError, "split cannot be 3"),
    "ngrams": (lambda: layers.TextVectorization(ngrams=[2]), ArgumentError, "ngrams"),
    "length": (lambda: layers.TextVectorization(output_mode="count", output_sequence_length=3), ArgumentError, "output_sequence_length"),
    "ragged": (lambda: layers.TextVectorization(ragged=True), ArgumentTypeError, "ragged"),
    "sparse": (lambda: layers.StringLookup(sparse=True), ArgumentTypeError, "sparse"),
    "unequal lists": (lambda: looked_up()([["a"], ["a", "b"]]), DataError, "unequal lengths"),
    "fewer texts": (lambda: layers.TextVectorization(vocabulary=["a"], standardize=lambda x: x[:1])(["a", "b"]), DataError, "standardize=.*1 entries.*2 entries"),
    "no texts": (lambda: layers.TextVectorization(vocabulary=["a"], split=lambda x: None)(["a"]), DataError, "split=.*NoneType"),
    "no room": (lambda: layers.TextVectorization(max_tokens=2), ArgumentError, "max_tokens=2 leaves no place.*2 special"),
    "no vocabulary": (lambda: layers.StringLookup(vocabulary=5), ArgumentTypeError, "list, an array, or the path"),
    "fractions as tokens": (lambda: layers.IntegerLookup(vocabulary=[1.5]), ArgumentTypeError, "integers"),
    "no integer": (lambda: layers.IntegerLookup(vocabulary=[1])(np.array([np.nan])), DataError, "Integers"),
    "no object": (lambda: layers.IntegerLookup(vocabulary=[1])(np.array([1, None], object)), DataError, "fillna"),
    "strings back": (lambda: looked_up(invert=True)(np.array(["a"])), DataError, "Integers"),
    "bytes of another encoding": (lambda: adapted_vocabulary(np.array([b"\xff"])), DataError, "UTF-8.*latin-1"),
    "targets too": (lambda: layers.StringLookup().adapt((np.array(["a"]), np.array([1])) for _ in range(2)), DataError, "inputs alone.*for x, y in data"),
    "a dict": (lambda: layers.StringLookup().adapt({"a": np.array(["a"])}), DataError, "adapt cannot see"),
    "descending": (lambda: layers.Discretization([1.0, 0.0]), ArgumentError, "ascend.*sorted"),
    "bounds of text": (lambda: layers.Discretization("abc"), DataError, "numbers"),
    "bins of nothing": (lambda: layers.Discretization(num_bins=2).adapt([1.0, np.nan]), DataError, "NaN"),
    "less than no variance": (lambda: layers.Normalization(mean=0.0, variance=-1.0), ArgumentError, "not negative"),
    "fewer features": (lambda: adapted_to(np.ones((2, 3)))(np.ones((2, 4))), ShapeError, "4"),
    "no data": (lambda: layers.StringLookup().adapt(3), DataError, "adapt cannot see"),
    "text to a layer of numbers": (lambda: layers.Dense(2)(np.array([["a"]])), DataError, "TextVectorization or StringLookup"),
}  # fmt: skip


def adapted_vocabulary(data: Any) -> Any:
    layer = layers.StringLookup()
    layer.adapt(data)
    return layer.get_vocabulary()


def adapted_to(data: Any) -> Any:
    layer = layers.Normalization()
    layer.adapt(data)
    return layer


def adapt_other() -> None:
    layer = layers.Normalization()
    layer.adapt(np.ones((2, 3)))
    layer.update_state(np.ones((2, 4)))


@pytest.mark.parametrize("name", WRONG)
def test_errors(name: str) -> None:
    make, kind, words = WRONG[name]
    with pytest.raises(kind, match=rf"(?s){words}"):
        make()


@pytest.mark.parametrize("engine", [name for name in TRAINING if name != "torch"])
def test_layers_of_the_host_in_compiled_functions(engine: str) -> None:
    class Late(Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.lookup = layers.Dense(1), layers.IntegerLookup(vocabulary=[1, 2])

        def call(self, x: Any) -> Any:
            return self.dense(ops.cast(self.lookup(x), "float32"))

    with backend_scope(engine):
        with pytest.raises(DataError, match=r"(?s)x holds text.*Input\(shape, dtype='string'\).*fit\(layer\(x\), y\)"):
            Late().predict(np.array(["a"]), verbose=0)
        model = Late()
        model.compile("adam", "mse")
        with pytest.raises(BackendError, match=r"(?s)runs on the host.*Input"):
            model.fit(np.ones((4, 2), "int32"), np.ones((4, 1), "float32"), verbose=0)


def test_what_cannot_be_trained_or_predicted() -> None:
    number = Input((2,))
    h = layers.IntegerLookup(vocabulary=[1])(layers.Dense(2, name="early")(number))
    model = Model(number, layers.Dense(1)(h))
    model.compile("adam", "mse")
    with pytest.raises(StateError, match=r"(?s)'early' cannot be trained.*early\.trainable = False"):
        model.fit(np.ones((2, 2), "float32"), np.ones((2, 1), "float32"), verbose=0)
    back = Model(number, layers.StringLookup(vocabulary=["a"], invert=True)(number))
    with pytest.raises(DataError, match=r"(?s)gives text.*model\(x\)"):
        back.predict(np.ones((2, 2), "float32"), verbose=0)
    assert back(np.ones((1, 2), "float32")).tolist() == [["a", "a"]]
    numbers = Sequential([Input((1,)), layers.Dense(1)])
    numbers.compile("adam", "mse")
    with pytest.raises(DataError, match="(?s)x holds text.*TextVectorization or StringLookup"):
        numbers.fit(np.array([["a"]]), np.ones((1, 1)), verbose=0)


def test_every_engine_gives_the_same() -> None:
    for make in (
        lambda: layers.TextVectorization(vocabulary=["sun"], output_mode="count"), lambda: layers.Hashing(7), lambda: layers.StringLookup(vocabulary=["sun"]),
    ):  # fmt: skip
        found = []
        for engine in BACKENDS:
            with backend_scope(engine):
                found.append(array(make()(TEXTS)).tolist())
        assert all(x == found[0] for x in found)

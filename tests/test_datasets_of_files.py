"""Data sets of files, of windows of a series, data in two parts, and files from the net."""

from __future__ import annotations

import copy
import hashlib
import os
import pathlib
import re
import socket
import tarfile
import threading
import zipfile
from typing import Any

import keras as peer
import numpy as np
import pytest
import scipy.io.wavfile
from PIL import Image

import keraunos as keras
from keraunos import layers
from keraunos.core.errors import ArgumentError, DataError

rng = np.random.default_rng(0)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("images")
    for name, size in (("cat", 20), ("dog", 9)):
        (root / name).mkdir()
        for i in range(5):
            Image.fromarray(rng.integers(0, 255, (size + i, 30, 3)).astype("uint8")).save(root / name / f"{i}.png")
    (root / "dog" / "notes.txt").write_text("no image")
    return root


OPTIONS: list[dict[str, Any]] = [
    {}, {"color_mode": "grayscale"}, {"color_mode": "rgba"}, {"interpolation": "nearest"}, {"interpolation": "bicubic"}, {"crop_to_aspect_ratio": True},
    {"data_format": "channels_first"}, {"label_mode": "categorical"}, {"label_mode": "binary"}, {"label_mode": None},
    {"labels": None}, {"labels": [0, 1] * 5}, {"class_names": ["dog", "cat"]}, {"image_size": (5, 12), "batch_size": 10},
    {"validation_split": 0.3, "subset": "training"}, {"validation_split": 0.3, "subset": "validation"},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_images_are_those_of_keras(images: pathlib.Path, options: dict[str, Any], capsys: Any) -> None:
    arguments = {"image_size": (8, 8), "batch_size": 4, "shuffle": False, **options}
    ours = keras.utils.image_dataset_from_directory(images, **arguments)
    said = capsys.readouterr().out
    theirs = peer.utils.image_dataset_from_directory(str(images), **arguments)
    assert capsys.readouterr().out == said
    assert ours.class_names == getattr(theirs, "class_names", None) and len(ours) == len(theirs)
    assert list(map(os.path.normpath, ours.file_paths)) == list(map(os.path.normpath, theirs.file_paths))
    for batch, wanted in zip(ours, theirs, strict=True):
        for part, goal in zip(*[b if isinstance(b, tuple) else (b,) for b in (batch, wanted)], strict=True):
            goal = goal.numpy()
            assert part.shape == goal.shape and (part.dtype == goal.dtype or options.get("interpolation") == "nearest")
            np.testing.assert_allclose(part, goal, rtol=1e-4, atol=2.0 if options.get("color_mode") == "grayscale" else 2e-2)


def test_folders_within_folders_are_read_as_keras_does(tmp_path: pathlib.Path) -> None:
    """What is hidden is no class, a folder's own files come before those in folders below it, and pixels may have 16 bits."""
    for name in ("top", "cat/b", "cat/a/z", "dog/c", ".checkpoints/d"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        Image.fromarray(rng.integers(0, 65535, (4, 4)).astype("uint16")).save(tmp_path / f"{name}.png")
    for options in ({}, {"labels": None}, {"labels": [2, 0, 1, 0, 1], "label_mode": "categorical"}):
        arguments = {"directory": str(tmp_path), "image_size": (4, 4), "shuffle": False, "verbose": False, **options}
        ours, theirs = (module.utils.image_dataset_from_directory(**arguments) for module in (keras, peer))
        assert ours.file_paths == theirs.file_paths and ours.class_names == getattr(theirs, "class_names", None)
        (batch,), (wanted,) = ours, theirs
        for part, goal in zip(*[b if isinstance(b, tuple) else (b,) for b in (batch, wanted)], strict=True):
            np.testing.assert_array_equal(part, goal.numpy())
    labels = np.array([0, 1, 0, 1, 1])
    assert keras.utils.image_dataset_from_directory(tmp_path, labels=labels, shuffle=False, verbose=False).labels.tolist() == labels.tolist()


def test_images_that_are_padded_are_resized_as_ops_do(images: pathlib.Path) -> None:
    """Keras's own data set puts them elsewhere than its op does."""
    (x, _), *_ = keras.utils.image_dataset_from_directory(images, image_size=(8, 8), pad_to_aspect_ratio=True, shuffle=False, verbose=False)
    first = np.asarray(Image.open(images / "cat" / "0.png"), "float32")
    np.testing.assert_allclose(x[0], np.asarray(peer.ops.image.resize(first, (8, 8), pad_to_aspect_ratio=True)), atol=1e-3)


def test_models_train_on_files(images: pathlib.Path) -> None:
    options = {"image_size": (4, 4), "batch_size": 4, "verbose": False}
    train, held = keras.utils.image_dataset_from_directory(images, validation_split=0.2, subset="both", seed=3, **options)
    assert len(train.file_paths) == 8 and len(held.file_paths) == 2 and not set(train.file_paths) & set(held.file_paths)
    again = keras.utils.image_dataset_from_directory(images, validation_split=0.2, subset="validation", seed=3, **options)
    assert again.file_paths == held.file_paths
    with keras.config.backend_scope("torch"):
        model = keras.Sequential([keras.Input((4, 4, 3)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
    assert len(model.fit(train, validation_data=held, epochs=2, verbose=0).history["val_loss"]) == 2
    assert model.predict(held, verbose=0).shape == (2, 2)


def test_each_epoch_of_files_has_its_own_order(images: pathlib.Path) -> None:
    def orders(**options: Any) -> list[list[float]]:
        data = keras.utils.image_dataset_from_directory(images, image_size=(2, 2), batch_size=3, seed=1, verbose=False, **options)
        return [np.concatenate([x[:, 0, 0, 0] for x, _ in data]).tolist() for _ in range(2)]

    first, second = orders()
    assert first != second and sorted(first) == sorted(second) and orders() == [first, second]
    first, second = orders(shuffle=False)
    assert first == second

    from keraunos.data.adapters import source

    data = source(keras.utils.image_dataset_from_directory(images, image_size=(2, 2), batch_size=10, shuffle=False, verbose=False), shuffle=True)
    assert [x[:, 0, 0, 0].tolist() for x, *_ in data.batches(0)] == [first]  # fit does not shuffle what has an order


def test_texts(tmp_path: pathlib.Path) -> None:
    for name, text in (("good/a", "fine day"), ("good/b", "fi\r\nne"), ("bad/c", "größte Not")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
    data = keras.utils.text_dataset_from_directory(tmp_path, shuffle=False, max_length=6, verbose=False)
    (x, y), *_ = data
    assert x.tolist() == ["größte", "fine d", "fi\r\nne"] and y.tolist() == [0, 1, 1] and data.class_names == ["bad", "good"]
    with keras.config.backend_scope("torch"):
        vectors = layers.TextVectorization(output_mode="multi_hot", vocabulary=["fine", "day"])
        model = keras.Sequential([keras.Input((), dtype="string"), vectors, layers.Dense(1)])
        model.compile("sgd", "mse", run_eagerly=True)
    assert np.isfinite(model.fit(data, verbose=0).history["loss"]).all()


def test_sounds(tmp_path: pathlib.Path) -> None:
    for name, length in (("high", 8), ("low", 12)):
        (tmp_path / name).mkdir()
        scipy.io.wavfile.write(tmp_path / name / "a.wav", 8000, (np.arange(length) * 1000).astype("int16"))
    (x, y), *_ = keras.utils.audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False)
    assert x.shape == (2, 12, 1) and x.dtype == "float32" and y.tolist() == [0, 1]
    np.testing.assert_allclose(x[0, :9, 0], [*(np.arange(8) * 1000 / 32768), 0])
    (x, _), *_ = keras.utils.audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False, output_sequence_length=10, sampling_rate=4000)
    assert x.shape == (2, 10, 1) and np.ptp(x[1, :6]) > 0 and not x[1, 6:].any()
    for wrong in ({"ragged": True}, {"sampling_rate": 0}, {"output_sequence_length": 0}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            keras.utils.audio_dataset_from_directory(tmp_path, **wrong)
    scipy.io.wavfile.write(tmp_path / "low" / "b.wav", 8000, np.zeros(0, "int16"))
    (x, _), *_ = keras.utils.audio_dataset_from_directory(tmp_path, shuffle=False, verbose=False)
    assert x.shape == (3, 12, 1) and not x[2].any()
    scipy.io.wavfile.write(tmp_path / "low" / "b.wav", 8000, np.zeros((5, 2), "int16"))
    with pytest.raises(DataError, match="1 and 2 channels"):
        keras.utils.audio_dataset_from_directory(tmp_path, verbose=False)[0]
    (tmp_path / "low" / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match=r"b\.wav"):
        keras.utils.audio_dataset_from_directory(tmp_path, verbose=False)[0]


MISTAKES = {
    "no directory": ({"directory": "nowhere"}, "There is no directory"),
    "a class without a folder": ({"class_names": ["cow"]}, "'cow'"),
    "too few labels": ({"labels": [0, 1]}, "2 labels and 10 files"),
    "a split without a subset": ({"validation_split": 0.2}, "go together"),
    "a subset without a split": ({"subset": "both"}, "go together"),
    "parts without a seed": ({"validation_split": 0.2, "subset": "training"}, "same seed"),
    "a split that leaves nothing": ({"validation_split": 0.01, "subset": "both"}, "none for validation"),
    "no batches": ({"batch_size": None}, "batch_size"),
    "another format": ({"format": "grain"}, "format"),
    "a filter that is lacking": ({"interpolation": "gaussian"}, "gaussian"),
    "a misspelt format of images": ({"data_format": "channel_first"}, "data_format"),
    "one length": ({"image_size": 8}, "image_size"),
    "no height": ({"image_size": (0, 8)}, "image_size"),
    "cropped and padded": ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "not both"),
    "half a sample": ({"batch_size": 2.5}, "batch_size=2.5"),
    "misspelt labels": ({"labels": "infered"}, "inferred"),
    "labels and names of folders": ({"labels": [0, 1] * 5, "class_names": ["cat", "dog"]}, "class_names"),
    "labels with fractions": ({"labels": [0.5] * 10}, "must be integers"),
    "labels that are words": ({"labels": ["a"] * 10}, "must be integers"),
    "labels without 1": ({"labels": [0, 2] * 5, "label_mode": "binary"}, "from 0 to 1"),
    "a misspelt mode": ({"label_mode": "integer"}, "label_mode"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(images: pathlib.Path, mistake: str) -> None:
    options, words = MISTAKES[mistake]
    with pytest.raises((ArgumentError, DataError), match=words):
        keras.utils.image_dataset_from_directory(**{"directory": images, "verbose": False, **options})


def test_a_file_that_is_no_image_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=re.escape("broken.png")):
        keras.utils.image_dataset_from_directory(tmp_path, verbose=False)[0]


SERIES = np.arange(20.0)
WINDOWS: list[dict[str, Any]] = [
    {}, {"sequence_stride": 2}, {"sampling_rate": 2}, {"sampling_rate": 3, "sequence_stride": 4, "batch_size": 2}, {"start_index": 4, "end_index": 12}, {"start_index": 3, "sampling_rate": 2},
]  # fmt: skip


@pytest.mark.parametrize("options", WINDOWS, ids=str)
@pytest.mark.parametrize("targets", [None, 10 * SERIES, 10 * SERIES[:14]], ids=["none", "all", "few"])
def test_windows_are_those_of_keras(options: dict[str, Any], targets: Any) -> None:
    data = np.stack([SERIES, -SERIES], 1)
    ours = list(keras.utils.timeseries_dataset_from_array(data, targets, 3, **options))
    if targets is not None and len(targets) < len(SERIES) and options.get("start_index") == 3:  # Keras asks for targets beyond their end
        assert [float(y) for _, goals in ours for y in goals] == targets[3:].tolist()
        return
    theirs = list(peer.utils.timeseries_dataset_from_array(data, targets, 3, **options))
    for batch, wanted in zip(ours, theirs, strict=True):
        for part, goal in zip(*[b if isinstance(b, tuple) else (b,) for b in (batch, wanted)], strict=True):
            np.testing.assert_array_equal(part, goal.numpy())


def test_what_data_sets_of_tensorflow_have_is_named() -> None:
    data = copy.deepcopy(keras.utils.timeseries_dataset_from_array(SERIES, None, 3))  # which asks for names too
    for name, word in (("prefetch", "leave it out"), ("map", "layer"), ("take", "islice")):
        with pytest.raises(AttributeError, match=word):
            getattr(data, name)
    assert not hasattr(data, "other") and len(data) == 1


def test_windows_in_an_order_of_a_seed() -> None:
    def orders(seed: int) -> list[list[float]]:
        data = keras.utils.timeseries_dataset_from_array(SERIES, None, 3, shuffle=True, seed=seed, batch_size=5)
        return [np.concatenate([x[:, 0] for x in data]).tolist() for _ in range(2)]

    first, second = orders(1)
    assert first != second and sorted(first) == sorted(second) == SERIES[:18].tolist() and orders(1) == [first, second] != orders(2)
    for options in ({"sequence_length": 0}, {"sequence_length": 30}, {"sequence_length": 3, "start_index": 20}, {"sequence_length": 3, "format": "grain"}):
        with pytest.raises(ArgumentError):
            keras.utils.timeseries_dataset_from_array(SERIES, None, **options)
    for mistake in ({"start_index": 2.0}, {"batch_size": 2.5}, {"start_index": 5}, {"data": 5}):
        with pytest.raises((ArgumentError, DataError), match="targets" if mistake == {"start_index": 5} else next(iter(mistake))):
            keras.utils.timeseries_dataset_from_array(**{"data": SERIES, "targets": SERIES[:4], "sequence_length": 3, **mistake})


class Endless:
    """Has four samples, and does not say where they end when it is asked for the fifth."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        assert index < 100
        return index


def test_data_in_two_parts() -> None:
    x, y = np.arange(10), {"a": np.arange(10) * 2}
    (left, goals), (right, _) = keras.utils.split_dataset((x, y), left_size=0.7)
    assert left.tolist() == list(range(7)) and right.tolist() == [7, 8, 9] and goals["a"].tolist() == list(range(0, 14, 2))
    assert [part.tolist() for part in keras.utils.split_dataset(x, right_size=2)] == [list(range(8)), [8, 9]]
    assert [len(part) for part in keras.utils.split_dataset(x, 3, 4)] == [3, 4]
    first, second = keras.utils.split_dataset(x, 0.5, shuffle=True, seed=1)
    assert sorted([*first, *second]) == list(range(10)) and first.tolist() != list(range(5))
    assert first.tolist() == keras.utils.split_dataset(x, 0.5, shuffle=True, seed=1)[0].tolist()
    assert keras.utils.split_dataset((i for i in "abcd"), 0.5) == (["a", "b"], ["c", "d"])
    third = keras.utils.split_dataset(x, 0.5, np.float32(0.2))  # the last ones, as in Keras
    assert [part.tolist() for part in third] == [[int(i) for i in part] for part in peer.utils.split_dataset(x, 0.5, 0.2)] == [[0, 1, 2, 3, 4], [8, 9]]
    assert keras.utils.split_dataset((x.astype("float64"), None), 0.5)[0][0].dtype == "float64"
    pairs = [(np.zeros(2), np.ones(2)), (np.zeros(3), np.ones(3))]
    assert keras.utils.split_dataset(pairs, 0.5) == (pairs[:1], pairs[1:])  # of samples, as data sets yield them
    assert keras.utils.split_dataset(Endless(), 2) == ([0, 1], [2, 3])
    for data, wrong in (({"a": [1, 2]}, "A dict"), (([1, 2], [3, 4]), "A tuple"), (5, "An? int")):
        with pytest.raises(DataError, match=wrong):
            keras.utils.split_dataset(data, 0.5)
    for options in (
        {},
        {"left_size": 1.5},
        {"left_size": 11},
        {"left_size": "0.8"},
        {"left_size": 0.9, "right_size": 0.9},
        {"left_size": 0.5, "preferred_backend": "jax"},
    ):
        with pytest.raises((ArgumentError, DataError)):
            keras.utils.split_dataset(x, **options)


def test_a_file_that_came_in_part_is_no_file(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nhello")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(DataError, match=r"(?s)came only in part.*5 of 10 bytes|IncompleteRead"):
            keras.utils.get_file(origin=f"http://127.0.0.1:{server.getsockname()[1]}/a.txt", cache_dir=tmp_path)
        thread.join()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_files_from_the_net(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.txt").write_text("first")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "a.txt", "in/a.txt")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as zipped:
        zipped.write(tmp_path / "a.txt", "in/a.txt")

    def get(name: str, **options: Any) -> pathlib.Path:
        return pathlib.Path(keras.utils.get_file(origin=(tmp_path / name).as_uri(), cache_dir=tmp_path / "cache", **options))

    path = get("a.txt")
    assert path == tmp_path / "cache" / "datasets" / "a.txt" and path.read_text() == "first"
    (tmp_path / "a.txt").write_text("second")
    assert get("a.txt").read_text() == "first" and get("a.txt", fname="other.txt", cache_subdir="x").read_text() == "second"
    right = hashlib.sha256(b"second").hexdigest()
    assert get("a.txt", file_hash=right).read_text() == "second" and get(
        "a.txt", md5_hash=hashlib.md5(b"second").hexdigest()
    )  # one of another hash is replaced
    (tmp_path / "a.txt").write_text("third")
    with pytest.raises(DataError, match="another hash"):
        get("a.txt", file_hash=right, force_download=True)
    assert path.read_text() == "second" and get("a.txt", force_download=True).read_text() == "third"
    for name, options in (("b.tar.gz", {"extract": True}), ("b.tar.gz", {"untar": True}), ("c.zip", {"extract": True, "archive_format": "zip"})):
        assert (get(name, **options) / "in" / "a.txt").read_text() == "first"
    for name, given, place, archive in (
        ("b.tar.gz", None, "b.tar.gz", "b.tar.gz_archive"),
        ("c.zip", "d", "d", "d_archive"),
        ("b.tar.gz", "e.tgz", "e_extracted", "e.tgz"),
    ):
        assert get(name, fname=given, extract=True) == path.parent / place and (path.parent / archive).is_file()  # where Keras has them
    assert get("a.txt", md5_hash=hashlib.md5(b"third").hexdigest().upper()).read_text() == "third"
    for wrong in ({"archive_format": "rar"}, {"hash_algorithm": "sha1"}):
        with pytest.raises(ArgumentError, match=next(iter(wrong))):
            get("new.txt", **wrong)
    with pytest.raises(DataError, match="cannot be downloaded: unknown url type"):
        keras.utils.get_file(origin="a/new.txt", cache_dir=tmp_path / "cache")
    with pytest.raises(DataError, match="no archive"):
        get("a.txt", extract=True)
    with pytest.raises(DataError, match="cannot be downloaded"):
        get("nothing.txt")
    assert not list((tmp_path / "cache").rglob("*.part"))
    with pytest.raises(ArgumentError, match="URL"):
        keras.utils.get_file("a.txt")


def test_text_messages(tmp_path, monkeypatch):
    from keraunos.datasets import sms_spam

    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("SMSSpamCollection", "ham\tSee you \tat £6?\r\nspam\tWIN now \n\n")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sms_spam, "ORIGIN", (tmp_path / "a.zip").as_uri())
    with pytest.raises(DataError, match="hash"):
        sms_spam.load_data()
    monkeypatch.setattr(sms_spam, "SHA256", hashlib.sha256((tmp_path / "a.zip").read_bytes()).hexdigest())
    texts, labels = sms_spam.load_data()
    assert texts.tolist() == ["See you \tat £6?", "WIN now"] and labels.tolist() == [0, 1]
    (tmp_path / "other").write_text("ham\tYes\nhello\n")
    with pytest.raises(DataError, match="message 2"):
        sms_spam.load_data(tmp_path / "other")

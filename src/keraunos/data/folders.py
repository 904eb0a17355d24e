"""Data sets of files: images, texts and sounds in one folder for each class, read by threads."""

from __future__ import annotations

import functools
import math
import os
import pathlib
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from keraunos.core import config
from keraunos.core.errors import ArgumentError, DataError, needing, one_of
from keraunos.data.samples import Batches, positive
from keraunos.ops import image
from keraunos.random import host

_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


class Files(Batches):
    """A data set of files.

    Args:
        file_paths: Where they are.
        labels: What is given beside each, or None.
        class_names: The names of the classes, or None.
        read: Which makes an array of a file.
        join: Which makes a batch of such arrays.
        options: `batch_size`, `shuffle` and `seed`.
    """

    def __init__(self, file_paths: list[str], labels: np.ndarray | None, class_names: list[str] | None, read: Callable[[str], Any], join: Any, **options: Any):
        self.file_paths, self.labels, self.class_names, self._read, self._join = file_paths, labels, class_names, read, join
        super().__init__(len(file_paths), self._batch, workers=min(4, os.cpu_count() or 1), **options)

    def _batch(self, rows: np.ndarray) -> Any:
        x = self._join([self._read(self.file_paths[row]) for row in rows])
        return x if self.labels is None else (x, self.labels[rows])


def _listed(directory: Any, labels: Any, class_names: Any, endings: tuple[str, ...], follow_links: bool) -> tuple[list[str], Any, list[str] | None]:
    """The files below a directory in their order, the class of each, and the classes' names."""
    inferred = isinstance(labels, str)
    if inferred:
        one_of("labels", labels, ("inferred",))
    elif class_names is not None:
        raise ArgumentError("class_names are those of folders; with labels=… the folders do not matter.", where="class_names", fix="labels='inferred'")
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise DataError(f"There is no directory '{directory}'.", where="directory", fix="check the path: it holds one folder for each class")

    def below(folder: pathlib.Path) -> list[str]:
        found = [os.path.join(at, name) for at, _, names in os.walk(folder, followlinks=follow_links) for name in names]
        return sorted((path for path in found if path.lower().endswith(endings)), key=os.path.split)

    if not inferred:
        paths = below(root)
        if labels is not None and len(labels) != len(paths):
            fix = "one label for each file, folder by folder, and in each by name: labels=None gives their order in file_paths"
            raise DataError(f"There are {len(labels)} labels and {len(paths)} files.", where="labels", fix=fix)
        return paths, labels, None if labels is None else [str(label) for label in sorted(set(np.asarray(labels).ravel().tolist()))]
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    unknown = [name for name in class_names or [] if name not in folders]
    if unknown:
        fact = f"There is no folder for the class '{unknown[0]}'."
        raise DataError(fact, where="class_names", received=f"folders {', '.join(folders[:12])}", fix="name in class_names the folders that there are")
    names = list(class_names or folders)
    pairs = [(path, number) for number, name in enumerate(names) for path in below(root / name)]
    return [path for path, _ in pairs], [number for _, number in pairs], names


def _targets(labels: Any, mode: str | None, count: int) -> np.ndarray | None:
    if labels is None or mode is None:
        return None
    one_of("label_mode", mode, ("int", "categorical", "binary"))
    if mode == "binary" and count != 2:
        raise ArgumentError(f"label_mode='binary' needs 2 classes; there are {count}.", where="label_mode", fix="label_mode='int'")
    numbers = np.asarray(labels)
    if numbers.ndim != 1 or numbers.dtype.kind not in "biu":
        raise DataError("labels must be integers, one for each file.", where="labels", received=f"{numbers.dtype}, of shape {numbers.shape}")
    if mode != "int" and not 0 <= numbers.min() <= numbers.max() < count:
        fact, fix = f"label_mode='{mode}' takes labels from 0 to {count - 1}.", "number them anew: labels=np.unique(labels, return_inverse=True)[1]"
        raise DataError(fact, where="labels", received=f"labels from {numbers.min()} to {numbers.max()}", fix=fix)
    numbers = numbers.astype("int32")
    if mode == "categorical":
        return np.eye(count, dtype="float32")[numbers]
    return numbers if mode == "int" else numbers[:, None].astype("float32")


def _data_set(directory: Any, labels: Any, label_mode: Any, class_names: Any, endings: tuple[str, ...], read: Any, join: Any, batch_size: Any, shuffle: bool,
              seed: Any, validation_split: Any, subset: Any, follow_links: bool, verbose: bool, format: str = "tf") -> Any:  # fmt: skip
    """The data set of a directory, its training or validation part, or both."""
    if format != "tf":
        raise ArgumentError(f"format cannot be {format!r}: the result is a data set of Keraunos.", where="format", fix="leave format out")
    if subset is not None:
        one_of("subset", subset, ("training", "validation", "both"))
    if (validation_split is None) != (subset is None):
        raise ArgumentError("validation_split and subset go together.", where="subset", fix="validation_split=0.2, subset='both'")
    if validation_split is not None and not 0 < validation_split < 1:
        fact = "validation_split is a fraction between 0 and 1."
        raise ArgumentError(fact, received=f"validation_split={validation_split}", fix="validation_split=0.2", where="validation_split")
    if subset in ("training", "validation") and shuffle and seed is None:
        raise ArgumentError("Both parts must be drawn by the same seed, or they overlap.", where="seed", fix="seed=0 for both, or subset='both'")
    paths, numbers, names = _listed(directory, labels, class_names, endings, follow_links)
    if not paths:
        expected = f"files that end in {', '.join(endings)}, in a folder for each class"
        raise DataError(f"There are no files in '{directory}'.", where="directory", expected=expected)
    targets = _targets(numbers, label_mode, len(names or ()))
    seed = host.make_seed() if seed is None else seed
    order = host.generator(seed).permutation(len(paths)) if shuffle else np.arange(len(paths))
    at = len(paths) - int((validation_split or 0) * len(paths))
    if verbose:
        print(f"Found {len(paths)} files" + (f" belonging to {len(names)} classes." if names and targets is not None else "."))

    def part(kind: str, rows: np.ndarray) -> Files:
        if not len(rows):
            fact = f"validation_split={validation_split} of {len(paths)} files leaves none for {kind}."
            raise DataError(fact, where="validation_split", fix="a fraction that leaves some to each part, or more files")
        if verbose and subset is not None:
            print(f"Using {len(rows)} files for {kind}.")
        chosen = [paths[row] for row in rows]
        options = {"batch_size": batch_size, "shuffle": shuffle and kind == "training", "seed": seed}
        return Files(chosen, *((None, None) if targets is None else (targets[rows], names)), read, join, **options)

    if subset is None:
        return part("training", order)
    parts = {"training": order[:at], "validation": order[at:]}
    return tuple(part(kind, rows) for kind, rows in parts.items()) if subset == "both" else part(subset, parts[subset])


def image_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int", class_names: Any = None, color_mode: str = "rgb", batch_size: int | None = 32,
    image_size: tuple[int, int] = (256, 256), shuffle: bool = True, seed: int | None = None, validation_split: float | None = None, subset: str | None = None,
    interpolation: str = "bilinear", follow_links: bool = False, crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
    data_format: str | None = None, format: str = "tf", verbose: bool = True,
) -> Any:  # fmt: skip
    """A data set of the images in a directory, with a folder for each class.

    It is a `PyDataset`, for `fit`, `evaluate` and `predict`, whose images are read by threads; Keras returns one of TensorFlow's.

    Args:
        directory: Where the folders are.
        labels: "inferred" from the folders, None, or a list of integers, one for each file: folder by folder, and in each by name.
        label_mode: "int", "categorical" (one-hot), "binary" (0.0 or 1.0), or None.
        class_names: The names of the folders in the order of their numbers; sorted by default.
        color_mode: "rgb", "rgba" or "grayscale".
        batch_size: The number of images in a batch.
        image_size: Height and width to which images are resized.
        shuffle: Whether each epoch has its own order.
        seed: The seed of the order and of the split.
        validation_split: The fraction of the files that is for validation.
        subset: "training", "validation", or "both" (a pair of data sets).
        interpolation: "bilinear", "nearest", "bicubic", "lanczos3" or "lanczos5".
        follow_links: Whether links to directories are followed.
        crop_to_aspect_ratio: Whether images are cropped, not distorted.
        pad_to_aspect_ratio: Whether images are padded, not distorted, as `ops.image.resize` does.
        data_format: "channels_last" or "channels_first"; the setting's by default.
        format: Only "tf"; the result is a data set of Keraunos anyway.
        verbose: Whether the number of files is printed.

    Returns:
        A data set with `class_names` and `file_paths`; two of them for `subset="both"`.

    Raises:
        DataError: There are no images, or one cannot be read.
        ArgumentError: Arguments do not go together.

    Example:

    >>> import keraunos as keras, numpy as np, pathlib, tempfile
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("cats", "dogs"):
    ...     (directory / name).mkdir()
    ...     keras.utils.save_img(directory / name / "0.png", np.zeros((8, 8, 3)))
    >>> data = keras.utils.image_dataset_from_directory(directory, image_size=(4, 4), shuffle=False, verbose=False)
    >>> x, y = data[0]; data.class_names, x.shape, y.tolist()
    (['cats', 'dogs'], (2, 4, 4, 3), [0, 1])
    """
    mode = _MODES[one_of("color_mode", color_mode, tuple(_MODES))]
    one_of("interpolation", interpolation, _INTERPOLATIONS)
    if not isinstance(image_size, (tuple, list)) or len(image_size) != 2:
        raise ArgumentError("image_size is a height and a width.", received=f"image_size={image_size!r}", fix="image_size=(256, 256)", where="image_size")
    size = tuple(positive("image_dataset_from_directory", "image_size", length) for length in image_size)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("Images are cropped or padded, not both.", where="pad_to_aspect_ratio", fix="leave crop_to_aspect_ratio or pad_to_aspect_ratio out")
    options = {"crop_to_aspect_ratio": crop_to_aspect_ratio, "pad_to_aspect_ratio": pad_to_aspect_ratio, "data_format": "channels_last"}
    first = config.standardize_data_format(data_format) == "channels_first"

    def read(path: str) -> np.ndarray:
        pixels = _pixels(path, mode)
        with config.backend_scope("numpy"):
            resized = np.asarray(image.resize(pixels, size, interpolation, **options))
        return resized.transpose(2, 0, 1) if first else resized

    return _data_set(directory, labels, label_mode, class_names, _IMAGES, read, np.stack, batch_size, shuffle, seed, validation_split, subset, follow_links, verbose,
                     format)  # fmt: skip


def _pixels(path: str, mode: str) -> np.ndarray:
    with needing("Images are read by Pillow, which is not installed.", str(path), "pillow"):
        from PIL import Image
    try:
        with Image.open(path) as opened:
            wide = opened.mode.startswith("I")  # 16 bits a pixel, of which Pillow would clip what is above 255
            pixels = np.asarray((Image.fromarray((np.asarray(opened) >> 8).astype("uint8")) if wide else opened).convert(mode))
    except (OSError, SyntaxError) as error:
        raise DataError(f"The image cannot be read: {error}", where=path, fix="remove the file, or mend it") from error
    return (pixels[..., None] if pixels.ndim == 2 else pixels).astype("float32")


def text_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int", class_names: Any = None, batch_size: int | None = 32, max_length: int | None = None,
    shuffle: bool = True, seed: int | None = None, validation_split: float | None = None, subset: str | None = None, follow_links: bool = False,
    format: str = "tf", verbose: bool = True,
) -> Any:  # fmt: skip
    """A data set of the texts (`.txt`, UTF-8) in a directory, with a folder for each class, as `image_dataset_from_directory` has images.

    Bytes that are no UTF-8 are read as U+FFFD.

    Args:
        directory: Where the folders are.
        labels: "inferred" from the folders, None, or a list of integers, one for each file: folder by folder, and in each by name.
        label_mode: "int", "categorical", "binary", or None.
        class_names: The names of the folders in the order of their numbers.
        batch_size: The number of texts in a batch.
        max_length: The number of characters after which texts are cut.
        shuffle: Whether each epoch has its own order.
        seed: The seed of the order and of the split.
        validation_split: The fraction of the files that is for validation.
        subset: "training", "validation", or "both".
        follow_links: Whether links to directories are followed.
        format: Only "tf"; the result is a data set of Keraunos anyway.
        verbose: Whether the number of files is printed.

    Returns:
        A data set with `class_names` and `file_paths`; two of them for `subset="both"`.

    Example:

    >>> import keraunos as keras, pathlib, tempfile
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> for name, text in (("ham", "see you at noon"), ("spam", "win a prize")):
    ...     (directory / name).mkdir()
    ...     size = (directory / name / "0.txt").write_text(text)
    >>> data = keras.utils.text_dataset_from_directory(directory, shuffle=False, verbose=False)
    >>> x, y = data[0]; x.tolist(), y.tolist()
    (['see you at noon', 'win a prize'], [0, 1])
    """

    def read(path: str) -> str:
        return pathlib.Path(path).read_bytes().decode("utf-8", "replace")[:max_length]

    positive("text_dataset_from_directory", "max_length", max_length)
    join = functools.partial(np.array, dtype=object)
    return _data_set(directory, labels, label_mode, class_names, (".txt",), read, join, batch_size, shuffle, seed, validation_split, subset, follow_links, verbose,
                     format)  # fmt: skip


def audio_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int", class_names: Any = None, batch_size: int | None = 32, sampling_rate: int | None = None,
    output_sequence_length: int | None = None, ragged: bool = False, shuffle: bool = True, seed: int | None = None, validation_split: float | None = None,
    subset: str | None = None, follow_links: bool = False, verbose: bool = True,
) -> Any:  # fmt: skip
    """A data set of the sounds (`.wav`) in a directory, with a folder for each class, as `image_dataset_from_directory` has images.

    A batch has the shape `(batch, length, channels)`, with values from -1 to 1.

    Args:
        directory: Where the folders are.
        labels: "inferred" from the folders, None, or a list of integers, one for each file: folder by folder, and in each by name.
        label_mode: "int", "categorical", "binary", or None.
        class_names: The names of the folders in the order of their numbers.
        batch_size: The number of sounds in a batch.
        sampling_rate: The rate, in samples a second, to which sounds are brought; their own by default.
        output_sequence_length: The length to which sounds are cut or filled up with silence; that of the longest in the batch by default.
        ragged: Must be False: no engine has batches of unequal lengths.
        shuffle: Whether each epoch has its own order.
        seed: The seed of the order and of the split.
        validation_split: The fraction of the files that is for validation.
        subset: "training", "validation", or "both".
        follow_links: Whether links to directories are followed.
        verbose: Whether the number of files is printed.

    Returns:
        A data set with `class_names` and `file_paths`; two of them for `subset="both"`.

    Raises:
        DataError: There are no sounds, or one cannot be read.

    Example:

    >>> import keraunos as keras, numpy as np, pathlib, scipy.io.wavfile, tempfile
    >>> directory = pathlib.Path(tempfile.mkdtemp())
    >>> for name in ("low", "high"):
    ...     (directory / name).mkdir()
    ...     scipy.io.wavfile.write(directory / name / "0.wav", 8000, np.zeros(800, "int16"))
    >>> data = keras.utils.audio_dataset_from_directory(directory, output_sequence_length=1000, verbose=False)
    >>> x, y = data[0]; data.class_names, x.shape
    (['high', 'low'], (2, 1000, 1))
    """
    if ragged:
        raise ArgumentError("ragged=True: no engine has batches of unequal lengths.", where="ragged", fix="output_sequence_length=16000")

    for name, value in (("sampling_rate", sampling_rate), ("output_sequence_length", output_sequence_length)):
        positive("audio_dataset_from_directory", name, value)

    def join(sounds: list[np.ndarray]) -> np.ndarray:
        channels = sorted({sound.shape[1] for sound in sounds})
        if len(channels) > 1:
            fact = f"The sounds of a batch have {channels[0]} and {channels[-1]} channels."
            raise DataError(fact, where="directory", fix="bring the files to one number of channels")
        length = output_sequence_length or max(map(len, sounds))
        return np.stack([np.pad(sound[:length], ((0, max(0, length - len(sound))), (0, 0))) for sound in sounds])

    read = functools.partial(_samples, rate=sampling_rate)
    return _data_set(
        directory, labels, label_mode, class_names, (".wav",), read, join, batch_size, shuffle, seed, validation_split, subset, follow_links, verbose
    )


def _samples(path: str, rate: int | None) -> np.ndarray:
    import scipy.io.wavfile
    import scipy.signal

    try:
        own, x = scipy.io.wavfile.read(path)
    except (ValueError, struct.error) as error:
        raise DataError(f"The sound cannot be read: {error}", where=path, fix="remove the file, or mend it") from error
    if x.dtype.kind == "u":
        x = (x.astype("float32") - 128) / 128
    elif x.dtype.kind == "i":
        x = (x / -float(np.iinfo(x.dtype).min)).astype("float32")
    x = x.astype("float32")
    x = x[:, None] if x.ndim == 1 else x
    if rate is not None and rate != own:
        shared = math.gcd(rate, own)
        x = scipy.signal.resample_poly(x, rate // shared, own // shared, axis=0).astype("float32")
    return x

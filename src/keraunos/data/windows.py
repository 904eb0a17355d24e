"""Windows of a series, and data in two parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from keraunos.core import tree
from keraunos.core.errors import ArgumentError, DataError
from keraunos.data.adapters import ArraySource, source
from keraunos.data.samples import Batches
from keraunos.random import host


def timeseries_dataset_from_array(
    data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1, sampling_rate: int = 1, batch_size: int | None = 128, shuffle: bool = False,
    seed: int | None = None, start_index: int | None = None, end_index: int | None = None, format: str = "tf",
) -> Any:  # fmt: skip
    """A data set of windows that slide over a series.

    It is a `PyDataset`, for `fit`, `evaluate` and `predict`; Keras returns one of TensorFlow's.

    Args:
        data: The series, with one entry for each time.
        targets: A target for each window's first time, or None.
        sequence_length: The number of entries in a window.
        sequence_stride: How far a window begins after the one before.
        sampling_rate: The distance of a window's entries from each other.
        batch_size: The number of windows in a batch.
        shuffle: Whether each epoch has its own order.
        seed: The seed of the order.
        start_index: The first time that is used.
        end_index: The time before which windows end.
        format: Only "tf"; the result is a data set of Keraunos anyway.

    Raises:
        ArgumentError: An argument is out of range.
        DataError: The data is no series, or there are no targets.

    Example:

    >>> windows = timeseries_dataset_from_array([0, 1, 2, 3, 4], None, sequence_length=3)
    >>> windows[0].tolist()
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    """
    if format != "tf":
        raise ArgumentError(f"format cannot be {format!r}: the result is a data set of Keraunos.", where="format", fix="leave format out")
    for name, value in (("sequence_length", sequence_length), ("sequence_stride", sequence_stride), ("sampling_rate", sampling_rate)):
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ArgumentError(f"{name} must be a positive integer.", received=f"{name}={value!r}", where=name)
    for name, value in (("start_index", start_index), ("end_index", end_index)):
        if value is not None and not isinstance(value, (int, np.integer)):
            raise ArgumentError(f"{name} must be an integer, or None.", received=f"{name}={value!r}", where=name)
    series = np.asarray(data)
    if series.ndim == 0:
        raise DataError("data is a single number, not a series.", where="data")
    start, end = start_index or 0, len(series) if end_index is None else end_index
    if not 0 <= start < end <= len(series):
        fact = f"There is nothing between start_index={start} and end_index={end} of {len(series)} times."
        raise ArgumentError(fact, where="start_index", fix="end_index above start_index, both within the series")
    count = end - start - (sequence_length - 1) * sampling_rate
    goals = None if targets is None else np.asarray(targets)
    if goals is not None:
        count = min(count, len(goals) - start)
        if len(goals) <= start:
            fix = "targets has one entry for each entry of the data: those before the first window are not used"
            raise DataError(f"There is no target for a window: targets has {len(goals)}, and windows begin at {start}.", where="targets", fix=fix)
    if count < 1:
        fact = f"A window spans {(sequence_length - 1) * sampling_rate + 1} times; the series has {end - start}."
        raise ArgumentError(fact, where="sequence_length", fix="a smaller sequence_length or sampling_rate")
    begins = start + np.arange(0, count, sequence_stride)
    steps = np.arange(sequence_length) * sampling_rate

    def batch(rows: np.ndarray) -> Any:
        first = begins[rows]
        x = series[first[:, None] + steps]
        return x if goals is None else (x, goals[first])

    return Batches(len(begins), batch, batch_size, shuffle, seed)


def split_dataset(
    dataset: Any,
    left_size: float | int | None = None,
    right_size: float | int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: Any = None,
) -> tuple[Any, Any]:
    """Data in two parts.

    Arrays, and lists, tuples and dicts of them, give two of the same structure, for `fit(*left)`, in which NumPy's arrays keep their dtypes; what else there is,
    lists of samples too, gives two lists of its samples or batches.
    Keras returns two data sets of TensorFlow's.

    Args:
        dataset: Arrays of samples, or anything that yields samples or batches and ends.
        left_size: The size of the left part: a number of entries, or a fraction of all.
        right_size: The size of the right part, which ends with the last entry; what the left one leaves by default.
        shuffle: Whether the entries are shuffled before.
        seed: The seed of that.
        preferred_backend: Must be None: the parts belong to no engine.

    Raises:
        ArgumentError: A size is none.
        DataError: The data is not of one length, is no data, or cannot be split so.

    Example:

    >>> import numpy as np
    >>> (x, y), (x_test, y_test) = split_dataset((np.arange(10), np.arange(10)), left_size=0.8)
    >>> len(x), x_test.tolist()
    (8, [8, 9])
    """
    if preferred_backend is not None:
        raise ArgumentError("The parts belong to no engine.", where="preferred_backend", fix="leave preferred_backend out")
    arrays = dataset if isinstance(dataset, list) else tree.flatten(dataset) if isinstance(dataset, (tuple, dict)) else [dataset]
    arrays = [a for a in arrays if a is not None]
    if all(hasattr(a, "shape") or hasattr(a, "to_numpy") for a in arrays) and arrays:
        given = list(dataset) if isinstance(dataset, tuple) else dataset
        held = source(given, text=True)
        assert isinstance(held, ArraySource)
        if isinstance(dataset, (list, tuple, dict, np.ndarray)):
            held.data = (tree.map_structure(lambda a, made: a if type(a) is np.ndarray else made, given, held.data[0]), None, None)
        size, entries = held.size, None
    else:
        entries = _entries(dataset)
        size, held = len(entries), None
    left, right = _sizes(size, left_size, right_size)
    order = host.generator(host.make_seed() if seed is None else seed).permutation(size) if shuffle else np.arange(size)
    parts = order[:left], order[size - right :]
    if held is None:
        return tuple([entries[row] for row in rows] for rows in parts)  # type: ignore[index, return-value]
    found = [held.take(rows)[0] for rows in parts]
    return tuple(tuple(part) if isinstance(dataset, tuple) else part for part in found)  # type: ignore[return-value]


def _entries(dataset: Any) -> list[Any]:
    """The samples or batches of what is not arrays."""
    kind = type(dataset).__name__
    if isinstance(dataset, (tuple, dict)):
        fix = "split_dataset((np.asarray(x), np.asarray(y)), …), or a list of samples"
        raise DataError(f"A {kind} holds arrays, which lists and numbers are not.", where="dataset", fix=fix)
    if hasattr(dataset, "__iter__"):
        return list(dataset)
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise DataError(f"A {kind} has no samples that end.", where="dataset", fix="pass arrays, or what has __iter__, or __getitem__ and __len__")
    return [dataset[i] for i in range(len(dataset))]  # which need not raise IndexError beyond its end


def _count(name: str, value: Any, size: int) -> int:
    """The size of a part as a number of entries."""
    share = isinstance(value, (float, np.floating)) and 0 < value < 1
    if not share and not (isinstance(value, (int, np.integer)) and not isinstance(value, bool) and 0 < value <= size):
        raise ArgumentError(f"{name} is a number of entries up to {size}, or a fraction between 0 and 1.", received=f"{name}={value!r}", where=name)
    return round(float(value) * size) if share else int(value)


def _sizes(size: int, left: Any, right: Any) -> tuple[int, int]:
    if left is None and right is None:
        raise ArgumentError("Say how large a part is.", where="split_dataset", fix="left_size=0.8")
    second = None if right is None else _count("right_size", right, size)
    first = _count("left_size", left, size) if left is not None else size - second  # type: ignore[operator]
    second = size - first if second is None else second
    if first + second > size or not first or not second:
        fact = f"{size} entries cannot be split into {first} and {second}."
        raise DataError(fact, where="split_dataset", fix="sizes that are not 0 and come to no more than there is")
    return first, second

"""Random numbers on the host, from a counter-based generator: equal on every engine."""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_MASK = 2**64 - 1
_lock = threading.Lock()
_process = {"seed": int.from_bytes(os.urandom(8), "little"), "count": 0}
resets: list[Callable[[], Any]] = []  # what must start anew when the process is seeded


def set_random_seed(seed: int) -> None:
    """Seed everything random in the process: Python, NumPy, the engine in force, and Keraunos.

    Args:
        seed: Any integer of at least 0.

    Example:

    >>> set_random_seed(3); first = make_seed()
    >>> set_random_seed(3); first == make_seed()
    True
    """
    from keraunos.core import config
    from keraunos.core.errors import ArgumentTypeError

    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentTypeError("A seed must be an integer of at least 0.", where="set_random_seed", received=repr(seed))
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    with _lock:
        _process.update(seed=seed, count=0)
    if (manual_seed := getattr(config.active(), "manual_seed", None)) is not None:
        manual_seed(seed)
    for reset in resets:
        reset()


@contextlib.contextmanager
def stream(place: dict[str, int]) -> Iterator[None]:
    """Draw seeds in a block from a place of another stream, which then tells where that is; the process's own goes on afterwards.

    Args:
        place: The `seed` of the stream and the `count` of seeds drawn from it.

    Example:

    >>> place = {"seed": 3, "count": 0}
    >>> with stream(place): first = make_seed()
    >>> place["count"]
    1
    """
    with _lock:
        former = dict(_process)
        _process.update(place)
    try:
        yield
    finally:
        with _lock:
            place.update(_process)
            _process.update(former)


def make_seed() -> int:
    """A fresh seed from the stream of the process."""
    with _lock:
        _process["count"] += 1
        return int(generator(_process["seed"], 0, _process["count"]).integers(2**31))


def process_seed(stream: int) -> int:
    """A seed that depends on the seed of the process alone, one for each `stream` of at least 1."""
    return int(generator(_process["seed"], stream).integers(2**31))


def generator(seed: int, *counters: int) -> np.random.Generator:
    """NumPy's generator for a seed and up to four counters, each set of which gives numbers of its own.

    Example:

    >>> int(generator(1, 2).integers(1000)) == int(generator(1, 2).integers(1000))
    True
    """
    first, *others = (*counters, 0, 0, 0, 0)[:4]
    key = np.array([seed & _MASK, first & _MASK], np.uint64)
    counter = np.array([0, *(c & _MASK for c in others)], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def truncated_normal(source: np.random.Generator, shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    """Standard normal numbers, those beyond 2 drawn again."""
    numbers = source.standard_normal(shape, dtype)  # pyright: ignore[reportArgumentType, reportCallIssue]
    flat = numbers.reshape(-1)
    wrong = np.flatnonzero(np.abs(flat) > 2)
    while wrong.size:
        flat[wrong] = source.standard_normal(wrong.size, dtype)  # pyright: ignore[reportArgumentType, reportCallIssue]
        wrong = wrong[np.abs(flat[wrong]) > 2]
    return numbers

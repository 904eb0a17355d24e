"""Batches made ahead of time by a thread, where making them takes time."""

from __future__ import annotations

import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from keraunos.core.scope import scope, within

DEPTH = 2  # batches that wait
SLOW = 0.001  # seconds: a batch that takes less to make is not worth a thread
TRIALS = 3  # batches in a row that were slow, before a thread is begun
PATIENCE = 5.0  # seconds that the end of a run waits for a batch that is being made


class Pace:
    """How data has been to read so far, kept with its source from one epoch to the next."""

    slow = 0  # batches in a row


class Ahead(Iterator[Any]):
    """What `make` gives of each item, in order: made when it is wanted, or by a thread ahead of time once that is worth it.

    Items are read one by one; what was read and not given comes back from `close`.

    Args:
        items: What batches are made of.
        make: Which makes one.
        pace: How the data has been so far.
    """

    def __init__(self, items: Iterator[Any], make: Callable[[Any], Any], pace: Pace):
        self._items, self._make, self._pace = items, make, pace
        self._thread: threading.Thread | None = None
        self._ended = False

    def __next__(self) -> Any:
        if self._thread is None:
            if self._pace.slow < TRIALS:
                return self._timed()
            self._begin()
        if self._ended:
            raise StopIteration
        _, found, error = self._queue.get()
        if error is not None:
            self._ended = True
            raise error
        self._room.release()
        return found

    def _timed(self) -> Any:
        started, pace = time.perf_counter(), self._pace
        found = self._make(next(self._items))
        pace.slow = pace.slow + 1 if time.perf_counter() - started >= SLOW else 0
        return found

    def _begin(self) -> None:
        self._queue: queue.SimpleQueue[tuple[Any, Any, BaseException | None]] = queue.SimpleQueue()
        self._room, self._stopped = threading.Semaphore(DEPTH), False
        context, settings = contextvars.copy_context(), dict(vars(scope))
        self._thread = threading.Thread(target=context.run, args=(self._work, settings), name="keraunos-data", daemon=True)
        self._thread.start()

    def _work(self, settings: dict[str, Any]) -> None:
        """Make batches as long as there is room, in the scope of the thread that wants them."""
        with within(**settings):
            while True:
                self._room.acquire()
                if self._stopped:
                    return
                try:
                    item = next(self._items)
                except BaseException as error:  # StopIteration too
                    return self._queue.put((None, None, error))
                try:
                    found = self._make(item)
                except BaseException as error:
                    return self._queue.put((item, None, error))
                self._queue.put((item, found, None))

    def close(self) -> list[Any]:
        """End the thread; returns the items that were read and not given."""
        if self._thread is None:
            return []
        self._stopped = True
        self._room.release()
        self._thread.join(PATIENCE)
        left = []
        while not self._queue.empty():
            item, _, _ = self._queue.get()
            left += [] if item is None else [item]
        return left

"""Data whose batches are found by number, made one after another or by several workers ahead of time."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from keraunos.core.errors import ArgumentError, DataError
from keraunos.core.fields import Field
from keraunos.data.batches import Batched, Form, as_it_is
from keraunos.random import host


class PyDataset:
    """Data for `fit` that makes its batches itself, in several threads or processes if wanted.

    A subclass defines `__len__`, the number of batches, and `__getitem__(index)`, which returns `(x, y)` or `(x, y, sample_weight)`.
    With `shuffle=True`, `fit` asks for the batches in another order in each epoch.

    Args:
        workers: How many threads or processes make batches ahead of time; with 1 thread they are made when they are wanted.
        use_multiprocessing: Whether the workers are processes. The data set must be such that `pickle` can send it, and a script that calls
            `fit` must do so under `if __name__ == "__main__":`.
        max_queue_size: How many batches may wait.

    Example:

    >>> import numpy as np
    >>> import keraunos as keras
    >>> class Squares(keras.utils.PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         x = np.full((4, 1), index, "float32")
    ...         return x, x**2
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(Squares(workers=2), verbose=0)
    """

    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        owner = type(self).__name__
        self.workers = Field("workers", "Count", 1).value(owner, workers)
        self.use_multiprocessing = Field("use_multiprocessing", "bool", False).value(owner, use_multiprocessing)
        self.max_queue_size = Field("max_queue_size", "Size", 10).value(owner, max_queue_size)

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no __getitem__(self, index), which returns a batch.")

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None for data without an end, which needs `steps_per_epoch`."""
        try:
            return len(self)  # type: ignore[arg-type]
        except TypeError:
            raise DataError(f"{type(self).__name__} does not say how many batches it has.", fix="define __len__(self)", where="__len__") from None

    def on_epoch_begin(self) -> None:
        """Called before an epoch."""

    def on_epoch_end(self) -> None:
        """Called after an epoch; a data set may reorder its samples here."""


Sequence = PyDataset  # its former name
_held: dict[str, Any] = {}  # in a worker: the data set


def _begin(data: Any) -> None:
    """Begin a worker process: it ends when its parent does, however that ended, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _held["data"] = data
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _item(index: int) -> Any:
    return _held["data"][index]


class IndexedSource(Batched):
    """Batches by number, as `PyDataset` has them.

    Args:
        data: What has `__getitem__`, and `__len__` or `num_batches`.
        steps: The number of batches in an epoch, if fewer than there are.
        shuffle: Whether each epoch has its own order of batches.
        convert: What is made of a batch before it is given.

    Raises:
        ArgumentError: There are fewer batches than `steps`, or no end of them and no `steps`.
    """

    def __init__(self, data: Any, steps: int | None = None, shuffle: bool = False, convert: Callable[[Any], Any] = as_it_is):
        kind, count = type(data).__name__, data.num_batches if hasattr(data, "num_batches") else len(data)
        count = None if count is not None and count >= sys.maxsize else count  # how some say that there is no end
        if count is None and steps is None:
            raise ArgumentError(f"{kind} has no end.", where="steps_per_epoch", fix="say how many batches make an epoch: steps_per_epoch=100")
        if count is not None and steps is not None and steps > count:
            raise ArgumentError(f"steps_per_epoch={steps}, but {kind} has {count} batches.", where="steps_per_epoch", fix=f"at most {count}")
        self.data, self.count, self.convert = data, count, convert
        self.steps: Any = count if steps is None else steps
        if self.steps == 0:
            raise DataError(f"{kind} has no batches.", fix="check its __len__", where="__len__")
        self.shuffle = shuffle and count is not None and not getattr(data, "own_order", False)
        self.seed = host.make_seed() if shuffle else 0
        self._first: tuple[int, Any] | None = None
        self._reorders = self._changes("on_epoch_begin")  # a batch that was made before an epoch need not be one of it
        self._form = Form()
        self._executor: Any = None

    def _changes(self, *names: str) -> bool:
        """Whether the data set defines one of these methods itself, by which it may change."""
        return any(getattr(type(self.data), name, None) not in (None, getattr(PyDataset, name, None)) for name in names)

    def order(self, epoch: int) -> list[int]:
        """The numbers of an epoch's batches in their order; fewer than there are go on where the epoch before ended."""
        if self.count is None:
            return list(range(epoch * self.steps, (epoch + 1) * self.steps))
        if self.shuffle:
            return host.generator(self.seed, epoch).permutation(self.count).tolist()[: self.steps]
        return [(epoch * self.steps + i) % self.count for i in range(self.steps)]

    @property
    def head(self) -> Any:
        """A batch, for checks; it is not made again for the first epoch, if it is the same there."""
        if self._first is None:
            self._tell("set_epoch", 0)
            index = self.order(0)[0]
            self._first = index, self._made(index)
        return self._converted(*self._first)

    def _made(self, index: int) -> Any:
        try:
            return self.data[index]
        except Exception as error:
            error.add_note(f"Raised by {type(self.data).__name__}[{index}].")
            raise

    def _converted(self, index: int, batch: Any) -> Any:
        return self._form.checked(self.convert, batch, f"{type(self.data).__name__}[{index}]")

    def batches(self, epoch: int, ready: Callable[[Any], Any] = as_it_is, passed: int = 0) -> Generator[Any]:
        """The batches of an epoch but for the first ones, made `ready`."""
        with contextlib.closing(self._batches(epoch, passed)) as batches:
            yield from map(ready, batches)

    def _batches(self, epoch: int, passed: int) -> Generator[Any]:
        self._tell("set_epoch", epoch)  # from which its order may follow
        self._tell("on_epoch_begin")
        indices = self.order(epoch)[passed:]
        first, self._first = self._first, None
        same = not self._reorders and (epoch == 0 or not hasattr(self.data, "set_epoch"))
        if same and first is not None and first[0] in indices[:1]:
            yield self._converted(*first)
            indices = indices[1:]
        workers = getattr(self.data, "workers", 1)
        processes = getattr(self.data, "use_multiprocessing", False) and workers > 0
        if not processes and workers < 2:
            yield from (self._converted(index, self._made(index)) for index in indices)
            return
        with self._pool(workers, processes) as submit:
            yield from self._ahead(submit, indices, max(workers, getattr(self.data, "max_queue_size", 10)))

    @contextlib.contextmanager
    def _pool(self, workers: int, processes: bool) -> Iterator[Callable[[int], Any]]:
        """The workers, which processes are as long as they need not be told of changes of the data set."""
        if not processes:
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                try:
                    yield lambda index: pool.submit(self._made, index)
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)
            return
        if self._executor is None:
            way = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
            context = multiprocessing.get_context(way)
            self._executor = concurrent.futures.ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(self.data,))
            weakref.finalize(self, self._executor.shutdown, wait=False, cancel_futures=True)
        try:
            yield self._submit
        finally:
            if self._changes("on_epoch_begin", "on_epoch_end", "set_epoch"):
                self.close()

    def _submit(self, index: int) -> Any:
        try:
            return self._executor.submit(_item, index)
        except BrokenProcessPool as error:  # which is told when this batch, or one before it, is wanted
            future = concurrent.futures.Future[Any]()
            future.set_exception(error)
            return future
        except (pickle.PicklingError, TypeError, AttributeError) as error:  # the first call sends the data set
            self.close()
            kind = type(self.data).__name__
            fix = f"open what cannot be sent (files, locks, connections, lambdas) in {kind}.__getitem__, or set use_multiprocessing=False: workers are threads then"
            raise DataError(f"{kind} cannot be sent to worker processes: {error}.", where=kind, fix=fix) from error

    def close(self) -> None:
        """End the worker processes."""
        if self._executor is not None:
            processes = list((getattr(self._executor, "_processes", None) or {}).values())
            self._executor.shutdown(wait=False, cancel_futures=True)
            for process in processes:  # they are not asked to: after a Ctrl-C on a busy machine the executor may wait for ever for one that never heard
                process.terminate()
            self._executor = None

    def _ahead(self, submit: Callable[[int], Any], indices: Iterable[int], depth: int) -> Iterator[Any]:
        """The batches in their order, while the next ones are being made."""
        to_come, waiting, name = iter(indices), collections.deque[tuple[int, Any]](), type(self.data).__name__
        try:
            while True:
                for index in itertools.islice(to_come, depth - len(waiting)):
                    waiting.append((index, submit(index)))
                if not waiting:
                    return
                index, future = waiting.popleft()
                yield self._converted(index, self._received(name, index, future, len(waiting)))
        finally:
            for _, future in waiting:
                future.cancel()

    def _received(self, name: str, index: int, future: Any, others: int) -> Any:
        """A batch from a worker."""
        try:
            return future.result()
        except BrokenProcessPool:
            self.close()
            fact = f"A worker process of {name} died: it was killed, ran out of memory, or crashed."
            fix = f"run {name}[{index}] by itself to see why; workers=1, use_multiprocessing=False makes batches in this process"
            raise DataError(fact, where=f"{name}[{index}] or one of the {others} batches after it", fix=fix) from None
        except Exception as error:
            if getattr(self.data, "use_multiprocessing", False):
                error.add_note(f"Raised by {name}[{index}] in a worker process.")
            raise

    def skip(self, epoch: int) -> None:
        """Pass over an epoch that an earlier run has done; the data is told of it, for its order may depend on that."""
        self._tell("on_epoch_begin")
        self._first = None  # it may be another batch now
        self.epoch_end()

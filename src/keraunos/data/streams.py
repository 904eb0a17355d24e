"""Data that yields batches: generators, data loaders, `tf.data`, Grain."""

from __future__ import annotations

import collections
import itertools
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any

from keraunos.core.errors import DataError
from keraunos.data.ahead import Ahead, Pace
from keraunos.data.batches import Batched, Form, as_it_is

# What runs have read of iterators, which can be read once, and not used.
_unused: weakref.WeakKeyDictionary[Any, collections.deque[Any]] = weakref.WeakKeyDictionary()


class StreamSource(Batched):
    """Anything that yields batches.

    An epoch of `steps` batches goes on where the last one ended, and begins the data anew where it ends; without `steps`, an epoch is the whole. Epoch 0 begins
    the data anew. A generator can be read once: what a run has read of it and not used is kept for the next run.

    Args:
        data: What yields batches.
        steps: The number of batches in an epoch.
        convert: What is made of a batch before it is given.
        endless: Whether it is known to have no end.

    Raises:
        DataError: There is no end of it, and no `steps`.
    """

    seed = 0  # its order is its own

    def __init__(self, data: Any, steps: int | None = None, convert: Callable[[Any], Any] = as_it_is, endless: bool = False):
        self.data, self.steps, self.convert, self._whole = data, steps, convert, steps is None
        self._once = hasattr(data, "__next__") and iter(data) is data
        self._iterator: Any = data if self._once else None
        self._unread: collections.deque[Any] = collections.deque()
        if self._once:
            try:
                self._unread = _unused.setdefault(data, self._unread)
            except TypeError:  # no weak references to it
                pass
        self._first: Any = None
        self._form, self._pace = Form(), Pace()
        if steps is None:
            if endless:
                raise DataError(f"{type(data).__name__} has no end.", where="steps_per_epoch", fix="say how many batches make an epoch: steps_per_epoch=100")
            try:
                self.steps = len(data)
            except (TypeError, ValueError, NotImplementedError):
                self.steps = None
            self._whole = not (self._once and self.steps)  # an iterator with a length yields for ever, so many in an epoch

    def check_passes(self, passes: int, what: str) -> None:
        """Refuse to go through a generator more than once.

        Raises:
            DataError: It would be needed again.
        """
        if self._once and self._whole and passes > 1:
            steps = "steps_per_epoch" if what == "x" else "validation_steps"
            fix = f"pass {steps}=… if it yields for ever, list(…) of its parts as arrays, or an object whose __iter__ begins anew"
            raise DataError(f"{what} is a {type(self.data).__name__}, which can be gone through once; it is needed {passes} times.", where=what, fix=fix)

    def _raw(self, limit: int | None) -> Iterator[tuple[int, Any]]:
        """The batches of an epoch as the data yields them, and their numbers."""
        again = self._iterator is not None and self._first is None  # a pass of an earlier epoch, which may end in this one
        for number in itertools.count() if limit is None else range(limit):
            while not self._unread:
                if self._iterator is None:
                    self._iterator = iter(self.data)
                try:
                    self._unread.append(next(self._iterator))
                except StopIteration:
                    self._iterator = self._iterator if self._once else None
                    if self._once or limit is None or not again:
                        return
                    again = False
            yield number, self._unread.popleft()

    def _made(self, numbered: tuple[int, Any]) -> Any:
        """The arrays of a batch."""
        number, raw = numbered
        if self._first is not None and self._first[0] is raw:
            return self._first[1]
        return self._form.checked(self.convert, raw, f"batch {number + 1}")

    @property
    def head(self) -> Any:
        """The first batch, which is still to come."""
        for numbered in self._raw(1):
            self._unread.appendleft(numbered[1])
            self._first = numbered[1], self._made(numbered)
            return self._first[1]
        raise DataError("The data gave no batch.", where="x", fix="check that the generator yields, or pass a new one: a generator can be used once")

    def batches(self, epoch: int, ready: Callable[[Any], Any] = as_it_is, passed: int = 0) -> Generator[Any]:
        """The batches of an epoch but for the first ones, made `ready` ahead of time where that is worth a thread."""
        if epoch == 0 and not self._once and self._first is None:
            self._iterator = None
            self._unread.clear()
        done, raw = 0, self._raw(None if self._whole else self.steps)
        for _ in itertools.islice(raw, passed):
            done += 1
        ahead = Ahead(raw, lambda numbered: ready(self._made(numbered)), self._pace)
        try:
            for batch in ahead:
                self._first, done = None, done + 1
                yield batch
        finally:
            self._unread.extendleft(raw for _, raw in reversed(ahead.close()))
        if self._whole:
            self.steps = done
        elif done < self.steps:  # type: ignore[operator]
            fix = "let it yield for ever, or pass a smaller steps_per_epoch"
            raise DataError(f"The {'generator' if self._once else 'data'} ended after {done} of {self.steps} batches.", where="x", fix=fix)

    def skip(self, epoch: int) -> None:
        """Pass over an epoch that an earlier run has done: where epochs follow one another in the data, its batches are read."""
        if self._once or not self._whole:
            for _ in self._raw(self.steps):
                pass
        self.epoch_end()

    def close(self) -> None:
        """End of the run: an iterator of data that can be begun anew is let go."""
        if not self._once:
            self._iterator = None

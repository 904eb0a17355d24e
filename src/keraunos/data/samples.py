"""Data sets of samples by number, in batches."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keraunos.core.errors import ArgumentError, MissingNameError
from keraunos.core.fields import Field
from keraunos.data.indexed import PyDataset
from keraunos.random import host

_NEEDLESS = "leave it out: fit reads files ahead by threads, and has another order in each epoch if shuffle=True was passed"
_BY_BATCH = "make it a layer of the model, or pass a generator: ((f(x), y) for x, y in data)"
_INSTEAD = {
    **dict.fromkeys(("cache", "prefetch", "shuffle", "repeat", "with_options"), _NEEDLESS), **dict.fromkeys(("map", "filter"), _BY_BATCH),
    "take": "itertools.islice(data, 1), or data[0] for a batch", "skip": "itertools.islice(data, 1, None)",
    "batch": "pass batch_size when it is made", "unbatch": "pass batch_size=1 when it is made", "as_numpy_iterator": "iter(data): its batches are NumPy's",
    "cardinality": "len(data)", "element_spec": "data[0] is its first batch",
}  # fmt: skip


def positive(owner: str, name: str, value: Any) -> Any:
    """A positive integer, or None."""
    return Field(name, "Size | None", None).value(owner, value)


class Batches(PyDataset):
    """A data set of samples by number, in batches; `for batch in data` goes through it once.

    Args:
        size: The number of samples.
        make: Which makes a batch of an array of their numbers.
        batch_size: The number of samples in a batch.
        shuffle: Whether each epoch has its own order.
        seed: The seed of the order; drawn if it is None.
        workers: The number of threads that make batches.
    """

    own_order = True  # `fit` does not shuffle its batches

    def __init__(self, size: int, make: Callable[[np.ndarray], Any], batch_size: int | None, shuffle: bool = False, seed: int | None = None, workers: int = 1):
        super().__init__(workers=workers)
        if batch_size is None:
            fact = "batch_size must be a positive integer: models take batches."
            raise ArgumentError(fact, received="batch_size=None", fix="batch_size=1", where="batch_size")
        self.size, self.make, self.batch_size, self.shuffle = size, make, positive("data set", "batch_size", batch_size), shuffle
        self.seed = host.make_seed() if seed is None and shuffle else seed
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Take the order of an epoch."""
        self.epoch = epoch
        self._order = host.generator(self.seed or 0, epoch, 1).permutation(self.size) if self.shuffle else np.arange(self.size)

    def __len__(self) -> int:
        return math.ceil(self.size / self.batch_size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.make(self._order[index * self.batch_size :][: self.batch_size])

    def __getattr__(self, name: str) -> Any:
        """What TensorFlow's data sets have and these need not.

        Raises:
            MissingNameError: Always.
        """
        kind = type(self).__name__
        if name not in _INSTEAD:
            raise AttributeError(f"'{kind}' object has no attribute '{name}'", name=name, obj=self)
        raise MissingNameError(f"This data set is one of Keraunos, which has no {name}.", where=f"{kind}.{name}", fix=_INSTEAD[name])

    def __iter__(self) -> Any:
        for index in range(len(self)):
            yield self[index]
        self.set_epoch(self.epoch + 1)

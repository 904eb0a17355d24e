"""`utils.Progbar`: the bar of `fit`, for loops of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from keraunos.core.errors import ArgumentError
from keraunos.training.progress import Progress


class Progbar:
    """A bar that shows how far a loop is, with values beside it.

    Of a value, the mean over the steps so far is shown, weighted by how many steps each update was; with the last update, the value itself.

    Args:
        target: The number of steps in all; None if that is not known.
        width: The length of the bar in characters.
        verbose: 0 (silent), 1 (a bar), or 2 (one line at the end).
        interval: The least number of seconds between redraws.
        stateful_metrics: The names of values of which the last one is shown, not the mean.
        stateless_metrics: The names of the only values of which the mean is shown.
        unit_name: What a step is called.

    Raises:
        ArgumentError: Both lists of names are given; `verbose` is something else.

    Example:

    >>> bar = Progbar(100, verbose=0)
    >>> for step in range(100):
    ...     bar.update(step + 1, [("loss", 1 / (step + 1))])
    """

    def __init__(self, target: int | None, width: int = 20, verbose: int = 1, interval: float = 0.05, stateful_metrics: Iterable[str] | None = None,
                 stateless_metrics: Iterable[str] | None = None, unit_name: str = "step"):  # fmt: skip
        if stateful_metrics and stateless_metrics:
            raise ArgumentError("Give stateful_metrics or stateless_metrics, not both.", where="Progbar", fix="stateful_metrics=['accuracy']")
        self.target, self.verbose = target, verbose
        self.stateful_metrics, self.stateless_metrics = set(stateful_metrics or ()), set(stateless_metrics) if stateless_metrics else None
        self._bar = Progress(verbose, titled=False)
        self._bar.bar, self._bar.unit, self._bar.interval = width, unit_name, interval
        self._bar.begin(0, target)
        self._seen, self._sums = 0, {}

    def update(self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None) -> None:
        """Show that so many steps are done.

        Args:
            current: How many, from the beginning.
            values: Pairs of a name and a value.
            finalize: Whether this was the last; None if that is so at the target.
        """
        done = self.target is not None and current >= self.target if finalize is None else finalize
        steps = current - self._seen
        for name, value in values or ():
            whole = done or name in self.stateful_metrics or (self.stateless_metrics is not None and name not in self.stateless_metrics)
            total, count = (0.0, 0) if whole else self._sums.get(name, (0.0, 0))
            self._sums[name] = (float(value), 1) if whole else (total + float(value) * steps, count + steps)
        self._seen = current
        means = {name: total / max(count, 1) for name, (total, count) in self._sums.items()}
        if done:
            self._bar.end(current, means)
        elif self._bar.due():
            self._bar.draw(current, means)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Show that so many more steps are done."""
        self.update(self._seen + n, values)

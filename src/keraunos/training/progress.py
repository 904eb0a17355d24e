"""The progress of `fit`, `evaluate` and `predict`: a live bar where someone watches, lines elsewhere, a chart in notebooks."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import Any

from keraunos.core import config
from keraunos.core.errors import ArgumentError
from keraunos.training.live import LiveChart, in_notebook

WIDTH = 20
INTERVAL, NOTEBOOK_INTERVAL = 0.1, 0.3  # seconds between redraws
LONG = 10.0  # seconds: of a run that lasts longer, it is said how long in all


def readable(value: Any) -> str:
    """A number in a few characters."""
    value = float(value)
    if math.isfinite(value) and value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.4e}"
    return f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds as a person reads them; a whole number of them is known no better."""
    if isinstance(seconds, int) and seconds < 100:
        return f"{seconds}s"
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 100:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


class Progress:
    """Shows how far an epoch is; reads the numbers only when it draws.

    Args:
        verbose: 0 (silent), 1 (a bar), 2 (a line an epoch) or "auto" (1 for a person, 2 in a pipe).
        epochs: The number of epochs; 1 hides the epoch's number in evaluate and predict.
        title: What stands there then.
        titled: Whether anything stands before the bar.
    """

    bar, unit = WIDTH, "step"  # the length of the bar in characters; what a step is called

    def __init__(self, verbose: Any, epochs: int = 1, title: str = "", titled: bool = True):
        self.live = sys.stdout.isatty() or in_notebook()
        if verbose not in ("auto", 0, 1, 2):
            fact = "verbose is 0, 1, 2 or 'auto'."
            raise ArgumentError(fact, where="verbose", received=f"verbose={verbose!r}", fix="verbose=0 shows nothing, 1 a bar, 2 a line an epoch")
        if verbose == "auto":
            verbose = (1 if self.live else 2) if config.is_interactive_logging_enabled() else 0
        self.verbose, self.epochs, self.title, self.titled = int(verbose), epochs, title, titled
        self.width, self.begun, self.drawn = 0, 0.0, 0.0
        notebook = self.verbose == 1 and in_notebook()
        self.interval = NOTEBOOK_INTERVAL if notebook else INTERVAL
        self.chart = LiveChart() if notebook and epochs > 1 else None

    def begin(self, epoch: int, total: int | None) -> None:
        """Begin an epoch of `total` batches."""
        self.epoch, self.total, self.started = epoch, total, time.perf_counter()
        self.drawn = 0.0 if self.chart is None else self.drawn  # charts of short epochs are not drawn each time
        if not self.begun:
            self.begun, self.first = self.started, epoch
        self.columns = 120 if in_notebook() else shutil.get_terminal_size().columns - 1

    def due(self) -> bool:
        """Whether it is time to draw again."""
        return self.verbose == 1 and self.live and time.perf_counter() - self.drawn > self.interval

    def draw(self, done: int, logs: dict[str, Any]) -> None:
        """Draw the bar over the last one."""
        self.drawn = time.perf_counter()
        pace = (self.drawn - self.started) / max(done, 1)
        head, text = self._head(), self._text(logs)
        if self.total:
            text = f" {done}/{self.total} {duration(pace)}/{self.unit} {self._left(pace * (self.total - done))}{text}"
            width = min(self.bar, max(self.bar // 4, self.columns - len(head) - len(text)))
            full = min(width, int(width * done / self.total))
            self._over(f"{head}{'━' * full}{'─' * (width - full)}{text}")
        else:
            self._over(f"{head}{done} {'batches' if self.titled else self.unit + 's'} {duration(pace)}/{self.unit}{text}")

    def _left(self, seconds: float) -> str:
        """The time that the epoch has left, and the run if it is long; that of an epoch with its validation is known from those before."""
        passed = self.epoch - self.first
        each = (self.started - self.begun) / passed if passed else self.drawn - self.started + seconds
        whole = seconds + (self.epochs - self.epoch - 1) * each
        return f"{duration(math.ceil(seconds))} left" + (f" of {duration(math.ceil(whole))}" if self.epochs > self.epoch + 1 and whole > LONG else "")

    def end(self, done: int, logs: dict[str, Any]) -> None:
        """End the epoch with one line."""
        if not self.verbose:
            return
        spent = time.perf_counter() - self.started
        steps = f"{done}/{done} " if self.verbose == 1 else ""
        line = f"{self._head()}{steps}{duration(spent)} {duration(spent / max(done, 1))}/{self.unit}{self._text(logs)}"
        if self.chart is not None:
            self.chart.add(self.epoch, logs)
            return self._over(line) if self.due() else self.chart.note(line)
        cleared, self.width = f"\r{' ' * self.width}\r" if self.width else "", 0
        sys.stdout.write(f"{cleared}{line}\n")
        sys.stdout.flush()

    def close(self) -> None:
        """End the run: a chart shows its last epoch."""
        if self.chart is not None:
            self.chart.show()

    def _head(self) -> str:
        if not self.titled:
            return ""
        return f"Epoch {self.epoch + 1}/{self.epochs} " if self.epochs > 1 or not self.title else f"{self.title} "

    @staticmethod
    def _text(logs: dict[str, Any]) -> str:
        return "".join(f" - {name}: {readable(value)}" for name, value in logs.items() if not isinstance(value, dict))

    def _over(self, line: str) -> None:
        """Draw a line over the last one; what does not fit the terminal would begin a new one each time."""
        if self.chart is not None:
            self.drawn = time.perf_counter()
            return self.chart.show(line)
        line = line if len(line) <= self.columns else line[: self.columns - 1] + "…"
        sys.stdout.write("\r" + line.ljust(self.width))
        self.width = len(line)
        sys.stdout.flush()

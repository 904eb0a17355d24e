"""The progress of `fit`, `evaluate` and `predict`: a live bar where someone watches, lines elsewhere."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import Any

from keraunos.core import config

WIDTH = 20
INTERVAL = 0.1  # seconds between redraws


def in_notebook() -> bool:
    """Whether the output goes to a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def readable(value: Any) -> str:
    """A number in a few characters."""
    value = float(value)
    if math.isfinite(value) and value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.4e}"
    return f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds as a person reads them."""
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
    """

    def __init__(self, verbose: Any, epochs: int = 1, title: str = ""):
        self.live = sys.stdout.isatty() or in_notebook()
        if verbose == "auto":
            verbose = (1 if self.live else 2) if config.is_interactive_logging_enabled() else 0
        self.verbose, self.epochs, self.title = int(verbose), epochs, title
        self.width = 0

    def begin(self, epoch: int, total: int | None) -> None:
        """Begin an epoch of `total` batches."""
        self.epoch, self.total, self.started, self.drawn = epoch, total, time.perf_counter(), 0.0
        self.columns = 120 if in_notebook() else shutil.get_terminal_size().columns - 1

    def due(self) -> bool:
        """Whether it is time to draw again."""
        return self.verbose == 1 and self.live and time.perf_counter() - self.drawn > INTERVAL

    def draw(self, done: int, logs: dict[str, Any]) -> None:
        """Draw the bar over the last one."""
        self.drawn = time.perf_counter()
        rate = (self.drawn - self.started) / max(done, 1)
        head, text = self._head(), self._text(logs)
        if self.total:
            text = f" {done}/{self.total} {duration(rate * (self.total - done))} left{text}"
            width = min(WIDTH, max(WIDTH // 4, self.columns - len(head) - len(text)))
            full = int(width * done / self.total)
            self._over(f"{head}{'━' * full}{'─' * (width - full)}{text}")
        else:
            self._over(f"{head}{done} batches {duration(rate)}/step{text}")

    def end(self, done: int, logs: dict[str, Any]) -> None:
        """End the epoch with one line."""
        if not self.verbose:
            return
        spent = time.perf_counter() - self.started
        steps = f"{done}/{done} " if self.verbose == 1 else ""
        line = f"{self._head()}{steps}{duration(spent)} {duration(spent / max(done, 1))}/step{self._text(logs)}"
        cleared, self.width = f"\r{' ' * self.width}\r" if self.width else "", 0
        sys.stdout.write(f"{cleared}{line}\n")
        sys.stdout.flush()

    def _head(self) -> str:
        return f"Epoch {self.epoch + 1}/{self.epochs} " if self.epochs > 1 or not self.title else f"{self.title} "

    @staticmethod
    def _text(logs: dict[str, Any]) -> str:
        return "".join(f" - {name}: {readable(value)}" for name, value in logs.items() if not isinstance(value, dict))

    def _over(self, line: str) -> None:
        """Draw a line over the last one; what does not fit the terminal would begin a new one each time."""
        line = line if len(line) <= self.columns else line[: self.columns - 1] + "…"
        sys.stdout.write("\r" + line.ljust(self.width))
        self.width = len(line)
        sys.stdout.flush()

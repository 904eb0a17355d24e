"""The progress of `fit` in a notebook: one line, and below it the chart of the epochs so far."""

from __future__ import annotations

import sys
from html import escape
from typing import Any

from keraunos.callbacks import History


def in_notebook() -> bool:
    """Whether the output goes to a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return any(kind.__name__ == "ZMQInteractiveShell" for kind in type(shell).__mro__)


def shown(table: Any, print_fn: Any = None) -> Any:
    """Print a table, unless a notebook will show it; returns it."""
    if print_fn is not None or not in_notebook():
        (print_fn or print)(str(table))
    return table


class LiveChart:
    """An output of the notebook's cell that is drawn over."""

    def __init__(self) -> None:
        self.history, self._handle, self._line, self._picture = History(), None, "", ""

    def add(self, epoch: int, logs: dict[str, Any]) -> None:
        """Take the logs of an epoch that has ended."""
        self.history.on_epoch_end(epoch, logs)
        self._picture = ""

    def note(self, line: str) -> None:
        """Take the line to be drawn next."""
        self._line = line

    def show(self, line: str | None = None) -> None:
        """Draw the line, the last one by default, and the chart; of one epoch there is no curve yet."""
        from IPython.display import display  # pyright: ignore[reportMissingImports]

        self._line = self._line if line is None else line
        if not self._picture and len(self.history.epoch) > 1:
            self._picture = self.history._repr_html_() or ""
        bundle = {"text/plain": self._line, "text/html": f"<pre>{escape(self._line)}</pre>{self._picture}"}
        if self._handle is None:
            self._handle: Any = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

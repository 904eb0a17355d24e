"""How many steps go into one dispatch, where the user leaves that open."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SHORT_STEP = 0.003  # seconds: shorter steps are worth many in one dispatch
DISPATCH = 0.05  # seconds of work that one dispatch of many steps should hold


class Choice:
    """How many steps go into one dispatch: measured on the run itself, kept only where it is faster.

    The first calls of each program compile; the following are timed. A program of many steps is compiled
    only for a run that is long enough to gain by it.
    """

    TRIALS = 4

    def __init__(self) -> None:
        self.size = 1
        self.single: list[float] = []
        self.grouped: list[float] = []
        self.settled = False

    @property
    def timing(self) -> bool:
        """Whether the next calls are to be timed, for which each is waited for; in between steps follow one another without."""
        return not self.settled and (self.size > 1 or len(self.single) <= self.TRIALS)

    def group(self, full: int, planned: int) -> int:
        """The size of the next group, for epochs of `full` whole batches, `planned` in all."""
        if not self.settled and self.size == 1 and len(self.single) > self.TRIALS:
            short = min(self.single[1:])
            wanted = min(int(DISPATCH / short), full, 256) if short < SHORT_STEP else 1
            if wanted < 4:
                self.settled = True
            elif planned * short > 2 * self.single[0]:  # compiling costs about what the first step did; half of the time could be won
                self.size = wanted
        return self.size

    def timed(self, group: int, run: Callable[[], Any], wait: Callable[[], None]) -> Any:
        """Run a group of steps, and note how long one step took."""
        started = time.perf_counter()
        logs = run()
        wait()
        seconds = (time.perf_counter() - started) / group
        if group == 1:
            self.single.append(seconds)
            return logs
        self.grouped.append(seconds)
        if len(self.grouped) > 2:
            self.settled = True
            if min(self.grouped[1:]) > 0.95 * min(self.single[1:]):
                self.size = 1
        return logs

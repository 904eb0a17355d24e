"""Files that a thread writes while training goes on."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from keraunos.core.functional import Trace
from keraunos.core.scope import scope, within
from keraunos.saving import archive, files, weight_files


def writing(model: Any, filepath: Any, weights_only: bool) -> Callable[[], None]:
    """A function for any thread that writes a model as it is now, whatever is trained until it is called.

    The values are copies on the device, made without waiting for them; where an engine's tensors do not change, they are those themselves.
    """
    path = files.as_path(filepath)
    write = (lambda: weight_files.save_weights(model, path)) if weights_only else archive.writing(model, path, overwrite=True)
    variables, engine = model.run_variables, scope.backend
    with within(autocast=None):
        values = [v.backend.slot(v.value, False) for v in variables]

    def later() -> None:
        with within(backend=engine, trace=Trace(variables, values)):
            write()

    return later


class Background:
    """A thread that does one job after the other: one is being done, one may wait, and who brings a third waits as well.

    A job takes the place of the waiting one with the same key, whose result it would replace anyhow. All is done when the process ends.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "keraunos-writer")
        self._jobs: list[tuple[Hashable, Future[None]]] = []

    def submit(self, key: Hashable, job: Callable[[], None]) -> None:
        """Have a job done.

        Raises:
            Exception: What went wrong in an earlier one.
        """
        self.check()
        if len(self._jobs) == 2:
            waiting, future = self._jobs[1]
            if waiting == key and future.cancel():
                self._jobs.pop()
            else:
                self._jobs[0][1].exception()
                self.check()
        self._jobs.append((key, self._thread.submit(job)))

    def check(self) -> None:
        """Forget the jobs that are done.

        Raises:
            Exception: What went wrong in one of them.
        """
        while self._jobs and self._jobs[0][1].done():
            self._jobs.pop(0)[1].result()

    def close(self) -> None:
        """Wait until all is done, and end the thread.

        Raises:
            Exception: What went wrong.
        """
        self._thread.shutdown()
        jobs, self._jobs = self._jobs, []
        for _, future in jobs:
            future.result()

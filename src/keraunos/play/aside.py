"""Work beside the server's loop, in threads that never keep the process from ending."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def aside(function: Callable[P, T], *arguments: P.args, **more: P.kwargs) -> T:
    """What a function gives, which runs in a thread; who does not wait for it any more leaves it to its own."""
    loop = asyncio.get_running_loop()
    given: asyncio.Future[T] = loop.create_future()

    def tell(value: T | None, error: BaseException | None) -> None:
        if not given.done():  # it may be cancelled
            given.set_result(value) if error is None else given.set_exception(error)  # type: ignore[arg-type]

    def work() -> None:
        value, error = None, None
        try:
            value = function(*arguments, **more)
        except BaseException as caught:  # which is for who waits
            error = caught
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, value, error)

    threading.Thread(target=work, daemon=True).start()
    return await given

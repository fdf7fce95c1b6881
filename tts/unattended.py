"""Runs blocking work that nobody has to wait for at the end: a process may stop while gigabytes are still coming."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def unattended(work: Callable[[], T], *, name: str) -> T:
    """What `work` gives or raises, from a daemon thread of its own. Whoever is cancelled leaves it running."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    awaited = asyncio.wrap_future(future)
    awaited.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, also when nobody waits
    return await asyncio.shield(awaited)

"""How a process ends: told by SIGTERM or SIGINT, in order, and in time. Must not know what it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, Self

import structlog

log = structlog.get_logger()

SIGNALS = (signal.SIGTERM, signal.SIGINT)
HURRY_S = 2.0
LAST_THREADS_S = 1.0
_CANCEL_AGAIN_S = 0.2


class Stopping:
    """Use `async with` around everything that is closed at the end.

    The first signal ends `until_told`; a second sets `hurry`, for whoever finishes something first, and the process
    ends two seconds later whatever it does.
    """

    def __init__(self) -> None:
        self._told = asyncio.Event()
        self.hurry = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for signum in SIGNALS:
            loop.add_signal_handler(signum, self._tell)
        return self

    async def __aexit__(self, *_error: object) -> None:
        loop = asyncio.get_running_loop()
        for signum in SIGNALS:
            loop.remove_signal_handler(signum)

    def _tell(self) -> None:
        if not self._told.is_set():
            log.info("told to stop")
            self._told.set()
        elif not self.hurry.is_set():
            log.warning("told to stop again: ending at once")
            self.hurry.set()
            end_within(HURRY_S)

    async def until_told(self, work: Coroutine[Any, Any, None]) -> None:
        """Do `work`; cancel it, wherever it is, when told to stop. What it opened is closed by whoever called."""
        working, told = asyncio.ensure_future(work), asyncio.ensure_future(self._told.wait())
        try:
            await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            await end_tasks((working, told))


async def end_tasks(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel `tasks` until they have ended: a read from the store may swallow a cancellation."""
    while pending := {task for task in tasks if not task.done()}:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen


async def all_done(work: Collection[asyncio.Future[Any]], *, within_s: float, hurry: asyncio.Event) -> None:
    """Return once all of `work` is done, the time is over, or `hurry` is set. Nothing is cancelled."""
    finished = asyncio.ensure_future(asyncio.wait(work))
    hurried = asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait((finished, hurried), timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        finished.cancel()
        hurried.cancel()


def end_within(seconds: float, code: int = 0) -> None:
    """End the process with `code` so many seconds from now, unless it has ended by then.

    A thread that loads a model or waits for a device cannot be stopped, and an interpreter waits for its threads.
    """
    timer = threading.Timer(seconds, _end, (code,))
    timer.daemon = True
    timer.start()


def _end(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


async def briefly(close: Callable[[], Awaitable[object]], *, within_s: float = LAST_THREADS_S) -> None:
    """Close something; what takes longer is left to the end of the process."""

    async def closing() -> None:
        await close()

    task = asyncio.create_task(closing())
    done, _ = await asyncio.wait({task}, timeout=within_s)
    if done:
        task.result()
    else:
        log.info("something is still at work and ends with the process")

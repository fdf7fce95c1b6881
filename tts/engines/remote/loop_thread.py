"""An event loop on a thread of its own, for callers that block until their work there is done. Knows none of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

from tts.errors import EngineUnavailable

_Result = TypeVar("_Result")


class LoopThread:
    """Runs coroutines for several threads at once, until it is closed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._closed = False
        self._lock = threading.Lock()  # nothing is handed over once closing has begun: it would never be answered
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """What `work` gives. Raises what it raises; EngineUnavailable when it is stopped by `close`, or comes after."""
        with self._lock:
            if self._closed:
                work.close()
                raise EngineUnavailable(f"the {self._name} engine is not loaded")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except CancelledError as error:
            raise EngineUnavailable(f"the {self._name} engine is closing") from error

    def close(self, last: Callable[[], Awaitable[None]]) -> None:
        """Stop what is under way, then do `last`, then end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            ended = asyncio.run_coroutine_threadsafe(self._end(last), self._loop)
        try:
            ended.result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self, last: Callable[[], Awaitable[None]]) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last()
        await asyncio.get_running_loop().shutdown_default_executor()

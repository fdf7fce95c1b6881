"""Joins the calls of one tick of the event loop into one pipeline: fewer round trips and one fsync for many messages.

For the receiver, where many webhooks arrive at once. Each call has its own reply or error, as if it had been alone; no
MULTI stands around them. Knows no message.
"""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import RedisError

from bot.mailbox.functions import Argument
from bot.mailbox.keys import TAG

_Call = tuple[tuple[Argument, ...], "asyncio.Future[Any]"]


class CoalescingSender:
    """Sends pipelines of at most `max_calls`, at most `max_pipelines` at once; refuses beyond `max_waiting` calls.

    While all pipelines are under way further calls gather, so that load makes them larger instead of more.
    """

    def __init__(self, redis: Redis, *, max_calls: int = 128, max_pipelines: int = 4, max_waiting: int = 4096) -> None:
        self._redis = redis
        self._max_calls = max_calls
        self._max_pipelines = max_pipelines
        self._max_waiting = max_waiting
        self._waiting: list[_Call] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def fcall(self, function: str, *arguments: Argument) -> Any:
        """Call `function` with the mailbox's tag as its only key, together with its neighbours in time."""
        if len(self._waiting) >= self._max_waiting:
            raise StoreConnectionError("too many calls wait for the store")
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._send)
        self._waiting.append((("FCALL", function, 1, TAG, *arguments), reply))
        return await reply

    def _send(self) -> None:
        while self._waiting and len(self._under_way) < self._max_pipelines:
            calls, self._waiting = self._waiting[: self._max_calls], self._waiting[self._max_calls :]
            task = asyncio.create_task(self._exchange(calls))
            self._under_way.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._send()

    async def _exchange(self, calls: list[_Call]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for command, _ in calls:
                    pipeline.execute_command(*command)
                results = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            results = [error] * len(calls)
        except asyncio.CancelledError:
            for _, reply in calls:
                reply.cancel()
            raise
        for (_, reply), result in zip(calls, results, strict=True):
            if reply.done():
                continue  # its caller gave up
            if isinstance(result, Exception):
                reply.set_exception(result)
            else:
                reply.set_result(result)

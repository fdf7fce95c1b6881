"""Joins the calls of one tick of the event loop into one pipeline: fewer round trips and one fsync for many messages.

For the receiver, where many webhooks arrive at once. Each call has its own reply or error, as if it had been alone; no
MULTI stands around them. Knows no message.
"""

from __future__ import annotations

import asyncio
import copy
import math
from typing import Any

import hiredis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import RedisError, ResponseError

from bot.mailbox.functions import Argument
from bot.mailbox.keys import TAG

_Call = tuple[bytes, "asyncio.Future[Any]"]


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
        command = ("FCALL", function, 1, TAG, *arguments)
        self._waiting.append((hiredis.pack_command(command), reply))  # type: ignore[arg-type]  # its stub says one item
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
            results = await self._round_trip([command for command, _ in calls])
        except (RedisError, OSError, TimeoutError) as error:
            results = [_own(error) for _ in calls]
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

    async def _round_trip(self, commands: list[bytes]) -> list[Any]:
        """Send all, then read a reply or error for each; raises when the connection failed.

        What redis-py's own pipeline does, without its per-command bookkeeping, which took longer than all the rest.
        """
        pool: Any = self._redis.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(b"".join(commands))
            async with asyncio.timeout(connection.socket_timeout):
                return [await _reply(connection) for _ in commands]
        finally:
            await pool.release(connection)


def _own(error: Exception) -> Exception:
    """The error for one of many callers: raising it adds to its traceback, which must not grow into the others'."""
    own = copy.copy(error).with_traceback(None)
    own.__cause__ = error
    return own


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response(timeout=math.inf)  # one time-out for all replies stands around this
    except ResponseError as error:
        return error

"""Calls the mailbox's functions in the store, and is where the store's errors become ours. Knows no message.

The library is named by the hash of its source, so that processes of two versions can share a store while one replaces
the other. A store that lost its functions or groups (replaced, flushed) gets them again on the next call.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.resources import files
from typing import Any, Protocol, TypeVar

import orjson
from redis import exceptions
from redis.asyncio import Redis

from bot.mailbox.errors import MailboxError, StoreBroken, StoreUnavailable
from bot.mailbox.keys import TAG, key
from bot.mailbox.model import Lane, MailboxSettings

Argument = str | bytes | int | float
Execute = Callable[..., Awaitable[Any]]
T = TypeVar("T")

GROUP = "workers"
EARS = "ears"
OLD_LIBRARY_S = 86_400.0
_CANNOT_NOW = ("OOM", "MISCONF", "READONLY", "LOADING", "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "MASTERDOWN", "BUSY ")


class Sender(Protocol):
    """Sends one FCALL and returns its reply; errors are redis errors."""

    async def fcall(self, function: str, *arguments: Argument) -> Any:
        """Call `function` with the mailbox's tag as its only key."""
        ...


class DirectSender:
    """One call, one round trip."""

    def __init__(self, redis: Redis) -> None:
        self._execute: Execute = redis.execute_command

    async def fcall(self, function: str, *arguments: Argument) -> Any:
        """Call `function` with the mailbox's tag as its only key."""
        return await self._execute("FCALL", function, 1, TAG, *arguments)


class Functions:
    """The function library of one version, with the settings it is called with."""

    def __init__(self, redis: Redis, settings: MailboxSettings, sender: Sender | None = None) -> None:
        self._redis = redis
        self._execute: Execute = redis.execute_command
        self._sender = sender or DirectSender(redis)
        self._settings = orjson.dumps(asdict(settings))
        template = files("bot.mailbox").joinpath("functions.lua").read_text(encoding="utf-8")
        version = hashlib.sha256(template.encode()).hexdigest()[:12]
        self._source = template.replace("recado_VERSION", f"recado_{version}")
        self._prefix = f"recado_{version}_"

    async def prepare(self) -> None:
        """Load the library and make the consumer groups, where they are missing. Safe to repeat."""
        await self.guarded(self._load)

    async def _load(self) -> None:
        await self._execute("FUNCTION", "LOAD", "REPLACE", self._source)
        await self._drop_old_libraries()
        groups = [(key("lane", lane), GROUP) for lane in Lane] + [(key("hear"), EARS)]
        for stream, group in groups:
            try:
                # From 0: a group made anew finds the tokens that wait.
                await self._redis.xgroup_create(stream, group, id="0", mkstream=True)
            except exceptions.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def _drop_old_libraries(self) -> None:
        """Delete the libraries of versions that nobody started for a day; one that still runs loads its own again."""
        used, now_s = key("libraries"), time.time()
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(used, {self._prefix.rstrip("_"): now_s})
            pipe.zremrangebyscore(used, "-inf", now_s - OLD_LIBRARY_S)
            pipe.expire(used, round(30 * OLD_LIBRARY_S))
            pipe.zrange(used, 0, -1)
            *_, recent = await pipe.execute()
        for library in await self._execute("FUNCTION", "LIST", "LIBRARYNAME", "recado_*"):
            name = _library_name(library)
            if name and name not in recent:
                with contextlib.suppress(exceptions.ResponseError):  # another process was faster
                    await self._execute("FUNCTION", "DELETE", name)

    async def call(self, name: str, *arguments: Argument) -> Any:
        """Call one function of `functions.lua`; raises StoreUnavailable or StoreBroken."""
        return await self.restored(lambda: self._sender.fcall(self._prefix + name, self._settings, *arguments))

    async def read(
        self,
        stream: str,
        group: str,
        consumer: str,
        *,
        count: int,
        block_ms: int | None,
        noack: bool = False,
        again: bool = False,
    ) -> list[tuple[str, dict[bytes, bytes]]]:
        """New entries of a stream for one consumer of a group: (id, fields) each, none after `block_ms`.

        `again`: instead those that were given to it before and are not done with.
        """
        start = "0" if again else ">"
        reply: Any = await self.restored(
            lambda: self._redis.xreadgroup(group, consumer, {stream: start}, count=count, block=block_ms, noack=noack)
        )
        found = [(entry_id.decode(), fields) for _, entries in reply or () for entry_id, fields in entries]
        return [(entry_id, fields) for entry_id, fields in found if fields]  # a removed entry has none

    async def restored(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run `operation`, once more if the store turned out to lack the library or a group."""
        try:
            return await self.guarded(operation)
        except StoreBroken as error:
            if not _is_bare(error.__cause__):
                raise
        await self.prepare()
        return await self.guarded(operation)

    async def guarded(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Run `operation` with the store's errors translated."""
        try:
            return await operation()
        except exceptions.RedisError as error:
            raise translated(error) from error
        except (OSError, TimeoutError) as error:
            raise StoreUnavailable(f"the store does not answer: {error}") from error


def _library_name(library: Any) -> bytes:
    """The name in one entry of FUNCTION LIST, which RESP2 gives as a flat list and RESP3 as a mapping."""
    facts = library if isinstance(library, dict) else dict(zip(library[::2], library[1::2], strict=False))
    found = facts.get(b"library_name", b"")
    return found if isinstance(found, bytes) else b""


def _is_bare(error: BaseException | None) -> bool:
    return isinstance(error, exceptions.ResponseError) and any(
        sign in str(error) for sign in ("Function not found", "NOGROUP")
    )


def translated(error: exceptions.RedisError) -> MailboxError:
    """Our error for one of the client's."""
    if isinstance(error, (exceptions.ConnectionError, exceptions.TimeoutError)):
        return StoreUnavailable(f"the store does not answer: {error}")
    text = str(error)
    if isinstance(error, (exceptions.OutOfMemoryError, exceptions.ReadOnlyError)) or text.startswith(_CANNOT_NOW):
        return StoreUnavailable(f"the store cannot write now: {text}")
    return StoreBroken(f"the store refused a call: {text}")

"""Versioned documents in Redis: one hash of them, with numbers that only grow and a past to go back to.

Knows nothing of what the documents say; whoever uses it brings how they are written, read and numbered.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from redis.asyncio import Redis

T = TypeVar("T")

KEPT_VERSIONS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[T]):
    """How one kind of document is kept: `name` is its place in the store.

    `load` gets a document's id and text, and gives None for one this program cannot read. `renumbered` gives what is to
    be stored, from what is put, what is stored, and the highest number ever used; the stored object itself when nothing
    changed.
    """

    name: str
    dump: Callable[[T], str]
    load: Callable[[str, Any], T | None]
    id_of: Callable[[T], str]
    version_of: Callable[[T], int]
    renumbered: Callable[[T, T | None, int], T]


class Documents(Generic[T]):
    """All documents of one kind. Reads come from memory while nobody changed anything.

    `fresh_s` is how long a read may go without asking the store whether something changed; own changes show at once.
    """

    def __init__(
        self,
        redis: Redis,
        kind: Kind[T],
        *,
        prefix: str = "{recado}",
        fresh_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._kind = kind
        self._documents = f"{prefix}:{kind.name}"
        self._changes = f"{prefix}:{kind.name}:changes"
        self._numbers = f"{prefix}:{kind.name}:numbers"
        self._past = f"{prefix}:{kind.name}:past:"
        self._fresh_s = fresh_s
        self._clock = clock
        self._cached: dict[str, T] = {}
        self._unreadable: dict[str, str] = {}
        self._cached_changes: int | None = None
        self._asked_at_s = float("-inf")

    async def all(self) -> dict[str, T]:
        """Every document by its id, in the order of ids."""
        now_s = self._clock()
        if now_s - self._asked_at_s < self._fresh_s:
            return self._cached
        # Asked before the documents are read: a change in between is seen again, never missed.
        changes = int(await self._redis.get(self._changes) or 0)
        if changes != self._cached_changes:
            stored = await cast("Awaitable[dict[Any, Any]]", self._redis.hgetall(self._documents))
            texts = {name.decode(): text for name, text in sorted(stored.items())}
            read = {name: self._load(name, text) for name, text in texts.items()}
            self._cached = {name: one for name, one in read.items() if one is not None}
            self._unreadable = {
                name: text.decode(errors="replace") for name, text in texts.items() if read[name] is None
            }
            self._cached_changes = changes
        self._asked_at_s = now_s
        return self._cached

    async def unreadable(self) -> dict[str, str]:
        """The text of every document that this program cannot read, by its id."""
        await self.all()
        return self._unreadable

    async def put(self, document: T) -> T:
        """Store it and return what is stored. Numbers never come back, not even for an id that was deleted."""
        return await self.update(self._kind.id_of(document), lambda _stored: document)

    async def update(self, name: str, change: Callable[[T | None], T]) -> T:
        """Store what `change` makes of the stored document, and return what is stored then.

        `change` gets None where there is none, or none that can be read. It is called again when somebody else was
        faster, so that nobody's change is lost; what it raises leaves all as it was.
        """

        async def changed(pipe: Any) -> T:
            stored = self._load(name, await pipe.hget(self._documents, name))
            document = change(stored)
            known = int(await pipe.hget(self._numbers, name) or 0)
            merged = self._kind.renumbered(document, stored, known)
            pipe.multi()
            if merged != stored:
                text = self._kind.dump(merged)
                pipe.hset(self._documents, name, text)
                pipe.hset(self._numbers, name, str(self._kind.version_of(merged)))
                pipe.lpush(self._past + name, text)
                pipe.ltrim(self._past + name, 0, KEPT_VERSIONS - 1)
                pipe.incr(self._changes)
            return merged

        watched = (self._documents, self._numbers)
        merged = await self._redis.transaction(cast("Any", changed), *watched, value_from_callable=True)
        self._asked_at_s = float("-inf")
        return cast("T", merged)

    async def past(self, name: str) -> tuple[T, ...]:
        """Its last versions, newest first, the current one included; `put` one of them to go back to it."""
        stored = await cast("Awaitable[list[Any]]", self._redis.lrange(self._past + name, 0, -1))
        return tuple(one for one in (self._load(name, text) for text in stored) if one is not None)

    async def delete(self, name: str) -> bool:
        """Forget it and its past; whether it existed."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(self._documents, name)
            pipe.delete(self._past + name)
            pipe.incr(self._changes)
            gone, *_ = await pipe.execute()
        self._asked_at_s = float("-inf")
        return bool(gone)

    def _load(self, name: str, stored: Any) -> T | None:
        return None if stored is None else self._kind.load(name, stored)

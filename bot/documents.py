"""Versioned documents in Redis: one hash of them, with numbers that only grow and a past to go back to.

Knows nothing of what the documents say; whoever uses it brings how they are written, read and numbered.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, cast

from redis.asyncio import Redis

T = TypeVar("T")

KEPT_VERSIONS = 50
_NEVER_ASKED = -1


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
    A store that lost everything is noticed by the missing mark of changes; until somebody stores again, what was known
    before stands.
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
        self._texts: dict[str, bytes] = {}
        self._parsed: dict[str, T | None] = {}
        self._cached: dict[str, T] = {}
        self._unreadable: dict[str, str] = {}
        self._cached_changes = _NEVER_ASKED
        self._asked_at_s = float("-inf")
        self._writes = 0
        self._reading = asyncio.Lock()

    async def all(self) -> dict[str, T]:
        """Every document by its id, in the order of ids."""
        if self._clock() - self._asked_at_s >= self._fresh_s:
            async with self._reading:
                if self._clock() - self._asked_at_s >= self._fresh_s:  # nobody asked while this one waited
                    await self._refresh()
        return self._cached

    async def _refresh(self) -> None:
        now_s, writes = self._clock(), self._writes
        # Asked before the documents are read: a change in between is seen again, never missed.
        changes = int(await self._redis.get(self._changes) or 0)
        # Nothing ever removes that mark but a store that lost everything: what was known before still holds then.
        lost = changes == 0 and self._cached_changes > 0
        if not lost and changes != self._cached_changes:
            stored = await cast("Awaitable[dict[Any, Any]]", self._redis.hgetall(self._documents))
            texts = {name.decode(): text for name, text in sorted(stored.items())}
            await self._read(texts)
            self._cached_changes = changes
        if writes == self._writes:  # else somebody here stored meanwhile, and has to see it
            self._asked_at_s = now_s

    async def _read(self, texts: dict[str, bytes]) -> None:
        """Take over what the store holds; only what changed is parsed, and not on the event loop."""
        changed = {name: text for name, text in texts.items() if self._texts.get(name) != text}
        parsed = await asyncio.to_thread(lambda: {name: self._load(name, text) for name, text in changed.items()})
        self._texts = texts
        self._parsed = {name: parsed[name] if name in changed else self._parsed[name] for name in texts}
        self._cached = {name: one for name, one in self._parsed.items() if one is not None}
        self._unreadable = {
            name: texts[name].decode(errors="replace") for name, one in self._parsed.items() if one is None
        }

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
                pipe.incrby(self._changes, 1 + secrets.randbelow(2**32))
            return merged

        watched = (self._documents, self._numbers)
        merged = await self._redis.transaction(cast("Any", changed), *watched, value_from_callable=True)
        self._note_write()
        return cast("T", merged)

    async def put_back(self) -> int:
        """Store what is known here, in a store that lost everything; how many documents that were.

        Several processes may do so at once: what is there already stays.
        """
        known = dict(self._cached)
        for name, document in known.items():
            await self.update(name, partial(_unless_stored, document))
        return len(known)

    async def past(self, name: str) -> tuple[T, ...]:
        """Its last versions, newest first, the current one included; `put` one of them to go back to it."""
        stored = await cast("Awaitable[list[Any]]", self._redis.lrange(self._past + name, 0, -1))
        return tuple(one for one in (self._load(name, text) for text in stored) if one is not None)

    async def delete(self, name: str) -> bool:
        """Forget it and its past; whether it existed."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(self._documents, name)
            pipe.delete(self._past + name)
            pipe.incrby(self._changes, 1 + secrets.randbelow(2**32))
            gone, *_ = await pipe.execute()
        self._note_write()
        return bool(gone)

    def _note_write(self) -> None:
        self._writes += 1
        self._asked_at_s = float("-inf")

    def _load(self, name: str, stored: Any) -> T | None:
        return None if stored is None else self._kind.load(name, stored)


def _unless_stored(document: T, stored: T | None) -> T:
    return document if stored is None else stored

"""Where personas are kept: one Redis hash of YAML documents, with versions that only grow.

Knows nothing of what a persona says or how it sounds.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from bot.persona import BadPersona, Persona, dump_persona, parse_persona, shipped_personas

KEPT_VERSIONS = 50


class Personas:
    """The stored personas, over one Redis hash. Reads come from memory while nobody changed anything.

    `fresh_s` is how long a read may go without asking the store whether something changed; own changes show at once.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str = "{recado}",
        fresh_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._documents = f"{prefix}:personas"
        self._changes = f"{prefix}:personas:changes"
        self._numbers = f"{prefix}:personas:numbers"
        self._past = f"{prefix}:personas:past:"
        self._fresh_s = fresh_s
        self._clock = clock
        self._cached: dict[str, Persona] = {}
        self._cached_changes: int | None = None
        self._asked_at_s = float("-inf")

    async def list(self) -> tuple[Persona, ...]:
        """Every persona, by id."""
        return tuple((await self._all()).values())

    async def get(self, persona_id: str) -> Persona | None:
        """One persona, or None."""
        return (await self._all()).get(persona_id)

    async def default_for(self, endpoint_id: str) -> Persona | None:
        """Who answers on a number by default: who names it, else who names `*`, else the first; None without any."""
        personas = await self.list()
        for wanted in (endpoint_id, "*"):
            for persona in personas:
                if wanted in persona.endpoints:
                    return persona
        return personas[0] if personas else None

    async def put(self, persona: Persona) -> Persona:
        """Store it and return what is stored: `version` grows when anything changed, the voice's when it sounds new.

        Numbers never come back, not even for an id that was deleted: caches are keyed by them.
        """

        async def change(pipe: Any) -> Persona:
            stored = _maybe_persona(await pipe.hget(self._documents, persona.id))
            known = int(await pipe.hget(self._numbers, persona.id) or 0)
            merged = _renumbered(persona, stored, known)
            pipe.multi()
            if merged != stored:
                pipe.hset(self._documents, persona.id, dump_persona(merged))
                pipe.hset(self._numbers, persona.id, str(merged.version))
                pipe.lpush(self._past + persona.id, dump_persona(merged))
                pipe.ltrim(self._past + persona.id, 0, KEPT_VERSIONS - 1)
                pipe.incr(self._changes)
            return merged

        watched = (self._documents, self._numbers)
        merged = await self._redis.transaction(cast("Any", change), *watched, value_from_callable=True)
        self._asked_at_s = float("-inf")
        return cast("Persona", merged)

    async def past(self, persona_id: str) -> tuple[Persona, ...]:
        """Its last versions, newest first, the current one included; `put` one of them to go back to it."""
        documents = await cast("Awaitable[list[Any]]", self._redis.lrange(self._past + persona_id, 0, -1))
        return tuple(persona for persona in map(_maybe_persona, documents) if persona is not None)

    async def delete(self, persona_id: str) -> bool:
        """Forget it and its past; whether it existed."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hdel(self._documents, persona_id)
            pipe.delete(self._past + persona_id)
            pipe.incr(self._changes)
            gone, *_ = await pipe.execute()
        self._asked_at_s = float("-inf")
        return bool(gone)

    async def seed_if_empty(self) -> bool:
        """Store the shipped personas where there is none; whether that was so."""
        if await self.list():
            return False
        for persona in shipped_personas():
            await self.put(persona)
        return True

    async def _all(self) -> dict[str, Persona]:
        now_s = self._clock()
        if now_s - self._asked_at_s < self._fresh_s:
            return self._cached
        # Asked before the documents are read: a change in between is seen again, never missed.
        changes = int(await self._redis.get(self._changes) or 0)
        if changes != self._cached_changes:
            documents = await cast("Awaitable[dict[Any, Any]]", self._redis.hgetall(self._documents))
            found = [persona for persona in map(_maybe_persona, documents.values()) if persona is not None]
            self._cached = {persona.id: persona for persona in sorted(found, key=lambda persona: persona.id)}
            self._cached_changes = changes
        self._asked_at_s = now_s
        return self._cached


def _maybe_persona(document: Any) -> Persona | None:
    """A stored document; one that a newer or older program wrote and this one cannot read is logged, not fatal."""
    if document is None:
        return None
    try:
        return parse_persona(document)
    except BadPersona as error:
        structlog.get_logger().error("persona_unreadable", fields=[path for path, _ in error.problems])
        return None


def _renumbered(persona: Persona, stored: Persona | None, known: int) -> Persona:
    """The persona with the version numbers it must carry beside what is stored; `known` is the highest ever used."""

    def plain(one: Persona) -> Persona:
        return replace(one, version=1, voice=replace(one.voice, version=1))

    if stored is not None and plain(stored) == plain(persona):
        return stored
    version = max(known, persona.version - 1) + 1
    same_voice = stored is not None and plain(stored).voice == plain(persona).voice
    voice_version = stored.voice.version if stored is not None and same_voice else version
    return replace(persona, version=version, voice=replace(persona.voice, version=voice_version))

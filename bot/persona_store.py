"""Where personas are kept, and who answers on a number. Knows nothing of what a persona says or how it sounds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog
from redis.asyncio import Redis

from bot.documents import Documents, Kind
from bot.persona import BadPersona, Persona, dump_persona, parse_persona, shipped_personas


class Personas:
    """The stored personas. Reads come from memory while nobody changed anything; own changes show at once.

    `fresh_s` is how long a read may go without asking the store whether something changed.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str = "{recado}",
        fresh_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stored = Documents(redis, _KIND, prefix=prefix, fresh_s=fresh_s, clock=clock)

    async def list(self) -> tuple[Persona, ...]:
        """Every persona, by id."""
        return tuple((await self._stored.all()).values())

    async def unreadable(self) -> dict[str, str]:
        """The text of every stored persona that this program cannot read, by its id."""
        return await self._stored.unreadable()

    async def get(self, persona_id: str) -> Persona | None:
        """One persona, or None."""
        return (await self._stored.all()).get(persona_id)

    async def default_for(self, endpoint_id: str) -> Persona | None:
        """Who answers on a number by default: who names it, else who names `*`, else the first; None without any."""
        personas = await self.list()
        for wanted in (endpoint_id, "*"):
            for persona in personas:
                if wanted in persona.endpoints:
                    return persona
        return personas[0] if personas else None

    async def languages_on(self, endpoint_id: str) -> tuple[str, ...]:
        """What is spoken on a number, as in `pt-BR`, its default persona's first: any persona may be chosen there."""
        default = await self.default_for(endpoint_id)
        first = () if default is None else (default,)
        return tuple(dict.fromkeys(persona.language for persona in (*first, *await self.list())))

    async def put(self, persona: Persona) -> Persona:
        """Store it and return what is stored: `version` grows when anything changed, the voice's when it sounds new.

        Numbers never come back, not even for an id that was deleted: caches are keyed by them.
        """
        return await self._stored.put(persona)

    async def past(self, persona_id: str) -> tuple[Persona, ...]:
        """Its last versions, newest first, the current one included; `put` one of them to go back to it."""
        return await self._stored.past(persona_id)

    async def delete(self, persona_id: str) -> bool:
        """Forget it and its past; whether it existed."""
        return await self._stored.delete(persona_id)

    async def put_back(self) -> int:
        """Store again what is known here, in a store that lost everything; how many personas that were."""
        return await self._stored.put_back()

    async def seed_if_empty(self) -> bool:
        """Store the shipped personas where there is none; whether that was so."""
        if await self.list():
            return False
        for persona in shipped_personas():
            await self.put(persona)
        return True


def _maybe_persona(persona_id: str, document: Any) -> Persona | None:
    """A stored document; one that a newer or older program wrote and this one cannot read is logged, not fatal."""
    try:
        return parse_persona(document)
    except BadPersona as error:
        structlog.get_logger().error(
            "persona_unreadable", persona=persona_id, fields=[path for path, _ in error.problems]
        )
        return None


def _renumbered(persona: Persona, stored: Persona | None, known: int) -> Persona:
    """The persona with the version numbers it must carry beside what is stored; `known` is the highest ever used."""

    def plain(one: Persona) -> Persona:
        return replace(one, version=1, voice=replace(one.voice, version=1))

    if stored is not None and plain(stored) == plain(persona):
        return stored
    version = max(known, persona.version - 1) + 1
    if persona.voice_id:  # the voice is stored elsewhere and has numbers of its own
        return replace(persona, version=version)
    same_voice = stored is not None and plain(stored).voice == plain(persona).voice
    voice_version = stored.voice.version if stored is not None and same_voice else version
    return replace(persona, version=version, voice=replace(persona.voice, version=voice_version))


_KIND = Kind(
    name="personas",
    dump=dump_persona,
    load=_maybe_persona,
    id_of=lambda persona: persona.id,
    version_of=lambda persona: persona.version,
    renumbered=_renumbered,
)

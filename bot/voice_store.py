"""Where voices live in Redis: their documents, and the profiles engines made of them.

Knows nothing of how a voice is spoken.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.documents import Documents, Kind
from bot.persona import Persona
from bot.voice import BadVoiceFile, dump_voice, parse_voice
from tts.blobs import Cipher
from tts.casting import ProfileKey
from tts.contract import Voice, VoiceProfile
from tts.engines.qwen3.prompts import TIMBRES
from tts.errors import BadVoice
from tts.material import RECORDED
from tts.voices.ids import TimbreId, read_voice_id, timbre_voice

log = structlog.get_logger()

PROFILE_KEPT_S = 30 * 86_400


class Profiles:
    """Profiles in Redis, one hash a voice, for 30 days after the last was made. The `tts.casting.ProfileStore`.

    It is a cache: a store that does not answer is a miss. With a cipher they are encrypted: a profile is as personal as
    the sample it was made of.
    """

    def __init__(self, redis: Redis, *, cipher: Cipher | None = None, prefix: str = "{recado}") -> None:
        self._redis = redis
        self._cipher = cipher
        self._prefix = f"{prefix}:profiles:"

    async def get(self, key: ProfileKey) -> VoiceProfile | None:
        """The profile, or None when there is none, none that can be read, or no answer."""
        try:
            stored = await cast("Awaitable[Any]", self._redis.hget(self._prefix + key.voice_id, _field(key)))
        except RedisError as error:
            log.warning("profile_not_read", error=type(error).__name__)
            return None
        if stored is None:
            return None
        plain = self._cipher.unseal(stored) if self._cipher else stored
        if plain is None:
            return None
        head, _, data = plain.partition(b"\n")
        try:
            facts = tuple((str(name), float(number)) for name, number in orjson.loads(head))
        except (orjson.JSONDecodeError, TypeError, ValueError):
            return None
        return VoiceProfile(
            voice_id=key.voice_id,
            voice_version=key.voice_version,
            engine=key.engine,
            model=key.model,
            data=data,
            facts=facts,
        )

    async def put(self, key: ProfileKey, profile: VoiceProfile) -> None:
        """Keep it; a store that does not answer keeps nothing."""
        plain = orjson.dumps(profile.facts) + b"\n" + profile.data
        try:
            async with self._redis.pipeline(transaction=True) as pipe:
                name = self._prefix + key.voice_id
                pipe.hset(name, _field(key), self._cipher.seal(plain) if self._cipher else plain)
                pipe.expire(name, PROFILE_KEPT_S)
                await pipe.execute()
        except RedisError as error:
            log.warning("profile_not_kept", error=type(error).__name__)

    async def purge(self, voice_id: str) -> None:
        """Forget every profile of a voice; where the store does not answer they lie on, and consent bars them."""
        try:
            await self._redis.delete(self._prefix + voice_id)
        except RedisError as error:
            log.warning("profiles_not_purged", error=type(error).__name__)

    async def purge_all(self) -> None:
        """Forget every profile of every voice."""
        async for name in self._redis.scan_iter(match=f"{self._prefix}*"):
            await self._redis.delete(name)


class Voices:
    """The stored voices. `put` gives a changed voice a new version and forgets the profiles of the old one.

    `designed` gives a voice that is a prompt alone its clip, as soon as there is one.
    """

    def __init__(
        self,
        redis: Redis,
        profiles: Profiles,
        *,
        designed: Callable[[Voice], Awaitable[Voice]] | None = None,
        prefix: str = "{recado}",
        fresh_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stored = Documents(redis, _KIND, prefix=prefix, fresh_s=fresh_s, clock=clock)
        self._profiles = profiles
        self._designed = designed

    async def list(self) -> tuple[Voice, ...]:
        """Every voice, by id."""
        return tuple((await self._stored.all()).values())

    async def get(self, voice_id: str) -> Voice | None:
        """One voice, or None."""
        return (await self._stored.all()).get(voice_id)

    async def unreadable(self) -> dict[str, str]:
        """The text of every stored voice that this program cannot read, by its id."""
        return await self._stored.unreadable()

    async def put(self, voice: Voice) -> Voice:
        """Store it and return what is stored: `version` grows when anything that can be heard changed.

        Raises BadVoice for a voice that could not be read again.
        """
        return await self.update(voice.id, lambda _stored: voice)

    async def update(self, voice_id: str, change: Callable[[Voice | None], Voice]) -> Voice:
        """Store what `change` makes of the voice (None: there is none), whoever else changes it meanwhile.

        `change` is called again when somebody else was faster; what it raises leaves all as it was. Raises BadVoice
        for a voice that could not be read again.
        """
        before: Voice | None = None

        def changed(stored: Voice | None) -> Voice:
            nonlocal before
            before = stored
            return readable(change(stored))

        stored = await self._stored.update(voice_id, changed)
        if stored != before:
            await self._profiles.purge(voice_id)
        return stored

    async def put_back(self) -> int:
        """Store again what is known here, in a store that lost everything; how many voices that were."""
        return await self._stored.put_back()

    async def past(self, voice_id: str) -> tuple[Voice, ...]:
        """Its last versions, newest first; `put` one of them to go back to it."""
        return await self._stored.past(voice_id)

    async def delete(self, voice_id: str) -> bool:
        """Forget it, its past and its profiles; whether it existed. Its samples stay: others may use them."""
        await self._profiles.purge(voice_id)
        return await self._stored.delete(voice_id)

    async def resolve(self, persona: Persona) -> Voice:
        """The voice a persona speaks with now: one it names (see `tts.voices.ids`), or the one written out in it.

        Raises BadVoice for a name that nobody has.
        """
        voice = await self._named(persona)
        return await self._designed(voice) if self._designed else voice

    async def _named(self, persona: Persona) -> Voice:
        if not persona.voice_id:
            return persona.voice
        named = read_voice_id(persona.voice_id, timbres=TIMBRES)
        if isinstance(named, TimbreId):
            return timbre_voice(named.timbre, language=persona.language)
        voice = await self.get(named.voice_id)
        if voice is None:
            raise BadVoice(f"the persona {persona.id} names the voice {named.voice_id}, which is not stored")
        return replace(voice, engines=(named.engine,)) if named.engine else voice


def recordings_of(voice: Voice) -> tuple[str, ...]:
    """The ids of the recordings in a voice's mix, whatever their weight."""
    return tuple(source.ref for source in voice.sources if source.kind in RECORDED)


def _field(key: ProfileKey) -> str:
    return f"{key.engine}|{key.model}|{key.voice_version}|{key.fingerprint}"


def readable(voice: Voice) -> Voice:
    """The voice as it will be read again; raises BadVoice for one that would be stored and never found again."""
    try:
        return parse_voice(dump_voice(voice))
    except BadVoiceFile as error:
        raise BadVoice(f"The voice {voice.id} was not changed: {error}.") from error


def _maybe_voice(voice_id: str, stored: Any) -> Voice | None:
    try:
        return parse_voice(stored)
    except BadVoiceFile as error:
        fields = [path for path, _ in error.problems]
        log.error("voice_unreadable", voice=voice_id, fields=fields, cure=f"recado voice show {voice_id}")
        return None


def _renumbered(voice: Voice, stored: Voice | None, known: int) -> Voice:
    if stored is not None and replace(voice, version=stored.version) == stored:
        return stored
    return replace(voice, version=max(known, voice.version - 1) + 1)


_KIND = Kind(
    name="voices",
    dump=dump_voice,
    load=_maybe_voice,
    id_of=lambda voice: voice.id,
    version_of=lambda voice: voice.version,
    renumbered=_renumbered,
)

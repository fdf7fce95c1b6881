"""Where voices live in Redis: their documents, the records of their samples, and the profiles engines made of them.

Audio lies in a blob store beside it. Knows nothing of how a voice is spoken.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.documents import Documents, Kind
from bot.persona import Persona
from bot.voice import BadVoiceFile, dump_sample, dump_voice, parse_sample, parse_voice
from tts.blobs import Cipher
from tts.casting import RECORDED, ProfileKey
from tts.contract import BlobStore, Voice, VoiceProfile
from tts.engines.qwen3.prompts import TIMBRES
from tts.errors import BadVoice
from tts.voices.ids import TimbreId, read_voice_id, timbre_voice
from tts.voices.samples import StoredSample

log = structlog.get_logger()

PROFILE_KEPT_S = 30 * 86_400


class Samples:
    """What is known of every recording, over one Redis hash, and the recordings themselves in `blobs`.

    It is the `tts.casting.Material` of an installation. `fresh_s` is how long a read may come from memory.
    """

    def __init__(
        self,
        redis: Redis,
        blobs: BlobStore,
        *,
        prefix: str = "{recado}",
        fresh_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._blobs = blobs
        self._records = f"{prefix}:samples"
        self._fresh_s = fresh_s
        self._clock = clock
        self._cached: dict[str, tuple[StoredSample | None, float]] = {}

    async def find(self, sample_id: str) -> StoredSample | None:
        """One record, or None; never older than `fresh_s`. One that cannot be read is none: nobody consented to it."""
        known, read_at_s = self._cached.get(sample_id, (None, float("-inf")))
        now_s = self._clock()
        if now_s - read_at_s < self._fresh_s:
            return known
        stored = await cast("Awaitable[Any]", self._redis.hget(self._records, sample_id))
        found = _maybe_sample(stored)
        self._cached[sample_id] = (found, now_s)
        return found

    async def audio(self, sample_id: str) -> bytes:
        """The prepared recording; KeyError when it is gone."""
        return await self._blobs.get(sample_id)

    async def list(self) -> tuple[StoredSample, ...]:
        """Every record, oldest first."""
        stored = await cast("Awaitable[dict[Any, Any]]", self._redis.hgetall(self._records))
        found = [sample for sample in map(_maybe_sample, stored.values()) if sample is not None]
        return tuple(sorted(found, key=lambda sample: (sample.added_at, sample.id)))

    async def keep_audio(self, data: bytes) -> str:
        """Store a prepared recording and give its id; it counts for nothing before its record is `put`."""
        return await self._blobs.put(data)

    async def put(self, sample: StoredSample) -> None:
        """Store a record, in place of an older one of the same recording."""
        await self._redis.hset(self._records, sample.id, dump_sample(sample))
        self._cached.pop(sample.id, None)

    async def withdraw(self, sample_id: str, at: datetime) -> StoredSample | None:
        """Note that the consent ended; the record stays as its proof. None where there is none to withdraw."""
        self._cached.pop(sample_id, None)
        sample = await self.find(sample_id)
        if sample is None or sample.consent is None:
            return None
        withdrawn = replace(sample, consent=replace(sample.consent, withdrawn_at=sample.consent.withdrawn_at or at))
        await self.put(withdrawn)
        return withdrawn

    async def erase(self, sample_id: str) -> bool:
        """Forget record and recording; whether there was one."""
        gone = await self._redis.hdel(self._records, sample_id)
        self._cached.pop(sample_id, None)
        await self._blobs.delete(sample_id)
        return bool(gone)


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

    async def put(self, voice: Voice) -> Voice:
        """Store it and return what is stored: `version` grows when anything that can be heard changed."""
        before = await self.get(voice.id)
        stored = await self._stored.put(voice)
        if stored != before:
            await self._profiles.purge(voice.id)
        return stored

    async def past(self, voice_id: str) -> tuple[Voice, ...]:
        """Its last versions, newest first; `put` one of them to go back to it."""
        return await self._stored.past(voice_id)

    async def delete(self, voice_id: str) -> bool:
        """Forget it, its past and its profiles; whether it existed. Its samples stay: others may use them."""
        await self._profiles.purge(voice_id)
        return await self._stored.delete(voice_id)

    async def using(self, sample_id: str) -> tuple[Voice, ...]:
        """The voices whose mix names a recording."""
        return tuple(voice for voice in await self.list() if sample_id in recordings_of(voice))

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

    async def sample_gone(self, sample_id: str) -> Iterable[Voice]:
        """Forget the profiles of every voice that was made of a recording, and tell which voices those are."""
        voices = await self.using(sample_id)
        for voice in voices:
            await self._profiles.purge(voice.id)
        return voices


def recordings_of(voice: Voice) -> tuple[str, ...]:
    """The ids of the recordings in a voice's mix, whatever their weight."""
    return tuple(source.ref for source in voice.sources if source.kind in RECORDED)


def _field(key: ProfileKey) -> str:
    return f"{key.engine}|{key.model}|{key.voice_version}|{key.fingerprint}"


def _maybe_sample(stored: Any) -> StoredSample | None:
    if stored is None:
        return None
    try:
        return parse_sample(stored)
    except BadVoiceFile as error:
        log.error("sample_unreadable", fields=[path for path, _ in error.problems])
        return None


def _maybe_voice(stored: Any) -> Voice | None:
    try:
        return parse_voice(stored)
    except BadVoiceFile as error:
        log.error("voice_unreadable", fields=[path for path, _ in error.problems])
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

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.ended_consents import forget_ended
from bot.persona import shipped_personas
from bot.persona_store import Personas
from bot.sample_store import Samples
from bot.voice_store import Profiles, Voices
from bot.voice_uses import Uses
from tts.blobs import MemoryBlobStore
from tts.casting import Casting, ProfileKey
from tts.contract import SourceKind, Voice, VoiceProfile, VoiceSource
from tts.sealing import cipher_of
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NINA = shipped_personas()[0]
GIVEN = Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW, expires_at=NOW + timedelta(days=1))


def sample(letter: str, consent: Consent | None, kind: SourceKind = SourceKind.SAMPLE) -> StoredSample:
    return StoredSample(id=letter * 64, kind=kind, language="pt-BR", added_at=NOW, consent=consent)


def voice(voice_id: str, *letters: str) -> Voice:
    sources = tuple(VoiceSource(kind=SourceKind.SAMPLE, ref=letter * 64) for letter in letters)
    return Voice(id=voice_id, language="pt-BR", prompt="voz", sources=sources)


def key(voice_id: str) -> ProfileKey:
    return ProfileKey(voice_id=voice_id, voice_version=1, engine="qwen3", model="base", fingerprint="f")


class House:
    """A store with voices, each of which has a profile."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.samples = Samples(redis, MemoryBlobStore())
        self.profiles = Profiles(redis)
        self.voices = Voices(redis, self.profiles)
        self.personas = Personas(redis)
        self.casting = Casting(self.samples, profiles=self.profiles)

    async def put(self, one: Voice) -> None:
        await self.voices.put(one)
        await self.cast(one.id)

    async def cast(self, voice_id: str) -> None:
        made = VoiceProfile(voice_id=voice_id, voice_version=1, engine="qwen3", model="base", data=b"x")
        await self.profiles.put(key(voice_id), made)

    async def forget_ended(self, now: datetime) -> tuple[str, ...]:
        uses = Uses(self.voices, self.personas, self.profiles)
        return await forget_ended(self.samples, uses, forget=self.casting.forget, now=now)

    async def has_profile(self, voice_id: str) -> bool:
        return await self.profiles.get(key(voice_id)) is not None


@pytest.fixture
def house(store: Redis) -> House:
    return House(store)


async def test_what_was_made_of_a_recording_goes_when_its_consent_is_over_though_nobody_speaks(house: House) -> None:
    await house.samples.put(sample("a", GIVEN))
    await house.put(voice("ana", "a"))

    assert await house.forget_ended(NOW) == ()
    assert await house.has_profile("ana")
    assert await house.forget_ended(NOW + timedelta(days=1)) == ("ana",)
    assert not await house.has_profile("ana")


async def test_a_voice_goes_with_any_of_its_recordings_and_other_voices_stay(house: House) -> None:
    await house.samples.put(sample("a", replace(GIVEN, withdrawn_at=NOW)))
    await house.samples.put(sample("b", GIVEN))
    await house.samples.put(sample("d", None, SourceKind.DESIGNED))
    await house.put(voice("both", "a", "b"))
    await house.put(voice("ben", "b"))
    await house.put(voice("made", "d"))

    assert await house.forget_ended(NOW) == ("both",)
    assert [await house.has_profile(name) for name in ("both", "ben", "made")] == [False, True, True]


async def test_a_voice_stays_where_the_ended_recording_has_no_weight(house: House) -> None:
    await house.samples.put(sample("a", None))
    await house.samples.put(sample("b", GIVEN))
    both = voice("both", "a", "b")
    silenced = replace(both.sources[0], weight=0.0)
    await house.put(replace(both, sources=(silenced, both.sources[1])))

    assert await house.forget_ended(NOW) == ()
    assert await house.has_profile("both")


async def test_a_locked_record_keeps_no_other_voice_from_being_forgotten(house: House) -> None:
    await house.samples.put(sample("a", None))
    await house.put(voice("ana", "a"))
    sealing = cipher_of([Fernet.generate_key().decode()])
    await Samples(house.redis, MemoryBlobStore(), cipher=sealing).put(sample("b", GIVEN))

    assert await house.forget_ended(NOW) == ("ana",)


async def test_a_voice_that_is_written_out_in_a_persona_is_forgotten_as_well(house: House) -> None:
    await house.samples.put(sample("a", None))
    nina = replace(NINA, voice_id="", voice=voice(NINA.voice.id, "a"))
    await house.personas.put(nina)
    await house.cast(nina.voice.id)

    assert await house.forget_ended(NOW) == (nina.voice.id,)
    assert not await house.has_profile(nina.voice.id)

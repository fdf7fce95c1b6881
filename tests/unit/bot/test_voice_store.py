from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from bot.persona import shipped_personas
from bot.persona_store import Personas
from bot.sample_store import Samples
from bot.voice_store import PROFILE_KEPT_S, Profiles, Voices
from tts.blobs import MemoryBlobStore
from tts.casting import ProfileKey
from tts.contract import SourceKind, Voice, VoiceProfile, VoiceSource
from tts.errors import BadVoice
from tts.sealing import FernetCipher
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
REF = "a" * 64
SAMPLE = StoredSample(
    id=REF,
    kind=SourceKind.SAMPLE,
    language="pt-BR",
    added_at=NOW,
    consent=Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW),
)
VOICE = Voice(id="ana", language="pt-BR", prompt="voz", sources=(VoiceSource(kind=SourceKind.SAMPLE, ref=REF),))
KEY = ProfileKey(voice_id="ana", voice_version=1, engine="qwen3", model="base", fingerprint="f" * 16)
PROFILE = VoiceProfile(
    voice_id="ana", voice_version=1, engine="qwen3", model="base", data=b"\x00\n\xff", facts=(("similarity", 0.9),)
)
NINA = shipped_personas()[0]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def profiles(store: Redis) -> Profiles:
    return Profiles(store)


@pytest.fixture
def voices(store: Redis, profiles: Profiles, clock: Clock) -> Voices:
    return Voices(store, profiles, clock=clock)


@pytest.fixture
def samples(store: Redis, clock: Clock) -> Samples:
    return Samples(store, MemoryBlobStore(), clock=clock)


# -- voices -------------------------------------------------------------------------------------------------------


async def test_what_was_put_is_got(voices: Voices) -> None:
    assert await voices.put(VOICE) == VOICE == await voices.get("ana")
    assert await voices.list() == (VOICE,)
    assert await voices.get("nobody") is None


async def test_only_a_change_makes_a_version(voices: Voices) -> None:
    await voices.put(VOICE)

    assert (await voices.put(replace(VOICE, version=9))).version == 1
    assert (await voices.put(replace(VOICE, speed=1.2))).version == 2


async def test_going_back_to_an_old_version_is_a_new_one(voices: Voices) -> None:
    await voices.put(VOICE)
    await voices.put(replace(VOICE, prompt="outra"))
    newest, oldest = await voices.past("ana")

    back = await voices.put(oldest)

    assert (newest.prompt, back.prompt, back.version) == ("outra", "voz", 3)


async def test_numbers_do_not_come_back_after_deletion(voices: Voices) -> None:
    await voices.put(VOICE)
    assert await voices.delete("ana")

    assert (await voices.put(VOICE)).version == 2


async def test_a_persona_that_names_a_voice_speaks_with_its_newest_version(voices: Voices) -> None:
    persona = replace(NINA, voice_id="ana")
    await voices.put(VOICE)
    await voices.put(replace(VOICE, prompt="outra"))

    assert (await voices.resolve(persona)).prompt == "outra"


async def test_a_persona_with_a_voice_of_its_own_speaks_with_that(voices: Voices) -> None:
    assert await voices.resolve(NINA) is NINA.voice


async def test_a_persona_whose_voice_is_gone_has_none(voices: Voices) -> None:
    with pytest.raises(BadVoice, match="ana"):
        await voices.resolve(replace(NINA, voice_id="ana"))


async def test_a_timbre_is_a_voice_without_being_stored(voices: Voices) -> None:
    voice = await voices.resolve(replace(NINA, voice_id="qwen3-ryan"))
    assert (voice.sources[0].kind, voice.sources[0].ref, voice.engines) == (SourceKind.TIMBRE, "ryan", ("qwen3",))


async def test_an_unknown_timbre_is_refused_with_the_valid_ones(voices: Voices) -> None:
    with pytest.raises(BadVoice, match="qwen3-serena"):
        await voices.resolve(replace(NINA, voice_id="qwen3-robert"))


async def test_a_clone_id_is_the_stored_voice_spoken_by_qwen3_only(voices: Voices) -> None:
    await voices.put(VOICE)
    voice = await voices.resolve(replace(NINA, voice_id="qwen3-clone-ana"))
    assert (voice.id, voice.engines) == ("ana", ("qwen3",))


async def test_a_persona_that_names_a_voice_is_stored_and_keeps_the_name(store: Redis) -> None:
    persona = replace(NINA, voice_id="ana", voice=Voice(id="ana", language=NINA.language))
    await Personas(store).put(NINA)

    stored = await Personas(store).put(persona)

    assert (stored.voice_id, stored.version) == ("ana", 2)
    assert await Personas(store).get("nina") == stored == await Personas(store).put(persona)


# -- profiles -----------------------------------------------------------------------------------------------------


async def test_a_profile_is_read_as_it_was_kept(profiles: Profiles) -> None:
    await profiles.put(KEY, PROFILE)

    assert await profiles.get(KEY) == PROFILE


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, voice_version=2),
        replace(KEY, engine="xtts"),
        replace(KEY, model="other"),
        replace(KEY, fingerprint="0" * 16),
        replace(KEY, voice_id="bia"),
    ],
)
async def test_a_profile_serves_nothing_else(profiles: Profiles, other: ProfileKey) -> None:
    await profiles.put(KEY, PROFILE)

    assert await profiles.get(other) is None


async def test_profiles_go_after_a_month(store: Redis, profiles: Profiles) -> None:
    await profiles.put(KEY, PROFILE)

    assert 0 < await store.ttl("{recado}:profiles:ana") <= PROFILE_KEPT_S


async def test_a_changed_voice_forgets_its_profiles(voices: Voices, profiles: Profiles) -> None:
    await voices.put(VOICE)
    await profiles.put(KEY, PROFILE)
    await voices.put(VOICE)
    assert await profiles.get(KEY) is not None

    await voices.put(replace(VOICE, prompt="outra"))

    assert await profiles.get(KEY) is None


async def test_with_a_key_profiles_do_not_lie_in_the_clear(store: Redis) -> None:
    cipher = FernetCipher([Fernet.generate_key().decode()])
    sealed = Profiles(store, cipher=cipher)
    await sealed.put(KEY, replace(PROFILE, data=b"somebody's voice"))

    (stored,) = (await store.hgetall("{recado}:profiles:ana")).values()
    assert b"voice" not in stored
    assert (await sealed.get(KEY)) == replace(PROFILE, data=b"somebody's voice")
    assert await Profiles(store).get(KEY) is None
    assert await Profiles(store, cipher=FernetCipher([Fernet.generate_key().decode()])).get(KEY) is None


async def test_a_store_that_does_not_answer_is_a_miss() -> None:
    away = Redis(unix_socket_path="/nowhere/valkey.sock", protocol=2)
    profiles = Profiles(away)
    await profiles.put(KEY, PROFILE)
    await profiles.purge("ana")

    assert await profiles.get(KEY) is None
    await away.aclose()


# -- samples ------------------------------------------------------------------------------------------------------


async def test_a_record_is_found_as_it_was_put(samples: Samples) -> None:
    await samples.put(SAMPLE)

    assert await samples.find(REF) == SAMPLE
    assert await samples.list() == (SAMPLE,)
    assert await samples.find("b" * 64) is None


async def test_a_record_that_cannot_be_read_is_nobodys_consent(store: Redis, samples: Samples) -> None:
    await store.hset("{recado}:samples", REF, b'{"id": 1}')

    assert await samples.find(REF) is None


async def test_a_withdrawn_consent_keeps_its_record_and_first_date(samples: Samples) -> None:
    await samples.put(SAMPLE)
    await samples.withdraw(REF, NOW)
    withdrawn = await samples.withdraw(REF, NOW + timedelta(days=1))

    assert withdrawn is not None
    assert withdrawn.consent is not None
    assert withdrawn.consent.withdrawn_at == NOW
    assert await samples.find(REF) == withdrawn


async def test_there_is_nothing_to_withdraw_from_a_designed_clip(samples: Samples) -> None:
    await samples.put(replace(SAMPLE, kind=SourceKind.DESIGNED, consent=None))

    assert await samples.withdraw(REF, NOW) is None


@pytest.mark.parametrize(("waited_s", "seen_at"), [(0.5, None), (1.0, NOW)])
async def test_a_withdrawal_by_another_process_shows_after_a_second(
    store: Redis, samples: Samples, clock: Clock, waited_s: float, seen_at: datetime | None
) -> None:
    await samples.put(SAMPLE)
    await samples.find(REF)
    await Samples(store, MemoryBlobStore()).withdraw(REF, NOW)
    clock.now_s = waited_s

    found = await samples.find(REF)

    assert found is not None
    assert found.consent is not None
    assert found.consent.withdrawn_at == seen_at


async def test_what_is_erased_leaves_neither_record_nor_recording(samples: Samples) -> None:
    blob_id = await samples.keep_audio(b"audio")
    await samples.put(replace(SAMPLE, id=blob_id))

    assert [await samples.erase(blob_id), await samples.erase(blob_id)] == [True, False]
    assert await samples.find(blob_id) is None
    with pytest.raises(KeyError):
        await samples.audio(blob_id)

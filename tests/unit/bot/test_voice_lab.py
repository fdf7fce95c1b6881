from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from bot.documents import Documents
from bot.persona import shipped_personas
from bot.persona_store import Personas
from bot.recordings import Recordings
from bot.sample_store import Samples
from bot.voice_lab import VoiceLab
from bot.voice_store import Profiles, Voices
from bot.voice_uses import Uses
from tests.speech import speech, wav
from tts.audio.decode import decode_ours
from tts.blobs import MemoryBlobStore
from tts.casting import ProfileKey
from tts.contract import SourceKind, Transcript, Voice, VoiceProfile, VoiceSource
from tts.errors import BadVoice
from tts.hearing import FakeTranscriber
from tts.voices.consent import Consent
from tts.voices.samples import InspectedSample, StoredSample, inspect_sample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONSENT = Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW)
VOICE = Voice(id="ana", language="pt-BR", prompt="voz")
NINA = shipped_personas()[0]
REFS = ("a" * 64, "b" * 64)


def sample(ref: str, kind: SourceKind = SourceKind.SAMPLE) -> StoredSample:
    consent = CONSENT if kind is SourceKind.SAMPLE else None
    return StoredSample(id=ref, kind=kind, language="pt-BR", added_at=NOW, consent=consent)


def source(ref: str, weight: float = 1.0, kind: SourceKind = SourceKind.SAMPLE) -> VoiceSource:
    return VoiceSource(kind=kind, ref=ref, weight=weight)


@functools.cache
def recording() -> InspectedSample:
    return inspect_sample(wav(speech()))


class Lab:
    """A lab of its own connection and memory, as every command opens one."""

    def __init__(self, redis: Redis) -> None:
        self.profiles = Profiles(redis)
        self.voices = Voices(redis, self.profiles, fresh_s=0)
        self.samples = Samples(redis, MemoryBlobStore(), fresh_s=0)
        self.personas = Personas(redis, fresh_s=0)
        self.uses = Uses(self.voices, self.personas, self.profiles)
        self.recordings = Recordings(self.samples, self.uses, now=lambda: NOW)
        self.lab = VoiceLab(self.voices, self.recordings)


@pytest.fixture
def here(store: Redis) -> Lab:
    return Lab(store)


class Meanwhile(FakeTranscriber):
    """Somebody does something while a recording is written down."""

    def __init__(self, work) -> None:  # noqa: ANN001 - any coroutine function
        super().__init__("o seu pedido já saiu")
        self.work = work

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        await self.work()
        return await super().transcribe(data, language=language, among=among)


# -- edits at the same time -----------------------------------------------------------------------------------------


async def test_an_edit_made_while_a_sample_is_written_down_is_not_lost(here: Lab, store: Redis) -> None:
    await here.voices.put(VOICE)

    async def edit() -> None:
        await Lab(store).lab.edit("ana", lambda voice: replace(voice, speed=1.2))

    change = await here.lab.add_sample("ana", recording(), consent=CONSENT, transcriber=Meanwhile(edit))

    assert (change.voice.speed, [one.ref for one in change.voice.sources]) == (1.2, [change.sample.id])
    assert change.voice.version == 3


async def test_a_withdrawal_made_while_a_sample_is_added_again_stands(here: Lab, store: Redis) -> None:
    await here.voices.put(VOICE)
    first = await here.lab.add_sample("ana", recording(), consent=CONSENT, transcript="o seu pedido")

    async def withdraw() -> None:
        await Lab(store).recordings.withdraw(first.sample.id)

    with pytest.raises(BadVoice, match="was withdrawn"):
        await here.lab.add_sample(
            "ana", recording(), consent=CONSENT, transcriber=Meanwhile(withdraw), replace_consent=True
        )
    record = await here.samples.find(first.sample.id)
    assert record is not None
    assert record.consent is not None
    assert record.consent.withdrawn_at == NOW


async def test_a_voice_deleted_while_a_sample_is_written_down_leaves_no_sample(here: Lab, store: Redis) -> None:
    await here.voices.put(VOICE)

    async def delete() -> None:
        await Lab(store).lab.delete("ana")

    with pytest.raises(BadVoice, match="no voice 'ana'"):
        await here.lab.add_sample("ana", recording(), consent=CONSENT, transcriber=Meanwhile(delete))
    assert await here.samples.list() == ()


async def test_two_who_edit_at_once_are_both_heard(here: Lab, store: Redis) -> None:
    await here.voices.put(replace(VOICE, seed=0))

    async def count() -> None:
        await Lab(store).lab.edit("ana", lambda voice: replace(voice, seed=(voice.seed or 0) + 1))

    await asyncio.gather(*(count() for _ in range(8)))

    found = await here.voices.get("ana")
    assert found is not None
    assert (found.seed, found.version) == (8, 9)


async def test_a_change_that_raises_leaves_all_as_it_was(here: Lab) -> None:
    await here.voices.put(VOICE)

    def fail(_voice: Voice) -> Voice:
        raise BadVoice("no")

    with pytest.raises(BadVoice):
        await here.lab.edit("ana", fail)
    assert await here.voices.past("ana") == (VOICE,)


async def test_a_replaced_record_forgets_what_was_made_of_the_old_one_for_every_voice(here: Lab) -> None:
    await here.voices.put(VOICE)
    await here.voices.put(replace(VOICE, id="bia"))
    for voice_id in ("ana", "bia"):
        await here.lab.add_sample(voice_id, recording(), consent=CONSENT, transcript="o seu pedido")
    key = ProfileKey(voice_id="bia", voice_version=2, engine="qwen3", model="m", fingerprint="f")
    made = VoiceProfile(voice_id="bia", voice_version=2, engine="qwen3", model="m", data=b"x")
    await here.profiles.put(key, made)

    await here.lab.add_sample("ana", recording(), consent=CONSENT, transcript="outra coisa", replace_consent=True)

    assert await here.profiles.get(key) is None


# -- what cannot be read again --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"sources": (source(REFS[0], weight=0.0),)},
        {"sources": (source(REFS[0], weight=float("inf")),)},
        {"sources": (source("x" * 300, kind=SourceKind.STYLE),)},
        {"speed": 9.0},
        {"seed": 2**64},
    ],
)
async def test_a_voice_that_could_not_be_read_again_is_never_stored(here: Lab, change: dict[str, object]) -> None:
    await here.voices.put(VOICE)

    with pytest.raises(BadVoice, match="was not changed"):
        await here.voices.put(replace(VOICE, **change))
    assert await here.voices.get("ana") == VOICE


async def test_a_record_that_could_not_be_read_again_is_never_stored(here: Lab) -> None:
    good = await here.lab.recordings.samples.update(REFS[0], lambda _: sample(REFS[0]))
    assert good is not None
    report = replace(recording().report, speech_s=float("inf"))

    with pytest.raises(BadVoice, match="was not stored"):
        await here.samples.put(replace(good, report=report))
    assert await here.samples.find(REFS[0]) == good


async def test_an_unreadable_voice_counts_as_a_user_of_what_its_text_names(here: Lab, store: Redis) -> None:
    await here.samples.put(sample(REFS[0]))
    await store.hset("{recado}:voices", "zed", f"id: zed\nsources: [{{kind: sample, ref: {REFS[0]}}}]\nnew: field\n")

    assert [use.name for use in await here.uses.of(REFS[0])] == ["zed (unreadable)"]
    assert await here.recordings.erase_unused([REFS[0]]) == 0
    with pytest.raises(BadVoice, match="cannot be read"):
        await here.lab.voice("zed")
    with pytest.raises(BadVoice, match="cannot be read"):
        await here.lab.create(replace(VOICE, id="zed"))


async def test_the_store_tells_which_documents_it_cannot_read(here: Lab, store: Redis) -> None:
    await store.hset("{recado}:voices", "zed", "nonsense: [")

    assert isinstance(here.voices._stored, Documents)
    assert await here.voices.unreadable() == {"zed": "nonsense: ["}
    assert await here.voices.list() == ()


# -- who uses a recording -------------------------------------------------------------------------------------------


async def test_voices_and_personas_use_a_recording_whatever_its_weight(here: Lab) -> None:
    await here.voices.put(replace(VOICE, sources=(source(REFS[0], 0.0), source(REFS[1]))))
    await here.voices.put(replace(VOICE, id="bia"))
    await here.personas.put(replace(NINA, voice=replace(NINA.voice, sources=(source(REFS[0]),))))

    assert [use.name for use in await here.uses.of(REFS[0])] == ["ana", "persona nina"]
    assert [use.name for use in await here.uses.of(REFS[1])] == ["ana"]


@pytest.mark.parametrize("name", ["ana", "qwen3-clone-ana"])
async def test_personas_of_a_voice_are_found_by_both_its_names(here: Lab, name: str) -> None:
    await here.personas.put(replace(NINA, voice_id=name, voice=Voice(id=name, language="pt-BR")))

    assert await here.uses.personas_of("ana") == ("nina",)
    assert await here.uses.personas_of("bia") == ()


# -- the mix --------------------------------------------------------------------------------------------------------


async def test_a_recording_that_may_not_be_used_gets_no_weight(here: Lab) -> None:
    await here.voices.put(replace(VOICE, sources=(source(REFS[0]), source(REFS[1]))))
    for ref in REFS:
        await here.samples.put(sample(ref))
    await here.recordings.withdraw(REFS[0])

    with pytest.raises(BadVoice, match="the consent was withdrawn"):
        await here.lab.mix("ana", {REFS[0]: 1.0})
    assert [one.weight for one in (await here.lab.mix("ana", {REFS[0]: 0.0, REFS[1]: 1.0})).sources] == [0.0, 1.0]


async def test_a_clip_is_erased_when_no_kept_version_names_it(here: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.documents.KEPT_VERSIONS", 2)
    await here.samples.put(sample(REFS[0], SourceKind.DESIGNED))
    await here.voices.put(replace(VOICE, sources=(source(REFS[0], kind=SourceKind.DESIGNED),)))
    clip = _clip()

    await here.lab.edit("ana", lambda voice: replace(voice, speed=1.1))
    await here.lab.keep_design("ana", clip)
    assert await here.samples.find(REFS[0]) is not None
    await here.lab.keep_design("ana", replace(clip, audio=replace(clip.audio, samples=clip.audio.samples[1000:])))

    assert await here.samples.find(REFS[0]) is None


async def test_a_kept_clip_is_among_the_recordings_with_its_words_and_its_time(here: Lab) -> None:
    kept = await here.samples.keep_clip(_clip(), language="pt-BR", at=NOW)

    assert await here.samples.list() == (kept,)
    assert (kept.kind, kept.transcript, kept.added_at) == (SourceKind.DESIGNED, "oi", NOW)
    assert decode_ours(await here.samples.audio(kept.id)).audio.duration_s > 1


def _clip():  # noqa: ANN202 - a clip
    from tts.voices.design import DesignedClip

    return DesignedClip(audio=speech(), transcript="oi", engine="qwen3", model="m")


async def test_an_edit_is_not_refused_for_what_was_strange_before(here: Lab) -> None:
    await here.voices.put(replace(VOICE, engines=("gone",)))

    assert (await here.lab.edit("ana", lambda voice: replace(voice, speed=1.2))).speed == 1.2
    with pytest.raises(BadVoice, match="unknown engine nope"):
        await here.lab.edit("ana", lambda voice: replace(voice, engines=("nope",)))

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from redis.asyncio import Redis

from bot.persona_store import Personas
from bot.recordings import Recordings
from bot.sample_store import Samples
from bot.voice_bundle import Bundle
from bot.voice_lab import VoiceLab
from bot.voice_store import Profiles, Voices
from bot.voice_transfer import VoiceTransfer
from bot.voice_uses import Uses
from tests.speech import speech, wav
from tts.blobs import MemoryBlobStore, blob_id_of
from tts.contract import PcmAudio, SourceKind, Voice, VoiceSource
from tts.errors import BadAudio, BadVoice
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample, encode_sample, inspect_sample, prepare_sample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CONSENT = Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW - DAY)


@functools.cache
def audio() -> bytes:
    return encode_sample(prepare_sample(inspect_sample(wav(speech()))))


@functools.cache
def report():  # noqa: ANN201 - a report
    return inspect_sample(wav(speech())).report


def bundle(
    data: bytes | None = None, *, consent: Consent | None = CONSENT, source: SourceKind | None = None, **fields: object
) -> Bundle:
    """An archive of the voice `ana` with one recording."""
    data = audio() if data is None else data
    record = StoredSample(
        id=blob_id_of(data), kind=SourceKind.SAMPLE, language="pt-BR", added_at=NOW, transcript="oi", consent=consent,
    )  # fmt: skip
    record = replace(record, **fields)
    part = VoiceSource(kind=source or record.kind, ref=record.id)
    return Bundle(
        voice=Voice(id="ana", language="pt-BR", prompt="voz", sources=(part,)),
        samples=(record,),
        files={record.id: data},
    )


class House:
    def __init__(self, redis: Redis) -> None:
        self.blobs = MemoryBlobStore()
        profiles = Profiles(redis)
        self.voices = Voices(redis, profiles, fresh_s=0)
        self.samples = Samples(redis, self.blobs, fresh_s=0)
        uses = Uses(self.voices, Personas(redis, fresh_s=0), profiles)
        recordings = Recordings(self.samples, uses, now=lambda: NOW)
        self.transfer = VoiceTransfer(self.voices, recordings, VoiceLab(self.voices, recordings))

    async def known(self, **fields: object) -> StoredSample:
        """The recording, known here before any archive came."""
        record = replace(bundle().samples[0], **fields)
        await self.blobs.put(audio())
        await self.samples.put(record)
        return record

    async def record(self) -> StoredSample:
        (found,) = await self.samples.list()
        return found

    async def is_empty(self) -> bool:
        return await self.voices.list() == () and await self.samples.list() == () and not self.blobs._blobs


@pytest.fixture
def house(store: Redis) -> House:
    return House(store)


async def test_what_was_exported_is_imported_as_it_was(house: House) -> None:
    await house.transfer.import_bundle(bundle(report=report()))
    exported = await house.transfer.export("ana")

    assert exported == bundle(report=report())


def _short() -> bytes:
    return encode_sample(PcmAudio(samples=speech().samples[:36_000], sample_rate_hz=24_000))


def _silent() -> bytes:
    return encode_sample(PcmAudio(samples=np.zeros(96_000, np.float32), sample_rate_hz=24_000))


def _coarse() -> bytes:
    return encode_sample(speech(rate_hz=8_000))


HOSTILE: Mapping[str, tuple[Bundle, str]] = {
    "a person's recording called designed": (
        bundle(kind=SourceKind.DESIGNED, consent=None), "--trust-designed"
    ),
    "a designed clip in the mix that is a sample in its record": (
        bundle(source=SourceKind.DESIGNED), "something else"
    ),
    "a style with a recording": (bundle(kind=SourceKind.STYLE, consent=None), "a recording is a sample or designed"),
    "a second and a half of speech": (bundle(_short()), "3.0 s|2.5 s"),
    "silence": (bundle(_silent()), "of speech"),
    "a rate that no prepared sample has": (bundle(_coarse()), "24000 Hz or more"),
    "a person's recording without consent": (bundle(consent=None), "without a consent"),
    "a consent without words": (bundle(consent=replace(CONSENT, statement=" ")), "without a consent"),
    "no audio": (bundle(b"fLaC and so on"), "The recording"),
    "an engine that nobody knows": (
        replace(bundle(), voice=replace(bundle().voice, engines=("nope",))), "unknown engine nope"
    ),
    "an id that means a timbre": (replace(bundle(), voice=replace(bundle().voice, id="qwen3-ana")), "choose another"),
    "measures without end": (bundle(report=replace(report(), speech_s=float("inf"))), "no numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
async def test_an_archive_that_cannot_be_believed_is_refused_and_nothing_of_it_stored(house: House, case: str) -> None:
    hostile, words = HOSTILE[case]

    with pytest.raises((BadVoice, BadAudio), match=words):
        await house.transfer.import_bundle(hostile)
    assert await house.is_empty()


async def test_a_clip_that_is_known_here_as_designed_needs_no_trust(house: House) -> None:
    clip = bundle(kind=SourceKind.DESIGNED, consent=None)
    await house.known(kind=SourceKind.DESIGNED, consent=None)

    assert (await house.transfer.import_bundle(clip)).voice == clip.voice


@pytest.mark.parametrize(
    ("here", "theirs"), [(SourceKind.SAMPLE, SourceKind.DESIGNED), (SourceKind.DESIGNED, SourceKind.SAMPLE)]
)
async def test_a_recording_is_what_it_is_known_as_here(house: House, here: SourceKind, theirs: SourceKind) -> None:
    record = await house.known(kind=here, consent=CONSENT if here is SourceKind.SAMPLE else None)

    with pytest.raises(BadVoice, match="but here it is"):
        await house.transfer.import_bundle(bundle(kind=theirs, consent=CONSENT), trust_designed=True)
    assert await house.record() == record


@pytest.mark.parametrize(
    ("ours", "theirs", "ends"),
    [
        (NOW + DAY, None, NOW + DAY),
        (None, NOW + DAY, NOW + DAY),
        (NOW + DAY, NOW + 2 * DAY, NOW + DAY),
        (NOW + 2 * DAY, NOW + DAY, NOW + DAY),
    ],
)
async def test_an_import_keeps_the_consent_that_is_here_and_never_makes_it_last_longer(
    house: House, ours: datetime | None, theirs: datetime | None, ends: datetime
) -> None:
    await house.known(consent=replace(CONSENT, expires_at=ours))

    await house.transfer.import_bundle(bundle(consent=replace(CONSENT, speaker="Eva", expires_at=theirs)))

    assert (await house.record()).consent == replace(CONSENT, expires_at=ends)


async def test_an_archive_without_consent_takes_none_away(house: House) -> None:
    record = await house.known()

    await house.transfer.import_bundle(bundle(consent=None))

    assert await house.record() == record


async def test_a_withdrawal_that_the_archive_knows_counts_here_and_says_whom_it_silences(house: House) -> None:
    await house.known()
    await house.voices.put(replace(bundle().voice, id="bia"))

    imported = await house.transfer.import_bundle(bundle(consent=replace(CONSENT, withdrawn_at=NOW)))

    assert [use.name for use in imported.silenced] == ["bia"]
    assert "the consent was withdrawn" in imported.remarks[0]
    consent = (await house.record()).consent
    assert consent is not None
    assert consent.withdrawn_at == NOW


async def test_of_a_withdrawn_consent_only_the_record_comes_in(house: House) -> None:
    await house.transfer.import_bundle(bundle(consent=replace(CONSENT, withdrawn_at=NOW)))

    record = await house.record()
    assert (record.erased_at, record.transcript) == (NOW, "")
    with pytest.raises(KeyError):
        await house.samples.audio(record.id)


async def test_a_recording_that_was_erased_after_a_withdrawal_does_not_come_back(house: House) -> None:
    record = await house.known()
    await house.samples.withdraw(record.id, NOW)
    await house.samples.erase(record.id)

    await house.transfer.import_bundle(bundle())

    assert (await house.record()).consent == replace(CONSENT, withdrawn_at=NOW)
    with pytest.raises(KeyError):
        await house.samples.audio(record.id)


async def test_a_recording_that_the_mix_does_not_name_is_not_stored(house: House) -> None:
    bare = replace(bundle().voice, sources=())

    imported = await house.transfer.import_bundle(replace(bundle(), voice=bare))

    assert await house.samples.list() == ()
    assert "not in the mix" in imported.remarks[0]

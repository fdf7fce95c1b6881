"""Records of samples under SAMPLES_KEY: sealed, found again, and moved under another key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bot.designs import Designs, _key
from bot.persona_store import Personas
from bot.recordings import Recordings, withdrawn_at
from bot.sample_store import Resealed, Samples
from bot.voice_store import Profiles, Voices
from bot.voice_uses import Uses
from tts.blobs import FolderBlobStore
from tts.casting import Casting
from tts.contract import SourceKind, Voice, VoiceSource
from tts.errors import BlobLocked
from tts.sealing import cipher_of
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RECORDS = "{recado}:samples"
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SAMPLE = StoredSample(
    id="",
    kind=SourceKind.SAMPLE,
    language="pt-BR",
    added_at=NOW,
    transcript="palavras ditas",
    consent=Consent(speaker="Ana Lima", by="Ana Lima", statement="pode usar", given_at=NOW),
)


class House:
    """One store and one folder, opened with one list of keys after another."""

    def __init__(self, redis: Redis, folder: Path) -> None:
        self.redis = redis
        self.folder = folder

    def with_keys(self, keys: Sequence[str]) -> Samples:
        cipher = cipher_of(keys)
        return Samples(self.redis, FolderBlobStore(self.folder, cipher=cipher), cipher=cipher, now=lambda: NOW)

    async def keep(self, keys: Sequence[str], data: bytes = b"fLaC a voice") -> StoredSample:
        samples = self.with_keys(keys)
        sample = replace(SAMPLE, id=await samples.keep_audio(data))
        await samples.put(sample)
        return sample

    async def lying(self) -> bytes:
        """All bytes that lie in the store and in the folder."""
        stored = await self.redis.hgetall(RECORDS)
        return b"".join(stored.values()) + b"".join(
            path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        )


@pytest.fixture
def house(store: Redis, tmp_path: Path) -> House:
    return House(store, tmp_path)


def in_the_clear(lying: bytes) -> list[str]:
    return [words for words in ("Ana Lima", "pode usar", "palavras ditas", "a voice") if words.encode() in lying]


async def test_with_a_key_neither_speaker_nor_statement_nor_words_lie_in_the_clear(house: House) -> None:
    sample = await house.keep([NEW])

    assert in_the_clear(await house.lying()) == []
    assert await house.with_keys([NEW]).find(sample.id) == sample
    assert await house.with_keys([NEW]).list() == (sample,)


async def test_what_was_stored_in_the_clear_is_still_found_with_a_key(house: House) -> None:
    sample = await house.keep([])

    assert await house.with_keys([NEW]).find(sample.id) == sample


@pytest.mark.parametrize("keys", [[], [NEW]])
async def test_a_record_that_no_key_opens_is_told_with_the_setting_and_never_changed(
    house: House, keys: list[str]
) -> None:
    sample = await house.keep([OLD])
    samples, before = house.with_keys(keys), await house.redis.hgetall(RECORDS)

    for asked in (
        samples.find(sample.id),
        samples.put(sample),
        samples.withdraw(sample.id, NOW),
        samples.erase(sample.id),
    ):
        with pytest.raises(BlobLocked, match="SAMPLES_KEY"):
            await asked
    assert await house.redis.hgetall(RECORDS) == before


async def test_a_locked_record_is_left_out_of_the_list_and_logged_once_a_call(house: House) -> None:
    locked, sample = await house.keep([OLD]), await house.keep([NEW], b"fLaC another voice")
    samples = house.with_keys([NEW])

    with capture_logs() as logs:
        assert await samples.list() == (sample,)

    assert [(log["event"], log["sample"]) for log in logs] == [("sample_locked", locked.id[:12])]


@pytest.mark.parametrize("length", [64, 12], ids=["whole id", "prefix"])
async def test_a_consent_is_withdrawn_whatever_else_no_key_opens(house: House, length: int) -> None:
    clip, sample = await house.keep([OLD]), await house.keep([NEW], b"fLaC another voice")
    prompt = Voice(id="eva", language="pt-BR", prompt="voz")
    samples, designs = house.with_keys([NEW]), Designs(house.redis, house.with_keys([OLD]))
    await house.redis.hset("{recado}:designs", _key(prompt), clip.id)
    assert (await designs.applied(prompt)).sources  # its clip is there, and locked for everybody with the new key
    profiles = Profiles(house.redis)
    voices = Voices(house.redis, profiles)
    await voices.put(prompt)
    designed = Designs(house.redis, samples).applied
    recordings = Recordings(samples, Uses(voices, Personas(house.redis), profiles, designed=designed), now=lambda: NOW)

    withdrawn, _ = await recordings.withdraw(sample.id[:length])

    assert withdrawn_at(withdrawn) == NOW


async def test_a_locked_record_that_is_named_whole_is_told_with_the_setting(house: House) -> None:
    locked = await house.keep([OLD])
    profiles = Profiles(house.redis)
    uses = Uses(Voices(house.redis, profiles), Personas(house.redis), profiles)

    with pytest.raises(BlobLocked, match="SAMPLES_KEY"):
        await Recordings(house.with_keys([NEW]), uses).one(locked.id)


async def test_a_voice_of_a_record_that_no_key_opens_is_not_spoken(house: House) -> None:
    sample = await house.keep([OLD])
    voice = Voice(id="ana", language="pt-BR", sources=(VoiceSource(kind=SourceKind.SAMPLE, ref=sample.id),))

    assert "SAMPLES_KEY" in await Casting(house.with_keys([NEW])).refusal(voice)


async def test_resealing_leaves_nothing_in_the_clear_and_all_as_it_was(house: House) -> None:
    plain, sealed = await house.keep([]), await house.keep([OLD], b"fLaC another voice")
    assert in_the_clear(await house.lying()) != []

    assert await house.with_keys([NEW, OLD]).reseal() == Resealed(records=2, recordings=2, locked=0)

    assert in_the_clear(await house.lying()) == []
    samples = house.with_keys([NEW])  # the old key is not needed any more
    assert {sample.id: sample for sample in await samples.list()} == {plain.id: plain, sealed.id: sealed}
    assert [await samples.audio(plain.id), await samples.audio(sealed.id)] == [b"fLaC a voice", b"fLaC another voice"]


async def test_resealing_counts_what_no_key_opens_and_seals_the_rest(house: House) -> None:
    await house.keep([OLD])
    await house.keep([], b"fLaC another voice")

    assert await house.with_keys([NEW]).reseal() == Resealed(records=1, recordings=1, locked=1)
    assert in_the_clear(await house.lying()) == []


async def test_resealing_brings_nothing_back_that_was_erased(house: House) -> None:
    samples = house.with_keys([])
    sample = await house.keep([])
    await samples.withdraw(sample.id, NOW)
    await samples.erase(sample.id)

    assert await house.with_keys([NEW]).reseal() == Resealed(records=1, recordings=0, locked=0)
    assert in_the_clear(await house.lying()) == []
    with pytest.raises(KeyError):
        await samples.audio(sample.id)


async def test_a_recording_erased_while_it_is_sealed_stays_erased(house: House) -> None:
    sample = await house.keep([])
    samples = house.with_keys([NEW])

    class ErasedMeanwhile(FolderBlobStore):
        async def get(self, blob_id: str) -> bytes:
            data = await super().get(blob_id)
            await house.with_keys([NEW]).erase(blob_id)
            return data

    samples._blobs = ErasedMeanwhile(house.folder)

    assert (await samples.reseal()).recordings == 0
    with pytest.raises(KeyError):
        await samples.audio(sample.id)
    assert in_the_clear(await house.lying()) == []

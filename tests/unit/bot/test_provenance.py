from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.provenance import Notary, RecordNotKept, Records, build_notary, consent_mark
from bot.settings import Settings
from tests.unit.tts.test_provenance import NOW, OLD, file_of, note_of, record, remuxed
from tts.contract import Making, SourceKind
from tts.errors import BlobLocked
from tts.material import MemoryMaterial
from tts.provenance import Match, SigningKeys, find_record
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

KEYS = SigningKeys([OLD])
CONSENT = Consent(speaker="Ana", by="Ana", statement="Yes, use my voice.", given_at=datetime(2029, 1, 1, tzinfo=UTC))


@pytest.fixture
def records(redis: Redis) -> Records:
    return Records(redis, kept_s=86_400)


async def test_a_record_is_found_by_file_then_by_sound(records: Records) -> None:
    data = file_of()
    signed = KEYS.sign(record(data))
    await records.put(signed)

    by_file, by_sound = [await find_record(file, [records]) for file in (data, remuxed(data, "webm"))]

    assert by_file is not None
    assert by_sound is not None
    assert (by_file.signed, by_file.match) == (signed, Match.FILE)
    assert (by_sound.signed, by_sound.match) == (signed, Match.SOUND)


async def test_a_strangers_file_is_not_found(records: Records) -> None:
    await records.put(KEYS.sign(record(file_of())))

    assert await find_record(file_of("another"), [records]) is None
    assert await find_record(b"no audio", [records]) is None


async def test_the_newest_record_of_the_same_sound_is_found(records: Records) -> None:
    first = record(file_of())
    await records.put(KEYS.sign(first))
    await records.put(KEYS.sign(replace(first, id="1" * 32, turn_id="t2")))

    found = await find_record(file_of(), [records])

    assert found is not None
    assert found.signed.record.turn_id == "t2"


async def test_records_go_when_their_time_is_over(redis: Redis, records: Records) -> None:
    await records.put(KEYS.sign(record()))

    names = [name async for name in redis.scan_iter("{recado}:provenance:*")]

    assert len(names) == 3
    assert all([0 < await redis.ttl(name) <= 86_400 for name in names])


@pytest.mark.parametrize(("provenance_days", "kept_days"), [(1, 8), (365, 365)])
async def test_a_record_outlives_its_note_however_short_records_are_kept(
    redis: Redis, tmp_path: Path, provenance_days: float, kept_days: float
) -> None:
    settings = Settings(recado_data_dir=tmp_path, provenance_days=provenance_days, note_days=7)

    await build_notary(settings, redis, MemoryMaterial()).certify(note_of(file_of()), turn_id="t9")

    names = [name async for name in redis.scan_iter("{recado}:provenance:*")]
    assert [round(await redis.ttl(name) / 86_400) for name in names] == [kept_days] * 3


async def test_a_store_that_does_not_answer_is_told() -> None:
    nobody = Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))

    with pytest.raises(RecordNotKept):
        await Records(nobody, kept_s=60).put(KEYS.sign(record()))
    await nobody.aclose()


async def test_a_note_is_certified_with_its_sources_and_their_consents(records: Records) -> None:
    material = MemoryMaterial()
    material.samples["s1"] = StoredSample(id="s1", kind=SourceKind.SAMPLE, language="en", added_at=NOW, consent=CONSENT)
    data = file_of()
    note = replace(note_of(data), making=Making(sources=("sample:s1", "designed:d1", "style:low")))

    signed = await Notary(KEYS, records, material=material, now=lambda: NOW).certify(note, turn_id="t9")

    assert signed.record.sources == ("sample:s1", "designed:d1", "style:low")
    assert signed.record.consents == (f"s1:{consent_mark(CONSENT)}",)
    assert signed.record.turn_id == "t9"
    assert KEYS.verify(signed)
    found = await find_record(data, [records])
    assert found is not None
    assert found.signed == signed


WITHDRAWN = replace(CONSENT, withdrawn_at=NOW)


def recording(kind: SourceKind, consent: Consent | None) -> StoredSample:
    return StoredSample(id="s1", kind=kind, language="en", added_at=NOW, consent=consent)


@pytest.mark.parametrize(
    ("source", "stored", "why"),
    [
        ("sample:s1", recording(SourceKind.SAMPLE, CONSENT), ""),
        ("sample:s1", recording(SourceKind.SAMPLE, WITHDRAWN), "withdrawn"),
        ("sample:s1", recording(SourceKind.SAMPLE, replace(CONSENT, expires_at=NOW)), "expired"),
        ("sample:s1", None, "not here"),
        ("designed:s1", recording(SourceKind.SAMPLE, WITHDRAWN), "withdrawn"),
        ("designed:s1", recording(SourceKind.DESIGNED, None), ""),
        ("designed:s1", None, ""),
        ("style:s1", None, ""),
    ],
)
async def test_a_finished_note_is_barred_when_a_consent_behind_it_ended(
    records: Records, source: str, stored: StoredSample | None, why: str
) -> None:
    material = MemoryMaterial()
    material.samples["s1"] = recording(SourceKind.SAMPLE, CONSENT)
    notary = Notary(KEYS, records, material=material, now=lambda: NOW)
    note = replace(note_of(file_of()), making=Making(sources=(source,)))
    await notary.certify(note, turn_id="t9")
    material.samples = {"s1": stored} if stored else {}

    reason = await notary.barred(note.sha256)

    assert why in reason if why else not reason


async def test_a_finished_note_is_barred_while_no_key_opens_what_it_rests_on(records: Records) -> None:
    class Locked(MemoryMaterial):
        async def find(self, sample_id: str) -> StoredSample | None:
            raise BlobLocked(f"{sample_id}: SAMPLES_KEY")

    material = MemoryMaterial()
    material.samples["s1"] = recording(SourceKind.SAMPLE, CONSENT)
    note = replace(note_of(file_of()), making=Making(sources=("sample:s1",)))
    await Notary(KEYS, records, material=material, now=lambda: NOW).certify(note, turn_id="t9")

    assert "SAMPLES_KEY" in await Notary(KEYS, records, material=Locked(), now=lambda: NOW).barred(note.sha256)


async def test_a_note_without_a_record_is_not_barred(records: Records) -> None:
    assert not await Notary(KEYS, records, material=MemoryMaterial()).barred("0" * 64)


def test_a_consent_mark_outlives_the_withdrawal_and_tells_no_words() -> None:
    withdrawn = replace(CONSENT, withdrawn_at=NOW)

    assert consent_mark(withdrawn) == consent_mark(CONSENT)
    assert consent_mark(replace(CONSENT, statement="No.")) != consent_mark(CONSENT)
    assert len(consent_mark(CONSENT)) == 16

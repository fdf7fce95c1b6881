import base64
import hashlib
import io
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import av
import pytest

from tts.audio.coded import coded_audio_sha256
from tts.audio.opus import OpusChoices, encode_voice_note
from tts.audio.voice_note import validate_voice_note
from tts.contract import Making, Timings, VoiceNote
from tts.engines.fake import tone
from tts.errors import BadAudio
from tts.provenance import (
    BadKey,
    Match,
    Record,
    RecordFile,
    SignedRecord,
    SigningKeys,
    dump_signed,
    find_record,
    load_signed,
    record_of,
    signing_keys,
)

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
TAGS = {"SYNTHETIC_SPEECH": "1", "PROVENANCE": "0" * 32}
OLD, NEW = bytes(range(32)), bytes(range(1, 33))


def file_of(text: str = "hello", tags: dict[str, str] = TAGS) -> bytes:
    return encode_voice_note(tone(text, seconds=1.0), OpusChoices(), tags=tags)


def note_of(data: bytes) -> VoiceNote:
    return VoiceNote(
        data=data,
        mime="audio/ogg",
        duration_s=1.0,
        sample_rate_hz=24_000,
        peaks=(),
        sha256=hashlib.sha256(data).hexdigest(),
        voice_id="nina",
        voice_version=3,
        language="en",
        engine="fake",
        model="tone",
        spoken=("secret words",),
        truncated=False,
        attempts=(),
        timings=Timings(plan_s=0, queue_s=0, generate_s=0, gate_s=0, encode_s=0),
        loudness_dbfs=-20.0,
        making=Making(),
        scores=(("cer", 0.123456),),
        id="0" * 32,
    )


def record(data: bytes | None = None, *, now: datetime = NOW) -> Record:
    note = note_of(data or file_of())
    return record_of(note, sources=["sample:s1"], consents=["s1:c1"], turn_id="t1", now=now)


def remuxed(data: bytes, container: str) -> bytes:
    """The same packets in another file, as a messenger or a converter would write them."""
    target = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(target, "w", format=container) as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return target.getvalue()


@pytest.fixture
def records(tmp_path: Path) -> RecordFile:
    return RecordFile(tmp_path / "data" / "provenance.jsonl")


# -- marks in the file ------------------------------------------------------------------------------------------------


def test_a_tagged_note_keeps_every_rule_of_a_note_and_its_neutral_vendor() -> None:
    facts = validate_voice_note(file_of(), max_bytes=512_000)

    assert facts.vendor == validate_voice_note(file_of(tags={}), max_bytes=512_000).vendor
    assert not facts.vendor.startswith("Lavf")


def test_tags_can_be_read_back() -> None:
    with av.open(io.BytesIO(file_of())) as container:
        assert container.streams.audio[0].metadata == TAGS


def test_tags_cost_less_than_a_hundred_bytes_and_change_no_sound() -> None:
    assert len(file_of()) - len(file_of(tags={})) < 100
    assert coded_audio_sha256(file_of()) == coded_audio_sha256(file_of(tags={}))


# -- the sound's name -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["ogg", "matroska", "webm", "mp4"])
def test_the_sound_keeps_its_name_in_another_container(container: str) -> None:
    data = file_of()
    other = remuxed(data, container)

    assert other != data
    assert coded_audio_sha256(other) == coded_audio_sha256(data)


def test_another_sound_has_another_name() -> None:
    assert coded_audio_sha256(file_of("a")) != coded_audio_sha256(file_of("b"))


@pytest.mark.parametrize("data", [b"", b"no audio at all", file_of()[:60]])
def test_what_is_no_audio_has_no_name(data: bytes) -> None:
    with pytest.raises(BadAudio):
        coded_audio_sha256(data)


# -- records and signatures -------------------------------------------------------------------------------------------


def test_a_record_tells_the_note_and_none_of_its_words() -> None:
    data = file_of()
    made = record(data)

    assert (made.voice_id, made.voice_version, made.engine, made.turn_id) == ("nina", 3, "fake", "t1")
    assert made.file_sha256 == hashlib.sha256(data).hexdigest()
    assert made.made_at == "2030-01-02T03:04:05+00:00"
    assert made.scores == (("cer", 0.1235),)
    assert "secret" not in repr(made)


def test_what_was_signed_is_found_valid_and_what_was_changed_is_not() -> None:
    keys = SigningKeys([OLD])
    signed = keys.sign(record())

    assert keys.verify(signed)
    assert not keys.verify(replace(signed, record=replace(signed.record, voice_id="theo")))
    assert not keys.verify(replace(signed, signature=base64.b64encode(bytes(64)).decode()))
    assert not keys.verify(replace(signed, signature="?"))


def test_a_strangers_signature_is_not_ours() -> None:
    assert not SigningKeys([OLD]).verify(SigningKeys([NEW]).sign(record()))


def test_while_keys_rotate_the_new_one_signs_and_both_verify() -> None:
    rotating = SigningKeys([NEW, OLD])

    assert rotating.verify(SigningKeys([OLD]).sign(record()))
    assert rotating.sign(record()).key_id == SigningKeys([NEW]).key_id


def test_a_signed_record_survives_being_written_down() -> None:
    signed = SigningKeys([OLD]).sign(record())

    assert load_signed(dump_signed(signed)) == signed
    assert load_signed(b"{}") is None


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = signing_keys((), tmp_path)

    assert signing_keys((), tmp_path).key_id == first.key_id
    assert stat.S_IMODE((tmp_path / "provenance.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["provenance.key"]


def test_a_key_that_others_may_read_is_refused_with_the_cure(tmp_path: Path) -> None:
    signing_keys((), tmp_path)
    (tmp_path / "provenance.key").chmod(0o644)

    with pytest.raises(BadKey, match="chmod 600"):
        signing_keys((), tmp_path)


def test_a_configured_key_goes_before_the_file(tmp_path: Path) -> None:
    keys = signing_keys((base64.b64encode(OLD).decode(),), tmp_path)

    assert keys.key_id == SigningKeys([OLD]).key_id
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(b"31 bytes are not enough for a key").decode()])
def test_a_wrong_key_says_how_to_make_one(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadKey, match="openssl rand -base64 32"):
        signing_keys((text,), tmp_path)


# -- records in a file ------------------------------------------------------------------------------------------------


async def kept(records: RecordFile, data: bytes, *, now: datetime = NOW) -> SignedRecord:
    signed = SigningKeys([OLD]).sign(record(data, now=now))
    await records.put(signed)
    return signed


async def test_a_file_is_found_byte_for_byte_first(records: RecordFile) -> None:
    data = file_of()
    await kept(records, remuxed(data, "ogg"))
    signed = await kept(records, data)

    found = await find_record(data, [records])

    assert found is not None
    assert (found.signed, found.match) == (signed, Match.FILE)


async def test_a_file_that_was_written_anew_is_found_by_its_sound(records: RecordFile) -> None:
    signed = await kept(records, file_of())

    found = await find_record(remuxed(file_of(), "webm"), [records])

    assert found is not None
    assert (found.signed, found.match) == (signed, Match.SOUND)


@pytest.mark.parametrize("make", [lambda: file_of("another"), lambda: b"not even audio"])
async def test_a_strangers_file_is_not_found(records: RecordFile, make: Callable[[], bytes]) -> None:
    await kept(records, file_of())

    assert await find_record(make(), [records]) is None


async def test_nothing_is_found_where_nothing_was_made(records: RecordFile) -> None:
    assert await find_record(file_of(), [records]) is None


async def test_records_past_their_time_are_dropped(records: RecordFile) -> None:
    await kept(records, file_of("old"), now=datetime(2020, 1, 1, tzinfo=UTC))
    await kept(records, file_of("new"))

    assert records.forget(before=datetime(2029, 1, 1, tzinfo=UTC)) == 1
    assert await find_record(file_of("old"), [records]) is None
    assert await find_record(file_of("new"), [records]) is not None


async def test_the_file_is_its_owners_alone_and_a_torn_line_costs_no_other(records: RecordFile) -> None:
    await kept(records, file_of())
    with records._path.open("ab") as file:
        file.write(b'{"record": {"id"\n')

    assert stat.S_IMODE(records._path.stat().st_mode) == 0o600
    assert await find_record(file_of(), [records]) is not None
    assert json.loads(records._path.read_bytes().splitlines()[0])["record"]["voice_id"] == "nina"

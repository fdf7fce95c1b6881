from __future__ import annotations

from datetime import UTC, datetime

import pytest
import yaml

from bot.persona import BadPersona, dump_persona, parse_persona, shipped_personas
from bot.voice import BadVoiceFile, dump_sample, dump_voice, parse_sample, parse_samples, parse_voice
from tts.blobs import blob_id_of
from tts.contract import SourceKind, Voice, VoiceSource
from tts.voices.consent import Consent
from tts.voices.samples import SampleReport, SampleWarning, StoredSample

AUDIO = b"fLaC and so on"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SAMPLE = StoredSample(
    id=blob_id_of(AUDIO),
    kind=SourceKind.SAMPLE,
    language="pt-BR",
    added_at=NOW,
    transcript="oi",
    consent=Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW, expires_at=NOW),
    report=SampleReport(
        container="wav", codec="pcm_s16le", channels=2, sample_rate_hz=8_000, file_s=5.0, speech_s=4.0,
        level_dbfs=-20.0, noise_dbfs=-60.0, clipped=0.0, warnings=(SampleWarning.NARROWBAND,),
    ),
)  # fmt: skip
VOICE = Voice(
    id="ana",
    language="pt-BR",
    prompt="voz quente",
    sources=(VoiceSource(kind=SourceKind.SAMPLE, ref=SAMPLE.id, weight=0.7),),
    stand_in=(VoiceSource(kind=SourceKind.STYLE, ref="jf_alpha"),),
    speed=1.1,
    engines=("qwen3", "kokoro"),
    seed=7,
    version=3,
)
NINA = shipped_personas()[0]


def test_a_voices_file_is_read_as_the_same_voice() -> None:
    assert parse_voice(dump_voice(VOICE)) == VOICE


def test_a_samples_record_is_read_as_the_same_record() -> None:
    assert parse_sample(dump_sample(SAMPLE)) == SAMPLE


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"id": "../ana"}, "id"),
        ({"language": "Portuguese"}, "language"),
        ({"sources": [{"kind": "sample", "ref": "a", "weight": -1}]}, "sources.0.weight"),
        ({"sources": [{"kind": "sample", "ref": "a", "weight": 0}]}, "sources"),
        ({"colour": "red"}, "colour"),
        ({"speed": 9}, "speed"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, object], path: str) -> None:
    with pytest.raises(BadVoiceFile) as caught:
        parse_voice(yaml.safe_dump(yaml.safe_load(dump_voice(VOICE)) | fields))
    assert path in dict(caught.value.problems)


@pytest.mark.parametrize("document", ["id: [", "- a", b"\xff\xfe\x00"])
def test_what_is_no_mapping_is_no_voice(document: str | bytes) -> None:
    with pytest.raises(BadVoiceFile):
        parse_voice(document)


def test_a_consent_without_time_zone_is_refused() -> None:
    with pytest.raises(BadVoiceFile, match="zone"):
        parse_sample(dump_sample(SAMPLE).replace(b"2026-03-01T00:00:00Z", b"2026-03-01T00:00:00"))


@pytest.mark.parametrize(
    "document",
    [
        "id: 2026-13-45",
        "[" * 20_000,
        "id: &a [1, 2]\nprompt: *a",
        b"\xff\xfe\xfd",
        "id: 'not closed",
        "- a\n" * 70_000,
        "!!python/object/apply:os.system [ls]",
    ],
)
def test_a_document_that_is_hard_to_read_is_refused_and_raises_nothing_else(document: str | bytes) -> None:
    with pytest.raises(BadVoiceFile, match="document: "):
        parse_voice(document)
    with pytest.raises(BadVoiceFile, match="document: "):
        parse_samples(document)


# -- personas that name a stored voice ----------------------------------------------------------------------------


def with_voice(value: object) -> str:
    return yaml.safe_dump(yaml.safe_load(dump_persona(NINA)) | {"voice": value})


@pytest.mark.parametrize("value", ["ana", {"id": "ana"}])
def test_a_persona_may_name_a_stored_voice(value: object) -> None:
    persona = parse_persona(with_voice(value))

    assert persona.voice_id == "ana"
    assert parse_persona(dump_persona(persona)) == persona


def test_a_voice_written_out_is_no_stored_one() -> None:
    assert parse_persona(dump_persona(NINA)).voice_id == ""


@pytest.mark.parametrize(
    ("value", "path"),
    [("Not an id", "voice.id"), ({"id": "ana", "speed": 1.2}, "voice.speed"), ({"speed": 9}, "voice.speed")],
)
def test_a_voice_that_is_neither_is_refused_with_the_field(value: object, path: str) -> None:
    with pytest.raises(BadPersona) as caught:
        parse_persona(with_voice(value))
    assert path in dict(caught.value.problems)

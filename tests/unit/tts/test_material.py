from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tts.contract import SourceKind, VoiceSource
from tts.errors import BlobLocked
from tts.material import MemoryMaterial, material_refusal
from tts.voices.consent import Consent
from tts.voices.samples import StoredSample

NOW = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN = Consent(speaker="Ana", by="Ana", statement="yes", given_at=NOW)
WITHDRAWN = replace(GIVEN, withdrawn_at=NOW)


def holding(kind: SourceKind | None, consent: Consent | None = None) -> MemoryMaterial:
    material = MemoryMaterial()
    if kind is not None:
        material.samples["s1"] = StoredSample(id="s1", kind=kind, language="en", added_at=NOW, consent=consent)
    return material


def named(kind: SourceKind, weight: float = 1.0) -> tuple[VoiceSource, ...]:
    return (VoiceSource(kind=SourceKind.STYLE, ref="low"), VoiceSource(kind=kind, ref="s1", weight=weight))


SAMPLE, DESIGNED = SourceKind.SAMPLE, SourceKind.DESIGNED


@pytest.mark.parametrize(
    ("sources", "material", "why"),
    [
        (named(SAMPLE), holding(SAMPLE, GIVEN), ""),
        (named(SAMPLE), holding(SAMPLE, WITHDRAWN), "sample s1: the consent was withdrawn"),
        (named(SAMPLE), holding(SAMPLE), "sample s1: nobody's consent is recorded"),
        (named(SAMPLE), holding(None), "sample s1 is not here, nor anybody's consent to it"),
        (named(SAMPLE, 0.0), holding(SAMPLE, WITHDRAWN), ""),
        (named(DESIGNED), holding(DESIGNED), ""),
        (named(DESIGNED), holding(SAMPLE, WITHDRAWN), "sample s1: the consent was withdrawn"),
        (named(DESIGNED), holding(None), "sample s1 is not here, nor anybody's consent to it"),
    ],
)
async def test_a_voice_may_be_used_when_every_recording_with_weight_may(
    sources: tuple[VoiceSource, ...], material: MemoryMaterial, why: str
) -> None:
    assert await material_refusal(material, sources, NOW) == why


@pytest.mark.parametrize("kind", [SAMPLE, DESIGNED])
async def test_only_a_designed_clip_may_be_gone_and_only_where_that_is_said(kind: SourceKind) -> None:
    refused = await material_refusal(holding(None), named(kind), NOW, clips_may_be_gone=True)

    assert bool(refused) == (kind is SAMPLE)


async def test_what_no_key_opens_is_refused_with_the_reason() -> None:
    class Locked(MemoryMaterial):
        async def find(self, sample_id: str) -> StoredSample | None:
            raise BlobLocked(f"{sample_id}: SAMPLES_KEY")

    assert await material_refusal(Locked(), named(SAMPLE), NOW) == "sample s1: s1: SAMPLES_KEY"

"""The recordings that voices are made of, and whether they may be used now. Must not know where they are kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from tts.contract import SourceKind, VoiceSource
from tts.errors import BlobLocked
from tts.voices.consent import consent_refusal
from tts.voices.design import DesignedClip
from tts.voices.designed import stored_clip
from tts.voices.samples import StoredSample

RECORDED = frozenset({SourceKind.SAMPLE, SourceKind.DESIGNED})


class Material(Protocol):
    """The recordings that voices are made of."""

    async def find(self, sample_id: str) -> StoredSample | None:
        """What is known of a recording; None when it is not here. Never older than a second. Raises BlobLocked."""
        ...

    async def audio(self, sample_id: str) -> bytes:
        """Its prepared audio as a file; KeyError when it is gone."""
        ...


class MemoryMaterial:
    """Recordings in dicts, for tests and for programs without a store; empty unless filled."""

    def __init__(self) -> None:
        self.samples: dict[str, StoredSample] = {}
        self.files: dict[str, bytes] = {}

    async def find(self, sample_id: str) -> StoredSample | None:
        """What was put into `samples`."""
        return self.samples.get(sample_id)

    async def audio(self, sample_id: str) -> bytes:
        """What was put into `files`, or KeyError."""
        return self.files[sample_id]

    def add_clip(self, clip: DesignedClip, *, language: str) -> VoiceSource:
        """Keep a designed clip; the source that names it."""
        sample, data = stored_clip(clip, language=language, added_at=datetime.now(UTC))
        self.samples[sample.id], self.files[sample.id] = sample, data
        return VoiceSource(kind=SourceKind.DESIGNED, ref=sample.id)


def sample_refusal(sample: StoredSample, now: datetime) -> str:
    """Why a recording may not be used now, in words; empty when it may.

    The record decides what it is: calling a person's recording "designed" frees nobody from asking.
    """
    return "" if sample.kind is SourceKind.DESIGNED else consent_refusal(sample.consent, now)


async def material_refusal(
    material: Material, sources: Iterable[VoiceSource], now: datetime, *, clips_may_be_gone: bool = False
) -> str:
    """Why a voice of these sources may not be used now, in words; empty when it may.

    Sources without weight do not count. A recording without a record is nobody's to use; with `clips_may_be_gone`, a
    designed clip may lack its record: it was replaced, and the note made of it is nobody's voice still.
    """
    for source in sources:
        if source.kind not in RECORDED or source.weight <= 0:
            continue
        try:
            sample = await material.find(source.ref)
        except BlobLocked as error:
            return f"sample {source.ref[:12]}: {error}"
        if sample is None and clips_may_be_gone and source.kind is SourceKind.DESIGNED:
            continue
        if sample is None:
            return f"sample {source.ref[:12]} is not here, nor anybody's consent to it"
        reason = sample_refusal(sample, now)
        if reason:
            return f"sample {source.ref[:12]}: {reason}"
    return ""

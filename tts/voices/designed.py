"""A designed clip as a recording like others, except that it is nobody's: no consent is needed for it."""

from __future__ import annotations

from datetime import datetime

from tts.blobs import blob_id_of
from tts.contract import SourceKind
from tts.voices.design import DesignedClip
from tts.voices.samples import StoredSample, encode_sample, level_reference


def stored_clip(clip: DesignedClip, *, language: str, added_at: datetime) -> tuple[StoredSample, bytes]:
    """The clip's record and its file, levelled as references are. Raises BadSample for one that is too quiet."""
    data = encode_sample(level_reference(clip.audio))
    sample = StoredSample(
        id=blob_id_of(data),
        kind=SourceKind.DESIGNED,
        language=language,
        added_at=added_at,
        transcript=clip.transcript,
    )
    return sample, data

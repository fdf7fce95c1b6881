"""Makes one file of a note's accepted segments: trimmed, joined, levelled, marked, encoded. Must not know engines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tts.audio.loudness import level_speech, speech_level_db
from tts.audio.opus import AudioFormat, OpusChoices, encode_file
from tts.audio.pcm import fade_edges, join, trim_edges
from tts.audio.peaks import peaks
from tts.audio.voice_note import validate_voice_note
from tts.contract import PcmAudio
from tts.watermark import PerthWatermark


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The file, and the sound in it."""

    data: bytes = field(repr=False)
    audio: PcmAudio
    peaks: tuple[int, ...]
    loudness_dbfs: float
    took_s: float


def finish(
    segments: Sequence[PcmAudio],
    pauses_ms: Sequence[int],
    audio_format: AudioFormat,
    opus: OpusChoices,
    *,
    tags: Mapping[str, str],
    watermark: PerthWatermark | None = None,
) -> Finished:
    """The note; a voice note is read back. Blocks for about a hundredth of its length.

    Raises BadAudio when it cannot be made small enough to be one.
    """
    started_s = time.perf_counter()
    audio = level_speech(join([fade_edges(trim_edges(segment)) for segment in segments], pauses_ms))
    if watermark is not None:
        audio = watermark.apply(audio)
    data = encode_file(audio, audio_format, opus, tags=tags)
    if audio_format is AudioFormat.OGG:
        validate_voice_note(data, max_bytes=opus.max_bytes)
    return Finished(
        data=data,
        audio=audio,
        peaks=peaks(audio),
        loudness_dbfs=speech_level_db(audio),
        took_s=time.perf_counter() - started_s,
    )

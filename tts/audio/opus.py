"""Writes finished audio as files, first of all as an Ogg/Opus voice note. Must not know engines or channels.

The choices for phones: mono, 16 kHz in, 60 ms packets, a neutral vendor tag (FFmpeg's bit-exact mode), and a bit rate
that falls for long notes, because above 512 KB WhatsApp shows a download icon instead of a play button.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

import av
import numpy as np
import soundfile

from tts.audio.pcm import resample
from tts.contract import VOICE_NOTE_MIME, PcmAudio
from tts.errors import BadAudio


class AudioFormat(StrEnum):
    """Containers a note can leave in."""

    OGG = "ogg"
    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"

    @property
    def mime(self) -> str:
        """The MIME type to send it with."""
        match self:
            case AudioFormat.OGG:
                return VOICE_NOTE_MIME
            case AudioFormat.WAV:
                return "audio/wav"
            case AudioFormat.FLAC:
                return "audio/flac"
            case AudioFormat.MP3:
                return "audio/mpeg"
            case _:
                assert_never(self)


class OpusApplication(StrEnum):
    """What the encoder favours: fidelity (audio) or intelligibility (voip)."""

    AUDIO = "audio"
    VOIP = "voip"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpusChoices:
    """How notes are encoded."""

    bitrate_bps: int = 24_000
    frame_ms: int = 60
    sample_rate_hz: int = 16_000
    application: OpusApplication = OpusApplication.AUDIO
    max_bytes: int = 512_000


_FALLING_BPS = (24_000, 20_000, 16_000, 12_000, 8_000)


Tags = Mapping[str, str]
_NO_TAGS: Tags = {}


def encode_voice_note(audio: PcmAudio, choices: OpusChoices, *, tags: Tags = _NO_TAGS) -> bytes:
    """One Ogg/Opus mono stream of at most `max_bytes`, at the highest bit rate that fits.

    `tags` become Vorbis comments (RFC 7845, section 5.2). Raises BadAudio when even the lowest rate does not fit: the
    note is too long to be one.
    """
    audio = resample(audio, choices.sample_rate_hz)
    rates = (choices.bitrate_bps, *(rate for rate in _FALLING_BPS if rate < choices.bitrate_bps))
    for rate in rates:
        if rate is not rates[-1] and audio.duration_s * rate / 8 > choices.max_bytes:
            continue
        data = encode_opus([audio], choices, bitrate_bps=rate, tags=tags)
        if len(data) <= choices.max_bytes:
            return data
    raise BadAudio(f"{audio.duration_s:.0f} s do not fit into {choices.max_bytes} bytes at {rates[-1]} bit/s")


def encode_opus(
    segments: Iterable[PcmAudio], choices: OpusChoices, *, bitrate_bps: int, tags: Tags = _NO_TAGS
) -> bytes:
    """One Ogg/Opus mono stream of all segments through one encoder, so that the header's duration is right.

    Segments may be lazy; each is encoded as it comes and must have the rate of `choices`.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        container.metadata.update(tags)
        stream = container.add_stream("libopus", rate=choices.sample_rate_hz, layout="mono")
        stream.bit_rate = bitrate_bps
        stream.options = {"application": choices.application.value, "frame_duration": str(choices.frame_ms)}
        position = 0
        for segment in segments:
            frame = av.AudioFrame.from_ndarray(segment.samples.reshape(1, -1), format="flt", layout="mono")
            frame.sample_rate = segment.sample_rate_hz
            # Without times of their own the stream's stated length grows by the encoder's delay.
            frame.pts, frame.time_base = position, Fraction(1, segment.sample_rate_hz)
            position += len(segment.samples)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def encode_file(audio: PcmAudio, audio_format: AudioFormat, choices: OpusChoices, *, tags: Tags = _NO_TAGS) -> bytes:
    """The audio in the asked container: a voice note by its rules, the others at the audio's own rate and untagged."""
    if audio_format is AudioFormat.OGG:
        return encode_voice_note(audio, choices, tags=tags)
    file = io.BytesIO()
    subtype = "MPEG_LAYER_III" if audio_format is AudioFormat.MP3 else "PCM_16"
    samples = np.clip(audio.samples, -1.0, 1.0)
    soundfile.write(file, samples, audio.sample_rate_hz, format=audio_format.value.upper(), subtype=subtype)
    return file.getvalue()

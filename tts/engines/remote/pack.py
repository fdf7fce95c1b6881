"""The remote engine's profile of a voice: its sources as they will be sent, in one piece. Knows no server.

It is JSON, not safetensors: it holds recordings and words rather than tensors, and the base install reads it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import soundfile as sf
from pydantic import BaseModel, ConfigDict, ValidationError

from tts.contract import PcmAudio, PreparedSource, SourceKind, VoiceSource
from tts.engines.remote.wire import ProfileBody, SourceBody
from tts.errors import StaleProfile
from tts.voices.mix import normalised

LONGEST_REFERENCE_S = 30.0  # each second of a reference costs 12.5 positions in every request's prefill
RECORDED = frozenset({SourceKind.SAMPLE, SourceKind.DESIGNED})


class Pack(BaseModel):
    """A voice's sources with weight, and what a Recado server made of them when it was asked."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    sources: tuple[SourceBody, ...] = ()
    profile: ProfileBody | None = None

    def encoded(self) -> bytes:
        """The bytes a `VoiceProfile` carries."""
        return self.model_dump_json(exclude_none=True).encode()


def pack(sources: Sequence[PreparedSource]) -> Pack:
    """The sources that have weight, weights normalised, recordings as WAV files of at most 30 s.

    Raises BadVoice for weights that cannot be, and for a recording that is not there.
    """
    if not sources:
        return Pack()
    weights = [weight for _, weight in normalised([item.source for item in sources])]
    heard = [item for item in sources if item.source.weight > 0]
    return Pack(sources=tuple(_body(item, weight) for item, weight in zip(heard, weights, strict=True)))


def pack_names(sources: Sequence[VoiceSource]) -> Pack:
    """A pack of names alone. Raises BadVoice when a recording is among them: those come by a profile only."""
    return pack([PreparedSource(source=source) for source in sources])


def unpack(data: bytes) -> Pack:
    """The pack in a profile's bytes. Raises BadVoice when they are none."""
    try:
        return Pack.model_validate_json(data)
    except ValidationError as error:
        raise StaleProfile("the voice's profile was not made by the remote engine: cast the voice again") from error


def wav_bytes(audio: PcmAudio) -> bytes:
    """A 16-bit mono WAV file."""
    file = io.BytesIO()
    sf.write(file, audio.samples, audio.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _body(item: PreparedSource, weight: float) -> SourceBody:
    source = item.source
    if source.kind not in RECORDED:
        return SourceBody(kind=source.kind, ref=source.ref, weight=weight)
    if item.audio is None:
        raise StaleProfile(f"the voice's {source.kind} comes without its recording: cast the voice again")
    audio, transcript = item.audio, item.transcript
    if audio.duration_s > LONGEST_REFERENCE_S:
        # What is cut off is still in the transcript, and a transcript that says more than the audio derails the model.
        samples = audio.samples[: round(LONGEST_REFERENCE_S * audio.sample_rate_hz)]
        audio, transcript = PcmAudio(samples=samples, sample_rate_hz=audio.sample_rate_hz), None
    return SourceBody(
        kind=source.kind, ref=source.ref, weight=weight, audio=wav_bytes(audio), transcript=transcript or None
    )

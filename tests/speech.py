"""Speech for samples, made by espeak: as clear as any to a speech detector, and made in milliseconds."""

from __future__ import annotations

import functools
import io

import av
import numpy as np
import soundfile

from tts.audio.pcm import resample
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.espeak import EspeakEngine

SENTENCES = (
    "O seu pedido já saiu de casa e deve chegar amanhã.",
    "Se precisar de algo mais, é só me chamar por aqui.",
    "A loja abre às nove e fecha às seis da tarde.",
)

_MUXERS = {
    "wav": ("wav", "pcm_s16le"), "flac": ("flac", "flac"), "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"), "m4a": ("ipod", "aac"), "amr": ("amr", "libopencore_amrnb"),
}  # fmt: skip


def speech(count: int = 2, *, pause_s: float = 0.6, lead_s: float = 0.3, rate_hz: int = 24_000) -> PcmAudio:
    """Sentences of about 3 s, `pause_s` apart, with `lead_s` of silence before and behind."""
    takes = [resample(take, rate_hz).samples for take in _takes()]
    lead = np.zeros(round(lead_s * rate_hz), np.float32)
    pause = np.zeros(round(pause_s * rate_hz), np.float32)
    parts = [lead]
    for index in range(count):
        parts += [takes[index % len(takes)], pause]
    parts[-1] = lead
    return PcmAudio(samples=np.concatenate(parts), sample_rate_hz=rate_hz)


@functools.cache
def _takes() -> tuple[PcmAudio, ...]:
    engine = EspeakEngine()
    engine.load()
    style = VoiceSource(kind=SourceKind.STYLE, ref=next(iter(engine.info.names), "any"))
    voice = Voice(id="v", language="pt-BR", stand_in=(style,))
    batch = [Utterance(text=text, language="pt-BR", voice=voice, expected_s=3.0) for text in SENTENCES]
    takes = tuple(result for result in engine.synthesize(batch) if isinstance(result, PcmAudio))
    engine.close()
    assert len(takes) == len(SENTENCES)
    return takes


def wav(audio: PcmAudio, *, channels: int = 1) -> bytes:
    """The audio as a WAV file, the same in every channel."""
    file = io.BytesIO()
    samples = np.repeat(audio.samples[:, None], channels, axis=1)
    soundfile.write(file, np.clip(samples, -1, 1), audio.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def container_of(audio: PcmAudio, name: str) -> bytes:
    """The audio in one of the containers people send."""
    muxer, codec = _MUXERS[name]
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=audio.sample_rate_hz, layout="mono")
        if name == "amr":
            stream.bit_rate = 12_200
        frame = av.AudioFrame.from_ndarray(
            (np.clip(audio.samples, -1, 1) * 32_767).astype(np.int16).reshape(1, -1), format="s16", layout="mono"
        )
        frame.sample_rate = audio.sample_rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()

"""Listens to audio files: is this a voice note, how long, what shape; and makes voice notes of recordings.

Everything here blocks and belongs in a worker thread. It knows no HTTP and no messages.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from webhooks.emulator.errors import BadRecording
from webhooks.emulator.world import AudioFacts

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

PEAKS = 56
VOICE_RATE_HZ = 16_000
VOICE_BIT_RATE = 32_000
FRAME_S = 0.02
# FFmpeg also reads play lists, which name other files: only plain recordings are let in.
FORMATS = "ogg,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,wav,mp3,flac,aac,amr"


def inspect(data: bytes) -> AudioFacts:
    """Decode a whole file and say what it is; `problem` is None only for Ogg/Opus mono that decodes to the end.

    Source of the rule: Meta's page on audio messages (voice: OGG container, OPUS codec, mono).
    """
    import av  # noqa: PLC0415 - FFmpeg is heavy: loaded when the first file arrives

    try:
        with _open(data) as container:
            stream = container.streams.audio[0]
            codec = stream.codec_context
            name, channels, rate_hz = codec.codec.canonical_name, codec.channels, codec.sample_rate
            loudest = [float(np.abs(_samples(frame)).max(initial=0.0)) for frame in _frames(container)]
            container_name = container.format.name
    except (av.FFmpegError, IndexError, ValueError) as error:
        problem = f"cannot be decoded: {error}"
        return AudioFacts(
            container="?", codec="?", channels=0, sample_rate_hz=0, duration_s=0.0, peaks=(), problem=problem
        )
    return AudioFacts(
        container=container_name,
        codec=name,
        channels=channels,
        sample_rate_hz=rate_hz,
        duration_s=round(len(loudest) * FRAME_S, 2),
        peaks=_peaks(loudest),
        problem=_problem(container_name, name, channels, len(loudest)),
    )


def to_voice_note(data: bytes) -> bytes:
    """Any recording (WebM, MP4, WAV, MP3, Ogg …) as the Ogg/Opus mono file that a phone would send.

    Raises BadRecording when there is no sound in it.
    """
    import av  # noqa: PLC0415 - as above

    sink = io.BytesIO()
    try:
        with _open(data) as source, av.open(sink, "w", format="ogg") as target:
            stream = target.add_stream("libopus", rate=VOICE_RATE_HZ, layout="mono")
            stream.bit_rate = VOICE_BIT_RATE
            frames = 0
            for frame in _frames(source):
                target.mux(stream.encode(frame))
                frames += 1
            if not frames:
                raise BadRecording("the recording is empty")
            target.mux(stream.encode(None))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise BadRecording(f"this is no recording that can be read: {error}") from error
    return sink.getvalue()


def _open(data: bytes) -> Any:
    import av  # noqa: PLC0415 - as above

    return av.open(io.BytesIO(data), options={"format_whitelist": FORMATS})


def _frames(container: Any) -> Iterator[AudioFrame]:
    """20 ms frames of mono s16 at 16 kHz."""
    from av.audio.resampler import AudioResampler  # noqa: PLC0415 - as above

    resampler = AudioResampler("s16", "mono", VOICE_RATE_HZ, frame_size=int(VOICE_RATE_HZ * FRAME_S))
    for frame in container.decode(audio=0):
        yield from resampler.resample(frame)
    yield from resampler.resample(None)


def _samples(frame: AudioFrame) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return frame.to_ndarray().astype(np.float32) / 32768.0


def _peaks(loudest: list[float]) -> tuple[float, ...]:
    """`PEAKS` bars, the tallest 1; empty for silence-less files of no length."""
    if not loudest:
        return ()
    bars = [float(part.max()) for part in np.array_split(np.asarray(loudest), min(PEAKS, len(loudest)))]
    top = max(bars) or 1.0
    return tuple(round(bar / top, 3) for bar in bars)


def _problem(container: str, codec: str, channels: int, frames: int) -> str | None:
    if container != "ogg":
        return f"the container is {container}, not ogg"
    if codec != "opus":
        return f"the codec is {codec}, not opus"
    if channels != 1:
        return f"{channels} channels, not mono"
    return None if frames else "there is no sound in it"

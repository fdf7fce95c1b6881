"""Turns any common audio file into PCM, within limits. Must not know what the audio is for.

The container is told by its first bytes and named to the demuxer: playlists and other formats that make FFmpeg open
further files or addresses never reach it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import av.error
import numpy as np
from av.audio.resampler import AudioResampler

from tts.contract import PcmAudio
from tts.errors import AudioTooLong, BadAudio


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What a file may cost: bytes as they come, seconds and samples a second as they unfold."""

    max_bytes: int = 16_000_000
    max_duration_s: float = 600.0
    max_sample_rate_hz: int = 192_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Mono audio at the file's own rate, and what the file was."""

    audio: PcmAudio
    container: str
    codec: str
    channels: int


def sniff_container(data: bytes) -> str | None:
    """FFmpeg's name of the container these bytes begin, or None when it is none that is read here."""
    for offset, magic, name in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    if len(data) > 1 and data[0] == 0xFF:
        if data[1] & 0xF6 == 0xF0:  # ADTS: 12 sync bits, layer 00
            return "aac"
        if data[1] & 0xE0 == 0xE0 and data[1] & 0x06:  # MPEG audio: 11 sync bits, a layer
            return "mp3"
    return None


def decode(data: bytes, *, limits: DecodeLimits | None = None) -> Decoded:
    """All of the file's first audio stream as mono PCM at its own rate; damaged packets are left out.

    Raises BadAudio for what is too large, too long, no known audio, or holds no sound that can be decoded.
    """
    limits = limits or DecodeLimits()
    if not data:
        raise BadAudio("the file is empty")
    if len(data) > limits.max_bytes:
        raise AudioTooLong(f"the file has {len(data)} bytes; at most {limits.max_bytes} are read")
    name = sniff_container(data)
    if name is None:
        raise BadAudio("not an audio file that is read here (WAV, MP3, FLAC, OGG, M4A, AAC, AMR, 3GP, WEBM, WMA, AIFF)")
    try:
        with av.open(io.BytesIO(data), mode="r", format=name, metadata_errors="ignore") as container:
            return _first_stream(container, name, limits)
    except (av.error.FFmpegError, ValueError) as error:
        raise BadAudio(f"the {name} file cannot be read: it is damaged or cut short") from error


def _first_stream(container: av.container.InputContainer, name: str, limits: DecodeLimits) -> Decoded:
    if not container.streams.audio:
        raise BadAudio("the file holds no audio stream")
    stream = container.streams.audio[0]
    codec = stream.codec_context
    channels, rate = codec.channels, codec.sample_rate
    parts: list[np.ndarray] = []
    resampler: AudioResampler | None = None
    seconds = 0.0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            continue
        for frame in frames:
            if resampler is None:
                channels, rate = frame.layout.nb_channels, frame.sample_rate
                if rate > limits.max_sample_rate_hz:
                    raise BadAudio(f"the file has {rate} Hz; at most {limits.max_sample_rate_hz} Hz are read")
                resampler = AudioResampler(format="fltp", layout=frame.layout, rate=rate)
            seconds += frame.samples / frame.sample_rate
            if seconds > limits.max_duration_s:
                raise AudioTooLong(f"the audio is longer than {limits.max_duration_s:g} s")
            parts += [piece.to_ndarray().mean(axis=0) for piece in resampler.resample(frame)]
    if resampler is not None:
        parts += [piece.to_ndarray().mean(axis=0) for piece in resampler.resample(None)]
    if not parts:
        raise BadAudio("the file holds no sound that can be decoded")
    samples = np.nan_to_num(np.clip(np.concatenate(parts), -1.0, 1.0)).astype(np.float32)
    audio = PcmAudio(samples=samples, sample_rate_hz=rate)
    return Decoded(audio=audio, container=name, codec=codec.name, channels=channels)


_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"OggS", "ogg"),
    (0, b"fLaC", "flac"),
    (0, b"ID3", "mp3"),
    (0, b"#!AMR", "amr"),
    (0, b"\x1a\x45\xdf\xa3", "matroska"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (4, b"ftyp", "mov"),
    (8, b"WAVE", "wav"),
    (8, b"AIFF", "aiff"),
    (8, b"AIFC", "aiff"),
    (0, b"caff", "caf"),
)

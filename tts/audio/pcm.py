"""Shapes and joins of PCM audio: resample, trim, fade, join. Must not know files, codecs or engines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from tts.contract import PcmAudio

FLOOR_DB = -100.0
_FRAME_S = 0.01


def level_db(samples: np.ndarray) -> float:
    """The RMS level in dBFS, never below `FLOOR_DB`."""
    if not len(samples):
        return FLOOR_DB
    mean_square = float(np.mean(np.square(samples, dtype=np.float64)))
    return max(FLOOR_DB, 10.0 * float(np.log10(mean_square))) if mean_square > 0 else FLOOR_DB


def frame_levels_db(audio: PcmAudio, *, frame_s: float = _FRAME_S) -> np.ndarray:
    """RMS levels in dBFS of consecutive whole frames, `(frames,)`; a rest shorter than a frame is left out."""
    width = max(1, round(audio.sample_rate_hz * frame_s))
    frames = len(audio.samples) // width
    if not frames:
        return np.full(1, level_db(audio.samples))
    squares = np.square(audio.samples[: frames * width].reshape(frames, width), dtype=np.float64)
    levels: np.ndarray = 10.0 * np.log10(np.maximum(squares.mean(axis=1), 10.0 ** (FLOOR_DB / 10.0)))
    return levels


def resample(audio: PcmAudio, sample_rate_hz: int) -> PcmAudio:
    """The same sound at another rate (soxr, high quality); the same object when nothing is to do."""
    if audio.sample_rate_hz == sample_rate_hz:
        return audio
    samples = soxr.resample(audio.samples, audio.sample_rate_hz, sample_rate_hz, quality="HQ")
    return PcmAudio(samples=np.asarray(samples, dtype=np.float32), sample_rate_hz=sample_rate_hz)


def trim_edges(audio: PcmAudio, *, threshold_db: float = -50.0, keep_ms: int = 120) -> PcmAudio:
    """Without the silence at both ends, except `keep_ms` of it; all-silent audio comes back unchanged.

    Soft first and last sounds live in what is kept: with 40 ms the word error rate was twice that with 120 ms.
    """
    loud = np.flatnonzero(frame_levels_db(audio) > threshold_db)
    if not len(loud):
        return audio
    width = max(1, round(audio.sample_rate_hz * _FRAME_S))
    keep = audio.sample_rate_hz * keep_ms // 1000
    start = max(0, int(loud[0]) * width - keep)
    # The rest behind the last whole frame is within `keep` or silent like the frame before it.
    stop = min(len(audio.samples), (int(loud[-1]) + 1) * width + keep)
    return PcmAudio(samples=audio.samples[start:stop], sample_rate_hz=audio.sample_rate_hz)


def fade_edges(audio: PcmAudio, *, fade_ms: int = 8) -> PcmAudio:
    """With short raised-cosine fades at both ends, so that joins do not click."""
    width = min(audio.sample_rate_hz * fade_ms // 1000, len(audio.samples) // 2)
    if not width:
        return audio
    samples = audio.samples.copy()
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(width) + 0.5) / width)).astype(np.float32)
    samples[:width] *= ramp
    samples[-width:] *= ramp[::-1]
    return PcmAudio(samples=samples, sample_rate_hz=audio.sample_rate_hz)


def join(segments: Sequence[PcmAudio], pauses_ms: Sequence[int]) -> PcmAudio:
    """All segments in order with `pauses_ms[i]` of silence between segment i and the next; the last pause is dropped.

    Segments share one rate and there is at least one: anything else is a programming error (ValueError).
    """
    rates = {segment.sample_rate_hz for segment in segments}
    if len(rates) != 1 or len(pauses_ms) != len(segments):
        raise ValueError(f"{len(segments)} segments of rates {sorted(rates)} and {len(pauses_ms)} pauses cannot join")
    rate = rates.pop()
    parts: list[np.ndarray] = []
    for segment, pause_ms in zip(segments, pauses_ms, strict=True):
        parts += [segment.samples, np.zeros(rate * pause_ms // 1000, np.float32)]
    return PcmAudio(samples=np.concatenate(parts[:-1]), sample_rate_hz=rate)

"""Brings speech to the loudness of a voice note without clipping. Must not know files or engines."""

from __future__ import annotations

import numpy as np
import soxr

from tts.audio.pcm import FLOOR_DB, frame_levels_db
from tts.contract import PcmAudio

TARGET_DB = -20.0
PEAK_DB = -1.5
_GATE_BELOW_LOUDEST_DB = 30.0
_MAX_GAIN_DB = 30.0
_OVERSAMPLING = 4
_BLOCK_S = 0.001
_REACH_BLOCKS = 5


def speech_level_db(audio: PcmAudio) -> float:
    """The RMS level in dBFS of the parts that sound: 50 ms frames within 30 dB of the loudest; pauses do not count."""
    levels = frame_levels_db(audio, frame_s=0.05)
    sounding = levels[levels > max(float(levels.max()) - _GATE_BELOW_LOUDEST_DB, FLOOR_DB)]
    if not len(sounding):
        return FLOOR_DB
    return float(10.0 * np.log10(np.mean(10.0 ** (sounding / 10.0))))


def true_peak_db(audio: PcmAudio) -> float:
    """The highest level in dBFS between the samples too, by four-fold oversampling (ITU-R BS.1770-5, annex 2)."""
    if not len(audio.samples):
        return FLOOR_DB
    peak = float(np.max(_oversampled(audio.samples)))
    return max(FLOOR_DB, 20.0 * float(np.log10(peak))) if peak > 0 else FLOOR_DB


def level_speech(audio: PcmAudio, *, target_db: float = TARGET_DB, peak_db: float = PEAK_DB) -> PcmAudio:
    """At `target_db` speech level with true peaks held at `peak_db` by a look-ahead limiter; silence stays silence."""
    level = speech_level_db(audio)
    if level <= FLOOR_DB:
        return audio
    gain = 10.0 ** (min(target_db - level, _MAX_GAIN_DB) / 20.0)
    return hold_peaks(PcmAudio(samples=audio.samples * np.float32(gain), sample_rate_hz=audio.sample_rate_hz), peak_db)


def hold_peaks(audio: PcmAudio, peak_db: float = PEAK_DB) -> PcmAudio:
    """The audio with true peaks held at `peak_db` by a look-ahead limiter; samples may come in above full scale."""
    samples = audio.samples
    ceiling = 10.0 ** (peak_db / 20.0)
    # Gain moves between the samples too, so a second, tiny pass takes what the first leaves over the ceiling.
    for _ in range(2):
        samples = _limited(samples, ceiling, max(1, round(audio.sample_rate_hz * _BLOCK_S)))
    return PcmAudio(samples=samples, sample_rate_hz=audio.sample_rate_hz)


def _oversampled(samples: np.ndarray) -> np.ndarray:
    """Per input sample the largest absolute value of its four oversampled ones, `(n,)`."""
    dense = np.abs(soxr.resample(samples, 1, _OVERSAMPLING, quality="MQ"))
    dense = np.pad(dense, (0, max(0, len(samples) * _OVERSAMPLING - len(dense))))[: len(samples) * _OVERSAMPLING]
    peaks: np.ndarray = np.maximum(dense.reshape(-1, _OVERSAMPLING).max(axis=1), np.abs(samples))
    return peaks


def _limited(samples: np.ndarray, ceiling: float, block: int) -> np.ndarray:
    """`samples` times a smooth gain that never lets a block pass the ceiling.

    A block's gain is the mean of minima that all look at least as far as the smoothing reaches, so the smoothed gain
    never rises above what any sample in the block needs.
    """
    peaks = _oversampled(samples)
    if float(peaks.max(initial=0.0)) <= ceiling:
        return samples
    blocks = -(-len(samples) // block)
    block_peaks = np.pad(peaks, (0, blocks * block - len(samples))).reshape(blocks, block).max(axis=1)
    needed = ceiling / np.maximum(block_peaks, ceiling)
    reach = 2 * _REACH_BLOCKS + 1
    lowest = np.lib.stride_tricks.sliding_window_view(np.pad(needed, reach // 2, mode="edge"), reach).min(axis=1)
    smooth_width = _REACH_BLOCKS  # one block less than the reach on either side stays for the interpolation
    padded = np.pad(lowest, smooth_width // 2, mode="edge")
    smooth = np.convolve(padded, np.full(smooth_width, 1.0 / smooth_width), mode="valid")
    centres = (np.arange(blocks) + 0.5) * block
    gain = np.interp(np.arange(len(samples)) + 0.5, centres, smooth)
    limited: np.ndarray = (samples * gain).astype(np.float32)
    return limited

"""Judges a take before anybody hears it: length, silence, clipping, a stuck engine. Pure.

Must not know engines; the scores go into the note's record, so a limit can be tuned by what was heard.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tts.audio.loudness import speech_level_db
from tts.audio.pcm import frame_levels_db, trim_edges
from tts.contract import PcmAudio

_CLIPPED = 0.999
_FEATURE_FRAME_S = 0.02
_BANDS = 20
_SHORTEST_LOOP_S = 0.24
_LONGEST_LOOP_S = 2.0
_LOOPED_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What a take must keep to; units are in the names, ratios are against the expected length."""

    min_ratio: float = 0.4
    max_ratio: float = 2.2
    slack_s: float = 0.8
    min_level_dbfs: float = -45.0
    max_gap_s: float = 2.5
    max_clipped: float = 0.005
    max_repetition: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`reasons` is empty for a take that passes; the scores are kept either way."""

    reasons: tuple[str, ...]
    duration_s: float
    level_dbfs: float
    gap_s: float
    clipped: float
    repetition: float

    @property
    def passed(self) -> bool:
        """Whether the take may be heard."""
        return not self.reasons


def judge(audio: PcmAudio, *, expected_s: float, limits: GateLimits) -> Verdict:
    """The verdict on one segment's take. `expected_s` is the length at the voice's own speed."""
    trimmed = trim_edges(audio, keep_ms=40)
    level = speech_level_db(trimmed)
    gap = _longest_gap_s(trimmed, level)
    clipped = float(np.mean(np.abs(audio.samples) >= _CLIPPED)) if len(audio.samples) else 0.0
    repetition = repetition_score(trimmed)
    shortest = expected_s * limits.min_ratio - limits.slack_s
    longest = expected_s * limits.max_ratio + limits.slack_s
    reasons = []
    if not len(audio.samples) or level < limits.min_level_dbfs:
        reasons.append(f"silent: {level:.0f} dBFS")
    if not shortest <= trimmed.duration_s <= longest:
        reasons.append(f"length: {trimmed.duration_s:.1f} s where {expected_s:.1f} s was expected")
    if gap > limits.max_gap_s:
        reasons.append(f"gap: {gap:.1f} s of silence inside")
    if clipped > limits.max_clipped:
        reasons.append(f"clipped: {100 * clipped:.1f} % of the samples")
    if repetition > limits.max_repetition:
        reasons.append(f"repetition: self-similarity {repetition:.3f}")
    return Verdict(
        reasons=tuple(reasons),
        duration_s=trimmed.duration_s,
        level_dbfs=level,
        gap_s=gap,
        clipped=clipped,
        repetition=repetition,
    )


def _longest_gap_s(audio: PcmAudio, speech_db: float) -> float:
    quiet = frame_levels_db(audio) < speech_db - 35.0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return float(runs.max(initial=0)) * 0.01


def repetition_score(audio: PcmAudio) -> float:
    """How much the audio repeats itself with one period: 1.0 for an exact loop, 0.0 when too short to tell.

    Spectral shapes of 20 ms frames are compared with those one lag earlier; the score is the best lag's mean
    similarity over the most similar 3 s. Frames are centred on the take's mean shape, or every voice resembles itself.
    """
    width = round(audio.sample_rate_hz * _FEATURE_FRAME_S)
    frames = len(audio.samples) // width
    window = round(_LOOPED_S / _FEATURE_FRAME_S)
    shortest, longest = round(_SHORTEST_LOOP_S / _FEATURE_FRAME_S), round(_LONGEST_LOOP_S / _FEATURE_FRAME_S)
    if frames < window + shortest:
        return 0.0
    features = _features(audio.samples[: frames * width].reshape(frames, width))
    best = 0.0
    for lag in range(shortest, min(longest, frames - window) + 1):
        similarity = np.einsum("ij,ij->i", features[lag:], features[:-lag])
        sums = np.cumsum(np.concatenate(([0.0], similarity)))
        best = max(best, float((sums[window:] - sums[:-window]).max()) / window)
    return best


def _features(frames: np.ndarray) -> np.ndarray:
    """Unit vectors of centred log band energies, `(frames, bands)`; bands widen with frequency."""
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1)) ** 2
    edges = np.unique(np.geomspace(2, spectrum.shape[1] - 1, _BANDS + 1).astype(int))
    energies = np.log(np.add.reduceat(spectrum, edges[:-1], axis=1) + 1e-6)
    centred = energies - energies.mean(axis=0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: np.ndarray = centred / np.maximum(norms, 1e-6)
    return unit

"""What can be heard without understanding a word: length, silence, clipping, a stuck engine. Must not know engines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from tts.audio.loudness import speech_level_db
from tts.audio.pcm import frame_levels_db, trim_edges
from tts.contract import PcmAudio, Utterance
from tts.gate import Verdict

_CLIPPED = 0.999
_FEATURE_FRAME_S = 0.02
_BANDS = 20
_SHORTEST_LOOP_S = 0.24
_LONGEST_LOOP_S = 2.0
_LOOPED_S = 3.0
_SMOOTHED = 5  # frames
_DRONE_LAG = 10  # frames
_DRONE_DB = 2.5


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
    max_drone_s: float = 1.2


class SignalCheck:
    """Measures every take on a thread of its own; 10 s take about 30 ms."""

    def __init__(self, limits: GateLimits | None = None) -> None:
        self._limits = limits or GateLimits()

    async def judge(self, audio: PcmAudio, utterance: Utterance) -> Verdict:
        """The verdict of `judge_signal` for the utterance's expected length."""
        return await asyncio.to_thread(judge_signal, audio, expected_s=utterance.expected_s, limits=self._limits)


def judge_signal(audio: PcmAudio, *, expected_s: float, limits: GateLimits) -> Verdict:
    """The verdict on one segment's take. `expected_s` is the length at the voice's own speed."""
    trimmed = trim_edges(audio, keep_ms=40)
    level = speech_level_db(trimmed)
    gap = _longest_gap_s(trimmed, level)
    clipped = float(np.mean(np.abs(audio.samples) >= _CLIPPED)) if len(audio.samples) else 0.0
    repetition = repetition_score(trimmed)
    drone = longest_drone_s(trimmed)
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
    if drone > limits.max_drone_s:
        reasons.append(f"drone: {drone:.1f} s of one sound")
    return Verdict(
        reasons=tuple(reasons),
        scores=(
            ("length_off", abs(trimmed.duration_s - expected_s) / max(expected_s, 0.1)),
            ("level_dbfs", level),
            ("gap_s", gap),
            ("clipped", clipped),
            ("repetition", repetition),
            ("drone_s", drone),
        ),
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


def longest_drone_s(audio: PcmAudio) -> float:
    """The longest stretch whose sound does not change: a held vowel, a hum, a hiss. Silence is none.

    A stretch goes on while the spectral shape, smoothed over 0.1 s, stays within `_DRONE_DB` (mean over bands) of what
    it was 0.2 s before; in speech that ends with the syllable.
    """
    width = round(audio.sample_rate_hz * _FEATURE_FRAME_S)
    frames = len(audio.samples) // width
    if frames < 2 * _DRONE_LAG:
        return 0.0
    energies = _band_energies(audio.samples[: frames * width].reshape(frames, width)) * (10.0 / np.log(10.0))
    loud = energies.max(axis=1) > energies.max() - 40.0
    sums = np.cumsum(np.vstack((np.zeros(energies.shape[1]), energies)), axis=0)
    smooth = (sums[_SMOOTHED:] - sums[:-_SMOOTHED]) / _SMOOTHED
    shape = smooth - smooth.mean(axis=1, keepdims=True)
    change = np.abs(shape[_DRONE_LAG:] - shape[:-_DRONE_LAG]).mean(axis=1)
    same = (change < _DRONE_DB) & loud[: len(change)]
    edges = np.flatnonzero(np.diff(np.concatenate(([False], same, [False])).astype(np.int8)))
    longest = int((edges[1::2] - edges[::2]).max(initial=0))
    return (longest + _DRONE_LAG) * _FEATURE_FRAME_S if longest else 0.0


def _band_energies(frames: np.ndarray) -> np.ndarray:
    """Natural logs of band energies, `(frames, bands)`; bands widen with frequency."""
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(frames.shape[1]), axis=1)) ** 2
    edges = np.unique(np.geomspace(2, spectrum.shape[1] - 1, _BANDS + 1).astype(int))
    energies: np.ndarray = np.log(np.add.reduceat(spectrum, edges[:-1], axis=1) + 1e-6)
    return energies


def _features(frames: np.ndarray) -> np.ndarray:
    """Unit vectors of centred log band energies, `(frames, bands)`."""
    energies = _band_energies(frames)
    centred = energies - energies.mean(axis=0)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    unit: np.ndarray = centred / np.maximum(norms, 1e-6)
    return unit

"""Takes audio as engines can use it, cuts it to what a reference may hold, and joins it. Pure but for finding speech.

An engine that continues a reference (ICL) pays for each second of it in every note, and may never stop when the
transcript leaves a word of it out: so whole utterances only, 20 s at most, transcribed after cutting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from tts.audio.pcm import fade_edges, frame_levels_db, resample
from tts.contract import PcmAudio, PreparedSource
from tts.errors import BadAudio, BadVoice
from tts.voices.speech import speech_spans

LONGEST_S = 20.0
GAP_S = 0.25
END_S = 0.5
LEAST_S = 3.0
_SEARCH_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reference:
    """One clip of all samples that fit, heaviest first, and what is said in it."""

    audio: PcmAudio
    transcript: str = field(repr=False)


def usable(source: PreparedSource, *, engine: str, shortest_s: float) -> PcmAudio:
    """The source's audio as one channel, for an engine that needs `shortest_s` of it.

    Several channels are mixed down, whichever side of the array they are. Raises BadVoice where there is none, BadAudio
    for what is no sound or too short.
    """
    ref = source.source.ref
    if source.audio is None:
        raise BadVoice(f"the audio of {ref!r} is missing")
    samples, rate_hz = source.audio.samples, source.audio.sample_rate_hz
    if samples.ndim == 2 and samples.size:
        # The shorter side is the channels.
        samples = samples.mean(axis=int(np.argmin(samples.shape)), dtype=np.float32)
    if samples.ndim > 2 or not np.isfinite(samples).all():
        raise BadAudio(f"the audio of {ref!r} is no sound: {samples.ndim} dimensions, or values that are no numbers")
    samples = np.ascontiguousarray(samples, dtype=np.float32).ravel()
    audio = PcmAudio(samples=samples, sample_rate_hz=rate_hz)
    if audio.duration_s < shortest_s:
        raise BadAudio(f"the audio of {ref!r} is {audio.duration_s:.2f} s long; {engine} needs {shortest_s} s")
    return audio


def shares_s(weights: Sequence[float]) -> tuple[float, ...]:
    """Seconds of the reference for each source by its weight (they sum to 1), never less than 3 s."""
    room_s = LONGEST_S - END_S - GAP_S * (len(weights) - 1)
    return tuple(max(LEAST_S, weight * room_s) for weight in weights)


def cut_to(audio: PcmAudio, most_s: float) -> PcmAudio:
    """The first whole utterances that fit into `most_s`; the same object when all of it does.

    When not even the first utterance fits, it is cut at the quietest moment of the last 2 s that do.
    """
    if audio.duration_s <= most_s:
        return audio
    spans = speech_spans(audio)
    # A cut lies in the middle of the pause behind the last utterance that fits.
    cuts_s = [(left.end_s + right.start_s) / 2 for left, right in pairwise(spans)]
    fitting_s = [cut_s for cut_s in cuts_s if cut_s <= most_s]
    end_s = fitting_s[-1] if fitting_s else _quietest_s(audio, before_s=most_s)
    samples = audio.samples[: round(end_s * audio.sample_rate_hz)]
    return fade_edges(PcmAudio(samples=samples, sample_rate_hz=audio.sample_rate_hz))


def join_reference(sources: Sequence[PreparedSource], *, sample_rate_hz: int) -> Reference | None:
    """The sources with audio and transcript, heaviest first, 0.25 s apart and with 0.5 s behind, 20 s at most.

    None when there is none. A source that no longer fits is left out whole, audio and words.
    """
    chosen: list[tuple[PcmAudio, str]] = []
    total_s = END_S
    for source in sorted(sources, key=lambda item: -item.source.weight):
        if source.audio is None or not source.transcript:
            continue
        longer_s = total_s + source.audio.duration_s + (GAP_S if chosen else 0.0)
        if longer_s <= LONGEST_S:
            chosen.append((resample(source.audio, sample_rate_hz), source.transcript.strip()))
            total_s = longer_s
    if not chosen:
        return None
    gap = np.zeros(round(GAP_S * sample_rate_hz), np.float32)
    parts: list[np.ndarray] = []
    for audio, _ in chosen:
        parts += [audio.samples, gap]
    parts[-1] = np.zeros(round(END_S * sample_rate_hz), np.float32)
    whole = PcmAudio(samples=np.concatenate(parts), sample_rate_hz=sample_rate_hz)
    return Reference(audio=whole, transcript=" ".join(words for _, words in chosen))


def _quietest_s(audio: PcmAudio, *, before_s: float) -> float:
    levels = frame_levels_db(audio, frame_s=0.05)
    first, last = round((before_s - _SEARCH_S) / 0.05), round(before_s / 0.05)
    first = max(0, first)
    return (first + int(np.argmin(levels[first:last])) + 0.5) * 0.05

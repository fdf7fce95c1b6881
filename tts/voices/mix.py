"""The rules of mixing: which sources an engine can use, their weights, the blend. Must not know any engine or file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tts.contract import EngineInfo, SourceKind, Voice, VoiceSource
from tts.errors import BadVoice

NAMED = frozenset({SourceKind.STYLE, SourceKind.TIMBRE})


def normalised(sources: Sequence[VoiceSource]) -> tuple[tuple[VoiceSource, float], ...]:
    """The sources that have weight, with weights that sum to 1.

    Raises BadVoice for a weight that is negative or no number, and when all are zero.
    """
    for source in sources:
        if not math.isfinite(source.weight) or source.weight < 0:
            raise BadVoice(f"the weight of {source.ref!r} is {source.weight}; weights are 0 or more")
    total = sum(source.weight for source in sources)
    if not math.isfinite(total):
        raise BadVoice("the weights of the mix are too large to be added up: only their proportions count")
    if total <= 0:
        raise BadVoice("all weights of the mix are zero: give at least one source a weight above 0")
    return tuple((source, source.weight / total) for source in sources if source.weight > 0)


def blend(weighted: Sequence[tuple[NDArray[np.float32], float]]) -> NDArray[np.float32]:
    """The convex mix of equally shaped vectors; weights sum to 1 (see `normalised`).

    Never extrapolates: outside the hull of the known styles speech breaks.
    """
    mixed = np.zeros_like(weighted[0][0], dtype=np.float64)
    for vector, weight in weighted:
        mixed += weight * vector.astype(np.float64)
    return mixed.astype(np.float32)


def blend_embeddings(weighted: Sequence[tuple[NDArray[np.float32], float]]) -> NDArray[np.float32]:
    """The convex mix, rescaled to the weighted mean of the norms: a plain mean of embeddings shrinks."""
    mixed = blend(weighted)
    norm = float(np.linalg.norm(mixed))
    if norm == 0:
        raise BadVoice("the sources of the mix cancel each other out")
    wanted = sum(weight * float(np.linalg.norm(vector)) for vector, weight in weighted)
    scaled: NDArray[np.float32] = mixed * np.float32(wanted / norm)
    return scaled


def mix_names(sources: Sequence[VoiceSource], vectors: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The convex mix of named vectors. Raises BadVoice for an unknown name, with the valid ones listed."""
    parts = normalised(sources)
    unknown = sorted({source.ref for source, _ in parts} - set(vectors))
    if unknown:
        raise BadVoice(f"unknown style {', '.join(unknown)}; valid: {', '.join(sorted(vectors))}")
    return blend([(vectors[source.ref], weight) for source, weight in parts])


def usable_sources(voice: Voice, info: EngineInfo) -> tuple[VoiceSource, ...] | None:
    """What the engine would speak this voice with; None means that it would be a stranger's.

    The voice's own sources when the engine takes every kind among them, else the stand-in styles. A prompt alone is
    spoken by nobody: a clip is designed of it first, and is a source from then on.
    """
    if voice.sources and _takes_all(voice.sources, info):
        return voice.sources
    if voice.stand_in and _takes_all(voice.stand_in, info):
        return voice.stand_in
    return None


def kinds_needed(voices: Iterable[Voice], info: EngineInfo) -> frozenset[SourceKind]:
    """The kinds of sources the engine would be given to speak these voices.

    Names are not looked at: an engine may learn which it has only by loading.
    """
    nameless = replace(info, names=())
    used = (usable_sources(voice, nameless) or () for voice in voices)
    return frozenset(source.kind for sources in used for source in sources if source.weight > 0)


def stand_in_only(voice: Voice) -> Voice:
    """What may be spoken of a voice whose sources may not: its stand-in. Neither prompt nor recording is left in it.

    Nothing is left of a voice that must resemble.
    """
    return replace(voice, sources=() if voice.must_resemble else voice.stand_in, stand_in=(), prompt="")


def _takes_all(sources: Sequence[VoiceSource], info: EngineInfo) -> bool:
    return all(
        source.kind in info.source_kinds and (source.kind not in NAMED or not info.names or source.ref in info.names)
        for source in sources
        if source.weight > 0
    )

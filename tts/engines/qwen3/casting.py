"""Makes a Qwen3-TTS profile of a voice's sources: one blended speaker embedding, and a reference where it may be had.

Must not know engines, files or how a voice is stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tts.audio.pcm import resample
from tts.contract import PcmAudio, PreparedSource, SourceKind
from tts.engines.qwen3.models import LoadedModel
from tts.engines.qwen3.profile import Clone, Timbre
from tts.engines.qwen3.prompts import SAMPLE_RATE_HZ, without_special
from tts.errors import BadAudio, BadVoice
from tts.voices.likeness import cosine
from tts.voices.mix import blend_embeddings, normalised
from tts.voices.reference import join_reference

SHORTEST_REFERENCE_S = 0.1

Facts = tuple[tuple[str, float], ...]


def weighted(sources: Sequence[PreparedSource]) -> list[tuple[PreparedSource, float]]:
    """The sources that have weight, with weights that sum to 1. Raises BadVoice."""
    weights = [weight for _, weight in normalised([prepared.source for prepared in sources])]
    return list(zip((prepared for prepared in sources if prepared.source.weight > 0), weights, strict=True))


def cast_timbre(model: LoadedModel, parts: Sequence[tuple[PreparedSource, float]]) -> Timbre:
    """The one timbre of the mix. Raises BadVoice for an unknown one, and for a mix: it has no embedding to blend."""
    names = {prepared.source.ref.lower() for prepared, _ in parts}
    if len(names) > 1 or any(prepared.source.kind is not SourceKind.TIMBRE for prepared, _ in parts):
        raise BadVoice(
            "a timbre of Qwen3-TTS cannot be mixed: give it all the weight, or mix samples and designed clips"
        )
    (name,) = names
    if name not in model.timbres:
        raise BadVoice(f"unknown timbre {name!r}; valid: {', '.join(sorted(model.timbres))}")
    return Timbre(model=model.name, name=name)


def cast_clone(
    model: LoadedModel, parts: Sequence[tuple[PreparedSource, float]], *, same_speaker: float, icl: bool
) -> tuple[Clone, Facts]:
    """The blend of the sources' embeddings: their weighted sum at the weighted mean of their norms.

    With `icl`, and when every two sources are at least `same_speaker` alike (cosine), the transcribed ones are joined
    to a reference that the model continues. Raises BadVoice for a source without audio, BadAudio for unusable audio.
    """
    heard = [(prepared, _usable(prepared), weight) for prepared, weight in parts]
    embeddings = [model.embedding(audio) for _, audio, _ in heard]
    blended = blend_embeddings([(vector, weight) for vector, (_, _, weight) in zip(embeddings, heard, strict=True)])
    alike = min((cosine(one, other) for one, other in itertools.combinations(embeddings, 2)), default=1.0)
    reference = None
    if icl and alike >= same_speaker:
        clips = [
            PreparedSource(source=prepared.source, audio=audio, transcript=_words(model, prepared.transcript))
            for prepared, audio, _ in heard
        ]
        reference = join_reference(clips, sample_rate_hz=SAMPLE_RATE_HZ)
    clone = Clone(
        model=model.name,
        embedding=blended,
        codes=model.codes(reference.audio) if reference else None,
        transcript=reference.transcript if reference else "",
    )
    facts = [
        *(
            (f"similarity:{item[0].source.ref}", cosine(vector, blended))
            for item, vector in zip(heard, embeddings, strict=True)
        ),
        ("alike", alike),
        ("reference_s", reference.audio.duration_s if reference else 0.0),
    ]
    return clone, tuple(facts)


def _words(model: LoadedModel, transcript: str | None) -> str:
    return without_special(transcript or "", model.special)


def _usable(prepared: PreparedSource) -> PcmAudio:
    """The source's audio as one channel at 24 kHz."""
    ref = prepared.source.ref
    if prepared.audio is None:
        raise BadVoice(f"the audio of {ref!r} is missing")
    samples = prepared.audio.samples
    if samples.ndim == 2:
        # The shorter side is the channels, whichever comes first.
        samples = samples.mean(axis=int(np.argmin(samples.shape)), dtype=np.float32)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise BadAudio(f"the audio of {ref!r} is no sound: {samples.ndim} dimensions, or values that are no numbers")
    audio = PcmAudio(samples=np.asarray(samples, dtype=np.float32), sample_rate_hz=prepared.audio.sample_rate_hz)
    if audio.duration_s < SHORTEST_REFERENCE_S:
        raise BadAudio(
            f"the audio of {ref!r} is {audio.duration_s:.2f} s long; Qwen3-TTS needs {SHORTEST_REFERENCE_S} s"
        )
    return resample(audio, SAMPLE_RATE_HZ)

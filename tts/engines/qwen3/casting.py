"""Makes a Qwen3-TTS profile of a voice's sources: one blended speaker embedding, and a reference where it may be had.

Must not know engines, files or how a voice is stored.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from tts.audio.pcm import resample
from tts.contract import PreparedSource, SourceKind
from tts.engines.qwen3.models import LoadedModel
from tts.engines.qwen3.profile import Clone, Timbre
from tts.engines.qwen3.prompts import SAMPLE_RATE_HZ, without_special
from tts.errors import BadVoice, EngineFailed, StaleProfile
from tts.text.sentences import has_word
from tts.voices.likeness import cosine
from tts.voices.mix import blend_embeddings, normalised
from tts.voices.reference import join_reference, usable

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
    heard = [
        (
            prepared,
            resample(usable(prepared, engine="Qwen3-TTS", shortest_s=SHORTEST_REFERENCE_S), SAMPLE_RATE_HZ),
            weight,
        )
        for prepared, weight in parts
    ]
    embeddings = [model.embedding(audio) for _, audio, _ in heard]
    blended = blend_embeddings([(vector, weight) for vector, (_, _, weight) in zip(embeddings, heard, strict=True)])
    if not np.isfinite(blended).all():
        raise EngineFailed(f"{model.name} made values that are no numbers of this voice")
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


def check_fit(model: LoadedModel, profile: Clone | Timbre) -> None:
    """Raises StaleProfile, or BadVoice for an unknown timbre: spoken with it would fail, and a whole batch with it."""
    if profile.model != model.name:
        raise StaleProfile(f"the profile was made with {profile.model}, this is {model.name}: cast the voice again")
    if isinstance(profile, Timbre):
        if profile.name not in model.timbres:
            raise BadVoice(f"unknown timbre {profile.name!r}; valid: {', '.join(sorted(model.timbres))}")
        return
    if profile.embedding.shape != (model.width,):
        raise StaleProfile(
            f"the profile has {profile.embedding.shape}, {model.name} takes {model.width}: cast it again"
        )
    codes = profile.codes
    if codes is not None and (codes.shape[1] != model.groups or codes.min() < 0 or codes.max() >= model.codebook):
        raise StaleProfile(
            f"the profile's codes are {codes.shape[1]} a frame, {codes.min()} to {codes.max()}; {model.name} has "
            f"{model.groups} below {model.codebook}: cast it again"
        )


def _words(model: LoadedModel, transcript: str | None) -> str:
    words = without_special(transcript or "", model.special)
    return words if has_word(words) else ""

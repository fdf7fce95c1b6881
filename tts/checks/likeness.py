"""Whether a take sounds like the voice it is to be: its embedding against that of the voice's own recordings.

Must not know engines. Two judges: an encoder that is none of theirs and serves all, and what an engine's own tells.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from tts.audio.decode import decode_ours
from tts.casting import fingerprint
from tts.contract import PcmAudio, SourceKind, Take, Utterance, Voice
from tts.errors import BadAudio, BlobLocked, EngineUnavailable
from tts.gate import Verdict
from tts.material import RECORDED, Material, material_refusal
from tts.voices.likeness import SHORTEST_HEARD_S
from tts.voices.mix import blend, normalised

_log = structlog.get_logger()

_KEPT = 100
_KEPT_S = 3600.0
_REFERENCE_S = 20.0


class SpeakerEncoder(Protocol):
    """Makes a vector of a voice; the cosine of two tells how alike they are."""

    async def embed(self, audio: PcmAudio) -> NDArray[np.float32]:
        """The voice as a vector of norm 1. Raises EngineUnavailable."""
        ...


class LikenessCheck:
    """Scores `similarity`, a cosine, wherever a voice has recordings (samples, designed clips) to be compared with.

    `min_similarity` is the lowest accepted one. Without `always`, only voices that must resemble are judged. Where that
    cannot be told (no `encoder`, no recordings, under 1.6 s), those are accepted from an engine that was given a
    profile of them, and from no stand-in. A recording that nobody allows `now` is none, and what was made of it goes.
    """

    def __init__(
        self,
        material: Material,
        *,
        encoder: SpeakerEncoder | None,
        min_similarity: float,
        always: bool = True,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._material = material
        self._encoder = encoder
        self._min_similarity = min_similarity
        self._always = always
        self._clock = clock
        self._now = now
        self._references: OrderedDict[tuple[str, str], tuple[NDArray[np.float32], float]] = OrderedDict()

    async def judge(self, audio: PcmAudio, utterance: Utterance) -> Verdict:
        """Refused when the take is less alike than it must be."""
        voice = utterance.voice
        if not (self._always or voice.must_resemble):
            return Verdict()
        try:
            similarity = await self._similarity(audio, voice)
        except EngineUnavailable as error:
            _log.warning("gate.likeness_unknown", reason=str(error))
            similarity = None
        if similarity is None:
            stranger = voice.must_resemble and utterance.profile is None and not _made_of_names(voice)
            return Verdict(reasons=("likeness: nothing here can tell whether it is the voice",) if stranger else ())
        reasons: tuple[str, ...] = ()
        if similarity < self._min_similarity:
            reasons = (f"likeness: similarity {similarity:.2f} to the voice's own recordings",)
        return Verdict(reasons=reasons, scores=(("similarity", similarity),))

    async def _similarity(self, audio: PcmAudio, voice: Voice) -> float | None:
        if self._encoder is None or audio.duration_s < SHORTEST_HEARD_S:
            return None
        reference = await self._reference(self._encoder, voice)
        if reference is None:
            return None
        return float(np.dot(await self._encoder.embed(audio), reference))

    async def _reference(self, encoder: SpeakerEncoder, voice: Voice) -> NDArray[np.float32] | None:
        """The embeddings of the voice's recordings, weighted; kept for an hour. None without recordings."""
        recorded = [source for source in voice.sources if source.kind in RECORDED and source.weight > 0]
        if not recorded:
            return None
        if await material_refusal(self._material, recorded, self._now()):  # asked anew for every take
            for known_key in [known_key for known_key in self._references if known_key[0] == voice.id]:
                del self._references[known_key]
            return None
        key = (voice.id, fingerprint(voice, recorded))
        known, until_s = self._references.get(key, (None, 0.0))
        if known is not None and self._clock() < until_s:
            self._references.move_to_end(key)
            return known
        parts = []
        for source, weight in normalised(recorded):
            try:
                audio = await asyncio.to_thread(_opening, await self._material.audio(source.ref))
            except (KeyError, BadAudio, BlobLocked):
                _log.warning("gate.recording_missing", voice=voice.id)
                return None
            parts.append((await encoder.embed(audio), weight))
        mixed = blend(parts)
        reference: NDArray[np.float32] = mixed / np.linalg.norm(mixed)
        self._references[key] = (reference, self._clock() + _KEPT_S)
        while len(self._references) > _KEPT:
            self._references.popitem(last=False)
        return reference


class OwnLikenessCheck:
    """Scores `own_similarity`: what the engine's own encoder finds, where it has one (qwen3 and xtts do).

    Such an encoder knows its own engine's cloning best and other engines not at all, and no two of them count alike:
    with `min_similarity` None the score is only kept.
    """

    def __init__(self, *, min_similarity: float | None) -> None:
        self._min_similarity = min_similarity

    async def judge(self, audio: PcmAudio, _utterance: Utterance) -> Verdict:
        """Refused when the take is less alike than it must be."""
        if not isinstance(audio, Take):
            return Verdict()
        similarity = audio.own_similarity
        reasons: tuple[str, ...] = ()
        if self._min_similarity is not None and similarity < self._min_similarity:
            reasons = (f"likeness: similarity {similarity:.2f} to its voice by the engine's own encoder",)
        return Verdict(reasons=reasons, scores=(("own_similarity", similarity),))


def _made_of_names(voice: Voice) -> bool:
    """Whether the voice is what engines call by name, so that speaking by name is speaking in it."""
    return bool(voice.sources) and all(source.kind in (SourceKind.STYLE, SourceKind.TIMBRE) for source in voice.sources)


def _opening(data: bytes) -> PcmAudio:
    audio = decode_ours(data).audio
    return PcmAudio(
        samples=audio.samples[: round(_REFERENCE_S * audio.sample_rate_hz)], sample_rate_hz=audio.sample_rate_hz
    )

"""Carries voices from one installation to another: out as a bundle, and in again without believing all it says.

An archive may come from anybody. What is known here of a recording outweighs what the archive says of it; a recording
without a consent is taken only as a clip that is known here, or trusted. Must not know terminals or web pages.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from bot.recordings import Recordings, withdrawn_at
from bot.voice_bundle import Bundle
from bot.voice_lab import VoiceLab
from bot.voice_names import id_problems
from bot.voice_store import Voices, readable, recordings_of
from bot.voice_uses import Use
from tts.audio.decode import DecodeLimits, decode
from tts.contract import SourceKind, Voice
from tts.errors import BadAudio, BadVoice
from tts.material import RECORDED, sample_refusal
from tts.settings import EngineName
from tts.voices.consent import ended_as_early
from tts.voices.samples import PREPARED_RATE_HZ, SampleLimits, StoredSample, inspect_sample

# Prepared audio has lost its margins and its long pauses, so it measures a little worse than the file it was made of.
_PREPARED = SampleLimits(min_rate_hz=PREPARED_RATE_HZ, min_speech_s=2.5, min_snr_db=4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A voice as it is stored now. `remarks` tell of recordings that did not come in as the archive has them.

    `silenced` are users of recordings whose consent ended by what the archive knew.
    """

    voice: Voice
    remarks: tuple[str, ...]
    silenced: tuple[Use, ...]


class VoiceTransfer:
    """Exports and imports stored voices."""

    def __init__(self, voices: Voices, recordings: Recordings, lab: VoiceLab) -> None:
        self._voices = voices
        self._recordings = recordings
        self._lab = lab

    async def export(self, voice_id: str) -> Bundle:
        """The voice with its recordings and their records; BadVoice when one of them is gone."""
        voice = await self._lab.voice(voice_id)
        samples, files = [], {}
        for ref in recordings_of(voice):
            sample = await self._recordings.samples.find(ref)
            try:
                files[ref] = await self._recordings.samples.audio(ref)
            except KeyError:
                sample = None
            if sample is None:
                raise BadVoice(
                    f"The recording {ref[:12]} of this voice is gone: take it out of the mix first, with "
                    f"`recado voice samples remove {voice_id} {ref[:12]}`."
                )
            samples.append(sample)
        return Bundle(voice=voice, samples=tuple(samples), files=files)

    async def import_bundle(self, bundle: Bundle, *, overwrite: bool = False, trust_designed: bool = False) -> Imported:
        """Store a voice with its recordings; nothing is stored when anything of it is refused.

        A voice of that id is replaced only with `overwrite`. Recordings are measured as samples are. A clip without
        consent is taken when it is known here as designed, or with `trust_designed`. What is known here of a recording
        stays, and is over as early as either says. Raises BadVoice, or BadAudio with the recording's name.
        """
        voice = await self._checked_voice(bundle.voice, overwrite=overwrite)
        before = await self._voices.get(voice.id)
        mixed = {source.ref for source in voice.sources}
        fresh = [_plausible(sample, voice) for sample in bundle.samples if sample.id in mixed]
        for sample in fresh:
            _merged(await self._recordings.samples.find(sample.id), sample, trust_designed=trust_designed)
            await asyncio.to_thread(_check_audio, sample, bundle.files[sample.id])
        ended: list[Use] = []
        strays = [sample.id[:12] for sample in bundle.samples if sample.id not in mixed]
        remarks = [f"{name}: not in the mix of {voice.id}, so it was not stored" for name in strays]
        for sample in fresh:
            here, stored = await self._take(sample, bundle.files[sample.id], trust_designed=trust_designed)
            remarks += self._remarks(here, stored)
            if here is not None and stored.consent != here.consent:
                ended += await self._recordings.uses.of(stored.id)
        await self._recordings.uses.forget_profiles(tuple(ended))
        stored_voice = await self._voices.put(voice)
        dropped = [
            source.ref
            for source in (before.sources if before else ())
            if source.kind is SourceKind.SAMPLE and source.ref not in recordings_of(stored_voice)
        ]
        await self._recordings.erase_unused(dropped)
        return Imported(voice=stored_voice, remarks=tuple(remarks), silenced=tuple(ended))

    async def _checked_voice(self, voice: Voice, *, overwrite: bool) -> Voice:
        problems = list(id_problems(voice.id))
        strange = [name for name in voice.engines if name not in {known.value for known in EngineName}]
        if strange:
            problems.append(("engines", f"unknown engine {', '.join(strange)}; valid: {', '.join(EngineName)}"))
        if problems:
            raise BadVoice("; ".join(f"{path}: {problem}" for path, problem in problems))
        before = await self._voices.get(voice.id)
        if (before is not None or voice.id in await self._voices.unreadable()) and not overwrite:
            speakers = ", ".join(await self._recordings.uses.personas_of(voice.id))
            raise BadVoice(
                f"There is a voice {voice.id} already"
                + (f", version {before.version}" if before else "")
                + (f"; the personas {speakers} speak with it" if speakers else "")
                + ". To put the imported one in its place, import with --overwrite. Nothing was stored."
            )
        return readable(voice)

    async def _take(
        self, sample: StoredSample, data: bytes, *, trust_designed: bool
    ) -> tuple[StoredSample | None, StoredSample]:
        """What was known of the recording, and what is now. The record comes first: it says whether the audio may."""
        samples = self._recordings.samples
        here = await samples.find(sample.id)
        if withdrawn_at(sample) is not None:
            sample = replace(sample, transcript="", report=None, erased_at=self._recordings.now())
        merged = await samples.update(sample.id, lambda known: _merged(known, sample, trust_designed=trust_designed))
        stored = merged or sample
        if withdrawn_at(stored) is None:
            await samples.keep_audio(data)
        return here, stored

    def _remarks(self, here: StoredSample | None, stored: StoredSample) -> Sequence[str]:
        refusal = sample_refusal(stored, self._recordings.now())
        name = stored.id[:12]
        if refusal:
            left = "; its recording was not stored" if stored.erased_at is not None else ""
            return [f"{name}: {refusal}, so no voice made of it is spoken{left}"]
        return [f"{name}: known here; what is known of it and its consent stays"] if here is not None else []


def _merged(here: StoredSample | None, sample: StoredSample, *, trust_designed: bool) -> StoredSample:
    """The record to keep, of what is here and what the archive says. Raises BadVoice where that cannot be believed."""
    name = sample.id[:12]
    if here is not None and here.kind is not sample.kind:
        theirs, ours = (
            "a designed clip" if one.kind is SourceKind.DESIGNED else "a person's recording" for one in (sample, here)
        )
        raise BadVoice(f"The archive calls {name} {theirs}, but here it is {ours}. Nothing was stored.")
    if here is None and sample.kind is SourceKind.DESIGNED and not trust_designed:
        raise BadVoice(
            f"The archive says that {name} is a designed clip and nobody's voice, so it has no consent. Nobody can "
            "hear whether that is so: if you trust who made the archive, import it with --trust-designed. Nothing was "
            "stored."
        )
    if here is None and sample.kind is SourceKind.SAMPLE and not _has_consent(sample):
        raise BadVoice(f"The archive has {name}, a person's recording, without a consent to it. Nothing was stored.")
    if here is None or here.consent is None or sample.consent is None:
        return here if here is not None and (here.consent is not None or sample.consent is None) else sample
    return replace(here, consent=ended_as_early(here.consent, sample.consent))


def _has_consent(sample: StoredSample) -> bool:
    """Whether somebody ever consented, if perhaps no longer."""
    consent = sample.consent
    return consent is not None and all(words.strip() for words in (consent.speaker, consent.by, consent.statement))


def _plausible(sample: StoredSample, voice: Voice) -> StoredSample:
    """A record as it may come in. Raises BadVoice for one that contradicts the voice or itself."""
    name = sample.id[:12]
    if sample.kind not in RECORDED:
        raise BadVoice(f"The record of {name} says {sample.kind.value!r}; a recording is a sample or designed.")
    if any(source.kind is not sample.kind for source in voice.sources if source.ref == sample.id):
        raise BadVoice(f"The record of {name} says {sample.kind.value!r}, the mix of {voice.id} something else.")
    numbers = [value for value in asdict(sample.report).values() if isinstance(value, float)] if sample.report else []
    if not all(map(math.isfinite, numbers)):
        raise BadVoice(f"The record of {name} holds measures that are no numbers.")
    return replace(sample, consent=None if sample.kind is SourceKind.DESIGNED else sample.consent, erased_at=None)


def _check_audio(sample: StoredSample, data: bytes) -> None:
    """Raise BadAudio, with the recording's name, for one that no voice may be made of."""
    try:
        if sample.kind is SourceKind.SAMPLE:
            inspect_sample(data, limits=_PREPARED)
        else:
            limits = SampleLimits()
            decode(data, limits=DecodeLimits(max_bytes=limits.max_bytes, max_duration_s=limits.max_file_s))
    except BadAudio as error:
        raise BadAudio(f"The recording {sample.id[:12]} in the archive: {error}. Nothing was stored.") from error

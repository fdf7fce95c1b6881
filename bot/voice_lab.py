"""What a persona admin does to voices: samples in and out, the mix, the designed clip, export and import.

Works on the stores alone; whoever calls it loads engines and hears recordings. Must not know terminals or web pages.
Refusals are `tts` errors whose words an admin can act on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.voice import Bundle
from bot.voice_store import Samples, Voices, recordings_of
from tts.audio.decode import DecodeLimits, decode
from tts.blobs import blob_id_of
from tts.casting import RECORDED
from tts.contract import SourceKind, Transcriber, Voice, VoiceSource
from tts.errors import BadSample, BadVoice
from tts.voices.consent import Consent, consent_refusal
from tts.voices.design import DesignedClip
from tts.voices.mix import normalised
from tts.voices.samples import (
    InspectedSample,
    SampleLimits,
    SampleWarning,
    StoredSample,
    encode_sample,
    level_reference,
    prepare_sample,
)

LEAST_PREFIX = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A voice as it is now, and the recording the change was about."""

    voice: Voice
    sample: StoredSample


class VoiceLab:
    """Changes stored voices. Every change that can be heard is a new version of the voice."""

    def __init__(
        self, voices: Voices, samples: Samples, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._voices = voices
        self._samples = samples
        self._now = now

    async def voice(self, voice_id: str) -> Voice:
        """A stored voice; BadVoice with the known ones otherwise."""
        found = await self._voices.get(voice_id)
        if found is None:
            known = ", ".join(voice.id for voice in await self._voices.list()) or "none"
            raise BadVoice(f"There is no voice {voice_id!r}. Known: {known}.")
        return found

    async def create(self, voice: Voice) -> Voice:
        """Store a voice that is not there yet."""
        if await self._voices.get(voice.id) is not None:
            raise BadVoice(f"There is a voice {voice.id!r} already: change it, or delete it first.")
        return await self._voices.put(voice)

    async def add_sample(
        self,
        voice_id: str,
        inspected: InspectedSample,
        *,
        consent: Consent,
        weight: float = 1.0,
        transcript: str = "",
        transcriber: Transcriber | None = None,
        narrowband_confirmed: bool = False,
    ) -> Change:
        """Prepare and keep a recording, and put it into the voice's mix with `weight`.

        Without a transcript, `transcriber` writes one down; it covers all of the prepared audio. Nothing is stored
        when the consent does not hold, or narrow band was not confirmed.
        """
        voice = await self.voice(voice_id)
        refusal = consent_refusal(consent, self._now())
        if refusal:
            raise BadVoice(f"The sample was not taken: {refusal}.")
        if SampleWarning.NARROWBAND in inspected.report.warnings and not narrowband_confirmed:
            raise BadSample(
                f"The recording has telephone quality ({inspected.report.sample_rate_hz} Hz), and so would the voice: "
                "confirm that you want that."
            )
        data = await asyncio.to_thread(lambda: encode_sample(prepare_sample(inspected)))
        if not transcript and transcriber is not None:
            transcript = (await transcriber.transcribe(data, language=voice.language)).text
        sample = StoredSample(
            id=await self._samples.keep_audio(data),
            kind=SourceKind.SAMPLE,
            language=voice.language,
            added_at=self._now(),
            transcript=transcript.strip(),
            consent=consent,
            report=inspected.report,
        )
        await self._samples.put(sample)
        added = VoiceSource(kind=SourceKind.SAMPLE, ref=sample.id, weight=weight)
        return Change(voice=await self._put_source(voice, added), sample=sample)

    async def keep_design(self, voice_id: str, clip: DesignedClip) -> Change:
        """Keep a designed clip as a source of the voice, in place of an earlier one: it is cloned from then on."""
        voice = await self.voice(voice_id)
        data = await asyncio.to_thread(lambda: encode_sample(level_reference(clip.audio)))
        sample = StoredSample(
            id=await self._samples.keep_audio(data),
            kind=SourceKind.DESIGNED,
            language=voice.language,
            added_at=self._now(),
            transcript=clip.transcript,
        )
        await self._samples.put(sample)
        others = tuple(source for source in voice.sources if source.kind is not SourceKind.DESIGNED)
        earlier = [source.weight for source in voice.sources if source.kind is SourceKind.DESIGNED]
        added = VoiceSource(kind=SourceKind.DESIGNED, ref=sample.id, weight=earlier[0] if earlier else 1.0)
        return Change(voice=await self._put_source(replace(voice, sources=others), added), sample=sample)

    async def mix(self, voice_id: str, weights: Mapping[str, float]) -> Voice:
        """Set the whole mix: sources that are not named keep their place with weight 0.

        A name is the beginning of a sample's id, `designed`, or `style:NAME` or `timbre:NAME`.
        """
        voice = await self.voice(voice_id)
        mixed = {(source.kind, source.ref): 0.0 for source in voice.sources}
        for name, weight in weights.items():
            mixed[await self._named(voice, name)] = weight
        sources = tuple(VoiceSource(kind=kind, ref=ref, weight=weight) for (kind, ref), weight in mixed.items())
        normalised(sources)
        return await self._voices.put(replace(voice, sources=sources))

    async def sample(self, name: str, among: Sequence[str] | None = None) -> StoredSample:
        """The one recording whose id begins with `name`, in the store or `among` some ids."""
        known = [sample for sample in await self._samples.list() if among is None or sample.id in among]
        fitting = [sample for sample in known if sample.id.startswith(name.lower()) and len(name) >= LEAST_PREFIX]
        if len(fitting) != 1:
            ids = ", ".join(sample.id[:12] for sample in known) or "none"
            what = "more than one sample" if fitting else "no sample"
            raise BadVoice(f"There is {what} {name!r} (at least {LEAST_PREFIX} characters of its id). Known: {ids}.")
        return fitting[0]

    async def remove_sample(self, voice_id: str, name: str) -> tuple[Change, bool]:
        """Take a recording out of the mix; it is erased when no other voice uses it, and the answer tells whether."""
        voice = await self.voice(voice_id)
        sample = await self.sample(name, recordings_of(voice))
        left = tuple(source for source in voice.sources if source.ref != sample.id)
        stored = await self._voices.put(replace(voice, sources=left))
        erased = not await self._voices.using(sample.id)
        if erased:
            await self._samples.erase(sample.id)
        return Change(voice=stored, sample=sample), erased

    async def withdraw(self, name: str) -> tuple[StoredSample, tuple[Voice, ...]]:
        """End the consent to a recording; tells which voices that silences. Their profiles are forgotten."""
        sample = await self.sample(name)
        withdrawn = await self._samples.withdraw(sample.id, self._now())
        if withdrawn is None:
            raise BadVoice(f"Sample {sample.id[:12]} is nobody's: there is no consent to withdraw.")
        return withdrawn, tuple(await self._voices.sample_gone(sample.id))

    async def delete(self, voice_id: str) -> int:
        """Forget a voice, and the recordings that no other voice uses; how many of those went."""
        voice = await self.voice(voice_id)
        await self._voices.delete(voice_id)
        gone = [ref for ref in recordings_of(voice) if not await self._voices.using(ref)]
        for ref in gone:
            await self._samples.erase(ref)
        return len(gone)

    async def export(self, voice_id: str) -> Bundle:
        """The voice with its recordings and their records; BadVoice when one of them is gone."""
        voice = await self.voice(voice_id)
        samples, files = [], {}
        for ref in recordings_of(voice):
            sample = await self._samples.find(ref)
            try:
                files[ref] = await self._samples.audio(ref)
            except KeyError:
                sample = None
            if sample is None:
                raise BadVoice(f"The recording {ref[:12]} of this voice is gone: take it out of the mix first.")
            samples.append(sample)
        return Bundle(voice=voice, samples=tuple(samples), files=files)

    async def import_bundle(self, bundle: Bundle) -> Voice:
        """Store a voice with its recordings. A consent withdrawn here stays withdrawn, whatever the bundle says.

        Raises BadAudio for a recording that is none, before anything is stored.
        """
        limits = SampleLimits()
        for data in bundle.files.values():
            await asyncio.to_thread(
                decode, data, limits=DecodeLimits(max_bytes=limits.max_bytes, max_duration_s=limits.max_file_s)
            )
        for sample in bundle.samples:
            data = bundle.files[sample.id]
            await self._samples.keep_audio(data)
            here = await self._samples.find(blob_id_of(data))
            if here is None or here.consent is None or here.consent.withdrawn_at is None:
                await self._samples.put(sample)
        return await self._voices.put(bundle.voice)

    async def _put_source(self, voice: Voice, added: VoiceSource) -> Voice:
        others = tuple(source for source in voice.sources if source.ref != added.ref)
        return await self._voices.put(replace(voice, sources=(*others, added)))

    async def _named(self, voice: Voice, name: str) -> tuple[SourceKind, str]:
        if name == SourceKind.DESIGNED:
            for source in voice.sources:
                if source.kind is SourceKind.DESIGNED:
                    return source.kind, source.ref
            raise BadVoice(f"The voice {voice.id} has no designed clip: `recado voice design {voice.id}` makes one.")
        kind, colon, ref = name.partition(":")
        if colon and kind in {SourceKind.STYLE, SourceKind.TIMBRE} and ref:
            return SourceKind(kind), ref
        sample = await self.sample(name)
        return sample.kind, sample.id


def consent_words(sample: StoredSample, now: datetime) -> str:
    """How the consent to a recording stands, for people."""
    if sample.kind not in RECORDED or sample.kind is SourceKind.DESIGNED:
        return "not needed"
    return consent_refusal(sample.consent, now).removeprefix("the consent ") or "given"

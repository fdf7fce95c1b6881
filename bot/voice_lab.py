"""What a persona admin does to voices: create, edit, mix, go back; samples in and out; the designed clip.

Works on the stores alone; whoever calls it loads engines and hears recordings. Must not know terminals or web pages.
Refusals are `tts` errors whose words an admin can act on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bot.recordings import Recordings, record_to_keep
from bot.voice_names import Names
from bot.voice_store import Voices, readable, recordings_of
from tts.blobs import blob_id_of
from tts.contract import SourceKind, Transcriber, Voice, VoiceSource
from tts.errors import BadSample, BadVoice
from tts.material import RECORDED
from tts.voices.consent import Consent, consent_refusal
from tts.voices.design import DesignedClip
from tts.voices.mix import normalised
from tts.voices.samples import InspectedSample, SampleWarning, StoredSample, encode_sample, prepare_sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A voice as it is now, and the recording the change was about. `known` where its record was there and stayed."""

    voice: Voice
    sample: StoredSample
    known: bool = False


class VoiceLab:
    """Changes stored voices. Every change that can be heard is a new version of the voice."""

    def __init__(self, voices: Voices, recordings: Recordings, *, names: Names | None = None) -> None:
        self._voices = voices
        self.recordings = recordings
        self._names = names or Names()

    # -- voices -------------------------------------------------------------------------------------------------------

    async def voice(self, voice_id: str) -> Voice:
        """A stored voice; BadVoice with the known ones otherwise."""
        found = await self._voices.get(voice_id)
        if found is not None:
            return found
        if voice_id in await self._voices.unreadable():
            raise BadVoice(
                f"The stored voice {voice_id!r} cannot be read by this version of the program: "
                f"`recado voice restore {voice_id} VERSION` goes back to one of `recado voice history {voice_id}`, "
                f"`recado voice delete {voice_id}` removes it."
            )
        known = ", ".join(voice.id for voice in await self._voices.list()) or "none"
        raise BadVoice(f"There is no voice {voice_id!r}. Known: {known}.")

    async def create(self, voice: Voice) -> Voice:
        """Store a voice that is not there yet, with names that are known here."""
        self._names.check(voice)
        taken = f"There is a voice {voice.id!r} already: change it with `recado voice set`, or delete it first."
        if voice.id in await self._voices.unreadable():
            await self.voice(voice.id)  # tells what to do

        def made(stored: Voice | None) -> Voice:
            if stored is not None:
                raise BadVoice(taken)
            return voice

        return await self._voices.update(voice.id, made)

    async def edit(self, voice_id: str, change: Callable[[Voice], Voice]) -> Voice:
        """Store what `change` makes of a voice, whoever else changes it meanwhile; names that are new must be known."""
        before = await self.voice(voice_id)

        def changed(stored: Voice | None) -> Voice:
            if stored is None:
                raise BadVoice(f"The voice {voice_id!r} was deleted meanwhile.")
            wanted = change(stored)
            new = [problem for problem in self._names.problems(wanted) if problem not in old]
            if new:
                raise BadVoice("; ".join(f"{path}: {problem}" for path, problem in new))
            return wanted

        old = self._names.problems(before)
        return await self._voices.update(voice_id, changed)

    async def mix(self, voice_id: str, weights: Mapping[str, float]) -> Voice:
        """Set the whole mix: sources that are not named keep their place with weight 0.

        A name is the beginning of a sample's id, `designed`, or `style:NAME` or `timbre:NAME`.
        """
        voice = await self.voice(voice_id)
        named = {await self._named(voice, name): weight for name, weight in weights.items()}

        def mixed(stored: Voice) -> Voice:
            every = {(source.kind, source.ref): 0.0 for source in stored.sources} | named
            sources = tuple(VoiceSource(kind=kind, ref=ref, weight=weight) for (kind, ref), weight in every.items())
            normalised(sources)
            return replace(stored, sources=sources)

        for (kind, ref), weight in named.items():
            if kind in RECORDED and weight > 0:
                await self.recordings.check_usable(ref)
        return await self.edit(voice_id, mixed)

    async def keep_design(self, voice_id: str, clip: DesignedClip) -> Change:
        """Keep a designed clip as a source of the voice, in place of an earlier one: it is cloned from then on.

        Earlier clips stay while one of the kept versions names them, so that `restore` can go back to them.
        """
        voice = await self.voice(voice_id)
        earlier = await self._clips_of_past(voice_id)
        sample = await self.recordings.samples.keep_clip(clip, language=voice.language, at=self.recordings.now())

        def designed(stored: Voice) -> Voice:
            others = tuple(source for source in stored.sources if source.kind is not SourceKind.DESIGNED)
            weights = [source.weight for source in stored.sources if source.kind is SourceKind.DESIGNED]
            weight = max(weights, default=1.0)
            return replace(
                stored, sources=(*others, VoiceSource(kind=SourceKind.DESIGNED, ref=sample.id, weight=weight))
            )

        stored = await self.edit(voice_id, designed)
        await self.recordings.erase_unused(earlier - await self._clips_of_past(voice_id))
        return Change(voice=stored, sample=sample)

    async def restore(self, voice_id: str, version: int) -> Voice:
        """Go back to a kept version, as a new one. Raises BadVoice where it is not kept or lacks a recording."""
        past = await self._voices.past(voice_id)
        found = next((voice for voice in past if voice.version == version), None)
        if found is None:
            if not past:
                await self.voice(voice_id)
            kept = ", ".join(str(voice.version) for voice in past)
            raise BadVoice(f"There is no version {version} of the voice {voice_id}. Kept: {kept}.")
        for source in found.sources:
            if source.kind in RECORDED:
                await self.recordings.check_usable(source.ref)
        return await self._voices.put(found)

    async def delete(self, voice_id: str) -> int:
        """Forget a voice with its past, and the recordings of both that nobody else uses; how many of those went."""
        refs: set[str] = set()
        if voice_id not in await self._voices.unreadable():
            refs = set(recordings_of(await self.voice(voice_id)))
        for voice in await self._voices.past(voice_id):
            refs |= set(recordings_of(voice))
        await self._voices.delete(voice_id)
        return await self.recordings.erase_unused(refs)

    # -- recordings ---------------------------------------------------------------------------------------------------

    async def check_sample(self, voice_id: str, *, consent: Consent, language: str = "") -> Voice:
        """The voice that a sample is for; BadVoice for whatever forbids one before anybody listens to it."""
        voice = await self.voice(voice_id)
        refusal = consent_refusal(consent, self.recordings.now())
        if refusal:
            raise BadVoice(f"The sample was not taken: {refusal}.")
        unknown = dict(self._names.problems(replace(voice, language=language or voice.language))).get("language")
        if unknown:
            raise BadVoice(f"The sample was not taken: {unknown}.")
        return voice

    async def add_sample(
        self,
        voice_id: str,
        inspected: InspectedSample,
        *,
        consent: Consent,
        weight: float = 1.0,
        transcript: str = "",
        language: str = "",
        transcriber: Transcriber | None = None,
        narrowband_confirmed: bool = False,
        replace_consent: bool = False,
    ) -> Change:
        """Prepare and keep a recording, and put it into the voice's mix with `weight`.

        Without a transcript, `transcriber` writes one down; it covers all of the prepared audio. A recording that is
        known keeps its record, which other voices may rest on, unless `replace_consent`; one whose consent was
        withdrawn is refused. Nothing is stored when the consent does not hold, or narrow band was not confirmed.
        """
        voice = await self.check_sample(voice_id, consent=consent, language=language)
        if SampleWarning.NARROWBAND in inspected.report.warnings and not narrowband_confirmed:
            raise BadSample(
                f"The recording has telephone quality ({inspected.report.sample_rate_hz} Hz), and so would the voice: "
                "confirm that you want that."
            )
        language = language or voice.language
        data = await asyncio.to_thread(lambda: encode_sample(prepare_sample(inspected)))
        fresh = StoredSample(
            id=blob_id_of(data),
            kind=SourceKind.SAMPLE,
            language=language,
            added_at=self.recordings.now(),
            transcript=transcript.strip(),
            consent=consent,
            report=inspected.report,
        )

        def taken(here: StoredSample | None) -> StoredSample:
            return record_to_keep(here, fresh, now=self.recordings.now(), replace_consent=replace_consent)

        def with_sample(stored: Voice) -> Voice:
            others = tuple(source for source in stored.sources if source.ref != fresh.id)
            sources = (*others, VoiceSource(kind=SourceKind.SAMPLE, ref=fresh.id, weight=weight))
            normalised(sources)
            return replace(stored, sources=sources)

        here = await self.recordings.samples.find(fresh.id)
        known = taken(here) is here
        readable(with_sample(voice))
        if not fresh.transcript and not known and transcriber is not None:
            heard = (await transcriber.transcribe(data, language=language)).text
            fresh = replace(fresh, transcript=heard.strip())
        # The record first: it says whether the recording may be here at all.
        sample = await self.recordings.samples.update(fresh.id, taken) or fresh
        await self.recordings.samples.keep_audio(data)
        try:
            stored = await self.edit(voice_id, with_sample)
        except BadVoice:
            await self.recordings.erase_unused({sample.id} if here is None else set())
            raise
        if here is not None and not known:  # its words may be others now, for every voice made of it
            await self.recordings.uses.forget_profiles(await self.recordings.uses.of(sample.id))
        return Change(voice=stored, sample=sample, known=known)

    async def remove_sample(self, voice_id: str, name: str) -> tuple[Change, bool]:
        """Take a recording out of the mix; it is erased when nobody else uses it, and the answer tells whether."""
        sample = await self.recordings.one(name, recordings_of(await self.voice(voice_id)))

        def without(stored: Voice) -> Voice:
            left = tuple(source for source in stored.sources if source.ref != sample.id)
            if left and not any(source.weight > 0 for source in left):
                raise BadVoice(
                    f"Nothing else in the mix of {voice_id} has weight; give it some first, with "
                    f"`recado voice mix {voice_id} {mix_name(left[0])}=1`."
                )
            return replace(stored, sources=left)

        stored = await self.edit(voice_id, without)
        return Change(voice=stored, sample=sample), bool(await self.recordings.erase_unused({sample.id}))

    # -- inside -------------------------------------------------------------------------------------------------------

    async def _clips_of_past(self, voice_id: str) -> set[str]:
        past = await self._voices.past(voice_id)
        return {source.ref for voice in past for source in voice.sources if source.kind is SourceKind.DESIGNED}

    async def _named(self, voice: Voice, name: str) -> tuple[SourceKind, str]:
        if name == SourceKind.DESIGNED:
            for source in voice.sources:
                if source.kind is SourceKind.DESIGNED:
                    return source.kind, source.ref
            raise BadVoice(f"The voice {voice.id} has no designed clip: `recado voice design {voice.id}` makes one.")
        kind, colon, ref = name.partition(":")
        if colon and kind in {SourceKind.STYLE, SourceKind.TIMBRE} and ref:
            return SourceKind(kind), ref
        sample = await self.recordings.one(name)
        return sample.kind, sample.id


def mix_name(source: VoiceSource) -> str:
    """What `VoiceLab.mix` takes for this source."""
    if source.kind is SourceKind.DESIGNED:
        return source.kind.value
    return source.ref[:12] if source.kind is SourceKind.SAMPLE else f"{source.kind.value}:{source.ref}"

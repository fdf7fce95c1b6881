"""The façade: text and a voice in, one voice note out. Everything else in `tts` stands behind it.

Must not know chats, channels, personas or HTTP. Engines are tried in the order that `fallback` gives; when none can
speak, the caller gets the whole list of attempts and answers in text.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from tts.audio.opus import AudioFormat, OpusChoices
from tts.batching import Device
from tts.casting import Casting
from tts.contract import (
    Attempt,
    Making,
    SourceKind,
    Timings,
    Utterance,
    Voice,
    VoiceNote,
    VoiceSource,
)
from tts.errors import DeadlineExceeded, NoConsent, NoVoice, TtsError
from tts.fallback import SKIPPED, Choice, choose_engines
from tts.finishing import finish
from tts.gpu_memory import gpu_memory_bytes
from tts.material import RECORDED
from tts.slots import EngineSlot, EngineStatus, Rendering
from tts.text import UtterancePlan, plan_utterance
from tts.voices.design import DESIGN_PROMPT_DEFAULT, DesignedClip
from tts.voices.mix import stand_in_only, usable_sources
from tts.watermark import PerthWatermark

_log = structlog.get_logger()

OK = "ok"
TAG_SYNTHETIC = "SYNTHETIC_SPEECH"
TAG_RECORD = "PROVENANCE"


@dataclass(slots=True, kw_only=True, eq=False)
class _Course:
    """How far a note has come: what was tried, and who is being asked since when. Kept up to date for a time-out."""

    attempts: list[Attempt]
    asked: EngineSlot | None = None
    asked_at_s: float = 0.0


class Speaker:
    """Speaks with the engines of `slots`, in their order. `start` before `speak`, `close` at the end.

    `tagged` notes say in their tags that they are synthetic, and which record tells more; `watermark` says the former
    in the sound itself.
    """

    def __init__(
        self,
        slots: Sequence[EngineSlot],
        *,
        devices: Sequence[Device],
        opus: OpusChoices,
        casting: Casting,
        tagged: bool = False,
        watermark: PerthWatermark | None = None,
        prompt_default: str = DESIGN_PROMPT_DEFAULT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._casting = casting
        self._tagged = tagged
        self._watermark = watermark
        self._prompt_default = prompt_default
        self._slots = {slot.name: slot for slot in slots}
        self._devices = devices
        self._opus = opus
        self._clock = clock

    async def start(
        self,
        progress: Callable[[EngineStatus], None] = lambda _status: None,
        *,
        voices: Sequence[Voice] | None = None,
    ) -> None:
        """Load and warm every configured engine, each on its device; `progress` hears of each when it is done.

        With `voices`, engines of several models load those that these need; others follow when a voice needs them.
        An engine that fails to load is left out, with the reason in `status`. A watermark that fails to load raises
        EngineUnavailable: notes must not go out unmarked where marks are wanted.
        """
        if self._watermark is not None:
            await asyncio.to_thread(self._watermark.load)

        async def load(slot: EngineSlot) -> None:
            await slot.load(voices)
            progress(slot.status)

        await asyncio.gather(*(load(slot) for slot in self._slots.values()))

    async def close(self) -> None:
        """Free all engines; notes under way fail."""
        await asyncio.gather(*(slot.close() for slot in self._slots.values()))
        for device in self._devices:
            device.close()

    def status(self) -> tuple[EngineStatus, ...]:
        """Every engine of the order as it stands now."""
        return tuple(slot.status for slot in self._slots.values())

    def plan(
        self,
        text: str,
        voice: Voice,
        *,
        language: str | None = None,
        max_spoken_s: float | None = None,
        lexicon: Mapping[str, str] | None = None,
    ) -> UtterancePlan:
        """What `speak` will say, segment by segment. Raises BadText."""
        # The plan counts at the engines' own pace; a faster voice fits more into the same seconds.
        budget_s = None if max_spoken_s is None else max_spoken_s * voice.speed
        return plan_utterance(text, language=language or voice.language, lexicon=lexicon or {}, max_spoken_s=budget_s)

    async def speak(
        self,
        text: str,
        voice: Voice,
        *,
        language: str | None = None,
        max_spoken_s: float | None = None,
        deadline_s: float | None = None,
        lexicon: Mapping[str, str] | None = None,
        seed: int | None = None,
        audio_format: AudioFormat = AudioFormat.OGG,
    ) -> VoiceNote:
        """One note that says all of `text` (up to `max_spoken_s`), read back and found proper.

        `deadline_s` counts from now. Raises BadText before any engine is asked, NoVoice or DeadlineExceeded with the
        attempts made, BadAudio when the note cannot be made small enough to be one.
        """
        started_s = self._clock()
        plan = await asyncio.to_thread(
            self.plan, text, voice, language=language, max_spoken_s=max_spoken_s, lexicon=lexicon
        )
        plan_s = self._clock() - started_s
        remaining_s = None if deadline_s is None else deadline_s - plan_s
        course = _Course(attempts=[])
        note_id = uuid.uuid4().hex
        try:
            async with asyncio.timeout(remaining_s) as limit:
                slot, spoken_as, rendering = await self._render(plan, voice, seed=seed, course=course)
                pauses_ms = [segment.pause_after_ms for segment in plan.segments]
                tags = {TAG_SYNTHETIC: "1", TAG_RECORD: note_id} if self._tagged else {}
                finished = await asyncio.to_thread(
                    finish,
                    rendering.segments,
                    pauses_ms,
                    audio_format,
                    self._opus,
                    tags=tags,
                    watermark=self._watermark,
                )
        except TimeoutError as error:
            if not limit.expired():
                raise
            self._ran_out_of_time(course)
            raise DeadlineExceeded(f"no note within {deadline_s:g} s", attempts=tuple(course.attempts)) from error
        return VoiceNote(
            data=finished.data,
            mime=audio_format.mime,
            duration_s=finished.audio.duration_s,
            sample_rate_hz=finished.audio.sample_rate_hz,
            peaks=finished.peaks,
            sha256=hashlib.sha256(finished.data).hexdigest(),
            voice_id=voice.id,
            voice_version=voice.version,
            language=plan.language,
            engine=slot.name,
            model=slot.status.model,
            spoken=tuple(segment.text for segment in plan.segments),
            truncated=plan.truncated,
            attempts=tuple(course.attempts),
            timings=Timings(
                plan_s=plan_s,
                queue_s=rendering.queue_s,
                generate_s=rendering.generate_s,
                gate_s=rendering.gate_s,
                encode_s=finished.took_s,
            ),
            loudness_dbfs=finished.loudness_dbfs,
            making=_making(spoken_as, slot, rendering, watermarked=self._watermark is not None),
            scores=rendering.scores,
            id=note_id,
        )

    async def prepare(self, voice: Voice) -> None:
        """Make the voice's profiles ahead, for every engine that would be asked now; failures are only logged."""
        voice, choice = await self._choose(voice, voice.language)
        for name in choice.candidates:
            try:
                await self._slots[name].profile(voice)
            except TtsError as error:
                _log.warning("voice.not_prepared", voice=voice.id, engine=name, reason=type(error).__name__)

    async def design(self, prompt: str, *, language: str, seed: int = 0) -> DesignedClip:
        """A reference clip in the voice of the prompt (the installation's own for a blank one).

        The first loaded engine that designs makes it; seconds, or minutes where its model has to be fetched first.
        Raises NoVoice with the attempts when none does.
        """
        attempts = []
        for slot in self._slots.values():
            if not slot.designs:
                attempts.append(Attempt(engine=slot.name, outcome=SKIPPED, reason="does not design voices here"))
                continue
            try:
                return await slot.design(prompt or self._prompt_default, language=language, seed=seed)
            except TtsError as error:
                attempts.append(Attempt(engine=slot.name, outcome=type(error).__name__, reason=str(error)))
        raise NoVoice("no engine here makes a voice of a prompt", attempts=tuple(attempts))

    def wants_design(self, voice: Voice) -> bool:
        """Whether it is a prompt alone, and a clip can be designed here that one of its engines would clone."""
        if voice.sources or not any(slot.designs for slot in self._slots.values()):
            return False
        infos = [self._slots[name].view.info for name in voice.engines or self._slots if name in self._slots]
        return any(info is not None and SourceKind.DESIGNED in info.source_kinds for info in infos)

    async def _choose(self, voice: Voice, language: str) -> tuple[Voice, Choice]:
        """What may be spoken of the voice now, and by whom."""
        barred = await self._casting.refusal(voice)
        voice = stand_in_only(voice) if barred else voice
        views = {name: slot.view for name, slot in self._slots.items()}
        return voice, choose_engines(voice, language, installed=tuple(self._slots), views=views, barred=barred)

    async def _render(
        self, plan: UtterancePlan, voice: Voice, *, seed: int | None, course: _Course
    ) -> tuple[EngineSlot, Voice, Rendering]:
        """The rendering of the first engine that succeeds, that engine, and what it spoke of the voice."""
        voice, choice = await self._choose(voice, plan.language)
        course.attempts += choice.skipped
        utterances = [
            Utterance(
                text=segment.text,
                language=segment.language,
                voice=voice,
                expected_s=segment.expected_s / voice.speed,
                seed=voice.seed if seed is None else seed,
            )
            for segment in plan.segments
        ]
        for name in choice.candidates:
            slot = self._slots[name]
            if not slot.view.allowed:  # since the choice, others have found it failing, or are trying it out
                reason = f"breaker {slot.view.breaker}: it failed too often"
                course.attempts.append(Attempt(engine=name, outcome=SKIPPED, reason=reason))
                continue
            course.asked, course.asked_at_s = slot, self._clock()
            try:
                rendering = await slot.render(utterances)
            except TtsError as error:
                self._answered(course, type(error).__name__, str(error))
                _log.warning("engine.attempt_failed", engine=name, outcome=type(error).__name__)
                continue
            barred = await self._casting.refusal(replace(voice, sources=_used(voice, slot)))
            if barred:  # withdrawn while it was spoken: nobody is to hear it, and the rest is for the stand-in
                self._answered(course, NoConsent.__name__, barred)
                return await self._render(plan, voice, seed=seed, course=course)
            self._answered(course, OK, "; ".join(f"refused a take: {reason}" for reason in rendering.refused))
            return slot, voice, rendering
        raise NoVoice("no engine could speak this voice", attempts=tuple(course.attempts))

    def _answered(self, course: _Course, outcome: str, reason: str) -> None:
        if course.asked is None:
            return
        latency_s = self._clock() - course.asked_at_s
        course.attempts.append(Attempt(engine=course.asked.name, outcome=outcome, reason=reason, latency_s=latency_s))
        course.asked = None

    def _ran_out_of_time(self, course: _Course) -> None:
        if course.asked is not None:
            course.asked.ran_out_of_time(course.asked_at_s)
        self._answered(course, DeadlineExceeded.__name__, "the caller's time was over")


def _making(voice: Voice, slot: EngineSlot, rendering: Rendering, *, watermarked: bool) -> Making:
    return Making(
        sample_count=sum(source.kind in RECORDED and source.weight > 0 for source in voice.sources),
        prompt_mark=hashlib.sha256(voice.prompt.encode()).hexdigest()[:12] if voice.prompt else "",
        profile=rendering.profile,
        batch_size=rendering.batch_size,
        gpu_memory_bytes=gpu_memory_bytes(),
        sources=tuple(f"{source.kind}:{source.ref}" for source in _used(voice, slot) if source.weight > 0),
        watermarked=watermarked,
    )


def _used(voice: Voice, slot: EngineSlot) -> tuple[VoiceSource, ...]:
    """What the engine was given of the voice."""
    info = slot.view.info
    return (usable_sources(voice, info) if info else None) or ()

"""One engine at work: its life, its breaker, and the takes of a note's segments. Must not know other engines or notes.

A segment whose take the gate refuses is spoken again with another seed, then in two parts; the rest of the note keeps
what it has.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

import structlog

from tts.audio.pcm import fade_edges, join, trim_edges
from tts.batching import Batcher, BatchPolicy, BatchStats, Device
from tts.breaker import Breaker, BreakerPolicy, BreakerState
from tts.casting import Casting, Found
from tts.contract import CastingEngine, DesigningEngine, Engine, PcmAudio, Utterance, Voice
from tts.errors import (
    DeadlineExceeded,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    TakeRejected,
    TtsError,
)
from tts.fallback import EngineView
from tts.gate import Check, Scores, worst_scores
from tts.text import expected_duration_s
from tts.text.halves import halves
from tts.text.sentences import CLAUSE_PAUSE_MS, has_word
from tts.voices.design import DesignedClip, design_text

_log = structlog.get_logger()

_BACKOFF_S = 0.2
_SHORTEST_PARTED_S = 2.0  # a shorter segment would fall into words


class EngineState(StrEnum):
    """Where an engine stands."""

    NOT_CONFIGURED = "not configured"
    WAITING = "not loaded yet"
    LOADED = "loaded"
    FAILED = "failed"
    HUNG = "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    """One engine as an operator sees it. `queue_depth` counts waiting segments."""

    engine: str
    state: EngineState
    reason: str
    breaker: BreakerState
    queue_depth: int
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """A note's accepted segments in order, and where the time went in seconds; gating overlaps generating.

    `profile` says where the voice's profile came from, empty when the engine needs none. `scores` are the worst of all
    segments, `refused` why takes were refused on the way.
    """

    segments: tuple[PcmAudio, ...]
    queue_s: float
    generate_s: float
    gate_s: float
    batch_size: int
    profile: str = ""
    scores: Scores = ()
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    audio: PcmAudio
    queue_s: float
    gate_s: float
    batch_size: int
    scores: Scores
    refused: tuple[str, ...] = ()


class EngineSlot:
    """An engine with its queue and breaker.

    `engine` None stands for a known engine that is not configured; `reason` tells what is missing for that.
    """

    def __init__(
        self,
        name: str,
        engine: Engine | None,
        *,
        device: Device,
        batching: BatchPolicy,
        breaker: BreakerPolicy,
        gate: Check,
        casting: Casting,
        takes: int,
        on_hung: Callable[[str, Sequence[Utterance]], None],
        on_batch: Callable[[BatchStats], None],
        reason: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._engine = engine
        self._device = device
        self._gate = gate
        self._casting = casting
        self._takes = takes
        self._clock = clock
        self._sleep = sleep
        self._breaker = Breaker(policy=breaker)
        self._state = EngineState.WAITING if engine else EngineState.NOT_CONFIGURED
        self._reason = reason
        self._on_hung = on_hung
        self._batcher: Batcher | None = None
        if engine is not None:
            policy = replace(batching, max_batch=min(batching.max_batch, engine.info.max_batch))
            self._batcher = Batcher(
                engine, device=device, policy=policy, on_hung=self._hung, on_batch=on_batch, clock=clock
            )

    @property
    def status(self) -> EngineStatus:
        """What to show of it."""
        return EngineStatus(
            engine=self.name,
            state=self._state,
            reason=self._reason,
            breaker=self._breaker.state(self._clock()),
            queue_depth=self._batcher.depth if self._batcher else 0,
            model=self._engine.info.model if self._engine else "",
        )

    @property
    def view(self) -> EngineView:
        """What the fallback's choice knows of it."""
        now_s = self._clock()
        unavailable = "" if self._state is EngineState.LOADED else f"{self._state}: {self._reason}".rstrip(": ")
        return EngineView(
            info=self._engine.info if self._engine else None,
            unavailable=unavailable,
            breaker=self._breaker.state(now_s),
            allowed=self._breaker.allows(now_s),
        )

    async def load(self) -> None:
        """Load on the device's thread; a failure is kept as the reason and raised by nobody."""
        if self._engine is None or self._state is EngineState.LOADED:
            return
        started_s = self._clock()
        try:
            await asyncio.get_running_loop().run_in_executor(self._device.executor, self._engine.load)
        except TtsError as error:
            self._state, self._reason = EngineState.FAILED, str(error)
            _log.warning("engine.load_failed", engine=self.name, reason=str(error))
        except Exception as error:  # noqa: BLE001 - the boundary to foreign model code: one engine must not stop the rest
            self._state, self._reason = EngineState.FAILED, f"{type(error).__name__} while loading"
            _log.exception("engine.load_failed", engine=self.name)
        else:
            self._state = EngineState.LOADED
            _log.info("engine.loaded", engine=self.name, took_s=round(self._clock() - started_s, 3))

    async def close(self) -> None:
        """Stop the queue and free the model, unless its thread hangs."""
        if self._engine is None or self._batcher is None:
            return
        await self._batcher.close()
        if self._state is EngineState.LOADED:
            self._state = EngineState.WAITING
            await asyncio.get_running_loop().run_in_executor(self._device.executor, self._engine.close)

    async def render(self, utterances: Sequence[Utterance]) -> Rendering:
        """All segments, accepted by the gate. Raises the error of the first that failed; the breaker has counted it."""
        group = uuid.uuid4().hex
        started_s = self._clock()
        self._breaker = self._breaker.asked(started_s)
        try:
            found = await self.profile(utterances[0].voice)
            profile = found.profile if found else None
            cast = [replace(utterance, profile=profile) for utterance in utterances]
            done = await self._segments(cast, group, self._segment)
        except TtsError as error:
            self._count(error)
            raise
        self._breaker = self._breaker.succeeded()
        queue_s = min(segment.queue_s for segment in done)
        return Rendering(
            segments=tuple(segment.audio for segment in done),
            queue_s=queue_s,
            generate_s=self._clock() - started_s - queue_s,
            gate_s=sum(segment.gate_s for segment in done),
            batch_size=max(segment.batch_size for segment in done),
            profile=found.origin if found else "",
            scores=worst_scores(segment.scores for segment in done),
            refused=tuple(reason for segment in done for reason in segment.refused),
        )

    async def profile(self, voice: Voice) -> Found | None:
        """The profile this engine speaks `voice` with; None when it needs none. Raises what Casting raises."""
        engine, batcher = self._engine, self._batcher
        if batcher is None or not isinstance(engine, CastingEngine):
            return None
        return await self._casting.profile(
            voice, engine.info, lambda sources: batcher.alone(lambda: engine.cast(voice, sources))
        )

    @property
    def designs(self) -> bool:
        """Whether it is loaded and makes voices of prompts."""
        engine = self._engine
        return self._state is EngineState.LOADED and isinstance(engine, DesigningEngine) and engine.info.designs

    async def design(self, prompt: str, *, language: str, seed: int) -> DesignedClip:
        """A clip in the voice of the prompt that the gate accepts; each further take has the next seed.

        Raises TakeRejected when none is accepted, EngineUnavailable when the engine does not design.
        """
        engine, batcher = self._engine, self._batcher
        if batcher is None or not isinstance(engine, DesigningEngine):
            raise EngineUnavailable(f"{self.name} does not design voices")
        text, spoken = design_text(language)
        said = Utterance(
            text=text,
            language=spoken,
            voice=Voice(id="", language=spoken, prompt=prompt),
            expected_s=expected_duration_s(text, spoken),
        )
        refused: TakeRejected | None = None
        for take in range(self._takes):
            work = partial(engine.design, prompt, text=text, language=spoken, seed=seed + take)
            audio = await batcher.alone(work)
            try:
                await self._judged(audio, said)
            except TakeRejected as error:
                refused = error
            else:
                return DesignedClip(audio=audio, transcript=text, engine=self.name, model=engine.info.model)
        raise refused or TakeRejected("no take was made")

    def ran_out_of_time(self) -> None:
        """A caller's deadline passed while this engine spoke: to the breaker that is a failure."""
        self._breaker = self._breaker.failed(self._clock())

    @staticmethod
    async def _segments(
        utterances: Sequence[Utterance], group: str, speak: Callable[[Utterance, str], Coroutine[Any, Any, _Segment]]
    ) -> list[_Segment]:
        """All segments spoken together. Raises the error of the first that failed, and stops the others."""
        try:
            async with asyncio.TaskGroup() as together:
                tasks = [together.create_task(speak(utterance, group)) for utterance in utterances]
        except ExceptionGroup as errors:
            error = errors.exceptions[0]
            raise error from error.__cause__
        return [task.result() for task in tasks]

    async def _segment(self, utterance: Utterance, group: str) -> _Segment:
        """One segment's first accepted take; when none is, the segment in two parts."""
        refused: list[str] = []
        try:
            return await self._take(utterance, group, refused)
        except TakeRejected:
            parts = _parted(utterance)
            if not parts:
                raise
        done = await self._segments(parts, group, self._take_of_part)
        return _Segment(
            audio=join([fade_edges(trim_edges(part.audio)) for part in done], [CLAUSE_PAUSE_MS] * len(done)),
            queue_s=min(part.queue_s for part in done),
            gate_s=sum(part.gate_s for part in done),
            batch_size=max(part.batch_size for part in done),
            scores=worst_scores(part.scores for part in done),
            refused=(*refused, *(reason for part in done for reason in part.refused)),
        )

    async def _take_of_part(self, utterance: Utterance, group: str) -> _Segment:
        return await self._take(utterance, group, [])

    async def _take(self, utterance: Utterance, group: str, refused: list[str]) -> _Segment:
        """The first accepted take; `refused` gathers why others were not.

        A take that must fail again the same way is not repeated.
        """
        if self._engine is None or self._batcher is None:
            raise EngineUnavailable(f"{self.name} is not configured")
        for take in range(self._takes):
            try:
                spoken = await self._batcher.submit(_reseeded(utterance, take), group=group)
                started_s = self._clock()
                scores = await self._judged(spoken.audio, utterance)
                return _Segment(
                    audio=spoken.audio,
                    queue_s=spoken.queue_s,
                    gate_s=self._clock() - started_s,
                    batch_size=spoken.batch_size,
                    scores=scores,
                    refused=tuple(refused),
                )
            except TakeRejected as error:
                refused.append(str(error))
                if self._engine.info.deterministic or take + 1 == self._takes:
                    raise
            except EngineOverloaded:
                raise
            except EngineFailed as error:
                if not error.retryable or take + 1 == self._takes:
                    raise
                await self._sleep(_BACKOFF_S * 2**take * random.uniform(0.75, 1.25))
        raise AssertionError("every take returns or raises")

    async def _judged(self, audio: PcmAudio, utterance: Utterance) -> Scores:
        """The scores of a take that passes. Raises TakeRejected."""
        verdict = await self._gate.judge(audio, utterance)
        if not verdict.passed:
            raise TakeRejected("; ".join(verdict.reasons))
        return verdict.scores

    def _count(self, error: Exception) -> None:
        """Only what is the engine's fault opens the breaker; an answer to a bad text or voice shows that it lives."""
        if isinstance(error, EngineOverloaded):
            self._breaker = self._breaker.undecided()
        elif isinstance(error, EngineFailed | DeadlineExceeded):
            self._breaker = self._breaker.failed(self._clock())
        else:
            self._breaker = self._breaker.succeeded()

    def _hung(self, name: str, suspects: Sequence[Utterance]) -> None:
        self._state, self._reason = EngineState.HUNG, "a batch passed its deadline; the process has to be restarted"
        self._on_hung(name, suspects)


def _reseeded(utterance: Utterance, take: int) -> Utterance:
    """The first take keeps its seed (or its lack of one); later takes get seeds that follow from it."""
    return utterance if take == 0 else replace(utterance, seed=(utterance.seed or 0) + take)


def _parted(utterance: Utterance) -> tuple[Utterance, ...]:
    """The utterance in two, each with its share of the expected length; none when it is too short for that."""
    parts = halves(utterance.text) if utterance.expected_s >= _SHORTEST_PARTED_S else None
    if parts is None or not all(has_word(part) for part in parts):
        return ()
    letters = sum(map(len, parts))
    return tuple(replace(utterance, text=part, expected_s=utterance.expected_s * len(part) / letters) for part in parts)

"""One engine at work: its life, its models, its breaker and its profiles. Must not know other engines or notes."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import structlog

from tts.batch_choice import BatchPolicy
from tts.batching import Batcher, BatchStats, Device
from tts.breaker import Breaker, BreakerPolicy, BreakerState
from tts.casting import Casting, Found, Origin
from tts.contract import (
    CastingEngine,
    DesigningEngine,
    Engine,
    PcmAudio,
    SelectiveEngine,
    SourceKind,
    Utterance,
    Voice,
)
from tts.errors import (
    BadText,
    DeadlineExceeded,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    StaleProfile,
    TakeRejected,
    TtsError,
)
from tts.fallback import EngineView
from tts.gate import Check, Scores, worst_scores
from tts.takes import TakeMaker
from tts.text import expected_duration_s
from tts.unattended import unattended
from tts.voices.design import DesignedClip, design_text
from tts.voices.mix import kinds_needed

_log = structlog.get_logger()

_LOAD_AGAIN_S = 60.0


class EngineState(StrEnum):
    """Where an engine stands."""

    NOT_CONFIGURED = "not configured"
    WAITING = "not loaded yet"
    LOADED = "loaded"
    FAILED = "failed"
    LOST = "lost"


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
        on_lost: Callable[[str, Sequence[Utterance]], None],
        on_batch: Callable[[BatchStats], None],
        reason: str = "",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self._engine = engine
        self._device = device
        self._casting = casting
        self._tries = takes
        self._clock = clock
        self._breaker = Breaker(policy=breaker)
        self._state = EngineState.WAITING if engine else EngineState.NOT_CONFIGURED
        self._reason = reason
        self._on_lost = on_lost
        self._load_deadline_s = batching.load_deadline_s
        self._loads: dict[frozenset[SourceKind], asyncio.Task[None]] = {}
        self._rendered_at_s = -math.inf
        self._batcher: Batcher | None = None
        self._takes: TakeMaker | None = None
        if engine is not None:
            policy = replace(batching, max_batch=min(batching.max_batch, engine.info.max_batch))
            self._batcher = Batcher(
                engine, device=device, policy=policy, on_lost=self._lost, on_batch=on_batch, clock=clock
            )
            self._takes = TakeMaker(self._batcher, gate=gate, takes=takes, clock=clock, sleep=sleep)

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

    async def load(self, voices: Sequence[Voice] | None = None) -> None:
        """Load on the device's thread what `voices` need, or all; a failure is kept as the reason, raised by nobody."""
        engine = self._engine
        if engine is None or self._state is EngineState.LOADED:
            return
        started_s = self._clock()
        work = engine.load
        if voices is not None and isinstance(engine, SelectiveEngine):
            work = partial(engine.load_for, kinds_needed(voices, engine.info))
        try:
            await asyncio.get_running_loop().run_in_executor(self._device.executor, work)
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
        if self._engine is None or self._takes is None:
            raise EngineUnavailable(f"{self.name} is not configured")
        started_s = self._clock()
        self._breaker = self._breaker.asked(started_s)
        voice = utterances[0].voice
        try:
            found = await self.profile(voice)
            try:
                done = await self._takes.segments(_cast(utterances, found), self._engine.info)
            except StaleProfile:
                if found is None or found.origin is Origin.MADE:
                    raise
                found = await self.profile(voice, anew=True)
                done = await self._takes.segments(_cast(utterances, found), self._engine.info)
        except TtsError as error:
            self._count(error)
            raise
        self._now_is(self._breaker.succeeded(self._clock()))
        self._rendered_at_s = self._clock()
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

    async def profile(self, voice: Voice, *, anew: bool = False) -> Found | None:
        """The profile this engine speaks `voice` with, also `anew`; None when it needs none.

        A model the voice needs is loaded first, which may take minutes. Raises what that and Casting raise.
        """
        engine, batcher = self._engine, self._batcher
        if batcher is None or engine is None:
            return None
        if isinstance(engine, SelectiveEngine):
            kinds = kinds_needed((voice,), engine.info)
            if not engine.ready_for(kinds):
                await self._bring_in(engine, kinds)
        if not isinstance(engine, CastingEngine):
            return None
        return await self._casting.profile(
            voice, engine.info, lambda sources: batcher.alone(partial(engine.cast, voice, sources)), anew=anew
        )

    async def _bring_in(self, engine: SelectiveEngine, kinds: frozenset[SourceKind]) -> None:
        """Load what speaks `kinds`, once for all who ask; whoever gives up stops it for nobody."""
        task = self._loads.get(kinds)
        if task is None:
            _log.info("engine.loading_more", engine=self.name, kinds=sorted(kinds))
            self._loads[kinds] = task = asyncio.create_task(self._more(engine, kinds), name=f"loading-{self.name}")
            task.add_done_callback(lambda done: self._brought_in(kinds, done))
        await asyncio.shield(task)

    async def _more(
        self, engine: SelectiveEngine, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False
    ) -> None:
        """Fetch and load models. Fetching takes minutes, in which the device's thread can speak for others."""
        if self._batcher is not None:
            await unattended(partial(engine.fetch, kinds, designing=designing), name=f"fetching-{self.name}")
            work = partial(engine.load_for, kinds, designing=designing)
            await self._batcher.alone(work, deadline_s=self._load_deadline_s)

    def _brought_in(self, kinds: frozenset[SourceKind], task: asyncio.Task[None]) -> None:
        failed = not task.cancelled() and task.exception() is not None
        # What failed fails for the next ones too: while it is tried, nobody else is spoken for.
        task.get_loop().call_later(_LOAD_AGAIN_S if failed else 0.0, self._loads.pop, kinds, None)

    @property
    def designs(self) -> bool:
        """Whether it is loaded and makes voices of prompts."""
        engine = self._engine
        return self._state is EngineState.LOADED and isinstance(engine, DesigningEngine) and engine.info.designs

    async def design(self, prompt: str, *, language: str, seed: int) -> DesignedClip:
        """A clip in the voice of the prompt that the gate accepts; each further take has the next seed.

        The model that designs is fetched and loaded for it where it is not here.
        Raises TakeRejected when none is accepted, EngineUnavailable when the engine does not design.
        """
        engine, batcher, gated = self._engine, self._batcher, self._takes
        if batcher is None or gated is None or not isinstance(engine, DesigningEngine):
            raise EngineUnavailable(f"{self.name} does not design voices")
        text, spoken = design_text(language)
        said = Utterance(
            text=text,
            language=spoken,
            voice=Voice(id="", language=spoken, prompt=prompt),
            expected_s=expected_duration_s(text, spoken),
        )
        refused: TakeRejected | None = None
        if isinstance(engine, SelectiveEngine):
            await self._more(engine, designing=True)
        for take in range(self._tries):
            work = partial(engine.design, prompt, text=text, language=spoken, seed=seed + take)
            audio = await batcher.alone(work)
            try:
                await gated.accepted(audio, said)
            except TakeRejected as error:
                refused = error
            else:
                return DesignedClip(audio=audio, transcript=text, engine=self.name, model=engine.info.model)
        raise refused or TakeRejected("no take was made")

    def ran_out_of_time(self, asked_at_s: float) -> None:
        """A caller's deadline passed while this engine was asked: a failure, unless it was only busy.

        So it was when it finished others' notes since, or its device loaded a model, cast or designed: it would be no
        better for being left alone.
        """
        busy = max(self._rendered_at_s, self._device.busy_until_s()) >= asked_at_s
        self._now_is(self._breaker.undecided() if busy else self._breaker.failed(self._clock()))

    def _count(self, error: Exception) -> None:
        """Only what is the engine's fault opens the breaker; only what the engine itself answered shows that it lives.

        A voice that cannot be had, a model that is not here and a full queue tell nothing of it.
        """
        now_s = self._clock()
        if isinstance(error, EngineOverloaded):
            self._now_is(self._breaker.undecided())
        elif isinstance(error, EngineFailed | DeadlineExceeded):
            self._now_is(self._breaker.failed(now_s))
        elif isinstance(error, BadText | TakeRejected):
            self._now_is(self._breaker.succeeded(now_s))
        else:
            self._now_is(self._breaker.undecided())

    def _now_is(self, breaker: Breaker) -> None:
        """Where the breaker stands from here on; its opening and closing is logged."""
        before, self._breaker = self._breaker, breaker
        if breaker.opened_at_s is None and before.opened_at_s is not None:
            _log.info("engine.breaker_closed", engine=self.name)
        elif breaker.opened_at_s is not None and breaker.opened_at_s != before.opened_at_s:
            _log.warning("engine.breaker_opened", engine=self.name, recovery_s=breaker.policy.recovery_s)

    def _lost(self, name: str, suspects: Sequence[Utterance]) -> None:
        self._state, self._reason = EngineState.LOST, self._batcher.lost if self._batcher else ""
        self._on_lost(name, suspects)


def _cast(utterances: Sequence[Utterance], found: Found | None) -> list[Utterance]:
    return [replace(utterance, profile=found.profile if found else None) for utterance in utterances]

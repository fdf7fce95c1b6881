"""Engines that fail at random: whatever happens, a note comes from the first engine that can, or there is a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tts.audio.opus import OpusChoices
from tts.batch_choice import BatchPolicy
from tts.batching import Device
from tts.breaker import BreakerPolicy
from tts.casting import Casting
from tts.checks.signal import SignalCheck
from tts.contract import Attempt, PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.fake import FakeEngine
from tts.errors import BadVoice, EngineFailed, EngineOverloaded, NoVoice, TakeRejected, TtsError
from tts.fallback import SKIPPED
from tts.material import MemoryMaterial
from tts.slots import EngineSlot
from tts.speaker import OK, Speaker, _Course
from tts.text import plan_utterance

PLAN = plan_utterance("Yes.", language="en")
NAMES = ("first", "second", "third")
VOICE = Voice(id="v", language="en", sources=(VoiceSource(kind=SourceKind.STYLE, ref="low"),))
POLICY = BreakerPolicy(failures=2, window_s=60.0, recovery_s=30.0)
ERRORS: dict[str, TtsError | RuntimeError] = {
    "failed": EngineFailed("x"),
    "no room": EngineOverloaded("x", retry_after_s=1.0),
    "bad voice": BadVoice("x"),
    "rejected": TakeRejected("x"),
    "crashed": RuntimeError("x"),
}
OUTCOMES = {
    "ok": OK, "failed": "EngineFailed", "no room": "EngineOverloaded", "bad voice": "BadVoice",
    "rejected": "TakeRejected", "crashed": "EngineFailed",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One note: how each engine would fare, and the time that passes before."""

    fates: tuple[str, ...]
    wait_s: float


steps = st.lists(
    st.builds(
        Step,
        fates=st.tuples(*[st.sampled_from(sorted(OUTCOMES))] * len(NAMES)),
        wait_s=st.sampled_from([0.0, 10.0, 31.0, 100.0]),
    ),
    min_size=1,
    max_size=8,
)


class Scripted(FakeEngine):
    """Fares as it is told."""

    fate = "ok"

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        if self.fate != "ok":
            raise ERRORS[self.fate]
        return super().synthesize(batch)


class House:
    """Three engines that speak the same voice, with a clock of our own."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.engines = [Scripted(name=name) for name in NAMES]
        device, casting = Device("test"), Casting(MemoryMaterial())
        slots = [self._slot(engine, device, casting) for engine in self.engines]
        self.speaker = Speaker(slots, devices=[device], opus=OpusChoices(), casting=casting, clock=lambda: self.now_s)

    def _slot(self, engine: FakeEngine, device: Device, casting: Casting) -> EngineSlot:
        return EngineSlot(
            engine.info.name,
            engine,
            device=device,
            batching=BatchPolicy(max_batch=8, max_wait_s=0.0, deadline_s=60.0),
            breaker=POLICY,
            gate=SignalCheck(),
            casting=casting,
            takes=1,
            on_lost=lambda _name, _suspects: None,
            on_batch=lambda _stats: None,
            clock=lambda: self.now_s,
        )

    async def note(self, step: Step) -> tuple[str | None, tuple[Attempt, ...]]:
        self.now_s += step.wait_s
        for engine, fate in zip(self.engines, step.fates, strict=True):
            engine.fate = fate
        course = _Course(attempts=[])
        try:
            # Without planning and encoding, which are the same whoever speaks and take most of the time.
            slot, _, _ = await self.speaker._render(PLAN, VOICE, seed=None, course=course)
        except NoVoice as error:
            return None, error.attempts
        return slot.name, tuple(course.attempts)


async def course(script: Sequence[Step]) -> None:
    house = House()
    await house.speaker.start()
    failed_at_s: dict[str, list[float]] = {name: [] for name in NAMES}
    try:
        for step in script:
            engine, attempts = await house.note(step)
            check(engine, attempts, dict(zip(NAMES, step.fates, strict=True)))
            for attempt in attempts:
                if attempt.outcome == SKIPPED:
                    # left alone only while it has failed twice within the window, and lately
                    assert len(failed_at_s[attempt.engine]) >= POLICY.failures
                    assert house.now_s - failed_at_s[attempt.engine][-1] < POLICY.recovery_s
                elif attempt.outcome == "EngineFailed":
                    failed_at_s[attempt.engine].append(house.now_s)
    finally:
        await house.speaker.close()


def check(engine: str | None, attempts: Sequence[Attempt], fates: dict[str, str]) -> None:
    asked = [attempt for attempt in attempts if attempt.outcome != SKIPPED]
    skipped = {attempt.engine for attempt in attempts if attempt.outcome == SKIPPED}
    assert [attempt.engine for attempt in asked] == [name for name in NAMES if name not in skipped][: len(asked)]
    assert [attempt.outcome for attempt in asked] == [OUTCOMES[fates[attempt.engine]] for attempt in asked]
    assert all(attempt.reason for attempt in attempts if attempt.outcome != OK)
    if engine is None:
        assert {attempt.engine for attempt in attempts} == set(NAMES)
        assert all(attempt.outcome != OK for attempt in attempts)
    else:
        assert asked[-1].outcome == OK
        assert [attempt.outcome for attempt in asked].count(OK) == 1
        assert engine == asked[-1].engine


@settings(max_examples=30, deadline=None)
@given(steps)
def test_the_first_engine_that_can_speaks_and_every_other_one_has_a_reason(script: list[Step]) -> None:
    with capture_logs():  # a crash is logged with its traceback, and drawing hundreds of them takes minutes
        asyncio.run(course(script))

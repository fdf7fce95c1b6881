import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from structlog.testing import capture_logs

from tts.batch_choice import BatchPolicy
from tts.batching import Device
from tts.breaker import BreakerPolicy, BreakerState
from tts.casting import Casting, Origin
from tts.checks.signal import SignalCheck
from tts.contract import PcmAudio, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.fake import FakeCastingEngine, FakeEngine, tone
from tts.errors import (
    BadText,
    BadVoice,
    DeadlineExceeded,
    DeviceLost,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    StaleProfile,
    TakeRejected,
)
from tts.material import MemoryMaterial
from tts.slots import EngineSlot, EngineState
from tts.voices.design import DesignedClip

VOICE = Voice(id="v", language="en")
CLIP_OF_IT = DesignedClip(audio=tone("clip", seconds=4.0), transcript="clip", engine="fake", model="tone")
CLIP = MemoryMaterial().add_clip(CLIP_OF_IT, language="en")
SILENT = PcmAudio(samples=np.zeros(24_000, np.float32), sample_rate_hz=24_000)


def utterance(text: str = "hello", *, seed: int | None = None) -> Utterance:
    return Utterance(text=text, language="en", voice=VOICE, expected_s=0.5, seed=seed)


class House:
    def __init__(self) -> None:
        self.now_s = 100.0
        self.slept_s: list[float] = []
        self.hung: list[str] = []
        self.device = Device("test")
        self.material = MemoryMaterial()
        self.material.add_clip(CLIP_OF_IT, language="en")
        self.slots: list[EngineSlot] = []

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)

    async def slot(
        self,
        engine: FakeEngine | None,
        *,
        takes: int = 2,
        deadline_s: float = 60.0,
        voices: Sequence[Voice] | None = None,
    ) -> EngineSlot:
        slot = EngineSlot(
            "fake",
            engine,
            device=self.device,
            batching=BatchPolicy(max_batch=16, max_wait_s=0.0, deadline_s=deadline_s),
            breaker=BreakerPolicy(failures=2, window_s=60.0, recovery_s=30.0),
            gate=SignalCheck(),
            casting=Casting(self.material),
            takes=takes,
            on_lost=lambda name, _suspects: self.hung.append(name),
            on_batch=lambda _stats: None,
            clock=lambda: self.now_s,
            sleep=self.sleep,
        )
        self.slots.append(slot)
        await slot.load(voices)
        return slot


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    for slot in house.slots:
        await slot.close()
    house.device.close()


def seeds(engine: FakeEngine) -> list[int | None]:
    return [utterance.seed for batch in engine.batches for utterance in batch]


async def test_a_loaded_engine_says_so(house: House) -> None:
    slot = await house.slot(FakeEngine())

    assert (slot.status.state, slot.status.model, slot.view.unavailable) == (EngineState.LOADED, "tone", "")


async def test_an_engine_that_cannot_load_keeps_the_reason(house: House) -> None:
    engine = FakeEngine()
    engine.loads_with = EngineUnavailable("no weights: fetch them")

    slot = await house.slot(engine)

    assert slot.status.state is EngineState.FAILED
    assert slot.view.unavailable == "failed: no weights: fetch them"


async def test_a_known_engine_without_configuration_says_so(house: House) -> None:
    slot = await house.slot(None)

    assert slot.status.state is EngineState.NOT_CONFIGURED
    assert slot.view.unavailable == "not configured"


async def test_segments_come_back_in_the_order_of_the_text(house: House) -> None:
    slot = await house.slot(FakeEngine(max_batch=1))
    lengths = (0.9, 0.3, 0.6)

    rendering = await slot.render([Utterance(text=str(s), language="en", voice=VOICE, expected_s=s) for s in lengths])

    assert [segment.duration_s for segment in rendering.segments] == pytest.approx(lengths)


async def test_a_rejected_take_is_spoken_again_with_another_seed(house: House) -> None:
    engine = FakeEngine()
    engine.results = [SILENT]

    await (await house.slot(engine)).render([utterance(seed=7)])

    assert seeds(engine) == [7, 8]


async def test_only_the_rejected_segment_is_spoken_again(house: House) -> None:
    engine = FakeEngine(max_batch=1)
    engine.results = [SILENT]

    await (await house.slot(engine)).render([utterance("a"), utterance("b")])

    assert sorted(batch[0].text for batch in engine.batches) == ["a", "a", "b"]


async def test_a_note_is_given_up_when_every_take_is_rejected(house: House) -> None:
    engine = FakeEngine()
    engine.results = [SILENT] * 3

    with pytest.raises(TakeRejected, match="silent"):
        await (await house.slot(engine, takes=3)).render([utterance()])

    assert len(engine.batches) == 3


async def test_an_engine_that_cannot_vary_is_not_asked_twice(house: House) -> None:
    engine = FakeEngine(deterministic=True)
    engine.results = [SILENT]

    with pytest.raises(TakeRejected):
        await (await house.slot(engine)).render([utterance()])

    assert len(engine.batches) == 1


async def test_a_failure_is_tried_again_after_growing_pauses(house: House) -> None:
    engine = FakeEngine()
    engine.results = [EngineFailed("x"), EngineFailed("x")]

    await (await house.slot(engine, takes=3)).render([utterance()])

    first, second = house.slept_s
    assert 0.15 <= first <= 0.25
    assert 0.3 <= second <= 0.5


class Refused(EngineFailed):
    retryable = False


async def test_a_failure_that_would_come_again_is_not_tried_again(house: House) -> None:
    engine = FakeEngine()
    engine.results = [Refused("x")]

    with pytest.raises(Refused):
        await (await house.slot(engine, takes=3)).render([utterance()])

    assert len(engine.batches) == 1


async def test_an_overloaded_engine_is_left_alone(house: House) -> None:
    engine = FakeEngine()
    engine.results = [EngineOverloaded("full", retry_after_s=5)]

    with pytest.raises(EngineOverloaded):
        await (await house.slot(engine)).render([utterance()])

    assert len(engine.batches) == 1


async def test_a_text_that_cannot_be_spoken_is_not_tried_again(house: House) -> None:
    engine = FakeEngine()
    engine.results = [BadText("no")]

    with pytest.raises(BadText):
        await (await house.slot(engine)).render([utterance()])

    assert len(engine.batches) == 1


async def failing(house: House, error: Exception) -> EngineSlot:
    return await failing_with(house, FakeEngine(), error)


async def failing_with(
    house: House, engine: FakeEngine, error: Exception, *, said: Utterance | None = None
) -> EngineSlot:
    engine.raises = error
    slot = await house.slot(engine, takes=1)
    for _ in range(2):
        with pytest.raises(type(error)):
            await slot.render([said or utterance()])
    engine.raises = None
    return slot


async def test_failures_open_the_breaker_until_a_trial_succeeds(house: House) -> None:
    slot = await failing(house, EngineFailed("x"))
    assert not slot.view.allowed

    house.now_s += 30
    assert slot.view.allowed
    await slot.render([utterance()])

    assert slot.status.breaker is BreakerState.CLOSED


async def test_a_breaker_is_logged_when_it_opens_and_when_it_closes_and_at_no_other_time(house: House) -> None:
    with capture_logs() as logs:
        slot = await failing(house, EngineFailed("x"))
        house.now_s += 30
        await slot.render([utterance()])
        await slot.render([utterance()])

    told = [(line["event"], line["engine"]) for line in logs if line["event"].startswith("engine.breaker")]
    assert told == [("engine.breaker_opened", "fake"), ("engine.breaker_closed", "fake")]


async def test_a_breaker_that_a_failed_trial_opens_again_is_logged_again(house: House) -> None:
    engine = FakeEngine()
    slot = await failing_with(house, engine, EngineFailed("x"))
    engine.raises = EngineFailed("still")
    house.now_s += 30
    with capture_logs() as logs, pytest.raises(EngineFailed):
        await slot.render([utterance()])

    assert [line["event"] for line in logs if "breaker" in line["event"]] == ["engine.breaker_opened"]


async def test_a_trial_that_finds_no_room_leaves_the_next_note_its_trial(house: House) -> None:
    engine = FakeEngine()
    slot = await failing_with(house, engine, EngineFailed("x"))
    house.now_s += 30
    engine.raises = EngineOverloaded("x", retry_after_s=1)
    with pytest.raises(EngineOverloaded):
        await slot.render([utterance()])

    assert slot.view.allowed


@pytest.mark.parametrize("error", [BadText("x"), TakeRejected("x"), EngineOverloaded("x", retry_after_s=1)])
async def test_what_is_not_the_engines_fault_leaves_the_breaker_closed(house: House, error: Exception) -> None:
    assert (await failing(house, error)).view.allowed


async def test_callers_who_ran_out_of_time_open_the_breaker(house: House) -> None:
    slot = await house.slot(FakeEngine())
    await slot.render([utterance()])
    house.now_s += 1

    for _ in range(2):
        slot.ran_out_of_time(asked_at_s=house.now_s)

    assert slot.status.breaker is BreakerState.OPEN


async def test_an_engine_that_was_busy_with_other_notes_is_not_blamed_for_the_wait(house: House) -> None:
    slot = await house.slot(FakeEngine())
    asked_at_s = house.now_s
    house.now_s += 1
    await slot.render([utterance()])

    for _ in range(5):
        slot.ran_out_of_time(asked_at_s=asked_at_s)

    assert slot.status.breaker is BreakerState.CLOSED


async def test_an_engine_of_one_pace_is_expected_at_its_own_and_stretched_to_the_voices(house: House) -> None:
    engine = FakeEngine(paces=False)
    slot = await house.slot(engine)
    fast = replace(VOICE, speed=1.5)

    rendering = await slot.render([Utterance(text="one two three", language="en", voice=fast, expected_s=2.0)])

    assert engine.batches[0][0].expected_s == pytest.approx(3.0)
    assert rendering.segments[0].duration_s == pytest.approx(2.0, abs=0.1)


async def test_an_engine_whose_device_failed_is_never_asked_again(house: House) -> None:
    engine = FakeEngine()
    engine.results = [DeviceLost("illegal memory access")]
    slot = await house.slot(engine)

    with pytest.raises(DeviceLost):
        await slot.render([utterance()])

    assert (slot.status.state, house.hung) == (EngineState.LOST, ["fake"])
    assert "illegal memory access; its process has to be restarted" in slot.view.unavailable


async def test_an_engine_that_hangs_is_never_asked_again(house: House) -> None:
    engine = FakeEngine()
    engine.hold = threading.Event()
    slot = await house.slot(engine, deadline_s=0.05)

    with pytest.raises(DeadlineExceeded):
        await slot.render([utterance()])
    engine.hold.set()

    assert slot.status.state is EngineState.LOST
    assert "restarted" in slot.view.unavailable
    assert house.hung == ["fake"]


async def test_closing_frees_the_model(house: House) -> None:
    engine = FakeEngine()
    slot = await house.slot(engine)

    await slot.close()

    assert not engine.loaded


CLONED = Voice(id="p", language="en", sources=(VoiceSource(kind=SourceKind.DESIGNED, ref=CLIP.ref),))


def cloned(text: str = "hello") -> Utterance:
    return Utterance(text=text, language="en", voice=CLONED, expected_s=0.5)


async def test_every_segment_carries_the_profile_its_engine_cast(house: House) -> None:
    engine = FakeCastingEngine()

    await (await house.slot(engine)).render([cloned("a"), cloned("b")])

    profiles = [utterance.profile for batch in engine.batches for utterance in batch]
    assert [profile.voice_id for profile in profiles if profile] == ["p", "p"]
    assert len(engine.casts) == 1


async def test_a_second_note_finds_the_profile(house: House) -> None:
    slot = await house.slot(FakeCastingEngine())

    assert [(await slot.render([cloned()])).profile for _ in range(2)] == [Origin.MADE, Origin.MEMORY]


async def test_an_engine_that_casts_nothing_needs_no_profile(house: House) -> None:
    engine = FakeEngine()

    assert (await (await house.slot(engine)).render([utterance()])).profile == ""
    assert engine.batches[0][0].profile is None


async def test_a_rendering_tells_how_many_were_spoken_together(house: House) -> None:
    slot = await house.slot(FakeEngine())

    assert (await slot.render([utterance("a"), utterance("b"), utterance("c")])).batch_size == 3


async def test_engines_that_fail_to_cast_open_the_breaker(house: House) -> None:
    engine = FakeCastingEngine()
    engine.cast_raises = EngineFailed("x")
    slot = await house.slot(engine)
    for _ in range(2):
        with pytest.raises(EngineFailed):
            await slot.render([cloned()])

    assert not slot.view.allowed


async def test_a_voice_that_cannot_be_cast_is_not_the_engines_fault(house: House) -> None:
    engine = FakeCastingEngine()
    engine.cast_raises = BadVoice("x")
    slot = await house.slot(engine)
    for _ in range(3):
        with pytest.raises(BadVoice):
            await slot.render([cloned()])

    assert slot.view.allowed


async def test_a_profile_that_the_engine_refuses_is_made_anew_once(house: House) -> None:
    engine = FakeCastingEngine()
    slot = await house.slot(engine)
    await slot.render([cloned()])
    engine.results = [StaleProfile("made by a model that is here no more")]

    rendering = await slot.render([cloned()])

    assert (rendering.profile, len(engine.casts)) == (Origin.MADE, 2)


async def test_a_new_profile_that_the_engine_refuses_is_a_voice_it_cannot_speak(house: House) -> None:
    engine = FakeCastingEngine()
    engine.results = [StaleProfile("x")]

    with pytest.raises(StaleProfile):
        await (await house.slot(engine)).render([cloned()])

    assert len(engine.casts) == 1


async def test_a_voice_that_the_engine_refuses_is_not_cast_anew_for_every_note(house: House) -> None:
    engine = FakeCastingEngine()
    slot = await house.slot(engine)
    for _ in range(3):
        engine.results = [BadVoice("no such instruction")]
        with pytest.raises(BadVoice):
            await slot.render([cloned()])

    assert len(engine.casts) == 1


async def test_an_engine_whose_device_loads_a_model_meanwhile_is_not_blamed_for_the_wait(house: House) -> None:
    engine = SelectiveFake()
    slot = await house.slot(engine, voices=[STYLED])
    engine.holds = threading.Event()
    engine.loading.clear()
    asked_at_s = house.now_s
    loading = asyncio.create_task(slot.render([said_by(TIMBRED)]))
    assert await asyncio.to_thread(engine.loading.wait, 10)

    for _ in range(3):
        slot.ran_out_of_time(asked_at_s=asked_at_s)
    engine.holds.set()
    await loading

    assert slot.status.breaker is BreakerState.CLOSED


async def test_what_never_reached_the_engine_tells_nothing_of_it(house: House) -> None:
    engine = FakeCastingEngine()
    slot = await failing_with(house, engine, EngineFailed("x"), said=cloned())
    house.now_s += 30
    house.material.samples.clear()

    with pytest.raises(BadVoice):
        await slot.render([cloned()])

    assert slot.status.breaker is BreakerState.HALF_OPEN


async def test_foreign_errors_while_casting_are_the_engines_failure(house: House) -> None:
    engine = FakeCastingEngine()
    engine.cast_raises = ValueError("from a model")

    with pytest.raises(EngineFailed, match="ValueError"):
        await (await house.slot(engine)).render([cloned()])


async def test_an_engine_that_hangs_while_casting_counts_as_hung(house: House) -> None:
    engine = FakeCastingEngine()
    engine.cast_hold = threading.Event()
    slot = await house.slot(engine, deadline_s=0.05)

    with pytest.raises(DeadlineExceeded):
        await slot.render([cloned()])
    engine.cast_hold.set()

    assert slot.status.state is EngineState.LOST
    assert house.hung == ["large"]


async def test_a_designed_clip_says_its_transcript(house: House) -> None:
    engine = FakeCastingEngine()

    clip = await (await house.slot(engine)).design("warm", language="pt-PT", seed=3)

    assert engine.designed == [("warm", "pt-BR", 3)]
    assert clip.transcript.startswith("Oi")
    assert clip.audio.duration_s > 5


async def test_a_clip_the_gate_refuses_is_designed_again_with_the_next_seed(house: House) -> None:
    engine = FakeCastingEngine()
    engine.designs_as = [SILENT]

    await (await house.slot(engine)).design("warm", language="en", seed=3)

    assert [seed for *_, seed in engine.designed] == [3, 4]


async def test_no_clip_is_better_than_a_bad_one(house: House) -> None:
    engine = FakeCastingEngine()
    engine.designs_as = [SILENT, SILENT]

    with pytest.raises(TakeRejected, match="silent"):
        await (await house.slot(engine)).design("warm", language="en", seed=0)


async def test_an_engine_without_that_gift_designs_nothing(house: House) -> None:
    slot = await house.slot(FakeEngine())

    assert not slot.designs
    with pytest.raises(EngineUnavailable):
        await slot.design("warm", language="en", seed=0)


class SelectiveFake(FakeEngine):
    """Speaks styles and timbres with a model each. `holds` keeps the next load waiting."""

    def __init__(self) -> None:
        super().__init__(source_kinds=frozenset({SourceKind.STYLE, SourceKind.TIMBRE}))
        self.loads: list[frozenset[SourceKind]] = []
        self.holds: threading.Event | None = None
        self.loading = threading.Event()

    def ready_for(self, kinds: frozenset[SourceKind]) -> bool:
        return kinds <= frozenset().union(*self.loads)

    def fetch(self, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False) -> None:  # noqa: ARG002
        return

    def load_for(self, kinds: frozenset[SourceKind] = frozenset(), *, designing: bool = False) -> None:  # noqa: ARG002
        self.loading.set()
        if self.holds is not None:
            assert self.holds.wait(10)
        self.load()
        self.loads.append(kinds)


STYLED = Voice(id="s", language="en", sources=(VoiceSource(kind=SourceKind.STYLE, ref="low"),))
TIMBRED = Voice(id="t", language="en", sources=(VoiceSource(kind=SourceKind.TIMBRE, ref="high"),))
JUST_STYLE, JUST_TIMBRE = frozenset({SourceKind.STYLE}), frozenset({SourceKind.TIMBRE})


def said_by(voice: Voice) -> Utterance:
    return replace(utterance(), voice=voice)


async def test_only_the_models_that_voices_need_are_loaded(house: House) -> None:
    engine = SelectiveFake()

    slot = await house.slot(engine, voices=[STYLED])

    assert (engine.loads, slot.status.state) == ([JUST_STYLE], EngineState.LOADED)


async def test_a_model_that_a_new_voice_needs_is_loaded_once_before_its_first_note(house: House) -> None:
    engine = SelectiveFake()
    slot = await house.slot(engine, voices=[STYLED])

    for voice in (TIMBRED, STYLED, TIMBRED):
        await slot.render([said_by(voice)])

    assert engine.loads == [JUST_STYLE, JUST_TIMBRE]


async def test_notes_that_wait_for_the_same_model_load_it_once(house: House) -> None:
    engine = SelectiveFake()
    slot = await house.slot(engine, voices=[])

    await asyncio.gather(*(slot.render([said_by(TIMBRED)]) for _ in range(3)))

    assert engine.loads == [frozenset(), JUST_TIMBRE]


async def test_a_caller_who_gives_up_stops_no_load(house: House) -> None:
    engine = SelectiveFake()
    slot = await house.slot(engine, voices=[])
    engine.holds = threading.Event()
    impatient = asyncio.create_task(slot.render([said_by(TIMBRED)]))
    await asyncio.sleep(0)  # it asks
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    engine.holds.set()

    await slot.render([said_by(TIMBRED)])

    assert engine.loads == [frozenset(), JUST_TIMBRE]


async def test_a_model_that_cannot_be_loaded_says_why_and_is_not_tried_for_every_note(house: House) -> None:
    engine = SelectiveFake()
    slot = await house.slot(engine, voices=[STYLED])
    engine.loads_with = EngineUnavailable("QWEN3_CUSTOM_MODEL is no folder")
    with pytest.raises(EngineUnavailable, match="QWEN3_CUSTOM_MODEL"):
        await slot.render([said_by(TIMBRED)])
    engine.loads_with = None

    with pytest.raises(EngineUnavailable, match="QWEN3_CUSTOM_MODEL"):
        await slot.render([said_by(TIMBRED)])
    await slot.render([said_by(STYLED)])

    assert slot.status.breaker is BreakerState.CLOSED

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from tts.batch_choice import BatchPolicy
from tts.batching import Batcher, BatchStats, Device
from tts.contract import PcmAudio, Utterance, Voice
from tts.engines.fake import FakeEngine
from tts.errors import (
    BadText,
    DeadlineExceeded,
    DeviceLost,
    EngineFailed,
    EngineOverloaded,
    EngineUnavailable,
    NoVoice,
    TtsError,
)

VOICE = Voice(id="v", language="en")


def utterance(text: str = "hello", *, expected_s: float = 0.5) -> Utterance:
    return Utterance(text=text, language="en", voice=VOICE, expected_s=expected_s)


class House:
    """A batcher over the fake engine, and what it reported."""

    def __init__(self) -> None:
        self.engine = FakeEngine()
        self.engine.load()
        self.device = Device("test")
        self.hung: list[tuple[str, Sequence[Utterance]]] = []
        self.on_lost: Callable[[], None] = lambda: None
        self.stats: list[BatchStats] = []
        self.batchers: list[Batcher] = []

    def batcher(
        self, *, max_batch: int = 4, max_wait_s: float = 0.0, deadline_s: float = 60.0, queue_max: int = 512
    ) -> Batcher:
        batcher = Batcher(
            self.engine,
            device=self.device,
            policy=BatchPolicy(max_batch=max_batch, max_wait_s=max_wait_s, deadline_s=deadline_s, queue_max=queue_max),
            on_lost=self._lost,
            on_batch=self.stats.append,
        )
        self.batchers.append(batcher)
        return batcher

    def _lost(self, name: str, suspects: Sequence[Utterance]) -> None:
        self.hung.append((name, suspects))
        self.on_lost()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    if house.engine.hold is not None:
        house.engine.hold.set()
    for batcher in house.batchers:
        await batcher.close()
    house.device.close()


async def begun(engine: FakeEngine) -> None:
    assert await asyncio.to_thread(engine.started.wait, 10)


async def test_segments_of_different_notes_are_spoken_together(house: House) -> None:
    batcher = house.batcher(max_batch=3, max_wait_s=60)

    await asyncio.gather(*(batcher.submit(utterance(text), group=text) for text in "abc"))

    assert [len(batch) for batch in house.engine.batches] == [3]


async def test_everybody_gets_their_own_audio(house: House) -> None:
    batcher = house.batcher()

    spoken = await asyncio.gather(
        *(batcher.submit(utterance(expected_s=seconds), group=str(seconds)) for seconds in (2.0, 0.5, 1.0))
    )

    assert [item.audio.duration_s for item in spoken] == pytest.approx([2.0, 0.5, 1.0])


async def test_a_lone_segment_is_spoken_after_the_wait(house: House) -> None:
    spoken = await house.batcher(max_batch=8, max_wait_s=0.01).submit(utterance(), group="a")

    assert spoken.audio.duration_s == pytest.approx(0.5)


async def test_a_failing_segment_costs_its_neighbours_nothing(house: House) -> None:
    house.engine.fails = {"bad": BadText("no")}
    batcher = house.batcher(max_batch=3, max_wait_s=60)

    results = await asyncio.gather(
        *(batcher.submit(utterance(text), group=text) for text in ("a", "bad", "c")), return_exceptions=True
    )

    assert [type(result).__name__ for result in results] == ["Spoken", "BadText", "Spoken"]


async def test_what_an_engine_raises_becomes_a_failure_of_the_batch(house: House) -> None:
    house.engine.raises = RuntimeError("kernel panic")

    with pytest.raises(EngineFailed, match="fake raised RuntimeError") as caught:
        await house.batcher().submit(utterance(), group="a")

    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_after_a_failure_the_next_segment_is_served(house: House) -> None:
    batcher = house.batcher()
    house.engine.raises = RuntimeError("once")
    with pytest.raises(EngineFailed):
        await batcher.submit(utterance(), group="a")
    house.engine.raises = None

    assert (await batcher.submit(utterance(), group="a")).audio.duration_s == pytest.approx(0.5)


async def test_a_batch_that_finds_no_room_is_tried_in_halves(house: House) -> None:
    class Cramped(FakeEngine):
        def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
            if len(batch) > 1:
                self.batches.append(tuple(batch))
                raise EngineOverloaded("out of memory", retry_after_s=1)
            return super().synthesize(batch)

    house.engine = Cramped()
    house.engine.load()
    batcher = house.batcher(max_batch=4, max_wait_s=60)

    spoken = await asyncio.gather(*(batcher.submit(utterance(text), group=text) for text in "abcd"))

    assert len(spoken) == 4
    assert [len(batch) for batch in house.engine.batches] == [4, 2, 1, 1, 2, 1, 1]


async def test_cancelling_takes_a_waiting_segment_out_of_the_queue(house: House) -> None:
    house.engine.hold = threading.Event()
    batcher = house.batcher(max_batch=1)
    first = asyncio.create_task(batcher.submit(utterance("first"), group="a"))
    await begun(house.engine)
    second = asyncio.create_task(batcher.submit(utterance("second"), group="b"))
    third = asyncio.create_task(batcher.submit(utterance("third"), group="c"))
    await asyncio.sleep(0)

    second.cancel()
    house.engine.hold.set()
    await asyncio.gather(first, third)

    assert [batch[0].text for batch in house.engine.batches] == ["first", "third"]
    assert batcher.depth == 0


async def test_a_full_queue_says_when_to_come_back(house: House) -> None:
    house.engine.hold = threading.Event()
    batcher = house.batcher(max_batch=1, queue_max=1)
    running = asyncio.create_task(batcher.submit(utterance(), group="a"))
    await begun(house.engine)
    waiting = asyncio.create_task(batcher.submit(utterance(), group="b"))
    await asyncio.sleep(0)

    with pytest.raises(EngineOverloaded) as caught:
        await batcher.submit(utterance(), group="c")

    assert caught.value.retry_after_s
    house.engine.hold.set()
    await asyncio.gather(running, waiting)


async def test_a_hung_batch_is_reported_with_its_suspects(house: House) -> None:
    house.engine.hold = threading.Event()
    batcher = house.batcher(deadline_s=0.05)

    with pytest.raises(DeadlineExceeded):
        await batcher.submit(utterance("suspect"), group="a")

    assert [(name, [item.text for item in suspects]) for name, suspects in house.hung] == [("fake", ["suspect"])]


async def test_behind_a_hung_batch_nobody_waits(house: House) -> None:
    house.engine.hold = threading.Event()
    batcher = house.batcher(max_batch=1, deadline_s=0.05)

    results = await asyncio.gather(
        *(batcher.submit(utterance(), group=group) for group in "ab"), return_exceptions=True
    )

    assert [type(result) for result in results] == [DeadlineExceeded, EngineUnavailable]
    with pytest.raises(EngineUnavailable, match="restarted"):
        await batcher.submit(utterance(), group="c")


async def test_a_failed_device_is_reported_and_nobody_asks_it_again(house: House) -> None:
    house.engine.results = [DeviceLost("the device failed under it: illegal memory access")]
    batcher = house.batcher(max_batch=1)

    with pytest.raises(DeviceLost):
        await batcher.submit(utterance("suspect"), group="a")

    assert [(name, [item.text for item in suspects]) for name, suspects in house.hung] == [("fake", ["suspect"])]
    with pytest.raises(EngineUnavailable, match="illegal memory access; its process has to be restarted"):
        await batcher.submit(utterance(), group="b")


async def test_a_device_that_fails_under_lone_work_is_reported_too(house: House) -> None:
    def fails() -> None:
        raise DeviceLost("x")

    with pytest.raises(DeviceLost):
        await house.batcher().alone(fails)

    assert house.hung == [("fake", [])]


async def test_lone_work_may_be_given_a_time_of_its_own(house: House) -> None:
    batcher = house.batcher(deadline_s=0.01)
    done = threading.Event()
    asyncio.get_running_loop().call_later(0.1, done.set)

    assert await batcher.alone(lambda: done.wait(10), deadline_s=60.0)


async def test_a_caller_who_leaves_does_not_stop_lone_work(house: House) -> None:
    batcher = house.batcher(max_batch=1)
    begun, finish, ended = threading.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        begun.set()
        finish.wait(10)
        loop.call_soon_threadsafe(ended.set)

    caller = asyncio.create_task(batcher.alone(work))
    assert await asyncio.to_thread(begun.wait, 10)
    caller.cancel()
    await asyncio.wait({caller})

    following = asyncio.create_task(batcher.submit(utterance(), group="a"))
    done, _ = await asyncio.wait({following}, timeout=0.05)
    assert not done  # the thread is not free yet, and the batch's deadline does not count that

    finish.set()
    await ended.wait()
    await following
    assert house.hung == []


async def test_a_caller_who_leaves_does_not_free_lone_work_from_its_deadline(house: House) -> None:
    batcher = house.batcher(deadline_s=0.05)
    finish, begun, lost = threading.Event(), threading.Event(), asyncio.Event()
    house.on_lost = lost.set

    def hangs() -> None:
        begun.set()
        finish.wait(10)

    caller = asyncio.create_task(batcher.alone(hangs))
    assert await asyncio.to_thread(begun.wait, 10)
    caller.cancel()
    await asyncio.wait({caller})

    async with asyncio.timeout(10):
        await lost.wait()
    finish.set()
    assert caller.cancelled()
    assert house.hung == [("fake", [])]
    with pytest.raises(EngineUnavailable, match="restarted"):
        await batcher.alone(hangs)


async def test_lone_work_nobody_waits_for_any_more_is_not_begun(house: House) -> None:
    house.engine.hold = threading.Event()
    batcher = house.batcher(max_batch=1)
    running = asyncio.create_task(batcher.submit(utterance(), group="a"))
    await begun(house.engine)
    worked: list[str] = []
    caller = asyncio.create_task(batcher.alone(lambda: worked.append("too late")))
    await asyncio.sleep(0)

    caller.cancel()
    house.engine.hold.set()
    await running
    await batcher.submit(utterance(), group="b")

    assert worked == []


async def test_a_timeout_that_lone_work_raises_itself_is_its_failure_and_no_hang(house: House) -> None:
    def times_out() -> None:
        raise TimeoutError("a socket's")

    with pytest.raises(EngineFailed, match="fake raised TimeoutError"):
        await house.batcher().alone(times_out)

    assert house.hung == []


async def test_closing_tells_whoever_waits_for_lone_work(house: House) -> None:
    begun, finish = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        finish.wait(10)

    batcher = house.batcher()
    caller = asyncio.create_task(batcher.alone(work))
    assert await asyncio.to_thread(begun.wait, 10)

    await batcher.close()

    finish.set()
    with pytest.raises(EngineUnavailable, match="closing"):
        await caller


async def test_a_wide_device_has_several_batches_under_way(house: House) -> None:
    together = threading.Barrier(3)

    class Waits(FakeEngine):
        def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
            together.wait(10)  # broken unless all three are under way at once
            return super().synthesize(batch)

    house.engine, house.device = Waits(), Device("wide", width=3)
    house.engine.load()
    batcher = house.batcher(max_batch=1)

    spoken = await asyncio.gather(*(batcher.submit(utterance(text), group=text) for text in "abc"))

    assert len(spoken) == 3


async def test_lone_work_goes_on_beside_a_wide_devices_batches(house: House) -> None:
    house.engine.hold, house.device = threading.Event(), Device("wide", width=2)
    batcher = house.batcher(max_batch=1)
    speaking = asyncio.create_task(batcher.submit(utterance(), group="a"))
    await begun(house.engine)

    assert await batcher.alone(lambda: "cast") == "cast"

    house.engine.hold.set()
    await speaking


async def test_a_batch_that_waits_for_a_wide_devices_threads_does_not_count_as_hanging(house: House) -> None:
    house.engine.hold, house.device = threading.Event(), Device("wide", width=2)
    slow = house.batcher(max_batch=1)
    busy = [asyncio.create_task(slow.submit(utterance(), group=group)) for group in "ab"]
    await begun(house.engine)
    third = asyncio.create_task(house.batcher(deadline_s=0.05).submit(utterance(), group="c"))

    done, _ = await asyncio.wait({third}, timeout=0.2)
    house.engine.hold.set()
    await asyncio.gather(*busy, third)

    assert not done
    assert house.hung == []


async def test_a_wide_device_is_lost_once_however_many_batches_hang(house: House) -> None:
    house.engine.hold, house.device = threading.Event(), Device("wide", width=2)
    batcher = house.batcher(max_batch=1, deadline_s=0.05)

    results = await asyncio.gather(
        *(batcher.submit(utterance(text), group=text) for text in "ab"), return_exceptions=True
    )

    assert [type(result) for result in results] == [DeadlineExceeded, DeadlineExceeded]
    assert len(house.hung) == 1


async def test_closing_tells_whoever_waits(house: House) -> None:
    house.engine.hold = threading.Event()
    batcher = house.batcher(max_batch=1)
    tasks = [asyncio.create_task(batcher.submit(utterance(), group=group)) for group in "ab"]
    await begun(house.engine)

    await batcher.close()

    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [EngineUnavailable, EngineUnavailable]


async def test_two_engines_on_one_device_never_run_at_once(house: House) -> None:
    running: list[str] = []
    overlaps: list[str] = []

    class Watched(FakeEngine):
        def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
            overlaps.extend(running)
            running.append(self.info.name)
            try:
                return super().synthesize(batch)
            finally:
                running.remove(self.info.name)

    batchers = []
    for name in ("one", "two"):
        house.engine = Watched(name=name)
        house.engine.load()
        batchers.append(house.batcher(max_batch=1))

    await asyncio.gather(*(batcher.submit(utterance(), group="a") for batcher in batchers * 5))

    assert overlaps == []


async def test_another_engines_time_on_the_device_is_not_counted_as_hanging(house: House) -> None:
    house.engine.hold = threading.Event()
    slow = house.engine
    first = asyncio.create_task(house.batcher(deadline_s=60).submit(utterance(), group="a"))
    await begun(slow)
    house.engine = FakeEngine(name="quick")
    house.engine.load()
    second = asyncio.create_task(house.batcher(deadline_s=0.05).submit(utterance(), group="b"))

    done, _ = await asyncio.wait({second}, timeout=0.1)
    assert slow.hold is not None
    slow.hold.set()
    house.engine.hold = None
    await asyncio.gather(first, second)

    assert not done
    assert house.hung == []


async def test_every_batch_reports_its_fill(house: House) -> None:
    batcher = house.batcher(max_batch=2, max_wait_s=60)

    await asyncio.gather(*(batcher.submit(utterance(expected_s=1.0), group=group) for group in "ab"))

    (stats,) = house.stats
    assert (stats.engine, stats.size, stats.max_batch, stats.queue_depth) == ("fake", 2, 2, 0)
    assert stats.audio_s == pytest.approx(2.0)


async def test_each_of_those_whose_batch_failed_gets_an_error_of_its_own(house: House) -> None:
    house.engine.raises = EngineFailed("broke")
    batcher = house.batcher(max_batch=3, max_wait_s=60)

    errors = await asyncio.gather(
        *(batcher.submit(utterance(text), group=text) for text in "abc"), return_exceptions=True
    )

    assert len({id(error) for error in errors}) == 3
    assert {(type(error), str(error)) for error in errors} == {(EngineFailed, "broke")}


@pytest.mark.parametrize(
    "error",
    [
        EngineFailed("broke"),
        EngineOverloaded("full", retry_after_s=2.0),
        DeadlineExceeded("late", attempts=()),
        NoVoice("nobody", attempts=()),
    ],
)
def test_an_error_for_another_says_the_same_and_has_its_cause(error: TtsError) -> None:
    error.__cause__ = ValueError("why")
    other = error.for_another()
    assert other is not error
    assert (type(other), str(other), other.__dict__, other.__cause__) == (
        type(error),
        str(error),
        error.__dict__,
        error.__cause__,
    )

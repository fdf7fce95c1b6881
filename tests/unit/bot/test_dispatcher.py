"""Who gets which turn and when, on a real mailbox with a service that does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.dispatcher import Dispatcher, DispatchLimits
from bot.mailbox import Claim, Lane, Lease, LeaseLost, MediaTask, StoreUnavailable, Token, TurnStatus
from bot.mailbox.functions import GROUP
from bot.mailbox.keys import key
from bot.metrics import Metrics
from tests.conftest import Box
from tests.household import Wire
from webhooks.messages import Person

WAIT_S = 10
LEASE_MS = 60_000


async def until(happened: Callable[[], bool], *, within_s: float = WAIT_S) -> None:
    """Return once that is so; a store that never gets there fails the test."""
    async with asyncio.timeout(within_s):
        while not happened():  # noqa: ASYNC110 - what is waited for happens in the store and in other tasks
            await asyncio.sleep(0.001)


class Service:
    """In place of the real one: notes what it is given, and works on it until `finish`."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self.finish = asyncio.Event()
        self.begun: list[str] = []
        self.beside: list[int] = []  # how many others were in work when each began
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self.handed_back: list[str] = []
        self.heard: list[str] = []
        self._in_work = 0

    async def handle(self, claim: Claim) -> None:
        name = claim.payloads[-1].decode()
        self.begun.append(name)
        self.beside.append(self._in_work)
        self._in_work += 1
        try:
            await self.finish.wait()
            await self._box.mailbox.done(claim.lease, b"answered", "answered")
            self.ended.append(name)
        except asyncio.CancelledError:
            self.cancelled.append(name)
            with contextlib.suppress(LeaseLost):
                await self._box.mailbox.defer(claim.lease, b"record", 0, "draining")
            raise
        finally:
            self._in_work -= 1

    async def hand_back(self, claim: Claim) -> None:
        self.handed_back.append(claim.payloads[-1].decode())
        await self._box.mailbox.defer(claim.lease, b"record", 0, "draining")

    async def hear_ahead(self, task: MediaTask) -> None:
        self.heard.append(task.payload.decode())


class Crew:
    """A mailbox, a service and the dispatcher between them."""

    def __init__(self, redis: Redis) -> None:
        self.wire = Wire(redis)
        self.box = Box(redis, sender=self.wire)
        self.service = Service(self.box)
        self.metrics = Metrics()
        self.known_dead: list[str] = []
        self.dispatchers: list[Dispatcher] = []

    async def put(self, name: str, person: int = 1, **changes: Any) -> None:
        await self.box.put(name, person=Person(phone=f"55119{person:08d}"), **changes)

    async def start(self, **limits: Any) -> Dispatcher:
        numbers = {"slots": 8, "lease_s": LEASE_MS / 1000, "drain_s": 0.0} | limits
        dispatcher = Dispatcher(
            self.box.mailbox,
            self.service,
            consumer=f"worker-{len(self.dispatchers) + 1}",
            limits=DispatchLimits(**numbers),
            metrics=self.metrics,
            release_dead=self.release_dead,
        )
        self.dispatchers.append(dispatcher)
        await dispatcher.start()
        return dispatcher

    async def release_dead(self) -> None:
        """Free what those held who are known to be dead."""
        for name in self.known_dead:
            await self.box.mailbox.release(name)

    async def crashed(self, name: str, person: int = 1, *, idle_ms: int = 10 * LEASE_MS, others: int = 0) -> None:
        """A worker died over this turn, so long ago; and another, that ran it as a suspect among so many others."""
        await self.put(name, person)
        self.dead = await self.box.claimed(consumer="dead")
        if others:
            lease = self.dead.lease
            lane, token_id = key("lane", lease.lane), lease.token_id
            await self.box.redis.xclaim(lane, GROUP, "dead too", 0, [token_id], justid=True)
            token = Token(
                token_id=token_id, lane=lease.lane, consumer="dead too", conversation_id=lease.conversation_id
            )
            again = await self.box.mailbox.claim(token, recovered=True)
            assert again is not None
            self.dead = again
            await self.box.mailbox.begin_suspect(again.lease, others=others)
        await self.idle(self.dead.lease, idle_ms)

    async def idle(self, lease: Lease, idle_ms: int) -> None:
        """Nobody renewed this lease for so long."""
        name = key("lane", lease.lane)
        await self.box.redis.xclaim(name, GROUP, lease.consumer, 0, [lease.token_id], idle=idle_ms, justid=True)

    async def take_over(self) -> None:
        """The next look for what dead workers left behind."""
        (dispatcher,) = self.dispatchers
        room = dispatcher._room[Lane.VOICE]
        await room.acquire()
        await dispatcher._recover_one(room)

    async def newest(self) -> Any:
        (turn,) = await self.box.mailbox.turns(1)
        return turn


@pytest.fixture
async def crew(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crew]:
    monkeypatch.setattr("bot.dispatcher.TAKE_BLOCK_MS", 20)
    monkeypatch.setattr("bot.dispatcher.STORE_RETRY_S", 0.01)
    crew = Crew(redis)
    await crew.box.mailbox.prepare()
    yield crew
    for dispatcher in crew.dispatchers:
        await dispatcher.drain()


async def test_what_is_written_is_worked_on(crew: Crew) -> None:
    await crew.start()
    await crew.put("hello")
    await until(lambda: crew.service.begun == ["hello"])


async def test_turns_of_different_people_run_side_by_side(crew: Crew) -> None:
    await crew.start()
    await crew.put("one", person=1)
    await crew.put("two", person=2)
    await until(lambda: len(crew.service.begun) == 2)
    assert sorted(crew.service.beside) == [0, 1]


async def test_no_more_turns_are_taken_than_there_are_slots(crew: Crew) -> None:
    dispatcher = await crew.start(slots=1)
    await crew.put("one", person=1)
    await crew.put("two", person=2)
    await until(lambda: len(crew.service.begun) == 1)
    depth = await crew.box.mailbox.depth()
    assert (dispatcher.active, depth.voice_leases) == (1, 1)


async def test_a_slot_that_is_free_again_takes_the_next(crew: Crew) -> None:
    await crew.start(slots=1)
    crew.service.finish.set()
    for person in range(1, 5):
        await crew.put(str(person), person=person)
    await until(lambda: crew.service.ended == ["1", "2", "3", "4"])


async def test_commands_run_while_every_voice_slot_is_taken(crew: Crew) -> None:
    await crew.start(slots=1)
    await crew.put("long story", person=1)
    await until(lambda: crew.service.begun == ["long story"])
    await crew.put("help", person=2, lane=Lane.FAST)
    await until(lambda: crew.service.begun == ["long story", "help"])


async def test_a_voice_note_is_heard_while_its_burst_waits(crew: Crew) -> None:
    await crew.start()
    await crew.put("note", media=True)
    await until(lambda: crew.service.heard == ["note"])


async def test_a_turn_that_becomes_due_later_is_taken_then(crew: Crew) -> None:
    await crew.put("hello")
    claim = await crew.box.claimed(consumer="earlier")
    await crew.box.mailbox.defer(claim.lease, b"record", 50, "a while")
    await crew.start()
    await until(lambda: crew.service.begun == ["hello"])


# -- leases ---------------------------------------------------------------------------------------------------------


async def test_a_dead_workers_turn_is_taken_over(crew: Crew) -> None:
    await crew.crashed("hello")
    await crew.start()
    await until(lambda: crew.service.begun == ["hello"])


async def test_the_turn_of_a_worker_that_just_died_is_taken_over_at_once(crew: Crew) -> None:
    await crew.crashed("hello", idle_ms=0)
    crew.known_dead.append("dead")
    await crew.start()
    await until(lambda: crew.service.begun == ["hello"])


async def test_what_many_turns_a_dead_worker_left_is_taken_over_in_the_order_they_came(crew: Crew) -> None:
    crew.service.finish.set()
    for person in (1, 2, 3, 4):
        await crew.crashed(str(person), person=person, idle_ms=0)
    crew.known_dead.append("dead")
    await crew.start()
    await until(lambda: crew.service.begun == ["1", "2", "3", "4"])


async def test_a_turn_that_is_worked_on_is_not_taken_over(crew: Crew) -> None:
    await crew.start()
    await crew.put("hello")
    await until(lambda: len(crew.service.begun) == 1)
    await crew.take_over()
    assert crew.service.begun == ["hello"]


async def test_a_turn_whose_lease_is_lost_is_let_go(crew: Crew) -> None:
    dispatcher = await crew.start()
    await crew.put("hello")
    await until(lambda: len(crew.service.begun) == 1)
    await crew.box.mailbox.recover("somebody-else", min_idle_ms=0, count=1)
    await dispatcher._renew_held()
    await until(lambda: crew.service.cancelled == ["hello"])


async def test_after_an_outage_a_worker_does_not_take_its_own_turns_for_a_dead_ones(crew: Crew) -> None:
    dispatcher = await crew.start()
    await crew.put("hello")
    await until(lambda: len(crew.service.begun) == 1)
    (lease,) = dispatcher._active
    await crew.idle(lease, 10 * LEASE_MS)
    recovering = asyncio.create_task(dispatcher._recover())
    seen = crew.wire.calls.count("recover")
    await until(lambda: crew.wire.calls.count("recover") > seen)
    recovering.cancel()
    assert crew.service.begun == ["hello"]
    assert not (await crew.newest()).suspect


async def test_a_token_whose_delivery_was_lost_with_the_store_is_taken_up_again_at_once(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew.service.finish.set()
    await crew.put("hello")
    await crew.box.mailbox.pump()
    take, cut = crew.box.mailbox.take, asyncio.Event()

    async def delivered_to_nobody(lane: Lane, consumer: str, **more: Any) -> list[Token]:
        if lane is not Lane.VOICE or cut.is_set():
            return await take(lane, consumer, **more)
        await take(lane, consumer, **more)  # the store gave it away, and the answer never came
        cut.set()
        raise StoreUnavailable("cut")

    monkeypatch.setattr(crew.box.mailbox, "take", delivered_to_nobody)
    await crew.start(lease_s=3600.0)
    await until(lambda: crew.service.ended == ["hello"])


async def test_what_is_in_work_is_not_taken_up_twice_after_an_outage(crew: Crew) -> None:
    dispatcher = await crew.start()
    await crew.put("hello")
    await until(lambda: crew.service.begun == ["hello"])
    dispatcher._delivery_lost.add(Lane.VOICE)
    await crew.put("next", person=2)
    await until(lambda: crew.service.begun == ["hello", "next"])


# -- suspects -------------------------------------------------------------------------------------------------------


async def test_a_suspect_runs_alone(crew: Crew) -> None:
    await crew.crashed("suspect", person=1)
    await crew.start()
    await until(lambda: crew.service.begun == ["suspect"])
    await crew.put("neighbour", person=2)
    await crew.box.mailbox.pump()
    assert crew.service.begun == ["suspect"]
    crew.service.finish.set()
    await until(lambda: crew.service.ended == ["suspect", "neighbour"])
    assert crew.service.beside == [0, 0]


async def test_a_suspect_waits_for_the_turns_in_work(crew: Crew) -> None:
    await crew.crashed("suspect", person=1, idle_ms=0)
    await crew.start()
    await crew.put("neighbour", person=2)
    await until(lambda: crew.service.begun == ["neighbour"])
    await crew.idle(crew.dead.lease, 10 * LEASE_MS)
    await crew.take_over()
    for _ in range(20):  # time enough for a suspect that does not wait
        await crew.box.mailbox.depth()
    assert crew.service.begun == ["neighbour"]
    crew.service.finish.set()
    await until(lambda: crew.service.ended == ["neighbour", "suspect"])


async def test_several_suspects_run_together_and_apart_from_all_others(crew: Crew) -> None:
    for person in (1, 2, 3):
        await crew.crashed(f"suspect {person}", person=person)
    await crew.start()
    await until(lambda: len(crew.service.begun) == 3)
    await crew.put("neighbour", person=4)
    await crew.box.mailbox.pump()
    assert sorted(crew.service.begun) == ["suspect 1", "suspect 2", "suspect 3"]
    crew.service.finish.set()
    await until(lambda: len(crew.service.ended) == 4)
    assert crew.service.beside == [0, 1, 2, 0]


async def test_suspects_whose_group_crashed_run_one_after_the_other(crew: Crew) -> None:
    crew.service.finish.set()
    for person in (1, 2, 3):
        await crew.crashed(f"suspect {person}", person=person, others=2)
    await crew.start()
    await until(lambda: len(crew.service.ended) == 3)
    assert crew.service.beside == [0, 0, 0]


async def test_a_crash_of_a_group_counts_for_nobody(crew: Crew) -> None:
    for person in (1, 2):
        await crew.crashed(f"suspect {person}", person=person)
    await crew.start()
    await until(lambda: len(crew.service.begun) == 2)
    for _ in range(2):
        await crew.box.recovered("worker-9")
    assert [turn.crashes for turn in await crew.box.mailbox.turns(2)] == [0, 0]


async def test_a_crash_counts_only_once_a_suspect_runs_alone(crew: Crew) -> None:
    await crew.crashed("suspect")
    await crew.start()
    await until(lambda: crew.service.begun == ["suspect"])
    await crew.box.recovered("worker-9")
    assert (await crew.newest()).crashes == 1


async def test_a_suspect_that_was_cancelled_meanwhile_closes_the_quarantine(crew: Crew) -> None:
    await crew.crashed("suspect", person=1, idle_ms=0)
    await crew.start()
    await crew.put("neighbour", person=2)
    await until(lambda: crew.service.begun == ["neighbour"])
    await crew.idle(crew.dead.lease, 10 * LEASE_MS)
    await crew.take_over()
    await crew.box.mailbox.pause(crew.dead.lease.conversation_id, 0, "stop", cancel_running=True)
    crew.service.finish.set()
    await crew.put("later", person=3)
    await until(lambda: crew.service.ended == ["neighbour", "later"])


async def test_a_suspect_outlives_a_store_outage(crew: Crew) -> None:
    crew.service.finish.set()
    await crew.crashed("suspect")
    crew.wire.lose("begin_suspect")
    await crew.start()
    await until(lambda: crew.service.ended == ["suspect"])


# -- draining -------------------------------------------------------------------------------------------------------


async def test_a_drain_lets_turns_finish(crew: Crew) -> None:
    dispatcher = await crew.start(drain_s=WAIT_S)
    await crew.put("hello")
    await until(lambda: len(crew.service.begun) == 1)
    draining = asyncio.create_task(dispatcher.drain())
    crew.service.finish.set()
    await draining
    assert crew.service.ended == ["hello"]


async def test_a_drain_hands_back_what_does_not_finish(crew: Crew) -> None:
    dispatcher = await crew.start()
    await crew.put("hello")
    await until(lambda: len(crew.service.begun) == 1)
    await dispatcher.drain()
    turn = await crew.newest()
    assert (turn.status, turn.running, turn.reason, turn.failures) == (TurnStatus.OPEN, False, "draining", 0)


async def test_a_drain_in_a_hurry_hands_back_at_once_what_it_would_have_waited_for(crew: Crew) -> None:
    dispatcher = await crew.start(drain_s=1000.0)
    await crew.put("hello")
    await until(lambda: len(crew.service.begun) == 1)
    hurry = asyncio.Event()
    draining = asyncio.create_task(dispatcher.drain(hurry=hurry))
    hurry.set()
    await asyncio.wait_for(draining, WAIT_S)
    turn = await crew.newest()
    assert (turn.running, turn.reason, turn.deaths) == (False, "draining", 0)


async def test_a_drain_takes_nothing_more(crew: Crew) -> None:
    dispatcher = await crew.start()
    await dispatcher.drain()
    await crew.put("hello")
    assert (await crew.box.mailbox.depth()).voice_leases == 0


async def test_a_read_that_swallows_its_cancellation_holds_no_drain_up(
    crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = asyncio.Event()

    async def swallows(*_args: Any, **_options: Any) -> None:
        reading.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    monkeypatch.setattr(crew.box.mailbox, "next_media", swallows)
    dispatcher = await crew.start()
    await reading.wait()

    async with asyncio.timeout(WAIT_S):
        await dispatcher.drain()


async def test_a_claim_that_a_drain_meets_half_way_is_handed_back_and_not_begun(crew: Crew) -> None:
    dispatcher = await crew.start()
    await crew.put("one", person=1)
    await until(lambda: len(crew.service.begun) == 1)
    dispatcher._draining = True
    await crew.put("two", person=2)
    await until(lambda: "two" in crew.service.handed_back)
    assert crew.service.begun == ["one"]


async def test_a_suspect_in_its_run_is_handed_back_by_a_drain(crew: Crew) -> None:
    await crew.crashed("suspect")
    dispatcher = await crew.start()
    await until(lambda: crew.service.begun == ["suspect"])
    await dispatcher.drain()
    turn = await crew.newest()
    assert (turn.running, turn.crashes, crew.service.cancelled) == (False, 0, ["suspect"])


async def test_a_suspect_that_waits_is_handed_back_by_a_drain(crew: Crew) -> None:
    await crew.crashed("suspect", person=1, idle_ms=0)
    dispatcher = await crew.start()
    await crew.put("neighbour", person=2)
    await until(lambda: crew.service.begun == ["neighbour"])
    await crew.idle(crew.dead.lease, 10 * LEASE_MS)
    await crew.take_over()
    await dispatcher.drain()
    assert crew.service.handed_back == ["suspect"]


# -- trouble --------------------------------------------------------------------------------------------------------


async def test_an_outage_of_the_store_is_waited_for(crew: Crew) -> None:
    for function in ("pump", "claim", "recover"):
        crew.wire.lose(function, times=3)
    await crew.start()
    await crew.put("hello")
    await until(lambda: crew.service.begun == ["hello"])


async def test_a_mistake_in_one_loop_is_counted_and_does_not_end_it(crew: Crew) -> None:
    mistakes = iter([RuntimeError("a mistake")])
    hear = crew.service.hear_ahead

    async def hear_ahead(task: MediaTask) -> None:
        for mistake in mistakes:
            raise mistake
        await hear(task)

    crew.service.hear_ahead = hear_ahead  # type: ignore[method-assign]
    await crew.start()
    await crew.put("first", media=True)
    await crew.put("second", media=True, person=2)
    await until(lambda: crew.service.heard == ["second"])
    assert crew.metrics.registry.get_sample_value("recado_errors_total", {"category": "UNKNOWN"}) == 1

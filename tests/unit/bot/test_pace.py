"""The pace of a number is kept by all its workers together, and before a send is announced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bot.mailbox import Mailbox
from bot.mailbox.keys import key
from bot.outbox import PartState
from bot.pace import SharedPace
from tests.household import NUMBER, Household
from webhooks.contract import Throttled
from webhooks.whatsapp.pacing import Pacer, Rate

SLOW_PAIR = Rate(per_s=0.25, burst=1)
SLOWEST_PAIR = Rate(per_s=1 / 1000, burst=1)


@pytest.fixture
async def house(redis: Redis) -> AsyncIterator[Household]:
    async with Household.opened(redis) as house:
        yield house


@pytest.fixture
async def friends(house: Household) -> Household:
    await house.met()
    return house


def worker(redis: Redis, pacer: Pacer | None = None) -> SharedPace:
    return SharedPace(Mailbox(redis, secret=b"test"), pacer or Pacer())


async def test_two_workers_share_the_limit_of_a_pair(redis: Redis) -> None:
    first, second = (worker(redis, Pacer(pair_rate=SLOW_PAIR)) for _ in range(2))
    assert await first.reserve(NUMBER, "ana") == 0
    assert await second.reserve(NUMBER, "ana") == pytest.approx(4, abs=3.9)
    assert await second.reserve(NUMBER, "rui") == 0


async def test_two_workers_share_the_throughput_of_a_number(redis: Redis) -> None:
    first, second = (worker(redis, Pacer(number_rate=Rate(per_s=0.25, burst=2))) for _ in range(2))
    assert [await pace.reserve(NUMBER, person) for pace, person in ((first, "ana"), (second, "rui"))] == [0, 0]
    assert await first.reserve(NUMBER, "eva") > 0
    assert await first.reserve("another number", "eva") == 0


async def test_a_burst_goes_out_at_once_and_what_follows_waits_its_turn(redis: Redis) -> None:
    pace = worker(redis, Pacer(pair_rate=Rate(per_s=1 / 1000, burst=3), longest_wait_s=5000))
    waits = [await pace.reserve(NUMBER, "ana") for _ in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3:] == [pytest.approx(1000, abs=100), pytest.approx(2000, abs=100)]


async def test_a_long_wait_is_told_and_not_booked(redis: Redis) -> None:
    pace = worker(redis, Pacer(pair_rate=Rate(per_s=1 / 1000, burst=1)))
    await pace.reserve(NUMBER, "ana")
    for _ in range(3):
        with pytest.raises(Throttled) as throttled:
            await pace.reserve(NUMBER, "ana")
        assert throttled.value.retry_after_s == pytest.approx(1000, abs=100)


async def test_bookings_are_forgotten_once_they_are_made_up_for(redis: Redis) -> None:
    await worker(redis).reserve(NUMBER, "ana")
    assert 0 < await redis.pttl(key("pace", NUMBER, "ana")) <= 6000


async def test_a_clock_that_was_set_back_makes_nobody_wait_for_it(redis: Redis) -> None:
    await redis.set(key("pace", NUMBER, "ana"), 10**14)
    with pytest.raises(Throttled) as throttled:
        await worker(redis).reserve(NUMBER, "ana")
    assert (throttled.value.retry_after_s or 0) <= 12


async def test_while_the_store_is_away_a_worker_keeps_its_own_pace(house: Household) -> None:
    house.wire.lose("reserve_send", times=2)
    pace = SharedPace(house.mailbox, Pacer(pair_rate=SLOW_PAIR), clock=lambda: 100.0)
    assert [await pace.reserve(NUMBER, "ana") for _ in range(2)] == [0, 4]


async def paced(house: Household, *, longest_wait_s: float) -> None:
    """Ana writes, and what may be sent to her within a quarter of an hour was sent already."""
    house.pacer = Pacer(pair_rate=SLOWEST_PAIR, longest_wait_s=longest_wait_s)
    person = await house.mailbox.find_person("whatsapp", (await house.write("bom dia")).sender)
    assert person is not None
    await house.redis.delete(key("pace", NUMBER, person.id))
    await SharedPace(house.mailbox, house.pacer).reserve(NUMBER, person.id)


async def waiting_for_its_pace(house: Household) -> asyncio.Task[None]:
    """A turn that has everything to send and waits for the pace."""
    await paced(house, longest_wait_s=2000)
    turn = asyncio.create_task(house.service.handle(await house.claim()))
    async with asyncio.timeout(60):
        while not house.clock.somebody_wakes_between(500, 1000):  # noqa: ASYNC110 - the clock has no event for it
            await asyncio.sleep(0)
    return turn


async def test_whoever_dies_waiting_for_the_pace_leaves_no_part_unsure(friends: Household) -> None:
    turn = await waiting_for_its_pace(friends)

    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)

    (summary,) = [one for one in await friends.mailbox.turns(10) if one.record and friends.record(one).turn.parts][:1]
    assert [part.state for part in friends.record(summary).turn.parts] == [PartState.UPLOADED]
    assert friends.texts == []


async def test_what_waited_for_the_pace_is_sent_after_it(friends: Household) -> None:
    turn = await waiting_for_its_pace(friends)
    assert friends.texts == []

    friends.clock.advance(1000)
    await turn

    assert friends.texts == ["(voice)"]


async def test_a_stop_that_comes_during_the_wait_is_heeded(friends: Household) -> None:
    turn = await waiting_for_its_pace(friends)
    await friends.mailbox.stop_sending("banned")

    friends.clock.advance(1000)
    await turn

    assert friends.texts == []


async def test_a_long_wait_hands_the_turn_back_without_an_attempt(friends: Household) -> None:
    await paced(friends, longest_wait_s=6)

    summary = await friends.answer()

    ((reason, delay_s),) = friends.wire.deferred
    assert (reason, delay_s > 6) == ("our own pace", True)
    assert [(part.state, part.attempt) for part in friends.record(summary).turn.parts] == [(PartState.UPLOADED, 0)]

"""Every way of sending the mailbox's calls keeps the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as StoreConnectionError
from redis.exceptions import ResponseError

from bot.mailbox import CoalescingSender, StoreBroken, StoreUnavailable
from bot.mailbox.functions import DirectSender, Sender
from bot.store import Role, connect
from tests.conftest import Box

SENDERS: dict[str, Callable[[Redis], Sender]] = {
    "direct": DirectSender,
    "coalescing": CoalescingSender,
    "coalescing, one call a pipeline": lambda redis: CoalescingSender(redis, max_calls=1, max_pipelines=1),
}


@pytest.fixture(params=SENDERS)
async def sender(request: pytest.FixtureRequest, redis: Redis) -> Sender:
    return SENDERS[request.param](redis)


@pytest.fixture
async def box(redis: Redis, sender: Sender) -> Box:
    box = Box(redis, sender)
    await box.mailbox.prepare()
    return box


async def test_calls_made_together_each_get_their_own_answer(box: Box) -> None:
    incoming = [box.incoming(str(number), endpoint_id=str(number)) for number in range(300)]
    results = await asyncio.gather(*(box.mailbox.put(one) for one in incoming))
    again = await asyncio.gather(*(box.mailbox.put(one) for one in incoming))
    assert len({result.conversation_id for result in results}) == 300
    assert [result.conversation_id for result in again] == [result.conversation_id for result in results]
    assert all(result.duplicate for result in again)


async def test_messages_put_together_keep_their_order(box: Box) -> None:
    incoming = [box.incoming(f"{number:03}", at_ms=box.at_ms) for number in range(100)]
    await asyncio.gather(*(box.mailbox.put(one) for one in incoming))
    assert (await box.claimed()).message_ids == tuple(one.message_id for one in incoming)


async def test_the_error_of_one_call_costs_its_neighbours_nothing(box: Box, sender: Sender) -> None:
    await box.put("before")
    good = box.mailbox.put(box.incoming("good"))
    bad = sender.fcall("no_such_function")
    also_good = box.mailbox.put(box.incoming("also good"))
    results = await asyncio.gather(good, bad, also_good, return_exceptions=True)
    assert isinstance(results[1], ResponseError)
    assert len((await box.claimed()).payloads) == 3


async def test_a_store_without_the_functions_gets_them_with_the_first_calls(box: Box) -> None:
    await box.redis.function_flush()
    await asyncio.gather(*(box.put(str(number)) for number in range(10)))
    assert len((await box.claimed()).payloads) == 10


async def test_a_caller_that_gives_up_costs_its_neighbours_nothing(box: Box) -> None:
    impatient = asyncio.create_task(box.put("impatient"))
    patient = asyncio.create_task(box.put("patient"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert not (await patient).duplicate


@pytest.mark.parametrize("make", SENDERS.values(), ids=SENDERS)
async def test_a_store_that_is_not_there_is_unavailable_to_every_caller(
    make: Callable[[Redis], Sender], tmp_path: object
) -> None:
    redis = connect(f"unix://{tmp_path}/nobody", Role.RECEIVER)
    box = Box(redis, make(redis))
    results = await asyncio.gather(*(box.put(str(number)) for number in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    await redis.aclose()


@pytest.mark.parametrize("make", SENDERS.values(), ids=SENDERS)
async def test_a_store_that_stalls_is_unavailable_and_its_late_answers_go_to_nobody(
    make: Callable[[Redis], Sender], redis: Redis, store_url: str
) -> None:
    hasty = connect(store_url, Role.RECEIVER)
    box = Box(hasty, make(hasty))
    await box.mailbox.prepare()
    await redis.client_pause(60_000, all=False)
    stalled = await asyncio.gather(*(box.put(str(number)) for number in range(3)), return_exceptions=True)
    await redis.client_unpause()
    answered = await asyncio.gather(*(box.put(f"later {number}", endpoint_id=str(number)) for number in range(3)))
    assert [type(result) for result in stalled] == [StoreUnavailable] * 3
    assert len({result.conversation_id for result in answered}) == 3
    await hasty.aclose()


async def test_a_store_that_is_full_takes_nothing_new_but_finishes_what_it_has(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            await box.put("two")
        await box.done(claim)
    finally:
        await box.redis.config_set("maxmemory", 0)
    assert not (await box.put("two")).duplicate


async def test_what_the_store_refuses_for_good_is_not_called_an_outage(box: Box) -> None:
    await box.redis.set("{recado:0}:backlog", "not ours")
    with pytest.raises(StoreBroken):
        await box.put("one")


async def test_too_many_waiting_calls_are_refused_instead_of_piling_up(redis: Redis) -> None:
    sender = CoalescingSender(redis, max_waiting=2)
    calls = [asyncio.ensure_future(sender.fcall("unknown")) for _ in range(3)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [ResponseError, ResponseError, StoreConnectionError]


async def test_neighbours_share_a_round_trip(redis: Redis) -> None:
    box = Box(redis, CoalescingSender(redis))
    await box.mailbox.prepare()
    await box.put("first")
    before = (await redis.info("stats"))["total_net_input_bytes"], (await redis.info("stats"))["total_reads_processed"]
    await asyncio.gather(*(box.put(str(number)) for number in range(64)))
    reads = (await redis.info("stats"))["total_reads_processed"] - before[1]
    assert reads < 16


async def test_each_of_many_callers_gets_an_error_of_its_own(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = CoalescingSender(redis)

    async def broken(_commands: list[bytes]) -> list[object]:
        raise StoreConnectionError("away")

    monkeypatch.setattr(sender, "_round_trip", broken)

    errors = await asyncio.gather(*(sender.fcall("f") for _ in range(3)), return_exceptions=True)

    assert len({id(error) for error in errors}) == 3
    assert [(type(error), str(error)) for error in errors] == [(StoreConnectionError, "away")] * 3

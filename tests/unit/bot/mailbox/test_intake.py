"""What the mailbox takes, once, and how it forms turns of it."""

from __future__ import annotations

import asyncio

import pytest

from bot.mailbox import Effect, Lane, LeaseLost, StoreBroken, TurnCancelled, TurnStatus
from tests.conftest import Box, MakeBox
from webhooks.messages import Person

HOUR_MS = 3_600_000


async def test_a_message_becomes_a_turn_with_its_payload_untouched(box: Box) -> None:
    await box.put("one", payload=b"\x00\xff\r\n")
    claim = await box.claimed()
    assert claim.payloads == (b"\x00\xff\r\n",)
    assert claim.message_ids == ("wamid.one",)
    assert claim.record is None


async def test_a_redelivered_message_is_a_duplicate_and_changes_nothing(box: Box) -> None:
    first = await box.put("one")
    again = await box.put("one")
    assert not first.duplicate
    assert again.duplicate
    assert (again.conversation_id, again.person_id) == (first.conversation_id, first.person_id)
    assert len((await box.claimed()).payloads) == 1


async def test_a_message_that_was_answered_is_still_a_duplicate(box: Box) -> None:
    await box.put("one")
    await box.done(await box.claimed())
    assert (await box.put("one")).duplicate
    assert await box.claim() is None


async def test_deliveries_at_the_same_moment_are_taken_once(box: Box) -> None:
    incoming = box.incoming("one")
    results = await asyncio.gather(*(box.mailbox.put(incoming) for _ in range(20)))
    assert sum(not result.duplicate for result in results) == 1
    assert len((await box.claimed()).payloads) == 1


async def test_a_put_that_broke_off_before_its_mark_is_completed_by_the_redelivery(box: Box) -> None:
    await box.put("one")
    for name in await box.redis.keys("*:dedupe:*"):
        await box.redis.delete(name)
    assert not (await box.put("one")).duplicate
    assert (await box.claimed()).payloads == (b"one",)


async def test_a_foreign_key_in_the_way_is_refused_and_leaves_no_mark(box: Box) -> None:
    await box.redis.set("{recado:0}:due", "not ours")
    with pytest.raises(StoreBroken, match="zset"):
        await box.put("one")
    await box.redis.delete("{recado:0}:due")
    assert not (await box.put("one")).duplicate


async def test_a_burst_is_in_order_of_message_time_then_arrival(box: Box) -> None:
    at_ms = box.at_ms
    for name, offset_ms in (("c", 3000), ("a", 1000), ("b1", 2000), ("b2", 2000)):
        await box.put(name, at_ms=at_ms + offset_ms)
    assert (await box.claimed()).payloads == (b"a", b"b1", b"b2", b"c")


async def test_a_burst_waits_for_quiet(make_box: MakeBox) -> None:
    box = make_box(quiet_ms=2000, burst_max_ms=8000)
    await box.put("one")
    due_s = await box.mailbox.pump()
    assert due_s is not None
    assert 1.0 < due_s <= 2.0
    assert await box.take() is None


async def test_a_burst_never_waits_longer_than_its_limit_after_the_first_message(make_box: MakeBox) -> None:
    await make_box(quiet_ms=60_000, burst_max_ms=60_000).put("one")
    await make_box(quiet_ms=60_000, burst_max_ms=0).put("two")
    assert (await make_box().claimed()).payloads == (b"one", b"two")


async def test_a_due_burst_gets_its_token_from_the_pump(make_box: MakeBox) -> None:
    box = make_box(quiet_ms=60_000, burst_max_ms=60_000)
    result = await box.put("one")
    await box.redis.zadd("{recado:0}:due", {result.conversation_id: 1})
    await box.redis.hset(f"{{recado:0}}:conversation:{result.conversation_id}", "last_ms", 1)
    assert await box.mailbox.pump() is None
    assert (await box.claimed()).payloads == (b"one",)


async def test_what_comes_after_the_claim_is_the_next_turn(box: Box) -> None:
    await box.put("one")
    first = await box.claimed()
    await box.put("two")
    assert await box.claim() is None
    await box.done(first)
    assert (await box.claimed()).payloads == (b"two",)


async def test_all_that_waited_through_an_outage_is_one_turn(box: Box) -> None:
    for number in range(30):
        await box.put(f"message {number}")
    assert len((await box.claimed()).payloads) == 30
    assert await box.claim() is None


async def test_a_command_splits_what_waits_into_three_turns_in_order(box: Box) -> None:
    await box.put("before 1")
    await box.put("before 2")
    await box.command("command")
    await box.put("after")
    turns = []
    for lane in (Lane.VOICE, Lane.FAST, Lane.VOICE):
        claim = await box.claimed(lane)
        turns.append(claim.payloads)
        await box.done(claim)
    assert turns == [(b"before 1", b"before 2"), (b"command",), (b"after",)]


async def test_a_command_is_due_at_once_and_takes_the_burst_before_it_along(make_box: MakeBox) -> None:
    box = make_box(quiet_ms=60_000, burst_max_ms=60_000)
    await box.put("before")
    assert await box.take() is None
    await box.command("command")
    before = await box.claimed()
    await box.done(before)
    assert (await box.claimed(Lane.FAST)).payloads == (b"command",)


async def test_what_a_command_split_off_follows_without_waiting_again(make_box: MakeBox) -> None:
    box = make_box(quiet_ms=60_000, burst_max_ms=60_000)
    await box.command("command")
    await box.put("after")
    await box.done(await box.claimed(Lane.FAST))
    assert (await box.claimed()).payloads == (b"after",)


async def test_a_burst_of_text_goes_to_the_fast_lane_and_one_voice_message_makes_it_slow(box: Box) -> None:
    await box.put("text", lane=Lane.FAST)
    await box.put("voice", lane=Lane.VOICE)
    assert await box.claim(Lane.FAST) is None
    assert (await box.claimed(Lane.VOICE)).payloads == (b"text", b"voice")


async def test_stop_cancels_what_waits_and_is_answered_itself(box: Box) -> None:
    await box.put("one")
    await box.put("two")
    await box.command("stop", Effect.STOP)
    assert await box.claim() is None
    assert (await box.claimed(Lane.FAST)).payloads == (b"stop",)


async def test_stop_leaves_what_was_written_after_it(box: Box) -> None:
    await box.put("later", at_ms=box.at_ms + HOUR_MS)
    await box.command("stop", Effect.STOP)
    await box.done(await box.claimed(Lane.FAST))
    assert (await box.claimed()).payloads == (b"later",)


async def test_stop_leaves_commands_in_their_order(box: Box) -> None:
    await box.command("delete my data")
    await box.command("stop", Effect.STOP)
    claim = await box.claimed(Lane.FAST)
    assert claim.payloads == (b"delete my data",)
    await box.done(claim)
    assert (await box.claimed(Lane.FAST)).payloads == (b"stop",)


async def test_stop_cancels_a_turn_that_is_not_yet_sending(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.command("stop", Effect.STOP)
    with pytest.raises(TurnCancelled):
        await box.mailbox.save(claim.lease, b"about to send", sending=True)
    assert (await box.claimed(Lane.FAST)).payloads == (b"stop",)
    found = await box.mailbox.turn(claim.lease.turn_id)
    assert (found.status, found.reason) == (TurnStatus.CANCELLED, "stop")


async def test_a_cancelled_turn_takes_its_last_record_and_nothing_else(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.command("stop", Effect.STOP)
    await box.mailbox.done(claim.lease, b"last words", "cancelled")
    assert not await box.mailbox.fail(claim.lease, b"last words", "too late")
    found = await box.mailbox.turn(claim.lease.turn_id)
    assert (found.status, found.record) == (TurnStatus.CANCELLED, b"last words")


async def test_a_part_in_flight_is_settled_before_stop_takes_effect(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    await box.command("stop", Effect.STOP)
    with pytest.raises(TurnCancelled):
        await box.mailbox.save(claim.lease, b"sent")
    assert (await box.mailbox.turn(claim.lease.turn_id)).record == b"sent"
    assert (await box.claimed(Lane.FAST)).payloads == (b"stop",)


async def test_after_stop_the_next_part_is_not_announced(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending part 0", sending=True)
    await box.command("stop", Effect.STOP)
    with pytest.raises(TurnCancelled):
        await box.mailbox.save(claim.lease, b"sending part 1", sending=True)
    assert (await box.mailbox.turn(claim.lease.turn_id)).record == b"sending part 0"


async def test_stop_cancels_a_turn_that_waits_for_its_retry(make_box: MakeBox) -> None:
    box = make_box(retry_base_ms=60_000)
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.defer(claim.lease, b"", 60_000, "outage")
    await box.command("stop", Effect.STOP)
    assert (await box.claimed(Lane.FAST)).payloads == (b"stop",)


async def test_a_revoked_message_is_not_answered(box: Box) -> None:
    await box.put("one")
    await box.put("oops")
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.oops")
    assert (await box.claimed()).payloads == (b"one",)


async def test_revoking_the_only_message_leaves_nothing_to_do(box: Box) -> None:
    await box.put("oops")
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.oops")
    assert await box.claim() is None
    assert (await box.mailbox.depth()).conversations == 0


async def test_a_revoke_that_comes_first_still_takes_its_message_back(box: Box) -> None:
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.oops")
    assert (await box.put("oops")).duplicate
    assert await box.claim() is None


async def test_revoking_a_message_in_work_restarts_its_burst_without_it(box: Box) -> None:
    await box.put("one")
    await box.put("oops")
    await box.put("three")
    claim = await box.claimed()
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.oops")
    with pytest.raises(TurnCancelled):
        await box.mailbox.save(claim.lease, b"composed")
    assert (await box.claimed()).payloads == (b"one", b"three")


async def test_a_message_that_is_being_answered_cannot_be_revoked(box: Box) -> None:
    await box.put("oops")
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.oops")
    await box.mailbox.save(claim.lease, b"sent")
    await box.done(claim)


async def test_nobody_can_revoke_the_message_of_another_person(box: Box) -> None:
    await box.put("one")
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.one", person=Person(phone="5511900000002"))
    assert (await box.claimed()).payloads == (b"one",)


async def test_what_is_only_recorded_makes_no_turn_but_is_seen(box: Box) -> None:
    await box.put("reaction", effect=Effect.RECORD)
    assert (await box.put("reaction", effect=Effect.RECORD)).duplicate
    assert await box.claim() is None


async def test_a_human_answer_pauses_the_conversation_and_cancels_what_the_bot_prepares(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    echo_at_ms = box.at_ms
    await box.put("echo", effect=Effect.TAKEOVER, at_ms=echo_at_ms, pause_s=1800)
    with pytest.raises(TurnCancelled):
        await box.mailbox.save(claim.lease, b"about to send", sending=True)
    await box.put("two")
    paused = await box.claimed()
    assert (paused.paused_until_ms, paused.pause_reason) == (echo_at_ms + 1_800_000, "takeover")


async def test_the_window_runs_from_the_newest_inbound_message_but_never_from_the_future(box: Box) -> None:
    newest_ms = box.at_ms
    await box.put("one", at_ms=newest_ms)
    await box.put("late delivery", at_ms=newest_ms - HOUR_MS)
    claim = await box.claimed()
    assert claim.newest_inbound_ms == newest_ms
    await box.done(claim)
    await box.put("from the future", at_ms=newest_ms + 1000 * HOUR_MS)
    assert (await box.claimed()).newest_inbound_ms < newest_ms + HOUR_MS


async def test_conversations_with_two_of_our_numbers_do_not_wait_for_each_other(box: Box) -> None:
    await box.put("to 100", endpoint_id="100")
    await box.put("to 200", endpoint_id="200")
    first, second = await box.claimed(), await box.claimed()
    assert {first.endpoint_id, second.endpoint_id} == {"100", "200"}
    assert first.person == second.person


async def test_a_voice_message_is_heard_while_its_burst_waits(make_box: MakeBox) -> None:
    box = make_box(quiet_ms=60_000, burst_max_ms=60_000)
    await box.put("note", media=True)
    task = await box.mailbox.next_media("ear", block_ms=0)
    assert task.payload == b"note"
    assert await box.mailbox.note_transcript(task, b'{"text": "oi"}')
    assert await box.mailbox.next_media("ear", block_ms=0) is None
    await box.command("go")
    assert (await box.claimed()).transcripts == {"wamid.note": b'{"text": "oi"}'}


async def test_hearing_a_message_that_is_answered_already_is_no_error(box: Box) -> None:
    await box.put("note", media=True)
    await box.done(await box.claimed())
    assert await box.mailbox.next_media("ear", block_ms=0) is None


async def test_a_lease_is_lost_when_the_person_is_erased(box: Box) -> None:
    result = await box.put("one")
    claim = await box.claimed()
    await box.mailbox.erase(result.person_id)
    with pytest.raises(LeaseLost):
        await box.mailbox.save(claim.lease, b"")

"""Who may work on a turn, what happens when they fail, crash or hand it back."""

from __future__ import annotations

import pytest

from bot.mailbox import DRAINING, Lane, Lease, LeaseLost, TurnStatus
from tests.conftest import Box, MakeBox
from webhooks.messages import StatusKind

FINAL_CALLS = ("save", "done", "fail", "defer", "bury", "begin_suspect")


async def call(box: Box, name: str, lease: Lease) -> bool | None:
    arguments = {
        "save": (b"theirs",),
        "done": (b"theirs", "answered"),
        "fail": (b"theirs", "reason"),
        "defer": (b"theirs", 0, "reason"),
        "bury": (b"theirs", "reason"),
        "begin_suspect": (),
    }
    return await getattr(box.mailbox, name)(lease, *arguments[name])


@pytest.mark.parametrize("name", FINAL_CALLS)
async def test_a_worker_that_lost_its_lease_can_do_nothing(box: Box, name: str) -> None:
    await box.put("one")
    lost = await box.claimed(consumer="worker-1")
    mine = await box.recovered("worker-2")
    await box.mailbox.save(mine.lease, b"mine")
    with pytest.raises(LeaseLost):
        await call(box, name, lost.lease)
    found = await box.mailbox.turn(mine.lease.turn_id)
    assert (found.status, found.record) == (TurnStatus.OPEN, b"mine")


@pytest.mark.parametrize("name", FINAL_CALLS)
async def test_a_lease_is_lost_as_soon_as_the_token_is_taken_over(box: Box, name: str) -> None:
    await box.put("one")
    lost = await box.claimed(consumer="worker-1")
    await box.mailbox.recover("worker-2", min_idle_ms=0, count=1)
    with pytest.raises(LeaseLost):
        await call(box, name, lost.lease)


@pytest.mark.parametrize("name", FINAL_CALLS)
async def test_an_earlier_run_of_the_same_worker_can_do_nothing(box: Box, name: str) -> None:
    await box.put("one")
    earlier = await box.claimed()
    await box.recovered("worker-1")
    with pytest.raises(LeaseLost):
        await call(box, name, earlier.lease)


@pytest.mark.parametrize("name", ["done", "fail", "defer", "bury"])
async def test_a_repeated_call_answers_the_same_and_changes_nothing(make_box: MakeBox, name: str) -> None:
    box = make_box(retry_base_ms=60_000)
    await box.put("one")
    claim = await box.claimed()
    first = await call(box, name, claim.lease)
    before = await box.mailbox.turn(claim.lease.turn_id)
    assert await call(box, name, claim.lease) == first
    assert await box.mailbox.turn(claim.lease.turn_id) == before


async def test_a_repeated_call_does_not_touch_the_next_run(box: Box) -> None:
    await box.put("one")
    first = await box.claimed()
    await box.mailbox.fail(first.lease, b"first", "reason")
    second = await box.claimed()
    await box.mailbox.fail(first.lease, b"first again", "reason")
    await box.mailbox.save(second.lease, b"second")
    found = await box.mailbox.turn(second.lease.turn_id)
    assert (found.record, found.failures) == (b"second", 1)


async def test_a_token_is_given_to_one_worker_only(box: Box) -> None:
    await box.put("one")
    assert await box.take(consumer="worker-1") is not None
    assert await box.take(consumer="worker-2") is None


async def test_a_token_that_was_taken_over_cannot_be_claimed_by_its_first_holder(box: Box) -> None:
    await box.put("one")
    token = await box.take(consumer="worker-1")
    await box.mailbox.recover("worker-2", min_idle_ms=0, count=1)
    assert await box.mailbox.claim(token) is None
    assert (await box.recovered("worker-2")).payloads == (b"one",)


async def test_a_claim_whose_answer_was_lost_can_be_repeated(box: Box) -> None:
    await box.put("one")
    token = await box.take()
    await box.mailbox.claim(token)
    again = await box.mailbox.claim(token)
    assert (again.payloads, again.suspect) == ((b"one",), False)
    await box.done(again)


async def test_renewing_keeps_a_lease_and_tells_which_are_lost(box: Box) -> None:
    await box.put("one", endpoint_id="100")
    await box.put("two", endpoint_id="200")
    kept, lost = await box.claimed(), await box.claimed()
    await box.redis.xclaim("{recado:0}:lane:voice", "workers", "worker-2", 0, [lost.lease.token_id])
    assert await box.mailbox.renew([kept.lease, lost.lease]) == [lost.lease]
    assert await box.mailbox.recover("worker-2", min_idle_ms=60_000, count=10) == []


async def test_a_failed_turn_runs_again_before_what_came_later(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.put("two")
    assert not await box.mailbox.fail(claim.lease, b"half", "engine")
    again = await box.claimed()
    assert (again.payloads, again.record, again.failures) == ((b"one",), b"half", 1)
    await box.done(again)
    assert (await box.claimed()).payloads == (b"two",)


async def test_a_retry_waits_for_its_backoff(make_box: MakeBox) -> None:
    box = make_box(retry_base_ms=60_000, retry_cap_ms=60_000)
    await box.put("one")
    await box.mailbox.fail((await box.claimed()).lease, b"", "engine")
    due_s = await box.mailbox.pump()
    assert due_s is not None
    assert 0 <= due_s <= 60
    assert await box.take() is None


async def test_after_the_last_attempt_the_turn_is_dead_and_the_conversation_goes_on(make_box: MakeBox) -> None:
    box = make_box(max_attempts=3)
    await box.put("one")
    deaths = []
    for _ in range(3):
        claim = await box.claimed()
        await box.put(f"meanwhile {claim.failures}")
        deaths.append(await box.mailbox.fail(claim.lease, b"record", "engine"))
    assert deaths == [False, False, True]
    letter = (await box.mailbox.dead_letters())[0]
    assert (letter.turn_id, letter.reason, letter.record) == (claim.lease.turn_id, "engine", b"record")
    assert len((await box.claimed()).payloads) == 3


async def test_handing_back_uses_no_attempt_however_often(make_box: MakeBox) -> None:
    box = make_box(max_attempts=2)
    await box.put("one")
    for _ in range(10):
        await box.mailbox.defer((await box.claimed()).lease, b"kept", 0, "draining")
    claim = await box.claimed()
    assert (claim.failures, claim.suspect, claim.record) == (0, False, b"kept")


async def test_a_deferred_turn_keeps_its_place_and_the_mailbox_stays_closed(box: Box) -> None:
    await box.put("one")
    await box.mailbox.defer((await box.claimed()).lease, b"", 60_000, "throttled")
    await box.put("two")
    assert await box.claim() is None
    assert (await box.mailbox.pump()) > 50


async def test_a_turn_found_unfinished_after_a_crash_is_a_suspect_with_its_record(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed(consumer="worker-1")
    await box.mailbox.save(claim.lease, b"half")
    again = await box.recovered("worker-2")
    assert again.suspect
    assert (again.lease.turn_id, again.record, again.failures) == (claim.lease.turn_id, b"half", 0)


async def test_a_token_taken_over_before_it_was_claimed_is_no_suspect(box: Box) -> None:
    await box.put("one")
    await box.take(consumer="worker-1")
    assert not (await box.recovered("worker-2")).suspect


async def test_a_suspect_handed_back_stays_a_suspect(box: Box) -> None:
    await box.put("one")
    await box.claimed()
    suspect = await box.recovered("worker-2")
    await box.mailbox.defer(suspect.lease, b"", 0, "draining")
    assert (await box.claimed()).suspect


async def test_only_crashes_in_quarantine_count_and_the_second_is_the_last(box: Box) -> None:
    await box.put("poison")
    await box.put("next", endpoint_id="200")
    claim = await box.claimed(consumer="worker-0")
    for number in range(1, 4):  # dies in company, or while it waits for its turn alone
        claim = await box.recovered(f"worker-{number}")
    assert claim.suspect
    await box.mailbox.begin_suspect(claim.lease)
    claim = await box.recovered("worker-4")
    await box.mailbox.begin_suspect(claim.lease)
    assert await box.recovered("worker-5") is None
    letter = (await box.mailbox.dead_letters())[0]
    assert (letter.reason, letter.crashes) == ("CRASHED", 2)
    assert (await box.claimed()).payloads == (b"next",)


async def test_a_run_alone_that_ends_well_counts_no_crash(box: Box) -> None:
    await box.put("one")
    await box.claimed()
    claim = await box.recovered("worker-2")
    await box.mailbox.begin_suspect(claim.lease)
    await box.mailbox.defer(claim.lease, b"", 0, "throttled")
    assert (await box.recovered("worker-3")) is None
    await box.claimed(consumer="worker-3")
    await box.recovered("worker-4")
    assert (await box.mailbox.turn(claim.lease.turn_id)).crashes == 0


async def test_leases_of_both_lanes_are_renewed_together(box: Box) -> None:
    await box.put("voice", endpoint_id="100")
    await box.command("command", endpoint_id="200")
    voice, fast = await box.claimed(Lane.VOICE), await box.claimed(Lane.FAST)
    assert await box.mailbox.renew([voice.lease, fast.lease]) == []
    await box.done(voice)
    await box.done(fast)


async def test_a_store_that_was_emptied_gets_its_functions_and_groups_again(box: Box) -> None:
    await box.redis.flushall()
    await box.redis.function_flush()
    await box.put("one")
    assert (await box.claimed()).payloads == (b"one",)


async def test_work_waits_through_the_loss_of_a_consumer_group(box: Box) -> None:
    await box.put("one")
    await box.redis.xgroup_destroy("{recado:0}:lane:voice", "workers")
    assert (await box.claimed()).payloads == (b"one",)


async def test_consumers_long_gone_are_forgotten_unless_they_hold_tokens(make_box: MakeBox) -> None:
    box = make_box(consumer_ms=0)
    await box.put("one")
    await box.claimed(consumer="holds")
    await box.take(consumer="idle")
    await box.mailbox.recover("worker-2", min_idle_ms=60_000, count=1)
    consumers = await box.redis.xinfo_consumers("{recado:0}:lane:voice", "workers")
    assert {consumer["name"] for consumer in consumers} - {b"worker-2"} <= {b"holds", b"idle"}
    assert b"holds" in {consumer["name"] for consumer in consumers}


async def test_sending_is_held_for_all_until_it_is_released(box: Box) -> None:
    assert await box.mailbox.sending_held() is None
    await box.mailbox.hold_sending(box.at_ms + 3_600_000, "token expired")
    held_s = await box.mailbox.sending_held()
    assert held_s is not None
    assert held_s > 3000
    await box.mailbox.release_sending()
    assert await box.mailbox.sending_held() is None


async def test_a_turn_is_closed_for_receipts_of_another_number(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    assert not await box.receipt(claim, StatusKind.DELIVERED, endpoint_id="another")
    assert (await box.mailbox.turn(claim.lease.turn_id)).receipts == ()


# -- the dead -------------------------------------------------------------------------------------------------------

LONG_MS = 3600_000


async def test_what_a_dead_worker_held_can_be_taken_over_at_once_and_in_order(box: Box) -> None:
    for person in (1, 2, 3):
        await box.put(str(person), endpoint_id=f"{person}")
        await box.claimed(consumer="dead")
    assert await box.mailbox.recover("worker-2", min_idle_ms=LONG_MS, count=10) == []
    assert await box.mailbox.holders() == ("dead",)
    assert await box.mailbox.release("dead") == 3
    tokens = await box.mailbox.recover("worker-2", min_idle_ms=LONG_MS, count=10)
    claims = [await box.mailbox.claim(token, recovered=True) for token in tokens]
    assert [claim.payloads for claim in claims if claim] == [(b"1",), (b"2",), (b"3",)]
    assert await box.mailbox.holders() == ("worker-2",)


async def test_a_release_frees_nothing_of_others_and_may_be_repeated(box: Box) -> None:
    await box.put("one", endpoint_id="100")
    await box.claimed(consumer="living")
    assert [await box.mailbox.release("dead"), await box.mailbox.release("dead")] == [0, 0]
    assert await box.mailbox.recover("worker-2", min_idle_ms=LONG_MS, count=10) == []


async def test_a_worker_that_was_only_thought_dead_keeps_what_it_renews_in_time(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed(consumer="living")
    await box.mailbox.release("living")
    assert await box.mailbox.renew([claim.lease]) == []
    assert await box.mailbox.recover("worker-2", min_idle_ms=LONG_MS, count=10) == []
    await box.done(claim)


async def test_every_death_over_a_turn_is_counted_and_only_the_last_run_was_interrupted(box: Box) -> None:
    await box.put("one")
    fresh = await box.claimed(consumer="first")
    second = await box.recovered("second")
    found = await box.mailbox.turn(fresh.lease.turn_id)
    assert (fresh.interrupted, second.interrupted, found.deaths, found.crashes) == (False, True, 1, 0)
    await box.mailbox.begin_suspect(second.lease)
    third = await box.recovered("third")
    found = await box.mailbox.turn(fresh.lease.turn_id)
    assert (third.interrupted, found.deaths, found.crashes) == (True, 2, 1)
    await box.mailbox.defer(third.lease, b"record", 0, "unconfirmed send")
    assert not (await box.claimed()).interrupted


async def test_a_turn_handed_back_by_a_drain_was_interrupted_and_nothing_crashed(box: Box) -> None:
    await box.put("one")
    await box.mailbox.defer((await box.claimed()).lease, b"record", 0, DRAINING)
    again = await box.claimed()
    assert (again.interrupted, again.suspect) == (True, False)


async def test_an_interrupted_claim_whose_answer_was_lost_is_still_interrupted(box: Box) -> None:
    await box.put("one")
    await box.claimed(consumer="first")
    (token,) = await box.mailbox.recover("second", min_idle_ms=0, count=1)
    await box.mailbox.claim(token, recovered=True)
    assert (await box.mailbox.claim(token)).interrupted


async def test_a_crash_among_suspects_counts_for_nobody_and_each_runs_alone_next(box: Box) -> None:
    await box.put("one")
    await box.claimed(consumer="worker-0")
    claim = await box.recovered("worker-1")
    assert not claim.single
    await box.mailbox.begin_suspect(claim.lease, others=3)
    claim = await box.recovered("worker-2")
    assert claim.single
    assert (await box.mailbox.turn(claim.lease.turn_id)).crashes == 0


async def test_a_run_among_suspects_that_is_handed_back_leaves_nobody_single(box: Box) -> None:
    await box.put("one")
    await box.claimed(consumer="worker-0")
    claim = await box.recovered("worker-1")
    await box.mailbox.begin_suspect(claim.lease, others=3)
    await box.mailbox.defer(claim.lease, b"", 0, "draining")
    again = await box.claimed(consumer="worker-2")
    assert (again.suspect, again.single) == (True, False)

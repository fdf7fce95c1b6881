"""Receipts: forward only, early or late, waking turns and bringing them back for repair."""

from __future__ import annotations

import itertools

import pytest

from bot.mailbox import Claim, Effect, Lane, TurnStatus
from tests.conftest import Box
from webhooks.messages import StatusKind

S = StatusKind
BEST = {S.SENT: 0, S.FAILED: 1, S.DELIVERED: 2, S.READ: 3, S.PLAYED: 4}


async def sent(box: Box, name: str = "one") -> Claim:
    """A turn whose only part was sent and that is answered."""
    await box.put(name)
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    await box.mailbox.save(claim.lease, b"sent")
    await box.done(claim)
    return claim


async def status(box: Box, claim: Claim) -> StatusKind | None:
    receipts = (await box.mailbox.turn(claim.lease.turn_id)).receipts
    return receipts[0].status if receipts else None


@pytest.mark.parametrize("order", list(itertools.permutations([S.SENT, S.DELIVERED, S.FAILED, S.PLAYED], 3)))
async def test_the_best_status_stands_in_whatever_order_they_come(box: Box, order: tuple[StatusKind, ...]) -> None:
    claim = await sent(box)
    for kind in order:
        assert await box.receipt(claim, kind)
    assert await status(box, claim) == max(order, key=BEST.__getitem__)


async def test_a_receipt_may_come_before_the_send_is_recorded(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    assert await box.receipt(claim, S.DELIVERED)
    again = await box.recovered("worker-2")
    assert [(r.part, r.attempt, r.status, r.message_id) for r in again.receipts] == [(0, 1, S.DELIVERED, "wamid.sent")]


async def test_each_part_and_attempt_has_its_own_receipt(box: Box) -> None:
    claim = await sent(box)
    await box.receipt(claim, S.FAILED, part="1:1", fault_code=131000)
    await box.receipt(claim, S.SENT, part="1:2")
    await box.receipt(claim, S.READ, part="0:1")
    receipts = (await box.mailbox.turn(claim.lease.turn_id)).receipts
    assert [(r.part, r.attempt, r.status, r.failed_code) for r in receipts] == [
        (0, 1, S.READ, None),
        (1, 1, S.FAILED, 131000),
        (1, 2, S.SENT, None),
    ]


@pytest.mark.parametrize("callback", ["", "nonsense", "0-unknown-1:0:1", "a:b:c", "0-x-1:0:1:2", "::"])
async def test_a_receipt_that_is_not_ours_still_shows_that_receipts_come(box: Box, callback: str) -> None:
    assert await box.mailbox.last_receipt_ms() is None
    claim = await sent(box)
    assert not await box.receipt(claim, S.DELIVERED, callback_data=callback)
    assert await box.mailbox.last_receipt_ms() is not None


async def test_a_curable_failure_brings_the_answered_turn_back_ahead_of_what_waits(box: Box) -> None:
    claim = await sent(box)
    await box.put("two")
    two = await box.claimed()
    await box.put("three")
    await box.media_failed(claim)
    assert await box.claim() is None
    await box.done(two)
    repair = await box.claimed()
    assert (repair.lease.turn_id, repair.repair, repair.record) == (claim.lease.turn_id, True, b"answered")
    await box.done(repair)
    assert (await box.claimed()).payloads == (b"three",)


async def test_one_curable_failure_is_repaired_once(box: Box) -> None:
    claim = await sent(box)
    await box.media_failed(claim)
    await box.media_failed(claim)
    await box.done(await box.claimed())
    await box.media_failed(claim)
    assert await box.claim() is None


async def test_the_repair_may_fail_in_its_turn_and_is_repaired_again(box: Box) -> None:
    claim = await sent(box)
    await box.media_failed(claim, part="0:1")
    await box.done(await box.claimed())
    await box.media_failed(claim, part="0:2")
    again = await box.claimed()
    assert again.repair
    assert len(again.receipts) == 2


async def test_a_failure_after_delivery_asks_for_no_repair(box: Box) -> None:
    claim = await sent(box)
    await box.receipt(claim, S.DELIVERED)
    await box.media_failed(claim)
    assert await box.claim() is None
    assert await status(box, claim) == S.DELIVERED


async def test_a_failure_that_cannot_be_cured_is_kept_but_brings_nothing_back(box: Box) -> None:
    claim = await sent(box)
    await box.receipt(claim, S.FAILED, fault_code=131026)
    assert await box.claim() is None
    assert await status(box, claim) == S.FAILED


async def test_a_curable_failure_that_comes_while_the_turn_runs_is_repaired_after_it(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    await box.media_failed(claim)
    await box.done(claim)
    repair = await box.claimed()
    assert (repair.lease.turn_id, repair.repair) == (claim.lease.turn_id, True)


async def test_a_repair_survives_the_crash_of_its_worker(box: Box) -> None:
    claim = await sent(box)
    await box.media_failed(claim)
    await box.claimed(consumer="worker-1")
    assert (await box.recovered("worker-2")).repair


async def test_a_cancelled_turn_is_not_repaired(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    await box.mailbox.save(claim.lease, b"sent")
    await box.command("stop", Effect.STOP)
    await box.media_failed(claim)
    await box.done(await box.claimed(Lane.FAST))
    assert await box.claim() is None


async def test_stop_cancels_a_repair_that_waits(box: Box) -> None:
    claim = await sent(box)
    await box.put("two")
    running = await box.claimed()
    await box.mailbox.save(running.lease, b"sending", sending=True)
    await box.media_failed(claim)
    await box.command("stop", Effect.STOP)
    await box.done(running)
    assert await box.claim() is None
    assert (await box.claimed(Lane.FAST)).payloads == (b"stop",)
    assert (await box.mailbox.turn(claim.lease.turn_id)).status is TurnStatus.CANCELLED


async def test_a_receipt_wakes_a_turn_that_awaits_one(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.defer(claim.lease, b"ambiguous", 60_000, "unclear", awaits_receipt=True)
    assert await box.claim() is None
    await box.receipt(claim, S.SENT)
    assert (await box.claimed()).receipts[0].status is S.SENT


async def test_a_receipt_that_came_while_the_turn_still_ran_is_not_waited_for(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.receipt(claim, S.SENT)
    await box.mailbox.defer(claim.lease, b"ambiguous", 60_000, "unclear", awaits_receipt=True)
    assert (await box.claimed()).receipts[0].status is S.SENT


async def test_a_receipt_does_not_hurry_a_turn_that_waits_for_something_else(box: Box) -> None:
    await box.put("one")
    claim = await box.claimed()
    await box.mailbox.defer(claim.lease, b"throttled", 60_000, "throttled")
    await box.receipt(claim, S.DELIVERED)
    assert await box.claim() is None

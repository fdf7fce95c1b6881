"""What the operator sees and may do: turns, dead letters, depth; and what the store is left with."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio import Redis

from bot.mailbox import Effect, TurnStatus, UnknownTurn, WindowClosed, desk
from bot.mailbox.keys import key
from tests.conftest import Box, MakeBox
from webhooks.messages import StatusKind

DAY_MS = 86_400_000
STRUCTURE = {"due", "backlog", "lane:fast", "lane:voice", "hear", "arrivals"}


async def dead(box: Box, name: str = "one", **changes: Any) -> str:
    await box.put(name, **changes)
    claim = await box.claimed()
    await box.mailbox.bury(claim.lease, b"record", "UNCONFIRMED")
    return claim.lease.turn_id


async def test_a_dead_letter_keeps_its_reason_record_and_messages(box: Box) -> None:
    turn_id = await dead(box)
    letter = await box.mailbox.turn(turn_id)
    assert (letter.status, letter.reason, letter.record) == (TurnStatus.DEAD, "UNCONFIRMED", b"record")
    assert letter.payloads == (b"one",)


async def test_a_replayed_dead_letter_runs_again_with_fresh_attempts_and_its_messages(make_box: MakeBox) -> None:
    box = make_box(max_attempts=1)
    await box.put("one")
    await box.mailbox.fail((await box.claimed()).lease, b"record", "engine")
    letter = (await box.mailbox.dead_letters())[0]
    await box.mailbox.replay(letter.turn_id)
    claim = await box.claimed()
    assert (claim.payloads, claim.record, claim.failures) == ((b"one",), b"record", 0)
    assert await box.mailbox.dead_letters() == ()


async def test_a_replay_is_called_one_until_its_first_save(box: Box) -> None:
    await box.mailbox.replay(await dead(box))
    claim = await box.claimed(consumer="worker-1")
    assert claim.replayed
    again = await box.recovered("worker-2")
    assert again.replayed
    await box.mailbox.save(again.lease, b"goes on")
    assert not (await box.recovered("worker-3")).replayed


async def test_a_replay_runs_ahead_of_what_waits_but_not_beside_what_runs(box: Box) -> None:
    turn_id = await dead(box)
    await box.put("two")
    running = await box.claimed()
    await box.put("three")
    await box.mailbox.replay(turn_id)
    assert await box.claim() is None
    await box.done(running)
    assert (await box.claimed()).lease.turn_id == turn_id


async def test_a_dead_letter_cannot_be_replayed_once_the_window_is_closed(box: Box) -> None:
    turn_id = await dead(box, at_ms=box.at_ms - DAY_MS)
    with pytest.raises(WindowClosed):
        await box.mailbox.replay(turn_id)
    assert [letter.turn_id for letter in await box.mailbox.dead_letters()] == [turn_id]


async def test_a_newer_message_opens_the_window_for_an_older_dead_letter(box: Box) -> None:
    turn_id = await dead(box, at_ms=box.at_ms - DAY_MS)
    await box.put("new")
    await box.mailbox.replay(turn_id)


async def test_replaying_all_says_how_many_run_and_how_many_are_too_late(box: Box) -> None:
    await dead(box, "old", endpoint_id="100", at_ms=box.at_ms - DAY_MS)
    await dead(box, "new", endpoint_id="200")
    assert await box.mailbox.replay_all() == (1, 1)


async def test_replaying_all_goes_by_pages_each_letter_once_and_serves_others_between(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "PAGE", 2)
    for number in range(5):
        await dead(box, f"new {number}", endpoint_id=str(number))
        await dead(box, f"old {number}", endpoint_id=f"9{number}", at_ms=box.at_ms - DAY_MS)
    told: list[tuple[int, int]] = []

    found = await box.mailbox.replay_all(on_progress=lambda *numbers: told.append(numbers))

    assert (found, told[-1], len(told)) == ((5, 5), (5, 5), 5)
    assert len(await box.mailbox.dead_letters()) == 5


async def test_a_dead_letter_whose_turn_is_forgotten_does_not_stop_the_others(box: Box, redis: Redis) -> None:
    forgotten = await dead(box, "one", endpoint_id="1")
    await dead(box, "two", endpoint_id="2")
    await redis.delete(key("turn", forgotten))
    assert await box.mailbox.replay_all() == (1, 0)


async def test_long_lists_are_read_by_pages(box: Box, monkeypatch: pytest.MonkeyPatch, redis: Redis) -> None:
    monkeypatch.setattr(desk, "PAGE", 2)
    turns = [await dead(box, str(number), endpoint_id=str(number)) for number in range(5)]
    await redis.delete(key("turn", turns[3]))  # forgotten, and still in the index
    expected = [turns[4], *reversed(turns[:3])]
    assert [turn.turn_id for turn in await box.mailbox.turns(10)] == expected
    assert [turn.turn_id for turn in await box.mailbox.dead_letters(3)] == expected[:3]


@pytest.mark.parametrize("name", ["replay", "discard"])
async def test_only_dead_letters_can_be_replayed_or_discarded(box: Box, name: str) -> None:
    await box.put("one")
    claim = await box.claimed()
    for turn_id in (claim.lease.turn_id, "0-unknown-1"):
        with pytest.raises(UnknownTurn):
            await getattr(box.mailbox, name)(turn_id)


async def test_a_discarded_dead_letter_forgets_what_it_said(box: Box) -> None:
    turn_id = await dead(box)
    await box.mailbox.discard(turn_id)
    found = await box.mailbox.turn(turn_id)
    assert (found.status, found.record, found.payloads) == (TurnStatus.DISCARDED, None, ())
    assert await box.mailbox.dead_letters() == ()


async def test_turns_are_listed_newest_first_with_their_receipts(box: Box) -> None:
    for name, endpoint in (("one", "100"), ("two", "200")):
        await box.put(name, endpoint_id=endpoint)
        claim = await box.claimed()
        await box.receipt(claim, StatusKind.DELIVERED, endpoint_id=endpoint)
        await box.done(claim)
    newest, oldest = await box.mailbox.turns(10)
    assert (newest.endpoint_id, oldest.endpoint_id) == ("200", "100")
    assert newest.status is TurnStatus.DONE
    assert newest.outcome == "answered"
    assert newest.receipts[0].status is StatusKind.DELIVERED
    assert len(await box.mailbox.turns(1)) == 1


async def test_the_messages_of_an_answered_turn_are_gone(box: Box) -> None:
    await box.put("one")
    await box.done(await box.claimed())
    assert await box.redis.keys("*:message:*") == []


async def test_depth_counts_what_waits_what_runs_and_what_is_dead(make_box: MakeBox) -> None:
    box = make_box()
    await dead(box)
    await box.put("two")
    await box.claimed()
    await box.command("command", endpoint_id="200")
    await make_box(quiet_ms=60_000, burst_max_ms=60_000).put("three", endpoint_id="300")
    depth = await box.mailbox.depth()
    assert (depth.conversations, depth.delayed, depth.dead) == (3, 1, 1)
    assert (depth.voice_tokens, depth.voice_leases) == (1, 1)
    assert (depth.fast_tokens, depth.fast_leases) == (1, 0)
    assert set(depth.as_gauges()) >= {"conversations", "oldest_age_s", "dead"}


async def test_an_idle_mailbox_is_empty(box: Box) -> None:
    await box.put("one")
    await box.done(await box.claimed())
    depth = await box.mailbox.depth()
    assert set(depth.as_gauges().values()) == {0}


async def busy_life(box: Box) -> None:
    """A bit of everything, so that every kind of key comes into being."""
    turn_id = await dead(box)
    await box.mailbox.replay(turn_id)
    await box.done(await box.claimed())
    await dead(box, "dies")
    await box.put("note", media=True)
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"", sending=True)
    await box.receipt(claim, StatusKind.SENT)
    await box.done(claim)
    await box.put("again")
    running = await box.claimed()
    await box.media_failed(claim)
    await box.put("waits")
    result = await box.command("command")
    await box.put("echo", effect=Effect.TAKEOVER, endpoint_id="200")
    await box.put("revoke", effect=Effect.REVOKE, target_id="wamid.unseen")
    await box.mailbox.set_opt_out(result.person_id, opted_out=True)
    await box.mailbox.hold_sending(box.at_ms + DAY_MS, "blocked")
    await box.mailbox.check_write()
    assert await box.mailbox.renew([running.lease]) == []


async def test_nothing_but_the_frame_is_kept_for_ever(box: Box) -> None:
    await busy_life(box)
    names = await box.redis.keys("*")
    lasting = {name.decode().removeprefix("{recado:0}:") for name in names if await box.redis.pttl(name) == -1}
    assert lasting <= STRUCTURE


async def test_every_key_carries_the_tag_that_keeps_it_in_one_cluster_slot(box: Box) -> None:
    await busy_life(box)
    names = await box.redis.keys("*")
    assert names
    assert [name for name in names if not name.startswith(b"{recado:0}:")] == []


async def test_the_store_can_say_whether_it_accepts_a_write(box: Box) -> None:
    await box.mailbox.check_write()

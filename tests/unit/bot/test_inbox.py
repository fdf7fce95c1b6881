"""What becomes durable of each kind of update, and what one that is damaged costs the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from bot.mailbox import Lane
from bot.wire import load_message
from tests.household import ANA, NUMBER, RUI, Household
from webhooks.contract import InboxUnavailable
from webhooks.messages import (
    AccountAlert,
    ChannelFault,
    MarketingChoice,
    MessageKind,
    Person,
    Sending,
    Severity,
    StatusKind,
)


@pytest.fixture
async def house(redis: Redis) -> AsyncIterator[Household]:
    async with Household.opened(redis) as house:
        yield house


async def test_a_message_is_kept_whole(house: Household) -> None:
    written = await house.write("bom dia", quoted_id="wamid.before", forwarded=True)
    (payload,) = (await house.claim()).payloads
    assert load_message(payload) == written


async def test_a_message_that_comes_twice_is_one_turn_and_counted_as_a_duplicate(house: Household) -> None:
    message = await house.write("bom dia")
    await house.inbox.accept([message])
    assert (await house.claim()).message_ids == (message.message_id,)
    assert house.counted("recado_updates_total", event="duplicate", kind="text") == 1


@pytest.mark.parametrize(
    ("text", "lane"),
    [("bom dia", Lane.VOICE), ("ajuda", Lane.FAST), ("parar", Lane.FAST), ("falar com Theo", Lane.FAST)],
)
async def test_commands_take_the_fast_lane(house: Household, text: str, lane: Lane) -> None:
    await house.write(text)
    assert (await house.claim()).lease.lane is lane


async def test_a_tapped_row_is_a_command(house: Household) -> None:
    await house.write("Theo", kind=MessageKind.INTERACTIVE, raw_type="interactive", payload="persona:theo")
    assert (await house.claim()).lease.lane is Lane.FAST


async def test_stop_takes_what_waits_with_it(house: Household) -> None:
    await house.write("bom dia")
    stop = await house.write("parar")
    assert (await house.claim()).message_ids == (stop.message_id,)


async def test_a_yes_is_conversation_until_the_turn_knows_what_was_asked(house: Household) -> None:
    await house.write("sim")
    assert (await house.claim()).lease.lane is Lane.VOICE


@pytest.mark.parametrize(
    "kind", [MessageKind.REACTION, MessageKind.SYSTEM, MessageKind.UNSUPPORTED, MessageKind.EDIT], ids=str
)
async def test_what_is_only_recorded_asks_for_no_answer(house: Household, kind: MessageKind) -> None:
    await house.write(kind=kind, raw_type=kind.value, target_id="wamid.0")
    assert await house.next_claim() is None


async def test_a_message_taken_back_in_time_is_not_answered(house: Household) -> None:
    written = await house.write("bom dia")
    await house.write(kind=MessageKind.REVOKE, raw_type="revoke", target_id=written.message_id)
    assert await house.next_claim() is None


async def test_a_message_taken_back_before_it_came_is_not_answered(house: Household) -> None:
    late = house.message("bom dia")
    await house.write(kind=MessageKind.REVOKE, raw_type="revoke", target_id=late.message_id)
    await house.inbox.accept([late])
    assert await house.next_claim() is None


async def test_a_voice_note_can_be_heard_ahead(house: Household) -> None:
    note = await house.say()
    task = await house.mailbox.next_media("worker-1", block_ms=1)
    assert task is not None
    assert task.message_id == note.message_id


async def test_a_receipt_finds_its_turn(house: Household) -> None:
    await house.write("bom dia")
    turn = await house.answer()
    await house.receipt(house.channel.sent[-1], StatusKind.READ)
    found = await house.mailbox.turn(turn.turn_id)
    assert found is not None
    assert [receipt.status for receipt in found.receipts] == [StatusKind.READ]


async def test_a_failed_receipt_is_counted_by_its_code(house: Household) -> None:
    await house.receipt("somebody:0:1", StatusKind.FAILED, code=131026)
    assert house.counted("recado_send_failures_total", code="131026") == 1


async def test_a_receipt_without_callback_data_is_counted_and_costs_nothing(house: Household) -> None:
    await house.write("bom dia")
    await house.answer()
    await house.receipt(replace(house.channel.sent[-1], callback_data=None), StatusKind.SENT)
    assert house.counted("recado_updates_total", event="receipt without callback", kind="sent") == 1


async def test_a_colleagues_answer_pauses_the_conversation(house: Household) -> None:
    await house.colleague_writes()
    await house.write("bom dia")
    claim = await house.claim()
    assert (claim.pause_reason, (claim.paused_until_ms or 0) > house.clock.now_ms) == ("takeover", True)


async def test_trouble_with_the_account_calls_for_a_human(house: Household) -> None:
    alert = AccountAlert(channel="whatsapp", endpoint_id=NUMBER, faults=(ChannelFault(code=131031),))
    await house.inbox.accept([alert])
    assert house.counted("recado_alerts_total", kind="account") == 1


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "with another"])
async def test_a_store_that_does_not_answer_is_told_to_the_channel(house: Household, others: int) -> None:
    house.wire.lose("put")
    messages = [house.message("bom dia") for _ in range(others + 1)]
    with pytest.raises(InboxUnavailable):
        await house.inbox.accept(messages)


async def test_what_was_not_kept_is_kept_when_it_is_delivered_again(house: Household) -> None:
    house.wire.lose("put")
    messages = [house.message("bom dia"), house.message("tudo bem?")]
    with pytest.raises(InboxUnavailable):
        await house.inbox.accept(messages)
    await house.inbox.accept(messages)
    assert (await house.claim()).message_ids == tuple(message.message_id for message in messages)


async def test_a_put_that_happened_unheard_is_not_doubled_by_the_redelivery(house: Household) -> None:
    house.wire.lose_answer_at("put", call=1)
    message = house.message("bom dia")
    with pytest.raises(InboxUnavailable):
        await house.inbox.accept([message])
    await house.inbox.accept([message])
    assert (await house.claim()).message_ids == (message.message_id,)


async def test_a_damaged_message_costs_its_neighbours_nothing(house: Household) -> None:
    damaged = house.message("\ud83d", sender=RUI)  # half a surrogate pair: no bytes can be made of it
    whole = house.message("bom dia")
    await house.inbox.accept([damaged, whole])
    assert (await house.claim()).message_ids == (whole.message_id,)


async def test_a_damaged_message_is_counted(house: Household) -> None:
    await house.inbox.accept([house.message("\ud83d")])
    assert house.counted("recado_errors_total", category="VALIDATION") == 1


async def test_messages_of_one_delivery_keep_their_order(house: Household) -> None:
    messages = [house.message(str(number)) for number in range(20)]
    await house.inbox.accept(messages)
    assert (await house.claim()).message_ids == tuple(message.message_id for message in messages)


async def test_two_people_in_one_delivery_are_two_turns(house: Household) -> None:
    await house.inbox.accept([house.message("oi", sender=ANA), house.message("oi", sender=RUI)])
    first, second = await house.claim(), await house.claim()
    assert first.person.id != second.person.id


async def test_a_person_is_the_same_by_number_and_by_user_id(house: Household) -> None:
    await house.write("oi", sender=Person(phone=ANA.phone, user_id="BR.7"))
    await house.write("sou eu", sender=Person(user_id="BR.7"))
    assert len((await house.claim()).message_ids) == 2


@pytest.mark.parametrize("kind", list(MessageKind))
async def test_what_is_said_in_a_group_is_answered_to_nobody(house: Household, kind: MessageKind) -> None:
    await house.inbox.accept([house.message("oi", kind=kind, group_id="group")])
    assert (await house.mailbox.depth()).conversations == 0


async def test_stop_said_in_a_group_opts_nobody_out_and_cancels_nothing(house: Household) -> None:
    await house.write("bom dia")
    await house.inbox.accept([house.message("parar", group_id="group")])
    claim = await house.claim()
    assert (len(claim.message_ids), claim.person.opted_out) == (1, False)


async def test_a_group_does_not_open_the_window_of_a_person(house: Household) -> None:
    await house.inbox.accept([house.message("oi", group_id="group", sender=RUI, at_ms=house.clock.now_ms)])
    await house.write("oi", sender=RUI, at_ms=house.clock.now_ms - 1000)
    assert (await house.claim()).newest_inbound_ms == house.clock.now_ms - 1000


async def test_an_update_that_fails_for_no_fault_of_its_own_is_delivered_again(
    house: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = house.message("oi")

    async def broken(_incoming: object) -> None:
        raise LookupError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(house.mailbox, "put", broken)
        with pytest.raises(InboxUnavailable):
            await house.inbox.accept([message])
    assert house.counted("recado_errors_total", category="UNKNOWN") == 1

    await house.inbox.accept([message])
    assert (await house.claim()).message_ids == (message.message_id,)


def alert(sending: Sending, **more: object) -> AccountAlert:
    facts = {"topic": "account_update", "event": "DISABLED_UPDATE", "severity": Severity.CRITICAL} | more
    return AccountAlert(channel="whatsapp", endpoint_id="", sending=sending, **facts)  # type: ignore[arg-type]


async def test_a_ban_pauses_sending_until_the_account_is_reinstated(house: Household) -> None:
    await house.inbox.accept([alert(Sending.STOPPED)])
    assert await house.mailbox.sending_held()
    assert await house.mailbox.stopped_because() == "account_update: DISABLED_UPDATE"

    await house.inbox.accept([alert(Sending.RESUMED)])
    assert await house.mailbox.sending_held() is None


async def test_a_stop_is_looked_at_often_though_it_may_last_for_weeks(house: Household) -> None:
    await house.mailbox.stop_sending("banned")
    assert 0 < (await house.mailbox.sending_held() or 0) <= 60


async def test_an_outage_of_minutes_does_not_shorten_a_ban(house: Household) -> None:
    await house.mailbox.stop_sending("banned")
    await house.mailbox.hold_sending(1, "over already")
    assert await house.mailbox.sending_held()


async def test_a_ban_that_is_delivered_after_its_reinstatement_stops_nothing(house: Household) -> None:
    now_ms = house.clock.now_ms
    await house.inbox.accept([alert(Sending.RESUMED, at_ms=now_ms - 1000)])
    await house.inbox.accept([alert(Sending.STOPPED, at_ms=now_ms - 2000)])
    assert await house.mailbox.sending_held() is None


async def test_what_was_said_before_an_operator_resumed_stops_nothing_again(house: Household) -> None:
    ban = alert(Sending.STOPPED, at_ms=house.clock.now_ms - 60_000)
    await house.inbox.accept([ban])
    assert await house.mailbox.release_sending()
    await house.inbox.accept([ban])
    assert await house.mailbox.sending_held() is None


@pytest.mark.parametrize("ends_in_ms", [-1000, 60_000])
async def test_a_restriction_that_ends_does_not_lift_a_ban(house: Household, ends_in_ms: int) -> None:
    await house.inbox.accept([alert(Sending.STOPPED, event="banned")])
    await house.inbox.accept([alert(Sending.STOPPED, until_ms=house.clock.now_ms + ends_in_ms)])
    assert await house.mailbox.stopped_because() == "account_update: banned"


async def test_a_restriction_that_is_over_stops_nothing(house: Household) -> None:
    await house.inbox.accept([alert(Sending.STOPPED, until_ms=house.clock.now_ms - 1000)])
    assert await house.mailbox.sending_held() is None


async def test_alerts_are_kept_newest_first_and_a_redelivery_is_one(house: Household) -> None:
    for event in ("first", "second", "first"):
        await house.inbox.accept([alert(Sending.UNTOUCHED, event=event)])
        house.clock.advance(1)
    assert [kept.event for _, kept in await house.mailbox.alerts()] == ["first", "second"]


async def test_a_choice_about_marketing_is_kept_with_the_person_and_the_newest_stands(house: Household) -> None:
    for at_ms, wanted in ((2000, False), (1000, True)):
        choice = MarketingChoice(channel="whatsapp", endpoint_id=NUMBER, person=ANA, at_ms=at_ms, wanted=wanted)
        await house.inbox.accept([choice])
    person = await house.mailbox.find_person("whatsapp", ANA)
    assert person is not None
    assert (person.marketing, person.opted_out) == (False, False)


async def test_of_two_people_found_to_be_one_the_newest_choice_about_marketing_stands(house: Household) -> None:
    by_id = Person(user_id="BR.7")
    await house.write("oi")
    await house.write("oi", sender=by_id)
    for person, at_ms, wanted in ((ANA, 1000, True), (by_id, 2000, False)):
        choice = MarketingChoice(channel="whatsapp", endpoint_id=NUMBER, person=person, at_ms=at_ms, wanted=wanted)
        await house.inbox.accept([choice])

    await house.write("oi", sender=Person(phone=ANA.phone, user_id=by_id.user_id))

    person = await house.mailbox.find_person("whatsapp", ANA)
    assert person is not None
    assert person.marketing is False


async def test_whoever_writes_while_being_erased_begins_without_a_choice_about_marketing(house: Household) -> None:
    choice = MarketingChoice(channel="whatsapp", endpoint_id=NUMBER, person=ANA, at_ms=1, wanted=False)
    await house.inbox.accept([choice])
    await house.write("apagar meus dados")
    claim = await house.claim()
    await house.write("oi")

    await house.mailbox.erase(claim.person.id, asked_in=claim.lease.conversation_id)

    person = await house.mailbox.find_person("whatsapp", ANA)
    assert person is not None
    assert person.marketing is None


async def test_a_choice_about_marketing_goes_with_the_person(house: Household) -> None:
    await house.write("oi")
    choice = MarketingChoice(channel="whatsapp", endpoint_id=NUMBER, person=ANA, at_ms=1, wanted=False)
    await house.inbox.accept([choice])
    person = await house.mailbox.find_person("whatsapp", ANA)
    assert person is not None
    await house.mailbox.erase(person.id)
    assert await house.mailbox.find_person("whatsapp", ANA) is None

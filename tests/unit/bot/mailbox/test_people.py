"""Who a person is, how two become one, and how one is forgotten."""

from __future__ import annotations

import pytest

from bot.mailbox import MEMORY, Effect, Lane, LeaseLost
from tests.conftest import Box
from webhooks.messages import Person

PHONE = Person(phone="5511900000001", profile_name="Ana")
USER = Person(user_id="BR.1349", profile_name="Ana Maria")
BOTH = Person(phone="5511900000001", user_id="BR.1349")


async def test_one_person_is_found_by_number_and_by_user_id(box: Box) -> None:
    first = await box.put("one", person=BOTH)
    by_phone = await box.put("two", person=PHONE)
    by_user = await box.put("three", person=USER)
    assert first.new_person
    assert not by_phone.new_person
    assert first.person_id == by_phone.person_id == by_user.person_id
    assert first.conversation_id == by_user.conversation_id


async def test_a_person_without_a_phone_number_can_be_answered(box: Box) -> None:
    await box.put("one", person=USER)
    person = (await box.claimed()).person
    assert (person.phone, person.user_id, person.profile_name) == (None, "BR.1349", "Ana Maria")


async def test_what_is_learnt_about_a_person_is_kept(box: Box) -> None:
    result = await box.put("one", person=PHONE)
    await box.put("two", person=BOTH)
    person = await box.mailbox.person(result.person_id)
    assert (person.phone, person.user_id, person.profile_name) == ("5511900000001", "BR.1349", "Ana")


async def test_two_people_found_to_be_one_share_one_mailbox_in_order(box: Box) -> None:
    first = await box.put("one", person=PHONE)
    second = await box.put("two", person=USER)
    assert first.person_id != second.person_id
    merged = await box.put("three", person=BOTH)
    assert merged.person_id == first.person_id
    claim = await box.claimed()
    assert claim.payloads == (b"one", b"two", b"three")
    assert claim.person.former_ids == (second.person_id,)
    assert claim.former_conversation_ids == (second.conversation_id,)
    await box.done(claim)
    assert await box.claim() is None


@pytest.mark.parametrize("opted_out", [PHONE, USER])
async def test_of_two_merged_people_the_stricter_opt_out_wins(box: Box, opted_out: Person) -> None:
    results = {person: await box.put(f"m {person.user_id}", person=person) for person in (PHONE, USER)}
    await box.mailbox.set_opt_out(results[opted_out].person_id, opted_out=True)
    merged = await box.put("both", person=BOTH)
    assert (await box.mailbox.person(merged.person_id)).opted_out


async def test_an_opt_out_addressed_to_a_person_who_was_merged_away_still_counts(box: Box) -> None:
    await box.put("one", person=PHONE)
    gone = await box.put("two", person=USER)
    merged = await box.put("three", person=BOTH)
    assert await box.mailbox.set_opt_out(gone.person_id, opted_out=True)
    assert (await box.mailbox.person(merged.person_id)).opted_out


async def test_merging_does_not_disturb_a_running_turn_and_the_rest_waits_for_it(box: Box) -> None:
    await box.put("one", person=PHONE)
    await box.put("two", person=USER)
    first = await box.claimed()
    second = await box.claimed()
    running, other = (first, second) if first.payloads == (b"one",) else (second, first)
    await box.done(other)
    await box.put("three", person=BOTH)
    assert await box.claim() is None
    await box.mailbox.save(running.lease, b"still mine")
    await box.done(running)
    assert (await box.claimed()).payloads == (b"three",)


async def test_the_mailbox_with_the_running_turn_lives_on_even_if_its_person_is_the_younger(box: Box) -> None:
    await box.put("one", person=PHONE)
    await box.done(await box.claimed())
    await box.put("two", person=USER)
    running = await box.claimed()
    await box.put("three", person=BOTH)
    assert await box.claim() is None
    await box.done(running)
    claim = await box.claimed()
    assert claim.payloads == (b"three",)
    assert claim.lease.conversation_id == running.lease.conversation_id


async def test_two_running_turns_end_in_peace_and_their_mailboxes_are_one_afterwards(box: Box) -> None:
    await box.put("one", person=PHONE)
    await box.put("two", person=USER)
    claims = [await box.claimed(), await box.claimed()]
    await box.put("three", person=BOTH)
    for claim in claims:
        await box.done(claim)
    assert (await box.claimed()).payloads == (b"three",)
    assert await box.claim() is None


async def test_of_two_running_turns_one_that_fails_is_retried_in_the_common_mailbox(box: Box) -> None:
    await box.put("one", person=PHONE)
    await box.put("two", person=USER)
    claims = {claim.payloads[0]: claim for claim in (await box.claimed(), await box.claimed())}
    await box.put("three", person=BOTH)
    await box.mailbox.fail(claims[b"two"].lease, b"half", "engine")
    assert await box.claim() is None
    await box.done(claims[b"one"])
    retried = await box.claimed()
    assert (retried.payloads, retried.record) == ((b"two",), b"half")
    assert await box.claim() is None
    await box.done(retried)
    assert (await box.claimed()).payloads == (b"three",)


async def test_turns_that_wait_for_their_retry_are_kept_when_their_people_are_merged(box: Box) -> None:
    await box.put("one", person=PHONE)
    await box.put("two", person=USER)
    for claim in (await box.claimed(), await box.claimed()):
        await box.mailbox.defer(claim.lease, b"", 0, "outage")
    await box.put("three", person=BOTH)
    answered = []
    while (claim := await box.claim()) is not None:
        answered.append(claim.payloads)
        await box.done(claim)
    assert sorted(answered) == [(b"one",), (b"three",), (b"two",)]
    assert answered[-1] == (b"three",)


async def test_a_repair_finds_the_mailbox_its_own_was_merged_into(box: Box) -> None:
    await box.put("one", person=USER)
    claim = await box.claimed()
    await box.mailbox.save(claim.lease, b"sending", sending=True)
    await box.done(claim)
    await box.put("two", person=PHONE)
    running = await box.claimed()
    await box.put("three", person=BOTH)
    await box.media_failed(claim)
    assert await box.claim() is None
    await box.done(running)
    assert (await box.claimed()).lease.turn_id == claim.lease.turn_id


async def test_an_opt_out_is_known_when_the_turn_is_claimed_and_can_be_taken_back(box: Box) -> None:
    result = await box.put("one")
    await box.mailbox.set_opt_out(result.person_id, opted_out=True)
    claim = await box.claimed()
    assert claim.person.opted_out
    await box.mailbox.set_opt_out(result.person_id, opted_out=False)
    assert not (await box.mailbox.person(result.person_id)).opted_out


async def test_an_erased_person_who_had_opted_out_stays_opted_out_when_they_write_again(box: Box) -> None:
    result = await box.put("one", person=BOTH)
    await box.mailbox.set_opt_out(result.person_id, opted_out=True)
    await box.mailbox.erase(result.person_id)
    again = await box.put("two", person=USER)
    assert again.new_person
    assert (await box.claimed()).person.opted_out


async def test_taking_an_opt_out_back_is_not_forgotten_after_erasure(box: Box) -> None:
    result = await box.put("one")
    await box.mailbox.set_opt_out(result.person_id, opted_out=True)
    await box.mailbox.set_opt_out(result.person_id, opted_out=False)
    await box.mailbox.erase(result.person_id)
    await box.put("two")
    assert not (await box.claimed()).person.opted_out


async def test_erasing_leaves_only_hashed_marks_of_a_person(box: Box) -> None:
    first = await box.put("answered", person=BOTH)
    await box.done(await box.claimed())
    await box.put("dead", person=BOTH)
    await box.mailbox.bury((await box.claimed()).lease, b"secret record", "engine")
    await box.put("running", person=BOTH)
    running = await box.claimed()
    await box.put("waiting", person=BOTH)
    await box.put("elsewhere", person=BOTH, endpoint_id="200")
    await box.mailbox.set_opt_out(first.person_id, opted_out=True)
    erased = await box.mailbox.erase(first.person_id)
    assert len(erased.conversation_ids) == 2
    assert sorted(erased.records.values()) == [b"answered", b"secret record"]
    structure = ("due", "backlog", "lane:", "hear", "arrivals", "turns", "dead", "status_at", "libraries")
    await box.mailbox.erased(erased.erasure_id, MEMORY)
    left = [name.decode().removeprefix("{recado:0}:") for name in await box.redis.keys("*")]
    assert {name.split(":")[0] for name in left if not name.startswith(structure)} == {"dedupe", "optout", "log"}
    assert (await box.mailbox.depth()).conversations == 0
    with pytest.raises(LeaseLost):
        await box.done(running)
    assert (await box.put("waiting", person=BOTH)).duplicate


async def test_erasing_somebody_unknown_is_no_error(box: Box) -> None:
    assert (await box.mailbox.erase("nobody")).conversation_ids == ()


async def test_erasing_one_person_leaves_the_others(box: Box) -> None:
    gone = await box.put("one", person=PHONE)
    await box.put("two", person=USER)
    await box.mailbox.erase(gone.person_id)
    assert (await box.claimed()).payloads == (b"two",)


async def test_a_person_is_found_by_address_for_export(box: Box) -> None:
    result = await box.put("one", person=BOTH)
    found = await box.mailbox.find_person("whatsapp", Person(user_id="BR.1349"))
    assert found.id == result.person_id
    assert await box.mailbox.find_person("whatsapp", Person(phone="5511999999999")) is None


async def test_a_pause_is_told_with_the_claim_and_ends_when_resumed(box: Box) -> None:
    result = await box.put("one")
    assert await box.mailbox.pause(result.conversation_id, box.at_ms + 3_600_000, "loop")
    claim = await box.claimed()
    assert (claim.paused_until_ms, claim.pause_reason) == (box.at_ms + 3_600_000, "loop")
    await box.mailbox.resume(result.conversation_id)
    await box.done(claim)
    await box.put("two")
    assert (await box.claimed()).paused_until_ms is None


async def test_a_pause_of_a_conversation_that_was_merged_reaches_the_one_that_lives_on(box: Box) -> None:
    await box.put("one", person=PHONE)
    gone = await box.put("two", person=USER)
    await box.put("three", person=BOTH)
    assert await box.mailbox.pause(gone.conversation_id, box.at_ms + 3_600_000, "takeover")
    assert (await box.claimed()).pause_reason == "takeover"


async def test_a_message_of_a_stranger_is_never_revealed_by_key_names(box: Box) -> None:
    await box.command("stop", Effect.STOP, person=BOTH)
    await box.put("one", person=BOTH, media=True)
    await box.done(await box.claimed(Lane.FAST))
    names = b" ".join(await box.redis.keys("*"))
    for secret in (b"5511900000001", b"BR.1349", b"wamid"):
        assert secret not in names

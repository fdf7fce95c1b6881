"""A claimed turn's whole way: what reaches the person, and what is kept, whatever goes wrong on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import NoReturn

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from structlog.types import EventDict

from bot.conversation import Line
from bot.mailbox import TurnStatus
from bot.mailbox.keys import key
from bot.outbox import PartKind
from bot.persona import ReplyMode
from bot.phrases import Phrase, say
from bot.replies.contract import ReplyRequest
from bot.service.pauses import throttled_s
from bot.turn import Outcome
from tests.household import ANA, NUMBER, RUI, Household, Killed, personas
from tts.blobs import MemoryBlobStore, blob_id_of
from tts.errors import EngineFailed
from webhooks.contract import (
    AccountBlocked,
    Ambiguous,
    ChannelError,
    MediaRefused,
    MediaUnavailable,
    NotSent,
    Refused,
    Throttled,
    WindowClosed,
)
from webhooks.messages import MessageKind, Person, StatusKind

NINA, THEO = personas()


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[EventDict]]:
    """What was logged."""
    with capture_logs() as entries:
        yield entries


@pytest.fixture
async def house(redis: Redis) -> AsyncIterator[Household]:
    async with Household.opened(redis) as house:
        yield house


@pytest.fixture
async def friends(house: Household) -> Household:
    """A household that Ana has met: the disclosure was said."""
    await house.met()
    return house


def said(phrase: Phrase, **slots: str) -> str:
    return say(phrase, "pt-BR", **slots)


async def until(happened: Callable[[], bool]) -> None:
    """Let everybody else go on until that is so."""
    for _ in range(10_000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


class Speaking:
    """A turn that is being spoken and held there."""

    def __init__(self, house: Household) -> None:
        self._house = house
        house.engine.hold = threading.Event()
        house.engine.started.clear()
        self.turn: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        claim = await self._house.claim()
        self.turn = asyncio.create_task(self._house.service.handle(claim))
        assert await asyncio.to_thread(self._house.engine.started.wait, 10)

    async def end(self) -> None:
        assert self._house.engine.hold is not None
        assert self.turn is not None
        self._house.engine.hold.set()
        await self.turn


async def being_spoken(house: Household, text: str = "conta uma história") -> Speaking:
    await house.write(text)
    speaking = Speaking(house)
    await speaking.begin()
    return speaking


# -- the way of an answer -------------------------------------------------------------------------------------------


async def test_a_first_contact_hears_the_disclosure_and_then_the_voice_note(house: Household) -> None:
    await house.write("bom dia")
    await house.answer()
    assert house.texts == [NINA.disclosure, "(voice)"]


async def test_only_the_answer_quotes_the_message(house: Household) -> None:
    asked = await house.write("bom dia")
    await house.answer()
    assert [sent.quote for sent in house.channel.sent] == [None, asked.message_id]


async def test_every_send_names_its_turn_part_and_attempt(house: Household) -> None:
    await house.write("bom dia")
    turn = await house.answer()
    assert [sent.callback_data for sent in house.channel.sent] == [f"{turn.turn_id}:0:1", f"{turn.turn_id}:1:1"]


async def test_the_answer_leaves_from_the_number_that_received(house: Household) -> None:
    await house.write("bom dia", endpoint_id="200")
    await house.answer()
    assert {sent.endpoint_id for sent in house.channel.sent} == {"200"}


async def test_somebody_without_a_phone_number_is_answered_by_user_id(house: Household) -> None:
    await house.write("bom dia", sender=Person(user_id="BR.7"))
    await house.answer()
    assert {sent.to for sent in house.channel.sent} == {Person(user_id="BR.7")}


async def test_the_note_that_is_sent_is_the_note_that_is_kept(friends: Household) -> None:
    await friends.write("bom dia")
    (part,) = friends.record(await friends.answer()).turn.parts
    (sent,) = friends.channel.sent
    assert sent.media_id is not None
    assert blob_id_of(friends.channel.media[sent.media_id]) == part.blob_id


async def test_the_message_is_shown_as_read_and_an_answer_as_coming(friends: Household) -> None:
    asked = await friends.write("bom dia")
    await friends.answer()
    assert friends.channel.reads == [(asked.message_id, True)]


async def test_the_typing_indicator_is_shown_again_while_the_voice_is_made(friends: Household) -> None:
    speaking = await being_spoken(friends)
    friends.clock.advance(20)
    await until(lambda: len(friends.channel.reads) == 2)
    await speaking.end()


async def test_the_typing_indicator_ends_with_the_turn(friends: Household) -> None:
    speaking = await being_spoken(friends)
    await speaking.end()
    shown = len(friends.channel.reads)
    friends.clock.advance(120)
    await asyncio.sleep(0)
    assert len(friends.channel.reads) == shown


async def test_a_failing_typing_indicator_costs_the_answer_nothing(friends: Household) -> None:
    friends.channel.fail("mark_read", NotSent("down"))
    await friends.write("bom dia")
    assert (await friends.answer()).outcome == Outcome.ANSWERED


async def test_an_answered_turn_is_counted_once_with_its_time(friends: Household) -> None:
    before = friends.counted("recado_turns_total", outcome="answered", reason="")
    await friends.write("bom dia")
    await friends.answer()
    assert friends.counted("recado_turns_total", outcome="answered", reason="") == before + 1


async def test_what_is_silent_by_design_sends_nothing_and_says_why(house: Household) -> None:
    house.policy = replace(house.policy, allowed_countries=frozenset({"PT"}))
    await house.write("bom dia")
    turn = await house.answer()
    assert (house.channel.sent, turn.outcome, house.record(turn).turn.reason) == ([], Outcome.SILENT, "country")


# -- the channel refuses --------------------------------------------------------------------------------------------


async def test_a_throttled_send_waits_longer_each_time(friends: Household) -> None:
    friends.channel.fail("send_voice", *(Throttled("too fast", code=131056) for _ in range(4)))
    await friends.write("bom dia")
    for _ in range(5):
        await friends.answer()
        await friends.later(100)
    assert [delay_s for _reason, delay_s in friends.wire.deferred] == [1, 4, 16, 64]


async def test_a_throttled_send_waits_at_least_as_long_as_it_is_told(friends: Household) -> None:
    friends.channel.fail("send_voice", Throttled("too fast", code=130429, retry_after_s=300))
    await friends.write("bom dia")
    await friends.answer()
    assert friends.wire.deferred == [("throttled: 130429", 300)]


def test_the_backoff_of_a_pair_ends_at_a_minute() -> None:
    assert [throttled_s(attempt) for attempt in (1, 2, 3, 4, 5, 50)] == [1, 4, 16, 64, 64, 64]


@pytest.mark.parametrize(
    "error",
    [Throttled("too fast", code=131056), NotSent("no connection"), AccountBlocked("token", code=190)],
    ids=["throttled", "unreachable", "blocked"],
)
async def test_what_is_not_the_turns_fault_uses_up_no_attempt(friends: Household, error: ChannelError) -> None:
    friends.channel.fail("send_voice", error)
    await friends.write("bom dia")
    turn = await friends.answer()
    assert (turn.status, turn.failures) == (TurnStatus.OPEN, 0)


@pytest.mark.parametrize(
    "error",
    [
        Throttled("too fast", code=131056),
        NotSent("no connection"),
        NotSent("passing trouble", code=131000),
        AccountBlocked("token", code=190),
    ],
    ids=["throttled", "unreachable", "transient", "blocked"],
)
async def test_what_was_not_taken_is_sent_later_without_another_upload(friends: Household, error: ChannelError) -> None:
    friends.channel.fail("send_voice", error)
    await friends.write("bom dia")
    await friends.answer()
    await friends.mailbox.release_sending()
    await friends.later(600)
    turn = await friends.answer()
    notes = [media for media in friends.channel.media if media.startswith("media")]
    assert (turn.outcome, friends.texts, len(notes)) == (Outcome.ANSWERED, ["(voice)"], 2)  # one of them from meeting


async def test_a_transient_refusal_uses_up_one_attempt(friends: Household) -> None:
    friends.channel.fail("send_voice", NotSent("passing trouble", code=131000))
    await friends.write("bom dia")
    turn = await friends.answer()
    assert (turn.failures, turn.reason) == (1, "channel: 131000")


async def test_a_send_that_is_refused_too_often_is_a_dead_letter(friends: Household) -> None:
    friends.channel.fail("send_voice", *(NotSent("passing trouble", code=131000) for _ in range(5)))
    await friends.write("bom dia")
    for _ in range(5):
        turn = await friends.answer()
    assert turn.status is TurnStatus.DEAD


async def test_a_dead_letter_calls_for_a_human_and_is_counted(friends: Household) -> None:
    friends.channel.fail("send_voice", *(NotSent("passing trouble", code=131000) for _ in range(5)))
    await friends.write("bom dia")
    for _ in range(5):
        await friends.answer()
    counted = [
        friends.counted("recado_alerts_total", kind="dead_letter"),
        friends.counted("recado_turns_total", outcome="dead", reason="attempts"),
    ]
    assert counted == [1, 1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Refused("no", code=131026), "refused: 131026"), (WindowClosed("late", code=131047), "window closed: 131047")],
)
async def test_a_refusal_for_good_ends_the_turn_as_undeliverable(
    friends: Household, error: ChannelError, reason: str
) -> None:
    friends.channel.fail("send_voice", error)
    await friends.write("bom dia")
    turn = await friends.answer()
    assert (turn.outcome, friends.record(turn).turn.reason) == (Outcome.UNDELIVERABLE, reason)


async def test_a_refused_note_is_uploaded_once_more(friends: Household) -> None:
    friends.channel.fail("send_voice", MediaRefused("bad media", code=131053))
    await friends.write("bom dia")
    turn = await friends.answer()
    (part,) = friends.record(turn).turn.parts
    assert (turn.outcome, part.kind, part.reuploads) == (Outcome.ANSWERED, PartKind.VOICE, 1)


async def test_a_note_that_is_refused_twice_is_written_instead(friends: Household) -> None:
    friends.channel.fail("send_voice", *(MediaRefused("bad media", code=131053) for _ in range(2)))
    await friends.write("bom dia")
    await friends.answer()
    assert friends.texts == ["bom dia"]


async def test_a_blocked_account_holds_the_answers_to_everybody(friends: Household) -> None:
    friends.channel.fail("send_voice", AccountBlocked("token", code=190))
    await friends.write("bom dia")
    await friends.answer()
    await friends.write("oi", sender=RUI)
    await friends.answer()
    assert friends.channel.sent == []


async def test_a_blocked_account_calls_for_a_human(friends: Household) -> None:
    friends.channel.fail("send_voice", AccountBlocked("token", code=190))
    await friends.write("bom dia")
    await friends.answer()
    assert friends.counted("recado_alerts_total", kind="account_blocked") == 1


async def test_an_upload_that_reaches_nobody_waits_without_using_an_attempt(friends: Household) -> None:
    friends.channel.fail("upload_voice", NotSent("no connection"))
    await friends.write("bom dia")
    turn = await friends.answer()
    assert (turn.failures, friends.wire.deferred) == (0, [("the channel cannot be reached", 15)])


async def test_an_upload_that_is_refused_is_written_instead(friends: Household) -> None:
    friends.channel.fail("upload_voice", MediaRefused("bad media", code=131053))
    await friends.write("bom dia")
    await friends.answer()
    assert friends.texts == ["bom dia"]


async def test_an_upload_that_fails_again_and_again_is_written_instead_of_dying(friends: Household) -> None:
    friends.channel.fail("upload_voice", *(NotSent("passing trouble", code=131000) for _ in range(2)))
    await friends.write("bom dia")
    await friends.answer()
    await friends.answer()
    assert friends.texts == ["bom dia"]


# -- nobody knows whether it arrived --------------------------------------------------------------------------------


@pytest.fixture
async def unsure(friends: Household) -> Household:
    """Ana's note may or may not have been taken."""
    friends.channel.fail("send_voice", Ambiguous("timed out"))
    await friends.write("bom dia")
    await friends.answer()
    return friends


async def test_an_ambiguous_send_is_not_repeated_within_the_grace(unsure: Household) -> None:
    await unsure.later(30)
    await unsure.answer()
    assert unsure.channel.sent == []


async def test_an_ambiguous_send_holds_no_slot_and_uses_no_attempt(unsure: Household) -> None:
    (turn,) = (await unsure.mailbox.turns(1))[:1]
    assert (turn.status, turn.running, turn.failures) == (TurnStatus.OPEN, False, 0)


async def test_a_receipt_settles_an_ambiguous_send_at_once(unsure: Household) -> None:
    (turn,) = await unsure.mailbox.turns(1)
    await unsure.receipt(f"{turn.turn_id}:0:1", StatusKind.DELIVERED)
    after = await unsure.answer()
    assert (after.outcome, unsure.channel.sent) == (Outcome.ANSWERED, [])


async def test_an_ambiguous_send_is_repeated_once_when_only_other_receipts_arrive(unsure: Household) -> None:
    await unsure.receipt("somebody-else:0:1", StatusKind.SENT)
    await unsure.later(61)
    turn = await unsure.answer()
    assert (turn.outcome, unsure.channel.sent[0].callback_data) == (Outcome.ANSWERED, f"{turn.turn_id}:0:2")


async def test_an_ambiguous_send_is_never_repeated_a_second_time(unsure: Household) -> None:
    unsure.channel.fail("send_voice", Ambiguous("timed out"))
    await unsure.receipt("somebody-else:0:1", StatusKind.SENT)
    await unsure.later(61)
    await unsure.answer()
    await unsure.receipt("somebody-else:0:2", StatusKind.SENT)
    await unsure.later(61)
    await unsure.answer()
    assert unsure.channel.sent == []


async def test_what_is_never_confirmed_is_a_dead_letter(unsure: Household) -> None:
    await unsure.later(601)
    turn = await unsure.answer()
    assert (turn.status, turn.reason, unsure.channel.sent) == (TurnStatus.DEAD, "UNCONFIRMED", [])


async def test_what_comes_after_an_ambiguous_send_waits_for_it(unsure: Household) -> None:
    await unsure.write("e aí?")
    assert await unsure.next_claim() is None


# -- the voice fails ------------------------------------------------------------------------------------------------


async def test_what_cannot_be_spoken_is_written_at_once(friends: Household) -> None:
    friends.engine.raises = EngineFailed("broken")
    await friends.write("bom dia")
    turn = await friends.answer()
    assert (turn.outcome, friends.texts) == (Outcome.ANSWERED, ["bom dia"])


async def test_the_reason_for_writing_is_kept_with_the_part(friends: Household) -> None:
    friends.engine.raises = EngineFailed("broken")
    await friends.write("bom dia")
    (part,) = friends.record(await friends.answer()).turn.parts
    assert part.fallback_reason == "NoVoice"


async def test_what_would_be_spoken_and_written_is_then_written_once(friends: Household) -> None:
    await friends.personas.put(replace(NINA, reply_mode=ReplyMode.BOTH))
    friends.engine.raises = EngineFailed("broken")
    await friends.write("bom dia")
    await friends.answer()
    assert friends.texts == ["bom dia"]


async def test_no_voice_by_the_deadline_means_text_without_asking_an_engine(friends: Household) -> None:
    await friends.write("bom dia")
    claim = await friends.claim()
    friends.clock.advance(300)
    await friends.service.handle(claim)
    assert (friends.texts, friends.engine.batches) == (["bom dia"], [])


async def test_a_turn_whose_worker_died_has_its_whole_time_again_and_ends_in_voice(friends: Household) -> None:
    await friends.write("bom dia")
    claim = await friends.claim()
    friends.wire.kill_at("save", call=2)  # the answer is fixed, the note is not made
    with pytest.raises(Killed):
        await friends.service.handle(claim)
    friends.clock.advance(300)
    await friends.service.handle(await friends.recovered())
    assert (friends.texts, (await friends.turn(claim)).deaths) == (["(voice)"], 1)


async def test_a_turn_whose_worker_was_told_to_stop_has_its_whole_time_again(friends: Household) -> None:
    await friends.write("bom dia")
    claim = await friends.claim()
    await friends.service.hand_back(claim)
    friends.clock.advance(300)
    await friends.service.handle(await friends.claim("worker-2"))
    assert friends.texts == ["(voice)"]


async def test_a_turn_that_nobody_interrupted_does_not_get_more_time(friends: Household) -> None:
    friends.channel.fail("upload_voice", NotSent("no connection"))
    await friends.write("bom dia")
    await friends.answer()
    await friends.later(300)
    await friends.service.handle(await friends.claim("worker-2"))
    assert friends.texts == ["bom dia"]


async def test_a_note_in_time_that_cannot_be_uploaded_in_time_is_written(friends: Household) -> None:
    friends.channel.fail("upload_voice", NotSent("no connection"))
    await friends.write("bom dia")
    await friends.answer()
    await friends.later(300)
    await friends.answer()
    assert friends.texts == ["bom dia"]


async def test_a_note_that_was_lost_is_spoken_again(friends: Household) -> None:
    friends.channel.fail("upload_voice", NotSent("no connection"))
    await friends.write("bom dia")
    (part,) = friends.record(await friends.answer()).turn.parts
    await friends.blobs.delete(part.blob_id)
    await friends.later(15)
    await friends.answer()
    assert (friends.texts, len(friends.engine.batches)) == (["(voice)"], 2)


async def test_a_note_that_finds_no_room_is_written(friends: Household) -> None:
    class FullStore(MemoryBlobStore):
        async def put(self, data: bytes) -> str:  # noqa: ARG002 - the signature is the contract's
            raise OSError(28, "No space left on device")

    friends.blobs = FullStore()
    await friends.write("bom dia")
    await friends.answer()
    assert friends.texts == ["bom dia"]


async def test_a_persona_that_was_deleted_meanwhile_is_answered_for_in_text(friends: Household) -> None:
    friends.wire.kill_at("save", call=2)  # the answer is fixed, the note is not made
    await friends.write("bom dia")
    with pytest.raises(Killed):
        await friends.answer()
    await friends.personas.delete("nina")
    await friends.service.handle(await friends.recovered())
    assert friends.texts == ["bom dia"]


# -- receipts ask for a repair --------------------------------------------------------------------------------------


async def failed_media(house: Household) -> None:
    """The newest note turns out to be unusable after all."""
    await house.receipt(house.channel.sent[-1], StatusKind.FAILED, code=131053)


async def test_a_note_that_fails_later_is_uploaded_and_sent_again(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    await failed_media(friends)
    turn = await friends.answer()
    first, second = friends.channel.sent
    assert (turn.outcome, first.media_id != second.media_id) == (Outcome.ANSWERED, True)


async def test_a_note_that_fails_later_again_is_written(friends: Household) -> None:
    await friends.write("bom dia")
    for _ in range(2):
        await friends.answer()
        await failed_media(friends)
    await friends.answer()
    assert friends.texts == ["(voice)", "(voice)", "bom dia"]


async def test_a_repair_goes_ahead_of_what_waits(friends: Household) -> None:
    await friends.write("primeira")
    await friends.answer()
    await friends.write("segunda")
    await failed_media(friends)
    await friends.answer_all()
    assert [sent.callback_data.split("-")[2] for sent in friends.channel.sent] == ["2:0:1", "2:0:2", "3:0:1"]


async def test_a_failure_that_nothing_cures_is_only_recorded(friends: Household) -> None:
    await friends.write("bom dia")
    turn = await friends.answer()
    await friends.receipt(friends.channel.sent[-1], StatusKind.FAILED, code=131026)
    assert await friends.next_claim() is None
    found = await friends.mailbox.turn(turn.turn_id)
    assert found is not None
    assert found.receipts[0].failed_code == 131026


async def test_a_repair_does_not_take_back_what_was_chosen_since(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    note = friends.channel.sent[-1]
    await friends.write("voz desligar")
    await friends.answer()
    await friends.receipt(note, StatusKind.FAILED, code=131053)
    await friends.answer()
    assert (await friends.conversation()).voice_on is False


async def test_a_repair_is_neither_remembered_nor_counted_again(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    before = await friends.conversation()
    answered = friends.counted("recado_turns_total", outcome="answered", reason="")
    await failed_media(friends)
    await friends.answer()
    after = await friends.conversation()
    assert (after.history, after.recent) == (before.history, before.recent)
    assert friends.counted("recado_turns_total", outcome="answered", reason="") == answered


# -- the person changes their mind ----------------------------------------------------------------------------------


async def test_stop_while_speaking_sends_nothing_of_the_answer(friends: Household) -> None:
    speaking = await being_spoken(friends)
    await friends.write("parar")
    await speaking.end()
    await friends.answer_all()
    assert friends.texts == [said(Phrase.STOPPED)]


async def test_a_cancelled_turn_keeps_its_record(friends: Household) -> None:
    speaking = await being_spoken(friends)
    await friends.write("parar")
    await speaking.end()
    cancelled = next(turn for turn in await friends.mailbox.turns(2) if turn.status is TurnStatus.CANCELLED)
    assert friends.record(cancelled).turn.outcome is Outcome.CANCELLED


async def test_a_message_taken_back_while_speaking_is_not_answered(friends: Household) -> None:
    asked = await friends.write("conta uma história")
    speaking = Speaking(friends)
    await speaking.begin()
    await friends.write(kind=MessageKind.REVOKE, raw_type="revoke", target_id=asked.message_id)
    await speaking.end()
    await friends.answer_all()
    assert friends.channel.sent == []


async def test_a_colleague_who_answers_while_we_speak_has_the_word(friends: Household) -> None:
    speaking = await being_spoken(friends)
    await friends.colleague_writes()
    await speaking.end()
    assert friends.channel.sent == []


async def test_stop_silences_until_start(friends: Household) -> None:
    for text in ("parar", "oi?", "começar", "voltei"):
        await friends.write(text)
        await friends.answer_all()
    assert friends.texts == [said(Phrase.STOPPED), said(Phrase.STARTED), "(voice)"]


async def opted_out(house: Household) -> bool:
    found = await house.mailbox.find_person("whatsapp", ANA)
    assert found is not None
    return found.opted_out


@pytest.mark.parametrize(
    "error",
    [Refused("no", code=131026), Ambiguous("timed out"), NotSent("no connection")],
    ids=lambda e: type(e).__name__,
)
async def test_stop_holds_even_when_its_answer_does_not_arrive(friends: Household, error: ChannelError) -> None:
    friends.channel.fail("send_text", error)
    await friends.write("parar")
    await friends.answer()
    assert await opted_out(friends)


# -- what a turn changes --------------------------------------------------------------------------------------------


async def test_an_answer_is_remembered_with_its_question(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    history = (await friends.conversation()).history[-2:]
    assert [(line.role, line.text) for line in history] == [("person", "bom dia"), ("persona", "bom dia")]


async def test_nothing_is_remembered_before_the_answer_is_out(house: Household) -> None:
    house.channel.fail("send_text", NotSent("no connection"))
    await house.write("bom dia")
    await house.answer()
    conversation = await house.conversation()
    assert (conversation.history, conversation.disclosed_at_ms) == ((), None)


async def test_an_ending_that_was_torn_is_not_remembered_twice(friends: Household) -> None:
    before = len((await friends.conversation()).history)
    friends.wire.kill_at("done", call=1)
    await friends.write("bom dia")
    with pytest.raises(Killed):
        await friends.answer()
    await friends.service.handle(await friends.recovered())
    conversation = await friends.conversation()
    assert (len(conversation.history), len(conversation.recent)) == (before + 2, 2)


async def test_asking_for_a_human_pauses_and_alerts(friends: Household) -> None:
    await friends.write("falar com atendente")
    await friends.answer()
    await friends.write("alguém aí?")
    turn = await friends.answer()
    assert friends.record(turn).turn.reason == "paused"
    assert friends.counted("recado_alerts_total", kind="human_asked") == 1


async def deleting(house: Household) -> None:
    await house.write("apagar meus dados")
    await house.answer()
    await house.write("sim")


async def test_a_person_who_is_deleted_is_unknown_afterwards(friends: Household) -> None:
    await deleting(friends)
    await friends.answer_everything()
    assert await friends.mailbox.find_person("whatsapp", ANA) is None


async def test_deleting_forgets_the_conversation(friends: Household) -> None:
    conversation = await friends.conversation()
    await deleting(friends)
    await friends.answer_everything()
    after = await friends.conversations.load(conversation.id, person_id=conversation.person_id, endpoint_id=NUMBER)
    assert (after.history, after.disclosed_at_ms, after.last_note) == ((), None, None)


async def test_deleting_forgets_the_notes_of_every_turn(friends: Household) -> None:
    await friends.write("bom dia")
    (part,) = friends.record(await friends.answer()).turn.parts
    await deleting(friends)
    await friends.answer_everything()
    with pytest.raises(KeyError):
        await friends.blobs.get(part.blob_id)


async def test_deleting_is_finished_through_an_outage_in_its_midst(friends: Household) -> None:
    conversation = await friends.conversation()
    await deleting(friends)
    friends.wire.lose_answer_at("erase", call=1)
    await outlive(friends)
    after = await friends.conversations.load(conversation.id, person_id=conversation.person_id, endpoint_id=NUMBER)
    assert (after.history, after.disclosed_at_ms) == ((), None)


async def test_who_writes_after_being_deleted_is_met_for_the_first_time(friends: Household) -> None:
    await deleting(friends)
    await friends.answer_everything()
    friends.channel.sent.clear()
    await friends.write("oi de novo")
    await friends.answer()
    assert friends.texts == [NINA.disclosure, "(voice)"]


async def test_what_is_written_while_deleting_is_answered_as_a_first_contact(friends: Household) -> None:
    await deleting(friends)
    claim = await friends.claim()
    await friends.write("oi de novo")
    await friends.service.handle(claim)
    await friends.answer()
    assert friends.texts == [said(Phrase.DELETE_ASK), said(Phrase.DELETE_DONE), NINA.disclosure, "(voice)"]


async def test_what_waits_on_another_number_is_deleted_with_the_rest(friends: Household) -> None:
    await deleting(friends)
    claim = await friends.claim()
    await friends.write("oi", endpoint_id="200")
    await friends.service.handle(claim)
    assert await friends.next_claim() is None


async def test_deleting_again_after_a_first_contact_deletes_that_too(friends: Household) -> None:
    await deleting(friends)
    claim = await friends.claim()
    await friends.write("oi de novo")
    await friends.service.handle(claim)
    await friends.answer()
    await deleting(friends)
    await friends.answer_everything()
    assert await friends.mailbox.find_person("whatsapp", ANA) is None


async def test_deleting_is_confirmed_to_the_person_first(friends: Household) -> None:
    await deleting(friends)
    await friends.answer_everything()
    assert friends.texts == [said(Phrase.DELETE_ASK), said(Phrase.DELETE_DONE)]


async def test_deleting_happens_even_when_the_word_of_it_cannot_be_sent(friends: Household) -> None:
    await deleting(friends)
    friends.channel.fail("send_text", Refused("no", code=131026))
    await friends.answer_everything()
    assert await friends.mailbox.find_person("whatsapp", ANA) is None


async def test_deleting_happens_even_when_its_turn_dies(friends: Household) -> None:
    await deleting(friends)
    friends.channel.fail("send_text", *(NotSent("passing trouble", code=131000) for _ in range(5)))
    await friends.answer_everything()
    assert await friends.mailbox.find_person("whatsapp", ANA) is None


# -- repeat ---------------------------------------------------------------------------------------------------------


async def test_repeat_sends_the_same_note_without_speaking_again(friends: Household) -> None:
    for text in ("bom dia", "repetir em voz"):
        await friends.write(text)
        await friends.answer()
    first, second = (friends.channel.media[sent.media_id or ""] for sent in friends.channel.sent)
    assert (first == second, len(friends.engine.batches)) == (True, 1)


async def test_repeating_a_note_does_not_keep_it_beyond_its_time(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    ends_ms = friends.clock.now_ms + 7 * 86_400_000
    friends.clock.advance(20)
    await friends.write("repetir em voz")
    assert [part.kind for part in friends.record(await friends.answer()).turn.parts] == [PartKind.VOICE]

    assert len(await friends.conversations.kept_notes(ends_ms - 1)) == 1
    assert not await friends.conversations.kept_notes(ends_ms)


async def test_repeat_after_a_written_answer_speaks_that_one_and_not_the_note_before(friends: Household) -> None:
    for text in ("bom dia", "voz desligar", "o que eu disse por último?", "repetir em voz"):
        await friends.write(text)
        await friends.answer()
    assert friends.engine.batches[-1][0].text == "O que eu disse por último?"


async def test_repeat_does_not_take_a_personas_hello_for_the_last_answer(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    await friends.write("Theo", kind=MessageKind.INTERACTIVE, raw_type="interactive", payload="persona:theo")
    await friends.answer()
    await friends.write("repetir em voz")
    await friends.answer()
    notes = [friends.channel.media[sent.media_id] for sent in friends.channel.sent if sent.media_id]
    assert (notes[2] == notes[0], notes[2] == notes[1]) == (True, False)


async def test_repeat_speaks_anew_what_is_no_longer_kept(friends: Household) -> None:
    await friends.write("bom dia")
    (part,) = friends.record(await friends.answer()).turn.parts
    await friends.blobs.delete(part.blob_id)
    await friends.write("repetir em voz")
    await friends.answer()
    assert (friends.texts, len(friends.engine.batches)) == (["(voice)", "(voice)"], 2)


# -- crashes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", [1, 2, 3, 4])
async def test_a_crash_before_the_send_costs_nothing_but_time(friends: Household, call: int) -> None:
    friends.wire.kill_at("save", call=call)
    await friends.write("bom dia")
    with pytest.raises(Killed):
        await friends.answer()
    await friends.service.handle(await friends.recovered())
    assert friends.texts == ["(voice)"]


async def crashed_after_the_send(house: Household) -> None:
    house.wire.kill_at("save", call=5)
    await house.write("bom dia")
    with pytest.raises(Killed):
        await house.answer()


async def test_a_crash_after_the_send_does_not_send_again(friends: Household) -> None:
    await crashed_after_the_send(friends)
    await friends.service.handle(await friends.recovered())
    assert friends.texts == ["(voice)"]


async def test_a_send_that_outlived_its_process_is_settled_by_its_receipt(friends: Household) -> None:
    await crashed_after_the_send(friends)
    await friends.receipt(friends.channel.sent[0], StatusKind.SENT)
    claim = await friends.recovered()
    await friends.service.handle(claim)
    turn = await friends.turn(claim)
    (part,) = friends.record(turn).turn.parts
    assert (turn.outcome, part.message_id) == (Outcome.ANSWERED, friends.channel.sent[0].message_id)


async def test_a_turn_that_went_to_another_worker_is_let_go(friends: Household) -> None:
    speaking = await being_spoken(friends)
    await friends.recovered()
    await speaking.end()
    assert friends.channel.sent == []


async def test_a_turn_that_is_drained_is_answered_by_the_next_worker(friends: Household) -> None:
    speaking = await being_spoken(friends)
    assert speaking.turn is not None
    speaking.turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await speaking.turn
    assert friends.engine.hold is not None
    friends.engine.hold.set()
    turn = await friends.answer()
    assert (turn.outcome, turn.failures, friends.texts) == (Outcome.ANSWERED, 0, ["(voice)"])


async def test_a_claim_handed_back_untouched_is_answered_by_the_next_worker(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.service.hand_back(await friends.claim())
    turn = await friends.answer()
    assert (turn.outcome, turn.failures) == (Outcome.ANSWERED, 0)


# -- the store is away ----------------------------------------------------------------------------------------------


async def outlive(house: Household) -> None:
    """Work on the next turn through an outage of the store, until it is handed back."""
    claim = await house.claim()
    turn = asyncio.create_task(house.service.handle(claim))
    while not turn.done():
        if house.clock.somebody_wakes_within(1):  # what waits for the store; a voice that is slow today is no outage
            house.clock.advance(1)
        await asyncio.wait({turn}, timeout=0.001)
    turn.result()


async def test_a_store_outage_uses_up_no_attempt(friends: Household) -> None:
    await friends.write("bom dia")
    friends.wire.lose("save")
    friends.wire.lose("defer", times=3)
    await outlive(friends)
    (turn,) = await friends.mailbox.turns(1)
    assert (turn.status, turn.failures) == (TurnStatus.OPEN, 0)


@pytest.mark.parametrize("saved", [1, 2, 3, 4, 5])
async def test_an_outage_at_any_moment_neither_loses_nor_doubles_the_answer(friends: Household, saved: int) -> None:
    await friends.write("bom dia")
    friends.wire.lose_at("save", call=saved)
    await outlive(friends)
    await friends.later(1)
    turn = await friends.answer()
    assert (turn.outcome, friends.texts) == (Outcome.ANSWERED, ["(voice)"])


async def test_a_store_that_took_the_announcement_of_a_send_but_did_not_say_so_delays_nothing(
    friends: Household,
) -> None:
    await friends.write("bom dia")
    friends.wire.lose_answer_at("save", call=4)
    await outlive(friends)
    await friends.later(1)
    turn = await friends.answer()
    assert (turn.outcome, friends.texts) == (Outcome.ANSWERED, ["(voice)"])


async def test_a_failed_attempt_is_recorded_once_the_store_is_back(friends: Household) -> None:
    friends.channel.fail("send_voice", NotSent("passing trouble", code=131000))
    await friends.write("bom dia")
    friends.wire.lose("fail", times=2)
    await outlive(friends)
    (turn,) = await friends.mailbox.turns(1)
    assert turn.failures == 1


# -- what nobody expected -------------------------------------------------------------------------------------------


class BrokenReplies:
    """A reply generator with a mistake in it."""

    async def reply(self, request: ReplyRequest) -> NoReturn:  # noqa: ARG002 - the same
        raise RuntimeError("a mistake")


async def test_an_unexpected_error_uses_up_one_attempt(friends: Household) -> None:
    friends.replies = BrokenReplies()
    await friends.write("bom dia")
    turn = await friends.answer()
    assert (turn.failures, turn.reason) == (1, "error: RuntimeError")


async def test_an_unexpected_error_is_logged_by_name_and_without_what_was_said(
    friends: Household, logs: list[EventDict]
) -> None:
    friends.replies = BrokenReplies()
    await friends.write("abracadabra")
    await friends.answer()
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert (line["event"], line["error"]) == ("the turn failed", "RuntimeError")
    assert "abracadabra" not in str(logs)


async def test_an_error_that_comes_every_time_ends_among_the_dead_letters_and_the_conversation_goes_on(
    friends: Household,
) -> None:
    working, friends.replies = friends.replies, BrokenReplies()
    await friends.write("bom dia")
    for _ in range(5):
        await friends.answer()
    friends.replies = working
    await friends.write("ainda aí?")
    turn = await friends.answer()
    assert (len(await friends.mailbox.dead_letters()), turn.outcome) == (1, Outcome.ANSWERED)


async def test_a_record_that_cannot_be_read_uses_up_an_attempt_and_stays_as_it_is(friends: Household) -> None:
    friends.wire.kill_at("save", call=2)
    await friends.write("bom dia")
    with pytest.raises(Killed):
        await friends.answer()
    (turn,) = await friends.mailbox.turns(1)
    await friends.redis.hset(key("turn", turn.turn_id), "record", b'{"turn": "of tomorrow"}')
    await friends.service.handle(await friends.recovered())
    after = await friends.mailbox.turn(turn.turn_id)
    assert after is not None
    assert (after.failures, after.record) == (1, b'{"turn": "of tomorrow"}')


# -- hearing --------------------------------------------------------------------------------------------------------


async def test_a_note_heard_ahead_is_not_fetched_again(friends: Household) -> None:
    await friends.say()
    task = await friends.mailbox.next_media("worker-1", block_ms=1)
    assert task is not None
    await friends.service.hear_ahead(task)
    friends.channel.media.clear()
    await friends.answer()
    assert friends.replies.requests[-1].text == "olá, tudo bem?"


async def test_a_note_that_cannot_be_heard_ahead_is_heard_in_its_turn(friends: Household) -> None:
    friends.transcriber.failures = [EngineFailed("busy")]
    await friends.say()
    task = await friends.mailbox.next_media("worker-1", block_ms=1)
    assert task is not None
    await friends.service.hear_ahead(task)
    await friends.answer()
    assert friends.replies.requests[-1].text == "olá, tudo bem?"


async def test_a_note_that_cannot_be_fetched_now_is_tried_again(friends: Household) -> None:
    friends.channel.fail("download", MediaUnavailable("down", retryable=True))
    await friends.say()
    first = await friends.answer()
    second = await friends.answer()
    assert (first.failures, second.outcome) == (1, Outcome.ANSWERED)


async def test_a_note_that_cannot_be_fetched_at_all_is_answered_all_the_same(friends: Household) -> None:
    friends.channel.fail("download", *(MediaUnavailable("down", retryable=True) for _ in range(9)))
    await friends.say()
    for _ in range(3):
        turn = await friends.answer()
    assert (turn.outcome, friends.texts) == (Outcome.ANSWERED, [said(Phrase.AUDIO_NOT_UNDERSTOOD)])


# -- the window -----------------------------------------------------------------------------------------------------


async def test_nothing_is_sent_once_the_window_closed_while_waiting(friends: Household) -> None:
    friends.channel.fail("send_voice", NotSent("no connection"))
    await friends.write("bom dia")
    await friends.answer()
    await friends.later(25 * 3600)
    turn = await friends.answer()
    assert (turn.outcome, friends.record(turn).turn.reason, friends.channel.sent) == ("silent", "window closed", [])


async def test_an_answer_half_sent_when_the_window_closes_is_undeliverable(house: Household) -> None:
    house.channel.fail("send_voice", NotSent("no connection"))
    await house.write("bom dia")
    await house.answer()
    await house.later(25 * 3600)
    turn = await house.answer()
    assert (turn.outcome, house.texts) == (Outcome.UNDELIVERABLE, [NINA.disclosure])


# -- dead letters again ---------------------------------------------------------------------------------------------


async def test_a_replayed_letter_gets_a_real_answer_however_old_it_is(friends: Household) -> None:
    working, friends.replies = friends.replies, BrokenReplies()
    await friends.write("bom dia")
    for _ in range(5):
        await friends.answer()
    friends.replies = working
    friends.clock.advance(2 * 3600)
    (letter,) = await friends.mailbox.dead_letters()
    await friends.mailbox.replay(letter.turn_id)
    turn = await friends.answer()
    assert (turn.outcome, friends.texts) == (Outcome.ANSWERED, ["(voice)"])


async def test_a_replay_that_has_to_wait_stays_a_replay(friends: Household) -> None:
    working, friends.replies = friends.replies, BrokenReplies()
    await friends.write("bom dia")
    for _ in range(5):
        await friends.answer()
    friends.clock.advance(2 * 3600)
    (letter,) = await friends.mailbox.dead_letters()
    await friends.mailbox.replay(letter.turn_id)
    await friends.answer()
    friends.replies = working
    await friends.answer()
    assert friends.texts == ["(voice)"]


async def test_a_replay_sends_again_what_was_never_confirmed(unsure: Household) -> None:
    await unsure.later(601)
    letter = await unsure.answer()
    await unsure.mailbox.replay(letter.turn_id)
    turn = await unsure.answer()
    assert (turn.outcome, unsure.texts) == (Outcome.ANSWERED, ["(voice)"])


async def test_a_replay_does_not_repeat_what_a_late_receipt_confirmed(unsure: Household) -> None:
    await unsure.later(601)
    letter = await unsure.answer()
    await unsure.receipt(f"{letter.turn_id}:0:1", StatusKind.DELIVERED)
    await unsure.mailbox.replay(letter.turn_id)
    turn = await unsure.answer()
    assert (turn.outcome, unsure.channel.sent) == (Outcome.ANSWERED, [])


# -- two people are one ---------------------------------------------------------------------------------------------


async def test_what_was_said_to_a_person_found_to_be_the_same_is_not_forgotten(house: Household) -> None:
    stranger, both = Person(user_id="BR.7"), Person(phone=ANA.phone, user_id="BR.7")
    await house.write(kind=MessageKind.REACTION, raw_type="reaction", target_id="wamid.0")  # Ana, older, never answered
    await house.met(stranger)
    await house.write("sou eu de novo", sender=both)
    await house.answer()
    (request,) = house.replies.requests
    assert [line.text for line in request.history] == ["oi", "oi"]
    assert house.texts == ["(voice)"]  # the disclosure was said to them already


async def test_memory_taken_over_stays(house: Household) -> None:
    stranger, both = Person(user_id="BR.7"), Person(phone=ANA.phone, user_id="BR.7")
    await house.write(kind=MessageKind.REACTION, raw_type="reaction", target_id="wamid.0")
    await house.met(stranger)
    for text in ("sou eu de novo", "e agora?"):
        await house.write(text, sender=both)
        await house.answer()
    assert [line.text for line in house.replies.requests[-1].history][:2] == ["oi", "oi"]


async def test_memory_of_its_own_is_not_replaced(house: Household) -> None:
    stranger, both = Person(user_id="BR.7"), Person(phone=ANA.phone, user_id="BR.7")
    ours = await house.met()
    await house.met(stranger)
    await house.conversations.remember(ours.id, [Line(role="persona", text="só nosso", at_ms=1)])
    await house.write("sou eu", sender=both)
    await house.answer()
    assert house.replies.requests[-1].history[-1].text == "só nosso"

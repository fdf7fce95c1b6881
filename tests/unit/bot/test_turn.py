"""Every claim of the turn's tables, one test each."""

from __future__ import annotations

import pytest

from bot.outbox import (
    Accepted,
    BlobLost,
    IllegalEvent,
    NeverConfirmed,
    NotTaken,
    Part,
    PartKind,
    PartState,
    Refused,
    SendStarted,
    Spoken,
    Unclear,
    Uploaded,
    VoiceGivenUp,
)
from bot.turn import (
    Cancelled,
    Compose,
    Composed,
    Finish,
    Outcome,
    PartReceipt,
    Send,
    Silenced,
    Speak,
    Turn,
    TurnLimits,
    TurnState,
    Upload,
    Wait,
    apply,
    heed_receipts,
    next_step,
    replay,
    resume,
    settle,
)
from webhooks.messages import StatusKind

LIMITS = TurnLimits()
T0 = 1_000_000


def text(body: str = "hi") -> Part:
    return Part(kind=PartKind.TEXT, text=body)


def voice(body: str = "hello") -> Part:
    return Part(kind=PartKind.VOICE, text=body)


def fresh() -> Turn:
    return Turn(id="0-c-1", created_at_ms=T0, newest_at_ms=T0)


def with_parts(*parts: Part) -> Turn:
    return apply(fresh(), Composed(parts))


def sent_voice() -> Turn:
    turn = with_parts(voice())
    for event in (Spoken(0, "blob", 2.0), Uploaded(0, "media"), SendStarted(0, T0), Accepted(0, "wamid.1")):
        turn = apply(turn, event)
    return turn


def failed(turn: Turn, *, curable: bool = True) -> Turn:
    receipt = PartReceipt(part=0, attempt=turn.parts[0].attempt, status=StatusKind.FAILED, curable=curable, code=131053)
    return heed_receipts(turn, [receipt])


def test_a_fresh_turn_is_composed_first() -> None:
    assert next_step(fresh(), now_ms=T0, limits=LIMITS) == Compose()


def test_a_voice_part_is_spoken_uploaded_sent_and_the_turn_finishes() -> None:
    turn = with_parts(voice())
    steps = []
    for event in (Spoken(0, "blob", 2.0), Uploaded(0, "media"), None):
        steps.append(next_step(turn, now_ms=T0, limits=LIMITS))
        if event:
            turn = apply(turn, event)
    turn = apply(apply(turn, SendStarted(0, T0)), Accepted(0, "wamid.1"))
    assert steps == [Speak(0, 30.0), Upload(0), Send(0)]
    assert next_step(turn, now_ms=T0, limits=LIMITS) == Finish(Outcome.ANSWERED, "")


def test_parts_go_out_strictly_in_order() -> None:
    turn = with_parts(text("disclosure"), voice())
    assert next_step(turn, now_ms=T0, limits=LIMITS) == Send(0)


def test_a_part_that_waits_for_its_receipt_holds_back_the_next() -> None:
    turn = apply(apply(with_parts(text(), text("b")), SendStarted(0, T0)), Unclear(0))
    assert next_step(turn, now_ms=T0, limits=LIMITS) == Wait(T0 + 60_000, "unconfirmed send")


def test_a_voice_note_cannot_be_sent_before_its_upload() -> None:
    with pytest.raises(IllegalEvent):
        apply(with_parts(voice()), SendStarted(0, T0))


def test_an_illegal_event_changes_nothing() -> None:
    turn = with_parts(text())
    with pytest.raises(IllegalEvent):
        apply(turn, Accepted(0, "wamid"))
    assert turn == with_parts(text())


def test_an_event_for_a_part_that_is_not_there_is_illegal() -> None:
    with pytest.raises(IllegalEvent):
        apply(with_parts(text()), SendStarted(3, T0))


def test_not_taken_makes_the_part_ready_again_and_a_new_send_gets_a_new_attempt() -> None:
    turn = apply(apply(with_parts(text()), SendStarted(0, T0)), NotTaken(0))
    assert turn.parts[0].state is PartState.PLANNED
    assert apply(turn, SendStarted(0, T0)).callback_data(0) == "0-c-1:0:2"


def test_a_crash_while_sending_is_ambiguous() -> None:
    turn = resume(apply(with_parts(text()), SendStarted(0, T0)))
    assert turn.parts[0].state is PartState.UNSURE


def test_a_receipt_settles_an_unsure_part() -> None:
    turn = resume(apply(with_parts(text()), SendStarted(0, T0)))
    receipt = PartReceipt(part=0, attempt=1, status=StatusKind.DELIVERED, message_id="wamid.9")
    turn = heed_receipts(turn, [receipt])
    assert (turn.parts[0].state, turn.parts[0].message_id) == (PartState.SENT, "wamid.9")


def test_a_receipt_of_an_earlier_attempt_is_not_heeded() -> None:
    turn = apply(apply(with_parts(text()), SendStarted(0, T0)), NotTaken(0))
    turn = apply(apply(turn, SendStarted(0, T0)), Unclear(0))
    receipt = PartReceipt(part=0, attempt=1, status=StatusKind.DELIVERED)
    assert heed_receipts(turn, [receipt]) == turn


def test_an_unsure_part_is_sent_once_more_only_when_other_receipts_arrived_since() -> None:
    turn = resume(apply(with_parts(text()), SendStarted(0, T0)))
    quiet = settle(turn, now_ms=T0 + 61_000, limits=LIMITS, last_receipt_ms=T0 - 1)
    alive = settle(turn, now_ms=T0 + 61_000, limits=LIMITS, last_receipt_ms=T0 + 1)
    assert quiet.parts[0].state is PartState.UNSURE
    assert alive.parts[0].state is PartState.PLANNED


def test_nothing_is_sent_a_third_time_after_two_ambiguous_sends() -> None:
    turn = resume(apply(with_parts(text()), SendStarted(0, T0)))
    turn = settle(turn, now_ms=T0 + 61_000, limits=LIMITS, last_receipt_ms=T0 + 1)
    turn = resume(apply(turn, SendStarted(0, T0 + 61_000)))
    turn = settle(turn, now_ms=T0 + 200_000, limits=LIMITS, last_receipt_ms=T0 + 150_000)
    assert turn.parts[0].state is PartState.UNSURE


def test_a_part_that_is_never_confirmed_goes_to_the_operator() -> None:
    turn = resume(apply(with_parts(text()), SendStarted(0, T0)))
    turn = settle(turn, now_ms=T0 + 601_000, limits=LIMITS, last_receipt_ms=0)
    assert next_step(turn, now_ms=T0 + 601_000, limits=LIMITS) == Finish(Outcome.DEAD, "UNCONFIRMED")


def test_the_voice_deadline_turns_voice_into_text() -> None:
    turn = settle(with_parts(voice()), now_ms=T0 + 30_000, limits=LIMITS, last_receipt_ms=0)
    assert (turn.parts[0].kind, turn.parts[0].fallback_reason) == (PartKind.TEXT, "voice deadline")


def test_voice_never_becomes_text_while_its_send_is_ambiguous() -> None:
    turn = with_parts(voice())
    for event in (Spoken(0, "blob", 2.0), Uploaded(0, "media"), SendStarted(0, T0), Unclear(0)):
        turn = apply(turn, event)
    with pytest.raises(IllegalEvent):
        apply(turn, VoiceGivenUp(0, "late"))


def test_a_given_up_voice_is_dropped_when_the_same_words_go_out_as_text() -> None:
    turn = apply(with_parts(voice("same"), text("same")), VoiceGivenUp(0, "no engine"))
    assert turn.parts[0].state is PartState.DROPPED


def test_a_lost_blob_is_spoken_again() -> None:
    turn = apply(apply(with_parts(voice()), Spoken(0, "blob", 2.0)), BlobLost(0))
    assert isinstance(next_step(turn, now_ms=T0, limits=LIMITS), Speak)


def test_a_failed_media_receipt_reopens_the_turn_and_uploads_once_more() -> None:
    turn = failed(apply(sent_voice(), Finish(Outcome.ANSWERED, "")))
    assert turn.state is TurnState.OUTBOX
    assert next_step(turn, now_ms=T0, limits=LIMITS) == Upload(0)


def test_a_second_failed_media_receipt_is_answered_in_text() -> None:
    turn = failed(sent_voice())
    for event in (Uploaded(0, "media2"), SendStarted(0, T0), Accepted(0, "wamid.2")):
        turn = apply(turn, event)
    turn = failed(turn)
    assert (turn.parts[0].kind, turn.parts[0].state) == (PartKind.TEXT, PartState.PLANNED)


def test_a_receipt_that_failed_for_good_makes_the_turn_undeliverable() -> None:
    turn = failed(sent_voice(), curable=False)
    assert next_step(turn, now_ms=T0, limits=LIMITS) == Finish(Outcome.UNDELIVERABLE, "failed: 131053")


def test_delivered_may_follow_failed() -> None:
    turn = failed(sent_voice(), curable=False)
    turn = heed_receipts(turn, [PartReceipt(part=0, attempt=1, status=StatusKind.DELIVERED)])
    assert turn.parts[0].state is PartState.SENT


def test_a_media_refusal_at_the_send_uploads_again() -> None:
    turn = with_parts(voice())
    for event in (Spoken(0, "b", 1.0), Uploaded(0, "m"), SendStarted(0, T0), Refused(0, "131053", media=True)):
        turn = apply(turn, event)
    assert next_step(turn, now_ms=T0, limits=LIMITS) == Upload(0)


def test_silence_after_something_was_sent_is_illegal() -> None:
    with pytest.raises(IllegalEvent):
        apply(sent_voice(), Silenced("window"))


def test_cancelling_a_turn_closes_it() -> None:
    assert apply(with_parts(text()), Cancelled("stop")).outcome is Outcome.CANCELLED


def test_a_closed_turn_takes_no_more_part_events() -> None:
    with pytest.raises(IllegalEvent):
        apply(apply(with_parts(text()), Cancelled("stop")), SendStarted(0, T0))


def test_a_replayed_turn_sends_only_what_did_not_arrive() -> None:
    turn = with_parts(text("a"), text("b"))
    for event in (SendStarted(0, T0), Accepted(0, "w"), SendStarted(1, T0), Unclear(1), NeverConfirmed(1)):
        turn = apply(turn, event)
    again = replay(apply(turn, Finish(Outcome.DEAD, "UNCONFIRMED")), now_ms=T0 + 5)
    assert next_step(again, now_ms=T0 + 5, limits=LIMITS) == Send(1)

"""What is stored comes back as it was; what cannot be read says so without saying what it holds."""

from __future__ import annotations

import orjson
import pytest

from bot.conversation import Conversation, Line
from bot.ears import Heard, Hearing
from bot.outbox import Part, PartKind, PartState
from bot.record import MOST_ATTEMPTS, Aftermath, TurnRecord, VoiceAttempt, dump_record, load_record
from bot.turn import Outcome, Turn, TurnState
from bot.wire import Unreadable, dump_heard, dump_message, load_heard, load_message
from webhooks.messages import InboundMessage, MediaRef, Menu, MenuRow, MessageKind, Person

MENU = Menu(button="Escolher", rows=(MenuRow(id="persona:theo", title="Theo", description="English"),))
TURN = Turn(
    id="0-ab-1",
    created_at_ms=1,
    newest_at_ms=2,
    quote="wamid.1",
    state=TurnState.CLOSED,
    outcome=Outcome.ANSWERED,
    parts=(
        Part(kind=PartKind.VOICE, text="olá", state=PartState.SENT, attempt=2, blob_id="b", duration_s=1.5),
        Part(kind=PartKind.MENU, text="quem?", menu=MENU),
    ),
)
RECORD = TurnRecord(
    turn=TURN,
    aftermath=Aftermath(
        persona_id="nina",
        language="pt-BR",
        conversation=Conversation(id="c", person_id="p", endpoint_id="100", voice_on=False),
        lines=(Line(role="person", text="oi", at_ms=1),),
        fingerprint="oi",
        opt_out=True,
        paused_until_ms=0,
    ),
    settled=True,
    attempts=(VoiceAttempt(part=0, engine="qwen3", outcome="TakeRejected", reason="silent: -80 dBFS", latency_s=1.5),),
)
MESSAGE = InboundMessage(
    channel="whatsapp",
    endpoint_id="100",
    message_id="wamid.1",
    sender=Person(phone="5511900000001", profile_name="Ana"),
    at_ms=1,
    kind=MessageKind.AUDIO,
    raw_type="audio",
    media=MediaRef(media_id="m", mime_type="audio/ogg", voice=True),
)


def test_a_record_comes_back_as_it_was() -> None:
    assert load_record(dump_record(RECORD)) == RECORD


def test_a_record_of_an_earlier_version_lacks_nothing_it_needs() -> None:
    stored = orjson.loads(dump_record(RECORD))
    del stored["settled"], stored["attempts"], stored["turn"]["replayed"]
    assert not load_record(orjson.dumps(stored)).settled


def test_a_record_keeps_the_newest_attempts_and_no_end_of_them() -> None:
    record = TurnRecord(turn=TURN)
    for number in range(MOST_ATTEMPTS + 1):
        record = record.having_tried([VoiceAttempt(part=0, engine=str(number), outcome="ok")])
    assert [record.attempts[0].engine, record.attempts[-1].engine] == ["1", str(MOST_ATTEMPTS)]
    assert len(record.attempts) == MOST_ATTEMPTS


def test_a_message_comes_back_as_it_was() -> None:
    assert load_message(dump_message(MESSAGE)) == MESSAGE


@pytest.mark.parametrize("heard", [Heard(hearing=Hearing.UNDERSTOOD, text="oi"), Heard(hearing=Hearing.TOO_LONG)])
def test_what_was_heard_comes_back_as_it_was(heard: Heard) -> None:
    assert load_heard(dump_heard(heard)) == heard


@pytest.mark.parametrize("load", [load_record, load_message, load_heard])
@pytest.mark.parametrize("data", [b"", b"null", b'{"of": "tomorrow"}', b"\xff"])
def test_what_cannot_be_read_is_one_error(load: object, data: bytes) -> None:
    assert callable(load)
    with pytest.raises(Unreadable):
        load(data)


def test_what_cannot_be_read_is_told_by_place_and_not_by_content() -> None:
    damaged = dump_message(MESSAGE).replace(b'"text":null', b'"text":{"my":"secret"}')
    with pytest.raises(Unreadable) as caught:
        load_message(damaged)
    assert str(caught.value) == "text: string_type"


def test_the_error_drags_no_other_along_that_quotes_the_content() -> None:
    with pytest.raises(Unreadable) as caught:
        load_message(b'{"text": "secret"}')
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)

"""What a burst of messages says when it is read as one."""

from __future__ import annotations

from typing import Any

import pytest

from bot.burst import NOT_UNDERSTOOD, RECORDED_ONLY, Burst, read_burst
from webhooks.messages import InboundMessage, MediaRef, MessageKind, Person

NOTE = MediaRef(media_id="m", mime_type="audio/ogg", voice=True)


def message(name: str = "1", **changes: Any) -> InboundMessage:
    fields: dict[str, Any] = {
        "channel": "whatsapp",
        "endpoint_id": "100",
        "message_id": name,
        "sender": Person(phone="5511900000001"),
        "at_ms": 0,
        "kind": MessageKind.TEXT,
        "raw_type": "text",
    }
    return InboundMessage(**fields | changes)


def note(name: str = "note") -> InboundMessage:
    return message(name, kind=MessageKind.AUDIO, media=NOTE)


def read(*messages: InboundMessage, **heard: str) -> Burst:
    return read_burst(messages, heard)


def test_texts_are_joined_in_order_one_a_line() -> None:
    assert read(message(text="oi"), message(text="tudo bem?")).text == "oi\ntudo bem?"


def test_what_was_heard_stands_where_the_note_stood() -> None:
    burst = read(message(text="oi"), note("a"), message(text="entendeu?"), a="vou chegar tarde")
    assert burst.text == "oi\nvou chegar tarde\nentendeu?"


def test_notes_without_a_transcript_are_still_to_be_heard() -> None:
    burst = read(note("a"), note("b"), a="ouvido")
    assert [one.message_id for one in burst.unheard] == ["b"]


def test_a_note_without_understandable_words_is_unclear() -> None:
    burst = read(note("a"), a="")
    assert (burst.unclear, burst.unheard, burst.text) == (True, (), "")


@pytest.mark.parametrize(
    ("messages", "voice"), [((message(text="oi"), note()), True), ((note(), message(text="oi")), False)]
)
def test_the_last_message_says_in_which_form_the_person_speaks(
    messages: tuple[InboundMessage, ...], *, voice: bool
) -> None:
    assert read(*messages, note="ouvido").came_as_voice is voice


@pytest.mark.parametrize("kind", sorted(NOT_UNDERSTOOD))
def test_what_we_cannot_see_is_noted(kind: MessageKind) -> None:
    assert read(message(kind=kind)).not_understood


def test_the_caption_of_a_picture_is_read() -> None:
    burst = read(message(kind=MessageKind.IMAGE, text="o que é isto?"))
    assert burst.text == "o que é isto?"


def test_the_title_of_a_tapped_button_is_read() -> None:
    assert read(message(kind=MessageKind.BUTTON, text="Quero saber mais", payload="more")).text == "Quero saber mais"


def test_somebody_who_opens_the_chat_is_to_be_welcomed() -> None:
    assert read(message(kind=MessageKind.REQUEST_WELCOME)).welcome


def test_every_kind_of_message_is_answered_recorded_or_excused() -> None:
    answered = {
        MessageKind.TEXT,
        MessageKind.AUDIO,
        MessageKind.BUTTON,
        MessageKind.INTERACTIVE,
        MessageKind.REQUEST_WELCOME,
    }
    assert answered | NOT_UNDERSTOOD | RECORDED_ONLY == set(MessageKind)
    assert len(answered) + len(NOT_UNDERSTOOD) + len(RECORDED_ONLY) == len(MessageKind)


def test_a_burst_does_not_show_its_words_when_printed() -> None:
    assert "segredo" not in repr(read(message(text="segredo")))


@pytest.mark.parametrize("kind", [MessageKind.BUTTON, MessageKind.INTERACTIVE, MessageKind.CALL])
def test_a_message_that_holds_nothing_is_not_understood(kind: MessageKind) -> None:
    assert read(message(kind=kind)).not_understood


def test_a_voice_note_that_the_platform_could_not_hand_over_is_unclear_and_not_waited_for() -> None:
    burst = read(message(kind=MessageKind.AUDIO))
    assert (burst.unclear, burst.unheard) == (True, ())

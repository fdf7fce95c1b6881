"""What each command says and what becomes true afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.command_answers import CONFIRM_WITHIN_MS, CommandAnswer, CommandContext, answer_command, choosing_words
from bot.commands import Command, CommandKind, parse_command
from bot.conversation import Conversation, Line
from bot.outbox import PartKind, PartState
from bot.phrases import Phrase, say
from tests.household import personas
from webhooks.messages import Person
from webhooks.whatsapp import payloads

NINA, THEO = personas()
NOW_MS = 1_000_000
CONVERSATION = Conversation(id="c", person_id="p", endpoint_id="100", disclosed_at_ms=1)
SAID = replace(CONVERSATION, history=(Line(role="persona", text="era uma vez", at_ms=1),))


def answer(kind: CommandKind, argument: str = "", **changes: Any) -> CommandAnswer:
    fields: dict[str, Any] = {
        "conversation": CONVERSATION,
        "persona": NINA,
        "personas": (NINA, THEO),
        "opted_out": False,
        "now_ms": NOW_MS,
    }
    return answer_command(Command(kind=kind, argument=argument), CommandContext(**fields | changes))


def kept(answered: CommandAnswer) -> Conversation:
    assert answered.aftermath.conversation is not None
    return answered.aftermath.conversation


@pytest.mark.parametrize(
    ("kind", "phrase", "slots"),
    [
        (CommandKind.HELP, Phrase.HELP, {"persona": "Nina"}),
        (CommandKind.VOICE_ON, Phrase.VOICE_ON, {}),
        (CommandKind.VOICE_OFF, Phrase.VOICE_OFF, {}),
        (CommandKind.STOP, Phrase.STOPPED, {}),
        (CommandKind.START, Phrase.ALREADY_STARTED, {}),
        (CommandKind.DELETE, Phrase.DELETE_ASK, {}),
        (CommandKind.CONFIRM_DELETE, Phrase.DELETE_DONE, {}),
        (CommandKind.CANCEL_DELETE, Phrase.DELETE_KEPT, {}),
        (CommandKind.HUMAN, Phrase.HUMAN_CALLED, {}),
        (CommandKind.REPEAT, Phrase.NOTHING_TO_REPEAT, {}),
    ],
)
def test_a_command_is_answered_in_writing(kind: CommandKind, phrase: Phrase, slots: dict[str, str]) -> None:
    (part,) = answer(kind).parts
    assert (part.kind, part.text) == (PartKind.TEXT, say(phrase, "pt-BR", **slots))


def test_a_command_is_answered_in_the_personas_language() -> None:
    (part,) = answer(CommandKind.STOP, persona=THEO).parts
    assert part.text == say(Phrase.STOPPED, "en")


@pytest.mark.parametrize(("kind", "voice_on"), [(CommandKind.VOICE_ON, True), (CommandKind.VOICE_OFF, False)])
def test_voice_on_and_off_are_kept(kind: CommandKind, *, voice_on: bool) -> None:
    assert kept(answer(kind)).voice_on is voice_on


def test_stop_opts_out() -> None:
    assert answer(CommandKind.STOP).aftermath.opt_out is True


def test_start_opts_in_and_ends_a_pause() -> None:
    aftermath = answer(CommandKind.START, opted_out=True).aftermath
    assert (aftermath.opt_out, aftermath.paused_until_ms) == (False, 0)


def test_start_welcomes_back_who_had_left() -> None:
    assert answer(CommandKind.START, opted_out=True).parts[0].text == say(Phrase.STARTED, "pt-BR")


def test_asking_to_delete_opens_a_question_for_some_minutes() -> None:
    conversation = kept(answer(CommandKind.DELETE))
    assert conversation.open_question(NOW_MS + CONFIRM_WITHIN_MS - 1) == CommandKind.CONFIRM_DELETE
    assert conversation.open_question(NOW_MS + CONFIRM_WITHIN_MS) == ""


def test_asking_to_delete_deletes_nothing_yet() -> None:
    assert not answer(CommandKind.DELETE).aftermath.erase


def test_a_yes_deletes() -> None:
    assert answer(CommandKind.CONFIRM_DELETE).aftermath.erase


def test_a_no_closes_the_question() -> None:
    asked = kept(answer(CommandKind.DELETE))
    assert kept(answer(CommandKind.CANCEL_DELETE, conversation=asked)).awaiting == ""


def test_the_menu_offers_every_persona_by_a_payload_that_chooses_it() -> None:
    (part,) = answer(CommandKind.PERSONAS).parts
    assert part.menu is not None
    chosen = [parse_command(row.title, row.id) for row in part.menu.rows]
    assert chosen == [Command(kind=CommandKind.CHOOSE, argument=one.id) for one in (NINA, THEO)]


def test_the_menu_keeps_to_the_platforms_limits_however_many_and_long_the_personas_are() -> None:
    many = tuple(replace(NINA, id=f"p{i}", name="N" * 60, description="D" * 200) for i in range(30))
    (part,) = answer(CommandKind.PERSONAS, personas=many).parts
    assert part.menu is not None
    assert len(part.menu.rows) == 10
    assert payloads.menu(Person(phone="1"), part.text, part.menu, quote=None, callback_data="t:0:1")


def test_choosing_a_persona_keeps_the_choice() -> None:
    assert kept(answer(CommandKind.CHOOSE, "theo")).persona_id == "theo"


def test_a_chosen_persona_writes_its_hello_to_those_who_want_no_voice() -> None:
    silent = replace(CONVERSATION, voice_on=False)
    parts = answer(CommandKind.CHOOSE, "theo", conversation=silent).parts
    assert [part.kind for part in parts] == [PartKind.TEXT, PartKind.TEXT]


def test_choosing_nobody_that_exists_changes_nothing() -> None:
    assert kept(answer(CommandKind.CHOOSE, "nobody")) == CONVERSATION


def test_repeat_speaks_the_last_answer() -> None:
    (part,) = answer(CommandKind.REPEAT, conversation=SAID).parts
    assert (part.kind, part.text, part.state) == (PartKind.VOICE, "era uma vez", PartState.PLANNED)


def test_repeat_takes_the_note_that_is_kept() -> None:
    (part,) = answer(CommandKind.REPEAT, conversation=replace(SAID, last_note="blob")).parts
    assert (part.kind, part.blob_id, part.state) == (PartKind.VOICE, "blob", PartState.AUDIO)


@pytest.mark.parametrize("words", ["falar com Theo", "talk to theo", "quero falar com a Nina"])
def test_personas_are_chosen_by_name(words: str) -> None:
    command = parse_command(words, personas=choosing_words((NINA, THEO)))
    assert command is not None
    assert command.kind is CommandKind.CHOOSE


def test_personas_are_chosen_by_keyword() -> None:
    command = parse_command("falar com português", personas=choosing_words((NINA, THEO)))
    assert command == Command(kind=CommandKind.CHOOSE, argument="nina")

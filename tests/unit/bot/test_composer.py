"""What a turn answers: policy, commands, hearing and reply become parts, and an aftermath that says what changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.command_answers import CONFIRM_WITHIN_MS
from bot.composer import HEARING_ATTEMPTS, Composition, NoPersona, Silence, at_home, reply_parts
from bot.conversation import Line
from bot.mailbox import Claim
from bot.outbox import PartKind
from bot.persona import Persona, ReplyMode, shipped_personas
from bot.phrases import Phrase, say
from bot.policy import Limits
from bot.turn import Turn
from bot.wire import dump_heard
from tests.household import ANA, NUMBER, RUI, Household, personas
from tts.errors import EngineFailed
from webhooks.contract import MediaUnavailable
from webhooks.messages import MediaRef, MessageKind

NINA, THEO = personas()
VOICE, TEXT = PartKind.VOICE, PartKind.TEXT


class Table(Household):
    """A household whose next turn is composed and not carried out."""

    shown = 0

    async def compose(self, **changes: Any) -> Composition | Silence:
        """What the next turn answers; `changes` are made to its claim."""
        claim = replace(await self.claim(), **changes)
        return await self.composer.compose(claim, self.turn_of(claim), at_work=self._show)

    async def composed(self, **changes: Any) -> Composition:
        composed = await self.compose(**changes)
        assert isinstance(composed, Composition)
        return composed

    async def said(self, **changes: Any) -> list[tuple[PartKind, str]]:
        return said(await self.composed(**changes))

    def turn_of(self, claim: Claim) -> Turn:
        return Turn(id=claim.lease.turn_id, created_at_ms=claim.created_at_ms, newest_at_ms=claim.newest_inbound_ms)

    def _show(self) -> None:
        self.shown += 1


def said(composed: Composition) -> list[tuple[PartKind, str]]:
    return [(part.kind, part.text) for part in composed.parts]


def phrase(one: Phrase, **slots: str) -> tuple[PartKind, str]:
    return TEXT, say(one, "pt-BR", **slots)


@pytest.fixture
async def stranger(redis: Redis) -> AsyncIterator[Table]:
    """Ana has never written."""
    async with Table.opened(redis) as table:
        yield table


@pytest.fixture
async def friend(stranger: Table) -> Table:
    """Ana has met the bot."""
    await stranger.met()
    stranger.shown = 0
    return stranger


# -- first contact --------------------------------------------------------------------------------------------------


async def test_the_first_answer_discloses_in_writing_before_it_speaks(stranger: Table) -> None:
    await stranger.write("bom dia")
    assert await stranger.said() == [(TEXT, NINA.disclosure), (VOICE, "bom dia")]


async def test_later_answers_do_not_disclose_again(friend: Table) -> None:
    await friend.write("bom dia")
    assert await friend.said() == [(VOICE, "bom dia")]


async def test_the_disclosure_is_noted_in_the_aftermath_only(stranger: Table) -> None:
    await stranger.write("bom dia")
    kept = (await stranger.composed()).aftermath.conversation
    assert kept is not None
    assert kept.disclosed_at_ms == stranger.clock.now_ms
    assert (await stranger.conversation()).disclosed_at_ms is None


@pytest.mark.parametrize("kind", [MessageKind.IMAGE, MessageKind.STICKER])
async def test_whoever_begins_with_a_picture_hears_the_disclosure_too(stranger: Table, kind: MessageKind) -> None:
    await stranger.write(kind=kind, raw_type=kind.value)
    assert await stranger.said() == [(TEXT, NINA.disclosure), phrase(Phrase.MEDIA_UNSUPPORTED)]


async def test_whoever_begins_with_a_command_hears_the_disclosure_too(stranger: Table) -> None:
    await stranger.write("voz desligar")
    composed = await stranger.composed()
    assert said(composed) == [(TEXT, NINA.disclosure), phrase(Phrase.VOICE_OFF)]
    kept = composed.aftermath.conversation
    assert kept is not None
    assert (kept.voice_on, kept.disclosed_at_ms) == (False, stranger.clock.now_ms)


async def test_whoever_begins_with_stop_is_told_nothing_else(stranger: Table) -> None:
    await stranger.write("parar")
    assert await stranger.said() == [phrase(Phrase.STOPPED)]


async def test_somebody_who_opens_the_chat_is_greeted(stranger: Table) -> None:
    await stranger.write(kind=MessageKind.REQUEST_WELCOME, raw_type="request_welcome")
    assert await stranger.said() == [(TEXT, NINA.disclosure), (VOICE, NINA.greeting)]


# -- what the reply is made of --------------------------------------------------------------------------------------


async def test_a_burst_is_answered_as_one(friend: Table) -> None:
    for text in ("oi", "tudo bem?", "qual é o seu nome?"):
        await friend.write(text)
    await friend.composed()
    (request,) = friend.replies.requests
    assert request.text == "oi\ntudo bem?\nqual é o seu nome?"


async def test_the_generator_is_told_who_asks_whom_and_when(friend: Table) -> None:
    await friend.write("bom dia")
    await friend.composed()
    (request,) = friend.replies.requests
    assert (request.persona.id, request.language, request.person_name, request.now_ms, request.timezone) == (
        "nina",
        "pt-BR",
        "Ana",
        friend.clock.now_ms,
        "America/Sao_Paulo",
    )


async def test_the_generator_is_given_what_was_said_before(friend: Table) -> None:
    await friend.write("bom dia")
    await friend.answer()
    await friend.write("e agora?")
    await friend.composed()
    assert [line.text for line in friend.replies.requests[-1].history] == ["oi", "oi", "bom dia", "bom dia"]


async def test_the_reply_is_kept_to_what_the_persona_may_speak(friend: Table) -> None:
    await friend.personas.put(replace(NINA, max_spoken_s=10))
    await friend.write("bom dia")
    await friend.composed()
    assert friend.replies.requests[-1].max_chars == 140


async def test_the_aftermath_remembers_question_and_answer(friend: Table) -> None:
    written = await friend.write("bom dia")
    assert (await friend.composed()).aftermath.lines == (
        Line(role="person", text="bom dia", at_ms=written.at_ms),
        Line(role="persona", text="bom dia", at_ms=friend.clock.now_ms),
    )


async def test_typing_is_shown_once_it_is_clear_that_there_will_be_an_answer(friend: Table) -> None:
    await friend.write("bom dia")
    await friend.composed()
    assert friend.shown == 1


# -- voice notes ----------------------------------------------------------------------------------------------------


async def test_a_voice_note_is_heard_in_its_turn(friend: Table) -> None:
    await friend.say()
    await friend.composed()
    assert friend.replies.requests[-1].text == "olá, tudo bem?"


async def test_a_voice_note_heard_ahead_is_not_heard_again(friend: Table) -> None:
    await friend.say()
    claim = await friend.claim()
    heard = await friend.ears.hear(friend.voice())
    friend.channel.media.clear()
    claim = replace(claim, transcripts={claim.message_ids[0]: dump_heard(heard)})
    await friend.composer.compose(claim, friend.turn_of(claim), at_work=friend._show)
    assert friend.replies.requests[-1].text == "olá, tudo bem?"


async def test_written_and_spoken_messages_of_a_burst_are_read_in_order(friend: Table) -> None:
    await friend.write("oi")
    await friend.say()
    await friend.write("entendeu?")
    await friend.composed()
    assert friend.replies.requests[-1].text == "oi\nolá, tudo bem?\nentendeu?"


async def test_a_note_nobody_could_understand_is_asked_for_again(friend: Table) -> None:
    await friend.say(silent=True)
    assert await friend.said() == [phrase(Phrase.AUDIO_NOT_UNDERSTOOD)]


async def test_a_note_that_is_too_long_is_asked_for_in_parts(friend: Table) -> None:
    friend.transcriber._limits = replace(friend.transcriber._limits, max_duration_s=0.5)
    await friend.say()
    assert await friend.said() == [phrase(Phrase.AUDIO_TOO_LONG)]


async def test_an_unclear_note_beside_clear_words_is_passed_over(friend: Table) -> None:
    await friend.say(silent=True)
    await friend.write("bom dia")
    assert await friend.said() == [(VOICE, "bom dia")]


@pytest.mark.parametrize("error", [MediaUnavailable("down", retryable=True), EngineFailed("broken")])
async def test_trouble_with_hearing_that_may_pass_is_tried_again(friend: Table, error: Exception) -> None:
    await friend.say()
    _trouble(friend, error)
    with pytest.raises(type(error)):
        await friend.compose(failures=HEARING_ATTEMPTS - 2)


@pytest.mark.parametrize("error", [MediaUnavailable("down", retryable=True), EngineFailed("broken")])
async def test_trouble_with_hearing_that_stays_is_answered(friend: Table, error: Exception) -> None:
    await friend.say()
    _trouble(friend, error)
    assert await friend.said(failures=HEARING_ATTEMPTS - 1) == [phrase(Phrase.AUDIO_NOT_UNDERSTOOD)]


def _trouble(table: Table, error: Exception) -> None:
    if isinstance(error, MediaUnavailable):
        table.channel.fail("download", error)
    elif isinstance(error, EngineFailed):
        table.transcriber.failures = [error]


@pytest.mark.parametrize(
    "kind",
    [
        MessageKind.IMAGE,
        MessageKind.VIDEO,
        MessageKind.DOCUMENT,
        MessageKind.STICKER,
        MessageKind.LOCATION,
        MessageKind.CONTACTS,
        MessageKind.ORDER,
    ],
    ids=str,
)
async def test_what_cannot_be_seen_gets_one_polite_answer(friend: Table, kind: MessageKind) -> None:
    for _ in range(3):
        await friend.write(kind=kind, raw_type=kind.value, media=MediaRef(media_id="m", mime_type="x/y"))
    assert await friend.said() == [phrase(Phrase.MEDIA_UNSUPPORTED)]


async def test_a_caption_is_answered_like_text(friend: Table) -> None:
    await friend.write("o que é isto?", kind=MessageKind.IMAGE, raw_type="image")
    assert await friend.said() == [(VOICE, "o que é isto?")]


async def test_a_burst_without_any_words_is_not_left_without_an_answer(friend: Table) -> None:
    await friend.write(kind=MessageKind.TEXT)
    assert await friend.said() == [phrase(Phrase.NO_ANSWER)]


# -- in which form --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "as_voice", "kinds"),
    [
        (ReplyMode.VOICE, False, [VOICE]),
        (ReplyMode.VOICE, True, [VOICE]),
        (ReplyMode.TEXT, True, [TEXT]),
        (ReplyMode.BOTH, False, [VOICE, TEXT]),
        (ReplyMode.MIRROR, False, [TEXT]),
        (ReplyMode.MIRROR, True, [VOICE]),
    ],
)
def test_a_persona_answers_in_its_mode(mode: ReplyMode, *, as_voice: bool, kinds: list[PartKind]) -> None:
    parts = reply_parts("oi", mode=mode, came_as_voice=as_voice)
    assert [(part.kind, part.text) for part in parts] == [(kind, "oi") for kind in kinds]


@pytest.mark.parametrize(
    ("mode", "command", "kinds"),
    [
        (ReplyMode.VOICE, "voz desligar", [TEXT]),
        (ReplyMode.BOTH, "voz desligar", [TEXT]),
        (ReplyMode.TEXT, "voz ligar", [VOICE]),
        (ReplyMode.MIRROR, "voz ligar", [VOICE]),
        (ReplyMode.BOTH, "voz ligar", [VOICE, TEXT]),
    ],
)
async def test_what_the_person_chose_goes_before_the_personas_mode(
    friend: Table, mode: ReplyMode, command: str, kinds: list[PartKind]
) -> None:
    await friend.personas.put(replace(NINA, reply_mode=mode))
    await friend.write(command)
    await friend.answer()
    await friend.write("bom dia")
    assert [kind for kind, _ in await friend.said()] == kinds


async def test_a_voice_note_is_mirrored_by_voice(friend: Table) -> None:
    await friend.personas.put(replace(NINA, reply_mode=ReplyMode.MIRROR))
    await friend.say()
    assert [kind for kind, _ in await friend.said()] == [VOICE]


# -- who answers ----------------------------------------------------------------------------------------------------


async def test_the_default_of_the_number_answers(friend: Table) -> None:
    await friend.personas.put(replace(THEO, endpoints=(NUMBER,)))
    await friend.write("bom dia")
    assert (await friend.composed()).aftermath.persona_id == "theo"


async def choosing_theo(table: Table) -> None:
    await table.write("Theo", kind=MessageKind.INTERACTIVE, raw_type="interactive", payload="persona:theo")


async def test_a_chosen_persona_says_hello_in_its_own_voice(friend: Table) -> None:
    await choosing_theo(friend)
    composed = await friend.composed()
    chosen = say(Phrase.PERSONA_CHOSEN, "en", persona="Theo")
    assert said(composed) == [(TEXT, chosen), (VOICE, THEO.greeting)]
    assert composed.aftermath.persona_id == "theo"


async def test_a_chosen_persona_answers_from_then_on(friend: Table) -> None:
    await choosing_theo(friend)
    await friend.answer()
    await friend.write("good morning")
    assert (await friend.composed()).aftermath.persona_id == "theo"


async def test_a_persona_that_was_deleted_gives_way_to_the_default(friend: Table) -> None:
    await choosing_theo(friend)
    await friend.answer()
    await friend.personas.delete("theo")
    await friend.write("bom dia")
    assert (await friend.composed()).aftermath.persona_id == "nina"


async def test_choosing_a_persona_that_is_gone_is_answered(friend: Table) -> None:
    await friend.personas.delete("theo")
    await choosing_theo(friend)
    assert await friend.said() == [phrase(Phrase.PERSONA_UNKNOWN)]


async def test_without_any_persona_an_operator_is_told_what_to_do(friend: Table) -> None:
    for persona in personas():
        await friend.personas.delete(persona.id)
    await friend.write("bom dia")
    with pytest.raises(NoPersona, match="recado persona import"):
        await friend.compose()


# -- commands -------------------------------------------------------------------------------------------------------


async def test_a_command_is_understood_by_voice(friend: Table) -> None:
    friend.transcriber.text = "Voz desligar."
    await friend.say()
    assert await friend.said() == [phrase(Phrase.VOICE_OFF)]


async def test_stop_is_understood_by_voice(friend: Table) -> None:
    friend.transcriber.text = "Parar."
    await friend.say()
    assert (await friend.composed()).aftermath.opt_out is True


async def test_a_human_is_called_by_voice(friend: Table) -> None:
    friend.transcriber.text = "Quero falar com um atendente."
    await friend.say()
    assert (await friend.composed()).aftermath.alert == "human_asked"


async def test_a_command_among_other_words_is_conversation(friend: Table) -> None:
    friend.transcriber.text = "Ajuda"
    await friend.write("oi")
    await friend.say()
    assert await friend.said() == [(VOICE, "oi\nAjuda")]


async def test_a_tapped_command_is_a_command(friend: Table) -> None:
    await friend.write("Ajuda", kind=MessageKind.BUTTON, raw_type="button", payload="command:help")
    assert await friend.said() == [phrase(Phrase.HELP, persona="Nina")]


async def test_a_tapped_button_that_is_nobodys_command_is_conversation(friend: Table) -> None:
    await friend.write("Quero saber mais", kind=MessageKind.BUTTON, raw_type="button", payload="campaign-7")
    assert await friend.said() == [(VOICE, "Quero saber mais")]


WRITTEN = {
    "pt-BR": {
        "ajuda": Phrase.HELP,
        "voz ligar": Phrase.VOICE_ON,
        "voz desligar": Phrase.VOICE_OFF,
        "repetir": Phrase.NOTHING_TO_REPEAT,
        "parar": Phrase.STOPPED,
        "começar": Phrase.ALREADY_STARTED,
        "apagar meus dados": Phrase.DELETE_ASK,
        "falar com atendente": Phrase.HUMAN_CALLED,
        "trocar persona": Phrase.MENU_BODY,
    },
    "en": {
        "help": Phrase.HELP,
        "voice on": Phrase.VOICE_ON,
        "voice off": Phrase.VOICE_OFF,
        "repeat": Phrase.NOTHING_TO_REPEAT,
        "stop": Phrase.STOPPED,
        "start": Phrase.ALREADY_STARTED,
        "delete my data": Phrase.DELETE_ASK,
        "talk to a human": Phrase.HUMAN_CALLED,
        "switch persona": Phrase.MENU_BODY,
    },
}
ORDERS = [(language, text, phrase) for language, orders in WRITTEN.items() for text, phrase in orders.items()]


async def with_persona(table: Table, persona: Persona) -> None:
    """Let Ana, whom the bot has met, talk with that persona; nothing was said that could be repeated."""
    known = await table.conversation()
    await table.conversations.erase([known.id])
    await table.conversations.save(replace(known, persona_id=persona.id, history=(), recent=()))


@pytest.mark.parametrize("persona", [NINA, THEO], ids=lambda one: one.id)
@pytest.mark.parametrize(("language", "text", "said_then"), ORDERS, ids=str)
async def test_a_command_is_answered_in_the_language_it_is_written_in_whoever_the_persona_is(
    friend: Table, persona: Persona, language: str, text: str, said_then: Phrase
) -> None:
    await with_persona(friend, persona)
    await friend.write(text)
    (part,) = (await friend.composed()).parts
    assert part.text == say(said_then, language, persona=persona.name)


async def test_a_command_that_both_languages_have_is_answered_in_the_personas(friend: Table) -> None:
    await with_persona(friend, THEO)
    await friend.write("menu")
    (part,) = (await friend.composed()).parts
    assert part.text == say(Phrase.MENU_BODY, "en", persona="Theo")


async def test_a_spoken_command_is_answered_in_its_own_language(friend: Table) -> None:
    friend.transcriber.text = "Stop."
    await friend.say()
    assert await friend.said() == [(TEXT, say(Phrase.STOPPED, "en"))]


async def test_who_asks_for_a_persona_is_told_so_in_the_language_they_asked_in(friend: Table) -> None:
    await friend.write("falar com o Theo")
    assert await friend.said() == [phrase(Phrase.PERSONA_CHOSEN, persona="Theo"), (VOICE, THEO.greeting)]


async def test_a_persona_named_alone_introduces_itself_in_its_own_language(friend: Table) -> None:
    await friend.write("Theo")
    assert await friend.said() == [
        (TEXT, say(Phrase.PERSONA_CHOSEN, "en", persona="Theo")),
        (VOICE, THEO.greeting),
    ]


async def test_whoever_begins_with_a_foreign_command_is_told_of_the_ai_in_that_language(stranger: Table) -> None:
    await stranger.write("help")
    assert await stranger.said() == [
        (TEXT, say(Phrase.DISCLOSURE, "en", persona="Nina")),
        (TEXT, say(Phrase.HELP, "en", persona="Nina")),
    ]


@pytest.mark.parametrize(
    ("answer", "said_then", "language"),
    [
        ("yes", Phrase.DELETE_DONE, "en"),
        ("sim", Phrase.DELETE_DONE, "pt-BR"),
        ("no", Phrase.DELETE_KEPT, "en"),
        ("não", Phrase.DELETE_KEPT, "pt-BR"),
        ("n", Phrase.DELETE_KEPT, "en"),  # of both languages: the question's counts
    ],
)
async def test_what_follows_a_question_is_said_in_the_language_of_its_answer(
    friend: Table, answer: str, said_then: Phrase, language: str
) -> None:
    await friend.write("delete my data")
    await friend.answer()
    await friend.write(answer)
    assert await friend.said() == [(TEXT, say(said_then, language))]


async def delete_asked(table: Table) -> None:
    await table.write("apagar meus dados")
    await table.answer()


async def test_a_yes_to_the_question_deletes(friend: Table) -> None:
    await delete_asked(friend)
    await friend.write("sim")
    composed = await friend.composed()
    assert (said(composed), composed.aftermath.erase) == ([phrase(Phrase.DELETE_DONE)], True)


async def test_a_spoken_yes_to_the_question_deletes(friend: Table) -> None:
    await delete_asked(friend)
    friend.transcriber.text = "Sim."
    await friend.say()
    assert (await friend.composed()).aftermath.erase


async def test_a_yes_at_the_end_of_a_burst_deletes(friend: Table) -> None:
    await delete_asked(friend)
    await friend.write("pensei bem")
    await friend.write("sim")
    assert (await friend.composed()).aftermath.erase


async def test_a_no_keeps_everything_and_closes_the_question(friend: Table) -> None:
    await delete_asked(friend)
    await friend.write("não")
    composed = await friend.composed()
    kept = composed.aftermath.conversation
    assert kept is not None
    assert (said(composed), kept.awaiting) == ([phrase(Phrase.DELETE_KEPT)], "")


async def test_any_other_answer_closes_the_question(friend: Table) -> None:
    await delete_asked(friend)
    await friend.write("e o que acontece com as fotos?")
    await friend.answer()
    await friend.write("sim")
    assert await friend.said() == [(VOICE, "sim")]


async def test_a_yes_that_comes_too_late_is_conversation(friend: Table) -> None:
    await delete_asked(friend)
    friend.clock.advance(CONFIRM_WITHIN_MS / 1000)
    await friend.write("sim")
    assert await friend.said() == [(VOICE, "sim")]


async def test_a_yes_without_a_question_is_conversation(friend: Table) -> None:
    await friend.write("sim")
    assert await friend.said() == [(VOICE, "sim")]


async def test_a_commands_aftermath_carries_no_history(friend: Table) -> None:
    await friend.write("voz desligar")
    kept = (await friend.composed()).aftermath.conversation
    assert kept is not None
    assert (kept.history, kept.recent) == ((), ())


# -- policy ---------------------------------------------------------------------------------------------------------


async def silence(table: Table, **changes: Any) -> str:
    composed = await table.compose(**changes)
    assert isinstance(composed, Silence)
    return composed.reason


async def test_people_who_opted_out_hear_nothing(friend: Table) -> None:
    await friend.write("parar")
    await friend.answer()
    await friend.write("oi?")
    assert await silence(friend) == "opted_out"


async def test_start_wakes_the_bot_again(friend: Table) -> None:
    await friend.write("parar")
    await friend.answer()
    await friend.write("começar")
    composed = await friend.composed()
    assert (said(composed), composed.aftermath.opt_out) == ([phrase(Phrase.STARTED)], False)


async def test_start_from_somebody_who_never_stopped_is_answered(friend: Table) -> None:
    await friend.write("começar")
    assert await friend.said() == [phrase(Phrase.ALREADY_STARTED)]


async def test_countries_that_are_not_allowed_hear_nothing(friend: Table) -> None:
    friend.policy = Limits(allowed_countries=frozenset({"PT"}))
    await friend.write("oi")
    assert await silence(friend) == "country"


async def test_a_closed_window_means_silence(friend: Table) -> None:
    await friend.write("oi")
    assert await silence(friend, newest_inbound_ms=friend.clock.now_ms - 24 * 3600 * 1000) == "window_closed"


async def test_a_paused_conversation_is_silent(friend: Table) -> None:
    await friend.colleague_writes()
    await friend.write("oi")
    assert await silence(friend) == "paused"


async def test_silence_costs_no_hearing_and_shows_no_typing(friend: Table) -> None:
    await friend.colleague_writes()
    await friend.say()
    friend.transcriber.failures = [EngineFailed("must not be asked")]
    assert (await silence(friend), friend.shown) == ("paused", 0)


async def test_asking_for_a_human_pauses_alerts_and_says_so(friend: Table) -> None:
    await friend.write("falar com atendente")
    composed = await friend.composed()
    after = composed.aftermath
    assert said(composed) == [phrase(Phrase.HUMAN_CALLED)]
    assert (after.paused_until_ms, after.pause_reason, after.alert) == (
        friend.clock.now_ms + 30 * 60_000,
        "human_asked",
        "human_asked",
    )


async def test_somebody_who_says_the_same_again_and_again_is_paused_and_told_once(friend: Table) -> None:
    for _ in range(2):
        await friend.write("obrigado pela sua mensagem automática")
        await friend.answer()
    await friend.write("obrigado pela sua mensagem automática")
    composed = await friend.composed()
    assert (said(composed), composed.aftermath.alert) == ([phrase(Phrase.LOOP_PAUSED)], "loop")


async def test_the_first_turn_over_the_rate_is_told_and_the_next_are_silent(friend: Table) -> None:
    friend.policy = Limits(rate_per_minute=1)  # meeting was the first
    await friend.write("oi")
    assert await friend.said() == [phrase(Phrase.RATE_LIMITED)]
    await friend.write("alô?", sender=ANA, endpoint_id="200")
    assert await silence(friend) == "rate_limited"


async def test_the_first_turn_over_the_quota_is_told(friend: Table) -> None:
    friend.policy = Limits(quota_per_day=1)
    await friend.write("oi")
    assert await friend.said() == [phrase(Phrase.QUOTA_REACHED)]


async def test_a_turn_that_is_tried_again_is_counted_once(friend: Table) -> None:
    friend.policy = Limits(rate_per_minute=2)
    await friend.write("bom dia")
    claim = await friend.claim()
    for _ in range(5):
        composed = await friend.composer.compose(claim, friend.turn_of(claim), at_work=friend._show)
        assert isinstance(composed, Composition)
        assert said(composed) == [(VOICE, "bom dia")]


async def test_one_persons_rate_is_not_anothers(friend: Table) -> None:
    friend.policy = Limits(rate_per_minute=1)
    await friend.write("oi", sender=RUI)
    assert await friend.said() == [(TEXT, NINA.disclosure), (VOICE, "oi")]


async def test_an_old_turn_gets_a_short_apology_in_writing(friend: Table) -> None:
    await friend.write("oi", at_ms=friend.clock.now_ms)
    friend.clock.advance(2 * 3600)
    assert await friend.said() == [phrase(Phrase.TOO_OLD)]


async def test_an_old_turn_that_an_operator_replays_gets_a_real_answer(friend: Table) -> None:
    await friend.write("bom dia", at_ms=friend.clock.now_ms)
    claim = await friend.claim()
    friend.clock.advance(2 * 3600)
    turn = replace(friend.turn_of(claim), replayed=True)
    composed = await friend.composer.compose(claim, turn, at_work=friend._show)
    assert isinstance(composed, Composition)
    assert said(composed) == [(VOICE, "bom dia")]


async def test_every_turn_leaves_its_fingerprint(friend: Table) -> None:
    await friend.write("Bom dia, NINA!!!")
    assert (await friend.composed()).aftermath.fingerprint == "bom dia nina"


async def test_composing_changes_nothing_by_itself(friend: Table) -> None:
    before = await friend.conversation()
    await friend.write("apagar meus dados")
    await friend.composed()
    assert await friend.conversation() == before


@pytest.mark.parametrize(
    ("phone", "expected"),
    [("5511987654321", "nina"), ("14155550132", "theo"), ("4915112345678", "nina"), (None, "nina")],
)
def test_who_chose_nobody_is_answered_in_a_language_of_their_country(phone: str | None, expected: str) -> None:
    personas = {persona.id: persona for persona in shipped_personas()}
    assert at_home(phone, personas["nina"], tuple(personas.values())).id == expected

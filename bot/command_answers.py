"""What each command says and changes. Pure: the changes are an aftermath, carried out when the turn ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from bot.commands import PERSONA_PAYLOAD, Command, CommandKind, persona_words
from bot.conversation import Conversation
from bot.outbox import Part, PartKind, PartState
from bot.persona import Persona
from bot.phrases import Phrase, say
from bot.record import Aftermath
from webhooks.messages import Menu, MenuRow

CONFIRM_WITHIN_MS = 5 * 60_000
MENU_ROWS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """What a command may look at. `language` is what it was said in; empty means the persona's."""

    conversation: Conversation
    persona: Persona
    personas: Sequence[Persona]
    opted_out: bool
    now_ms: int
    language: str = ""

    @property
    def spoken(self) -> str:
        """The language to answer in."""
        return self.language or self.persona.language


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer:
    """Parts to send and what becomes true afterwards."""

    parts: tuple[Part, ...]
    aftermath: Aftermath


def choosing_words(personas: Sequence[Persona]) -> Mapping[str, str]:
    """The words that choose a persona → persona id, as `parse_command` wants them."""
    return persona_words({word: one.id for one in personas for word in (one.name, *one.keywords)})


def answer_command(command: Command, context: CommandContext) -> CommandAnswer:
    """The answer to `command`, in the language it was said in, else the persona's."""
    conversation, persona = context.conversation, context.persona
    match command.kind:
        case CommandKind.HELP:
            return _text(context, Phrase.HELP, persona=persona.name)
        case CommandKind.PERSONAS:
            return _menu(context)
        case CommandKind.CHOOSE:
            return _choose(context, command.argument)
        case CommandKind.VOICE_ON:
            return _text(context, Phrase.VOICE_ON, conversation=replace(conversation, voice_on=True))
        case CommandKind.VOICE_OFF:
            return _text(context, Phrase.VOICE_OFF, conversation=replace(conversation, voice_on=False))
        case CommandKind.REPEAT:
            return _repeat(context)
        case CommandKind.STOP:
            answer = _text(context, Phrase.STOPPED)
            return replace(answer, aftermath=replace(answer.aftermath, opt_out=True))
        case CommandKind.START:
            answer = _text(context, Phrase.STARTED if context.opted_out else Phrase.ALREADY_STARTED)
            return replace(answer, aftermath=replace(answer.aftermath, opt_out=False, paused_until_ms=0))
        case CommandKind.DELETE:
            asking = replace(
                conversation,
                awaiting=CommandKind.CONFIRM_DELETE,
                awaiting_until_ms=context.now_ms + CONFIRM_WITHIN_MS,
                awaiting_language=context.spoken,
            )
            return _text(context, Phrase.DELETE_ASK, conversation=asking)
        case CommandKind.CONFIRM_DELETE:
            answer = _text(context, Phrase.DELETE_DONE)
            return replace(answer, aftermath=replace(answer.aftermath, erase=True))
        case CommandKind.CANCEL_DELETE:
            return _text(context, Phrase.DELETE_KEPT, conversation=replace(conversation, awaiting=""))
        case CommandKind.HUMAN:
            return _text(context, Phrase.HUMAN_CALLED)
        case _:
            assert_never(command.kind)


def _text(
    context: CommandContext, phrase: Phrase, *, conversation: Conversation | None = None, **slots: str
) -> CommandAnswer:
    part = Part(kind=PartKind.TEXT, text=say(phrase, context.spoken, **slots))
    return CommandAnswer(parts=(part,), aftermath=_aftermath(context, conversation))


def _aftermath(context: CommandContext, conversation: Conversation | None = None) -> Aftermath:
    return Aftermath(
        persona_id=context.persona.id,
        language=context.persona.language,
        conversation=conversation or context.conversation,
    )


def _menu(context: CommandContext) -> CommandAnswer:
    persona = context.persona
    rows = tuple(
        MenuRow(id=PERSONA_PAYLOAD + one.id, title=one.name[:24], description=one.description[:72])
        for one in context.personas[:MENU_ROWS]
    )
    part = Part(
        kind=PartKind.MENU,
        text=say(Phrase.MENU_BODY, context.spoken, persona=persona.name),
        menu=Menu(button=say(Phrase.MENU_BUTTON, context.spoken), rows=rows),
    )
    return CommandAnswer(parts=(part,), aftermath=_aftermath(context))


def _choose(context: CommandContext, persona_id: str) -> CommandAnswer:
    """The chosen persona says hello in their own voice: that is what was chosen."""
    chosen = next((one for one in context.personas if one.id == persona_id), None)
    if chosen is None:
        return _text(context, Phrase.PERSONA_UNKNOWN)
    conversation = replace(context.conversation, persona_id=chosen.id)
    said = say(Phrase.PERSONA_CHOSEN, context.language or chosen.language, persona=chosen.name)
    hello = PartKind.TEXT if conversation.voice_on is False else PartKind.VOICE
    return CommandAnswer(
        parts=(Part(kind=PartKind.TEXT, text=said), Part(kind=hello, text=chosen.greeting)),
        aftermath=_aftermath(replace(context, persona=chosen), conversation),
    )


def _repeat(context: CommandContext) -> CommandAnswer:
    last = context.conversation.last_answer
    if last is None:
        return _text(context, Phrase.NOTHING_TO_REPEAT)
    note = context.conversation.last_note
    spoken = Part(kind=PartKind.VOICE, text=last)
    if note is not None:  # the note itself; should its blob be gone by now, it is spoken anew
        spoken = replace(spoken, state=PartState.AUDIO, blob_id=note)
    return CommandAnswer(parts=(spoken,), aftermath=_aftermath(context))

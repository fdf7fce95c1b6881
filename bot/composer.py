"""Decides what a turn answers: policy first, then commands, hearing and the reply, then the parts of the outbox.

It asks collaborators and changes nothing: what a turn changes stands in its aftermath.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from babel.languages import get_official_languages

from bot.command_answers import CommandContext, answer_command
from bot.commands import Command, CommandKind
from bot.conversation import Conversation, Conversations, Line
from bot.ears import Ears, Heard, Hearing
from bot.mailbox import Claim
from bot.outbox import Part, PartKind
from bot.persona import Persona, ReplyMode
from bot.persona_store import Personas
from bot.phrases import Phrase, say
from bot.policy import Answer, Limits, Notice, Pause, PauseReason, Silent, country_of, decide, timezone_of
from bot.record import Aftermath
from bot.replies.contract import ReplyGenerator, ReplyRequest
from bot.scene import Scene
from bot.turn import Turn
from bot.wire import load_heard, load_message
from tts.errors import TtsError
from webhooks.contract import ChannelError
from webhooks.messages import InboundMessage

CHARS_PER_SPOKEN_S = 14
LONGEST_TEXT = 4096
HEARING_ATTEMPTS = 3
_GOODBYES = frozenset({CommandKind.STOP, CommandKind.CONFIRM_DELETE})  # who leaves is told nothing else


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What goes out, in order, and what becomes true afterwards."""

    parts: tuple[Part, ...]
    aftermath: Aftermath


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Nothing goes out, by design."""

    reason: str
    aftermath: Aftermath


class NoPersona(Exception):
    """No persona is stored at all: an operator has to import one."""


class Composer:
    """Answers claims; everything it asks is handed in."""

    def __init__(
        self,
        *,
        ears: Ears,
        replies: ReplyGenerator,
        personas: Personas,
        conversations: Conversations,
        limits: Limits,
        now_ms: Callable[[], int],
    ) -> None:
        self._ears = ears
        self._replies = replies
        self._personas = personas
        self._conversations = conversations
        self._limits = limits
        self._now_ms = now_ms

    async def compose(self, claim: Claim, turn: Turn, *, at_work: Callable[[], None]) -> Composition | Silence:
        """The answer to `claim`. Calls `at_work` once it is clear that there will be one."""
        scene = await self._scene(claim, turn)
        decided = self._decided(scene)
        if decided is not None:
            return decided
        at_work()
        if scene.burst.unheard:
            scene = await self._listen(scene)
            decided = self._decided(scene)
            if decided is not None:
                return decided
        if scene.command is None:
            return _disclosed(scene, await self._reply(scene))
        answer = self._commanded(scene, scene.command)
        return answer if scene.command.kind in _GOODBYES else _disclosed(scene, answer)

    # -- what is known --------------------------------------------------------------------------------------------

    async def _scene(self, claim: Claim, turn: Turn) -> Scene:
        now_ms = self._now_ms()
        conversation = await self._conversations.load(
            claim.lease.conversation_id, person_id=claim.person.id, endpoint_id=claim.endpoint_id
        )
        return Scene(
            claim=claim,
            turn=turn,
            messages=tuple(load_message(payload) for payload in claim.payloads),
            hearings={key: load_heard(value) for key, value in claim.transcripts.items()},
            conversation=conversation,
            persona=await self._persona(conversation, claim.person.phone),
            personas=await self._personas.list(),
            usage=await self._conversations.count_turn(claim.person.id, turn_id=turn.id, now_ms=now_ms),
            now_ms=now_ms,
        )

    async def _persona(self, conversation: Conversation, phone: str | None) -> Persona:
        chosen = await self._personas.get(conversation.persona_id) if conversation.persona_id else None
        default = chosen or await self._personas.default_for(conversation.endpoint_id)
        if default is None:
            raise NoPersona("no persona is stored; import one with `recado persona import FILE`")
        if chosen or conversation.endpoint_id in default.endpoints:
            return default
        return at_home(phone, default, await self._personas.list())

    async def _listen(self, scene: Scene) -> Scene:
        """Hear what was not heard ahead of the turn, one note after the other."""
        hearings = dict(scene.hearings)
        for message in scene.burst.unheard:
            hearings[message.message_id] = await self._hear(message, failures=scene.claim.failures)
        return replace(scene, hearings=hearings)

    async def _hear(self, message: InboundMessage, *, failures: int) -> Heard:
        """What a note says; one that cannot be had in several attempts gets an answer all the same."""
        try:
            return await self._ears.hear(message)
        except (ChannelError, TtsError):
            if failures + 1 < HEARING_ATTEMPTS:
                raise
            return Heard(hearing=Hearing.UNCLEAR)

    # -- policy ---------------------------------------------------------------------------------------------------

    def _decided(self, scene: Scene) -> Composition | Silence | None:
        """What policy says about this turn: None means answer it."""
        decision = decide(scene.facts, self._limits)
        match decision:
            case Answer():
                return None
            case Silent(reason=reason):
                return Silence(reason=reason, aftermath=Aftermath(fingerprint=scene.fingerprint))
            case Notice(kind=kind):
                return _said(scene, Phrase(kind))
            case Pause(reason=reason, until_ms=until_ms):
                phrase = Phrase.LOOP_PAUSED if reason is PauseReason.LOOP else Phrase.HUMAN_CALLED
                said = _said(scene, phrase)
                return replace(
                    said,
                    aftermath=replace(said.aftermath, paused_until_ms=until_ms, pause_reason=reason, alert=reason),
                )

    # -- answers --------------------------------------------------------------------------------------------------

    def _commanded(self, scene: Scene, command: Command) -> Composition:
        context = CommandContext(
            conversation=scene.conversation,
            persona=scene.persona,
            personas=scene.personas,
            opted_out=scene.claim.person.opted_out,
            now_ms=scene.now_ms,
            language=scene.asked_in,
        )
        answer = answer_command(command, context)
        aftermath = answer.aftermath
        kept = _remembered(aftermath.conversation) if aftermath.conversation else None
        return Composition(
            parts=answer.parts, aftermath=replace(aftermath, conversation=kept, fingerprint=scene.fingerprint)
        )

    async def _reply(self, scene: Scene) -> Composition:
        burst, persona = scene.burst, scene.persona
        if burst.text:
            text = await self._words(scene)
        elif burst.welcome:
            text = persona.greeting
        elif any(heard.hearing is Hearing.TOO_LONG for heard in scene.hearings.values()):
            return _said(scene, Phrase.AUDIO_TOO_LONG)
        elif burst.unclear:
            return _said(scene, Phrase.AUDIO_NOT_UNDERSTOOD)
        elif burst.not_understood:
            return _said(scene, Phrase.MEDIA_UNSUPPORTED)
        else:
            return _said(scene, Phrase.NO_ANSWER)
        return self._composed(scene, text)

    async def _words(self, scene: Scene) -> str:
        reply = await self._replies.reply(
            ReplyRequest(
                persona=scene.persona,
                language=scene.persona.language,
                text=scene.burst.text,
                max_chars=min(LONGEST_TEXT, int(scene.persona.max_spoken_s * CHARS_PER_SPOKEN_S)),
                now_ms=scene.now_ms,
                history=scene.conversation.history,
                person_name=scene.claim.person.profile_name,
                timezone=timezone_of(scene.claim.person.phone),
            )
        )
        return reply.text

    def _composed(self, scene: Scene, text: str) -> Composition:
        persona = scene.persona
        return Composition(
            parts=reply_parts(text, mode=_mode(persona, scene.conversation), came_as_voice=scene.burst.came_as_voice),
            aftermath=Aftermath(
                persona_id=persona.id,
                language=persona.language,
                conversation=replace(_remembered(scene.conversation), awaiting=""),
                lines=(
                    Line(role="person", text=scene.burst.text, at_ms=scene.turn.newest_at_ms),
                    Line(role="persona", text=text, at_ms=scene.now_ms),
                ),
                fingerprint=scene.fingerprint,
            ),
        )


def at_home(phone: str | None, default: Persona, personas: Sequence[Persona]) -> Persona:
    """Who answers somebody that chose nobody: `default`, unless only another speaks a language of the number's country.

    Source for languages: CLDR's official languages of a territory, through Babel.
    """
    country = country_of(phone)
    spoken = get_official_languages(country, de_facto=True) if country else ()

    def speaks(persona: Persona) -> bool:
        return persona.language.partition("-")[0] in spoken

    return default if not spoken or speaks(default) else next(filter(speaks, personas), default)


def reply_parts(text: str, *, mode: ReplyMode, came_as_voice: bool) -> tuple[Part, ...]:
    """A reply in the form the persona or the person chose."""
    voice, written = Part(kind=PartKind.VOICE, text=text), Part(kind=PartKind.TEXT, text=text)
    match mode:
        case ReplyMode.VOICE:
            return (voice,)
        case ReplyMode.TEXT:
            return (written,)
        case ReplyMode.BOTH:
            return (voice, written)
        case ReplyMode.MIRROR:
            return (voice,) if came_as_voice else (written,)


def _mode(persona: Persona, conversation: Conversation) -> ReplyMode:
    if conversation.voice_on is None:
        return persona.reply_mode
    if not conversation.voice_on:
        return ReplyMode.TEXT
    return ReplyMode.BOTH if persona.reply_mode is ReplyMode.BOTH else ReplyMode.VOICE


def _disclosed(scene: Scene, answer: Composition) -> Composition:
    """The answer, after the word that this is an AI where nobody has said so yet."""
    if scene.conversation.disclosed_at_ms is not None:
        return answer
    kept = answer.aftermath.conversation or _remembered(scene.conversation)
    return Composition(
        parts=(Part(kind=PartKind.TEXT, text=_disclosure(scene)), *answer.parts),
        aftermath=replace(answer.aftermath, conversation=replace(kept, disclosed_at_ms=scene.now_ms)),
    )


def _disclosure(scene: Scene) -> str:
    """The persona's own line, unless the person gave a command in another language than the persona's."""
    same = scene.language.partition("-")[0] == scene.persona.language.partition("-")[0]
    return scene.persona.disclosure if same else say(Phrase.DISCLOSURE, scene.language, persona=scene.persona.name)


def _said(scene: Scene, phrase: Phrase) -> Composition:
    """One sentence of the bot's own, in writing."""
    persona = scene.persona
    return Composition(
        parts=(Part(kind=PartKind.TEXT, text=say(phrase, scene.language, persona=persona.name)),),
        aftermath=Aftermath(persona_id=persona.id, language=persona.language, fingerprint=scene.fingerprint),
    )


def _remembered(conversation: Conversation) -> Conversation:
    """What is stored with the turn: history has its own place."""
    return replace(conversation, history=(), recent=())

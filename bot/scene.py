"""One turn's circumstances: what is known of it, and what follows from that. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bot.burst import Burst, read_burst
from bot.command_answers import choosing_words
from bot.commands import Command, CommandKind, parse_command
from bot.conversation import Conversation, Usage
from bot.ears import Heard
from bot.mailbox import Claim
from bot.persona import Persona
from bot.policy import Facts, fingerprint
from bot.turn import Turn
from webhooks.messages import InboundMessage

_ANY_TIME = frozenset({CommandKind.CONFIRM_DELETE, CommandKind.CANCEL_DELETE})


@dataclass(frozen=True, kw_only=True)  # no slots: what follows is worked out once, when it is asked for
class Scene:
    """What is known so far. `hearings` are by message id; `persona` is who answers, of all `personas`."""

    claim: Claim
    turn: Turn
    messages: tuple[InboundMessage, ...]
    hearings: Mapping[str, Heard]
    conversation: Conversation
    persona: Persona
    personas: tuple[Persona, ...]
    usage: Usage
    now_ms: int

    @cached_property
    def burst(self) -> Burst:
        """What was said, written or heard."""
        return read_burst(self.messages, {key: heard.text for key, heard in self.hearings.items()})

    @cached_property
    def command(self) -> Command | None:
        """The command this turn is: a single message, or at the end of a burst the answer to an open question."""
        alone, last = len(self.messages) == 1, self.messages[-1]
        command = parse_command(
            self.burst.text if alone else last.text,
            last.payload,
            personas=choosing_words(self.personas),
            awaiting=self.conversation.open_question(self.now_ms),
        )
        return command if command is None or alone or command.kind in _ANY_TIME else None

    @property
    def asked_in(self) -> str:
        """The language this turn's command was said in, or its question asked in; empty where neither tells."""
        if self.command is None:
            return ""
        asked_in = self.conversation.awaiting_language if self.command.kind in _ANY_TIME else ""
        return self.command.language or asked_in

    @property
    def language(self) -> str:
        """The language of what the bot says in its own name: the command's, else the persona's."""
        return self.asked_in or self.persona.language

    @property
    def fingerprint(self) -> str:
        """What the loop guard compares."""
        return fingerprint(self.burst.text)

    @property
    def facts(self) -> Facts:
        """What policy decides by."""
        return Facts(
            now_ms=self.now_ms,
            turn_at_ms=self.now_ms if self.turn.replayed else self.turn.newest_at_ms,
            newest_inbound_ms=self.claim.newest_inbound_ms,
            phone=self.claim.person.phone,
            opted_out=self.claim.person.opted_out,
            in_minute=self.usage.in_minute,
            in_day=self.usage.in_day,
            command=self.command,
            paused_until_ms=self.claim.paused_until_ms,
            pause_reason=self.claim.pause_reason,
            recent=self.conversation.recent,
            fingerprint=self.fingerprint,
        )

"""What a reply generator is asked and what it owes; the errors of making a reply.

    ReplyError                  retryable says whether the same request may work later
    ├── ReplyUnavailable        not reached, broken off or failing on its side (retryable)
    │   └── ReplyThrottled      asked too often; wait retry_after_s
    ├── ReplyTimeout            too slow (retryable)
    ├── ReplyEmpty              answered without a word to say (retryable)
    └── ReplyRefused            the request, the key or the model is wrong: an operator has to act

Knows no HTTP, no store and no channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bot.conversation import Line
from bot.persona import Persona


class ReplyError(Exception):
    """Base of everything a generator raises on purpose."""

    retryable = False
    retry_after_s: float | None = None


class ReplyUnavailable(ReplyError):
    """Could not be reached, failed on its side or broke off."""

    retryable = True


class ReplyThrottled(ReplyUnavailable):
    """Asked too often; `retry_after_s` is what the other side wants, where it said so."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ReplyTimeout(ReplyError):
    """No answer within the time given."""

    retryable = True


class ReplyEmpty(ReplyError):
    """An answer with nothing in it to say."""

    retryable = True


class ReplyRefused(ReplyError):
    """Wrong key, model or request; trying again changes nothing."""


class ReplySource(StrEnum):
    """Who wrote a reply."""

    LLM = "llm"
    SCRIPT = "script"
    APOLOGY = "apology"
    FAKE = "fake"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """One turn to answer.

    `text` is the whole burst, one message a line; `history` is what came before, oldest first, without it. `max_chars`
    bounds the reply. `now_ms` is the clock. `timezone` is the person's (IANA), where known; None means the persona's.
    """

    persona: Persona
    language: str
    text: str = field(repr=False)
    max_chars: int
    now_ms: int
    history: tuple[Line, ...] = field(default=(), repr=False)
    person_name: str | None = field(default=None, repr=False)
    timezone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What will be said: never empty, at most `max_chars` long."""

    text: str = field(repr=False)
    source: ReplySource


class ReplyGenerator(Protocol):
    """Finds the words of an answer."""

    async def reply(self, request: ReplyRequest) -> Reply:
        """The answer to one turn; raises ReplyError."""
        ...

"""What the mailbox keeps of a turn: its state and what is to become true once it ends. Bytes in, data out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.conversation import Conversation, Line
from bot.turn import Turn
from bot.wire import Unreadable

MOST_ATTEMPTS = 64  # kept of a turn: its record is written anew at each step


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What becomes true when the turn ends, and not before: a crash on the way changes nothing of it.

    `persona_id` and `language` are those of the answer. `conversation` replaces what is stored (its history is not part
    of it), `lines` are added to the history, `fingerprint` feeds the loop guard. `opt_out` sets or lifts the opt-out,
    `paused_until_ms` silences the bot (0 ends a pause), `alert` calls a human, `erase` forgets the person altogether.
    """

    persona_id: str = ""
    language: str = ""
    conversation: Conversation | None = None
    lines: tuple[Line, ...] = field(default=(), repr=False)
    fingerprint: str = field(default="", repr=False)
    opt_out: bool | None = None
    paused_until_ms: int | None = None
    pause_reason: str = ""
    alert: str = ""
    erase: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceAttempt:
    """One try of one engine to speak part `part`: what came of it, why, and how long it took.

    `outcome` is "ok", "skipped" or an error's name; `reason` tells nobody's words.
    """

    part: int
    engine: str
    outcome: str
    reason: str = ""
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRecord:
    """A turn and its aftermath, as one durable unit. `settled`: the aftermath is carried out and must not be again.

    `attempts` are the newest tries to speak its notes, in order; they decide nothing and are kept for operators.
    """

    turn: Turn
    aftermath: Aftermath = Aftermath()
    settled: bool = False
    attempts: tuple[VoiceAttempt, ...] = ()

    def having_tried(self, attempts: Sequence[VoiceAttempt]) -> TurnRecord:
        """The record after these tries."""
        return replace(self, attempts=(*self.attempts, *attempts)[-MOST_ATTEMPTS:])


_RECORD = TypeAdapter(TurnRecord)


def dump_record(record: TurnRecord) -> bytes:
    """The record as JSON bytes."""
    return orjson.dumps(record)


def load_record(data: bytes) -> TurnRecord:
    """The record that `dump_record` wrote; raises Unreadable."""
    try:
        return _RECORD.validate_json(data)
    except ValidationError as error:
        raise Unreadable.because(error) from None

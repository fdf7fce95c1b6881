"""What the mailbox keeps of a turn: its state and what is to become true once it ends. Bytes in, data out."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson
from pydantic import TypeAdapter, ValidationError

from bot.conversation import Conversation, Line
from bot.turn import Turn
from bot.wire import Unreadable


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
class TurnRecord:
    """A turn and its aftermath, as one durable unit. `settled`: the aftermath is carried out and must not be again."""

    turn: Turn
    aftermath: Aftermath = Aftermath()
    settled: bool = False


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

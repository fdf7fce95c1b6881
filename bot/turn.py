"""A turn: one burst of messages and the answer to it. Sans-IO: no clock, no network, no redis, no model.

Everything that changes a turn stands in this file and, for one part of its answer, in `bot.outbox`. `next_step` says
what is to be done, whoever does it reports an event, `apply` makes the next turn of it; an event that the tables do not
allow is an IllegalEvent and changes nothing.

    OPEN ─Composed→ OUTBOX ─Finish→ CLOSED ─Reopened (a receipt asks for a repair, an operator replays)→ OUTBOX
      └─Silenced, Cancelled→ CLOSED
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from bot.outbox import (
    Accepted,
    IllegalEvent,
    NeverConfirmed,
    Part,
    PartEvent,
    PartKind,
    PartState,
    Refused,
    SendOnceMore,
    Unclear,
    VoiceGivenUp,
    part_after,
    part_again,
)
from webhooks.messages import StatusKind

_S = PartState


class TurnState(StrEnum):
    """OPEN: nothing decided. OUTBOX: the reply is fixed, parts are on their way. CLOSED: settled, see `outcome`."""

    OPEN = "open"
    OUTBOX = "outbox"
    CLOSED = "closed"


class Outcome(StrEnum):
    """How a turn ended."""

    ANSWERED = "answered"
    SILENT = "silent"  # by design, with its reason
    CANCELLED = "cancelled"  # the person said stop, or took the message back
    UNDELIVERABLE = "undeliverable"  # the channel refuses this person or content for good
    DEAD = "dead"  # an operator has to look


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One burst and its answer. Times are milliseconds since the epoch; `quote` is the message the answer quotes."""

    id: str
    created_at_ms: int
    newest_at_ms: int
    quote: str | None = field(default=None, repr=False)
    state: TurnState = TurnState.OPEN
    parts: tuple[Part, ...] = ()
    outcome: Outcome | None = None
    reason: str = ""
    replayed: bool = False

    def callback_data(self, index: int) -> str:
        """What is attached to the send of part `index` and comes back with its receipts."""
        return f"{self.id}:{index}:{self.parts[index].attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReceipt:
    """The best that is known of one send: `status` only moves forward, FAILED is the worst of the early ones."""

    part: int
    attempt: int
    status: StatusKind
    curable: bool = False
    code: int | None = None
    message_id: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLimits:
    """How long a turn may take. Seconds.

    A note that was finished in time gets `upload_grace_s` beyond the voice deadline to be uploaded.
    """

    voice_deadline_s: float = 30.0
    upload_grace_s: float = 10.0
    receipt_grace_s: float = 60.0
    receipt_check_s: float = 30.0
    unconfirmed_after_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Compose:
    """Decide what to answer; report Composed or Silenced."""


@dataclass(frozen=True, slots=True)
class Speak:
    """Make the voice note of part `index` within `deadline_s`; report Spoken or VoiceGivenUp."""

    index: int
    deadline_s: float


@dataclass(frozen=True, slots=True)
class Upload:
    """Upload the note of part `index`; report Uploaded, BlobLost or VoiceGivenUp."""

    index: int


@dataclass(frozen=True, slots=True)
class Send:
    """Report SendStarted and make it durable, then send part `index`; report what came of it."""

    index: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until_ms` unless a receipt comes; give the worker's slot back."""

    until_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """Everything is settled."""

    outcome: Outcome
    reason: str


Step = Compose | Speak | Upload | Send | Wait | Finish


@dataclass(frozen=True, slots=True)
class Composed:
    """The answer is fixed."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Silenced:
    """No answer by design."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The person took it back; nothing was sent yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reopened:
    """A receipt asks for a repair of a closed turn."""


TurnEvent = Composed | Silenced | Cancelled | Finish | Reopened
Event = PartEvent | TurnEvent

TURN_EVENTS: Mapping[TurnState, frozenset[type]] = {
    TurnState.OPEN: frozenset({Composed, Silenced, Cancelled, Finish}),
    TurnState.OUTBOX: frozenset({Silenced, Cancelled, Finish}),
    TurnState.CLOSED: frozenset({Reopened}),
}


def apply(turn: Turn, event: Event) -> Turn:
    """The turn after `event`; raises IllegalEvent when the tables do not allow it."""
    match event:
        case Composed() | Silenced() | Cancelled() | Finish() | Reopened():
            return _turn_after(turn, event)
        case _:
            return _with_part(turn, event)


def _turn_after(turn: Turn, event: TurnEvent) -> Turn:
    if type(event) not in TURN_EVENTS[turn.state]:
        raise IllegalEvent(f"{type(event).__name__} in turn state {turn.state}")
    match event:
        case Composed(parts=parts):
            return replace(turn, state=TurnState.OUTBOX, parts=parts)
        case Silenced(reason=reason):
            _require_nothing_sent(turn, event)
            return replace(turn, state=TurnState.CLOSED, outcome=Outcome.SILENT, reason=reason)
        case Cancelled(reason=reason):
            return replace(turn, state=TurnState.CLOSED, outcome=Outcome.CANCELLED, reason=reason)
        case Finish(outcome=outcome, reason=reason):
            return replace(turn, state=TurnState.CLOSED, outcome=outcome, reason=reason)
        case Reopened():
            return replace(turn, state=TurnState.OUTBOX, outcome=None, reason="")
        case _:
            assert_never(event)


def _require_nothing_sent(turn: Turn, event: TurnEvent) -> None:
    if anything_sent(turn):
        raise IllegalEvent(f"{type(event).__name__} after a part may have reached the person")


def _with_part(turn: Turn, event: PartEvent) -> Turn:
    if turn.state is not TurnState.OUTBOX or not 0 <= event.index < len(turn.parts):
        raise IllegalEvent(f"{type(event).__name__} for part {event.index} in turn state {turn.state}")
    part = turn.parts[event.index]
    after = part_after(part, event)
    if after.kind is PartKind.TEXT and part.kind is PartKind.VOICE and _said_in_text(turn, event.index):
        after = replace(after, state=_S.DROPPED)
    return replace(turn, parts=(*turn.parts[: event.index], after, *turn.parts[event.index + 1 :]))


def _said_in_text(turn: Turn, index: int) -> bool:
    """Whether another part already carries the same words in writing (reply mode "both")."""
    return any(
        position != index and other.kind is PartKind.TEXT and other.text == turn.parts[index].text
        for position, other in enumerate(turn.parts)
    )


def anything_sent(turn: Turn) -> bool:
    """Whether any part has reached the person, or may have."""
    return any(part.attempt > 0 and part.state in {_S.SENDING, _S.UNSURE, _S.SENT} for part in turn.parts)


def resume(turn: Turn) -> Turn:
    """The turn as a new owner finds it: a send that was under way when its process died is ambiguous."""
    for index, part in enumerate(turn.parts):
        if part.state is _S.SENDING:
            turn = apply(turn, Unclear(index))
    return turn


def replay(turn: Turn, *, now_ms: int) -> Turn:
    """A turn that an operator takes from the dead letters: what failed is tried again, what arrived is not repeated."""
    parts = tuple(
        part_again(part) if part.state in {_S.FAILED, _S.UNCONFIRMED, _S.UNSURE} else part for part in turn.parts
    )
    state = TurnState.OUTBOX if parts else TurnState.OPEN
    return replace(turn, state=state, parts=parts, outcome=None, reason="", created_at_ms=now_ms, replayed=True)


def heed_receipts(turn: Turn, receipts: Sequence[PartReceipt]) -> Turn:
    """The turn after what the channel reported. Reopens a closed turn only when a receipt asks for a repair."""
    for receipt in receipts:
        if not 0 <= receipt.part < len(turn.parts):
            continue
        part = turn.parts[receipt.part]
        if receipt.attempt != part.attempt:
            continue
        event = _receipt_event(part, receipt)
        if event is None:
            continue
        if turn.state is TurnState.CLOSED:
            turn = apply(turn, Reopened())
        turn = apply(turn, event)
    return turn


def _receipt_event(part: Part, receipt: PartReceipt) -> PartEvent | None:
    if receipt.status is not StatusKind.FAILED:
        arrived = part.state in {_S.UNSURE, _S.FAILED, _S.UNCONFIRMED}
        return Accepted(receipt.part, receipt.message_id) if arrived else None
    if part.state in {_S.UNSURE, _S.SENT}:
        return Refused(receipt.part, f"failed: {receipt.code}", media=receipt.curable)
    return None


def settle(turn: Turn, *, now_ms: int, limits: TurnLimits, last_receipt_ms: int) -> Turn:
    """The turn after what the passing of time decides: graces, the one repeated send, the voice deadline.

    `last_receipt_ms` is when a receipt for any send of this installation last arrived.
    """
    for index, part in enumerate(turn.parts):
        if turn.state is not TurnState.OUTBOX:
            break
        waited_s = (now_ms - part.sending_at_ms) / 1000
        if part.state is _S.UNSURE and waited_s >= limits.receipt_grace_s:
            if not part.resent and last_receipt_ms > part.sending_at_ms:
                turn = apply(turn, SendOnceMore(index))
            elif waited_s >= limits.unconfirmed_after_s:
                turn = apply(turn, NeverConfirmed(index))
        elif _voice_is_late(part, voice_time_left_s(turn, now_ms=now_ms, limits=limits), limits):
            turn = apply(turn, VoiceGivenUp(index, "voice deadline"))
    return turn


def _voice_is_late(part: Part, left_s: float, limits: TurnLimits) -> bool:
    # a repair (attempt > 0) has no deadline: its words are late already, and text is its own next step
    if part.kind is not PartKind.VOICE or part.attempt > 0:
        return False
    return (part.state is _S.PLANNED and left_s <= 0) or (part.state is _S.AUDIO and left_s <= -limits.upload_grace_s)


def voice_time_left_s(turn: Turn, *, now_ms: int, limits: TurnLimits) -> float:
    """Seconds until this turn's voice is given up."""
    return limits.voice_deadline_s - (now_ms - turn.created_at_ms) / 1000


def next_step(turn: Turn, *, now_ms: int, limits: TurnLimits) -> Step:
    """What is to be done now. Parts go out strictly in order: the first unsettled one decides."""
    if turn.state is TurnState.CLOSED:
        return Finish(turn.outcome or Outcome.DEAD, turn.reason)
    if turn.state is TurnState.OPEN:
        return Compose()
    for index, part in enumerate(turn.parts):
        match part.state:
            case _S.SENT | _S.FAILED | _S.DROPPED | _S.UNCONFIRMED:
                continue
            case _S.PLANNED if part.kind is PartKind.VOICE:
                return Speak(index, voice_time_left_s(turn, now_ms=now_ms, limits=limits))
            case _S.PLANNED | _S.UPLOADED:
                return Send(index)
            case _S.AUDIO:
                return Upload(index)
            case _S.UNSURE:
                return Wait(_next_look_ms(part, now_ms, limits), "unconfirmed send")
            case _S.SENDING:
                raise IllegalEvent("a part is being sent: report what came of it, or resume the turn")
            case _:
                assert_never(part.state)
    return _ending(turn)


def _next_look_ms(part: Part, now_ms: int, limits: TurnLimits) -> int:
    grace_end_ms = part.sending_at_ms + int(limits.receipt_grace_s * 1000)
    if now_ms < grace_end_ms:
        return grace_end_ms
    end_ms = part.sending_at_ms + int(limits.unconfirmed_after_s * 1000)
    return max(now_ms + 1000, min(now_ms + int(limits.receipt_check_s * 1000), end_ms))


def _ending(turn: Turn) -> Finish:
    states = {part.state for part in turn.parts}
    if _S.UNCONFIRMED in states:
        return Finish(Outcome.DEAD, "UNCONFIRMED")
    if _S.FAILED in states:
        return Finish(Outcome.UNDELIVERABLE, next(part.error for part in turn.parts if part.state is _S.FAILED))
    return Finish(Outcome.ANSWERED, "")

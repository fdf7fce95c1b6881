"""What goes into the mailbox and what comes out of it, as frozen data. Knows no redis and not what a message says.

All times are milliseconds since the epoch. Message payloads and turn records are opaque bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from webhooks.contract import WINDOW_S
from webhooks.messages import Person, StatusKind

DRAINING = "draining"
"""Why a turn was handed back whose worker was told to stop."""

_SECOND_MS = 1000
_HOUR_MS = 3600 * _SECOND_MS
_DAY_MS = 24 * _HOUR_MS


class Lane(StrEnum):
    """Which queue a turn stands in: FAST for commands and text, VOICE for what needs synthesis."""

    FAST = "fast"
    VOICE = "voice"


class Effect(StrEnum):
    """What an incoming message does to its conversation."""

    MESSAGE = "message"  # joins the burst
    COMMAND = "command"  # closes the burst before it and is a turn of its own
    STOP = "stop"  # a command that also cancels what waits and what is not yet being sent
    REVOKE = "revoke"  # takes `target_id` back, if it is not answered yet
    RECORD = "record"  # is only remembered as seen
    TAKEOVER = "takeover"  # a human answered: the conversation is paused for `pause_s`


class TurnStatus(StrEnum):
    """Where a turn stands for the mailbox."""

    OPEN = "open"
    DONE = "done"
    DEAD = "dead"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSettings:
    """The mailbox's numbers. A burst is due `quiet_ms` after its last message, at most `burst_max_ms` after its first.

    A turn is retried after a random part of `retry_base_ms`·2ⁿ, at most `retry_cap_ms`, and dies after `max_attempts`,
    or after `crash_limit` crashes in quarantine. What is kept how long: dedupe marks, open work that nobody finishes,
    closed turns, dead letters, people and conversations after their last message, opt-out marks.
    """

    quiet_ms: int = 2 * _SECOND_MS
    burst_max_ms: int = 8 * _SECOND_MS
    max_attempts: int = 5
    crash_limit: int = 2
    retry_base_ms: int = 2 * _SECOND_MS
    retry_cap_ms: int = 300 * _SECOND_MS
    window_ms: int = round(WINDOW_S * _SECOND_MS)
    hear_max: int = 1000
    dedupe_ms: int = 8 * _DAY_MS
    open_ms: int = 30 * _DAY_MS
    closed_ms: int = 7 * _DAY_MS
    dead_ms: int = 7 * _DAY_MS
    people_ms: int = 400 * _DAY_MS
    opt_out_ms: int = 3650 * _DAY_MS
    consumer_ms: int = _HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message (or human echo) to be made durable. `media` asks for its sound to be transcribed ahead."""

    channel: str
    endpoint_id: str
    message_id: str = field(repr=False)
    person: Person
    at_ms: int
    payload: bytes = field(repr=False)
    lane: Lane
    effect: Effect
    target_id: str | None = field(default=None, repr=False)
    media: bool = False
    pause_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """What `put` found: ids are internal. A duplicate changed nothing."""

    duplicate: bool
    conversation_id: str
    person_id: str
    new_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRecord:
    """Who writes. `former_ids` are persons that were found to be this one."""

    id: str
    phone: str | None = field(default=None, repr=False)
    user_id: str | None = field(default=None, repr=False)
    profile_name: str | None = field(default=None, repr=False)
    opted_out: bool
    marketing: bool | None = None  # what they told the platform of marketing messages; None: nothing
    first_seen_ms: int
    former_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Leave to work on one conversation, held by `consumer`."""

    token_id: str
    lane: Lane
    consumer: str
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Who works on a turn, and which run of it this is: what every later call is checked against."""

    token_id: str
    lane: Lane
    consumer: str
    turn_id: str
    conversation_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The best that is known of one send of one part; it only moves forward. `curable` asks for a repair."""

    part: int
    attempt: int
    status: StatusKind
    failed_code: int | None = None
    curable: bool = False
    at_ms: int
    message_id: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A turn to work on. `record` is None for a fresh one; `payloads` and `message_ids` are its frozen burst in order.

    A `repair` of a turn that was answered has its record but no payloads. A `suspect` was found unfinished after a
    crash and must run apart from all that is none; a `single` one was among several suspects when that happened again,
    and must run alone. `interrupted`: the run before was cut short because its worker died or was told to stop.
    `replayed` is set until its first save: an operator took it from the dead letters. `failures` are the attempts used
    up so far.
    """

    lease: Lease
    record: bytes | None = field(repr=False)
    payloads: tuple[bytes, ...] = field(repr=False)
    message_ids: tuple[str, ...] = field(repr=False)
    transcripts: Mapping[str, bytes] = field(repr=False)
    person: PersonRecord
    channel: str
    endpoint_id: str
    created_at_ms: int
    newest_inbound_ms: int
    suspect: bool
    interrupted: bool
    single: bool
    repair: bool
    replayed: bool
    failures: int
    receipts: tuple[Receipt, ...]
    paused_until_ms: int | None
    pause_reason: str
    former_conversation_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTask:
    """A waiting voice message that can be transcribed before its turn begins; `mark` finds it again."""

    mark: str
    message_id: str = field(repr=False)
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSummary:
    """A turn as the operator sees it: its `outcome` when done, else the `reason` why it waits, died or was cancelled.

    `deaths` are the runs that ended with their process, `crashes` those of them in which the turn ran alone.
    `payloads` are those still kept, and only filled for a single turn.
    """

    turn_id: str
    conversation_id: str
    channel: str
    endpoint_id: str
    lane: Lane
    status: TurnStatus
    outcome: str
    reason: str
    running: bool
    suspect: bool
    attempt: int
    failures: int
    deaths: int
    crashes: int
    message_count: int
    created_at_ms: int
    closed_at_ms: int | None
    retry_at_ms: int | None
    record: bytes | None = field(repr=False)
    receipts: tuple[Receipt, ...]
    payloads: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much lies where. `conversations` have unanswered messages, `delayed` of them wait for a time to come."""

    conversations: int
    delayed: int
    oldest_age_s: float
    dead: int
    fast_tokens: int
    fast_leases: int
    voice_tokens: int
    voice_leases: int

    def as_gauges(self) -> dict[str, float]:
        """The numbers by name, for metrics."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What was removed with a person: ids, and the last record of each turn, from which its blobs can be found.

    `erasure_id` is what is remembered of it until it is finished; None for somebody who was not known.
    """

    conversation_ids: tuple[str, ...]
    records: Mapping[str, bytes] = field(repr=False)
    erasure_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What others still have to forget. `marks`, a phone number and a user id, are for folders of recorded webhooks."""

    id: str
    conversation_ids: tuple[str, ...]
    marks: tuple[str, ...] = field(repr=False)

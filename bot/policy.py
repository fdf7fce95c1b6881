"""Whether and how a turn is answered, before any work is spent on it. Pure; the clock is an argument.

The order of the rules is the policy: what must never be answered first, then what always works (commands), then what
protects people and the account.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import phonenumbers
from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number
from rapidfuzz import fuzz

from bot.commands import Command, CommandKind
from bot.conversation import RecentTurn
from bot.words import plain_words
from webhooks.contract import WINDOW_S

FINGERPRINT_CHARS = 160


class SilentReason(StrEnum):
    """Why nothing is said, on purpose."""

    OPTED_OUT = "opted_out"
    COUNTRY = "country"
    WINDOW_CLOSED = "window_closed"
    PAUSED = "paused"
    RATE_LIMITED = "rate_limited"  # and told so already
    QUOTA_REACHED = "quota_reached"  # and told so already


class NoticeKind(StrEnum):
    """Which one sentence is sent in place of an answer."""

    RATE_LIMITED = "rate_limited"
    QUOTA_REACHED = "quota_reached"
    TOO_OLD = "too_old"


class PauseReason(StrEnum):
    """Why a conversation is paused; the operator is told."""

    LOOP = "loop"
    HUMAN_ASKED = "human_asked"
    TAKEOVER = "takeover"  # set by an operator or an echo, never by `decide`


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the installation allows. Empty `allowed_countries` means all; percentages are 0..100."""

    allowed_countries: frozenset[str] = frozenset()  # ISO 3166 alpha-2, upper case
    allow_unknown_country: bool = True
    takeover_s: float = 30 * 60
    loop_turns: int = 10  # more than this many within loop_window_s
    loop_window_s: float = 120
    loop_similar: int = 3  # this many in a row, the present one included
    loop_similar_percent: float = 90
    loop_similar_min_chars: int = 12  # shorter ones ("mais uma", "kkkk") people do repeat
    rate_per_minute: int = 20
    quota_per_day: int = 300
    stale_after_s: float = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is known when a turn is claimed.

    `turn_at_ms` is the newest message of this turn, `newest_inbound_ms` of the whole conversation. `recent` are the
    turns before this one. `in_minute` and `in_day` come from `Conversations.count_turn`.
    """

    now_ms: int
    turn_at_ms: int
    newest_inbound_ms: int
    phone: str | None = field(repr=False)
    opted_out: bool
    in_minute: int
    in_day: int
    command: Command | None = None
    paused_until_ms: int | None = None
    pause_reason: str = ""
    recent: tuple[RecentTurn, ...] = ()
    fingerprint: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Say nothing and record why."""

    reason: SilentReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Send this one sentence as text and nothing else."""

    kind: NoticeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Pause the conversation until then, alert the operator, and tell the person once, in text."""

    reason: PauseReason
    until_ms: int


Decision = Answer | Silent | Notice | Pause


def decide(facts: Facts, limits: Limits) -> Decision:
    """What becomes of a turn (requirements of opt-out, countries, window, takeover, loops, limits and age)."""
    return _never(facts, limits) or _by_command(facts, limits) or _protected(facts, limits) or Answer()


def fingerprint(text: str) -> str:
    """What the loop guard compares: the plain words, cut to 160 characters."""
    return plain_words(text)[:FINGERPRINT_CHARS]


def country_of(phone: str | None) -> str | None:
    """ISO country of a number in international digits; None without a number or for one of no country.

    A number that no country would assign today (an old Brazilian one without its ninth digit, a fictional one) counts
    for the main country of its calling code.
    """
    if not phone:
        return None
    try:
        number = phonenumbers.parse("+" + phone.removeprefix("+"))
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(number)
    if region is None and number.country_code is not None:
        region = phonenumbers.region_code_for_country_code(number.country_code)
    return str(region) if region not in {None, "ZZ", "001"} else None


def timezone_of(phone: str | None) -> str | None:
    """IANA zone of a number; None without a number or where its area lies in several zones."""
    if not phone:
        return None
    try:
        zones = time_zones_for_number(phonenumbers.parse("+" + phone.removeprefix("+")))
    except phonenumbers.NumberParseException:
        return None
    return str(zones[0]) if len(zones) == 1 and zones[0] != UNKNOWN_TIMEZONE else None


def is_loop(recent: Sequence[RecentTurn], *, now_ms: int, fingerprint: str, limits: Limits) -> bool:
    """More turns than a person makes, or near-identical ones in a row; `recent` is what came before the present one."""
    window = [turn for turn in recent if now_ms - turn.at_ms < limits.loop_window_s * 1000]
    if len(window) + 1 > limits.loop_turns:
        return True
    if len(fingerprint) < limits.loop_similar_min_chars or len(window) + 1 < limits.loop_similar:
        return False
    last = window[len(window) + 1 - limits.loop_similar :]
    return all(fuzz.ratio(turn.fingerprint, fingerprint) >= limits.loop_similar_percent for turn in last)


def _never(facts: Facts, limits: Limits) -> Silent | None:
    starts = _is(facts.command, CommandKind.START)
    if facts.opted_out and not starts:
        return Silent(reason=SilentReason.OPTED_OUT)
    if not _country_allowed(facts.phone, limits):
        return Silent(reason=SilentReason.COUNTRY)
    if facts.now_ms - facts.newest_inbound_ms >= WINDOW_S * 1000:
        return Silent(reason=SilentReason.WINDOW_CLOSED)
    return None


def _by_command(facts: Facts, limits: Limits) -> Decision | None:
    """Leaving and being forgotten work during a pause as well; the rest waits for its end."""
    if facts.command and facts.command.kind in _ALWAYS:
        return Answer()
    if facts.paused_until_ms is not None and facts.now_ms < facts.paused_until_ms:
        ends_loop = _is(facts.command, CommandKind.START) and facts.pause_reason == PauseReason.LOOP
        return Answer() if ends_loop else Silent(reason=SilentReason.PAUSED)
    if _is(facts.command, CommandKind.START):
        return Answer()
    if _is(facts.command, CommandKind.HUMAN):
        return _pause(PauseReason.HUMAN_ASKED, facts, limits)
    return None


def _protected(facts: Facts, limits: Limits) -> Decision | None:
    if facts.now_ms - facts.turn_at_ms > limits.stale_after_s * 1000:
        return Notice(kind=NoticeKind.TOO_OLD)
    if is_loop(facts.recent, now_ms=facts.now_ms, fingerprint=facts.fingerprint, limits=limits):
        return _pause(PauseReason.LOOP, facts, limits)
    # The counts are exact and count a turn once, so the first one over the limit is the one that is told.
    if facts.in_day > limits.quota_per_day:
        first = facts.in_day == limits.quota_per_day + 1
        return Notice(kind=NoticeKind.QUOTA_REACHED) if first else Silent(reason=SilentReason.QUOTA_REACHED)
    if facts.in_minute > limits.rate_per_minute:
        first = facts.in_minute == limits.rate_per_minute + 1
        return Notice(kind=NoticeKind.RATE_LIMITED) if first else Silent(reason=SilentReason.RATE_LIMITED)
    return None


def _pause(reason: PauseReason, facts: Facts, limits: Limits) -> Pause:
    return Pause(reason=reason, until_ms=facts.now_ms + round(limits.takeover_s * 1000))


def _country_allowed(phone: str | None, limits: Limits) -> bool:
    if not phone:
        return limits.allow_unknown_country
    return not limits.allowed_countries or country_of(phone) in limits.allowed_countries


def _is(command: Command | None, kind: CommandKind) -> bool:
    return command is not None and command.kind is kind


_ALWAYS = frozenset({CommandKind.STOP, CommandKind.DELETE, CommandKind.CONFIRM_DELETE, CommandKind.CANCEL_DELETE})

"""Who allowed the use of a recording, and whether that holds now. Pure; must not know stores, engines or audio."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A person's permission to make a voice of their recording. Times carry their zone.

    `speaker` is whose voice it is, `by` who gave the permission (the speaker, or who may speak for them), `statement`
    what was agreed to, in their words.
    """

    speaker: str
    by: str
    statement: str
    given_at: datetime
    expires_at: datetime | None = None
    withdrawn_at: datetime | None = None

    def __post_init__(self) -> None:
        for moment in (self.given_at, self.expires_at, self.withdrawn_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("times of a consent need their zone, such as 2026-03-01T00:00:00Z")


def ended_as_early(kept: Consent, other: Consent) -> Consent:
    """`kept` as it was given, over as early as either of the two says; a withdrawal of either counts."""
    ends = [moment for moment in (kept.expires_at, other.expires_at) if moment is not None]
    withdrawals = [moment for moment in (kept.withdrawn_at, other.withdrawn_at) if moment is not None]
    return replace(kept, expires_at=min(ends, default=None), withdrawn_at=min(withdrawals, default=None))


class ConsentState(StrEnum):
    """Whether a recording may be used."""

    VALID = "valid"
    MISSING = "missing"
    NOT_YET = "not yet given"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


def consent_state(consent: Consent | None, now: datetime) -> ConsentState:
    """How the consent stands at `now`. One without speaker, giver or statement is none at all."""
    if consent is None or not all(words.strip() for words in (consent.speaker, consent.by, consent.statement)):
        return ConsentState.MISSING
    if consent.withdrawn_at is not None and consent.withdrawn_at <= now:
        return ConsentState.WITHDRAWN
    if consent.given_at > now:
        return ConsentState.NOT_YET
    if consent.expires_at is not None and consent.expires_at <= now:
        return ConsentState.EXPIRED
    return ConsentState.VALID


def consent_refusal(consent: Consent | None, now: datetime) -> str:
    """Why the recording may not be used now, in words; empty when it may."""
    match consent_state(consent, now):
        case ConsentState.VALID:
            return ""
        case ConsentState.MISSING:
            return "nobody's consent is recorded"
        case ConsentState.NOT_YET:
            return "the consent begins later"
        case ConsentState.EXPIRED:
            return "the consent has expired"
        case ConsentState.WITHDRAWN:
            return "the consent was withdrawn"
        case state:
            assert_never(state)

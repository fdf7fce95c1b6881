"""Translates every answer of the Graph API that is not a success into one error of the contract. Pure; sends nothing.

The code decides, the HTTP status only where there is no code. An answer that carries a Graph error object is definite:
the message was not taken. Without one, a 5xx, a time-out or a reset leaves open whether it was; for a send that is
Ambiguous, for anything that may be repeated freely (uploads, reads, receipts) it is simply NotSent.

Source: Meta, "Cloud API error codes" and "Graph API, handling errors".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from webhooks.contract import (
    AccountBlocked,
    Ambiguous,
    ChannelError,
    MediaRefused,
    NotSent,
    Refused,
    Throttled,
    WindowClosed,
)

OBJECT_MISSING = (100, 33)
"""Code and subcode of an object that does not exist (any more): expired media, most often."""

_MAINTENANCE_S = 60.0
_QUOTA_S = 300.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code means: the error to raise, and how long to wait where the answer itself does not say."""

    error: type[ChannelError]
    retry_after_s: float | None = None


BY_CODE: Mapping[int, Rule] = {
    # too fast
    131056: Rule(Throttled, 1.0),  # the first wait; whoever sends again lets it grow fourfold
    130429: Rule(Throttled),
    4: Rule(Throttled, _QUOTA_S),
    80007: Rule(Throttled, _QUOTA_S),
    # passing trouble
    131057: Rule(NotSent, _MAINTENANCE_S),
    1: Rule(NotSent),
    2: Rule(NotSent),
    131000: Rule(NotSent),
    131016: Rule(NotSent),
    # this content, this person
    131053: Rule(MediaRefused),
    131047: Rule(WindowClosed),
    131026: Rule(Refused),
    131051: Rule(Refused),
    131062: Rule(Refused),
    100: Rule(Refused),
    131009: Rule(Refused),
    # this account
    131048: Rule(AccountBlocked),
    190: Rule(AccountBlocked),
    0: Rule(AccountBlocked),
    10: Rule(AccountBlocked),
    **dict.fromkeys(range(200, 300), Rule(AccountBlocked)),
    368: Rule(AccountBlocked),
    131031: Rule(AccountBlocked),
    133010: Rule(AccountBlocked),
}
"""Every code that is known; others follow the HTTP status."""


class _GraphError(BaseModel):
    model_config = ConfigDict(extra="allow")

    code: int
    error_subcode: int | None = None
    is_transient: bool = False


class _Usage(BaseModel):
    estimated_time_to_regain_access: float = 0  # minutes


def classify(http_status: int, body: bytes, headers: Mapping[str, str], *, repeatable: bool = False) -> ChannelError:
    """The contract's error for one answer. `repeatable`: doing it twice does no harm, so nothing is ambiguous.

    Messages name the code and never the API's words, which may quote phone numbers. Expects case-insensitive `headers`.
    """
    graph = graph_error(body)
    if graph is None:
        return _by_status(http_status, headers, repeatable=repeatable)
    rule = _rule(graph, http_status)
    words = f"Graph error {graph.code}" + (f" subcode {graph.error_subcode}" if graph.error_subcode else "")
    wait_s = rule.retry_after_s
    if issubclass(rule.error, NotSent):
        wait_s = retry_after_s(headers) or _regain_access_s(headers) or wait_s
    return rule.error(words, code=graph.code, retry_after_s=wait_s)


def graph_error(body: bytes) -> _GraphError | None:
    """The Graph error object in an answer, or None where there is none."""
    try:
        document: Any = orjson.loads(body)
        return _GraphError.model_validate(document["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, ValidationError):
        return None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header; None where it is absent or not a plain number of seconds."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 6 else None


def _rule(graph: _GraphError, http_status: int) -> Rule:
    if (graph.code, graph.error_subcode) == OBJECT_MISSING:
        return Rule(MediaRefused)
    known = BY_CODE.get(graph.code)
    if known is not None:
        return known
    if http_status == 429:
        return Rule(Throttled)
    return Rule(NotSent) if graph.is_transient or http_status >= 500 else Rule(Refused)


def _by_status(http_status: int, headers: Mapping[str, str], *, repeatable: bool) -> ChannelError:
    words = f"HTTP {http_status} without a Graph error"
    if http_status == 429:
        return Throttled(words, retry_after_s=retry_after_s(headers))
    if http_status == 401:
        return AccountBlocked(words)
    # A gateway's 408 says that somebody in between gave up waiting, not that the message was refused.
    if 400 <= http_status < 500 and http_status != 408:
        return Refused(words)
    return NotSent(words, retry_after_s=retry_after_s(headers)) if repeatable else Ambiguous(words)


def _regain_access_s(headers: Mapping[str, str]) -> float | None:
    """The longest wait that X-Business-Use-Case-Usage announces, in seconds."""
    try:
        usage: Any = orjson.loads(headers.get("X-Business-Use-Case-Usage", ""))
        waits = [
            _Usage.model_validate(item).estimated_time_to_regain_access for items in usage.values() for item in items
        ]
    except (orjson.JSONDecodeError, AttributeError, TypeError, ValidationError):
        return None
    return max(waits, default=0) * 60 or None

"""What the platform says of the account itself: limits, reviews, restrictions, bans. Pure; takes raw values of changes.

Each of these fields has a shape of its own, several have had more than one, and none may cost anything when it is odd:
what is not where it is expected is left out of the alert, and the alert is raised all the same.

Source: Meta, "Webhooks reference" of the WhatsApp Business Account (one page a field).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from webhooks.messages import AccountAlert, Sending, Severity

Facts = Mapping[str, Any]

MAX_WORDS_CHARS = 300
_SEVERITIES = {"CRITICAL": Severity.CRITICAL, "WARNING": Severity.WARNING}
_BANS = {"DISABLE": Sending.STOPPED, "DISABLED": Sending.STOPPED, "REINSTATE": Sending.RESUMED}
# A restriction that touches answers to people who wrote; the others touch campaigns, new numbers and the like.
_STOPPING_RESTRICTIONS = frozenset({"RESTRICTED_CUSTOMER_INITIATED_MESSAGING", "RESTRICTED_ALL_MESSAGING"})
_GOOD_NEWS = frozenset({"ONBOARDING", "UPGRADE", "THROUGHPUT_UPGRADE", "UNFLAGGED", "APPROVED", "VERIFIED_ACCOUNT"})
_HARMLESS_UPDATES = frozenset({"PARTNER_ADDED", "PARTNER_APP_INSTALLED", "BUSINESS_PRIMARY_LOCATION_COUNTRY_UPDATE"})


def account_alert(
    topic: str, value: object, *, channel: str, account_id: str, at_ms: int | None = None
) -> AccountAlert:
    """The alert for one change of a field in `ALERT_FIELDS`."""
    facts = value if isinstance(value, dict) else {}
    event, words, severity, sending = _READERS[topic](facts)
    ends_s = max((_seconds(one) for one in _restrictions(facts)), default=0)
    return AccountAlert(
        channel=channel,
        endpoint_id=_endpoint(facts),
        account_id=account_id[:64],
        topic=topic,
        event=event[:64],
        details=words[:MAX_WORDS_CHARS],
        severity=severity,
        sending=sending,
        until_ms=ends_s * 1000 or None,
        at_ms=at_ms,
    )


_Read = tuple[str, str, Severity, Sending]


def _account_alerts(facts: Facts) -> _Read:
    info = _node(facts, "alert_info") or facts  # older bodies had no inner node
    severity = _SEVERITIES.get(_word(info, "alert_severity"), Severity.INFO)
    if _word(info, "alert_status") == "NONE":
        severity = Severity.INFO  # it is over
    return _word(info, "alert_type"), _word(info, "alert_description"), severity, Sending.UNTOUCHED


def _account_update(facts: Facts) -> _Read:
    event = _word(facts, "event")
    if ban := _node(facts, "ban_info"):
        state = _word(ban, "waba_ban_state")
        words = _joined(state, _word(ban, "waba_ban_date"))
        severity = Severity.INFO if state == "REINSTATE" else Severity.CRITICAL
        return event, words, severity, _BANS.get(state, Sending.UNTOUCHED)
    if event == "ACCOUNT_DELETED":
        return event, "", Severity.CRITICAL, Sending.STOPPED
    if restrictions := _restrictions(facts):
        kinds = [_word(one, "restriction_type") for one in restrictions]
        stops = not _STOPPING_RESTRICTIONS.isdisjoint(kinds)
        return (
            event,
            _joined(*(_joined(kind, _word(one, "expiration")) for kind, one in zip(kinds, restrictions, strict=True))),
            Severity.CRITICAL if stops else Severity.WARNING,
            Sending.STOPPED if stops else Sending.UNTOUCHED,
        )
    words = _word(_node(facts, "violation_info"), "violation_type")
    harmless = event in _GOOD_NEWS or event in _HARMLESS_UPDATES
    return event, words, Severity.INFO if harmless else Severity.WARNING, Sending.UNTOUCHED


def _account_review_update(facts: Facts) -> _Read:
    decision = _word(facts, "decision")
    severity = {"APPROVED": Severity.INFO, "REJECTED": Severity.CRITICAL}.get(decision, Severity.WARNING)
    return decision, "", severity, Sending.UNTOUCHED


def _phone_number_quality_update(facts: Facts) -> _Read:
    event = _word(facts, "event")
    limits = " → ".join(filter(None, (_word(facts, "old_limit"), _word(facts, "current_limit"))))
    return event, limits, Severity.INFO if event in _GOOD_NEWS else Severity.WARNING, Sending.UNTOUCHED


def _phone_number_name_update(facts: Facts) -> _Read:
    decision = _word(facts, "decision")
    reason = _word(facts, "rejection_reason")
    severity = Severity.INFO if decision in _GOOD_NEWS else Severity.WARNING
    return decision, "" if reason == "NONE" else reason, severity, Sending.UNTOUCHED


def _business_capability_update(facts: Facts) -> _Read:
    limits = (f"{name}={facts[name]}" for name in sorted(facts) if isinstance(facts[name], int | str))
    return "CAPABILITY_UPDATE", _joined(*limits), Severity.INFO, Sending.UNTOUCHED


def _account_settings_update(facts: Facts) -> _Read:
    settings = _node(facts, "phone_number_settings")
    restricted = bool(_list(_node(_node(settings, "calling"), "restrictions"), "restrictions"))
    names = (name for name in sorted(settings) if name != "phone_number_id")
    severity = Severity.WARNING if restricted else Severity.INFO
    return _word(facts, "type") or "SETTINGS_UPDATE", _joined(*names), severity, Sending.UNTOUCHED


_READERS: Mapping[str, Callable[[Facts], _Read]] = {
    "account_alerts": _account_alerts,
    "account_update": _account_update,
    "account_review_update": _account_review_update,
    "account_settings_update": _account_settings_update,
    "business_capability_update": _business_capability_update,
    "phone_number_name_update": _phone_number_name_update,
    "phone_number_quality_update": _phone_number_quality_update,
}

ALERT_FIELDS = frozenset(_READERS)
"""The fields of which every change tells an operator something."""

LEFT_ALONE = frozenset(
    {
        "automatic_events",
        "flows",
        "group_lifecycle_update",
        "group_participants_update",
        "group_settings_update",
        "group_status_update",
        "history",
        "message_template_components_update",
        "message_template_quality_update",
        "message_template_status_update",
        "messaging_handovers",
        "partner_solutions",
        "payment_configuration_update",
        "security",
        "smb_app_state_sync",
        "standby",
        "template_category_update",
        "template_correct_category_detection",
        "tracking_events",
    }
)
"""Known fields that concern nothing Recado does: templates, groups, flows, synchronised history."""


def _endpoint(facts: Facts) -> str:
    """The number an alert is about, where it names one by its id."""
    return _word(_node(facts, "phone_number_settings"), "phone_number_id") or _word(facts, "phone_number_id")


def _node(facts: Facts, name: str) -> Facts:
    found = facts.get(name)
    return found if isinstance(found, dict) else {}


def _list(facts: Facts, name: str) -> list[Any]:
    found = facts.get(name)
    return found if isinstance(found, list) else []


def _word(facts: Facts, name: str) -> str:
    found = facts.get(name)
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _restrictions(facts: Facts) -> list[Facts]:
    return [one for one in _list(facts, "restriction_info") if isinstance(one, dict)]


def _seconds(restriction: Facts) -> int:
    """When a restriction that stops answers ends, in seconds since 1970; 0 where it does not say."""
    ends = _word(restriction, "expiration")
    stops = _word(restriction, "restriction_type") in _STOPPING_RESTRICTIONS
    return int(ends) if stops and ends.isascii() and ends.isdigit() and len(ends) <= 11 else 0


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))

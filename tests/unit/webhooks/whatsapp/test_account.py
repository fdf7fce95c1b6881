"""What each field about the account comes to: an alert, how grave, and what it means for sending."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhooks.messages import AccountAlert, Sending, Severity
from webhooks.whatsapp.account import ALERT_FIELDS, LEFT_ALONE, account_alert
from webhooks.whatsapp.parse import parse_webhook

FIXTURES = Path(__file__).parents[3] / "fixtures" / "whatsapp"
QUIET, STOP, GO = Sending.UNTOUCHED, Sending.STOPPED, Sending.RESUMED


def alert_of(name: str) -> AccountAlert:
    parsed = parse_webhook((FIXTURES / f"{name}.json").read_bytes())
    assert parsed.rejected == ()
    (update,) = parsed.updates
    assert isinstance(update, AccountAlert)
    return update


@pytest.mark.parametrize(
    ("name", "topic", "event", "severity", "sending"),
    [
        ("account_ban", "account_update", "DISABLED_UPDATE", Severity.CRITICAL, STOP),
        ("account_reinstated", "account_update", "DISABLED_UPDATE", Severity.INFO, GO),
        ("account_restriction", "account_update", "ACCOUNT_RESTRICTION", Severity.CRITICAL, STOP),
        ("account_violation", "account_update", "ACCOUNT_VIOLATION", Severity.WARNING, QUIET),
        ("account_alert", "account_alerts", "INCREASED_CAPABILITIES_ELIGIBILITY_FAILED", Severity.CRITICAL, QUIET),
        ("account_review", "account_review_update", "REJECTED", Severity.CRITICAL, QUIET),
        ("number_quality", "phone_number_quality_update", "DOWNGRADE", Severity.WARNING, QUIET),
        ("number_name", "phone_number_name_update", "REJECTED", Severity.WARNING, QUIET),
        ("capability", "business_capability_update", "CAPABILITY_UPDATE", Severity.INFO, QUIET),
        ("account_settings", "account_settings_update", "phone_number_settings", Severity.INFO, QUIET),
    ],
)
def test_news_of_the_account_is_an_alert(
    name: str, topic: str, event: str, severity: Severity, sending: Sending
) -> None:
    alert = alert_of(name)
    assert (alert.topic, alert.event, alert.severity, alert.sending) == (topic, event, severity, sending)
    assert alert.account_id == "102290129340398"


def test_a_restriction_on_answers_ends_when_it_says_so() -> None:
    assert alert_of("account_restriction").until_ms == 1764100000_000


def test_an_alert_says_when_it_happened() -> None:
    assert alert_of("account_ban").at_ms == 1763715600_000


@pytest.mark.parametrize("odd", [b"null", b"[]", b'"soon"', b"-1"])
def test_an_alert_without_a_readable_time_is_one_all_the_same(odd: bytes) -> None:
    body = (FIXTURES / "account_ban.json").read_bytes().replace(b"1763715600", odd)
    (alert,) = parse_webhook(body).updates
    assert isinstance(alert, AccountAlert)
    assert (alert.at_ms, alert.sending) == (None, STOP)


def test_a_restriction_on_campaigns_alone_stops_no_answer() -> None:
    facts = {"event": "ACCOUNT_RESTRICTION", "restriction_info": [{"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER"}]}
    alert = account_alert("account_update", facts, channel="whatsapp", account_id="1")
    assert (alert.severity, alert.sending, alert.until_ms) == (Severity.WARNING, QUIET, None)


def test_a_scheduled_ban_is_grave_and_stops_nothing_yet() -> None:
    facts = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "SCHEDULE_FOR_DISABLE"}}
    alert = account_alert("account_update", facts, channel="whatsapp", account_id="1")
    assert (alert.severity, alert.sending) == (Severity.CRITICAL, QUIET)


def test_the_limits_before_and_after_are_told() -> None:
    assert alert_of("number_quality").details == "TIER_10K → TIER_1K"


def test_an_alert_about_one_number_names_it() -> None:
    assert alert_of("account_settings").endpoint_id == "106540352242922"


@pytest.mark.parametrize("topic", sorted(ALERT_FIELDS))
@pytest.mark.parametrize(
    "odd", [None, [], "x", 7, {}, {"event": {}}, {"ban_info": []}, {"restriction_info": [1, None]}]
)
def test_an_odd_body_is_an_alert_all_the_same(topic: str, odd: object) -> None:
    assert account_alert(topic, odd, channel="whatsapp", account_id="1").topic == topic


def test_no_field_is_both_told_and_left_alone() -> None:
    assert ALERT_FIELDS.isdisjoint(LEFT_ALONE)

"""What the channel said of the account lately: whether sending is stopped, and what an operator should know."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from redis.exceptions import RedisError

from bot.doctor.finding import Finding, fail, ok, skip, warn
from bot.mailbox import Mailbox, MailboxError
from bot.store import Role, StoreError, connect, store_url
from webhooks.messages import AccountAlert, Severity

SHOWN = 5
_MANAGER = "Look at WhatsApp Manager → Account quality and Phone numbers"


async def account_alerts(data_dir: Path, redis_url: str) -> list[Finding]:
    """A finding for a stop, and one for each of the newest alerts that are more than information."""
    name = "account alerts"
    try:
        client = connect(store_url(data_dir, redis_url), Role.RECEIVER)
    except StoreError:
        return [skip(name, "the store cannot be asked for them")]
    try:
        mailbox = Mailbox(client, secret=b"")  # alerts name nobody, so nothing has to be found by its mark
        stopped, alerts = await mailbox.stopped_because(), await mailbox.alerts()
    except (MailboxError, RedisError, OSError):
        return [skip(name, "the store does not answer for them")]
    finally:
        await client.aclose()
    findings = []
    if stopped is not None:
        cure = f"{_MANAGER}; if it is over, run `recado sending resume`."
        findings.append(fail(name, f"nothing is sent: {stopped}", cure))
    grave = [(at_ms, alert) for at_ms, alert in alerts if alert.severity is not Severity.INFO]
    findings += [warn(name, _told(at_ms, alert), f"{_MANAGER}.") for at_ms, alert in grave[:SHOWN]]
    return findings or [ok(name, "none in the last 30 days")]


def _told(at_ms: int, alert: AccountAlert) -> str:
    when = datetime.fromtimestamp(at_ms / 1000, UTC)
    codes = ", ".join(str(fault.code) for fault in alert.faults)
    words = [f"{when:%Y-%m-%d %H:%M} UTC, {alert.topic}", alert.event, alert.details, codes]
    return ": ".join(filter(None, words))

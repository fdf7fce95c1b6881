"""What the doctor tells of the news about the account."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from bot.doctor.alerts import account_alerts
from bot.doctor.finding import Level
from bot.mailbox import Mailbox
from webhooks.messages import AccountAlert, Sending, Severity

BAN = AccountAlert(
    channel="whatsapp",
    endpoint_id="",
    topic="account_update",
    event="DISABLED_UPDATE",
    details="DISABLE",
    severity=Severity.CRITICAL,
    sending=Sending.STOPPED,
)


async def test_without_news_all_is_well(store_url: str, tmp_path: Path) -> None:
    (finding,) = await account_alerts(tmp_path, store_url)
    assert finding.level is Level.OK


async def test_a_ban_fails_and_says_how_sending_goes_on(redis: Redis, store_url: str, tmp_path: Path) -> None:
    await Mailbox(redis, secret=b"s").alert(BAN, 1_795_000_000_000)
    stopped, alert = await account_alerts(tmp_path, store_url)
    assert stopped.level is Level.FAIL
    assert "recado sending resume" in stopped.cure
    assert alert.level is Level.WARN
    assert "DISABLED_UPDATE" in alert.message


async def test_mere_information_is_not_shown(redis: Redis, store_url: str, tmp_path: Path) -> None:
    news = AccountAlert(channel="whatsapp", endpoint_id="", topic="business_capability_update", severity=Severity.INFO)
    await Mailbox(redis, secret=b"s").alert(news, 1_795_000_000_000)
    (finding,) = await account_alerts(tmp_path, store_url)
    assert finding.level is Level.OK


async def test_a_store_that_is_not_there_is_only_noted(tmp_path: Path) -> None:
    (finding,) = await account_alerts(tmp_path, f"unix://{tmp_path}/none")
    assert finding.level is Level.SKIP

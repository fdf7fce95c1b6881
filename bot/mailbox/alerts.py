"""What the channel said of the account: kept for the operator, newest first. Names nobody who writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError
from redis.asyncio import Redis

from bot.mailbox.keys import key
from webhooks.messages import AccountAlert

KEPT = 100
KEPT_MS = 30 * 24 * 3600 * 1000

_ALERT = TypeAdapter(AccountAlert)


async def keep_alert(redis: Redis, alert: AccountAlert, at_ms: int) -> None:
    """Write an alert down; the same again only moves it to its newest time, so a redelivery is one line."""
    name = key("alerts")
    async with redis.pipeline(transaction=True) as pipe:
        pipe.zadd(name, {orjson.dumps(asdict(alert), option=orjson.OPT_SORT_KEYS): at_ms})
        pipe.zremrangebyrank(name, 0, -KEPT - 1)
        pipe.zremrangebyscore(name, "-inf", at_ms - KEPT_MS)
        pipe.pexpire(name, KEPT_MS)
        await pipe.execute()


async def recent_alerts(redis: Redis, limit: int = KEPT) -> tuple[tuple[int, AccountAlert], ...]:
    """The newest alerts and when each came last, in milliseconds since 1970."""
    read: Callable[..., Awaitable[Any]] = redis.zrange
    found = []
    for text, at_ms in await read(key("alerts"), 0, limit - 1, desc=True, withscores=True):
        try:
            found.append((int(at_ms), _ALERT.validate_json(text)))
        except ValidationError:  # a later version wrote it
            continue
    return tuple(found)

"""Why a turn does not go on now, and for how long: outages, throttling, refusals that pass. Knows no turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from bot.mailbox import StoreUnavailable
from bot.mailbox.functions import translated
from webhooks.contract import ChannelError, NotSent

log = structlog.get_logger()

T = TypeVar("T")

STORE_RETRY_S = 1.0


class HandBack(Exception):
    """The turn cannot go on now; nobody is to blame. `delay_s` until it is looked at again."""

    def __init__(self, delay_s: float, reason: str) -> None:
        super().__init__(reason)
        self.delay_s = delay_s


class TryAgain(Exception):
    """A definite, retryable refusal: costs the turn one attempt."""


async def patiently(call: Callable[[], Awaitable[T]], *, sleep: Callable[[float], Awaitable[None]]) -> T:
    """Repeat `call` until the store answers it. The lease may be lost meanwhile; the call finds out."""
    while True:
        try:
            return await call()
        except (StoreUnavailable, RedisError) as error:
            if not store_is_away(error):
                raise
            log.warning("the store does not answer; the turn waits for it")
            await sleep(STORE_RETRY_S)


def store_is_away(error: Exception) -> bool:
    """Whether the store did not answer, which costs a turn nothing but time."""
    return isinstance(translated(error) if isinstance(error, RedisError) else error, StoreUnavailable)


def passes_by_itself(error: ChannelError) -> bool:
    """Whether the channel was not reached at all: nothing about the turn is at fault."""
    return isinstance(error, NotSent) and error.code == 0


def throttled_s(attempt: int) -> float:
    """Seconds to wait after the n-th throttled send to one person: 1, 4, 16, at most 64 (Meta's advice for 131056)."""
    return float(4 ** min(3, max(0, attempt - 1)))

"""The pace that all workers keep together: one booking in the store a send, a worker's own buckets while it is away."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bot.mailbox import Mailbox, StoreUnavailable
from webhooks.contract import Throttled
from webhooks.whatsapp.pacing import Pacer, Rate

log = structlog.get_logger()


class SharedPace:
    """Implements `webhooks.contract.Pace`. `own` has the limits; its buckets serve while the store does not answer."""

    def __init__(self, mailbox: Mailbox, own: Pacer, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._mailbox = mailbox
        self._own = own
        self._clock = clock

    async def reserve(self, endpoint_id: str, recipient: str) -> float:
        """See `Pace.reserve`."""
        try:
            wait_s = await self._mailbox.reserve_send(
                endpoint_id,
                recipient,
                number=_every_ms_and_burst(self._own.number_rate),
                pair=_every_ms_and_burst(self._own.pair_rate),
                longest_wait_ms=self._own.longest_wait_s * 1000,
            )
        except StoreUnavailable:
            log.warning("the store does not answer; this worker keeps its own pace")
            return self._own.reserve(endpoint_id, recipient, self._clock())
        if wait_s > self._own.longest_wait_s:
            raise Throttled("our own pacing: too many messages in a short time", retry_after_s=wait_s)
        return wait_s


def _every_ms_and_burst(rate: Rate) -> tuple[float, float]:
    return 1000 / rate.per_s, rate.burst

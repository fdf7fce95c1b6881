"""How fast we may send: token buckets per number and per recipient. Pure; the clock is an argument, nobody waits.

The platform takes 80 messages a second from a number, and from a number to one person one message in 6 s with a burst
of 45. Keeping to that ourselves is cheaper than being refused.

Source: Meta, "Cloud API, throughput" and "pair rate limits".
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from webhooks.contract import Throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`per_s` messages a second in the long run, `burst` at once."""

    per_s: float
    burst: float


NUMBER_RATE = Rate(per_s=80, burst=80)
PAIR_RATE = Rate(per_s=1 / 6, burst=45)


@dataclass(slots=True)
class TokenBucket:
    """Holds up to `rate.burst` tokens and refills at `rate.per_s`. It may be overdrawn: the debt is the wait."""

    rate: Rate
    at_s: float
    tokens: float = field(init=False)

    def __post_init__(self) -> None:
        self.tokens = self.rate.burst

    def wait_s(self, now_s: float) -> float:
        """How long the next send has to wait."""
        self._refill(now_s)
        return max(0.0, (1 - self.tokens) / self.rate.per_s)

    def take(self, now_s: float) -> None:
        """Count one send."""
        self._refill(now_s)
        self.tokens -= 1

    def _refill(self, now_s: float) -> None:
        self.tokens = min(self.rate.burst, self.tokens + max(0.0, now_s - self.at_s) * self.rate.per_s)
        self.at_s = max(self.at_s, now_s)


@dataclass(slots=True, kw_only=True)
class Pacer:
    """The buckets of all numbers and pairs. The pair unused for longest is forgotten beyond `max_pairs`."""

    number_rate: Rate = NUMBER_RATE
    pair_rate: Rate = PAIR_RATE
    longest_wait_s: float = 6.0
    max_pairs: int = 10_000
    _numbers: dict[str, TokenBucket] = field(default_factory=dict)
    _pairs: OrderedDict[tuple[str, str], TokenBucket] = field(default_factory=OrderedDict)

    def reserve(self, endpoint_id: str, recipient: str, now_s: float) -> float:
        """Book one send and say how long to wait before it, in seconds.

        Raises Throttled, and books nothing, where the wait would be longer than `longest_wait_s`.
        """
        number = self._numbers.setdefault(endpoint_id, TokenBucket(self.number_rate, now_s))
        pair = self._pair(endpoint_id, recipient, now_s)
        wait_s = max(number.wait_s(now_s), pair.wait_s(now_s))
        if wait_s > self.longest_wait_s:
            raise Throttled("our own pacing: too many messages in a short time", retry_after_s=wait_s)
        number.take(now_s)
        pair.take(now_s)
        return wait_s

    def _pair(self, endpoint_id: str, recipient: str, now_s: float) -> TokenBucket:
        key = (endpoint_id, recipient)
        bucket = self._pairs.setdefault(key, TokenBucket(self.pair_rate, now_s))
        self._pairs.move_to_end(key)
        if len(self._pairs) > self.max_pairs:
            self._pairs.popitem(last=False)
        return bucket

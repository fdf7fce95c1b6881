"""Which of several servers is asked next: the least loaded of those in health. Pure: the clock is an argument.

A server that fails rests, twice as long each time in a row; while it rests it is asked only when no other is left.
A server that says it is full is not asked before the time it named.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """How long a failed server rests: `rest_s`, doubled with each failure in a row up to `rest_max_s`."""

    rest_s: float = 5.0
    rest_max_s: float = 60.0
    full_max_s: float = 60.0  # a server's own Retry-After counts up to here


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One server as a value; every event returns the next one. `in_flight` counts texts being spoken there."""

    in_flight: int = 0
    failures: int = 0
    rests_until_s: float = 0.0
    full_until_s: float = 0.0

    def rests(self, now_s: float) -> bool:
        """Whether it failed so recently that others go first."""
        return self.failures > 0 and now_s < self.rests_until_s

    def full_for_s(self, now_s: float) -> float:
        """Seconds until it may be asked again; 0 when it may now."""
        return max(0.0, self.full_until_s - now_s)

    def asked(self, texts: int) -> Standing:
        """That many texts are under way."""
        return replace(self, in_flight=self.in_flight + texts)

    def done(self, texts: int) -> Standing:
        """That many texts are no longer under way, however it ended."""
        return replace(self, in_flight=max(0, self.in_flight - texts))

    def succeeded(self) -> Standing:
        """It answered: earlier failures are forgotten."""
        return replace(self, failures=0, rests_until_s=0.0)

    def failed(self, now_s: float, policy: HealthPolicy) -> Standing:
        """It did not answer, or nonsense. Failures of requests that were under way together count once."""
        if self.rests(now_s):
            return self
        rest_s = min(policy.rest_max_s, policy.rest_s * 2.0 ** min(self.failures, 16))
        return replace(self, failures=self.failures + 1, rests_until_s=now_s + rest_s)

    def full(self, now_s: float, retry_after_s: float, policy: HealthPolicy) -> Standing:
        """It has no room; that is no failure."""
        return replace(self, full_until_s=now_s + min(max(0.0, retry_after_s), policy.full_max_s))


def choose(standings: Mapping[str, Standing], among: Collection[str], now_s: float) -> str | None:
    """The server to ask: in health before resting, then the least loaded, then by name; None when all are full."""
    free = [name for name in sorted(among) if not standings[name].full_for_s(now_s)]
    if not free:
        return None

    def rank(name: str) -> tuple[bool, float, int]:
        standing = standings[name]
        rests = standing.rests(now_s)
        return rests, standing.rests_until_s if rests else 0.0, standing.in_flight

    return min(free, key=rank)


def shortest_wait_s(standings: Mapping[str, Standing], among: Collection[str], now_s: float) -> float:
    """How long until the first of them has room again."""
    return min((standings[name].full_for_s(now_s) for name in among), default=0.0)

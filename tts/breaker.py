"""When to stop asking an engine that fails, and when to try it again. Pure: the clock is an argument.

CLOSED ──failures within the window──▶ OPEN ──recovery time──▶ HALF_OPEN
  ▲                                     ▲                        │
  └─────────────trial succeeds──────────┼────────────────────────┤
                                        └──────trial fails───────┘
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether the engine is asked: always, never, or by one trial at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """Thresholds: `failures` within `window_s` open it; after `recovery_s` one trial is let through."""

    failures: int = 5
    window_s: float = 60.0
    recovery_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One engine's breaker as a value; every event returns the next one."""

    policy: BreakerPolicy
    failed_at_s: tuple[float, ...] = ()
    opened_at_s: float | None = None
    trial_at_s: float | None = None

    def state(self, now_s: float) -> BreakerState:
        """The state at `now_s`."""
        if self.opened_at_s is None:
            return BreakerState.CLOSED
        if now_s - self.opened_at_s < self.policy.recovery_s:
            return BreakerState.OPEN
        return BreakerState.HALF_OPEN

    def allows(self, now_s: float) -> bool:
        """Whether a call may go through now: always closed, never open, one at a time half open.

        A trial that never reported back (its caller was cancelled) is forgotten after the recovery time.
        """
        state = self.state(now_s)
        if state is BreakerState.HALF_OPEN:
            return self.trial_at_s is None or now_s - self.trial_at_s >= self.policy.recovery_s
        return state is BreakerState.CLOSED

    def asked(self, now_s: float) -> Breaker:
        """A call goes through: when half open it is the trial."""
        return replace(self, trial_at_s=now_s) if self.state(now_s) is BreakerState.HALF_OPEN else self

    def succeeded(self, now_s: float) -> Breaker:
        """The engine answered: a trial closes it with a clean record; otherwise earlier failures still count.

        While it is open, the answer is to a call from before, and tells nothing of now.
        """
        return Breaker(policy=self.policy) if self.state(now_s) is BreakerState.HALF_OPEN else self

    def undecided(self) -> Breaker:
        """The call told nothing (no room just now): a trial is over, and another one may be made at once."""
        return replace(self, trial_at_s=None)

    def failed(self, now_s: float) -> Breaker:
        """The engine failed: a failed trial opens at once, otherwise enough failures within the window do.

        While it is open, a call from before has failed like the others, and makes nobody wait longer.
        """
        state = self.state(now_s)
        if state is BreakerState.OPEN:
            return self
        if state is BreakerState.HALF_OPEN:
            return Breaker(policy=self.policy, opened_at_s=now_s)
        recent = tuple(at for at in self.failed_at_s if now_s - at < self.policy.window_s)
        failures = (*recent, now_s)[-self.policy.failures :]
        if len(failures) >= self.policy.failures:
            return Breaker(policy=self.policy, opened_at_s=now_s)
        return replace(self, failed_at_s=failures)

"""An inbox and a channel without a network, for tests and demonstrations. They know no wire format.

`FakeInbox` keeps what was accepted and `FakeChannel` what was sent; both fail on demand, with the contract's errors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from webhooks.contract import InboxUnavailable
from webhooks.messages import Update


class FakeInbox:
    """Keeps every accepted update in `accepted`, in order; raises while `available` is False, hangs while `slow`."""

    def __init__(self) -> None:
        self.accepted: list[Update] = []
        self.calls = 0
        self.available = True
        self.slow = False

    async def accept(self, updates: Sequence[Update]) -> None:
        """See `Inbox.accept`."""
        self.calls += 1
        if self.slow:
            await asyncio.Event().wait()
        if not self.available:
            raise InboxUnavailable("told to be down")
        self.accepted.extend(updates)

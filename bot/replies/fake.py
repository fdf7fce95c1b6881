"""A reply generator for tests and dry runs: answers from a list, or says back what it was told."""

from __future__ import annotations

from collections.abc import Iterable

from bot.replies.contract import Reply, ReplyEmpty, ReplyError, ReplyRequest, ReplySource
from bot.replies.trim import trimmed


class FakeReplies:
    """Gives the outcomes handed in, one a request, then echoes. `requests` keeps what was asked."""

    def __init__(self, outcomes: Iterable[str | ReplyError] = ()) -> None:
        self._outcomes = list(outcomes)
        self.requests: list[ReplyRequest] = []

    async def reply(self, request: ReplyRequest) -> Reply:
        """The next outcome: its text, or the error it is."""
        self.requests.append(request)
        outcome = self._outcomes.pop(0) if self._outcomes else request.text
        if isinstance(outcome, ReplyError):
            raise outcome
        if not outcome.strip():
            raise ReplyEmpty("there is nothing to say back")
        return Reply(text=trimmed(outcome, request.max_chars), source=ReplySource.FAKE)

"""Asks one generator after another, so that a turn always has words. Knows no generator in particular."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bot.phrases import Phrase, say
from bot.replies.contract import Reply, ReplyError, ReplyGenerator, ReplyRequest, ReplySource
from bot.replies.trim import trimmed

_log = structlog.get_logger()


class FallbackReplies:
    """The first generator that answers; when none does, an apology. Never raises a ReplyError."""

    def __init__(self, generators: Sequence[ReplyGenerator]) -> None:
        self._generators = tuple(generators)

    async def reply(self, request: ReplyRequest) -> Reply:
        """The first answer, or an apology in the request's language."""
        for generator in self._generators:
            try:
                return await generator.reply(request)
            except ReplyError as error:
                _log.warning(
                    "reply_failed",
                    generator=type(generator).__name__,
                    error=type(error).__name__,
                    reason=str(error),
                    persona=request.persona.id,
                )
        apology = say(Phrase.NO_ANSWER, request.language)
        return Reply(text=trimmed(apology, request.max_chars), source=ReplySource.APOLOGY)

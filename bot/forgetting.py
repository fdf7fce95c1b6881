"""Finishes what the erasure of a person leaves to others: memory after a crash, and recorded webhooks. Knows no turn.

An erasure stays in the store until everybody it waits for is done, so each step may fail, or be repeated, at any time.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from bot.conversation import Conversations
from bot.mailbox import MEMORY, Mailbox
from webhooks.recording import FileRecording

log = structlog.get_logger()

_LISTED_LONGER_MS = 3600_000


class Forgetting:
    """What one receiver does for erasures; `recording` is the folder it owns, if there is one.

    It begins `after_s` after an erasure: a worker may still be at it, and the receipts of the last word to the person
    carry the number as well.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        conversations: Conversations,
        recording: FileRecording | None,
        *,
        now_ms: Callable[[], int],
        after_s: float,
    ) -> None:
        self._mailbox = mailbox
        self._conversations = conversations
        self._recording = recording
        self._now_ms = now_ms
        self._after_s = after_s

    async def enlist(self) -> None:
        """Tell the store of the recording, so that erasures wait for it: before the first webhook, and ever again."""
        if self._recording is None:
            return
        try:
            folder = await self._recording.identity()
        except OSError as error:  # nothing can be recorded either
            log.warning("the folder of recorded webhooks cannot be used", error=type(error).__name__, errno=error.errno)
            return
        until_ms = self._now_ms() + self._recording.max_age_ms + _LISTED_LONGER_MS
        await self._mailbox.enlist_recordings(folder, until_ms=until_ms)

    async def go_on(self) -> None:
        """Do what is owed now."""
        for erasure in await self._mailbox.erasures(MEMORY, min_age_s=self._after_s):
            await self._conversations.erase(erasure.conversation_ids)  # their notes are swept: nothing keeps them
            await self._mailbox.erased(erasure.id, MEMORY)
            log.info("a person's conversations were forgotten after a crash")
        if self._recording is not None:
            await self.enlist()
            await self._strike(self._recording)

    async def _strike(self, recording: FileRecording) -> None:
        folder = await recording.identity()
        owed = await self._mailbox.erasures(folder, min_age_s=self._after_s)
        if not owed:
            return
        struck = await recording.forget([mark for erasure in owed for mark in erasure.marks])
        for erasure in owed:
            await self._mailbox.erased(erasure.id, folder)
        log.info("recorded webhooks of erased people were struck", people=len(owed), webhooks=struck)

"""Carries out what a turn changes: memory, opt-out, pause, erasure. Every step may be repeated after a crash.

Knows neither how a turn was answered nor who is told.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from bot.conversation import Conversation, Conversations, RecentTurn
from bot.mailbox import Claim, Mailbox
from bot.metrics import Metrics
from bot.record import Aftermath, load_record
from bot.turn import Turn
from bot.wire import Unreadable
from tts.contract import BlobStore

log = structlog.get_logger()


class Ending:
    """Makes aftermaths true."""

    def __init__(
        self,
        *,
        mailbox: Mailbox,
        conversations: Conversations,
        blobs: BlobStore,
        metrics: Metrics,
        note_kept_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._mailbox = mailbox
        self._conversations = conversations
        self._blobs = blobs
        self._metrics = metrics
        self._note_kept_s = note_kept_s
        self._now_ms = now_ms

    async def protect(self, claim: Claim, turn: Turn, aftermath: Aftermath) -> None:
        """What holds whether or not the answer arrived: opt-out, pause, the call for a human, or erasure."""
        if aftermath.erase:
            await self._erase(claim, turn)
            return
        if aftermath.opt_out is not None:
            await self._mailbox.set_opt_out(claim.person.id, opted_out=aftermath.opt_out)
        if aftermath.paused_until_ms is not None:
            await self._mailbox.pause(claim.lease.conversation_id, aftermath.paused_until_ms, aftermath.pause_reason)
        if aftermath.alert:
            log.warning("a human should look at this conversation", reason=aftermath.alert)
            self._metrics.alerts.labels(aftermath.alert).inc()

    async def remember(self, claim: Claim, turn: Turn, aftermath: Aftermath) -> None:
        """Keep what was said and chosen; what a crash left half kept is not kept twice."""
        conversation_id = claim.lease.conversation_id
        known = await self._conversations.load(
            conversation_id, person_id=claim.person.id, endpoint_id=claim.endpoint_id
        )
        if aftermath.conversation is not None:
            await self._conversations.save(aftermath.conversation)
        if known.history[-len(aftermath.lines) :] != aftermath.lines:
            await self._conversations.remember(conversation_id, aftermath.lines)
        await self._keep_note(known, turn, aftermath)
        note = RecentTurn(at_ms=turn.newest_at_ms, fingerprint=aftermath.fingerprint)
        if known.recent[-1:] != (note,):
            await self._conversations.note_turn(conversation_id, at_ms=note.at_ms, fingerprint=note.fingerprint)

    async def _keep_note(self, known: Conversation, turn: Turn, aftermath: Aftermath) -> None:
        """Keep the note of the last answer for "repeat"; one that says something older must not pass for it."""
        answer = aftermath.lines[-1].text if aftermath.lines else known.last_answer
        note = next((part.blob_id for part in turn.parts if part.blob_id and part.text == answer), None)
        if note is not None:
            until_ms = self._now_ms() + round(self._note_kept_s * 1000)
            await self._conversations.keep_note(known.id, note, until_ms=until_ms)
        elif aftermath.lines and known.last_note is not None:
            await self._conversations.drop_note(known.id)

    async def _erase(self, claim: Claim, turn: Turn) -> None:
        # The mailbox first: what is written from now on is a first contact. A repeated call finds nobody there, so the
        # rest does not depend on its answer alone.
        erased = await self._mailbox.erase(claim.person.id, asked_in=claim.lease.conversation_id)
        known = (claim.lease.conversation_id, *claim.former_conversation_ids)
        await self._conversations.erase({*known, *erased.conversation_ids})
        await self._forget_notes(turn)
        for record in erased.records.values():
            try:
                await self._forget_notes(load_record(record).turn)
            except Unreadable:
                log.warning("a turn's notes could not be told from its record; they end with their time to live")
        log.info("a person's data was erased")

    async def _forget_notes(self, turn: Turn) -> None:
        for part in turn.parts:
            if part.blob_id:
                await self._blobs.delete(part.blob_id)

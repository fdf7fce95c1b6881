"""Makes true what a turn changes: memory, opt-out, pause, erasure. Every step may be repeated after a crash.

Knows neither how a turn was answered nor who is told.
"""

from __future__ import annotations

import structlog

from bot.conversation import Conversation, RecentTurn
from bot.mailbox import MEMORY, Claim
from bot.record import Aftermath, load_record
from bot.service.dependencies import Dependencies
from bot.turn import Turn
from bot.wire import Unreadable
from tts.contract import BlobStore

log = structlog.get_logger()


async def protect(d: Dependencies, claim: Claim, turn: Turn, aftermath: Aftermath) -> None:
    """What holds whether or not the answer arrived: opt-out, pause, the call for a human, or erasure."""
    if aftermath.erase:
        await _erase(d, claim, turn)
        return
    if aftermath.opt_out is not None:
        await d.mailbox.set_opt_out(claim.person.id, opted_out=aftermath.opt_out)
    if aftermath.paused_until_ms is not None:
        await d.mailbox.pause(claim.lease.conversation_id, aftermath.paused_until_ms, aftermath.pause_reason)
    if aftermath.alert:
        log.warning("a human should look at this conversation", reason=aftermath.alert)
        d.metrics.alerts.labels(aftermath.alert).inc()


async def remember(d: Dependencies, claim: Claim, turn: Turn, aftermath: Aftermath) -> None:
    """Keep what was said and chosen; what a crash left half kept is not kept twice."""
    conversation_id = claim.lease.conversation_id
    known = await d.conversations.load(conversation_id, person_id=claim.person.id, endpoint_id=claim.endpoint_id)
    if aftermath.conversation is not None:
        await d.conversations.save(aftermath.conversation)
    if known.history[-len(aftermath.lines) :] != aftermath.lines:
        await d.conversations.remember(conversation_id, aftermath.lines)
    await _keep_note(d, known, turn, aftermath)
    note = RecentTurn(at_ms=turn.newest_at_ms, fingerprint=aftermath.fingerprint)
    if known.recent[-1:] != (note,):
        await d.conversations.note_turn(conversation_id, at_ms=note.at_ms, fingerprint=note.fingerprint)


async def _keep_note(d: Dependencies, known: Conversation, turn: Turn, aftermath: Aftermath) -> None:
    """Keep the note of the last answer for "repeat"; one that says something older must not pass for it.

    Repeating it does not keep it longer: its record, by which a withdrawn consent is told, would be gone before it.
    """
    answer = aftermath.lines[-1].text if aftermath.lines else known.last_answer
    note = next((part.blob_id for part in turn.parts if part.blob_id and part.text == answer), None)
    if note is not None and note == known.last_note:
        return
    if note is not None:
        await d.conversations.keep_note(known.id, note, until_ms=d.now_ms() + round(d.note_kept_s * 1000))
    elif aftermath.lines and known.last_note is not None:
        await d.conversations.drop_note(known.id)


async def _erase(d: Dependencies, claim: Claim, turn: Turn) -> None:
    # The mailbox first: what is written from now on is a first contact. A repeated call finds nobody there, so the
    # rest does not depend on its answer alone. Where this process ends in between, `bot.forgetting` goes on.
    erased = await d.mailbox.erase(claim.person.id, asked_in=claim.lease.conversation_id)
    d.ears.forget(phone=claim.person.phone, user_id=claim.person.user_id)
    known = (claim.lease.conversation_id, *claim.former_conversation_ids)
    for blob_id in await d.conversations.erase({*known, *erased.conversation_ids}):
        await d.blobs.delete(blob_id)
    await _forget_notes(d.blobs, turn)
    for record in erased.records.values():
        try:
            await _forget_notes(d.blobs, load_record(record).turn)
        except Unreadable:
            log.warning("a turn's notes could not be told from its record; they end with their time to live")
    if erased.erasure_id is not None:
        await d.mailbox.erased(erased.erasure_id, MEMORY)
    log.info("a person's data was erased")


async def _forget_notes(blobs: BlobStore, turn: Turn) -> None:
    for part in turn.parts:
        if part.blob_id:
            await blobs.delete(part.blob_id)

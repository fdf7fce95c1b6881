"""Uploads and sends the parts of an answer, and says what the channel's answers mean for the turn.

Each call does one thing at the channel and returns the event that tells what came of it; who called makes it durable.
"""

from __future__ import annotations

import structlog

from bot.mailbox import Claim
from bot.outbox import Accepted, BlobLost, NotTaken, PartEvent, PartKind, Refused, Unclear, Uploaded, VoiceGivenUp
from bot.service.dependencies import Dependencies
from bot.service.pauses import HandBack, TryAgain, passes_by_itself, throttled_s
from bot.turn import Turn
from webhooks import contract as channel_errors
from webhooks.contract import (
    WINDOW_S,
    AccountBlocked,
    Ambiguous,
    ChannelError,
    MediaRefused,
    NotSent,
    Throttled,
    WindowClosed,
)
from webhooks.messages import Person

log = structlog.get_logger()

HOLD_SENDING_S = 300.0
OUTAGE_RETRY_S = 15.0


async def upload(d: Dependencies, claim: Claim, turn: Turn, index: int) -> PartEvent:
    """Upload the note of part `index`; raises HandBack or TryAgain where it may be uploaded later."""
    part = turn.parts[index]
    try:
        data = await d.blobs.get(part.blob_id)
    except KeyError:
        return BlobLost(index)
    try:
        with d.metrics.stage_s.labels("upload").time():
            return Uploaded(index, await d.channel.upload_voice(claim.endpoint_id, data))
    except channel_errors.Refused as error:
        d.metrics.fallbacks.labels("upload refused").inc()
        return VoiceGivenUp(index, f"upload refused: {error.code}")
    except ChannelError as error:
        if claim.failures and isinstance(error, NotSent) and not passes_by_itself(error):
            return VoiceGivenUp(index, f"upload failed: {error.code}")
        raise await not_now(d, error, part.attempt) from error


async def keep_pace(d: Dependencies, claim: Claim) -> None:
    """Book one send to the person and wait until it may go out; raises HandBack where that takes long.

    Belongs before the send is announced: who dies in this wait has sent nothing for sure.
    """
    try:
        wait_s = await d.pace.reserve(claim.endpoint_id, claim.person.id)
    except Throttled as error:
        raise HandBack(error.retry_after_s or throttled_s(1), "our own pace") from error
    if wait_s > 0:
        await d.sleep(wait_s)


async def window_is_open(d: Dependencies, claim: Claim) -> bool:
    """Whether the person may be written to; looked at directly before each send. Raises HandBack while all is held."""
    held_s = await d.mailbox.sending_held()
    if held_s is not None:
        raise HandBack(held_s, "sending is held")
    return d.now_ms() - claim.newest_inbound_ms < WINDOW_S * 1000


async def send(d: Dependencies, claim: Claim, turn: Turn, index: int) -> tuple[PartEvent, ChannelError | None]:
    """Send part `index`, once: what came of it, and why it was not taken where it was not."""
    event, result, error = await _sent(d, claim, turn, index)
    d.metrics.parts.labels(turn.parts[index].kind, result).inc()
    return event, error


async def _sent(d: Dependencies, claim: Claim, turn: Turn, index: int) -> tuple[PartEvent, str, ChannelError | None]:
    try:
        with d.metrics.stage_s.labels("send").time():
            message_id = await _post(d, claim, turn, index)
    except Ambiguous as error:
        log.warning("no definite answer to a send", part=index, error=str(error))
        return Unclear(index), "ambiguous", None
    except WindowClosed as error:
        return Refused(index, f"window closed: {error.code}", media=False), "refused", None
    except channel_errors.Refused as error:
        d.metrics.failures.labels(str(error.code)).inc()
        return Refused(index, f"refused: {error.code}", media=isinstance(error, MediaRefused)), "refused", None
    except ChannelError as error:
        return NotTaken(index), "not taken", error
    return Accepted(index, message_id), "sent", None


async def _post(d: Dependencies, claim: Claim, turn: Turn, index: int) -> str:
    part, endpoint_id, channel = turn.parts[index], claim.endpoint_id, d.channel
    to = Person(phone=claim.person.phone, user_id=claim.person.user_id)
    answers = index == len(turn.parts) - 1  # the answer itself is the last; a disclosure goes before it
    quote = turn.quote if answers else None
    callback_data = turn.callback_data(index)
    if part.menu is not None:
        return await channel.send_menu(endpoint_id, to, part.text, part.menu, quote=quote, callback_data=callback_data)
    if part.kind is PartKind.VOICE:
        return await channel.send_voice(endpoint_id, to, part.media_id, quote=quote, callback_data=callback_data)
    return await channel.send_text(endpoint_id, to, part.text, quote=quote, callback_data=callback_data)


async def not_now(d: Dependencies, error: ChannelError, attempt: int) -> HandBack | TryAgain:
    """The right kind of waiting after the channel took nothing; a blocked account holds everybody's sending."""
    if isinstance(error, AccountBlocked):
        d.metrics.alerts.labels("account_blocked").inc()
        log.error("sending is held: the account is blocked", code=error.code, error=str(error))
        until_ms = d.now_ms() + int(HOLD_SENDING_S * 1000)
        await d.mailbox.hold_sending(until_ms, f"account blocked: {error.code}")
        return HandBack(HOLD_SENDING_S, "account blocked")
    if isinstance(error, Throttled):
        return HandBack(max(throttled_s(attempt), error.retry_after_s or 0), f"throttled: {error.code}")
    if passes_by_itself(error):
        return HandBack(OUTAGE_RETRY_S, "the channel cannot be reached")
    return TryAgain(f"channel: {error.code}")

"""The durable mailbox: takes messages and receipts, hands out turns, and lets nobody work on one that is not theirs.

One Valkey function per method (`functions.lua` has the rules); all methods are safe to repeat. Knows neither what a
message says nor what a turn does. Raises the errors of `bot.mailbox.errors`.
"""

from __future__ import annotations

import asyncio
import random
import re
import secrets
from collections.abc import Container, Iterable, Mapping
from typing import Any

from redis.asyncio import Redis

from bot.mailbox.alerts import keep_alert, recent_alerts
from bot.mailbox.decoding import read_claim
from bot.mailbox.desk import Desk
from bot.mailbox.errors import LeaseLost, TurnCancelled
from bot.mailbox.functions import EARS, GROUP, Argument, Functions, Sender
from bot.mailbox.keys import Sealer, fresh_id, key
from bot.mailbox.model import Claim, Incoming, Lane, Lease, MailboxSettings, MediaTask, PutResult, Token
from webhooks.messages import AccountAlert, MarketingChoice, Sending, StatusKind

MAX_BLOCK_MS = 5000
TAKEN_MAX = 1000
_PART_AND_ATTEMPT = re.compile(r"\d{1,4}:\d{1,4}", re.ASCII)
_CHECK_TTL_MS = 10_000
ASK_AGAIN_MS = 60_000


class Mailbox(Desk):
    """Everything durable about conversations. `secret` keys the hashes in key names and must never change."""

    def __init__(
        self, redis: Redis, *, secret: bytes, settings: MailboxSettings | None = None, sender: Sender | None = None
    ) -> None:
        super().__init__(redis, Functions(redis, settings or MailboxSettings(), sender), Sealer(secret))

    async def prepare(self) -> None:
        """Bring the store up to this version; safe to repeat, and done by itself when the store was replaced."""
        await self._functions.prepare()

    async def check_write(self) -> None:
        """Return if the store accepts a write now."""
        name = key("check", secrets.token_hex(4))
        await self._functions.guarded(lambda: self._redis.set(name, 1, px=_CHECK_TTL_MS))

    # -- intake ---------------------------------------------------------------------------------------------------

    async def put(self, incoming: Incoming) -> PutResult:
        """Take one message, durably and once: when this returns it survives any crash."""
        channel, person = incoming.channel, incoming.person
        duplicate, conversation_id, person_id, new = await self._functions.call(
            "put",
            self._sealer.message(channel, incoming.message_id),
            self._sealer.message(channel, incoming.target_id) if incoming.target_id else "",
            self._sealer.phone(channel, person.phone),
            self._sealer.user(channel, person.user_id),
            fresh_id(),
            fresh_id(),
            channel,
            incoming.endpoint_id,
            incoming.at_ms,
            incoming.effect,
            incoming.lane,
            int(incoming.media),
            int(incoming.pause_s * 1000),
            person.phone or "",
            person.user_id or "",
            person.profile_name or "",
            incoming.message_id,
            incoming.payload,
        )
        return PutResult(
            duplicate=bool(duplicate),
            conversation_id=conversation_id.decode(),
            person_id=person_id.decode(),
            new_person=bool(new),
        )

    async def receipt(
        self,
        *,
        endpoint_id: str,
        callback_data: str,
        status: StatusKind,
        at_ms: int,
        message_id: str,
        fault_code: int | None = None,
        curable: bool = False,
    ) -> bool:
        """Take one receipt, durably; whether it belongs to a turn that is still known.

        It may come before the send was recorded, more than once and in any order: the best status stands. A curable
        failure brings the turn back as a repair, ahead of what waits; any receipt wakes a turn that awaits one.
        """
        turn_id, _, part_and_attempt = callback_data.partition(":")
        if not _PART_AND_ATTEMPT.fullmatch(part_and_attempt):
            turn_id, part_and_attempt = "", "0:0"  # not ours, but the status path is alive
        return bool(
            await self._functions.call(
                "receipt",
                turn_id,
                part_and_attempt,
                endpoint_id,
                status,
                at_ms,
                message_id,
                "-" if fault_code is None else fault_code,
                int(curable),
            )
        )

    async def note_marketing_choice(self, choice: MarketingChoice) -> None:
        """Keep with the person whether they want marketing messages; the newest choice stands."""
        channel, person = choice.channel, choice.person
        await self._functions.call(
            "note_marketing",
            self._sealer.phone(channel, person.phone),
            self._sealer.user(channel, person.user_id),
            fresh_id(),
            person.phone or "",
            person.user_id or "",
            int(choice.wanted),
            choice.at_ms,
        )

    async def last_receipt_ms(self) -> int | None:
        """When the last receipt for any send came in: whether the status path is alive."""
        found = await self._functions.guarded(lambda: self._redis.get(key("status_at")))
        return int(found) if found is not None else None

    # -- hearing ahead --------------------------------------------------------------------------------------------

    async def next_media(self, consumer: str, *, block_ms: int) -> MediaTask | None:
        """A voice message that waits and could be transcribed now. Best effort: what is lost is heard in its turn."""
        entries = await self._functions.read(
            key("hear"), EARS, consumer, count=1, block_ms=_block(block_ms), noack=True
        )
        if not entries:
            return None
        entry_id, entry = entries[0]
        mark = entry[b"mark"].decode()
        message = await self._functions.call("hear", entry_id, mark)
        return None if message is None else MediaTask(mark=mark, message_id=message[0].decode(), payload=message[1])

    async def note_transcript(self, task: MediaTask, transcript: bytes) -> bool:
        """Attach what was heard to its message; False if that is gone by now."""
        return bool(await self._functions.call("note_transcript", task.mark, transcript))

    # -- work -----------------------------------------------------------------------------------------------------

    async def pump(self, limit: int = 200) -> float | None:
        """Give tokens to conversations that are due, at most `limit`; seconds until the next is, None for none."""
        next_ms = int(await self._functions.call("pump", limit))
        return None if next_ms < 0 else next_ms / 1000

    async def take(self, lane: Lane, consumer: str, *, count: int, block_ms: int) -> list[Token]:
        """Up to `count` tokens of one lane, waiting `block_ms` (at most 5000, 0 for not at all) for the first.

        `consumer` must be unique per process start. From here on the token must be renewed, or others take it over.
        """
        entries = await self._functions.read(key("lane", lane), GROUP, consumer, count=count, block_ms=_block(block_ms))
        return [_token(lane, consumer, *entry) for entry in entries]

    async def taken_before(self, lane: Lane, consumer: str, *, known: Container[str]) -> list[Token]:
        """Tokens that `consumer` was given, but for those `known` by id: their delivery was lost on the way."""
        entries = await self._functions.read(
            key("lane", lane), GROUP, consumer, count=TAKEN_MAX, block_ms=None, again=True
        )
        return [_token(lane, consumer, *entry) for entry in entries if entry[0] not in known]

    async def recover(self, consumer: str, *, min_idle_ms: int, count: int) -> list[Token]:
        """Take over up to `count` tokens that nobody renewed for `min_idle_ms`."""
        found = await self._functions.call("recover", consumer, min_idle_ms, count)
        return [
            Token(
                token_id=token_id.decode(),
                lane=Lane(lane.decode()),
                consumer=consumer,
                conversation_id=conversation.decode(),
            )
            for lane, token_id, conversation in found
        ]

    async def claim(self, token: Token, *, recovered: bool = False) -> Claim | None:
        """Turn a token into work; None when it is stale or went to another consumer.

        Freezes what waits into a new turn, or gives the turn that is to be retried, repaired or replayed. `recovered`
        says that the token was taken over: a turn that was being worked on is then a suspect.
        """
        reply = await self._functions.call(
            "claim", token.conversation_id, token.token_id, token.lane, token.consumer, int(recovered)
        )
        return read_claim(reply, token) if reply is not None else None

    async def begin_suspect(self, lease: Lease, *, others: int = 0) -> None:
        """A suspect's run begins, beside so many `others`: alone, a crash counts towards its limit from here on."""
        await self._leased("begin_suspect", lease, others)

    async def renew(self, leases: Iterable[Lease]) -> list[Lease]:
        """Keep leases of one consumer from being taken over; returns those that are already lost."""
        held = list(leases)
        if not held:
            return []
        pairs = [item for lease in held for item in (lease.lane, lease.token_id)]
        return [held[place] for place in await self._functions.call("renew", held[0].consumer, *pairs)]

    async def holders(self) -> tuple[str, ...]:
        """The consumers that hold tokens."""
        return tuple(name.decode() for name in await self._functions.call("holders"))

    async def release(self, consumer: str) -> int:
        """Let the next `recover` take over whatever `consumer` holds: it is dead. How many tokens that are."""
        return int(await self._functions.call("release", consumer))

    async def save(self, lease: Lease, record: bytes, *, sending: bool = False) -> None:
        """Keep the record while the turn goes on. `sending` announces that a part is about to be sent.

        Raises TurnCancelled when nothing more may be sent: then an announcing record was not kept, any other was.
        """
        await self._leased("save", lease, record, int(sending))

    async def done(self, lease: Lease, record: bytes, outcome: str) -> None:
        """Close the turn; its messages go, what came meanwhile is next. Fine for a cancelled turn as well."""
        await self._leased("done", lease, record, outcome)

    async def fail(self, lease: Lease, record: bytes, reason: str) -> bool:
        """Use up one attempt: the turn runs again after a backoff, ahead of what waits; True when it is dead."""
        return await self._leased("fail", lease, record, reason, random.random()) == b"DEAD"

    async def defer(
        self, lease: Lease, record: bytes, retry_in_ms: int, reason: str, *, awaits_receipt: bool = False
    ) -> None:
        """Hand the turn back without using an attempt; it runs again in `retry_in_ms`, or with the awaited receipt."""
        await self._leased("defer", lease, record, reason, max(0, retry_in_ms), int(awaits_receipt))

    async def bury(self, lease: Lease, record: bytes, reason: str) -> None:
        """Make the turn a dead letter; the conversation goes on."""
        await self._leased("bury", lease, record, reason)

    async def _leased(self, function: str, lease: Lease, *arguments: Argument) -> bytes:
        answer: bytes = await self._functions.call(
            function,
            lease.conversation_id,
            lease.turn_id,
            lease.token_id,
            lease.lane,
            lease.consumer,
            lease.attempt,
            *arguments,
        )
        if answer == b"LOST":
            raise LeaseLost("the turn belongs to somebody else by now")
        if answer == b"CANCELLED":
            raise TurnCancelled("the turn was cancelled")
        return answer

    # -- holding back ---------------------------------------------------------------------------------------------

    async def hold_sending(self, until_ms: int, reason: str) -> None:
        """Nothing may be sent with this account until `until_ms`; every worker is told."""
        await self._functions.guarded(lambda: self._redis.set(key("hold"), reason, pxat=until_ms))

    async def stop_sending(self, reason: str, *, until_ms: int | None = None, at_ms: int | None = None) -> bool:
        """The channel said that nothing can be sent any more: until then, or until it or an operator takes it back.

        `at_ms` is when it said so (None: now); what is older than the last word on sending changes nothing. Whether it
        changed something.
        """
        return bool(await self._functions.call("rule_sending", "stop", reason, until_ms or 0, at_ms or 0))

    async def release_sending(self, *, at_ms: int | None = None) -> bool:
        """Sending may go on, said `at_ms` (None: now); whether it was held or stopped."""
        return bool(await self._functions.call("rule_sending", "resume", "", 0, at_ms or 0))

    async def sending_held(self) -> float | None:
        """Seconds until it is worth asking again whether sending may go on; None when it may."""
        holds = (self._redis.pttl(key(name)) for name in ("hold", "stopped"))
        hold_ms, stopped_ms = await self._functions.guarded(lambda: asyncio.gather(*holds))
        # A stop may be taken back any time, so it is looked at often.
        waits_ms = [*([hold_ms] if hold_ms > 0 else []), *([min(stopped_ms, ASK_AGAIN_MS)] if stopped_ms > 0 else [])]
        return max(waits_ms) / 1000 if waits_ms else None

    async def stopped_because(self) -> str | None:
        """Why nothing may be sent, where the channel said so; None while sending is not stopped."""
        reason: Any = await self._functions.guarded(lambda: self._redis.get(key("stopped")))
        return reason.decode() if reason is not None else None

    async def reserve_send(
        self,
        endpoint_id: str,
        recipient: str,
        *,
        number: tuple[float, float],
        pair: tuple[float, float],
        longest_wait_ms: float,
    ) -> float:
        """Book one send of a number to a person among all workers; the seconds to wait before it.

        `number` and `pair` are limits: milliseconds a send, and how many at once. A wait beyond `longest_wait_ms` is
        told and not booked.
        """
        return float(
            await self._functions.call("reserve_send", endpoint_id, recipient, *number, *pair, longest_wait_ms) / 1000
        )

    # -- news of the account --------------------------------------------------------------------------------------

    async def alert(self, alert: AccountAlert, at_ms: int) -> None:
        """Keep what the channel said of the account, and stop or resume sending where it said so."""
        await self._functions.guarded(lambda: keep_alert(self._redis, alert, at_ms))
        if alert.sending is Sending.STOPPED:
            reason = f"{alert.topic}: {alert.event} {alert.details}".strip()
            await self.stop_sending(reason, until_ms=alert.until_ms, at_ms=alert.at_ms)
        elif alert.sending is Sending.RESUMED:
            await self.release_sending(at_ms=alert.at_ms)

    async def alerts(self) -> tuple[tuple[int, AccountAlert], ...]:
        """What the channel said of the account, newest first, with the time of each."""
        return await self._functions.guarded(lambda: recent_alerts(self._redis))


def _token(lane: Lane, consumer: str, token_id: str, entry: Mapping[bytes, bytes]) -> Token:
    conversation_id = entry[b"conversation"].decode()
    return Token(token_id=token_id, lane=lane, consumer=consumer, conversation_id=conversation_id)


def _block(block_ms: int) -> int | None:
    """None for not waiting (0 would wait for ever), at most what the client's own time-out leaves room for."""
    return min(block_ms, MAX_BLOCK_MS) if block_ms > 0 else None

"""Makes what a channel read durable: messages into the mailbox, receipts to their turns. Answers nobody.

An item of which no bytes can be made is counted and costs its neighbours nothing. Whatever else keeps one from being
durable, a store that does not answer or a fault of ours, is InboxUnavailable, so that the channel delivers again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import assert_never

import orjson
import structlog

from bot.burst import RECORDED_ONLY
from bot.commands import CommandKind, parse_command
from bot.mailbox import Effect, Incoming, Lane, Mailbox, MailboxError
from bot.metrics import Metrics
from bot.wire import dump_message
from webhooks.contract import InboxUnavailable, curable_by_repair
from webhooks.messages import (
    AccountAlert,
    HumanEcho,
    InboundMessage,
    MarketingChoice,
    MessageKind,
    Severity,
    StatusKind,
    StatusUpdate,
    Update,
)

log = structlog.get_logger()


class MailboxInbox:
    """The Inbox of `webhooks.contract` on the durable mailbox."""

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        metrics: Metrics,
        takeover_s: float,
        persona_words: Callable[[], Mapping[str, str]],
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._mailbox = mailbox
        self._metrics = metrics
        self._takeover_s = takeover_s
        self._persona_words = persona_words
        self._now_ms = now_ms

    async def accept(self, updates: Sequence[Update]) -> None:
        """Return when all are durable; raises InboxUnavailable when one may not be."""
        if len(updates) == 1:  # nearly every webhook: no task needed
            await self._keep_or_count(updates[0])
            return
        results = await asyncio.gather(*map(self._keep_or_count, updates), return_exceptions=True)
        for result in results:
            if result is not None:
                raise result

    async def _keep_or_count(self, update: Update) -> None:
        try:
            await self._keep(update)
        except MailboxError as error:
            raise InboxUnavailable("the store did not take a message") from error
        except (UnicodeEncodeError, orjson.JSONEncodeError) as error:
            self._metrics.errors.labels("VALIDATION").inc()
            log.error("update not encodable", error=type(error).__name__)
        except Exception as error:
            self._metrics.errors.labels("UNKNOWN").inc()
            log.error("update not kept", update=type(update).__name__, error=type(error).__name__, exc_info=error)
            raise InboxUnavailable("an update could not be kept") from error

    async def _keep(self, update: Update) -> None:
        match update:
            case InboundMessage():
                await self._keep_message(update)
            case StatusUpdate():
                await self._keep_receipt(update)
            case HumanEcho():
                await self._keep_echo(update)
            case AccountAlert():
                await self._keep_alert(update)
            case MarketingChoice():
                await self._mailbox.note_marketing_choice(update)
            case _:
                assert_never(update)

    async def _keep_message(self, message: InboundMessage) -> None:
        effect = self._effect(message)
        result = await self._mailbox.put(
            Incoming(
                channel=message.channel,
                endpoint_id=message.endpoint_id,
                message_id=message.message_id,
                person=message.sender,
                at_ms=message.at_ms,
                payload=dump_message(message),
                lane=Lane.FAST if effect in {Effect.COMMAND, Effect.STOP} else Lane.VOICE,
                effect=effect,
                target_id=message.target_id,
                media=message.kind is MessageKind.AUDIO and message.media is not None,
            )
        )
        if result.duplicate:  # what is read is counted by the receiver
            self._metrics.updates.labels("duplicate", message.kind).inc()

    def _effect(self, message: InboundMessage) -> Effect:
        if message.group_id is not None:
            return Effect.RECORD  # said to a group: nobody is answered in private for it, and no command is obeyed
        if message.kind is MessageKind.REVOKE and message.target_id:
            return Effect.REVOKE
        if message.kind in RECORDED_ONLY:
            return Effect.RECORD
        command = parse_command(message.text, message.payload, personas=self._persona_words())
        if command is None or command.kind in {CommandKind.CONFIRM_DELETE, CommandKind.CANCEL_DELETE}:
            return Effect.MESSAGE
        return Effect.STOP if command.kind is CommandKind.STOP else Effect.COMMAND

    async def _keep_receipt(self, update: StatusUpdate) -> None:
        self._metrics.receipts.labels(update.status).inc()
        fault = update.faults[0].code if update.faults else None
        if update.status is StatusKind.FAILED:
            self._metrics.failures.labels(str(fault)).inc()
            log.warning("a send failed later", code=fault, callback=update.callback_data)
        if update.callback_data is None:
            self._metrics.updates.labels("receipt without callback", update.status).inc()
            return
        await self._mailbox.receipt(
            endpoint_id=update.endpoint_id,
            callback_data=update.callback_data,
            status=update.status,
            at_ms=update.at_ms,
            message_id=update.message_id,
            fault_code=fault,
            curable=curable_by_repair(update.faults),
        )

    async def _keep_alert(self, alert: AccountAlert) -> None:
        await self._mailbox.alert(alert, self._now_ms())
        self._metrics.alerts.labels("account").inc()
        say = log.info if alert.severity is Severity.INFO else log.error
        say(
            "account alert",
            topic=alert.topic,
            happened=alert.event,
            details=alert.details,
            severity=alert.severity,
            sending=alert.sending,
            codes=[fault.code for fault in alert.faults],
        )

    async def _keep_echo(self, echo: HumanEcho) -> None:
        await self._mailbox.put(
            Incoming(
                channel=echo.channel,
                endpoint_id=echo.endpoint_id,
                message_id=echo.message_id,
                person=echo.recipient,
                at_ms=echo.at_ms,
                payload=b"",
                lane=Lane.FAST,
                effect=Effect.TAKEOVER,
                pause_s=self._takeover_s,
            )
        )

"""The receiver: `GET|POST /webhooks/whatsapp` on aiohttp. Knows what to answer, not what the messages are for.

A 200 means that the inbox has made every update durable, or that there was nothing for us. Whatever else happens, the
platform delivers again. The answers: 400 unreadable or compressed, 401 unsigned, 403 wrongly signed, 408 stalled,
413 too large, 503 with Retry-After while the store is down or slow.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiohttp import hdrs, web

from webhooks.contract import Inbox, InboxUnavailable, RecordingSink
from webhooks.messages import (
    AccountAlert,
    HumanEcho,
    InboundMessage,
    MarketingChoice,
    MessageKind,
    StatusUpdate,
    Update,
)
from webhooks.whatsapp.parse import Parsed, parse_webhook
from webhooks.whatsapp.refusals import (
    BadEncoding,
    BodyTooLarge,
    BodyTooSlow,
    SignatureMissing,
    SignatureWrong,
    WebhookRefused,
)
from webhooks.whatsapp.signature import SIGNATURE_HEADER, verify_handshake, verify_signature

PATH = "/webhooks/whatsapp"

MOST_RECORDINGS = 32
"""So many recordings may be under way; what comes while a disk hangs is not recorded, or it would pile up in memory."""

Handler = Callable[[web.Request], Awaitable[web.Response]]

log = structlog.get_logger()


class Count(Protocol):
    """Where the receiver counts. Both words come from short fixed lists, so they fit as a metric's labels.

    Events: `message` (kind: MessageKind), `status` (StatusKind), `echo`, `alert`, `preference`, each counted when
    durable;
    `foreign` (the same kinds, for numbers that are not ours); `rejected` (RejectReason); `refused` (the reason of a
    WebhookRefused); `unavailable` (`inbox` or `deadline`).
    """

    def __call__(self, event: str, kind: str) -> None:
        """Add one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverConfig:
    """What the receiver must be told. Updates for numbers outside `phone_number_ids` are counted and left alone."""

    app_secrets: tuple[str, ...] = field(repr=False)
    verify_token: str = field(repr=False)
    phone_number_ids: frozenset[str]
    max_body_bytes: int = 4 * 2**20
    read_deadline_s: float = 10.0
    accept_deadline_s: float = 2.0
    retry_after_s: int = 5


def add_routes(
    app: web.Application,
    config: ReceiverConfig,
    inbox: Inbox,
    *,
    recording: RecordingSink | None = None,
    count: Count,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    around: Callable[[Handler], Handler] = lambda handler: handler,
) -> None:
    """Hang the receiver into `app`, each handler wrapped by `around`.

    Its own body limit holds, whatever the application's `client_max_size`.
    """
    receiver = _Receiver(config=config, inbox=inbox, recording=recording, count=count, now_ms=now_ms)
    app.router.add_get(PATH, around(receiver.handshake), allow_head=False)
    app.router.add_post(PATH, around(receiver.deliver))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receiver:
    config: ReceiverConfig
    inbox: Inbox
    recording: RecordingSink | None
    count: Count
    now_ms: Callable[[], int]
    recordings_under_way: set[asyncio.Task[None]] = field(default_factory=set)  # held, or they may be collected

    async def handshake(self, request: web.Request) -> web.Response:
        try:
            challenge = verify_handshake(request.query, self.config.verify_token)
        except WebhookRefused as refused:
            return self._refuse(refused)
        return web.Response(text=challenge, headers={"X-Content-Type-Options": "nosniff"})

    async def deliver(self, request: web.Request) -> web.Response:
        try:
            body = await self._read(request)
            self._authenticate(body, request.headers)
        except WebhookRefused as refused:
            return self._refuse(refused)
        if self.recording is None:
            return await self._take(body)
        if len(self.recordings_under_way) >= MOST_RECORDINGS:
            log.warning("webhook_not_recorded", error="the disk does not keep up")
            return await self._take(body)
        recorded = self._record(self.recording, request.headers, body)
        ends_s = time.monotonic() + self.config.accept_deadline_s
        answer = await self._take(body)
        # A slow disk may use what is left of the deadline, never more, and costs no message.
        await asyncio.wait((recorded,), timeout=max(0.0, ends_s - time.monotonic()))
        return answer

    async def _take(self, body: bytes) -> web.Response:
        try:
            updates = self._ours(parse_webhook(body))
        except WebhookRefused as refused:
            return self._refuse(refused)
        if updates:
            try:
                async with asyncio.timeout(self.config.accept_deadline_s):
                    await self.inbox.accept(updates)
            except (InboxUnavailable, TimeoutError) as error:
                return self._unavailable("deadline" if isinstance(error, TimeoutError) else "inbox")
            for update in updates:
                self.count(*_event(update))
        return web.Response()

    def _record(self, recording: RecordingSink, headers: Mapping[str, str], body: bytes) -> asyncio.Task[None]:
        async def record() -> None:
            try:
                await recording.record(received_at_ms=self.now_ms(), headers=headers, body=body)
            except Exception as error:
                log.error("webhook_not_recorded", error=type(error).__name__, exc_info=error)

        task = asyncio.create_task(record())
        self.recordings_under_way.add(task)
        task.add_done_callback(self.recordings_under_way.discard)
        return task

    async def _read(self, request: web.Request) -> bytes:
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
        if encoding not in {"", "identity"}:
            raise BadEncoding("a webhook is not compressed")
        limit = self.config.max_body_bytes
        if (request.content_length or 0) > limit:
            raise BodyTooLarge("the announced body is too large")
        if request.content.is_eof():  # the usual case: all of it came along with the headers
            body = request.content.read_nowait(-1)
            if len(body) > limit:
                raise BodyTooLarge("the body is too large")
            return body
        chunks: list[bytes] = []
        size_bytes = 0
        try:
            async with asyncio.timeout(self.config.read_deadline_s):
                async for chunk in request.content.iter_any():
                    size_bytes += len(chunk)
                    if size_bytes > limit:
                        raise BodyTooLarge("the body is too large")
                    chunks.append(chunk)
        except TimeoutError as error:
            raise BodyTooSlow("the body did not arrive in time") from error
        return b"".join(chunks)

    def _authenticate(self, body: bytes, headers: Mapping[str, str]) -> None:
        header = headers.get(SIGNATURE_HEADER)
        if not header:
            raise SignatureMissing("no signature")
        if not verify_signature(body, header, self.config.app_secrets):
            raise SignatureWrong("the signature is wrong")

    def _ours(self, parsed: Parsed) -> list[Update]:
        for rejected in parsed.rejected:
            self.count("rejected", rejected.reason)
            log.warning("webhook_item_rejected", path=rejected.path, reason=rejected.reason, detail=rejected.detail)
        ours: list[Update] = []
        for update in parsed.updates:
            if update.endpoint_id in self.config.phone_number_ids or isinstance(update, AccountAlert):
                ours.append(update)
            else:
                self.count("foreign", _event(update)[1])
            if isinstance(update, InboundMessage) and update.kind is MessageKind.UNSUPPORTED:
                codes = [fault.code for fault in update.faults]
                log.info("webhook_message_unsupported", raw_type=update.raw_type, codes=codes)
        return ours

    def _refuse(self, refused: WebhookRefused) -> web.Response:
        self.count("refused", refused.reason)
        log.warning("webhook_refused", reason=refused.reason, status=refused.status)
        return web.Response(status=refused.status, text=str(refused))

    def _unavailable(self, why: str) -> web.Response:
        self.count("unavailable", why)
        log.error("webhook_not_durable", why=why)
        return web.Response(status=503, headers={"Retry-After": str(self.config.retry_after_s)})


def _event(update: Update) -> tuple[str, str]:
    match update:
        case InboundMessage(kind=kind):
            return "message", kind
        case StatusUpdate(status=status):
            return "status", status
        case HumanEcho():
            return "echo", "echo"
        case AccountAlert():
            return "alert", "alert"
        case MarketingChoice():
            return "preference", "preference"

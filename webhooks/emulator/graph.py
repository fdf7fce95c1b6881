"""The business's door: the part of Graph that a bot calls, refused as strictly as Graph refuses.

It reads HTTP, asks `outbound` and `exchange`, and answers in Graph's words. It knows no page.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from webhooks.emulator import errors, outbound
from webhooks.emulator.config import EmulatorConfig
from webhooks.emulator.errors import BadForm, GraphError
from webhooks.emulator.exchange import Exchange
from webhooks.emulator.faults import Fault, Operation
from webhooks.emulator.forms import read_form
from webhooks.emulator.media import inspect
from webhooks.emulator.world import MEDIA_URL_TTL_S, UPLOADED_MEDIA_TTL_S, Media, Message

VOICE_MIME = "audio/ogg; codecs=opus"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Graph:
    """Handlers of the Graph routes."""

    def __init__(self, config: EmulatorConfig, exchange: Exchange) -> None:
        self._config = config
        self._exchange = exchange
        self._world = exchange.world
        self._faults = exchange.faults

    def routes(self) -> list[web.RouteDef]:
        """Every Graph route; `{version}` is checked in the handlers so that the refusal has Graph's shape."""
        return [
            web.post(r"/{version:v\d+\.\d+}/{object_id}/messages", _in_graphs_words(self.messages)),
            web.post(r"/{version:v\d+\.\d+}/{object_id}/media", _in_graphs_words(self.upload)),
            web.get(r"/{version:v\d+\.\d+}/debug_token", _in_graphs_words(self.debug_token)),
            web.get(r"/{version:v\d+\.\d+}/{object_id}", _in_graphs_words(self.lookup), allow_head=False),
            web.delete(r"/{version:v\d+\.\d+}/{object_id}", _in_graphs_words(self.delete)),
            web.get("/media-download/{media_id}", _in_graphs_words(self.download), allow_head=False),
        ]

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Send a message, or mark one as read. Answers with the wamid."""
        try:
            body = json.loads(await request.read())
        except ValueError as error:
            raise errors.bad_request("the body is not JSON") from error
        receipt = isinstance(body, dict) and "status" in body
        operation = Operation.RECEIPT if receipt else Operation.SEND
        phone_number_id = await self._enter(request, operation)
        checked = outbound.read(body)
        if isinstance(checked, outbound.MarkRead):
            self._exchange.business_reads(phone_number_id, checked)
            return web.json_response({"success": True})
        self._refuse_by_limit(operation)
        person, message = self._exchange.business_sends(phone_number_id, checked)
        contact = {"input": checked.to or checked.recipient, "user_id": person.user_id}
        if person.phone:
            contact["wa_id"] = person.phone
        answer = {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message.wamid}]}
        return await self._answer_then_deliver(request, answer, message)

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """Take a file, decode it, and answer with its id. What is wrong inside shows only when it is sent."""
        phone_number_id = await self._enter(request, Operation.UPLOAD)
        fields, file = await read_form(request)
        if fields.get("messaging_product") != "whatsapp":
            raise errors.missing_parameter("messaging_product must be 'whatsapp'")
        if "type" not in fields:
            raise errors.missing_parameter("type is required")
        if file is None or not file.data:
            raise errors.missing_parameter("file is required")
        if fields["type"] != VOICE_MIME or not file.mime_type.startswith("audio/ogg"):
            raise errors.bad_request(
                f"type {fields['type']!r} with a file of {file.mime_type!r}: this emulator takes {VOICE_MIME!r}"
            )
        facts = await asyncio.get_running_loop().run_in_executor(None, inspect, file.data)
        media = self._world.add_media(
            phone_number_id=phone_number_id,
            data=file.data,
            mime_type=VOICE_MIME,
            filename=file.filename,
            ttl_s=UPLOADED_MEDIA_TTL_S,
            audio=facts,
        )
        return web.json_response({"id": media.id})

    async def lookup(self, request: web.Request) -> web.StreamResponse:
        """What is known of a phone number, or where a file can be fetched for the next 5 minutes."""
        self._check_token(request)
        object_id = request.match_info["object_id"]
        if number := self._world.numbers.get(object_id):
            await self._misbehave(request, Operation.OTHER)
            return web.json_response(
                {
                    "id": number.phone_number_id,
                    "display_phone_number": number.display_phone_number,
                    "verified_name": number.verified_name,
                }
            )
        await self._misbehave(request, Operation.LOOKUP)
        media = self._media(object_id)
        if self._faults.take(Fault.EXPIRED_MEDIA, Operation.LOOKUP):
            raise errors.missing_object(object_id)
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "id": media.id,
                "url": media_url(self._config, request, media, self._world.clock()),
                "mime_type": media.mime_type,
                "sha256": media.sha256().hex(),
                "file_size": len(media.data),
            }
        )

    async def download(self, request: web.Request) -> web.StreamResponse:
        """The file itself: needs the token again, a User-Agent, and a URL not older than 5 minutes."""
        self._check_token(request)
        await self._misbehave(request, Operation.DOWNLOAD)
        media = self._media(request.match_info["media_id"])
        if not request.headers.get("User-Agent"):
            raise GraphError(100, "A User-Agent header is required", http_status=400)
        ticket = request.query.get("ticket", "")
        if not hmac.compare_digest(ticket.encode(), _ticket(self._config, media.id, request.query.get("expires", ""))):
            raise GraphError(100, "The media URL is not valid", http_status=403)
        if float(request.query["expires"]) < self._world.clock():
            raise GraphError(100, "The media URL has expired", http_status=404, subcode=33)
        return web.Response(body=media.data, headers={"Content-Type": media.mime_type})

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """Forget a file."""
        self._check_token(request)
        await self._misbehave(request, Operation.DELETE)
        self._world.delete_media(self._media(request.match_info["object_id"]).id)
        return web.json_response({"success": True})

    async def debug_token(self, request: web.Request) -> web.StreamResponse:
        """Whether `input_token` is the one this emulator accepts; it knows nothing else about tokens."""
        self._check_token(request)
        await self._misbehave(request, Operation.OTHER)
        valid = _same(request.query.get("input_token", ""), self._config.access_token)
        scopes = ["whatsapp_business_messaging", "whatsapp_business_management"] if valid else []
        return web.json_response({"data": {"is_valid": valid, "type": "SYSTEM_USER", "scopes": scopes}})

    async def _enter(self, request: web.Request, operation: Operation) -> str:
        """The phone number id of the path, once token and faults let the request pass."""
        self._check_token(request)
        await self._misbehave(request, operation)
        phone_number_id = request.match_info["object_id"]
        if phone_number_id not in self._world.numbers:
            raise errors.missing_object(phone_number_id)
        return phone_number_id

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _same(token, self._config.access_token):
            raise errors.bad_token()
        version = request.match_info.get("version")
        if version is not None and _version(version) > _version(self._config.api_version):
            raise GraphError(2500, "Unknown API version", details=f"The newest is {self._config.api_version}")

    def _media(self, media_id: str) -> Media:
        media = self._world.media(media_id)
        if media is None:
            raise errors.missing_object(media_id)
        return media

    async def _misbehave(self, request: web.Request, operation: Operation) -> None:
        """Act out slow, reset and down if they are armed for this operation."""
        if slow := self._faults.take(Fault.SLOW, operation):
            await asyncio.sleep(slow.delay_ms / 1000)
        if self._faults.take(Fault.RESET, operation):
            _hang_up(request)
            raise web.HTTPServiceUnavailable
        if self._faults.take(Fault.DOWN, operation):
            raise GraphError(131016, "Service unavailable", http_status=503)

    def _refuse_by_limit(self, operation: Operation) -> None:
        if limit := self._faults.take(Fault.RATE_LIMIT, operation):
            raise GraphError(
                130429,
                "Rate limit hit",
                details="Too many messages",
                http_status=429,
                retry_after_s=limit.retry_after_s,
            )
        if self._faults.take(Fault.PAIR_LIMIT, operation):
            raise GraphError(131056, "Pair rate limit hit", details="Too many messages to this person in a short time")

    async def _answer_then_deliver(
        self, request: web.Request, answer: dict[str, Any], message: Message
    ) -> web.StreamResponse:
        """Let the answer leave before the receipts do, or lose the answer when that fault is armed."""
        response = web.json_response(answer)
        if self._faults.take(Fault.AMBIGUOUS, Operation.SEND):
            _hang_up(request)
        else:
            with contextlib.suppress(ConnectionError):  # who asked may be gone: the message goes its way all the same
                await response.prepare(request)
                await response.write_eof()
        self._exchange.deliver(message)
        return response


def media_url(config: EmulatorConfig, request: web.Request, media: Media, now_s: float) -> str:
    """A URL for a file, good for 5 minutes with the bearer token."""
    expires = str(int(now_s + MEDIA_URL_TTL_S))
    origin = config.public_url or str(request.url.origin())
    ticket = _ticket(config, media.id, expires).decode()
    return f"{origin.rstrip('/')}/media-download/{media.id}?expires={expires}&ticket={ticket}"


def media_sha256_base64(media: Media) -> str:
    """The digest as webhooks carry it."""
    return base64.b64encode(media.sha256()).decode()


def _in_graphs_words(handler: Handler) -> Handler:
    """Translate errors into Graph's envelope, the only translator of this edge."""

    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            try:
                return await handler(request)
            except BadForm as error:
                raise errors.bad_request(str(error)) from error
        except GraphError as error:
            headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
            return web.json_response(error.body(), status=error.http_status, headers=headers)

    return wrapped


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())


def _ticket(config: EmulatorConfig, media_id: str, expires: str) -> bytes:
    return hmac.new(config.app_secret.encode(), f"{media_id}:{expires}".encode(), "sha256").hexdigest().encode()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))

"""The people's door as JSON: whatever a hand can do on the phone page, a test or a developer does here.

It reads HTTP, asks `exchange`, and describes what it finds. It knows no Graph rules and draws nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from dataclasses import asdict
from typing import Any

from aiohttp import web

from webhooks.emulator.bodies import PersonBody, ReceiptBody, WriteBody, read_body
from webhooks.emulator.captions import Captions
from webhooks.emulator.config import EmulatorConfig
from webhooks.emulator.errors import PhoneError
from webhooks.emulator.exchange import RECEIPTS, Exchange
from webhooks.emulator.forms import read_form
from webhooks.emulator.graph import VOICE_MIME, media_sha256_base64, media_url
from webhooks.emulator.media import inspect, to_voice_note
from webhooks.emulator.payloads import digits
from webhooks.emulator.views import describe_message, describe_person
from webhooks.emulator.world import WEBHOOK_MEDIA_TTL_S, Failure, Media, Person

LONGEST_WAIT_S = 60.0


class Control:
    """Handlers of the JSON control API."""

    def __init__(self, config: EmulatorConfig, exchange: Exchange, *, captions: Captions | None = None) -> None:
        self._captions = captions
        self._config = config
        self._exchange = exchange
        self._world = exchange.world

    def routes(self) -> list[web.RouteDef]:
        """Every control route, all under `/emulator/api`."""
        api = "/emulator/api"
        chat = api + "/conversations/{person}/{phone_number_id}"
        return [
            web.get(api + "/state", self.state),
            web.post(api + "/people", self.add_person),
            web.post(api + "/people/{person}/messages", self.write),
            web.post(api + "/people/{person}/voice", self.speak),
            web.get(chat, self.conversation),
            web.post(chat + "/read", self.read),
            web.post(chat + "/close-window", self.close_window),
            web.get(api + "/messages/{wamid}/caption", self.caption),
            web.post(api + "/messages/{wamid}/receipts", self.receipt),
            web.get(api + "/media/{media_id}", self.media),
        ]

    async def state(self, request: web.Request) -> web.Response:
        """People with their unread counts and newest message for one number, and the numbers."""
        phone_number_id = self._number(request.query.get("phone_number_id"))
        return web.json_response(
            {
                "numbers": [asdict(number) for number in self._world.numbers.values()],
                "phone_number_id": phone_number_id,
                "people": [
                    describe_person(person, self._world.conversation(person.id, phone_number_id), self._world.media)
                    for person in self._world.people.values()
                ],
            }
        )

    async def add_person(self, request: web.Request) -> web.Response:
        """Somebody new gets a phone."""
        body = await read_body(request, PersonBody)
        phone = digits(body.phone) if body.phone else None
        if phone is not None and not 8 <= len(phone) <= 15:
            raise PhoneError("a phone number has 8 to 15 digits, country code included")
        if phone is None and body.username is None:
            raise PhoneError("give a phone number or a username")
        person = self._world.add_person(name=body.name, phone=phone, username=body.username)
        return web.json_response(asdict(person), status=201)

    async def write(self, request: web.Request) -> web.Response:
        """A person sends a message of any type."""
        person = self._person(request)
        body = await read_body(request, WriteBody)
        phone_number_id = self._number(body.phone_number_id)
        node, media = body.node, None
        if body.text is not None:
            if body.type != "text" or node is not None:
                raise PhoneError("'text' is for messages of type text, without 'node'")
            node = {"body": body.text}
        if body.media_base64 is not None:
            media = await self._keep(phone_number_id, _decode(body.media_base64), body.mime_type, body.filename)
            node = {**(node or {}), **self._media_node(request, media)}
        if body.type == "text" and not (isinstance(node, dict) and node.get("body")):
            raise PhoneError("there is no text")
        if body.type in {"reaction", "audio"} and not isinstance(node, dict):
            raise PhoneError(f"a message of type {body.type} needs a 'node' object")
        message = self._exchange.person_writes(
            person, phone_number_id, kind=body.type, node=node, context_id=body.reply_to, media=media
        )
        return web.json_response(describe_message(message, self._world.media), status=202)

    async def speak(self, request: web.Request) -> web.Response:
        """A person sends a voice note: any recording in the form's `file`, made Ogg/Opus mono here."""
        person = self._person(request)
        fields, file = await read_form(request)
        phone_number_id = self._number(fields.get("phone_number_id") or None)
        if file is None or not file.data:
            raise PhoneError("the form has no recording in 'file'")
        note = await asyncio.get_running_loop().run_in_executor(None, to_voice_note, file.data)
        media = await self._keep(phone_number_id, note, VOICE_MIME, "voice.ogg")
        message = self._exchange.person_writes(
            person,
            phone_number_id,
            kind="audio",
            node={**self._media_node(request, media), "voice": True},
            context_id=fields.get("reply_to") or None,
            media=media,
        )
        return web.json_response(describe_message(message, self._world.media), status=202)

    async def conversation(self, request: web.Request) -> web.Response:
        """What changed in a chat after revision `since`; with `wait_s` it waits that long for something to change."""
        person, phone_number_id = self._chat(request)
        since = _number_of(request, "since", 0.0)
        wait_s = min(_number_of(request, "wait_s", 0.0), LONGEST_WAIT_S)
        if wait_s > 0:
            await self._until_changed(person.id, phone_number_id, int(since), wait_s)
        return web.json_response(
            {
                "revision": self._world.revision,
                "typing_s": round(self._world.typing_left_s(person.id, phone_number_id), 1),
                "window_open": self._world.window_open(person.id, phone_number_id),
                "messages": [
                    describe_message(message, self._world.media)
                    for message in self._world.conversation(person.id, phone_number_id, since=int(since))
                ],
            }
        )

    async def read(self, request: web.Request) -> web.Response:
        """The person looks at the chat."""
        person, phone_number_id = self._chat(request)
        return web.json_response({"read": self._exchange.person_reads(person.id, phone_number_id)})

    async def close_window(self, request: web.Request) -> web.Response:
        """Let the 24 h window of a chat end now."""
        person, phone_number_id = self._chat(request)
        self._world.close_window(person.id, phone_number_id)
        return web.json_response({"window_open": False})

    async def caption(self, request: web.Request) -> web.Response:
        """What the business says of its message; null where it says nothing, or nobody was told whom to ask."""
        message = self._world.message(request.match_info["wamid"])
        found = None
        if self._captions is not None and message.callback_data:
            found = await self._captions(message.callback_data)
        return web.json_response({"caption": asdict(found) if found else None})

    async def receipt(self, request: web.Request) -> web.Response:
        """A receipt happens for a message of the business: `played` from the page, any from a test."""
        body = await read_body(request, ReceiptBody)
        if body.status not in (*RECEIPTS, "failed"):
            raise PhoneError(f"a receipt is one of {', '.join(RECEIPTS)} or failed")
        failure = None
        if body.status == "failed":
            failure = Failure(code=body.code, title="Message failed", details=body.details)
        message = self._exchange.receipt(request.match_info["wamid"], body.status, failure=failure)
        return web.json_response(describe_message(message, self._world.media))

    async def media(self, request: web.Request) -> web.Response:
        """A file for the page's player, by byte range when asked, so that seeking works."""
        media = self._world.media(request.match_info["media_id"])
        if media is None:
            raise PhoneError("no such file, or it has expired", http_status=404)
        # Only sound and pictures are shown in place: an uploaded page must never run under this origin.
        shown = media.mime_type.startswith(("audio/", "image/png", "image/jpeg", "image/webp"))
        headers = {
            "Accept-Ranges": "bytes",
            "Content-Type": media.mime_type if shown else "application/octet-stream",
            "Content-Disposition": "inline" if shown else "attachment",
        }
        try:
            asked = request.http_range
        except ValueError:
            raise web.HTTPRequestRangeNotSatisfiable from None
        if asked.start is None and asked.stop is None:
            return web.Response(body=media.data, headers=headers)
        start, stop, _ = asked.indices(len(media.data))
        if start >= stop:
            raise web.HTTPRequestRangeNotSatisfiable
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(media.data)}"
        return web.Response(status=206, body=media.data[start:stop], headers=headers)

    async def _until_changed(self, person_id: str, phone_number_id: str, since: int, wait_s: float) -> None:
        changed = asyncio.Event()
        stop = self._world.listen(lambda _: changed.set())
        try:
            async with asyncio.timeout(wait_s):
                while not self._world.conversation(person_id, phone_number_id, since=since):
                    changed.clear()
                    await changed.wait()
        except TimeoutError:
            return
        finally:
            stop()

    async def _keep(self, phone_number_id: str, data: bytes, mime_type: str, filename: str) -> Media:
        facts = None
        if mime_type.startswith("audio/"):
            facts = await asyncio.get_running_loop().run_in_executor(None, inspect, data)
        return self._world.add_media(
            phone_number_id=phone_number_id,
            data=data,
            mime_type=mime_type,
            filename=filename,
            ttl_s=WEBHOOK_MEDIA_TTL_S,
            audio=facts,
        )

    def _media_node(self, request: web.Request, media: Media) -> dict[str, Any]:
        return {
            "id": media.id,
            "mime_type": media.mime_type,
            "sha256": media_sha256_base64(media),
            "url": media_url(self._config, request, media, self._world.clock()),
        }

    def _person(self, request: web.Request) -> Person:
        return self._world.person(request.match_info["person"])

    def _number(self, phone_number_id: str | None) -> str:
        if phone_number_id is None:
            return next(iter(self._world.numbers))
        return self._world.number(phone_number_id).phone_number_id

    def _chat(self, request: web.Request) -> tuple[Person, str]:
        return self._person(request), self._number(request.match_info["phone_number_id"])


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise PhoneError("media_base64 is not base64") from error


def _number_of(request: web.Request, name: str, default: float) -> float:
    try:
        return float(request.query.get(name, default))
    except ValueError as error:
        raise PhoneError(f"{name} must be a number") from error

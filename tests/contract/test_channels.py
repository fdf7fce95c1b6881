"""What every channel owes its callers: run against the fake that ships and against the Cloud API client.

The client talks to a server that is stricter than the platform: it takes only what the documentation shows.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from webhooks.contract import Channel, MediaRefused, MediaUnavailable, Refused
from webhooks.fake_channel import FakeChannel
from webhooks.messages import MediaRef, Menu, MenuRow, Person
from webhooks.whatsapp.client import WhatsAppClient
from webhooks.whatsapp.graph import GraphConfig

NUMBER = "106540352242922"
ANA = Person(phone="5511987654321", user_id="BR.1349")
RUI = Person(user_id="PT.778")
NOTE = b"OggS" + bytes(range(256))
MENU = Menu(button="Escolher", rows=(MenuRow(id="persona:lia", title="Lia", description="Fala calma"),))


@dataclass
class Delivered:
    """What arrived, in words that every channel's world can say."""

    to: str
    kind: str
    content: str
    quote: str | None
    callback_data: str


class World(Protocol):
    """The other end of a channel."""

    channel: Channel

    def delivered(self) -> list[Delivered]: ...
    def reads(self) -> list[tuple[str, bool]]: ...
    def receive_media(self, media_id: str, data: bytes) -> None: ...


class FakeWorld:
    def __init__(self) -> None:
        self.fake = FakeChannel()
        self.channel: Channel = self.fake

    def delivered(self) -> list[Delivered]:
        return [
            Delivered(
                to=sent.to.phone or sent.to.user_id or "",
                kind="menu" if sent.menu else "text" if sent.body else "voice",
                content=sent.body or sent.media_id or "",
                quote=sent.quote,
                callback_data=sent.callback_data,
            )
            for sent in self.fake.sent
        ]

    def reads(self) -> list[tuple[str, bool]]:
        return self.fake.reads

    def receive_media(self, media_id: str, data: bytes) -> None:
        self.fake.media[media_id] = data


@dataclass
class StrictGraph:
    """A Graph API that answers 400 to everything the documentation does not show."""

    channel: Channel = field(init=False)
    base_url: str = ""
    media: dict[str, bytes] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[tuple[str, bool]] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.authenticated])
        app.router.add_post(f"/v26.0/{NUMBER}/messages", self.post_message)
        app.router.add_post(f"/v26.0/{NUMBER}/media", self.post_media)
        app.router.add_get("/v26.0/{media_id}", self.get_media)
        app.router.add_delete("/v26.0/{media_id}", self.delete_media)
        app.router.add_get("/cdn/{media_id}", self.get_bytes)
        return app

    @staticmethod
    @web.middleware
    async def authenticated(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer t0ken":
            return error(401, 190)
        if request.headers.get("User-Agent") != "recado/test":
            return error(400, 100)
        return await handler(request)

    async def post_message(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            return error(400, 100)
        message = await request.json()
        if message.pop("messaging_product", None) != "whatsapp":
            return error(400, 100)
        if message.get("status") == "read":
            typing = message.pop("typing_indicator", None)
            if set(message) != {"status", "message_id"} or typing not in (None, {"type": "text"}):
                return error(400, 100)
            self.receipts.append((message["message_id"], typing is not None))
            return web.json_response({"success": True})
        if not self.well_formed(message):
            return error(400, 100)
        if message["type"] == "audio" and message["audio"]["id"] not in self.media:
            return error(400, 100, subcode=33)
        self.messages.append(message)
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": "x", "wa_id": "x"}],
                "messages": [{"id": f"wamid.{len(self.messages)}"}],
            }
        )

    @staticmethod
    def well_formed(message: dict[str, Any]) -> bool:
        shapes = {
            "audio": {"id": str, "voice": bool},
            "text": {"body": str, "preview_url": bool},
            "interactive": {"type": str, "body": dict, "action": dict},
        }
        kind = message.get("type", "")
        required = {"recipient_type", "type", kind, "biz_opaque_callback_data"}
        address = {"to", "recipient"} & set(message)
        node = message.get(kind, {})
        return (
            kind in shapes
            and len(address) == 1
            and required | address == set(message) - {"context"}
            and message["recipient_type"] == "individual"
            and set(message.get("context", {"message_id"})) == {"message_id"}
            and {key: type(value) for key, value in node.items()} == shapes[kind]
        )

    async def post_media(self, request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        if (
            set(form) != {"messaging_product", "type", "file"}
            or form["messaging_product"] != "whatsapp"
            or form["type"] != "audio/ogg; codecs=opus"
            or not isinstance(file, web.FileField)
            or file.headers["Content-Type"] != "audio/ogg; codecs=opus"
            or not file.filename.endswith(".ogg")
        ):
            return error(400, 100)
        media_id = f"media-{len(self.media)}"
        self.media[media_id] = file.file.read()
        return web.json_response({"id": media_id})

    async def get_media(self, request: web.Request) -> web.Response:
        media_id = request.match_info["media_id"]
        if media_id not in self.media:
            return error(400, 100, subcode=33)
        return web.json_response(
            {
                "messaging_product": "whatsapp",
                "url": f"{self.base_url}/cdn/{media_id}",
                "mime_type": "audio/ogg",
                "sha256": hashlib.sha256(self.media[media_id]).hexdigest(),
                "file_size": len(self.media[media_id]),
                "id": media_id,
            }
        )

    async def get_bytes(self, request: web.Request) -> web.Response:
        return web.Response(body=self.media[request.match_info["media_id"]])

    async def delete_media(self, request: web.Request) -> web.Response:
        if self.media.pop(request.match_info["media_id"], None) is None:
            return error(400, 100, subcode=33)
        return web.json_response({"success": True})

    def delivered(self) -> list[Delivered]:
        found = []
        for message in self.messages:
            node = message[message["type"]]
            if message["type"] == "audio":
                kind, content = "voice" if node["voice"] else "file", node["id"]
            elif message["type"] == "text":
                kind, content = "text", node["body"]
            else:
                kind, content = "menu", node["body"]["text"]
            found.append(
                Delivered(
                    to=message.get("to") or message["recipient"],
                    kind=kind,
                    content=content,
                    quote=message.get("context", {}).get("message_id"),
                    callback_data=message["biz_opaque_callback_data"],
                )
            )
        return found

    def reads(self) -> list[tuple[str, bool]]:
        return self.receipts

    def receive_media(self, media_id: str, data: bytes) -> None:
        self.media[media_id] = data


def error(status: int, code: int, *, subcode: int | None = None) -> web.Response:
    return web.json_response({"error": {"message": "refused", "code": code, "error_subcode": subcode}}, status=status)


@pytest.fixture(params=["fake", "whatsapp"])
async def world(
    request: pytest.FixtureRequest, aiohttp_server: Callable[[web.Application], Awaitable[TestServer]]
) -> AsyncIterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    graph = StrictGraph()
    server = await aiohttp_server(graph.app())
    graph.base_url = str(server.make_url("")).rstrip("/")
    config = GraphConfig(access_token="t0ken", base_url=graph.base_url, user_agent="recado/test")
    async with httpx.AsyncClient() as http:
        graph.channel = WhatsAppClient.over(http, config)
        yield graph


async def test_a_voice_note_is_uploaded_and_sent_as_a_voice_message(world: World) -> None:
    media_id = await world.channel.upload_voice(NUMBER, NOTE)
    await world.channel.send_voice(NUMBER, ANA, media_id, quote="wamid.in", callback_data="t:0:1")
    assert world.delivered() == [
        Delivered(to="5511987654321", kind="voice", content=media_id, quote="wamid.in", callback_data="t:0:1")
    ]


async def test_an_uploaded_note_comes_back_byte_for_byte(world: World) -> None:
    media_id = await world.channel.upload_voice(NUMBER, NOTE)
    media = MediaRef(media_id=media_id, mime_type="audio/ogg")
    assert await world.channel.download(NUMBER, media, max_bytes=len(NOTE)) == NOTE


async def test_text_is_sent_with_its_callback_data(world: World) -> None:
    await world.channel.send_text(NUMBER, ANA, "Olá 😊", quote=None, callback_data="t:1:1")
    assert world.delivered() == [
        Delivered(to="5511987654321", kind="text", content="Olá 😊", quote=None, callback_data="t:1:1")
    ]


async def test_a_menu_is_sent(world: World) -> None:
    await world.channel.send_menu(NUMBER, ANA, "Com quem?", MENU, quote=None, callback_data="t:2:1")
    assert [(item.kind, item.content) for item in world.delivered()] == [("menu", "Com quem?")]


async def test_a_person_without_a_phone_number_is_reached(world: World) -> None:
    await world.channel.send_text(NUMBER, RUI, "Oi", quote=None, callback_data="t")
    assert [item.to for item in world.delivered()] == ["PT.778"]


async def test_every_send_has_an_id_of_its_own(world: World) -> None:
    ids = [await world.channel.send_text(NUMBER, ANA, "Oi", quote=None, callback_data="t") for _ in range(3)]
    assert len(set(ids)) == 3


async def test_reading_and_typing_are_shown(world: World) -> None:
    await world.channel.mark_read(NUMBER, "wamid.1", typing=False)
    await world.channel.mark_read(NUMBER, "wamid.2", typing=True)
    assert world.reads() == [("wamid.1", False), ("wamid.2", True)]


async def test_media_that_is_gone_is_the_medias_fault(world: World) -> None:
    with pytest.raises(MediaRefused):
        await world.channel.send_voice(NUMBER, ANA, "expired", quote=None, callback_data="t")


async def test_what_is_no_voice_note_is_not_uploaded(world: World) -> None:
    with pytest.raises(MediaRefused):
        await world.channel.upload_voice(NUMBER, b"ID3 mp3")


@pytest.mark.parametrize("body", ["", "a" * 4097])
async def test_text_beyond_the_limits_is_refused_and_nothing_sent(world: World, body: str) -> None:
    with pytest.raises(Refused):
        await world.channel.send_text(NUMBER, ANA, body, quote=None, callback_data="t")
    assert world.delivered() == []


async def test_a_menu_without_rows_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        await world.channel.send_menu(
            NUMBER, ANA, "Com quem?", Menu(button="Escolher", rows=()), quote=None, callback_data="t"
        )


async def test_inbound_media_is_downloaded(world: World) -> None:
    world.receive_media("in-1", b"opus")
    digest = base64.b64encode(hashlib.sha256(b"opus").digest()).decode()
    media = MediaRef(media_id="in-1", mime_type="audio/ogg", sha256_base64=digest)
    assert await world.channel.download(NUMBER, media, max_bytes=4) == b"opus"


async def test_media_larger_than_wanted_is_not_downloaded(world: World) -> None:
    world.receive_media("in-1", b"opus!")
    with pytest.raises(MediaUnavailable) as unavailable:
        await world.channel.download(NUMBER, MediaRef(media_id="in-1", mime_type="audio/ogg"), max_bytes=4)
    assert not unavailable.value.retryable


async def test_unknown_media_is_unavailable_for_good(world: World) -> None:
    with pytest.raises(MediaUnavailable) as unavailable:
        await world.channel.download(NUMBER, MediaRef(media_id="nothing", mime_type="audio/ogg"), max_bytes=4)
    assert not unavailable.value.retryable


async def test_deleted_media_is_gone_and_deleting_it_again_is_fine(world: World) -> None:
    media_id = await world.channel.upload_voice(NUMBER, NOTE)
    await world.channel.delete_media(NUMBER, media_id)
    await world.channel.delete_media(NUMBER, media_id)
    with pytest.raises(MediaUnavailable):
        await world.channel.download(NUMBER, MediaRef(media_id=media_id, mime_type="audio/ogg"), max_bytes=999)

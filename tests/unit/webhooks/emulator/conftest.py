"""An emulator, a receiver that keeps every webhook, and a clock that only moves when told."""

from __future__ import annotations

import io
import json
import math
import struct
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import av
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from webhooks.emulator.app import EXCHANGE, BusinessNumber, EmulatorConfig, build_app
from webhooks.emulator.captions import Captions
from webhooks.emulator.exchange import Exchange
from webhooks.emulator.media import to_voice_note

SECRET = "emulated-secret"
TOKEN = "emulated-token"
NUMBER = "1000000001"
MIME = "audio/ogg; codecs=opus"


@dataclass
class Clock:
    now_s: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Receiver:
    """What a bot's receiver saw; `answers` are the statuses of the next requests, then 200."""

    requests: list[tuple[bytes, dict[str, str]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def verify(self, request: web.Request) -> web.Response:
        if request.query["hub.verify_token"] != "emulated-verify":
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])

    async def receive(self, request: web.Request) -> web.Response:
        self.requests.append((await request.read(), dict(request.headers)))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    def values(self) -> list[dict[str, Any]]:
        return [
            change["value"]
            for body, _ in self.requests
            for entry in json.loads(body)["entry"]
            for change in entry["changes"]
        ]

    def statuses(self) -> list[dict[str, Any]]:
        return [status for value in self.values() for status in value.get("statuses", [])]

    def messages(self) -> list[dict[str, Any]]:
        return [message for value in self.values() for message in value.get("messages", [])]


def tone(*, seconds: float = 0.4, channels: int = 1, rate_hz: int = 16_000) -> bytes:
    """A WAV of a quiet tone."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as target:
        target.setnchannels(channels)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        for index in range(int(seconds * rate_hz)):
            sample = int(8000 * math.sin(2 * math.pi * 220 * index / rate_hz))
            target.writeframesraw(struct.pack("<h", sample) * channels)
    return sink.getvalue()


@dataclass
class Bench:
    """The emulator with everything a test wants to hold."""

    client: TestClient[web.Request, web.Application]
    exchange: Exchange
    receiver: Receiver
    clock: Clock

    async def graph(
        self, method: str, path: str, *, token: str | None = TOKEN, version: str = "v26.0", **more: Any
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self.client.request(method, f"/{version}/{path}", headers=headers, **more) as response:
            return response.status, await response.json()

    async def send(self, **fields: Any) -> tuple[int, Any]:
        body = {"messaging_product": "whatsapp", "to": "5511987654321", **fields}
        return await self.graph("POST", f"{NUMBER}/messages", json=body)

    async def send_text(self, text: str = "oi", **fields: Any) -> tuple[int, Any]:
        return await self.send(type="text", text={"body": text}, **fields)

    async def write(self, person: str = "ana", **body: Any) -> dict[str, Any]:
        answer = await self.client.post(f"/emulator/api/people/{person}/messages", json=body or {"text": "olá"})
        assert answer.status == 202, await answer.text()
        message: dict[str, Any] = await answer.json()
        return message

    async def upload(
        self,
        data: bytes,
        *,
        kind: str = MIME,
        part_mime: str = MIME,
        filename: str = "note.ogg",
        product: str | None = "whatsapp",
    ) -> tuple[int, Any]:
        form = aiohttp.FormData()
        if product:
            form.add_field("messaging_product", product)
        form.add_field("type", kind)
        form.add_field("file", io.BytesIO(data), filename=filename, content_type=part_mime)
        return await self.graph("POST", f"{NUMBER}/media", data=form)

    async def arm(self, fault: str, count: int = 1, **more: Any) -> None:
        answer = await self.client.post("/emulator/api/faults", json={"fault": fault, "count": count, **more})
        assert answer.status == 200, await answer.text()

    async def conversation(self, person: str = "ana") -> list[dict[str, Any]]:
        answer = await self.client.get(f"/emulator/api/conversations/{person}/{NUMBER}")
        messages: list[dict[str, Any]] = (await answer.json())["messages"]
        return messages

    async def settle(self) -> None:
        await self.exchange.courier.settle()


@pytest.fixture(scope="session")
def note() -> bytes:
    """A small, proper voice note."""
    return to_voice_note(tone())


@pytest.fixture(scope="session")
def recording() -> bytes:
    """What a browser without Opus would upload."""
    return tone()


@pytest.fixture(scope="session")
def empty_recording() -> bytes:
    """A WAV with a header and nothing else."""
    return tone(seconds=0)


@pytest.fixture(scope="session")
def stereo_note() -> bytes:
    """Ogg/Opus as a careless encoder makes it."""
    sink = io.BytesIO()
    with av.open(io.BytesIO(tone(channels=2, rate_hz=48_000))) as source, av.open(sink, "w", format="ogg") as target:
        stream = target.add_stream("libopus", rate=48_000, layout="stereo")
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return sink.getvalue()


@pytest.fixture
async def make_bench(
    aiohttp_client: Callable[..., Awaitable[TestClient[web.Request, web.Application]]],
    aiohttp_server: Callable[..., Awaitable[TestServer]],
) -> Callable[..., Awaitable[Bench]]:
    async def make(*, captions: Captions | None = None, **settings: Any) -> Bench:
        receiver = Receiver()
        receiving = web.Application()
        receiving.router.add_get("/hook", receiver.verify)
        receiving.router.add_post("/hook", receiver.receive)
        server = await aiohttp_server(receiving)
        clock = Clock()
        config = EmulatorConfig(
            **{
                "webhook_url": str(server.make_url("/hook")),
                "app_secret": SECRET,
                "verify_token": "emulated-verify",
                "access_token": TOKEN,
                "phone_numbers": (
                    BusinessNumber(
                        phone_number_id=NUMBER, display_phone_number="+55 11 4000-1001", verified_name="Clara"
                    ),
                    "1000000002",
                ),
                "retry_schedule_s": (0.0, 0.0),
                **settings,
            }
        )
        app = build_app(config, clock=clock, captions=captions)
        client = await aiohttp_client(app)
        bench = Bench(client=client, exchange=app[EXCHANGE], receiver=receiver, clock=clock)
        await bench.settle()
        return bench

    return make


@pytest.fixture
async def bench(make_bench: Callable[..., Awaitable[Bench]]) -> Bench:
    return await make_bench()

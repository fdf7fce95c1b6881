"""A tiny bot behind the phone page, and what the tests do on the page."""

from __future__ import annotations

import asyncio
import io
import json
import math
import struct
import wave
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from webhooks.emulator.captions import Caption
from webhooks.emulator.media import to_voice_note

NUMBER = "1000000001"
HEADERS = {"Authorization": "Bearer token"}
MENU = {
    "type": "list",
    "body": {"text": "Quer falar com quem?"},
    "action": {
        "button": "Ver vozes",
        "sections": [{"rows": [{"id": "clara", "title": "Clara"}, {"id": "otto", "title": "Otto"}]}],
    },
}


def recording(*, seconds: float = 2.0, rate_hz: int = 16_000) -> bytes:
    """A WAV of a tone that swells and fades, so that its peaks differ."""
    sink = io.BytesIO()
    with wave.open(sink, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(rate_hz)
        for index in range(int(seconds * rate_hz)):
            at_s = index / rate_hz
            loudness = 9000 * abs(math.sin(5 * at_s)) * abs(math.sin(1.7 * at_s + 0.4))
            target.writeframesraw(struct.pack("<h", int(loudness * math.sin(2 * math.pi * 190 * at_s))))
    return sink.getvalue()


@dataclass
class TinyBot:
    """Reads every message, answers aloud ("menu" with a list), keeps every status it is told.

    Nina speaks to who writes, Theo to who speaks.
    """

    graph: str = ""
    updates: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    work: set[asyncio.Task[None]] = field(default_factory=set)
    captions: dict[str, Caption] = field(default_factory=dict)

    async def receive(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.Response(text=request.query["hub.challenge"])
        for entry in json.loads(await request.read())["entry"]:
            for change in entry["changes"]:
                for status in change["value"].get("statuses", []):
                    self.updates.put_nowait(status)
                for message in change["value"].get("messages", []):
                    self.updates.put_nowait(message)
                    task = asyncio.create_task(self.answer(message))
                    self.work.add(task)
                    task.add_done_callback(self.work.discard)
        return web.Response()

    async def answer(self, message: dict[str, Any]) -> None:
        async with aiohttp.ClientSession(headers=HEADERS) as session:
            await self.post(session, {"status": "read", "message_id": message["id"]})
            to = {"to": message["from"], "context": {"message_id": message["id"]}}
            if message["type"] == "text" and message["text"]["body"] == "menu":
                await self.post(session, {**to, "type": "interactive", "interactive": MENU})
            elif message["type"] == "text":
                caption = Caption(speaker="Nina", text=f"Você disse *{message['text']['body']}*?", language="pt-BR")
                await self.say(session, to, caption)
            elif message["type"] == "audio":
                await self.say(
                    session, to, Caption(speaker="Theo", text="Hello there!", language="en", heard="alô, Theo")
                )

    async def say(self, session: aiohttp.ClientSession, to: dict[str, Any], caption: Caption) -> None:
        callback_data = f"turn:{len(self.captions)}"
        self.captions[callback_data] = caption
        audio = {"id": await self.upload(session), "voice": True}
        await self.post(session, {**to, "type": "audio", "audio": audio, "biz_opaque_callback_data": callback_data})

    async def caption(self, callback_data: str) -> Caption | None:
        return self.captions.get(callback_data)

    async def post(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> None:
        body = {"messaging_product": "whatsapp", **body}
        async with session.post(f"{self.graph}/v26.0/{NUMBER}/messages", json=body) as response:
            assert response.status == 200, await response.text()

    async def upload(self, session: aiohttp.ClientSession) -> str:
        form = aiohttp.FormData({"messaging_product": "whatsapp", "type": "audio/ogg; codecs=opus"})
        note = to_voice_note(recording())
        form.add_field("file", note, filename="note.ogg", content_type="audio/ogg; codecs=opus")
        async with session.post(f"{self.graph}/v26.0/{NUMBER}/media", data=form) as response:
            media_id: str = (await response.json())["id"]
            return media_id

    async def wait_for(self, **wanted: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                update = await self.updates.get()
                if wanted.items() <= update.items():
                    return update


async def write(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Mensagem").fill(text)
    await page.keyboard.press("Enter")


async def serious_violations(page: Page) -> list[str]:
    results = await Axe().run(page)
    return [
        f"{violation['id']}: {node['html'][:160]}"
        for violation in results.response["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]

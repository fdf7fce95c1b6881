"""The phone page on its own: a person writes, a tiny bot answers aloud, and every receipt finds its way back."""

from __future__ import annotations

import asyncio
import io
import json
import math
import struct
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from webhooks.emulator.app import BusinessNumber, EmulatorConfig, build_app
from webhooks.emulator.media import to_voice_note

pytestmark = pytest.mark.browser

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
    """Reads every message, answers texts with a voice note and "menu" with a list, keeps every status it is told."""

    graph: str = ""
    updates: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    work: set[asyncio.Task[None]] = field(default_factory=set)

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
                audio = {"id": await self.upload(session), "voice": True}
                await self.post(session, {**to, "type": "audio", "audio": audio})

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


@pytest.fixture
async def bot() -> AsyncIterator[TinyBot]:
    """The bot's receiver and the emulator, both on real sockets."""
    bot = TinyBot()
    receiving = web.Application()
    receiving.router.add_route("*", "/hook", bot.receive)
    async with TestServer(receiving) as receiver:
        config = EmulatorConfig(
            webhook_url=str(receiver.make_url("/hook")),
            app_secret="secret",
            verify_token="verify",
            access_token="token",
            phone_numbers=(
                BusinessNumber(phone_number_id=NUMBER, display_phone_number="+55 11 4000-1001", verified_name="Clara"),
            ),
        )
        async with TestServer(build_app(config)) as emulator:
            bot.graph = str(emulator.make_url("")).rstrip("/")
            yield bot


@pytest.fixture
async def page(browser: Browser, bot: TinyBot) -> AsyncIterator[Page]:
    context = await browser.new_context(
        locale="pt-BR", permissions=["microphone"], viewport={"width": 1360, "height": 860}, reduced_motion="reduce"
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
    await page.goto(bot.graph)
    yield page
    await context.close()
    assert complaints == []


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


async def test_a_written_message_is_answered_aloud_and_playing_it_is_reported(
    page: Page, bot: TinyBot, shots: Path
) -> None:
    await write(page, "A que horas sai o pão de queijo?")
    await expect(page.locator(".bubble.mine .ticks.read")).to_be_visible()
    note = page.locator(".bubble.theirs voice-note")
    await expect(note).to_be_visible()
    await expect(page.locator(".bubble.theirs .quote")).to_contain_text("pão de queijo")
    await bot.wait_for(status="read")
    await note.get_by_role("button", name="Tocar").click()
    played = await bot.wait_for(status="played")
    assert played["recipient_id"] == "5511987654321"
    await expect(page.locator("voice-note.played")).to_be_visible()
    await page.screenshot(path=shots / "phone.png")


async def test_a_recording_from_the_microphone_leaves_as_a_voice_note(page: Page, bot: TinyBot) -> None:
    await page.get_by_role("button", name="Gravar recado de voz").press("Enter")
    await expect(page.get_by_role("timer")).to_have_text("0:01")
    await page.get_by_role("button", name="Enviar gravação").click()
    message = await bot.wait_for(type="audio")
    assert message["audio"]["voice"] is True
    assert message["audio"]["mime_type"] == "audio/ogg; codecs=opus"
    await expect(page.locator(".bubble.mine voice-note")).to_be_visible()


async def test_a_row_of_a_list_is_chosen_and_answered(page: Page, bot: TinyBot) -> None:
    await write(page, "menu")
    await page.get_by_role("button", name="Ver vozes").click()
    await page.get_by_role("button", name="Otto").click()
    message = await bot.wait_for(type="interactive")
    assert message["interactive"]["list_reply"]["id"] == "otto"


async def test_the_peaks_are_a_slider_for_the_keyboard(page: Page) -> None:
    await write(page, "oi")
    slider = page.get_by_role("slider").first
    await slider.press("End")
    await expect(slider).to_have_attribute("aria-valuetext", "0:02 / 0:02")
    await slider.press("Home")
    await expect(slider).to_have_attribute("aria-valuetext", "0:00 / 0:02")


async def test_markup_in_a_message_stays_text(page: Page) -> None:
    await write(page, "<img src=x onerror=alert(1)><b>oi</b>")
    await expect(page.locator(".bubble.mine .text")).to_have_text("<img src=x onerror=alert(1)><b>oi</b>")


async def test_another_person_shows_an_unread_mark(page: Page, bot: TinyBot) -> None:
    async with aiohttp.ClientSession() as session:
        await session.post(f"{bot.graph}/emulator/api/people/bruno/messages", json={"text": "bom dia"})
    await expect(page.get_by_role("button", name="Bruno")).to_contain_text("1 não lidas")


async def test_a_fault_is_armed_from_the_drawer(page: Page) -> None:
    await page.get_by_role("button", name="Desenvolvimento").click()
    await page.get_by_role("combobox", name="Falha").select_option("slow")
    await page.get_by_role("button", name="Armar", exact=True).click()
    await expect(page.locator("#armed")).to_have_text("1×Responder devagar")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_has_no_serious_accessibility_violation(page: Page, shots: Path, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await write(page, "menu")
    await write(page, "oi")
    await expect(page.locator("voice-note")).to_be_visible()
    await page.get_by_role("button", name="Desenvolvimento").click()
    await expect(page.locator(".deliveries details").first).to_be_visible()
    await page.screenshot(path=shots / f"phone-{scheme}.png")
    assert await serious_violations(page) == []


async def test_the_page_works_at_phone_width_without_a_serious_violation(page: Page, shots: Path) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await write(page, "oi")
    await expect(page.locator("voice-note")).to_be_visible()
    await page.screenshot(path=shots / "phone-small.png")
    assert await serious_violations(page) == []
    await page.get_by_role("button", name="Trocar de pessoa").click()
    await page.get_by_role("button", name="Grace Miller").click()
    await expect(page.get_by_role("log")).to_contain_text("Nada por aqui ainda")

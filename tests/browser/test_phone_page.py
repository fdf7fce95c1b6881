"""The phone page on its own: a person writes, a tiny bot answers aloud, and every receipt finds its way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, expect

from tests.browser.tiny_bot import TinyBot, serious_violations, write

pytestmark = pytest.mark.browser


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

"""A Chromium (the machine's, else Playwright's own, else a loud skip), and the phone page with a tiny bot in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright
from playwright.async_api import Error as PlaywrightError

from tests.browser.tiny_bot import NUMBER, TinyBot
from webhooks.emulator.app import BusinessNumber, EmulatorConfig, build_app

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
)


def find_chromium() -> str | None:
    """The CHROMIUM of the environment or the first on the PATH; None means Playwright's own."""
    asked = os.environ.get("CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome")
    return asked or next((found for name in names if (found := shutil.which(name))), None)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        try:
            chromium = await playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        except PlaywrightError as error:
            pytest.skip(f"NO BROWSER, NOTHING WAS CHECKED HERE: set CHROMIUM to a Chromium binary ({error})")
        yield chromium
        await chromium.close()


@pytest.fixture
def shots() -> Path:
    """Where screenshots go."""
    folder = Path("test-results")
    folder.mkdir(exist_ok=True)
    return folder


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
        async with TestServer(build_app(config, captions=bot.caption)) as emulator:
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

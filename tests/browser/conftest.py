"""A Chromium for the browser tests: the one of the machine, else Playwright's own, else a loud skip."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as PlaywrightError

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

"""The page speaks two languages, runs only its own files, and hears of every change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from webhooks.emulator.phone import choose_language
from webhooks.emulator.words import WORDS


def test_both_languages_say_everything() -> None:
    assert WORDS["pt-BR"].keys() == WORDS["en"].keys()


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "default", "chosen"),
    [
        (None, None, "pt-PT,en;q=0.5", "en", "pt-BR"),
        (None, None, "fr, en-GB;q=0.8", "pt-BR", "en"),
        (None, None, "", "en", "en"),
        ("en", "pt-BR", "pt-BR", "pt-BR", "en"),
        (None, "en", "pt-BR", "pt-BR", "en"),
        ("xx", None, "", "yy", "pt-BR"),
    ],
)
def test_the_language_is_the_first_one_spoken_here(
    asked: str | None, remembered: str | None, accepted: str, default: str, chosen: str
) -> None:
    assert choose_language(asked, remembered, accepted, default) == chosen


async def test_the_page_allows_only_the_script_with_its_nonce(bench: Any) -> None:
    answer = await bench.client.get("/")
    policy, page = answer.headers["Content-Security-Policy"], await answer.text()
    nonce = policy.split("'nonce-")[1].split("'")[0]
    assert f'nonce="{nonce}"' in page
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


async def test_the_page_names_the_business_numbers(bench: Any) -> None:
    page = await (await bench.client.get("/?lang=en")).text()
    assert "Clara · +55 11 4000-1001" in page
    assert "Test phone" in page


async def test_a_change_reaches_the_event_stream(bench: Any) -> None:
    async with bench.client.get("/emulator/api/events") as events:
        await bench.write()
        line = await events.content.readline()
        assert json.loads(line.removeprefix(b"data: ")) == {
            "topic": "conversation",
            "person_id": "ana",
            "phone_number_id": "1000000001",
        }


async def test_event_streams_end_when_the_emulator_stops(bench: Any) -> None:
    async with bench.client.get("/emulator/api/events") as events:
        await bench.client.app.shutdown()
        assert await events.content.read() == b""

"""A persona that is a prompt alone gets its voice while the house runs, and keeps it when the worker is another one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_engines_fall import LENIENT, SHORT, answer_to
from tests.stack import Stack

pytestmark = pytest.mark.speech
pytest.importorskip("torch", reason="the large engines are not installed")


def events(house: Stack, name: str, **fields: str) -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in house.log("worker").splitlines() if line.startswith("{"))
    wanted = {"event": name, **fields}.items()
    return [line for line in lines if wanted <= line.items()]


async def until_logged(house: Stack, name: str, **fields: str) -> None:
    async with asyncio.timeout(120):
        while not events(house, name, **fields):  # noqa: ASYNC110 - another process writes the log
            await asyncio.sleep(0.1)


async def answered_by(house: Stack) -> list[str]:
    """Who speaks the answer; the turn is over then."""
    before = len(events(house, "spoken"))
    await answer_to(house, "ana", SHORT)
    await house.until_quiet()
    return [line["engine"] for line in events(house, "spoken")[before:]]


async def test_a_prompt_is_designed_once_and_speaks_from_then_on(tmp_path: Path, tiny_qwen3: Path) -> None:
    settings = {
        **LENIENT,
        "TTS_ENGINES": "qwen3",
        "STT_BASE_URL": "http://127.0.0.1:9/v1",  # nobody speaks here, and Whisper takes seconds to load
        "QWEN3_BASE_MODEL": str(tiny_qwen3 / "base"),
        "QWEN3_DESIGN_MODEL": str(tiny_qwen3 / "voice_design"),
        "QWEN3_DEVICE": "cpu",
        "QWEN3_DTYPE": "float32",
        "QWEN3_ICL": "off",  # takes of a tiny model are as long as their text, the reference's words included
    }
    async with Stack(tmp_path, settings) as house:
        await until_logged(house, "a voice was designed", voice="nina")
        await until_logged(house, "profile_made", voice="nina")
        first = await answered_by(house)
        house.kill("worker")
        await house.until_ready()
        second = await answered_by(house)

        assert (first, second) == (["qwen3"], ["qwen3"])
        assert len(events(house, "a voice was designed", voice="nina")) == 1

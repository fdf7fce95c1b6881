"""The phone page's captions: from a message's callback data to who said what, and what had been heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from bot.captions import StoredCaptions, caption
from bot.installation import Installation
from bot.settings import Settings
from tests.household import Household
from webhooks.emulator.captions import Caption


@pytest.fixture
async def friends(redis: Redis) -> AsyncIterator[Household]:
    """A household that Ana has met."""
    async with Household.opened(redis) as house:
        await house.met()
        yield house


async def captioned(house: Household, callback_data: str | None = None) -> Caption | None:
    parts: Any = SimpleNamespace(mailbox=house.mailbox, personas=house.personas)
    return await caption(cast("Installation", parts), callback_data or house.channel.sent[-1].callback_data or "")


async def test_a_spoken_answer_tells_its_persona_its_words_and_what_it_answers(friends: Household) -> None:
    await friends.say()
    await friends.answer()
    assert await captioned(friends) == Caption(
        speaker="Nina", text="olá, tudo bem?", language="pt-BR", heard="olá, tudo bem?"
    )


async def test_after_a_switch_the_other_persona_is_told(friends: Household) -> None:
    await friends.write("theo")
    await friends.answer()
    found = await captioned(friends)
    assert found is not None
    assert (found.speaker, found.language) == ("Theo", "en")


async def test_what_was_erased_has_no_caption(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    before = friends.channel.sent[-1].callback_data
    await friends.write("apagar meus dados")
    await friends.answer()
    await friends.write("sim")
    await friends.answer_all()
    assert await captioned(friends, before) is None


@pytest.mark.parametrize("callback_data", ["", "x", "x:y:1", "x:0:1", ":::", "x:-1:1"])
async def test_foreign_callback_data_has_no_caption(friends: Household, callback_data: str) -> None:
    assert await captioned(friends, callback_data or "none") is None


async def test_a_part_that_a_turn_does_not_have_has_no_caption(friends: Household) -> None:
    await friends.write("bom dia")
    await friends.answer()
    turn_id = (friends.channel.sent[-1].callback_data or "").partition(":")[0]
    assert await captioned(friends, f"{turn_id}:7:1") is None


async def test_without_a_store_there_is_no_caption_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.captions.OPENED_WITHIN_S", 0.0)
    captions = StoredCaptions(Settings.model_construct(recado_data_dir=tmp_path))
    assert await captions.find("turn:0:1") is None
    await captions.close()

"""The store loses everything while the house runs: whoever writes next is answered, and by voice."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.store import Role, connect, store_url
from tests.stack import Stack

pytestmark = pytest.mark.speech


async def test_who_writes_after_the_store_was_emptied_is_answered_by_voice(tmp_path: Path) -> None:
    async with Stack(tmp_path, {"TTS_ENGINES": "espeak"}) as house:
        ana = await house.add_person("Ana", "5511970009001")
        first = await house.write(ana, "Bom dia!")
        await house.answers_after(ana, first, 2)
        client = connect(store_url(tmp_path, ""), Role.WORKER)
        await client.flushall()
        await client.function_flush()

        again = await house.write(ana, "Conta uma piada?")
        disclosure, note = await house.answers_after(ana, again, 2)

        assert disclosure["type"] == "text"  # nothing is known of her any more
        assert note["type"] == "audio"
        assert await client.hexists("{recado}:personas", "nina")
        await client.aclose()

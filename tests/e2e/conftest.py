"""One running house for all end-to-end tests; people are told apart, so that tests do not meet."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.stack import Stack

_numbers = itertools.count(5511970000001)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Store, web, worker with Kokoro and Whisper, and the emulator."""
    async with Stack(tmp_path_factory.mktemp("house")) as stack:
        yield stack


@pytest_asyncio.fixture(loop_scope="session")
async def person(house: Stack) -> str:
    """Somebody nobody has met."""
    return await house.add_person("Rita", str(next(_numbers)))


@pytest_asyncio.fixture(loop_scope="session")
async def friend(house: Stack, person: str) -> str:
    """Somebody who has had the disclosure already."""
    hello = await house.write(person, "oi")
    await house.answers_after(person, hello, 2)
    return person

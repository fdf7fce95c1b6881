"""How long the person sees that an answer is being made."""

from __future__ import annotations

import asyncio

from bot.typing_indicator import REFRESH_S, Typing
from tests.household import Clock
from webhooks.contract import NotSent
from webhooks.fake_channel import FakeChannel


async def settled() -> None:
    """Everything that can go on now has."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_nothing_is_shown_before_it_is_asked_for() -> None:
    channel = FakeChannel()
    async with Typing(channel, "100", "wamid.1"):
        await settled()
    assert channel.reads == []


async def test_showing_marks_the_message_as_read_and_says_that_an_answer_comes() -> None:
    channel = FakeChannel()
    async with Typing(channel, "100", "wamid.1") as typing:
        typing.show()
        await settled()
    assert channel.reads == [("wamid.1", True)]


async def test_showing_twice_shows_once() -> None:
    channel = FakeChannel()
    async with Typing(channel, "100", "wamid.1") as typing:
        typing.show()
        typing.show()
        await settled()
    assert len(channel.reads) == 1


async def test_it_is_shown_again_before_the_channel_drops_it() -> None:
    channel, clock = FakeChannel(), Clock()
    async with Typing(channel, "100", "wamid.1", sleep=clock.sleep) as typing:
        typing.show()
        for _ in range(3):
            await settled()
            clock.advance(REFRESH_S)
        await settled()
    assert len(channel.reads) == 4
    assert REFRESH_S < 25


async def test_it_ends_with_the_work() -> None:
    channel, clock = FakeChannel(), Clock()
    async with Typing(channel, "100", "wamid.1", sleep=clock.sleep) as typing:
        typing.show()
        await settled()
    clock.advance(REFRESH_S)
    await settled()
    assert len(channel.reads) == 1


async def test_a_channel_that_fails_is_asked_again_the_next_time() -> None:
    channel, clock = FakeChannel(), Clock()
    channel.fail("mark_read", NotSent("down"))
    async with Typing(channel, "100", "wamid.1", sleep=clock.sleep) as typing:
        typing.show()
        await settled()
        clock.advance(REFRESH_S)
        await settled()
    assert channel.reads == [("wamid.1", True)]


async def test_without_a_message_there_is_nothing_to_show() -> None:
    channel = FakeChannel()
    async with Typing(channel, "100", None) as typing:
        typing.show()
        await settled()
    assert channel.reads == []

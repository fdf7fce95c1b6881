"""A voice note is heard once, whoever asks for its words and however often: ahead of its turn, in it, and after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from redis.asyncio import Redis

from bot.ears import Ears
from tests.household import Household
from tts.contract import Transcript
from tts.hearing import FakeTranscriber


@pytest.fixture
async def friends(redis: Redis) -> AsyncIterator[Household]:
    """A household that Ana has met: the disclosure was said."""
    async with Household.opened(redis) as house:
        await house.met()
        yield house


class Slow(FakeTranscriber):
    """Begins to hear and goes on when it is let; counts how often it began."""

    def __init__(self) -> None:
        super().__init__("olá, tudo bem?")
        self.began = 0
        self.go = asyncio.Event()

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        self.began += 1
        await self.go.wait()
        return await super().transcribe(data, language=language, among=among)


def slow_ears(friends: Household) -> Slow:
    """Let the household hear slowly from now on."""
    slow = Slow()
    friends.ears = Ears(
        friends.channel,
        slow,
        languages=friends.personas.languages_on,
        max_bytes=1_000_000,
        metrics=friends.metrics,
        timer=lambda: 0.0,
    )
    return slow


async def until(happened: Callable[[], bool]) -> None:
    """Let everybody else go on until that is so."""
    for _ in range(10_000):
        if happened():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never happened")


async def test_a_turn_joins_the_hearing_that_began_ahead_of_it(friends: Household) -> None:
    slow = slow_ears(friends)
    service = friends.service
    await friends.say()
    task = await friends.mailbox.next_media("worker-1", block_ms=1)
    assert task is not None
    ahead = asyncio.create_task(service.hear_ahead(task))
    await until(lambda: slow.began > 0)
    turn = asyncio.create_task(service.handle(await friends.claim()))
    await until(lambda: bool(friends.channel.reads))  # the turn is at work, and waits for the words
    slow.go.set()
    await asyncio.gather(ahead, turn)
    assert (slow.began, friends.replies.requests[-1].text) == (1, "olá, tudo bem?")
    assert friends.counted("recado_heard_total", result="understood") == 1


async def test_a_turn_that_is_tried_again_does_not_hear_its_note_again(friends: Household) -> None:
    slow = slow_ears(friends)
    slow.go.set()
    friends.wire.lose("save")  # the answer is composed, and lost
    await friends.say()
    await friends.answer()
    assert friends.texts == []
    await friends.later(5)
    await friends.answer()
    assert friends.texts == ["(voice)"]
    assert (slow.began, friends.counted("recado_heard_total", result="understood")) == (1, 1)


async def test_a_turn_taken_over_in_the_same_process_does_not_hear_its_note_again(friends: Household) -> None:
    slow = slow_ears(friends)
    service = friends.service
    await friends.say()
    first = asyncio.create_task(service.handle(await friends.claim()))
    await until(lambda: slow.began > 0)
    second = asyncio.create_task(service.handle(await friends.recovered("worker-1")))
    slow.go.set()
    await asyncio.gather(first, second)
    assert (slow.began, friends.texts.count("(voice)")) == (1, 1)


async def test_a_webhook_delivered_twice_has_its_note_heard_once(friends: Household) -> None:
    slow = slow_ears(friends)
    slow.go.set()
    message = await friends.say()
    await friends.inbox.accept([message])
    while task := await friends.mailbox.next_media("worker-1", block_ms=1):
        await friends.service.hear_ahead(task)
    await friends.answer_all()
    assert (slow.began, friends.counted("recado_heard_total", result="understood")) == (1, 1)


async def test_an_erasure_forgets_what_was_heard(friends: Household) -> None:
    slow = slow_ears(friends)
    slow.go.set()
    note = await friends.say()
    await friends.answer()
    await friends.write("apagar meus dados")
    await friends.answer()
    await friends.write("sim")
    await friends.answer_all()
    await friends.ears.hear(note)
    assert slow.began == 2

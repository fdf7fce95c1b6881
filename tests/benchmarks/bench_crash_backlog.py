"""How long 48 turns take that were in work when a worker died: one suspect after the other, and in groups.

The real mailbox, store and dispatcher; each turn takes half a second in which the processor has nothing to do, as one
does that waits for a GPU's batch.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.asyncio import Redis

from bot import dispatcher
from tests.unit.bot.test_dispatcher import Crew, Service, until

TURNS = 48
TURN_S = 0.5
TOGETHER = dispatcher.SUSPECTS_TOGETHER


class Slow(Service):
    """Works half a second on each turn."""

    async def handle(self, claim: object) -> None:
        await asyncio.sleep(TURN_S)
        await super().handle(claim)  # type: ignore[arg-type]


async def cleared_s(redis: Redis, monkeypatch: pytest.MonkeyPatch, together: int) -> float:
    await redis.flushall()
    monkeypatch.setattr(dispatcher, "SUSPECTS_TOGETHER", together)
    crew = Crew(redis)
    await crew.box.mailbox.prepare()
    crew.service = Slow(crew.box)
    crew.service.finish.set()
    for person in range(TURNS):
        await crew.crashed(str(person), person=person)
    began_s = time.perf_counter()
    running = await crew.start(slots=32)
    await until(lambda: len(crew.service.ended) == TURNS, within_s=120)
    took_s = time.perf_counter() - began_s
    await running.drain()
    return took_s


async def test_groups_clear_a_crash_in_a_fraction_of_the_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    alone_s = await cleared_s(redis, monkeypatch, 1)
    grouped_s = await cleared_s(redis, monkeypatch, TOGETHER)
    print(
        f"\n{TURNS} suspects: {alone_s:.1f} s one by one, {grouped_s:.1f} s in groups, {grouped_s / alone_s:.2f} of it"
    )
    assert grouped_s < 0.3 * alone_s

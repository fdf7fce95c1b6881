"""What comes back by itself when the store loses everything while processes run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.installation import Installation, StoreReplaced, open_installation
from bot.mailbox import Effect, Incoming, Lane
from bot.settings import Settings
from bot.store import Role
from webhooks.messages import Person


@pytest.fixture
async def installation(store_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    opened = await open_installation(settings(store_url, tmp_path), role=Role.WORKER)
    await opened.personas.seed_if_empty()
    yield opened
    await opened.close()


def settings(store_url: str, tmp_path: Path) -> Settings:
    return Settings.model_construct(redis_url=store_url, recado_data_dir=tmp_path, recado_allow_volatile=True)


async def put(installation: Installation) -> None:
    await installation.mailbox.put(
        Incoming(
            channel="whatsapp",
            endpoint_id="100",
            message_id="m",
            person=Person(phone="5511900000001"),
            at_ms=1,
            payload=b"{}",
            lane=Lane.VOICE,
            effect=Effect.MESSAGE,
        )
    )


async def test_a_flushed_store_gets_its_personas_back_as_they_were(installation: Installation, redis: Redis) -> None:
    nina = await installation.personas.get("nina")
    assert nina is not None
    edited = await installation.personas.put(replace(nina, greeting="Oi, sou eu de novo."))
    await installation.personas.list()
    await redis.flushall()

    await installation.make_whole()

    restored = await installation.personas.get("nina")
    assert restored is not None
    assert replace(restored, voice=edited.voice) == edited


async def test_a_flushed_store_without_functions_takes_messages_and_gives_tokens(
    installation: Installation, redis: Redis
) -> None:
    await redis.flushall()
    await redis.function_flush()
    await installation.make_whole()

    await put(installation)
    await redis.function_flush()

    assert await installation.mailbox.pump() is not None
    assert (await installation.mailbox.depth()).conversations == 1


async def test_marks_stay_the_same_so_that_a_redelivery_is_known(
    installation: Installation, redis: Redis, store_url: str, tmp_path: Path
) -> None:
    await redis.flushall()
    await installation.make_whole()
    await put(installation)

    later = await open_installation(settings(store_url, tmp_path), role=Role.WORKER)
    assert later.secret == installation.secret
    await later.close()


async def test_a_store_that_lost_nothing_is_left_alone(installation: Installation, redis: Redis) -> None:
    for persona in await installation.personas.list():
        await installation.personas.delete(persona.id)
    await installation.make_whole()
    assert await redis.hlen("{recado}:personas") == 0


async def test_a_process_whose_store_was_begun_anew_says_that_it_has_to_start_again(
    installation: Installation, redis: Redis
) -> None:
    await redis.set("{recado}:secret", b"another")
    with pytest.raises(StoreReplaced):
        await installation.make_whole()

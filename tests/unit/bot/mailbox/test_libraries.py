"""Which versions of the functions stay in the store."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from bot.mailbox import functions
from bot.mailbox.keys import key
from tests.conftest import Box

OLD = "recado_000000000000"


async def libraries(redis: Redis) -> set[bytes]:
    return {functions._library_name(one) for one in await redis.execute_command("FUNCTION", "LIST")}


async def load(redis: Redis, name: str) -> None:
    source = f"#!lua name={name}\nredis.register_function('{name}_f', function() return 1 end)"
    await redis.execute_command("FUNCTION", "LOAD", source)


async def test_the_library_of_a_version_that_nobody_started_for_long_is_deleted(box: Box, redis: Redis) -> None:
    await load(redis, OLD)
    await box.mailbox.prepare()
    assert OLD.encode() not in await libraries(redis)


async def test_the_library_of_a_version_that_shares_the_store_stays(box: Box, redis: Redis) -> None:
    await load(redis, OLD)
    await redis.zadd(key("libraries"), {OLD: 10**11})
    await box.mailbox.prepare()
    assert OLD.encode() in await libraries(redis)


async def test_a_process_whose_library_was_deleted_goes_on(box: Box, redis: Redis) -> None:
    await redis.function_flush()
    await box.put("one")
    assert (await box.claimed()).payloads


async def test_libraries_of_others_are_left_alone(box: Box, redis: Redis) -> None:
    await load(redis, "somebody_elses")
    await box.mailbox.prepare()
    assert b"somebody_elses" in await libraries(redis)


@pytest.mark.parametrize(
    ("entry", "name"),
    [([b"library_name", b"a", b"engine", b"LUA"], b"a"), ({b"library_name": b"a"}, b"a"), ([], b"")],
)
def test_both_protocols_name_a_library(entry: object, name: bytes) -> None:
    assert functions._library_name(entry) == name

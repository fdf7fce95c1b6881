"""Who counts as living, and for how long."""

from __future__ import annotations

from redis.asyncio import Redis

from bot.heartbeat import GONE_AFTER_S, Heartbeats


async def test_a_worker_that_beats_lives_and_tells_how_it_is(redis: Redis) -> None:
    await Heartbeats(redis).beat("a", {"ready": True})
    assert await Heartbeats(redis).living() == [{"worker": "a", "ready": True}]


async def test_nobody_lives_where_nobody_beats(redis: Redis) -> None:
    assert await Heartbeats(redis).living() == []


async def test_the_newest_word_holds(redis: Redis) -> None:
    hearts = Heartbeats(redis)
    await hearts.beat("a", {"ready": False})
    await hearts.beat("a", {"ready": True})
    assert await hearts.living() == [{"worker": "a", "ready": True}]


async def test_a_worker_that_leaves_is_gone_at_once(redis: Redis) -> None:
    hearts = Heartbeats(redis)
    await hearts.beat("a", {})
    await hearts.beat("b", {})
    await hearts.leave("a")
    assert await hearts.living() == [{"worker": "b"}]


async def test_a_workers_word_is_good_for_ten_seconds(redis: Redis) -> None:
    await Heartbeats(redis).beat("a", {})
    assert 0 < await redis.pttl("{recado}:worker:a") <= GONE_AFTER_S * 1000


async def test_a_worker_that_fell_silent_is_forgotten_by_name(redis: Redis) -> None:
    hearts = Heartbeats(redis)
    await hearts.beat("silent", {})
    await hearts.beat("living", {})
    await redis.delete("{recado}:worker:silent")
    assert await hearts.living() == [{"worker": "living"}]
    assert await redis.smembers("{recado}:workers") == {b"living"}


async def test_a_worker_that_was_only_slow_is_named_again(redis: Redis) -> None:
    hearts = Heartbeats(redis)
    await hearts.beat("slow", {})
    await redis.delete("{recado}:worker:slow")
    await hearts.living()
    await hearts.beat("slow", {"ready": True})
    assert await hearts.living() == [{"worker": "slow", "ready": True}]


async def test_of_many_those_are_heard_whose_word_is_still_good(redis: Redis) -> None:
    hearts = Heartbeats(redis)
    await hearts.beat("living", {})
    assert await hearts.heard({"living", "silent"}) == {"living"}
    assert await hearts.heard(()) == frozenset()

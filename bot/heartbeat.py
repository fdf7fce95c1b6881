"""Workers tell that they live and how they are; web and operators read it. Short-lived keys, nothing more."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from redis.asyncio import Redis

EVERY_S = 3.0
GONE_AFTER_S = 10.0


class Heartbeats:
    """Who lives. A worker's word is good for ten seconds."""

    def __init__(self, redis: Redis, *, prefix: str = "{recado}") -> None:
        self._redis = redis
        self._prefix = f"{prefix}:worker:"
        self._names = f"{prefix}:workers"

    async def beat(self, worker: str, facts: dict[str, Any]) -> None:
        """Say that `worker` lives, with `facts` anybody may see."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.set(self._prefix + worker, orjson.dumps(facts), px=int(GONE_AFTER_S * 1000))
            pipe.sadd(self._names, worker)
            pipe.expire(self._names, 86_400)
            await pipe.execute()

    async def leave(self, worker: str) -> None:
        """Say that `worker` is gone."""
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.delete(self._prefix + worker)
            pipe.srem(self._names, worker)
            await pipe.execute()

    async def living(self) -> list[dict[str, Any]]:
        """The facts of every living worker."""
        raw = await self._redis.smembers(self._names)
        names = sorted(name.decode() if isinstance(name, bytes) else name for name in raw)
        if not names:
            return []
        values = await self._redis.mget([self._prefix + name for name in names])
        if gone := [name for name, value in zip(names, values, strict=True) if not value]:
            await self._redis.srem(self._names, *gone)  # who lives says so again with the next beat
        return [{"worker": name, **orjson.loads(value)} for name, value in zip(names, values, strict=True) if value]

    async def heard(self, workers: Collection[str]) -> frozenset[str]:
        """Those of `workers` whose word is still good."""
        names = sorted(workers)
        values = await self._redis.mget([self._prefix + name for name in names]) if names else []
        return frozenset(name for name, value in zip(names, values, strict=True) if value)

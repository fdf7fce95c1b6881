"""Clips designed of voices that are a prompt alone: made once, kept, and cloned from then on.

So a persona keeps its voice from note to note, from worker to worker and when models change. Must not know how a clip
is made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from redis.asyncio import Redis

from bot.sample_store import Samples
from tts.contract import SourceKind, Voice, VoiceSource
from tts.voices.design import DesignedClip
from tts.voices.samples import StoredSample

DESIGNING_S = 1800
MOST_LOST = 3


class Designs:
    """Which clip belongs to which prompt, over one Redis hash. Prompt, language and seed together are the key."""

    def __init__(
        self,
        redis: Redis,
        samples: Samples,
        *,
        prefix: str = "{recado}",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._redis = redis
        self._samples = samples
        self._clips = f"{prefix}:designs"
        self._taken = f"{prefix}:designing:"
        self._begun = f"{prefix}:designs-begun:"
        self._now = now

    async def applied(self, voice: Voice) -> Voice:
        """The voice with its designed clip as its source; as it is when it has sources, or no clip yet."""
        if voice.sources:
            return voice
        clip = await self._clip(voice)
        return voice if clip is None else replace(voice, sources=(VoiceSource(kind=SourceKind.DESIGNED, ref=clip.id),))

    async def take(self, voice: Voice) -> bool:
        """Whether it is the caller's to design, for half an hour at most: others leave it to them until `leave`.

        A prompt whose designing ended three processes within a day is nobody's for the rest of it.
        """
        name = _key(voice)
        if not await self._redis.set(self._taken + name, b"1", nx=True, ex=DESIGNING_S):
            return False
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.incr(self._begun + name)
            pipe.expire(self._begun + name, 86_400)
            begun, _ = await pipe.execute()
        return int(begun) <= MOST_LOST

    async def keep(self, voice: Voice, clip: DesignedClip) -> StoredSample:
        """Keep the clip for this voice and for every other of the same prompt, language and seed.

        The first clip stays: another one that comes later is dropped, and the first is given back.
        """
        sample = await self._samples.keep_clip(clip, language=voice.language, at=self._now())
        if not await cast("Awaitable[Any]", self._redis.hsetnx(self._clips, _key(voice), sample.id)):
            first = await self._clip(voice)
            if first is not None and first.id != sample.id:
                await self._samples.erase(sample.id)
                return first
            await cast("Awaitable[Any]", self._redis.hset(self._clips, _key(voice), sample.id))
        return sample

    async def leave(self, voice: Voice) -> None:
        """Nobody designs it any more, and whoever did lives."""
        await self._redis.delete(self._taken + _key(voice), self._begun + _key(voice))

    async def _clip(self, voice: Voice) -> StoredSample | None:
        """The clip of its prompt. One whose record was erased is none: then another one is designed."""
        stored = await cast("Awaitable[Any]", self._redis.hget(self._clips, _key(voice)))
        return await self._samples.find(stored.decode()) if stored is not None else None


def _key(voice: Voice) -> str:
    return hashlib.sha256("\0".join((voice.prompt, voice.language, str(voice.seed))).encode()).hexdigest()[:32]

"""Where the records of recordings live in Redis, with the recordings themselves in a blob store beside it.

Knows no voice and no persona: who uses a recording is asked elsewhere.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, cast

import structlog
from redis.asyncio import Redis

from bot.voice import BadVoiceFile, dump_sample, parse_sample
from tts.blobs import Cipher, is_sealed, opened
from tts.contract import BlobStore
from tts.errors import BadVoice, BlobLocked
from tts.voices.design import DesignedClip
from tts.voices.designed import stored_clip
from tts.voices.samples import StoredSample

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """How much lies under the first key now, and how many records or recordings no key at hand opened."""

    records: int
    recordings: int
    locked: int


class Samples:
    """What is known of every recording, over one Redis hash, and the recordings themselves in `blobs`.

    It is the `tts.material.Material` of an installation. `fresh_s` is how long a read may come from memory. With a
    cipher the records are sealed: they say who speaks and what. Whatever asks for one raises BlobLocked where no key
    at hand opens it; `list` leaves it out, so that it does not stand in the way of the others.
    """

    def __init__(
        self,
        redis: Redis,
        blobs: BlobStore,
        *,
        cipher: Cipher | None = None,
        prefix: str = "{recado}",
        fresh_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._redis = redis
        self._blobs = blobs
        self._cipher = cipher
        self._records = _records(prefix)
        self._fresh_s = fresh_s
        self._clock = clock
        self._now = now
        self._cached: dict[str, tuple[StoredSample | None, float]] = {}

    async def find(self, sample_id: str) -> StoredSample | None:
        """One record, or None; never older than `fresh_s`. One that cannot be read is none: nobody consented to it."""
        known, read_at_s = self._cached.get(sample_id, (None, float("-inf")))
        now_s = self._clock()
        if now_s - read_at_s < self._fresh_s:
            return known
        stored = await cast("Awaitable[Any]", self._redis.hget(self._records, sample_id))
        found = self._maybe(sample_id, stored)
        self._cached[sample_id] = (found, now_s)
        return found

    async def audio(self, sample_id: str) -> bytes:
        """The prepared recording; KeyError when it is gone."""
        return await self._blobs.get(sample_id)

    async def list(self) -> tuple[StoredSample, ...]:
        """Every record that can be read, oldest first; the others are logged."""
        stored = await cast("Awaitable[dict[bytes, Any]]", self._redis.hgetall(self._records))
        found = [self._unless_locked(name.decode(), text) for name, text in stored.items()]
        known = [sample for sample in found if sample is not None]
        return tuple(sorted(known, key=lambda sample: (sample.added_at, sample.id)))

    async def keep_audio(self, data: bytes) -> str:
        """Store a prepared recording and give its id; it counts for nothing before its record is `put`."""
        return await self._blobs.put(data)

    async def keep_clip(self, clip: DesignedClip, *, language: str, at: datetime) -> StoredSample:
        """Keep a designed clip and its record. Raises BadVoice as `update` does."""
        sample, data = await asyncio.to_thread(stored_clip, clip, language=language, added_at=at)
        await self.keep_audio(data)
        await self.put(sample)
        return sample

    async def put(self, sample: StoredSample) -> None:
        """Store a record, in place of an older one of the same recording. Raises BadVoice as `update` does."""
        await self.update(sample.id, lambda _stored: sample)

    async def update(
        self, sample_id: str, change: Callable[[StoredSample | None], StoredSample | None]
    ) -> StoredSample | None:
        """Store what `change` makes of a record, whoever else changes it meanwhile; what is stored then.

        `change` gets None where there is no record, and leaves all as it is by giving None; it is called again when
        somebody else was faster, and what it raises leaves all as it was. Raises BadVoice for a record that could not
        be read again.
        """

        async def changed(pipe: Any) -> StoredSample | None:
            stored = self._maybe(sample_id, await pipe.hget(self._records, sample_id))
            wanted = change(stored)
            pipe.multi()
            if wanted is not None and wanted != stored:
                pipe.hset(self._records, sample_id, self._sealed(wanted))
            return stored if wanted is None else wanted

        try:
            result = await self._redis.transaction(cast("Any", changed), self._records, value_from_callable=True)
        finally:
            self._cached.pop(sample_id, None)
        return cast("StoredSample | None", result)

    async def withdraw(self, sample_id: str, at: datetime) -> StoredSample | None:
        """Note that the consent ended; the record stays as its proof. None where there is none to withdraw."""

        def ended(sample: StoredSample | None) -> StoredSample | None:
            if sample is None or sample.consent is None:
                return None
            return replace(sample, consent=replace(sample.consent, withdrawn_at=sample.consent.withdrawn_at or at))

        sample = await self.update(sample_id, ended)
        return sample if sample is not None and sample.consent is not None else None

    async def erase(self, sample_id: str) -> bool:
        """Erase a recording, and its record unless the consent was withdrawn; whether there was something.

        The record of a withdrawn consent stays without the words of the recording: it is the proof of the withdrawal,
        and what keeps an old copy from being taken in again. BlobLocked means that the recording went, but not a
        record that nobody can read.
        """
        await self._blobs.delete(sample_id)  # first: what fails behind it can be done again

        async def gone(pipe: Any) -> bool:
            stored = await pipe.hget(self._records, sample_id)
            sample = self._maybe(sample_id, stored)
            kept = sample is not None and sample.consent is not None and sample.consent.withdrawn_at is not None
            pipe.multi()
            if sample is None or not kept:
                pipe.hdel(self._records, sample_id)
                return stored is not None
            if sample.erased_at is None:
                pipe.hset(
                    self._records,
                    sample_id,
                    self._sealed(replace(sample, transcript="", report=None, erased_at=self._now())),
                )
            return sample.erased_at is None

        result = await self._redis.transaction(cast("Any", gone), self._records, value_from_callable=True)
        self._cached.pop(sample_id, None)
        return bool(result)

    async def reseal(self) -> Resealed:
        """Seal every record and recording with the first key, whatever key or none they were stored with.

        What no key opens, or is gone, stays as it is and is counted.
        """
        names = [name.decode() for name in await cast("Awaitable[list[bytes]]", self._redis.hkeys(self._records))]
        recordings = left = 0
        for name in names:
            try:
                if await self._reseal_record(name) and await self._reseal_recording(name):
                    recordings += 1
            except BlobLocked:
                left += 1
        return Resealed(records=len(names) - left, recordings=recordings, locked=left)

    async def _reseal_record(self, sample_id: str) -> bool:
        async def sealed(pipe: Any) -> bool:
            stored = await pipe.hget(self._records, sample_id)
            plain = None if stored is None else opened(stored, self._cipher)
            pipe.multi()
            if plain is not None and self._cipher is not None:
                pipe.hset(self._records, sample_id, self._cipher.seal(plain))
            return plain is not None

        return bool(await self._redis.transaction(cast("Any", sealed), self._records, value_from_callable=True))

    async def _reseal_recording(self, sample_id: str) -> bool:
        try:
            await self._blobs.put(await self._blobs.get(sample_id))
        except KeyError:
            return False
        sample = await self.update(sample_id, lambda stored: stored)
        if sample is None or sample.erased_at is not None:  # erased meanwhile: putting it brought it back
            await self._blobs.delete(sample_id)
            return False
        return True

    def _sealed(self, sample: StoredSample) -> bytes:
        text = _readable(sample)
        return self._cipher.seal(text) if self._cipher else text

    def _maybe(self, sample_id: str, stored: bytes | None) -> StoredSample | None:
        """The record; None where there is none or it is nonsense. Raises BlobLocked."""
        if stored is None:
            return None
        try:
            return parse_sample(opened(stored, self._cipher))
        except BadVoiceFile as error:
            log.error("sample_unreadable", sample=sample_id[:12], fields=[path for path, _ in error.problems])
            return None

    def _unless_locked(self, sample_id: str, stored: bytes) -> StoredSample | None:
        try:
            return self._maybe(sample_id, stored)
        except BlobLocked as error:
            log.error("sample_locked", sample=sample_id[:12], reason=str(error))
            return None


async def records_in_the_clear(redis: Redis, *, prefix: str = "{recado}") -> int:
    """How many records of samples lie unencrypted in a store."""
    stored = await cast("Awaitable[list[bytes]]", redis.hvals(_records(prefix)))
    return sum(not is_sealed(text) for text in stored)


def _records(prefix: str) -> str:
    return f"{prefix}:samples"


def _readable(sample: StoredSample) -> bytes:
    """The JSON to store, after reading it back."""
    text = dump_sample(sample)
    try:
        parse_sample(text)
    except BadVoiceFile as error:
        raise BadVoice(f"The record of the recording {sample.id[:12]} was not stored: {error}.") from error
    return text

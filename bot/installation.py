"""What the processes of one installation share, opened as configured: store, mailbox, personas, voices."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.conversation import Conversations
from bot.designs import Designs
from bot.mailbox import CoalescingSender, Mailbox, MailboxError, MailboxSettings, StoreUnavailable
from bot.persona_store import Personas
from bot.sample_store import Samples
from bot.settings import Settings
from bot.store import Role, check_store, connect, store_url
from bot.voice_store import Profiles, Voices
from tts.blobs import Cipher, FolderBlobStore
from tts.bucket import open_bucket
from tts.contract import BlobStore
from tts.sealing import cipher_of

log = structlog.get_logger()

_HASH_KEY_NAME = "{recado}:secret"
RETRY_S = 0.5
KEEP_WHOLE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """One open store and what is built on it."""

    redis: Redis
    mailbox: Mailbox
    personas: Personas
    voices: Voices
    samples: Samples
    profiles: Profiles
    designs: Designs
    conversations: Conversations
    secret: bytes = field(repr=False)

    async def make_whole(self) -> None:
        """Write again what only a start writes, if the store lost everything (flushed, failed over to an empty one).

        Functions and groups, personas and voices as they were last known here, and the shipped personas where none was.
        Raises StoreReplaced where another process has begun anew already.
        """
        kept = await self.redis.get(_HASH_KEY_NAME)
        if kept == self.secret:
            return
        if kept is None:
            log.error("store lost everything: restoring what is known here")
            await self.mailbox.prepare()
            await self.voices.put_back()
            await self.personas.put_back()
            await self.personas.seed_if_empty()
            await self.redis.set(_HASH_KEY_NAME, self.secret, nx=True)  # last: until then somebody restores again
            kept = await self.redis.get(_HASH_KEY_NAME)
        if kept != self.secret:
            raise StoreReplaced("the store belongs to an installation begun anew: this process has to start again")

    async def close(self) -> None:
        """Close the connections."""
        await self.redis.aclose()


class StoreReplaced(Exception):
    """The store holds another secret than this process started with: marks made here would find nothing there."""


async def keep_whole(installation: Installation) -> None:
    """`make_whole`; where the store was begun anew this process ends, for its supervisor to start it again."""
    try:
        await installation.make_whole()
    except StoreReplaced as error:
        log.critical("store replaced: ending this process", reason=str(error))
        os.kill(os.getpid(), signal.SIGTERM)


async def open_installation(settings: Settings, *, role: Role, wait_s: float = 60.0) -> Installation:
    """Connect, check that the store is safe, and bring it up to this version.

    Waits up to `wait_s` for a store that is still starting. Raises StoreUnavailable when it does not come, and
    StoreUnsafe when it would lose messages, EngineUnavailable when samples cannot be kept as configured.
    """
    cipher = cipher_of(settings.samples_key)
    blobs = _sample_blobs(settings, cipher)
    redis = connect(store_url(settings.recado_data_dir, settings.redis_url), role)
    profiles = Profiles(redis, cipher=cipher)
    try:
        async with asyncio.timeout(wait_s):
            mailbox, secret = await _opened(redis, settings, role)
    except TimeoutError as error:
        await redis.aclose()
        cure = "is REDIS_URL right?" if settings.redis_url else "start it with `recado store` or `recado up`."
        raise StoreUnavailable(f"The store does not answer: {cure}") from error
    except BaseException:
        await redis.aclose()
        raise
    samples = Samples(redis, blobs, cipher=cipher)
    designs = Designs(redis, samples)
    return Installation(
        redis=redis,
        mailbox=mailbox,
        personas=Personas(redis),
        voices=Voices(redis, profiles, designed=designs.applied),
        samples=samples,
        profiles=profiles,
        designs=designs,
        conversations=Conversations(redis, history_s=settings.history_days * 86_400),
        secret=secret,
    )


def _sample_blobs(settings: Settings, cipher: Cipher | None) -> BlobStore:
    if settings.samples_url:
        return open_bucket(settings.samples_url, cipher=cipher)
    return FolderBlobStore(settings.recado_data_dir / "samples", cipher=cipher)


@contextlib.asynccontextmanager
async def opened_installation(settings: Settings, *, wait_s: float = 3.0) -> AsyncIterator[Installation]:
    """An installation for one command, closed again at the end."""
    installation = await open_installation(settings, role=Role.WORKER, wait_s=wait_s)
    try:
        yield installation
    finally:
        await installation.close()


async def _opened(redis: Redis, settings: Settings, role: Role) -> tuple[Mailbox, bytes]:
    while True:
        try:
            for warning in await check_store(redis, allow_volatile=settings.recado_allow_volatile):
                log.warning(warning)
            secret = await _secret(redis)
            mailbox = Mailbox(
                redis,
                secret=secret,
                settings=MailboxSettings(
                    quiet_ms=round(settings.burst_quiet_s * 1000),
                    burst_max_ms=round(settings.burst_max_s * 1000),
                    max_attempts=settings.max_attempts,
                ),
                sender=CoalescingSender(redis) if role is Role.RECEIVER else None,
            )
            await mailbox.prepare()
        except (RedisError, MailboxError, OSError) as error:
            log.info("waiting for the store", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
        else:
            return mailbox, secret


async def _secret(redis: Redis) -> bytes:
    """What keys this installation's hashes: made once, kept in the store beside what it protects."""
    await redis.set(_HASH_KEY_NAME, secrets.token_bytes(32), nx=True)
    secret = await redis.get(_HASH_KEY_NAME)
    if not isinstance(secret, bytes):
        raise RedisError("the store lost the installation's secret")
    return secret

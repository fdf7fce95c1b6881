"""Opens the configured store for one command, and says what to do when there is none."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import click
from redis.exceptions import RedisError

from bot.commandline.processes import read_settings
from bot.installation import Installation, opened_installation
from bot.mailbox import MailboxError
from bot.settings import Settings
from bot.store import StoreError
from tts.errors import TtsError

T = TypeVar("T")

WAIT_S = 2.0


@contextlib.asynccontextmanager
async def open_store(settings: Settings, *, wait_s: float = WAIT_S) -> AsyncIterator[Installation]:
    """The installation of `settings`; what goes wrong with the store becomes a click.ClickException with the cure."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            installation = await stack.enter_async_context(opened_installation(settings, wait_s=wait_s))
        except ValueError as error:
            raise click.ClickException("REDIS_URL is no address; write it as redis://HOST:PORT/0.") from error
        except (MailboxError, StoreError, TtsError) as error:
            raise click.ClickException(str(error)) from error
        try:
            yield installation
        except (MailboxError, RedisError) as error:
            words = str(error) if isinstance(error, MailboxError) else f"The store failed: {type(error).__name__}."
            raise click.ClickException(words) from error


def with_store(work: Callable[[Installation], Awaitable[T]]) -> T:
    """Run `work` on the configured store."""

    async def run() -> T:
        async with open_store(read_settings()) as installation:
            return await work(installation)

    return asyncio.run(run())

"""Opens the voice lab of the configured store, and the configured hearing, for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import click
import httpx

from bot.commandline.store_access import with_store
from bot.installation import Installation
from bot.voice import VoiceError
from bot.voice_lab import VoiceLab
from tts.contract import Transcriber
from tts.errors import TtsError
from tts.hearing import build_transcriber
from tts.settings import TtsSettings

T = TypeVar("T")


def in_lab(work: Callable[[VoiceLab, Installation], Awaitable[T]]) -> T:
    """Run `work` on the configured store; what it refuses becomes the command's error."""

    async def run(installation: Installation) -> T:
        return await work(VoiceLab(installation.voices, installation.samples), installation)

    try:
        return with_store(run)
    except (TtsError, VoiceError) as error:
        raise click.ClickException(str(error)) from error


@asynccontextmanager
async def hearing(settings: TtsSettings) -> AsyncIterator[Transcriber]:
    """What the worker hears with: the endpoint of STT_BASE_URL, or the embedded Whisper; loaded when first asked."""
    async with httpx.AsyncClient() as http:
        transcriber = build_transcriber(settings, http)
        try:
            yield transcriber
        finally:
            await transcriber.close()

"""Opens the voice lab of the configured store, and the configured hearing, for one command."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import click
import httpx

from bot.commandline.processes import read_tts_settings
from bot.commandline.store_access import with_store
from bot.installation import Installation
from bot.recordings import Recordings
from bot.voice import VoiceError
from bot.voice_lab import VoiceLab
from bot.voice_names import known_names
from bot.voice_transfer import VoiceTransfer
from bot.voice_uses import Uses
from tts.contract import Transcriber
from tts.errors import TtsError
from tts.hearing import build_transcriber
from tts.settings import TtsSettings

T = TypeVar("T")


def in_lab(work: Callable[[VoiceLab, Installation], Awaitable[T]]) -> T:
    """Run `work` on the configured store; what it refuses becomes the command's error."""
    names = known_names(read_tts_settings())
    # Commands tell of unreadable voices in their own words; a log line beside them would be noise.
    logging.getLogger("bot.voice_store").addFilter(_is_news)

    async def run(installation: Installation) -> T:
        uses = Uses(
            installation.voices, installation.personas, installation.profiles, designed=installation.designs.applied
        )
        recordings = Recordings(installation.samples, uses)
        return await work(VoiceLab(installation.voices, recordings, names=names), installation)

    try:
        return with_store(run)
    except (TtsError, VoiceError) as error:
        raise click.ClickException(str(error)) from error


def in_transfer(work: Callable[[VoiceTransfer], Awaitable[T]]) -> T:
    """The same for what comes in and goes out."""
    return in_lab(lambda lab, installation: work(VoiceTransfer(installation.voices, lab.recordings, lab)))


@asynccontextmanager
async def hearing(settings: TtsSettings) -> AsyncIterator[Transcriber]:
    """What the worker hears with: the endpoint of STT_BASE_URL, or the embedded Whisper; loaded when first asked."""
    async with httpx.AsyncClient() as http:
        transcriber = build_transcriber(settings, http)
        try:
            yield transcriber
        finally:
            await transcriber.close()


def _is_news(record: logging.LogRecord) -> bool:
    return not (isinstance(record.msg, dict) and record.msg.get("event") == "voice_unreadable")

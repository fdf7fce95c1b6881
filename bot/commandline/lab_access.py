"""Opens the voice lab of the configured store for one command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from bot.commandline.store_access import with_store
from bot.installation import Installation
from bot.voice import VoiceError
from bot.voice_lab import VoiceLab
from tts.errors import TtsError

T = TypeVar("T")


def in_lab(work: Callable[[VoiceLab, Installation], Awaitable[T]]) -> T:
    """Run `work` on the configured store; what it refuses becomes the command's error."""

    async def run(installation: Installation) -> T:
        return await work(VoiceLab(installation.voices, installation.samples), installation)

    try:
        return with_store(run)
    except (TtsError, VoiceError) as error:
        raise click.ClickException(str(error)) from error

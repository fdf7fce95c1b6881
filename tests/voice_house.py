"""A store with voices in it, as the tests of `recado voice` use it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from click.testing import Result

from bot.commandline.voice.commands import voice
from bot.installation import Installation, opened_installation
from bot.settings import Settings
from tts.engines.fake import FakeCastingEngine

CONSENT = ("--speaker", "Ana", "--consent-by", "Ana", "--statement", "My voice may speak for the shop.")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A store, a large fake engine in the place of qwen3, and a recording of Ana."""

    recado: Callable[..., Result]
    engine: FakeCastingEngine
    folder: Path
    file: str

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        result: Result = self.recado(voice, *arguments, answer=answer)
        return result

    def create(self, *options: str) -> Result:
        return self.run("create", "ana", "--language", "pt-BR", "--prompt", "voz quente", *options)

    def add(self, *options: str, file: str = "", answer: str | None = None) -> Result:
        words = ("--transcript", "o seu pedido já saiu de casa")
        return self.run("samples", "add", "ana", file or self.file, *CONSENT, *words, *options, answer=answer)

    def added(self, *options: str) -> str:
        """The beginning of the id of the sample that was added."""
        result = self.add(*options)
        assert result.exit_code == 0, result.output
        return result.stdout.partition(":")[0]

    def stored(self, work: Callable[[Installation], Awaitable[object]]) -> object:
        """What `work` finds in the installation."""

        async def look() -> object:
            async with opened_installation(Settings()) as installation:
                return await work(installation)

        return asyncio.run(look())

"""Sees to it, in the background, that every persona whose voice is a prompt alone gets a voice of its own.

No turn waits for it: until the clip is there, the voice's stand-in speaks. Must not know how a clip is made or kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from redis.exceptions import RedisError

from bot.designs import Designs
from bot.persona_store import Personas
from bot.voice_store import Voices
from tts.contract import Voice
from tts.errors import TtsError
from tts.speaker import Speaker

log = structlog.get_logger()

LOOK_S = 30.0
AGAIN_S = 600.0


class Designer:
    """Designs what is missing, one voice after another. A voice that could not be designed rests for ten minutes."""

    def __init__(
        self,
        *,
        speaker: Speaker,
        designs: Designs,
        personas: Personas,
        voices: Voices,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._speaker = speaker
        self._designs = designs
        self._personas = personas
        self._voices = voices
        self._clock = clock
        self._sleep = sleep
        self._rests_until_s: dict[Voice, float] = {}

    async def run(self) -> None:
        """Look every half minute, so that a new persona has its voice soon; until cancelled."""
        while True:
            try:
                await self.look()
            except RedisError as error:
                log.warning("voices were not looked through", error=type(error).__name__)
            await self._sleep(LOOK_S)

    async def look(self) -> None:
        """Design what is missing now. Raises RedisError."""
        for persona in await self._personas.list():
            try:
                voice = await self._voices.resolve(persona)
            except TtsError:
                continue  # whoever speaks for the persona says so
            rested = self._clock() >= self._rests_until_s.get(voice, 0.0)
            if rested and self._speaker.wants_design(voice) and await self._designs.take(voice):
                await self._design(voice)

    async def _design(self, voice: Voice) -> None:
        started_s = self._clock()
        log.info("designing a voice", voice=voice.id)
        try:
            clip = await self._speaker.design(voice.prompt, language=voice.language, seed=voice.seed or 0)
            sample = await self._designs.keep(voice, clip)
        except (TtsError, OSError) as error:
            self._rests_until_s[voice] = self._clock() + AGAIN_S
            log.warning("a voice was not designed", voice=voice.id, reason=str(error))
            return
        finally:
            await self._designs.leave(voice)
        log.info(
            "a voice was designed",
            voice=voice.id,
            engine=clip.engine,
            sample=sample.id[:12],
            took_s=round(self._clock() - started_s, 1),
        )
        await self._speaker.prepare(await self._designs.applied(voice))

"""Sees to it, in the background, that the voice of every persona is there before its first turn asks for it.

A voice that is a prompt alone is designed; no turn waits for that, its stand-in speaks until then. What is there is
cast ahead, with the models it needs. Must not know how a clip is made or kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bot.designs import Designs
from bot.persona import Persona
from bot.persona_store import Personas
from bot.voice_store import Voices
from tts.contract import Voice
from tts.errors import TtsError
from tts.speaker import Speaker

log = structlog.get_logger()

LOOK_S = 30.0  # so often, that a new persona has its voice soon
AGAIN_S = 600.0


class Designer:
    """Designs what is missing and casts what is new, one voice after another, with each `look`.

    A voice that could not be designed rests for ten minutes.
    """

    def __init__(
        self,
        *,
        speaker: Speaker,
        designs: Designs,
        personas: Personas,
        voices: Voices,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._speaker = speaker
        self._designs = designs
        self._personas = personas
        self._voices = voices
        self._clock = clock
        self._rests_until_s: dict[Voice, float] = {}
        self._ready: dict[str, Voice] = {}

    async def look(self) -> None:
        """Design what is missing now, and cast what was not cast yet. Raises RedisError."""
        for persona in await self._personas.list():
            voice = await self._voice_of(persona)
            if voice is None:
                continue
            if self._clock() >= self._rests_until_s.get(voice, 0.0) and self._speaker.wants_design(voice):
                voice = await self._designed(persona, voice)
            if self._ready.get(persona.id) != voice:
                await self._speaker.prepare(voice)
                self._ready[persona.id] = voice

    async def _voice_of(self, persona: Persona) -> Voice | None:
        try:
            return await self._voices.resolve(persona)
        except TtsError:
            return None  # its turns say so, and this comes by every half minute

    async def _designed(self, persona: Persona, voice: Voice) -> Voice:
        """The voice with its clip, where it could be had."""
        if not await self._designs.take(voice):
            return voice
        self._rests_until_s[voice] = self._clock() + AGAIN_S
        try:
            now = await self._voice_of(persona) or voice  # another worker may have been first
            if now == voice:
                await self._design(voice)
            del self._rests_until_s[voice]
            return await self._designs.applied(now)
        except (TtsError, OSError) as error:
            log.warning("a voice was not designed", voice=voice.id, reason=str(error))
            return voice
        finally:
            await self._designs.leave(voice)

    async def _design(self, voice: Voice) -> None:
        started_s = self._clock()
        log.info("designing a voice", voice=voice.id)
        clip = await self._speaker.design(voice.prompt, language=voice.language, seed=voice.seed or 0)
        sample = await self._designs.keep(voice, clip)
        took_s = round(self._clock() - started_s, 1)
        log.info("a voice was designed", voice=voice.id, engine=clip.engine, sample=sample.id[:12], took_s=took_s)

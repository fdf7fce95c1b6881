"""Who speaks with a recording: stored voices, and personas whose voice is written out in them. Changes neither."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.persona import Persona
from bot.persona_store import Personas
from bot.voice_store import Profiles, Voices, recordings_of
from tts.contract import Voice
from tts.errors import BadVoice, BlobLocked
from tts.voices.ids import StoredId, read_voice_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One user of a recording. `name` is a voice's id, or says what else it is; `voice` is None where it is unreadable.

    `by_prompt` where the voice is a prompt alone and this is the clip designed of it: without it, another is designed.
    `heard` tells that the recording has weight in the mix, or may have.
    """

    name: str
    voice: Voice | None
    by_prompt: bool = False
    heard: bool = True


class Uses:
    """Finds the users of recordings and of voices. What cannot be read counts as a user: nothing is erased under it.

    `designed` gives a voice that is a prompt alone the clip that was designed of it.
    """

    def __init__(
        self,
        voices: Voices,
        personas: Personas,
        profiles: Profiles,
        *,
        designed: Callable[[Voice], Awaitable[Voice]] | None = None,
    ) -> None:
        self._voices = voices
        self._personas = personas
        self._profiles = profiles
        self._designed = designed

    async def of(self, sample_id: str) -> tuple[Use, ...]:
        """Everybody whose mix names a recording, whatever its weight: voices first, then personas."""
        spoken = [(voice.id, voice) for voice in await self._voices.list()]
        spoken += [(f"persona {one.id}", one.voice) for one in await self._personas.list() if not one.voice_id]
        found = []
        for name, voice in spoken:
            if sample_id in recordings_of(voice):
                heard = any(source.ref == sample_id and source.weight > 0 for source in voice.sources)
                found.append(Use(name=name, voice=voice, heard=heard))
            elif sample_id in recordings_of(await self._with_clip(voice)):
                found.append(Use(name=f"{name} (by its prompt)", voice=voice, by_prompt=True))
        unreadable = [(name, text) for name, text in (await self._voices.unreadable()).items()]
        unreadable += [(f"persona {name}", text) for name, text in (await self._personas.unreadable()).items()]
        found += [Use(name=f"{name} (unreadable)", voice=None) for name, text in unreadable if sample_id in text]
        return tuple(found)

    async def _with_clip(self, voice: Voice) -> Voice:
        try:
            return voice if self._designed is None else await self._designed(voice)
        except BlobLocked:  # its clip is another recording than one that could be read
            return voice

    async def personas_of(self, voice_id: str) -> tuple[str, ...]:
        """The personas that speak with a stored voice, by either of its names."""
        return tuple(one.id for one in await self._personas.list() if stored_voice_id(one) == voice_id)

    async def forget_profiles(self, uses: tuple[Use, ...]) -> None:
        """Forget what engines made of these users' voices."""
        for use in uses:
            if use.voice is not None:
                await self._profiles.purge(use.voice.id)


def stored_voice_id(persona: Persona) -> str:
    """The id of the stored voice that a persona names, by either of its names; empty where it names none."""
    try:
        named = read_voice_id(persona.voice_id, timbres=())
    except BadVoice:
        return ""
    return named.voice_id if isinstance(named, StoredId) else ""

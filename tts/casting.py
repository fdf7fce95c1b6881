"""Gets the profile an engine speaks a voice with: from memory, from the profile store, or made now, once for all.

Nothing here is used without consent: it is looked up again for every note, so that what was withdrawn a moment ago is
not spoken from a cache. Must not know engines, devices or where recordings are kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import structlog

from tts.audio.decode import decode_ours
from tts.contract import EngineInfo, PcmAudio, PreparedSource, Transcriber, Voice, VoiceProfile, VoiceSource
from tts.errors import BadVoice, NoConsent, TtsError
from tts.material import RECORDED, Material, material_refusal
from tts.voices.mix import normalised, usable_sources
from tts.voices.reference import cut_to, shares_s
from tts.voices.samples import encode_sample

_log = structlog.get_logger()

PROFILES_MAX = 100
PROFILE_KEPT_S = 3600.0

Cast = Callable[[Sequence[PreparedSource]], Awaitable[VoiceProfile]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileKey:
    """What a profile is good for. `fingerprint` tells voices apart that were edited without a new version."""

    voice_id: str
    voice_version: int
    engine: str
    model: str
    fingerprint: str


class ProfileStore(Protocol):
    """Keeps profiles beyond the process. It is a cache: what it cannot do, it leaves out, and never raises."""

    async def get(self, key: ProfileKey) -> VoiceProfile | None:
        """The profile, or None."""
        ...

    async def put(self, key: ProfileKey, profile: VoiceProfile) -> None:
        """Keep it."""
        ...

    async def purge(self, voice_id: str) -> None:
        """Forget every profile of a voice."""
        ...


class CacheResult(StrEnum):
    """What a look-up found."""

    HIT = "hit"
    MISS = "miss"


class Origin(StrEnum):
    """Where a profile came from."""

    MEMORY = "memory"
    STORE = "store"
    MADE = "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A profile and its origin."""

    profile: VoiceProfile
    origin: Origin


class Casting:
    """Profiles of voices, made once. `on_lookup` hears of every look-up: ("memory" or "store", hit or miss).

    `transcriber` writes down samples that came without words; without one, engines get none and must do without.
    `clock` counts seconds for the cache, `now` tells the time for consents.
    """

    def __init__(
        self,
        material: Material,
        *,
        profiles: ProfileStore | None = None,
        transcriber: Transcriber | None = None,
        on_lookup: Callable[[str, CacheResult], None] = lambda _where, _result: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._material = material
        self._profiles = profiles
        self._transcriber = transcriber
        self._on_lookup = on_lookup
        self._now = now
        self._memory = _Memory(clock)
        self._making: dict[ProfileKey, asyncio.Task[Found]] = {}

    async def refusal(self, voice: Voice) -> str:
        """Why the voice's own sources may not be spoken with, in words; empty when they may. Purges what was made."""
        reason = await material_refusal(self._material, voice.sources, self._now())
        if reason:
            await self.forget(voice.id)
        return reason

    async def forget(self, voice_id: str) -> None:
        """Purge what was made of a voice; the next who asks has it made anew."""
        self._memory.drop(lambda key: key.voice_id == voice_id)
        if self._profiles is not None:
            await self._profiles.purge(voice_id)

    async def profile(self, voice: Voice, info: EngineInfo, cast: Cast, *, anew: bool = False) -> Found:
        """The profile of `voice` for the engine of `info`; `cast` makes it where there is none, or `anew`.

        Askers at the same time wait for one making. Raises NoConsent, BadVoice for a recording that is gone, and what
        `cast` raises.
        """
        sources = usable_sources(voice, info)
        if sources is None:
            raise BadVoice(f"{info.name} cannot speak the voice {voice.id}")
        await self._check(sources)
        key = ProfileKey(
            voice_id=voice.id,
            voice_version=voice.version,
            engine=info.name,
            model=info.model,
            fingerprint=fingerprint(voice, sources),
        )
        known = None if anew else self._memory.get(key)
        self._on_lookup(Origin.MEMORY, CacheResult.HIT if known else CacheResult.MISS)
        if known is not None:
            return Found(profile=known, origin=Origin.MEMORY)
        task = self._making.get(key)
        if task is None:
            # A task of its own: an asker who gives up takes the profile away from nobody.
            task = asyncio.create_task(self._obtained(key, sources, cast, anew=anew), name=f"casting-{voice.id}")
            self._making[key] = task
            task.add_done_callback(lambda done: self._made(key, done))
        return await asyncio.shield(task)

    def _made(self, key: ProfileKey, task: asyncio.Task[Found]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # seen: the askers may all have left

    async def _obtained(self, key: ProfileKey, sources: Sequence[VoiceSource], cast: Cast, *, anew: bool) -> Found:
        stored = await self._profiles.get(key) if self._profiles is not None and not anew else None
        if self._profiles is not None:
            self._on_lookup(Origin.STORE, CacheResult.HIT if stored else CacheResult.MISS)
        if stored is not None:
            self._remember(key, stored)
            return Found(profile=stored, origin=Origin.STORE)
        started_s = time.perf_counter()
        made = await cast(await self._prepared(sources))
        await self._check(sources)  # making takes seconds, in which a consent may have been withdrawn
        self._remember(key, made)
        if self._profiles is not None:
            await self._profiles.put(key, made)
        _log.info(
            "profile_made",
            voice=key.voice_id,
            voice_version=key.voice_version,
            engine=key.engine,
            sources=len(sources),
            profile_bytes=len(made.data),
            took_s=round(time.perf_counter() - started_s, 3),
        )
        return Found(profile=made, origin=Origin.MADE)

    def _remember(self, key: ProfileKey, profile: VoiceProfile) -> None:
        self._memory.drop(
            lambda other: (
                (other.voice_id, other.engine) == (key.voice_id, key.engine) and other.voice_version < key.voice_version
            )
        )
        self._memory.put(key, profile)

    # -- consent --------------------------------------------------------------------------------------------------

    async def _check(self, sources: Iterable[VoiceSource]) -> None:
        reason = await material_refusal(self._material, sources, self._now())
        if reason:
            raise NoConsent(reason)

    # -- preparing ------------------------------------------------------------------------------------------------

    async def _prepared(self, sources: Sequence[VoiceSource]) -> list[PreparedSource]:
        """The sources with weight; recordings cut to their share of the reference, with the words of what is left."""
        weighted = normalised(sources)
        total = sum(weight for source, weight in weighted if source.kind in RECORDED)
        recorded = [(source, weight / total) for source, weight in weighted if source.kind in RECORDED]
        shares = dict(zip((s.ref for s, _ in recorded), shares_s([weight for _, weight in recorded]), strict=True))
        return [await self._one(source, shares) for source, _ in weighted]

    async def _one(self, source: VoiceSource, shares: Mapping[str, float]) -> PreparedSource:
        if source.kind not in RECORDED:
            return PreparedSource(source=source)
        sample = await self._material.find(source.ref)
        try:
            data = await self._material.audio(source.ref)
        except KeyError:
            sample = None
        except OSError as error:
            raise BadVoice(f"the recording {source.ref[:12]} cannot be read ({type(error).__name__})") from error
        if sample is None:
            raise BadVoice(f"the recording {source.ref[:12]} is gone: add it again, or take it out of the mix")
        audio, was_cut = await asyncio.to_thread(_cut, data, shares[source.ref])
        words = "" if was_cut else sample.transcript
        return PreparedSource(
            source=source, audio=audio, transcript=words or await self._heard(audio, sample.language) or None
        )

    async def _heard(self, audio: PcmAudio, language: str) -> str:
        """The words of a recording; empty when nobody can tell, which leaves the engine without them."""
        if self._transcriber is None:
            return ""
        try:
            data = await asyncio.to_thread(encode_sample, audio)
            return (await self._transcriber.transcribe(data, language=language)).text
        except TtsError as error:
            _log.warning("a sample was not written down", error=type(error).__name__)
            return ""


def fingerprint(voice: Voice, sources: Sequence[VoiceSource]) -> str:
    """Of what a profile is made of: prompt, seed, language and the sources with weight."""
    parts = [voice.prompt, str(voice.seed), voice.language]
    parts += [f"{source.kind}:{source.ref}:{source.weight!r}" for source in sources if source.weight > 0]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _cut(data: bytes, most_s: float) -> tuple[PcmAudio, bool]:
    whole = decode_ours(data).audio
    audio = cut_to(whole, most_s)
    return audio, audio is not whole


class _Memory:
    """The last `PROFILES_MAX` profiles that were asked for, each for an hour after it was put."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[ProfileKey, tuple[VoiceProfile, float]] = OrderedDict()

    def get(self, key: ProfileKey) -> VoiceProfile | None:
        profile, ends_s = self._kept.get(key, (None, 0.0))
        if profile is None:
            return None
        if self._clock() >= ends_s:
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return profile

    def put(self, key: ProfileKey, profile: VoiceProfile) -> None:
        self._kept[key] = (profile, self._clock() + PROFILE_KEPT_S)
        self._kept.move_to_end(key)
        while len(self._kept) > PROFILES_MAX:
            self._kept.popitem(last=False)

    def drop(self, which: Callable[[ProfileKey], bool]) -> None:
        for key in [key for key in self._kept if which(key)]:
            del self._kept[key]

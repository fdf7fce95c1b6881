"""An engine for tests and dry runs: tones in place of speech, and failure on order. Makes no speech."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence

import numpy as np

from tts.contract import EngineInfo, PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceProfile
from tts.errors import BadText, BadVoice, EngineUnavailable, TtsError
from tts.text import expected_duration_s

SAMPLE_RATE_HZ = 24_000
STYLES = ("low", "high")


class FakeEngine:
    """Speaks every text as tones of its expected length, their pitches told by the text.

    Orders are attributes: `loads_with` is raised by `load`, `raises` by `synthesize`; `fails` maps texts to the error
    that is their result; `results` are given to the next utterances in place of tones; while `hold` is set and not
    released, `synthesize` hangs (`started` tells that it began). What it was asked is in `batches`.
    """

    def __init__(
        self,
        *,
        name: str = "fake",
        languages: frozenset[str] = frozenset(),
        source_kinds: frozenset[SourceKind] = frozenset({SourceKind.STYLE}),
        designs: bool = False,
        max_batch: int = 8,
        deterministic: bool = False,
        paces: bool = True,
    ) -> None:
        self._info = EngineInfo(
            name=name,
            model="tone",
            licence="Apache-2.0",
            languages=languages,
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=max_batch,
            source_kinds=source_kinds,
            designs=designs,
            names=STYLES if SourceKind.STYLE in source_kinds else (),
            deterministic=deterministic,
            paces=paces,
        )
        self.loads_with: TtsError | None = None
        self.results: list[TtsError | PcmAudio] = []
        self.fails: dict[str, TtsError] = {}
        self.raises: BaseException | None = None
        self.hold: threading.Event | None = None
        self.started = threading.Event()
        self.batches: list[tuple[Utterance, ...]] = []
        self.loaded = False

    @property
    def info(self) -> EngineInfo:
        """Capabilities as constructed."""
        return self._info

    def load(self) -> None:
        """Ready at once, or raises `loads_with`."""
        if self.loads_with is not None:
            raise self.loads_with
        self.loaded = True

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One tone, or what was ordered, per utterance in order."""
        if not self.loaded:
            raise EngineUnavailable("the fake engine is not loaded")
        self.batches.append(tuple(batch))
        self.started.set()
        if self.hold is not None:
            self.hold.wait()
        if self.raises is not None:
            raise self.raises
        return [self._one(utterance) for utterance in batch]

    def close(self) -> None:
        """Forget being loaded."""
        self.loaded = False

    def _one(self, utterance: Utterance) -> PcmAudio | TtsError:
        if utterance.text in self.fails:
            return self.fails[utterance.text]
        if self.results:
            return self.results.pop(0)
        if not utterance.text.strip():
            return BadText("nothing to say")
        return tone(utterance.text, seconds=utterance.expected_s)


class FakeCastingEngine(FakeEngine):
    """Speaks like FakeEngine, but only with a profile it cast itself; designs tones too.

    `casts` and `designed` are what it was asked; `cast_raises` is raised by `cast`, `designs_as` is given by `design`
    in place of a tone, one a call; while `cast_hold` is set and not released, `cast` hangs.
    """

    def __init__(
        self,
        *,
        name: str = "large",
        languages: frozenset[str] = frozenset(),
        source_kinds: frozenset[SourceKind] = frozenset({SourceKind.SAMPLE, SourceKind.DESIGNED}),
        designs: bool = True,
        max_batch: int = 8,
    ) -> None:
        super().__init__(
            name=name, languages=languages, source_kinds=source_kinds, designs=designs, max_batch=max_batch
        )
        self.casts: list[tuple[Voice, tuple[PreparedSource, ...]]] = []
        self.cast_raises: BaseException | None = None
        self.cast_hold: threading.Event | None = None
        self.designed: list[tuple[str, str, int]] = []
        self.designs_as: list[PcmAudio] = []

    def cast(self, voice: Voice, sources: Sequence[PreparedSource]) -> VoiceProfile:
        """A profile that names its sources, or what was ordered."""
        self.casts.append((voice, tuple(sources)))
        self.started.set()
        if self.cast_hold is not None:
            self.cast_hold.wait()
        if self.cast_raises is not None:
            raise self.cast_raises
        data = " ".join(f"{source.source.ref}={source.source.weight:g}" for source in sources)
        return VoiceProfile(
            voice_id=voice.id,
            voice_version=voice.version,
            engine=self.info.name,
            model=self.info.model,
            data=data.encode(),
        )

    def design(self, prompt: str, *, text: str, language: str, seed: int) -> PcmAudio:
        """A tone as long as the text, or what was ordered."""
        self.designed.append((prompt, language, seed))
        return self.designs_as.pop(0) if self.designs_as else tone(text, seconds=expected_duration_s(text, language))

    def _one(self, utterance: Utterance) -> PcmAudio | TtsError:
        profile = utterance.profile
        if profile is None or (profile.engine, profile.voice_id) != (self.info.name, utterance.voice.id):
            return BadVoice("an utterance without the profile of its voice")
        return super()._one(utterance)


def tone(text: str, *, seconds: float) -> PcmAudio:
    """Syllables of 160 ms with pitches told by the text: the same for the same text, and never in a loop."""
    random = np.random.default_rng(zlib.crc32(text.encode()))
    samples = round(seconds * SAMPLE_RATE_HZ)
    syllable = np.arange(samples) // round(0.16 * SAMPLE_RATE_HZ)
    hz = random.uniform(120.0, 2_000.0, size=int(syllable[-1]) + 1 if samples else 0)[syllable]
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(samples) / SAMPLE_RATE_HZ)
    wave = 0.3 * swell * np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ)
    return PcmAudio(samples=wave.astype(np.float32), sample_rate_hz=SAMPLE_RATE_HZ)

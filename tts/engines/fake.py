"""An engine for tests and dry runs: tones in place of speech, and failure on order. Makes no speech."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence

import numpy as np

from tts.contract import EngineInfo, PcmAudio, SourceKind, Utterance
from tts.errors import BadText, EngineUnavailable, TtsError

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


def tone(text: str, *, seconds: float) -> PcmAudio:
    """Syllables of 160 ms with pitches told by the text: the same for the same text, and never in a loop."""
    random = np.random.default_rng(zlib.crc32(text.encode()))
    samples = round(seconds * SAMPLE_RATE_HZ)
    syllable = np.arange(samples) // round(0.16 * SAMPLE_RATE_HZ)
    hz = random.uniform(120.0, 2_000.0, size=int(syllable[-1]) + 1 if samples else 0)[syllable]
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(samples) / SAMPLE_RATE_HZ)
    wave = 0.3 * swell * np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE_HZ)
    return PcmAudio(samples=wave.astype(np.float32), sample_rate_hz=SAMPLE_RATE_HZ)

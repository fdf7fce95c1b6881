"""An engine for tests and dry runs: a steady tone per text, and failure on order. Makes no speech."""

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
    """Speaks every text as a tone of its expected length, its pitch told by the text.

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
    """A tone of 120 to 420 Hz told by the text, swelling three times a second so that it is not one flat sound."""
    hz = 120 + zlib.crc32(text.encode()) % 300
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * times)
    samples = (0.3 * swell * np.sin(2 * np.pi * hz * times)).astype(np.float32)
    return PcmAudio(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ)

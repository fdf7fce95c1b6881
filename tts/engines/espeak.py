"""espeak-ng's own voice: understandable, plainly a machine, nearly free. The last resort, used only when named.

Must not know the library's ctypes: that is `espeak_ng`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.contract import EngineInfo, PcmAudio, SourceKind, Utterance
from tts.engines import espeak_ng
from tts.errors import BadText, BadVoice, TtsError
from tts.languages import match_language

VOICES = {
    "en": "en-us", "pt-BR": "pt-br", "pt-PT": "pt", "es": "es", "fr": "fr", "it": "it", "de": "de",
}  # fmt: skip
SAMPLE_RATE_HZ = 22_050


class EspeakEngine:
    """One voice per language. It stands in for any style, whatever its name: whoever lists it accepts its sound."""

    @property
    def info(self) -> EngineInfo:
        """Capabilities."""
        return EngineInfo(
            name="espeak",
            model="espeak-ng",
            licence="GPL-3.0-or-later",
            languages=frozenset(VOICES),
            sample_rate_hz=SAMPLE_RATE_HZ,
            max_batch=8,
            source_kinds=frozenset({SourceKind.STYLE}),
            deterministic=True,
        )

    def load(self) -> None:
        """Bring the library up. Raises EngineUnavailable with the cure."""
        espeak_ng.load()

    def synthesize(self, batch: Sequence[Utterance]) -> list[PcmAudio | TtsError]:
        """One `(samples,)` float32 at 22.05 kHz per utterance in order, or what was wrong with it."""
        return [self._one(utterance) for utterance in batch]

    def close(self) -> None:
        """Nothing is held: the library is the process's."""

    @staticmethod
    def _one(utterance: Utterance) -> PcmAudio | TtsError:
        language = match_language(utterance.language, VOICES)
        if language is None:
            return BadVoice(f"espeak does not speak {utterance.language!r} here; valid: {', '.join(sorted(VOICES))}")
        try:
            samples, rate_hz = espeak_ng.speech(utterance.text, VOICES[language], speed=utterance.voice.speed)
        except TtsError as error:
            return error
        if not samples.any():
            return BadText("the text holds nothing espeak can say")
        return PcmAudio(samples=samples, sample_rate_hz=rate_hz)

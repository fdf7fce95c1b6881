"""Whether a take says what it should: it is written down again and compared. Must not know engines."""

from __future__ import annotations

import asyncio
import io
import unicodedata

import soundfile
import structlog
from rapidfuzz.distance import Levenshtein

from tts.contract import PcmAudio, Transcriber, Utterance
from tts.errors import BadText, TtsError
from tts.gate import Verdict
from tts.text import plan_utterance

_log = structlog.get_logger()

_ALWAYS_FORGIVEN = 4  # letters: one short name misheard is no fault of the voice


class WordsCheck:
    """Compares what `transcriber` hears with what was to be said, letter by letter.

    `max_cer` is the highest accepted character error rate. When hearing fails, the take is not judged.
    """

    def __init__(self, transcriber: Transcriber, *, max_cer: float) -> None:
        self._transcriber = transcriber
        self._max_cer = max_cer

    async def judge(self, audio: PcmAudio, utterance: Utterance) -> Verdict:
        """Refused when more letters are wrong than `max_cer` allows; the score is `cer`."""
        try:
            data = await asyncio.to_thread(_wav, audio)
            heard = await self._transcriber.transcribe(data, language=utterance.language)
        except TtsError as error:
            _log.warning("gate.not_heard", error=type(error).__name__)
            return Verdict()
        wrong, length = await asyncio.to_thread(_errors, utterance.text, heard.text, utterance.language)
        rate = wrong / max(length, 1)
        if wrong > _ALWAYS_FORGIVEN and rate > self._max_cer:
            return Verdict(
                reasons=(f"words: {100 * rate:.0f} % of the letters are not what was to be said",),
                scores=(("cer", rate),),
            )
        return Verdict(scores=(("cer", rate),))


def character_error_rate(wanted: str, heard: str, language: str) -> float:
    """Wrong, missing and added letters of `heard` per letter of `wanted`; 0.0 is perfect, and it may pass 1.0.

    Both are brought to spoken words first (a transcriber writes "23" for "twenty-three"), then to bare letters.
    """
    wrong, length = _errors(wanted, heard, language)
    return wrong / max(length, 1)


def _errors(wanted: str, heard: str, language: str) -> tuple[int, int]:
    letters = _letters(wanted, language)
    return Levenshtein.distance(letters, _letters(heard, language)), len(letters)


def _letters(text: str, language: str) -> str:
    try:
        text = " ".join(segment.text for segment in plan_utterance(text, language=language, lexicon={}).segments)
    except BadText:  # nothing in it to say
        return ""
    bare = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in bare if sign.isalnum())


def _wav(audio: PcmAudio) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, audio.samples, audio.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()

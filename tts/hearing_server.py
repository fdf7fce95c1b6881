"""Has voice notes written down by a server: anything with OpenAI's transcription endpoint. Must not know chats."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

import httpx
from pydantic import BaseModel, ValidationError

from tts.audio.decode import Decoded, DecodeLimits, decode
from tts.contract import Transcript
from tts.errors import EngineFailed

MOST_TRIED = 3
"""In how many languages a note is written down at most, where its own is not told for sure."""

_RETRIES = 2
_BACKOFF_S = 0.5


class OpenAiTranscriber:
    """Any server with OpenAI's `POST {base_url}/audio/transcriptions`; retries what may pass on a second try."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        base_url: str,
        model: str,
        api_key: str | None = None,
        timeout_s: float = 30.0,
        limits: DecodeLimits | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._url = base_url.rstrip("/") + "/audio/transcriptions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s
        self._limits = limits or DecodeLimits()
        self._sleep = sleep

    async def start(self) -> None:
        """Nothing has to be loaded."""

    async def close(self) -> None:
        """Nothing has to be freed."""

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        """What the server heard. Raises BadAudio, EngineFailed when it cannot be reached or answers nonsense.

        Where it names a language that is not `among` those allowed, it is asked for each of them (the first three), and
        the most confident words count.
        """
        decoded = await asyncio.to_thread(decode, data, limits=self._limits)
        allowed = primaries(among)
        asked_for = primary(language) if language else None
        answer = await self._ask(data, decoded, asked_for)
        detected = _tag(answer.language)
        if asked_for is None and allowed and answer.language and detected not in allowed:
            answers = [(one, await self._ask(data, decoded, one)) for one in allowed[:MOST_TRIED]]
            asked_for, answer = max(answers, key=lambda one: _told_confidence(one[1]))
            likely = 0.0
        else:
            likely = 1.0
        return Transcript(
            text=answer.text.strip(),
            language=asked_for or detected or "und",
            language_probability=likely,
            audio_s=decoded.audio.duration_s,
            confidence=_told_confidence(answer),
        )

    async def _ask(self, data: bytes, decoded: Decoded, language: str | None) -> _Answer:
        fields = {"model": self._model, "response_format": "verbose_json"}
        if language:
            fields["language"] = language
        extension = _EXTENSIONS.get(decoded.container, decoded.container)
        for attempt in range(_RETRIES + 1):
            try:
                response = await self._client.post(
                    self._url,
                    headers=self._headers,
                    data=fields,
                    files={"file": (f"audio.{extension}", data)},
                    timeout=self._timeout_s,
                )
                response.raise_for_status()
                return _Answer.model_validate_json(response.content)
            except httpx.HTTPStatusError as error:
                status = error.response.status_code
                if attempt == _RETRIES or (status < 500 and status not in {408, 429}):
                    raise EngineFailed(f"the transcription server answered {status}") from error
            except httpx.TransportError as error:
                if attempt == _RETRIES:
                    raise EngineFailed(f"the transcription server failed: {type(error).__name__}") from error
            except ValidationError as error:
                raise EngineFailed("the transcription server's answer is not a transcription") from error
            await self._sleep(_BACKOFF_S * 2**attempt)
        raise AssertionError("the last attempt returns or raises")


class _AnswerSegment(BaseModel):
    start: float = 0.0
    end: float = 0.0
    avg_logprob: float = 0.0


class _Answer(BaseModel):
    """OpenAI's verbose transcription; servers that answer only `text` are read too."""

    text: str
    language: str = ""
    segments: tuple[_AnswerSegment, ...] = ()


def _told_confidence(answer: _Answer) -> float:
    """What the server's segments tell; one that tells nothing beside its words is believed."""
    if not answer.segments:
        return 1.0 if answer.text.strip() else 0.0
    return weighted([(segment.avg_logprob, segment.end - segment.start) for segment in answer.segments])


def weighted(logprobs: Sequence[tuple[float, float]]) -> float:
    """The mean token probability over the seconds of speech; 0 where nothing was heard or told."""
    seconds = sum(length_s for _, length_s in logprobs)
    if seconds <= 0:
        return 0.0
    return min(1.0, sum(math.exp(logprob) * length_s for logprob, length_s in logprobs) / seconds)


def _tag(told: str) -> str:
    """The primary tag of a language that a server names, which may be an English word; empty where it is unknown."""
    return told.lower() if len(told) == 2 else _LANGUAGE_NAMES.get(told.lower(), "")


def primary(language: str) -> str:
    """The first part of a language tag: `pt` of `pt-BR`."""
    return language.replace("_", "-").partition("-")[0].lower()


def primaries(languages: Sequence[str]) -> tuple[str, ...]:
    """The first part of each tag, each once, in order."""
    return tuple(dict.fromkeys(primary(one) for one in languages))


_EXTENSIONS = {"mov": "m4a", "matroska": "webm", "asf": "wma"}
_LANGUAGE_NAMES = {
    "english": "en", "portuguese": "pt", "spanish": "es", "french": "fr", "italian": "it", "german": "de",
    "japanese": "ja", "korean": "ko", "chinese": "zh", "russian": "ru",
}  # fmt: skip

"""Hears incoming voice notes: fetch, check, transcribe. Knows no turn; what it cannot understand is a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from bot.metrics import Metrics
from tts.contract import Transcriber
from tts.errors import AudioTooLong, BadAudio, TtsError
from webhooks.contract import Channel, MediaUnavailable
from webhooks.messages import InboundMessage

log = structlog.get_logger()

LEAST_CONFIDENCE = 0.35


class Hearing(StrEnum):
    """What became of a voice note."""

    UNDERSTOOD = "understood"
    UNCLEAR = "unclear"
    TOO_LONG = "too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The words of a voice note; empty unless UNDERSTOOD."""

    hearing: Hearing
    text: str = field(default="", repr=False)


class Ears:
    """Turns voice notes into words, at most `max_bytes` each."""

    def __init__(
        self,
        channel: Channel,
        transcriber: Transcriber,
        *,
        max_bytes: int,
        metrics: Metrics,
        timer: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._transcriber = transcriber
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._timer = timer

    async def hear(self, message: InboundMessage, *, language: str | None) -> Heard:
        """The words of `message`; `language` None means detect.

        Raises MediaUnavailable and TtsError only where trying again may help.
        """
        heard = await self._heard(message, language)
        self._metrics.heard.labels(heard.hearing).inc()
        return heard

    async def _heard(self, message: InboundMessage, language: str | None) -> Heard:
        if message.media is None:
            return Heard(hearing=Hearing.UNCLEAR)
        began_s = self._timer()
        try:
            data = await self._channel.download(message.endpoint_id, message.media, max_bytes=self._max_bytes)
            transcript = await self._transcriber.transcribe(data, language=language)
        except MediaUnavailable as error:
            if error.retryable:
                raise
            log.warning("a voice note cannot be fetched", code=error.code, error=str(error))
            return Heard(hearing=Hearing.UNCLEAR)
        except BadAudio as error:
            log.info("a voice note cannot be read", error=str(error))
            return Heard(hearing=Hearing.TOO_LONG if isinstance(error, AudioTooLong) else Hearing.UNCLEAR)
        except TtsError as error:
            if error.retryable:
                raise
            log.warning("hearing failed", error=type(error).__name__)
            return Heard(hearing=Hearing.UNCLEAR)
        log.info(
            "heard",
            audio_s=round(transcript.audio_s, 2),
            hear_s=round(self._timer() - began_s, 3),
            language=transcript.language,
            confidence=round(transcript.confidence, 2),
        )
        text = transcript.text.strip()
        if not text or transcript.confidence < LEAST_CONFIDENCE:
            return Heard(hearing=Hearing.UNCLEAR)
        return Heard(hearing=Hearing.UNDERSTOOD, text=text)

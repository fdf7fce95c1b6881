"""Hears incoming voice notes, each once: fetch, check, transcribe. Knows no turn; what cannot be understood is a value.

Whoever asks for a note that is being heard joins that hearing; one that was heard lately is answered from memory.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import structlog

from bot.metrics import Metrics
from tts.contract import Transcriber, Transcript
from tts.errors import AudioTooLong, BadAudio, TtsError
from webhooks.contract import Channel, MediaUnavailable
from webhooks.messages import InboundMessage, Person

log = structlog.get_logger()

LEAST_CONFIDENCE = 0.35
LEAST_UNLIKELY_CONFIDENCE = 0.4
UNLIKELY = 0.1
KEPT_S = 600.0
KEPT_MOST = 256


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


class _Note(NamedTuple):
    """A hearing, under way or done, and whose note it is."""

    sender: Person
    hearing: asyncio.Task[Heard]


class Ears:
    """Turns voice notes into words, at most `max_bytes` each.

    `languages` tells which ones may be spoken to an endpoint; without any, every language may be. What was heard is
    remembered for `kept_s` and at most `kept_most` notes, or until its sender is forgotten.
    """

    def __init__(
        self,
        channel: Channel,
        transcriber: Transcriber,
        *,
        languages: Callable[[str], Awaitable[Sequence[str]]],
        max_bytes: int,
        metrics: Metrics,
        timer: Callable[[], float],
        kept_s: float = KEPT_S,
        kept_most: int = KEPT_MOST,
    ) -> None:
        self._channel = channel
        self._transcriber = transcriber
        self._languages = languages
        self._max_bytes = max_bytes
        self._metrics = metrics
        self._timer = timer
        self._kept_s = kept_s
        self._kept_most = kept_most
        self._notes: OrderedDict[tuple[str, str], _Note] = OrderedDict()

    async def hear(self, message: InboundMessage) -> Heard:
        """The words of `message`. A caller that is cancelled leaves the hearing to those who wait with it.

        Raises MediaUnavailable and TtsError only where trying again may help; such a failure is not remembered.
        """
        key = (message.endpoint_id, message.message_id)
        note = self._notes.get(key)
        if note is None:
            note = _Note(message.sender, asyncio.create_task(self._counted(message)))
            self._notes[key] = note
            note.hearing.add_done_callback(lambda _hearing: self._done(key, note))
        return await asyncio.shield(note.hearing)

    def forget(self, *, phone: str | None, user_id: str | None) -> None:
        """Remember nothing of the notes of whoever has one of these addresses, those that are being heard included."""
        for key, (sender, _) in tuple(self._notes.items()):
            if (phone and sender.phone == phone) or (user_id and sender.user_id == user_id):
                del self._notes[key]

    def _done(self, key: tuple[str, str], note: _Note) -> None:
        failed = note.hearing.cancelled() or note.hearing.exception() is not None
        if self._notes.get(key) is not note:
            return
        if failed:
            del self._notes[key]
            return
        asyncio.get_running_loop().call_later(self._kept_s, self._drop, key, note)
        heard = [one for one, (_, hearing) in self._notes.items() if hearing.done()]
        for oldest in heard[: max(0, len(heard) - self._kept_most)]:
            del self._notes[oldest]

    def _drop(self, key: tuple[str, str], note: _Note) -> None:
        if self._notes.get(key) is note:
            del self._notes[key]

    async def _counted(self, message: InboundMessage) -> Heard:
        heard = await self._heard(message)
        self._metrics.heard.labels(heard.hearing).inc()
        return heard

    async def _heard(self, message: InboundMessage) -> Heard:
        if message.media is None:
            return Heard(hearing=Hearing.UNCLEAR)
        began_s = self._timer()
        try:
            data = await self._channel.download(message.endpoint_id, message.media, max_bytes=self._max_bytes)
            among = await self._languages(message.endpoint_id)
            transcript = await self._transcriber.transcribe(data, language=None, among=among)
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
            language_probability=round(transcript.language_probability, 2),
            confidence=round(transcript.confidence, 2),
        )
        text = transcript.text.strip()
        if not text or transcript.confidence < _least_confidence(transcript):
            return Heard(hearing=Hearing.UNCLEAR)
        return Heard(hearing=Hearing.UNDERSTOOD, text=text)


def _least_confidence(transcript: Transcript) -> float:
    """How sure the words must be; words in a language that the sound hardly is must be surer."""
    return LEAST_CONFIDENCE if transcript.language_probability >= UNLIKELY else LEAST_UNLIKELY_CONFIDENCE

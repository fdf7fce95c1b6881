"""What becomes of a voice note: words, a reason why there are none, or an error that may pass."""

from __future__ import annotations

import httpx
import pytest

from bot.ears import LEAST_CONFIDENCE, Ears, Heard, Hearing
from bot.metrics import Metrics
from tests.household import sound
from tts.audio.decode import DecodeLimits
from tts.contract import Transcript
from tts.errors import EngineFailed, EngineOverloaded, EngineUnavailable, TtsError
from tts.hearing import FakeTranscriber, OpenAiTranscriber
from webhooks.contract import MediaUnavailable
from webhooks.fake_channel import FakeChannel
from webhooks.messages import InboundMessage, MediaRef, MessageKind, Person

UNCLEAR = Heard(hearing=Hearing.UNCLEAR)


class Listener:
    """Ears over a channel that holds one voice note."""

    def __init__(self, *, silent: bool = False, limits: DecodeLimits | None = None, max_bytes: int = 1_000_000) -> None:
        self.channel = FakeChannel(media={"m": sound(silent=silent)})
        self.transcriber = FakeTranscriber(" bom dia ", limits=limits)
        self.metrics = Metrics()
        self.ears = Ears(self.channel, self.transcriber, max_bytes=max_bytes, metrics=self.metrics, timer=lambda: 0.0)

    async def hear(self, media: MediaRef | None = MediaRef(media_id="m", mime_type="audio/ogg")) -> Heard:  # noqa: B008 - frozen
        return await self.ears.hear(
            InboundMessage(
                channel="whatsapp",
                endpoint_id="100",
                message_id="wamid.1",
                sender=Person(phone="5511900000001"),
                at_ms=0,
                kind=MessageKind.AUDIO,
                raw_type="audio",
                media=media,
            ),
            language=None,
        )


class Confident(FakeTranscriber):
    """Hears the same words with a confidence of our choice."""

    def __init__(self, confidence: float) -> None:
        super().__init__("bom dia")
        self._confidence = confidence

    async def transcribe(self, data: bytes, *, language: str | None) -> Transcript:  # noqa: ARG002 - the contract's
        return Transcript(
            text=self.text, language="pt", language_probability=1.0, audio_s=1.0, confidence=self._confidence
        )


async def test_a_clear_note_is_its_words() -> None:
    assert await Listener().hear() == Heard(hearing=Hearing.UNDERSTOOD, text="bom dia")


async def test_silence_is_unclear() -> None:
    assert await Listener(silent=True).hear() == UNCLEAR


@pytest.mark.parametrize(
    ("confidence", "hearing"),
    [(LEAST_CONFIDENCE - 0.01, Hearing.UNCLEAR), (LEAST_CONFIDENCE, Hearing.UNDERSTOOD)],
)
async def test_words_that_are_guessed_are_unclear(confidence: float, hearing: Hearing) -> None:
    listener = Listener()
    listener.ears = Ears(
        listener.channel, Confident(confidence), max_bytes=1_000_000, metrics=listener.metrics, timer=lambda: 0.0
    )
    assert (await listener.hear()).hearing is hearing


async def test_a_transcription_server_that_tells_only_words_is_believed() -> None:
    listener = Listener()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"text": "bom dia"}))
    async with httpx.AsyncClient(transport=transport) as http:
        transcriber = OpenAiTranscriber(http, base_url="http://stt/v1", model="any")
        listener.ears = Ears(
            listener.channel, transcriber, max_bytes=1_000_000, metrics=listener.metrics, timer=lambda: 0.0
        )
        assert await listener.hear() == Heard(hearing=Hearing.UNDERSTOOD, text="bom dia")


async def test_a_note_that_is_too_long_is_told_so() -> None:
    listener = Listener(limits=DecodeLimits(max_duration_s=0.5))
    assert await listener.hear() == Heard(hearing=Hearing.TOO_LONG)


async def test_bytes_that_are_no_sound_are_unclear() -> None:
    listener = Listener()
    listener.channel.media["m"] = b"not a sound"
    assert await listener.hear() == UNCLEAR


async def test_a_message_that_carries_no_media_is_unclear() -> None:
    assert await Listener().hear(None) == UNCLEAR


async def test_media_that_is_gone_for_good_is_unclear() -> None:
    listener = Listener()
    listener.channel.media.clear()
    assert await listener.hear() == UNCLEAR


async def test_media_of_too_many_bytes_is_not_fetched() -> None:
    assert await Listener(max_bytes=10).hear() == UNCLEAR


async def test_media_that_may_come_later_is_an_error() -> None:
    listener = Listener()
    listener.channel.fail("download", MediaUnavailable("down", retryable=True))
    with pytest.raises(MediaUnavailable):
        await listener.hear()


@pytest.mark.parametrize("error", [EngineFailed("broken"), EngineOverloaded("busy", retry_after_s=1)])
async def test_a_hearing_failure_that_may_pass_is_an_error(error: TtsError) -> None:
    listener = Listener()
    listener.transcriber.failures = [error]
    with pytest.raises(type(error)):
        await listener.hear()


async def test_a_hearing_failure_that_stays_is_unclear() -> None:
    listener = Listener()
    listener.transcriber.failures = [EngineUnavailable("no model")]
    assert await listener.hear() == UNCLEAR


async def test_every_hearing_is_counted_by_what_came_of_it() -> None:
    listener = Listener(silent=True)
    await listener.hear()
    assert listener.metrics.registry.get_sample_value("recado_heard_total", {"result": "unclear"}) == 1

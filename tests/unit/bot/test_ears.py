"""What becomes of a voice note: words, a reason why there are none, or an error that may pass."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from bot.ears import LEAST_CONFIDENCE, LEAST_UNLIKELY_CONFIDENCE, UNLIKELY, Ears, Heard, Hearing
from bot.metrics import Metrics
from tests.household import sound
from tts.audio.decode import DecodeLimits
from tts.contract import Transcriber, Transcript
from tts.errors import EngineFailed, EngineOverloaded, EngineUnavailable, TtsError
from tts.hearing import FakeTranscriber
from tts.hearing_server import OpenAiTranscriber
from webhooks.contract import MediaUnavailable
from webhooks.fake_channel import FakeChannel
from webhooks.messages import InboundMessage, MediaRef, MessageKind, Person

ANA = Person(phone="5511900000001")
RUI = Person(user_id="BR.2")
UNCLEAR = Heard(hearing=Hearing.UNCLEAR)
WORDS = Heard(hearing=Hearing.UNDERSTOOD, text="bom dia")


class Listener:
    """Ears over a channel that holds one voice note."""

    def __init__(self, *, silent: bool = False, limits: DecodeLimits | None = None, max_bytes: int = 1_000_000) -> None:
        self.channel = FakeChannel(media={"m": sound(silent=silent)})
        self.transcriber = FakeTranscriber(" bom dia ", limits=limits)
        self.metrics = Metrics()
        self.max_bytes = max_bytes
        self.listen_with(self.transcriber)

    def listen_with(self, transcriber: Transcriber, **settings: Any) -> None:
        async def languages(_endpoint_id: str) -> tuple[str, ...]:
            return ("pt-BR", "en")

        self.ears = Ears(
            self.channel,
            transcriber,
            languages=languages,
            max_bytes=self.max_bytes,
            metrics=self.metrics,
            timer=lambda: 0.0,
            **settings,
        )

    async def hear(
        self,
        media: MediaRef | None = MediaRef(media_id="m", mime_type="audio/ogg"),  # noqa: B008 - frozen
        *,
        message_id: str = "wamid.1",
        sender: Person = ANA,
    ) -> Heard:
        return await self.ears.hear(
            InboundMessage(
                channel="whatsapp",
                endpoint_id="100",
                message_id=message_id,
                sender=sender,
                at_ms=0,
                kind=MessageKind.AUDIO,
                raw_type="audio",
                media=media,
            )
        )

    @property
    def counted(self) -> float:
        """Notes counted as understood."""
        return self.metrics.registry.get_sample_value("recado_heard_total", {"result": "understood"}) or 0.0


class Confident(FakeTranscriber):
    """Hears the same words with a confidence of our choice, in a language of the probability of our choice."""

    def __init__(self, confidence: float, probability: float = 1.0) -> None:
        super().__init__("bom dia")
        self._confidence = confidence
        self._probability = probability

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:  # noqa: ARG002 - the contract's
        return Transcript(
            text=self.text,
            language="pt",
            language_probability=self._probability,
            audio_s=1.0,
            confidence=self._confidence,
        )


class Slow(FakeTranscriber):
    """Begins to hear and goes on when it is let; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__("bom dia")
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.asked: list[tuple[str, ...]] = []

    async def transcribe(self, data: bytes, *, language: str | None, among: Sequence[str] = ()) -> Transcript:
        self.asked.append(tuple(among))
        self.begun.set()
        await self.go.wait()
        return await super().transcribe(data, language=language, among=among)


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
    listener.listen_with(Confident(confidence))
    assert (await listener.hear()).hearing is hearing


async def test_a_transcription_server_that_tells_only_words_is_believed() -> None:
    listener = Listener()
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json={"text": "bom dia"}))
    async with httpx.AsyncClient(transport=transport) as http:
        transcriber = OpenAiTranscriber(http, base_url="http://stt/v1", model="any")
        listener.listen_with(transcriber)
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


# -- once -----------------------------------------------------------------------------------------------------------


async def test_whoever_asks_while_a_note_is_being_heard_joins_that_hearing() -> None:
    listener, slow = Listener(), Slow()
    listener.listen_with(slow)
    ahead, turn = asyncio.create_task(listener.hear()), asyncio.create_task(listener.hear())
    await slow.begun.wait()
    slow.go.set()
    assert await asyncio.gather(ahead, turn) == [WORDS, WORDS]
    assert (len(slow.asked), listener.counted) == (1, 1)


async def test_a_note_that_was_heard_is_not_heard_again() -> None:
    listener = Listener()
    first = await listener.hear()
    listener.channel.media.clear()
    assert (first, await listener.hear(), listener.counted) == (WORDS, WORDS, 1)


async def test_who_stops_waiting_takes_nothing_from_who_waits_on() -> None:
    listener, slow = Listener(), Slow()
    listener.listen_with(slow)
    impatient, patient = asyncio.create_task(listener.hear()), asyncio.create_task(listener.hear())
    await slow.begun.wait()
    impatient.cancel()
    await asyncio.wait({impatient})
    slow.go.set()
    assert (impatient.cancelled(), await patient, len(slow.asked)) == (True, WORDS, 1)


async def test_a_turn_that_was_cancelled_finds_its_note_heard_when_it_comes_back() -> None:
    listener, slow = Listener(), Slow()
    listener.listen_with(slow)
    turn = asyncio.create_task(listener.hear())
    await slow.begun.wait()
    turn.cancel()
    await asyncio.wait({turn})
    slow.go.set()
    assert (await listener.hear(), len(slow.asked)) == (WORDS, 1)


async def test_a_failure_that_may_pass_is_tried_anew_and_counted_by_its_end() -> None:
    listener = Listener()
    listener.transcriber.failures = [EngineFailed("broken")]
    with pytest.raises(EngineFailed):
        await listener.hear()
    assert (await listener.hear(), listener.counted) == (WORDS, 1)


async def test_everybody_who_waits_is_told_of_a_failure() -> None:
    listener = Listener()
    listener.transcriber.failures = [EngineFailed("broken")]
    told = await asyncio.gather(listener.hear(), listener.hear(), return_exceptions=True)
    assert [type(one) for one in told] == [EngineFailed, EngineFailed]


async def test_what_was_heard_is_kept_for_a_while_only() -> None:
    listener, slow = Listener(), Slow()
    slow.go.set()
    listener.listen_with(slow, kept_s=0.0)
    await listener.hear()
    for _ in range(3):  # a timer of no length runs out within a turn of the loop or two
        await asyncio.sleep(0)
    await listener.hear()
    assert len(slow.asked) == 2


async def test_no_more_notes_are_kept_than_allowed() -> None:
    listener, slow = Listener(), Slow()
    slow.go.set()
    listener.listen_with(slow, kept_most=2)
    for message_id in ("wamid.1", "wamid.2", "wamid.3", "wamid.3", "wamid.2", "wamid.1"):
        await listener.hear(message_id=message_id)
    assert len(slow.asked) == 4


async def test_forgetting_a_person_forgets_their_notes_and_nobody_elses() -> None:
    listener, slow = Listener(), Slow()
    slow.go.set()
    listener.listen_with(slow)
    await listener.hear(message_id="wamid.ana")
    await listener.hear(message_id="wamid.rui", sender=RUI)
    listener.ears.forget(phone=ANA.phone, user_id=None)
    await listener.hear(message_id="wamid.rui", sender=RUI)
    assert len(slow.asked) == 2
    listener.ears.forget(phone=None, user_id="BR.2")
    await listener.hear(message_id="wamid.ana")
    await listener.hear(message_id="wamid.rui", sender=RUI)
    assert len(slow.asked) == 4


async def test_a_note_that_was_being_heard_when_its_sender_was_forgotten_is_not_kept() -> None:
    listener, slow = Listener(), Slow()
    listener.listen_with(slow)
    hearing = asyncio.create_task(listener.hear())
    await slow.begun.wait()
    listener.ears.forget(phone=ANA.phone, user_id=None)
    slow.go.set()
    await hearing
    await listener.hear()
    assert len(slow.asked) == 2


# -- languages ------------------------------------------------------------------------------------------------------


async def test_only_languages_that_the_personas_speak_are_listened_for() -> None:
    listener, slow = Listener(), Slow()
    slow.go.set()
    listener.listen_with(slow)
    await listener.hear()
    assert slow.asked == [("pt-BR", "en")]


@pytest.mark.parametrize(
    ("confidence", "hearing"),
    [
        (LEAST_CONFIDENCE, Hearing.UNCLEAR),
        (LEAST_UNLIKELY_CONFIDENCE - 0.01, Hearing.UNCLEAR),
        (LEAST_UNLIKELY_CONFIDENCE, Hearing.UNDERSTOOD),
    ],
)
async def test_words_in_a_language_that_is_hardly_spoken_there_must_be_surer(
    confidence: float, hearing: Hearing
) -> None:
    listener = Listener()
    listener.listen_with(Confident(confidence, UNLIKELY - 0.01))
    assert (await listener.hear()).hearing is hearing

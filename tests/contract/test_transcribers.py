"""One suite for everything that hears, and what a remote server adds to it."""

import asyncio
import io
import json
import re
from collections.abc import Callable, Iterator

import httpx
import numpy as np
import pytest
import soundfile

from tts.audio.decode import DecodeLimits
from tts.contract import Transcriber
from tts.engines.fake import tone
from tts.errors import BadAudio, EngineFailed
from tts.hearing import FakeTranscriber, WhisperTranscriber, build_transcriber
from tts.hearing_server import OpenAiTranscriber
from tts.settings import TtsSettings

LIMITS = DecodeLimits(max_bytes=400_000, max_duration_s=5)
Handler = Callable[[httpx.Request], httpx.Response]


def wav(samples: np.ndarray, rate_hz: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV")
    return file.getvalue()


SOUND = wav(tone("a", seconds=1.0).samples, 24_000)
SILENCE = wav(np.zeros(32_000))


def hears_only_sound(request: httpx.Request) -> httpx.Response:
    """A server that hears "bom dia" in every sound and nothing in silence."""
    return httpx.Response(
        200, json={"text": "" if SILENCE in request.content else " bom dia", "language": "portuguese"}
    )


def remote(handler: Handler, *, slept_s: list[float] | None = None, api_key: str | None = None) -> OpenAiTranscriber:
    async def sleep(seconds: float) -> None:
        if slept_s is not None:
            slept_s.append(seconds)

    return OpenAiTranscriber(
        httpx.AsyncClient(transport=httpx.MockTransport(handler)),
        base_url="http://stt.test/v1",
        model="whisper-1",
        api_key=api_key,
        limits=LIMITS,
        sleep=sleep,
    )


@pytest.fixture(scope="module")
def whisper() -> Iterator[WhisperTranscriber]:
    whisper = WhisperTranscriber(limits=LIMITS)
    yield whisper
    asyncio.run(whisper.close())


@pytest.fixture(params=["fake", "openai", pytest.param("whisper", marks=pytest.mark.speech)])
def transcriber(request: pytest.FixtureRequest, whisper: WhisperTranscriber) -> Transcriber:
    makers: dict[str, Transcriber] = {
        "fake": FakeTranscriber(limits=LIMITS),
        "openai": remote(hears_only_sound),
        "whisper": whisper,
    }
    return makers[request.param]


async def test_the_length_of_the_audio_is_told(transcriber: Transcriber) -> None:
    assert (await transcriber.transcribe(SOUND, language="pt-BR")).audio_s == pytest.approx(1.0, abs=0.01)


async def test_the_language_that_was_named_comes_back_as_its_primary_tag(transcriber: Transcriber) -> None:
    assert (await transcriber.transcribe(SOUND, language="pt-BR")).language == "pt"


async def test_silence_is_heard_as_no_words(transcriber: Transcriber) -> None:
    heard = await transcriber.transcribe(SILENCE, language=None)

    assert heard.text == ""
    assert heard.confidence == 0.0


async def test_probabilities_are_probabilities(transcriber: Transcriber) -> None:
    heard = await transcriber.transcribe(SOUND, language=None)

    assert 0.0 <= heard.language_probability <= 1.0
    assert 0.0 <= heard.confidence <= 1.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"no audio at all", "not an audio file"),
        (wav(np.zeros(16_000 * 6)), "longer than 5 s"),
        (bytes(500_000), "at most 400000"),
    ],
)
async def test_what_cannot_be_heard_is_refused_with_the_reason(
    transcriber: Transcriber, data: bytes, message: str
) -> None:
    with pytest.raises(BadAudio, match=message):
        await transcriber.transcribe(data, language=None)


async def test_a_server_gets_the_model_the_language_and_a_named_file() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"text": "oi"})

    await remote(handler, api_key="sk-1").transcribe(SOUND, language="pt-BR")

    (request,) = seen
    body = request.content
    assert str(request.url) == "http://stt.test/v1/audio/transcriptions"
    assert request.headers["authorization"] == "Bearer sk-1"
    assert b'name="model"\r\n\r\nwhisper-1' in body
    assert b'name="language"\r\n\r\npt' in body
    assert b'filename="audio.wav"' in body


async def test_the_language_is_one_of_those_that_may_be_spoken(transcriber: Transcriber) -> None:
    assert (await transcriber.transcribe(SOUND, language=None, among=("en", "es-MX"))).language in {"en", "es"}


def a_server_that_hears(
    foreign: str, **confidences: float
) -> tuple[list[str], Callable[[httpx.Request], httpx.Response]]:
    """A server that hears `foreign` in everything, and writes it down as told; the languages it was asked for."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        named = re.search(rb'name="language"\r\n\r\n(\w+)', request.content)
        language = named[1].decode() if named else ""
        asked.append(language)
        sureness = float(np.log(confidences.get(language, 0.9)))
        segments = [{"start": 0, "end": 1, "avg_logprob": sureness}]
        return httpx.Response(
            200, json={"text": f"in {language}", "language": language or foreign, "segments": segments}
        )

    return asked, handler


@pytest.mark.parametrize("told", ["hungarian", "hu", "Spanish"])
async def test_a_server_that_heard_another_language_is_asked_for_those_that_may_be_spoken(told: str) -> None:
    asked, handler = a_server_that_hears(told, pt=0.6, en=0.4)

    heard = await remote(handler).transcribe(SOUND, language=None, among=("pt-BR", "en"))

    assert asked == ["", "pt", "en"]
    assert (heard.text, heard.language, heard.language_probability) == ("in pt", "pt", 0.0)
    assert heard.confidence == pytest.approx(0.6)


@pytest.mark.parametrize("told", ["portuguese", "pt", ""])
async def test_a_server_that_heard_an_allowed_language_or_tells_none_is_asked_once(told: str) -> None:
    asked, handler = a_server_that_hears(told)

    await remote(handler).transcribe(SOUND, language=None, among=("pt-BR", "en"))

    assert asked == [""]


async def test_a_servers_segments_give_the_confidence() -> None:
    answer = {
        "text": "bom dia",
        "language": "portuguese",
        "segments": [{"start": 0, "end": 1, "avg_logprob": -0.1}, {"start": 1, "end": 2, "avg_logprob": -0.5}],
    }

    heard = await remote(lambda _request: httpx.Response(200, json=answer)).transcribe(SOUND, language=None)

    assert heard.language == "pt"
    assert heard.confidence == pytest.approx((np.exp(-0.1) + np.exp(-0.5)) / 2)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_server_in_trouble_is_asked_again_after_growing_pauses(status: int) -> None:
    answers = [httpx.Response(status), httpx.Response(status), httpx.Response(200, json={"text": "oi"})]
    slept_s: list[float] = []

    heard = await remote(lambda _request: answers.pop(0), slept_s=slept_s).transcribe(SOUND, language="pt")

    assert heard.text == "oi"
    assert slept_s == [0.5, 1.0]


async def test_a_server_that_stays_in_trouble_is_a_failure() -> None:
    with pytest.raises(EngineFailed, match="answered 503"):
        await remote(lambda _request: httpx.Response(503)).transcribe(SOUND, language="pt")


async def test_a_refusal_is_not_repeated() -> None:
    asked: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(401)

    with pytest.raises(EngineFailed, match="answered 401"):
        await remote(handler).transcribe(SOUND, language="pt")

    assert len(asked) == 1


async def test_a_server_that_cannot_be_reached_is_a_failure() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(EngineFailed, match="ConnectError"):
        await remote(handler).transcribe(SOUND, language="pt")


@pytest.mark.parametrize("body", [b"", b"<html>", json.dumps({"no": "text"}).encode()])
async def test_an_answer_that_is_no_transcription_is_a_failure(body: bytes) -> None:
    with pytest.raises(EngineFailed, match="not a transcription"):
        await remote(lambda _request: httpx.Response(200, content=body)).transcribe(SOUND, language="pt")


async def test_hearing_is_embedded_unless_an_endpoint_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STT_BASE_URL", raising=False)
    async with httpx.AsyncClient() as client:
        embedded = build_transcriber(TtsSettings(_env_file=None), client)
        monkeypatch.setenv("STT_BASE_URL", "http://stt.test/v1")
        remote = build_transcriber(TtsSettings(_env_file=None), client)

    assert isinstance(embedded, WhisperTranscriber)
    assert isinstance(remote, OpenAiTranscriber)

"""What Kokoro says into an Opus note, Whisper hears: words, length and loudness, without a human ear."""

import asyncio
import re
import time
import unicodedata
from collections.abc import Iterator

import jiwer
import numpy as np
import pytest

from bot.ears import LEAST_UNLIKELY_CONFIDENCE, Ears, Hearing
from bot.metrics import Metrics
from tts.audio.decode import decode
from tts.audio.opus import OpusChoices, encode_voice_note
from tts.audio.pcm import PcmAudio
from tts.audio.voice_note import validate_voice_note
from tts.composition import build_speaker
from tts.contract import SourceKind, Transcript, Voice, VoiceNote, VoiceSource
from tts.engines.espeak_ng import speech
from tts.hearing import WhisperTranscriber
from tts.settings import EngineName, TtsSettings
from webhooks.fake_channel import FakeChannel
from webhooks.messages import InboundMessage, MediaRef, MessageKind, Person

pytestmark = pytest.mark.speech

SENTENCES = {
    "pt-BR": (
        "Olá, tudo bem com você?",
        "O seu pedido já saiu para entrega e chega amanhã de manhã.",
        "A loja fica aberta de segunda a sexta, das nove às dezoito horas.",
        "Desculpe a demora, eu estava em uma reunião muito longa.",
        "Você prefere pagar com cartão de crédito ou em dinheiro?",
        "Amanhã vai chover bastante no litoral, então leve um guarda-chuva.",
        "Minha avó faz o melhor bolo de chocolate da cidade.",
        "Não se preocupe, a gente resolve isso ainda hoje.",
        "O médico pediu para você voltar daqui a duas semanas.",
        "Muito obrigado pela mensagem, e tenha um ótimo fim de semana!",
    ),
    "en": (
        "Hello, how are you doing today?",
        "Your order has left the warehouse and should arrive tomorrow morning.",
        "The shop is open from Monday to Friday, nine to six.",
        "Sorry for the delay, I was in a very long meeting.",
        "Would you rather pay by credit card or in cash?",
        "It will rain a lot on the coast tomorrow, so take an umbrella.",
        "My grandmother bakes the best chocolate cake in town.",
        "Do not worry, we will solve this today.",
        "The doctor asked you to come back in two weeks.",
        "Thank you very much for your message, and have a great weekend!",
    ),
}


def style(ref: str, weight: float = 1.0) -> VoiceSource:
    return VoiceSource(kind=SourceKind.STYLE, ref=ref, weight=weight)


VOICES = {
    "kumo": Voice(id="kumo", language="pt-BR", stand_in=(style("jm_kumo"),)),
    "blend": Voice(id="blend", language="pt-BR", stand_in=(style("jm_kumo", 0.6), style("jf_alpha", 0.4))),
}


class Booth:
    """A speaker and an ear that stay loaded for all tests of this file, on an event loop of their own."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        settings = TtsSettings(_env_file=None, tts_engines=(EngineName.KOKORO,))
        self.speaker = build_speaker(settings, on_lost=lambda name, _suspects: pytest.fail(f"{name} hung"))
        self._whisper = WhisperTranscriber()
        runner.run(self.speaker.start())
        runner.run(self._whisper.start())

    def say(self, text: str, voice: Voice, language: str) -> VoiceNote:
        note = self._runner.run(self.speaker.speak(text, voice, language=language))
        validate_voice_note(note.data, max_bytes=512_000)
        return note

    def hear(self, note: VoiceNote, language: str | None) -> Transcript:
        return self._runner.run(self._whisper.transcribe(note.data, language=language))

    def hear_among(self, data: bytes, *languages: str) -> Transcript:
        return self._runner.run(self._whisper.transcribe(data, language=None, among=languages))

    def understand(self, data: bytes, *languages: str) -> Hearing:
        """What becomes of it as somebody's voice note, where these languages are spoken."""

        async def spoken(_endpoint_id: str) -> tuple[str, ...]:
            return languages

        ears = Ears(
            FakeChannel(media={"m": data}),
            self._whisper,
            languages=spoken,
            max_bytes=1_000_000,
            metrics=Metrics(),
            timer=time.perf_counter,
        )
        message = InboundMessage(
            channel="whatsapp",
            endpoint_id="100",
            message_id="wamid.1",
            sender=Person(phone="5511900000001"),
            at_ms=0,
            kind=MessageKind.AUDIO,
            raw_type="audio",
            media=MediaRef(media_id="m", mime_type="audio/ogg"),
        )
        return self._runner.run(ears.hear(message)).hearing

    def close(self) -> None:
        self._runner.run(self.speaker.close())
        self._runner.run(self._whisper.close())


@pytest.fixture(scope="module")
def booth() -> Iterator[Booth]:
    with asyncio.Runner() as runner:
        booth = Booth(runner)
        yield booth
        booth.close()


def words(text: str) -> str:
    """Lower case, no marks, one space: what a word error rate should count."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", unicodedata.normalize("NFC", text).lower()).split())


@pytest.mark.parametrize("voice", VOICES)
@pytest.mark.parametrize("language", SENTENCES)
def test_what_is_spoken_is_heard(booth: Booth, language: str, voice: str) -> None:
    spoken, heard = [], []
    for sentence in SENTENCES[language]:
        note = booth.say(sentence, VOICES[voice], language)
        spoken.append(words(" ".join(note.spoken)))
        heard.append(words(booth.hear(note, language).text))

    wrong = [pair for pair in zip(spoken, heard, strict=True) if pair[0] != pair[1]]
    assert jiwer.wer(spoken, heard) <= 0.10, wrong


@pytest.mark.parametrize("language", SENTENCES)
def test_the_language_is_recognised_by_ear(booth: Booth, language: str) -> None:
    note = booth.say(SENTENCES[language][1], VOICES["kumo"], language)

    assert booth.hear(note, None).language == language[:2]


def test_a_long_text_is_one_note_as_long_and_as_loud_as_promised_and_heard_whole(booth: Booth) -> None:
    text = " ".join(SENTENCES["pt-BR"][1:7])
    expected_s = booth.speaker.plan(text, VOICES["kumo"]).expected_s

    note = booth.say(text, VOICES["kumo"], "pt-BR")

    assert len(note.spoken) > 1
    assert note.duration_s == pytest.approx(expected_s, rel=0.25)
    assert note.loudness_dbfs == pytest.approx(-20.0, abs=1.0)
    assert jiwer.wer(words(" ".join(note.spoken)), words(booth.hear(note, "pt-BR").text)) <= 0.10


SHORT = (
    ("pt-BR", "oi, tudo bem?"),
    ("pt-BR", "tudo bem?"),
    ("pt-BR", "bom dia"),
    ("en", "hello"),
    ("en", "yes please"),
    ("en", "good morning"),
)


@pytest.mark.parametrize(("language", "text"), SHORT, ids=lambda one: one)
def test_a_short_note_is_written_down_in_the_language_it_is_spoken_in(booth: Booth, language: str, text: str) -> None:
    note = booth.say(text, VOICES["kumo"], language)

    heard = booth.hear_among(note.data, "pt-BR", "en")

    assert (heard.language, words(heard.text)) == (language[:2], words(text))
    assert heard.confidence >= LEAST_UNLIKELY_CONFIDENCE


@pytest.mark.parametrize(("language", "text"), [("pt-BR", "oi"), *SHORT], ids=lambda one: one)
def test_a_noisy_short_note_is_never_taken_for_a_language_that_nobody_speaks_there(
    booth: Booth, language: str, text: str
) -> None:
    clear = decode(booth.say(text, VOICES["kumo"], language).data).audio
    loudness = float(np.sqrt(np.mean(clear.samples**2)))
    noise = np.random.default_rng(0).normal(0.0, loudness * 10 ** (-5 / 20), clear.samples.shape)  # 5 dB below speech
    noisy = PcmAudio(samples=(clear.samples + noise).astype(np.float32), sample_rate_hz=clear.sample_rate_hz)

    heard = booth.hear_among(encode_voice_note(noisy, OpusChoices()), "pt-BR", "en")

    assert heard.language in {"pt", "en"}


@pytest.mark.parametrize(
    ("language", "text"),
    [("hu", "Jó napot kívánok"), ("es", "Quiero saber a qué hora abren mañana")],
)
def test_what_is_said_in_a_language_that_nobody_speaks_there_is_not_believed(
    booth: Booth, language: str, text: str
) -> None:
    samples, rate_hz = speech(text, language, speed=1.0)
    data = encode_voice_note(PcmAudio(samples=samples, sample_rate_hz=rate_hz), OpusChoices())

    assert booth.understand(data, "pt-BR", "en") is Hearing.UNCLEAR

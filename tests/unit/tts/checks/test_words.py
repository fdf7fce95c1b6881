import pytest

from tts.checks.words import WordsCheck, character_error_rate
from tts.contract import Utterance, Voice
from tts.engines.fake import tone
from tts.errors import EngineFailed
from tts.gate import Verdict
from tts.hearing import FakeTranscriber

SAID = "o seu pedido já saiu e deve chegar amanhã"
TAKE = tone("a", seconds=2.0)


def utterance(text: str = SAID, language: str = "pt-BR") -> Utterance:
    return Utterance(text=text, language=language, voice=Voice(id="v", language=language), expected_s=2.0)


async def verdict(heard: str, text: str = SAID) -> Verdict:
    return await WordsCheck(FakeTranscriber(heard), max_cer=0.25).judge(TAKE, utterance(text))


async def test_what_was_to_be_said_passes_with_no_error() -> None:
    judged = await verdict("O seu pedido já saiu, e deve chegar amanhã!")

    assert judged == Verdict(scores=(("cer", 0.0),))


async def test_half_a_sentence_is_refused_with_its_rate() -> None:
    judged = await verdict("o seu pedido já saiu")

    assert not judged.passed
    assert dict(judged.scores)["cer"] == pytest.approx(0.5, abs=0.05)
    assert judged.reasons[0].startswith("words: ")


async def test_words_said_twice_are_refused() -> None:
    assert not (await verdict(f"{SAID} {SAID}")).passed


async def test_one_misheard_name_is_forgiven_in_a_short_text() -> None:
    assert (await verdict("oi thaís", "oi taís")).passed


async def test_silence_where_words_should_be_is_refused() -> None:
    assert not (await verdict("")).passed


async def test_a_take_that_cannot_be_heard_is_not_judged() -> None:
    transcriber = FakeTranscriber()
    transcriber.failures = [EngineFailed("no answer")]

    assert await WordsCheck(transcriber, max_cer=0.25).judge(TAKE, utterance()) == Verdict()


@pytest.mark.parametrize(
    ("wanted", "heard", "language"),
    [
        ("são vinte e três reais", "São R$ 23.", "pt-BR"),
        ("às quatorze e trinta", "Às 14h30", "pt-BR"),
        ("twenty-three percent", "23%", "en"),
        ("e-mail", "Email!", "en"),
    ],
)
def test_figures_count_as_the_words_they_stand_for(wanted: str, heard: str, language: str) -> None:
    assert character_error_rate(wanted, heard, language) < 0.1


def test_a_transcript_without_words_has_every_letter_wrong() -> None:
    assert character_error_rate("abc", "…", "en") == 1.0

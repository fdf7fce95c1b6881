"""What holds for every text: nothing is lost, nothing raises but BadText, nothing unspeakable is left."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.errors import BadText
from tts.text import PlanMode, UtterancePlan, plan_utterance

LANGUAGES = ("pt-BR", "en")
# the same examples on every machine, and no clock: what fails here fails for everyone
STEADY = settings(deadline=None, derandomize=True)
OTHERS = ("de", "es", "fr", "it", "ja", "ko", "ru", "zh", "xx", "")

PLAIN_WORDS = {
    "pt-BR": """amanhã a gente almoça com calma porque você também merece uma pausa boa então respira fundo e vem ver
        o pôr do sol na praia ontem choveu muito mas hoje o céu abriu sem nuvem nenhuma coração
        ação pão guarda-chuva""",
    "en": """tomorrow we can have lunch together because you also deserve a good long break so breathe and come to see
        the sunset on the beach yesterday it rained but today the sky is clear don't worry well-known people's""",
}
FRAGMENTS = (
    "R$ 1.234,56", "14h30", "05/03", "(11) 9 1234-5678", "123.456.789-00", "2.5.1", "$5M", "1/2", "3 1/2 kg", "10-12",
    "*risos*", "kkkk", "**negrito**", "`x = 1`", "https://exemplo.com.br/a?b=1", "a@b.com", "@ana",
    "#tbt", "😀", ":)",
    "vc", "pq?", "q", "Dr.", "etc.", "século XXI", "-5", "+3", "50%", "25°C", "km/h", "2x1", "3x", "#1", "nº 5", "&",
    "\n", "\n\n", "- ", "1. ", "|", "```", "<|im_end|>", "<br>",
    "\u200b", "²", "½", "1º", "2ª", "1st", "22nd", "9:00 am",
    "2026", "1990s", "'80s", "6'2\"", "...", "!!!", "?!", ",", ";", "(", ")",
    "3.10.12", "2024/03/15", "5 nov 2020", "jan/24", "1:02:03", "~10", ">R$ 10", "<10%", "20~30",
    "12A", "GPT-4o", "2232 - 4º",
    "5-3=2", "mg/dL", "m/s²", "8 L/100 km", ".5", ",5", "1kk", "₹1,00,000", "ISBN 978-85-359-0277-5", "#48213",
    "ligue 190", "call 911", "[1]", "[2][3]", "youtu.be/abc", "report.pdf", ".NET", "/etc/passwd",
    "S.A.", "s/n", "1a. vez",
    "10 a.m.", "amigo(s)", "o(a)", "Elm Dr.", "em SP", "in TX", "C#", "x^2", "1e-5", "⑩", "10⁻⁵", "N.A.S.A.",
    "Ünïcödé", "привет", "你好", "５", "𝓱𝓲", "/",
)  # fmt: skip

chatty = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=8)), max_size=25).map(" ".join)
glued = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.characters()), max_size=15).map("".join)
anything = st.one_of(chatty, glued, st.text(max_size=300))


def plan_or_none(text: str, language: str) -> UtterancePlan | None:
    try:
        return plan_utterance(text, language=language)
    except BadText:
        return None


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", text.lower())


@pytest.mark.parametrize("language", LANGUAGES)
@settings(STEADY)
@given(data=st.data())
def test_every_plain_word_is_spoken_in_order(language: str, data: st.DataObject) -> None:
    word = st.sampled_from(PLAIN_WORDS[language].split())
    sentence = st.tuples(
        st.lists(word, min_size=1, max_size=90), st.sampled_from([".", "!", "?", ",", ":", "\n", "..."])
    )
    text = " ".join(" ".join(words) + end for words, end in data.draw(st.lists(sentence, min_size=1, max_size=5)))
    assert words_of(plan_utterance(text, language=language).spoken_text) == words_of(text)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(STEADY, max_examples=300)
@given(text=anything)
def test_no_digit_and_no_sign_is_left_to_the_voice(language: str, text: str) -> None:
    plan = plan_or_none(text, language)
    if plan is not None:
        assert re.fullmatch(r"[^\W\d_ªº]+(?:[ .,;:!?…'-]+[^\W\d_ªº]+)*[.!?…]?", plan.spoken_text)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(STEADY, max_examples=300)
@given(text=anything)
def test_planning_spoken_text_again_changes_nothing(language: str, text: str) -> None:
    plan = plan_or_none(text, language)
    if plan is not None and len(plan.spoken_text) <= 4096:
        assert plan_utterance(plan.spoken_text, language=language).spoken_text == plan.spoken_text


@pytest.mark.parametrize("language", [*LANGUAGES, *OTHERS])
@settings(STEADY)
@given(text=anything, max_chars=st.integers(-1, 600), allowed_s=st.none() | st.floats(0, 60))
def test_every_segment_has_a_word_and_keeps_the_limits(
    language: str, text: str, max_chars: int, allowed_s: float | None
) -> None:
    try:
        plan = plan_utterance(text, language=language, max_segment_chars=max_chars, max_spoken_s=allowed_s)
    except BadText:
        return
    for segment in plan.segments:
        assert any(character.isalnum() for character in segment.text)
        assert len(segment.text) <= max(40, min(max_chars, 500))
        assert segment.expected_s > 0
        assert segment.pause_after_ms >= 0
    assert plan.segments[-1].pause_after_ms == 0


@pytest.mark.parametrize("language", LANGUAGES)
@settings(STEADY)
@given(text=anything)
def test_what_strict_mode_accepts_it_speaks_as_lenient_mode_does(language: str, text: str) -> None:
    try:
        strict = plan_utterance(text, language=language, mode=PlanMode.STRICT)
    except BadText:
        return
    assert strict == plan_utterance(text, language=language)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(STEADY)
@given(data=st.data(), allowed_s=st.floats(3, 40))
def test_a_cut_plan_is_a_beginning_of_the_whole_and_fits(language: str, data: st.DataObject, allowed_s: float) -> None:
    word = st.sampled_from(PLAIN_WORDS[language].split())
    sentences = data.draw(st.lists(st.lists(word, min_size=3, max_size=40).map(" ".join), min_size=1, max_size=8))
    text = ". ".join(sentences)
    whole = plan_utterance(text, language=language)
    cut = plan_utterance(text, language=language, max_spoken_s=allowed_s)
    kept = words_of(cut.spoken_text)
    assert words_of(whole.spoken_text)[: len(kept)] == kept
    assert cut.truncated == (len(kept) < len(words_of(whole.spoken_text)))
    assert sum(segment.expected_s for segment in cut.segments) <= allowed_s + 1

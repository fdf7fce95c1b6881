"""The plan around the words: segments, pauses, limits, warnings, refusals, the lexicon, other languages."""

from __future__ import annotations

import pytest

from tts.errors import BadText
from tts.text import PlanMode, expected_duration_s, plan_utterance

SENTENCE = "Amanhã a gente se encontra na praça, toma um café e conversa com calma sobre a viagem."


def test_short_sentences_share_a_segment() -> None:
    plan = plan_utterance("Oi! Tudo bem? Que bom te ver.", language="pt-BR")
    assert [segment.text for segment in plan.segments] == ["Oi! Tudo bem? Que bom te ver."]


def test_long_text_becomes_segments_of_six_to_sixteen_seconds() -> None:
    plan = plan_utterance(" ".join([SENTENCE] * 12), language="pt-BR")
    assert len(plan.segments) > 4
    assert all(4 <= segment.expected_s <= 16 for segment in plan.segments)


def test_a_paragraph_ends_with_a_longer_pause_than_a_sentence() -> None:
    plan = plan_utterance(f"{SENTENCE} {SENTENCE}\n\n{SENTENCE}", language="pt-BR")
    pauses = [segment.pause_after_ms for segment in plan.segments]
    assert pauses[-1] == 0
    assert pauses[0] < pauses[1]


def test_a_sentence_too_long_is_parted_at_its_clauses() -> None:
    clause = "a gente conversa com calma sobre a viagem"
    plan = plan_utterance(", ".join([clause] * 12), language="pt-BR")
    assert len(plan.segments) > 1
    assert all(segment.text.endswith((",", ".")) for segment in plan.segments)


def test_a_sentence_without_clauses_is_parted_before_a_joining_word() -> None:
    plan = plan_utterance(" porque ".join(["ninguém achava aquela casa amarela da esquina"] * 12), language="pt-BR")
    assert len(plan.segments) > 1
    assert all(segment.text.startswith("porque") for segment in plan.segments[1:])


def test_no_word_is_parted_and_no_segment_passes_the_limit() -> None:
    words = ["palavra"] * 200
    plan = plan_utterance(" ".join(words), language="pt-BR", max_segment_chars=100)
    assert all(len(segment.text) <= 100 for segment in plan.segments)
    assert plan.spoken_text.lower().rstrip(".").split() == words


def test_a_segment_over_300_characters_is_warned_about() -> None:
    plan = plan_utterance("palavra " * 55, language="pt-BR")
    assert any("300" in warning for warning in plan.warnings)


def test_a_segment_under_300_characters_is_not_warned_about() -> None:
    assert plan_utterance(SENTENCE, language="pt-BR").warnings == ()


def test_expected_length_counts_the_pauses() -> None:
    plan = plan_utterance(f"{SENTENCE} {SENTENCE}", language="pt-BR")
    spoken_s = sum(segment.expected_s for segment in plan.segments)
    assert plan.expected_s == pytest.approx(spoken_s + plan.segments[0].pause_after_ms / 1000)


def test_longer_words_take_longer() -> None:
    assert expected_duration_s("oi", "pt-BR") < expected_duration_s("oi, tudo bem?", "pt-BR")


def test_a_character_of_chinese_takes_longer_than_a_letter() -> None:
    assert expected_duration_s("你好你好", "zh") > expected_duration_s("abcd", "en")


def test_the_time_allowed_cuts_at_a_sentence() -> None:
    plan = plan_utterance(f"Oi, tudo bem? {SENTENCE} {SENTENCE}", language="pt-BR", max_spoken_s=9)
    assert plan.truncated
    assert plan.spoken_text == f"Oi, tudo bem? {SENTENCE}"


def test_a_first_sentence_too_long_is_cut_at_a_clause() -> None:
    plan = plan_utterance(SENTENCE, language="pt-BR", max_spoken_s=3.5)
    assert plan.spoken_text == "Amanhã a gente se encontra na praça."


def test_one_word_is_said_however_little_time_there_is() -> None:
    assert plan_utterance(SENTENCE, language="pt-BR", max_spoken_s=0).spoken_text == "Amanhã."


def test_enough_time_cuts_nothing() -> None:
    assert not plan_utterance(SENTENCE, language="pt-BR", max_spoken_s=60).truncated


@pytest.mark.parametrize("text", ["", "   ", "😀😀", "...", "*sorri*", "```\nx = 1\n```", "\u200b", "привет"])
def test_a_text_without_a_speakable_word_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(BadText, match="at least one word"):
        plan_utterance(text, language="pt-BR")


def test_a_text_over_4096_characters_is_refused_with_the_cure() -> None:
    with pytest.raises(BadText, match="4096"):
        plan_utterance("a" * 4097, language="en")


def test_a_text_of_4096_characters_is_spoken() -> None:
    assert plan_utterance("bom " * 1024, language="pt-BR").segments


LOSSES = [
    ("veja\n```\nx = 1\n```", "code block"),
    ("| a | b |\n|---|---|\n| c | d |", "table"),
    ("oi ![gato](gato.png)", "image"),
    ("veja https://a.com/b/c", "link"),
    ("diga привет", "script"),
]


@pytest.mark.parametrize(("text", "loss"), LOSSES)
def test_strict_mode_refuses_what_would_lose_words(text: str, loss: str) -> None:
    with pytest.raises(BadText, match=loss):
        plan_utterance(text, language="pt-BR", mode=PlanMode.STRICT)


@pytest.mark.parametrize(("text", "loss"), LOSSES)
def test_lenient_mode_speaks_the_rest_and_warns(text: str, loss: str) -> None:
    plan = plan_utterance(text, language="pt-BR")
    assert any(loss in warning for warning in plan.warnings)


def test_strict_mode_lets_emoji_go() -> None:
    assert plan_utterance("Oi 😀", language="pt-BR", mode=PlanMode.STRICT).spoken_text == "Oi."


def test_the_lexicon_respells_whole_words_in_any_case() -> None:
    plan = plan_utterance("O Recado fala; recados não.", language="pt-BR", lexicon={"recado": "Recádo"})
    assert plan.spoken_text == "O Recádo fala; recados não."


def test_the_lexicon_prefers_the_longest_entry() -> None:
    lexicon = {"New York": "nova iorque", "New": "niu"}
    assert plan_utterance("New York, New", language="pt-BR", lexicon=lexicon).spoken_text == "nova iorque, niu."


def test_the_lexicon_may_name_what_expansion_would_change() -> None:
    lexicon = {"C&A": "cê e á", "R2D2": "ártu dítu"}
    assert plan_utterance("C&A e R2D2", language="pt-BR", lexicon=lexicon).spoken_text == "Cê e á e ártu dítu."


@pytest.mark.parametrize(("tag", "canonical"), [("pt", "pt-BR"), ("pt_br", "pt-BR"), ("en-US", "en"), ("de", "de")])
def test_the_plan_and_its_segments_name_the_language_engines_know(tag: str, canonical: str) -> None:
    plan = plan_utterance("a b c d", language=tag)
    assert {plan.language, *(segment.language for segment in plan.segments)} == {canonical}


@pytest.mark.parametrize(
    ("language", "text", "spoken"),
    [
        ("de", "Ich habe 21 Katzen.", "Ich habe einundzwanzig Katzen."),
        ("es", "Tengo 2 gatos, ¿y tú?", "Tengo dos gatos, ¿y tú?"),
        ("es", "jajaja qué bueno", "ja ja ja, qué bueno."),
        ("fr", "J'ai 80 euros.", "J'ai quatre-vingts euros."),
        ("it", "Ho 3 gatti.", "Ho tre gatti."),
        ("ru", "У меня 3 кота.", "У меня три кота."),
        ("zh", "我有3只猫。很可爱！", "我有 三 只猫。很可爱！"),
        ("ja", "猫が3匹います。", "猫が 三 匹います。"),
        ("ko", "고양이 3마리", "고양이 삼 마리."),
        ("de", "um 14:30 kostet es 3,50 €", "um 14:30 kostet es 3,50 €."),
        ("xx", "quux 12", "quux 12."),
    ],
)
def test_other_languages_are_read_safely(language: str, text: str, spoken: str) -> None:
    assert plan_utterance(text, language=language).spoken_text == spoken


def test_an_initial_ends_no_sentence() -> None:
    plan = plan_utterance("Falei com J. Silva ontem.", language="pt-BR", max_spoken_s=60)
    assert plan.spoken_text == "Falei com J. Silva ontem."

from __future__ import annotations

import string

import pytest

from bot.phrases import ENGLISH, PHRASES, PORTUGUESE, Phrase, say

LIMITS = {Phrase.MENU_BUTTON: 20}


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [PORTUGUESE, ENGLISH])
def test_every_phrase_exists_in_every_language(language: str) -> None:
    assert set(PHRASES[language]) == set(Phrase)


@pytest.mark.parametrize("phrase", Phrase)
def test_both_languages_ask_for_the_same_slots(phrase: Phrase) -> None:
    assert slots(PHRASES[PORTUGUESE][phrase]) == slots(PHRASES[ENGLISH][phrase])


@pytest.mark.parametrize("phrase", Phrase)
@pytest.mark.parametrize("language", [PORTUGUESE, ENGLISH])
def test_every_phrase_fits_its_place(phrase: Phrase, language: str) -> None:
    assert 0 < len(PHRASES[language][phrase]) <= LIMITS.get(phrase, 1024)


@pytest.mark.parametrize(("language", "start"), [("pt-BR", "Pronto"), ("pt", "Pronto"), ("en", "Done"), ("fr", "Done")])
def test_portuguese_answers_portuguese_and_english_everybody_else(language: str, start: str) -> None:
    assert say(Phrase.PERSONA_CHOSEN, language, persona="Nina").startswith(start)


def test_slots_are_filled() -> None:
    assert "Theo" in say(Phrase.MENU_BODY, "en", persona="Theo")

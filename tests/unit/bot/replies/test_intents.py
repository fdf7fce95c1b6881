"""How well strangers' sentences reach the shipped scripts; the table beside this file holds none of their examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.persona import Intent, Persona, shipped_personas
from bot.replies.intents import CONFIDENT, IntentMatcher
from bot.words import plain_words

TABLE: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "paraphrases.yaml").read_text(encoding="utf-8"))
LEAST_RIGHT = 0.85
each_persona = pytest.mark.parametrize("persona", shipped_personas(), ids=lambda persona: persona.id)


def rows(persona: Persona) -> list[tuple[str, str]]:
    pairs = [row.rsplit(" => ", 1) for row in TABLE[persona.id]]
    return [(text, intent) for text, intent in pairs]


@each_persona
def test_the_table_is_large_and_holds_no_example(persona: Persona) -> None:
    examples = {plain_words(example) for intent in persona.intents for example in intent.examples}
    assert len(rows(persona)) >= 60
    assert [text for text, _ in rows(persona) if plain_words(text) in examples] == []


@each_persona
def test_most_paraphrases_reach_their_intent(persona: Persona) -> None:
    matcher = IntentMatcher(persona.intents, persona.language)
    wrong = []
    for text, intent in rows(persona):
        match = matcher.best(text)
        if match is None or match.score < CONFIDENT or match.intent.name != intent:
            wrong.append((text, intent, match and (match.intent.name, round(match.score, 2))))
    assert 1 - len(wrong) / len(rows(persona)) >= LEAST_RIGHT, wrong


@each_persona
def test_no_off_topic_sentence_is_taken_for_an_intent(persona: Persona) -> None:
    matcher = IntentMatcher(persona.intents, persona.language)
    off_topic = TABLE["off_topic"][persona.id]
    taken = [text for text in off_topic if (match := matcher.best(text)) and match.score >= CONFIDENT]
    assert len(off_topic) >= 20
    assert taken == []


@each_persona
def test_every_example_reaches_its_own_intent(persona: Persona) -> None:
    matcher = IntentMatcher(persona.intents, persona.language)
    lost = [
        (example, match and match.intent.name)
        for intent in persona.intents
        for example in intent.examples
        if (match := matcher.best(example.replace("…", "qwerty"))) is None or match.intent.name != intent.name
    ]
    assert lost == []


@pytest.mark.parametrize("text", ["", "🙂", "…"])
def test_nothing_said_matches_nothing(text: str) -> None:
    intent = Intent(name="greeting", examples=("oi",), replies=("Oi!",))
    assert IntentMatcher((intent,), "pt-BR").best(text) is None


def test_a_script_without_intents_matches_nothing() -> None:
    assert IntentMatcher((), "en").best("hello") is None


@pytest.mark.parametrize(("text", "language"), [("kkkkkkkkk", "pt-BR"), ("hahahahah", "pt-BR"), ("lol", "en")])
def test_laughter_of_any_length_is_laughter(text: str, language: str) -> None:
    intent = Intent(name="laugh", examples=("haha",), replies=("Ha!",))
    match = IntentMatcher((intent,), language).best(text)
    assert match is not None
    assert match.score == pytest.approx(1.0)


def test_a_typo_in_a_long_word_still_reaches_the_intent() -> None:
    intents = (
        Intent(name="birthday", examples=("hoje é meu aniversário",), replies=("Parabéns!",)),
        Intent(name="work", examples=("hoje tem trabalho",), replies=("Força!",)),
    )
    match = IntentMatcher(intents, "pt-BR").best("hoje e meu anivesario")
    assert match is not None
    assert (match.intent.name, match.score > CONFIDENT) == ("birthday", True)

"""How well what strangers write is understood: words and meaning together, on a set kept apart from all tuning."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.persona import Persona, shipped_personas
from bot.replies.intents import IntentMatcher
from bot.replies.meaning import SentenceEncoder
from bot.replies.topics import topics_of
from bot.words import plain_words

HELD_OUT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "fixtures" / "script" / "heldout.yaml").read_text(encoding="utf-8")
)
LEAST_RIGHT = {"nina": 0.82, "theo": 0.79}
MOST_WRONG_OFF_SCRIPT = 0.08
each_persona = pytest.mark.parametrize("persona", shipped_personas(), ids=lambda persona: persona.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """Shares of the utterances: on the script and rightly understood; off it and taken for an intent all the same."""

    right: float
    taken: float


def rows(persona: Persona) -> list[tuple[str, set[str]]]:
    pairs = [row.rsplit(" => ", 1) for row in HELD_OUT[persona.id]]
    return [(text, set(intents.split("|"))) for text, intents in pairs]


def understood(persona: Persona, matcher: IntentMatcher) -> Understood:
    on, off = [], []
    for text, expected in rows(persona):
        found = {topic.intent.name for topic in topics_of(text, matcher, {})} or {"none"}
        (off if "none" in expected else on).append(found <= expected)
    return Understood(right=sum(on) / len(on), taken=1 - sum(off) / len(off))


@cache
def _measured(persona_id: str, *, with_meaning: bool) -> Understood:
    persona = next(persona for persona in shipped_personas() if persona.id == persona_id)
    encoder = SentenceEncoder() if with_meaning else None
    return understood(persona, IntentMatcher(persona.intents, persona.language, encoder))


@each_persona
def test_the_held_out_set_is_large_a_third_off_script_and_holds_no_example(persona: Persona) -> None:
    examples = {
        plain_words(example) for intent in persona.intents for example in intent.examples if plain_words(example)
    }
    off_script = [text for text, expected in rows(persona) if "none" in expected]
    assert len(rows(persona)) >= 150
    assert len(off_script) >= len(rows(persona)) / 3
    assert [text for text, _ in rows(persona) if plain_words(text) in examples] == []


@each_persona
def test_what_strangers_write_is_understood_at_least_so_often(persona: Persona) -> None:
    assert _measured(persona.id, with_meaning=True).right >= LEAST_RIGHT[persona.id]


@each_persona
def test_what_is_off_the_script_is_seldom_taken_for_an_intent(persona: Persona) -> None:
    assert _measured(persona.id, with_meaning=True).taken <= MOST_WRONG_OFF_SCRIPT


@each_persona
def test_meaning_adds_to_words_on_either_side(persona: Persona) -> None:
    both, words = (_measured(persona.id, with_meaning=known) for known in (True, False))
    assert both.right > words.right
    assert both.taken <= words.taken

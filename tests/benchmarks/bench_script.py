"""How well the shipped scripts understand strangers: by words, by meaning, and by both, on the held-out set."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bot.persona import shipped_personas
from bot.replies.intents import CONFIDENT, IntentMatcher, Match
from bot.replies.meaning import SentenceEncoder
from tests.unit.bot.replies.test_understanding import rows, understood

MEANING_CONFIDENT = 0.62  # a cosine; chosen on the development set as CONFIDENT was


class ByMeaning(IntentMatcher):
    """The nearest example alone, and emoji as they are."""

    def _best(self, text: str, meant: Sequence[float] | None) -> Match | None:
        if meant is None:
            return super()._best(text, meant)
        index = max(range(len(meant)), key=meant.__getitem__)
        return Match(intent=self._intents[index], score=meant[index] - MEANING_CONFIDENT + CONFIDENT)


def test_words_meaning_and_both_on_the_held_out_set() -> None:
    """Accuracy on the script, wrong answers off it, and the time an utterance takes."""
    encoder = SentenceEncoder()
    for persona in shipped_personas():
        print(f"\n{persona.id} ({persona.language}), {len(rows(persona))} utterances")
        for name, matcher in (
            ("words", IntentMatcher(persona.intents, persona.language)),
            ("meaning", ByMeaning(persona.intents, persona.language, encoder)),
            ("both", IntentMatcher(persona.intents, persona.language, encoder)),
        ):
            start = time.perf_counter()
            found = understood(persona, matcher)
            spent_ms = (time.perf_counter() - start) * 1000 / len(rows(persona))
            print(f"  {name:8} right {found.right:.1%}  taken off script {found.taken:.1%}  {spent_ms:.0f} ms each")

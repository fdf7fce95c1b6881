"""Which of a script's intents an utterance means: likeness of words and nearness of meaning, half and half.

Deterministic; knows no reply and no history. Without an encoder the words decide alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import emoji

from bot.persona import Intent, IntentRole
from bot.replies.likeness import WordLikeness
from bot.replies.meaning import Encoder, Vectors
from bot.replies.texting import written_out
from bot.words import plain_words

CONFIDENT = 0.57  # at least this much alike is an answer; below it the persona says that it does not know
URGENT_FROM = 0.53  # an emergency is heard earlier, and before what is little more alike
URGENT_FIRST = 0.1  # the little
OPEN_ENDED = 0.7  # how sure it is that what begins like an example that ends in "…" means its intent
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An intent and how sure it is, 0..1."""

    intent: Intent
    score: float


class IntentMatcher:
    """A script's examples, prepared once; blocks while the encoder reads them."""

    def __init__(self, intents: Sequence[Intent], language: str, encoder: Encoder | None = None) -> None:
        self._intents = tuple(intent for intent in intents if intent.examples)
        whole = [[text for text in one.examples if not _is_open(text)] for one in self._intents]
        self._words = WordLikeness(whole, language)
        self._openings = tuple(
            tuple(self._words.tokens(text) for text in intent.examples if _is_open(text)) for intent in self._intents
        )
        self._meaning = _Meaning(whole, language, encoder) if encoder else None

    def best(self, text: str) -> Match | None:
        """The intent most alike, whatever its score; None where nothing is alike."""
        return self.best_of([text])[0]

    def best_of(self, texts: Sequence[str]) -> list[Match | None]:
        """`best` of each, read together."""
        near = self._meaning.scores(texts) if self._meaning else [None] * len(texts)
        return [self._best(text, meant) for text, meant in zip(texts, near, strict=True)]

    def _best(self, text: str, meant: Sequence[float] | None) -> Match | None:
        scores = self._words.scores(text)
        if meant is not None:
            scores = [(words + meaning) / 2 for words, meaning in zip(scores, meant, strict=True)]
        tokens = self._words.tokens(text)
        for index, openings in enumerate(self._openings):
            if any(_goes_on(tokens, opening) for opening in openings):
                scores[index] = max(scores[index], OPEN_ENDED)
        order = range(len(scores))
        enough = max(URGENT_FROM, max(scores, default=0.0) - URGENT_FIRST)
        urgent = [at for at in order if self._intents[at].role is IntentRole.URGENT and scores[at] >= enough]
        index = max(urgent or order, key=scores.__getitem__, default=-1)
        if not scores or not scores[index]:
            return None
        return Match(intent=self._intents[index], score=max(scores[index], CONFIDENT if urgent else 0.0))


class _Meaning:
    """The directions of a script's examples, encoded once."""

    def __init__(self, examples: Sequence[Sequence[str]], language: str, encoder: Encoder) -> None:
        self._language = language.lower()
        self._encoder = encoder
        ends = list(itertools.accumulate(len(texts) for texts in examples))
        self._spans = tuple(zip([0, *ends], ends, strict=False))  # of each intent's examples
        self._vectors = encoder.encode([text for texts in examples for text in texts])

    def scores(self, texts: Sequence[str]) -> list[list[float] | None]:
        """For each text the cosine of each intent's nearest example; None for one without words, or without a model."""
        worded = [index for index, text in enumerate(texts) if plain_words(text)]
        scores: list[list[float] | None] = [None] * len(texts)
        said = self._encoder.encode([self._prepared(texts[index]) for index in worded])
        if self._vectors is None or said is None:
            return scores
        for index, row in zip(worded, self._nearest(said, self._vectors), strict=True):
            scores[index] = row
        return scores

    def _prepared(self, text: str) -> str:
        return written_out(emoji.replace_emoji(text, " "), self._language).strip()

    def _nearest(self, said: Vectors, examples: Vectors) -> list[list[float]]:
        alike = said @ examples.T
        return [
            [float(alike[row, start:end].max(initial=0.0)) for start, end in self._spans] for row in range(len(said))
        ]


def _is_open(example: str) -> bool:
    return example.endswith(_ELLIPSIS)


def _goes_on(tokens: tuple[str, ...], opening: tuple[str, ...]) -> bool:
    """Whether `opening` stands in `tokens` word by word."""
    return any(tokens[at : at + len(opening)] == opening for at in range(len(tokens) - len(opening) + 1))

"""Which of a script's intents an utterance means. Pure and deterministic; knows no reply and no history.

Words are weighed by how few intents use them, compared with room for typos, and scored as the harmonic mean of what the
utterance says of an example and what of the example it says. Every unknown word counts against a match, so that talk
about something else reaches no intent.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from bot.persona import Intent
from bot.words import plain_words

CONFIDENT = 0.55  # at least this much alike is an answer; below it the persona says that it does not know
TYPO_RATIO = 84.0  # rapidfuzz ratio, 0..100, from which two words count as the same word mistyped
_UNKNOWN_WEIGHT = 0.65  # of the heaviest known word's
_CONTEXT_SHARE = 0.9  # a word the intent knows from another example counts almost as much
_LAUGH = re.compile(r"\b(?:k{2,}|(?:ha|he|hua|rs|ah){2,}h?a?s?|k|lo+l|lmao|rofl|rs)\b")

_PORTUGUESE = {
    "vc": "voce", "ce": "voce", "cê": "voce", "vcs": "voces", "tb": "tambem", "tbm": "tambem", "q": "que", "oq": "que",
    "pq": "porque", "ta": "esta", "tas": "esta", "to": "estou", "tou": "estou", "ando": "estou", "tava": "estava",
    "pra": "para", "pro": "para", "pros": "para", "blz": "beleza", "mt": "muito", "mto": "muito", "hj": "hoje",
    "td": "tudo", "vlw": "valeu", "obg": "obrigado", "brigado": "obrigado", "brigada": "obrigado", "n": "nao",
    "eh": "e", "ne": "", "ai": "", "me": "", "mim": "", "por": "", "favor": "", "o": "", "a": "", "os": "", "as": "",
    "um": "", "uma": "", "de": "", "do": "", "da": "", "no": "", "na": "", "contigo": "voce", "comigo": "eu",
    "teu": "seu", "sua": "seu", "tua": "seu", "minha": "meu", "aqui": "", "entao": "", "mesmo": "",
}  # fmt: skip
_ENGLISH = {
    "whats": "what is", "hows": "how is", "whos": "who is", "wheres": "where is", "whens": "when is", "im": "i am",
    "ive": "i have", "id": "i would", "youre": "you are", "its": "it is", "thats": "that is", "dont": "do not",
    "didnt": "do not", "did": "do", "isnt": "is not", "cant": "can not", "couldnt": "can not",
    "u": "you", "ur": "your", "r": "are", "pls": "", "please": "", "thx": "thanks", "favorite": "favourite", "a": "",
    "an": "", "the": "", "to": "", "of": "", "really": "so", "very": "so", "mom": "mother", "mum": "mother",
    "could": "can", "movie": "film", "movies": "film", "wanna": "want", "gonna": "going", "any": "",
    "lets": "let us", "just": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """An intent and how sure it is, 0..1."""

    intent: Intent
    score: float


class IntentMatcher:
    """A script's examples, weighed once."""

    def __init__(self, intents: Sequence[Intent], language: str) -> None:
        self._portuguese = language.lower().startswith("pt")
        self._intents = tuple(intents)
        self._examples = tuple(tuple(self._tokens(text) for text in intent.examples) for intent in self._intents)
        self._vocabularies = tuple(frozenset(token for tokens in one for token in tokens) for one in self._examples)
        spread = Counter(token for vocabulary in self._vocabularies for token in vocabulary)
        self._heaviest = math.log1p(len(self._intents))
        self._weights = {token: math.log1p(len(self._intents) / count) for token, count in spread.items()}
        self._known = tuple(self._weights)

    def best(self, text: str) -> Match | None:
        """The intent most alike, whatever its score; None where there is nothing to compare."""
        said = self._corrected(self._tokens(text))
        if not said or not self._intents:
            return None
        scores = [
            max((self._score(said, example, vocabulary) for example in examples), default=0.0)
            for examples, vocabulary in zip(self._examples, self._vocabularies, strict=True)
        ]
        index = max(range(len(scores)), key=scores.__getitem__)
        return Match(intent=self._intents[index], score=scores[index])

    def _tokens(self, text: str) -> tuple[str, ...]:
        laughing = _LAUGH.sub(" laugh ", text.casefold())
        expand = _PORTUGUESE if self._portuguese else _ENGLISH
        words = plain_words(laughing).split()
        kept = [part for word in words for part in expand.get(word, word).split()]
        # A message of nothing but small words still says something: "um", "a".
        return tuple(dict.fromkeys(self._stem(word) for word in (kept or words)))

    def _stem(self, word: str) -> str:
        if len(word) > 4 and self._portuguese:  # gender, plural and infinitive say little about what is meant
            return re.sub(r"(?:[aei]r|[oae]s?|s)$", "", word)
        return word.removesuffix("s") if len(word) > 4 and not word.endswith("ss") else word

    def _corrected(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Unknown words of four letters or more become the known word they most resemble, where one does."""
        corrected = []
        for token in tokens:
            if token not in self._weights and len(token) >= 4:
                found = process.extractOne(token, self._known, scorer=fuzz.ratio, score_cutoff=TYPO_RATIO)
                corrected.append(found[0] if found else token)
            else:
                corrected.append(token)
        return tuple(dict.fromkeys(corrected))

    def _score(self, said: tuple[str, ...], example: tuple[str, ...], vocabulary: frozenset[str]) -> float:
        unknown = _UNKNOWN_WEIGHT * self._heaviest
        said_weight = sum(self._weights.get(token, unknown) for token in said)
        example_weight = sum(self._weights[token] for token in example)
        shared = sum(self._weights[token] for token in example if token in said)
        if not shared:
            return 0.0
        context = sum(self._weights[token] for token in said if token in vocabulary and token not in example)
        precision = (shared + _CONTEXT_SHARE * context) / said_weight
        recall = shared / example_weight
        return 2 * precision * recall / (precision + recall)

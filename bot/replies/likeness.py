"""How alike an utterance's words are to a script's examples. Pure and deterministic; knows no meaning and no reply.

Words are weighed by how few intents use them, compared with room for typos, and scored as the harmonic mean of what the
utterance says of an example and what of the example it says. Every unknown word counts against a match, so that talk
about something else reaches no intent. A message of nothing but emoji is compared by these.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import emoji
from rapidfuzz import fuzz, process

from bot.replies.texting import written_out
from bot.words import plain_words

TYPO_RATIO = 84.0  # rapidfuzz ratio, 0..100, from which two words count as the same word mistyped
_UNKNOWN_WEIGHT = 0.65  # of the heaviest known word's
_CONTEXT_SHARE = 0.9  # a word the intent knows from another example counts almost as much
_VARIANTS = re.compile("[\U0001f3fb-\U0001f3ff\ufe0f]")
_ONE_WORD = re.compile(r"\b(?:por que|e ai)\b")  # said apart they would say little
_DOUBLED_END = re.compile(r"(.)\1+$")
_ARITHMETIC = re.compile(r"\d+\s*(?:[+*x×÷]|\s[-/]\s|mais|menos|vezes|plus|minus|times|divid\w+ (?:por|by))\s*\d+")
_LAUGH = re.compile(r"\b(?:k{2,}|(?:ha|he|hua|rs|ah){2,}h?a?s?|k|lo+l|lmao|rofl|rs)\b")

# What a word is compared as: its usual form, or nothing where it says little.
_PORTUGUESE = {
    "ce": "voce", "tas": "esta", "ando": "estou", "ne": "", "ai": "", "me": "", "mim": "", "por": "", "favor": "",
    "o": "", "a": "", "os": "", "as": "", "um": "", "uma": "", "de": "", "do": "", "da": "", "no": "", "na": "",
    "brigado": "obrigado", "brigada": "obrigado", "contigo": "voce", "comigo": "eu", "teu": "seu", "sua": "seu",
    "tua": "seu", "minha": "meu", "aqui": "", "entao": "", "mesmo": "",
}  # fmt: skip
_ENGLISH = {
    "whats": "what is", "hows": "how is", "whos": "who is", "wheres": "where is", "whens": "when is", "im": "i am",
    "ive": "i have", "id": "i would", "youre": "you are", "its": "it is", "thats": "that is", "dont": "do not",
    "didnt": "do not", "did": "do", "isnt": "is not", "cant": "can not", "couldnt": "can not", "please": "",
    "favorite": "favourite", "a": "", "an": "", "the": "", "to": "", "of": "", "really": "so", "very": "so",
    "mom": "mother", "mum": "mother", "could": "can", "movie": "film", "movies": "film", "any": "", "lets": "let us",
    "just": "",
}  # fmt: skip


class WordLikeness:
    """The examples of a script's intents, weighed once."""

    def __init__(self, examples: Sequence[Sequence[str]], language: str) -> None:
        """`examples` holds those of each intent in turn."""
        self._language = language.lower()
        self._portuguese = self._language.startswith("pt")
        self._examples = tuple(tuple(self.tokens(text) for text in one) for one in examples)
        self._vocabularies = tuple(frozenset(token for tokens in one for token in tokens) for one in self._examples)
        spread = Counter(token for vocabulary in self._vocabularies for token in vocabulary)
        self._heaviest = math.log1p(len(self._examples))
        self._weights = {token: math.log1p(len(self._examples) / count) for token, count in spread.items()}
        self._known = tuple(self._weights)

    def scores(self, text: str) -> list[float]:
        """How alike each intent is, 0..1."""
        said = self._corrected(self.tokens(text))
        return [
            max((self._score(said, example, vocabulary) for example in examples), default=0.0)
            for examples, vocabulary in zip(self._examples, self._vocabularies, strict=True)
        ]

    def tokens(self, text: str) -> tuple[str, ...]:
        """The words of a text as they are compared, each once; its emoji where it has no words."""
        plain = written_out(text.casefold(), self._language)
        marked = _ARITHMETIC.sub(" arithmetic ", _LAUGH.sub(" laugh ", plain))
        words = _ONE_WORD.sub(lambda found: found.group().replace(" ", ""), plain_words(marked)).split()
        if not words:
            return tuple(dict.fromkeys(_VARIANTS.sub("", found["emoji"]) for found in emoji.emoji_list(text)))
        expand = _PORTUGUESE if self._portuguese else _ENGLISH
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
            known = token if token in self._weights else _DOUBLED_END.sub(r"\1", token)
            if known not in self._weights and len(token) >= 4:
                found = process.extractOne(token, self._known, scorer=fuzz.ratio, score_cutoff=TYPO_RATIO)
                known = found[0] if found else token
            corrected.append(known)
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

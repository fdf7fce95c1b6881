"""What XTTS can read: its languages, how long a text it takes in one go. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec

from tts.errors import BadText
from tts.text.halves import halves
from tts.text.numbers import beside_letters, can_spell, cardinal

LANGUAGES = frozenset(
    {"ar", "cs", "de", "en", "es", "fr", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh"}
)
_NEEDS = {"ja": "cutlet", "zh": "pypinyin"}  # coqui-tts romanises these with packages of its extras

_SPECIAL = re.compile(r"[\[\]]")
_NUMBER = re.compile(r"\d+")
_INSIDE_NUMBER = re.compile(r"(?<=\d)[.,:/](?=\d)")


def readable_languages() -> frozenset[str]:
    """The 17 languages of XTTS v2 without those whose romaniser is not installed."""
    return frozenset(code for code in LANGUAGES if code not in _NEEDS or find_spec(_NEEDS[code]) is not None)


def plain(text: str) -> str:
    """The text without square brackets: the tokenizer takes `[pt]` and `[stop]` for orders.

    Halves of a character (lone surrogates), which it does not take at all, go as well.
    """
    whole = text.encode("utf-8", errors="ignore").decode("utf-8")
    return " ".join(_SPECIAL.sub(" ", whole).split())


def spelled(text: str, language: str) -> str:
    """The text with every number in words, part by part: 10:30 is read as ten thirty.

    For what the tokenizer's own speller raises at: any number in Hindi, ordinals in Czech, very long ones elsewhere.
    """
    if not can_spell(language):
        return text
    parted = _INSIDE_NUMBER.sub(" ", text)
    return _NUMBER.sub(lambda match: beside_letters(match, cardinal(int(match.group()), language)), parted)


def pieces(text: str, *, fits: Callable[[str], bool]) -> list[str]:
    """The text in as few halvings as make every piece fit.

    Raises BadText for a stretch that does not fit and has no place to part it.
    """
    if fits(text):
        return [text]
    parts = halves(text)
    if parts is None:
        raise BadText(f"a word of {len(text)} letters is more than XTTS can read at once")
    return [piece for part in parts for piece in pieces(part, fits=fits)]

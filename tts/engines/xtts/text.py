"""What XTTS can read: its languages, how long a text it takes in one go. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec

from tts.errors import BadText
from tts.text.halves import halves

LANGUAGES = frozenset(
    {"ar", "cs", "de", "en", "es", "fr", "hi", "hu", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh"}
)
_NEEDS = {"ja": "cutlet", "zh": "pypinyin"}  # coqui-tts romanises these with packages of its extras

_SPECIAL = re.compile(r"[\[\]]")


def readable_languages() -> frozenset[str]:
    """The 17 languages of XTTS v2 without those whose romaniser is not installed."""
    return frozenset(code for code in LANGUAGES if code not in _NEEDS or find_spec(_NEEDS[code]) is not None)


def plain(text: str) -> str:
    """The text without square brackets: the tokenizer takes `[pt]` and `[stop]` for orders."""
    return " ".join(_SPECIAL.sub(" ", text).split())


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

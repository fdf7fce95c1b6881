"""Text reduced to what fuzzy comparison looks at. Pure; knows no language but the Latin alphabet."""

from __future__ import annotations

import re
import unicodedata

_NOT_HEARD = re.compile("['’\u0300-\u036f]+")  # apostrophes, and accents once they stand alone
_NOT_WORDS = re.compile(r"[^a-z0-9 ]+")
_STRETCHED = re.compile(r"(.)\1{2,}")


def plain_words(text: str) -> str:
    """Lower-case words without accents, punctuation, emoji or stretched letters, one space between them."""
    bare = _NOT_HEARD.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return _STRETCHED.sub(r"\1", " ".join(_NOT_WORDS.sub(" ", bare).split()))

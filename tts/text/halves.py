"""Parts a text in two where that is heard least: at a sentence, else a clause, else a word. Pure."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")
_CLAUSE = re.compile(r"(?<=[,;:])\s+|(?<=[、，；])")
_WORD = re.compile(r"\s+")
_UNSPACED = re.compile(r"(?<=[\u3040-\u9fff])(?=[\u3040-\u9fff])")


def halves(text: str) -> tuple[str, str] | None:
    """Both parts, of the best kind of place the one nearest the middle; None where the text has no such place."""
    for places in (_SENTENCE, _CLAUSE, _WORD, _UNSPACED):
        inner = [place for place in places.finditer(text) if place.start() > 0 and place.end() < len(text)]
        if inner:
            middle = min(inner, key=lambda place: abs(place.start() - len(text) / 2))
            return text[: middle.start()], text[middle.end() :]
    return None

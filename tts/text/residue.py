"""The last sieve: only letters, digits and the punctuation a voice can act on come through. Knows languages as data."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final

from tts.text.languages.base import Language
from tts.text.notes import Note

_PUNCTUATION = frozenset(".,;:!?…'-")
_PAUSES = str.maketrans(
    {"(": ",", ")": ",", "[": ",", "]": ",", "{": ",", "}": ",", "–": ",", "—": ",", "|": ",", "\n": " "}
    | {"。": ".", "！": "!", "？": "?", "，": ",", "、": ",", "；": ";", "：": ":", "·": " ", "•": ","}
)
_EASTERN = frozenset("。！？，、；：・「」『』")
_QUIET = frozenset('"*_~`\\^<>“”#/')  # dropped without a word lost
_SIGNS_OF_OTHERS = frozenset("%€$£¥&@+=/°ºª¿¡")


def keep_speakable(text: str, language: Language) -> tuple[str, tuple[Note, ...]]:
    """The text with foreign letters and wordless signs gone, and pauses written the way voices understand."""
    notes: set[Note] = set()
    eastern = language.code in {"zh", "ja", "ko"}
    extra = frozenset() if language.complete else _SIGNS_OF_OTHERS | (_EASTERN if eastern else frozenset())
    kept: list[str] = []
    for character in text if eastern else text.translate(_PAUSES):
        if _passes(character, language) or character in extra:
            kept.append(character)
        else:
            kept.append(" ")
            if unicodedata.category(character)[0] == "L":
                notes.add(Note.SCRIPT)
            elif character not in _QUIET and not unicodedata.category(character).startswith(("M", "Z", "P", "C")):
                notes.add(Note.SYMBOL)
    return tidy("".join(kept)), tuple(sorted(notes))


def _passes(character: str, language: Language) -> bool:
    if character == " " or character in _PUNCTUATION or (character.isascii() and character.isalnum()):
        return True
    if character.isascii():
        return False
    if unicodedata.category(character) in {"Mn", "Mc"}:
        return not language.scripts or not language.scripts.isdisjoint({"CJK", "HANGUL"})
    if not character.isalpha() or character in "ªº":
        return False
    script = unicodedata.name(character, "").partition(" ")[0]
    return not language.scripts or script in language.scripts


def _one_mark(match: re.Match[str]) -> str:
    """The mark that a run of them comes to: a question outweighs a shout, a shout a trail, any end a pause."""
    run = match.group()
    for mark in "?!":
        if mark in run:
            return mark
    if "…" in run or ".." in run:
        return "…"
    return "." if "." in run else run[-1]


_TIDY: Final[tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...]] = (
    (re.compile(r"\s+"), " "),
    (re.compile(r"(?<![^\W_])['-]+(?!\d)|['-]+(?![^\W_])"), " "),  # hyphens and apostrophes live inside words
    (re.compile(r"\s+([.,;:!?])"), r"\1"),
    (re.compile(r"[.,;:!?…]{2,}"), _one_mark),
    (re.compile(r"([,;:])(?=[^\W\d_])"), r"\1 "),
    (re.compile(r"(?<=[^\W\d_][.!?…])(?=[^\W\d_])"), " "),
    (re.compile(r"^[\s.,;:!?…-]+"), ""),
    (re.compile(r"\s+"), " "),
)


def tidy(text: str) -> str:
    """Single spaces, single marks, no mark without a word before it."""
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    return text.strip()

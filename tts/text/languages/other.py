"""Every language without rules of its own: its numbers are put in words where CLDR knows how, the rest stays.

The large voices read raw signs of their languages themselves; being wrong with confidence would be worse.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from tts.text.languages.base import Language
from tts.text.numbers import Numeral, beside_letters, can_spell, cardinal
from tts.text.rules import Rule, rule

_SCRIPTS: Final = {
    "zh": {"CJK", "LATIN", "KANGXI"},
    "ja": {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "LATIN", "HALFWIDTH"},
    "ko": {"HANGUL", "CJK", "LATIN"},
    "ru": {"CYRILLIC", "LATIN"},
    "de": {"LATIN"}, "fr": {"LATIN"}, "it": {"LATIN"}, "es": {"LATIN"},
}  # fmt: skip
_CHARACTERS_PER_S: Final = {"zh": 4.5, "ja": 7.5, "ko": 6.5, "ru": 14.0, "es": 15.2, "fr": 18.9, "it": 15.2}
_WORDS: Final = {
    "de": {".": "Punkt", "@": "at", "#": "Hashtag", "_": "Unterstrich", "-": "Minus", "+": "plus"},
    "fr": {".": "point", "@": "arobase", "#": "hashtag", "_": "tiret bas", "-": "tiret", "+": "plus"},
    "it": {".": "punto", "@": "chiocciola", "#": "hashtag", "_": "trattino basso", "-": "trattino", "+": "più"},
    "es": {".": "punto", "@": "arroba", "#": "etiqueta", "_": "guion bajo", "-": "guion", "+": "más"},
    "ru": {".": "точка", "@": "собака", "#": "хэштег", "_": "подчёркивание", "-": "дефис", "+": "плюс"},
}  # fmt: skip
_SIGNS: Final = {".": ".", "@": "@", "#": "#", "_": "_", "-": "-", "+": "+"}
_GROUPED_BY_DOT: Final = frozenset({"de", "it", "es"})
_LAUGHTER: Final = {"es": (r"j?(?:a+j+){1,}a+j?|(?:je){2,}", "ja ja ja")}


@cache
def other_language(code: str) -> Language:
    """The safe reading of a language known by its primary subtag."""
    laughter, laugh = _LAUGHTER.get(code, ("", ""))
    return Language(
        code=code,
        rules=(_whole_numbers(code),) if can_spell(code) else (),
        scripts=frozenset(_SCRIPTS.get(code, ())),
        characters_per_s=_CHARACTERS_PER_S.get(code, 14.0),
        words_for=_WORDS.get(code, _SIGNS),
        laughter=laughter,
        laugh=laugh,
    )


def _whole_numbers(code: str) -> Rule:
    """Whole numbers only: one that touches "." or "," or a sign of date and clock keeps its digits."""
    grouped = r"\d{1,3}(?:\.\d{3})+|" if code in _GROUPED_BY_DOT else ""

    def say(match: re.Match[str]) -> str:
        return beside_letters(match, cardinal(Numeral.read(match.group(), decimal=",").whole, code))

    return rule("whole_number", rf"(?<![\d.,:/%-])(?:{grouped}[1-9]\d{{0,11}}|0)(?![\d:/%-]|[.,]\d)", say)

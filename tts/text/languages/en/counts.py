"""What is left of numbers and signs in English once names, dates, money and measures are said.

The last rules leave no digit and no sign behind.
"""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.en import words
from tts.text.languages.en.speech import NUM, say_number
from tts.text.numbers import beside_letters, cardinal, ordinal
from tts.text.roman import ROMAN, roman_value
from tts.text.rules import any_of, rule


def _ordinal(match: re.Match[str]) -> str:
    return beside_letters(match, ordinal(int(match[1].replace(",", "")), "en"))


def _roman(match: re.Match[str]) -> str:
    value = roman_value(match["roman"])
    if value is None:
        return match.group()
    name = match["label"]
    if name in words.KINGS:
        return f"{name} the {ordinal(value, 'en')}"
    return f"{name} {cardinal(value, 'en')}"


COUNTS: Final = (
    rule("ordinal", r"(?<![\d.,])(\d{1,3}(?:,?\d{3})*)(?:st|nd|rd|th)\b", _ordinal),
    rule(
        "century",
        rf"(?P<label>\b(?:[Cc]hapter|[Pp]art|[Vv]olume|[Aa]ct|[Pp]hase|[Ll]evel|[Tt]ype|[Ss]ection|War))\s(?P<roman>{ROMAN})\b(?!['.-]\w)",
        _roman,
        ignore_case=False,
    ),
    rule("ruler", rf"(?P<label>\b[A-Z][a-z]+)\s(?P<roman>(?=[IVX]{{2}}){ROMAN})\b", _roman, ignore_case=False),
    rule(
        "version",
        r"(?<!\d)\d+(?:\.\d+){2,}",
        lambda m: beside_letters(m, " point ".join(map(say_number, m[0].split(".")))),
    ),
    rule("number_sign", r"(?<!\w)#\s?(?=\d)", "number "),
    rule("kilometer_mark", r"\bkm\s(?=\d)", "kilometer "),
    rule("over", r"(?<!\w)\+\s?(?=\d)", "plus "),
    rule("or_more", r"(?<=\d)\+(?!\s?\d)", " or more "),
    rule("pause", r"(?<=\d)\s-\s(?=\d)", ", "),
    rule("product", r"(?<=\d)\s?[*×]\s?(?=\d)", " times "),
    rule("square", r"(?<=\w)²", " squared"),
    rule("cube", r"(?<=\w)³", " cubed"),
    rule("grade", r"(?<=\d)/(?=(?:5|10|100)\b)", " out of "),
    rule("slash", r"(?<=\d)\s?/\s?(?=\d)", " slash "),
    rule("or", r"(?<=[^\W\d_])\s?/\s?(?=[^\W\d_])", " or "),
    rule("hyphen_before_digit", r"(?<=[^\W\d_])-(?=\d)|(?<=\d)-(?=[^\W\d_])", " "),
    rule("cardinal", NUM, lambda m: beside_letters(m, say_number(m[0]))),
    rule("symbol", any_of(words.SYMBOLS), lambda m: f" {words.SYMBOLS[m[0]]} "),
)

"""Numbers in words, for every language the rules of CLDR cover. Knows nothing of the text around a number.

Source: `unicode-rbnf`, the rule-based number formats of Unicode CLDR. A number those rules do not reach is read digit
by digit, so nothing here raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, Self

from unicode_rbnf import FormatPurpose, RbnfEngine

FRACTION: Final = r"(?<![\d.,/])(?:(?P<whole>\d{1,4})\s)?(?P<over>\d{1,3})/(?P<under>\d{1,3})(?![\d/]|[.,]\d)"
_UNSPOKEN_FROM = 10**15  # CLDR's Portuguese ends at 10**18, and nobody follows so long a number by ear


class Gender(StrEnum):
    """The gender a number agrees with, where the language has any."""

    MASCULINE = "masculine"
    FEMININE = "feminine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeral:
    """A number as written: the digits of its whole part and of its fraction (empty when there is none)."""

    whole: int
    fraction: str

    @classmethod
    def read(cls, written: str, *, decimal: str) -> Self:
        """Take "1.234,56" apart. The last separator is the decimal one unless it can only group thousands.

        `decimal` is the language's own decimal sign; the other of "," and "." groups thousands, but a text may also
        follow the other custom: "10.50" is no thousand in any language.
        """
        group = "," if decimal == "." else "."
        if decimal in written and group in written:
            point = max(written.rfind("."), written.rfind(","))
        elif decimal in written:
            point = written.rfind(decimal) if written.count(decimal) == 1 else -1
        else:
            grouped = re.fullmatch(rf"[1-9]\d{{0,2}}(?:\{group}\d{{3}})*", written) or written.count(group) > 1
            point = -1 if grouped else written.rfind(group)
        whole, fraction = (written, "") if point < 0 else (written[:point], written[point + 1 :])
        return cls(whole=int(re.sub(r"\D", "", whole) or "0"), fraction=fraction)


@cache
def _engine(language: str) -> RbnfEngine | None:
    try:
        return RbnfEngine.for_language(language)
    except ValueError:  # a language CLDR has no spelled numbers for
        return None


def can_spell(language: str) -> bool:
    """Whether numbers of this language (a primary subtag such as `pt`) can be put in words."""
    return _engine(language) is not None


def cardinal(number: int, language: str, gender: Gender = Gender.MASCULINE) -> str:
    """`number` in words: 2 → "dois" or "duas", -5 → "menos cinco". From 10**15 on it is read digit by digit."""
    return _spell(number, language, FormatPurpose.CARDINAL, gender)


def ordinal(number: int, language: str, gender: Gender = Gender.MASCULINE) -> str:
    """`number` as a place in a row: 2 → "segundo", "segunda" or "second"."""
    return _spell(number, language, FormatPurpose.ORDINAL, gender)


def year(number: int, language: str) -> str:
    """`number` as a year: 2026 → "twenty twenty-six" in English, a cardinal in most languages."""
    return _spell(number, language, FormatPurpose.YEAR, Gender.MASCULINE)


def digit_by_digit(digits: str, names: tuple[str, ...]) -> str:
    """Each digit by its name; what stands between digits parts the groups, which a comma makes audible."""
    groups = re.findall(r"\d+", digits)
    return ", ".join(" ".join(names[int(digit)] for digit in group) for group in groups)


def in_groups(digits: str, size: int = 4) -> str:
    """A long run of digits parted into groups a listener can follow."""
    return " ".join(digits[start : start + size] for start in range(0, len(digits), size))


def beside_letters(match: re.Match[str], spoken: str) -> str:
    """`spoken` with a space wherever the match touched a letter or digit, so that no two words run together."""
    text, start, end = match.string, match.start(), match.end()
    before = " " if start and text[start - 1].isalnum() else ""
    after = " " if end < len(text) and text[end].isalnum() else ""
    return f"{before}{spoken}{after}"


@cache
def _spell(number: int, language: str, purpose: FormatPurpose, gender: Gender) -> str:
    engine = _engine(language)
    if engine is None:
        return str(number)
    if abs(number) >= _UNSPOKEN_FROM:
        return " ".join(_spell(int(digit), language, FormatPurpose.CARDINAL, gender) for digit in str(abs(number)))
    forms = engine.format_number(number, purpose).text_by_ruleset
    endings = ("-feminine",) if gender is Gender.FEMININE else ("-numbering", "-masculine")
    spoken = next((forms[name] for end in endings for name in forms if name.endswith(end)), next(iter(forms.values())))
    # CLDR writes the European form; Brazil says quatorze
    return spoken.replace("catorze", "quatorze") if language == "pt" else spoken

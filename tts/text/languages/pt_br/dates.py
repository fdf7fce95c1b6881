"""Dates in Portuguese: 05/03 is the fifth of March."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.calendar import YEAR_FIRST, YEAR_LAST, full_year, is_date, is_version
from tts.text.languages.pt_br import words
from tts.text.numbers import cardinal
from tts.text.rules import any_of, compiled, rule, text_before

_FRACTIONS = frozenset({(1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (1, 5), (1, 8), (1, 10)})
_DATE_BEFORE = compiled(
    r"(?:\bdias?|\bem|\bat[ée]|\bdesde|\bdata:?|\bpara|\bpro dia|\ba partir de|\bde|\bno dia|\bvence|\bvenceu|"
    r"\bvalidade:?)\s*$"
)
_SCORE_BEFORE = compiled(r"\b(?:nota|avaliação|placar|só|fiz|acertei|parte|página|etapa|passo)\s*:?\s*$")


def say_date(day: int, month: int, year: int | None = None) -> str:
    """The first is an ordinal, other days cardinals: "primeiro de maio de dois mil e vinte e seis"."""
    spoken = f"{'primeiro' if day == 1 else cardinal(day, 'pt')} de {words.MONTHS[month - 1]}"
    return spoken if year is None else f"{spoken} de {cardinal(year, 'pt')}"


def _year_first(match: re.Match[str]) -> str:
    year, month, day = int(match[1]), int(match[3]), int(match[4])
    at = " às " if match[0].endswith("T") else ""
    return say_date(day, month, year) + at if is_date(day, month) and 1000 <= year < 3000 else match.group()


def _year_last(match: re.Match[str]) -> str:
    day, month, year = int(match[1]), int(match[3]), full_year(match[4])
    if is_version(match, _DATE_BEFORE):
        return match.group()
    if not is_date(day, month):
        day, month = month, day  # as Americans write it
    return say_date(day, month, year) if is_date(day, month) else match.group()


def _day_month(match: re.Match[str]) -> str:
    first, second = match[1], match[2]
    day, month, before = int(first), int(second), text_before(match)
    if (day, month) == (24, 7):
        return "vinte e quatro por sete"
    named = _DATE_BEFORE.search(before) is not None
    fraction = (day, month) in _FRACTIONS and not (named or second.startswith("0") or first.startswith("0"))
    if fraction or not is_date(day, month) or _SCORE_BEFORE.search(before):
        return match.group()
    return say_date(day, month)


def _month(written: str) -> str:
    return next(month for month in words.MONTHS if month.startswith(written.lower()[:3]))


def _named_day(match: re.Match[str]) -> str:
    day, month = int(match["day"]), words.MONTHS.index(_month(match["month"])) + 1
    written = match["year"]
    doubtful = match["month"].lower() in _WORDS_TOO and not (written or match["dot"] or match["sign"].strip())
    if doubtful or not is_date(day, month):
        return match.group()
    return say_date(day, month, full_year(written) if written else None)


def _month_and_year(match: re.Match[str]) -> str:
    return f"{_month(match[1])} de {cardinal(full_year(match[2]), 'pt')}"


def _months(match: re.Match[str]) -> str:
    return f"{_month(match[1])} a {_month(match[2])}"


_MONTH: Final = any_of(words.MONTHS)
_SHORT: Final = any_of([month[:3] for month in words.MONTHS])
_WORDS_TOO: Final = frozenset({"mar", "set", "out"})
DATES: Final = (
    rule("year_first", YEAR_FIRST, _year_first),
    rule("year_last", YEAR_LAST, _year_last),
    rule(
        "month_and_year",
        r"(?<![\w./-])(0\d|1[0-2])/((?:19|20)\d\d)(?![\w/])",
        lambda m: f"{words.MONTHS[int(m[1]) - 1]} de {cardinal(int(m[2]), 'pt')}" if int(m[1]) else m[0],
    ),
    rule(
        "named_day",
        rf"(?<![\w.,/:-])(?P<day>\d{{1,2}})[º°]?(?P<sign>\s?[/-]\s?|\s(?:de\s)?)(?P<month>{_SHORT})(?P<dot>\.?)(?!\w)"
        r"(?:(?:\s?[/-]\s?|,?\s(?:de\s)?)(?P<year>(?:19|20)\d\d|(?<=[/-])\d\d)(?![\w/]|[.,:]\d))?",
        _named_day,
    ),
    rule("months", rf"(?<![\w/])({_SHORT})\.?(?:\s?[-–]\s?|\sa\s)({_SHORT})\b", _months),
    rule(
        "short_month",
        rf"(?<![\w-])({_SHORT})\.?(?:\s?[/-]\s?(?=\d)|\s(?:de\s)?(?=\d{{4}}))((?:19|20)\d\d|\d\d)(?![\w/]|[.,:]\d)",
        _month_and_year,
    ),
    rule("month_stroke", rf"(?<![\w-])({_MONTH})/((?:19|20)\d\d|\d\d)(?![\w/]|[.,:]\d)", _month_and_year),
    rule("day_and_month", r"(?<![\w.,/-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,-]\d|\s?%)", _day_month),
    rule("first_of_month", rf"(?<![\w.,/-])0?1[º°]?(?=\sde\s{_MONTH}\b)", "primeiro"),
)

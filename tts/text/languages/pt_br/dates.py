"""Dates and times of day in Portuguese: 05/03 is the fifth of March, 14h30 is half past two.

After "às", "das" and the like, and in the form 14:30, the clock is short ("quatorze e trinta"); elsewhere 14h30 is full
("quatorze horas e trinta minutos"), which fits durations too.
"""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.pt_br import words
from tts.text.numbers import Gender, cardinal
from tts.text.rules import any_of, compiled, rule, text_before

_FRACTIONS = frozenset({(1, 2), (1, 3), (2, 3), (1, 4), (3, 4), (1, 5), (1, 8), (1, 10)})
_DATE_BEFORE = compiled(r"(?:\bdias?|\bem|\bat[ée]|\bdesde|\bdata:?|\bpara|\bpro dia|\ba partir de|\bde|\bno dia)\s*$")
_SCORE_BEFORE = compiled(r"\b(?:nota|avaliação|placar|só|fiz|acertei|parte|página|etapa|passo)\s*:?\s*$")
_CLOCK_BEFORE = compiled(r"(?:\b[àa]s|\bdas|\bpelas|\bas|\bàs|\bda|\bà|\bnas|\be das)\s*$")


def say_date(day: int, month: int, year: int | None = None) -> str:
    """The first is an ordinal, other days cardinals: "primeiro de maio de dois mil e vinte e seis"."""
    spoken = f"{'primeiro' if day == 1 else cardinal(day, 'pt')} de {words.MONTHS[month - 1]}"
    return spoken if year is None else f"{spoken} de {cardinal(year, 'pt')}"


def _is_date(day: int, month: int) -> bool:
    return 1 <= day <= 31 and 1 <= month <= 12


def _full_year(written: str) -> int:
    year = int(written)
    return year if len(written) > 2 else year + (2000 if year < 70 else 1900)


def _iso(match: re.Match[str]) -> str:
    year, month, day = (int(part) for part in match.groups())
    return say_date(day, month, year) if _is_date(day, month) else match.group()


def _with_year(match: re.Match[str]) -> str:
    day, month, year = int(match[1]), int(match[3]), _full_year(match[4])
    return say_date(day, month, year) if _is_date(day, month) else match.group()


def _day_month(match: re.Match[str]) -> str:
    first, second = match[1], match[2]
    day, month, before = int(first), int(second), text_before(match)
    if (day, month) == (24, 7):
        return "vinte e quatro por sete"
    named = _DATE_BEFORE.search(before) is not None
    fraction = (day, month) in _FRACTIONS and not (named or second.startswith("0") or first.startswith("0"))
    if fraction or not _is_date(day, month) or _SCORE_BEFORE.search(before):
        return match.group()
    return say_date(day, month)


_MONTH: Final = any_of(words.MONTHS)
DATES: Final = (
    rule("iso_date", r"\b(\d{4})-(\d{2})-(\d{2})(?:T[\d:]+Z?)?\b", _iso),
    rule("date_with_year", r"(?<![\w./-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/]|[.-]\d)", _with_year),
    rule(
        "month_and_year",
        r"(?<![\w./-])(0\d|1[0-2])/((?:19|20)\d\d)(?![\w/])",
        lambda m: f"{words.MONTHS[int(m[1]) - 1]} de {cardinal(int(m[2]), 'pt')}" if int(m[1]) else m[0],
    ),
    rule("day_and_month", r"(?<![\w.,/-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,-]\d|\s?%)", _day_month),
    rule("first_of_month", rf"(?<![\w.,/-])0?1[º°]?(?=\sde\s{_MONTH}\b)", "primeiro"),
)


def _hours(hour: int) -> str:
    return "zero hora" if hour == 0 else f"{cardinal(hour, 'pt', Gender.FEMININE)} {'hora' if hour == 1 else 'horas'}"


def _minutes(minute: int) -> str:
    return f"{cardinal(minute, 'pt')} {'minuto' if minute == 1 else 'minutos'}"


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 24 or minute > 59:
        return match.group()
    if minute == 0:
        return _hours(hour)
    short = match["sign"] == ":" or _CLOCK_BEFORE.search(text_before(match))
    if short and "min" not in match.group().lower():
        hours = "zero hora" if hour == 0 else cardinal(hour, "pt", Gender.FEMININE)
        return f"{hours} e {cardinal(minute, 'pt')}"
    return f"{_hours(hour)} e {_minutes(minute)}"


def _span(match: re.Match[str]) -> str:
    on_the_clock = "h" in match[1] or _CLOCK_BEFORE.search(text_before(match))
    to = "às" if match[2] in {"às", "as"} or (match[2] != "a" and on_the_clock) else "a"
    return f"{cardinal(int(match[1].rstrip(' h')), 'pt', Gender.FEMININE)} {to} {match[3]}"


def _pace(match: re.Match[str]) -> str:
    return f"{_minutes(int(match[1]))} e {int(match[2])} s"


TIMES: Final = (
    rule("every_hours", r"(?:\bde\s)?(?<![\w.,/-])(\d{1,2})/\1\s?(?=h)", lambda m: f"de {m[1]} em {m[1]} "),
    rule("hours_span", r"(?<![\w.,:/-])(\d{1,2}\s?h?)\s?(-|–|às|as|a)\s?(\d{1,2}\s?h(?:oras|rs|s)?\b)", _span),
    rule("clock_span", r"(?<=\d)(h|:\d\d|h\d\d)\s?[-–]\s?(?=\d{1,2}(?:h|:\d))", lambda m: f"{m[1]} às "),
    rule("midnight", r"\bàs\s(?=0?0\s?[h:])", "à "),
    rule("pace", r"(?<![\w.,:/])(\d{1,2}):(\d\d)\s?min(?:utos)?(?=/|\b)", _pace),
    rule(
        "clock",
        r"(?<![\w.,:/])(?P<hour>\d{1,2})\s?(?P<sign>h|:)\s?(?P<minute>\d{2})(?:\s?(?:hrs|hs|h|min|m)\b|:\d{2}\b)?(?![\w:])",
        _clock,
    ),
    rule(
        "hours",
        r"(?<![\w.,:/])(\d{1,3})\s?(?:h|hs|hr|hrs)\b\.?(?=(.?))",
        lambda m: _hours(int(m[1])) + ("." if m[0].endswith(".") and not m[2].strip() else ""),
    ),
    rule(
        "minutes_and_seconds",
        r"(?<![\w.,:/])(\d{1,3})\s?min\s?(?:e\s)?(\d{1,2})\s?s(?:eg)?\b",
        lambda m: f"{_minutes(int(m[1]))} e {m[2]} s",
    ),
)

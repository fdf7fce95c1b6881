"""Dates and years in English: 3/5 is the fifth of March, 2026 is "twenty twenty-six"."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.calendar import YEAR_FIRST, YEAR_LAST, full_year, is_date, is_version
from tts.text.languages.en import words
from tts.text.numbers import cardinal, ordinal, year
from tts.text.rules import any_of, compiled, rule, text_after, text_before

_DATE_BEFORE = compiled(
    r"\b(?:on|by|until|till|through|thru|before|after|since|due|dates?:?|dated|from|for|expir(?:es?|ed|ing|y):?|exp\.?|"
    r"starts?|starting|begins?|beginning|ends?|ending|opens?|closes?|arrives?|arriving|leaves?|leaving|departs?|born|"
    r"deadline:?|deadline is|scheduled|effective|as of|valid|renews?|today is|tomorrow is|it's|birthday:?)\s*$"
)
_YEAR_BEFORE = compiled(
    r"\b(?:in|since|by|of|from|until|till|year|circa|to|around|before|after|late|early|class of)\s*$"
)
_PLURAL_AFTER = compiled(r"\s+(?:[a-z]{2,}s|people|men|women|children|percent|dollars|more|of)\b")
_DECADE_BEFORE = compiled(r"\b(?:the|early|late|mid|my|his|her|their|your|our)[\s-]+$")
_MONTH: Final = any_of(
    [*words.MONTHS, *(form for short in words.MONTHS_SHORT if short != "may" for form in (f"{short}.", short))]
)
_SHORT: Final = any_of([form for short in words.MONTHS_SHORT for form in (short, short.capitalize())])
_WITH_MONTH_BEFORE: Final = r"\b(?:in|since|by|until|till|from|to|of|last|next|this|early|late|mid|before|after)[ -]"


def say_date(month: int, day: int, of_year: int | None = None) -> str:
    """The day as an ordinal: "March fifth, twenty twenty-six"."""
    spoken = f"{words.MONTHS[month - 1]} {ordinal(day, 'en')}"
    return spoken if of_year is None else f"{spoken}, {year(of_year, 'en')}"


def _year_first(match: re.Match[str]) -> str:
    written_year, month, day = int(match[1]), int(match[3]), int(match[4])
    at = " at " if match[0].endswith("T") else ""
    dated = is_date(day, month) and 1000 <= written_year < 3000
    return say_date(month, day, written_year) + at if dated else match.group()


def _year_last(match: re.Match[str]) -> str:
    month, day = int(match[1]), int(match[3])
    if is_version(match, _DATE_BEFORE):
        return match.group()
    if not is_date(day, month):
        month, day = day, month  # as most of the world writes it
    return say_date(month, day, full_year(match[4])) if is_date(day, month) else match.group()


def _month_day(match: re.Match[str]) -> str:
    month, day = int(match[1]), int(match[2])
    if (month, day) == (24, 7):
        return "twenty-four seven"
    if (month, day) == (9, 11):
        return "nine eleven"
    padded = match[1].startswith("0") or match[2].startswith("0")
    named = padded or _DATE_BEFORE.search(text_before(match))
    return say_date(month, day) if named and is_date(day, month) else match.group()


def _month_name(written: str) -> str:
    return words.MONTHS_SHORT[written.rstrip(".").lower()[:3]]


def _months(match: re.Match[str]) -> str:
    return f"{_month_name(match[1])} to {_month_name(match[2])}"


def _named_day(match: re.Match[str]) -> str:
    day, written = int(match[2]), match[3]
    if not 1 <= day <= 31:
        return match.group()
    spoken = f"{_month_name(match[1])} {ordinal(day, 'en')}"
    return f"{spoken}, {year(int(written), 'en')}" if written else spoken


def _day_of(match: re.Match[str]) -> str:
    day = int(match[1])
    if not 1 <= day <= 31:
        return match.group()
    spoken = f"{'' if match[0].lower().startswith('the') else 'the '}{ordinal(day, 'en')} of {_month_name(match[2])}"
    return f"{spoken}, {year(int(match[3]), 'en')}" if match[3] else spoken


def _year(match: re.Match[str]) -> str:
    value, before, after = int(match.group()), text_before(match), text_after(match)
    named = _YEAR_BEFORE.search(before) or re.search(rf"{_MONTH}\s*$", before, re.IGNORECASE)
    recent = 1900 <= value <= 2099 and not _PLURAL_AFTER.match(after)
    return (
        year(value, "en")
        if recent or (named and 1100 <= value <= 2099 and not _PLURAL_AFTER.match(after))
        else match.group()
    )


def _decade(match: re.Match[str]) -> str:
    if not (match[1] or len(match[2]) == 4 or _DECADE_BEFORE.search(text_before(match))):
        return match.group()
    spoken = year(int(match[2]), "en") if len(match[2]) == 4 else cardinal(int(match[2]), "en")
    return spoken[:-1] + "ies" if spoken.endswith("y") else spoken + "s"


DATES: Final = (
    rule("year_first", YEAR_FIRST, _year_first),
    rule("year_last", YEAR_LAST, _year_last),
    rule("month_and_day", r"(?<![\w.,/-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,-]\d|\s?%)", _month_day),
    rule(
        "named_day",
        rf"\b({_MONTH})\s(\d{{1,2}})(?:st|nd|rd|th)?(?![\d:]|\s?[ap]\.?m)(?:,?\s(\d{{4}}))?(?![\d:]|,\d)",
        _named_day,
    ),
    rule(
        "day_of_month",
        rf"\b(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?(?:\s(?:of\s)?|-)({_MONTH})(?:(?:,?\s|-)(\d{{4}}))?(?!\w)",
        _day_of,
    ),
    rule(
        "month_and_year",
        rf"(?<![\w/-])({_MONTH})(?:\s?[/-]\s?|\s')((?:19|20)\d\d|\d\d)(?![\w/]|[.,:]\d)",
        lambda m: f"{_month_name(m[1])} {year(full_year(m[2]), 'en')}",
    ),
    rule("short_month_of_year", rf"\b({_SHORT})\.?\s(?=(?:19|20)\d\d\b)", lambda m: f"{_month_name(m[1])} "),
    rule("months", rf"(?<![\w/])({_SHORT})\.?\s?[-–]\s?({_SHORT})\b\.?", _months, ignore_case=False),
    rule(
        "month_alone",
        rf"({_WITH_MONTH_BEFORE})(Jan|Feb|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b(?!\s[A-Z])(?:\.(?=\s[a-z]|,))?",
        lambda m: m[1] + _month_name(m[2]),
        ignore_case=False,
    ),
    rule("decade", r"(?<!\w)(')?((?:1[1-9]|20)\d0|[1-9]0)'?s\b", _decade),
)
YEARS: Final = (
    rule("years", r"(?<![\w.,/$€£-])((?:19|20)\d\d)\s?[-–]\s?((?:19|20)\d\d)(?![\w,/])", lambda m: f"{m[1]} to {m[2]}"),
    rule("year", r"(?<![\w.,/$€£:#+-])(?:1[1-9]|20)\d\d(?![\w/%°:-]|[.,]\d|\s?[°%$€£])", _year),
)

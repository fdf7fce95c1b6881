"""Dates, years and times of day in English: 3/5 is the fifth of March, 2026 is "twenty twenty-six"."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.en import words
from tts.text.numbers import cardinal, ordinal, year
from tts.text.rules import any_of, compiled, rule, text_after, text_before

_DATE_BEFORE = compiled(r"\b(?:on|by|until|till|before|after|since|due|date:?|from|for)\s*$")
_YEAR_BEFORE = compiled(
    r"\b(?:in|since|by|of|from|until|till|year|circa|to|around|before|after|late|early|class of)\s*$"
)
_PLURAL_AFTER = compiled(r"\s+(?:[a-z]{2,}s|people|men|women|children|percent|dollars|more|of)\b")
_DECADE_BEFORE = compiled(r"\b(?:the|early|late|mid|my|his|her|their|your|our)[\s-]+$")
_MONTH: Final = any_of([*words.MONTHS, *(f"{short}." for short in words.MONTHS_SHORT)])


def say_date(month: int, day: int, full_year: int | None = None) -> str:
    """The day as an ordinal: "March fifth, twenty twenty-six"."""
    spoken = f"{words.MONTHS[month - 1]} {ordinal(day, 'en')}"
    return spoken if full_year is None else f"{spoken}, {year(full_year, 'en')}"


def _is_date(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def _iso(match: re.Match[str]) -> str:
    full_year, month, day = (int(part) for part in match.groups())
    return say_date(month, day, full_year) if _is_date(month, day) else match.group()


def _with_year(match: re.Match[str]) -> str:
    month, day = int(match[1]), int(match[3])
    full_year = int(match[4]) + (0 if len(match[4]) > 2 else 2000 if int(match[4]) < 70 else 1900)
    if not _is_date(month, day) and _is_date(day, month):
        month, day = day, month
    return say_date(month, day, full_year) if _is_date(month, day) else match.group()


def _month_day(match: re.Match[str]) -> str:
    month, day = int(match[1]), int(match[2])
    if (month, day) == (24, 7):
        return "twenty-four seven"
    if (month, day) == (9, 11):
        return "nine eleven"
    padded = match[1].startswith("0") or match[2].startswith("0")
    named = padded or _DATE_BEFORE.search(text_before(match))
    return say_date(month, day) if named and _is_date(month, day) else match.group()


def _month_name(written: str) -> str:
    return words.MONTHS_SHORT[written.rstrip(".").lower()[:3]]


def _named_day(match: re.Match[str]) -> str:
    day, full_year = int(match[2]), match[3]
    if not 1 <= day <= 31:
        return match.group()
    spoken = f"{_month_name(match[1])} {ordinal(day, 'en')}"
    return f"{spoken}, {year(int(full_year), 'en')}" if full_year else spoken


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
    rule("iso_date", r"\b(\d{4})-(\d{2})-(\d{2})(?:T[\d:]+Z?)?\b", _iso),
    rule("date_with_year", r"(?<![\w./-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/]|[.-]\d)", _with_year),
    rule("month_and_day", r"(?<![\w.,/-])(\d{1,2})/(\d{1,2})(?![\w/]|[.,-]\d|\s?%)", _month_day),
    rule(
        "named_day",
        rf"\b({_MONTH})\s(\d{{1,2}})(?:st|nd|rd|th)?(?![\d:]|\s?[ap]\.?m)(?:,?\s(\d{{4}}))?(?![\d:]|,\d)",
        _named_day,
    ),
    rule(
        "day_of_month",
        rf"\b(?:the\s)?(\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?({_MONTH})(?:,?\s(\d{{4}}))?(?!\w)",
        _day_of,
    ),
    rule("decade", r"(?<!\w)(')?((?:1[1-9]|20)\d0|[1-9]0)'?s\b", _decade),
)
YEARS: Final = (
    rule("years", r"(?<![\w.,/$€£-])((?:19|20)\d\d)\s?[-–]\s?((?:19|20)\d\d)(?![\w,/])", lambda m: f"{m[1]} to {m[2]}"),
    rule("year", r"(?<![\w.,/$€£:#+-])(?:1[1-9]|20)\d\d(?![\w/%°:-]|[.,]\d|\s?[°%$€£])", _year),
)


def _clock(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), int(match["minute"] or 0), match["half"]
    if hour > 24 or minute > 59:
        return match.group()
    half = f" {half.replace('.', '').replace(' ', '').upper()}" if half else ""
    spoken = cardinal(hour, "en")
    if minute == 0:
        spoken += "" if half else " o'clock" if 1 <= hour <= 12 else " hundred"
    else:
        spoken += f" {'oh ' if minute < 10 else ''}{cardinal(minute, 'en')}"
    ends = "." if match.group().endswith(".") and re.match(r"\s*(?:[A-Z]|$)", text_after(match)) else ""
    return spoken + half + ends


_HALF: Final = r"(?P<half>[ap]\.?\s?m\b\.?)"


def _duration(match: re.Match[str]) -> str:
    hours, minutes = int(match[1]), int(match[2])
    return (
        f"{cardinal(hours, 'en')} {'hour' if hours == 1 else 'hours'} "
        f"{cardinal(minutes, 'en')} {'minute' if minutes == 1 else 'minutes'}"
    )


TIMES: Final = (
    rule("duration", r"(?<![\w.,:/])(\d{1,2})\s?h(?:rs?)?\s?(\d{1,2})\s?m(?:in|ins)?\b", _duration),
    rule("clock_span", r"(?<=\d)(:\d\d|\s?[ap]m)\s?[-–]\s?(?=\d)", lambda m: f"{m[1]} to "),
    rule(
        "hours_span", rf"(?<![\w.,:/-])(\d{{1,2}})\s?[-–]\s?(?=\d{{1,2}}(?::\d\d)?\s?{_HALF})", lambda m: f"{m[1]} to "
    ),
    rule(
        "clock",
        rf"(?<![\w.,:/])(?P<hour>\d{{1,2}})[:h](?P<minute>\d{{2}})(?::\d{{2}})?(?![\w:])(?:\s?{_HALF})?",
        _clock,
    ),
    rule("clock_close", rf"(?<![\w.,:/])(?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})\s?{_HALF}", _clock),
    rule("hour_of_day", rf"(?<![\w.,:/])(?P<hour>\d{{1,2}})(?P<minute>)\s?{_HALF}", _clock),
)

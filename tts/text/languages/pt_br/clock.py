"""Times of day and durations in Portuguese: 14h30 is half past two.

After "às", "das" and the like, and in the form 14:30, the clock is short ("quatorze e trinta"); elsewhere 14h30 is full
("quatorze horas e trinta minutos"), which fits durations too.
"""

from __future__ import annotations

import re
from typing import Final

from tts.text.numbers import Gender, cardinal
from tts.text.rules import compiled, rule, text_before

_CLOCK_BEFORE = compiled(r"(?:\b[àa]s|\bdas|\bpelas|\bas|\bàs|\bda|\bà|\bnas|\be das)\s*$")


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


def _with_seconds(match: re.Match[str]) -> str:
    hour, minute, second = (int(part) for part in match.groups())
    if minute > 59 or second > 59:
        return match.group()
    if second == 0:
        return f"{hour}:{minute:02}"
    parts = [_hours(hour)] if hour else []
    parts += [_minutes(minute)] if minute else []
    seconds = f"{cardinal(second, 'pt')} {'segundo' if second == 1 else 'segundos'}"
    return f"{', '.join(parts)} e {seconds}" if parts else seconds


_DAY_PARTS: Final = ((12, "da manhã"), (18, "da tarde"), (24, "da noite"))


def _half_of_day(match: re.Match[str]) -> str:
    """The English clock as Brazil says it: "10 a.m." in the morning, "10 pm" at night."""
    hour, minute = int(match[1]), int(match[2] or 0)
    if not 1 <= hour <= 12 or minute > 59:
        return match.group()
    of_day = hour % 12 + (12 if match[3].lower().startswith("p") else 0)
    if hour == 12:
        spoken, part = ("meio-dia" if of_day else "meia-noite"), ""
    else:
        spoken = cardinal(hour, "pt", Gender.FEMININE)
        part = " " + next(name for end, name in _DAY_PARTS if of_day < end)
    past = f" e {cardinal(minute, 'pt')}" if minute else ""
    return f"{spoken}{past}{part}"


TIMES: Final = (
    rule("with_seconds", r"(?<![\w.,:/])(\d{1,2}):(\d\d):(\d\d)(?:Z(?!\w))?(?![\w:]|\.\d)", _with_seconds),
    rule("half_of_day", r"(?<![\w.,:/])(\d{1,2})(?:[:h](\d\d))?\s?([ap]\.m\.|[ap]m)(?!\w)", _half_of_day),
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

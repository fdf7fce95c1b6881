"""Times of day and durations in English: 14:30 is "fourteen thirty", 1:02:03 is a length of time."""

from __future__ import annotations

import re
from typing import Final

from tts.text.numbers import cardinal
from tts.text.rules import compiled, rule, text_after, text_before

_CLOCK_BEFORE = compiled(r"\b(?:at|by|until|till|from|since|before|after|around|to|is|now)\s*$")


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


def _counted(value: int, unit: str) -> str:
    return f"{cardinal(value, 'en')} {unit}{'' if value == 1 else 's'}"


def _with_seconds(match: re.Match[str]) -> str:
    """A time of day after "at" and with a half of the day, elsewhere a length of time."""
    hour, minute, second, half = int(match[1]), int(match[2]), int(match[3]), match["half"]
    if minute > 59 or second > 59:
        return match.group()
    if half or second == 0 or _CLOCK_BEFORE.search(text_before(match)):
        clock = f"{hour}:{minute:02} {half or ''}".rstrip()
        return f"{clock} and {_counted(second, 'second')}" if second else clock
    parts = [_counted(value, unit) for value, unit in ((hour, "hour"), (minute, "minute"), (second, "second")) if value]
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


TIMES: Final = (
    rule(
        "with_seconds",
        rf"(?<![\w.,:/])(\d{{1,2}}):(\d\d):(\d\d)(?:Z(?!\w))?(?![\w:]|\.\d)(?:\s?{_HALF})?",
        _with_seconds,
    ),
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

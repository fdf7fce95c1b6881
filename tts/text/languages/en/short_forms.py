"""Short forms of English, from titles to what chats write: "Dr.", "e.g.", "btw"."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.en import words
from tts.text.languages.en.places import PLACES
from tts.text.rules import any_of, rule, table_rule, text_after, text_before


def _etc(match: re.Match[str]) -> str:
    rest = text_after(match).lstrip()
    return "et cetera" + ("." if not rest or rest[0].isupper() else "")


def _saint(match: re.Match[str]) -> str:
    after_name = re.search(r"(?:[A-Z]\w+|\d(?:st|nd|rd|th))\s$", text_before(match))
    before_name = re.match(r"\s[A-Z]", text_after(match))
    if after_name or not before_name:
        ends = "." if not text_after(match).strip() or before_name else ""
        return f"Street{ends}"
    return "Saint"


def _drive(match: re.Match[str]) -> str:
    """Street or person: "Elm Dr." is a drive, "met Ana, Dr. Ray" is a doctor."""
    before, rest = text_before(match), text_after(match)
    numbered = re.search(r"\d\w*\s(?:[A-Z]\w+\s){1,3}$", before)
    named = re.search(r"\b(?!(?:Thanks|Hi|Hello|Hey|Dear|The|My|Your|Our|And|With|Is|See|Ask)\s)[A-Z]\w+\s$", before)
    if not numbered and (not named or re.match(r"\s[A-Z]", rest)):
        return match.group()
    return "Drive"


def _day(written: str) -> str:
    return words.WEEKDAYS[written.lower()]


_DAY: Final = any_of([name for day in words.WEEKDAYS for name in (day, day.capitalize())])
_MONTH: Final = any_of([name[:3] for name in words.MONTHS])
_ALONE_BEFORE: Final = r"(?<![\w@#/.°º'&-])"
_ALONE_AFTER: Final = r"(?![\w/'@&$]|-\w|\.\w)"
SHORT_FORMS: Final = (
    rule("etc", r"(?<!\w)etc\b\.*", _etc),
    rule("saint_or_street", r"\bSt\.(?!\w)", _saint, ignore_case=False),
    rule("drive", r"(?<=[a-z] )Dr\.?(?!\w)", _drive, ignore_case=False),
    rule("or_many", r"(?<=[^\W\d_])\((s|es)\)", lambda m: m[1]),
    table_rule("spellings", words.SPELLINGS, before=r"(?<![\w@#.])", keep_capital=False),
    table_rule("titles", words.TITLES),
    rule("initials", r"(?<![\w.])(?:[A-Z]\.){2,12}(?![\w.])", lambda m: m[0].replace(".", ""), ignore_case=False),
    *PLACES,
    table_rule("before_number", words.BEFORE_NUMBER, after=r"(?=\s?\d)"),
    rule("weekdays", rf"\b({_DAY})\.?\s?[-–]\s?({_DAY})\b\.?", lambda m: f"{_day(m[1])} to {_day(m[2])}"),
    rule("weekday", rf"\b({_DAY})(?=:|\.?,?\s(?:\d|{_MONTH}))\.?", lambda m: _day(m[1]), ignore_case=False),
    table_rule("chat", words.CHAT, before=_ALONE_BEFORE, after=_ALONE_AFTER),
    table_rule(
        "letters", words.SMALL_LETTERS, before=_ALONE_BEFORE + r"(?<!\d\s)", after=_ALONE_AFTER, match_case=True
    ),
)

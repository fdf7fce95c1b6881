"""Short forms of Portuguese, from titles to what chats write: "Dra.", "p. ex.", "vc", "pq"."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.pt_br import words
from tts.text.rules import any_of, capitalised, rule, table_rule, text_after


def _why(match: re.Match[str]) -> str:
    ends = re.match(r"\s*(?:[?.!]|$)", text_after(match))
    spoken = "por quê" if ends else "por que"
    return capitalised(spoken) if match[0][0].isupper() else spoken


def _weekdays(match: re.Match[str]) -> str:
    first, last = (words.WEEKDAYS[day.lower().rstrip(".")] for day in (match[1], match[3]))
    spoken = f"{first} {'e' if match[2].strip().lower() == 'e' else 'a'} {last}"
    return capitalised(spoken) if match[1][0].isupper() else spoken


def _weekday(match: re.Match[str]) -> str:
    spoken = words.WEEKDAYS[match[1].lower()]
    return capitalised(spoken) if match[1][0].isupper() else spoken


def _etc(match: re.Match[str]) -> str:
    rest = text_after(match).lstrip()
    return "etcétera" + ("." if not rest or rest[0].isupper() else "")


def _letters(match: re.Match[str]) -> str:
    return " ".join(words.LETTERS[letter] for letter in match.group().lower())


_DAY: Final = any_of(words.WEEKDAYS)
_ALONE_BEFORE: Final = r"(?<![\w@#/.°º'&-])"
_ALONE_AFTER: Final = r"(?![\w/'@&$]|-\w|\.\w)"
SHORT_FORMS: Final = (
    rule("etc", r"(?<!\w)etc\b\.*", _etc),
    rule("weekdays", rf"(?<!\w)({_DAY}\.?)(\s?[-–]\s?|\s(?:a|à|e|até)\s)({_DAY})(?!\w)\.?", _weekdays),
    rule("weekday", rf"(?<!\w)({_DAY})(?:\.(?=,)|(?=:))", _weekday),
    rule("rate", r"(?<=%)\sa\.\s?([ma])\.(?!\w)", lambda m: " ao mês" if m[1].lower() == "m" else " ao ano"),
    table_rule("titles", words.TITLES),
    table_rule("before_number", words.BEFORE_NUMBER, after=r"(?=\s?\d)"),
    rule(
        "street",
        r"(?<=[a-zà-ÿ,:] )R\. (?=[A-ZÀ-Þ][a-zà-ÿ]|[0-9])|^R\. (?=[A-ZÀ-Þ][^.!?\d]*\d)",
        "rua ",
        ignore_case=False,
    ),
    rule("why", r"(?<!\w)pq(?=[^.!?\n]{0,60}\?)", _why),
    table_rule("chat", words.CHAT, before=_ALONE_BEFORE, after=_ALONE_AFTER),
    table_rule(
        "letters", words.SMALL_LETTERS, before=_ALONE_BEFORE + r"(?<!\d\s)", after=_ALONE_AFTER, match_case=True
    ),
    rule("acronyms", rf"\b{any_of(words.SPELLED)}\b", _letters, ignore_case=False),
)

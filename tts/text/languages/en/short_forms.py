"""Short forms of English, from titles to what chats write: "Dr.", "e.g.", "btw"."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.en import words
from tts.text.rules import rule, table_rule


def _etc(match: re.Match[str]) -> str:
    rest = match.string[match.end() :].lstrip()
    return "et cetera" + ("." if not rest or rest[0].isupper() else "")


def _saint(match: re.Match[str]) -> str:
    after_name = re.search(r"(?:[A-Z]\w+|\d(?:st|nd|rd|th))\s$", match.string[: match.start()])
    before_name = re.match(r"\s[A-Z]", match.string[match.end() :])
    if after_name or not before_name:
        ends = "." if not match.string[match.end() :].strip() or before_name else ""
        return f"Street{ends}"
    return "Saint"


SHORT_FORMS: Final = (
    rule("etc", r"(?<!\w)etc\b\.*", _etc),
    rule("saint_or_street", r"\bSt\.(?!\w)", _saint, ignore_case=False),
    table_rule("titles", words.TITLES),
    rule("number", r"(?<!\w)(?:no|nr)\.\s?(?=\d)", "number "),
    table_rule("chat", words.CHAT, before=r"(?<![\w@#/.°&'-])(?<!\d\s)", after=r"(?![\w/'@&]|-\w|\.\w)"),
)

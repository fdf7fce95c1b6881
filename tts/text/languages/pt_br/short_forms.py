"""Short forms of Portuguese, from titles to what chats write: "Dra.", "p. ex.", "vc", "pq"."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.pt_br import words
from tts.text.languages.pt_br.places import PLACES
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


def _or_feminine(match: re.Match[str]) -> str:
    """Both forms: "aluno(a)" is "aluno ou aluna", "professor(a)" is "professor ou professora"."""
    word, ending = match.groups()
    stem = word.rstrip("s")
    return f"{word} ou {stem[:-1] if stem[-1:].lower() in {'o', 'e'} else stem}{ending}"


def _etc(match: re.Match[str]) -> str:
    rest = text_after(match).lstrip()
    return "etcétera" + ("." if not rest or rest[0].isupper() else "")


def _letters(match: re.Match[str]) -> str:
    return " ".join(words.LETTERS[letter] for letter in match.group().lower())


_DAY: Final = any_of(words.WEEKDAYS)
_ALONE_BEFORE: Final = r"(?<![\w@#/.°º'&-])"
_ALONE_AFTER: Final = r"(?![\w/'@&$]|-\w|\.\w)"
# "1.º lugar", "1a. vez": the dot belongs to the ordinal
ORDINAL_DOTS: Final = (
    rule("dot_in_ordinal", r"(?<=\d)\.(?=[ºª°])", ""),
    rule("dot_after_ordinal", r"(?<![\w.,])(\d{1,2}[oaªº])\.(?=\s[a-zà-ÿ])", lambda m: m[1], ignore_case=False),
)
SHORT_FORMS: Final = (
    *ORDINAL_DOTS,
    rule("or_many", r"(?<=[^\W\d_])\((s|es|is|ns)\)", lambda m: m[1]),
    rule("or_feminine", r"(?<!\w)([^\W\d_]{1,30})\((as?)\)", _or_feminine),
    rule("saint", rf"\bS\.\s?(?={any_of(words.SAINTS)}\b)", "São ", ignore_case=False),
    table_rule("with", words.BEFORE_PERSON, after=rf"(?=\s{any_of(words.PERSONS)}(?!\w))", match_case=True),
    rule("etc", r"(?<!\w)etc\b\.*", _etc),
    rule("weekdays", rf"(?<!\w)({_DAY}\.?)(\s?[-–]\s?|\s(?:a|à|e|até)\s)({_DAY})(?!\w)\.?", _weekdays),
    rule("weekday", rf"(?<!\w)({_DAY})(?:\.(?=,)|(?=:))", _weekday),
    rule("rate", r"(?<=%)\sa\.\s?([ma])\.(?!\w)", lambda m: " ao mês" if m[1].lower() == "m" else " ao ano"),
    table_rule("spellings", words.SPELLINGS, before=r"(?<![\w@#.])", keep_capital=False),
    table_rule("titles", words.TITLES),
    rule("initials", r"(?<![\w.])(?:[A-ZÀ-Þ]\.){2,12}(?![\w.])", lambda m: m[0].replace(".", ""), ignore_case=False),
    *PLACES,
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

"""Numbers that are names in English: telephones, cards, codes. They are read digit by digit."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.en import words
from tts.text.numbers import beside_letters, digit_by_digit, in_groups
from tts.text.phones import is_assigned, phone_groups
from tts.text.rules import rule

_LEAST_PHONE_DIGITS = 8


def _digits(match: re.Match[str]) -> str:
    return beside_letters(match, digit_by_digit(match.group(), words.DIGITS))


def _phone(match: re.Match[str]) -> str:
    written = match.group()
    groups = (phone_groups(written, "US") or written) if written.startswith("+") else written
    return ("plus " if groups.startswith("+") else "") + digit_by_digit(groups, words.DIGITS)


def _order(match: re.Match[str]) -> str:
    return f"number {digit_by_digit(match[1], words.DIGITS)}"


def _from_zero(match: re.Match[str]) -> str:
    return _digits(match) if sum(map(str.isdigit, match.group())) >= _LEAST_PHONE_DIGITS else match.group()


def _long_run(match: re.Match[str]) -> str:
    digits = match.group()
    groups = phone_groups(digits, "US") if is_assigned(digits, "US") else None
    return beside_letters(match, digit_by_digit(groups or in_groups(digits), words.DIGITS))


def _serial(match: re.Match[str]) -> str:
    groups = in_groups(match.group().lower().replace("-", "")).split()
    return ", ".join(
        " ".join(words.DIGITS[int(sign)] if sign.isdigit() else sign.upper() for sign in group) for group in groups
    )


def _spelled(written: str) -> str:
    """Digit by digit, with the letter that may close a book's number."""
    return digit_by_digit(written, words.DIGITS) + (", X" if written[-1] in "xX" else "")


# "call 911", "tel. 3222 555": what is called is no quantity, unless something is counted
_CALLED = (
    r"\b((?:tel(?:ephone|\.)?|phone|mobile|cell|whatsapp|call(?:s|ed|ing)?|dial(?:s|ed|ing)?|text|ring|fax|hotline|"
    r"emergency)(?:\s?[:(]|\s(?:at|is|to|on|number|no\.)(?!\w)){0,3}\s?)"
    r"(\d{3,5}(?:[ .-]\d{2,5}){0,3})(?![\w/]|[.,:-]\d|\s?[%x]|\s(?:times?|minutes?|mins?|hours?|days?|dollars|"
    r"people|customers|clients|users|contacts|words|more)\b)"
)
_CODE = (
    r"\b((?:(?:code|pin|password|token|extension|confirmation|tracking|flight|zip|ticket|booking)"
    r"(?:\s(?:is|number|no\.?|code))*\s?[:#]?|(?:order|account|reservation|invoice|case)\s?(?:\s(?:is|number|no\.?)|[:#]))\s*)"
    r"(\d{3,}(?:[ .-]\d+)*)(?![\w,/:]|\s?%)"
)

NAMES: Final = (
    rule("serial", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", _serial),
    rule("isbn", r"(?<=\bISBN)(?:-1[03])?:?\s?(\d[\d -]{8,15}[\dX])\b", lambda m: f" {_spelled(m[1])}"),
    rule("card", r"\b\d{4}[ .-]\d{4}[ .-]\d{4}[ .-]\d{4}\b", _digits),
    rule("social_security", r"\b\d{3}-\d{2}-\d{4}\b", _digits),
    rule("phone_abroad", r"(?<!\w)\+\d[\d\s().-]{6,18}\d(?!\w)", _phone),
    rule(
        "phone",
        r"(?<![\w.,/-])(?:1[\s.-])?(?:\(\d{3}\)\s?|\d{3}[\s.-])\d{3}[\s.-]\d{4}(?![\w/]|[.,-]\d)|(?<![\w.,/-])\d{3}-\d{4}(?![\w/]|[.,-]\d)",
        _phone,
    ),
    rule("zip", r"\b\d{5}-\d{4}\b|\b(?<=[A-Z]{2}\s)\d{5}\b", _digits, ignore_case=False),
    rule("called", _CALLED, lambda m: m[1] + digit_by_digit(m[2], words.DIGITS)),
    rule("emergency", r"\b911(?=\s(?:calls?|operators?|dispatch\w*|emergency)\b)", _digits),
    rule("toll_free_name", r"\b1-(8\d\d)-(?=[A-Z])", lambda m: f"one, {digit_by_digit(m[1], words.DIGITS)}, "),
    rule("area_code", r"(?<!\w)\(0?\d{2,4}\)\s?\d{3,5}(?:[ .-]?\d{2,5}){0,3}(?![\w/]|[.,-]\d)", _phone),
    rule("from_zero", r"(?<![\w.,/:+-])0\d{2,4}(?:[ .-]\d{2,5}){1,4}(?![\w/]|[.,:-]\d)", _from_zero),
    rule("order", r"(?<!\w)#\s?(\d{4,})(?![\w/]|[.,:-]\d)", _order),
    rule("code", _CODE, lambda m: m[1] + digit_by_digit(m[2], words.DIGITS)),
    rule("long_run", r"(?<![\d.,])\d{8,}(?!\d|[.,]\d)", _long_run),
    rule("leading_zeros", r"(?<![\d.,:/])0\d{2,}(?!\d|[.,:]\d)", _digits),
)

"""Where a listener wants the pauses in a telephone number. Knows no words."""

from __future__ import annotations

import re

import phonenumbers


def phone_groups(written: str, region: str) -> str | None:
    """The number's digits in the groups its country writes ("11 91234 5678"), or None when it is no phone number.

    A leading "+" is kept. `region` is the country of numbers written without one. Source: libphonenumber's formats.
    """
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    abroad = written.lstrip().startswith("+")
    style = phonenumbers.PhoneNumberFormat.INTERNATIONAL if abroad else phonenumbers.PhoneNumberFormat.NATIONAL
    digits = " ".join(re.findall(r"\d+", phonenumbers.format_number(number, style)))
    return f"+ {digits}" if abroad else digits


def is_assigned(written: str, region: str) -> bool:
    """Whether a bare run of digits is a number that `region` hands out (then it is no quantity)."""
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(written, region)))
    except phonenumbers.NumberParseException:
        return False

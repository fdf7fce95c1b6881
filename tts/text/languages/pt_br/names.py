"""Numbers that are names in Portuguese: documents, telephones, Pix keys, codes. They are read digit by digit."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.pt_br import words
from tts.text.numbers import beside_letters, digit_by_digit, in_groups
from tts.text.phones import is_assigned, phone_groups
from tts.text.rules import rule


def _digits(match: re.Match[str]) -> str:
    return beside_letters(match, digit_by_digit(match.group(), words.DIGITS))


def _cnpj(match: re.Match[str]) -> str:
    root, branch = match.group().split("/")
    return f"{digit_by_digit(root, words.DIGITS)}, barra {digit_by_digit(branch, words.DIGITS)}"


def _phone(match: re.Match[str]) -> str:
    written = match.group()
    years = re.fullmatch(r"((?:19|20)\d\d)\s?-\s?((?:19|20)\d\d)", written)
    if years and years[1] < years[2]:
        return written
    groups = (phone_groups(written, "BR") or written) if written.startswith("+") else written
    return ("mais " if groups.startswith("+") else "") + digit_by_digit(groups, words.DIGITS)


def _long_run(match: re.Match[str]) -> str:
    digits = match.group()
    groups = phone_groups(digits, "BR") if is_assigned(digits, "BR") else None
    return beside_letters(match, digit_by_digit(groups or in_groups(digits), words.DIGITS))


def _pix_key(match: re.Match[str]) -> str:
    groups = in_groups(match.group().lower().replace("-", "")).split()
    return ", ".join(
        " ".join(words.DIGITS[int(sign)] if sign.isdigit() else words.LETTERS[sign] for sign in group)
        for group in groups
    )


_CODE = (
    r"\b((?:(?:código|senha|pin|protocolo|pedido|token|ramal|matrícula|rastreio|cpf|cnpj|cep|rg|agência)"
    r"(?:\s(?:é|de \w+|do \w+|número|nº)){0,2}|conta(?:\s(?:corrente|poupança|é|número|nº)|:))\s?[:#]?\s*)"
    r"(\d{3,}(?:[ .-]\d+)*)(?![\w,/:]|\s?%)"
)

NAMES: Final = (
    rule("pix_key", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", _pix_key),
    rule("cnpj", r"\b\d{2}\.?\d{3}\.?\d{3}/\d{4}-?\d{2}\b", _cnpj),
    rule("cpf", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", _digits),
    rule("cep", r"\b\d{5}-\d{3}\b|\b\d{2}\.\d{3}-\d{3}\b", _digits),
    rule("card", r"\b\d{4}[ .-]\d{4}[ .-]\d{4}[ .-]\d{4}\b", _digits),
    rule("free_call", r"\b0[3589]00[\s.-]?\d{3}[\s.-]?\d{3,4}\b", _digits),
    rule("phone_abroad", r"(?<!\w)\+\d[\d\s().-]{6,18}\d(?!\w)", _phone),
    rule(
        "phone",
        r"(?<![\w.,/-])(?:\(0?\d{2}\)\s?|0?\d{2}[\s.-])?(?:9[\s.]?)?\d{4}[\s.-]\d{4}(?![\w/]|[.,-]\d)",
        _phone,
    ),
    rule("code", _CODE, lambda m: m[1] + digit_by_digit(m[2], words.DIGITS)),
    rule("long_run", r"(?<![\d.,])\d{8,}(?!\d|[.,]\d)", _long_run),
    rule("leading_zeros", r"(?<![\d.,:/])0\d{2,}(?!\d|[.,:]\d)", _digits),
)

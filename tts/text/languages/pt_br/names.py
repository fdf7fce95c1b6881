"""Numbers that are names in Portuguese: documents, telephones, Pix keys, codes. They are read digit by digit."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.pt_br import words
from tts.text.numbers import beside_letters, digit_by_digit, in_groups
from tts.text.phones import is_assigned, phone_groups
from tts.text.rules import rule

_LEAST_PHONE_DIGITS = 8


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


def _order(match: re.Match[str]) -> str:
    return f"número {digit_by_digit(match[1], words.DIGITS)}"


def _from_zero(match: re.Match[str]) -> str:
    return _digits(match) if sum(map(str.isdigit, match.group())) >= _LEAST_PHONE_DIGITS else match.group()


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


def _spelled(written: str) -> str:
    """Digit by digit, with the letter that may close a book's number."""
    return digit_by_digit(written, words.DIGITS) + (f", {words.LETTERS['x']}" if written[-1] in "xX" else "")


# "ligue 190", "tel. 3222 555": what is called is no quantity, unless something is counted
_CALLED = (
    r"\b((?:tel(?:efone|\.)?|fone|cel(?:ular|\.)?|whats(?:app)?|zap|lig(?:ue|a|ar|uei|ou|uem)|disqu[eo]|discar?|"
    r"samu|pol[ií]cia|bombeiros|cvv|emergência|defesa civil)"
    r"(?:\s?[:(]|\s(?:para|pra|pro|no|o|ao|pelo|é|n[º°]|número)\b){0,3}\s?)"
    r"(\d{3,5}(?:[ .-]\d{2,5}){0,3})"
    r"(?![\w/]|[.,:-]\d|\s?[%x]|\s(?:vez|vezes|min|minutos?|horas?|h|dias?|reais|pessoas|metros|km|clientes|contatos|"
    r"mil)\b)"
)
_CODE = (
    r"\b((?:(?:código|senha|pin|protocolo|pedido|token|ramal|matrícula|rastreio|cpf|cnpj|cep|rg|agência)"
    r"(?:\s(?:é|de \w+|do \w+|número|nº)){0,2}|conta(?:\s(?:corrente|poupança|é|número|nº)|:))\s?[:#]?\s*)"
    r"(\d{3,}(?:[ .-]\d+)*)(?![\w,/:]|\s?%)"
)

NAMES: Final = (
    rule("pix_key", r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", _pix_key),
    rule("isbn", r"(?<=\bISBN)(?:-1[03])?:?\s?(\d[\d -]{8,15}[\dX])\b", lambda m: f" {_spelled(m[1])}"),
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
    rule("called", _CALLED, lambda m: m[1] + digit_by_digit(m[2], words.DIGITS)),
    rule("area_code", r"(?<!\w)\(0?\d{2}\)\s?\d{3,5}(?:[ .-]?\d{2,5}){0,3}(?![\w/]|[.,-]\d)", _phone),
    rule("from_zero", r"(?<![\w.,/:+-])0\d{2,4}(?:[ .-]\d{2,5}){1,4}(?![\w/]|[.,:-]\d)", _from_zero),
    rule("order", r"(?<!\w)#\s?(\d{4,})(?![\w/]|[.,:-]\d)", _order),
    rule("code", _CODE, lambda m: m[1] + digit_by_digit(m[2], words.DIGITS)),
    rule("long_run", r"(?<![\d.,])\d{8,}(?!\d|[.,]\d)", _long_run),
    rule("leading_zeros", r"(?<![\d.,:/])0\d{2,}(?!\d|[.,:]\d)", _digits),
)

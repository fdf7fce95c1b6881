"""Signs that stand before or between numbers, in the words of a language: "~10", ">5", "20~30", ".5", "x^2", "1e-5".

These rules run before all others, while the signs still touch what they speak of. Knows a language only as data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from tts.text.rules import Rule, any_of, rule

_COMPARED: Final = r"(?<=[\w)])(\s?)([<>])\1"
_SUM_BEFORE: Final = r"(?<![\w.,/-])"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignWords:
    """What a language calls each sign; `decimal` is its own decimal sign."""

    about: str
    more: str
    less: str
    at_least: str
    at_most: str
    greater: str
    smaller: str
    minus: str
    squared: str
    cubed: str
    power: str
    times_ten: str
    asked: str  # a pattern of words that ask for a sum
    decimal: str


def sign_rules(
    words: SignWords, number: str, say_number: Callable[[str], str], currencies: Iterable[str]
) -> tuple[Rule, ...]:
    """The rules of a language whose numbers are written as the pattern `number` and said by `say_number`."""
    amount = rf"(?=[+-]?(?:{any_of(currencies)}\s?)?\.?\d)"
    compare = {">": words.more, "<": words.less, ">=": words.at_least, "<=": words.at_most}
    powers = {"2": words.squared, "3": words.cubed}

    def difference(match: re.Match[str]) -> str:
        return re.sub(r"(?<=\d)\s?[-–]\s?", f" {words.minus} ", match.group())

    def power(match: re.Match[str]) -> str:
        value = match[1]
        spoken = powers.get(value) or f"{words.power} {value.replace('-', words.minus + ' ')}"
        return f" {spoken} " if match.string[match.end() : match.end() + 1].isalnum() else f" {spoken}"

    def scientific(match: re.Match[str]) -> str:
        sign = f"{words.minus} " if match[2] == "-" else ""
        return f"{say_number(match[1])} {words.times_ten} {sign}{int(match[3])}"

    return (
        rule("bare_fraction", r"(?<![\w.,)\]'\"])[.,](?=\d{1,4}(?![\d.,]*[.,]\d))", f"0{words.decimal}"),
        rule("scientific", rf"(?<![\w.,-])({number})e([+-]?)(\d{{1,3}})(?!\w)", scientific),
        rule("tilde_range", r"(?<=\d)\s?~\s?(?=\d)|(?<=[\d%°])~(?=\d)", "–"),
        rule("tilde_span", rf"(?<=[\w%°])~{amount}", "–"),
        rule("about", rf"~\s?{amount}", f"{words.about} "),
        rule("compare", rf"{_COMPARED}{amount}", lambda m: f" {words.greater if m[2] == '>' else words.smaller} "),
        rule("bound", rf"([<>]=?)\s?{amount}", lambda m: f" {compare[m[1]]} "),
        rule("difference", rf"{_SUM_BEFORE}{number}(?:\s?[-–]\s?{number}){{1,6}}(?=\s?=)", difference),
        rule("asked", rf"{words.asked}{number}(?:\s?[-–]\s?{number}){{1,6}}(?![\w/-])", difference),
        rule("pause", r"(?<=\d)\s[-–]\s(?=\d{1,4}\s?(?:[ºª]|°(?=\s)|(?:st|nd|rd|th)\b))", ", "),
        rule("power", r"(?<=[\w)])\s?\^\s?\(?(-?\d{1,4}|[a-z](?!\w))\)?", power),
    )

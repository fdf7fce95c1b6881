"""Money, measures and ranges in English."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.compounds import compound_rule
from tts.text.languages.en import words
from tts.text.languages.en.speech import NUM, START, read, say_number
from tts.text.numbers import FRACTION, beside_letters, cardinal, ordinal, year
from tts.text.rules import any_of, rule

_SCALES: Final = {
    "k": "thousand",
    "kk": "million",
    "m": "million",
    "mm": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
}
_SCALE: Final = r"(?:\s?(?P<scale>thousand|million|billion|trillion|lakh|crore|kk|k|m|mn|bn|b)(?!\w))?"
_SCALED: Final = r"\s?(?:thousand|[mbt]illion|trillion|kk?\b|m\b|b\b|bn\b)"
_SIGN: Final = r"(?P<sign>(?<!\w)-\s?)?"
_MONEY: Final = any_of(words.CURRENCIES)
_UNIT: Final = any_of(words.UNITS)
_ABOVE: Final = {unit: name for unit, name in words.UNITS.items() if "/" not in unit} | words.UNITS_OF_COMPOUNDS


def _scaled(written: str, scale: str) -> str:
    return f"{say_number(written)} {_SCALES.get(scale.lower(), scale.lower())}"


def _money(match: re.Match[str]) -> str:
    currency = words.CURRENCIES[match["currency"].lower()]
    written, sign = match["number"], "minus " if match["sign"] else ""
    if match["scale"]:
        return beside_letters(match, f"{sign}{_scaled(written, match['scale'])} {currency.many}")
    number = read(written)
    if len(number.fraction) > 2:
        return beside_letters(match, f"{sign}{say_number(written)} {currency.many}")
    cents = int(number.fraction.ljust(2, "0")) if number.fraction else 0
    units = f"{cardinal(number.whole, 'en')} {currency.one if number.whole == 1 else currency.many}"
    hundredths = f"{cardinal(cents, 'en')} {currency.cent if cents == 1 else currency.cents}"
    parts = ([units] if number.whole or not cents else []) + ([hundredths] if cents else [])
    return beside_letters(match, sign + " and ".join(parts))


def _measure(match: re.Match[str]) -> str:
    return _amount(match["number"], match["unit"])


def _amount(written: str, symbol: str) -> str:
    unit = _ABOVE.get(symbol.lower()) or words.UNITS[symbol.lower()]
    return f"{say_number(written)} {unit.one if written == '1' else unit.many}"


def _by(match: re.Match[str]) -> str:
    sides = (year(int(side), "en") if len(side) == 4 else side for side in (match[1], match[2]))
    return beside_letters(match, " by ".join(sides))


def _money_range(match: re.Match[str]) -> str:
    sign, first, second = match[1], match[2], match[3]
    whole = not (read(first).fraction or read(second).fraction)
    return f"{say_number(first)} to {sign}{second}" if whole else f"{sign}{first} to {sign}{second}"


def _per(match: re.Match[str]) -> str:
    return f" per {words.PER[match[1].lower()]}"


def _fraction(match: re.Match[str]) -> str:
    whole, over, under = match["whole"], int(match["over"]), int(match["under"])
    unit = words.UNITS.get((match["unit"] or "").lower())
    if over >= under or under > 9:
        between = "out of" if under in words.FULL_MARKS and over <= under else "slash"
        return beside_letters(match, f"{whole or ''} {over} {between} {under} {match['unit'] or ''}".strip())
    part = words.PARTS.get(under) or ordinal(under, "en")
    spoken = f"{'a' if over == 1 and whole else cardinal(over, 'en')} {part}{'s' if over > 1 else ''}"
    if whole:
        return beside_letters(match, f"{cardinal(int(whole), 'en')} and {spoken}{f' {unit.many}' if unit else ''}")
    return beside_letters(match, f"{spoken}{f' {unit.one}' if unit else ''}")


def _height(match: re.Match[str]) -> str:
    return f"{cardinal(int(match[1]), 'en')} foot {cardinal(int(match[2]), 'en')} "


MEASURES: Final = (
    rule("money_range", rf"({_MONEY}\s?)({NUM})\s?[-–]\s?(?:{_MONEY}\s?)?({NUM})(?!{_SCALED})", _money_range),
    rule("money", rf"{_SIGN}(?<![\w$])(?P<currency>{_MONEY})\s?(?P<number>{NUM}){_SCALE}", _money),
    rule("money_after", rf"{_SIGN}{START}(?P<number>{NUM}){_SCALE}\s?(?P<currency>{_MONEY})(?!\w)", _money),
    rule("range", rf"{START}({NUM})\s?[-–—]\s?(?={NUM}(?:\s?(?:{_UNIT}|kk?))?(?![\w-]|/\d))", lambda m: f"{m[1]} to "),
    compound_rule(_ABOVE, NUM, "per", _amount),
    rule("per", rf"(?<=[a-z])\s?/\s?({any_of(words.PER)})(?!\w)", _per),
    rule("minus", r"(?<![\w)])(?<!\d\s)-\s?(?=\d)", "minus "),
    rule("by", r"(?<![\d.,])(\d+)\s?[x×]\s?(\d+)(?![\d.,]\d)", _by),
    rule("by_measure", r"(?<=[\w²])\s[x×]\s(?=\d)", " by "),
    rule("times", r"(?<![\w.,])(\d+(?:\.\d+)?)\s?[x×](?!\w)", lambda m: f"{m[1]} {'time' if m[1] == '1' else 'times'}"),
    rule("height", r"(?<![\w.,])([3-8])'\s?(\d{1,2})\b\"?", _height),
    rule("generation", r"\b([2-6])G\b|\b([248])K\b", lambda m: f"{say_number(m[0][0])} {m[0][-1]}", ignore_case=False),
    rule("million", rf"{START}({NUM})(M|B)(?!\w)", lambda m: _scaled(m[1], m[2]), ignore_case=False),
    rule("thousands", rf"{START}({NUM})\s?(kk?)(?!\w)", lambda m: _scaled(m[1], m[2])),
    rule("fraction", rf"{FRACTION}(?:\s?(?P<unit>{_UNIT})(?![\w°º]))?", _fraction),
    rule("measure", rf"(?<![\w.,/])(?P<number>{NUM})\s?(?P<unit>{_UNIT})(?![\w°º']|\.\s\d)", _measure),
)

"""Money, measures and ranges in English."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.en import words
from tts.text.languages.en.speech import NUM, START, read, say_number
from tts.text.numbers import beside_letters, cardinal
from tts.text.rules import any_of, rule

_SCALES: Final = {"k": "thousand", "m": "million", "mm": "million", "mn": "million", "b": "billion", "bn": "billion"}
_SCALE: Final = r"(?:\s?(?P<scale>thousand|million|billion|trillion|k|m|mn|bn|b)(?!\w))?"
_MONEY: Final = any_of(words.CURRENCIES)
_UNIT: Final = any_of(words.UNITS)


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
    unit = words.UNITS[match["unit"].lower()]
    return f"{say_number(match['number'])} {unit.one if match['number'] == '1' else unit.many}"


def _by(match: re.Match[str]) -> str:
    return f"{match[1]} by {match[2]}"


MEASURES: Final = (
    rule("money_range", rf"({_MONEY}\s?)({NUM})\s?[-–]\s?(?:{_MONEY}\s?)?(?={NUM})", lambda m: f"{m[1]}{m[2]} to {m[1]}"),
    rule("money", rf"(?P<sign>(?<!\w)-\s?)?(?<![\w$])(?P<currency>{_MONEY})\s?(?P<number>{NUM}){_SCALE}", _money),
    rule("money_after", rf"(?P<sign>(?<!\w)-\s?)?{START}(?P<number>{NUM}){_SCALE}\s?(?P<currency>{_MONEY})(?!\w)", _money),
    rule("per", rf"(?<=[a-z])\s?/\s?({any_of(words.PER)})(?!\w)(?<!km/h)(?<!m/s)", lambda m: f" per {words.PER[m[1].lower()]}"),
    rule("range", rf"{START}({NUM})\s?[-–—]\s?(?={NUM}(?:\s?(?:{_UNIT}|k))?(?![\w/-]))", lambda m: f"{m[1]} to "),
    rule("by", r"(?<![\d.,])(\d+)\s?[x×]\s?(\d+)(?![\d.,]\d)", _by),
    rule("times", r"(?<![\w.,])(\d+(?:\.\d+)?)\s?[x×](?!\w)", lambda m: f"{m[1]} times"),
    rule("million", rf"{START}({NUM})(M|B)(?!\w)", lambda m: _scaled(m[1], m[2]), ignore_case=False),
    rule("thousands", rf"{START}({NUM})\s?(k)(?!\w)", lambda m: _scaled(m[1], m[2])),
    rule("measure", rf"(?<![\w.,/])(?P<number>{NUM})\s?(?P<unit>{_UNIT})(?![\w°º'])", _measure),
)

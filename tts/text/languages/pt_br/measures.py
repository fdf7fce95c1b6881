"""Money, measures and ranges in Portuguese: amounts agree with what they count."""

from __future__ import annotations

import re
from typing import Final

from tts.text.languages.compounds import compound_rule
from tts.text.languages.pt_br import words
from tts.text.languages.pt_br.gender import gender_of
from tts.text.languages.pt_br.speech import NUM, START, read, say_number
from tts.text.numbers import FRACTION, Gender, beside_letters, cardinal
from tts.text.rules import any_of, rule, text_after

_SCALES: Final = {"k": "mil", "kk": "milhão", "mi": "milhão", "m": "milhão", "bi": "bilhão", "b": "bilhão"}
_SCALE: Final = r"(?:\s?(?P<scale>mil(?:hão|hões|hoes)?|bilh(?:ão|ões)|trilh(?:ão|ões)|mi|bi|kk|k|M|B)(?!\w))?"
_SCALED: Final = r"\s?(?:mil|bilh|trilh|mi\b|bi\b|kk?\b|M\b|B\b)"
_SIGN: Final = r"(?P<sign>(?<!\w)-\s?)?"
_MONEY: Final = any_of(words.CURRENCIES)
_UNIT: Final = any_of(words.UNITS)
_ABOVE: Final = {unit: name for unit, name in words.UNITS.items() if "/" not in unit} | words.UNITS_OF_COMPOUNDS


def _gender(*, feminine: bool) -> Gender:
    return Gender.FEMININE if feminine else Gender.MASCULINE


def _scaled(written: str, scale: str) -> str:
    name = _SCALES.get(scale.lower(), scale.lower().replace("oes", "ões"))
    if name != "mil":
        name = name.replace("ões", "ão") if read(written).whole < 2 else name.replace("ão", "ões")
    number = say_number(written)
    return name if (number, name) == ("um", "mil") else f"{number} {name}"


def _money(match: re.Match[str]) -> str:
    currency = words.CURRENCIES[match["currency"].lower()]
    written, sign = match["number"], "menos " if match["sign"] else ""
    if match["scale"]:
        spoken = _scaled(written, match["scale"])
        return beside_letters(match, f"{sign}{spoken} {'' if spoken.endswith('mil') else 'de '}{currency.many}")
    number, gender = read(written), _gender(feminine=currency.feminine)
    if len(number.fraction) > 2:
        return beside_letters(match, f"{sign}{say_number(written, gender)} {currency.many}")
    cents = int(number.fraction.ljust(2, "0")) if number.fraction else 0
    of = "de " if number.whole and number.whole % 10**6 == 0 else ""
    units = f"{cardinal(number.whole, 'pt', gender)} {of}{currency.one if number.whole == 1 else currency.many}"
    hundredths = f"{cardinal(cents, 'pt')} {currency.cent if cents == 1 else currency.cents}"
    parts = ([units] if number.whole or not cents else []) + ([hundredths] if cents else [])
    return beside_letters(match, sign + " e ".join(parts))


def _measure(match: re.Match[str]) -> str:
    return _amount(match["number"], match["unit"])


def _amount(written: str, symbol: str) -> str:
    unit = _ABOVE.get(symbol.lower()) or words.UNITS[symbol.lower()]
    number = read(written)
    singular = number.whole == 1 or (number.whole == 0 and bool(number.fraction))
    return f"{say_number(written, _gender(feminine=unit.feminine))} {unit.one if singular else unit.many}"


def _per(match: re.Match[str]) -> str:
    return f" por {words.PER[match[1].lower()]}"


def _times(match: re.Match[str]) -> str:
    left, right = match[1], match[2]
    is_score = (
        len(left) == len(right) == 1 and (left, right) != ("4", "4") and not re.match(r"\s?[a-z²%]", text_after(match))
    )
    return f"{left} {'a' if is_score else 'por'} {right}"


def _money_range(match: re.Match[str]) -> str:
    sign, first, second = match[1], match[2], match[3]
    whole = not (read(first).fraction or read(second).fraction)
    return f"{say_number(first)} a {sign}{second}" if whole else f"{sign}{first} a {sign}{second}"


def _instalments(match: re.Match[str]) -> str:
    return f"{match[1]} {'vez' if match[1] == '1' else 'vezes'}{' de ' if match[0][-1].isspace() else ''}"


def _fraction(match: re.Match[str]) -> str:
    whole, over, under = match["whole"], int(match["over"]), int(match["under"])
    part = words.PARTS.get(under)
    unit = words.UNITS.get((match["unit"] or "").lower())
    if part is None or over >= under or (over > 1 and under > 5):
        between = "de" if under in words.FULL_MARKS and over <= under else "barra"
        return beside_letters(match, f"{whole or ''} {over} {between} {under} {match['unit'] or ''}".strip())
    feminine = unit.feminine if unit else gender_of(1, "", text_after(match)) is Gender.FEMININE
    if under == 2:
        spoken = "meia" if feminine else "meio"
    else:
        spoken = f"{cardinal(over, 'pt')} {part}{'s' if over > 1 else ''}"
    if not whole:
        named = f" {'' if under == 2 else 'de '}{unit.one}" if unit else ""
        return beside_letters(match, spoken + named)
    units = f" {unit.one if whole == '1' else unit.many}" if unit else ""
    return beside_letters(match, f"{cardinal(int(whole), 'pt', _gender(feminine=feminine))}{units} e {spoken}")


MEASURES: Final = (
    rule("money_range", rf"({_MONEY}\s?)({NUM})\s?[-–]\s?(?:{_MONEY}\s?)?({NUM})(?!{_SCALED})", _money_range),
    rule("instalments", rf"(?<![\w.,])(\d+)\s?[x×](?:\s(?:de\s)?(?={_MONEY}\s?\d)|(?![\w]|\s\d))", _instalments),
    rule("money", rf"{_SIGN}(?<![\w$])(?P<currency>{_MONEY})\s?(?P<number>{NUM}){_SCALE}", _money),
    rule("money_after", rf"{_SIGN}{START}(?P<number>{NUM}){_SCALE}\s?(?P<currency>{_MONEY})(?!\w)", _money),
    rule("range", rf"{START}({NUM})\s?[-–—]\s?(?={NUM}(?:\s?(?:{_UNIT}|kk?))?(?![\w-]|/\d))", lambda m: f"{m[1]} a "),
    compound_rule(_ABOVE, NUM, "por", _amount),
    rule("per", rf"(?<=[a-zà-ÿ])\s?/\s?({any_of(words.PER)})(?!\w)", _per),
    rule("minus", r"(?<![\w)])(?<!\d\s)-\s?(?=\d)", "menos "),
    rule("by", r"(?<![\d.,])(\d+)\s?[x×]\s?(\d+)(?![\d.,]\d)", _times),
    rule("by_measure", r"(?<=[\w²])\s[x×]\s(?=\d)", " por "),
    rule("generation", r"\b([2-6])G\b", lambda m: f"{m[1]} gê", ignore_case=False),
    rule("million", rf"{START}({NUM})(M)(?!\w)", lambda m: _scaled(m[1], m[2]), ignore_case=False),
    rule("scaled", rf"{START}({NUM})\s?(kk?|mi|bi)(?!\w)", lambda m: _scaled(m[1], m[2])),
    rule("floor", rf"(?<=\d)°(?=\s{any_of(words.COUNTED_BY_DEGREE)}\b)", "º"),
    rule("fraction", rf"{FRACTION}(?:\s?(?P<unit>{_UNIT})(?![\w°º]))?", _fraction),
    rule("measure", rf"(?<![\w.,/])(?P<number>{NUM})\s?(?P<unit>{_UNIT})(?![\w°º])", _measure),
)

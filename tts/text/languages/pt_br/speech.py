"""How Portuguese reads one written number. Knows nothing of what the number counts."""

from __future__ import annotations

from typing import Final

from tts.text.numbers import Gender, Numeral, cardinal

# the second form is India's: 1,00,000
NUM: Final = (
    r"(?:\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?|"
    r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3})+\.\d+|\d+(?:[.,]\d+)?)(?![\d])"
)
START: Final = r"(?<![\w.,/-])"


def read(written: str) -> Numeral:
    """The number as Brazil writes it: "." groups, "," parts the fraction."""
    return Numeral.read(written, decimal=",")


def say_number(written: str, gender: Gender = Gender.MASCULINE) -> str:
    """The words of "1.234,5". A fraction of two digits is one number, as people say it: "vírgula vinte e cinco"."""
    number = read(written)
    spoken = cardinal(number.whole, "pt", gender)
    if not number.fraction:
        return spoken
    as_one = len(number.fraction) <= 2 and not number.fraction.startswith("0")
    fraction = cardinal(int(number.fraction), "pt") if as_one else say_digits(number.fraction)
    return f"{spoken} {'ponto' if '.' in written and ',' not in written else 'vírgula'} {fraction}"


def say_digits(digits: str) -> str:
    """Each digit as a number: "zero cinco"."""
    return " ".join(cardinal(int(digit), "pt") for digit in digits)

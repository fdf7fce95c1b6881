"""How English reads one written number. Knows nothing of what the number counts."""

from __future__ import annotations

from typing import Final

from tts.text.numbers import Numeral, cardinal

# the second form is India's: 1,00,000
NUM: Final = (
    r"(?:\d{1,2}(?:,\d\d)+,\d{3}(?:\.\d+)?|\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3})+,\d+|\d+(?:[.,]\d+)?)(?!\d)"
)
START: Final = r"(?<![\w.,/-])"


def read(written: str) -> Numeral:
    """The number as English writes it: "," groups, "." parts the fraction."""
    return Numeral.read(written, decimal=".")


def say_number(written: str) -> str:
    """The words of "1,234.5"; a fraction is read digit by digit."""
    number = read(written)
    spoken = cardinal(number.whole, "en")
    if not number.fraction:
        return spoken
    return f"{spoken} point {' '.join(cardinal(int(digit), 'en') for digit in number.fraction)}"

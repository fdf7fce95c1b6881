"""Roman numerals: recognised and counted. Knows no language."""

from __future__ import annotations

import re
from typing import Final

ROMAN: Final = r"(?=[IVXL])(?:XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50}


def roman_value(written: str) -> int | None:
    """The value of "XXI" (21), or None when it is no well-formed numeral below 90."""
    if not re.fullmatch(ROMAN, written):
        return None
    values = [_VALUES[letter] for letter in written]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < following else value for value, following in pairs)

"""Which written numbers are dates in any language, and which are versions. Knows no words of a date."""

from __future__ import annotations

import re
from typing import Final

from tts.text.rules import text_before

YEAR_FIRST: Final = r"(?<![\w./-])(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:T(?=\d\d:)|(?![\w/]|[.-]\d))"
YEAR_LAST: Final = r"(?<![\w./-])(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(?![\w/]|[.-]\d)"
_NAME_BEFORE: Final = re.compile(r"(?:\b[Vv]ers(?:ion|ão|ao)|\b[Vv]|\b[Rr]elease|\b[Bb]uild|\b[A-ZÀ-Þ][\w+#-]*)\.?\s*$")


def is_date(day: int, month: int) -> bool:
    """Whether a calendar has such a day."""
    return 1 <= day <= 31 and 1 <= month <= 12


def full_year(written: str) -> int:
    """The year of "24" (2024), "85" (1985) or "2024"."""
    year = int(written)
    return year if len(written) > 2 else year + (2000 if year < 70 else 1900)


def is_version(match: re.Match[str], date_before: re.Pattern[str]) -> bool:
    """Whether "3.10.12" names a release: after a product's name, or with parts no dotted date is written in."""
    sign, before = match[2], text_before(match)
    if sign != "." or date_before.search(before):
        return False
    return (len(match[4]) == 2 and min(len(match[1]), len(match[3])) < 2) or _NAME_BEFORE.search(before) is not None

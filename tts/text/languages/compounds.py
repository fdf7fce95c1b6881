"""Units over units: "mg/dL", "m/s²", "L/100 km", with a number or bare. Knows a language only as data."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from tts.text.languages.base import bag
from tts.text.rules import Rule, any_of, rule

_BELOW: Final = bag(
    """
    h min s s² l dl ml kg g mg m m² m2 m³ m3 cm cm² cm³ km km² ha mol mmhg w kw kwh gal hour hr yd ft mi lb
    """
)


class Named(Protocol):
    """A unit, one and many of it."""

    @property
    def one(self) -> str:
        """Its name in the singular."""

    @property
    def many(self) -> str:
        """Its name in the plural."""


def compound_rule(units: Mapping[str, Named], number: str, per: str, measure: Callable[[str, str], str]) -> Rule:
    """The unit above as `measure(number, unit)` says it, or in the plural without a number; `per`; the unit below."""

    def say(match: re.Match[str]) -> str:
        above, below, counted = match["above"].lower(), match["below"].lower(), match["counted"]
        under = f"{counted} {units[below].many}" if counted else units[below].one
        if match["number"]:
            return f"{measure(match['number'], above)} {per} {under}"
        if len(above) + len(below) < len("m/h") and (above, below) != ("m", "s"):
            return match.group()
        return f"{units[above].many} {per} {under}"

    return rule(
        "compound",
        rf"(?<![\w.,/])(?:(?P<number>{number})\s?)?(?P<above>{any_of(units)})\s?/\s?"
        rf"(?:(?P<counted>\d{{1,4}})\s?)?(?P<below>{any_of(unit for unit in units if unit in _BELOW)})(?![\w²³/])",
        say,
    )

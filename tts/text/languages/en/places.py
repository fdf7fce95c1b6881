"""The states of the USA by their two letters: "in TX" is "in Texas", "Boise, ID" is "Boise, Idaho"."""

from __future__ import annotations

from typing import Final

from tts.text.rules import any_of, rule

STATES: Final = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California", "CO": "Colorado",
    "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia", "HI": "Hawaii", "ID": "Idaho",
    "IL": "Illinois", "IN": "Indiana", "IA": "Iowa", "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine",
    "MD": "Maryland", "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
    "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire", "NJ": "New Jersey",
    "NM": "New Mexico", "NY": "New York", "NC": "North Carolina", "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma",
    "OR": "Oregon", "PA": "Pennsylvania", "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota",
    "TN": "Tennessee", "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming",
}  # fmt: skip
_OTHER_WORDS: Final = frozenset({"HI", "ID", "IN", "LA", "ME", "OK", "OR"})
_PLAIN: Final = any_of(STATES.keys() - _OTHER_WORDS)

# only after a word of place or the name of a town: alone, two capitals may stand for anything
PLACES: Final = (
    rule(
        "in_state",
        rf"(?<!\w)([Ii]n|[Ff]rom|to|of|near|across)\s({_PLAIN})(?![\w/&+-])",
        lambda m: f"{m[1]} {STATES[m[2]]}",
        ignore_case=False,
    ),
    rule(
        "town_and_state",
        rf"(?<=[a-z]),\s({_PLAIN}|(?:ID|IN|LA|ME|OR)(?=[\s,]|\.?$))(?![\w/&+-])",
        lambda m: f", {STATES[m[1]]}",
        ignore_case=False,
    ),
)

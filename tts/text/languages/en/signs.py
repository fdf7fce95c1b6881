"""The words of English for signs before and between numbers."""

from __future__ import annotations

from typing import Final

from tts.text.languages.en import words
from tts.text.languages.en.speech import NUM, say_number
from tts.text.languages.signs import SignWords, sign_rules

SIGNS: Final = sign_rules(
    SignWords(
        about="about",
        more="more than",
        less="less than",
        at_least="at least",
        at_most="at most",
        greater="greater than",
        smaller="less than",
        minus="minus",
        squared="squared",
        cubed="cubed",
        power="to the power of",
        times_ten="times ten to the",
        asked=r"\b(?:what is|what's|calculate|compute)\s",
        decimal=".",
    ),
    NUM,
    say_number,
    words.CURRENCIES,
)

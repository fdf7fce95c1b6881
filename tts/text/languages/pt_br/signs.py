"""The words of Portuguese for signs before and between numbers."""

from __future__ import annotations

from typing import Final

from tts.text.languages.pt_br import words
from tts.text.languages.pt_br.speech import NUM, say_number
from tts.text.languages.signs import SignWords, sign_rules

SIGNS: Final = sign_rules(
    SignWords(
        about="cerca de",
        more="mais de",
        less="menos de",
        at_least="pelo menos",
        at_most="no máximo",
        greater="maior que",
        smaller="menor que",
        minus="menos",
        squared="ao quadrado",
        cubed="ao cubo",
        power="elevado a",
        times_ten="vezes dez elevado a",
        asked=r"\b(?:quanto é|quanto dá|calcule|calcula)\s",
        decimal=",",
    ),
    NUM,
    say_number,
    words.CURRENCIES,
)

"""What is told to Qwen3-TTS: clean text, the language's name, the longest take. Pure; knows no model and no torch."""

from __future__ import annotations

import math
import re
from collections.abc import Collection

from tts.errors import BadText, BadVoice
from tts.languages import match_language
from tts.text.sentences import has_word

FRAME_S = 0.08
SAMPLE_RATE_HZ = 24_000
FRAME_SAMPLES = 1920

LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pt": "Portuguese",
    "ru": "Russian",
    "zh": "Chinese",
}
TIMBRES = ("aiden", "dylan", "eric", "ono_anna", "ryan", "serena", "sohee", "uncle_fu", "vivian")

_RUNAWAY_SLACK_S = 1.0
_SPECIAL = re.compile(r"<\|[^<>|]*\|>")


def speakable(text: str, special: Collection[str]) -> str:
    """The text without the model's special tokens, which would end or redirect the take.

    Raises BadText when what is left holds nothing to say.
    """
    clean = without_special(text, special)
    if not has_word(clean):
        raise BadText("the text holds nothing Qwen3-TTS can say")
    return clean


def without_special(text: str, special: Collection[str]) -> str:
    """The text without `special` and anything of their form; taking one out may make another, so until none is left.

    Halves of a character (lone surrogates), which no tokenizer takes, go as well.
    """
    text = text.encode("utf-8", errors="ignore").decode("utf-8")
    tokens = "|".join(re.escape(token) for token in sorted(special, key=len, reverse=True))
    pattern = re.compile(f"{_SPECIAL.pattern}|{tokens}") if tokens else _SPECIAL
    while True:
        shorter = pattern.sub(" ", text)
        if shorter == text:
            return " ".join(text.split())
        text = shorter


def language_name(language: str, tags: Collection[str]) -> str:
    """What the model calls a language. Raises BadVoice for one it does not speak, with those it does."""
    tag = match_language(language, tags)
    if tag is None:
        raise BadVoice(f"Qwen3-TTS does not speak {language!r}; valid: {', '.join(sorted(tags))}")
    return LANGUAGES[tag]


def most_frames(expected_s: float, *, factor: float) -> int:
    """Frames of 80 ms after which a take counts as one that does not stop: `factor` times its length and a second."""
    return math.ceil((expected_s * factor + _RUNAWAY_SLACK_S) / FRAME_S)

"""Text to the symbols Kokoro was trained on. Must not know models, sessions or audio.

English takes espeak's IPA as it is; the other languages write affricates and diphthongs as single letters, as the
documentation of Kokoro's own front end (misaki, "espeak to misaki") lists them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tts.engines import espeak_ng

VOICES = {"en": "en-us", "pt-BR": "pt-br", "es": "es", "fr": "fr", "it": "it"}
"""espeak-ng's voice of each language Kokoro is spoken in here."""

MAX_TOKENS = 510

_SINGLE_LETTERS = {
    "a^ɪ": "I", "a^ʊ": "W", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "ɔ^ɪ": "Y",
    "d^z": "ʣ", "d^ʒ": "ʤ", "t^s": "ʦ", "t^ʃ": "ʧ", "s^s": "S",
}  # fmt: skip
_PUNCTUATION = re.compile(r"[.,;:!?…—]+")
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")  # espeak marks foreign words: "(en)wiːkɛnd(pt-br)"
_SENTENCE_ENDS = ".!?…"
_CLAUSE_ENDS = ",;:—"


def phonemes(text: str, language: str) -> str:
    """The Kokoro symbols of `text`, punctuation kept because it carries the melody.

    `language` is a key of `VOICES`. Errors as in `espeak_ng.phonemes`.
    """
    tied = language != "en"

    def speak(words: str) -> str:
        return _symbols(espeak_ng.phonemes(words, VOICES[language], tied=tied))

    return _with_punctuation(text, speak)


def split_tokens(symbols: str, *, limit: int = MAX_TOKENS) -> Iterator[str]:
    """`symbols` in pieces of at most `limit`, cut behind a sentence, else a clause, else a word, else anywhere.

    Nothing but spaces at the cuts is lost.
    """
    rest = symbols.strip()
    while len(rest) > limit:
        cut = _cut(rest[:limit])
        yield rest[:cut].strip()
        rest = rest[cut:].strip()
    if rest:
        yield rest


def _cut(head: str) -> int:
    for ends in (_SENTENCE_ENDS, _CLAUSE_ENDS, " "):
        at = max(head.rfind(end) for end in ends)
        # A cut in the first half would leave a scrap that is spoken without melody.
        if at >= len(head) // 2:
            return at + 1
    return len(head)


def _with_punctuation(text: str, speak: Callable[[str], str]) -> str:
    """What lies between the marks is spoken and the marks are put back, because espeak drops them."""
    out: list[str] = []
    position = 0
    for mark in _PUNCTUATION.finditer(text):
        out += [_padded(text[position : mark.start()], speak), mark.group()[:1]]
        position = mark.end()
    out.append(_padded(text[position:], speak))
    return re.sub(r"\s+", " ", "".join(out)).strip()


def _padded(words: str, speak: Callable[[str], str]) -> str:
    """Spoken words with the space they began with: a mark must keep its place behind the word before it."""
    if not words.strip():
        return " " if words else ""
    return (" " if words[0].isspace() else "") + speak(words.strip())


def _symbols(ipa: str) -> str:
    ipa = _LANGUAGE_SWITCH.sub("", ipa)
    for tied, letter in _SINGLE_LETTERS.items():
        ipa = ipa.replace(tied, letter)
    return ipa.replace(espeak_ng.TIE, "").replace("g", "ɡ").strip()

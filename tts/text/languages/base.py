"""What a language has to say about itself: data the stages of `tts.text` read. Holds no language and no stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tts.text.rules import Rule


def bag(words: str) -> frozenset[str]:
    """The set of the words of a text."""
    return frozenset(words.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language as the front end needs it. `code` is the primary subtag; `rules` run in order over plain text.

    `scripts` are the first words of Unicode character names a voice of this language can read; empty means any.
    `words_for` says signs of addresses ("." → "ponto"). `spoken_tlds` respells endings of domains.
    """

    code: str
    complete: bool = False  # its rules leave no digit and no sign
    rules: tuple[Rule, ...]
    scripts: frozenset[str] = frozenset()
    characters_per_s: float
    words_for: Mapping[str, str] = field(default_factory=dict)
    spoken_tlds: Mapping[str, str] = field(default_factory=dict)
    laughter: str = ""  # a pattern of one written laugh
    laugh: str = ""  # how a laugh is spoken
    laughing: frozenset[str] = frozenset()  # stage directions that are a laugh
    acting: frozenset[str] = frozenset()  # first words of other stage directions
    clause_openers: frozenset[str] = frozenset()  # words before which a sentence too long may be parted
    doubled: frozenset[str] | None = None  # letters spelled twice inside words; None: drawn-out words stay as they are

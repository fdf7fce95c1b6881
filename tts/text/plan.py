"""Reply text to utterance plan: what will be said, in which segments, with which pauses. Pure; knows no voice.

The stages, in order:

    clean → Markdown → links → emoji → actions → laughter → (by language) expansion → lexicon → sieve
          → sentences → cut to the time allowed → segments

A plan has one language, its own: words of another language are spoken with its rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from tts.errors import BadText
from tts.text.chat import drop_emoji, laugh, play_actions, shorten_elongation
from tts.text.clean import clean
from tts.text.duration import expected_duration_s
from tts.text.languages import canonical_tag, language_for
from tts.text.languages.base import Language
from tts.text.lexicon import lexicon_rules
from tts.text.links import say_links
from tts.text.markup import Block, join_lines, read_markdown
from tts.text.notes import REFUSED_WHEN_STRICT, Note
from tts.text.numbers import cardinal
from tts.text.residue import keep_speakable
from tts.text.rules import Rule, apply_rules, capitalised
from tts.text.sentences import Piece, cut_to, has_word, merge, pieces

MAX_REPLY_CHARS = 4096
MAX_SEGMENT_CHARS = 500
LONG_SEGMENT_CHARS = 300
LEAST_SEGMENT_CHARS = 40
_MOST_ROUNDS = 3
_SPACES = re.compile(r"[^\S\n]+")
_SENTENCE_START = re.compile(r"(?:^|(?<=[.!?] ))[a-zà-ÿ](?![A-Z])")


class PlanMode(StrEnum):
    """LENIENT speaks what it can and warns; STRICT refuses what would lose words."""

    LENIENT = "lenient"
    STRICT = "strict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One thing to say at once: words without digits or markup (pt-BR, en), and the silence after them."""

    text: str
    language: str
    pause_after_ms: int
    expected_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UtterancePlan:
    """All that will be said. `warnings` name what is said otherwise than written, without quoting the text."""

    segments: tuple[Segment, ...]
    language: str
    truncated: bool
    warnings: tuple[str, ...]

    @property
    def expected_s(self) -> float:
        """Seconds at speed 1.0, pauses between segments included."""
        return sum(segment.expected_s + segment.pause_after_ms / 1000 for segment in self.segments)

    @property
    def spoken_text(self) -> str:
        """The words of all segments in order."""
        return " ".join(segment.text for segment in self.segments)


_NO_LEXICON: Mapping[str, str] = MappingProxyType({})


def plan_utterance(
    text: str,
    *,
    language: str,
    lexicon: Mapping[str, str] = _NO_LEXICON,
    max_spoken_s: float | None = None,
    max_segment_chars: int = MAX_SEGMENT_CHARS,
    mode: PlanMode = PlanMode.LENIENT,
) -> UtterancePlan:
    """Plan how `text` is spoken in `language` (a BCP-47 tag; pt-BR and en are complete, others safe).

    `lexicon` maps written words to spoken ones. `max_spoken_s` cuts at a sentence. Segments hold at most
    `max_segment_chars`, which is taken as 40 to 500. Raises BadText, naming the cure, for a text over 4096 characters
    or without a speakable word, and in strict mode for one that would lose words.
    """
    if len(text) > MAX_REPLY_CHARS:
        raise BadText(f"the text has {len(text)} characters; shorten or split it to at most {MAX_REPLY_CHARS}")
    rules, tag = language_for(language), canonical_tag(language)
    max_chars = max(LEAST_SEGMENT_CHARS, min(max_segment_chars, MAX_SEGMENT_CHARS))
    spoken, notes = _speakable_blocks(text, rules, lexicon)
    if mode is PlanMode.STRICT and (refused := [note for note in notes if note in REFUSED_WHEN_STRICT]):
        raise BadText("; ".join(refused))
    found = pieces(spoken, rules, max_chars=max_chars)
    if not found:
        raise BadText("nothing in the text can be spoken: write at least one word in the language of the voice")
    truncated = False
    if max_spoken_s is not None:
        found, truncated = cut_to(found, rules, max_spoken_s)
    segments = _segments(merge(found, rules, max_chars=max_chars), tag)
    if truncated:
        notes.append(Note.TRUNCATED)
    if any(len(segment.text) > LONG_SEGMENT_CHARS for segment in segments):
        notes.append(Note.LONG_SEGMENT)
    return UtterancePlan(
        segments=segments, language=tag, truncated=truncated, warnings=tuple(note.value for note in notes)
    )


def _segments(merged: list[Piece], tag: str) -> tuple[Segment, ...]:
    last = len(merged) - 1
    return tuple(
        Segment(
            text=piece.text,
            language=tag,
            pause_after_ms=0 if place == last else piece.pause_after_ms,
            expected_s=expected_duration_s(piece.text, tag),
        )
        for place, piece in enumerate(merged)
    )


def _speakable_blocks(text: str, language: Language, lexicon: Mapping[str, str]) -> tuple[list[str], list[Note]]:
    blocks, found = read_markdown(clean(text))
    notes = list(found)
    before, after = lexicon_rules(lexicon)
    spoken = []
    for block in blocks:
        words, lost = _speak(block, language, before, after)
        notes += lost
        if has_word(words):
            spoken.append(words)
    return spoken, list(dict.fromkeys(notes))


def _speak(
    block: Block, language: Language, before: tuple[Rule, ...], after: tuple[Rule, ...]
) -> tuple[str, tuple[Note, ...]]:
    text, links = say_links(apply_rules(_SPACES.sub(" ", block.text), before), language)
    text, emoji = drop_emoji(text)
    text, actions = play_actions(text, language)
    text = join_lines(text)
    if block.number is not None and has_word(text):
        text = f"{capitalised(cardinal(block.number, language.code))}, {text}"
    text, sieved = _expand(text, language)
    text, _ = keep_speakable(apply_rules(text, after), language)
    return _ended(text), (*links, *emoji, *actions, *sieved)


def _expand(text: str, language: Language) -> tuple[str, tuple[Note, ...]]:
    """Run the rules until they leave the text alone: what one has parted ("5vc") is another's to say."""
    spoken, lost = _expand_once(text, language)
    for _ in range(_MOST_ROUNDS):
        before, spoken = spoken, _expand_once(spoken, language)[0]
        if spoken == before:
            break
    return spoken, lost


def _expand_once(text: str, language: Language) -> tuple[str, tuple[Note, ...]]:
    text = shorten_elongation(laugh(text, language), language)
    text, lost = keep_speakable(apply_rules(_ended(text), language.rules), language)
    if language.complete:
        text = _SENTENCE_START.sub(lambda match: match.group().upper(), text)
    return text, lost


def _ended(text: str) -> str:
    """Every block ends as a sentence: a voice lets its pitch fall there."""
    text = text.rstrip(" ,;:-")
    return text if not text or text[-1] in ".!?…。！？" else f"{text}."

"""Spoken text to sentences, sentences to segments of a length voices do well. Knows no rules of expansion.

Nothing is cut inside a word. A sentence too long is parted at clauses, then before a joining word, then between words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tts.text.duration import expected_duration_s
from tts.text.languages.base import Language

ENOUGH_S = 6.0  # a segment this long is closed at the next sentence
FULL_S = 12.0  # no sentence is added past this
LONG_SENTENCE_S = 16.0  # a single sentence past this is parted
SCANT_S = 2.0  # shorter segments sound clipped: they join their neighbour

SENTENCE_PAUSE_MS = 250
BLOCK_PAUSE_MS = 500
CLAUSE_PAUSE_MS = 100

_BOUNDARY = re.compile(r"(?<=[.!?])\s+|(?<=…)\s+(?=[A-ZÀ-Þ])|(?<=[。！？])\s*")
_INITIAL = re.compile(r"(?:^|\s)[A-ZÀ-Þ]\.$")
_CLAUSE = re.compile(r"(?<=[;:])\s+|(?<=,)\s+|(?<=[、，；])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of speech and the silence it wants after it."""

    text: str
    pause_after_ms: int
    ends_block: bool = False


def has_word(text: str) -> bool:
    """Whether there is anything in it to say."""
    return any(character.isalnum() for character in text)


def sentences(block: str) -> list[str]:
    """The block's sentences; an initial ("J. Silva") ends none."""
    found: list[str] = []
    for part in _BOUNDARY.split(block):
        if found and _INITIAL.search(found[-1][-3:]):
            found[-1] += f" {part}"
        elif has_word(part):
            found.append(part.strip())
    return found


def pieces(blocks: Iterable[str], language: Language, *, max_chars: int) -> list[Piece]:
    """Sentences of all blocks in order, each within `max_chars` and a breath, with the pauses they want."""
    out: list[Piece] = []
    for block in blocks:
        for sentence in sentences(block):
            parts = list(_part(sentence, language, max_chars))
            out += [Piece(text=part, pause_after_ms=_inner_pause(part)) for part in parts[:-1]]
            out += [Piece(text=part, pause_after_ms=SENTENCE_PAUSE_MS) for part in parts[-1:]]
        if out:
            out[-1] = replace(out[-1], pause_after_ms=BLOCK_PAUSE_MS, ends_block=True)
    return out


def _inner_pause(part: str) -> int:
    return CLAUSE_PAUSE_MS if part[-1] in ",;:、，；" else 0


def _part(sentence: str, language: Language, max_chars: int) -> Iterator[str]:
    if len(sentence) <= max_chars and expected_duration_s(sentence, language.code) <= LONG_SENTENCE_S:
        yield sentence
        return
    clauses = [clause for clause in _CLAUSE.split(sentence) if has_word(clause)]
    glue = "" if language.code in {"zh", "ja"} else " "
    for clause in _fill(clauses, glue, language, max_chars):
        if len(clause) <= max_chars:
            yield clause
        else:
            words = re.split(r"\s+", clause)
            openers = _at_openers(words, language.clause_openers)
            for run in _fill(openers, " ", language, max_chars):
                yield from [run] if len(run) <= max_chars else _by_words(run, max_chars)


def _fill(parts: Iterable[str], glue: str, language: Language, max_chars: int) -> Iterator[str]:
    """Join neighbours while they stay within `max_chars` and a full breath."""
    current = ""
    for part in parts:
        joined = f"{current}{glue}{part}" if current else part
        if current and (len(joined) > max_chars or expected_duration_s(joined, language.code) > FULL_S):
            yield current
            current = part
        else:
            current = joined
    if current:
        yield current


def _at_openers(words: list[str], openers: frozenset[str]) -> list[str]:
    runs: list[list[str]] = [[]]
    for word in words:
        if word.lower() in openers and runs[-1]:
            runs.append([])
        runs[-1].append(word)
    return [" ".join(run) for run in runs]


def _by_words(run: str, max_chars: int) -> Iterator[str]:
    current = ""
    for word in run.split():
        for chunk in (word[at : at + max_chars] for at in range(0, len(word), max_chars)):
            joined = f"{current} {chunk}" if current else chunk
            if not has_word(chunk):
                continue  # a mark that fell off the end of an over-long word
            if len(joined) > max_chars:
                yield current
                current = chunk
            else:
                current = joined
    if current:
        yield current


def merge(found: list[Piece], language: Language, *, max_chars: int) -> list[Piece]:
    """Join neighbouring pieces into segments of about 6–12 s; a short block closes its segment too."""
    glue = "" if language.code in {"zh", "ja"} else " "
    merged: list[Piece] = []
    for piece in found:
        last = merged[-1] if merged else None
        if last is not None and _joins(last, piece, glue, language, max_chars):
            merged[-1] = replace(piece, text=f"{last.text}{glue}{piece.text}")
        else:
            merged.append(piece)
    return merged


def _joins(last: Piece, piece: Piece, glue: str, language: Language, max_chars: int) -> bool:
    joined = f"{last.text}{glue}{piece.text}"
    if len(joined) > max_chars:
        return False
    last_s, piece_s, joined_s = (expected_duration_s(t, language.code) for t in (last.text, piece.text, joined))
    if min(last_s, piece_s) < SCANT_S:
        return joined_s <= FULL_S + SCANT_S
    if last_s >= ENOUGH_S or (last.ends_block and last_s >= ENOUGH_S / 2):
        return False
    return joined_s <= FULL_S


def cut_to(found: list[Piece], language: Language, max_spoken_s: float) -> tuple[list[Piece], bool]:
    """The leading pieces that fit into `max_spoken_s`; of a first sentence too long, its leading clauses or words."""
    kept: list[Piece] = []
    spent_s = 0.0
    for piece in found:
        spent_s += expected_duration_s(piece.text, language.code)
        if spent_s > max_spoken_s:
            return kept or [_shortened(piece, language, max_spoken_s)], True
        kept.append(piece)
        spent_s += piece.pause_after_ms / 1000
    return kept, False


def _shortened(piece: Piece, language: Language, max_spoken_s: float) -> Piece:
    """The longest beginning that fits, ending at a clause or else at a word; one word when nothing fits."""
    words = piece.text.split()
    by_words = [" ".join(words[:count]) for count in range(len(words), 0, -1)]
    by_clauses = [text for text in by_words if text[-1] in ",;:、，；"]
    speakable = [text for text in (*by_clauses, *by_words) if has_word(text)]
    fits = (text for text in speakable if expected_duration_s(text, language.code) <= max_spoken_s)
    text = next(fits, speakable[-1])
    return replace(piece, text=text.rstrip(" .,;:!?…、，；。") + ".", pause_after_ms=0)

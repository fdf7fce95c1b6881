"""Cuts a reply to a length without stopping in the middle of a thought. Pure."""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"(?:[^.!?…\n]|[.!?…](?![\s\"”’')]|[.!?…]|$))*(?:[.!?…]+[\"”’')]*|\n|$)\s*")


def sentences(text: str) -> list[str]:
    """The sentences of a text with their marks, in order, without the space around them."""
    return [piece for match in _SENTENCE.finditer(text) if (piece := match.group().strip())]


def trimmed(text: str, max_chars: int) -> str:
    """At most `max_chars`: whole sentences where at least one fits, else whole words and an ellipsis."""
    text = text.strip()
    if len(text) <= max_chars:
        return text
    kept = 0
    for match in _SENTENCE.finditer(text):
        end = len(text[: match.end()].rstrip())
        if end > max_chars:
            break
        kept = end
    if kept:
        return text[:kept]
    cut = text[: max(max_chars - 1, 1)]
    whole_words = cut.rsplit(None, 1)[0] if " " in cut.strip() else cut
    return (whole_words.rstrip(" ,;:-") + "…")[:max_chars]
